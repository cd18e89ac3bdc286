// SPDX-License-Identifier: BSD-3-Clause
// The routing machine against neighbours that the test plays, packet by packet, on virtual time and
// with real keys: feasibility, signatures, epochs, limits, plain domains, stubs.
#include "babel_rig.h"

// ---- claims ----

// Fixed bytes: an implementation in another language can check itself against these.
static void test_claim_vector(void)
{
	struct xy_identity id = identity(7);
	struct xy_prefix p = prefix("192.0.2.0/24");
	struct xy_babel_claim c = {.prefix = p,
				   .rid = xy_babel_router_id(&id.x25519, 0x01020304),
				   .seqno = 0x0506,
				   .origin = {.flags = 1, .epoch = 0x01020304, .tag = 0x0708090a}};
	uint8_t bytes[XY_BABEL_CLAIM_BYTES], want[] = "xylem-route-v1\x01\x01\x01\x02\x03\x04";
	memcpy(c.origin.key, id.ed25519.b, 32);
	CU_ASSERT_EQUAL(xy_babel_claim_bytes(&c, bytes), 14 + 42 + 27);
	CU_ASSERT_EQUAL(memcmp(bytes, want, 20), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 20, id.ed25519.b, 32), 0);
	CU_ASSERT_EQUAL(xy_be32_load(bytes + 52), 0x0708090a);
	CU_ASSERT_EQUAL(bytes[56], 24 + 96);
	CU_ASSERT_EQUAL(memcmp(bytes + 57, p.addr.b, 16), 0);
	CU_ASSERT_EQUAL(xy_be64_load(bytes + 73), c.rid);
	CU_ASSERT_EQUAL(xy_be16_load(bytes + 81), 0x0506);

	// router-id: BLAKE2b of eight bytes, which is not the start of a longer one.
	uint8_t in[12 + 32 + 4], out[8];
	memcpy(in, "xylem-rid-v1", 12);
	memcpy(in + 12, id.x25519.b, 32);
	xy_be32_store(in + 44, 0x01020304);
	crypto_generichash_blake2b_state st;
	crypto_generichash_blake2b_init(&st, NULL, 0, 8);
	crypto_generichash_blake2b_update(&st, in, sizeof(in));
	crypto_generichash_blake2b_final(&st, out, 8);
	CU_ASSERT_EQUAL(xy_be64_load(out), c.rid);
}

static void check_hex(const uint8_t *data, size_t len, const char *hex)
{
	CU_ASSERT_EQUAL(strlen(hex), 2 * len);
	for (size_t i = 0; i < len && hex[2 * i]; i++) {
		unsigned v = 0;
		sscanf(hex + 2 * i, "%2x", &v);
		CU_ASSERT_EQUAL(data[i], v);
	}
}

// The vectors that docs/wire-format.md publishes: seed 00 01 .. 1f, epoch 0x65000000, seqno 1.
static void test_claim_published(void)
{
	static const struct {
		const char *prefix;
		uint8_t flags;
		uint32_t tag;
		const char *bytes, *signature;
	} table[] = {
		{"3fc:4218:2ede:2bd::/64", 0, 0,
		 "78796c656d2d726f7574652d763101006500000003a107bff3ce10be1d70dd18e74bc09967e4d6309"
		 "ba50d"
		 "5f1ddc8664125531b84003fc42182ede02bd00000000000000002c71a3353d4686570001",
		 "d512aba4007805bca03ecbc99861b077c9b3a878ad72d03314af0f7262a94079f764289d60f6fba90"
		 "48134"
		 "f361015550e28f29af69db7cd922e993705c536f00"},
		{"192.0.2.0/24", 1, 42,
		 "78796c656d2d726f7574652d763101016500000003a107bff3ce10be1d70dd18e74bc09967e4d6309"
		 "ba50d"
		 "5f1ddc8664125531b80000002a7800000000000000000000ffffc00002002c71a3353d4686570001",
		 "ee2564328ee811a44043bae182fba182160c691467e9db6418fe405f047f842573d1ed5c45e9cd5c8"
		 "5c28b"
		 "5ebc39c03044ecdfa7b2cf058d15dba5ca5815d000"},
	};
	struct xy_identity id;
	uint8_t seed[32], bytes[XY_BABEL_CLAIM_BYTES];
	for (uint8_t i = 0; i < 32; i++)
		seed[i] = i;
	CU_ASSERT_EQUAL_FATAL(xy_identity_from_seed(seed, &id), 0);
	for (size_t i = 0; i < XY_ARRAY_SIZE(table); i++) {
		struct xy_babel_claim c = {.prefix = prefix(table[i].prefix),
					   .seqno = 1,
					   .rid = xy_babel_router_id(&id.x25519, 0x65000000),
					   .origin = {.flags = table[i].flags,
						      .epoch = 0x65000000,
						      .tag = table[i].tag}};
		memcpy(c.origin.key, id.ed25519.b, 32);
		CU_ASSERT_EQUAL(c.rid, 0x2c71a3353d468657);
		check_hex(bytes, xy_babel_claim_bytes(&c, bytes), table[i].bytes);
		xy_babel_claim_sign(&c, id.ed25519_sk);
		check_hex(c.origin.signature, 64, table[i].signature);
	}
}

static void test_claim_verify(void)
{
	struct xy_identity id = identity(7), other = identity(8);
	struct xy_prefix mine = xy_key_prefix(&id.x25519), theirs = xy_key_prefix(&other.x25519);
	struct xy_babel_update u = claim_update(&id, &mine, 5, 3, 0);
	struct xy_babel_claim good = {mine, u.rid, 3, u.origin}, c;
	struct xy_key x;
	CU_ASSERT_EQUAL(xy_babel_claim_verify(&good, &x), 0);
	CU_ASSERT_EQUAL(memcmp(&x, &id.x25519, 32), 0);
	c = good, c.seqno++;
	CU_ASSERT_EQUAL(xy_babel_claim_verify(&c, &x), -EBADMSG);
	c = good, c.rid++;
	CU_ASSERT_EQUAL(xy_babel_claim_verify(&c, &x), -ESTALE);
	c = good, c.origin.epoch++;
	CU_ASSERT_EQUAL(xy_babel_claim_verify(&c, &x), -ESTALE);
	c = good, c.origin.flags = 2;
	CU_ASSERT_EQUAL(xy_babel_claim_verify(&c, &x), -EBADMSG);
	c = good, c.prefix = theirs;
	CU_ASSERT_EQUAL(xy_babel_claim_verify(&c, &x), -EPERM);
	c = good, c.prefix.len = 65;
	CU_ASSERT_EQUAL(xy_babel_claim_verify(&c, &x), -EPERM);
	c = good, memset(c.origin.key, 0, 32);
	CU_ASSERT_EQUAL(xy_babel_claim_verify(&c, &x), -EINVAL);
	c = good, c.origin.signature[63] ^= 1;
	CU_ASSERT_EQUAL(xy_babel_claim_verify(&c, &x), -EBADMSG);
}

static void test_epoch_first(void)
{
	CU_ASSERT_EQUAL(xy_babel_epoch_first(0, 1700000000), 1700000000);
	CU_ASSERT_EQUAL(xy_babel_epoch_first(1800000000, 1700000000), 1800000001);
	CU_ASSERT_EQUAL(xy_babel_epoch_first(UINT32_MAX - 1, 0), UINT32_MAX - 1);
	CU_ASSERT_EQUAL(xy_babel_epoch_first(0, UINT64_MAX), UINT32_MAX - 1);
}

// ---- the machine ----

static void test_own_is_announced(void)
{
	struct rig *r = rig_up(2);
	struct xy_prefix own = xy_key_prefix(&r->me.x25519);
	const struct xy_babel_update *u = said(r, 1, &own);
	struct xy_key x;
	CU_ASSERT_PTR_NOT_NULL_FATAL(u);
	CU_ASSERT_EQUAL(u->metric, 0);
	struct xy_babel_claim c = {u->prefix, u->rid, u->seqno, u->origin};
	CU_ASSERT_TRUE(u->has_origin && u->origin.epoch == 1000 &&
		       xy_babel_claim_verify(&c, &x) == 0);
	CU_ASSERT_TRUE(r->wildcards >= 2);
	struct xy_prefix foreign = prefix("200::/64");
	CU_ASSERT_EQUAL(xy_babel_announce(r->b, &foreign, r->now), -EPERM);
	CU_ASSERT_EQUAL(xy_babel_announce(r->b, &own, r->now), -EEXIST);
	rig_free(r);
}

static void test_learn_relay_retract(void)
{
	struct rig *r = rig_up(3);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	announce(r, 0, &far, 50, 1, 100);
	CU_ASSERT_TRUE(r->last.kind == XY_BABEL_VIA && r->last.metric == 196 && r->last.used);
	CU_ASSERT_TRUE(r->last.hop_count == 1 && r->last.hops[0] == 0 && r->last.has_key);
	CU_ASSERT_EQUAL(memcmp(&r->last.key, &far.x25519, 32), 0);
	pass(r, XY_SEC);
	const struct xy_babel_update *u = said(r, 1, &p);
	CU_ASSERT_TRUE_FATAL(u && u->metric == 196 && u->has_origin);
	struct xy_babel_claim c = {u->prefix, u->rid, u->seqno, u->origin};
	struct xy_key x;
	CU_ASSERT_EQUAL(xy_babel_claim_verify(&c, &x), 0); // the origin's own signature
	u = said(r, 0, &p);
	CU_ASSERT_TRUE(!u || u->metric == XY_BABEL_INFINITY); // split horizon

	// Retracted: unreachable until neighbour 1 and 2 have acknowledged, then gone.
	r->mute[2] = true;
	retract(r, 0, &p);
	CU_ASSERT_EQUAL(r->last.kind, XY_BABEL_UNREACHABLE);
	pass(r, 3 * XY_SEC);
	CU_ASSERT_EQUAL(r->last.kind, XY_BABEL_UNREACHABLE);
	u = said(r, 1, &p);
	CU_ASSERT_TRUE(u && u->metric == XY_BABEL_INFINITY);
	r->mute[2] = false;
	pass(r, 30 * XY_SEC);
	CU_ASSERT_EQUAL(r->last.kind, XY_BABEL_GONE);
	rig_free(r);
}

