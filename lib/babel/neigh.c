// SPDX-License-Identifier: BSD-3-Clause
// Neighbours: Hello history (RFC 8966 appendix A.1), 2-out-of-3 link sensing (A.2.1), IHU, RTT
// (RFC 9616), and walks over a neighbour's routes in slices.
#include "babel/state.h"

enum { MULTICAST, UNICAST };
enum { FREE_STEPS = 16 }; // what it costs to free a link

static const xy_nsec GOODBYE_PAUSE = 80 * XY_MSEC;

static const uint32_t RTT_MIN = 10000, RTT_MAX = 120000; // microseconds (RFC 9616 section 4.2)
static const uint32_t RTT_PENALTY = 150;
static const uint32_t STAMP_MAX = 180000000; // timestamps older than 3 minutes say nothing

static bool two_of_three(uint16_t hist)
{
	return __builtin_popcount(hist >> 13) >= 2;
}

static uint32_t rtt_penalty(uint32_t rtt)
{
	if (rtt <= RTT_MIN)
		return 0;
	if (rtt >= RTT_MAX)
		return RTT_PENALTY;
	return RTT_PENALTY * (rtt - RTT_MIN) / (RTT_MAX - RTT_MIN);
}

static uint16_t measured_cost(const struct neigh *n)
{
	if (!n->heard || n->no_way || n->shut || n->rxcost == XY_BABEL_INFINITY ||
	    n->txcost == XY_BABEL_INFINITY)
		return XY_BABEL_INFINITY;
	uint32_t cost = n->c.cost;
	if (n->c.plain && n->txcost > cost)
		cost = n->txcost; // what a stock router thinks of the way to it
	if (!n->c.no_rtt)
		cost += rtt_penalty(n->rtt);
	return cost < XY_BABEL_INFINITY ? (uint16_t)cost : XY_BABEL_INFINITY;
}

// Jitter of a few per cent moves nothing: each change walks all routes of the neighbour.
static bool cost_moved(uint16_t old, uint16_t new, uint16_t configured)
{
	uint16_t least = configured / 8 > 8 ? configured / 8 : 8;
	if (old == XY_BABEL_INFINITY || new == XY_BABEL_INFINITY)
		return old != new;
	return abs(new - old) >= least || (new == configured &&old != new);
}

static void became_usable(struct xy_babel *b, struct neigh *n)
{
	n->usable = true;
	babel_silence_over(b, n);
	if (n->gave_up)
		babel_send_forget(b, n);
	if (n->fresh) {
		n->wildcard_due = n->full_due = true;
	} else {
		babel_send_dump(b, n);
	}
	babel_send_soon(b, n, 0);
}

static void walk_start(struct xy_babel *b, struct neigh *n)
{
	if (n->walk)
		n->walk_again = true; // after this one, or it would never come to the end
	else
		n->walk = n->routes;
	babel_bulk_wanted(b, n);
}

void babel_neigh_cost(struct xy_babel *b, struct neigh *n)
{
	bool heard = two_of_three(n->hist[MULTICAST]) || two_of_three(n->hist[UNICAST]);
	n->rxcost = heard && !n->silent ? n->c.cost : XY_BABEL_INFINITY;
	uint16_t cost = measured_cost(n);
	if (!cost_moved(n->cost, cost, n->c.cost))
		return;
	n->turned_at = (cost == XY_BABEL_INFINITY) == n->usable ? b->now : n->turned_at;
	n->cost = cost;
	if (cost == XY_BABEL_INFINITY && n->usable)
		babel_silence_lost(b, n);
	else if (cost != XY_BABEL_INFINITY && !n->usable)
		became_usable(b, n);
	walk_start(b, n);
}

// Takes the neighbour's routes one by one: those retracted all at once go, the others are selected
// again with its present cost.
static bool walk(struct xy_babel *b, struct neigh *n)
{
	while (steps_left(b)) {
		if (!n->walk && n->walk_again) {
			n->walk = n->routes;
			n->walk_again = false;
		}
		if (!n->walk)
			return false;
		uint32_t i = n->walk;
		struct route *r = ROUTE(b, i);
		uint32_t dest = r->dest;
		n->walk = r->nnext;
		b->stats.steps++;
		if (r->gen != n->gen && n->takes_back)
			babel_flap_note(b, i);
		if (r->gen != n->gen)
			babel_route_drop(b, i);
		babel_dest_select(b, dest);
		babel_dest_release(b, dest);
	}
	return true;
}

