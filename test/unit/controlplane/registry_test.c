// SPDX-License-Identifier: BSD-3-Clause
// Peers that a registry names: that they end by themselves, never go before what people said, bear
// a name of their own, and are bounded; and who may come.
#include "peers/registry.h"
#include "unit.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

static struct {
	struct xy_book book;
	struct xy_identity id;
	struct xy_registry r;
	struct xy_config c;
	struct xy_err err;
	const char *taken;
	uint16_t cost; // that was set of each
	bool changed;
} w;

static bool is_taken(void *arg, const char *name)
{
	return w.taken && strcmp(w.taken, name) == 0;
}

static void lay(void *arg, struct xy_config_peer *says)
{
	says->cost = w.cost;
}

static void begin(void)
{
	static const uint8_t seed[32] = {7};
	memset(&w, 0, sizeof(w));
	CU_ASSERT_FATAL(xy_book_init(&w.book, 8) == 0);
	CU_ASSERT_FATAL(xy_identity_from_seed(seed, &w.id) == 0);
	CU_ASSERT_FATAL(xy_registry_init(&w.r, &w.book, &w.id) == 0);
	w.r.is_taken = is_taken;
	w.r.lay = lay;
	xy_config_init(&w.c);
}

static unsigned news(void)
{
	struct xy_book_peer p;
	unsigned n = 0;
	while (xy_book_news(&w.book, &p))
		n++;
	xy_registry_sweep(&w.r);
	return n;
}

static void end(void)
{
	news();
	CU_ASSERT(w.r.gone == 0);
	xy_registry_fini(&w.r);
	xy_config_free(&w.c);
	xy_book_fini(&w.book);
}

static struct xy_key key_of(unsigned n)
{
	struct xy_identity id;
	uint8_t seed[32] = {(uint8_t)n, (uint8_t)(n >> 8), 9};
	CU_ASSERT_FATAL(xy_identity_from_seed(seed, &id) == 0);
	return id.x25519;
}

static int set(unsigned n, const char *name, const char *endpoint, xy_nsec until)
{
	const struct xy_registry_want want = {.key = key_of(n),
					      .name = name,
					      .endpoints = &endpoint,
					      .endpoint_count = endpoint ? 1 : 0};
	return xy_registry_set(&w.r, &want, &w.c, until, &w.changed, &w.err);
}

static const struct xy_config_peer *peer(unsigned n)
{
	struct xy_key key = key_of(n);
	return xy_registry_peer(&w.r, &key);
}

static unsigned run(xy_nsec now)
{
	char name[XY_NAME_LEN + 1];
	return xy_registry_run(&w.r, now, name);
}

static void test_life(void)
{
	struct xy_book_peer p;
	struct xy_key key = key_of(1);
	begin();
	CU_ASSERT(xy_registry_deadline(&w.r) == XY_NEVER);
	CU_ASSERT(set(1, "berlin", "192.0.2.1:51820", 100) == 0 && w.changed);
	CU_ASSERT(xy_book_in_force(&w.book, &key, &p) && p.source == XY_BOOK_REGISTRY);
	CU_ASSERT(strcmp(p.says->name, "berlin") == 0 && news() == 1);
	CU_ASSERT(set(1, "berlin", "192.0.2.1:51820", 200) == 0 && !w.changed && news() == 0);
	CU_ASSERT(run(150) == 0 && xy_registry_deadline(&w.r) == 200);
	CU_ASSERT(set(1, "berlin", "192.0.2.2:51820", 250) == 0 && w.changed && news() == 1);
	CU_ASSERT_STRING_EQUAL(peer(1)->endpoints[0], "192.0.2.2:51820");
	CU_ASSERT(set(2, "paris", NULL, 300) == 0 && run(249) == 0 && run(250) == 1);
	CU_ASSERT(!peer(1) && peer(2) && !xy_book_in_force(&w.book, &key, &p));
	CU_ASSERT(xy_registry_deadline(&w.r) == 300);
	key = key_of(2);
	CU_ASSERT(xy_registry_forget(&w.r, &key) == 0 && xy_registry_forget(&w.r, &key) == -ENOENT);
	CU_ASSERT(set(3, "self", NULL, 300) == 0);
	struct xy_registry_want own = {.key = w.id.x25519, .name = "us"};
	CU_ASSERT(xy_registry_set(&w.r, &own, &w.c, 300, &w.changed, &w.err) == -EINVAL);
	CU_ASSERT(strstr(w.err.text, "our own") != NULL);
	own.key = (struct xy_key){{0}};
	CU_ASSERT(xy_registry_set(&w.r, &own, &w.c, 300, &w.changed, &w.err) == -EBADMSG);
	end();
}

