// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_ROUTING

#include "routing/routing.h"

#include "base/bytes.h"
#include "log.h"
#include "routing/announced.h"
#include "routing/probing.h"
#include "wire/udp6.h"

#include <assert.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>

#define NEGATIVES     1024	    // of unanswered destinations; a stub asks for 1,000 at a time
#define NEGATIVE_LIFE (10 * XY_SEC) // as lib/babel keeps them
#define CHECKS	      512	    // links looked at in a second
#define TROUBLE_STAYS (30 * XY_SEC) // before it is said: a first exchange is over by then
#define CS6	      0xc0	    // traffic class of routing protocols (RFC 4594)
#define SPARE	      1024	    // prefixes, where the table is small
#define NEIGHBOURS    16	    // that may each bring all of a full table
#define ROUTES_MOST   (1 << 24)
#define LOOK_EVERY    (150 * XY_MSEC) // at what the links carry
#define LOOK_IDLE     (2 * XY_SEC)    // where none carried anything for a while
#define CARRIED_LATE  (2 * XY_SEC)    // such a while
#define UNANSWERED    (10 * XY_SEC)   // or where nothing came back since
#define LOOK_BUDGET   4096	      // slots in a turn, where nothing is to be looked at
#define LOOK_COST     32	      // of a link: a cache line of each session and worker
#define APPLY_ACTIONS 4		      // a step of a plan takes so many times as long as an action

static_assert((int)XY_BABEL_HOPS == (int)XY_DP_HOPS, "next hops are passed on as they are");

static const struct xy_prefix mesh = XY_MESH_PREFIX;

enum { LOSSES = 8 }; // of a link: so many times are kept

struct link {
	bool there;  // in Babel
	bool up;     // a session is there
	bool open;   // of an open peer: nobody configured it
	bool plain;  // a leaf; also while routes of what was here go
	bool spoken; // Babel was, since the number is this peer's
	bool going;  // removed, and its number held until no route names it
	bool no_way; // this host knows none to it
	uint16_t cost;
	uint32_t max_origins;
	bool stub, relay;
	bool shut; // traffic = false
	bool trouble_told;
	const char *trouble; // both ends differ in who is a stub, or it acknowledges nothing
	xy_nsec trouble_since;
	uint64_t losses; // how often it was lost, and when it was lately
	xy_nsec lost_at[LOSSES];
	uint8_t print[16]; // of its other settings
	struct xy_key key;
};

struct going { // of a link: until all that was to be done when it was removed is done
	uint32_t slot;
	struct xy_babel_fence until;
};

enum phase { // of a plan that comes into force
	APPLY_NONE,
	APPLY_ANNOUNCE,
	APPLY_PREFER, // keys that the plan accepts, before those that the last one did are let go
	APPLY_ACCEPT,
};

struct apply {
	enum phase phase;
	const struct xy_config *config;
	unsigned at;		// where the phase is
	struct preferred *list; // PREFER on
};

struct preferred { // keys that were preferred by a plan before
	struct preferred *next;
	unsigned count;
	struct xy_babel_accept list[];
};

struct queue { // of claims, first in, first out
	struct xy_routing_task *v;
	unsigned at, count, room;
};

struct negative {
	struct xy_prefix prefix;
	xy_nsec until;
};

struct xy_routing {
	struct xy_routing_config cfg;
	struct xy_babel *babel;
	struct xy_probing *probing;
	struct xy_rib *rib;
	struct xy_addr local; // our link-local address, the same on each link
	struct link *link;    // [max_peers], by slot
	struct going *going;  // [max_peers], a ring, in order
	uint32_t going_at, going_count;
	struct apply apply;
	int failed; // of the first that did, and was not told yet
	struct xy_err why;
	bool pending;	    // actions are left
	uint32_t look_next; // slot
	xy_nsec look_at, look_began;
	bool look_busy; // traffic was seen in this round: the next follows soon
	struct queue sign, verify;
	struct xy_routing_job job[XY_ROUTING_JOBS];
	unsigned jobs;
	struct xy_announced announced;
	struct preferred *accepted;	     // whose origins are admitted first
	struct preferred *let_go;	     // no more, a list
	struct negative negative[NEGATIVES]; // a ring, oldest first
	unsigned negative_at, negative_count;
	uint32_t slots; // below this are all that were ever there: the lowest are given out first
	unsigned troubles; // that were told and last
	uint32_t checked;  // where xy_routing_check goes on
	uint64_t notice[XY_ROUTING_NOTICES], malformed, refused;
	struct xy_log_limit log[XY_ROUTING_NOTICES], log_refused;
};

// --- claims, on helpers

static void queue_put(struct queue *q, uint64_t id, const struct xy_babel_claim *claim)
{
	// Half of it free at least: else each claim behind a full queue would move all of them.
	bool full = q->at + q->count == q->room;
	if (full && q->at && q->at >= q->count) {
		memmove(q->v, q->v + q->at, q->count * sizeof(*q->v));
		q->at = 0;
	} else if (full) {
		unsigned room = q->room ? 2 * q->room : 64;
		void *v = reallocarray(q->v, room, sizeof(*q->v));
		if (!v)
			return; // like a packet that was lost
		q->v = v;
		q->room = room;
	}
	q->v[q->at + q->count++] = (struct xy_routing_task){.id = id, .claim = *claim};
}

static unsigned queue_take(struct queue *q, struct xy_routing_task *out, unsigned max)
{
	unsigned n = q->count < max ? q->count : max;
	if (n)
		memcpy(out, q->v + q->at, n * sizeof(*out));
	q->at += n;
	q->count -= n;
	if (!q->count && q->room) { // after a full table it is megabytes
		free(q->v);
		*q = (struct queue){0};
	}
	return n;
}

// On a helper, which touches nothing else.
static void job_work(void *what)
{
	struct xy_routing_job *job = what;
	for (unsigned i = 0; i < job->count; i++) {
		struct xy_routing_task *t = &job->task[i];
		if (job->sign)
			xy_babel_claim_sign(&t->claim, job->ed25519_sk);
		else
			t->result = xy_babel_claim_verify(&t->claim, &t->x25519);
	}
}

