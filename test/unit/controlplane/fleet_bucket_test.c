// SPDX-License-Identifier: BSD-3-Clause
// A bucket of a real nats-server: what is told of it, what becomes of requests, and what is said
// when a server is not to be had.
#include "fleet/bucket.h"
#include "nats_rig.h"

#include <nats/nats.h>

#define URL "nats://127.0.0.1:4222"

// What a test was told.
struct heard {
	struct xy_bucket *bucket;
	bool up, closed, never;
	unsigned ups, downs, entries, gones, larges, answers;
	char why[480], key[XY_KV_KEY + 1], value[XY_KV_VALUE + 1], trouble[480];
	size_t len;
	struct xy_bucket_answer answer;
	char answer_value[XY_KV_VALUE + 1], answer_why[480];
	unsigned wanted; // of what `reached` waits for
	const char *wants;
};

static void on_entry(void *arg, const struct xy_kv_entry *e)
{
	struct heard *h = arg;
	h->entries++;
	h->gones += e->gone;
	h->larges += !e->gone && !e->value;
	h->len = e->len;
	snprintf(h->key, sizeof(h->key), "%s", e->key);
	snprintf(h->value, sizeof(h->value), "%.*s", e->value ? (int)e->len : 0,
		 e->value ? (const char *)e->value : "");
}

static void on_state(void *arg, bool up, const char *why)
{
	struct heard *h = arg;
	h->up = up;
	h->ups += up;
	h->downs += !up;
	snprintf(h->why, sizeof(h->why), "%s", why);
}

static void on_leader(void *arg)
{
	(void)arg;
}

static void on_trouble(void *arg, const char *text)
{
	struct heard *h = arg;
	snprintf(h->trouble, sizeof(h->trouble), "%s", text);
}

static bool wants(const char *key)
{
	return strncmp(key, "node.", 5) == 0;
}

static void on_closed(void *arg)
{
	((struct heard *)arg)->closed = true;
}

static bool is_closed(void *arg)
{
	return ((struct heard *)arg)->closed;
}

static bool is_up(void *arg)
{
	return ((struct heard *)arg)->up;
}

static bool is_down(void *arg)
{
	struct heard *h = arg;
	return !h->up && h->downs;
}

// Down, and the reason has this in it.
static bool says(void *arg)
{
	struct heard *h = arg;
	return !h->up && strstr(h->why, h->wants);
}

static bool has_entries(void *arg)
{
	struct heard *h = arg;
	return h->entries >= h->wanted;
}

static bool is_answered(void *arg)
{
	struct heard *h = arg;
	return h->answers >= h->wanted;
}

static bool never(void *arg)
{
	return ((struct heard *)arg)->never;
}

static void begin(struct heard *h, const struct xy_kv_config *c)
{
	static const struct xy_bucket_ops ops = {.entry = on_entry,
						 .state = on_state,
						 .leader = on_leader,
						 .trouble = on_trouble,
						 .wants = wants};
	memset(h, 0, sizeof(*h));
	CU_ASSERT_EQUAL_FATAL(xy_bucket_open(&rig_loop, c, &ops, h, &h->bucket), 0);
}

static void end(struct heard *h)
{
	xy_bucket_close(h->bucket, on_closed, h);
	CU_ASSERT_TRUE_FATAL(rig_until(is_closed, h, RIG_WAIT_S));
}

static const char *const one_server[] = {URL};
static const struct xy_kv_config plain = {
	.servers = one_server, .server_count = 1, .bucket = "xylem", .make = true};

static void on_answer(void *arg, const struct xy_bucket_answer *a)
{
	struct heard *h = arg;
	h->answers++;
	h->answer = *a;
	snprintf(h->answer_why, sizeof(h->answer_why), "%s", a->why);
	snprintf(h->answer_value, sizeof(h->answer_value), "%.*s",
		 a->entry.value ? (int)a->entry.len : 0,
		 a->entry.value ? (const char *)a->entry.value : "");
}

static int ask(struct heard *h, enum xy_bucket_what what, const char *key, const char *value,
	       uint64_t bound)
{
	h->wanted = h->answers + 1;
	CU_ASSERT_TRUE_FATAL(xy_bucket_ask(h->bucket, what, key, value, value ? strlen(value) : 0,
					   bound, on_answer, h));
	CU_ASSERT_TRUE_FATAL(rig_until(is_answered, h, RIG_WAIT_S));
	return h->answer.code;
}

// --- one server