// What finds no room in the table of routes is retracted, to plain neighbours and for a mapping
// too, and told again with the room; what is another route of the prefix begins with room.
static void test_room(void)
{
	struct rig *r = rig_up(3);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	announce(r, 0, &far, 50, 1, 100);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(said(r, 1, &p)->metric, 196);
	xy_babel_route_room(r->b, &p, false, r->now);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(said(r, 1, &p)->metric, XY_BABEL_INFINITY);
	announce(r, 0, &far, 50, 2, 100); // still none
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(said(r, 2, &p)->metric, XY_BABEL_INFINITY);
	xy_babel_route_room(r->b, &p, true, r->now);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(said(r, 1, &p)->metric, 196);
	CU_ASSERT_EQUAL(said(r, 2, &p)->seqno, 2);

	xy_babel_route_room(r->b, &p, false, r->now);
	retract(r, 0, &p);
	pass(r, 300 * XY_SEC);
	CU_ASSERT_EQUAL(r->last.kind, XY_BABEL_GONE);
	announce(r, 0, &far, 50, 3, 100);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(said(r, 1, &p)->metric, 196);
	rig_free(r);
}

// RFC 8966 section 3.5.1, as a table: after (seqno 5, metric 196) was announced.
static void test_feasibility(void)
{
	static const struct {
		uint16_t seqno, metric;
		bool feasible;
	} table[] = {
		{5, 195, true},	  {5, 196, false}, {5, 300, false},   {6, 300, true},
		{6, 60000, true}, {4, 10, false},  {32772, 10, true}, {32774, 10, false},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(table); i++) {
		struct rig *r = rig_up(2);
		struct xy_identity far = identity(9);
		struct xy_prefix p = xy_key_prefix(&far.x25519);
		struct xy_babel_entry e[4];
		announce(r, 0, &far, 50, 5, 100);
		pass(r, XY_SEC);
		announce(r, 1, &far, 50, table[i].seqno, table[i].metric);
		unsigned n = xy_babel_lookup(r->b, &p, e, 4, r->now);
		CU_ASSERT_EQUAL_FATAL(n, 2);
		for (unsigned k = 0; k < n; k++)
			if (e[k].link == 1)
				CU_ASSERT_EQUAL(e[k].feasible, table[i].feasible);
		rig_free(r);
	}
}

// Said again at 16 s, a route lasts 56 s and is asked for at 49: each time anew.
static void test_asked_again(void)
{
	struct rig *r = rig_new(false);
	static const struct xy_prefix all[] = {{.len = 0}};
	struct xy_prefix p = prefix("2001:db8::/32");
	r->links[0].plain = true;
	r->links[0].accept = all;
	r->links[0].accept_count = 1;
	link_up(r, 0);
	pass(r, 15 * XY_SEC);
	plain_update(r, 0, &p, 77, 100);
	pass(r, XY_SEC);
	unsigned asked = r->route_requests;
	for (unsigned round = 1; round <= 3; round++) {
		pass(r, 46 * XY_SEC);
		CU_ASSERT_EQUAL(r->route_requests, asked + round - 1);
		xy_nsec sooner = round == 1 ? XY_SEC : 0; // of 56 s seven eighths are 49
		pass(r, 2900 * XY_MSEC - sooner);
		CU_ASSERT_EQUAL(r->route_requests, asked + round - 1);
		pass(r, 200 * XY_MSEC);
		CU_ASSERT_EQUAL(r->route_requests, asked + round);
		pass(r, 900 * XY_MSEC + sooner);
		CU_ASSERT_EQUAL(r->route_requests, asked + round);
		CU_ASSERT_TRUE(xy_prefix_eq(&r->last_request.prefix, &p));
		plain_update(r, 0, &p, 77, 100); // the answer, after 51 s or 50
	}
	pass(r, 55 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), 196);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), XY_BABEL_INFINITY);
	rig_free(r);
}

// An unfeasible update for the route in use is taken for true after 20 s, but not when a feasible
// one came meanwhile: nothing of it is left.
static void test_doubt_over(void)
{
	struct rig *r = rig_up(2);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	announce(r, 0, &far, 50, 5, 100);
	pass(r, XY_SEC);
	announce(r, 0, &far, 50, 5, 300);
	CU_ASSERT_EQUAL(metric_to(r, &p), 196);
	pass(r, 19 * XY_SEC);
	announce(r, 0, &far, 50, 6, 300);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), 396);
	announce(r, 0, &far, 50, 6, 100);
	pass(r, 200 * XY_SEC); // asked for at 184
	CU_ASSERT_EQUAL(metric_to(r, &p), 196);
	announce(r, 0, &far, 50, 6, 300); // and now it is
	pass(r, 19 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), 196);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), XY_BABEL_INFINITY);
	rig_free(r);
}

// How old a route is, is when it was last said, not when it was first.
static void test_age(void)
{
	struct rig *r = rig_up(2);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	struct xy_babel_entry e[2];
	announce(r, 0, &far, 50, 5, 100);
	CU_ASSERT_EQUAL_FATAL(xy_babel_lookup(r->b, &p, e, 2, r->now), 1);
	CU_ASSERT_EQUAL(e[0].age, 0);
	pass(r, 3210 * XY_MSEC);
	CU_ASSERT_EQUAL(xy_babel_lookup(r->b, &p, e, 2, r->now), 1);
	CU_ASSERT_EQUAL(e[0].age, 3210 * XY_MSEC);
	CU_ASSERT_EQUAL(xy_babel_lookup(r->b, &p, e, 2, r->now + 70 * XY_SEC), 1);
	CU_ASSERT_EQUAL(e[0].age, 73210 * XY_MSEC);
	announce(r, 0, &far, 50, 5, 100);
	pass(r, 40 * XY_MSEC);
	CU_ASSERT_EQUAL(xy_babel_lookup(r->b, &p, e, 2, r->now), 1);
	CU_ASSERT_EQUAL(e[0].age, 40 * XY_MSEC);
	rig_free(r);
}

// All feasible routes gone, an unfeasible one there: a seqno request goes to it, with the feasible
// distance's seqno plus one, and is repeated; the answer is taken.
static void test_starvation(void)
{
	struct rig *r = rig_up(2);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	announce(r, 0, &far, 50, 5, 100);
	pass(r, XY_SEC);
	announce(r, 1, &far, 50, 5, 500);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(r->seqno_requests, 0);
	retract(r, 0, &p);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), XY_BABEL_INFINITY);
	CU_ASSERT_EQUAL(r->seqno_requests, 1);
	CU_ASSERT_TRUE(r->last_request_link == 1 && r->last_request.seqno == 6 &&
		       xy_prefix_eq(&r->last_request.prefix, &p));
	pass(r, 7 * XY_SEC);
	CU_ASSERT_EQUAL(r->seqno_requests, 3); // after 2 s and 4 more
	announce(r, 1, &far, 50, 6, 500);
	CU_ASSERT_EQUAL(metric_to(r, &p), 596);
	rig_free(r);
}

static void ask_seqno(struct rig *r, uint16_t link, const struct xy_prefix *p, uint64_t rid,
		      uint16_t seqno)
{
	uint8_t data[128];
	struct xy_babel_builder b;
	struct xy_babel_request q = {.prefix = *p, .seqno = seqno, .hops = 64, .rid = rid};
	xy_babel_build(&b, data, sizeof(data), &r->peers[link]);
	xy_babel_build_seqno_request(&b, &q);
	from_peer(r, link, &b);
	act(r);
}

// Forwarded once to the next hop, a copy is not, the answer goes back to who asked.
static void test_forwarded_request(void)
{
	struct rig *r = rig_up(3);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	uint64_t rid = xy_babel_router_id(&far.x25519, 50);
	announce(r, 0, &far, 50, 5, 100);
	pass(r, XY_SEC);
	ask_seqno(r, 1, &p, rid, 6);
	ask_seqno(r, 2, &p, rid, 6);
	pass(r, XY_SEC / 2);
	CU_ASSERT_EQUAL(r->seqno_requests, 1);
	CU_ASSERT_TRUE(r->last_request_link == 0 && r->last_request.hops == 63);
	ask_seqno(r, 1, &p, rid, 5); // satisfied: answered at once
	pass(r, XY_SEC / 2);
	CU_ASSERT_EQUAL(said(r, 1, &p)->seqno, 5);
	announce(r, 0, &far, 50, 6, 100);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(said(r, 1, &p)->seqno, 6);
	CU_ASSERT_EQUAL(said(r, 2, &p)->seqno, 6);
	rig_free(r);
}

// Ours rises by one per request, at most once in 4 s.
static void test_own_seqno(void)
{
	struct rig *r = rig_up(2);
	struct xy_prefix own = xy_key_prefix(&r->me.x25519);
	uint64_t rid = xy_babel_router_id(&r->me.x25519, 1000);
	ask_seqno(r, 0, &own, rid, 100);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(said(r, 0, &own)->seqno, 1);
	ask_seqno(r, 0, &own, rid, 100);
	ask_seqno(r, 1, &own, rid, 100);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(said(r, 0, &own)->seqno, 1);
	pass(r, 3 * XY_SEC);
	CU_ASSERT_EQUAL(said(r, 0, &own)->seqno, 2);
	CU_ASSERT_EQUAL(said(r, 1, &own)->seqno, 2);
	rig_free(r);
}

