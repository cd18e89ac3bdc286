// SPDX-License-Identifier: BSD-3-Clause
// All of WireGuard's protocol numbers and message layouts on one page (Donenfeld, "WireGuard: Next
// Generation Kernel Network Tunnel", 2017, sections 5 and 6). Any thread.
#pragma once

#include "base/ip.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum xy_wg_type {
	XY_WG_INITIATION = 1,
	XY_WG_RESPONSE = 2,
	XY_WG_COOKIE_REPLY = 3,
	XY_WG_DATA = 4,
};

// What data is sealed with. WireGuard has the first; between nodes another is named in the first
// reserved byte of messages 1 and 2. A cipher, and how much of a packet it covers: in the light
// ones only the head of what is sealed from end to end already.
enum xy_wg_suite {
	XY_WG_CHACHA20_POLY1305, // RFC 8439
	XY_WG_AES_256_GCM,	 // NIST SP 800-38D
	XY_WG_CIPHERS,
	XY_WG_CHACHA20_POLY1305_LIGHT = XY_WG_CIPHERS,
	XY_WG_AES_256_GCM_LIGHT,
	XY_WG_SUITES
};
extern const char *const xy_wg_suite_name[XY_WG_SUITES];

static inline enum xy_wg_suite xy_wg_cipher_of(uint8_t suite)
{
	return (enum xy_wg_suite)(suite % XY_WG_CIPHERS);
}

static inline bool xy_wg_is_light(uint8_t suite)
{
	return suite >= XY_WG_CIPHERS;
}

static inline uint8_t xy_wg_light_of(uint8_t cipher)
{
	return (uint8_t)(cipher + XY_WG_CIPHERS);
}

enum {
	XY_WG_KEY_LEN = 32,
	XY_WG_TAG_LEN = 16,
	XY_WG_HASH_LEN = 32,
	XY_WG_MAC_LEN = 16,
	XY_WG_COOKIE_LEN = 16,
	XY_WG_COOKIE_NONCE_LEN = 24,
	XY_WG_TAI64N_LEN = 12,

	XY_WG_DATA_HEADER_LEN = 16,
	XY_WG_DATA_OVERHEAD = XY_WG_DATA_HEADER_LEN + XY_WG_TAG_LEN, // 32
	XY_WG_PAD = 16,
	XY_WG_LIGHT_LEN =
		64, // what a light suite seals of a packet of which it seals the head alone
	XY_E2E_OVERHEAD = 72, // of sealing from end to end, inside a link: 40 + 16 + 16
};

// In the counter of a message of which a light suite covers the head alone. It is part of the
// nonce: so it cannot be changed on the way, and no nonce comes twice.
#define XY_WG_LIGHT_MARK (UINT64_C(1) << 55)

// What a link adds to each packet, bytes: headers of the underlay and of its carrier, WireGuard's
// and the tag. 60 over UDP and IPv4, 80 over UDP and IPv6.
static inline uint32_t xy_wg_link_overhead(const struct xy_endpoint *to)
{
	static const uint32_t carrier[] = {[XY_CARRIER_UDP] = 8};
	return (xy_addr_is_v4(&to->addr) ? 20 : 40) + carrier[to->carrier] + XY_WG_DATA_OVERHEAD;
}

struct xy_wg_macs {
	uint8_t mac1[XY_WG_MAC_LEN];
	uint8_t mac2[XY_WG_MAC_LEN];
};

struct xy_wg_initiation {
	uint8_t type, suite, reserved[2]; // suite: reserved[0], enum xy_wg_suite
	uint32_t sender;		  // little endian on the wire, opaque to us
	uint8_t ephemeral[XY_WG_KEY_LEN];
	uint8_t static_box[XY_WG_KEY_LEN + XY_WG_TAG_LEN];
	uint8_t timestamp_box[XY_WG_TAI64N_LEN + XY_WG_TAG_LEN];
	struct xy_wg_macs macs;
} __attribute__((packed));
_Static_assert(sizeof(struct xy_wg_initiation) == 148, "message 1");

struct xy_wg_response {
	uint8_t type, suite, reserved[2];
	uint32_t sender, receiver;
	uint8_t ephemeral[XY_WG_KEY_LEN];
	uint8_t empty_box[XY_WG_TAG_LEN];
	struct xy_wg_macs macs;
} __attribute__((packed));
_Static_assert(sizeof(struct xy_wg_response) == 92, "message 2");

struct xy_wg_cookie_reply {
	uint8_t type, reserved[3];
	uint32_t receiver;
	uint8_t nonce[XY_WG_COOKIE_NONCE_LEN];
	uint8_t cookie_box[XY_WG_COOKIE_LEN + XY_WG_TAG_LEN];
} __attribute__((packed));
_Static_assert(sizeof(struct xy_wg_cookie_reply) == 64, "message 3");

struct xy_wg_data {
	uint8_t type, reserved[3];
	uint32_t receiver;
	uint64_t counter; // little endian
	uint8_t box[];
} __attribute__((packed));
_Static_assert(sizeof(struct xy_wg_data) == XY_WG_DATA_HEADER_LEN, "message 4");

// Section 6.1. Durations are a struct so that a test can shorten them; the default is the paper's.
struct xy_wg_limits {
	xy_nsec rekey_after_time;	// 120 s
	xy_nsec reject_after_time;	// 180 s
	xy_nsec rekey_attempt_time;	// 90 s
	xy_nsec rekey_timeout;		// 5 s
	xy_nsec rekey_timeout_jitter;	// up to 333 ms, added at random
	xy_nsec keepalive_timeout;	// 10 s
	uint64_t rekey_after_messages;	// 2^60
	uint64_t reject_after_messages; // 2^64 - 2^13 - 1
};
extern const struct xy_wg_limits xy_wg_limits_default;

// Transport data? As xy_wg_classify says it, at once: what most are.
static inline bool xy_wg_is_data(const uint8_t *msg, size_t len)
{
	static const uint8_t head[4] = {XY_WG_DATA}; // and what is reserved
	// No multiple of 16: padding stops at the link's MTU.
	return len >= XY_WG_DATA_OVERHEAD && memcmp(msg, head, sizeof(head)) == 0;
}

// Which kind of message this is, by type byte, reserved bytes (a suite that is known in messages 1
// and 2, else zeros) and length alone; 0 when it is none.
enum xy_wg_type xy_wg_classify(const uint8_t *msg, size_t len);
// Are these several messages in a row, as a datagram that was never cut holds them? Told by a
// second header behind the first message: of any kind behind a handshake message, whose length is
// known; of data for the same receiver behind data, in whose random bytes it stands by chance once
// in 2^53 datagrams of full size.
bool xy_wg_is_train(const uint8_t *msg, size_t len);