static void job_done(void *what);

// Signatures of our own first: there are few, and all others wait for them.
static void jobs_start(struct xy_routing *r)
{
	for (unsigned i = 0; i < XY_ROUTING_JOBS; i++) {
		struct xy_routing_job *job = &r->job[i];
		if (job->busy || (!r->sign.count && !r->verify.count))
			continue;
		job->sign = r->sign.count > 0;
		job->count =
			queue_take(job->sign ? &r->sign : &r->verify, job->task, XY_ROUTING_BATCH);
		job->ed25519_sk = r->cfg.identity->ed25519_sk;
		job->routing = r;
		job->busy = true;
		r->jobs++;
		xy_env_run(r->cfg.env, job_work, job_done, job);
	}
}

static void job_done(void *what)
{
	struct xy_routing_job *job = what;
	struct xy_routing *r = job->routing;
	xy_nsec now = xy_env_now(r->cfg.env);
	for (unsigned i = 0; i < job->count; i++) {
		struct xy_routing_task *t = &job->task[i];
		if (job->sign)
			xy_babel_signed(r->babel, t->id, t->claim.origin.signature, now);
		else
			xy_babel_verified(r->babel, t->id, t->result, &t->x25519, now);
	}
	job->busy = false;
	r->jobs--;
	r->pending = true;
	jobs_start(r);
}

void xy_routing_epoch_saved(struct xy_routing *r, uint32_t epoch, xy_nsec now)
{
	xy_babel_epoch_saved(r->babel, epoch, now);
	r->pending = true;
}

// --- routes

static void rib_put(struct xy_routing *r, const struct xy_rib_route *route, xy_nsec now)
{
	unsigned long missed;
	char text[XY_PREFIX_STRLEN];
	int e = xy_rib_set(r->rib, route);
	if (!e)
		return;
	r->refused++;
	if (xy_log_limit_pass(&r->log_refused, now, &missed))
		xy_log_warn("route %s: learned, and not used: %s%s (%lu more like this)",
			    xy_prefix_str(&route->prefix, text), strerror(-e),
			    e == -ENOSPC   ? "; it waits for another to go. Raise max_routes and "
					     "restart"
			    : e == -ENOMEM ? "; it waits for some"
					   : "",
			    missed);
}

// What has no place in the table of routes is not announced as a way.
static void room_tell(struct xy_routing *r, xy_nsec now)
{
	struct xy_prefix p;
	bool room;
	while (xy_rib_room_news(r->rib, &p, &room)) {
		xy_babel_route_room(r->babel, &p, room, now);
		r->pending = true;
	}
}

// A stub has the aggregate of its relay: what goes there first asks for the way.
static void via(struct xy_routing *r, const struct xy_babel_route *b, struct xy_dp_route *out)
{
	*out = (struct xy_dp_route){
		.kind = XY_DP_ROUTE_PEER, .peer = b->hops[0], .hop_count = b->hop_count};
	for (unsigned i = 0; i < b->hop_count; i++)
		out->hops[i] = b->hops[i];
	if (r->cfg.stub && xy_prefix_eq(&b->prefix, &mesh))
		*out = (struct xy_dp_route){.kind = XY_DP_ROUTE_ASK};
}

static uint32_t leaf_of(const struct xy_routing *r, const struct xy_rib_route *route)
{
	bool leaf =
		route && route->route.kind == XY_DP_ROUTE_PEER && r->link[route->route.peer].plain;
	return leaf ? route->route.peer : XY_DP_NO_PEER;
}

// What is routed to a leaf it may send from, unless the config gives that to one by `allowed`.
static void source_follow(struct xy_routing *r, const struct xy_prefix *p, uint32_t was)
{
	uint32_t is = leaf_of(r, xy_rib_get(r->rib, p, XY_ROUTE_LEARNED));
	if (is == was || xy_rib_get(r->rib, p, XY_ROUTE_LEAF))
		return;
	if (is == XY_DP_NO_PEER)
		xy_dp_source_del(r->cfg.dp, p);
	else
		xy_dp_source_set(r->cfg.dp, p, is);
}

static void take_route(struct xy_routing *r, const struct xy_babel_route *b, xy_nsec now)
{
	struct xy_rib_route route = {
		.prefix = b->prefix, .source = XY_ROUTE_LEARNED, .yields = !b->preferred};
	const struct xy_rib_origin origin = {
		.has_key = b->has_key, .key = b->key, .epoch = b->epoch, .metric = b->metric};
	uint32_t leaf = leaf_of(r, xy_rib_get(r->rib, &b->prefix, route.source));
	if (b->kind == XY_BABEL_VIA && b->used) {
		via(r, b, &route.route);
		route.origin = &origin;
	} else if (b->kind == XY_BABEL_UNREACHABLE &&
		   xy_rib_get(r->rib, &b->prefix, route.source)) {
		// Only what we followed must not fall back to a shorter prefix; what is passed on
		// for others is nothing to our own packets.
		route.route = (struct xy_dp_route){.kind = XY_DP_ROUTE_REJECT};
	}
	if (route.route.kind)
		rib_put(r, &route, now);
	else
		xy_rib_del(r->rib, &b->prefix, route.source);
	source_follow(r, &b->prefix, leaf);
}

// Nobody knows the way: for ten seconds packets get that as an answer, and do not ask. Marked by
// `peer`, which REJECT has no use for, so that a later word of Babel is not taken back with it.
static void negative_put(struct xy_routing *r, const struct xy_prefix *p, xy_nsec now)
{
	struct xy_rib_route route = {
		.prefix = *p,
		.source = XY_ROUTE_LEARNED,
		.yields = true,
		.route = {.kind = XY_DP_ROUTE_REJECT, .peer = XY_DP_NO_PEER},
	};
	if (r->negative_count == NEGATIVES || xy_rib_get(r->rib, p, XY_ROUTE_LEARNED))
		return;
	r->negative[(r->negative_at + r->negative_count++) % NEGATIVES] =
		(struct negative){.prefix = *p, .until = now + NEGATIVE_LIFE};
	rib_put(r, &route, now);
}

