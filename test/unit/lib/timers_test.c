// SPDX-License-Identifier: BSD-3-Clause
// WireGuard's timers on virtual time: first rule by rule in numbered tables, then two peers with
// timers and key slots over a pipe that loses, doubles and reorders.
#include "noise/keypairs.h"
#include "noise/replay.h"
#include "noise/timers.h"
#include "unit.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

// ---- tables ----

enum event {
	WANT,	// a packet waits
	START,	// the session became current: we are the initiator
	ANSWER, // the same, as responder
	RXD,	// data received
	RXK,	// a keepalive received
	TXD,	// data sent
	TXK,	// a keepalive sent
	COUNT,	// so many messages were sent (a = 2^60, b = the limit)
	STOP,
};

struct input {
	unsigned ms;
	enum event event;
	unsigned every, until; // ms: repeat
};

struct output {
	unsigned ms; // within a poll
	uint32_t actions;
};

struct table {
	const char *name;
	unsigned persistent; // s
	unsigned end;	     // s
	struct input in[6];
	struct output out[24];
};

#define INI  XY_WG_DO_INITIATE
#define KEEP XY_WG_DO_KEEPALIVE
#define GIVE XY_WG_DO_GIVE_UP
#define EXP  XY_WG_DO_EXPIRE
#define NEXT (XY_WG_DO_INITIATE | XY_WG_DO_NEXT_ENDPOINT)
#define REJ  XY_WG_DO_REJECT

