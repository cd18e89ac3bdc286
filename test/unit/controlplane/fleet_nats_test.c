// SPDX-License-Identifier: BSD-3-Clause
// The registry in NATS as a source: nodes without a daemon, each a source and a key, in one
// nats-server; and somebody who may write its bucket and means harm.
#include "config/fleet.h"
#include "fleet/claims.h"
#include "fleet/ikto.h"
#include "fleet/source.h"
#include "nats_rig.h"

#include <nats/nats.h>
#include <sodium.h>

#define URL "nats://127.0.0.1:4222"

enum { NODES = 4, SEEN = 64, LIFETIME_S = 3600 };

struct seen {
	char name[128], text[XY_FLEET_ENTRY_BYTES + 1], why[200];
	bool refused, device;
	struct xy_fleet_device d;
};

struct node {
	struct xy_identity id;
	struct xy_config_fleet config;
	struct xy_fleet_source *source;
	struct xy_fleet_self self;
	uint64_t epoch;
	bool up, has, done;
	int code;
	unsigned claims_told, puts, cancelled;
	unsigned others, gone; // claims of others that were told
	unsigned devices;      // told
	struct xy_prefix claim;
	char why[300], state_why[300];
	unsigned count;
	struct seen seen[SEEN];
};

static struct node node[NODES];

