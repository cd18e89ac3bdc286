// SPDX-License-Identifier: BSD-3-Clause
// What is changed at run time: over the config's peers, beside them, out into a file and in again,
// and what is no change any more since the config says so.
#include "unit.h"

#include "steer/runtime.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#define K1 "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define K2 "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
#define S1 "IAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static struct {
	struct xy_book book;
	struct xy_identity id;
	struct xy_runtime r;
	struct xy_config c;
	struct xy_hs_remote remote;
	struct xy_err err;
} w;

static struct xy_key key_of(const char *text)
{
	struct xy_key k;
	CU_ASSERT_FATAL(xy_key_parse(text, &k, NULL) == 0);
	return k;
}

// A config with these peers, in force: in the book, under what lies over it.
static void enforce(const char *peers)
{
	char text[2000];
	struct xy_config old = w.c;
	int n = snprintf(text, sizeof(text), "peers = ( %s );", peers);
	CU_ASSERT_FATAL(xy_config_parse("t", text, (size_t)n, &w.c, &w.err) == 0);
	xy_runtime_lay(&w.r, &w.c);
	for (unsigned i = 0; i < old.peer_count; i++)
		xy_book_del(&w.book, &old.peers[i].key, XY_BOOK_CONFIG);
	for (unsigned i = 0; i < w.c.peer_count; i++) {
		const struct xy_book_peer e = {.key = w.c.peers[i].key,
					       .source = XY_BOOK_CONFIG,
					       .says = &w.c.peers[i],
					       .remote = &w.remote};
		if (!xy_key_is_zero(&e.key))
			CU_ASSERT_FATAL(xy_book_set(&w.book, &e) == 0);
	}
	xy_config_free(&old);
}

static void world_make(const char *peers)
{
	static const uint8_t seed[32] = {7};
	memset(&w, 0, sizeof(w));
	CU_ASSERT_FATAL(xy_book_init(&w.book, 8) == 0);
	CU_ASSERT_FATAL(xy_identity_from_seed(seed, &w.id) == 0);
	xy_runtime_init(&w.r, &w.book, &w.id);
	xy_config_init(&w.c);
	enforce(peers);
}

static bool news(void)
{
	struct xy_book_peer p;
	bool any = false;
	while (xy_book_news(&w.book, &p))
		any = true;
	return any;
}

static void world_end(void)
{
	news();
	xy_runtime_fini(&w.r);
	xy_config_free(&w.c);
	xy_book_fini(&w.book);
}

static struct xy_book_peer in_force(const char *key)
{
	const struct xy_key k = key_of(key);
	struct xy_book_peer p = {0};
	CU_ASSERT_FATAL(xy_book_in_force(&w.book, &k, &p));
	return p;
}

static int set(const char *key, enum xy_config_traffic traffic, uint16_t cost, bool to_config)
{
	const struct xy_runtime_want want = {traffic, cost, to_config};
	const struct xy_book_peer p = in_force(key);
	return xy_runtime_set(&w.r, &p, &want, &w.err);
}

static int add(const char *text)
{
	struct xy_key k;
	return xy_runtime_peer_add(&w.r, text, &w.c, &k, &w.err);
}

static void reread(void)
{
	struct xy_runtime fresh;
	char *text = xy_runtime_text(&w.r);
	CU_ASSERT_FATAL(text != NULL);
	xy_runtime_init(&fresh, &w.book, &w.id);
	int r = xy_runtime_load(&fresh, "runtime.conf", text, strlen(text), &w.c, &w.err);
	if (r)
		printf("\n%s\n%s\n", w.err.text, text);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	char *again = xy_runtime_text(&fresh);
	CU_ASSERT_STRING_EQUAL(again, text);
	xy_config_text_wipe(again);
	xy_config_text_wipe(text);
	news();
	xy_runtime_fini(&w.r);
	w.r = fresh;
}

// ---- over the config

