// SPDX-License-Identifier: BSD-3-Clause
// xylem-web without HTTP: what everybody may see, the table of the API, and what is made of the
// peers that were seen.
#include "fields/public.h"
#include "unit.h"
#include "web/head.h"
#include "web/redact.h"
#include "web/rows.h"
#include "web/table.h"

#include <math.h>
#include <stdlib.h>

// --- what everybody sees

// All fields of each object that the public address tells of, in order, as they were looked through
// one by one. One that is added to fields/public.c fails here until somebody has looked again.
static const char seen[] =
	"node: name version address prefix public_key ed25519_key uptime workers peers "
	"peers_up sessions far_nodes routes route_limit loop_lag_p99_us loop_lag_max_us "
	"peering\n"
	"peers: peers next count\n"
	"peer: name key address kind peering state last_handshake last_received "
	"rx_packets rx_bytes tx_packets tx_bytes mtu sessions session_age handshakes_sent "
	"handshakes_failed\n"
	"workers: workers\n"
	"worker: worker alive busy rx host_rx ring_in generated split tx host_tx ring_out "
	"punted consumed merged drops held balance\n"
	"graph: tsc_hz nodes\n"
	"graph_node: worker node calls packets cycles cycles_per_packet packets_per_call\n"
	"routes: routes next count\n"
	"route: prefix kind peer peers source node node_address\n"
	"learned: metric origin external age\n"
	"sessions: sessions next count\n"
	"session: peer kind key state age rx_packets tx_packets role use rx_bytes "
	"tx_bytes last_handshake path mtu idle\n"
	"neighbours: neighbours next count\n"
	"neighbour: peer state hellos cost rx_cost tx_cost rtt_us routes origins "
	"tx_packets tx_bytes rx_packets rx_bytes losses losses_lately node node_address\n"
	"routing: router_id starting neighbours prefixes reachable routes origins "
	"signatures_verified\n"
	"gateways: gateways next count\n"
	"gateway: prefix gateway key address metric via used age\n";

static unsigned seen_add(char *to, size_t size, const struct xy_object *o)
{
	size_t n = strlen(to);
	unsigned count = 0;
	char line[1000];
	size_t len = (size_t)snprintf(line, sizeof(line), "%s:", o->name);
	for (unsigned k = 0; k < o->count; k++) {
		if (!xy_field_is_public(o, o->fields[k].key))
			continue;
		len += (size_t)snprintf(line + len, sizeof(line) - len, " %s", o->fields[k].key);
		count++;
	}
	if (count && !strstr(to, line))
		snprintf(to + n, size - n, "%s\n", line);
	return count;
}

// It, what stands in it, and what follows it in the same JSON.
static void seen_walk(char *to, size_t size, const struct xy_object *o)
{
	for (; o; o = o->more ? o->more() : NULL) {
		CU_ASSERT(seen_add(to, size, o) > 0);
		for (unsigned k = 0; k < o->count; k++)
			if (o->fields[k].of && xy_field_is_public(o, o->fields[k].key))
				seen_walk(to, size, o->fields[k].of());
	}
}

static void test_seen(void)
{
	char text[6000] = "";
	const struct xy_reply *r;
	for (unsigned i = 0; (r = xy_reply_at(i)); i++)
		if (xy_reply_is_public(r->name))
			seen_walk(text, sizeof(text), r->object());
	if (strcmp(text, seen) != 0)
		printf("\n%s", text);
	CU_ASSERT_STRING_EQUAL(text, seen);
}

// Of each field that there is, and one that there is not: a list, or an object, has all of its own.
static json_t *all_of(const struct xy_object *o)
{
	json_t *to = json_pack("{s:s}", "not_yet", "x");
	for (; o; o = o->more ? o->more() : NULL)
		for (unsigned k = 0; k < o->count; k++) {
			const struct xy_field *f = &o->fields[k];
			json_t *in = f->of ? all_of(f->of()) : json_string("x");
			json_object_set_new(to, f->key,
					    f->of && f->form == XY_FORM_LIST ? json_pack("[o]", in)
									     : in);
		}
	return to;
}

