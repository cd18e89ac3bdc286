// SPDX-License-Identifier: BSD-3-Clause
#include "stock.h"

#include "base/bytes.h"

#include <string.h>

static const xy_nsec SILENCE = 14 * XY_SEC, HELLO = 4 * XY_SEC, FULL = 16 * XY_SEC;

static bool above(uint16_t a, uint16_t b)
{
	return (int16_t)(uint16_t)(a - b) > 0;
}

static struct stock_entry *entry(struct stock *s, const struct xy_prefix *p)
{
	for (unsigned i = 0; i < s->entry_count; i++)
		if (xy_prefix_eq(&s->entries[i].prefix, p))
			return &s->entries[i];
	if (s->entry_count == STOCK_PREFIXES)
		return NULL;
	struct stock_entry *e = &s->entries[s->entry_count++];
	*e = (struct stock_entry){.prefix = *p, .selected = -1, .told = XY_BABEL_INFINITY};
	return e;
}

const struct stock_entry *stock_find(const struct stock *s, const struct xy_prefix *p)
{
	for (unsigned i = 0; i < s->entry_count; i++)
		if (xy_prefix_eq(&s->entries[i].prefix, p))
			return &s->entries[i];
	return NULL;
}

// ---- announcing ----

static uint16_t metric_of(const struct stock_entry *e)
{
	if (e->own)
		return 0;
	if (e->selected < 0)
		return XY_BABEL_INFINITY;
	uint32_t metric = e->routes[e->selected].refmetric + (uint32_t)STOCK_COST;
	return metric < XY_BABEL_INFINITY ? (uint16_t)metric : XY_BABEL_INFINITY;
}

// Section 3.7.3.
static void remember(struct stock_entry *e, uint64_t rid, uint16_t seqno, uint16_t metric)
{
	unsigned i = 0;
	while (i < e->source_count && e->sources[i].rid != rid)
		i++;
	if (i == STOCK_SOURCES)
		return;
	if (i == e->source_count) {
		e->source_count++;
		e->sources[i].rid = rid;
	} else if (!above(seqno, e->sources[i].seqno) &&
		   (seqno != e->sources[i].seqno || metric >= e->sources[i].metric)) {
		return;
	}
	e->sources[i].seqno = seqno;
	e->sources[i].metric = metric;
}

static void announce(struct stock *s, struct stock_entry *e, unsigned link)
{
	uint8_t data[256];
	struct xy_babel_builder b;
	struct xy_babel_update u = {.prefix = e->prefix, .interval = 1600, .metric = metric_of(e)};
	if (u.metric != XY_BABEL_INFINITY) {
		const struct stock_route *r = e->own ? NULL : &e->routes[e->selected];
		u.has_rid = true;
		u.rid = r ? r->rid : s->rid;
		u.seqno = r ? r->seqno : e->own_seqno;
		remember(e, u.rid, u.seqno, u.metric);
	}
	xy_babel_build(&b, data, sizeof(data), &s->local[link]);
	xy_babel_build_update(&b, &u);
	s->send(s->to, s, link, data, xy_babel_build_end(&b));
}

static void announce_all(struct stock *s, struct stock_entry *e)
{
	e->told = metric_of(e);
	for (unsigned i = 0; i < s->link_count; i++)
		announce(s, e, i);
}

static void ask(struct stock *s, const struct stock_entry *e, unsigned link, uint64_t rid,
		uint16_t seqno, uint8_t hops)
{
	uint8_t data[128];
	struct xy_babel_builder b;
	struct xy_babel_request q = {.prefix = e->prefix, .rid = rid, .seqno = seqno, .hops = hops};
	xy_babel_build(&b, data, sizeof(data), &s->local[link]);
	xy_babel_build_seqno_request(&b, &q);
	s->send(s->to, s, link, data, xy_babel_build_end(&b));
}

// ---- selection ----

static bool feasible(const struct stock_entry *e, const struct stock_route *r, uint16_t *seqno)
{
	for (unsigned i = 0; i < e->source_count; i++)
		if (e->sources[i].rid == r->rid) {
			*seqno = e->sources[i].seqno + 1;
			return above(r->seqno, e->sources[i].seqno) ||
			       (r->seqno == e->sources[i].seqno &&
				r->refmetric < e->sources[i].metric);
		}
	return true;
}

static void starve(struct stock *s, const struct stock_entry *e)
{
	for (unsigned i = 0; i < s->link_count; i++) {
		uint16_t seqno = 0;
		if (e->routes[i].valid && !feasible(e, &e->routes[i], &seqno))
			ask(s, e, i, e->routes[i].rid, seqno, 16);
	}
}

static void select_route(struct stock *s, struct stock_entry *e)
{
	int best = -1, old = e->selected;
	uint64_t rid = old >= 0 ? e->routes[old].rid : 0;
	uint16_t seqno;
	for (unsigned i = 0; i < s->link_count && !e->own; i++) {
		const struct stock_route *r = &e->routes[i];
		if (r->valid && feasible(e, r, &seqno) &&
		    (best < 0 || r->refmetric < e->routes[best].refmetric))
			best = (int)i;
	}
	e->selected = best;
	bool other = best >= 0 && old >= 0 && e->routes[best].rid != rid;
	if (metric_of(e) != e->told || other)
		announce_all(s, e);
	if (best < 0 && !e->own)
		starve(s, e);
}