static void test_over(void)
{
	world_make("{ name = \"a\"; key = \"" K1 "\"; cost = 200; }");
	news();
	CU_ASSERT_EQUAL(set(K1, XY_TRAFFIC_OFF, 0, false), 0);
	CU_ASSERT(in_force(K1).says->no_traffic && in_force(K1).says->cost == 200);
	CU_ASSERT(news()); // links follow
	CU_ASSERT_EQUAL(set(K1, 0, 300, false), 0);
	CU_ASSERT(in_force(K1).says->no_traffic && in_force(K1).says->cost == 300);
	CU_ASSERT_EQUAL(w.r.changes, 1);
	enforce("{ name = \"b\"; key = \"" K1 "\"; }"); // it is called otherwise now
	CU_ASSERT(in_force(K1).says->no_traffic && in_force(K1).says->cost == 300);
	reread();
	CU_ASSERT_EQUAL(w.r.changes, 1);
	enforce("{ name = \"b\"; key = \"" K1 "\"; cost = 5; }");
	CU_ASSERT_EQUAL(set(K1, 0, 0, true), 0); // the config's again
	CU_ASSERT_EQUAL(in_force(K1).says->cost, 5);
	CU_ASSERT_EQUAL(set(K1, XY_TRAFFIC_ON, 0, false), 0);
	CU_ASSERT_FALSE(in_force(K1).says->no_traffic);
	CU_ASSERT_EQUAL(w.r.changes, 0); // all is as the config says
	world_end();
}

// The config says so itself: it is no change any more, and the config may change its mind.
static void test_said_by_config(void)
{
	world_make("{ name = \"a\"; key = \"" K1 "\"; }");
	set(K1, XY_TRAFFIC_OFF, 300, false);
	enforce("{ name = \"a\"; key = \"" K1 "\"; traffic = false; }");
	CU_ASSERT_EQUAL(w.r.change[0].set.traffic, XY_TRAFFIC_AS_IT_IS);
	CU_ASSERT_EQUAL(w.r.change[0].set.cost, 300);
	enforce("{ name = \"a\"; key = \"" K1 "\"; traffic = false; cost = 300; }");
	CU_ASSERT_EQUAL(w.r.changes, 0);
	enforce("{ name = \"a\"; key = \"" K1 "\"; }");
	CU_ASSERT(!in_force(K1).says->no_traffic && !in_force(K1).says->cost);
	// off in the config, on at run time
	enforce("{ name = \"a\"; key = \"" K1 "\"; traffic = false; }");
	CU_ASSERT_EQUAL(set(K1, XY_TRAFFIC_ON, 0, false), 0);
	CU_ASSERT_FALSE(in_force(K1).says->no_traffic);
	reread();
	enforce("{ name = \"a\"; key = \"" K1 "\"; traffic = false; }");
	CU_ASSERT_FALSE(in_force(K1).says->no_traffic);
	CU_ASSERT_EQUAL(xy_runtime_forget(&w.r, "a"), -ENOENT); // it is there
	enforce(""); // it waits for the peer to come again
	CU_ASSERT_EQUAL(w.r.changes, 1);
	enforce("{ name = \"a\"; key = \"" K1 "\"; traffic = false; }");
	CU_ASSERT_FALSE(in_force(K1).says->no_traffic);
	enforce("");
	CU_ASSERT_EQUAL(xy_runtime_forget(&w.r, "b"), -ENOENT);
	CU_ASSERT_EQUAL(xy_runtime_forget(&w.r, K1), 0);
	CU_ASSERT_EQUAL(w.r.changes, 0);
	world_end();
}

// ---- beside it

static void test_added(void)
{
	world_make("{ name = \"a\"; key = \"" K1 "\"; }");
	CU_ASSERT_EQUAL(
		add("{ name = \"b\"; key = \"" K2 "\"; endpoints = [ \"h\\\\.example:1\" ]; }"),
		-EINVAL); // no host's name
	CU_ASSERT_EQUAL(add("{ name = \"b\"; key = \"" K2
			    "\"; endpoint = \"10.0.0.1:5\"; psk = \"" S1
			    "\"; keepalive = 5; mtu = 1300; }"),
			0);
	CU_ASSERT_EQUAL(in_force(K2).source, XY_BOOK_RUNTIME);
	CU_ASSERT_EQUAL(set(K2, XY_TRAFFIC_OFF, 77, false), 0);
	reread();
	const struct xy_config_peer *p = in_force(K2).says;
	CU_ASSERT(p->no_traffic && p->cost == 77 && p->keepalive == 5 && p->mtu == 1300 &&
		  p->has_psk && p->endpoint_count == 1);
	CU_ASSERT_STRING_EQUAL(p->endpoints[0], "10.0.0.1:5");
	// The config has it, too: it is the config's then.
	enforce("{ name = \"a\"; key = \"" K1 "\"; }, { name = \"other\"; key = \"" K2 "\"; }");
	CU_ASSERT_EQUAL(in_force(K2).source, XY_BOOK_CONFIG);
	CU_ASSERT(xy_runtime_settle(&w.r, &w.c));
	CU_ASSERT_FALSE(xy_runtime_settle(&w.r, &w.c));
	CU_ASSERT_EQUAL(w.r.peers, 0);
	CU_ASSERT(!in_force(K2).says->no_traffic);
	world_end();
}