static struct seen *seen_of(struct node *n, const char *name)
{
	for (unsigned i = 0; i < n->count; i++)
		if (strcmp(n->seen[i].name, name) == 0)
			return &n->seen[i];
	CU_ASSERT_FATAL(n->count < SEEN);
	struct seen *s = &n->seen[n->count++];
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

static void on_put(void *arg, struct xy_fleet_source *s, const char *name, const char *text,
		   size_t len, uint64_t revision, const char *why)
{
	struct node *n = arg;
	struct seen *it = seen_of(n, name);
	n->puts++;
	it->refused = !text;
	snprintf(it->text, sizeof(it->text), "%.*s", text ? (int)len : 0, text ? text : "");
	snprintf(it->why, sizeof(it->why), "%s", why ? why : "");
}

static void on_device(void *arg, struct xy_fleet_source *s, const char *name,
		      const struct xy_fleet_device *d)
{
	struct node *n = arg;
	if (n->devices++ >= SEEN / 2) // more than are looked at one by one
		snprintf(n->why, sizeof(n->why), "%s", d->name);
	if (n->devices > SEEN / 2)
		return;
	struct seen *it = seen_of(arg, name);
	it->device = true;
	it->refused = false;
	it->d = *d;
}

static void on_gone(void *arg, struct xy_fleet_source *s, const char *name)
{
	struct node *n = arg;
	struct seen *it = seen_of(n, name);
	*it = n->seen[--n->count];
}

static void on_claim(void *arg, struct xy_fleet_source *s, const struct xy_addr *address,
		     const char *text, size_t len)
{
	struct node *n = arg;
	struct xy_fleet_claim c;
	n->gone += !text;
	if (text && !xy_fleet_claim_parse(text, len, &c, NULL) &&
	    xy_addr_eq(&c.prefix.addr, address))
		n->others += memcmp(&c.key, &n->self.key, sizeof(c.key)) != 0;
}

static void on_state(void *arg, struct xy_fleet_source *s, bool up, const char *why)
{
	struct node *n = arg;
	n->up = up;
	snprintf(n->state_why, sizeof(n->state_why), "%s", why ? why : "");
}

static void on_sign(void *arg, struct xy_fleet_source *s, const struct xy_prefix *claim,
		    uint64_t since, xy_fleet_source_signed *done, void *done_arg)
{
	struct node *n = arg;
	struct xy_fleet_claim c = {.prefix = *claim,
				   .epoch = ++n->epoch,
				   .expires = (uint64_t)time(NULL) + LIFETIME_S,
				   .since = since};
	char *text = NULL;
	CU_ASSERT_EQUAL_FATAL(xy_fleet_claim_sign(&c, &n->id, &text, NULL), 0);
	done(done_arg, text, strlen(text), NULL);
	free(text);
}

static void on_claimed(void *arg, struct xy_fleet_source *s, const struct xy_prefix *claim,
		       const char *why)
{
	struct node *n = arg;
	n->has = claim != NULL;
	n->claims_told++;
	if (claim)
		n->claim = *claim;
	snprintf(n->why, sizeof(n->why), "%s", why ? why : "");
}

static const struct xy_fleet_source_ops ops = {.put = on_put,
					       .device = on_device,
					       .gone = on_gone,
					       .claim = on_claim,
					       .state = on_state,
					       .sign = on_sign,
					       .claimed = on_claimed};

static const struct xy_key *with_ca;

static void begin(struct node *n, unsigned number, enum xy_config_fleet_mode mode)
{
	struct xy_err err = {""};
	uint8_t seed[32] = {(uint8_t)number, 7};
	memset(n, 0, sizeof(*n));
	xy_identity_from_seed(seed, &n->id);
	n->epoch = (uint64_t)time(NULL);
	n->self = (struct xy_fleet_self){
		.address = n->id.addr, .key = n->id.ed25519, .link_key = n->id.x25519};
	snprintf(n->self.name, sizeof(n->self.name), "n%u", number);
	n->config.server_count = 1;
	snprintf(n->config.servers[0], sizeof(n->config.servers[0]), URL);
	snprintf(n->config.bucket, sizeof(n->config.bucket),
		 mode == XY_CONFIG_FLEET_IKTO ? "ikto-mesh" : "xylem");
	n->config.mode = mode;
	if (with_ca) {
		n->config.trust = XY_CONFIG_FLEET_CA;
		n->config.ca = *with_ca;
	}
	xy_addr_parse("192.0.2.1", &n->config.ikto.advertise_address);
	n->config.ikto.wg_port = 51820;
	xy_prefix_parse("fd10::/16", &n->config.ikto.mesh_cidr);
	CU_ASSERT_EQUAL_FATAL(
		xy_fleet_nats_create(&rig_loop, &n->config, "", &ops, n, &n->source, &err), 0);
	CU_ASSERT_EQUAL_FATAL(n->source->start(n->source, &err), 0);
}

static void end(struct node *n)
{
	n->source->close(n->source);
	n->source = NULL;
}

static void on_done(void *arg, int code, const char *why)
{
	struct node *n = arg;
	n->cancelled += code == -ECANCELED;
	n->done = n->done || code != -ECANCELED;
	n->code = code;
}

static char *record(struct node *n, bool ended)
{
	struct xy_fleet_record r = {.epoch = ++n->epoch,
				    .expires = (uint64_t)time(NULL) + LIFETIME_S,
				    .ended = ended,
				    .has_claim = n->has,
				    .claim = n->claim};
	char *text = NULL;
	struct xy_err err = {""};
	CU_ASSERT_EQUAL_FATAL(xy_fleet_record_sign(&r, &n->id, &text, &err), 0);
	return text;
}

static bool is_done(void *arg)
{
	return ((struct node *)arg)->done;
}

static void publish(struct node *n, const char *text)
{
	n->done = false;
	n->source->publish(n->source, &n->self, text, text ? strlen(text) : 0, on_done, n);
	CU_ASSERT_TRUE(rig_until(is_done, n, RIG_WAIT_S));
	CU_ASSERT_EQUAL(n->code, 0);
}

static bool is_up(void *arg)
{
	return ((struct node *)arg)->up;
}

static bool knows_whose(void *arg) // it has one, or was told who has it
{
	const struct node *n = arg;
	return n->has || n->why[0];
}

static bool has_claim(void *arg)
{
	return ((struct node *)arg)->has;
}

static void claim(struct node *n, const char *cidr, unsigned bits, const char *drawn, bool retry)
{
	struct xy_fleet_wish w = {.bits = bits, .retry = retry};
	xy_prefix_parse(cidr, &w.cidr);
	if (drawn)
		xy_prefix_parse(drawn, &w.drawn);
	n->source->claim(n->source, &n->self, &w);
}

// What `who` was told under this name is this.
struct expected {
	struct node *who;
	char name[XY_IPAM_KEY];
	const char *text;
};

static bool sees(void *arg)
{
	struct expected *x = arg;
	for (unsigned i = 0; i < x->who->count; i++)
		if (strcmp(x->who->seen[i].name, x->name) == 0)
			return !x->text ? x->who->seen[i].refused
					: strcmp(x->who->seen[i].text, x->text) == 0;
	return false;
}

// --- who may write the bucket

static natsConnection *nc;
static jsCtx *js;
static kvStore *kv;

static bool opens(void *arg)
{
	kvConfig c;
	if (kv)
		return true;
	if (!nc && natsConnection_ConnectTo(&nc, URL) != NATS_OK)
		return false;
	natsConnection_JetStream(&js, nc, NULL);
	kvConfig_Init(&c);
	c.Bucket = arg;
	if (js_KeyValue(&kv, js, arg) == NATS_OK || js_CreateKeyValue(&kv, js, &c) == NATS_OK)
		return true;
	jsCtx_Destroy(js);
	return false;
}

static void hostile_end(void)
{
	kvStore_Destroy(kv);
	jsCtx_Destroy(js);
	natsConnection_Destroy(nc);
	nc = NULL;
	kv = NULL;
}

// The value of a key, malloc'd; NULL: there is none.
static char *value_of(const char *key)
{
	kvEntry *e = NULL;
	if (kvStore_Get(&e, kv, key) != NATS_OK)
		return NULL;
	char *text = strndup(kvEntry_Value(e), (size_t)kvEntry_ValueLen(e));
	kvEntry_Destroy(e);
	return text;
}

struct stands {
	const char *key, *text;
};

static bool stands(void *arg)
{
	struct stands *x = arg;
	char *text = value_of(x->key);
	bool same = text && x->text && strcmp(text, x->text) == 0;
	bool neither = !text && !x->text;
	free(text);
	return same || neither;
}

// --- cases

static void test_join(void)
{
	pid_t server = rig_server(4222, "s1", "");
	struct expected x[2] = {{&node[0]}, {&node[1]}};
	char *text[2];
	for (unsigned i = 0; i < 2; i++) {
		begin(&node[i], i + 1, XY_CONFIG_FLEET_XYLEM);
		text[i] = record(&node[i], false);
	}
	for (unsigned i = 0; i < 2; i++) {
		publish(&node[i], text[i]);
		xy_claims_record_key(&node[i].id.addr, x[!i].name);
		x[!i].text = text[i];
	}
	CU_ASSERT_TRUE(rig_until(sees, &x[0], RIG_WAIT_S));
	CU_ASSERT_TRUE(rig_until(sees, &x[1], RIG_WAIT_S));
	// Another record before the first is answered: the first is told so, the last stands.
	char *a = record(&node[0], false), *b = record(&node[0], false);
	node[0].done = false;
	node[0].source->publish(node[0].source, &node[0].self, a, strlen(a), on_done, &node[0]);
	publish(&node[0], b);
	CU_ASSERT_EQUAL(node[0].cancelled, 1);
	x[1].text = b;
	CU_ASSERT_TRUE(rig_until(sees, &x[1], RIG_WAIT_S));
	// The server gone: published when it is back.
	rig_kill(server, SIGKILL);
	char *c = record(&node[0], false);
	node[0].done = false;
	node[0].source->publish(node[0].source, &node[0].self, c, strlen(c), on_done, &node[0]);
	CU_ASSERT_FALSE(rig_until(is_done, &node[0], 1));
	server = rig_server(4222, "s1", "");
	CU_ASSERT_TRUE(rig_until(is_done, &node[0], RIG_WAIT_S));
	x[1].text = c;
	CU_ASSERT_TRUE(rig_until(sees, &x[1], RIG_WAIT_S));
	// It leaves.
	char *d = record(&node[0], true);
	node[0].done = false;
	node[0].source->leave(node[0].source, &node[0].self, d, strlen(d), on_done, &node[0]);
	CU_ASSERT_TRUE(rig_until(is_done, &node[0], RIG_WAIT_S));
	CU_ASSERT_EQUAL(node[0].code, 0);
	x[1].text = d;
	CU_ASSERT_TRUE(rig_until(sees, &x[1], RIG_WAIT_S));
	end(&node[0]);
	end(&node[1]);
	rig_kill(server, SIGTERM);
	free(text[0]);
	free(text[1]);
	free(a);
	free(b);
	free(c);
	free(d);
}

static void test_claims(void)
{
	pid_t server = rig_server(4222, "s2", "");
	for (unsigned i = 0; i < 3; i++) {
		begin(&node[i], i + 1, XY_CONFIG_FLEET_XYLEM);
		claim(&node[i], "fd10::/16", 48, "fd10:7::/48", i < 2);
	}
	CU_ASSERT_TRUE(rig_until(has_claim, &node[0], RIG_WAIT_S));
	CU_ASSERT_TRUE(rig_until(has_claim, &node[1], RIG_WAIT_S));
	CU_ASSERT_FALSE(xy_prefix_eq(&node[0].claim, &node[1].claim));
	CU_ASSERT_TRUE(rig_until(knows_whose, &node[2], RIG_WAIT_S));
	struct xy_prefix p;
	xy_prefix_parse("fd10:7::/48", &p);
	unsigned n =
		xy_prefix_eq(&node[0].claim, &p) + xy_prefix_eq(&node[1].claim, &p) + node[2].has;
	CU_ASSERT_EQUAL(n, 1);
	struct node *first = node[2].has			? &node[2]
			     : xy_prefix_eq(&node[0].claim, &p) ? &node[0]
								: &node[1];
	// Its claim's key is deleted: it stands there again soon.
	CU_ASSERT_TRUE_FATAL(rig_until(opens, "xylem", RIG_WAIT_S));
	char key[XY_IPAM_KEY];
	xy_claims_key(&p, key);
	char *before = value_of(key);
	CU_ASSERT_PTR_NOT_NULL_FATAL(before);
	kvStore_Delete(kv, key);
	struct stands gone = {key, NULL};
	double from = rig_now();
	while (stands(&gone) && rig_now() - from < RIG_WAIT_S)
		rig_until(stands, &(struct stands){key, before}, 0.1);
	char *after = value_of(key);
	CU_ASSERT_PTR_NOT_NULL(after);
	CU_ASSERT_TRUE(first->has);
	// All hear whose which is, and that one is gone.
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_TRUE(node[i].others > 0 && node[i].gone > 0);
	// It leaves, and the key goes: who wants that one alone would have it next.
	if (first != &node[2])
		end(&node[2]);
	char *text = record(first, true);
	first->done = false;
	first->source->leave(first->source, &first->self, text, strlen(text), on_done, first);
	CU_ASSERT_TRUE(rig_until(is_done, first, RIG_WAIT_S));
	CU_ASSERT_TRUE(rig_until(stands, &gone, RIG_WAIT_S));
	free(text);
	free(before);
	free(after);
	hostile_end();
	for (unsigned i = 0; i < 3; i++)
		if (node[i].source)
			end(&node[i]);
	rig_kill(server, SIGTERM);
}

// What is written or deleted at a node's key is mended by it, and ends nobody.
// A revocation that is deleted, or was never there, is put back by who knows it.
static void test_revoked(void)
{
	pid_t server = rig_server(4222, "s5", "");
	struct xy_identity ca, gone[2];
	char *text[2], key[2][80], hex[65];
	CU_ASSERT_TRUE_FATAL(rig_until(opens, "xylem", RIG_WAIT_S));
	xy_identity_from_seed((const uint8_t[32]){5, 5}, &ca);
	for (unsigned i = 0; i < 2; i++) {
		xy_identity_from_seed((const uint8_t[32]){6, (uint8_t)i}, &gone[i]);
		struct xy_fleet_revocation r = {.key = gone[i].ed25519, .epoch = 7};
		CU_ASSERT_EQUAL_FATAL(xy_fleet_revocation_sign(&r, &ca, &text[i], NULL), 0);
		sodium_bin2hex(hex, sizeof(hex), gone[i].ed25519.b, 32);
		snprintf(key[i], sizeof(key[i]), "revoked.%s", hex);
	}
	with_ca = &ca.ed25519;
	begin(&node[0], 1, XY_CONFIG_FLEET_XYLEM);
	with_ca = NULL;
	kvStore_PutString(NULL, kv, key[0], text[0]);
	struct expected first = {.who = &node[0], .text = text[0]};
	snprintf(first.name, sizeof(first.name), "%s", key[0]);
	CU_ASSERT_TRUE(rig_until(sees, &first, RIG_WAIT_S));
	struct stands back = {key[0], text[0]}, cached = {key[1], text[1]};
	kvStore_Delete(kv, key[0]);
	CU_ASSERT_TRUE(rig_until(stands, &back, RIG_WAIT_S));
	kvStore_PutString(NULL, kv, key[0], "{}");
	CU_ASSERT_TRUE(rig_until(stands, &back, RIG_WAIT_S));
	kvStore_PutString(NULL, kv, key[1], "x");
	kvStore_Delete(kv, key[1]); // a mark of it is there, which no look tells of
	node[0].source->revoked(node[0].source, text[1], strlen(text[1]));
	CU_ASSERT_TRUE(rig_until(stands, &cached, RIG_WAIT_S));
	hostile_end();
	end(&node[0]);
	rig_kill(server, SIGTERM);
	free(text[0]);
	free(text[1]);
}

static bool unseen(void *arg)
{
	const struct expected *x = arg;
	for (unsigned i = 0; i < x->who->count; i++)
		if (strcmp(x->who->seen[i].name, x->name) == 0)
			return false;
	return true;
}

struct told {
	struct node *who;
	unsigned puts;
};

static bool told_more(void *arg)
{
	const struct told *t = arg;
	return t->who->puts >= t->puts;
}

static void test_hostile(void)
{
	pid_t server = rig_server(4222, "s3", "");
	char *text[2];
	struct expected x = {&node[1]};
	CU_ASSERT_TRUE_FATAL(rig_until(opens, "xylem", RIG_WAIT_S));
	for (unsigned i = 0; i < 2; i++) {
		begin(&node[i], i + 1, XY_CONFIG_FLEET_XYLEM);
		publish(&node[i], text[i] = record(&node[i], false));
	}
	xy_claims_record_key(&node[0].id.addr, x.name);
	x.text = text[0];
	CU_ASSERT_TRUE(rig_until(sees, &x, RIG_WAIT_S));
	struct stands own = {x.name, text[0]};
	kvStore_Delete(kv, x.name);
	CU_ASSERT_TRUE(rig_until(stands, &own, RIG_WAIT_S));
	CU_ASSERT_TRUE(rig_until(sees, &x, RIG_WAIT_S));
	// An older record of its own, another node's record, nothing that is one: refused or told
	// as it is, and in the end its own again.
	static char large[XY_FLEET_ENTRY_BYTES + 2];
	memset(large, 'x', sizeof(large) - 1);
	const char *const bad[] = {text[1], "\xff\xfe", large};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		kvStore_PutString(NULL, kv, x.name, bad[i]);
		x.text = NULL;
		CU_ASSERT_TRUE(rig_until(sees, &x, RIG_WAIT_S));
		CU_ASSERT_TRUE(rig_until(stands, &own, RIG_WAIT_S));
		x.text = text[0];
		CU_ASSERT_TRUE(rig_until(sees, &x, RIG_WAIT_S));
	}
	// Keys that are none of ours are not looked at, whatever their number.
	unsigned puts = node[1].puts;
	char key[80];
	for (unsigned i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "foreign.%u", i);
		kvStore_PutString(NULL, kv, key, "x");
	}
	kvStore_PutString(NULL, kv, "node.zz", "x");
	kvStore_PutString(NULL, kv, "node", "x");
	snprintf(key, sizeof(key), "revoked.%064x", 7);
	kvStore_PutString(NULL, kv, key, "{}");
	struct expected last = {.who = &node[1], .text = "{}"};
	snprintf(last.name, sizeof(last.name), "%s", key);
	CU_ASSERT_TRUE(rig_until(sees, &last, RIG_WAIT_S));
	CU_ASSERT_EQUAL(node[1].puts, puts + 1);
	kvStore_Delete(kv, key); // what is gone has its name no longer
	CU_ASSERT_TRUE(rig_until(unseen, &last, RIG_WAIT_S));
	// All of it once more, as it is.
	puts = node[1].puts;
	node[1].source->tell_again(node[1].source);
	struct told more = {&node[1], puts + 1};
	CU_ASSERT_TRUE(rig_until(told_more, &more, RIG_WAIT_S));
	hostile_end();
	end(&node[0]);
	end(&node[1]);
	rig_kill(server, SIGTERM);
	free(text[0]);
	free(text[1]);
}

