// SPDX-License-Identifier: BSD-3-Clause
// The exchange by itself, on virtual time: two ends, back to back, whose owner is made up here. It
// knows no endpoints: a message goes to the other end, and comes from its address, as between far
// nodes. Sessions are a fake dataplane's. Every message may be lost or kept.
#include "unit.h"

#include "base/bytes.h"
#include "exchange/exchanges.h"
#include "fake_dataplane.h"
#include "fake_net.h"

#include <sodium.h>

enum { ENDS = 2, FIRST = 5, COUNT = 3, QUEUE = 256, NUMBER = 6 };
enum { LINK = 2 }; // that brings all messages

struct end {
	struct xy_dp dp;
	struct xy_identity id;
	struct xy_exchanges *exchanges;
	struct xy_exchange_owner owner;
	struct xy_exchange x;
	struct xy_hs_remote theirs;
	bool there; // x is known
	xy_nsec due;

	// what the owner says
	bool knows, crowded, refuses, meets, nowhere, send_fails;
	bool tells_nothing; // of its suites
	// what it was told
	unsigned changed[XY_EXCHANGE_GIVEN_UP + 1], noted[XY_NOTE_OTHER_KEY + 1];
	unsigned came, released, renewed, places, again, cookies, suites_asked;
	unsigned lanes_asked;
	bool no_place;	     // for one more question
	bool lanes_answered; // and told in the next turn
	struct xy_nodeinfo_lanes lanes_answer;

	struct xy_job *job[XY_JOBS];
	unsigned jobs;
	bool jobs_wait;
};

struct message {
	xy_nsec at;
	unsigned to;
	uint8_t data[256];
	size_t len;
};

static struct {
	xy_nsec now;
	uint64_t random;
	struct end end[ENDS];
	struct message queue[QUEUE];
	unsigned queued;
	bool (*lose)(const struct message *m);
	struct message kept; // of what was lost, the last
	unsigned sent[5];    // by type
} w;

static struct end *const A = &w.end[0], *const B = &w.end[1];

static unsigned other(const struct end *n)
{
	return n == A;
}

// --- what the exchange asks of the outside

static void random_bytes(void *arg, void *buf, size_t len)
{
	fake_random(&w.random, buf, len);
}

static void wall(void *arg, uint64_t *unix_sec, uint32_t *nsec)
{
	*unix_sec = 1700000000 + w.now / XY_SEC;
	*nsec = (uint32_t)(w.now % XY_SEC);
}

static xy_nsec the_time(void *arg)
{
	return w.now;
}

static const struct xy_env env = {.now = the_time, .random = random_bytes, .wall = wall};

static void run(void *arg, struct xy_job *job)
{
	struct end *n = arg;
	n->job[n->jobs++] = job;
}

// As node info does it, inside a session: both learn what the other has.
// As xy_suites_ours tells: what is refused is as if it were not there.
static uint8_t can_of(const struct xy_suites *s)
{
	unsigned cipher = xy_wg_cipher_of(s->best);
	unsigned mask = 1U << cipher | 1U << xy_wg_light_of((uint8_t)cipher);
	return (uint8_t)(s->only ? s->can & mask : s->can);
}

static void suites_ask(void *arg, const struct xy_exchange *x)
{
	struct end *n = arg, *o = &w.end[other(n)];
	const struct xy_suites *ours = xy_exchanges_suites(n->exchanges);
	const struct xy_suites *its = xy_exchanges_suites(o->exchanges);
	n->suites_asked++;
	if (o->tells_nothing)
		return;
	xy_exchange_suites(n->exchanges, &n->x, can_of(its), its->best, true, w.now);
	xy_exchange_suites(o->exchanges, &o->x, can_of(ours), ours->best, false, w.now);
}

// As node info does it: the answer comes at once, or none does.
static bool lanes_ask(void *arg, const struct xy_exchange *x, const struct xy_nodeinfo_lanes *q)
{
	struct end *n = arg, *o = &w.end[other(n)];
	struct xy_nodeinfo_lanes r = {0};
	n->lanes_asked++;
	if (n->no_place)
		return false;
	if (o->tells_nothing || !xy_exchange_lanes_asked(o->exchanges, &o->x, q, &r))
		return true;
	n->lanes_answer = r;
	n->lanes_answered = true;
	return true;
}

// --- the owner

static const char *name(const struct xy_exchange *x)
{
	return "other";
}

static struct xy_exchange *find(void *arg, uint32_t number)
{
	struct end *n = arg;
	return n->there && number == NUMBER ? &n->x : NULL;
}

static bool knows(void *arg, const struct xy_exchange *x, const struct xy_exchange_place *at)
{
	return ((struct end *)arg)->knows;
}

static bool crowded(void *arg)
{
	return ((struct end *)arg)->crowded;
}

static struct xy_exchange *opened(void *arg, const struct xy_job *job, xy_nsec now)
{
	struct end *n = arg;
	static const uint8_t psk[XY_WG_KEY_LEN];
	CU_ASSERT(memcmp(job->pk, w.end[other(n)].id.x25519.b, sizeof(job->pk)) == 0);
	if (n->there && !n->refuses)
		return &n->x;
	if (!n->meets)
		xy_exchanges_drop(n->exchanges, XY_HS_DROP_UNKNOWN_KEY, NULL, &job->at);
	else if (!xy_exchanges_meet(n->exchanges, &n->owner, job->pk, psk, &job->at.remote, job))
		CU_FAIL("there is room for a job");
	return NULL;
}

static void enter(struct end *n)
{
	n->x = (struct xy_exchange){0};
	xy_exchange_init(n->exchanges, &n->x, NUMBER, &n->theirs, 0);
	n->there = true;
	n->due = XY_NEVER;
}

static void met(void *arg, const struct xy_job *job, xy_nsec now)
{
	struct end *n = arg;
	if (job->result)
		return;
	n->theirs = job->theirs;
	enter(n);
	xy_exchange_answer(n->exchanges, &n->x, job, now);
}

static struct xy_endpoint address(const struct end *n)
{
	return (struct xy_endpoint){.addr = n->id.addr};
}

static bool place(void *arg, struct xy_exchange *x, bool again, struct xy_exchange_place *to,
		  xy_nsec now)
{
	struct end *n = arg;
	n->places++;
	n->again += again;
	to->remote = address(&w.end[other(n)]);
	return !n->nowhere;
}

static void put(const struct end *from, const void *data, size_t len)
{
	struct message m = {.at = w.now + 10 * XY_MSEC, .to = other(from), .len = len};
	CU_ASSERT_FATAL(len <= sizeof(m.data) && w.queued < QUEUE);
	memcpy(m.data, data, len);
	w.sent[m.data[0]]++;
	if (w.lose && w.lose(&m))
		w.kept = m;
	else
		w.queue[w.queued++] = m;
}

static int send_message(void *arg, struct xy_exchange *x, const struct xy_exchange_place *to,
			const void *msg, size_t len)
{
	struct end *n = arg;
	const struct xy_endpoint where = address(&w.end[other(n)]);
	CU_ASSERT(xy_endpoint_eq(&to->remote, &where));
	n->cookies += !x;
	if (n->send_fails)
		return -ENOBUFS;
	put(n, msg, len);
	return 0;
}

static void came_from(void *arg, struct xy_exchange *x, const struct xy_exchange_place *at,
		      xy_nsec now)
{
	((struct end *)arg)->came++;
}

static void changed(void *arg, struct xy_exchange *x, enum xy_exchange_change what, xy_nsec now)
{
	((struct end *)arg)->changed[what]++;
}

static void held_release(void *arg, struct xy_exchange *x)
{
	struct end *n = arg;
	n->released++;
	xy_dp_peer_release_held(&n->dp, x->number);
}

