// SPDX-License-Identifier: BSD-3-Clause
// Any bytes parse without harm, and what was understood, built again, is understood alike.
#include "babel/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xy_addr source = {.b = {0xfe, 0x80, [15] = 1}};

static bool rebuild(struct xy_babel_builder *b, const struct xy_babel_tlv *t)
{
	switch (t->type) {
	case XY_BABEL_ACK_REQUEST:
		return xy_babel_build_ack_request(b, t->ack.opaque, t->ack.interval);
	case XY_BABEL_ACK:
		return xy_babel_build_ack(b, t->ack.opaque);
	case XY_BABEL_HELLO:
		return xy_babel_build_hello(b, &t->hello);
	case XY_BABEL_IHU:
		return xy_babel_build_ihu(b, &t->ihu);
	case XY_BABEL_UPDATE:
		// The builder has no use for a signed retraction without a router-id.
		return (!t->update.has_origin || t->update.has_rid) &&
		       xy_babel_build_update(b, &t->update);
	case XY_BABEL_ROUTE_REQUEST:
		return xy_babel_build_route_request(b, &t->request);
	case XY_BABEL_SEQNO_REQUEST:
		return xy_babel_build_seqno_request(b, &t->request);
	default:
		return false;
	}
}

static void check(bool good)
{
	if (!good)
		abort();
}

static void compare(const struct xy_babel_tlv *a, const struct xy_babel_tlv *b)
{
	check(a->type == b->type);
	if (a->type == XY_BABEL_UPDATE && !a->update.wildcard) {
		check(xy_prefix_eq(&a->update.prefix, &b->update.prefix));
		check(a->update.metric == b->update.metric && a->update.seqno == b->update.seqno);
		check(a->update.has_origin == b->update.has_origin);
		check(a->update.metric == XY_BABEL_INFINITY || a->update.rid == b->update.rid);
	} else if (a->type == XY_BABEL_SEQNO_REQUEST) {
		check(xy_prefix_eq(&a->request.prefix, &b->request.prefix));
		check(a->request.rid == b->request.rid);
	} else if (a->type == XY_BABEL_HELLO) {
		check(a->hello.time == b->hello.time && a->hello.seqno == b->hello.seqno);
	}
}

static void round_trip(const struct xy_babel_tlv *t)
{
	uint8_t data[512];
	struct xy_babel_builder b;
	struct xy_babel_parser p;
	struct xy_babel_tlv again;
	xy_babel_build(&b, data, sizeof(data), &source);
	if (!rebuild(&b, t))
		return;
	check(xy_babel_parse(&p, data, xy_babel_build_end(&b), &source) == 0);
	do
		check(xy_babel_parse_next(&p, &again));
	while (again.type != t->type);
	compare(t, &again);
	check(!xy_babel_parse_next(&p, &again) && p.ignored == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xy_babel_parser p;
	struct xy_babel_tlv t;
	if (xy_babel_parse(&p, data, size, &source) < 0)
		return 0;
	while (xy_babel_parse_next(&p, &t))
		round_trip(&t);
	return 0;
}
