// SPDX-License-Identifier: BSD-3-Clause
// How a meshpeer reaches its neighbour: Babel datagrams either inside a WireGuard tunnel to a Xylem
// node, or on an interface as a stock router sends them. One thread; a carrier owns its socket and
// keys and is freed by _close.
#pragma once

#include "base/err.h"
#include "base/time.h"
#include "identity/identity.h"

#include <stddef.h>

struct carrier {
	int fd;
	struct xy_addr local, remote; // link-local; remote unspecified until it is heard
	bool up;		      // datagrams can go out
	unsigned handshakes;
	// Sends one Babel datagram; what cannot be sent is lost, as on any wire.
	void (*send)(struct carrier *c, const struct xy_addr *to, const void *data, size_t len);
	// The payload of the next Babel datagram, copied to buf; 0 when another thing came (or
	// nothing that opens), -EAGAIN when nothing waits.
	int (*receive)(struct carrier *c, void *buf, size_t size, struct xy_addr *from,
		       xy_nsec now);
	void (*poll)(struct carrier *c, xy_nsec now); // handshakes; call it often
	void (*close)(struct carrier *c);
};

struct tunnel_options {
	const struct xy_identity *identity;
	struct xy_key peer;
	struct xy_endpoint endpoint;
	uint8_t psk[32]; // zeros: none
};

// NULL with a text when there is no socket or the peer's key is none.
struct carrier *tunnel_open(const struct tunnel_options *o, struct xy_err *err);
struct carrier *wire_open(const char *interface, struct xy_err *err);

// A non-blocking UDP socket with room for a burst; -errno.
int carrier_socket(void);