static void noted(void *arg, struct xy_exchange *x, const struct xy_exchange_noted *note,
		  xy_nsec now)
{
	CU_ASSERT_EQUAL(!x, note->what == XY_NOTE_OTHER_KEY);
	((struct end *)arg)->noted[note->what]++;
}

static void schedule(void *arg, struct xy_exchange *x, xy_nsec now)
{
	struct end *n = arg;
	n->due = xy_exchange_deadline(n->exchanges, x, now);
}

static void renew(void *arg)
{
	struct end *n = arg;
	n->renewed++;
	xy_exchange_restart(n->exchanges, &n->x);
	schedule(n, &n->x, w.now);
}

static const struct xy_exchange_ops ops = {.kind = "node",
					   .name = name,
					   .find = find,
					   .knows = knows,
					   .crowded = crowded,
					   .opened = opened,
					   .met = met,
					   .place = place,
					   .send = send_message,
					   .came_from = came_from,
					   .changed = changed,
					   .held_release = held_release,
					   .noted = noted,
					   .schedule = schedule,
					   .renew = renew};

// --- the world

static void on_event(void *arg, const struct xy_dp_event *ev)
{
	struct end *n = arg;
	const struct xy_exchange_message m = {
		.data = ev->data,
		.len = ev->len,
		.at = {.remote = address(&w.end[other(n)]), .heard.port = LINK, .inside = true},
		.payer = w.end[other(n)].id.addr};
	struct xy_exchange *x = xy_exchanges_by_index(n->exchanges, &n->owner, ev->index);
	if (ev->type == XY_DP_PUNT)
		xy_exchanges_take(n->exchanges, &n->owner, &m, w.now);
	else if (ev->type == XY_DP_WANT)
		xy_exchange_want(n->exchanges, &n->x, w.now);
	else if (ev->type == XY_DP_FIRST && x)
		xy_exchange_first(n->exchanges, x, ev->index, w.now);
	if (n->there)
		schedule(n, &n->x, w.now);
}

static void transmit(void *arg, const struct xy_endpoint *to, const void *data, size_t len)
{
	put(arg, data, len);
}

static void end_start(struct end *n)
{
	const struct xy_endpoint anywhere = {.addr = n->id.addr, .port = 1};
	const struct xy_dp_peer peer = {.remote = anywhere};
	const struct xy_exchanges_config cfg = {.dp = &n->dp,
						.identity = &n->id,
						.limits = xy_wg_limits_default,
						.env = &env,
						.suites_ask = suites_ask,
						.lanes_ask = lanes_ask,
						.run = run,
						.arg = n};
	fake_init(&n->dp, &w.now);
	n->dp.self = anywhere;
	n->dp.arg = n;
	n->dp.event = on_event;
	n->dp.transmit = transmit;
	CU_ASSERT_FATAL(xy_exchanges_create(&cfg, &n->exchanges, NULL) == 0);
	n->owner =
		(struct xy_exchange_owner){.ops = &ops, .arg = n, .first = FIRST, .count = COUNT};
	n->owner.admission.rate = n->owner.admission.burst = 1000;
	xy_exchanges_own(n->exchanges, &n->owner);
	CU_ASSERT(xy_dp_peer_set(&n->dp, NUMBER, &peer) == 0);
	n->knows = true;
	n->due = XY_NEVER;
}

static void world_make(void)
{
	xy_log_init(XY_LOG_ERROR);
	memset(&w, 0, sizeof(w));
	w.now = 1000 * XY_SEC;
	w.random = 88172645463325252;
	for (unsigned i = 0; i < ENDS; i++) {
		uint8_t seed[32];
		random_bytes(NULL, seed, sizeof(seed));
		CU_ASSERT_FATAL(xy_identity_from_seed(seed, &w.end[i].id) == 0);
		end_start(&w.end[i]);
	}
	for (unsigned i = 0; i < ENDS; i++) {
		static const uint8_t psk[XY_WG_KEY_LEN];
		struct end *n = &w.end[i];
		CU_ASSERT_FATAL(xy_hs_remote_init(w.end[!i].id.x25519.b, psk, &n->theirs) == 0);
		enter(n);
	}
}

static void label_set(struct end *n, const char *label)
{
	xy_exchanges_disown(n->exchanges, &n->owner);
	n->owner.label = label;
	xy_exchanges_own(n->exchanges, &n->owner);
}

static void job_finish(struct end *n)
{
	struct xy_job *job = n->job[0];
	memmove(n->job, n->job + 1, --n->jobs * sizeof(n->job[0]));
	xy_job_run(job);
	xy_exchanges_job_done(n->exchanges, job, w.now);
}

static void jobs_finish(struct end *n)
{
	while (n->jobs)
		job_finish(n);
}

static void world_end(void)
{
	for (unsigned i = 0; i < ENDS; i++) {
		struct end *n = &w.end[i];
		jobs_finish(n);
		if (n->there)
			xy_exchange_clear(n->exchanges, &n->x);
		CU_ASSERT_EQUAL(xy_exchanges_jobs(n->exchanges), 0);
		CU_ASSERT_EQUAL(n->exchanges->by_index.count, 0);
		CU_ASSERT_EQUAL(fake_sessions(&n->dp), 0);
		xy_exchanges_disown(n->exchanges, &n->owner);
		xy_exchanges_destroy(n->exchanges);
	}
}

static void step(void)
{
	struct message m;
	while (fake_net_take(w.queue, &w.queued, sizeof(m), w.now, &m)) {
		const struct xy_endpoint from = address(&w.end[!m.to]);
		fake_receive(&w.end[m.to].dp, &from, m.data, m.len);
	}
	for (unsigned i = 0; i < ENDS; i++) {
		struct end *n = &w.end[i];
		if (!n->jobs_wait)
			jobs_finish(n);
		if (n->lanes_answered && n->there) {
			n->lanes_answered = false;
			xy_exchange_lanes_told(n->exchanges, &n->x, &n->lanes_answer, w.now);
			schedule(n, &n->x, w.now);
		}
		if (n->there && n->due <= w.now) {
			xy_exchange_run(n->exchanges, &n->x, w.now);
			schedule(n, &n->x, w.now);
		}
	}
}

static void run_for(xy_nsec time)
{
	xy_nsec end = w.now + time;
	unsigned turns = 0;
	for (;;) {
		xy_nsec next = fake_net_next(w.queue, w.queued, sizeof(w.queue[0]));
		for (unsigned i = 0; i < ENDS; i++) {
			const struct end *n = &w.end[i];
			next = n->there && n->due < next ? n->due : next;
			next = n->jobs && !n->jobs_wait ? w.now : next;
		}
		if (next > end)
			break;
		turns = next > w.now ? 0 : turns + 1;
		CU_ASSERT_FATAL(turns < 100); // nothing spins
		w.now = next > w.now ? next : w.now;
		step();
	}
	w.now = end;
}

static void data(struct end *n)
{
	fake_data(&n->dp, NUMBER);
}

static uint64_t data_rx(const struct end *n)
{
	return n->dp.peer[NUMBER].data_rx;
}

static bool is_up(const struct end *n)
{
	return xy_exchange_is_up(n->exchanges, &n->x, w.now);
}

static uint64_t drops(const struct end *n, enum xy_hs_drop why)
{
	return xy_exchanges_drops(n->exchanges, why);
}

