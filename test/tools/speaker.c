// SPDX-License-Identifier: BSD-3-Clause
#include "speaker.h"

#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	WIRE = SPEAKER_LINK,
	TABLE
}; // links of the machine: to the neighbour, and from the claims' origins

static const struct xy_addr table_addr = {.b = {0xfe, 0x80, [15] = 1}};
static const struct xy_addr table_local = {.b = {0xfe, 0x80, [15] = 2}};

xy_nsec clock_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (xy_nsec)t.tv_sec * XY_SEC + (xy_nsec)t.tv_nsec;
}

void tell(const struct speaker *s, const char *event, const char *fmt, ...)
{
	va_list ap;
	printf("{\"at\": %.3f, \"event\": \"%s\"", (double)(clock_now() - s->began) / XY_SEC,
	       event);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	puts("}");
	fflush(stdout);
}

// ---- What is heard ----

static void log_update(const struct speaker *s, const struct xy_babel_update *u)
{
	char prefix[XY_PREFIX_STRLEN];
	tell(s, "update",
	     ", \"prefix\": \"%s\", \"metric\": %u, \"seqno\": %u, \"rid\": \"%016" PRIx64
	     "\", \"signed\": %s, \"epoch\": %u",
	     u->wildcard ? "*" : xy_prefix_str(&u->prefix, prefix), u->metric, u->seqno, u->rid,
	     u->has_origin ? "true" : "false", u->has_origin ? u->origin.epoch : 0);
}

const struct xy_babel_claim *speaker_heard(const struct speaker *s, const struct xy_prefix *p)
{
	for (unsigned i = 0; i < s->heard.count; i++)
		if (xy_prefix_eq(&s->heard.at[i].prefix, p))
			return &s->heard.at[i];
	return NULL;
}

bool speaker_usable(const struct speaker *s)
{
	struct xy_babel_link_info info;
	return s->linked && xy_babel_link_info(s->b, WIRE, &info) == 0 &&
	       info.cost != XY_BABEL_INFINITY;
}

static void record(struct speaker *s, const struct xy_babel_update *u)
{
	struct xy_babel_claim claim = {u->prefix, u->rid, u->seqno, u->origin};
	struct xy_babel_claim *old = (struct xy_babel_claim *)speaker_heard(s, &u->prefix);
	if (old)
		*old = claim;
	else
		(void)!claims_add(&s->heard, &claim); // without memory it is not kept
}

static void overhear(struct speaker *s, const struct xy_addr *from, const void *data, size_t len)
{
	struct xy_babel_parser p;
	struct xy_babel_tlv t;
	if (xy_babel_parse(&p, data, len, from))
		return;
	while (xy_babel_parse_next(&p, &t)) {
		if (t.type != XY_BABEL_UPDATE)
			continue;
		if (s->o.log)
			log_update(s, &t.update);
		if (s->o.record && t.update.has_origin && t.update.has_rid)
			record(s, &t.update);
	}
}

// ---- The table's link: it greets, acknowledges and announces; what it is told is of no matter
// ----

static void table_says(struct speaker *s, struct xy_babel_builder *p)
{
	xy_nsec now = clock_now();
	if (!xy_babel_build_empty(p))
		xy_babel_receive(s->b, TABLE, &table_addr, p->data, xy_babel_build_end(p), now,
				 now);
}

static void table_greets(struct speaker *s)
{
	uint8_t data[256];
	for (uint16_t seqno = 0; seqno < 3; seqno++) { // two of three make a neighbour
		struct xy_babel_builder p;
		xy_babel_build(&p, data, sizeof(data), &table_addr);
		xy_babel_build_hello(
			&p, &(struct xy_babel_hello){.seqno = seqno, .interval = UINT16_MAX});
		xy_babel_build_ihu(&p, &(struct xy_babel_ihu){.address = table_local,
							      .rxcost = 1,
							      .interval = UINT16_MAX});
		table_says(s, &p);
	}
}

static void table_hears(struct speaker *s, const void *data, size_t len)
{
	uint8_t answer[256];
	struct xy_babel_parser in;
	struct xy_babel_builder out;
	struct xy_babel_tlv t;
	if (xy_babel_parse(&in, data, len, &table_local))
		return;
	xy_babel_build(&out, answer, sizeof(answer), &table_addr);
	while (xy_babel_parse_next(&in, &t))
		if (t.type == XY_BABEL_ACK_REQUEST)
			xy_babel_build_ack(&out, t.ack.opaque);
	table_says(s, &out);
}

// ---- Actions ----

