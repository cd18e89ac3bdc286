// SPDX-License-Identifier: BSD-3-Clause
// Answering, and asking: one question is one place in a table, sent up to three times.
#include "informing/nodeinfo_state.h"

#include "base/list.h"
#include "wire/inet.h"

#include <errno.h>
#include <stdlib.h>

enum { HOP_LIMIT = 64 };
#define NEAR_AGE   (1 * XY_SEC)	   // so that looking at all links costs the same however many ask
#define PAGE_PAUSE (100 * XY_MSEC) // between pages of one node: below the rate that it answers at

const char *const xy_nodeinfo_drop_name[XY_NODEINFO_DROP_COUNT] = {XY_NODEINFO_DROPS(XY_LIST_NAME)};
const char *const xy_nodeinfo_drop_text[XY_NODEINFO_DROP_COUNT] = {XY_NODEINFO_DROPS(XY_LIST_TEXT)};

_Static_assert((int)XY_NODEINFO_DROP_COUNT <= (int)XY_OFFENDERS_REASONS, "a place for each");

// at: the node's whose it was, or (UNSENT) that it was for; by its address alone, which who is in
// the mesh may lie about.
static void drop(struct xy_nodeinfo *n, enum xy_nodeinfo_drop why, const struct xy_addr *at)
{
	const struct xy_endpoint node = {.addr = *at};
	bool unsent = why == XY_NODEINFO_DROP_UNSENT;
	const struct xy_offence offence = {.of = unsent ? XY_DP_OF_NODE : XY_DP_OF_STRANGER,
					   .at = &node,
					   .inside = true,
					   .unsent = unsent,
					   .when = xy_env_now(n->env)};
	xy_offenders_add(&n->drops, why, &offence);
}

static void send_to(struct xy_nodeinfo *n, const struct xy_addr *to, const void *data, size_t len)
{
	uint8_t packet[XY_IPV6_MIN_MTU];
	struct xy_udp6 u = {.src = n->addr,
			    .dst = *to,
			    .src_port = XY_NODEINFO_PORT,
			    .dst_port = XY_NODEINFO_PORT,
			    .hop_limit = HOP_LIMIT,
			    .data = data,
			    .len = len};
	size_t size = xy_udp6_build(&u, packet, sizeof(packet));
	if (!size || n->ops.send(n->ops.arg, packet, size))
		drop(n, XY_NODEINFO_DROP_UNSENT, to);
}

// --- answering

static int compare(const void *a, const void *b)
{
	const struct xy_nodeinfo_near *x = a, *y = b;
	return memcmp(x->told.addr.b, y->told.addr.b, sizeof(x->told.addr.b));
}

static void near_add(void *to, const struct xy_nodeinfo_near *near)
{
	struct xy_nodeinfo *n = to;
	if (n->near_count < XY_NODEINFO_NEAR)
		n->near[n->near_count++] = *near;
}

void xy_near_refresh(struct xy_nodeinfo *n, xy_nsec now)
{
	if (n->near_at && now < n->near_at + NEAR_AGE)
		return;
	n->near_at = now;
	n->near_count = 0;
	n->ops.neighbours(n->ops.arg, near_add, n);
	qsort(n->near, n->near_count, sizeof(n->near[0]), compare);
}