static bool is_allowed(const struct xy_object *o, const char *key, const struct xy_object **in)
{
	for (; o; o = o->more ? o->more() : NULL)
		for (unsigned k = 0; k < o->count; k++)
			if (strcmp(o->fields[k].key, key) == 0 && xy_field_is_public(o, key)) {
				*in = o->fields[k].of ? o->fields[k].of() : NULL;
				return true;
			}
	return false;
}

static unsigned see(json_t *v, const struct xy_object *o)
{
	const struct xy_object *in;
	const char *key;
	json_t *one;
	unsigned n = 0;
	json_object_foreach(v, key, one)
	{
		bool allowed = is_allowed(o, key, &in);
		CU_ASSERT(allowed);
		n += 1 + (allowed && in ? see(json_is_array(one) ? json_array_get(one, 0) : one, in)
					: 0);
	}
	return n;
}

static void test_redact_all(void)
{
	const struct xy_reply *r;
	unsigned n = 0;
	for (unsigned i = 0; (r = xy_reply_at(i)); i++) {
		json_t *o = all_of(r->object());
		xy_redact(o, r->object());
		unsigned some = see(o, r->object());
		CU_ASSERT(some > 0 || !xy_reply_is_public(r->name));
		n += some;
		json_decref(o);
	}
	CU_ASSERT(n > 100);
}

