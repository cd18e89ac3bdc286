// SPDX-License-Identifier: BSD-3-Clause
// Far nodes: sessions end to end on demand, who may begin one, who makes room for whom, and how
// they end.
#include "far_rig.h"

// --- a life

static void test_first_packet(void)
{
	world_make();
	data(A, B);
	CU_ASSERT(info(A, B).state == XY_FAR_MEETING && counts(A).count == 1);
	data(A, B); // another meet does not make another
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, B) && is_up(B, A) && counts(A).count == 1 && counts(B).count == 1);
	CU_ASSERT(w.sent[XY_WG_INITIATION] == 1 && w.sent[XY_WG_RESPONSE] == 1);
	CU_ASSERT_EQUAL(data_rx(B, A), 2); // what was held went
	CU_ASSERT(info(A, B).state == XY_FAR_UP && !info(B, A).provisional);
	CU_ASSERT(info(B, A).via == 0 && info(A, B).via == 1);
	data(B, A);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(data_rx(A, B), 1);
	world_end();
}

static void test_both_at_once(void)
{
	world_make();
	data(A, B);
	data(B, A);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, B) && is_up(B, A) && data_rx(A, B) == 1 && data_rx(B, A) == 1);
	for (unsigned i = 0; i < 400; i++) {
		data(A, B);
		data(B, A);
		run_for(XY_SEC);
	}
	CU_ASSERT(data_rx(A, B) == 401 && data_rx(B, A) == 401); // over rekeys
	CU_ASSERT(counts(A).count == 1 && counts(B).count == 1);
	world_end();
}

// Both initiations meet a node that is being met itself: each has what the other's needs.
static void test_asked_while_meeting(void)
{
	world_make();
	B->jobs_wait = true;
	data(B, A); // its helper is slow
	data(A, B);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(info(B, A).state, XY_FAR_MEETING);
	B->jobs_wait = false;
	run_for(6 * XY_SEC);
	CU_ASSERT(is_up(A, B) && is_up(B, A) && data_rx(A, B) == 1 && data_rx(B, A) == 1);
	CU_ASSERT(B->fars->meeting == 0 && !B->fars->meet_head);
	world_end();
}

// The way there is open where the question came from, whatever routes say of it yet or still.
static void test_answer_by_link(void)
{
	uint32_t a = (uint32_t)(A - w.node);
	world_make();
	B->dp.peer[a].there = true;
	B->dp.peer[a].current = 1;
	data(A, B);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, B) && w.by_link == 1 && w.sent[XY_WG_RESPONSE] == 1);
	world_end();
	world_make(); // that link has gone meanwhile
	data(A, B);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, B) && w.by_link == 0);
	world_end();
}

static void test_idle(void)
{
	world_make();
	data(A, B);
	run_for(200 * XY_SEC);
	data(A, B);
	run_for(10 * XY_SEC);
	CU_ASSERT(counts(A).count == 1 && data_rx(B, A) == 2);
	run_for(225 * XY_SEC);
	CU_ASSERT(counts(A).count == 1 && counts(B).count == 1);
	run_for(20 * XY_SEC); // two rekey times after the last
	CU_ASSERT(counts(A).count == 0 && counts(B).count == 0);
	CU_ASSERT(counts(A).ended == 1 && counts(A).evicted == 0 && A->dp.fars == 0);
	CU_ASSERT(xy_fars_deadline(A->fars) == XY_NEVER && fake_sessions(&A->dp) == 0);
	data(A, B); // and again
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, B) && data_rx(B, A) == 1);
	world_end();
}

static void test_give_up(void)
{
	world_make();
	B->deaf = true;
	data(A, B);
	run_for(120 * XY_SEC);
	CU_ASSERT(counts(A).count == 0 && counts(A).unanswered == 1); // nothing wants it any more
	CU_ASSERT(w.sent[XY_WG_INITIATION] >= 15 && w.sent[XY_WG_INITIATION] <= 19);
	unsigned before = w.sent[XY_WG_INITIATION];
	for (unsigned i = 0; i < 300; i++) { // a flow to it
		data(A, B);
		run_for(XY_SEC);
	}
	CU_ASSERT(w.sent[XY_WG_INITIATION] - before <= 61); // once in five seconds
	CU_ASSERT(counts(A).count == 1 && info(A, B).state == XY_FAR_DOWN);
	B->deaf = false;
	run_for(6 * XY_SEC);
	CU_ASSERT(is_up(A, B) && is_up(B, A) && info(A, B).state == XY_FAR_UP);
	world_end();
}

// A rekey that finds nobody: what was there ends, and comes again.
static void test_goes_and_returns(void)
{
	world_make();
	data(A, B);
	run_for(XY_SEC);
	B->deaf = true;
	for (unsigned i = 0; i < 200; i++) {
		data(A, B);
		run_for(XY_SEC);
	}
	CU_ASSERT(!is_up(A, B) && counts(A).count == 1 && counts(A).unanswered >= 1);
	B->deaf = false;
	for (unsigned i = 0; i < 8; i++) {
		data(A, B);
		run_for(XY_SEC);
	}
	CU_ASSERT(is_up(A, B) && is_up(B, A));
	world_end();
}

// It has lost all, and a new epoch says so before WireGuard's fifteen seconds do.
static void test_restart(void)
{
	world_make();
	for (unsigned i = 0; i < 20; i++) {
		data(A, B);
		data(B, A);
		run_for(XY_SEC);
	}
	jobs_finish(B);
	node_end(B);
	node_start(B);
	route_to(B, A);
	route_of(A, &B->id.x25519, &B->id.x25519, 2);
	uint64_t got = data_rx(B, A);
	for (unsigned i = 0; i < 30; i++) {
		data(A, B);
		run_for(100 * XY_MSEC);
	}
	CU_ASSERT(is_up(B, A) && data_rx(B, A) > got);
	world_end();
}

// Where no epoch tells, as over static routes, the one that has started anew asks who still sends
// in a session of before.
static void test_restart_untold(void)
{
	world_make();
	for (unsigned i = 0; i < 20; i++) {
		data(A, B);
		data(B, A);
		run_for(XY_SEC);
	}
	node_end(B);
	node_start(B);
	data(A, B);
	run_for(2 * XY_SEC);
	CU_ASSERT(!far_of(B, A)); // no route says whose key that is
	route_to(B, A);
	uint64_t got = data_rx(B, A);
	for (unsigned i = 0; i < 30; i++) {
		data(A, B);
		run_for(100 * XY_MSEC);
	}
	CU_ASSERT(is_up(B, A) && data_rx(B, A) > got + 20 && !info(B, A).provisional);
	world_end();
}

