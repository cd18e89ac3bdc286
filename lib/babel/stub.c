// SPDX-License-Identifier: BSD-3-Clause
// Nodes without a full table, seen from both ends: what a stub wants to know, and what its relay
// remembers of it.
#include "babel/state.h"

// ---- the relay: answers that it keeps up to date ----

static const xy_nsec INTEREST_LIFE = 600 * XY_SEC;

uint32_t babel_interest_find(const struct xy_babel *b, uint32_t dest, const struct neigh *n)
{
	struct interest key = {.dest = dest, .neigh = n->id};
	uint32_t i = babel_map_first(&b->interest_map, b->interest_map.hash(b, &key));
	while (i && (INTEREST(b, i)->dest != dest || INTEREST(b, i)->neigh != n->id))
		i = babel_map_next(&b->interest_map, i);
	return i;
}

void babel_interest_add(struct xy_babel *b, uint32_t dest, struct neigh *n)
{
	uint32_t i = babel_interest_find(b, dest, n);
	if (!i) {
		i = n->interest_count < INTERESTS ? babel_pool_take(&b->interests) : 0;
		if (!i)
			return;
		INTEREST(b, i)->dest = dest;
		INTEREST(b, i)->neigh = n->id;
		if (!babel_map_insert(&b->interest_map, i)) {
			babel_pool_give(&b->interests, i);
			return;
		}
		INTEREST(b, i)->next = n->interests;
		if (n->interests)
			INTEREST(b, n->interests)->prev = i;
		n->interests = i;
		n->interest_count++;
		DEST(b, dest)->users++;
	}
	babel_timer_set(b, T_INTEREST, i, b->now + INTEREST_LIFE);
}

void babel_interest_timer(struct xy_babel *b, uint32_t i)
{
	const struct interest *t = INTEREST(b, i);
	struct neigh *n = babel_neigh_of(b, t->neigh);
	uint32_t dest = t->dest;
	*(t->prev ? &INTEREST(b, t->prev)->next : &n->interests) = t->next;
	if (t->next)
		INTEREST(b, t->next)->prev = t->prev;
	n->interest_count--;
	babel_timer_stop(b, T_INTEREST, i);
	babel_map_remove(&b->interest_map, i);
	babel_pool_give(&b->interests, i);
	DEST(b, dest)->users--;
	babel_dest_release(b, dest);
}

bool babel_interest_forget(struct xy_babel *b, struct neigh *n)
{
	for (; n->interests && steps_left(b); b->stats.steps++)
		babel_interest_timer(b, n->interests);
	return n->interests;
}

// ---- the stub: what traffic asks for ----
// A relay answers so many requests a second and is silent about the others, so the stub asks no
// faster than that. Whoever waits for his turn waits among those of his own source: one who scans
// the network keeps nobody else from asking. Only the relays can answer, each for itself, and
// silence is no answer: it is asked again, and at last forgotten, so that the next packet asks.

enum { QUEUED, ASKED, REFUSED, ACTIVE };
enum { ASKS = 3, BURST = 160 };
static const xy_nsec ASK_AGAIN = 2 * XY_SEC, NO_LIFE = 10 * XY_SEC, IDLE = 300 * XY_SEC,
		     RENEW = 120 * XY_SEC, QUEUE_LIFE = 10 * XY_SEC, PACE = 50 * XY_MSEC;

static uint32_t want_find(const struct xy_babel *b, const struct xy_prefix *p)
{
	uint32_t i = babel_map_first(&b->want_map, babel_hash_bytes(b, p, sizeof(*p)));
	while (i && !xy_prefix_eq(&WANT(b, i)->prefix, p))
		i = babel_map_next(&b->want_map, i);
	return i;
}

static bool have(const struct xy_babel *b, const struct xy_prefix *p)
{
	uint32_t dest = babel_dest_find(b, p, 0);
	return dest && DEST(b, dest)->valid;
}