static const struct {
	const char *text, *part; // of the error
} refused[] = {
	{"{ name = \"b\"; }", "key: missing"},
	{"{ key = \"" K2 "\"; }", "name: missing"},
	{"{ name = \"b\"; key = \"x\"; }", "key: "},
	{"{ name = \"a\"; key = \"" K2 "\"; }", "there is a peer a already, in the config"},
	{"{ name = \"c\"; key = \"" K1 "\"; }", "is a's already"},
	{"{ name = \"b\"; key = \"" K2 "\"; colour = 1; }", "colour"},
	{"{ name = \"b\"; key = \"" K2 "\"; }, { name = \"c\"; key = \"" K1 "\"; }", "one peer"},
	{"{ name = \"b\"; key = \"" K2 "\"; }); max_peers = ( 1", ""},
	{"", "one peer"},
	{"{ name = \"b\"; key = \"" K2 "\"; leaf = true; allowed = [ \"200:1::1\" ]; }", "/64"},
	{"{ name = \"b\"; key = \"" K2 "\"; leaf = true; allowed = [ \"10.1.0.5\" ]; }",
	 "is leaf l's already"},
};

static void test_refused(void)
{
	world_make("{ name = \"a\"; key = \"" K1 "\"; }, { name = \"l\"; leaf = true; key = \"" S1
		   "\"; allowed = [ \"10.1.0.5\" ]; }");
	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		w.err.text[0] = 0;
		CU_ASSERT(add(refused[i].text) < 0);
		if (!strstr(w.err.text, refused[i].part))
			printf("\n  %u: %s\n", i, w.err.text);
		CU_ASSERT(strstr(w.err.text, refused[i].part) != NULL);
		CU_ASSERT_EQUAL(w.r.peers, 0);
	}
	world_end();
}

static bool nobody(void *arg, const struct xy_key *key)
{
	return false;
}

static void test_removed(void)
{
	const struct xy_key k2 = key_of(K2), k1 = key_of(K1);
	world_make("{ name = \"a\"; key = \"" K1 "\"; }");
	CU_ASSERT_EQUAL(xy_runtime_peer_remove(&w.r, &k1), -ENOENT); // it is the config's
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(add("{ name = \"b\"; key = \"" K2 "\"; }"), 0);
		news();
		CU_ASSERT_EQUAL(xy_runtime_peer_remove(&w.r, &k2), 0);
		CU_ASSERT_EQUAL(xy_runtime_peer_remove(&w.r, &k2), -ENOENT); // twice
		xy_runtime_sweep(&w.r, nobody, NULL);
		CU_ASSERT_EQUAL(w.r.gone, 1); // links have not followed yet
		CU_ASSERT(news());
		xy_runtime_sweep(&w.r, nobody, NULL);
		CU_ASSERT_EQUAL(w.r.gone, 0);
	}
	world_end();
}

// ---- addresses

static void test_addresses(void)
{
	char text[400], at[XY_ADDR_STRLEN];
	struct xy_addr a;
	world_make("");
	struct xy_prefix net = xy_key_prefix(&w.id.x25519);
	CU_ASSERT_EQUAL(xy_runtime_address(&w.r, &w.c, &a), 0);
	CU_ASSERT(xy_prefix_contains(&net, &a) && a.b[15] == 2 && !a.b[14]);
	snprintf(text, sizeof(text),
		 "{ name = \"l\"; key = \"" K2 "\"; leaf = true; allowed = [ \"%s\" ]; }",
		 xy_addr_str(&a, at));
	CU_ASSERT_EQUAL(add(text), 0);
	CU_ASSERT_EQUAL(xy_runtime_address(&w.r, &w.c, &a), 0);
	CU_ASSERT_EQUAL(a.b[15], 3);
	a.b[15] = 0;
	snprintf(text, sizeof(text),
		 "{ name = \"m\"; key = \"" K1 "\"; leaf = true; allowed = [ \"%s/120\" ]; }",
		 xy_addr_str(&a, at));
	enforce(text);
	CU_ASSERT_EQUAL(xy_runtime_address(&w.r, &w.c, &a), 0);
	CU_ASSERT(a.b[14] == 1 && a.b[15] == 0);
	a.b[14] = 0;
	snprintf(text, sizeof(text),
		 "{ name = \"m\"; key = \"" K1 "\"; leaf = true; allowed = [ \"%s/112\" ]; }",
		 xy_addr_str(&a, at));
	enforce(text);
	CU_ASSERT_EQUAL(xy_runtime_address(&w.r, &w.c, &a), -ENOSPC);
	world_end();
}