static void lost(struct node *n, const struct xy_addr *addr, uint32_t link)
{
	struct xy_dp_event ev = {.type = XY_DP_LOST, .addr = *addr, .source = link};
	memset(ev.addr.b + 8, 0, 8);
	xy_fars_event(n->fars, &ev, w.now);
}

// Anybody can send in any name: what that makes us do is bounded, and none that is in use suffers.
static void test_lost_forged(void)
{
	enum { NAMES = 600 };
	world_begin();
	A->max = 64;
	for (unsigned i = 0; i < NODES; i++)
		node_start(&w.node[i]);
	route_to(A, B);
	route_to(B, A);
	lost(A, &C->id.addr, 1); // no route names its key
	lost(A, &A->id.addr, 1);
	CU_ASSERT_EQUAL(counts(A).count, 0);
	data(A, B);
	run_for(XY_SEC);
	unsigned asked = w.sent[XY_WG_INITIATION];
	lost(A, &B->id.addr, 1); // there is a session
	run_for(XY_SEC);
	CU_ASSERT(w.sent[XY_WG_INITIATION] == asked && is_up(A, B));
	route_to(A, D);
	D->deaf = true;
	for (unsigned i = 0; i < 50;
	     i++) { // one is asked as WireGuard asks, however often it is said
		lost(A, &D->id.addr, 1);
		run_for(100 * XY_MSEC);
	}
	CU_ASSERT(w.sent[XY_WG_INITIATION] - asked <= 2 && info(A, D).provisional);
	A->dp.routes_any = true; // so many
	for (unsigned i = 0; i < NAMES; i++) {
		struct xy_key key;
		random_bytes(NULL, key.b, sizeof(key.b));
		key.b[31] &= 0x7f;
		route_of(A, &key, &key, 1);
		const struct xy_addr addr = xy_key_addr(&key);
		lost(A, &addr, 1 + i % 2);
		data(A, B);
		run_for(10 * XY_MSEC);
		CU_ASSERT(counts(A).provisional <= 16); // a quarter of the places
	}
	CU_ASSERT(is_up(A, B) && counts(A).pinned == 0);
	CU_ASSERT(w.sent[XY_WG_INITIATION] - asked <= NAMES + 8);
	run_for(20 * XY_SEC);
	CU_ASSERT_EQUAL(counts(A).count, 1); // those that nobody answered for have gone
	world_end();
}

static void test_renew(void)
{
	world_make();
	data(A, B);
	data(A, C);
	run_for(XY_SEC);
	uint32_t was = info(A, B).session[0].index;
	xy_exchanges_renew(A->exchanges);
	CU_ASSERT_EQUAL(xy_fars_deadline(A->fars), 0);
	run_for(8 * XY_SEC);
	CU_ASSERT(is_up(A, B) && is_up(A, C) && info(A, B).session[0].index != was);
	data(A, B);
	data(B, A);
	run_for(XY_SEC);
	CU_ASSERT(data_rx(B, A) == 2 && data_rx(A, B) == 1);
	// A job that was under way is void; the node is met again.
	A->jobs_wait = true;
	data(A, D);
	run_for(XY_SEC);
	xy_exchanges_renew(A->exchanges);
	A->jobs_wait = false;
	run_for(8 * XY_SEC);
	CU_ASSERT(is_up(A, D) && A->fars->meeting == 0);
	world_end();
}

static void test_secret(void)
{
	static const uint8_t secret[XY_WG_KEY_LEN] = {7};
	world_make();
	data(A, B);
	run_for(XY_SEC);
	xy_fars_secret_set(A->fars, secret);
	run_for(20 * XY_SEC);
	CU_ASSERT(!is_up(A, B)); // the other side has none
	xy_fars_secret_set(B->fars, secret);
	for (unsigned i = 0; i < 10; i++) {
		data(A, B);
		run_for(XY_SEC);
	}
	CU_ASSERT(is_up(A, B) && is_up(B, A));
	world_end();
}

// The secret changes while a helper makes an answer: with the one of before.
static void test_secret_meanwhile(void)
{
	static const uint8_t secret[XY_WG_KEY_LEN] = {7};
	world_make();
	data(B, A); // A knows B
	run_for(8 * XY_SEC);
	A->jobs_wait = true;
	xy_exchange_want(B->exchanges, &far_of(B, A)->exchange, w.now);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL_FATAL(A->jobs, 1); // opens it
	struct xy_job *job = A->job[0];
	A->jobs = 0;
	xy_job_run(job);
	xy_exchanges_job_done(A->exchanges, job, w.now);
	CU_ASSERT(A->jobs == 1 && far_of(A, B)->exchange.responding);
	xy_fars_secret_set(A->fars, secret);
	run_for(XY_MSEC);
	A->jobs_wait = false;
	run_for(4 * XY_SEC);
	CU_ASSERT(!is_up(A, B));
	CU_ASSERT(info(A, B).session_count == 0 && !far_of(A, B)->exchange.responding);
	world_end();
}

// --- who it is

static struct node *liar;

static bool lie(struct message *m)
{
	if (m->link == (unsigned)(C - w.node))
		memcpy(m->data + 8, liar->id.addr.b, 16); // C sends in another's name
	return false;
}

// All that were dropped for it, the last in this name.
static bool is_brought_by(const struct node *n, enum xy_hs_drop why, unsigned link,
			  const struct xy_addr *named)
{
	struct xy_dp_blame *v;
	unsigned count;
	CU_ASSERT_FATAL(xy_offenders_list(xy_exchanges_offenders(n->exchanges), why, &v, &count) ==
			0);
	bool right = count == 1 && v->of == link && v->packets == drops(n, why) && !v->datagram &&
		     xy_addr_eq(&v->src, named);
	free(v);
	return right;
}

static void test_wrong_source(void)
{
	world_make();
	liar = B;
	w.lose = lie;
	data(C, A);
	run_for(XY_SEC);
	CU_ASSERT(drops(A, XY_HS_DROP_SOURCE) == 1 && counts(A).count == 0);
	CU_ASSERT(is_brought_by(A, XY_HS_DROP_SOURCE, (unsigned)(C - w.node), &B->id.addr));
	liar = A; // ours
	run_for(6 * XY_SEC);
	CU_ASSERT(drops(A, XY_HS_DROP_SOURCE) >= 2 && counts(A).count == 0);
	CU_ASSERT(w.sent[XY_WG_RESPONSE] == 0);
	world_end();
}

static bool lie_in_responses(struct message *m)
{
	if (m->data[XY_IPV6_LEN] == XY_WG_RESPONSE)
		m->data[23] ^= 1; // its neighbour's address
	return false;
}

static void test_response_from_elsewhere(void)
{
	world_make();
	w.lose = lie_in_responses;
	data(A, B);
	run_for(XY_SEC);
	CU_ASSERT(!is_up(A, B) && drops(A, XY_HS_DROP_SOURCE) == 1);
	w.lose = NULL;
	run_for(6 * XY_SEC);
	CU_ASSERT(is_up(A, B));
	world_end();
}