// --- ikto

static bool sees_device(void *arg)
{
	struct expected *x = arg;
	for (unsigned i = 0; i < x->who->count; i++)
		if (strcmp(x->who->seen[i].name, x->name) == 0)
			return x->who->seen[i].device && !x->who->seen[i].refused;
	return false;
}

static bool sees_none(void *arg)
{
	return !((struct node *)arg)->count;
}

// As an agent of ikto does at its start, byte for byte: Get, then Create, or Update where the key
// is its own.
static bool ikto_agent(const char *cidr, const char *key, const char *address)
{
	char k[XY_IPAM_KEY], value[512];
	struct xy_prefix p;
	kvEntry *e = NULL;
	xy_prefix_parse(cidr, &p);
	xy_ikto_key(&p, k);
	snprintf(value, sizeof(value),
		 "{\"name\":\"agent\",\"public_key\":\"%s\",\"advertise_address\":\"%s\",\"allowed_"
		 "ip\":\"%s\","
		 "\"wg_port\":51820}",
		 key, address, cidr);
	if (kvStore_Get(&e, kv, k) != NATS_OK)
		return kvStore_CreateString(NULL, kv, k, value) == NATS_OK;
	bool own = memmem(kvEntry_Value(e), (size_t)kvEntry_ValueLen(e), key, strlen(key));
	uint64_t revision = kvEntry_Revision(e);
	kvEntry_Destroy(e);
	return own && kvStore_UpdateString(NULL, kv, k, value, revision) == NATS_OK;
}

