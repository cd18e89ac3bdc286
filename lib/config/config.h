// SPDX-License-Identifier: BSD-3-Clause
// The config file as a checked struct. Pure: text in, struct or error out; names are not resolved,
// files named in it are not opened here. Any thread; free with xy_config_free. Errors say line, key
// and remedy, and all of a file are told at once. Syntax: libconfig.
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "identity/identity.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
	XY_NAME_LEN = 32,	      // peer names: [A-Za-z0-9._-]{1,32}
	XY_CONFIG_ENDPOINTS = 8,      // per peer
	XY_CONFIG_ENDPOINT_LEN = 272, // "host:port" with its NUL
	XY_CONFIG_HOST_LEN = 256,     // its part
	XY_CONFIG_CPUS = 64,
	XY_CONFIG_PORTS = 16,
	XY_CONFIG_PREFIXES = 1024, // per peer
	XY_CONFIG_KEYLESS = 64,	   // peers without a key
	XY_CONFIG_INTERFACES = 16, // that nodes are looked for on
	XY_CONFIG_NOTES = 32,	   // errors, and warnings, that are said of one file
	XY_CONFIG_OPEN_PEERS = 256,
	XY_CONFIG_ALLOW = 256,	// entries of host.allow
	XY_CONFIG_USERS = 1024, // of our exit
};

#define XY_PORT_DEFAULT 51820

enum xy_config_driver { XY_DRIVER_SOCKET, XY_DRIVER_AF_XDP, XY_DRIVER_DPDK };
enum xy_config_checksum { XY_CHECKSUM_FULL, XY_CHECKSUM_NONE };
enum xy_config_idle { XY_IDLE_ADAPTIVE, XY_IDLE_POLL };
enum xy_log_level { XY_LOG_ERROR, XY_LOG_WARN, XY_LOG_INFO, XY_LOG_DEBUG };
enum { XY_LOG_AS_IT_IS = 4 }; // behind the levels: as what stands above it says
enum xy_config_suite { XY_SUITE_AUTO, XY_SUITE_CHACHA, XY_SUITE_AES };
enum xy_config_transit { XY_TRANSIT_WHOLE, XY_TRANSIT_LIGHT };
enum xy_log_format { XY_LOG_TEXT, XY_LOG_JSON, XY_LOG_JOURNALD };

// Whose a line of the log is. X(NAME, name, what of)
#define XY_LOG_PARTS(X)                                                             \
	X(DAEMON, daemon, "Start and stop, reloads, workers, helpers.")             \
	X(LINKS, links, "Peers: sessions, endpoints, path MTU; nodes beyond them.") \
	X(ROUTING, routing, "Babel: neighbours, routes, announcements.")            \
	X(PORTS, ports, "Cards and sockets.")                                       \
	X(INTERFACE, interface, "The host interface, and the kernel's routes.")     \
	X(EXITS, exits, "Exits to the Internet.")                                   \
	X(JOINING, joining, "Discovery, and keys that are asked for.")              \
	X(STATE, state, "What outlives a restart.")                                 \
	X(CONTROL, control, "What was changed by the control socket, and by whom.") \
	X(CONFINEMENT, confinement, "What the mesh may reach of this host, and the daemon itself.")
enum xy_log_part {
#define X(NAME, name, text) XY_PART_##NAME,
	XY_LOG_PARTS(X)
#undef X
		XY_LOG_PART_COUNT
};
extern const char *const xy_log_part_names[]; // NULL ends them

struct xy_config_port {
	enum xy_config_driver driver;
	struct xy_addr address;		  // unspecified = every address, both families
	uint16_t port;			  // 0 = any free one
	char interface[16];		  // af_xdp: the card; dpdk: its TAP, "" = any name
	char device[128];		  // dpdk: PCI address or vdev
	enum xy_config_checksum checksum; // cards
	// Another port has this address and port: each is for its interface alone.
	bool shared;
	int line;
};

// lan: open to those on the networks of our interfaces; what --autoconf sets.
enum xy_config_peering { XY_PEERING_CLOSED, XY_PEERING_OPEN, XY_PEERING_LAN };

enum xy_config_speak { XY_SPEAK_AUTO, XY_SPEAK_YES, XY_SPEAK_NO }; // auto: nodes do, leaves not

struct xy_config_prefixes {
	unsigned count;
	struct xy_prefix *v; // NULL: not set
};

// What is to be said of a file, in the order of its lines: "FILE:LINE: KEY: TEXT" each.
struct xy_config_note {
	unsigned line; // 0: of the file
	char *text;
};

