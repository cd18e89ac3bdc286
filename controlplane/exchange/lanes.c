// SPDX-License-Identifier: BSD-3-Clause
// In which lanes a session is sent in, beside the first. Both sides speak of it inside the session,
// of that session alone: who may be another program by now, with the same key, is asked anew. A
// lane is used once the other side said that it takes it and that something came in it, and no more
// when it says that nothing does; then its packets go in the first, which is WireGuard's. A session
// that carries little is not worth a question.
#define XY_LOG_PART XY_PART_LINKS

#include "exchange/exchanges.h"

enum {
	WORTH = 256, // packets sent in a session
	PROBES = 4,  // of a lane before it is taken for closed
	MISSED = 2,  // answers in a row that do not name a lane in use
	WAITS = 7,   // looks at whether it is worth it: 1 s, 2, 4, ...
};
#define LOOK_FIRST XY_SEC
#define ANSWER	   (5 * XY_SEC)	   // or it gives none
#define PROBE_TIME (100 * XY_MSEC) // of a probe's way
#define CHECK	   (5 * XY_SEC)	   // while they are used

enum {		     // what is done when it is due
	LANES_NONE,  // nothing more in this session
	LANES_LOOK,  // is it worth it?
	LANES_ASK,   // the question goes
	LANES_WAIT,  // there is no answer yet
	LANES_CHECK, // of those in use
};

static uint64_t first_lanes(unsigned n)
{
	return n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
}

static void step(struct xy_exchange_lanes *s, uint8_t what, xy_nsec due)
{
	s->step = what;
	s->due = what == LANES_NONE ? 0 : due;
}

void xy_exchange_lanes_begun(const struct xy_exchanges *e, struct xy_exchange *x, uint32_t index,
			     xy_nsec now)
{
	bool had = x->lanes.used > 1;
	x->lanes = (struct xy_exchange_lanes){.index = index, .used = 1};
	if (e->cfg.lanes < 2 || x->suite.plain || !e->cfg.lanes_ask)
		return;
	step(&x->lanes, had ? LANES_ASK : LANES_LOOK, had ? now : now + LOOK_FIRST);
}

static void use(const struct xy_exchanges *e, struct xy_exchange_lanes *s, uint64_t mask)
{
	s->used = mask;
	xy_dp_session_lanes_send(e->dp, s->index, mask);
}

static void probe(const struct xy_exchanges *e, struct xy_exchange_lanes *s, xy_nsec now)
{
	xy_dp_session_lanes_probe(e->dp, s->index);
	step(s, LANES_ASK, now + (PROBE_TIME << s->missed));
}

static void look(const struct xy_exchanges *e, struct xy_exchange_lanes *s, xy_nsec now)
{
	struct xy_dp_session_stats stats;
	if (xy_dp_session_stats(e->dp, s->index, &stats))
		step(s, LANES_NONE, 0);
	else if (stats.tx_packets >= WORTH)
		step(s, LANES_ASK, now);
	else if (++s->looks < WAITS)
		step(s, LANES_LOOK, now + (LOOK_FIRST << s->looks));
	else
		step(s, LANES_NONE, 0);
}

static void ask(const struct xy_exchanges *e, const struct xy_exchange *x,
		struct xy_exchange_lanes *s, xy_nsec now)
{
	struct xy_dp_session_stats stats;
	if (xy_dp_session_stats(e->dp, s->index, &stats)) {
		step(s, LANES_NONE, 0);
		return;
	}
	const struct xy_nodeinfo_lanes q = {.session = stats.remote_index, .count = e->cfg.lanes};
	bool sent = e->cfg.lanes_ask(e->cfg.arg, x, &q);
	step(s, sent ? LANES_WAIT : LANES_ASK, now + (sent ? ANSWER : XY_SEC));
}

static void check(const struct xy_exchanges *e, struct xy_exchange_lanes *s, xy_nsec now)
{
	struct xy_dp_session_stats stats;
	bool there = xy_dp_session_stats(e->dp, s->index, &stats) == 0;
	if (there && stats.tx_data > s->checked)
		probe(e, s, now);
	else // nothing went that could be lost
		step(s, there ? LANES_CHECK : LANES_NONE, now + CHECK);
	s->checked = now;
}