static void test_requests(void)
{
	struct heard h;
	begin(&h, &plain); // there is no server yet
	CU_ASSERT_TRUE(rig_until(is_down, &h, RIG_WAIT_S));
	CU_ASSERT_PTR_NOT_NULL(strstr(h.why, URL));
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_GET, "node.a", NULL, 0), -ENOTCONN);
	pid_t server = rig_server(4222, "js", "");
	CU_ASSERT_TRUE_FATAL(rig_until(is_up, &h, RIG_WAIT_S));

	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_GET, "node.a", NULL, 0), 0);
	CU_ASSERT_EQUAL(h.answer.entry.revision, 0);
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_PUT, "node.a", "one", 0), 0);
	uint64_t first = h.answer.revision;
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_PUT, "node.a", "two", 0), -EEXIST);
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_PUT, "node.a", "two", first), 0);
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_PUT, "node.a", "three", first), -EEXIST);
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_DELETE, "node.a", NULL, first), -EEXIST);
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_GET, "node.a", NULL, 0), 0);
	CU_ASSERT_STRING_EQUAL(h.answer_value, "two");
	uint64_t second = h.answer.entry.revision;
	h.wanted = 2;
	CU_ASSERT_TRUE(rig_until(has_entries, &h, RIG_WAIT_S));
	CU_ASSERT_STRING_EQUAL(h.value, "two");

	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_DELETE, "node.a", NULL, second), 0);
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_GET, "node.a", NULL, 0), 0);
	CU_ASSERT_TRUE(h.answer.entry.gone);
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_PUT, "node.a", "four", 0),
			-EEXIST); // not by "never written"
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_PUT, "node.a", "four", second + 1), 0);
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_PUT, "other.a", "not wanted", XY_KV_ANY), 0);
	char large[XY_KV_VALUE + 2];
	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = 0;
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_PUT, "node.large", large, 0), -EMSGSIZE);
	h.wanted = 4;
	CU_ASSERT_TRUE(rig_until(has_entries, &h, RIG_WAIT_S));
	CU_ASSERT_EQUAL(h.gones, 1);
	CU_ASSERT_STRING_EQUAL(h.value, "four");
	end(&h);
	rig_kill(server, SIGTERM);
}

// Killed and back: what was told is not told again, what is new is; and who comes later is told
// all.
static void test_killed(void)
{
	struct heard h, late;
	pid_t server = rig_server(4222, "js2", "");
	begin(&h, &plain);
	CU_ASSERT_TRUE_FATAL(rig_until(is_up, &h, RIG_WAIT_S));
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_PUT, "node.a", "one", 0), 0);
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_PUT, "node.b", "two", 0), 0);
	h.wanted = 2;
	CU_ASSERT_TRUE(rig_until(has_entries, &h, RIG_WAIT_S));
	rig_kill(server, SIGKILL);
	CU_ASSERT_TRUE(rig_until(is_down, &h, RIG_WAIT_S));
	CU_ASSERT_EQUAL(ask(&h, XY_BUCKET_PUT, "node.a", "meanwhile", XY_KV_ANY), -ENOTCONN);
	server = rig_server(4222, "js2", "");
	CU_ASSERT_TRUE(rig_until(is_up, &h, RIG_WAIT_S));
	begin(&late, &plain);
	CU_ASSERT_TRUE(rig_until(is_up, &late, RIG_WAIT_S));
	CU_ASSERT_EQUAL(late.entries, 2);
	CU_ASSERT_EQUAL(ask(&late, XY_BUCKET_PUT, "node.a", "after", XY_KV_ANY), 0);
	h.wanted = 3;
	CU_ASSERT_TRUE(rig_until(has_entries, &h, RIG_WAIT_S));
	CU_ASSERT_EQUAL(h.entries, 3);
	CU_ASSERT_STRING_EQUAL(h.value, "after");
	end(&late);
	end(&h);
	rig_kill(server, SIGTERM);
}

// --- a bucket that others made, and what is in it

struct raw {
	natsConnection *nc;
	jsCtx *js;
	kvStore *kv;
};

static void raw_open(struct raw *r, const char *bucket, int history)
{
	kvConfig c;
	CU_ASSERT_EQUAL_FATAL(natsConnection_ConnectTo(&r->nc, URL), NATS_OK);
	CU_ASSERT_EQUAL_FATAL(natsConnection_JetStream(&r->js, r->nc, NULL), NATS_OK);
	kvConfig_Init(&c);
	c.Bucket = bucket;
	c.History = (uint8_t)history;
	CU_ASSERT_EQUAL_FATAL(js_CreateKeyValue(&r->kv, r->js, &c), NATS_OK);
}

static void raw_close(struct raw *r)
{
	kvStore_Destroy(r->kv);
	jsCtx_Destroy(r->js);
	natsConnection_Destroy(r->nc);
}

static bool answers(void *arg)
{
	natsConnection *nc = NULL;
	(void)arg;
	bool up = natsConnection_ConnectTo(&nc, URL) == NATS_OK;
	natsConnection_Destroy(nc);
	return up;
}