static void test_own_key(void)
{
	world_begin();
	B->id = A->id; // two nodes with one key
	for (unsigned i = 0; i < NODES; i++)
		node_start(&w.node[i]);
	route_to(C, A);
	data(C, A);
	run_for(XY_SEC);
	CU_ASSERT(is_up(C, A));
	route_to(A, A);
	data(A, A); // it came back
	run_for(XY_SEC);
	CU_ASSERT(counts(A).count == 1 && counts(A).keyless == 0);
	uint32_t number;
	CU_ASSERT_EQUAL(xy_fars_pin(A->fars, &A->id.x25519, &number, w.now), -EINVAL);
	world_end();
}

static void test_keyless(void)
{
	struct xy_prefix net;
	world_begin();
	for (unsigned i = 0; i < NODES; i++)
		node_start(&w.node[i]);
	data(A, B);
	run_for(XY_SEC);
	CU_ASSERT(counts(A).count == 0 && counts(A).keyless == 1 && A->jobs == 0);
	CU_ASSERT(xy_fars_keyless(A->fars, w.now, &net) && xy_prefix_contains(&net, &B->id.addr));
	// A signature of another key does not make it the owner.
	route_of(A, &B->id.x25519, &C->id.x25519, 1);
	data(A, B);
	run_for(XY_SEC);
	CU_ASSERT(counts(A).count == 0 && counts(A).keyless == 2);
	// Nor does a shorter prefix.
	const struct xy_rib_origin origin = {.has_key = true, .key = B->id.x25519};
	const struct xy_rib_route mesh = {.prefix = XY_MESH_PREFIX,
					  .source = XY_ROUTE_STATIC,
					  .route = {.kind = XY_DP_ROUTE_PEER},
					  .origin = &origin};
	CU_ASSERT(xy_rib_set(&A->rib, &mesh) == 0);
	data(A, B);
	CU_ASSERT_EQUAL(counts(A).keyless, 3);
	route_to(A, B);
	data(A, B);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, B));
	run_for(60 * XY_SEC);
	CU_ASSERT(!xy_fars_keyless(A->fars, w.now, &net));
	world_end();
}

// A static route is in force and names no key: the signed one behind it does.
static void test_key_behind(void)
{
	world_make();
	const struct xy_rib_route r = {.prefix = xy_key_prefix(&B->id.x25519),
				       .source = XY_ROUTE_STATIC,
				       .route = {.kind = XY_DP_ROUTE_PEER, .peer = 1}};
	CU_ASSERT(xy_rib_set(&A->rib, &r) == 0);
	data(A, B);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, B));
	world_end();
}

// Without a route of its own it still answers.
static void test_answers_without_route(void)
{
	world_begin();
	for (unsigned i = 0; i < NODES; i++)
		node_start(&w.node[i]);
	route_to(A, B);
	data(A, B);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, B) && is_up(B, A) && data_rx(B, A) == 1);
	world_end();
}

static void test_bad_key(void)
{
	static const struct xy_key zero = {{1}}; // small order
	world_make();
	route_of(A, &zero, &zero, 1);
	const struct xy_prefix p = xy_key_prefix(&zero);
	fake_far_data(&A->dp, &p.addr);
	run_for(XY_SEC);
	CU_ASSERT(counts(A).count == 0 && drops(A, XY_HS_DROP_BAD) == 1);
	uint32_t number;
	CU_ASSERT(xy_fars_pin(A->fars, &zero, &number, w.now) == 0);
	run_for(XY_SEC);
	struct xy_far_info i;
	CU_ASSERT(xy_fars_info(A->fars, number, w.now, &i) && i.state == XY_FAR_REFUSED);
	fake_far_data(&A->dp, &p.addr);
	run_for(XY_SEC);
	CU_ASSERT(counts(A).count == 1);
	xy_fars_unpin(A->fars, number, w.now);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(counts(A).count, 0);
	world_end();
}

// --- room

static void test_eviction(void)
{
	world_begin();
	A->max = 2;
	for (unsigned i = 0; i < NODES; i++)
		node_start(&w.node[i]);
	for (unsigned i = 1; i < NODES; i++)
		route_to(A, &w.node[i]);
	data(A, B);
	run_for(XY_SEC);
	data(A, C);
	run_for(XY_SEC);
	data(A, D); // both are in use
	run_for(XY_SEC);
	CU_ASSERT(!far_of(A, D) && counts(A).refused == 1);
	for (unsigned i = 0; i < 20; i++) {
		data(A, B);
		run_for(XY_SEC);
	}
	data(A, D); // C is idle for longest
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, D) && is_up(A, B) && !far_of(A, C) && counts(A).evicted == 1);
	CU_ASSERT(A->dp.fars == 2);
	// Who asks takes no place of one that was used within a minute, but of one before.
	route_to(C, A);
	data(C, A); // its session is of before: it finds out
	for (unsigned i = 0; i < 30; i++) {
		data(A, B);
		data(C, A);
		run_for(XY_SEC);
	}
	CU_ASSERT(far_of(A, D) && !far_of(A, C) && drops(A, XY_HS_DROP_FAR_FULL) >= 1);
	for (unsigned i = 0; i < 60; i++) {
		data(A, B);
		data(C, A);
		run_for(XY_SEC);
	}
	CU_ASSERT(is_up(A, C) && is_up(A, B) && !far_of(A, D));
	world_end();
}

static void test_pins(void)
{
	uint32_t number, again;
	world_make();
	CU_ASSERT(xy_fars_pin(A->fars, &B->id.x25519, &number, w.now) == 0);
	CU_ASSERT(A->dp.peer[number].is_far &&
		  xy_addr_eq(&A->dp.peer[number].far.addr, &B->id.addr));
	CU_ASSERT(xy_fars_pin(A->fars, &B->id.x25519, &again, w.now) == 0 && again == number);
	run_for(XY_SEC);
	CU_ASSERT(w.sent[XY_WG_INITIATION] == 0 && info(A, B).state == XY_FAR_IDLE);
	CU_ASSERT(info(A, B).pins == 2 && counts(A).pinned == 1);
	data(A, B);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, B));
	run_for(300 * XY_SEC); // its session ends, its place does not
	CU_ASSERT(!is_up(A, B) && info(A, B).number == number && fake_sessions(&A->dp) == 0);
	CU_ASSERT(xy_fars_deadline(A->fars) > w.now + 200 * XY_SEC); // it is at rest
	data(A, B);
	run_for(6 * XY_SEC);
	CU_ASSERT(is_up(A, B));
	xy_fars_unpin(A->fars, number, w.now);
	run_for(300 * XY_SEC);
	CU_ASSERT(counts(A).count == 1);
	xy_fars_unpin(A->fars, number, w.now);
	CU_ASSERT(counts(A).pinned == 0);
	run_for(300 * XY_SEC);
	CU_ASSERT_EQUAL(counts(A).count, 0);
	world_end();
}