void xy_exchange_lanes_run(struct xy_exchanges *e, struct xy_exchange *x, xy_nsec now)
{
	struct xy_exchange_lanes *s = &x->lanes;
	const struct xy_keypair *current = xy_keypairs_current(&x->keypairs);
	if (!s->due || now < s->due)
		return;
	if (!current || current->index != s->index)
		step(s, LANES_NONE, 0);
	else if (s->step == LANES_LOOK)
		look(e, s, now);
	else if (s->step == LANES_ASK)
		ask(e, x, s, now);
	else if (s->step == LANES_WAIT && s->count > 1) // it answered before, and will again
		step(s, LANES_CHECK, now + CHECK);
	else if (s->step == LANES_WAIT)
		step(s, LANES_NONE, 0);
	else
		check(e, s, now);
}

bool xy_exchange_lanes_asked(struct xy_exchanges *e, struct xy_exchange *x,
			     const struct xy_nodeinfo_lanes *q, struct xy_nodeinfo_lanes *out)
{
	bool its = false;
	for (unsigned i = 0; i < XY_KEYPAIR_SLOTS; i++)
		its |= x->keypairs.slot[i].live && x->keypairs.slot[i].index == q->session;
	if (!its || x->suite.plain)
		return false;
	unsigned most = q->count < e->cfg.lanes ? q->count : e->cfg.lanes;
	int taken = most > 1 ? xy_dp_session_lanes(e->dp, q->session, most) : 1;
	out->session = q->session;
	out->count = taken > 1 ? (uint8_t)taken : 1;
	out->heard = 1;
	xy_dp_session_lanes_heard(e->dp, q->session, &out->heard);
	return true;
}

// The answer to the first question, or to one that followed probes.
static void told_heard(const struct xy_exchanges *e, struct xy_exchange_lanes *s, uint64_t heard,
		       xy_nsec now)
{
	uint64_t all = first_lanes(s->count);
	bool using = s->used > 1;
	heard = (heard & all) | 1;
	if (heard == all) {
		s->missed = 0;
		use(e, s, all);
		step(s, LANES_CHECK, now + CHECK);
		return;
	}
	if (++s->missed < (using ? MISSED : PROBES)) {
		probe(e, s, now);
		return;
	}
	s->missed = 0; // it may open again
	use(e, s, using ? s->used & heard : heard);
	step(s, LANES_CHECK, now + CHECK);
}

void xy_exchange_lanes_told(struct xy_exchanges *e, struct xy_exchange *x,
			    const struct xy_nodeinfo_lanes *its, xy_nsec now)
{
	struct xy_exchange_lanes *s = &x->lanes;
	struct xy_dp_session_stats stats;
	if (s->step != LANES_WAIT || xy_dp_session_stats(e->dp, s->index, &stats) ||
	    stats.remote_index != its->session)
		return; // of another session, or late
	bool first = !s->count;
	unsigned most = its->count < e->cfg.lanes ? its->count : e->cfg.lanes;
	int taken = xy_dp_session_lanes(e->dp, s->index, most);
	s->count = taken > 0 && (unsigned)taken < most ? (uint8_t)taken : (uint8_t)most;
	if (taken < 2 || s->count < 2) {
		s->count = 1;
		use(e, s, 1);
		step(s, LANES_NONE, 0);
		return;
	}
	if (first) {
		use(e, s, 1);
		probe(e, s, now);
	} else {
		told_heard(e, s, its->heard, now);
	}
}

unsigned xy_exchange_lanes(const struct xy_exchange *x)
{
	return (unsigned)__builtin_popcountll(x->lanes.used | 1);
}

const char *xy_exchange_lanes_why(const struct xy_exchanges *e, const struct xy_exchange *x)
{
	const struct xy_exchange_lanes *s = &x->lanes;
	if (x->suite.plain)
		return "WireGuard";
	if (e->cfg.lanes < 2)
		return "one here";
	if (s->used > 1)
		return s->used == first_lanes(s->count) ? "in use" : "some not heard";
	if (s->count == 1)
		return "one there";
	if (s->count)
		return s->step == LANES_CHECK ? "not heard" : "probing";
	if (s->step == LANES_WAIT || s->step == LANES_ASK)
		return "asking";
	return s->looks < WAITS && s->step == LANES_NONE && s->index ? "no answer"
								     : "little to carry";
}