// Every initiation is taken to be sent at once, with 200 ms of jitter.
static const struct table tables[] = {
	{"1 unanswered: 5 s and jitter apart, for 90 s",
	 0,
	 1000,
	 {{1000, WANT}},
	 {{1000, INI},	 {6200, NEXT},	{11400, NEXT}, {16600, NEXT}, {21800, NEXT},
	  {27000, NEXT}, {32200, NEXT}, {37400, NEXT}, {42600, NEXT}, {47800, NEXT},
	  {53000, NEXT}, {58200, NEXT}, {63400, NEXT}, {68600, NEXT}, {73800, NEXT},
	  {79000, NEXT}, {84200, NEXT}, {89400, NEXT}, {94600, GIVE}, {634600, EXP}}},
	{"2 wanting more does not hurry",
	 0,
	 7,
	 {{1000, WANT, 100, 7000}},
	 {{1000, INI}, {6200, NEXT}}},
	{"3 an answer ends it", 0, 30, {{1000, WANT}, {7000, START}}, {{1000, INI}, {6200, NEXT}}},
	{"4 too early after the last one: put off",
	 0,
	 20,
	 {{1000, WANT}, {1100, START}, {2000, WANT}},
	 {{1000, INI}, {6000, INI}, {11200, NEXT}, {16400, NEXT}}},
	{"5 the initiator rekeys at 120 s, sending",
	 0,
	 124,
	 {{1000, START}, {1100, TXD, 200, 130000}, {1150, RXK, 1000, 130000}},
	 {{121000, INI}}},
	{"6 not the responder",
	 0,
	 180,
	 {{1000, ANSWER}, {1100, TXD, 200, 179000}, {1150, RXK, 1000, 179000}},
	 {}},
	{"7 not when only receiving; then at 165 s, once",
	 0,
	 170,
	 {{1000, START}, {1100, RXD, 200, 175000}, {1150, TXK, 1000, 175000}},
	 {{166000, INI}}},
	{"8 nor the receiving responder",
	 0,
	 179,
	 {{1000, ANSWER}, {1100, RXD, 200, 175000}, {1150, TXK, 1000, 175000}},
	 {}},
	{"9 idle: rejected at 180 s, forgotten at 540 s, silent",
	 0,
	 2000,
	 {{1000, START}},
	 {{181000, REJ}, {541000, EXP}}},
	{"10 a keepalive 10 s after data", 0, 60, {{1000, START}, {20000, RXD}}, {{30000, KEEP}}},
	{"11 none when we sent", 0, 60, {{1000, START}, {20000, RXD}, {25000, TXK}}, {}},
	{"12 none for a keepalive", 0, 60, {{1000, START}, {20000, RXK}}, {}},
	{"13 from the first of many",
	 0,
	 32,
	 {{1000, START}, {20000, RXD, 1000, 29000}},
	 {{30000, KEEP}}},
	{"14 sent, and silence: a handshake after 15 s",
	 0,
	 49,
	 {{1000, START}, {20000, TXD}},
	 {{35000, INI}, {40200, NEXT}, {45400, NEXT}}},
	{"15 anything heard stops that", 0, 100, {{1000, START}, {20000, TXD}, {34000, RXK}}, {}},
	{"16 from the first of many sent",
	 0,
	 39,
	 {{1000, START}, {20000, TXD, 1000, 39000}},
	 {{35000, INI}}},
	{"17 a keepalive sent expects nothing", 0, 100, {{1000, START}, {20000, TXK}}, {}},
	{"18 persistent: at the start, and every 25 s",
	 25,
	 100,
	 {{100, START}},
	 {{0, INI}, {25100, KEEP}, {50100, KEEP}, {75100, KEEP}}},
	{"19 persistent: put off by traffic",
	 25,
	 60,
	 {{100, START}, {20000, TXK}, {30000, RXK}},
	 {{0, INI}, {55000, KEEP}}},
	{"20 persistent keepalives keep the session open",
	 25,
	 124,
	 {{100, START}, {1000, TXK, 10000, 121000}},
	 {{0, INI}, {121100, INI}}},
	{"21 by count, either side",
	 0,
	 23,
	 {{1000, ANSWER}, {20000, TXD}, {20000, COUNT}, {20100, RXK}},
	 {{20000, INI}}},
	{"22 stopped is silent", 25, 1000, {{100, START}, {1000, STOP}}, {{0, INI}}},
	{"23 received, then sent, in one poll",
	 0,
	 60,
	 {{1000, START}, {20100, RXD}, {20200, TXK}},
	 {}},
	{"24 sent, then received, in one poll",
	 0,
	 60,
	 {{1000, START}, {20100, TXK}, {20200, RXD}},
	 {{30200, KEEP}}},
	{"25 a new session ends the silence",
	 0,
	 60,
	 {{1000, START}, {20000, TXD}, {22000, ANSWER}},
	 {}},
	{"26 received and sent at once: sent after, and it expects an answer",
	 0,
	 49,
	 {{1000, START}, {20000, RXD}, {20000, TXD}},
	 {{35000, INI}, {40200, NEXT}, {45400, NEXT}}},
};

struct seen_actions {
	unsigned n;
	struct output out[64];
};

static void note(struct seen_actions *got, struct xy_wg_timers *t, uint32_t actions, xy_nsec now)
{
	if (!actions)
		return;
	if (got->n < XY_ARRAY_SIZE(got->out))
		got->out[got->n++] = (struct output){(unsigned)(now / XY_MSEC), actions};
	if (actions & XY_WG_DO_INITIATE)
		xy_wg_timers_initiation_sent(t, now, 200 * XY_MSEC);
}

static uint32_t apply(struct xy_wg_timers *t, struct xy_wg_activity *a, enum event e, xy_nsec now)
{
	switch (e) {
	case WANT:
		return xy_wg_timers_want(t, now);
	case START:
	case ANSWER:
		xy_wg_timers_session(t, now, e == START);
		return 0;
	case RXD:
		a->rx_data = now;
		a->rx_any = now;
		return 0;
	case RXK:
		a->rx_any = now;
		return 0;
	case TXD:
		a->tx_data = now;
		a->tx_any = now;
		return 0;
	case TXK:
		a->tx_any = now;
		return 0;
	case COUNT:
		a->tx_counter = xy_wg_limits_default.rekey_after_messages;
		return 0;
	case STOP:
		xy_wg_timers_stop(t);
		return 0;
	}
	return 0;
}

