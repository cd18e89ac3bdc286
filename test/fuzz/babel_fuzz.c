// SPDX-License-Identifier: BSD-3-Clause
// Any bytes parse without harm, and what was understood, built again, is understood alike. The
// same bytes then go to a node, on a mesh link and on a plain one, with a verifier that believes
// every other claim, and whose keys the node accepts in turn.
#include "babel/babel.h"

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

// What is said to keep a link alive says nothing else, and again no sooner.
static void keep_alive(const uint8_t *data, size_t size)
{
	enum { INTERVAL = 100 };
	struct xy_babel_parser p;
	struct xy_babel_tlv t;
	unsigned hellos = 0, ihus = 0;
	if (!xy_babel_keeps_alive(data, size, INTERVAL))
		return;
	check(xy_babel_parse(&p, data, size, &source) == 0);
	while (xy_babel_parse_next(&p, &t)) {
		check(t.type == XY_BABEL_HELLO || t.type == XY_BABEL_IHU);
		if (t.type == XY_BABEL_HELLO) {
			check(t.hello.interval >= INTERVAL);
			hellos++;
		} else {
			check(t.ihu.rxcost != XY_BABEL_INFINITY && t.ihu.interval >= INTERVAL);
			ihus++;
		}
	}
	check(hellos && ihus && !p.ignored);
}

// ---- a node ----

static void act(struct xy_babel *b, xy_nsec now)
{
	const struct xy_babel_action *a;
	static const uint8_t signature[64];
	for (unsigned n = 0; n < 1000 && (a = xy_babel_action(b)); n++) {
		struct xy_key key = {0};
		if (a->kind == XY_BABEL_VERIFY) {
			memcpy(key.b, a->verify.claim.origin.key, 32);
			key.b[31] ^= 1;
			int result = a->verify.claim.origin.signature[0] & 1 ? -EBADMSG : 0;
			struct xy_babel_accept accept = {.key = key}; // ::/0
			uint64_t id = a->verify.id;
			if (key.b[0] & 1)
				xy_babel_accept(b, &accept, 1, now);
			xy_babel_verified(b, id, result, &key, now);
		} else if (a->kind == XY_BABEL_SIGN) {
			xy_babel_signed(b, a->sign.id, signature, now);
		} else if (a->kind == XY_BABEL_SAVE_EPOCH) {
			xy_babel_epoch_saved(b, a->epoch, now);
		}
	}
}

static void poll_until(struct xy_babel *b, xy_nsec *now, xy_nsec end)
{
	for (unsigned n = 0; n < 200 && xy_babel_deadline(b) <= end; n++) {
		if (xy_babel_deadline(b) > *now)
			*now = xy_babel_deadline(b);
		xy_babel_poll(b, *now);
		act(b, *now);
	}
	*now = end;
}

// A Hello and an IHU, so that the link is up and what follows counts; and an Acknowledgment, so
// that the neighbour may be found silent.
static void greet(struct xy_babel *b, uint16_t link, const struct xy_babel_link *l, uint16_t seqno,
		  xy_nsec now)
{
	uint8_t data[128];
	struct xy_babel_builder build;
	xy_babel_build(&build, data, sizeof(data), &source);
	xy_babel_build_hello(&build, &(struct xy_babel_hello){.seqno = seqno, .interval = 400});
	xy_babel_build_ihu(&build, &(struct xy_babel_ihu){
					   .address = l->local, .rxcost = 96, .interval = 1200});
	xy_babel_build_ack(&build, 0);
	xy_babel_receive(b, link, &source, data, xy_babel_build_end(&build), now, now);
}

// The input is a sequence of packets, each by its own header; a gap of a second after each.
static void drive(const uint8_t *data, size_t size)
{
	static const struct xy_prefix all[] = {{.len = 0}};
	struct xy_babel_config c = {.epoch = 100, .ed25519 = {{1}}, .key = {{2}}};
	struct xy_babel_link links[] = {
		{.local = {.b = {0xfe, 0x80, [15] = 2}}},
		{.local = {.b = {0xfe, 0x80, [15] = 3}},
		 .plain = true,
		 .accept = all,
		 .accept_count = 1,
		 .announce = all,
		 .announce_count = 1},
		{.local = {.b = {0xfe, 0x80, [15] = 4}}, .stub = true, .max_origins = 4}};
	xy_nsec now = XY_SEC;
	struct xy_babel *b = xy_babel_new(&c, now);
	struct xy_prefix own = xy_key_prefix(&c.key);
	xy_babel_announce(b, &own, now);
	for (uint16_t i = 0; i < 3; i++) {
		xy_babel_link_add(b, i, &links[i], now);
		xy_babel_link_up(b, i, now);
		for (uint16_t k = 0; k < 3; k++)
			greet(b, i, &links[i], k, now);
	}
	poll_until(b, &now, 12 * XY_SEC);
	for (unsigned n = 0; n < 8 && size >= 4; n++) {
		size_t len = 4u + xy_be16_load(data + 2);
		len = len < size ? len : size;
		xy_babel_receive(b, (uint16_t)(n % 3), &source, data, len, now, now);
		act(b, now);
		xy_babel_receive(b, (uint16_t)((n + 1) % 3), &source, data, len, now, now);
		act(b, now);
		for (uint16_t i = 0; i < 3; i++) // traffic that is not answered
			xy_babel_link_traffic(b, i, 0, now, now);
		poll_until(b, &now, now + XY_SEC);
		data += len;
		size -= len;
	}
	xy_babel_link_down(b, 0, now);
	poll_until(b, &now, now + 300 * XY_SEC);
	act(b, now);
	xy_babel_link_remove(b, 1, now);
	act(b, now);
	xy_babel_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xy_babel_parser p;
	drive(data, size);
	keep_alive(data, size);
	struct xy_babel_tlv t;
	if (xy_babel_parse(&p, data, size, &source) < 0)
		return 0;
	while (xy_babel_parse_next(&p, &t))
		round_trip(&t);
	return 0;
}
