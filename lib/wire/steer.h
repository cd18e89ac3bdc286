// SPDX-License-Identifier: BSD-3-Clause
// Which frames of a network card are ours: UDP to an address and port of ours, over IPv4 without
// options or IPv6 without extension headers, untagged, not a fragment, one datagram each.
// Everything else stays the kernel's.
//
// Where the kernel runs the program itself (generic mode: bridges, VLANs, drivers without XDP),
// frames come after its GRO, or as a sender on this machine gave them (GSO): trains of datagrams
// with one header, which only the kernel's socket knows how to cut. One that is longer than the
// device's MTU is seen here; a short one by who takes it. As single datagrams between would
// overtake trains, all that is ours goes by the socket from the first train on. One text for two
// machines: the XDP program in bpf/ and the C parser that its tests and the dataplane use; hence
// only loads that the BPF verifier can follow, and no library.
#pragma once

#ifdef __bpf__
#include <linux/types.h>
typedef __u8 uint8_t;
typedef __u16 uint16_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;
#define XY_STEER_INLINE static inline __attribute__((always_inline))
#else
#include <stdint.h>
#define XY_STEER_INLINE static inline
#endif

// Why a frame goes where it goes; one counter each. Only OURS is redirected. X(NAME, name, text)
#define XY_STEERS(X)                                                                   \
	X(OURS, ours, "UDP for us, to the AF_XDP socket")                              \
	X(SHORT, short, "passed: shorter than its headers")                            \
	X(NOT_IP, not_ip, "passed: neither IPv4 nor IPv6")                             \
	X(TAGGED, tagged, "passed: VLAN tag")                                          \
	X(FRAGMENT, fragment, "passed: fragment")                                      \
	X(NOT_UDP, not_udp, "passed: not UDP, or behind options or extension headers") \
	X(OTHER_PORT, other_port, "passed: UDP to another port")                       \
	X(OTHER_ADDR, other_addr, "passed: UDP to an address that is not ours")        \
	X(TRAIN, train, "passed: for us, but longer than the MTU: several in one")     \
	X(TO_SOCKET, to_socket, "passed: for us, behind a train on a device that gives them")

enum xy_steer {
#define X(NAME, name, text) XY_STEER_##NAME,
	XY_STEERS(X)
#undef X
		XY_STEER_COUNT
};

struct xy_steer_config {		// one entry, filled before the program is attached
	uint16_t port_first, port_last; // host order
	uint32_t frame_max;		// a longer frame is a train
	uint32_t trains;		// the device may give them: one sends all to the socket
};

struct xy_steer_addr { // key of the address set; IPv4 is v4-mapped
	uint8_t b[16];
};

// What the program tells, in memory that it shares with who looks: entry 0 has train, entry 1 + CPU
// what that CPU counted.
struct xy_steer_seen {
	uint32_t train; // not 0: one has come
	uint64_t count[XY_STEER_COUNT];
} __attribute__((aligned(64)));

struct xy_steer_found { // where things are, for a frame that is not passed for its form
	struct xy_steer_addr dst;
	uint16_t port;	  // destination, host order
	uint16_t payload; // offset of the UDP payload in the frame
};

XY_STEER_INLINE uint16_t xy_steer_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

// Is the frame longer than n bytes? len: its length, where it does not end at `end` (frames in
// several buffers), else 0. The verifier lets only the mighty take one pointer from another, and
// wants to see that a number is small.
XY_STEER_INLINE int xy_steer_longer(const uint8_t *frame, const uint8_t *end, uint32_t len,
				    uint32_t n)
{
	if (len)
		return len > n;
	return n <= 0xffff && frame + n < end;
}

XY_STEER_INLINE enum xy_steer xy_steer_v4(const uint8_t *ip, const uint8_t *end, uint32_t len,
					  struct xy_steer_found *found)
{
	if (ip + 20 + 8 > end)
		return XY_STEER_SHORT;
	if (ip[0] != 0x45)
		return XY_STEER_NOT_UDP;
	if (!xy_steer_longer(ip - 14, end, len, 13u + xy_steer_be16(ip + 2)))
		return XY_STEER_SHORT;
	if (xy_steer_be16(ip + 6) & 0x3fff) // more fragments, or an offset
		return XY_STEER_FRAGMENT;
	if (ip[9] != 17)
		return XY_STEER_NOT_UDP;
	for (int i = 0; i < 10; i++)
		found->dst.b[i] = 0;
	found->dst.b[10] = found->dst.b[11] = 0xff;
	for (int i = 0; i < 4; i++)
		found->dst.b[12 + i] = ip[16 + i];
	found->port = xy_steer_be16(ip + 20 + 2);
	found->payload = 14 + 20 + 8;
	return XY_STEER_OURS;
}

XY_STEER_INLINE enum xy_steer xy_steer_v6(const uint8_t *ip, const uint8_t *end, uint32_t len,
					  struct xy_steer_found *found)
{
	if (ip + 40 + 8 > end)
		return XY_STEER_SHORT;
	if (ip[6] == 44)
		return XY_STEER_FRAGMENT;
	if (ip[6] != 17 || ip[0] >> 4 != 6)
		return XY_STEER_NOT_UDP;
	if (!xy_steer_longer(ip - 14, end, len, 14u + 39u + xy_steer_be16(ip + 4)))
		return XY_STEER_SHORT;
	uint8_t high = 0;
	for (int i = 0; i < 16; i++) {
		found->dst.b[i] = ip[24 + i];
		high |= i < 10 ? ip[24 + i] : 0;
	}
	if (!high) // ::/80: never on a wire, and v4-mapped ones would look like IPv4's
		return XY_STEER_OTHER_ADDR;
	found->port = xy_steer_be16(ip + 40 + 2);
	found->payload = 14 + 40 + 8;
	return XY_STEER_OURS;
}

// The form of a frame alone, whose headers at least are between frame and end; len as above. OURS
// means that address and port (in found) decide.
XY_STEER_INLINE enum xy_steer xy_steer_form(const uint8_t *frame, const uint8_t *end, uint32_t len,
					    struct xy_steer_found *found)
{
	if (frame + 14 > end)
		return XY_STEER_SHORT;
	switch (xy_steer_be16(frame + 12)) {
	case 0x0800:
		return xy_steer_v4(frame + 14, end, len, found);
	case 0x86dd:
		return xy_steer_v6(frame + 14, end, len, found);
	case 0x8100:
	case 0x88a8:
		return XY_STEER_TAGGED;
	}
	return XY_STEER_NOT_IP;
}

XY_STEER_INLINE int xy_steer_port_is_ours(const struct xy_steer_config *c, uint16_t port)
{
	return port >= c->port_first && port <= c->port_last;
}

// For a frame of ours. seen: has a train come before (rw; it is set for good).
XY_STEER_INLINE enum xy_steer xy_steer_train(const struct xy_steer_config *c, const uint8_t *frame,
					     const uint8_t *end, uint32_t len, uint32_t *seen)
{
	if (xy_steer_longer(frame, end, len, c->frame_max)) {
		if (c->trains)
			*seen = 1;
		return XY_STEER_TRAIN;
	}
	return *seen ? XY_STEER_TO_SOCKET : XY_STEER_OURS;
}