// A question at PACE, or BURST of them after a pause.
static bool may_ask(struct xy_babel *b)
{
	if (b->ask_at > b->now + BURST * PACE)
		return false;
	b->ask_at = (b->ask_at > b->now ? b->ask_at : b->now) + PACE;
	return true;
}

static unsigned ask(struct xy_babel *b, struct want *w)
{
	unsigned relays = 0;
	w->asked = b->now;
	FOR_UP(b, n)
	if (n->c.relay && n->usable) {
		relays++;
		babel_send_item(b, n,
				&(struct item){.type = XY_BABEL_ROUTE_REQUEST,
					       .request = {.prefix = w->prefix}});
	}
	return relays;
}

static void queue_put(struct xy_babel *b, uint32_t i)
{
	struct want *w = WANT(b, i);
	struct list *q = &b->want_queue[w->share];
	w->prev = q->tail;
	w->next = 0;
	*(w->prev ? &WANT(b, w->prev)->next : &q->head) = i;
	q->tail = i;
	b->want_waiting++;
}

static void queue_unlink(struct xy_babel *b, uint32_t i)
{
	struct want *w = WANT(b, i);
	struct list *q = &b->want_queue[w->share];
	if (w->state != QUEUED)
		return;
	*(w->prev ? &WANT(b, w->prev)->next : &q->head) = w->next;
	*(w->next ? &WANT(b, w->next)->prev : &q->tail) = w->prev;
	b->want_waiting--;
}

static void become(struct xy_babel *b, uint32_t i, uint8_t state, xy_nsec until)
{
	struct want *w = WANT(b, i);
	int more = (state != ACTIVE) - (w->state != ACTIVE);
	queue_unlink(b, i);
	b->asking += (unsigned)more;
	b->asking_of[w->share] += (uint16_t)more;
	w->state = state;
	if (state == QUEUED)
		queue_put(b, i);
	babel_timer_set(b, T_WANT, i, until);
}

static void want_free(struct xy_babel *b, uint32_t i)
{
	struct want *w = WANT(b, i);
	queue_unlink(b, i);
	b->asking -= w->state != ACTIVE;
	b->asking_of[w->share] -= w->state != ACTIVE;
	babel_timer_stop(b, T_WANT, i);
	babel_map_remove(&b->want_map, i);
	babel_pool_give(&b->wants, i);
}

// The next in turn, of another source than the last when one waits.
static uint32_t next_waiting(struct xy_babel *b)
{
	do
		b->want_turn = (b->want_turn + 1) % WANT_SHARES;
	while (!b->want_queue[b->want_turn].head);
	return b->want_queue[b->want_turn].head;
}

void babel_want_pump(struct xy_babel *b)
{
	while (b->want_waiting && may_ask(b)) {
		uint32_t i = next_waiting(b);
		struct want *w = WANT(b, i);
		b->stats.steps++;
		become(b, i, ASKED, b->now + ASK_AGAIN);
		w->tries++;
		w->no_count = 0;
		ask(b, w);
	}
	if (b->want_waiting)
		babel_global_at(b, b->ask_at - BURST * PACE);
}

static int want_new(struct xy_babel *b, const struct xy_prefix *p, uint32_t source)
{
	uint8_t share = (uint8_t)(babel_hash_bytes(b, &source, sizeof(source)) % WANT_SHARES);
	// Each source may fill half of what is left: there is always room for another one.
	bool room = b->asking < WANTS && b->asking_of[share] < WANTS - b->asking;
	uint32_t i = room ? babel_pool_take(&b->wants) : 0;
	if (!i)
		return -ENOBUFS;
	struct want *w = WANT(b, i);
	w->prefix = *p;
	if (!babel_map_insert(&b->want_map, i)) {
		babel_pool_give(&b->wants, i);
		return -ENOBUFS;
	}
	w->share = share;
	w->used = b->now;
	w->state = ACTIVE; // counted as it leaves that
	become(b, i, QUEUED, b->now + QUEUE_LIFE);
	babel_want_pump(b);
	return have(b, p) ? 0 : -EAGAIN;
}