static void test_refusals(void)
{
	struct rig *r = rig_up(2);
	struct xy_identity far = identity(9), other = identity(10);
	struct xy_prefix p = xy_key_prefix(&far.x25519), q = xy_key_prefix(&other.x25519);
	struct xy_babel_update good = claim_update(&far, &p, 50, 1, 100), u;
	static const char *const martians[] = {"fe80::/64",   "ff00::/8", "127.0.0.1/32",
					       "224.0.0.0/8", "::1/128",  "0.0.0.0/32"};
	for (size_t i = 0; i < XY_ARRAY_SIZE(martians); i++) {
		struct xy_prefix m = prefix(martians[i]);
		u = claim_update(&far, &m, 50, 1, 100);
		tell(r, 0, &u);
	}
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_MARTIAN), XY_ARRAY_SIZE(martians));
	u = good, u.has_origin = false;
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_UNSIGNED), 1);
	u = good, u.prefix.len = 65;
	tell(r, 0, &u);
	u = good, u.prefix = prefix("200::/7"), u.has_origin = false; // we are no stub
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_MESH_PREFIX), 2);
	u = good, u.prefix = q;
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_NOT_OWNER), 1);
	u = good, u.origin.epoch = UINT32_MAX;
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_BAD_EPOCH), 1);
	u = good, u.rid++;
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_BAD_ROUTER_ID), 1);
	u = good, u.origin.signature[0] ^= 1;
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_BAD_SIGNATURE), 1);
	u = good, memset(u.origin.key, 0, 32);
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_BAD_KEY), 1);
	CU_ASSERT_EQUAL(r->route_actions, 0);
	tell(r, 0, &good);
	CU_ASSERT_EQUAL(metric_to(r, &p), 196);
	// A wrong update never overwrites a valid entry.
	u = good, u.metric = 1, u.seqno = 2;
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(metric_to(r, &p), 196);
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_BAD_SIGNATURE), 2);
	rig_free(r);
}

// Verified once per claim, whoever brings it; a retraction overtakes what waits.
static void test_verification(void)
{
	struct rig *r = rig_up(3);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	struct xy_key x;
	r->hold_verify = true;
	announce(r, 0, &far, 50, 1, 100);
	announce(r, 1, &far, 50, 1, 50);
	announce(r, 0, &far, 50, 1, 90);
	CU_ASSERT_EQUAL(r->verifies, 1);
	CU_ASSERT_EQUAL(metric_to(r, &p), XY_BABEL_INFINITY);
	retract(r, 1, &p);
	int result = xy_babel_claim_verify(&r->held[0].claim, &x);
	xy_babel_verified(r->b, r->held[0].id, result, &x, r->now);
	xy_babel_verified(r->b, r->held[0].id, result, &x, r->now); // a second time: ignored
	xy_babel_verified(r->b, 77, result, &x, r->now);
	act(r);
	CU_ASSERT_EQUAL(metric_to(r, &p), 186);
	announce(r, 2, &far, 50, 1, 10); // known: no verification
	CU_ASSERT_EQUAL(r->verifies, 1);
	CU_ASSERT_EQUAL(metric_to(r, &p) < 186 ? 106 : 186, metric_to(r, &p));
	rig_free(r);
}

// One prefix with ever new signatures: the Update before is replaced, but not its verification.
static void forge(struct rig *r, uint16_t link, struct xy_babel_update *u, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		u->origin.signature[0] = (uint8_t)i;
		u->origin.signature[1] = (uint8_t)(i >> 8);
		u->origin.signature[2] = (uint8_t)link;
		tell(r, link, u);
	}
}

static void test_forged_claims(void)
{
	struct rig *r = rig_new(false);
	struct xy_identity far = identity(9), near = identity(10);
	struct xy_prefix p = xy_key_prefix(&far.x25519), q = xy_key_prefix(&near.x25519);
	struct xy_babel_update u = claim_update(&far, &p, 50, 1, 100);
	struct xy_babel_stats s;
	r->links[0].trust = XY_BABEL_OPEN;
	for (uint16_t i = 0; i < 2; i++)
		link_up(r, i);
	pass(r, 15 * XY_SEC);
	r->hold_verify = true;
	forge(r, 0, &u, 1000);
	CU_ASSERT_EQUAL(r->verifies, 256);
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_BUSY), 1000 - 256);
	announce(r, 1, &near, 50, 1, 100); // another is not kept waiting for room
	CU_ASSERT_EQUAL(r->verifies, 257);
	// The link ends meanwhile, and another takes its number; all comes to its end.
	xy_babel_link_remove(r->b, 0, r->now);
	r->up[0] = false;
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(xy_babel_link_add(r->b, 0, &r->links[0], r->now), 0);
	for (unsigned i = 0; i < r->held_count; i++) {
		struct xy_key x = {0};
		int result = xy_babel_claim_verify(&r->held[i].claim, &x);
		xy_babel_verified(r->b, r->held[i].id, result, &x, r->now);
		act(r);
	}
	pass(r, XY_SEC);
	xy_babel_stats(r->b, &s);
	CU_ASSERT_EQUAL(s.jobs, 0);
	CU_ASSERT_EQUAL(metric_to(r, &p), XY_BABEL_INFINITY);
	CU_ASSERT_EQUAL(metric_to(r, &q), 196);
	r->hold_verify = false;
	r->up[0] = true;
	xy_babel_link_up(r->b, 0, r->now);
	pass(r, 15 * XY_SEC);
	announce(r, 0, &far, 50, 1, 100); // it has its room again
	CU_ASSERT_EQUAL(metric_to(r, &p), 196);
	rig_free(r);
}

static void test_epochs(void)
{
	struct rig *r = rig_up(3);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519), m = prefix("2001:db8:5::/48");
	struct xy_babel_update map = claim_update(&far, &m, 50, 1, 100);
	announce(r, 0, &far, 50, 9, 100);
	tell(r, 0, &map);
	pass(r, XY_SEC);
	// A higher epoch: the older route of the prefix goes at once, others of the key after 60 s.
	announce(r, 1, &far, 51, 0, 300);
	CU_ASSERT_EQUAL(metric_to(r, &p), 396);
	struct xy_babel_entry e[4];
	CU_ASSERT_EQUAL(xy_babel_lookup(r->b, &p, e, 4, r->now), 1);
	CU_ASSERT_EQUAL(metric_to(r, &m), 196);
	pass(r, 55 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &m), 196);
	pass(r, 10 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &m), XY_BABEL_INFINITY);
	// A lower one is refused, and answered with the newest signature, once in 4 s.
	unsigned before = r->update_count, answers = 0;
	for (int i = 0; i < 3; i++) {
		announce(r, 2, &far, 50, 9, 10);
		pass(r, XY_SEC / 4);
	}
	CU_ASSERT_EQUAL(refused(r, 2, XY_BABEL_REFUSED_OLD_EPOCH), 3);
	for (unsigned i = before; i < r->update_count; i++)
		answers += r->updates[i].link == 2 && r->updates[i].u.origin.epoch == 51;
	CU_ASSERT_EQUAL(answers, 1);
	CU_ASSERT_EQUAL(metric_to(r, &p), 396);
	rig_free(r);
}

// Our own key shown with an epoch above ours: we go above it, and at most once a minute.
static void test_lost_epoch(void)
{
	struct rig *r = rig_up(2);
	struct xy_prefix own = xy_key_prefix(&r->me.x25519);
	struct xy_babel_update u = claim_update(&r->me, &own, 2000, 7, XY_BABEL_INFINITY);
	tell(r, 0, &u);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(r->saved_epoch, 2001);
	CU_ASSERT_EQUAL(said(r, 1, &own)->origin.epoch, 2001);
	CU_ASSERT_EQUAL(said(r, 1, &own)->seqno, 0);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_EPOCH_LOST], 1);
	u = claim_update(&r->me, &own, 3000, 7, 5);
	tell(r, 0, &u);
	pass(r, 30 * XY_SEC);
	CU_ASSERT_EQUAL(r->saved_epoch, 2001);
	pass(r, 40 * XY_SEC);
	CU_ASSERT_EQUAL(r->saved_epoch, 3001);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_TWO_NODES], 1);
	// In our own epoch, a seqno that we never used.
	pass(r, 70 * XY_SEC);
	u = claim_update(&r->me, &own, 3001, 50, 5);
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(r->saved_epoch, 3002);
	// A forged one is nothing.
	u = claim_update(&r->me, &own, 4000, 50, 5);
	u.origin.signature[5] ^= 1;
	tell(r, 0, &u);
	pass(r, 70 * XY_SEC);
	CU_ASSERT_EQUAL(r->saved_epoch, 3002);
	rig_free(r);
}

// Two nodes with one key that started in the same second, so that epochs and seqnos are alike: each
// sees what it never signed. Its own words, told back, are nothing, whatever it withdrew.
static void test_same_epoch(void)
{
	struct rig *r = rig_up(2);
	struct xy_prefix own = xy_key_prefix(&r->me.x25519), p = prefix("10.1.0.0/16"),
			 theirs = prefix("10.9.0.0/16");
	CU_ASSERT_EQUAL(xy_babel_announce(r->b, &p, r->now), 0);
	act(r);
	struct xy_babel_update echo = claim_update(&r->me, &own, 1000, 0, 200), u;
	tell(r, 0, &echo);
	echo = claim_update(&r->me, &p, 1000, 0, 200);
	tell(r, 0, &echo);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(r->saved_epoch, 0);
	u = claim_update(&r->me, &theirs, 1000, 0, 200);
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(r->saved_epoch, 1001);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_EPOCH_LOST], 1);
	pass(r, 70 * XY_SEC);
	tell(r, 0, &u); // old by now
	CU_ASSERT_EQUAL(r->saved_epoch, 1001);
	u = claim_update(&r->me, &theirs, 1001, 0, 200); // it followed us
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(r->saved_epoch, 1002);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_TWO_NODES], 1);
	// A prefix of ours with a seqno that another one of ours has.
	pass(r, 70 * XY_SEC);
	struct xy_babel_request ask = {.prefix = own,
				       .seqno = 1,
				       .hops = 9,
				       .rid = xy_babel_router_id(&r->me.x25519, 1002)};
	uint8_t data[64];
	struct xy_babel_builder out;
	xy_babel_build(&out, data, sizeof(data), &r->peers[0]);
	CU_ASSERT(xy_babel_build_seqno_request(&out, &ask));
	from_peer(r, 0, &out);
	pass(r, XY_SEC);
	echo = claim_update(&r->me, &own, 1002, 1, 200);
	tell(r, 0, &echo);
	CU_ASSERT_EQUAL(r->saved_epoch, 1002);
	u = claim_update(&r->me, &p, 1002, 1, 200);
	tell(r, 0, &u);
	CU_ASSERT_EQUAL(r->saved_epoch, 1003);
	// Withdrawn; the first time the epoch rises at once, the second time ten minutes later.
	CU_ASSERT_EQUAL(xy_babel_withdraw(r->b, &p, r->now), 0);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(r->saved_epoch, 1004);
	CU_ASSERT_EQUAL(xy_babel_announce(r->b, &p, r->now), 0);
	pass(r, 70 * XY_SEC);
	CU_ASSERT_EQUAL(xy_babel_withdraw(r->b, &p, r->now), 0);
	pass(r, XY_SEC);
	echo = claim_update(&r->me, &p, 1004, 0, 200);
	tell(r, 0, &echo);
	pass(r, 70 * XY_SEC);
	CU_ASSERT_EQUAL(r->saved_epoch, 1004);
	rig_free(r);
}