// One that is at rest is asked: what comes of that is not idle.
static void test_pinned_is_asked(void)
{
	uint32_t number;
	world_make();
	CU_ASSERT(xy_fars_pin(A->fars, &B->id.x25519, &number, w.now) == 0);
	run_for(1000 * XY_SEC);
	data(B, A);
	run_for(6 * XY_SEC);
	CU_ASSERT(is_up(A, B) && is_up(B, A) && data_rx(A, B) == 1);
	run_for(1000 * XY_SEC);
	data(B, A);
	run_for(6 * XY_SEC);
	CU_ASSERT(is_up(A, B) && is_up(B, A));
	xy_fars_unpin(A->fars, number, w.now);
	world_end();
}

static void test_pins_full(void)
{
	uint32_t number[3];
	world_begin();
	A->max = 2;
	for (unsigned i = 0; i < NODES; i++)
		node_start(&w.node[i]);
	route_to(A, D);
	data(A, D);
	run_for(XY_SEC);
	CU_ASSERT(xy_fars_pin(A->fars, &B->id.x25519, &number[0], w.now) == 0);
	// It is the operator's will: even one in use makes room.
	CU_ASSERT(xy_fars_pin(A->fars, &C->id.x25519, &number[1], w.now) == 0 && !far_of(A, D));
	CU_ASSERT(xy_fars_pin(A->fars, &D->id.x25519, &number[2], w.now) == -ENOSPC);
	data(A, D);
	CU_ASSERT(!far_of(A, D) && counts(A).refused == 2);
	// A mapping that finds no room is refused until there is some.
	const struct xy_rib_origin origin = {.has_key = true, .key = D->id.x25519};
	struct xy_rib_route r = {.source = XY_ROUTE_LEARNED,
				 .route = {.kind = XY_DP_ROUTE_PEER, .peer = 3},
				 .origin = &origin};
	CU_ASSERT(xy_prefix_parse("10.1.0.0/16", &r.prefix) == 0 && xy_rib_set(&A->rib, &r) == 0);
	const struct fake_route *told = fake_route_find(A->dp.route, "10.1.0.0/16");
	CU_ASSERT_FATAL(told && told->route.kind == XY_DP_ROUTE_REJECT);
	xy_rib_again(&A->rib, 9);
	CU_ASSERT_EQUAL(told->route.kind, XY_DP_ROUTE_REJECT);
	xy_fars_unpin(A->fars, number[0], w.now);
	run_for(2 * XY_SEC);
	xy_rib_again(&A->rib, 9);
	CU_ASSERT(told->route.kind == XY_DP_ROUTE_FAR && info(A, D).pins == 1);
	xy_rib_del(&A->rib, &r.prefix, r.source);
	xy_fars_unpin(A->fars, number[1], w.now);
	world_end();
}

// A mapping: what is sealed for its owner names it in the dataplane, and holds it.
static void test_mapping(void)
{
	struct xy_rib_origin origin = {.has_key = true, .key = B->id.x25519, .epoch = 1};
	struct xy_rib_route r = {.source = XY_ROUTE_LEARNED,
				 .route = {.kind = XY_DP_ROUTE_PEER, .peer = 3},
				 .origin = &origin};
	world_make();
	origin.key = B->id.x25519;
	CU_ASSERT(xy_prefix_parse("10.1.0.0/16", &r.prefix) == 0);
	CU_ASSERT(xy_rib_set(&A->rib, &r) == 0);
	const struct fake_route *told = fake_route_find(A->dp.route, "10.1.0.0/16");
	CU_ASSERT_FATAL(told && told->route.kind == XY_DP_ROUTE_FAR);
	CU_ASSERT(told->route.peer == far_of(A, B)->number && far_of(A, B)->pins == 1);
	CU_ASSERT(xy_rib_set(&A->rib, &r) == 0 && far_of(A, B)->pins == 1);
	// Another gateway by the same next hop.
	origin.key = C->id.x25519;
	CU_ASSERT(xy_rib_set(&A->rib, &r) == 0);
	CU_ASSERT(told->route.peer == far_of(A, C)->number && far_of(A, C)->pins == 1);
	CU_ASSERT_EQUAL(far_of(A, B)->pins, 0);
	// A static one before it, unsealed, and away again.
	struct xy_rib_route fixed = r;
	fixed.source = XY_ROUTE_STATIC;
	fixed.origin = NULL;
	CU_ASSERT(xy_rib_set(&A->rib, &fixed) == 0);
	CU_ASSERT(told->route.kind == XY_DP_ROUTE_PEER && far_of(A, C)->pins == 0);
	xy_rib_del(&A->rib, &r.prefix, XY_ROUTE_STATIC);
	CU_ASSERT(told->route.kind == XY_DP_ROUTE_FAR && far_of(A, C)->pins == 1);
	// It cannot be sealed: refused, and tried again with the next word of it.
	origin.key = A->id.x25519;
	CU_ASSERT(xy_rib_set(&A->rib, &r) == 0);
	CU_ASSERT(told->route.kind == XY_DP_ROUTE_REJECT && far_of(A, C)->pins == 0);
	unsigned changes = A->dp.route_changes;
	CU_ASSERT(xy_rib_set(&A->rib, &r) == 0 && A->dp.route_changes == changes);
	origin.key = B->id.x25519;
	CU_ASSERT(xy_rib_set(&A->rib, &r) == 0 && told->route.kind == XY_DP_ROUTE_FAR);
	xy_rib_del(&A->rib, &r.prefix, XY_ROUTE_LEARNED);
	CU_ASSERT(!told->there && counts(A).pinned == 0);
	world_end();
}

// Where the table is full, what yields gives up its place, and what it held.
static void test_mapping_room(void)
{
	struct xy_rib_origin origin = {.has_key = true};
	struct xy_rib_route r = {.source = XY_ROUTE_LEARNED,
				 .route = {.kind = XY_DP_ROUTE_PEER, .peer = 3},
				 .yields = true,
				 .origin = &origin};
	world_make();
	origin.key = B->id.x25519;
	A->dp.room = fake_route_count(A->dp.route) + 1;
	CU_ASSERT(xy_prefix_parse("10.1.0.0/16", &r.prefix) == 0 && xy_rib_set(&A->rib, &r) == 0);
	CU_ASSERT_EQUAL(far_of(A, B)->pins, 1);
	r.yields = false;
	origin.key = C->id.x25519;
	CU_ASSERT(xy_prefix_parse("10.2.0.0/16", &r.prefix) == 0 && xy_rib_set(&A->rib, &r) == 0);
	CU_ASSERT(far_of(A, B)->pins == 0 && far_of(A, C)->pins == 1);
	xy_rib_del(&A->rib, &r.prefix, r.source);
	CU_ASSERT(far_of(A, B)->pins == 1 && far_of(A, C)->pins == 0);
	world_end();
}