static void redacted(const char *from, const struct xy_object *o, const char *to)
{
	json_t *v = json_loads(from, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(v);
	if (o)
		xy_redact(v, o);
	else
		xy_redact_tick(v);
	char *text = json_dumps(v, JSON_COMPACT);
	CU_ASSERT_STRING_EQUAL(text, to);
	free(text);
	json_decref(v);
}

static void test_redact(void)
{
	redacted("{\"peers\":[{\"name\":\"a\",\"endpoint\":\"192.0.2.1:1\",\"trouble\":\"x\"},"
		 "{\"name\":\"b\",\"endpoints\":[\"h:1\"],\"clock_apart\":3}],\"next\":null}",
		 xy_object_peers(),
		 "{\"peers\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"next\":null}");
	redacted("{\"routes\":[{\"prefix\":\"200::/64\",\"source\":\"learned\",\"seqno\":1},"
		 "{\"prefix\":\"10.0.0.0/8\",\"source\":\"leaf\"}],\"next\":null}",
		 xy_object_routes(),
		 "{\"routes\":[{\"prefix\":\"200::/64\",\"source\":\"learned\"}],\"next\":null}");
	redacted("{\"time\":1,\"later\":1,\"drops\":[{}],\"node\":{\"name\":\"a\",\"pid\":1},"
		 "\"workers\":[{\"worker\":0,\"cpu\":3,\"pps\":5}],"
		 "\"graph\":[{\"node\":\"rx\",\"pps\":1,\"x\":1}],"
		 "\"peers\":{\"total\":1,\"rows\":[{\"name\":\"b\",\"endpoint\":\"h\",\"cost\":1,"
		 "\"loss\":0.5,\"rx_bps\":1,\"later\":1}]}}",
		 NULL,
		 "{\"time\":1,\"node\":{\"name\":\"a\"},\"workers\":[{\"worker\":0,\"pps\":5}],"
		 "\"graph\":[{\"node\":\"rx\",\"pps\":1}],\"peers\":{\"total\":1,\"rows\":[{"
		 "\"name\":"
		 "\"b\",\"cost\":1,\"loss\":0.5,\"rx_bps\":1}]}}");
}

// --- heads that all read alike

// Each as libmicrohttpd leaves it: a NUL for the space, the colon, each end of a line.
#define LINE "GET\0/a\0HTTP/1.1\0\0"
static const struct {
	const char *bytes;
	size_t size;
	unsigned status;
	const char *fields[6]; // name, value, as it tells them
} heads[] = {
#define HEAD(bytes, status, ...)                  \
	{                                         \
		bytes, sizeof(bytes) - 1, status, \
		{                                 \
			__VA_ARGS__               \
		}                                 \
	}
	HEAD(LINE "Host\0 h\0\0\0\0", 0, "Host", "h"),
	HEAD(LINE "Host\0h\0\0A\0\t \0\0\0\0", 0, "Host", "h", "A", ""),
	HEAD(LINE "Host\0 h\0A\0 b\0\0\0\0", 400, "Host", "h", "A", "b"), // an LF
	HEAD(LINE "Host\0 h\0\0\0", 400, "Host", "h"),
	HEAD(LINE "Host\0 h\0x\0\0\0\0", 400, "Host", "h"), // a NUL in the value
	HEAD(LINE "Host\0 h\0x\0\0A\0 b\0\0\0\0", 400, "Host", "h", "A", "b"),
	HEAD(LINE "Host\0 h\0\0A \0b\0\0\0\0", 400, "Host", "h", "A ", "b"),
	HEAD(LINE "Host\0 h\0\0A\0b\vc\0\0\0\0", 400, "Host", "h", "A", "b\vc"),
	HEAD(LINE "Host\0 h\0\0\0b\0\0\0\0", 400, "Host", "h", "", "b"),
	HEAD("GET\0/a\0x\0HTTP/1.1\0\0Host\0 h\0\0\0\0", 400, "Host", "h"),
	HEAD("GET\0/a b\0HTTP/1.1\0\0Host\0 h\0\0\0\0", 400, "Host", "h"),
	HEAD("GET\0/a\0HTTP/1.1\0Host\0 h\0\0\0\0", 400, "Host", "h"),
	HEAD("G(T\0/a\0HTTP/1.1\0\0Host\0 h\0\0\0\0", 400, "Host", "h"),
	HEAD("GET\0/a\0HTTP/2.0\0\0Host\0 h\0\0\0\0", 505, "Host", "h"),
	HEAD("GET\0/a\0HTTP/1.0\0\0\0\0", 0, NULL),
	HEAD(LINE "\0\0", 400, NULL),
	HEAD(LINE "Host\0 h\0\0Transfer-Encoding\0 x\0\0\0\0", 501, "Host", "h",
	     "Transfer-Encoding", "x"),
	HEAD(LINE "Host\0 h\0\0Content-Length\0 1\0\0Content-Length\0 1\0\0\0\0", 400, "Host", "h",
	     "Content-Length", "1", "Content-Length", "1"),
#undef HEAD
};

// Where that text stands in the bytes, from there on: at the beginning, or behind a NUL or a space.
static const char *place_of(const char *from, const char *end, const char *text)
{
	size_t len = strlen(text) + 1;
	for (const char *p = from; p + len <= end; p++)
		if (memcmp(p, text, len) == 0)
			return p;
	return end;
}

static void head_try(size_t i, bool in_place)
{
	const char *bytes = heads[i].bytes, *end = bytes + heads[i].size;
	const char *target = bytes + strlen(bytes) + 1;
	const char *version = target;
	while (memcmp(version, "HTTP/", 5) != 0)
		version++;
	const char *at = version + strlen(version) + 1;
	struct xy_head h;
	xy_head_begin(&h, bytes, target, version, in_place);
	for (unsigned k = 0; k < 6 && heads[i].fields[k]; k += 2) {
		const char *name = place_of(at, end, heads[i].fields[k]);
		at = place_of(name + strlen(name) + 1, end, heads[i].fields[k + 1]);
		xy_head_field(&h, name, at);
	}
	xy_head_end(&h, version, heads[i].size);
	if (in_place && h.status != heads[i].status)
		printf("head %zu: %u instead of %u\n", i, h.status, heads[i].status);
	if (in_place)
		CU_ASSERT_EQUAL(h.status, heads[i].status);
	CU_ASSERT(h.status == 0 || heads[i].status != 0);
	CU_ASSERT((h.why != NULL) == (h.status != 0));
}

static void test_heads(void)
{
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		head_try(i, true);
		head_try(i, false);
	}
}

// --- the table