static void test_withdrawal(void)
{
	struct rig *r = rig_up(2);
	struct xy_prefix a = prefix("2001:db8:a::/48"), c = prefix("2001:db8:c::/48");
	CU_ASSERT_EQUAL(xy_babel_announce(r->b, &a, r->now), 0);
	CU_ASSERT_EQUAL(xy_babel_announce(r->b, &c, r->now), 0);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL(said(r, 0, &a)->metric, 0);
	CU_ASSERT_EQUAL(xy_babel_withdraw(r->b, &a, r->now), 0);
	CU_ASSERT_EQUAL(xy_babel_withdraw(r->b, &a, r->now), -ENOENT);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL(said(r, 0, &a)->metric, XY_BABEL_INFINITY);
	CU_ASSERT_EQUAL(r->saved_epoch, 1001);
	CU_ASSERT_EQUAL(said(r, 0, &c)->origin.epoch, 1001);
	CU_ASSERT_EQUAL(xy_babel_withdraw(r->b, &c, r->now), 0);
	pass(r, 500 * XY_SEC);
	CU_ASSERT_EQUAL(r->saved_epoch, 1001);
	pass(r, 110 * XY_SEC);
	CU_ASSERT_EQUAL(r->saved_epoch, 1002);
	rig_free(r);
}

// ---- several keys for one prefix ----

// The selected route of one key; NULL: none.
static const struct xy_babel_entry *by_key(const struct rig *r, const struct xy_prefix *p,
					   const struct xy_identity *id)
{
	static struct xy_babel_entry e[4 * LINKS];
	unsigned n = xy_babel_lookup(r->b, p, e, XY_ARRAY_SIZE(e), r->now);
	for (unsigned i = 0; i < n; i++)
		if (e[i].selected && e[i].has_key && !memcmp(&e[i].key, &id->x25519, 32))
			return &e[i];
	return NULL;
}

// The last thing a neighbour was told about one key's mapping.
static const struct xy_babel_update *said_of(const struct rig *r, uint16_t link,
					     const struct xy_prefix *p, uint64_t rid)
{
	for (unsigned i = r->update_count; i > 0; i--) {
		const struct heard_update *h = &r->updates[i - 1];
		if (h->link == link && xy_prefix_eq(&h->u.prefix, p) && h->u.has_rid &&
		    h->u.rid == rid)
			return &h->u;
	}
	return NULL;
}

static unsigned list_mappings(const struct rig *r, const char *in, struct xy_babel_mapping *m,
			      unsigned max)
{
	struct xy_prefix p = in ? prefix(in) : (struct xy_prefix){0};
	unsigned left = 1000, n = 0;
	uint32_t at = 0;
	while (n < max && xy_babel_mapping_next(r->b, &at, &left, in ? &p : NULL, r->now, &m[n]))
		n++;
	CU_ASSERT(n == max || !at);
	return n;
}

static void retract_named(struct rig *r, uint16_t link, const struct xy_prefix *p, uint64_t rid)
{
	tell(r, link,
	     &(struct xy_babel_update){.prefix = *p,
				       .interval = 6000,
				       .metric = XY_BABEL_INFINITY,
				       .has_rid = true,
				       .rid = rid});
}

// Two gateways, honest `one` and hostile `two`, and a prefix that both announce.
struct mapping {
	struct rig *r;
	struct xy_identity one, two;
	uint64_t rid1, rid2;
	struct xy_prefix p;
	struct xy_babel_update u1, u2;
};

static struct mapping mapping_up(unsigned links, uint16_t metric1, uint16_t metric2)
{
	struct mapping m = {.r = rig_up(links),
			    .one = identity(9),
			    .two = identity(10),
			    .p = prefix("10.0.0.0/8")};
	m.rid1 = xy_babel_router_id(&m.one.x25519, 50);
	m.rid2 = xy_babel_router_id(&m.two.x25519, 60);
	m.u1 = claim_update(&m.one, &m.p, 50, 1, metric1);
	m.u2 = claim_update(&m.two, &m.p, 60, 1, metric2);
	return m;
}

static uint32_t not_accepted(const struct rig *r)
{
	struct xy_babel_stats s;
	xy_babel_stats(r->b, &s);
	return s.unaccepted;
}

static void accept_keys(struct mapping *m, bool one, bool two)
{
	struct xy_babel_accept list[2];
	unsigned n = 0;
	if (one)
		list[n++] = (struct xy_babel_accept){m->one.x25519, m->p};
	if (two)
		list[n++] = (struct xy_babel_accept){m->two.x25519, m->p};
	CU_ASSERT_EQUAL(xy_babel_accept(m->r->b, list, n, m->r->now), 0);
	pass(m->r, XY_SEC);
}

// A node that accepts neither passes both on, each with its own signature and metric, and follows
// none; whatever the hostile one says, the honest one stays as it is.
static void test_no_shadow(void)
{
	struct mapping m = mapping_up(3, 300, 1);
	struct rig *r = m.r;
	tell(r, 0, &m.u1);
	tell(r, 1, &m.u2);
	tell(r, 0, &m.u2); // both by one neighbour, too
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL(r->route_actions, 0);
	const struct xy_babel_update *a = said_of(r, 2, &m.p, m.rid1);
	CU_ASSERT_TRUE_FATAL(a && a->metric == 396 && a->has_origin);
	CU_ASSERT_EQUAL(memcmp(a->origin.key, m.one.ed25519.b, 32), 0);
	const struct xy_babel_update *b = said_of(r, 2, &m.p, m.rid2);
	CU_ASSERT_TRUE_FATAL(b && b->metric == 97 && b->has_origin);
	CU_ASSERT_TRUE(by_key(r, &m.p, &m.one) && by_key(r, &m.p, &m.one)->metric == 396);
	CU_ASSERT_TRUE(by_key(r, &m.p, &m.two) && by_key(r, &m.p, &m.two)->metric == 97);
	// More seqnos, a new epoch, a retraction under either router-id: nothing of it is the
	// other's.
	m.u2 = claim_update(&m.two, &m.p, 60, 900, 0);
	tell(r, 1, &m.u2);
	m.u2 = claim_update(&m.two, &m.p, 61, 0, 0);
	tell(r, 1, &m.u2);
	retract_named(r, 1, &m.p, m.rid1);
	retract_named(r, 1, &m.p, m.rid2);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_TRUE(by_key(r, &m.p, &m.one) && by_key(r, &m.p, &m.one)->metric == 396);
	CU_ASSERT_EQUAL(said_of(r, 2, &m.p, m.rid1)->metric, 396);
	CU_ASSERT_EQUAL(r->route_actions, 0);
	CU_ASSERT_EQUAL(not_accepted(r), 2);
	accept_keys(&m, true, false);
	CU_ASSERT_EQUAL(not_accepted(r), 1);
	CU_ASSERT_TRUE(r->last.kind == XY_BABEL_VIA && r->last.metric == 396 && r->last.used);
	CU_ASSERT_EQUAL(memcmp(&r->last.key, &m.one.x25519, 32), 0);
	rig_free(r);
}

// The route that packets take is the best of the accepted ones, changes at once when that one goes,
// and back when the better one has been better for a while.
static void test_failover(void)
{
	struct mapping m = mapping_up(3, 100, 500);
	struct rig *r = m.r;
	accept_keys(&m, true, true);
	tell(r, 1, &m.u2);
	tell(r, 0, &m.u1);
	pass(r, 30 * XY_SEC);
	CU_ASSERT_TRUE(r->last.metric == 196 && r->last.hops[0] == 0);
	unsigned before = r->route_actions;
	retract_named(r, 0, &m.p, m.rid1);
	CU_ASSERT_EQUAL(r->route_actions, before + 1); // never unreachable in between
	CU_ASSERT_TRUE(r->last.kind == XY_BABEL_VIA && r->last.metric == 596);
	CU_ASSERT_EQUAL(memcmp(&r->last.key, &m.two.x25519, 32), 0);
	pass(r, 2 * XY_SEC);
	const struct xy_babel_update *u = said_of(r, 2, &m.p, m.rid1);
	CU_ASSERT_TRUE(u && u->metric == XY_BABEL_INFINITY);
	m.u1 = claim_update(&m.one, &m.p, 50, 2, 100);
	tell(r, 0, &m.u1);
	CU_ASSERT_EQUAL(r->last.metric, 596);
	pass(r, 30 * XY_SEC);
	CU_ASSERT_EQUAL(r->last.metric, 196);
	// No key accepted any more: unreachable, then gone, and both are still passed on.
	accept_keys(&m, false, false);
	pass(r, 30 * XY_SEC);
	CU_ASSERT_EQUAL(r->last.kind, XY_BABEL_GONE);
	CU_ASSERT_EQUAL(not_accepted(r), 2);
	CU_ASSERT_EQUAL(said_of(r, 2, &m.p, m.rid1)->metric, 196);
	CU_ASSERT_EQUAL(said_of(r, 2, &m.p, m.rid2)->metric, 596);
	rig_free(r);
}

static const struct xy_babel_mapping *mapping_of(const struct xy_babel_mapping *m, unsigned n,
						 const struct xy_identity *who)
{
	for (unsigned i = 0; i < n; i++)
		if (memcmp(&m[i].entry.key, &who->x25519, 32) == 0)
			return &m[i];
	CU_FAIL_FATAL("no such mapping");
	return NULL;
}

