// SPDX-License-Identifier: BSD-3-Clause
// A node of the routing machine between neighbours that the test plays, packet by packet, on
// virtual time and with real keys. It counts the most steps that any one call took.
#pragma once

#include "unit.h"

#include "babel/babel.h"

#include <sodium.h>
#include <time.h>

#ifndef RIG_LINKS
#define RIG_LINKS 5
#endif

enum { LINKS = RIG_LINKS, ROUTES = 4096, UPDATES = 4096 };

struct heard_update { // what the node told a neighbour
	uint16_t link;
	struct xy_babel_update u;
	xy_nsec at;
};

struct rig {
	struct xy_babel *b;
	struct xy_identity me;
	xy_nsec now;
	struct xy_babel_link links[LINKS];
	struct xy_addr peers[LINKS];
	struct rig *joined[LINKS]; // another node there, in place of a played one
	bool mute[LINKS];	   // does not acknowledge
	uint16_t hello[LINKS];
	bool up[LINKS];
	struct xy_babel_route last; // the last ROUTE action
	unsigned route_actions, verifies, signs, route_requests, seqno_requests, wildcards, acks;
	struct xy_babel_request last_request;
	uint16_t last_request_link;
	uint32_t saved_epoch;
	uint16_t ack_asked, ack_opaque; // the last Acknowledgment Request, on a mute link
	unsigned notices[16];
	struct xy_babel_hello hello_heard[LINKS]; // the last, of the node
	xy_nsec hello_at[LINKS];
	struct xy_babel_ihu ihu_heard[LINKS];
	struct heard_update *updates;
	unsigned update_count;
	bool hold_verify; // keeps VERIFY actions back
	struct {
		uint64_t id;
		struct xy_babel_claim claim;
	} held[512];
	unsigned held_count;
	bool believe;		    // verifies nothing: for tests of many thousand claims
	uint64_t steps, most_steps; // so far; of one call
	struct timespec began;
	double longest; // seconds of one call: for people to look at, never asserted
};

static inline struct xy_identity identity(uint8_t n)
{
	struct xy_identity id;
	uint8_t seed[32] = {n, 0xa5};
	CU_ASSERT_EQUAL_FATAL(xy_identity_from_seed(seed, &id), 0);
	return id;
}

static inline struct xy_prefix prefix(const char *s)
{
	struct xy_prefix p;
	CU_ASSERT_EQUAL_FATAL(xy_prefix_parse(s, &p), 0);
	return p;
}

// ---- what a call costs ----

static inline uint64_t steps_of(const struct rig *r)
{
	struct xy_babel_stats s;
	xy_babel_stats(r->b, &s);
	return s.steps;
}

static inline void begin(struct rig *r)
{
	r->steps = steps_of(r);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &r->began);
}

static inline void done(struct rig *r)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	double took =
		(double)(t.tv_sec - r->began.tv_sec) + (double)(t.tv_nsec - r->began.tv_nsec) / 1e9;
	uint64_t steps = steps_of(r) - r->steps;
	r->longest = took > r->longest ? took : r->longest;
	r->most_steps = steps > r->most_steps ? steps : r->most_steps;
}

// ---- the neighbours ----

static inline void from_peer(struct rig *r, uint16_t link, struct xy_babel_builder *p)
{
	size_t len = xy_babel_build_end(p);
	begin(r);
	xy_babel_receive(r->b, link, &r->peers[link], p->data, len, r->now, r->now);
	done(r);
}

static inline void greet(struct rig *r, uint16_t link)
{
	uint8_t data[256];
	struct xy_babel_builder p;
	xy_babel_build(&p, data, sizeof(data), &r->peers[link]);
	xy_babel_build_hello(&p,
			     &(struct xy_babel_hello){.seqno = r->hello[link]++, .interval = 400});
	xy_babel_build_ihu(&p, &(struct xy_babel_ihu){.address = r->links[link].local,
						      .rxcost = 96,
						      .interval = 1200});
	from_peer(r, link, &p);
}

static inline void heard(struct rig *r, uint16_t link, const struct xy_babel_tlv *t)
{
	switch (t->type) {
	case XY_BABEL_UPDATE:
		if (t->update.wildcard)
			r->wildcards++;
		else if (r->update_count < UPDATES)
			r->updates[r->update_count++] =
				(struct heard_update){link, t->update, r->now};
		break;
	case XY_BABEL_ROUTE_REQUEST:
		r->route_requests += !t->request.wildcard;
		r->last_request = t->request;
		r->last_request_link = link;
		break;
	case XY_BABEL_SEQNO_REQUEST:
		r->seqno_requests++;
		r->last_request = t->request;
		r->last_request_link = link;
		break;
	case XY_BABEL_ACK:
		r->acks++;
		break;
	case XY_BABEL_HELLO:
		r->hello_heard[link] = t->hello;
		r->hello_at[link] = r->now;
		break;
	case XY_BABEL_IHU:
		r->ihu_heard[link] = t->ihu;
		break;
	default:
		break;
	}
}