struct xy_config_notes {
	unsigned count, more; // more: that found no room
	struct xy_config_note *v;
};

struct xy_config_peer {
	char name[XY_NAME_LEN + 1];
	struct xy_key key; // X25519; zeros: to be asked for at its one endpoint
	bool leaf;	   // a plain WireGuard device
	bool has_psk;
	uint8_t psk[32]; // secret; a leaf's own, or overriding the network secret
	unsigned endpoint_count;
	char **endpoints;		   // "host:port" each, as written; xy_hostport_split
	unsigned keepalive;		   // seconds, 0 = off, at most 65535
	unsigned mtu;			   // of the link, bytes of an overlay packet; 0 = found out
	struct xy_config_prefixes allowed; // leaf only: what it may send from, what is routed to it
	enum xy_config_speak babel;
	uint16_t cost;	      // of the link for Babel; 0 = default
	uint32_t max_origins; // it may bring; 0 = default
	bool stub;	      // it has no table of its own: we are its relay
	bool relay;	      // it is our relay: we are a stub
	bool no_traffic;      // traffic = false: nothing is routed over the link
	// leaf with babel only: its domain, what is taken from it, what it is told
	uint32_t tag;
	struct xy_config_prefixes accept, announce;
	int line; // 0: of the command line
};
// A gateway has ten thousand of them, and twice that many while it reloads.
_Static_assert(sizeof(struct xy_config_peer) + sizeof(char *) + XY_CONFIG_ENDPOINT_LEN <= 600,
	       "a peer and an endpoint, however long");

// Does this node speak Babel with the peer?
static inline bool xy_config_speaks(const struct xy_config_peer *p)
{
	return p->babel == XY_SPEAK_AUTO ? !p->leaf : p->babel == XY_SPEAK_YES;
}

struct xy_config_accept {  // key may announce prefix, and what is inside it
	struct xy_key key; // X25519
	struct xy_prefix prefix;
	int line;
};

struct xy_config_route {
	struct xy_prefix prefix;
	unsigned peer;	   // index into peers
	struct xy_key key; // X25519, of whom it is sealed for; zeros: of nobody
	int line;
};

// What the mesh may reach of this host: a protocol's ports, from some or from all.
enum xy_config_from { XY_FROM_ALL, XY_FROM_PEER, XY_FROM_PREFIX };
struct xy_config_allow {
	bool udp;	    // or TCP
	uint16_t low, high; // ports; low 0: all of them
	enum xy_config_from from;
	unsigned peer;		 // index into peers: its /64, of a leaf its `allowed`
	struct xy_prefix prefix; // written as such, or the /64 of a key that is no peer's
	int line;
};

// Can a text of nftables hold the interface's name? It knows no escapes, and * at its end is many.
bool xy_config_name_fits(const char *interface);

enum { XY_CONFIG_DIGEST = 32 };

struct xy_config {
	uint8_t digest[XY_CONFIG_DIGEST]; // of the text that it was read from
	char key_file[4096];		  // default /etc/xylem/key
	char state[3800];		  // the state folder; "": the instance's in /var/lib/xylem
	bool has_network_secret;
	uint8_t network_secret[32]; // secret
	unsigned port_count;
	struct xy_config_port ports[XY_CONFIG_PORTS]; // default: one socket on 51820
	uint32_t fwmark;			      // 0 = none

	struct {
		bool enabled;			// tun = false or --no-tun
		char name[16];			// default xylem0
		unsigned mtu;			// 0 = computed
		unsigned address_count;		// more addresses for the interface (IPv4, our /64)
		struct xy_prefix addresses[16]; // address with its length, host bits kept
	} host;
	int host_line; // of its addresses
	struct {
		bool all; // there are no rules
		unsigned count;
		struct xy_config_allow *v;
	} allow; // host.allow, which a reload may change

	struct {
		unsigned count;	    // default 1
		unsigned cpu_count; // 0 = automatic
		int cpus[XY_CONFIG_CPUS];
		enum xy_config_idle idle;
		unsigned lanes; // at most, with one node; default 64
	} workers;

	enum xy_config_suite suite; // between nodes
	enum xy_config_transit transit;
	uint32_t max_peers, max_sessions, max_routes; // 1024, 4096, 65536
	enum xy_log_level log_level;
	uint8_t log_levels[XY_LOG_PART_COUNT]; // enum xy_log_level, or XY_LOG_AS_IT_IS
	enum xy_log_format log_format;
	bool core_dumps; // which hold keys
	bool sandbox;	 // or --sandbox
	struct {
		unsigned mode;	// telemetry socket, default 0660
		char group[64]; // default none
	} telemetry;
	struct {
		unsigned mode;	// control socket, default 0600: root alone, or whose the daemon is
		char group[64]; // default none
	} control;