// What users see of mappings: one of each key, what is followed in its place, slices, a filter.
static void test_mapping_list(void)
{
	struct mapping m = mapping_up(3, 100, 500);
	struct rig *r = m.r;
	struct xy_babel_mapping all[8];
	const struct xy_babel_mapping *one, *two;
	CU_ASSERT_EQUAL(list_mappings(r, NULL, all, 8), 0);
	accept_keys(&m, false, true);
	tell(r, 1, &m.u2);
	tell(r, 0, &m.u1);
	tell(r, 2, &m.u1); // by two neighbours
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL_FATAL(list_mappings(r, NULL, all, 8), 2);
	one = mapping_of(all, 2, &m.one);
	two = mapping_of(all, 2, &m.two);
	CU_ASSERT(two->entry.used && two->entry.followed && !two->other);
	CU_ASSERT(two->entry.metric == 596 && two->entry.link == 1);
	CU_ASSERT(!one->entry.used && !one->entry.followed && one->entry.metric == 196);
	CU_ASSERT(one->other && memcmp(&one->by.key, &m.two.x25519, 32) == 0);

	accept_keys(&m, true, true);
	pass(r, 30 * XY_SEC);
	CU_ASSERT_EQUAL_FATAL(list_mappings(r, NULL, all, 8), 2);
	two = mapping_of(all, 2, &m.two);
	CU_ASSERT(two->entry.used && two->other && two->by.metric == 196);

	CU_ASSERT_EQUAL(list_mappings(r, "10.0.0.0/8", all, 8), 2);
	CU_ASSERT_EQUAL(list_mappings(r, "0.0.0.0/0", all, 8), 2);
	CU_ASSERT_EQUAL(list_mappings(r, "10.1.2.3", all, 8), 2); // that hold it
	CU_ASSERT_EQUAL(list_mappings(r, "10.1.0.0/16", all, 8), 0);
	CU_ASSERT_EQUAL(list_mappings(r, "::/0", all, 8), 0);

	unsigned found = 0, slices = 0;
	for (uint32_t at = 0; slices == 0 || at; slices++) {
		unsigned left = 1;
		uint32_t before = at;
		found += xy_babel_mapping_next(r->b, &at, &left, NULL, r->now, all);
		CU_ASSERT_FATAL(!at || at > before);
	}
	CU_ASSERT(found == 2 && slices > 2);

	CU_ASSERT_EQUAL(xy_babel_announce(r->b, &m.p, r->now), 0);
	CU_ASSERT_EQUAL_FATAL(list_mappings(r, NULL, all, 8), 2);
	one = mapping_of(all, 2, &m.one);
	CU_ASSERT(one->ours && !one->other && !one->entry.followed);
	CU_ASSERT_EQUAL(xy_babel_withdraw(r->b, &m.p, r->now), 0);
	pass(r, 30 * XY_SEC);

	xy_babel_link_shut(r->b, 1, true, r->now); // said, and no way now
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL_FATAL(list_mappings(r, NULL, all, 8), 2);
	two = mapping_of(all, 2, &m.two);
	CU_ASSERT(two->entry.metric == XY_BABEL_INFINITY && two->entry.refmetric == 500);
	CU_ASSERT(two->entry.has_key && two->entry.used && !two->entry.selected);
	retract_named(r, 1, &m.p, m.rid2);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL_FATAL(list_mappings(r, NULL, all, 8), 1);
	rig_free(r);
}

// The one that is followed may be told anew all the time; the better one ripens beside it. One that
// was better for a moment does not count its time on.
static void test_ripening(void)
{
	struct mapping m = mapping_up(3, 100, 500);
	struct rig *r = m.r;
	accept_keys(&m, true, true);
	tell(r, 1, &m.u2);
	pass(r, XY_SEC);
	tell(r, 0, &m.u1);
	for (uint16_t i = 0; i < 5; i++) {
		CU_ASSERT_TRUE(r->last.metric >= 596 && r->last.hops[0] == 1);
		pass(r, 3 * XY_SEC);
		m.u2.metric = 500 + i % 2;
		tell(r, 1, &m.u2);
	}
	pass(r, 10 * XY_SEC);
	CU_ASSERT_TRUE(r->last.metric == 196 && r->last.hops[0] == 0);
	m.u2 = claim_update(&m.two, &m.p, 60, 2, 10);
	tell(r, 1, &m.u2);
	pass(r, XY_SEC);
	m.u2 = claim_update(&m.two, &m.p, 60, 3, 500);
	tell(r, 1, &m.u2);
	pass(r, 30 * XY_SEC);
	m.u2 = claim_update(&m.two, &m.p, 60, 4, 10);
	tell(r, 1, &m.u2);
	pass(r, 5 * XY_SEC);
	CU_ASSERT_TRUE(r->last.metric == 196 && r->last.hops[0] == 0);
	pass(r, 20 * XY_SEC);
	CU_ASSERT_TRUE(r->last.metric == 106 && r->last.hops[0] == 1);
	rig_free(r);
}

// One neighbour brings both. A retraction means the one whose router-id it names.
static void test_named_retraction(void)
{
	struct mapping m = mapping_up(2, 100, 500);
	struct rig *r = m.r;
	accept_keys(&m, true, true);
	tell(r, 0, &m.u1);
	tell(r, 0, &m.u2);
	pass(r, 20 * XY_SEC);
	retract(r, 0, &m.p);		       // names nobody
	retract_named(r, 0, &m.p, 0x1234);     // somebody unknown
	retract_named(r, 0, &m.p, m.rid1 + 1); // likewise
	retract_named(r, 1, &m.p, m.rid1);     // what it never announced
	CU_ASSERT_TRUE(by_key(r, &m.p, &m.one) && by_key(r, &m.p, &m.two));
	retract_named(r, 0, &m.p, m.rid2);
	CU_ASSERT_TRUE(by_key(r, &m.p, &m.one) && !by_key(r, &m.p, &m.two));
	CU_ASSERT_EQUAL(r->last.metric, 196);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL(said_of(r, 1, &m.p, m.rid1)->metric, 196);
	CU_ASSERT_EQUAL(said_of(r, 1, &m.p, m.rid2)->metric, XY_BABEL_INFINITY);
	// A route under an older epoch goes by that epoch's router-id, which we know still.
	struct xy_prefix own = xy_key_prefix(&m.one.x25519);
	struct xy_babel_update newer = claim_update(&m.one, &own, 51, 0, 100);
	tell(r, 1, &newer);
	retract_named(r, 0, &m.p, newer.rid);
	CU_ASSERT_PTR_NOT_NULL(by_key(r, &m.p, &m.one));
	retract_named(r, 0, &m.p, m.rid1);
	CU_ASSERT_PTR_NULL(by_key(r, &m.p, &m.one));
	CU_ASSERT_EQUAL(r->last.kind, XY_BABEL_UNREACHABLE);
	// A retraction overtakes the Update that still waits for its verification.
	r->hold_verify = true;
	m.u2 = claim_update(&m.two, &m.p, 60, 3, 5);
	tell(r, 0, &m.u2);
	retract_named(r, 0, &m.p, m.rid2);
	struct xy_key x;
	int result = xy_babel_claim_verify(&r->held[0].claim, &x);
	xy_babel_verified(r->b, r->held[0].id, result, &x, r->now);
	CU_ASSERT_PTR_NULL(by_key(r, &m.p, &m.two));
	// All that a neighbour announced goes by one wildcard.
	r->hold_verify = false;
	m.u2 = claim_update(&m.two, &m.p, 60, 4, 5);
	tell(r, 0, &m.u2);
	CU_ASSERT_PTR_NOT_NULL(by_key(r, &m.p, &m.two));
	tell(r, 0,
	     &(struct xy_babel_update){
		     .wildcard = true, .interval = 6000, .metric = XY_BABEL_INFINITY});
	pass(r, XY_SEC);
	CU_ASSERT_PTR_NULL(by_key(r, &m.p, &m.two));
	rig_free(r);
}

static void request_route(struct rig *r, uint16_t link, const struct xy_prefix *p)
{
	uint8_t data[64];
	struct xy_babel_builder b;
	xy_babel_build(&b, data, sizeof(data), &r->peers[link]);
	xy_babel_build_route_request(&b, &(struct xy_babel_request){.prefix = *p});
	from_peer(r, link, &b);
	act(r);
}

// A route request for the prefix is answered for every key, a seqno request for the one that it
// names, and is forwarded to where that one came from.
static void test_mapping_requests(void)
{
	struct mapping m = mapping_up(3, 100, 500);
	struct rig *r = m.r;
	tell(r, 0, &m.u1);
	tell(r, 1, &m.u2);
	pass(r, 2 * XY_SEC);
	r->update_count = 0;
	request_route(r, 2, &m.p);
	pass(r, XY_SEC);
	CU_ASSERT_TRUE(said_of(r, 2, &m.p, m.rid1) && said_of(r, 2, &m.p, m.rid2));
	r->update_count = 0;
	ask_seqno(r, 2, &m.p, m.rid2, 1);
	pass(r, XY_SEC);
	CU_ASSERT_PTR_NULL(said_of(r, 2, &m.p, m.rid1));
	CU_ASSERT_PTR_NOT_NULL(said_of(r, 2, &m.p, m.rid2));
	ask_seqno(r, 2, &m.p, m.rid2, 2);
	pass(r, XY_SEC / 2);
	CU_ASSERT_EQUAL(r->seqno_requests, 1);
	CU_ASSERT_TRUE(r->last_request_link == 1 && r->last_request.rid == m.rid2);
	m.u2 = claim_update(&m.two, &m.p, 60, 2, 500);
	tell(r, 1, &m.u2);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(said_of(r, 2, &m.p, m.rid2)->seqno, 2);
	CU_ASSERT_PTR_NULL(said_of(r, 2, &m.p, m.rid1));
	ask_seqno(r, 2, &m.p, 0x1234, 2); // nobody's
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(r->seqno_requests, 1);
	rig_free(r);
}