static void negatives_expire(struct xy_routing *r, xy_nsec now)
{
	while (r->negative_count && r->negative[r->negative_at].until <= now) {
		const struct xy_prefix *p = &r->negative[r->negative_at].prefix;
		const struct xy_rib_route *there = xy_rib_get(r->rib, p, XY_ROUTE_LEARNED);
		if (there && there->route.kind == XY_DP_ROUTE_REJECT &&
		    there->route.peer == XY_DP_NO_PEER)
			xy_rib_del(r->rib, p, XY_ROUTE_LEARNED);
		r->negative_at = (r->negative_at + 1) % NEGATIVES;
		r->negative_count--;
	}
}

// --- what Babel has us do

static void send_packet(struct xy_routing *r, const struct xy_babel_action *a)
{
	uint8_t packet[XY_IPV6_MIN_MTU];
	struct xy_udp6 u = {.src = r->local,
			    .dst = a->send.to,
			    .src_port = XY_BABEL_PORT,
			    .dst_port = XY_BABEL_PORT,
			    .traffic_class = CS6,
			    .hop_limit = 1,
			    .data = a->send.data,
			    .len = a->send.len};
	size_t len = xy_udp6_build(&u, packet, sizeof(packet));
	if (len) // a datagram may be lost on any link; Babel sends again what matters
		xy_dp_overlay_send(r->cfg.dp, a->send.link, packet, len);
}

// After the wait at start: who was there to hear?
static void say_started(const struct xy_routing *r)
{
	struct xy_babel_link_info info;
	unsigned up = 0, heard = 0;
	for (uint32_t link = 0; link < r->slots; link++) {
		if (!r->link[link].up || xy_babel_link_info(r->babel, (uint16_t)link, &info) ||
		    !info.up)
			continue;
		up++;
		heard += info.heard;
	}
	if (!up)
		xy_log_info("routing: no peer came up within 10 s (xylem show peers); routes are "
			    "used as soon as one brings them");
	else if (heard < up)
		xy_log_info("routing: of %u peers that are up, %u speak Babel; routes are in use",
			    up, heard);
	else
		xy_log_info("routing: neighbours are heard (%u), routes are in use", heard);
}

#define FOR_NOW "not used until it is heard again"

// What becomes of a neighbour; true: that is what it was. Each is said, with the name.
static bool say_neighbour(const struct xy_routing *r, const struct xy_babel_action *a, xy_nsec now)
{
	static const struct {
		enum xy_log_level level;
		const char *text;
	} becomes[XY_BABEL_NOTICE_COUNT] = {
		[XY_BABEL_NOTICE_SILENT] = {XY_LOG_WARN,
					    " is silent: nothing comes from it, and no probe is "
					    "answered; " FOR_NOW},
		[XY_BABEL_NOTICE_LOSSY] = {XY_LOG_WARN,
					   " is lossy: two of three Hellos of it got lost, and "
					   "other packets come; not used until more do"},
		[XY_BABEL_NOTICE_ONE_WAY] = {XY_LOG_WARN,
					     " is heard, and says that it does not hear us (one "
					     "way); not used until it does"},
		[XY_BABEL_NOTICE_NO_WAY] = {XY_LOG_WARN,
					    ": this host has no way to it (the "
					    "interface is down or without a carrier, or no route "
					    "leads there); not used until there is one"},
		[XY_BABEL_NOTICE_MET] = {XY_LOG_INFO, " is heard, and used"},
		[XY_BABEL_NOTICE_HEARD] = {XY_LOG_INFO, " is heard again, and used"},
		[XY_BABEL_NOTICE_LEFT] = {XY_LOG_INFO, " says goodbye; " FOR_NOW},
	};
	const char *peer = r->cfg.links.name(r->cfg.links.arg, a->notice.link);
	if (!becomes[a->notice.code].text)
		return false;
	peer = peer ? peer : "?";
	bool open = r->cfg.links.is_open(r->cfg.links.arg, a->notice.link);
	xy_log_change(becomes[a->notice.code].level, now, open, peer, "routing: peer %s%s", peer,
		      becomes[a->notice.code].text);
	return true;
}

static void say_notice(const struct xy_routing *r, const struct xy_babel_action *a,
		       unsigned long missed)
{
	char prefix[XY_PREFIX_STRLEN], key[XY_KEY_STRLEN];
	const char *peer = r->cfg.links.name(r->cfg.links.arg, a->notice.link);
	xy_prefix_str(&a->notice.prefix, prefix);
	xy_key_str(&a->notice.key, key);
	peer = peer ? peer : "?";
	switch (a->notice.code) {
	case XY_BABEL_NOTICE_TWO_NODES:
		xy_log_error("routing: another node announces with our key: give each node a key "
			     "of its own (xylem genkey)");
		break;
	case XY_BABEL_NOTICE_EPOCH_LOST:
		xy_log_warn("routing: the network knows a later epoch of ours than the one saved; "
			    "going above it");
		break;
	case XY_BABEL_NOTICE_COLLISION:
		xy_log_warn("routing: key %s announces %s, which another key has; the known one "
			    "is kept (%lu more like this)",
			    key, prefix, missed);
		break;
	case XY_BABEL_NOTICE_LIMIT:
		xy_log_warn("routing: peer %s brings more than it may; its further routes are "
			    "refused (max_origins) (%lu more like this)",
			    peer, missed);
		break;
	case XY_BABEL_NOTICE_NO_ANSWER:
		xy_log_debug("routing: nobody knows a way to %s", prefix);
		break;
	case XY_BABEL_NOTICE_STARTED:
		say_started(r);
		break;
	case XY_BABEL_NOTICE_NO_ACKS: // said as its trouble, if that stays
		xy_log_debug("routing: peer %s left Updates unacknowledged for a minute", peer);
		break;
	default: // what becomes of a neighbour
		break;
	}
}