// All of a reason are of this number, and the last came from (or was for) the other end, just now;
// or, without a session, from nowhere: it was ours.
static bool are_of(const struct end *n, enum xy_hs_drop why, uint32_t of)
{
	struct xy_dp_blame *v;
	unsigned count;
	CU_ASSERT_FATAL(xy_offenders_list(xy_exchanges_offenders(n->exchanges), why, &v, &count) ==
			0);
	const struct xy_addr *at = why == XY_HS_DROP_UNSENT ? &v->dst : &v->src, none = {{0}};
	const struct xy_addr *other_end = &w.end[other(n)].id.addr;
	bool right = count == 1 && v->of == of && v->packets == drops(n, why) &&
		     xy_addr_eq(at, why == XY_HS_DROP_NO_INDEX ? &none : other_end) &&
		     v->datagram == (why == XY_HS_DROP_NO_INDEX) && v->at && v->at <= w.now &&
		     w.now - v->at < 10 * XY_SEC;
	free(v);
	return right;
}

static bool lose_all(const struct message *m)
{
	return true;
}

static bool lose_responses(const struct message *m)
{
	return m->data[0] == XY_WG_RESPONSE;
}

static void deliver(const struct message *m)
{
	const struct xy_endpoint from = address(&w.end[!m->to]);
	fake_receive(&w.end[m->to].dp, &from, m->data, m->len);
}

// --- tests

static void test_handshake(void)
{
	world_make();
	CU_ASSERT(!A->x.theirs.has_ss &&
		  !B->x.theirs.has_ss); // who is never spoken with costs no DH
	data(A);
	CU_ASSERT(!is_up(A) && A->places == 1);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	CU_ASSERT(A->x.theirs.has_ss && B->x.theirs.has_ss); // made once, and kept
	CU_ASSERT_EQUAL(data_rx(B), 1);			     // what was held went
	CU_ASSERT(A->changed[XY_EXCHANGE_BEGUN] == 1 && A->changed[XY_EXCHANGE_CURRENT] == 1);
	CU_ASSERT(B->changed[XY_EXCHANGE_BEGUN] == 1 && B->changed[XY_EXCHANGE_CURRENT] == 1);
	CU_ASSERT(A->came == 1 && B->came == 1); // message 2, message 1
	CU_ASSERT(B->noted[XY_NOTE_STAMP] == 1 && B->noted[XY_NOTE_ANSWERED] == 1);
	CU_ASSERT_EQUAL(B->x.answers_unused, 0);
	CU_ASSERT(A->x.sent == 1 && A->x.failed == 0 && A->released == 0);
	CU_ASSERT(xy_exchange_is_well(A->exchanges, &A->x, w.now));
	data(B);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(data_rx(A), 1);
	CU_ASSERT(xy_exchange_is_heard(A->exchanges, &A->x, w.now));
	world_end();
}

// A response that is lost: the timers ask again, and the owner is asked where.
static void test_retry(void)
{
	world_make();
	w.lose = lose_responses;
	data(A);
	run_for(XY_SEC);
	w.lose = NULL;
	run_for(7 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B) && data_rx(B) == 1);
	CU_ASSERT(A->places == 2 && A->again == 1 && A->x.failed == 1);
	CU_ASSERT_EQUAL(fake_sessions(&B->dp), 1); // the first answer's was overtaken
	world_end();
}

static void test_rekey(void)
{
	unsigned n = 0;
	world_make();
	for (; n < 300; n++) {
		data(A);
		data(B);
		run_for(XY_SEC);
	}
	CU_ASSERT(data_rx(A) == n && data_rx(B) == n);
	CU_ASSERT(A->changed[XY_EXCHANGE_CURRENT] >= 3 && B->changed[XY_EXCHANGE_CURRENT] >= 3);
	CU_ASSERT_EQUAL(A->changed[XY_EXCHANGE_AGED], 0);
	CU_ASSERT(xy_exchange_sessions(&A->x) <= 2 && A->released == 0);
	CU_ASSERT_EQUAL(A->exchanges->by_index.count, fake_sessions(&A->dp));
	world_end();
}

static void test_both_at_once(void)
{
	world_make();
	data(A);
	data(B);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B) && data_rx(A) == 1 && data_rx(B) == 1);
	CU_ASSERT(w.sent[XY_WG_INITIATION] == 2 && w.sent[XY_WG_RESPONSE] == 2);
	for (unsigned i = 0; i < 400; i++) {
		data(A);
		data(B);
		run_for(XY_SEC);
	}
	CU_ASSERT(data_rx(A) == 401 && data_rx(B) == 401);
	world_end();
}

// A response that was kept back until its initiation was given up opens nothing.
static void test_too_late(void)
{
	world_make();
	w.lose = lose_responses;
	data(A);
	run_for(100 * XY_SEC);
	CU_ASSERT(A->changed[XY_EXCHANGE_GIVEN_UP] == 1 && A->released == 1 && A->x.unanswered);
	CU_ASSERT_EQUAL(A->dp.peer[NUMBER].held, 0);
	CU_ASSERT_EQUAL(A->x.hs, XY_EXCHANGE_HS_NONE);
	CU_ASSERT_EQUAL(A->exchanges->by_index.count, 0);
	w.lose = NULL;
	deliver(&w.kept);
	run_for(XY_SEC);
	CU_ASSERT(!is_up(A) && drops(A, XY_HS_DROP_UNASKED) == 1 && A->came == 0);
	data(A); // and the next one comes through
	run_for(XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B) && !A->x.unanswered);
	world_end();
}

// A response that a helper still works on when its initiation has ended.
static void test_stale_job(void)
{
	world_make();
	A->jobs_wait = true;
	data(A);
	jobs_finish(A);
	run_for(XY_SEC); // the response waits for a helper
	CU_ASSERT_EQUAL(A->jobs, 1);
	xy_exchange_clear(A->exchanges, &A->x);
	jobs_finish(A);
	CU_ASSERT(!is_up(A) && A->x.consuming == 0 && A->came == 0);
	world_end();
}

static void test_cookie(void)
{
	world_make();
	B->knows = false;
	B->crowded = true;
	data(A);
	run_for(XY_SEC);
	CU_ASSERT(B->cookies == 1 && drops(B, XY_HS_DROP_COOKIE) == 1);
	CU_ASSERT(A->noted[XY_NOTE_BUSY] == 1 && !is_up(A) && !is_up(B));
	run_for(7 * XY_SEC); // the next bears the cookie, and is let in though nobody is known
	CU_ASSERT(is_up(A) && is_up(B) && data_rx(B) == 1);
	CU_ASSERT(B->cookies == 1 && are_of(B, XY_HS_DROP_COOKIE, LINK));
	world_end();
}

static void test_load(void)
{
	world_make();
	B->knows = false;
	B->owner.admission.load.full_at = w.now + 2 * XY_SEC; // dry
	data(A);
	run_for(100 * XY_MSEC);
	CU_ASSERT_EQUAL(drops(B, XY_HS_DROP_COOKIE), 1);
	B->send_fails = true;
	CU_ASSERT_EQUAL(drops(B, XY_HS_DROP_UNSENT), 0);
	B->crowded = true;
	A->x.jar.cookie_birth = 0; // it has lost it
	run_for(6 * XY_SEC);
	CU_ASSERT(drops(B, XY_HS_DROP_UNSENT) == 1 && are_of(B, XY_HS_DROP_UNSENT, LINK));
	world_end();
}

static void test_owner_says_no(void)
{
	world_make();
	B->refuses = true;
	data(A);
	run_for(3 * XY_SEC);
	CU_ASSERT(!is_up(A) && !is_up(B) && drops(B, XY_HS_DROP_UNKNOWN_KEY) == 1);
	CU_ASSERT(are_of(B, XY_HS_DROP_UNKNOWN_KEY, LINK));
	CU_ASSERT(w.sent[XY_WG_RESPONSE] == 0 && B->came == 0 && fake_sessions(&B->dp) == 0);
	B->refuses = false;
	run_for(5 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B) && data_rx(B) == 1);
	world_end();
}