// What nobody refreshes is asked for by its router-id, and goes alone.
static void test_mapping_expiry(void)
{
	struct mapping m = mapping_up(2, 100, 500);
	struct rig *r = m.r;
	tell(r, 0, &m.u1);
	pass(r, 100 * XY_SEC);
	tell(r, 0, &m.u2);
	pass(r, 100 * XY_SEC); // of 210
	CU_ASSERT_EQUAL(r->seqno_requests, 1);
	CU_ASSERT_TRUE(r->last_request.rid == m.rid1 && r->last_request.seqno == 1);
	pass(r, 20 * XY_SEC);
	CU_ASSERT_TRUE(!by_key(r, &m.p, &m.one) && by_key(r, &m.p, &m.two));
	rig_free(r);
}

// A plain neighbour knows one source of a prefix: the one that we follow.
static void test_mapping_plain(void)
{
	static const struct xy_prefix ten[] = {{{.b = {[10] = 0xff, [11] = 0xff, [12] = 10}}, 104}};
	struct mapping m = mapping_up(2, 100, 500);
	struct rig *r = m.r;
	r->links[3].plain = true;
	r->links[3].announce = r->links[3].accept = ten;
	r->links[3].announce_count = r->links[3].accept_count = 1;
	r->links[3].tag = 7;
	link_up(r, 3);
	tell(r, 0, &m.u1);
	tell(r, 1, &m.u2);
	pass(r, 2 * XY_SEC);
	const struct xy_babel_update *u = said(r, 3, &m.p);
	CU_ASSERT_TRUE(!u || u->metric == XY_BABEL_INFINITY);
	accept_keys(&m, false, true);
	u = said(r, 3, &m.p);
	CU_ASSERT_TRUE(u && u->metric == 596 && u->rid == m.rid2 && !u->has_origin);
	accept_keys(&m, true, true);
	pass(r, 30 * XY_SEC);
	u = said(r, 3, &m.p);
	CU_ASSERT_TRUE(u && u->metric == 196 && u->rid == m.rid1);
	ask_seqno(r, 3, &m.p, m.rid1, 2); // its request goes to that origin
	pass(r, XY_SEC / 2);
	CU_ASSERT_TRUE(r->last_request_link == 0 && r->last_request.rid == m.rid1);
	m.u1 = claim_update(&m.one, &m.p, 50, 2, 100);
	tell(r, 0, &m.u1);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(said(r, 3, &m.p)->seqno, 2);
	retract_named(r, 0, &m.p, m.rid1);
	pass(r, XY_SEC);
	u = said(r, 3, &m.p);
	CU_ASSERT_TRUE(u && u->metric == 596 && u->rid == m.rid2);
	// Its own route is one more source, announced to the mesh under our key beside the others.
	tell(r, 3,
	     &(struct xy_babel_update){.prefix = m.p,
				       .next_hop = r->peers[3],
				       .interval = 1600,
				       .metric = 50,
				       .seqno = 1,
				       .has_rid = true,
				       .rid = 77});
	pass(r, 40 * XY_SEC);
	CU_ASSERT_TRUE(r->last.metric == 146 && r->last.hops[0] == 3 && !r->last.has_key);
	uint64_t mine = xy_babel_router_id(&r->me.x25519, 1000);
	u = said_of(r, 0, &m.p, mine);
	CU_ASSERT_TRUE(u && u->metric == 146 && u->origin.tag == 7);
	CU_ASSERT_EQUAL(said_of(r, 0, &m.p, m.rid2)->metric, 596);
	CU_ASSERT_EQUAL(said(r, 3, &m.p)->metric, XY_BABEL_INFINITY);
	retract(r, 3, &m.p);
	pass(r, XY_SEC);
	u = said_of(r, 0, &m.p, mine);
	CU_ASSERT_TRUE(u && u->metric == XY_BABEL_INFINITY);
	CU_ASSERT_TRUE(r->last.kind == XY_BABEL_VIA && r->last.metric == 596);
	rig_free(r);
}

// Our own prefix hides what others say of it from ourselves alone.
static void test_mapping_own(void)
{
	struct mapping m = mapping_up(2, 100, 500);
	struct rig *r = m.r;
	accept_keys(&m, true, false);
	tell(r, 0, &m.u1);
	CU_ASSERT_EQUAL(r->last.kind, XY_BABEL_VIA);
	CU_ASSERT_EQUAL(xy_babel_announce(r->b, &m.p, r->now), 0);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(r->last.kind, XY_BABEL_GONE);
	m.u1.metric = 10;
	tell(r, 0, &m.u1);
	tell(r, 1, &m.u1);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(r->last.kind, XY_BABEL_GONE);
	uint64_t mine = xy_babel_router_id(&r->me.x25519, 1000);
	CU_ASSERT_EQUAL(said_of(r, 1, &m.p, mine)->metric, 0);
	CU_ASSERT_EQUAL(said_of(r, 1, &m.p, m.rid1)->metric, 106);
	CU_ASSERT_EQUAL(xy_babel_withdraw(r->b, &m.p, r->now), 0);
	pass(r, XY_SEC);
	CU_ASSERT_TRUE(r->last.kind == XY_BABEL_VIA && r->last.metric == 106);
	CU_ASSERT_EQUAL(said_of(r, 1, &m.p, mine)->metric, XY_BABEL_INFINITY);
	CU_ASSERT_EQUAL(said_of(r, 1, &m.p, m.rid1)->metric, 106);
	rig_free(r);
}

// An origin that announces what is not its own takes that from its own share of a link.
static void test_mapping_limits(void)
{
	struct rig *r = rig_new(false);
	r->links[0].max_routes = 64;
	r->links[0].max_prefixes = 20;
	link_up(r, 0);
	pass(r, 15 * XY_SEC);
	struct xy_identity two = identity(10), one = identity(9);
	for (uint8_t i = 0; i < 40; i++) {
		struct xy_prefix p = {{.b = {0x20, 1, 0xd, 0xb8, 0, i}}, 48};
		struct xy_babel_update u = claim_update(&two, &p, 60, 1, 1);
		tell(r, 0, &u);
	}
	struct xy_babel_link_info info;
	xy_babel_link_info(r->b, 0, &info);
	CU_ASSERT_EQUAL(info.routes, 20);
	CU_ASSERT_EQUAL(info.refused[XY_BABEL_REFUSED_ROUTE_LIMIT], 20);
	struct xy_prefix p = prefix("2001:db8:500::/48");
	struct xy_babel_update u = claim_update(&one, &p, 50, 1, 100);
	tell(r, 0, &u);
	CU_ASSERT_PTR_NOT_NULL(by_key(r, &p, &one));
	rig_free(r);
}

// At a limit what is held stays, what is new is refused; an eighth is kept for preferred origins.
static void test_limits(void)
{
	struct rig *r = rig_new(false);
	r->links[0].trust = XY_BABEL_OPEN;
	link_up(r, 0);
	link_up(r, 1);
	pass(r, 15 * XY_SEC);
	struct xy_identity wanted = identity(99);
	xy_babel_origin_prefer(r->b, &wanted.x25519, true);
	for (uint8_t i = 0; i < 20; i++) {
		struct xy_identity id = identity((uint8_t)(20 + i));
		announce(r, 0, &id, 50, 1, 100);
	}
	struct xy_babel_link_info info;
	xy_babel_link_info(r->b, 0, &info);
	CU_ASSERT_EQUAL(info.origins, 14);
	CU_ASSERT_EQUAL(info.refused[XY_BABEL_REFUSED_ORIGIN_LIMIT], 6);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_LIMIT], 1);
	announce(r, 0, &wanted, 50, 1, 100); // no other neighbour has told of it before
	xy_babel_link_info(r->b, 0, &info);
	CU_ASSERT_EQUAL(info.origins, 15);
	struct xy_babel_stats s;
	xy_babel_stats(r->b, &s);
	uint64_t verified = s.verified;
	struct xy_identity more = identity(60); // all that are preferred were met: no need to look
	announce(r, 0, &more, 50, 1, 100);
	xy_babel_stats(r->b, &s);
	CU_ASSERT_EQUAL(s.verified, verified);
	CU_ASSERT_EQUAL(refused(r, 0, XY_BABEL_REFUSED_ORIGIN_LIMIT), 7);
	struct xy_identity first = identity(20);
	struct xy_prefix p = xy_key_prefix(&first.x25519);
	CU_ASSERT_EQUAL(metric_to(r, &p), 196);
	rig_free(r);
}

// Nothing learned is installed before every neighbour has acknowledged, or 10 s are over.
static void test_start_wait(void)
{
	struct rig *r = rig_new(false);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	r->mute[0] = true;
	link_up(r, 0);
	pass(r, XY_SEC);
	announce(r, 0, &far, 50, 1, 100);
	pass(r, 8 * XY_SEC + XY_SEC / 2);
	CU_ASSERT_EQUAL(metric_to(r, &p), XY_BABEL_INFINITY);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_STARTED], 0);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), 196);
	CU_ASSERT_EQUAL(r->notices[XY_BABEL_NOTICE_STARTED], 1);
	rig_free(r);

	r = rig_new(false);
	link_up(r, 0);
	announce(r, 0, &far, 50, 1, 100);
	pass(r, XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), 196); // acknowledged: no wait
	rig_free(r);
}

static void test_equal_cost(void)
{
	struct rig *r = rig_up(4);
	struct xy_identity far = identity(9);
	announce(r, 0, &far, 50, 1, 100);
	announce(r, 1, &far, 50, 1, 100);
	announce(r, 2, &far, 50, 1, 101);
	announce(r, 3, &far, 50, 2, 100); // another seqno is another distance
	CU_ASSERT_EQUAL(r->last.hop_count, 2);
	CU_ASSERT_EQUAL(r->last.hops[0], 0);
	CU_ASSERT_EQUAL(r->last.hops[1], 1);
	xy_babel_link_down(r->b, 0, r->now);
	r->up[0] = false;
	pass(r, XY_SEC);
	CU_ASSERT_TRUE(r->last.hop_count >= 1 && r->last.hops[0] != 0);
	rig_free(r);
}