static bool has_update(const void *data, size_t len)
{
	struct xy_babel_parser p;
	struct xy_babel_tlv t;
	if (xy_babel_parse(&p, data, len, &table_local))
		return false;
	while (xy_babel_parse_next(&p, &t))
		if (t.type == XY_BABEL_UPDATE && !t.update.wildcard &&
		    t.update.metric != XY_BABEL_INFINITY)
			return true;
	return false;
}

static void wire_send(struct speaker *s, const struct xy_addr *to, const void *data, size_t len)
{
	if (!s->first_update && has_update(data, len)) {
		s->first_update = clock_now();
		tell(s, "first_update", "%s", "");
	}
	s->packets_sent++;
	s->bytes_sent += len;
	s->c->send(s->c, to, data, len);
}

void speaker_raw(struct speaker *s, const void *data, size_t len)
{
	wire_send(s, &s->c->remote, data, len);
}

static void act_send(struct speaker *s, const struct xy_babel_action *a)
{
	if (a->send.link == WIRE) {
		wire_send(s, a->send.multicast ? &xy_babel_group : &a->send.to, a->send.data,
			  a->send.len);
		return;
	}
	uint8_t copy[2048]; // the action's bytes end with the next event
	size_t len = a->send.len < sizeof(copy) ? a->send.len : sizeof(copy);
	memcpy(copy, a->send.data, len);
	table_hears(s, copy, len);
}

// The table's claims are known to be right; others are verified.
static void act_verify(struct speaker *s, const struct xy_babel_action *a)
{
	struct xy_babel_claim claim = a->verify.claim;
	uint64_t id = a->verify.id;
	struct xy_key ed, x25519;
	memcpy(ed.b, claim.origin.key, sizeof(ed.b));
	int ret = s->linked ? xy_babel_claim_verify(&claim, &x25519)
			    : xy_key_from_ed25519(&ed, &x25519);
	xy_babel_verified(s->b, id, ret, &x25519, clock_now());
}

static void act_sign(struct speaker *s, const struct xy_babel_action *a)
{
	struct xy_babel_claim claim = a->sign.claim;
	uint64_t id = a->sign.id;
	if (!s->o.plain) // stock routers are told no signatures
		xy_babel_claim_sign(&claim, s->id->ed25519_sk);
	xy_babel_signed(s->b, id, claim.origin.signature, clock_now());
}

static void act(struct speaker *s)
{
	const struct xy_babel_action *a;
	while ((a = xy_babel_action(s->b))) {
		if (a->kind == XY_BABEL_SEND)
			act_send(s, a);
		else if (a->kind == XY_BABEL_VERIFY)
			act_verify(s, a);
		else if (a->kind == XY_BABEL_SIGN)
			act_sign(s, a);
		else if (a->kind == XY_BABEL_SAVE_EPOCH)
			xy_babel_epoch_saved(s->b, a->epoch, clock_now());
	}
}

static void settle(struct speaker *s)
{
	act(s);
	while (xy_babel_deadline(s->b) <= clock_now()) {
		xy_babel_poll(s->b, clock_now());
		act(s);
	}
}

// ---- Feeding ----

// As many of the claims from `from` on as a packet holds; returns the next one.
static unsigned table_packet(struct speaker *s, unsigned from, uint16_t metric)
{
	uint8_t data[1232];
	struct xy_babel_builder p;
	unsigned i = from;
	xy_babel_build(&p, data, sizeof(data), &table_addr);
	for (; i < s->o.table.count; i++) {
		const struct xy_babel_claim *c = &s->o.table.at[i];
		struct xy_babel_update u = {.has_rid = true,
					    .has_origin = true,
					    .prefix = c->prefix,
					    .next_hop = table_addr,
					    .interval = UINT16_MAX,
					    .seqno = c->seqno,
					    .metric = metric,
					    .rid = c->rid,
					    .origin = c->origin};
		if (!xy_babel_build_update(&p, &u))
			break;
	}
	table_says(s, &p);
	return i;
}

static void table_say_all(struct speaker *s, uint16_t metric)
{
	for (unsigned i = 0; i < s->o.table.count;) {
		i = table_packet(s, i, metric);
		settle(s);
	}
}

static int table_open(struct speaker *s)
{
	struct xy_babel_link link = {.cost = 1,
				     .no_rtt = true,
				     .max_origins = UINT32_MAX,
				     .max_routes = UINT32_MAX,
				     .local = table_local,
				     .remote = table_addr};
	int ret = xy_babel_link_add(s->b, TABLE, &link, clock_now());
	if (ret)
		return ret;
	xy_babel_link_up(s->b, TABLE, clock_now());
	table_greets(s);
	settle(s);
	table_say_all(s, 0);
	return 0;
}