// A number that was another's a moment ago is not to be had: whoever wants it asks again.
static void test_numbers_rest(void)
{
	struct xy_rib_origin origin = {.has_key = true};
	struct xy_rib_route r = {.source = XY_ROUTE_LEARNED,
				 .route = {.kind = XY_DP_ROUTE_PEER, .peer = 3},
				 .origin = &origin};
	world_begin();
	A->max = 1;
	for (unsigned i = 0; i < NODES; i++)
		node_start(&w.node[i]);
	A->dp.rest = 100 * XY_MSEC;
	route_to(A, B);
	route_to(A, C);
	data(A, B);
	run_for(20 * XY_SEC);
	data(A, C);
	CU_ASSERT(counts(A).count == 0 && counts(A).evicted == 1);
	run_for(XY_SEC);
	data(A, C);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, C) && counts(A).refused == 0);
	origin.key = B->id.x25519; // pinned, it makes the other go
	CU_ASSERT(xy_prefix_parse("10.1.0.0/16", &r.prefix) == 0 && xy_rib_set(&A->rib, &r) == 0);
	const struct fake_route *told = fake_route_find(A->dp.route, "10.1.0.0/16");
	CU_ASSERT(told->route.kind == XY_DP_ROUTE_REJECT && !far_of(A, C));
	unsigned changes = A->dp.route_changes;
	xy_rib_again(&A->rib, 9);
	CU_ASSERT(told->route.kind == XY_DP_ROUTE_REJECT && A->dp.route_changes == changes);
	run_for(XY_SEC);
	xy_rib_again(&A->rib, 9);
	CU_ASSERT(told->route.kind == XY_DP_ROUTE_FAR && !A->rib.unsealed.head);
	CU_ASSERT_EQUAL(counts(A).refused, 0);
	world_end();
}

// Nobody makes room for one that has no number in the end.
static void test_not_in_vain(void)
{
	struct xy_key key;
	unsigned made = 0;
	world_begin();
	A->max = 64;
	node_start(A);
	A->dp.rest = 100 * XY_MSEC;
	do
		random_bytes(NULL, key.b, sizeof(key.b));
	while (xy_far_make(A->fars, &key, XY_FAR_BY_TRAFFIC, XY_DP_NO_PEER, w.now));
	uint32_t full = counts(A).count;
	CU_ASSERT(full == 64 && counts(A).evicted == 0);
	w.now += 20 * XY_SEC; // all are idle
	for (unsigned i = 0; i < 30; i++) {
		random_bytes(NULL, key.b, sizeof(key.b));
		enum xy_far_reason why = i % 2 ? XY_FAR_BY_TRAFFIC : XY_FAR_BY_PIN;
		made += xy_far_make(A->fars, &key, why, XY_DP_NO_PEER, w.now) != NULL;
	}
	// The one that went has left a number, which has not rested.
	CU_ASSERT(made == 0 && counts(A).evicted == 1 && counts(A).count == full - 1);
	w.now += XY_SEC;
	random_bytes(NULL, key.b, sizeof(key.b));
	CU_ASSERT(xy_far_make(A->fars, &key, XY_FAR_BY_TRAFFIC, XY_DP_NO_PEER, w.now) != NULL);
	CU_ASSERT(counts(A).evicted == 2 && counts(A).count == full - 1);
	world_end();
}

// Links use up the indices: idle ones end, and give theirs.
static void test_indices(void)
{
	world_make();
	A->fars->cfg.max_sessions = 8;
	data(A, B);
	run_for(2 * XY_SEC);
	for (unsigned i = 0; i < 7; i++) { // as others' would be
		uint32_t index = 1000 + i;
		CU_ASSERT(xy_map_set(&A->exchanges->by_index, index, 0) == 0);
	}
	data(A, C);
	run_for(XY_SEC);
	CU_ASSERT(far_of(A, B) && !far_of(A, C) && counts(A).refused == 1);
	run_for(12 * XY_SEC);
	CU_ASSERT(!far_of(A, B) && counts(A).evicted == 1);
	for (unsigned i = 0; i < 7; i++)
		xy_map_del(&A->exchanges->by_index, 1000 + i);
	data(A, C);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, C));
	world_end();
}

// --- sizes and sources

static void mtu_event(struct node *n, const struct node *to, uint32_t mtu)
{
	struct xy_dp_event ev = {.type = XY_DP_FAR_MTU, .peer = far_of(n, to)->number, .mtu = mtu};
	on_event(n, &ev);
}

static void test_mtu(void)
{
	world_make();
	data(A, B);
	run_for(XY_SEC);
	const struct xy_dp_far *told = &A->dp.peer[far_of(A, B)->number].far;
	mtu_event(A, B, 1400);
	CU_ASSERT_EQUAL(told->mtu, 1400);
	mtu_event(A, B, 1410); // only ever lowered
	CU_ASSERT_EQUAL(told->mtu, 1400);
	mtu_event(A, B, 600);
	CU_ASSERT_EQUAL(told->mtu, 1352);
	CU_ASSERT(is_up(A, B));
	for (unsigned i = 0; i < 599; i++) {
		data(A, B);
		run_for(XY_SEC);
	}
	CU_ASSERT_EQUAL(told->mtu, 1352);
	for (unsigned i = 0; i < 2; i++) {
		data(A, B);
		run_for(XY_SEC);
	}
	CU_ASSERT(told->mtu == 0 && is_up(A, B));
	A->dp.no_memory = true; // what could not be told is not so, and is told when it is next
	mtu_event(A, B, 1400);
	CU_ASSERT(told->mtu == 0 && info(A, B).mtu == 0);
	A->dp.no_memory = false;
	mtu_event(A, B, 1400);
	CU_ASSERT(told->mtu == 1400 && info(A, B).mtu == 1400);
	A->dp.no_memory = true;
	for (unsigned i = 0; i < 605; i++) {
		data(A, B);
		run_for(XY_SEC);
	}
	CU_ASSERT(told->mtu == 1400 && info(A, B).mtu == 1400);
	A->dp.no_memory = false;
	run_for(2 * XY_SEC);
	CU_ASSERT(told->mtu == 0 && info(A, B).mtu == 0);
	world_end();
}

static bool is_taken(const struct xy_accepts *a, const char *text)
{
	struct xy_prefix p;
	CU_ASSERT_EQUAL(xy_prefix_parse(text, &p), 0);
	for (unsigned i = 0; i < a->taken_count; i++)
		if (xy_prefix_eq(&a->taken[i], &p))
			return true;
	return false;
}