// RFC 8966 appendix A.3: a better route is taken when it has been better for a while.
static void test_hysteresis(void)
{
	struct rig *r = rig_up(2);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	announce(r, 0, &far, 50, 5, 300);
	announce(r, 1, &far, 50, 6, 400);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), 396);
	announce(r, 1, &far, 50, 6, 250); // better now, not yet for long
	CU_ASSERT_EQUAL(metric_to(r, &p), 396);
	pass(r, 60 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), 346);
	rig_free(r);
}

static void test_plain_domain(void)
{
	static const struct xy_prefix accept[] = {{{.b = {0x20, 0x01, 0x0d, 0xb8}}, 32}};
	struct rig *r = rig_new(false);
	struct xy_identity far = identity(9);
	for (uint16_t i = 1; i <= 2; i++) { // two links into one domain
		r->links[i].plain = true;
		r->links[i].tag = 42;
		r->links[i].accept = accept;
		r->links[i].accept_count = 1;
	}
	r->links[2].announce = accept;
	r->links[2].announce_count = 1;
	r->links[3] = r->links[1]; // and one into another, which is told what we accept
	r->links[3].local.b[15] = 3;
	r->links[3].tag = 43;
	r->links[3].announce = accept;
	r->links[3].announce_count = 1;
	for (uint16_t i = 0; i < 4; i++)
		link_up(r, i);
	pass(r, 15 * XY_SEC);
	struct xy_prefix in = prefix("2001:db8:7::/48"), out = prefix("2001:db9::/48"),
			 mesh = prefix("200::/7"), own = xy_key_prefix(&r->me.x25519),
			 remote = xy_key_prefix(&far.x25519);
	plain_update(r, 1, &in, 0x1234, 200);
	plain_update(r, 1, &out, 0x1234, 200);
	plain_update(r, 1, &remote, 0x1234, 200);
	announce(r, 0, &far, 50, 1, 100);
	plain_update(r, 2, &in, xy_babel_router_id(&far.x25519, 50), 1);
	plain_update(r, 2, &in, xy_babel_router_id(&r->me.x25519, 1000), 1);
	plain_update(r, 2, &mesh, xy_babel_router_id(&r->me.x25519, 1000), 96); // as babeld does
	plain_update(r, 2, &own, xy_babel_router_id(&r->me.x25519, 1000), 96);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL(refused(r, 1, XY_BABEL_REFUSED_NOT_ACCEPTED), 1);
	CU_ASSERT_EQUAL(refused(r, 1, XY_BABEL_REFUSED_UNSIGNED), 1);
	CU_ASSERT_EQUAL(refused(r, 2, XY_BABEL_REFUSED_REFLECTED), 4);
	CU_ASSERT_EQUAL(refused(r, 2, XY_BABEL_REFUSED_UNSIGNED), 0);
	CU_ASSERT_EQUAL(metric_to(r, &in), 296);
	// Into the mesh under our own key, with flag and tag; its metric goes on.
	const struct xy_babel_update *u = said(r, 0, &in);
	struct xy_key x;
	CU_ASSERT_PTR_NOT_NULL_FATAL(u);
	struct xy_babel_claim c = {u->prefix, u->rid, u->seqno, u->origin};
	CU_ASSERT_TRUE(u->metric == 296 && u->origin.flags == XY_BABEL_ORIGIN_EXTERNAL &&
		       u->origin.tag == 42 && xy_babel_claim_verify(&c, &x) == 0);
	// Never back into its domain; the other one hears of it, unsigned.
	u = said(r, 2, &in);
	CU_ASSERT_TRUE(!u || u->metric == XY_BABEL_INFINITY);
	u = said(r, 3, &in);
	CU_ASSERT_TRUE(u && u->metric == 296 && !u->has_origin);
	CU_ASSERT_FALSE(xy_babel_tag_stops(r->b, 1, &in)); // it came from there
	CU_ASSERT_TRUE(xy_babel_tag_stops(r->b, 2, &in));
	CU_ASSERT_FALSE(xy_babel_tag_stops(r->b, 3, &in));
	struct xy_prefix back = prefix("2001:db8:8::/48");
	plain_update(r, 2, &back, 0x1235, 200);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &back), 296);
	CU_ASSERT_FALSE(xy_babel_tag_stops(r->b, 2, &back)); // not the tag: it came from there
	// By default a plain neighbour hears 200::/7 and our own prefixes, and no other node's.
	CU_ASSERT_TRUE(said(r, 1, &mesh) && !said(r, 1, &mesh)->has_origin);
	CU_ASSERT_PTR_NOT_NULL(said(r, 1, &own));
	CU_ASSERT_PTR_NULL(said(r, 1, &remote));
	struct xy_prefix extra = prefix("2001:dbf::/48");
	xy_babel_announce(r->b, &extra, r->now);
	pass(r, XY_SEC);
	CU_ASSERT_TRUE(said(r, 1, &extra) && said(r, 1, &extra)->metric == 0);
	xy_babel_withdraw(r->b, &extra, r->now);
	pass(r, XY_SEC);
	CU_ASSERT_TRUE(said(r, 1, &extra)->metric == XY_BABEL_INFINITY);
	CU_ASSERT_PTR_NULL(said(r, 3, &mesh)); // its own list does not name it
	CU_ASSERT_PTR_NULL(said(r, 0, &mesh));
	// The same prefix out of the mesh, brought in by another gateway of that domain.
	retract(r, 1, &in);
	struct xy_babel_claim g = {.prefix = in,
				   .rid = xy_babel_router_id(&far.x25519, 50),
				   .seqno = 2,
				   .origin = {.flags = 1, .epoch = 50, .tag = 42}};
	memcpy(g.origin.key, far.ed25519.b, 32);
	xy_babel_claim_sign(&g, far.ed25519_sk);
	struct xy_babel_accept list = {far.x25519, in};
	xy_babel_accept(r->b, &list, 1, r->now);
	tell(r, 0,
	     &(struct xy_babel_update){.prefix = in,
				       .interval = 6000,
				       .seqno = 2,
				       .metric = 5,
				       .has_rid = true,
				       .rid = g.rid,
				       .has_origin = true,
				       .origin = g.origin});
	pass(r, 5 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &in), 101);
	u = said(r, 1, &in);
	CU_ASSERT_TRUE(!u || u->metric == XY_BABEL_INFINITY);
	u = said(r, 3, &in);
	CU_ASSERT_TRUE(u && u->metric == 101);
	rig_free(r);
}

// Both answers of a relay to its stub, and what it remembers.
static void test_relay_of_stub(void)
{
	struct rig *r = rig_new(false);
	r->links[1].stub = true;
	link_up(r, 0);
	link_up(r, 1);
	pass(r, 15 * XY_SEC);
	struct xy_identity far = identity(9), other = identity(10), none = identity(11);
	struct xy_prefix p = xy_key_prefix(&far.x25519), q = xy_key_prefix(&other.x25519),
			 z = xy_key_prefix(&none.x25519), mesh = prefix("200::/7");
	announce(r, 0, &far, 50, 1, 100);
	announce(r, 0, &other, 50, 1, 100);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_TRUE(said(r, 1, &mesh) && !said(r, 1, &mesh)->has_origin);
	CU_ASSERT_PTR_NULL(said(r, 1, &p));
	request_route(r, 1, &p);
	request_route(r, 1, &z);
	pass(r, XY_SEC);
	CU_ASSERT_TRUE(said(r, 1, &p) && said(r, 1, &p)->metric == 196 &&
		       said(r, 1, &p)->has_origin);
	CU_ASSERT_TRUE(said(r, 1, &z) && said(r, 1, &z)->metric == XY_BABEL_INFINITY);
	CU_ASSERT_PTR_NULL(said(r, 1, &q));
	announce(r, 0, &far, 50, 2, 500);
	announce(r, 0, &other, 50, 2, 500);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL(said(r, 1, &p)->metric, 596); // remembered: the change is sent
	CU_ASSERT_PTR_NULL(said(r, 1, &q));
	rig_free(r);
}

static void test_stub(void)
{
	struct rig *r = rig_new(true);
	r->links[0].relay = true;
	link_up(r, 0);
	link_up(r, 1);
	pass(r, 15 * XY_SEC);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519), mesh = prefix("200::/7");
	struct xy_babel_update aggregate = {.prefix = mesh,
					    .interval = 6000,
					    .metric = 0,
					    .has_rid = true,
					    .rid = 5,
					    .seqno = 1};
	tell(r, 1, &aggregate); // not named as our relay
	CU_ASSERT_EQUAL(refused(r, 1, XY_BABEL_REFUSED_MESH_PREFIX), 1);
	tell(r, 0, &aggregate);
	CU_ASSERT_TRUE(r->last.kind == XY_BABEL_VIA && r->last.prefix.len == 7 && !r->last.has_key);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_PTR_NULL(said(r, 1, &mesh)); // never passed on

	CU_ASSERT_EQUAL(xy_babel_want(r->b, &far.addr, 0, r->now), -EAGAIN);
	pass(r, XY_SEC / 10);
	CU_ASSERT_EQUAL(r->route_requests, 1);
	CU_ASSERT_TRUE(r->last_request_link == 0 && xy_prefix_eq(&r->last_request.prefix, &p));
	announce(r, 0, &far, 50, 1, 100);
	CU_ASSERT_EQUAL(xy_babel_want(r->b, &far.addr, 0, r->now), 0);
	pass(r, XY_SEC);
	CU_ASSERT_PTR_NULL(said(r, 1, &p)); // no transit
	pass(r, 320 * XY_SEC);		    // unused: let go
	CU_ASSERT_EQUAL(metric_to(r, &p), XY_BABEL_INFINITY);

	// A no is kept for 10 s.
	CU_ASSERT_EQUAL(xy_babel_want(r->b, &far.addr, 0, r->now), -EAGAIN);
	retract(r, 0, &p);
	CU_ASSERT_EQUAL(xy_babel_want(r->b, &far.addr, 0, r->now), -ENETUNREACH);
	pass(r, 9 * XY_SEC);
	CU_ASSERT_EQUAL(xy_babel_want(r->b, &far.addr, 0, r->now), -ENETUNREACH);
	pass(r, 2 * XY_SEC);
	CU_ASSERT_EQUAL(xy_babel_want(r->b, &far.addr, 0, r->now), -EAGAIN);

	// A scan fills nothing.
	unsigned refusals = 0;
	for (unsigned i = 0; i < 5000; i++) {
		struct xy_addr a = {.b = {0x03, 1, (uint8_t)(i >> 8), (uint8_t)i}};
		refusals += xy_babel_want(r->b, &a, 0, r->now) == -ENOBUFS;
	}
	CU_ASSERT_EQUAL(refusals, 5000 - 499); // one source has half of it
	rig_free(r);
}