	struct {
		bool stub;			    // no table of our own: ask relays
		struct xy_config_prefixes announce; // ours besides our /64
		struct xy_config_prefixes claims;   // in which a fleet may give prefixes away
		unsigned accept_count;
		struct xy_config_accept *accept;
	} routing;
	struct {			    // what others inside the mesh are told
		bool enabled;		    // true
		char name[XY_NAME_LEN + 1]; // default none
		bool neighbours, version;   // false
	} node_info;
	// Traffic to all of the world. What follows stands in routing.announce (offer) and
	// routing.accept (used) as if it were written there.
	struct {
		bool offer;	     // by this host, for
		bool all;	     // every node, or
		unsigned user_count; // these
		struct xy_key *users;
		bool used; // of another node, for this host
		struct xy_key key;
		char name[64]; // it, as it was written
		int line;
	} exit;

	enum xy_config_peering peering;
	uint32_t max_open_peers; // XY_CONFIG_OPEN_PEERS
	struct {
		bool all; // every interface that can; not for the file
		unsigned count;
		char interfaces[XY_CONFIG_INTERFACES][16];
	} discovery;

	unsigned peer_count;
	struct xy_config_peer *peers;
	unsigned route_count;
	struct xy_config_route *routes;
	struct xy_config_notes errors; // what is refused; with any, the rest is what could be read
	struct xy_config_notes warnings; // what has no effect, given the rest
};

// Defaults alone (what an empty file means).
void xy_config_init(struct xy_config *c);
// name is for the error text ("xylem.conf:12: ..."). The text need not be NUL-terminated.
// -EINVAL: all that is wrong stands in out->errors, the first of it in err, and *out is to be freed
// as well; other failures leave nothing.
int xy_config_parse(const char *name, const char *text, size_t len, struct xy_config *out,
		    struct xy_err *err);
// Reads PATH. -EPERM when it holds secrets and everyone may read it. Leaves what xy_config_parse
// does.
int xy_config_load(const char *path, struct xy_config *out, struct xy_err *err);
void xy_config_free(struct xy_config *c); // wipes secrets

// What was changed at run time, as its file in the state folder has it: a config's syntax, with
// peers that came, settings that are others than the config's, and what else was set.
struct xy_config_change {
	char name[XY_NAME_LEN + 1]; // of the peer, as it was called then
	struct xy_key key;	    // zeros: it had none
	int traffic;		    // enum xy_config_traffic
	uint16_t cost;		    // 0: as the config has it
};
enum xy_config_traffic { XY_TRAFFIC_AS_IT_IS, XY_TRAFFIC_ON, XY_TRAFFIC_OFF };
struct xy_config_runtime {
	struct xy_config config;	   // its peers alone
	int level;			   // of the log, or XY_LOG_AS_IT_IS
	uint8_t levels[XY_LOG_PART_COUNT]; // likewise, of its parts
	bool drained;
	unsigned change_count;
	struct xy_config_change *changes;
};
// As xy_config_parse; errors stand in out->config.errors.
int xy_config_runtime_parse(const char *name, const char *text, size_t len,
			    struct xy_config_runtime *out, struct xy_err *err);
void xy_config_runtime_free(struct xy_config_runtime *r);
// A peer as `peers` has it, "{ name = ...; }" in one line with its secret: a peer that can be added
// at run time, of which all else is the default. malloc'd, xy_config_text_wipe frees it; NULL: no
// memory.
char *xy_config_peer_text(const struct xy_config_peer *p);
void xy_config_text_wipe(char *text);
// As a config has a string: in quotes, with what they need.
void xy_config_string_put(FILE *to, const char *text);
extern const char *const xy_config_level_names[]; // of enum xy_log_level; NULL ends them

// One more, in its line's place, up to XY_CONFIG_NOTES.
void xy_config_note(struct xy_config_notes *n, unsigned line, const char *text);
// "HOST:PORT" that can be somebody's underlay address. -EINVAL, and why says what is wrong with it.
int xy_config_endpoint_check(const char *text, struct xy_err *why);
// A list of them in one piece of memory, to be freed with free(); NULL: no memory.
char **xy_config_endpoints_copy(const char *const *list, unsigned n);

// A commented example that parses to the defaults, with a sample of everything commented out.
// malloc'd; NULL: no memory.
char *xy_config_example(void);