static inline void act(struct rig *r);

// Both ends have the same link number.
static inline void to_joined(struct rig *r, const struct xy_babel_action *a)
{
	struct rig *other = r->joined[a->send.link];
	other->now = r->now;
	begin(other);
	xy_babel_receive(other->b, a->send.link, &r->links[a->send.link].local, a->send.data,
			 a->send.len, r->now, r->now);
	done(other);
	act(other);
}

static inline void to_peer(struct rig *r, const struct xy_babel_action *a)
{
	struct xy_babel_parser p;
	struct xy_babel_tlv t;
	uint16_t link = a->send.link;
	int ack = -1;
	uint16_t within = 0;
	CU_ASSERT_EQUAL_FATAL(xy_babel_parse(&p, a->send.data, a->send.len, &r->links[link].local),
			      0);
	CU_ASSERT_TRUE(a->send.len <= 1232);
	while (xy_babel_parse_next(&p, &t))
		if (t.type == XY_BABEL_ACK_REQUEST)
			ack = t.ack.opaque, within = t.ack.interval;
		else
			heard(r, link, &t);
	CU_ASSERT_EQUAL(p.ignored, 0);
	if (ack >= 0 && r->mute[link])
		r->ack_asked = within, r->ack_opaque = (uint16_t)ack;
	if (ack < 0 || r->mute[link])
		return;
	uint8_t data[16];
	struct xy_babel_builder out;
	xy_babel_build(&out, data, sizeof(data), &r->peers[link]);
	xy_babel_build_ack(&out, (uint16_t)ack);
	from_peer(r, link, &out);
}

static inline void verify(struct rig *r, const struct xy_babel_action *a)
{
	struct xy_key x = {0};
	r->verifies++;
	if (r->hold_verify) {
		CU_ASSERT_TRUE_FATAL(r->held_count < XY_ARRAY_SIZE(r->held));
		r->held[r->held_count].id = a->verify.id;
		r->held[r->held_count++].claim = a->verify.claim;
		return;
	}
	int result = 0;
	if (r->believe)
		memcpy(&x, a->verify.claim.origin.key, sizeof(x));
	else
		result = xy_babel_claim_verify(&a->verify.claim, &x);
	begin(r);
	xy_babel_verified(r->b, a->verify.id, result, &x, r->now);
	done(r);
}

static inline void act(struct rig *r)
{
	const struct xy_babel_action *next;
	while ((next = xy_babel_action(r->b))) {
		struct xy_babel_action a = *next;
		uint8_t data[2048];
		switch (a.kind) {
		case XY_BABEL_SEND:
			memcpy(data, a.send.data, a.send.len);
			a.send.data = data;
			if (r->joined[a.send.link])
				to_joined(r, &a);
			else
				to_peer(r, &a);
			break;
		case XY_BABEL_ROUTE:
			r->last = a.route;
			r->route_actions++;
			break;
		case XY_BABEL_VERIFY:
			verify(r, &a);
			break;
		case XY_BABEL_SIGN:
			r->signs++;
			if (!r->believe)
				xy_babel_claim_sign(&a.sign.claim, r->me.ed25519_sk);
			xy_babel_signed(r->b, a.sign.id, a.sign.claim.origin.signature, r->now);
			break;
		case XY_BABEL_SAVE_EPOCH:
			r->saved_epoch = a.epoch;
			begin(r);
			xy_babel_epoch_saved(r->b, a.epoch, r->now);
			done(r);
			break;
		case XY_BABEL_NOTICE:
			r->notices[a.notice.code]++;
			break;
		}
	}
}

// Time passes; the neighbours say Hello every 4 s.
static inline void pass(struct rig *r, xy_nsec span)
{
	xy_nsec end = r->now + span;
	xy_nsec hello = r->now + 2 * XY_SEC;
	act(r);
	while (xy_babel_deadline(r->b) <= end || hello <= end) {
		xy_nsec at = xy_babel_deadline(r->b);
		if (hello < at) {
			r->now = hello;
			hello += 4 * XY_SEC;
			for (uint16_t i = 0; i < LINKS; i++)
				if (r->up[i])
					greet(r, i);
		} else {
			r->now = at > r->now ? at : r->now;
			begin(r);
			xy_babel_poll(r->b, r->now);
			done(r);
		}
		act(r);
	}
	r->now = end;
}

static inline void link_up(struct rig *r, uint16_t link)
{
	CU_ASSERT_EQUAL_FATAL(xy_babel_link_add(r->b, link, &r->links[link], r->now), 0);
	xy_babel_link_up(r->b, link, r->now);
	r->up[link] = true;
	for (int i = 0; i < 3; i++) {
		greet(r, link);
		act(r);
	}
}