// The neighbour that is lost by it; NULL: none.
static struct link *lost_by(struct xy_routing *r, const struct xy_babel_action *a)
{
	switch (a->notice.code) {
	case XY_BABEL_NOTICE_SILENT:
	case XY_BABEL_NOTICE_LOSSY:
	case XY_BABEL_NOTICE_ONE_WAY:
	case XY_BABEL_NOTICE_NO_WAY:
	case XY_BABEL_NOTICE_LEFT:
		return a->notice.link < r->cfg.max_peers ? &r->link[a->notice.link] : NULL;
	default:
		return NULL;
	}
}

unsigned xy_routing_losses(const struct xy_routing *r, uint32_t slot, xy_nsec now, uint64_t *all)
{
	const struct link *k = slot < r->cfg.max_peers ? &r->link[slot] : NULL;
	unsigned lately = 0;
	*all = k ? k->losses : 0;
	for (unsigned i = 0; k && i < LOSSES; i++)
		lately += k->lost_at[i] && now - k->lost_at[i] < XY_ROUTING_LATELY;
	return lately;
}

// Hellos of the link may wait while all is well with it and no longer: asked wherever that may have
// changed.
static void patience_follow(struct xy_routing *r, uint32_t slot)
{
	const struct link *k = &r->link[slot];
	bool well = k->there && k->up && xy_babel_link_is_well(r->babel, (uint16_t)slot);
	xy_dp_peer_patient(r->cfg.dp, slot, well);
}

static void take_notice(struct xy_routing *r, const struct xy_babel_action *a, xy_nsec now)
{
	unsigned long missed;
	struct link *lost = lost_by(r, a);
	r->notice[a->notice.code]++;
	if (lost) {
		lost->lost_at[lost->losses++ % LOSSES] = now;
		patience_follow(r, a->notice.link);
	}
	if (!say_neighbour(r, a, now) && xy_log_limit_pass(&r->log[a->notice.code], now, &missed))
		say_notice(r, a, missed);
	if (a->notice.code == XY_BABEL_NOTICE_NO_ANSWER)
		negative_put(r, &a->notice.prefix, now);
}

static void act(struct xy_routing *r, const struct xy_babel_action *a, xy_nsec now)
{
	switch (a->kind) {
	case XY_BABEL_SEND:
		xy_babel_send_stamp(r->babel, now);
		send_packet(r, a);
		break;
	case XY_BABEL_ROUTE:
		take_route(r, &a->route, now);
		break;
	case XY_BABEL_VERIFY:
		queue_put(&r->verify, a->verify.id, &a->verify.claim);
		break;
	case XY_BABEL_SIGN:
		queue_put(&r->sign, a->sign.id, &a->sign.claim);
		break;
	case XY_BABEL_SAVE_EPOCH:
		r->cfg.ops.epoch_save(r->cfg.ops.arg, a->epoch);
		break;
	case XY_BABEL_NOTICE:
		take_notice(r, a, now);
		break;
	}
}

static void act_all(struct xy_routing *r, unsigned max, xy_nsec now)
{
	const struct xy_babel_action *a = NULL;
	xy_dp_orders_gather(r->cfg.dp); // Hellos go to all neighbours at once
	while (max-- && (a = xy_babel_action(r->babel)))
		act(r, a, now);
	xy_dp_orders_give(r->cfg.dp);
	r->pending = a != NULL;
	room_tell(r, now);
	xy_rib_commit(r->rib);
	jobs_start(r);
}

// A flood never ends, but what was there before it was does.
static void going_release(struct xy_routing *r)
{
	while (r->going_count && xy_babel_passed(r->babel, &r->going[r->going_at].until)) {
		uint32_t slot = r->going[r->going_at].slot;
		r->link[slot].going = false;
		r->going_at = (r->going_at + 1) % r->cfg.max_peers;
		r->going_count--;
		xy_rib_release(r->rib, slot);
	}
}

static void look(struct xy_routing *r, uint32_t slot, xy_nsec now)
{
	struct xy_dp_peer_stats s;
	if (xy_dp_peer_stats(r->cfg.dp, slot, &s))
		return;
	xy_nsec late = s.tx_carried > s.rx_data ? UNANSWERED : CARRIED_LATE;
	r->look_busy |= s.tx_carried && now < s.tx_carried + late;
	xy_babel_link_traffic(r->babel, (uint16_t)slot, s.rx_data, s.tx_carried, now);
	patience_follow(r, slot);
	r->look_busy |= xy_probing_look(r->probing, r->babel, slot, &s, now);
}

// What workers saw go and come on each link: a round over all of them, in slices.
static void links_look(struct xy_routing *r, xy_nsec now)
{
	if (r->look_at > now)
		return;
	if (!r->look_next) {
		r->look_began = now;
		r->look_busy = false;
	}
	for (int left = LOOK_BUDGET; r->look_next < r->slots && left > 0; r->look_next++) {
		const struct link *k = &r->link[r->look_next];
		left -= k->there && k->up ? LOOK_COST : 1;
		if (k->there && k->up)
			look(r, r->look_next, now);
	}
	if (r->look_next < r->slots)
		return;
	r->look_next = 0;
	if (r->look_busy)
		r->look_at = r->look_began + LOOK_EVERY;
	else // with what else is done by the second, in place of a wake-up of its own
		r->look_at = r->look_began - r->look_began % LOOK_IDLE + LOOK_IDLE;
}

// A link is in doubt, and what the workers know decides. Also in the middle of a round.
static void look_soon(struct xy_routing *r, xy_nsec now)
{
	if (!xy_babel_look_soon(r->babel))
		return;
	r->look_busy = true;
	if (r->look_at > now + LOOK_EVERY)
		r->look_at = now + LOOK_EVERY;
}

static void apply_run(struct xy_routing *r, unsigned max, xy_nsec now);

void xy_routing_run(struct xy_routing *r, unsigned max, xy_nsec now)
{
	negatives_expire(r, now);
	links_look(r, now);
	// Also while actions are left: it keeps them within a bound, and Hellos overtake them.
	if (xy_babel_deadline(r->babel) <= now)
		xy_babel_poll(r->babel, now);
	look_soon(r, now);
	act_all(r, max, now);
	going_release(r);
	apply_run(r, max / APPLY_ACTIONS + 1, now);
}