int xy_babel_want(struct xy_babel *b, const struct xy_addr *a, uint32_t source, xy_nsec now)
{
	struct xy_prefix p = {.addr = *a, .len = 64};
	xy_babel_enter(b, now);
	xy_prefix_mask(&p);
	uint32_t i = want_find(b, &p);
	if (!b->c.stub || !xy_addr_is_mesh(a))
		return have(b, &p) ? 0 : -ENETUNREACH;
	if (!i)
		return want_new(b, &p, source);
	struct want *w = WANT(b, i);
	w->used = b->now;
	if (w->state == ACTIVE && b->now - w->asked > RENEW && may_ask(b))
		ask(b, w); // the relay remembers us for ten minutes
	if (w->state == REFUSED)
		return -ENETUNREACH;
	return have(b, &p) ? 0 : -EAGAIN;
}

static void refused(struct xy_babel *b, uint32_t i)
{
	become(b, i, REFUSED, b->now + NO_LIFE);
	babel_notice(b, XY_BABEL_NOTICE_NO_ANSWER, NULL, &WANT(b, i)->prefix, NULL);
}

void babel_want_found(struct xy_babel *b, const struct xy_prefix *p)
{
	uint32_t i = b->c.stub ? want_find(b, p) : 0;
	if (i && WANT(b, i)->state != ACTIVE)
		become(b, i, ACTIVE, WANT(b, i)->used + IDLE);
}

static bool said_no(const struct want *w, const struct neigh *n)
{
	unsigned k = 0;
	while (k < w->no_count && w->no[k] != n->id)
		k++;
	return k < w->no_count;
}

// A relay says no. The other ones may know better: it is "no" when all have said so, or as many as
// are remembered.
void babel_want_refuse(struct xy_babel *b, const struct xy_prefix *p, const struct neigh *from)
{
	uint32_t i = b->c.stub && from->c.relay ? want_find(b, p) : 0;
	struct want *w = i ? WANT(b, i) : NULL;
	bool all = true;
	if (!w || w->state != ASKED)
		return;
	if (!said_no(w, from))
		w->no[w->no_count++] = from->id;
	FOR_UP(b, n)
	if (n->c.relay && n->usable)
		all = all && said_no(w, n);
	if (all || w->no_count == XY_ARRAY_SIZE(w->no))
		refused(b, i);
}

// Nobody sends there any more: the table of a stub holds what it uses.
static void let_go(struct xy_babel *b, uint32_t i)
{
	uint32_t dest = babel_dest_find(b, &WANT(b, i)->prefix, 0);
	want_free(b, i);
	if (!dest || DEST(b, dest)->own)
		return;
	DEST(b, dest)->users++;
	while (DEST(b, dest)->routes)
		babel_route_drop(b, DEST(b, dest)->routes);
	babel_dest_select(b, dest);
	DEST(b, dest)->users--;
	babel_dest_release(b, dest);
}

static bool any_relay(const struct xy_babel *b)
{
	bool any = false;
	FOR_UP(b, n)
	any |= n->c.relay && n->usable;
	return any;
}

// It was asked, and there is neither a yes nor a no of all.
static void unanswered(struct xy_babel *b, uint32_t i)
{
	struct want *w = WANT(b, i);
	if (have(b, &w->prefix)) // it came while it could not be used yet
		become(b, i, ACTIVE, w->used + IDLE);
	else if (w->tries < ASKS)
		become(b, i, QUEUED, b->now + QUEUE_LIFE);
	else if (w->no_count || !any_relay(b))
		refused(b, i);
	else
		want_free(b, i);
	babel_want_pump(b);
}

void babel_want_timer(struct xy_babel *b, uint32_t i)
{
	struct want *w = WANT(b, i);
	switch (w->state) {
	case ASKED:
		unanswered(b, i);
		return;
	case QUEUED:
	case REFUSED:
		want_free(b, i);
		return;
	default:
		if (b->now - w->used < IDLE)
			babel_timer_set(b, T_WANT, i, w->used + IDLE);
		else
			let_go(b, i);
	}
}