// ---- packets ----

static void on_update(struct stock *s, unsigned link, const struct xy_babel_update *u)
{
	for (unsigned i = 0; u->wildcard && i < s->entry_count; i++) {
		s->entries[i].routes[link].valid = false;
		select_route(s, &s->entries[i]);
	}
	struct stock_entry *e = u->wildcard ? NULL : entry(s, &u->prefix);
	if (!e || e->own)
		return;
	struct stock_route *r = &e->routes[link],
			   new = {.valid = u->metric != XY_BABEL_INFINITY,
				  .rid = u->rid,
				  .seqno = u->seqno,
				  .refmetric = u->metric,
				  .until = s->now + u->interval * 35 * XY_MSEC};
	uint16_t seqno = 0;
	bool good = !new.valid || feasible(e, &new, &seqno);
	if (!good && e->selected == (int)link && r->rid == new.rid) {
		ask(s, e, link, u->rid, seqno, 16); // section 3.8.2.2; kept meanwhile
		return;
	}
	*r = new;
	select_route(s, e);
}

static void on_request(struct stock *s, unsigned link, const struct xy_babel_request *q)
{
	for (unsigned i = 0; i < s->entry_count; i++)
		if (q->wildcard || xy_prefix_eq(&q->prefix, &s->entries[i].prefix))
			announce(s, &s->entries[i], link);
}

static void on_seqno(struct stock *s, unsigned link, const struct xy_babel_request *q)
{
	struct stock_entry *e = entry(s, &q->prefix);
	if (!e || (!e->own && e->selected < 0))
		return;
	const struct stock_route *r = e->own ? NULL : &e->routes[e->selected];
	uint64_t rid = r ? r->rid : s->rid;
	uint16_t seqno = r ? r->seqno : e->own_seqno;
	if (rid != q->rid || !above(q->seqno, seqno)) {
		announce(s, e, link);
	} else if (e->own) {
		e->own_seqno++;
		announce_all(s, e);
	} else if (q->hops >= 2 && e->selected != (int)link) {
		ask(s, e, (unsigned)e->selected, q->rid, q->seqno, q->hops - 1);
	}
}

static void on_ack(struct stock *s, unsigned link, uint16_t opaque)
{
	uint8_t data[16];
	struct xy_babel_builder b;
	xy_babel_build(&b, data, sizeof(data), &s->local[link]);
	xy_babel_build_ack(&b, opaque);
	s->send(s->to, s, link, data, xy_babel_build_end(&b));
}

void stock_receive(struct stock *s, unsigned link, const void *data, size_t len, xy_nsec now)
{
	struct xy_babel_parser p;
	struct xy_babel_tlv t;
	s->now = now;
	if (xy_babel_parse(&p, data, len, &s->peer[link]) < 0)
		return;
	while (xy_babel_parse_next(&p, &t)) {
		if (t.type == XY_BABEL_HELLO)
			s->heard[link] = now;
		else if (t.type == XY_BABEL_UPDATE && s->heard[link])
			on_update(s, link, &t.update);
		else if (t.type == XY_BABEL_ROUTE_REQUEST)
			on_request(s, link, &t.request);
		else if (t.type == XY_BABEL_SEQNO_REQUEST)
			on_seqno(s, link, &t.request);
		else if (t.type == XY_BABEL_ACK_REQUEST)
			on_ack(s, link, t.ack.opaque);
	}
}

// ---- time ----

static void say_hello(struct stock *s, unsigned link)
{
	uint8_t data[64];
	struct xy_babel_builder b;
	struct xy_babel_ihu ihu = {
		.address = s->peer[link], .rxcost = STOCK_COST, .interval = 1200};
	xy_babel_build(&b, data, sizeof(data), &s->local[link]);
	xy_babel_build_hello(&b, &(struct xy_babel_hello){.seqno = s->hello, .interval = 400});
	if (s->heard[link])
		xy_babel_build_ihu(&b, &ihu);
	s->send(s->to, s, link, data, xy_babel_build_end(&b));
}

static void expire(struct stock *s, unsigned link, bool all)
{
	for (unsigned i = 0; i < s->entry_count; i++) {
		struct stock_route *r = &s->entries[i].routes[link];
		if (!r->valid || (!all && r->until > s->now))
			continue;
		r->valid = false;
		select_route(s, &s->entries[i]);
	}
}

void stock_tick(struct stock *s, xy_nsec now)
{
	s->now = now;
	for (unsigned i = 0; i < s->link_count; i++) {
		if (now / XY_SEC % (HELLO / XY_SEC) == 0)
			say_hello(s, i);
		bool silent = s->heard[i] && now - s->heard[i] > SILENCE;
		if (silent)
			s->heard[i] = 0;
		expire(s, i, silent);
	}
	if (now / XY_SEC % (HELLO / XY_SEC) == 0)
		s->hello++;
	for (unsigned i = 0; i < s->entry_count; i++) {
		if (now / XY_SEC % (FULL / XY_SEC) == i)
			announce_all(s, &s->entries[i]);
		if (s->entries[i].selected < 0 && !s->entries[i].own)
			starve(s, &s->entries[i]);
	}
}

void stock_own(struct stock *s, const struct xy_prefix *p)
{
	struct stock_entry *e = entry(s, p);
	e->own = true;
	e->selected = -1;
}