// On demand: the owner knows no exchange for the key, has what it needs made, and then answers.
static void test_met(void)
{
	world_make();
	B->there = false;
	B->meets = true;
	data(A);
	run_for(XY_SEC);
	CU_ASSERT(B->there && is_up(A) && is_up(B) && data_rx(B) == 1);
	CU_ASSERT_EQUAL(w.sent[XY_WG_INITIATION], 1);
	world_end();
}

static void test_nowhere(void)
{
	world_make();
	A->nowhere = true;
	data(A);
	run_for(100 * XY_SEC);
	CU_ASSERT(A->released == 1 && w.sent[XY_WG_INITIATION] == 0);
	CU_ASSERT_EQUAL(A->places, 1); // until somebody wants it again
	A->nowhere = false;
	data(A);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A) && data_rx(B) == 1);
	world_end();
}

// The same initiation again is a replay, whenever it comes: no clock went back.
static void test_same_stamp(void)
{
	struct message only;
	world_make();
	data(A);
	jobs_finish(A);
	only = w.queue[0];
	run_for(8 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B) && w.sent[XY_WG_INITIATION] == 1);
	run_for(100 * XY_SEC); // not heard any more
	deliver(&only);
	run_for(XY_SEC);
	CU_ASSERT(B->noted[XY_NOTE_REFUSED] == 1 && B->noted[XY_NOTE_OLD_STAMP] == 0);
	CU_ASSERT(drops(B, XY_HS_DROP_REPLAY) == 1 && are_of(B, XY_HS_DROP_REPLAY, NUMBER));
	world_end();
}

static void test_old_stamp(void)
{
	struct message first;
	world_make();
	w.lose = lose_all;
	data(A);
	jobs_finish(A);
	first = w.kept;
	w.lose = NULL;
	run_for(8 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	deliver(&first); // while it is heard: a message that went round
	run_for(XY_SEC);
	CU_ASSERT(B->noted[XY_NOTE_REFUSED] == 1 && B->noted[XY_NOTE_OLD_STAMP] == 0);
	run_for(100 * XY_SEC);
	deliver(&first); // not heard: its clock may have gone back
	run_for(XY_SEC);
	CU_ASSERT(B->noted[XY_NOTE_REFUSED] == 1 && B->noted[XY_NOTE_OLD_STAMP] == 1);
	CU_ASSERT(drops(B, XY_HS_DROP_REPLAY) == 2 && are_of(B, XY_HS_DROP_REPLAY, NUMBER));
	CU_ASSERT_EQUAL(B->came, 1);
	world_end();
}

static void test_wrong_secret(void)
{
	world_make();
	B->x.theirs.psk[0] ^= 1;
	data(A);
	run_for(XY_SEC);
	CU_ASSERT(!is_up(A) && !is_up(B) && A->noted[XY_NOTE_SECRET] == 1);
	CU_ASSERT(are_of(A, XY_HS_DROP_BAD, NUMBER));
	CU_ASSERT_EQUAL(A->x.hs, XY_EXCHANGE_HS_SENT); // the right one may still come
	run_for(60 * XY_SEC);
	CU_ASSERT(B->x.answers_unused > 5 && B->noted[XY_NOTE_ANSWERED] == B->x.answers_unused);
	world_end();
}

// Sessions age, and three times that later all is forgotten.
static void test_ends(void)
{
	world_make();
	data(A);
	run_for(XY_SEC);
	w.lose = lose_all;
	run_for(185 * XY_SEC);
	CU_ASSERT(!is_up(A) && A->changed[XY_EXCHANGE_AGED] == 1);
	CU_ASSERT_EQUAL(fake_sessions(&A->dp), 0);
	CU_ASSERT_EQUAL(A->changed[XY_EXCHANGE_ENDED], 0);
	run_for(400 * XY_SEC);
	CU_ASSERT_EQUAL(A->changed[XY_EXCHANGE_ENDED], 1);
	CU_ASSERT_EQUAL(A->due, XY_NEVER);
	world_end();
}

static void test_renew(void)
{
	world_make();
	data(A);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A));
	data(A);
	xy_exchange_act(A->exchanges, &A->x, XY_WG_DO_INITIATE, w.now);
	CU_ASSERT_EQUAL(A->jobs, 1);
	unsigned sent = w.sent[XY_WG_INITIATION];
	xy_exchanges_renew(A->exchanges);
	CU_ASSERT(A->renewed == 1 && !is_up(A) && fake_sessions(&A->dp) == 0);
	jobs_finish(A); // drawn before: not sent
	CU_ASSERT_EQUAL(w.sent[XY_WG_INITIATION], sent);
	B->jobs_wait = true;
	data(A);
	run_for(100 * XY_MSEC);
	job_finish(B);
	unsigned answers = w.sent[XY_WG_RESPONSE];
	xy_exchanges_renew(B->exchanges); // its answer is with a helper
	jobs_finish(B);
	CU_ASSERT_EQUAL(w.sent[XY_WG_RESPONSE], answers);
	B->jobs_wait = false;
	run_for(6 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	world_end();
}

// What helpers work on is of the secret that it had when it was begun.
static void test_restart(void)
{
	world_make();
	B->jobs_wait = true;
	data(A);
	run_for(100 * XY_MSEC);
	job_finish(B); // its answer is with a helper
	CU_ASSERT(B->jobs == 1 && B->x.responding);
	B->x.theirs.psk[0] ^= 1;
	xy_exchange_restart(B->exchanges, &B->x);
	jobs_finish(B);
	CU_ASSERT(w.sent[XY_WG_RESPONSE] == 0 && fake_sessions(&B->dp) == 0);
	CU_ASSERT(B->exchanges->by_index.count == 0 && !B->x.responding);
	B->jobs_wait = false;
	A->x.theirs.psk[0] ^= 1;
	run_for(6 * XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B) && data_rx(B) == 1);
	A->jobs_wait = true;
	xy_exchange_act(A->exchanges, &A->x, XY_WG_DO_INITIATE, w.now);
	job_finish(A);
	run_for(100 * XY_MSEC);
	CU_ASSERT(A->jobs == 1 && A->x.consuming == 1); // and an answer to us
	xy_exchange_restart(A->exchanges, &A->x);
	jobs_finish(A);
	CU_ASSERT(!is_up(A) && A->x.consuming == 0 && A->exchanges->by_index.count == 0);
	CU_ASSERT_EQUAL(A->noted[XY_NOTE_SECRET], 0);
	world_end();
}

// An index leads to the exchange of one owner alone, whichever way a message came.
static void test_two_owners(void)
{
	struct xy_exchange_owner links = {.ops = &ops, .arg = A, .first = 0, .count = FIRST};
	struct xy_exchange_message m = {.payer = B->id.addr};
	world_make();
	links.admission.rate = links.admission.burst = 1000;
	xy_exchanges_own(A->exchanges, &links);
	CU_ASSERT_PTR_EQUAL(xy_exchange_owner_of(A->exchanges, FIRST - 1), &links);
	CU_ASSERT_PTR_EQUAL(xy_exchange_owner_of(A->exchanges, FIRST), &A->owner);
	CU_ASSERT_PTR_EQUAL(xy_exchange_owner_of(A->exchanges, FIRST + COUNT - 1), &A->owner);
	CU_ASSERT_PTR_NULL(xy_exchange_owner_of(A->exchanges, FIRST + COUNT));
	w.lose = lose_responses;
	data(A);
	run_for(XY_SEC);
	w.lose = NULL;
	m.data = w.kept.data;
	m.len = w.kept.len;
	m.at.remote = address(B);
	xy_exchanges_take(A->exchanges, &links, &m, w.now); // as if it had come by a link
	CU_ASSERT(drops(A, XY_HS_DROP_UNASKED) == 1 && A->jobs == 0);
	CU_ASSERT_PTR_NULL(xy_exchanges_by_index(A->exchanges, &links, A->x.hs_index));
	CU_ASSERT_PTR_EQUAL(xy_exchanges_by_index(A->exchanges, &A->owner, A->x.hs_index), &A->x);
	xy_exchanges_take(A->exchanges, &A->owner, &m, w.now);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	xy_exchanges_disown(A->exchanges, &links);
	world_end();
}