static int announce(struct speaker *s)
{
	struct xy_prefix own = xy_key_prefix(&s->id->x25519);
	int ret = 0;
	if (!s->o.silent && !s->o.plain)
		ret = xy_babel_announce(s->b, &own, clock_now());
	if (!ret && s->o.own)
		ret = xy_babel_announce(s->b, s->o.own, clock_now());
	for (unsigned i = 0; !ret && i < s->o.announce; i++) {
		own = claims_plain(i);
		ret = xy_babel_announce(s->b, &own, clock_now());
		act(s);
	}
	settle(s);
	return ret;
}

void speaker_withdraw(struct speaker *s)
{
	if (s->o.table.count)
		table_say_all(s, XY_BABEL_INFINITY);
	for (unsigned i = 0; i < s->o.announce; i++) {
		struct xy_prefix p = claims_plain(i);
		xy_babel_withdraw(s->b, &p, clock_now());
		act(s);
	}
	settle(s);
}

// ---- The loop ----

// The neighbour can be reached: from here on what is heard is verified.
static void wire_link(struct speaker *s)
{
	static const struct xy_prefix none[1];
	struct xy_babel_link link = {.plain = s->o.plain,
				     .no_rtt = true,
				     .trust = s->o.open ? XY_BABEL_OPEN : XY_BABEL_CONFIGURED,
				     .max_origins = s->o.open ? 0 : UINT32_MAX,
				     .max_routes = s->o.open ? 0 : UINT32_MAX,
				     .local = s->c->local,
				     .remote = s->c->remote,
				     .announce = s->o.plain ? none : NULL};
	s->linked = true;
	tell(s, "up", "%s", "");
	xy_babel_link_add(s->b, WIRE, &link, clock_now());
	xy_babel_link_up(s->b, WIRE, clock_now());
}

static void receive(struct speaker *s)
{
	uint8_t data[4096];
	struct xy_addr from;
	for (unsigned i = 0; i < 64; i++) {
		int len = s->c->receive(s->c, data, sizeof(data), &from, clock_now());
		if (len < 0)
			return;
		if (len == 0 || !s->linked)
			continue;
		s->packets_received++;
		s->bytes_received += (uint64_t)len;
		if (s->o.log || s->o.record)
			overhear(s, &from, data, (size_t)len);
		xy_nsec now = clock_now();
		xy_babel_receive(s->b, WIRE, &from, data, (size_t)len, now, now);
		act(s);
	}
}

static int wait_ms(const struct speaker *s, int ms)
{
	xy_nsec now = clock_now(), deadline = xy_babel_deadline(s->b);
	if (deadline <= now)
		return 0;
	xy_nsec left = (deadline - now) / XY_MSEC + 1;
	return left < (xy_nsec)ms ? (int)left : ms;
}

void speaker_step(struct speaker *s, int ms)
{
	struct pollfd p = {.fd = s->c->fd, .events = POLLIN};
	if (poll(&p, 1, wait_ms(s, ms)) > 0)
		receive(s);
	s->c->poll(s->c, clock_now());
	if (s->c->up && !s->linked)
		wire_link(s);
	if (xy_babel_deadline(s->b) <= clock_now())
		xy_babel_poll(s->b, clock_now());
	act(s);
}

int speaker_open(struct speaker *s, struct carrier *c, const struct xy_identity *id, uint32_t epoch,
		 const struct speaker_options *o, struct xy_err *err)
{
	struct xy_babel_config config = {.key = id->x25519,
					 .ed25519 = id->ed25519,
					 .epoch = epoch,
					 // Full updates are not what is measured.
					 .update_interval = 600 * XY_SEC};
	*s = (struct speaker){.o = *o, .c = c, .id = id, .began = clock_now()};
	randombytes_buf(config.secret, sizeof(config.secret));
	s->b = xy_babel_new(&config, clock_now());
	if (!s->b)
		return xy_err_set(err, ENOMEM, "no memory for the routing machine");
	int ret =
		table_open(s); // also with nothing in it: its Acks end the machine's wait at start
	if (!ret)
		ret = announce(s);
	if (ret)
		return xy_err_set(err, -ret, "the table cannot be announced: %s", strerror(-ret));
	struct xy_babel_stats stats;
	xy_babel_stats(s->b, &stats);
	tell(s, "ready", ", \"prefixes\": %u, \"selected\": %u", stats.prefixes, stats.selected);
	return 0;
}

void speaker_close(struct speaker *s)
{
	xy_babel_free(s->b);
	claims_free(&s->heard);
}