xy_nsec xy_routing_deadline(const struct xy_routing *r)
{
	bool now = r->pending || r->rib->news.head || r->apply.phase != APPLY_NONE || r->let_go;
	xy_nsec at = now ? 0 : xy_babel_deadline(r->babel);
	if (r->negative_count && r->negative[r->negative_at].until < at)
		at = r->negative[r->negative_at].until;
	return r->look_at < at ? r->look_at : at;
}

unsigned xy_routing_goodbye(struct xy_routing *r, xy_nsec now)
{
	r->pending = true;
	return xy_babel_goodbye(r->babel, now);
}

void xy_routing_stay(struct xy_routing *r, xy_nsec now)
{
	xy_babel_stay(r->babel, now);
	for (uint32_t slot = 0; slot < r->slots; slot++)
		patience_follow(r, slot);
	r->pending = true;
}

bool xy_routing_goodbye_due(const struct xy_routing *r)
{
	return r->pending || xy_babel_goodbye_due(r->babel);
}

// --- what the dataplane tells

static void take_packet(struct xy_routing *r, const struct xy_dp_event *ev, xy_nsec now)
{
	struct xy_udp6 u;
	if (ev->peer >= r->cfg.max_peers || !r->link[ev->peer].there)
		return;
	if (xy_udp6_parse(ev->data, ev->len, &u) || u.src_port != XY_BABEL_PORT ||
	    u.dst_port != XY_BABEL_PORT || !xy_addr_is_link_local(&u.src) ||
	    !(xy_addr_eq(&u.dst, &xy_babel_group) || xy_addr_eq(&u.dst, &r->local))) {
		r->malformed++;
		return;
	}
	xy_babel_receive(r->babel, (uint16_t)ev->peer, &u.src, u.data, u.len, ev->at, now);
	patience_follow(r, ev->peer);
}

static void want(struct xy_routing *r, const struct xy_addr *a, uint32_t source, xy_nsec now)
{
	struct xy_prefix p = {.addr = *a, .len = 64};
	xy_prefix_mask(&p);
	if (xy_babel_want(r->babel, a, source, now) == -ENETUNREACH && r->cfg.stub)
		negative_put(r, &p, now);
}

void xy_routing_event(struct xy_routing *r, const struct xy_dp_event *ev, xy_nsec now)
{
	if (ev->type == XY_DP_OVERLAY)
		take_packet(r, ev, now);
	else if (ev->type == XY_DP_ASK || ev->type == XY_DP_USED)
		want(r, &ev->addr, ev->source, now);
	r->pending = true;
}

// --- links

static void link_end(struct xy_routing *r, uint32_t slot, xy_nsec now)
{
	struct link *k = &r->link[slot];
	if (!k->there)
		return;
	xy_babel_origin_prefer(r->babel, &k->key, false);
	xy_probing_gone(r->probing, slot);
	xy_babel_link_remove(r->babel, (uint16_t)slot, now); // what it brought goes in slices
	k->there = false;
	patience_follow(r, slot);
	r->pending = true;
}

static void trouble_over(struct xy_routing *r, struct link *k)
{
	r->troubles -= k->trouble_told;
	k->trouble_told = false;
}

// Until Babel is through with it, an action may still name the link.
static void link_gone(struct xy_routing *r, uint32_t slot)
{
	struct link *k = &r->link[slot];
	if (k->spoken && !k->going) {
		uint32_t last = (r->going_at + r->going_count++) % r->cfg.max_peers;
		r->going[last] = (struct going){slot, xy_babel_fence(r->babel)};
		xy_rib_hold(r->rib, slot);
	}
	trouble_over(r, k);
	*k = (struct link){.plain = k->plain, .going = k->going || k->spoken};
}

static int link_begin(struct xy_routing *r, uint32_t slot, const struct xy_key *key,
		      const struct xy_babel_link *c, xy_nsec now)
{
	struct link *k = &r->link[slot];
	int e = slot < XY_BABEL_LINKS ? xy_babel_link_add(r->babel, (uint16_t)slot, c, now)
				      : -ERANGE;
	if (e)
		return e;
	k->there = k->spoken = true;
	r->slots = slot < r->slots ? r->slots : slot + 1;
	k->key = *key;
	k->plain = c->plain;
	k->cost = c->cost;
	k->max_origins = c->max_origins;
	k->stub = c->stub;
	k->relay = c->relay;
	xy_babel_origin_prefer(r->babel, key, true);
	xy_babel_link_way(r->babel, (uint16_t)slot, !k->no_way, now);
	if (k->up)
		xy_babel_link_up(r->babel, (uint16_t)slot, now);
	r->pending = true;
	return 0;
}

static void open_begin(struct xy_routing *r, uint32_t slot, xy_nsec now)
{
	const struct xy_key *key = r->cfg.links.key(r->cfg.links.arg, slot);
	struct xy_babel_link c = {
		.trust = XY_BABEL_OPEN, .local = r->local, .no_rtt = r->cfg.no_rtt};
	if (!key)
		return;
	c.remote = xy_key_link_local(key);
	r->link[slot].open = link_begin(r, slot, key, &c, now) == 0;
}

static void way_changed(struct xy_routing *r, uint32_t slot, enum xy_link_change what, xy_nsec now)
{
	struct link *k = &r->link[slot];
	if (what != XY_LINK_DOUBT)
		k->no_way = what == XY_LINK_NO_WAY;
	if (!k->there)
		return;
	xy_babel_link_way(r->babel, (uint16_t)slot, !k->no_way, now);
	if (what != XY_LINK_NO_WAY)
		xy_babel_link_doubt(r->babel, (uint16_t)slot, now);
	r->pending = true;
}