// Number of the first neighbour above the address.
static unsigned near_above(const struct xy_nodeinfo *n, const struct xy_addr *addr)
{
	struct xy_nodeinfo_near key = {.told.addr = *addr};
	unsigned from = 0, to = n->near_count;
	while (from < to) {
		unsigned mid = from + (to - from) / 2;
		if (compare(&n->near[mid], &key) <= 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static void page_fill(const struct xy_nodeinfo *n, const struct xy_addr *after,
		      struct xy_nodeinfo_info *out)
{
	unsigned from = near_above(n, after), left = n->near_count - from;
	out->total = (uint16_t)n->near_count;
	out->count = left < XY_NODEINFO_PAGE ? left : XY_NODEINFO_PAGE;
	out->more = left > out->count;
	for (unsigned i = 0; i < out->count; i++)
		out->neighbour[i] = n->near[from + i].told;
}

static void answer_info(struct xy_nodeinfo *n, const struct xy_nodeinfo_request *q, xy_nsec now,
			struct xy_nodeinfo_info *out)
{
	memcpy(out->name, n->fields.name, sizeof(out->name));
	if (n->fields.version)
		strncpy(out->version, n->version, sizeof(out->version) - 1);
	out->tells_neighbours = n->fields.neighbours;
	if (!n->fields.neighbours)
		return;
	xy_near_refresh(n, now);
	page_fill(n, &q->addr, out);
}

static void answer_next(struct xy_nodeinfo *n, const struct xy_nodeinfo_request *q,
			struct xy_nodeinfo_next *out)
{
	struct xy_nodeinfo_route route = {0};
	n->ops.route(n->ops.arg, &q->addr, &route);
	memcpy(out->name, n->fields.name, sizeof(out->name));
	out->result = route.result;
	out->metric = route.metric;
	out->hop = route.hop;
}

// Why a request is not answered; COUNT: it is.
static enum xy_nodeinfo_drop judge(struct xy_nodeinfo *n, uint8_t kind, const struct xy_udp6 *u,
				   xy_nsec now)
{
	// these tell nobody anything of others
	if (!n->fields.enabled && kind != XY_NODEINFO_SUITES && kind != XY_NODEINFO_SEEN &&
	    kind != XY_NODEINFO_LANES)
		return XY_NODEINFO_DROP_DISABLED;
	if (!xy_limiter_take(&n->per_source, &u->src, now))
		return XY_NODEINFO_DROP_LIMITED;
	if (!xy_bucket_take(&n->all, now))
		return XY_NODEINFO_DROP_BUSY;
	return XY_NODEINFO_DROP_COUNT;
}

static void serve(struct xy_nodeinfo *n, const struct xy_udp6 *u, xy_nsec now)
{
	struct xy_nodeinfo_request q;
	struct xy_nodeinfo_reply r = {0};
	uint8_t data[XY_NODEINFO_REPLY_MAX];
	int bad = xy_nodeinfo_request_read(u->data, u->len, &q);
	enum xy_nodeinfo_drop why = bad ? XY_NODEINFO_DROP_MALFORMED : judge(n, q.kind, u, now);
	if (why != XY_NODEINFO_DROP_COUNT) {
		drop(n, why, &u->src);
		return;
	}
	r.kind = q.kind;
	if (q.kind == XY_NODEINFO_INFO)
		answer_info(n, &q, now, &r.info);
	else if (q.kind == XY_NODEINFO_NEXT)
		answer_next(n, &q, &r.next);
	else if (q.kind == XY_NODEINFO_SEEN)
		n->ops.seen(n->ops.arg, &u->src, &r.seen);
	else if (q.kind == XY_NODEINFO_LANES) {
		if (!n->ops.lanes(n->ops.arg, &u->src, &q.lanes, &r.lanes))
			return; // of a session that has ended
	} else
		n->ops.suites(n->ops.arg, &r.suites);
	size_t len = xy_nodeinfo_reply_write(&q, &r, data);
	if (!len) {
		drop(n, XY_NODEINFO_DROP_MALFORMED, &u->src); // it leaves no room for an answer
		return;
	}
	n->answered++;
	send_to(n, &u->src, data, len);
	if (q.kind == XY_NODEINFO_SUITES)
		n->ops.suites_told(n->ops.arg, &u->src, &q.suites, false, now);
}

// --- asking

bool xy_ask_begin(struct xy_nodeinfo *n, const struct ask *what, xy_nsec due)
{
	for (unsigned i = 0; i < ASKS; i++) {
		struct ask *a = &n->ask[i];
		if (a->taken)
			continue;
		*a = *what;
		a->taken = true;
		a->due = due;
		n->asking++;
		return true;
	}
	return false;
}

static void ask_end(struct xy_nodeinfo *n, struct ask *a)
{
	a->taken = false;
	n->asking--;
	if (a->owner == OWNER_CRAWL)
		n->crawl.asking--;
	if (a->owner == OWNER_SUITES)
		n->asking_suites--;
}

void xy_ask_end_all(struct xy_nodeinfo *n, uint8_t owner)
{
	for (unsigned i = 0; i < ASKS; i++)
		if (n->ask[i].taken && n->ask[i].owner == owner)
			ask_end(n, &n->ask[i]);
}

static void ask_send(struct xy_nodeinfo *n, struct ask *a, xy_nsec now)
{
	uint8_t data[XY_NODEINFO_REQUEST_MAX];
	struct xy_nodeinfo_request q = {.kind = a->kind, .addr = a->about};
	q.len = a->kind == XY_NODEINFO_INFO ? XY_NODEINFO_REQUEST_MAX : XY_NODEINFO_NEXT_LEN;
	if (a->kind == XY_NODEINFO_SUITES) {
		q.len = XY_NODEINFO_REQUEST_MIN;
		n->ops.suites(n->ops.arg, &q.suites);
	}
	if (a->kind == XY_NODEINFO_LANES) {
		q.len = XY_NODEINFO_REQUEST_MIN;
		q.lanes = a->lanes;
	}
	if (!a->tries)
		xy_env_random(n->env, a->nonce, sizeof(a->nonce));
	a->nonce[XY_NODEINFO_NONCE_LEN - 1] = (uint8_t)a->tries;
	memcpy(q.nonce, a->nonce, sizeof(q.nonce));
	a->sent[a->tries++] = now;
	a->due = now + TRY_TIME;
	xy_nodeinfo_request_write(&q, data);
	send_to(n, &a->to, data, q.len);
}

// The owner may begin another question from within.
static void ask_done(struct xy_nodeinfo *n, struct ask *a, const struct xy_nodeinfo_reply *reply,
		     xy_nsec rtt, xy_nsec now)
{
	if (a->owner == OWNER_SUITES) {
		const struct xy_addr from = a->to;
		uint8_t kind = a->kind;
		ask_end(n, a);
		if (reply && kind == XY_NODEINFO_SEEN)
			n->ops.seen_told(n->ops.arg, &from, &reply->seen, now);
		else if (reply && kind == XY_NODEINFO_LANES)
			n->ops.lanes_told(n->ops.arg, &from, &reply->lanes, now);
		else if (reply)
			n->ops.suites_told(n->ops.arg, &from, &reply->suites, true, now);
		return;
	}
	if (a->owner != OWNER_CRAWL) {
		uint8_t walk = a->owner;
		uint32_t hop = a->node;
		ask_end(n, a);
		xy_walk_answer(n, walk, hop, reply, rtt, now);
		return;
	}
	if (!xy_crawl_answer(n, a->node, reply, rtt, now, &a->about)) {
		ask_end(n, a);
		return;
	}
	a->tries = 0; // the next page, in the same place
	a->due = now + PAGE_PAUSE;
}

static bool ask_one(struct xy_nodeinfo *n, uint8_t kind, const struct xy_addr *to,
		    const struct xy_nodeinfo_lanes *lanes, xy_nsec now)
{
	struct ask a = {.owner = OWNER_SUITES, .kind = kind, .to = *to};
	if (lanes)
		a.lanes = *lanes;
	if (n->asking_suites == SUITES_ASKS || !xy_ask_begin(n, &a, now))
		return false;
	n->asking_suites++;
	return true;
}

bool xy_nodeinfo_suites_ask(struct xy_nodeinfo *n, const struct xy_addr *to, xy_nsec now)
{
	return ask_one(n, XY_NODEINFO_SUITES, to, NULL, now);
}

bool xy_nodeinfo_seen_ask(struct xy_nodeinfo *n, const struct xy_addr *to, xy_nsec now)
{
	return ask_one(n, XY_NODEINFO_SEEN, to, NULL, now);
}

bool xy_nodeinfo_lanes_ask(struct xy_nodeinfo *n, const struct xy_addr *to,
			   const struct xy_nodeinfo_lanes *q, xy_nsec now)
{
	return ask_one(n, XY_NODEINFO_LANES, to, q, now);
}

static void ask_run(struct xy_nodeinfo *n, struct ask *a, xy_nsec now)
{
	if (a->tries < XY_NODEINFO_TRIES)
		ask_send(n, a, now);
	else
		ask_done(n, a, NULL, 0, now);
}

// By nonce, whichever of its tries it answers, and by who was asked.
static struct ask *ask_find(struct xy_nodeinfo *n, const struct xy_addr *from,
			    const struct xy_nodeinfo_reply *r)
{
	for (unsigned i = 0; i < ASKS; i++) {
		struct ask *a = &n->ask[i];
		if (a->taken && a->kind == r->kind && xy_addr_eq(&a->to, from) &&
		    memcmp(a->nonce, r->nonce, XY_NODEINFO_NONCE_LEN - 1) == 0 &&
		    r->nonce[XY_NODEINFO_NONCE_LEN - 1] < a->tries)
			return a;
	}
	return NULL;
}

static void take_reply(struct xy_nodeinfo *n, const struct xy_udp6 *u, xy_nsec now)
{
	struct xy_nodeinfo_reply r;
	if (xy_nodeinfo_reply_read(u->data, u->len, &r)) {
		drop(n, XY_NODEINFO_DROP_MALFORMED, &u->src);
		return;
	}
	struct ask *a = ask_find(n, &u->src, &r);
	if (!a) {
		drop(n, XY_NODEINFO_DROP_UNASKED, &u->src);
		return;
	}
	ask_done(n, a, &r, now - a->sent[r.nonce[XY_NODEINFO_NONCE_LEN - 1]], now);
}

// --- from outside

static void malformed(struct xy_nodeinfo *n, const uint8_t *packet, size_t len)
{
	struct xy_addr from = {{0}};
	if (len >= XY_IPV6_LEN)
		from = xy_inner_src(packet, 6);
	drop(n, XY_NODEINFO_DROP_MALFORMED, &from);
}

void xy_nodeinfo_event(struct xy_nodeinfo *n, const void *packet, size_t len, xy_nsec now)
{
	struct xy_udp6 u;
	if (xy_udp6_parse(packet, len, &u) || !xy_addr_eq(&u.dst, &n->addr) ||
	    u.dst_port != XY_NODEINFO_PORT)
		malformed(n, packet, len);
	else if (!xy_addr_is_mesh(&u.src) || u.src_port != XY_NODEINFO_PORT ||
		 xy_addr_eq(&u.src, &n->addr))
		drop(n, XY_NODEINFO_DROP_SOURCE, &u.src);
	else if (xy_nodeinfo_is_reply(u.data, u.len))
		take_reply(n, &u, now);
	else
		serve(n, &u, now);
	xy_nodeinfo_run(n, now);
}

void xy_nodeinfo_run(struct xy_nodeinfo *n, xy_nsec now)
{
	xy_walks_run(n, now);
	for (unsigned i = 0; n->asking && i < ASKS; i++)
		while (n->ask[i].taken && n->ask[i].due <= now)
			ask_run(n, &n->ask[i], now);
	xy_crawl_run(n, now); // last: a question that ended may have been its last
}

xy_nsec xy_nodeinfo_deadline(const struct xy_nodeinfo *n)
{
	xy_nsec at = xy_crawl_deadline(n);
	for (unsigned i = 0; n->asking && i < ASKS; i++)
		if (n->ask[i].taken && n->ask[i].due < at)
			at = n->ask[i].due;
	return at;
}

int xy_nodeinfo_create(const struct xy_nodeinfo_config *cfg, struct xy_nodeinfo **out)
{
	uint8_t key[16];
	struct xy_nodeinfo *n = calloc(1, sizeof(*n));
	if (!n || xy_offenders_init(&n->drops)) {
		free(n);
		return -ENOMEM;
	}
	n->addr = cfg->addr;
	n->version = cfg->version;
	n->fields = cfg->fields;
	n->env = cfg->env;
	n->ops = cfg->ops;
	xy_env_random(n->env, key, sizeof(key));
	xy_env_random(n->env, n->hash_key, sizeof(n->hash_key));
	xy_limiter_init(&n->per_source, key);
	xy_bucket_init(&n->all, XY_SEC / XY_NODEINFO_RATE, XY_NODEINFO_BURST);
	*out = n;
	return 0;
}

void xy_nodeinfo_destroy(struct xy_nodeinfo *n)
{
	if (n) {
		xy_crawl_free(n);
		xy_names_free(n);
		xy_offenders_fini(&n->drops);
	}
	free(n);
}

void xy_nodeinfo_fields_set(struct xy_nodeinfo *n, const struct xy_nodeinfo_fields *fields)
{
	n->fields = *fields;
}

uint64_t xy_nodeinfo_drops(const struct xy_nodeinfo *n, enum xy_nodeinfo_drop which)
{
	return xy_offenders_packets(&n->drops, which);
}

const struct xy_offenders *xy_nodeinfo_offenders(const struct xy_nodeinfo *n)
{
	return &n->drops;
}

uint64_t xy_nodeinfo_answered(const struct xy_nodeinfo *n)
{
	return n->answered;
}
