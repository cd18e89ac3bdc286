// SPDX-License-Identifier: BSD-3-Clause
// Babel on the wire: RFC 8966 section 4, RFC 9229 (AE 4), RFC 9616 (Timestamp) and the origin
// sub-TLV (docs/wire-format.md). A parser that hands out one TLV at a time with all compression
// undone, and a builder that compresses. Pure; any thread; the caller owns the bytes, and nothing
// is allocated. IPv4 prefixes are v4-mapped with 96 added to their length.
#pragma once

#include "base/cursor.h"
#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	XY_BABEL_MAGIC = 42,
	XY_BABEL_VERSION = 2,
	XY_BABEL_HEADER_LEN = 4,
	XY_BABEL_TLV_HEADER_LEN = 2,
	XY_BABEL_INFINITY = 0xffff, // metric and cost
};

enum xy_babel_type {
	XY_BABEL_PAD1 = 0,
	XY_BABEL_PADN = 1,
	XY_BABEL_ACK_REQUEST = 2,
	XY_BABEL_ACK = 3,
	XY_BABEL_HELLO = 4,
	XY_BABEL_IHU = 5,
	XY_BABEL_ROUTER_ID = 6,
	XY_BABEL_NEXT_HOP = 7,
	XY_BABEL_UPDATE = 8,
	XY_BABEL_ROUTE_REQUEST = 9,
	XY_BABEL_SEQNO_REQUEST = 10,
};

enum {
	XY_BABEL_SUB_TIMESTAMP = 3,
	XY_BABEL_SUB_ORIGIN = 112,
	XY_BABEL_SUB_MANDATORY = 0x80, // bit of a sub-TLV type: ignore the whole TLV when unknown
};

enum {
	XY_BABEL_AE_WILDCARD,
	XY_BABEL_AE_V4,
	XY_BABEL_AE_V6,
	XY_BABEL_AE_LOCAL,
	XY_BABEL_AE_V4_VIA_V6
};

enum {
	XY_BABEL_HELLO_UNICAST = 0x8000,
	XY_BABEL_UPDATE_PREFIX = 0x80, // sets the default prefix of its AE
	XY_BABEL_UPDATE_RID = 0x40,    // takes the router-id out of the prefix
};

// The origin sub-TLV, version 1: version(1) flags(1) epoch(4) key(32) [tag(4)] signature(64).
enum {
	XY_BABEL_ORIGIN_VERSION = 1,
	XY_BABEL_ORIGIN_EXTERNAL = 0x01, // carries a tag
	XY_BABEL_ORIGIN_LEN = 1 + 1 + 4 + 32 + 64,
	XY_BABEL_ORIGIN_EXTERNAL_LEN = XY_BABEL_ORIGIN_LEN + 4,
};

struct xy_babel_origin {
	uint8_t flags; // as signed: bits that we do not know are kept
	uint32_t epoch;
	uint32_t tag;	 // 0 unless EXTERNAL
	uint8_t key[32]; // Ed25519
	uint8_t signature[64];
};

struct xy_babel_hello {
	uint16_t flags, seqno;
	uint16_t interval; // centiseconds; 0 = unscheduled
	bool has_time;
	uint32_t time; // microseconds (RFC 9616)
};

struct xy_babel_ihu {
	bool any; // AE 0: for whoever hears it
	struct xy_addr address;
	uint16_t rxcost, interval;
	bool has_time;
	uint32_t origin_time, receive_time;
};

struct xy_babel_update {
	bool wildcard; // AE 0: retracts everything that the sender announced
	bool has_rid;  // always, when the metric is finite
	bool has_origin;
	bool bad_origin; // an origin sub-TLV of another version or length: as good as none
	struct xy_prefix prefix;
	struct xy_addr next_hop; // unspecified for a retraction without one
	uint16_t interval, seqno, metric;
	uint64_t rid; // as a big-endian number
	struct xy_babel_origin origin;
};

struct xy_babel_request { // Route Request and Seqno Request
	bool wildcard;
	struct xy_prefix prefix;
	uint16_t seqno;
	uint8_t hops;
	uint64_t rid;
};