static void test_others(void)
{
	enum { MANY = 3000 };
	struct heard h;
	struct raw r;
	char large[XY_KV_VALUE + 2], key[64];
	pid_t server = rig_server(4222, "js3", "");
	CU_ASSERT_TRUE_FATAL(rig_until(answers, NULL, RIG_WAIT_S));
	raw_open(&r, "xylem", 10);
	memset(large, 'x', sizeof(large));
	for (int i = 0; i < 5; i++)
		kvStore_PutString(NULL, r.kv, "node.often", "again");
	kvStore_Put(NULL, r.kv, "node.large", large, sizeof(large));
	kvStore_Put(NULL, r.kv, "node.most", large, XY_KV_VALUE);
	kvStore_Put(NULL, r.kv, "node.nothing", "", 0);
	kvStore_PutString(NULL, r.kv, "node.gone", "x");
	kvStore_Delete(r.kv, "node.gone");
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "node.%d", i);
		char subject[80];
		snprintf(subject, sizeof(subject), "$KV.xylem.%s", key);
		js_PublishAsync(r.js, subject, key, (int)strlen(key), NULL);
	}
	js_PublishAsyncComplete(r.js, NULL);
	begin(&h, &plain);
	CU_ASSERT_TRUE(rig_until(is_up, &h, RIG_WAIT_S));
	CU_ASSERT_EQUAL(h.entries, MANY + 4);
	CU_ASSERT_EQUAL(h.larges, 1);
	CU_ASSERT_EQUAL(h.gones, 0);
	kvStore_Purge(r.kv, "node.often", NULL);
	h.wanted = MANY + 5;
	CU_ASSERT_TRUE(rig_until(has_entries, &h, RIG_WAIT_S));
	CU_ASSERT_EQUAL(h.gones, 1);
	xy_bucket_tell_again(h.bucket);
	h.wanted = 2 * MANY + 8;
	CU_ASSERT_TRUE(rig_until(has_entries, &h, RIG_WAIT_S));
	end(&h);
	raw_close(&r);
	rig_kill(server, SIGTERM);
}

// The look's consumer is taken away behind its back.
static void test_silent(void)
{
	struct heard h;
	struct raw r;
	pid_t server = rig_server(4222, "js4", "");
	CU_ASSERT_TRUE_FATAL(rig_until(answers, NULL, RIG_WAIT_S));
	raw_open(&r, "xylem", 1);
	begin(&h, &plain);
	CU_ASSERT_TRUE(rig_until(is_up, &h, RIG_WAIT_S));
	jsConsumerNamesList *names = NULL;
	CU_ASSERT_EQUAL(js_ConsumerNames(&names, r.js, "KV_xylem", NULL, NULL), NATS_OK);
	for (int i = 0; names && i < names->Count; i++)
		js_DeleteConsumer(r.js, "KV_xylem", names->List[i], NULL, NULL);
	jsConsumerNamesList_Destroy(names);
	kvStore_PutString(NULL, r.kv, "node.a", "missed");
	h.wanted = 1;
	CU_ASSERT_TRUE(rig_until(has_entries, &h, RIG_WAIT_S));
	CU_ASSERT_STRING_EQUAL(h.value, "missed");
	// And the bucket itself: made anew, and nothing of before is held for there.
	js_DeleteStream(r.js, "KV_xylem", NULL, NULL);
	h.wanted = 2;
	CU_ASSERT_TRUE(rig_until(has_entries, &h, RIG_WAIT_S));
	CU_ASSERT_EQUAL(h.gones, 1);
	end(&h);
	raw_close(&r);
	rig_kill(server, SIGTERM);
}

// --- what is said when it cannot be

// Says this within seconds; returns with the bucket closed.
static void expect(const struct xy_kv_config *c, const char *text)
{
	struct heard h;
	begin(&h, c);
	h.wants = text;
	double from = rig_now();
	bool said = rig_until(says, &h, RIG_WAIT_S);
	CU_ASSERT_TRUE(said);
	if (!said)
		printf("\n  wanted \"%s\", had \"%s\"\n", text, h.why);
	else
		printf("\n  %.1f s: %s", rig_now() - from, h.why);
	CU_ASSERT_TRUE(rig_now() - from < 20);
	end(&h);
}