// Events happen at their time; the timers are looked at when they asked for it, as the daemon does.
static void table_play(const struct table *tab, struct seen_actions *got)
{
	struct xy_wg_timers t;
	struct xy_wg_activity a = {0};
	unsigned next[XY_ARRAY_SIZE(tab->in)];
	const xy_nsec base = 1000 * XY_SEC; // 0 means never
	xy_wg_timers_init(&t, &xy_wg_limits_default, tab->persistent * XY_SEC);
	xy_nsec now = base, deadline = xy_wg_timers_deadline(&t, now);
	for (size_t i = 0; i < XY_ARRAY_SIZE(next); i++)
		next[i] = tab->in[i].ms ? tab->in[i].ms : UINT32_MAX;
	for (;;) {
		size_t first = 0;
		for (size_t i = 1; i < XY_ARRAY_SIZE(next); i++)
			first = next[i] < next[first] ? i : first;
		xy_nsec at = next[first] == UINT32_MAX ? XY_NEVER : base + next[first] * XY_MSEC;
		xy_nsec soonest = at < deadline ? at : deadline;
		if (soonest > base + tab->end * XY_SEC)
			break;
		if (at <= deadline) {
			const struct input *in = &tab->in[first];
			now = at;
			note(got, &t, apply(&t, &a, in->event, now), now);
			next[first] += in->every ? in->every : UINT32_MAX - next[first];
			if (next[first] > in->until)
				next[first] = UINT32_MAX;
			if (in->event > ANSWER && in->event != STOP)
				continue; // a worker does not wake us
		} else {
			now = deadline > now ? deadline : now;
			note(got, &t, xy_wg_timers_run(&t, &a, now), now);
		}
		deadline = xy_wg_timers_deadline(&t, now);
	}
	for (unsigned i = 0; i < got->n; i++)
		got->out[i].ms -= (unsigned)(base / XY_MSEC);
}

static bool table_same(const struct table *tab, const struct seen_actions *got)
{
	unsigned i = 0;
	for (; i < got->n; i++) {
		// A poll is 2 s behind the one before it where nothing was going on.
		unsigned late = got->out[i].ms - tab->out[i].ms + 1000;
		if (i >= XY_ARRAY_SIZE(tab->out) || tab->out[i].actions != got->out[i].actions ||
		    late > 2000)
			return false;
	}
	return i == XY_ARRAY_SIZE(tab->out) || tab->out[i].actions == 0;
}

static void test_tables(void)
{
	for (size_t i = 0; i < XY_ARRAY_SIZE(tables); i++) {
		struct seen_actions got = {0};
		table_play(&tables[i], &got);
		bool same = table_same(&tables[i], &got);
		CU_ASSERT(same);
		for (unsigned k = 0; !same && k < got.n; k++)
			printf("%s: got %u ms %#x\n", tables[i].name, got.out[k].ms,
			       got.out[k].actions);
		if (!same)
			printf("%s\n", tables[i].name);
	}
}

static void test_counter_limit(void)
{
	struct xy_wg_timers t;
	struct xy_wg_activity a = {.tx_counter = xy_wg_limits_default.reject_after_messages - 1};
	xy_wg_timers_init(&t, &xy_wg_limits_default, 0);
	xy_wg_timers_session(&t, XY_SEC, true);
	CU_ASSERT(!(xy_wg_timers_run(&t, &a, 2 * XY_SEC) & XY_WG_DO_REJECT));
	a.tx_counter++;
	CU_ASSERT(xy_wg_timers_run(&t, &a, 3 * XY_SEC) & XY_WG_DO_REJECT);
	CU_ASSERT(!(xy_wg_timers_run(&t, &a, 4 * XY_SEC) & XY_WG_DO_REJECT));
}