static void test_accepts(void)
{
	struct xy_config_accept accept[3] = {0};
	struct xy_config_route route[2] = {0};
	struct xy_config_peer peer = {.name = "c"};
	struct xy_config c = {.routing = {.accept_count = 3, .accept = accept},
			      .route_count = 2,
			      .routes = route,
			      .peer_count = 1,
			      .peers = &peer};
	const struct xy_prefix *prefix;
	struct xy_hs_remote remote[1] = {0};
	world_make();
	accept[0].key = accept[2].key = B->id.x25519;
	accept[1].key = D->id.x25519;
	peer.key = C->id.x25519;
	memcpy(remote[0].pk, C->id.x25519.b, sizeof(remote[0].pk));
	route[1].key = B->id.x25519;
	CU_ASSERT(xy_prefix_parse("10.2.0.0/16", &accept[0].prefix) == 0 &&
		  xy_prefix_parse("10.1.0.0/16", &accept[1].prefix) == 0 &&
		  xy_prefix_parse("10.1.0.0/16", &accept[2].prefix) == 0 &&
		  xy_prefix_parse("::/0", &route[0].prefix) == 0 &&
		  xy_prefix_parse("10.2.0.0/16", &route[1].prefix) == 0);
	struct xy_key users[] = {D->id.x25519, B->id.x25519};
	c.exit.offer = true;
	c.exit.users = users;
	c.exit.user_count = 2;
	struct xy_prefix site[2] = {{.len = 0}}, phone;
	CU_ASSERT(xy_prefix_parse("10.4.0.0/16", &site[1]) == 0 &&
		  xy_prefix_parse("10.5.0.5/32", &phone) == 0);
	c.routing.announce = (struct xy_config_prefixes){.v = site, .count = 2};
	peer.allowed = (struct xy_config_prefixes){.v = &phone, .count = 1};
	CU_ASSERT_FATAL(xy_accepts_make(&c, remote, &A->accepts) == 0);
	CU_ASSERT(xy_accepts_exits(&A->accepts, &B->id.x25519) &&
		  xy_accepts_exits(&A->accepts, &D->id.x25519) &&
		  !xy_accepts_exits(&A->accepts, &C->id.x25519));
	CU_ASSERT_EQUAL(A->accepts.count, 4); // one stands twice
	CU_ASSERT(A->accepts.whole); // of c; which is none of what is others', ours, or a leaf's
	CU_ASSERT(is_taken(&A->accepts, "10.1.0.0/16") && is_taken(&A->accepts, "10.2.0.0/16") &&
		  is_taken(&A->accepts, "10.4.0.0/16") && is_taken(&A->accepts, "10.5.0.5/32") &&
		  !is_taken(&A->accepts, "::/0"));
	CU_ASSERT(xy_accepts_of(&A->accepts, &B->id.x25519, &prefix) == 2 &&
		  xy_prefix_eq(&prefix[0], &accept[2].prefix) &&
		  xy_prefix_eq(&prefix[1], &accept[0].prefix));
	CU_ASSERT(xy_accepts_of(&A->accepts, &C->id.x25519, &prefix) == 1 && prefix[0].len == 0);
	CU_ASSERT_EQUAL(xy_accepts_of(&A->accepts, &A->id.x25519, &prefix), 0);
	data(A, B); // at its creation
	run_for(XY_SEC);
	const struct fake_peer *told = &A->dp.peer[far_of(A, B)->number];
	CU_ASSERT(told->accepts == 2 && xy_prefix_eq(&told->accept[1], &accept[0].prefix));
	CU_ASSERT(told->exits);
	c.exit.user_count = 1;
	xy_accepts_free(&A->accepts); // and with another config
	c.route_count = c.routing.accept_count = 1;
	CU_ASSERT_FATAL(xy_accepts_make(&c, remote, &A->accepts) == 0);
	xy_fars_accepts_changed(A->fars);
	run_for(XY_SEC);
	CU_ASSERT(told->accepts == 1 && told->accepts_told == 2 && !told->exits);
	A->dp.no_memory = true; // what is not accepted any more must not stay
	xy_fars_accepts_changed(A->fars);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(told->accepts, 0);
	data(A, D);
	run_for(5 * XY_SEC);
	CU_ASSERT(is_up(A, D) && told->accepts == 0 && told->accepts_told < 12);
	A->dp.no_memory = false;
	run_for(2 * XY_SEC);
	CU_ASSERT(told->accepts == 1 && A->dp.peer[far_of(A, D)->number].accepts == 0);
	unsigned told_before = told->accepts_told;
	run_for(10 * XY_SEC);
	CU_ASSERT(told->accepts_told == told_before);
	world_end();
}

// --- strangers

// Message 1 as a stranger's would be, but for what is inside: it costs us an X25519.
static void flood(struct node *n, unsigned link, unsigned count)
{
	struct xy_cookie_jar jar;
	uint8_t packet[XY_IPV6_LEN + sizeof(struct xy_wg_initiation)] = {0x60};
	struct xy_wg_initiation *m = (struct xy_wg_initiation *)(packet + XY_IPV6_LEN);
	xy_cookie_jar_init(&jar, n->id.x25519.b);
	packet[8] = XY_MESH_BYTE;
	while (count--) {
		random_bytes(NULL, packet + 9, 15);
		random_bytes(NULL, m, sizeof(*m));
		memset(m, 0, 4);
		m->type = XY_WG_INITIATION;
		xy_cookie_macs_add(&jar, (uint8_t *)m, sizeof(*m), w.now);
		fake_far_receive(&n->dp, link, packet, sizeof(packet));
	}
}

// A handshake of B's with A, of this label, that link 7 brings.
static void b_asks(const char *label, uint8_t number)
{
	static const uint8_t psk[XY_WG_KEY_LEN];
	uint8_t e[32] = {number, 78}, stamp[XY_WG_TAI64N_LEN] = {0x40, [11] = number};
	uint8_t packet[XY_IPV6_LEN + sizeof(struct xy_wg_initiation)] = {0x60};
	struct xy_wg_initiation *m = (struct xy_wg_initiation *)(packet + XY_IPV6_LEN);
	struct xy_hs_local local = {.label = label};
	struct xy_hs_remote remote;
	struct xy_hs_state state;
	struct xy_cookie_jar jar;
	memcpy(packet + 8, B->id.addr.b, 16);
	memcpy(local.sk, B->id.x25519_sk, 32);
	memcpy(local.pk, B->id.x25519.b, 32);
	CU_ASSERT_FATAL(xy_hs_remote_init(A->id.x25519.b, psk, &remote) == 0);
	CU_ASSERT_FATAL(xy_hs_remote_meet(&local, &remote) == 0);
	CU_ASSERT_FATAL(xy_hs_initiation_create(&local, &remote, e, stamp, number, &state, m) == 0);
	xy_cookie_jar_init(&jar, A->id.x25519.b);
	xy_cookie_macs_add(&jar, (uint8_t *)m, sizeof(*m), w.now);
	fake_far_receive(&A->dp, 7, packet, sizeof(packet));
}