struct xy_babel_tlv {
	enum xy_babel_type type;
	union {
		struct {
			uint16_t opaque, interval;
		} ack; // Acknowledgment Request (interval in centiseconds) and Acknowledgment
		struct xy_babel_hello hello;
		struct xy_babel_ihu ihu;
		uint64_t rid;		 // Router-Id
		struct xy_addr next_hop; // Next Hop
		struct xy_babel_update update;
		struct xy_babel_request request;
	};
};

// Compression state, the same on both ends (RFC 8966 section 4.5).
struct xy_babel_state {
	bool has_rid, has_prefix[5];
	uint64_t rid;
	uint8_t prefix[5][16]; // per AE; IPv4 in the first 4 bytes
	bool has_v4, has_v6;
	struct xy_addr v4, v6; // next hops
};

struct xy_babel_parser {
	struct xy_cursor body;
	struct xy_babel_state state;
	unsigned ignored; // TLVs dropped: malformed, unknown type or AE, unknown mandatory sub-TLV
};

// source is the packet's network-layer source address: the first next hop of its family.
// -EBADMSG when the header is not Babel's or the body is longer than the packet; the trailer is
// not read (RFC 8966 section 4.2).
int xy_babel_parse(struct xy_babel_parser *p, const void *data, size_t len,
		   const struct xy_addr *source);
// The next TLV that means something to us; false at the end. Router-Id and Next Hop are handed
// out too (their effect is already in the Updates that follow).
bool xy_babel_parse_next(struct xy_babel_parser *p, struct xy_babel_tlv *out);

// A datagram that says nothing but that all is as it was: Hellos and IHUs, of one who hears us and
// will say so again in `interval` centiseconds or later (each of them; whose address the IHU bears
// is not asked: two are on a link). No harm where it is read late, if its arrival is known.
bool xy_babel_keeps_alive(const void *data, size_t len, uint16_t interval);

struct xy_babel_builder {
	uint8_t *data;
	size_t size, len; // len counts the header
	struct xy_babel_state state;
};

// size at least XY_BABEL_HEADER_LEN. source as in xy_babel_parse.
void xy_babel_build(struct xy_babel_builder *b, void *data, size_t size,
		    const struct xy_addr *source);
bool xy_babel_build_empty(const struct xy_babel_builder *b);
// Writes the body length and returns the packet's length.
size_t xy_babel_build_end(struct xy_babel_builder *b);

// Pads the packet to exactly `size` bytes, which it is not longer than and which it has room for
// (Pad1 and PadN, RFC 8966 sections 4.6.1 and 4.6.2).
void xy_babel_build_pad(struct xy_babel_builder *b, size_t size);

// Each adds one TLV (an Update adds the Router-Id and Next Hop that it needs), or returns false
// and leaves the packet as it was when there is no room. Values that the protocol forbids
// (interval 0 in an IHU) are the caller's to avoid.
bool xy_babel_build_ack_request(struct xy_babel_builder *b, uint16_t opaque, uint16_t interval);
bool xy_babel_build_ack(struct xy_babel_builder *b, uint16_t opaque);
bool xy_babel_build_hello(struct xy_babel_builder *b, const struct xy_babel_hello *h);
// Of a packet that begins with a Hello that has a Timestamp.
void xy_babel_hello_restamp(uint8_t *packet, uint32_t time);
bool xy_babel_build_ihu(struct xy_babel_builder *b, const struct xy_babel_ihu *ihu);
// A finite metric needs has_rid. IPv4 goes out as AE 1 when next_hop is IPv4, else as AE 4. A
// retraction may have a router-id, and needs one when it carries an origin, whose signature covers
// it.
bool xy_babel_build_update(struct xy_babel_builder *b, const struct xy_babel_update *u);
bool xy_babel_build_route_request(struct xy_babel_builder *b, const struct xy_babel_request *r);
bool xy_babel_build_seqno_request(struct xy_babel_builder *b, const struct xy_babel_request *r);