// However short an attempt is, an old session asks for one alone while it receives.
static void test_late_rekey_once(void)
{
	struct xy_wg_limits limits = xy_wg_limits_default;
	struct xy_wg_timers t;
	unsigned initiations = 0;
	limits.rekey_attempt_time = XY_SEC;
	xy_wg_timers_init(&t, &limits, 0);
	xy_wg_timers_session(&t, XY_SEC, true);
	for (xy_nsec now = 2 * XY_SEC; now < 180 * XY_SEC; now += XY_SEC / 2) {
		struct xy_wg_activity a = {.rx_any = now, .rx_data = now};
		initiations += (xy_wg_timers_run(&t, &a, now) & XY_WG_DO_INITIATE) != 0;
	}
	CU_ASSERT(initiations == 1);
}

// A peer is looked at every second, and every other one while nothing is new: whatever was, or
// stopped.
static void test_polls(void)
{
	struct xy_wg_timers t;
	struct xy_wg_activity a = {0};
	xy_nsec now = XY_SEC;
	xy_wg_timers_init(&t, &xy_wg_limits_default, 0);
	xy_wg_timers_session(&t, now, false);
	for (unsigned i = 0; i < 4; i++) {
		a.rx_any = i & 1 ? a.rx_any : now;
		a.tx_any = i & 1 ? now : a.tx_any;
		xy_wg_timers_run(&t, &a, now += XY_WG_POLL_QUIET);
		CU_ASSERT_EQUAL(xy_wg_timers_deadline(&t, now), now + XY_WG_POLL);
		xy_wg_timers_run(&t, &a, now += XY_WG_POLL);
		CU_ASSERT_EQUAL(xy_wg_timers_deadline(&t, now),
				now / XY_WG_POLL_QUIET * XY_WG_POLL_QUIET + XY_WG_POLL_QUIET);
		now = xy_wg_timers_deadline(&t, now);
		xy_wg_timers_run(&t, &a, now);
		CU_ASSERT_EQUAL(xy_wg_timers_deadline(&t, now), now + XY_WG_POLL_QUIET);
	}
}

// A few messages are no reason to look more often; one more is.
static void test_polls_few(void)
{
	struct xy_wg_timers t;
	struct xy_wg_activity a = {0};
	xy_nsec now = 2 * XY_SEC;
	xy_wg_timers_init(&t, &xy_wg_limits_default, 0);
	xy_wg_timers_session(&t, now, false);
	for (unsigned i = 1; i <= XY_WG_POLL_FEW + 1; i++) {
		a.rx_any = a.rx_data = a.tx_any = a.tx_data = now;
		a.messages += i;
		xy_wg_timers_run(&t, &a, now += XY_WG_POLL_QUIET);
		CU_ASSERT_EQUAL(xy_wg_timers_deadline(&t, now),
				now + (i <= XY_WG_POLL_FEW ? XY_WG_POLL_QUIET : XY_WG_POLL));
	}
}

// Stamps that go back (the youngest session was deleted) are no news, nor when they come again.
static void test_stamps_back(void)
{
	struct xy_wg_timers t;
	unsigned keepalives = 0;
	xy_wg_timers_init(&t, &xy_wg_limits_default, 0);
	xy_wg_timers_session(&t, XY_SEC, true);
	for (xy_nsec s = 2; s < 60; s++) {
		struct xy_wg_activity a = {.tx_any = 18 * XY_SEC};
		if (s >= 20)
			a.rx_any = a.rx_data = (s < 32 ? 20 : s < 34 ? 5 : 19) * XY_SEC;
		keepalives += xy_wg_timers_run(&t, &a, s * XY_SEC) == XY_WG_DO_KEEPALIVE;
	}
	CU_ASSERT(keepalives == 1);
}

// ---- two peers ----

enum { SESSIONS = 4096, PACKETS = 1 << 16, HELD = 64 };

enum kind { MSG_1, MSG_2, DATA, KEEPALIVE };

struct packet {
	xy_nsec at;
	uint64_t order; // of sending, between equal times
	enum kind kind;
	int to;
	uint32_t sender, receiver; // indices
	uint64_t counter, payload;
};

struct session {
	bool live, used;
	uint32_t peer;
	xy_nsec born;
	uint64_t tx;
	struct xy_replay *replay;
};