// Whatever was cut into slices. A link that was removed goes when nothing hangs on it any more;
// Updates and
// claims that are being verified say so themselves.
bool babel_neigh_work(struct xy_babel *b, struct neigh *n)
{
	b->stats.steps++;
	if (n->removed)
		babel_send_forget(b, n);
	bool more = walk(b, n);
	more |= babel_send_trash(b, n);
	if (!n->removed)
		return more;
	more |= babel_interest_forget(b, n);
	if (!more && !n->wait_count && !n->job_count) {
		b->stats.steps += FREE_STEPS;
		babel_link_free(b, n);
	}
	return more;
}

// Routes and waiting Updates of an older generation are as good as gone. false: older ones are
// still there, and so old that the numbers of generations come round.
bool babel_neigh_retract_all(struct xy_babel *b, struct neigh *n)
{
	if (!n->routes && !n->wait_count)
		return true;
	if (!n->walk)
		n->old_gen = n->gen;
	else if ((uint16_t)(n->gen + 1) == n->old_gen)
		return false;
	n->gen++;
	walk_start(b, n);
	return true;
}

static void hello_reset(struct neigh *n)
{
	memset(n->hist, 0, sizeof(n->hist));
	memset(n->hello_seen, 0, sizeof(n->hello_seen));
	n->hello_due[0] = n->hello_due[1] = n->ihu_due = 0;
	n->txcost = n->rxcost = XY_BABEL_INFINITY;
	n->has_stamp = n->silent = n->unwanting = false;
	if (n->c.plain) // another router may stand there now; a node's link is its key's
		n->acknowledges = false;
	n->rtt = 0;
	babel_silence_stop(n);
}

void babel_neigh_forget(struct xy_babel *b, struct neigh *n)
{
	hello_reset(n);
	n->heard = false;
	n->usable = n->met = false;
	n->cost = XY_BABEL_INFINITY;
	n->takes_back = false; // it is the link that failed
	babel_in_drop(b, n);
	babel_send_forget(b, n);
	while (!babel_neigh_retract_all(b, n)) { // 65,535 retractions and no poll in between
		b->until = UINT64_MAX;
		walk(b, n);
	}
}

// Of the same sequence of Hellos as those before.
static bool near(const struct neigh *n, int kind, uint16_t seqno)
{
	int16_t ahead = (int16_t)(uint16_t)(seqno - n->expect[kind]);
	return ahead <= 16 && ahead >= -16;
}

// Who said goodbye and goes on saying Hello in the same sequence has left all the same.
static void first_hello(struct xy_babel *b, struct neigh *n, int kind, uint16_t seqno)
{
	n->heard = n->ever = true;
	n->fresh = true;
	n->left &= near(n, kind, seqno);
	n->hellos_sent = 0; // answer fast: the link is usable one round trip from here
	n->hello_at = b->now;
}

// RFC 8966 appendix A.1. false: the neighbour restarted.
static bool hello_history(struct neigh *n, int kind, uint16_t seqno)
{
	int16_t ahead = (int16_t)(uint16_t)(seqno - n->expect[kind]);
	if (n->hello_seen[kind]) {
		if (!near(n, kind, seqno))
			return false;
		if (ahead < 0)
			n->hist[kind] =
				(uint16_t)((uint32_t)n->hist[kind] << -ahead); // undo history
		else
			n->hist[kind] = (uint16_t)(n->hist[kind] >> ahead);
	}
	n->hist[kind] = (uint16_t)(n->hist[kind] >> 1 | 0x8000);
	n->expect[kind] = seqno + 1;
	n->hello_seen[kind] = true;
	return true;
}

static void hello_stamp(struct xy_babel *b, struct neigh *n, const struct xy_babel_hello *h)
{
	n->has_stamp = h->has_time;
	n->stamp_theirs = h->time;
	n->stamp_ours = (uint32_t)(b->arrived / XY_USEC);
}

// A packet may have waited for us (xy_babel_link_is_well). One that did so for longer did since we
// stood still, and others are behind it.
static xy_nsec heard_at(const struct xy_babel *b)
{
	return b->now - b->arrived < 3 * XY_SEC ? b->arrived : b->now;
}