static void test_table(void)
{
	const struct xy_api_entry *e, *other;
	unsigned n = 0, public = 0;
	for (; (e = xy_api_entry_at(n)); n++) {
		CU_ASSERT(e->path[0] == '/' && e->help && strlen(e->help) > 4);
		CU_ASSERT((e->object != NULL) != (e->answer != NULL));
		CU_ASSERT(!e->public || strcmp(e->method, "GET") == 0);
		CU_ASSERT(e->scope != XY_API_ACT || strcmp(e->method, "GET") != 0);
		CU_ASSERT(e->body == (strcmp(e->method, "GET") != 0));
		public += e->public;
		for (unsigned k = 0; k < n; k++) {
			other = xy_api_entry_at(k);
			CU_ASSERT(strcmp(e->path, other->path) != 0 ||
				  strcmp(e->method, other->method) != 0);
		}
	}
	for (unsigned i = 0; xy_reply_at(i); i++)
		CU_ASSERT_STRING_EQUAL(xy_api_entry_at(i)->command, xy_reply_at(i)->command);
	CU_ASSERT(n > 30);
	CU_ASSERT_EQUAL(public, 14);
}

// --- rows

static json_t *peers_of(const char *text)
{
	json_t *o = json_loads(text, JSON_DECODE_ANY, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	return o;
}

static void take(struct xy_rows *r, uint64_t now, const char *text)
{
	json_t *o = peers_of(text);
	xy_rows_take_peers(r, o, now);
	json_decref(o);
}

#define PEER(name, state, rx, tx)                                                       \
	"{\"name\":\"" name "\",\"state\":\"" state "\",\"kind\":\"mesh\",\"peering\":" \
	"\"configured\",\"rx_bytes\":" #rx ",\"tx_bytes\":" #tx ",\"rx_packets\":" #rx  \
	",\"tx_packets\":" #tx ",\"mtu\":1400,\"last_received\":0}"

static void test_rates(void)
{
	struct xy_rows r = {0};
	double rx, tx;
	json_decref(xy_rows_rates(&r, 2, &rx, &tx));
	CU_ASSERT(isnan(rx) && isnan(tx)); // none of them was seen
	json_decref(xy_rows_rates(&r, 0, &rx, &tx));
	CU_ASSERT(rx == 0 && tx == 0); // there are none
	take(&r, 1000, "[" PEER("b", "up", 100, 0) "," PEER("a", "up", 0, 0) "]");
	CU_ASSERT(r.count == 2 && strcmp(r.v[0]->name, "a") == 0); // sorted
	json_decref(xy_rows_rates(&r, 2, &rx, &tx));
	CU_ASSERT(isnan(rx) && isnan(tx)); // not known yet
	take(&r, 3000, "[" PEER("a", "up", 0, 500) "," PEER("b", "up", 1100, 0) "]");
	CU_ASSERT_DOUBLE_EQUAL(xy_rows_find(&r, "b")->rx_bps, 4000, 0.1);
	CU_ASSERT_DOUBLE_EQUAL(xy_rows_find(&r, "a")->tx_bps, 2000, 0.1);
	json_decref(xy_rows_rates(&r, 2, &rx, &tx));
	CU_ASSERT_DOUBLE_EQUAL(rx, 4000, 0.1);
	CU_ASSERT_DOUBLE_EQUAL(tx, 2000, 0.1);
	take(&r, 4000, "[" PEER("b", "up", 50, 0) "]"); // began anew
	CU_ASSERT_DOUBLE_EQUAL(xy_rows_find(&r, "b")->rx_bps, 400, 0.1);
	CU_ASSERT_PTR_NULL(xy_rows_find(&r, "c"));
	xy_rows_free(&r);
	CU_ASSERT_EQUAL(r.count, 0);
}

static void test_rounds(void)
{
	struct xy_rows r = {0};
	take(&r, 1000, "[" PEER("a", "up", 0, 0) "," PEER("b", "up", 0, 0) "]");
	xy_rows_end_round(&r);
	CU_ASSERT_EQUAL(r.count, 2);
	take(&r, 2000, "[" PEER("b", "up", 0, 0) "]");
	xy_rows_end_round(&r);
	CU_ASSERT(r.count == 1 && xy_rows_find(&r, "b") && !xy_rows_find(&r, "a"));
	xy_rows_free(&r);
}

static void test_order(void)
{
	struct xy_rows r = {0};
	take(&r, 1000,
	     "[" PEER("a", "up", 0, 0) "," PEER("b", "up", 0, 0) "," PEER("c", "down", 0, 0) "]");
	take(&r, 2000,
	     "[" PEER("a", "up", 9, 0) "," PEER("b", "up", 90, 0) "," PEER("c", "down", 0, 0) "]");
	snprintf(xy_rows_find(&r, "c")->trouble, sizeof(r.v[0]->trouble), "no way");
	json_t *o = xy_rows_tell(&r, 2, 5, 4), *rows = json_object_get(o, "rows");
	CU_ASSERT_EQUAL(json_array_size(rows), 2);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_array_get(rows, 0), "name")),
			       "c");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_array_get(rows, 1), "name")),
			       "b");
	CU_ASSERT(json_is_true(json_object_get(o, "cut")));
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(o, "total")), 5);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(o, "up")), 4);
	json_decref(o);
	xy_rows_free(&r);
}