struct peer {
	struct xy_wg_timers timers;
	struct xy_wg_activity act;
	struct xy_keypairs keys;
	struct session session[SESSIONS];
	uint32_t indices, pending; // pending: the index in our last initiation, 0 = none
	uint32_t newest_stamp;
	xy_nsec deadline;
	unsigned held;
	uint64_t held_payload[HELD];
	unsigned initiations, sent_packets, give_ups;
	uint64_t sent_data, got_data, dropped_data;
	xy_nsec last_got, longest_gap, last_sent_packet;
	uint8_t *got; // by payload
};

struct world {
	uint64_t seed, order;
	unsigned loss, dup, reorder; // per mille
	xy_nsec delay, now;
	struct packet *queue;
	unsigned queued;
	struct peer p[2];
};

static uint64_t roll(struct world *w) // splitmix64
{
	uint64_t z = (w->seed += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool is_before(const struct packet *a, const struct packet *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

// A binary heap by time of arrival.
static void queue_push(struct world *w, struct packet p)
{
	CU_ASSERT_FATAL(w->queued < PACKETS);
	unsigned i = w->queued++;
	for (; i && is_before(&p, &w->queue[(i - 1) / 2]); i = (i - 1) / 2)
		w->queue[i] = w->queue[(i - 1) / 2];
	w->queue[i] = p;
}

static struct packet queue_pop(struct world *w)
{
	struct packet top = w->queue[0], last = w->queue[--w->queued];
	unsigned i = 0, c;
	while ((c = 2 * i + 1) < w->queued) {
		c += c + 1 < w->queued && is_before(&w->queue[c + 1], &w->queue[c]);
		if (!is_before(&w->queue[c], &last))
			break;
		w->queue[i] = w->queue[c];
		i = c;
	}
	w->queue[i] = last;
	return top;
}

static void send(struct world *w, int from, struct packet p)
{
	w->p[from].sent_packets++;
	w->p[from].last_sent_packet = w->now;
	p.to = !from;
	p.at = w->now + w->delay;
	p.order = ++w->order;
	for (unsigned copies = 1 + (roll(w) % 1000 < w->dup); copies; copies--) {
		struct packet c = p;
		if (roll(w) % 1000 < w->loss)
			continue;
		if (roll(w) % 1000 < w->reorder)
			c.at += roll(w) % (200 * XY_MSEC);
		queue_push(w, c);
	}
}

static uint32_t session_new(struct world *w, struct peer *p, uint32_t peer)
{
	uint32_t index = ++p->indices;
	CU_ASSERT_FATAL(index < SESSIONS);
	p->session[index] = (struct session){.live = true, .peer = peer, .born = w->now};
	p->session[index].replay = calloc(1, sizeof(struct xy_replay));
	return index;
}

static void sessions_drop(struct peer *p, const struct xy_keypair_drops *d)
{
	for (unsigned i = 0; i < d->n; i++) {
		free(p->session[d->index[i]].replay);
		p->session[d->index[i]] = (struct session){0};
	}
}

static void transport_send(struct world *w, int me, enum kind kind, uint64_t payload);

static void actions_do(struct world *w, int me, uint32_t actions)
{
	struct peer *p = &w->p[me];
	struct xy_keypair_drops d;
	if (actions & (XY_WG_DO_REJECT | XY_WG_DO_EXPIRE)) {
		xy_keypairs_expire(&p->keys, w->now, 180 * XY_SEC, &d);
		sessions_drop(p, &d);
	}
	if (actions & XY_WG_DO_EXPIRE) {
		xy_keypairs_clear(&p->keys, &d);
		sessions_drop(p, &d);
		p->pending = 0;
	}
	if (actions & XY_WG_DO_GIVE_UP) {
		p->dropped_data += p->held;
		p->held = 0;
		p->give_ups++;
	}
	if (actions & XY_WG_DO_INITIATE) {
		p->pending = ++p->indices;
		p->initiations++;
		send(w, me, (struct packet){.kind = MSG_1, .sender = p->pending});
		xy_wg_timers_initiation_sent(&p->timers, w->now, roll(w) % (333 * XY_MSEC));
	}
	if (actions & XY_WG_DO_KEEPALIVE)
		transport_send(w, me, KEEPALIVE, 0);
	p->deadline = xy_wg_timers_deadline(&p->timers, w->now);
}

static void transport_send(struct world *w, int me, enum kind kind, uint64_t payload)
{
	struct peer *p = &w->p[me];
	const struct xy_keypair *k = xy_keypairs_current(&p->keys);
	struct session *s = k ? &p->session[k->index] : NULL;
	if (!s || w->now - s->born >= 180 * XY_SEC) {
		if (kind == DATA && p->held < HELD)
			p->held_payload[p->held++] = payload;
		else
			p->dropped_data += kind == DATA;
		if (kind == DATA)
			actions_do(w, me, xy_wg_timers_want(&p->timers, w->now));
		return;
	}
	p->act.tx_any = w->now;
	if (kind == DATA)
		p->act.tx_data = w->now;
	send(w, me,
	     (struct packet){
		     .kind = kind, .receiver = s->peer, .counter = s->tx++, .payload = payload});
	p->act.tx_counter = s->tx;
}

static void became_current(struct world *w, int me, bool initiator)
{
	struct peer *p = &w->p[me];
	unsigned held = p->held;
	xy_wg_timers_session(&p->timers, w->now, initiator);
	p->act.tx_counter = 0;
	p->held = 0;
	for (unsigned i = 0; i < held; i++)
		transport_send(w, me, DATA, p->held_payload[i]);
	if (!held && initiator)
		transport_send(w, me, KEEPALIVE, 0);
	p->deadline = xy_wg_timers_deadline(&p->timers, w->now);
}

static void handshake_receive(struct world *w, const struct packet *m)
{
	struct peer *p = &w->p[m->to];
	struct xy_keypair_drops d;
	if (m->kind == MSG_1) {
		if (m->sender <= p->newest_stamp) // the timestamp must grow
			return;
		p->newest_stamp = m->sender;
		uint32_t index = session_new(w, p, m->sender);
		send(w, m->to,
		     (struct packet){.kind = MSG_2, .sender = index, .receiver = m->sender});
		xy_keypairs_responded(&p->keys, index, w->now, &d);
		sessions_drop(p, &d);
		return;
	}
	if (m->receiver != p->pending || !p->pending)
		return;
	p->session[p->pending] = (struct session){.live = true, .peer = m->sender, .born = w->now};
	p->session[p->pending].replay = calloc(1, sizeof(struct xy_replay));
	xy_keypairs_initiated(&p->keys, p->pending, w->now, &d);
	sessions_drop(p, &d);
	p->pending = 0;
	became_current(w, m->to, true);
}

static void transport_receive(struct world *w, const struct packet *m)
{
	struct peer *p = &w->p[m->to];
	struct session *s = &p->session[m->receiver];
	struct xy_keypair_drops d;
	if (!s->live || w->now - s->born >= 180 * XY_SEC ||
	    !xy_replay_accept(s->replay, m->counter, UINT64_MAX))
		return;
	p->act.rx_any = w->now;
	if (m->kind == DATA) {
		p->act.rx_data = w->now;
		p->got_data++;
		CU_ASSERT(!p->got[m->payload]); // never twice
		p->got[m->payload] = 1;
		if (p->last_got && w->now - p->last_got > p->longest_gap)
			p->longest_gap = w->now - p->last_got;
		p->last_got = w->now;
	}
	if (s->used)
		return;
	s->used = true;
	bool current = xy_keypairs_received(&p->keys, m->receiver, &d);
	sessions_drop(p, &d);
	if (current)
		became_current(w, m->to, false);
}

static struct world *world_new(uint64_t seed, unsigned loss, unsigned dup, unsigned reorder)
{
	struct world *w = calloc(1, sizeof(*w));
	CU_ASSERT_FATAL(w != NULL);
	*w = (struct world){.seed = seed, .loss = loss, .dup = dup, .reorder = reorder};
	w->delay = 20 * XY_MSEC;
	w->now = XY_SEC;
	w->queue = calloc(PACKETS, sizeof(*w->queue));
	for (int i = 0; i < 2; i++) {
		xy_wg_timers_init(&w->p[i].timers, &xy_wg_limits_default, 0);
		w->p[i].deadline = XY_NEVER;
		w->p[i].got = calloc(1, 1 << 20);
	}
	return w;
}

static void world_free(struct world *w)
{
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < SESSIONS; k++)
			free(w->p[i].session[k].replay);
		free(w->p[i].got);
	}
	free(w->queue);
	free(w);
}

// Until `end`; node i sends data every each[i] (0: none).
static void world_run(struct world *w, xy_nsec end, const xy_nsec each[2])
{
	xy_nsec next[2] = {each[0] ? w->now : XY_NEVER, each[1] ? w->now : XY_NEVER};
	while (w->now < end) {
		xy_nsec at = end, pipe = w->queued ? w->queue[0].at : XY_NEVER;
		const xy_nsec all[] = {pipe, next[0], next[1], w->p[0].deadline, w->p[1].deadline};
		for (size_t i = 0; i < XY_ARRAY_SIZE(all); i++)
			at = all[i] < at ? all[i] : at;
		w->now = at > w->now ? at : w->now;
		if (pipe <= w->now) {
			struct packet m = queue_pop(w);
			(m.kind <= MSG_2 ? handshake_receive : transport_receive)(w, &m);
		}
		for (int i = 0; i < 2; i++) {
			struct peer *p = &w->p[i];
			if (next[i] <= w->now) {
				transport_send(w, i, DATA, ++p->sent_data);
				next[i] += each[i];
			}
			if (p->deadline <= w->now)
				actions_do(w, i, xy_wg_timers_run(&p->timers, &p->act, w->now));
		}
	}
}

#define MINUTES(n) ((n)*60 * XY_SEC)

// One side sends, both send, with nothing lost: not one packet is, through fourteen rekeys.
static void test_sim_clean(void)
{
	static const xy_nsec rates[][2] = {{50 * XY_MSEC, 0},
					   {0, 50 * XY_MSEC},
					   {50 * XY_MSEC, 70 * XY_MSEC},
					   {50 * XY_MSEC, 50 * XY_MSEC},
					   {11 * XY_MSEC, 7 * XY_SEC}};
	for (size_t i = 0; i < XY_ARRAY_SIZE(rates); i++) {
		static const xy_nsec none[2];
		struct world *w = world_new(i + 1, 0, 0, 0);
		world_run(w, MINUTES(30), rates[i]);
		world_run(w, w->now + XY_SEC, none);
		unsigned initiations = w->p[0].initiations + w->p[1].initiations;
		for (int k = 0; k < 2; k++) {
			CU_ASSERT(w->p[!k].got_data == w->p[k].sent_data);
			CU_ASSERT(w->p[k].dropped_data == 0 && w->p[k].give_ups == 0);
		}
		CU_ASSERT(initiations >= 15 && initiations <= 31);
		if (initiations < 15 || initiations > 31)
			printf("rates %zu: %u and %u initiations\n", i, w->p[0].initiations,
			       w->p[1].initiations);
		world_free(w);
	}
}

// Loss, doubles, disorder: traffic flows on, and there is no storm of handshakes.
static void test_sim_lossy(void)
{
	static const xy_nsec each[2] = {100 * XY_MSEC, 100 * XY_MSEC};
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct world *w = world_new(seed, seed % 2 ? 50 : 250, 100, 200);
		world_run(w, MINUTES(30), each);
		unsigned initiations = w->p[0].initiations + w->p[1].initiations;
		bool ok = initiations >= 15 && initiations <= 75;
		for (int k = 0; k < 2; k++) {
			const struct peer *p = &w->p[k];
			uint64_t arrive = w->p[!k].sent_data * (seed % 2 ? 930 : 710) / 1000;
			ok = ok && p->got_data >= arrive && p->longest_gap < 20 * XY_SEC &&
			     p->give_ups == 0;
		}
		CU_ASSERT(ok);
		if (!ok)
			printf("seed %lu: %u initiations, got %lu/%lu and %lu/%lu, gaps %lu %lu "
			       "ms\n",
			       seed, initiations, w->p[0].got_data, w->p[1].sent_data,
			       w->p[1].got_data, w->p[0].sent_data, w->p[0].longest_gap / XY_MSEC,
			       w->p[1].longest_gap / XY_MSEC);
		world_free(w);
	}
}

