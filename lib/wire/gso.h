// SPDX-License-Identifier: BSD-3-Clause
// The kernel hands a TUN reader segments of up to 64 KB (virtio_net_hdr, TSO and USO), and takes
// such segments back. Here they are cut to packets and packets are joined to segments. Pure; one
// worker per state.
#pragma once

#include "wire/inet.h"

// linux/virtio_net.h's struct virtio_net_hdr (little endian, 10 bytes), as TUN gives it.
struct xy_vnet {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
} __attribute__((packed));
_Static_assert(sizeof(struct xy_vnet) == 10, "virtio_net_hdr");

enum {
	XY_VNET_NEEDS_CSUM = 1,
	XY_VNET_GSO_NONE = 0,
	XY_VNET_GSO_TCPV4 = 1,
	XY_VNET_GSO_TCPV6 = 4,
	XY_VNET_GSO_UDP_L4 = 5,
	XY_VNET_GSO_ECN = 0x80,
};

// Cutting. begin checks the header against the packet (lengths, protocol, offsets) and returns how
// many packets come out (1 for no GSO; the checksum is then completed in place), or -EBADMSG, or
// -EOPNOTSUPP for a gso_type that was not asked for. next writes packet i (0-based, in order) into
// out and returns its length; room is the space at out (>= header + gso_size, else -ENOSPC).
// Behind IPv6 extension headers a segment is cut as well; its sum must then have been left to us,
// as TUN does: the destination in the pseudo header may stand in a routing header.
struct xy_gso_cut {
	uint8_t *pkt; // the super packet, changed only by begin
	uint32_t len;
	uint16_t l3_len, hdr_len; // up to the TCP or UDP header, and up to its end
	uint16_t size;		  // payload per packet
	uint16_t pseudo;	  // sum of the pseudo header but for the length, as stored
	uint16_t count;
	uint8_t version, protocol;
};
int xy_gso_cut_begin(struct xy_gso_cut *cut, const struct xy_vnet *vnet, uint8_t *pkt,
		     uint32_t len);
int xy_gso_cut_next(const struct xy_gso_cut *cut, unsigned i, uint8_t *out, uint32_t room);

// Joining. Can packet b follow a (a is a plain packet, or the segment so far of `segs` packets of
// size `size`)? Same flow, TCP: consecutive sequence numbers, same ack, flags only ACK (PSH ends
// it), same options, no IP options, checksums right, same TTL and traffic class, DF set, all
// segments but the last of one size; UDP: same size but the last, checksum present and right.
// A flow key lets the caller find a candidate quickly.
struct xy_gro_item {
	uint8_t *pkt;	   // headers and payload, contiguous
	uint32_t len;	   // so far
	uint32_t next_seq; // TCP
	uint16_t hdr_len, l3_len;
	uint16_t size;	// payload of the first packet
	uint16_t count; // packets in it
	uint8_t version, protocol;
	bool closed; // nothing can follow (PSH, a short packet, not a candidate)
};
// Classifies a packet; false (and closed) when it can never be joined. Verifies the L4 checksum.
bool xy_gro_begin(struct xy_gro_item *it, uint8_t *pkt, uint32_t len);
// True when b (a single packet from xy_gro_begin) continues a. The caller then appends b's payload
// (b->pkt + b->hdr_len, b->len - b->hdr_len bytes) behind a and calls _join. max: most bytes.
bool xy_gro_continues(const struct xy_gro_item *a, const struct xy_gro_item *b, uint32_t max);
void xy_gro_join(struct xy_gro_item *a, const struct xy_gro_item *b);
// Finishes headers (lengths, IPv4 checksum, pseudo-header sum in the L4 checksum) and the vnet
// header of an item with count > 1; for count 1 the packet is left alone and vnet is zeros with
// no flag (its checksum was verified or is the receiver's to check).
void xy_gro_finish(struct xy_gro_item *it, struct xy_vnet *vnet);
