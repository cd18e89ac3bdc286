// SPDX-License-Identifier: BSD-3-Clause
// One list gives each drop reason its enum, counter, graph node, metric, and docs row
// (docs/drops.md is generated from it). Any thread.
#pragma once

// X(NAME, name, text)
#define XY_DROPS(X)                                                                                \
	X(NOT_WIREGUARD, not_wireguard, "datagram that is no WireGuard message (type or length)")  \
	X(TRAIN, train, "several datagrams in one frame, which a card in generic mode gave")       \
	X(BAD_HEADER_SUM, bad_header_sum, "frame from a card whose IPv4 header checksum is wrong") \
	X(UNKNOWN_INDEX, unknown_index, "receiver index that names no session")                    \
	X(SESSION_EXPIRED, session_expired, "session older than REJECT_AFTER_TIME or used up")     \
	X(BAD_TAG, bad_tag, "authentication failed: forged, damaged or wrong key")                 \
	X(REPLAY, replay, "counter seen before or behind the window")                              \
	X(UNKNOWN_LANE, unknown_lane, "lane that the other side was not told of in this session")  \
	X(BAD_INNER, bad_inner, "opened packet is no valid IPv4 or IPv6")                          \
	X(BAD_ECN, bad_ecn, "congestion mark over a packet that cannot carry it (RFC 6040)")       \
	X(SOURCE_NOT_ALLOWED, source_not_allowed,                                                  \
	  "source that this leaf is not `allowed`, or that is not accepted from this node")        \
	X(SPOOFED, spoofed,                                                                        \
	  "source that is ours, another node's or martian; or ICMP error about another's")         \
	X(NOT_SEALED, not_sealed,                                                                  \
	  "node sent what is neither sealed from end to end nor for us or ours")                   \
	X(NOT_FORWARDED, not_forwarded, "link-local or multicast destination: never forwarded")    \
	X(HOP_LIMIT, hop_limit, "hop limit reached zero")                                          \
	X(NO_ROUTE, no_route, "no route to the destination")                                       \
	X(EXIT_NOT_ALLOWED, exit_not_allowed,                                                      \
	  "for the Internet by this exit, from whom `exit_for` does not name")                     \
	X(SAME_PEER, same_peer, "would go back to the peer that it came from")                     \
	X(TOO_BIG, too_big, "larger than the next link can carry")                                 \
	X(NO_SESSION, no_session, "no session with the next hop, and none came in time")           \
	X(HOLD_FULL, hold_full, "too many packets wait for a session or for a route")              \
	X(NO_ANSWER, no_answer, "no route, or no session with a far node, came in time")           \
	X(NO_ENDPOINT, no_endpoint, "next hop has no known endpoint")                              \
	X(TX_FAILED, tx_failed, "the kernel refused the datagram")                                 \
	X(TX_FULL, tx_full, "transmit queue full")                                                 \
	X(UNDERLAY_MTU, underlay_mtu, "datagram larger than the underlay carries")                 \
	X(HOST_DOWN, host_down, "for this host, but it has no interface")                          \
	X(HOST_FULL, host_full, "host interface did not take the packet")                          \
	X(HOST_BAD, host_bad, "host interface gave a packet that is no valid IPv4 or IPv6")        \
	X(RING_FULL, ring_full, "hand-over ring to another worker full")                           \
	X(PUNT_FULL, punt_full, "ring to the control plane full")                                  \
	X(HANDSHAKE_FULL, handshake_full, "ring to the control plane full of handshakes of peers") \
	X(STRANGER_FULL, stranger_full,                                                            \
	  "ring to the control plane full of handshakes of strangers")                             \
	X(STRANGER_RATE, stranger_rate, "strangers' handshakes and probes above their rate")       \
	X(NO_BUFFER, no_buffer, "mempool exhausted")                                               \
	X(ICMP_LIMITED, icmp_limited, "ICMP error not sent: rate limit")                           \
	X(EXCEPTION_LIMITED, exception_limited,                                                    \
	  "frame for the host, beyond the rate of the port's TAP")                                 \
	X(PORT_GONE, port_gone, "port was removed")                                                \
	X(STALE, stale, "session or peer changed while the packet was on its way")

enum xy_drop {
#define X(NAME, name, text) XY_DROP_##NAME,
	XY_DROPS(X)
#undef X
		XY_DROP_COUNT
};

extern const char *const xy_drop_name[XY_DROP_COUNT];
extern const char *const xy_drop_text[XY_DROP_COUNT];