// Both begin in the same instant, with a pipe so long that both initiations cross.
static void test_sim_crossing(void)
{
	static const xy_nsec each[2] = {50 * XY_MSEC, 50 * XY_MSEC}, none[2];
	struct world *w = world_new(9, 0, 0, 0);
	w->delay = 300 * XY_MSEC;
	world_run(w, MINUTES(30), each);
	world_run(w, w->now + 2 * XY_SEC, none);
	CU_ASSERT(w->p[0].initiations + w->p[1].initiations <= 32);
	CU_ASSERT(w->p[0].got_data == w->p[1].sent_data);
	CU_ASSERT(w->p[1].got_data == w->p[0].sent_data);
	world_free(w);
}

// After the last data: one keepalive, then nothing; and back when there is data again.
static void test_sim_idle(void)
{
	static const xy_nsec one[2] = {50 * XY_MSEC, 0}, none[2];
	struct world *w = world_new(3, 0, 0, 0);
	world_run(w, MINUTES(1), one);
	xy_nsec stopped = w->now;
	world_run(w, stopped + 20 * XY_SEC, none);
	unsigned sent[2] = {w->p[0].sent_packets, w->p[1].sent_packets};
	CU_ASSERT(w->p[1].last_sent_packet > stopped); // the passive keepalive
	world_run(w, stopped + MINUTES(29), none);
	CU_ASSERT(w->p[0].sent_packets == sent[0] && w->p[1].sent_packets == sent[1]);
	for (int k = 0; k < 2; k++) {
		CU_ASSERT(xy_keypairs_current(&w->p[k].keys) == NULL);
		CU_ASSERT(w->p[k].deadline == XY_NEVER);
	}
	world_run(w, w->now + 10 * XY_SEC, one);
	world_run(w, w->now + XY_SEC, none);
	CU_ASSERT(w->p[1].got_data == w->p[0].sent_data);
	world_free(w);
}