void babel_neigh_hello(struct xy_babel *b, struct neigh *n, const struct xy_babel_hello *h)
{
	int kind = h->flags & XY_BABEL_HELLO_UNICAST ? UNICAST : MULTICAST;
	if (!n->heard)
		first_hello(b, n, kind, h->seqno);
	if (!hello_history(n, kind, h->seqno)) {
		babel_neigh_forget(b, n);
		first_hello(b, n, kind, h->seqno);
		hello_history(n, kind, h->seqno);
	}
	if (h->interval) {
		n->hello_interval[kind] = h->interval * 10 * XY_MSEC;
		n->hello_due[kind] = heard_at(b) + n->hello_interval[kind] * 3 / 2;
	}
	if (!n->has_stamp || !h->has_time)
		hello_stamp(b, n, h); // else after the IHU of this packet has used the older one
	babel_silence_hello(b, n);
	babel_neigh_cost(b, n);
}

// RTT = (t2 - t1) - (t2' - t1'), modulo 2^32 (RFC 9616 section 3.2).
static void rtt_sample(struct xy_babel *b, struct neigh *n, const struct xy_babel_ihu *ihu,
		       const struct xy_babel_hello *hello)
{
	uint32_t arrived = (uint32_t)(b->arrived / XY_USEC);
	uint32_t ours = arrived - ihu->origin_time, theirs = hello->time - ihu->receive_time;
	if (ours > STAMP_MAX || theirs > STAMP_MAX || theirs > ours)
		return;
	uint32_t sample = ours - theirs;
	// The smoothing constant 0.836 of RFC 9616 section 4.1.
	n->rtt = n->rtt ? (uint32_t)(((uint64_t)n->rtt * 836 + (uint64_t)sample * 164) / 1000)
			: sample;
	if (!n->rtt)
		n->rtt = 1;
}

void babel_neigh_ihu(struct xy_babel *b, struct neigh *n, const struct xy_babel_ihu *ihu,
		     const struct xy_babel_hello *hello)
{
	// Who begins wants nothing yet, and takes all back: that is no goodbye.
	if (ihu->rxcost != XY_BABEL_INFINITY)
		n->unwanting = false;
	else if (n->txcost != XY_BABEL_INFINITY)
		n->unwanting = true;
	n->txcost = ihu->rxcost;
	n->left &= ihu->rxcost == XY_BABEL_INFINITY;
	n->ihu_due = heard_at(b) + ihu->interval * 10 * XY_MSEC * 7 / 2;
	if (ihu->has_time && hello->has_time && !n->c.no_rtt)
		rtt_sample(b, n, ihu, hello);
	if (hello->has_time)
		hello_stamp(b, n, hello);
	babel_neigh_cost(b, n);
}

// It takes back all that it said and wants nothing of us: it stops.
void babel_neigh_goodbye(struct xy_babel *b, struct neigh *n)
{
	if (n->left)
		return;
	n->left = true;
	n->told = XY_BABEL_NOTICE_LEFT;
	n->word_at = 0;
	babel_notice(b, XY_BABEL_NOTICE_LEFT, n, NULL, NULL);
}

bool babel_goodbye_due(const struct xy_babel *b, const struct neigh *n)
{
	return b->leaving && n->up && n->heard && n->goodbyes < GOODBYES;
}

// Each Hello is a goodbye then, and the timers bring them in slices.
unsigned xy_babel_goodbye(struct xy_babel *b, xy_nsec now)
{
	unsigned told = 0;
	xy_babel_enter(b, now);
	b->leaving = true;
	FOR_NEIGHS(b, n)
	{
		if (!babel_goodbye_due(b, n))
			continue;
		n->hello_at = b->now;
		babel_neigh_arm(b, n);
		told++;
	}
	return told;
}

bool xy_babel_goodbye_due(const struct xy_babel *b)
{
	FOR_NEIGHS(b, n)
	if (babel_goodbye_due(b, n))
		return true;
	return false;
}

void xy_babel_stay(struct xy_babel *b, xy_nsec now)
{
	xy_babel_enter(b, now);
	if (!b->leaving)
		return;
	b->leaving = false;
	FOR_NEIGHS(b, n)
	{
		n->goodbyes = 0;
		n->fresh = n->wildcard_due = n->full_due = true;
		n->wildcard_tries = 0;
		n->hellos_sent = 0;
		n->hello_at = b->now;
		if (!n->up)
			continue;
		babel_neigh_arm(b, n);
		babel_send_soon(b, n, XY_MSEC); // behind the Hello
	}
	xy_babel_leave(b);
}