// ---- files

static const char *const broken[] = {
	"peers = (",
	"peers = ( { name = \"a\"; } ); changed = 1;",
	"changed = ( { peer = \"a\"; traffic = \"maybe\"; } );",
	"changed = ( { peer = \"a\"; cost = 70000; } );",
	"drained = \"yes\";",
	"log_level = \"loud\";",
	"log_levels = { links = \"loud\"; };",
	"listen = 1;",
};

static void test_files(void)
{
	world_make("{ name = \"a\"; key = \"" K1 "\"; }");
	for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		int r = xy_runtime_load(&w.r, "runtime.conf", broken[i], strlen(broken[i]), &w.c,
					&w.err);
		CU_ASSERT(r < 0 && strstr(w.err.text, "runtime.conf:1"));
		CU_ASSERT(!w.r.changes && !w.r.peers && !w.r.drained);
	}
	w.r.drained = true;
	w.r.level = XY_LOG_DEBUG;
	reread();
	CU_ASSERT(w.r.drained && w.r.level == XY_LOG_DEBUG);
	w.c.log_level = XY_LOG_DEBUG;
	CU_ASSERT(xy_runtime_lay(&w.r, &w.c)); // the config says so
	CU_ASSERT_EQUAL(w.r.level, XY_LOG_AS_IT_IS);
	world_end();
}

static void test_levels(void)
{
	world_make("{ name = \"a\"; key = \"" K1 "\"; }");
	CU_ASSERT(!xy_runtime_has_levels(&w.r));
	w.c.log_levels[XY_PART_ROUTING] = XY_LOG_ERROR;
	w.r.level = XY_LOG_DEBUG;
	w.r.levels[XY_PART_LINKS] = XY_LOG_WARN;
	reread();
	CU_ASSERT(xy_runtime_has_levels(&w.r));
	CU_ASSERT_EQUAL(xy_runtime_level(&w.r, &w.c, XY_PART_LINKS), XY_LOG_WARN);
	CU_ASSERT_EQUAL(xy_runtime_level(&w.r, &w.c, XY_PART_ROUTING), XY_LOG_ERROR);
	CU_ASSERT_EQUAL(xy_runtime_level(&w.r, &w.c, XY_PART_STATE), XY_LOG_DEBUG);
	w.r.levels[XY_PART_ROUTING] = XY_LOG_INFO;
	CU_ASSERT_EQUAL(xy_runtime_level(&w.r, &w.c, XY_PART_ROUTING), XY_LOG_INFO);
	w.c.log_levels[XY_PART_LINKS] = XY_LOG_WARN;
	CU_ASSERT(xy_runtime_lay(&w.r, &w.c)); // the config says so
	CU_ASSERT_EQUAL(w.r.levels[XY_PART_LINKS], XY_LOG_AS_IT_IS);
	CU_ASSERT_EQUAL(w.r.levels[XY_PART_ROUTING], XY_LOG_INFO);
	world_end();
}

// The config came to have another device of the same name, or at the same address.
static void test_twice(void)
{
	world_make("{ name = \"a\"; key = \"" K1 "\"; }");
	CU_ASSERT_EQUAL(
		add("{ name = \"l\"; key = \"" S1 "\"; leaf = true; allowed = [ \"10.1.0.5\" ]; }"),
		0);
	CU_ASSERT_FALSE(xy_runtime_twice(&w.r, &w.c, &w.err));
	enforce("{ name = \"m\"; key = \"" K2 "\"; leaf = true; allowed = [ \"10.1.0.5\" ]; }");
	CU_ASSERT(xy_runtime_twice(&w.r, &w.c, &w.err));
	CU_ASSERT(strstr(w.err.text, "peer m of the config") && strstr(w.err.text, "10.1.0.5/32") &&
		  strstr(w.err.text, "xylem leaf remove l"));
	enforce("{ name = \"l\"; key = \"" K2 "\"; }");
	CU_ASSERT(xy_runtime_twice(&w.r, &w.c, &w.err));
	enforce("{ name = \"m\"; key = \"" K2 "\"; }");
	CU_ASSERT_FALSE(xy_runtime_twice(&w.r, &w.c, &w.err));
	world_end();
}

XY_UNIT_MAIN("runtime", {"over the config", test_over}, {"the config says so", test_said_by_config},
	     {"peers that came", test_added}, {"refused", test_refused},
	     {"peers that went", test_removed}, {"addresses", test_addresses},
	     {"files", test_files}, {"levels of the log", test_levels},
	     {"two of one name or address", test_twice})