static inline struct rig *rig_with(struct xy_identity me, bool stub, xy_nsec hello_grid)
{
	struct rig *r = calloc(1, sizeof(*r));
	r->me = me;
	r->now = 1000 * XY_SEC;
	r->updates = calloc(UPDATES, sizeof(*r->updates));
	struct xy_babel_config c = {.key = r->me.x25519,
				    .ed25519 = r->me.ed25519,
				    .epoch = 1000,
				    .secret = {1, 2, 3},
				    .hello_grid = hello_grid,
				    .stub = stub};
	r->b = xy_babel_new(&c, r->now);
	struct xy_prefix own = xy_key_prefix(&r->me.x25519);
	CU_ASSERT_EQUAL(xy_babel_announce(r->b, &own, r->now), 0);
	for (uint16_t i = 0; i < LINKS; i++) {
		uint8_t high = (uint8_t)(i >> 8), low = (uint8_t)i;
		r->peers[i] =
			(struct xy_addr){.b = {0xfe, 0x80, [13] = high, [14] = 1, [15] = low}};
		r->links[i].local =
			(struct xy_addr){.b = {0xfe, 0x80, [13] = high, [14] = 2, [15] = low}};
		r->links[i].no_rtt = true;
	}
	return r;
}

static inline struct rig *rig_of(struct xy_identity me, bool stub)
{
	return rig_with(me, stub, 0);
}

static inline struct rig *rig_new(bool stub)
{
	return rig_of(identity(1), stub);
}

static inline void rig_free(struct rig *r)
{
	xy_babel_free(r->b);
	free(r->updates);
	free(r);
}

// A rig with n mesh links up and the wait at start over.
static inline struct rig *rig_up(unsigned n)
{
	struct rig *r = rig_new(false);
	for (uint16_t i = 0; i < n; i++)
		link_up(r, i);
	pass(r, 15 * XY_SEC);
	return r;
}

static inline struct xy_babel_update claim_update(const struct xy_identity *id,
						  const struct xy_prefix *p, uint32_t epoch,
						  uint16_t seqno, uint16_t metric)
{
	struct xy_babel_claim c = {.prefix = *p,
				   .rid = xy_babel_router_id(&id->x25519, epoch),
				   .seqno = seqno,
				   .origin = {.epoch = epoch}};
	memcpy(c.origin.key, id->ed25519.b, 32);
	xy_babel_claim_sign(&c, id->ed25519_sk);
	return (struct xy_babel_update){.prefix = *p,
					.interval = 6000,
					.seqno = seqno,
					.metric = metric,
					.has_rid = true,
					.rid = c.rid,
					.has_origin = true,
					.origin = c.origin};
}

static inline void tell(struct rig *r, uint16_t link, const struct xy_babel_update *u)
{
	uint8_t data[512];
	struct xy_babel_builder p;
	xy_babel_build(&p, data, sizeof(data), &r->peers[link]);
	CU_ASSERT_TRUE_FATAL(xy_babel_build_update(&p, u));
	from_peer(r, link, &p);
	act(r);
}

static inline void announce(struct rig *r, uint16_t link, const struct xy_identity *id,
			    uint32_t epoch, uint16_t seqno, uint16_t metric)
{
	struct xy_prefix p = xy_key_prefix(&id->x25519);
	struct xy_babel_update u = claim_update(id, &p, epoch, seqno, metric);
	tell(r, link, &u);
}

static inline void retract(struct rig *r, uint16_t link, const struct xy_prefix *p)
{
	tell(r, link,
	     &(struct xy_babel_update){
		     .prefix = *p, .interval = 6000, .metric = XY_BABEL_INFINITY});
}

// The last thing the node said to a neighbour about a prefix; NULL: nothing.
static inline const struct xy_babel_update *said(const struct rig *r, uint16_t link,
						 const struct xy_prefix *p)
{
	for (unsigned i = r->update_count; i > 0; i--)
		if (r->updates[i - 1].link == link && xy_prefix_eq(&r->updates[i - 1].u.prefix, p))
			return &r->updates[i - 1].u;
	return NULL;
}

static inline uint64_t refused(const struct rig *r, uint16_t link, enum xy_babel_refusal why)
{
	struct xy_babel_link_info info;
	CU_ASSERT_EQUAL_FATAL(xy_babel_link_info(r->b, link, &info), 0);
	return info.refused[why];
}

// Metric of the selected route; 0xffff: none.
static inline uint16_t metric_to(const struct rig *r, const struct xy_prefix *p)
{
	struct xy_babel_entry e[LINKS + 1];
	unsigned n = xy_babel_lookup(r->b, p, e, LINKS + 1, r->now);
	for (unsigned i = 0; i < n; i++)
		if (e[i].selected)
			return e[i].metric;
	return XY_BABEL_INFINITY;
}

static inline void plain_update(struct rig *r, uint16_t link, const struct xy_prefix *p,
				uint64_t rid, uint16_t metric)
{
	tell(r, link,
	     &(struct xy_babel_update){.prefix = *p,
				       .interval = 1600,
				       .seqno = 1,
				       .metric = metric,
				       .has_rid = true,
				       .rid = rid});
}