void xy_babel_link_shut(struct xy_babel *b, uint16_t link, bool shut, xy_nsec now)
{
	xy_babel_enter(b, now);
	struct neigh *n = babel_link_of(b, link);
	if (!n || n->shut == shut)
		return;
	n->shut = shut;
	if (n->up) {
		babel_neigh_cost(b, n);
		n->hello_at = b->now; // it is told at once
		babel_neigh_arm(b, n);
	}
	xy_babel_leave(b);
}

static void hello_missed(struct xy_babel *b, struct neigh *n, int kind)
{
	if (!n->hello_due[kind] || n->hello_due[kind] > b->now)
		return;
	n->hist[kind] >>= 1;
	n->expect[kind]++;
	n->hello_due[kind] = b->now + n->hello_interval[kind];
	if (n->hist[kind] == 0)
		n->hello_due[kind] = 0;
	if (n->hist[MULTICAST] || n->hist[UNICAST]) {
		babel_neigh_cost(b, n);
		babel_silence_ask(b, n); // on an idle link it is all that tells
	} else if (n->heard) {
		babel_neigh_forget(b, n);
	}
}

// The first ones follow quickly (they may come ahead of time, RFC 8966 section 3.4.1), so that a
// link is usable after three exchanges and not after twelve seconds.
static xy_nsec hello_next(struct xy_babel *b, const struct neigh *n)
{
	enum { TOGETHER = 64 }; // neighbours; the rest 10 ms later each
	xy_nsec next = b->now + b->c.hello_interval, grid = b->c.hello_grid;
	if (babel_goodbye_due(b, n))
		return b->now + GOODBYE_PAUSE;
	if (n->hellos_sent < QUICK_HELLOS)
		return b->now + babel_jitter(b, 200 * XY_MSEC);
	if (!grid || b->c.hello_interval < grid)
		return next - babel_jitter(b, b->c.hello_interval / 20);
	return next - (next - n->id / TOGETHER * 10 * XY_MSEC) % grid;
}

void babel_neigh_timer(struct xy_babel *b, struct neigh *n)
{
	if (!n->up)
		return;
	hello_missed(b, n, MULTICAST);
	hello_missed(b, n, UNICAST);
	if (n->ihu_due && n->ihu_due <= b->now) {
		n->ihu_due = 0;
		n->txcost = XY_BABEL_INFINITY;
		babel_neigh_cost(b, n);
	}
	if (n->hello_at <= b->now) {
		babel_send_hello(b, n);
		n->hello_at = hello_next(b, n);
	}
	babel_silence_timer(b, n);
	babel_send_judge(b, n);
	babel_send_timers(b, n);
	babel_neigh_arm(b, n);
}

static void sooner(xy_nsec *at, xy_nsec t)
{
	if (t && t < *at)
		*at = t;
}

void babel_neigh_arm(struct xy_babel *b, struct neigh *n)
{
	xy_nsec at = n->hello_at;
	if (!n->up)
		return;
	sooner(&at, n->hello_due[MULTICAST]);
	sooner(&at, n->hello_due[UNICAST]);
	sooner(&at, n->ihu_due);
	sooner(&at, n->probe_at);
	sooner(&at, n->word_at);
	sooner(&at, babel_send_deadline(n));
	babel_timer_set(b, T_NEIGH, n->id, at);
}

// The wait at start (design: what was known about feasibility is lost): nothing learned is
// installed until every neighbour has acknowledged our wildcard retraction, or 10 s are over.
void babel_start_check(struct xy_babel *b)
{
	if (!b->starting)
		return;
	if (b->now - b->start < START_WAIT) {
		unsigned up = 0;
		FOR_UP(b, n)
		{
			if (n->up && !n->shut && !n->acked) {
				babel_global_at(b, b->start + START_WAIT);
				return;
			}
			up += n->up && !n->shut;
		}
		if (!up) {
			babel_global_at(b, b->start + START_WAIT);
			return;
		}
	}
	b->starting = false;
	babel_notice(b, XY_BABEL_NOTICE_STARTED, NULL, NULL, NULL);
	babel_sweep_start(b);
	babel_global_at(b, b->now);
}