// A link's, that whoever sees it puts into the overlay, is none of ours.
static void test_of_a_link(void)
{
	world_make();
	b_asks(NULL, 1);
	run_for(XY_SEC);
	CU_ASSERT(drops(A, XY_HS_DROP_BAD) == 1 && counts(A).count == 0);
	CU_ASSERT_EQUAL(w.sent[XY_WG_RESPONSE], 0);
	b_asks("xylem-e2e-v1", 2); // bytes as they are written down
	run_for(XY_SEC);
	CU_ASSERT(drops(A, XY_HS_DROP_BAD) == 1 && counts(A).provisional == 1);
	CU_ASSERT_EQUAL(w.sent[XY_WG_RESPONSE], 1);
	world_end();
}

static void test_flood(void)
{
	world_make();
	data(A, B);
	run_for(XY_SEC);
	for (unsigned i = 0; i < 200; i++) { // 10,000 a second by one link
		flood(A, 7, 50);
		if (i == 20)
			data(C, A); // a stranger by another
		if (i == 50)
			data(D, A);
		if (i == 40) // and a known one rekeys
			xy_exchange_want(B->exchanges, &far_of(B, A)->exchange, w.now);
		run_for(5 * XY_MSEC);
	}
	CU_ASSERT(drops(A, XY_HS_DROP_COOKIE) > 1000);
	CU_ASSERT(drops(A, XY_HS_DROP_BAD) < 2000); // X25519s, of 10,000
	CU_ASSERT(A->jobs_most <= XY_JOBS_STRANGERS + 4);
	for (unsigned i = 0; i < 1400; i++) {
		flood(A, 7, 50);
		run_for(5 * XY_MSEC);
	}
	CU_ASSERT(is_up(A, B) && w.now - info(A, B).session_born < 10 * XY_SEC);
	CU_ASSERT(is_up(A, C) && is_up(A, D) && data_rx(A, C) == 1 && data_rx(A, D) == 1);
	CU_ASSERT_EQUAL(counts(A).count, 3);
	world_end();
}

// Keys cost nothing, and each hashes to an address: whoever makes them up has real handshakes.
static void test_strangers_that_only_ask(void)
{
	enum { KEYS = 100 };
	world_begin();
	A->max = 64;
	for (unsigned i = 0; i < NODES; i++)
		node_start(&w.node[i]);
	route_to(A, C);
	route_to(D, A);
	data(A, C);
	run_for(XY_SEC);
	for (unsigned i = 0; i < KEYS; i++) { // B, with another key each time, says no more
		uint8_t seed[32];
		jobs_finish(B);
		node_end(B);
		random_bytes(NULL, seed, sizeof(seed));
		CU_ASSERT_FATAL(xy_identity_from_seed(seed, &B->id) == 0);
		node_start(B);
		route_to(B, A);
		B->deaf = true;
		data(B, A);
		run_for(30 * XY_MSEC);
		CU_ASSERT(counts(A).provisional <= 16);
	}
	CU_ASSERT(drops(A, XY_HS_DROP_FAR_FULL) == 0 && drops(A, XY_HS_DROP_COOKIE) > 50);
	CU_ASSERT(is_up(A, C) && counts(A).provisional >= 8);
	data(D, A);
	run_for(6 * XY_SEC);
	CU_ASSERT(is_up(A, D) && is_up(D, A)); // all the same, with a cookie
	jobs_finish(B);
	node_end(B);
	run_for(11 * XY_SEC); // nothing came of the others
	CU_ASSERT(counts(A).provisional == 0 && counts(A).count == 2);
	world_end();
}

// Those that one link brings make room for one another, and not those of other links.
static void test_strangers_by_link(void)
{
	struct xy_far_node *few[2];
	struct xy_key key;
	uint32_t number[2];
	world_begin();
	A->max = 64;
	node_start(A);
	for (unsigned i = 0; i < 102; i++) {
		random_bytes(NULL, key.b, sizeof(key.b));
		struct xy_far_node *n =
			xy_far_make(A->fars, &key, XY_FAR_BY_STRANGER, i < 2 ? 3 : 7, w.now);
		CU_ASSERT_FATAL(n != NULL);
		if (i < 2) {
			few[i] = n;
			number[i] = n->number;
		}
		CU_ASSERT(counts(A).provisional <= 16);
	}
	for (unsigned i = 0; i < 2; i++)
		CU_ASSERT(xy_far_at(A->fars, number[i]) == few[i] && few[i]->via == 3);
	CU_ASSERT(counts(A).evicted == 86 && A->fars->brought[3] == 2 && A->fars->brought[7] == 14);
	// A link with fewer takes from the one with most.
	random_bytes(NULL, key.b, sizeof(key.b));
	CU_ASSERT(xy_far_make(A->fars, &key, XY_FAR_BY_STRANGER, 1, w.now) != NULL);
	CU_ASSERT(A->fars->brought[3] == 2 && A->fars->brought[7] == 13 &&
		  A->fars->brought[1] == 1);
	world_end();
}

// Whose address is used by another link costs that link, not the node.
static bool in_name_of_b(struct message *m)
{
	if (m->link == (unsigned)(C - w.node)) {
		memcpy(m->data + 8, B->id.addr.b, 16);
		m->link = 7;
	}
	return false;
}

static void test_flood_in_a_name(void)
{
	struct xy_cookie_jar jar;
	uint8_t packet[XY_IPV6_LEN + sizeof(struct xy_wg_initiation)] = {0x60};
	struct xy_wg_initiation *m = (struct xy_wg_initiation *)(packet + XY_IPV6_LEN);
	world_make();
	data(A, B);
	run_for(XY_SEC);
	w.lose = in_name_of_b;
	data(C, A);
	run_for(XY_SEC);
	CU_ASSERT(drops(A, XY_HS_DROP_SOURCE) == 1 && info(A, B).via == 1);
	xy_cookie_jar_init(&jar, A->id.x25519.b);
	memcpy(packet + 8, B->id.addr.b, 16);
	for (unsigned i = 0; i < 1000; i++) {
		random_bytes(NULL, m, sizeof(*m));
		memset(m, 0, 4);
		m->type = XY_WG_INITIATION;
		xy_cookie_macs_add(&jar, (uint8_t *)m, sizeof(*m), w.now);
		fake_far_receive(&A->dp, 7, packet, sizeof(packet));
	}
	uint64_t cookies = drops(A, XY_HS_DROP_COOKIE);
	CU_ASSERT(cookies > 500);
	xy_exchange_want(B->exchanges, &far_of(B, A)->exchange, w.now); // it needs none
	run_for(XY_SEC);
	CU_ASSERT(drops(A, XY_HS_DROP_COOKIE) == cookies);
	CU_ASSERT(w.now - info(B, A).session_born <= XY_SEC);
	world_end();
}