// The same keys under another label: neither takes the other's, whichever way.
static void test_label(void)
{
	static const char *const label[][2] = {{NULL, "far"}, {"far", NULL}, {"near", "far"}};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(label); i++) {
		world_make();
		label_set(A, label[i][0]);
		label_set(B, label[i][1]);
		data(A);
		run_for(XY_SEC);
		CU_ASSERT(drops(B, XY_HS_DROP_BAD) == 1 && w.sent[XY_WG_RESPONSE] == 0);
		CU_ASSERT(are_of(B, XY_HS_DROP_BAD, LINK)); // in nobody's name
		CU_ASSERT(!is_up(A) && !is_up(B) && B->came == 0);
		label_set(B, label[i][0]);
		run_for(6 * XY_SEC);
		CU_ASSERT(is_up(A) && is_up(B) && data_rx(B) == 1);
		world_end();
	}
}

static void test_other_key(void)
{
	world_make();
	w.lose = lose_all;
	data(A);
	jobs_finish(A);
	w.lose = NULL;
	w.kept.data[w.kept.len - 20] ^= 1; // in mac1
	deliver(&w.kept);
	CU_ASSERT(drops(B, XY_HS_DROP_BAD_MAC) == 1 && B->noted[XY_NOTE_OTHER_KEY] == 1);
	CU_ASSERT(B->jobs == 0 && are_of(B, XY_HS_DROP_BAD_MAC, LINK));
	deliver(&(struct message){.to = 1, .data = {9}, .len = 9});
	CU_ASSERT(drops(B, XY_HS_DROP_MALFORMED) == 1 && are_of(B, XY_HS_DROP_MALFORMED, LINK));
	world_end();
}

static void test_no_index(void)
{
	world_make();
	xy_log_level_set(XY_LOG_ERROR);
	A->dp.session_limit = 0;
	data(A);
	run_for(2 * XY_SEC);
	CU_ASSERT(drops(A, XY_HS_DROP_NO_INDEX) == 1 && w.sent[XY_WG_INITIATION] == 0);
	CU_ASSERT(are_of(A, XY_HS_DROP_NO_INDEX, NUMBER)); // came from nowhere: it is ours
	A->dp.session_limit = FAKE_SESSIONS;
	run_for(6 * XY_SEC); // tried again by the timers
	CU_ASSERT(is_up(A));
	world_end();
}

// It goes while helpers work for it; another comes by its number.
static void test_gone_meanwhile(void)
{
	world_make();
	B->jobs_wait = true;
	data(A);
	run_for(100 * XY_MSEC);
	job_finish(B); // opened; the answer is with a helper
	CU_ASSERT(B->jobs == 1 && B->x.responding);
	xy_exchange_clear(B->exchanges, &B->x);
	xy_dp_peer_del(&B->dp, NUMBER);
	const struct xy_dp_peer peer = {.remote = {.port = 1}};
	CU_ASSERT(xy_dp_peer_set(&B->dp, NUMBER, &peer) == 0);
	enter(B);
	jobs_finish(B);
	CU_ASSERT(w.sent[XY_WG_RESPONSE] == 0 && !B->x.responding);
	CU_ASSERT_EQUAL(B->exchanges->by_index.count, 0);
	world_end();
}

// Each in whose name it is: the peer's, if its key or our question says so, else who brought it.
static void test_offenders(void)
{
	struct message response;
	world_make();
	w.lose = lose_responses;
	data(A);
	run_for(XY_SEC);
	w.lose = NULL;
	response = w.kept;
	response.data[response.len - 40] ^= 1; // in what is sealed, and so mac1
	deliver(&response);
	CU_ASSERT(are_of(A, XY_HS_DROP_BAD_MAC, LINK));
	A->x.consuming = 4; // as many as are looked at
	deliver(&w.kept);
	CU_ASSERT(drops(A, XY_HS_DROP_BUSY) == 1 && are_of(A, XY_HS_DROP_BUSY, NUMBER));
	A->x.consuming = 0;
	deliver(&w.kept);
	run_for(XY_SEC);
	deliver(&w.kept); // it was answered
	CU_ASSERT(is_up(A) && drops(A, XY_HS_DROP_UNASKED) == 1);
	CU_ASSERT(are_of(A, XY_HS_DROP_UNASKED, NUMBER)); // by the index, its session's now
	xy_exchange_restart(A->exchanges, &A->x);
	run_for(XY_SEC);
	data(A);
	jobs_finish(A);
	B->x.initiation_seen = w.now; // just now, and here is another
	run_for(15 * XY_MSEC);
	CU_ASSERT(drops(B, XY_HS_DROP_FLOOD) == 1 && are_of(B, XY_HS_DROP_FLOOD, NUMBER));
	world_end();
}

struct many {
	struct xy_dp_blame *v;
	unsigned count;
	uint64_t packets; // of all
};

static struct many many_of(const struct end *n, enum xy_hs_drop why)
{
	struct many m = {0};
	CU_ASSERT_FATAL(
		xy_offenders_list(xy_exchanges_offenders(n->exchanges), why, &m.v, &m.count) == 0);
	for (unsigned i = 0; i < m.count; i++)
		m.packets += m.v[i].packets;
	free(m.v);
	return m;
}

// Neither strangers nor peers take the place of one that is there.
static void test_offenders_many(void)
{
	enum { STRANGERS = 5000, PEERS = 3000 };
	struct xy_exchange_place at = {.remote = {.addr = {.b = {1}}, .port = 7}};
	struct xy_exchange x = {.number = 0};
	world_make();
	for (unsigned i = 0; i < STRANGERS; i++) {
		at.remote.addr.b[1] = (uint8_t)i;
		at.remote.port = (uint16_t)i;
		xy_exchanges_drop(A->exchanges, XY_HS_DROP_BAD, NULL, &at);
	}
	struct many m = many_of(A, XY_HS_DROP_BAD);
	CU_ASSERT(m.count == 1 && m.packets == STRANGERS);
	for (x.number = 0; x.number < PEERS; x.number++)
		xy_exchanges_drop(A->exchanges, XY_HS_DROP_BAD, &x, &at);
	m = many_of(A, XY_HS_DROP_BAD);
	CU_ASSERT(m.count == XY_OFFENDERS + 1 && m.packets == STRANGERS + XY_OFFENDERS);
	CU_ASSERT_EQUAL(drops(A, XY_HS_DROP_BAD), STRANGERS + PEERS);
	x.number = 3;
	xy_exchanges_drop(A->exchanges, XY_HS_DROP_REPLAY, &x, &at); // another reason has room
	CU_ASSERT_EQUAL(many_of(A, XY_HS_DROP_REPLAY).count, 1);
	xy_exchanges_forget(A->exchanges, 3); // his go with him
	m = many_of(A, XY_HS_DROP_BAD);
	CU_ASSERT(m.count == XY_OFFENDERS && many_of(A, XY_HS_DROP_REPLAY).count == 0);
	for (x.number = 0; x.number < XY_OFFENDERS; x.number++) // 3: there is room again
		xy_exchanges_drop(A->exchanges, XY_HS_DROP_BAD, &x, &at);
	m = many_of(A, XY_HS_DROP_BAD);
	CU_ASSERT(m.count == XY_OFFENDERS + 1 && m.packets == STRANGERS + 2 * XY_OFFENDERS - 1);
	for (x.number = 0; x.number < PEERS; x.number++)
		xy_exchanges_forget(A->exchanges, x.number);
	CU_ASSERT_EQUAL(many_of(A, XY_HS_DROP_BAD).count, 1);
	world_end();
}

