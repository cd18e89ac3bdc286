// SPDX-License-Identifier: BSD-3-Clause
// The node-info service on the wire (docs/wire-format.md): what a node tells others inside the mesh
// about itself, and by which neighbour it would send to an address. One request, one reply, over
// UDP to the node's own address. Pure; any thread; the caller owns the bytes.
//
// A reply is never longer than its request, and goes to the request's source: so the service cannot
// be used to send somebody more than was sent here.
#pragma once

#include "base/ip.h"
#include "wire/udp6.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	XY_NODEINFO_PORT = 6698, // both ends
	XY_NODEINFO_VERSION = 1,
	XY_NODEINFO_NONCE_LEN = 16,
	XY_NODEINFO_TEXT_LEN = 32,
	XY_NODEINFO_REQUEST_MIN = 36,
	XY_NODEINFO_REQUEST_MAX = XY_UDP6_PAYLOAD,
	XY_NODEINFO_REPLY_MAX = XY_UDP6_PAYLOAD,
	// Longest reply to NEXT: head 20, name 1 + 32, result 1, metric 2, address 16.
	XY_NODEINFO_NEXT_LEN = 72,
	// Longest reply to INFO without neighbours: head 20, two texts of 1 + 32, flags 1, total 2,
	// count 1.
	XY_NODEINFO_INFO_LEN = 90,
	XY_NODEINFO_SUITES_LEN = 22, // reply to SUITES: head 20, can 1, best 1
	XY_NODEINFO_SEEN_LEN = 38,   // reply to SEEN: head 20, address 16, port 2
	XY_NODEINFO_LANES_LEN = 33,  // reply to LANES: head 20, session 4, count 1, heard 8
	XY_NODEINFO_NEIGHBOUR_LEN = 22,
	// With both texts empty.
	XY_NODEINFO_PAGE =
		(XY_NODEINFO_REPLY_MAX - (XY_NODEINFO_INFO_LEN - 2 * XY_NODEINFO_TEXT_LEN)) /
		XY_NODEINFO_NEIGHBOUR_LEN,
	XY_NODEINFO_UNKNOWN = 0xffff, // metric: not known, as of a static route
};

enum xy_nodeinfo_kind {
	XY_NODEINFO_INFO = 1,	// what it tells about itself, and a page of its neighbours
	XY_NODEINFO_NEXT = 2,	// its next hop towards an address
	XY_NODEINFO_SUITES = 3, // which cipher suites it has; the request tells the asker's
	XY_NODEINFO_SEEN = 4,	// from where the asker's datagrams come, of the link with it
	XY_NODEINFO_LANES = 5,	// which lanes of a session it takes, and heard
	XY_NODEINFO_REPLY = 0x80,
};

struct xy_nodeinfo_suites {
	uint8_t can, best; // enum xy_wg_suite: a bit each; the one that it would have, of those
};

struct xy_nodeinfo_seen {
	struct xy_endpoint at; // port 0, and address ::, where there is no link with the asker
};

struct xy_nodeinfo_lanes {
	uint32_t session; // by the receiver index of who answers, as on the wire
	uint8_t count;	  // that are taken, 1..64; of a request: that who asks would send in
	uint64_t heard; // replies: lanes in which packets came since the last question, a bit each
};

struct xy_nodeinfo_request {
	uint8_t kind;
	uint8_t nonce[XY_NODEINFO_NONCE_LEN]; // random: only who saw the request can answer it
	struct xy_addr addr;		  // INFO: neighbours above this one; NEXT: the destination
	struct xy_nodeinfo_suites suites; // SUITES: the asker's
	struct xy_nodeinfo_lanes lanes;	  // LANES
	size_t len;			  // of the request, and so the most that its reply may have
};

struct xy_nodeinfo_neighbour {
	struct xy_addr addr; // of the node, in 200::/7
	uint16_t cost;
	uint32_t rtt_us; // 0: not measured
};

struct xy_nodeinfo_info {
	char name[XY_NODEINFO_TEXT_LEN + 1], version[XY_NODEINFO_TEXT_LEN + 1]; // "": not told
	bool tells_neighbours;
	bool more;	// neighbours above the last of this page
	uint16_t total; // of neighbours
	unsigned count;
	struct xy_nodeinfo_neighbour neighbour[XY_NODEINFO_PAGE]; // ascending
};

enum xy_nodeinfo_result {
	XY_NODEINFO_HERE = 1, // the address is the node's own, or behind it
	XY_NODEINFO_VIA = 2,
	XY_NODEINFO_NONE = 3, // no route
};

struct xy_nodeinfo_next {
	char name[XY_NODEINFO_TEXT_LEN + 1];
	uint8_t result;
	uint16_t metric;    // VIA; XY_NODEINFO_UNKNOWN
	struct xy_addr hop; // VIA: the neighbour's address
};

struct xy_nodeinfo_reply {
	uint8_t kind; // without the reply's bit
	uint8_t nonce[XY_NODEINFO_NONCE_LEN];
	union {
		struct xy_nodeinfo_info info;
		struct xy_nodeinfo_next next;
		struct xy_nodeinfo_suites suites;
		struct xy_nodeinfo_seen seen;
		struct xy_nodeinfo_lanes lanes;
	};
};

// What a name or version may be: [A-Za-z0-9._+~-]{0,32}, so that none speaks to a terminal.
bool xy_nodeinfo_text_ok(const char *text, size_t len);

// True: data is meant as a reply (whole or not).
bool xy_nodeinfo_is_reply(const void *data, size_t len);
// -EBADMSG: malformed; -ENOTSUP: of a version or kind that we do not know.
int xy_nodeinfo_request_read(const void *data, size_t len, struct xy_nodeinfo_request *out);
int xy_nodeinfo_reply_read(const void *data, size_t len, struct xy_nodeinfo_reply *out);

// Writes r->len bytes (REQUEST_MIN..REQUEST_MAX), the rest of them zero, and returns that.
size_t xy_nodeinfo_request_write(const struct xy_nodeinfo_request *r,
				 uint8_t out[static XY_NODEINFO_REQUEST_MAX]);
// Answers `to`. As many neighbours as its length allows; those cut off are told as `more`. 0: not
// even the rest fits. Texts must be as xy_nodeinfo_text_ok has it.
size_t xy_nodeinfo_reply_write(const struct xy_nodeinfo_request *to,
			       const struct xy_nodeinfo_reply *r,
			       uint8_t out[static XY_NODEINFO_REPLY_MAX]);
