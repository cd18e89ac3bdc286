// SPDX-License-Identifier: BSD-3-Clause
// Node-info messages. The first byte picks the way in: even, the rest is a datagram's payload; odd,
// a whole IPv6 packet. A request is answered, and the answer must be no longer and read back; a
// reply that was taken must hold what its readers rely on, and write as it was read.
#include "nodeinfo/nodeinfo.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

static void answer(const struct xy_nodeinfo_request *q, const struct xy_nodeinfo_reply *r)
{
	uint8_t out[XY_NODEINFO_REPLY_MAX];
	struct xy_nodeinfo_reply got;
	size_t n = xy_nodeinfo_reply_write(q, r, out);
	need(n <= q->len && n <= sizeof(out));
	if (!n)
		return;
	need(xy_nodeinfo_reply_read(out, n, &got) == 0 && got.kind == r->kind);
	need(memcmp(got.nonce, q->nonce, sizeof(got.nonce)) == 0);
	if (r->kind == XY_NODEINFO_NEXT)
		need(memcmp(&got.next, &r->next, sizeof(got.next)) == 0);
	else if (r->kind == XY_NODEINFO_SUITES)
		need(memcmp(&got.suites, &r->suites, sizeof(got.suites)) == 0);
	else if (r->kind == XY_NODEINFO_SEEN)
		need(memcmp(&got.seen, &r->seen, sizeof(got.seen)) == 0);
	else if (r->kind == XY_NODEINFO_LANES)
		need(got.lanes.session == r->lanes.session && got.lanes.count == r->lanes.count &&
		     got.lanes.heard == r->lanes.heard);
	else
		need(got.info.count <= r->info.count && strcmp(got.info.name, r->info.name) == 0);
}

static void request(const uint8_t *data, size_t len)
{
	struct xy_nodeinfo_request q;
	struct xy_nodeinfo_reply r = {.kind = XY_NODEINFO_INFO,
				      .info = {.name = "n",
					       .tells_neighbours = true,
					       .total = 1,
					       .count = 1,
					       .neighbour = {{{{2}}, 96, 1}}}};
	if (xy_nodeinfo_request_read(data, len, &q))
		return;
	if (q.kind == XY_NODEINFO_NEXT)
		r = (struct xy_nodeinfo_reply){.kind = q.kind,
					       .next = {.result = XY_NODEINFO_NONE}};
	if (q.kind == XY_NODEINFO_SUITES)
		r = (struct xy_nodeinfo_reply){.kind = q.kind, .suites = q.suites};
	if (q.kind == XY_NODEINFO_SEEN)
		r = (struct xy_nodeinfo_reply){.kind = q.kind,
					       .seen.at = {.addr = {{0x20, 1}}, .port = 9}};
	if (q.kind == XY_NODEINFO_LANES) {
		need(q.lanes.count && q.lanes.count <= 64);
		r = (struct xy_nodeinfo_reply){.kind = q.kind, .lanes = q.lanes};
		r.lanes.heard = UINT64_C(0x8000000000000001);
	}
	answer(&q, &r);
}

static void reply(const uint8_t *data, size_t len)
{
	struct xy_nodeinfo_reply r;
	struct xy_nodeinfo_request q = {.len = XY_NODEINFO_REQUEST_MAX};
	if (xy_nodeinfo_reply_read(data, len, &r))
		return;
	if (r.kind == XY_NODEINFO_INFO) {
		need(r.info.count <= XY_NODEINFO_PAGE && r.info.count <= r.info.total);
		need(xy_nodeinfo_text_ok(r.info.version, strlen(r.info.version)));
	}
	if (r.kind == XY_NODEINFO_SEEN)
		need(!r.seen.at.port == xy_addr_is_unspecified(&r.seen.at.addr));
	if (r.kind == XY_NODEINFO_LANES)
		need(r.lanes.count && r.lanes.count <= 64);
	memcpy(q.nonce, r.nonce, sizeof(q.nonce));
	answer(&q, &r);
}

static void payload(const uint8_t *data, size_t len)
{
	if (xy_nodeinfo_is_reply(data, len))
		reply(data, len);
	else
		request(data, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xy_udp6 u;
	if (!size)
		return 0;
	uint8_t *copy = malloc(size); // its own block: a read past the end is seen
	need(copy);
	memcpy(copy, data + 1, size - 1);
	if (!(data[0] & 1))
		payload(copy, size - 1);
	else if (xy_udp6_parse(copy, size - 1, &u) == 0)
		payload(u.data, u.len);
	free(copy);
	return 0;
}