// What people said of the key is in force; the registry's waits behind it.
static void test_behind(void)
{
	static const struct xy_config_peer says = {.name = "mine"};
	struct xy_hs_remote remote = {0};
	struct xy_book_peer e = {.key = key_of(1),
				 .source = XY_BOOK_CONFIG,
				 .says = &says,
				 .remote = &remote},
			    p;
	begin();
	for (unsigned s = 0; s < XY_BOOK_REGISTRY; s++) {
		e.source = s;
		CU_ASSERT(xy_book_set(&w.book, &e) == 0);
		CU_ASSERT(set(1, "theirs", NULL, 100) == 0);
		CU_ASSERT(xy_book_in_force(&w.book, &e.key, &p) && p.source == s);
		news();
		xy_book_del(&w.book, &e.key, s);
		CU_ASSERT(xy_book_in_force(&w.book, &e.key, &p) && p.source == XY_BOOK_REGISTRY);
		CU_ASSERT(news() == 1);
	}
	e.source = XY_BOOK_OPEN; // who came by himself is known by the registry's word from now on
	CU_ASSERT(xy_book_set(&w.book, &e) == 0);
	CU_ASSERT(xy_book_in_force(&w.book, &e.key, &p) && p.source == XY_BOOK_REGISTRY);
	xy_book_del(&w.book, &e.key, XY_BOOK_OPEN);
	end();
}

static void test_names(void)
{
	char want[XY_NAME_LEN + 1], hex[33];
	struct xy_key key = key_of(2);
	struct xy_addr a = xy_key_addr(&key);
	sodium_bin2hex(hex, sizeof(hex), a.b, 16);
	begin();
	CU_ASSERT(set(1, "berlin", NULL, 100) == 0 && set(2, "berlin", NULL, 100) == 0);
	snprintf(want, sizeof(want), "berlin-%.4s", hex);
	CU_ASSERT_STRING_EQUAL(peer(1)->name, "berlin");
	CU_ASSERT_STRING_EQUAL(peer(2)->name, want);
	CU_ASSERT(set(2, "berlin", NULL, 200) == 0 && !w.changed); // and it stays so
	CU_ASSERT(set(2, "", NULL, 200) == 0 && w.changed);
	snprintf(want, sizeof(want), "node-%.4s", hex);
	CU_ASSERT_STRING_EQUAL(peer(2)->name, want);
	memset(want, 'x', XY_NAME_LEN);
	CU_ASSERT(set(3, want, NULL, 100) == 0 && set(2, want, NULL, 100) == 0);
	CU_ASSERT(strlen(peer(2)->name) <= XY_NAME_LEN && strcmp(peer(2)->name, want) != 0);
	// A config that comes into force has the name.
	news();
	w.taken = "berlin";
	xy_registry_settle(&w.r, &w.c);
	CU_ASSERT(strncmp(peer(1)->name, "berlin-", 7) == 0 && news() == 1);
	xy_registry_settle(&w.r, &w.c);
	CU_ASSERT(news() == 0);
	end();
}