// Where the config says none, the network behind each gateway and neighbour is a domain of its own:
// with one tag for all, two sites would never hear of each other.
static uint32_t tag_of(const struct xy_routing *r, const struct xy_key *key,
		       const struct xy_config_peer *p)
{
	static const char domain[] = "xylem-tag-v1";
	crypto_generichash_state s;
	uint8_t out[16];
	if (p->tag)
		return p->tag;
	crypto_generichash_init(&s, NULL, 0, sizeof(out));
	crypto_generichash_update(&s, (const uint8_t *)domain, sizeof(domain) - 1);
	crypto_generichash_update(&s, r->cfg.identity->x25519.b, XY_KEY_LEN);
	crypto_generichash_update(&s, key->b, XY_KEY_LEN);
	crypto_generichash_final(&s, out, sizeof(out));
	return xy_be32_load(out) | 1; // never 0
}

static void describe(const struct xy_routing *r, const struct xy_key *key,
		     const struct xy_config_peer *p, struct xy_babel_link *out)
{
	*out = (struct xy_babel_link){.plain = p->leaf,
				      .stub = p->stub,
				      .relay = p->relay,
				      .no_rtt = r->cfg.no_rtt,
				      .cost = p->cost ? p->cost : XY_BABEL_COST,
				      .max_origins = p->max_origins,
				      .tag = p->leaf ? tag_of(r, key, p) : 0,
				      .local = r->local,
				      .accept = p->accept.v,
				      .accept_count = p->accept.count,
				      .announce = p->announce.v,
				      .announce_count = p->announce.count};
	if (p->leaf)
		out->local_v4 = r->cfg.node_v4;
	else
		out->remote = xy_key_link_local(key);
}

static void list_print(crypto_generichash_state *s, const struct xy_prefix *v, unsigned n)
{
	uint32_t count = v ? n + 1 : 0; // not set is not empty
	crypto_generichash_update(s, (const uint8_t *)&count, sizeof(count));
	for (unsigned i = 0; i < n; i++) {
		crypto_generichash_update(s, v[i].addr.b, sizeof(v[i].addr.b));
		crypto_generichash_update(s, &v[i].len, 1);
	}
}

// Two links with the same print differ in cost and limits at most.
static void settings_print(const struct xy_babel_link *c, uint8_t out[static 16])
{
	crypto_generichash_state s;
	uint32_t head[4] = {c->plain, c->stub, c->relay, c->tag};
	crypto_generichash_init(&s, NULL, 0, 16);
	crypto_generichash_update(&s, (const uint8_t *)head, sizeof(head));
	list_print(&s, c->accept, c->accept_count);
	list_print(&s, c->announce, c->announce_count);
	crypto_generichash_final(&s, out, 16);
}

static int link_apply(struct xy_routing *r, uint32_t slot, const struct xy_key *key,
		      const struct xy_config_peer *p, xy_nsec now)
{
	struct link *k = &r->link[slot];
	struct xy_babel_link c;
	uint8_t print[16];
	describe(r, key, p, &c);
	settings_print(&c, print);
	k->open = false;
	if (k->there && memcmp(print, k->print, sizeof(print)) != 0)
		link_end(r, slot, now);
	if (!k->there) {
		memcpy(k->print, print, sizeof(print));
		int e = link_begin(r, slot, key, &c, now);
		if (e)
			return e;
		k->shut = false; // so is a neighbour that is new
	}
	if (k->cost != c.cost)
		xy_babel_link_cost(r->babel, (uint16_t)slot, c.cost, now);
	if (k->shut != p->no_traffic)
		xy_babel_link_shut(r->babel, (uint16_t)slot, p->no_traffic, now);
	if (k->max_origins != c.max_origins)
		xy_babel_link_limit(r->babel, (uint16_t)slot, c.max_origins, now);
	k->cost = c.cost;
	k->shut = p->no_traffic;
	k->max_origins = c.max_origins;
	r->pending = true;
	return 0;
}

static void failed(struct xy_routing *r, int result, const struct xy_err *err)
{
	if (!r->failed)
		r->why = *err;
	r->failed = r->failed ? r->failed : result;
}

// It is new, or to be treated otherwise.
static void link_set(struct xy_routing *r, uint32_t slot, xy_nsec now)
{
	const struct xy_linkview *v = &r->cfg.links;
	const struct xy_config_peer *p = v->says(v->arg, slot);
	const struct xy_key *key = v->key(v->arg, slot);
	struct xy_err err;
	if (!p || !key)
		return;
	int e = link_apply(r, slot, key, p, now);
	if (e)
		failed(r,
		       xy_err_set(&err, -e, "peer %s: no routing with it: %s%s", p->name,
				  strerror(-e), e == -ERANGE ? "; lower max_peers to 65535" : ""),
		       &err);
}

static void link_changed(struct xy_routing *r, uint32_t slot, enum xy_link_change what, xy_nsec now)
{
	struct link *k = &r->link[slot];
	if (what == XY_LINK_NO_WAY || what == XY_LINK_WAY || what == XY_LINK_DOUBT) {
		way_changed(r, slot, what, now);
		return;
	}
	if (what == XY_LINK_SET) {
		link_set(r, slot, now);
		return;
	}
	k->up = what == XY_LINK_CAME_UP;
	if (what == XY_LINK_REMOVED) {
		link_end(r, slot, now);
		link_gone(r, slot);
	} else if (k->up && !k->there) {
		if (r->cfg.links.is_open(r->cfg.links.arg, slot)) // else SET is on the way
			open_begin(r, slot, now);
	} else if (k->up) {
		xy_babel_link_up(r->babel, (uint16_t)slot, now);
	} else if (k->there) {
		xy_probing_down(r->probing, slot);
		xy_babel_link_down(r->babel, (uint16_t)slot, now);
	}
	r->pending = true;
}

void xy_routing_link(struct xy_routing *r, uint32_t slot, enum xy_link_change what, xy_nsec now)
{
	link_changed(r, slot, what, now);
	patience_follow(r, slot);
}

// --- the config

static void no_memory(struct xy_routing *r)
{
	struct xy_err err;
	failed(r, xy_err_set(&err, ENOMEM, "routing: %s", strerror(ENOMEM)), &err);
}

// Each phase does at most *max steps; true: there is more.