// Who does not answer is asked again in its turn, however many there are.
static void test_turns(void)
{
	world_make();
	A->owner.retry_every = 20 * XY_SEC;
	w.lose = lose_all;
	data(A);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(w.sent[XY_WG_INITIATION], 1);
	run_for(6 * XY_SEC); // the first that is not answered is nobody's turn yet
	CU_ASSERT_EQUAL(w.sent[XY_WG_INITIATION], 2);
	run_for(43 * XY_SEC);
	CU_ASSERT_EQUAL(w.sent[XY_WG_INITIATION], 4); // 25 and 45 s, and not every 5
	w.lose = NULL;
	run_for(20 * XY_SEC);
	CU_ASSERT(w.sent[XY_WG_INITIATION] == 5 && is_up(A) && is_up(B));
	world_end();
}

// Given up: what comes after does not jump the queue; the other side's own handshake does.
static void test_turns_given_up(void)
{
	world_make();
	A->owner.retry_every = 200 * XY_SEC;
	w.lose = lose_all;
	data(A);
	run_for(100 * XY_SEC);
	CU_ASSERT(A->changed[XY_EXCHANGE_GIVEN_UP] == 1 && w.sent[XY_WG_INITIATION] == 2);
	data(A);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(w.sent[XY_WG_INITIATION], 2);
	w.lose = NULL;
	data(B);
	run_for(XY_SEC);
	CU_ASSERT(w.sent[XY_WG_INITIATION] == 3 && is_up(A) && is_up(B));
	world_end();
}

// Who has a session waits for no turn behind those that are gone; nor does who is begun anew.
static void test_turns_of_the_living(void)
{
	world_make();
	data(A);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A) && is_up(B));
	A->owner.retry_every = B->owner.retry_every = 1000 * XY_SEC;
	A->owner.retry_last = w.now + 1000 * XY_SEC;
	w.lose = lose_all;
	unsigned before = w.sent[XY_WG_INITIATION];
	data(A);
	run_for(40 * XY_SEC); // silent after 15
	CU_ASSERT(w.sent[XY_WG_INITIATION] - before >= 4);
	w.lose = NULL;
	run_for(6 * XY_SEC);
	CU_ASSERT(!A->x.timers.attempt_start && is_up(A));
	w.lose = lose_all;
	xy_exchange_clear(A->exchanges, &A->x);
	data(A);
	run_for(100 * XY_SEC);
	CU_ASSERT(A->x.unanswered);
	before = w.sent[XY_WG_INITIATION];
	xy_exchange_restart(A->exchanges, &A->x);
	data(A);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(w.sent[XY_WG_INITIATION], before + 1);
	world_end();
}

// --- cipher suites

enum {
	CHACHA = XY_WG_CHACHA20_POLY1305,
	AES = XY_WG_AES_256_GCM,
	CHACHA_LIGHT = XY_WG_CHACHA20_POLY1305_LIGHT,
	AES_LIGHT = XY_WG_AES_256_GCM_LIGHT,
	NONE = 99
};
static const struct xy_suites chacha = {.can = 1, .best = CHACHA};
static const struct xy_suites slow = {.can = 3, .best = CHACHA}; // has AES, and would not
static const struct xy_suites fast = {.can = 3, .best = AES};
static const struct xy_suites only = {.can = 3, .best = AES, .only = true};
static const struct xy_suites chacha_light = {.can = 5, .best = CHACHA_LIGHT};
static const struct xy_suites slow_light = {.can = 15, .best = CHACHA_LIGHT};
static const struct xy_suites fast_light = {.can = 15, .best = AES_LIGHT};
static const struct xy_suites only_light = {.can = 15, .best = AES_LIGHT, .only = true};

static unsigned suite_of(const struct end *n)
{
	const struct xy_keypair *current = xy_keypairs_current(&n->x.keypairs);
	struct xy_dp_session_stats s;
	if (!current || xy_dp_session_stats(&n->dp, current->index, &s))
		return NONE;
	return s.suite;
}

static void suites_set(struct end *n, const struct xy_suites *s)
{
	xy_exchanges_suites_set(n->exchanges, s);
}

static void talk(unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		data(A);
		data(B);
		run_for(XY_SEC);
	}
}

static void test_suites(void)
{
	static const struct {
		const struct xy_suites *a, *b;
		unsigned first, then;
	} rows[] = {
		{&fast, &fast, CHACHA, AES},
		{&fast, &slow, CHACHA, CHACHA},
		{&slow, &fast, CHACHA, CHACHA},
		{&fast, &chacha, CHACHA, CHACHA},
		{&chacha, &fast, CHACHA, CHACHA},
		{&slow, &slow, CHACHA, CHACHA},
		{&only, &fast, AES, AES},
		{&only, &slow, AES, AES},
		{&fast, &only, NONE, AES},
		{&slow, &only, NONE, AES},
		{&only, &only, AES, AES},
		{&only, &chacha, NONE, NONE},
		{&chacha, &only, NONE, NONE},
		// light where both say so, in the cipher that both would have
		{&fast_light, &fast_light, CHACHA, AES_LIGHT},
		{&fast_light, &slow_light, CHACHA, CHACHA_LIGHT},
		{&slow_light, &fast_light, CHACHA, CHACHA_LIGHT},
		{&chacha_light, &fast_light, CHACHA, CHACHA_LIGHT},
		{&chacha_light, &chacha_light, CHACHA, CHACHA_LIGHT},
		{&fast_light, &fast, CHACHA, AES},
		{&fast, &fast_light, CHACHA, AES},
		{&slow_light, &chacha, CHACHA, CHACHA},
		{&only_light, &fast_light, AES, AES_LIGHT},
		{&slow_light, &only_light, NONE, AES_LIGHT},
		{&only_light, &only_light, AES, AES_LIGHT},
		{&only_light, &slow, AES, AES},
		{&chacha_light, &only_light, NONE, NONE},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world_make();
		suites_set(A, rows[i].a);
		suites_set(B, rows[i].b);
		data(A);
		run_for(XY_SEC);
		CU_ASSERT(suite_of(A) == rows[i].first && suite_of(B) == rows[i].first);
		talk(20);
		CU_ASSERT(suite_of(A) == rows[i].then && suite_of(B) == rows[i].then);
		CU_ASSERT(A->x.suite.fallbacks == 0 && B->x.suite.fallbacks == 0);
		CU_ASSERT_EQUAL(!!(drops(A, XY_HS_DROP_SUITE) + drops(B, XY_HS_DROP_SUITE)),
				rows[i].first == NONE);
		talk(400);
		CU_ASSERT(suite_of(A) == rows[i].then && suite_of(B) == rows[i].then);
		world_end();
	}
}

// Nothing is lost while both begin again, and who asked does so, once.
static void test_suite_begun_again(void)
{
	world_make();
	suites_set(A, &fast);
	suites_set(B, &fast);
	data(A);
	run_for(XY_SEC);
	talk(30);
	CU_ASSERT(suite_of(A) == AES && data_rx(A) == 30 && data_rx(B) == 31);
	CU_ASSERT(A->suites_asked == 1 && B->suites_asked == 1);
	CU_ASSERT(w.sent[XY_WG_INITIATION] == 2 && w.sent[XY_WG_RESPONSE] == 2);
	talk(600);
	CU_ASSERT(suite_of(A) == AES && data_rx(A) == 630 && data_rx(B) == 631);
	CU_ASSERT(A->suites_asked == 1 && B->suites_asked == 1); // it is remembered
	world_end();
}