static void test_secret(void)
{
	struct xy_book_peer p;
	struct xy_key key = key_of(1);
	const struct xy_prefix allowed = {.addr = {{0xfd}}, .len = 48};
	struct xy_registry_want leaf = {.key = key_of(2), .name = "leaf", .leaf = true};
	static const uint8_t none[32];
	begin();
	CU_ASSERT(xy_registry_set(&w.r, &leaf, &w.c, 100, &w.changed, &w.err) == -EINVAL);
	leaf.allowed = (struct xy_config_prefixes){1, (struct xy_prefix *)(uintptr_t)&allowed};
	CU_ASSERT(xy_registry_set(&w.r, &leaf, &w.c, 100, &w.changed, &w.err) == 0);
	CU_ASSERT(set(1, "node", NULL, 100) == 0 && news() == 2);
	w.c.has_network_secret = true;
	memset(w.c.network_secret, 5, 32);
	xy_registry_settle(&w.r, &w.c);
	CU_ASSERT(xy_book_in_force(&w.book, &key, &p));
	CU_ASSERT(memcmp(p.remote->psk, w.c.network_secret, 32) == 0);
	CU_ASSERT(xy_book_in_force(&w.book, &leaf.key, &p));
	CU_ASSERT(memcmp(p.remote->psk, none, 32) == 0 && p.says->allowed.count == 1);
	CU_ASSERT(news() == 1);
	w.cost = 7; // set of it at run time: it lies over what comes anew
	CU_ASSERT(set(1, "node", NULL, 100) == 0 && w.changed && peer(1)->cost == 7);
	end();
}

static void test_bounds(void)
{
	begin();
	for (unsigned i = 0; i < XY_REGISTRY_PEERS; i++)
		if (set(i, "n", NULL, 100 + i % 2) != 0)
			break;
	CU_ASSERT(w.r.count == XY_REGISTRY_PEERS);
	CU_ASSERT(set(XY_REGISTRY_PEERS, "n", NULL, 100) == -ENOSPC);
	CU_ASSERT(strstr(w.err.text, "4096 peers") != NULL);
	CU_ASSERT(set(7, "other", NULL, 101) == 0 && w.changed); // who is there may change
	news();
	CU_ASSERT(run(100) == XY_REGISTRY_PEERS / 2 && run(101) == XY_REGISTRY_PEERS / 2);
	CU_ASSERT(w.r.count == 0);
	end();
}

static void test_admitted(void)
{
	struct xy_prefix claim, other;
	begin();
	xy_prefix_parse("fd10:1::/48", &claim);
	xy_prefix_parse("fd10:2::/48", &other);
	for (unsigned i = 0; i < 500; i++) {
		struct xy_key k = key_of(i);
		CU_ASSERT(!xy_registry_admits(&w.r, &k, 1));
		CU_ASSERT(xy_registry_admit(&w.r, &k, i == 3 ? &claim : NULL, i % 2 ? 100 : 200) ==
			  0);
	}
	CU_ASSERT(w.r.admitted_count == 500 && w.r.claims == 1);
	struct xy_key k = key_of(3);
	CU_ASSERT(xy_registry_admit(&w.r, &k, &claim, 100) == 0 && w.r.claims == 1);
	CU_ASSERT(xy_registry_admit(&w.r, &k, &other, 100) == 0 && w.r.claims == 2);
	CU_ASSERT(xy_registry_admits(&w.r, &k, 99) && !xy_registry_admits(&w.r, &k, 100));
	CU_ASSERT(run(100) == 0 && w.r.admitted_count == 250 && w.r.claims == 3);
	for (unsigned i = 0; i < 500; i++) {
		k = key_of(i);
		CU_ASSERT(xy_registry_admits(&w.r, &k, 150) == (i % 2 == 0));
	}
	CU_ASSERT(run(200) == 0 && w.r.admitted_count == 0);
	CU_ASSERT(xy_registry_deadline(&w.r) == XY_NEVER);
	k = key_of(1);
	CU_ASSERT(xy_registry_admit(&w.r, &k, NULL, 300) == 0);
	xy_registry_unadmit(&w.r, &k);
	xy_registry_unadmit(&w.r, &k);
	CU_ASSERT(w.r.admitted_count == 0 && w.r.left_out == 501);
	for (unsigned i = 0; i < XY_REGISTRY_ADMITTED; i++) {
		k = (struct xy_key){{(uint8_t)i, (uint8_t)(i >> 8), 1}};
		CU_ASSERT(xy_registry_admit(&w.r, &k, NULL, 300) == 0);
	}
	k.b[3] = 1;
	CU_ASSERT(xy_registry_admit(&w.r, &k, NULL, 300) == -ENOSPC);
	k.b[3] = 0;
	CU_ASSERT(xy_registry_admit(&w.r, &k, NULL, 400) == 0);
	end();
}