static bool announce_run(struct xy_routing *r, unsigned *max, xy_nsec now)
{
	struct apply *a = &r->apply;
	struct xy_err err;
	bool told = false;
	if (!a->at) {
		if (*max < XY_CONFIG_PREFIXES) // the list as a whole, in a turn of its own
			*max = 1;
		if (xy_announced_set(&r->announced, &a->config->routing.announce, now))
			no_memory(r);
		a->at++;
		--*max;
	}
	for (; a->at <= r->announced.count && *max; --*max) {
		int e = xy_announced_look(&r->announced, a->at++ - 1, 1, now, &told);
		if (e)
			failed(r, xy_err_set(&err, -e, "routing: %s", strerror(-e)), &err);
	}
	return a->at <= r->announced.count;
}

// A key that the user named is admitted before others where an origin limit is reached.
static bool prefer_run(struct xy_routing *r, unsigned *max)
{
	struct apply *a = &r->apply;
	const struct xy_config *c = a->config;
	unsigned n = c->routing.accept_count;
	if (!a->list)
		a->list = calloc(1, sizeof(*a->list) + n * sizeof(a->list->list[0]));
	if (!a->list) {
		no_memory(r);
		return false;
	}
	for (; a->list->count < n && *max; --*max) {
		const struct xy_config_accept *from = &c->routing.accept[a->list->count];
		struct xy_babel_accept *to = &a->list->list[a->list->count++];
		*to = (struct xy_babel_accept){.key = from->key, .prefix = from->prefix};
		xy_babel_origin_prefer(r->babel, &to->key, true);
	}
	return a->list->count < n;
}

static void let_go(struct xy_routing *r, struct preferred *p)
{
	if (!p)
		return;
	p->next = r->let_go;
	r->let_go = p;
}

static void let_go_run(struct xy_routing *r, unsigned *max)
{
	struct preferred *p;
	for (; *max && (p = r->let_go); --*max) {
		if (p->count) {
			xy_babel_origin_prefer(r->babel, &p->list[--p->count].key, false);
			continue;
		}
		r->let_go = p->next;
		free(p);
	}
}

static void accept(struct xy_routing *r, xy_nsec now)
{
	struct apply *a = &r->apply;
	if (!a->list) // no memory, which was said
		return;
	if (xy_babel_accept(r->babel, a->list->list, a->list->count, now)) {
		no_memory(r);
		return;
	}
	let_go(r, r->accepted);
	r->accepted = a->list;
	a->list = NULL;
}

static bool phase_run(struct xy_routing *r, unsigned *max, xy_nsec now)
{
	switch (r->apply.phase) {
	case APPLY_ANNOUNCE:
		return announce_run(r, max, now);
	case APPLY_PREFER:
		return prefer_run(r, max);
	case APPLY_ACCEPT:
		accept(r, now);
		break;
	case APPLY_NONE:
		break;
	}
	return false;
}

static void apply_run(struct xy_routing *r, unsigned max, xy_nsec now)
{
	struct apply *a = &r->apply;
	let_go_run(r, &max);
	while (a->phase != APPLY_NONE) {
		if (phase_run(r, &max, now))
			break; // max is used up
		a->phase = a->phase == APPLY_ACCEPT ? APPLY_NONE : a->phase + 1;
		a->at = 0;
		r->pending = true;
	}
	if (a->phase == APPLY_NONE)
		xy_routing_apply_stop(r);
}

void xy_routing_apply_begin(struct xy_routing *r, const struct xy_config *config)
{
	if (config->routing.stub != r->cfg.stub)
		xy_log_warn("reload: routing.stub has changed; it takes effect at a restart");
	xy_routing_apply_stop(r);
	r->apply = (struct apply){.phase = APPLY_ANNOUNCE, .config = config};
}

// What was brought so far stays: the next plan begins with that.
void xy_routing_apply_stop(struct xy_routing *r)
{
	let_go(r, r->apply.list);
	r->apply.list = NULL;
	r->apply.config = NULL;
	r->apply.phase = APPLY_NONE;
}

bool xy_routing_applying(const struct xy_routing *r)
{
	return r->apply.phase != APPLY_NONE;
}

int xy_routing_apply_result(struct xy_routing *r, struct xy_err *err)
{
	int result = r->failed;
	if (result && err)
		*err = r->why;
	r->failed = 0;
	return result;
}

int xy_routing_apply(struct xy_routing *r, const struct xy_config *config, xy_nsec now,
		     struct xy_err *err)
{
	xy_routing_apply_begin(r, config);
	while (xy_routing_applying(r))
		apply_run(r, UINT_MAX, now);
	return xy_routing_apply_result(r, err);
}

// --- life

// As many prefixes as the table of routes has room for, and as many again that are on their way out
// or in; each known by several neighbours, and for as many keys.
static void limit(struct xy_babel_config *b, const struct xy_routing_config *cfg)
{
	uint64_t dests = 2 * (uint64_t)cfg->max_routes + SPARE;
	uint64_t routes = dests * (cfg->max_peers < NEIGHBOURS ? cfg->max_peers : NEIGHBOURS);
	b->max_dests = (uint32_t)(dests < ROUTES_MOST ? dests : ROUTES_MOST);
	b->max_routes = (uint32_t)(routes < ROUTES_MOST ? routes : ROUTES_MOST);
	b->max_origins = b->max_dests;
}

int xy_routing_create(const struct xy_routing_config *cfg, xy_nsec now, struct xy_routing **out,
		      struct xy_err *err)
{
	struct xy_babel_config b = {.key = cfg->identity->x25519,
				    .ed25519 = cfg->identity->ed25519,
				    .epoch = cfg->epoch,
				    .hello_grid = 4 * XY_SEC, // to all neighbours at once
				    .stub = cfg->stub};
	struct xy_prefix own = xy_key_prefix(&cfg->identity->x25519);
	struct xy_routing *r = calloc(1, sizeof(*r));
	if (!r)
		return xy_err_set(err, ENOMEM, "no memory for routing");
	memcpy(b.secret, cfg->secret, sizeof(b.secret));
	limit(&b, cfg);
	r->cfg = *cfg;
	r->rib = cfg->rib;
	r->local = xy_key_link_local(&cfg->identity->x25519);
	r->link = calloc(cfg->max_peers, sizeof(*r->link));
	r->going = calloc(cfg->max_peers, sizeof(*r->going));
	r->babel = xy_babel_new(&b, now);
	r->announced =
		(struct xy_announced){.babel = r->babel, .links = &r->cfg.links, .rib = r->rib};
	r->probing = xy_probing_create(cfg->dp, &r->cfg.links, &r->local, cfg->max_peers);
	if (!r->link || !r->going || !r->babel || !r->probing ||
	    xy_babel_announce(r->babel, &own, now)) {
		xy_routing_destroy(r);
		return xy_err_set(err, ENOMEM, "no memory for routing");
	}
	r->pending = true;
	*out = r;
	return 0;
}