static void test_suite_untold(void)
{
	world_make();
	suites_set(A, &fast);
	suites_set(B, &fast);
	A->tells_nothing = B->tells_nothing = true;
	talk(300);
	CU_ASSERT(suite_of(A) == CHACHA && suite_of(B) == CHACHA);
	CU_ASSERT(A->suites_asked + B->suites_asked >= 2); // with each session
	world_end();
}

static void test_suite_plain(void)
{
	world_make();
	suites_set(A, &only); // but a device that has WireGuard's alone
	A->x.suite.plain = true;
	talk(300);
	CU_ASSERT(suite_of(A) == CHACHA && suite_of(B) == CHACHA);
	CU_ASSERT(!A->suites_asked && !drops(A, XY_HS_DROP_SUITE));
	world_end();
}

// One that has it light by now is found out with the next session that is begun.
static void test_suite_light_later(void)
{
	world_make();
	suites_set(A, &fast_light);
	suites_set(B, &fast);
	talk(30);
	CU_ASSERT(suite_of(A) == AES && suite_of(B) == AES);
	suites_set(B, &fast_light);
	talk(130);
	CU_ASSERT(suite_of(A) == AES_LIGHT && suite_of(B) == AES_LIGHT);
	suites_set(B, &fast); // and one that has not
	talk(400);
	CU_ASSERT(suite_of(A) == AES && suite_of(B) == AES);
	CU_ASSERT(A->x.suite.fallbacks + B->x.suite.fallbacks < 2);
	world_end();
}

// Between those whose packets are sealed nowhere else; nor does it let itself be asked for it.
static void test_suite_whole(void)
{
	world_make();
	suites_set(A, &fast_light);
	suites_set(B, &fast_light);
	A->x.suite.whole = true;
	talk(30);
	CU_ASSERT(suite_of(A) == AES && suite_of(B) == AES);
	xy_exchange_want(B->exchanges, &B->x, w.now); // B would have it light
	talk(60);
	CU_ASSERT(suite_of(A) != AES_LIGHT && suite_of(A) != CHACHA_LIGHT);
	CU_ASSERT(suite_of(A) == suite_of(B));
	CU_ASSERT(drops(A, XY_HS_DROP_SUITE) > 0);
	world_end();
}

static bool lose_other_suites(const struct message *m)
{
	return m->data[0] < XY_WG_COOKIE_REPLY && m->data[1] != CHACHA;
}

// Something between does not let them through: WireGuard's own, for an hour, and it is counted.
static void test_suite_unanswered(void)
{
	world_make();
	suites_set(A, &fast);
	suites_set(B, &fast);
	w.lose = lose_other_suites;
	talk(60);
	CU_ASSERT(suite_of(A) == CHACHA && suite_of(B) == CHACHA);
	CU_ASSERT_EQUAL(A->x.suite.fallbacks + B->x.suite.fallbacks, 1);
	CU_ASSERT(data_rx(A) == 60 && data_rx(B) == 60); // the session of before went on meanwhile
	w.lose = NULL;
	talk(3000);
	CU_ASSERT_EQUAL(A->x.suite.fallbacks + B->x.suite.fallbacks, 1);
	talk(1000);
	CU_ASSERT(suite_of(A) == AES && suite_of(B) == AES);
	CU_ASSERT(data_rx(A) == 4060 && data_rx(B) == 4060);
	world_end();
}

// An outage is none of the suite's: no fallback, whoever is heard first, and AES again in seconds.
static void test_suite_outage(void)
{
	for (unsigned away = 5; away < 120; away += 7) {
		world_make();
		suites_set(A, &fast);
		suites_set(B, &fast);
		talk(20);
		CU_ASSERT(suite_of(A) == AES && suite_of(B) == AES);
		w.lose = lose_all;
		talk(away);
		w.lose = NULL;
		talk(40);
		CU_ASSERT(suite_of(A) == AES && suite_of(B) == AES);
		CU_ASSERT(A->x.suite.fallbacks == 0 && B->x.suite.fallbacks == 0);
		world_end();
	}
}

// What somebody says in its name, unasked, is asked for, and nothing else comes of it.
static void test_suite_slander(void)
{
	world_make();
	suites_set(A, &slow);
	suites_set(B, &slow);
	talk(20);
	unsigned asked = A->suites_asked;
	xy_exchange_suites(A->exchanges, &A->x, 1 << AES, AES, false, w.now);
	CU_ASSERT_EQUAL(A->suites_asked, asked + 1);
	for (unsigned i = 0; i < 100; i++)
		xy_exchange_suites(A->exchanges, &A->x, 1 << AES, AES, false, w.now);
	CU_ASSERT_EQUAL(A->suites_asked, asked + 1);
	talk(300);
	CU_ASSERT(suite_of(A) == CHACHA && suite_of(B) == CHACHA);
	world_end();
}

// What a helper has in work when the config changes begins no session that it forbids.
static void test_suite_changed_meanwhile(void)
{
	world_make();
	B->jobs_wait = true;
	data(A);
	run_for(XY_SEC);
	CU_ASSERT(B->jobs == 1);
	job_finish(B); // it knows who it is, and makes the answer
	CU_ASSERT(B->jobs == 1);
	suites_set(B, &only);
	B->jobs_wait = false;
	run_for(XY_SEC);
	CU_ASSERT(suite_of(A) == NONE && suite_of(B) == NONE && !w.sent[XY_WG_RESPONSE]);
	world_end();
}

// Who demands it never falls back.
static void test_suite_demanded(void)
{
	world_make();
	suites_set(A, &only);
	suites_set(B, &fast);
	w.lose = lose_other_suites;
	talk(300);
	CU_ASSERT(suite_of(A) == NONE && suite_of(B) == NONE);
	CU_ASSERT(A->x.suite.fallbacks == 0);
	w.lose = NULL;
	talk(20);
	CU_ASSERT(suite_of(A) == AES && suite_of(B) == AES);
	world_end();
}

// The other end is replaced by one that has it not: its refusals are counted there, and it goes on.
static void test_suite_gone(void)
{
	world_make();
	suites_set(A, &fast);
	suites_set(B, &fast);
	talk(20);
	CU_ASSERT(suite_of(A) == AES);
	suites_set(B, &chacha);
	xy_exchange_restart(B->exchanges, &B->x);
	B->x.suite = (struct xy_exchange_suite){0};
	schedule(B, &B->x, w.now);
	talk(60);
	CU_ASSERT(suite_of(A) == CHACHA && suite_of(B) == CHACHA);
	talk(600);
	CU_ASSERT(suite_of(A) == CHACHA && is_up(A) && is_up(B));
	world_end();
}

// Named on the way by somebody else, or taken away: it does not open.
static void test_suite_forged(void)
{
	for (unsigned to = CHACHA; to <= AES; to++) {
		world_make();
		suites_set(A, to == CHACHA ? &only : &slow);
		suites_set(B, &fast);
		w.lose = lose_all;
		data(A);
		run_for(XY_SEC);
		w.lose = NULL;
		CU_ASSERT(w.kept.data[0] == XY_WG_INITIATION && w.kept.data[1] == !to);
		w.kept.data[1] = (uint8_t)to;
		struct xy_cookie_jar
			jar; // with a mac1 that is right: whoever knows B's key makes it
		xy_cookie_jar_init(&jar, B->id.x25519.b);
		xy_cookie_macs_add(&jar, w.kept.data, w.kept.len, w.now);
		deliver(&w.kept);
		run_for(XY_SEC);
		CU_ASSERT(drops(B, XY_HS_DROP_BAD) == 1 && !is_up(B));
		world_end();
	}
}

// --- lanes

static void lanes_make(unsigned a, unsigned b)
{
	world_make();
	A->exchanges->cfg.lanes = (uint8_t)a;
	B->exchanges->cfg.lanes = (uint8_t)b;
	A->dp.heard = B->dp.heard = UINT64_MAX;
}