static void test_history(void)
{
	struct xy_rows r = {0};
	take(&r, 1000, "[" PEER("a", "up", 0, 0) "," PEER("b", "up", 0, 0) "]");
	xy_rows_sample(&r, 0, 1);
	CU_ASSERT_EQUAL(r.histories, 0); // nobody carried anything
	take(&r, 2000, "[" PEER("a", "up", 0, 0) "," PEER("b", "up", 1000, 0) "]");
	xy_rows_sample(&r, 1, 1);
	const struct xy_rows_history *h = xy_rows_find(&r, "b")->history;
	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	CU_ASSERT(isnan(h->rx[0]) && h->rx[1] == 8000 && isnan(h->rx[2]));
	take(&r, 3000, "[" PEER("a", "up", 9, 0) "]");
	xy_rows_sample(&r, 2, 1); // there is room for one
	CU_ASSERT_PTR_NULL(xy_rows_find(&r, "a")->history);
	xy_rows_free(&r);
	CU_ASSERT_EQUAL(r.histories, 0);
}

static void test_loss(void)
{
	static const struct {
		const char *hellos;
		double loss;
	} rows[] = {{"ffff", 0},       {"8000", 0},	   {"0000", 1},	       {"bfff", 1.0 / 16},
		    {"a000", 1.0 / 3}, {"7fff", 1.0 / 16}, {"0001", 15.0 / 16}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_DOUBLE_EQUAL((double)xy_rows_loss(rows[i].hellos), rows[i].loss, 1e-4);
	CU_ASSERT(isnan(xy_rows_loss(NULL)));
}

static void test_neighbours(void)
{
	struct xy_rows r = {0};
	json_t *o = peers_of("[{\"peer\":\"a\",\"rtt_us\":1200,\"cost\":96,\"hellos\":\"ffff\"},"
			     "{\"peer\":\"z\"},{}]");
	take(&r, 1000, "[" PEER("a", "up", 0, 0) ",{\"name\":null},{\"name\":7}]");
	CU_ASSERT(r.count == 1 && r.v[0]->rtt_us == XY_FIELD_NULL && isnan(r.v[0]->loss));
	xy_rows_take_neighbours(&r, o);
	CU_ASSERT(r.v[0]->rtt_us == 1200 && r.v[0]->cost == 96 && r.v[0]->loss == 0);
	json_decref(o);
	xy_rows_free(&r);
}

XY_UNIT_MAIN("web", {"what everybody sees", test_seen}, {"redact", test_redact},
	     {"redact all", test_redact_all}, {"heads", test_heads}, {"table", test_table},
	     {"rates", test_rates}, {"rounds", test_rounds}, {"order", test_order},
	     {"history", test_history}, {"loss", test_loss}, {"neighbours", test_neighbours})