static void test_ikto(void)
{
	static const char agent[] = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
	pid_t server = rig_server(4222, "s4", "");
	begin(&node[0], 1, XY_CONFIG_FLEET_IKTO);
	struct expected x = {&node[0]};
	struct xy_prefix p;
	char ours[XY_IPAM_KEY], key[XY_KEY_STRLEN], wanted[512];
	claim(&node[0], "fd10::/16", 48, "fd10:1::/48", false);
	rig_until(is_up, &node[0], 2);
	CU_ASSERT_FALSE(node[0].up); // ikto's buckets are made by hand
	CU_ASSERT_PTR_NOT_NULL(strstr(node[0].state_why, "nats kv add ikto-mesh"));
	CU_ASSERT_TRUE_FATAL(rig_until(opens, "ikto-mesh", RIG_WAIT_S));
	publish(&node[0], NULL);
	CU_ASSERT_TRUE(rig_until(has_claim, &node[0], RIG_WAIT_S));
	xy_ikto_key(&node[0].claim, ours);
	snprintf(wanted, sizeof(wanted),
		 "{\"name\":\"n1\",\"public_key\":\"%s\",\"advertise_address\":\"192.0.2.1\","
		 "\"allowed_ip\":"
		 "\"fd10:1::/48\",\"wg_port\":51820}",
		 xy_key_str(&node[0].id.x25519, key));
	struct stands own = {ours, wanted};
	CU_ASSERT_TRUE(stands(&own));
	// An agent comes: a device. One that wants our network is refused by ikto's own rule.
	CU_ASSERT_TRUE(ikto_agent("fd10:2::/48", agent, "192.0.2.2"));
	CU_ASSERT_FALSE(ikto_agent("fd10:1::/48", agent, "192.0.2.2"));
	xy_prefix_parse("fd10:2::/48", &p);
	xy_ikto_key(&p, x.name);
	CU_ASSERT_TRUE(rig_until(sees_device, &x, RIG_WAIT_S));
	CU_ASSERT_STRING_EQUAL(seen_of(&node[0], x.name)->d.endpoint, "192.0.2.2:51820");
	// It moves; then its record is written over, and later deleted.
	CU_ASSERT_TRUE(ikto_agent("fd10:2::/48", agent, "192.0.2.9"));
	double end_at = rig_now() + RIG_WAIT_S;
	while (strcmp(seen_of(&node[0], x.name)->d.endpoint, "192.0.2.9:51820") &&
	       rig_now() < end_at)
		rig_until(stands, &(struct stands){ours, "-"}, 0.05);
	CU_ASSERT_STRING_EQUAL(seen_of(&node[0], x.name)->d.endpoint, "192.0.2.9:51820");
	kvStore_Delete(kv, x.name);
	CU_ASSERT_TRUE(rig_until(sees_none, &node[0], RIG_WAIT_S));
	// Ours is put there again, whatever becomes of it.
	kvStore_PutString(NULL, kv, ours, "nothing");
	CU_ASSERT_TRUE(rig_until(stands, &own, RIG_WAIT_S));
	kvStore_Purge(kv, ours, NULL);
	CU_ASSERT_TRUE(rig_until(stands, &own, RIG_WAIT_S));
	// Another node of ours that wants the same is refused, and draws with retry.
	begin(&node[1], 2, XY_CONFIG_FLEET_IKTO);
	claim(&node[1], "fd10::/16", 48, "fd10:1::/48", true);
	publish(&node[1], NULL);
	CU_ASSERT_TRUE(rig_until(has_claim, &node[1], RIG_WAIT_S));
	CU_ASSERT_FALSE(xy_prefix_eq(&node[1].claim, &node[0].claim));
	// It leaves: its key goes, unlike an agent's.
	node[0].done = false;
	node[0].source->leave(node[0].source, &node[0].self, NULL, 0, on_done, &node[0]);
	CU_ASSERT_TRUE(rig_until(is_done, &node[0], RIG_WAIT_S));
	struct stands none = {ours, NULL};
	CU_ASSERT_TRUE(rig_until(stands, &none, RIG_WAIT_S));
	hostile_end();
	end(&node[0]);
	end(&node[1]);
	rig_kill(server, SIGTERM);
}