// An agent that was started anew: what the one before said besides ends.
static void test_session(void)
{
	struct xy_key k[4];
	begin();
	for (unsigned i = 0; i < 4; i++)
		k[i] = key_of(i);
	w.r.session = 1;
	for (unsigned i = 0; i < 4; i++) {
		CU_ASSERT(set(i, "n", NULL, 100) == 0);
		CU_ASSERT(xy_registry_admit(&w.r, &k[i], NULL, 100) == 0);
	}
	w.r.session = 2;
	CU_ASSERT(set(0, "n", NULL, 100) == 0 && !w.changed);
	CU_ASSERT(set(1, "n", "192.0.2.1:1", 100) == 0 && w.changed);
	CU_ASSERT(xy_registry_admit(&w.r, &k[2], NULL, 100) == 0);
	CU_ASSERT(xy_registry_only(&w.r, 2) == 1);
	CU_ASSERT(peer(0) && peer(1) && peer(2) && !peer(3));
	CU_ASSERT(w.r.admitted_count == 1 && xy_registry_admits(&w.r, &k[2], 50));
	CU_ASSERT(w.r.left_out == 3 && xy_registry_only(&w.r, 2) == 0);
	w.c.has_network_secret = true; // made anew, it is of the same session
	xy_registry_settle(&w.r, &w.c);
	CU_ASSERT(xy_registry_only(&w.r, 2) == 0);
	end();
}

// Claims that come one after the other come into force together, and none waits for long.
static void test_calm(void)
{
	struct xy_prefix claim = {.addr = {{0xfd, 0x10}}, .len = 48};
	struct xy_key k = {{1}};
	xy_nsec now = 1000 * XY_SEC;
	unsigned laid = 0;
	begin();
	CU_ASSERT_FALSE(xy_registry_claims_due(&w.r, now));
	CU_ASSERT(xy_registry_admit(&w.r, &k, &claim, XY_NEVER) == 0);
	CU_ASSERT_FALSE(xy_registry_claims_due(&w.r, now));
	CU_ASSERT_FALSE(xy_registry_claims_due(&w.r, now + XY_SEC));
	CU_ASSERT_TRUE(xy_registry_claims_due(&w.r, now + 2 * XY_SEC));
	CU_ASSERT_TRUE(xy_registry_claims_due(&w.r, now + 3 * XY_SEC)); // until it is
	xy_registry_claims_laid(&w.r);
	CU_ASSERT_FALSE(xy_registry_claims_due(&w.r, now + 4 * XY_SEC));
	// One each second for a minute: not 60 times, nor once at its end.
	now += 100 * XY_SEC;
	for (unsigned i = 0; i < 60; i++, now += XY_SEC) {
		claim.addr.b[5] = (uint8_t)i;
		CU_ASSERT(xy_registry_admit(&w.r, &k, &claim, XY_NEVER) == 0);
		if (!xy_registry_claims_due(&w.r, now))
			continue;
		xy_registry_claims_laid(&w.r);
		laid++;
	}
	CU_ASSERT(laid == 5);
	// A change right after it was laid waits as the first did.
	xy_registry_claims_laid(&w.r);
	xy_registry_unadmit(&w.r, &k);
	CU_ASSERT_FALSE(xy_registry_claims_due(&w.r, now));
	CU_ASSERT_TRUE(xy_registry_claims_due(&w.r, now + 2 * XY_SEC));
	end();
}

XY_UNIT_MAIN("registry", {"life", test_life}, {"behind", test_behind}, {"names", test_names},
	     {"secret", test_secret}, {"bounds", test_bounds}, {"admitted", test_admitted},
	     {"session", test_session}, {"calm", test_calm})