// Nor does it cost the link by which the node itself comes, unless it is meant for us.
static void test_flood_without_mac(void)
{
	uint8_t packet[XY_IPV6_LEN + sizeof(struct xy_wg_initiation)] = {0x60};
	world_begin();
	w.link_rate = 10;
	for (unsigned i = 0; i < NODES; i++)
		node_start(&w.node[i]);
	route_to(A, B);
	data(A, B);
	run_for(8 * XY_SEC);
	memcpy(packet + 8, B->id.addr.b, 16);
	packet[XY_IPV6_LEN] = XY_WG_INITIATION;
	for (unsigned i = 0; i < 10000; i++)
		fake_far_receive(&A->dp, 1, packet, sizeof(packet));
	CU_ASSERT_EQUAL(drops(A, XY_HS_DROP_BAD_MAC), 10000);
	A->fars->owner.admission.load.full_at = w.now + 2 * XY_SEC; // strangers' way is dry
	xy_exchange_want(B->exchanges, &far_of(B, A)->exchange, w.now);
	run_for(XY_SEC);
	CU_ASSERT_EQUAL(drops(A, XY_HS_DROP_COOKIE), 0);
	CU_ASSERT(w.now - info(B, A).session_born <= XY_SEC);
	world_end();
}

// What was recorded comes again, when the node was forgotten: its time stamp, too.
static struct message recorded;

static bool record(struct message *m)
{
	if (m->data[XY_IPV6_LEN] == XY_WG_INITIATION && !recorded.len)
		recorded = *m;
	return false;
}

static void test_replay(void)
{
	world_make();
	recorded.len = 0;
	w.lose = record;
	data(B, A);
	run_for(XY_SEC);
	w.lose = NULL;
	fake_far_receive(&A->dp, 5, recorded.data, recorded.len);
	run_for(XY_SEC);
	CU_ASSERT(drops(A, XY_HS_DROP_REPLAY) == 1 && is_up(A, B));
	run_for(300 * XY_SEC);
	CU_ASSERT_EQUAL(counts(A).count, 0);
	fake_far_receive(&A->dp, 5, recorded.data, recorded.len);
	run_for(XY_SEC);
	CU_ASSERT(counts(A).provisional == 1 && !is_up(A, B)); // it says nothing in it
	// It itself is not kept out by that.
	data(B, A);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, B) && counts(A).provisional == 0 && data_rx(A, B) == 1);
	world_end();
}

// It was asked for by a replay, and then by us: who answers that is who it says.
static void test_answers_provisional(void)
{
	uint32_t number;
	world_make();
	recorded.len = 0;
	CU_ASSERT(xy_fars_pin(B->fars, &A->id.x25519, &number, w.now) == 0); // it stays known there
	w.lose = record;
	data(B, A);
	run_for(XY_SEC);
	w.lose = NULL;
	run_for(300 * XY_SEC);
	fake_far_receive(&A->dp, 5, recorded.data, recorded.len);
	run_for(XY_SEC);
	CU_ASSERT(counts(A).provisional == 1 && A->fars->brought[5] == 1);
	data(A, B);
	run_for(XY_SEC);
	CU_ASSERT(is_up(A, B) && counts(A).provisional == 0 && A->fars->brought[5] == 0);
	CU_ASSERT_EQUAL(info(A, B).via, 1); // by which it answered
	uint32_t index = info(A, B).session[0].index;
	for (unsigned i = 0; i < 30; i++) { // B says nothing but keepalives
		data(A, B);
		run_for(XY_SEC);
	}
	CU_ASSERT(info(A, B).session[0].index == index && data_rx(B, A) == 31);
	CU_ASSERT_EQUAL(counts(A).ended, 1); // that of before
	xy_fars_unpin(B->fars, number, w.now);
	world_end();
}

// Events of who has gone, and nonsense, do no harm.
static void test_stale_events(void)
{
	world_make();
	data(A, B);
	run_for(XY_SEC);
	uint32_t number = far_of(A, B)->number, index = info(A, B).session[0].index;
	run_for(300 * XY_SEC);
	for (unsigned i = 0; i <= XY_DP_FAR_MTU; i++) {
		struct xy_dp_event ev = {.type = (enum xy_dp_event_type)i,
					 .peer = number,
					 .index = index,
					 .remote = {.addr = B->id.addr},
					 .addr = A->id.addr,
					 .mtu = 1,
					 .data = (const uint8_t *)"\1\0\0",
					 .len = 3};
		xy_fars_event(A->fars, &ev, w.now);
	}
	CU_ASSERT(drops(A, XY_HS_DROP_MALFORMED) == 1 && counts(A).count == 0);
	data(A, B); // its number rests
	CU_ASSERT(far_of(A, B)->number != number);
	world_end();
}

XY_UNIT_MAIN("far", {"first packet", test_first_packet}, {"both at once", test_both_at_once},
	     {"asked while meeting", test_asked_while_meeting},
	     {"an answer by its link", test_answer_by_link}, {"idle", test_idle},
	     {"nobody answers", test_give_up}, {"goes and returns", test_goes_and_returns},
	     {"starts anew", test_restart}, {"starts anew, untold", test_restart_untold},
	     {"said to be lost", test_lost_forged}, {"begun anew", test_renew},
	     {"another secret", test_secret}, {"another secret meanwhile", test_secret_meanwhile},
	     {"source not the hash", test_wrong_source},
	     {"response from elsewhere", test_response_from_elsewhere}, {"our key", test_own_key},
	     {"no key", test_keyless}, {"key behind a static route", test_key_behind},
	     {"answers without a route", test_answers_without_route}, {"bad key", test_bad_key},
	     {"who makes room", test_eviction}, {"pins", test_pins},
	     {"a pinned one is asked", test_pinned_is_asked}, {"all pinned", test_pins_full},
	     {"mapping", test_mapping}, {"mapping without room", test_mapping_room},
	     {"no indices", test_indices}, {"numbers rest", test_numbers_rest},
	     {"not in vain", test_not_in_vain}, {"path MTU", test_mtu}, {"accepts", test_accepts},
	     {"a handshake of a link", test_of_a_link}, {"flood by one link", test_flood},
	     {"strangers", test_strangers_that_only_ask},
	     {"strangers by link", test_strangers_by_link},
	     {"flood in a name", test_flood_in_a_name},
	     {"flood without a mac", test_flood_without_mac}, {"replay", test_replay},
	     {"answers, provisional", test_answers_provisional},
	     {"stale events", test_stale_events})