// The one Hello among what a link is sent next, as it is sent `late` after it was made.
static struct xy_babel_tlv late_hello(struct rig *r, xy_nsec late, struct xy_babel_ihu *ihu)
{
	struct xy_babel_tlv t, hello = {0};
	const struct xy_babel_action *a;
	r->now = xy_babel_deadline(r->b);
	xy_babel_poll(r->b, r->now);
	while ((a = xy_babel_action(r->b))) {
		struct xy_babel_parser p;
		if (a->kind != XY_BABEL_SEND)
			continue;
		xy_babel_send_stamp(r->b, r->now + late);
		CU_ASSERT_EQUAL(xy_babel_parse(&p, a->send.data, a->send.len, &r->peers[0]), 0);
		while (xy_babel_parse_next(&p, &t)) {
			if (t.type == XY_BABEL_HELLO)
				hello = t;
			else if (t.type == XY_BABEL_IHU)
				*ihu = t.ihu;
		}
	}
	return hello;
}

// What a busy host takes before it looks at a packet, and before it sends one, is no round trip.
static void test_rtt_busy(void)
{
	struct rig *r = rig_new(false);
	uint8_t data[128];
	struct xy_babel_builder p;
	struct xy_babel_ihu ihu = {0};
	r->links[0].no_rtt = false;
	CU_ASSERT_EQUAL(xy_babel_link_add(r->b, 0, &r->links[0], r->now), 0);
	xy_babel_link_up(r->b, 0, r->now);
	struct xy_babel_tlv hello = late_hello(r, 70 * XY_MSEC, &ihu);
	CU_ASSERT_EQUAL(hello.type, XY_BABEL_HELLO);
	CU_ASSERT_EQUAL(hello.hello.time, (uint32_t)((r->now + 70 * XY_MSEC) / XY_USEC));
	r->now += 90 * XY_MSEC; // 20 there and back
	xy_babel_build(&p, data, sizeof(data), &r->peers[0]);
	xy_babel_build_hello(
		&p, &(struct xy_babel_hello){.interval = 400, .has_time = true, .time = 5000});
	xy_babel_build_ihu(&p, &(struct xy_babel_ihu){.any = true,
						      .rxcost = 96,
						      .interval = 1200,
						      .has_time = true,
						      .origin_time = hello.hello.time,
						      .receive_time = 5000});
	uint32_t arrived = (uint32_t)(r->now / XY_USEC);
	xy_babel_receive(r->b, 0, &r->peers[0], data, xy_babel_build_end(&p), r->now,
			 r->now + 300 * XY_MSEC);
	struct xy_babel_link_info info;
	CU_ASSERT_EQUAL(xy_babel_link_info(r->b, 0, &info), 0);
	CU_ASSERT_EQUAL(info.rtt, 20000);
	hello = late_hello(r, 70 * XY_MSEC, &ihu);
	CU_ASSERT(ihu.has_time && ihu.origin_time == 5000 && ihu.receive_time == arrived);
	rig_free(r);
}

// RFC 9616 section 3.2: 40 ms there and back, 1 s at the other end.
static void test_rtt(void)
{
	struct rig *r = rig_new(false);
	r->links[0].no_rtt = false;
	CU_ASSERT_EQUAL(xy_babel_link_add(r->b, 0, &r->links[0], r->now), 0);
	xy_babel_link_up(r->b, 0, r->now);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t data[128];
		struct xy_babel_builder p;
		uint32_t ours = (uint32_t)(r->now / XY_USEC), theirs = 0xfffff000u + i * 2000000;
		r->now += 20 * XY_MSEC + XY_SEC + 20 * XY_MSEC;
		xy_babel_build(&p, data, sizeof(data), &r->peers[0]);
		xy_babel_build_hello(&p, &(struct xy_babel_hello){.seqno = (uint16_t)i,
								  .interval = 400,
								  .has_time = true,
								  .time = theirs + 1000000});
		xy_babel_build_ihu(&p, &(struct xy_babel_ihu){.any = true,
							      .rxcost = 96,
							      .interval = 1200,
							      .has_time = true,
							      .origin_time = ours,
							      .receive_time = theirs});
		from_peer(r, 0, &p);
		act(r);
	}
	struct xy_babel_link_info info;
	xy_babel_link_info(r->b, 0, &info);
	CU_ASSERT_EQUAL(info.rtt, 40000);
	// 96 plus 150 * (40 - 10) / (120 - 10)
	CU_ASSERT_EQUAL(info.cost, 96 + 40);
	rig_free(r);
}

// A neighbour that goes silent: two of three Hellos, then its routes, then itself.
static void test_silence(void)
{
	struct rig *r = rig_up(2);
	struct xy_identity far = identity(9);
	struct xy_prefix p = xy_key_prefix(&far.x25519);
	struct xy_babel_link_info info;
	announce(r, 0, &far, 50, 1, 100);
	pass(r, XY_SEC);
	r->up[0] = false;
	pass(r, 6 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), 196);
	pass(r, 14 * XY_SEC);
	CU_ASSERT_EQUAL(metric_to(r, &p), XY_BABEL_INFINITY);
	pass(r, 80 * XY_SEC);
	xy_babel_link_info(r->b, 0, &info);
	CU_ASSERT_TRUE(!info.heard && info.routes == 0);
	rig_free(r);
}

// babeld takes three fifths of the time that it is given to acknowledge: were it given more the
// slower it is, it would be slower each time.
static void test_slow_acks(void)
{
	struct rig *r = rig_up(1);
	uint16_t first = 0;
	r->mute[0] = true;
	for (unsigned i = 0; i < 20; i++) {
		struct xy_prefix p = {{.b = {0xfd, [7] = (uint8_t)i}}, 64};
		uint8_t data[16];
		struct xy_babel_builder out;
		CU_ASSERT_EQUAL(xy_babel_announce(r->b, &p, r->now), 0);
		r->ack_asked = 0;
		pass(r, 50 * XY_MSEC);
		first = first ? first : r->ack_asked;
		CU_ASSERT_TRUE(r->ack_asked > 0 && r->ack_asked <= first);
		pass(r, r->ack_asked * 6 * XY_MSEC);
		xy_babel_build(&out, data, sizeof(data), &r->peers[0]);
		xy_babel_build_ack(&out, r->ack_opaque);
		from_peer(r, 0, &out);
		act(r);
	}
	rig_free(r);
}

// A table that one neighbour brings and takes back: linear, and everything is given back.
static void test_many(void)
{
	struct rig *r = rig_new(false);
	static const struct xy_prefix all[] = {{.len = 0}};
	r->links[0].plain = true;
	r->links[0].accept = all;
	r->links[0].accept_count = 1;
	link_up(r, 0);
	pass(r, 15 * XY_SEC);
	for (unsigned i = 0; i < 20000; i++) {
		struct xy_prefix p = {
			{.b = {0x20, 0x01, 0x0d, 0xb8, 0, (uint8_t)(i >> 8), 0, (uint8_t)i}}, 64};
		plain_update(r, 0, &p, 77, 100);
	}
	struct xy_babel_stats s;
	xy_babel_stats(r->b, &s);
	CU_ASSERT_EQUAL(s.routes, 20000);
	CU_ASSERT_EQUAL(s.selected, 20000);
	xy_babel_link_down(r->b, 0, r->now);
	r->up[0] = false;
	pass(r, 600 * XY_SEC);
	xy_babel_stats(r->b, &s);
	CU_ASSERT_EQUAL(s.routes, 0);
	CU_ASSERT_TRUE(s.prefixes <= 2); // our own and the aggregate
	CU_ASSERT_EQUAL(s.sources, 0);
	rig_free(r);
}

XY_UNIT_MAIN("babel_route", {"claim: bytes and router-id", test_claim_vector},
	     {"claim: published vectors", test_claim_published},
	     {"claim: verification", test_claim_verify}, {"epoch at start", test_epoch_first},
	     {"own prefix is announced", test_own_is_announced},
	     {"learn, relay, retract, hold", test_learn_relay_retract}, {"no room", test_room},
	     {"feasibility, numbered table", test_feasibility},
	     {"asked for again", test_asked_again}, {"doubt that is over", test_doubt_over},
	     {"age", test_age}, {"starvation", test_starvation},
	     {"forwarded seqno request", test_forwarded_request}, {"own seqno", test_own_seqno},
	     {"refusals", test_refusals}, {"verification", test_verification},
	     {"verification: forged claims", test_forged_claims}, {"epochs of others", test_epochs},
	     {"our epoch lost", test_lost_epoch}, {"our key twice, in one epoch", test_same_epoch},
	     {"withdrawal", test_withdrawal}, {"mappings: no shadow", test_no_shadow},
	     {"mappings: failover", test_failover}, {"mappings: listed", test_mapping_list},
	     {"mappings: a better one ripens", test_ripening},
	     {"mappings: retraction names one", test_named_retraction},
	     {"mappings: requests", test_mapping_requests},
	     {"mappings: expiry", test_mapping_expiry},
	     {"mappings: plain neighbours", test_mapping_plain},
	     {"mappings: own prefix", test_mapping_own},
	     {"mappings: share of an origin", test_mapping_limits}, {"limits", test_limits},
	     {"wait at start", test_start_wait}, {"equal cost", test_equal_cost},
	     {"hysteresis", test_hysteresis}, {"plain domains", test_plain_domain},
	     {"relay of a stub", test_relay_of_stub}, {"stub", test_stub}, {"RTT", test_rtt},
	     {"RTT of a busy host", test_rtt_busy}, {"silence", test_silence},
	     {"slow acknowledgements", test_slow_acks}, {"many routes", test_many})