void xy_routing_quit(struct xy_routing *r)
{
	r->sign.count = r->verify.count = 0;
}

void xy_routing_destroy(struct xy_routing *r)
{
	if (!r)
		return;
	xy_routing_apply_stop(r);
	let_go(r, r->accepted);
	for (struct preferred *p = r->let_go, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	xy_babel_free(r->babel);
	xy_probing_destroy(r->probing);
	free(r->sign.v);
	free(r->verify.v);
	xy_announced_fini(&r->announced);
	free(r->going);
	free(r->link);
	sodium_memzero(r, sizeof(*r));
	free(r);
}

// --- what is wrong with a neighbour

static const char *trouble_of(const struct xy_routing *r, uint32_t slot)
{
	const struct link *k = &r->link[slot];
	struct xy_babel_link_info i;
	if (!k->there || xy_babel_link_info(r->babel, (uint16_t)slot, &i) || !i.up || !i.heard)
		return NULL;
	if (i.no_acks)
		return "acknowledges nothing of what routing tells it: see its own log. Nothing "
		       "waits for that any more";
	if (k->plain)
		return NULL;
	if (k->stub && i.origins > 1) // a stub tells of itself alone
		return "has a table of its own, but stub = true stands for it here, so it is told "
		       "no routes; remove that, or set routing.stub there";
	if (!r->cfg.stub && i.aggregate)
		return "takes this node for a stub and tells it no routes; remove stub = true for "
		       "this node there, or set routing.stub here";
	if (k->relay && !i.aggregate)
		return "does not know that this node is a stub, and tells it a whole table; set "
		       "stub = true for this node there";
	return NULL;
}

static void check_link(struct xy_routing *r, uint32_t slot, xy_nsec now)
{
	struct link *k = &r->link[slot];
	const char *trouble = trouble_of(r, slot),
		   *name = r->cfg.links.name(r->cfg.links.arg, slot);
	if (trouble != k->trouble) {
		k->trouble = trouble;
		k->trouble_since = now;
		trouble_over(r, k);
	}
	if (!trouble || k->trouble_told || now - k->trouble_since < TROUBLE_STAYS)
		return;
	k->trouble_told = true;
	r->troubles++;
	xy_log_warn("routing: peer %s %s", name ? name : "?", trouble);
}

int xy_routing_claim(struct xy_routing *r, const struct xy_prefix *p, xy_nsec now)
{
	bool told = false;
	int e = xy_announced_claim(&r->announced, p, now);
	if (!e)
		xy_announced_look(&r->announced, 0, UINT_MAX, now, &told); // each second anyway
	r->pending = true;
	return e;
}

void xy_routing_check(struct xy_routing *r, const struct xy_tick *tick, xy_nsec now)
{
	bool told = false;
	if (xy_announced_look(&r->announced, 0, UINT_MAX, now, &told))
		xy_log_debug("routing: what the config announces could not be, and is tried again");
	r->pending |= told;
	uint32_t most = xy_tick_share(tick, CHECKS), n = r->slots < most ? r->slots : most;
	while (n--) {
		check_link(r, r->checked, now);
		r->checked = (r->checked + 1) % r->slots;
	}
}

unsigned xy_routing_troubles(const struct xy_routing *r)
{
	return r->troubles;
}

const char *xy_routing_trouble(const struct xy_routing *r, uint32_t slot)
{
	const struct link *k = slot < r->cfg.max_peers ? &r->link[slot] : NULL;
	return k && k->trouble_told ? k->trouble : NULL;
}

// --- what is going on

unsigned xy_routing_jobs(const struct xy_routing *r)
{
	return r->jobs;
}

void xy_routing_info(const struct xy_routing *r, struct xy_routing_info *out)
{
	*out = (struct xy_routing_info){.malformed = r->malformed,
					.refused = r->refused,
					.waiting = r->sign.count + r->verify.count};
	memcpy(out->notice, r->notice, sizeof(out->notice));
	xy_babel_stats(r->babel, &out->babel);
}

int xy_routing_link_info(const struct xy_routing *r, uint32_t slot, struct xy_babel_link_info *out)
{
	if (slot >= r->cfg.max_peers || !r->link[slot].there)
		return -ENOENT;
	return xy_babel_link_info(r->babel, (uint16_t)slot, out);
}

const char *xy_routing_withheld(const struct xy_routing *r, unsigned nth, struct xy_prefix *p)
{
	return xy_announced_withheld(&r->announced, nth, p);
}

bool xy_routing_tag_stops(const struct xy_routing *r, uint32_t slot, const struct xy_prefix *p)
{
	return slot < r->cfg.max_peers && r->link[slot].there && r->link[slot].plain &&
	       xy_babel_tag_stops(r->babel, (uint16_t)slot, p);
}

unsigned xy_routing_lookup(const struct xy_routing *r, const struct xy_prefix *p,
			   struct xy_babel_entry *out, unsigned max, xy_nsec now)
{
	return xy_babel_lookup(r->babel, p, out, max, now);
}

bool xy_routing_mapping_next(const struct xy_routing *r, uint32_t *at, unsigned *left,
			     const struct xy_prefix *in, xy_nsec now, struct xy_babel_mapping *out)
{
	return xy_babel_mapping_next(r->babel, at, left, in, now, out);
}