static bool has_devices(void *arg)
{
	return node[0].devices >= *(unsigned *)arg;
}

static bool is_late_refused(void *arg)
{
	for (unsigned i = 0; i < node[0].count; i++)
		if (node[0].seen[i].refused &&
		    strstr(node[0].seen[i].why, "late has no room: 4096 devices"))
			return true;
	return false;
}

static bool is_late_told(void *arg)
{
	return strcmp(node[0].why, "late") == 0;
}

static void device_put(unsigned i, const char *name, char key[static XY_IPAM_KEY])
{
	struct xy_ikto_record r = {.key = {.b = {1, (uint8_t)i, (uint8_t)(i >> 8)}}, .port = 1};
	char text[XY_IKTO_TEXT], subject[XY_IPAM_KEY + 32];
	snprintf(r.name, sizeof(r.name), "%s", name);
	snprintf(text, sizeof(text), "fd10:%x::/48", i + 16);
	xy_prefix_parse(text, &r.allowed);
	xy_addr_parse("192.0.2.9", &r.at);
	xy_ikto_text(&r, text, sizeof(text));
	xy_ikto_key(&r.allowed, key);
	snprintf(subject, sizeof(subject), "$KV.ikto-mesh.%s", key);
	CU_ASSERT_EQUAL(natsConnection_PublishString(nc, subject, text), NATS_OK);
}