static void test_refusals(void)
{
	struct xy_kv_config c = plain;
	char path[128];
	pid_t server = rig_server(4222, NULL, "");
	CU_ASSERT_TRUE_FATAL(rig_until(answers, NULL, RIG_WAIT_S));
	expect(&c, "JetStream");
	rig_kill(server, SIGTERM);

	server = rig_server(4222, "js5",
			    "authorization { users = [ "
			    "{ user: all, password: s3cret },"
			    "{ user: some, password: s3cret, permissions: { publish: [ "
			    "\"$JS.API.STREAM.INFO.>\" ], "
			    "subscribe: \"_INBOX.>\" } } ] }");
	CU_ASSERT_TRUE_FATAL(!rig_until(answers, NULL, 0.5));
	expect(&c, "refuses who we are");
	const char *wrong[] = {"nats://all:wrong@127.0.0.1:4222"};
	c.servers = wrong;
	expect(&c, "nats://127.0.0.1:4222: it refuses who we are"); // and the password is not shown
	const char *some[] = {"nats://some:s3cret@127.0.0.1:4222"};
	c.servers = some;
	expect(&c, "ermissions Violation");
	c.make = false;
	expect(&c, "To make it: nats kv add xylem");
	c.servers = one_server;
	c.creds = "/nowhere/node.creds";
	expect(&c, "/nowhere/node.creds");
	c.creds = rig_file("bad.creds", "nothing that is one\n", path);
	expect(&c, "bad.creds");
	rig_kill(server, SIGTERM);
}

static void make_certificates(void)
{
	CU_ASSERT_EQUAL_FATAL(rig_shell("for ca in ca other; do openssl req -x509 -newkey ec "
					"-pkeyopt ec_paramgen_curve:P-256 "
					"-nodes -keyout $ca.key -out $ca.pem -subj /CN=$ca -days "
					"2; done >openssl.log 2>&1 && "
					"openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
					"-nodes -keyout server.key "
					"-out server.csr -subj /CN=server >>openssl.log 2>&1 && "
					"echo subjectAltName=DNS:localhost >ext && "
					"openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key "
					"-CAcreateserial -days 2 "
					"-extfile ext -out server.pem >>openssl.log 2>&1"),
			      0);
}

static void test_tls(void)
{
	struct heard h;
	char ca[128], other[128], tls[512];
	make_certificates();
	snprintf(ca, sizeof(ca), "%s/ca.pem", rig_folder);
	snprintf(other, sizeof(other), "%s/other.pem", rig_folder);
	snprintf(tls, sizeof(tls),
		 "tls { cert_file: \"%s/server.pem\", key_file: \"%s/server.key\" }", rig_folder,
		 rig_folder);
	pid_t server = rig_server(4222, "js6", tls);
	const char *good[] = {"tls://localhost:4222"}, *address[] = {"tls://127.0.0.1:4222"},
		   *two[] = {"tls://localhost:4222", "tls://127.0.0.1:4223"};
	struct xy_kv_config c = plain;
	c.servers = good;
	c.ca = ca;
	begin(&h, &c);
	CU_ASSERT_TRUE(rig_until(is_up, &h, RIG_WAIT_S));
	end(&h);
	c.ca = other;
	expect(&c, "is not believed by");
	c.ca = NULL; // the system's
	expect(&c, "is not believed by /etc/ssl");
	c.ca = "/nowhere/ca.pem";
	expect(&c, "/nowhere/ca.pem");
	c.ca = ca;
	c.servers = address;
	expect(&c, "not for the name");
	c.servers = two;
	c.server_count = 2;
	begin(&h, &c); // one of two is enough
	CU_ASSERT_TRUE(rig_until(is_up, &h, RIG_WAIT_S));
	end(&h);
	c = plain; // no TLS on our side
	expect(&c, "nats://127.0.0.1:4222");
	rig_kill(server, SIGTERM);
	server = rig_server(4222, "js6", ""); // and none on theirs
	c.servers = good;
	c.ca = ca;
	expect(&c, "TLS");
	rig_kill(server, SIGTERM);
}

// An end is soon, whatever the server does: stopped, it answers nothing.
static void test_end(void)
{
	struct heard h;
	pid_t server = rig_server(4222, "js7", "");
	begin(&h, &plain);
	CU_ASSERT_TRUE(rig_until(is_up, &h, RIG_WAIT_S));
	kill(server, SIGSTOP);
	h.wanted = 1;
	CU_ASSERT_TRUE(
		xy_bucket_ask(h.bucket, XY_BUCKET_PUT, "node.a", "x", 1, XY_KV_ANY, on_answer, &h));
	rig_until(never, &h, 0.3);
	double from = rig_now();
	end(&h);
	CU_ASSERT_TRUE(rig_now() - from < 20);
	CU_ASSERT_EQUAL(h.answers, 1);
	kill(server, SIGCONT);
	rig_kill(server, SIGKILL);
}

int main(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"requests", test_requests}, {"killed", test_killed},	  {"others", test_others},
		{"silent", test_silent},     {"refusals", test_refusals}, {"tls", test_tls},
		{"end", test_end},
	};
	if (!rig_begin()) {
		printf("no namespaces, or no nats-server here\n");
		return RIG_SKIPPED;
	}
	int r = xy_unit_run("fleet_bucket", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
	rig_end();
	return r;
}
