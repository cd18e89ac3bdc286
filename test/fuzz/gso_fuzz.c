// SPDX-License-Identifier: BSD-3-Clause
// Segments: a vnet header and a packet are cut; the packets of the cut are joined again, as are two
// packets of the input. What was joined must cut to as many packets as went in.
#include "wire/gso.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUF = 70000 };
static uint8_t segment[BUF], packet[BUF];

// Appends the packet at pkt to a when it continues it.
static bool append(struct xy_gro_item *a, uint8_t *pkt, uint32_t len)
{
	struct xy_gro_item b;
	xy_gro_begin(&b, pkt, len);
	if (!xy_gro_continues(a, &b, 65535))
		return false;
	memcpy(a->pkt + a->len, b.pkt + b.hdr_len, b.len - b.hdr_len);
	xy_gro_join(a, &b);
	return true;
}

static void check_joined(struct xy_gro_item *a)
{
	struct xy_vnet v;
	struct xy_gso_cut cut;
	xy_gro_finish(a, &v);
	if (a->count > 1 && xy_gso_cut_begin(&cut, &v, a->pkt, a->len) != a->count)
		abort();
}

static void cut_and_join(const struct xy_vnet *vnet, const uint8_t *data, size_t size)
{
	struct xy_gso_cut cut;
	struct xy_gro_item a = {.closed = true};
	uint8_t *pkt = malloc(size ? size : 1);
	memcpy(pkt, data, size);
	int count = xy_gso_cut_begin(&cut, vnet, pkt, (uint32_t)size);
	for (int i = 0; i < count && i < 100; i++) {
		uint32_t room = count == 1 ? cut.len : (uint32_t)cut.hdr_len + cut.size;
		uint8_t *out = malloc(room);
		int n = xy_gso_cut_next(&cut, (unsigned)i, out, room);
		if (n <= 0 || (uint32_t)n > room)
			abort();
		if (i == 0) {
			memcpy(segment, out, (size_t)n);
			xy_gro_begin(&a, segment, (uint32_t)n);
		} else if (a.count) {
			append(&a, out, (uint32_t)n);
		}
		free(out);
	}
	if (a.count)
		check_joined(&a);
	free(pkt);
}

static void join_two(const uint8_t *data, size_t size)
{
	struct xy_gro_item a;
	size_t first = size / 2, second = size - first;
	memcpy(segment, data, first);
	memcpy(packet, data + first, second);
	xy_gro_begin(&a, segment, (uint32_t)first);
	append(&a, packet, (uint32_t)second);
	check_joined(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xy_vnet vnet;
	if (size < sizeof(vnet) || size > 65536)
		return 0;
	memcpy(&vnet, data, sizeof(vnet));
	cut_and_join(&vnet, data + sizeof(vnet), size - sizeof(vnet));
	join_two(data + sizeof(vnet), size - sizeof(vnet));
	return 0;
}