// More devices than are kept: the last is refused by name, and taken as soon as another went.
static void test_ikto_full(void)
{
	pid_t server = rig_server(4222, "s5", "");
	char first[XY_IPAM_KEY], key[XY_IPAM_KEY];
	unsigned all = XY_IKTO_DEVICES;
	CU_ASSERT_TRUE_FATAL(rig_until(opens, "ikto-mesh", RIG_WAIT_S));
	device_put(0, "first", first);
	for (unsigned i = 1; i < all; i++)
		device_put(i, "n", key);
	device_put(all, "late", key);
	CU_ASSERT_EQUAL(natsConnection_FlushTimeout(nc, 60000), NATS_OK);
	begin(&node[0], 1, XY_CONFIG_FLEET_IKTO);
	CU_ASSERT_TRUE(rig_until(has_devices, &all, 4 * RIG_WAIT_S));
	CU_ASSERT_TRUE(rig_until(is_late_refused, NULL, RIG_WAIT_S));
	CU_ASSERT_EQUAL(node[0].devices, all);
	kvStore_Delete(kv, first);
	CU_ASSERT_TRUE(rig_until(is_late_told, NULL, 4 * RIG_WAIT_S));
	hostile_end();
	end(&node[0]);
	rig_kill(server, SIGTERM);
}

int main(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"join", test_join},	   {"claims", test_claims}, {"hostile", test_hostile},
		{"revoked", test_revoked}, {"ikto", test_ikto},	    {"ikto_full", test_ikto_full}};
	if (!rig_begin()) {
		printf("no namespaces, or no nats-server here\n");
		return RIG_SKIPPED;
	}
	int r = xy_unit_run("fleet_nats", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
	rig_until(is_up, &(struct node){0}, 3); // what was closed ends
	rig_end();
	return r;
}