// The other side is gone for three minutes: attempts end, begin with new data, and it heals.
static void test_sim_outage(void)
{
	static const xy_nsec each[2] = {100 * XY_MSEC, 100 * XY_MSEC};
	struct world *w = world_new(4, 0, 0, 0);
	world_run(w, MINUTES(3), each);
	w->loss = 1000;
	world_run(w, MINUTES(8), each);
	unsigned during = w->p[0].initiations + w->p[1].initiations;
	CU_ASSERT(w->p[0].give_ups >= 2 && during <= 2 * (8 * 60 / 5));
	w->loss = 0;
	uint64_t before = w->p[0].got_data;
	world_run(w, MINUTES(8) + 7 * XY_SEC, each);
	CU_ASSERT(w->p[0].got_data > before);
	world_free(w);
}

XY_UNIT_MAIN("timers", {"tables", test_tables}, {"counter limit", test_counter_limit},
	     {"how often it is looked", test_polls}, {"where little goes on", test_polls_few},
	     {"late rekey, once", test_late_rekey_once}, {"stamps that go back", test_stamps_back},
	     {"two peers, clean pipe", test_sim_clean}, {"two peers, lossy pipe", test_sim_lossy},
	     {"two peers, crossing", test_sim_crossing}, {"two peers, idle", test_sim_idle},
	     {"two peers, outage", test_sim_outage})