// Enough to be worth it, both ways.
static void busy(unsigned seconds)
{
	for (unsigned s = 0; s < seconds; s++) {
		for (unsigned i = 0; i < 100; i++) {
			data(A);
			data(B);
			run_for(XY_SEC / 100);
		}
	}
}

static uint64_t lanes_of(const struct end *n) // as its dataplane was told; 1 where it was not
{
	const struct xy_keypair *current = xy_keypairs_current(&n->x.keypairs);
	for (unsigned i = 0; current && i < FAKE_SESSIONS; i++)
		if (n->dp.session[i].live && n->dp.session[i].index == current->index)
			return n->dp.session[i].lanes_sent ? n->dp.session[i].lanes_sent : 1;
	return 0;
}

static const char *why(const struct end *n)
{
	return xy_exchange_lanes_why(n->exchanges, &n->x);
}

static void test_lanes(void)
{
	static const struct {
		unsigned a, b;
		uint64_t used;
		const char *why_a, *why_b;
	} rows[] = {
		{8, 8, 0xff, "in use", "in use"},   {8, 2, 3, "in use", "in use"},
		{2, 8, 3, "in use", "in use"},	    {64, 64, UINT64_MAX, "in use", "in use"},
		{8, 1, 1, "one there", "one here"}, {0, 8, 1, "one here", "one there"},
		{0, 0, 1, "one here", "one here"},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lanes_make(rows[i].a, rows[i].b);
		busy(10);
		for (unsigned again = 0; again < 2; again++) {
			CU_ASSERT(lanes_of(A) == rows[i].used && lanes_of(B) == rows[i].used);
			CU_ASSERT_STRING_EQUAL(why(A), rows[i].why_a);
			CU_ASSERT_STRING_EQUAL(why(B), rows[i].why_b);
			busy(200); // and so in the next session
		}
		CU_ASSERT(data_rx(A) >= 40990 && data_rx(B) >= 40990);
		world_end();
	}
}

// Who has little to say asks nothing.
static void test_lanes_little(void)
{
	lanes_make(8, 8);
	talk(200);
	CU_ASSERT(!A->lanes_asked && !B->lanes_asked && lanes_of(A) == 1);
	CU_ASSERT_STRING_EQUAL(why(A), "little to carry");
	world_end();
}

// A firewall that lets only some through, or from some time on none: what goes there goes in the
// first, and no other.
static void test_lanes_not_heard(void)
{
	lanes_make(4, 4);
	B->dp.heard = 5;
	busy(10);
	CU_ASSERT(lanes_of(A) == 5 && lanes_of(B) == 15);
	CU_ASSERT_STRING_EQUAL(why(A), "some not heard");
	B->dp.heard = 1;
	busy(15);
	CU_ASSERT(lanes_of(A) == 1 && lanes_of(B) == 15);
	CU_ASSERT_STRING_EQUAL(why(A), "not heard");
	B->dp.heard = 15;
	busy(30); // it opens again
	CU_ASSERT_EQUAL(lanes_of(A), 15);
	world_end();
}

// The other one is begun anew by something that does not know of lanes, or of fewer: nothing goes
// in one that it was not told of in that session.
static void test_lanes_withdrawn(void)
{
	lanes_make(4, 4);
	busy(10);
	CU_ASSERT_EQUAL(lanes_of(A), 15);
	B->tells_nothing = true;
	B->exchanges->cfg.lanes = 0;
	xy_exchange_restart(B->exchanges, &B->x);
	schedule(B, &B->x, w.now);
	busy(20);
	CU_ASSERT(is_up(A) && lanes_of(A) == 1);
	CU_ASSERT_STRING_EQUAL(why(A), "no answer");
	unsigned asked = A->lanes_asked;
	busy(60);
	CU_ASSERT_EQUAL(A->lanes_asked, asked); // until the next
	B->tells_nothing = false;
	B->exchanges->cfg.lanes = 2;
	busy(150);
	CU_ASSERT_EQUAL(lanes_of(A), 3);
	world_end();
}

// What comes late, twice, unasked, or of another session says nothing.
static void test_lanes_untimely(void)
{
	lanes_make(4, 4);
	struct xy_nodeinfo_lanes r = {.count = 4, .heard = UINT64_MAX};
	talk(3);
	r.session = A->dp.session[0].remote_index;
	xy_exchange_lanes_told(A->exchanges, &A->x, &r, w.now);
	CU_ASSERT_EQUAL(lanes_of(A), 1);
	A->no_place = true;
	busy(20);
	CU_ASSERT(lanes_of(A) == 1 && A->lanes_asked > 5); // it comes again
	CU_ASSERT_STRING_EQUAL(why(A), "asking");
	A->no_place = false;
	busy(5);
	CU_ASSERT_EQUAL(lanes_of(A), 15);
	r.heard = 1;
	for (unsigned i = 0; i < 10; i++)
		xy_exchange_lanes_told(A->exchanges, &A->x, &r, w.now);
	CU_ASSERT_EQUAL(lanes_of(A), 15);
	struct xy_nodeinfo_lanes q = {.session = 12345, .count = 2}, out;
	CU_ASSERT_FALSE(xy_exchange_lanes_asked(B->exchanges, &B->x, &q, &out));
	world_end();
}

static void test_lanes_plain(void)
{
	lanes_make(4, 4);
	A->x.suite.plain = true;
	busy(10);
	CU_ASSERT(!A->lanes_asked && lanes_of(A) == 1 && lanes_of(B) == 1);
	CU_ASSERT_STRING_EQUAL(why(A), "WireGuard");
	world_end();
}

XY_UNIT_MAIN("exchange", {"handshake", test_handshake}, {"a response is lost", test_retry},
	     {"rekey", test_rekey}, {"both start at once", test_both_at_once},
	     {"a response too late", test_too_late}, {"a helper too late", test_stale_job},
	     {"cookie where strangers crowd", test_cookie}, {"cookie under load", test_load},
	     {"the owner says no", test_owner_says_no}, {"an exchange on demand", test_met},
	     {"nowhere to send to", test_nowhere}, {"an old time stamp", test_old_stamp},
	     {"the same time stamp", test_same_stamp}, {"another secret", test_wrong_secret},
	     {"sessions end", test_ends}, {"begun anew", test_renew},
	     {"restarted meanwhile", test_restart}, {"two owners", test_two_owners},
	     {"another label", test_label}, {"another key than ours", test_other_key},
	     {"no free session", test_no_index}, {"gone meanwhile", test_gone_meanwhile},
	     {"whose it was", test_offenders}, {"of a flood, too", test_offenders_many},
	     {"turns of who does not answer", test_turns},
	     {"given up waits its turn", test_turns_given_up},
	     {"the living wait for no turn", test_turns_of_the_living},
	     {"cipher suites", test_suites}, {"begun again in another", test_suite_begun_again},
	     {"a node that tells nothing", test_suite_untold}, {"a plain device", test_suite_plain},
	     {"light later", test_suite_light_later}, {"never light", test_suite_whole},
	     {"another is not answered", test_suite_unanswered}, {"an outage", test_suite_outage},
	     {"said by somebody else", test_suite_slander},
	     {"changed meanwhile", test_suite_changed_meanwhile},
	     {"one that is demanded", test_suite_demanded},
	     {"a node that has it no more", test_suite_gone},
	     {"named by somebody else", test_suite_forged}, {"lanes", test_lanes},
	     {"lanes: little to carry", test_lanes_little},
	     {"lanes: not heard", test_lanes_not_heard}, {"lanes: withdrawn", test_lanes_withdrawn},
	     {"lanes: untimely", test_lanes_untimely}, {"lanes: a device", test_lanes_plain})
