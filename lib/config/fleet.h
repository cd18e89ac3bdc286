// SPDX-License-Identifier: BSD-3-Clause
// The config of xylem-fleet, a file of its own, which the daemon never reads: where a fleet's
// records stand, who is believed, and how many of the nodes are linked to. Any thread; what load
// and parse give is freed by xy_config_fleet_free.
#pragma once

#include "config/config.h"

enum {
	XY_CONFIG_FLEET_PATH = 256,
	XY_CONFIG_FLEET_SERVERS = 8,
	XY_CONFIG_FLEET_URL = 200,
	XY_CONFIG_FLEET_KEYS = 256, // that are trusted
	XY_CONFIG_FLEET_PINS = 32,
	XY_CONFIG_FLEET_LINKS = 64,
	XY_CONFIG_FLEET_ALL = 0, // links to all
};

enum xy_config_fleet_mode { XY_CONFIG_FLEET_XYLEM, XY_CONFIG_FLEET_IKTO };

// Who is let in: whose record bears its own signature, those listed, those whom a CA signed.
enum xy_config_fleet_trust {
	XY_CONFIG_FLEET_SIGNED,
	XY_CONFIG_FLEET_LISTED,
	XY_CONFIG_FLEET_CA,
};

// Whom a link is held to, whatever else speaks for it: by name, or by either key.
struct xy_config_fleet_pin {
	char name[XY_NAME_LEN + 1]; // "": by its key
	struct xy_key key;
};

struct xy_config_fleet {
	struct xy_config notes;		   // its errors and warnings alone
	char folder[XY_CONFIG_FLEET_PATH]; // "": NATS
	unsigned server_count;
	char servers[XY_CONFIG_FLEET_SERVERS][XY_CONFIG_FLEET_URL]; // "tls://host:4222"
	char bucket[65];
	char creds[XY_CONFIG_FLEET_PATH]; // "": none
	struct {
		char ca[XY_CONFIG_FLEET_PATH];				    // "": the system's
		char cert[XY_CONFIG_FLEET_PATH], key[XY_CONFIG_FLEET_PATH]; // "": none
	} tls;
	enum xy_config_fleet_mode mode;

	enum xy_config_fleet_trust trust;
	unsigned key_count;
	struct xy_key *keys;		       // LISTED: Ed25519 or X25519, as they were written
	struct xy_key ca;		       // CA: Ed25519
	char membership[XY_CONFIG_FLEET_PATH]; // file; "": none

	unsigned links; // XY_CONFIG_FLEET_ALL: to all
	bool relay;
	unsigned pin_count;
	struct xy_config_fleet_pin pins[XY_CONFIG_FLEET_PINS];
	unsigned endpoint_count;
	char endpoints[XY_CONFIG_ENDPOINTS][XY_ENDPOINT_STRLEN]; // beside what the daemon knows
	unsigned lifetime;					 // of our record, in seconds

	// What of the mesh's addresses is wanted: a network of so many bits in cidr; bits 0:
	// nothing.
	struct {
		struct xy_prefix cidr, first; // first: is tried first; len 0: any
		unsigned bits;		      // as in "/48", of its own family
		bool retry;		      // draw another where that one is taken
	} claim;
	struct {
		struct xy_prefix allowed_ip, mesh_cidr;
		struct xy_addr advertise_address;
		uint16_t wg_port;
	} ikto;
	char group[64]; // of its socket; "": its own
};

// A server's host and port, and whether TLS is asked for. -EINVAL.
int xy_config_fleet_url(const char *text, char host[static XY_CONFIG_HOST_LEN], uint16_t *port,
			bool *tls);

void xy_config_fleet_init(struct xy_config_fleet *f); // the defaults
// As xy_config_parse; errors stand in out->notes.errors.
int xy_config_fleet_parse(const char *name, const char *text, size_t len,
			  struct xy_config_fleet *out, struct xy_err *err);
int xy_config_fleet_load(const char *path, struct xy_config_fleet *out, struct xy_err *err);
void xy_config_fleet_free(struct xy_config_fleet *f);
// A commented example, with a folder. malloc'd; NULL: no memory.
char *xy_config_fleet_example(void);
extern const struct xy_config_group xy_config_fleet_schema;
