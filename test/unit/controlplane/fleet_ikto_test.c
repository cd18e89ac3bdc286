// SPDX-License-Identifier: BSD-3-Clause
// ikto's keys and records, byte for byte, and which of its devices are peers.
#include "fleet/ikto.h"
#include "unit.h"

#include <sodium.h>

#define K1 "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define K2 "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA="
#define K3 "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw="

static struct xy_prefix prefix(const char *text)
{
	struct xy_prefix p = {0};
	CU_ASSERT_EQUAL_FATAL(xy_prefix_parse(text, &p), 0);
	return p;
}

static struct xy_key key_of(const char *text)
{
	struct xy_key k;
	CU_ASSERT_EQUAL_FATAL(xy_key_parse(text, &k, NULL), 0);
	return k;
}

// As an agent of ikto 0.3 writes them: the first is published, the others are made by its rule.
static void test_keys(void)
{
	static const struct {
		const char *prefix, *key;
	} row[] = {
		{"fd10:2082:5bc1::/48", "peers.ZmQxMDoyMDgyOjViYzE6Oi80OA=="},
		{"10.7.3.0/24", "peers.MTAuNy4zLjAvMjQ="},
		{"fd10::/16", "peers.ZmQxMDo6LzE2"},
		{"fd10:3f:3f3e::/48", "peers.ZmQxMDozZjozZjNlOjovNDg="},
	};
	char key[XY_IPAM_KEY];
	struct xy_prefix p, back;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		p = prefix(row[i].prefix);
		xy_ikto_key(&p, key);
		CU_ASSERT_STRING_EQUAL(key, row[i].key);
		CU_ASSERT_EQUAL(xy_ikto_key_parse(key, &back), 0);
		CU_ASSERT_TRUE(xy_prefix_eq(&p, &back));
	}
	static const char *const bad[] = {
		"peers.",
		"peers.x",
		"peers.ZmQxMDoyMDgyOjViYzE6Oi80OA",   // without its padding
		"peers.ZmQxMDoyMDgyOjViYzE6OjEvNDg=", // fd10:2082:5bc1::1/48
		"peers.RkQxMDo6LzE2",		      // FD10::/16
		"peers.ZmQxMDo6MQ==",		      // fd10::1
		"node.ZmQxMDo6LzE2",
		"peers.AAAA",
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(xy_ikto_key_parse(bad[i], &back), -EINVAL);
}

static void test_record(void)
{
	static const char vector[] =
		"{\"name\":\"n1\",\"public_key\":\"" K1 "\",\"advertise_address\":\"203.0.113.7\","
		"\"allowed_ip\":\"fd10:2082:5bc1::/48\",\"wg_port\":51820}";
	struct xy_ikto_record r = {.name = "n1", .port = 51820}, back;
	struct xy_err err;
	char text[XY_IKTO_TEXT];
	r.key = key_of(K1);
	r.allowed = prefix("fd10:2082:5bc1::/48");
	xy_addr_parse("203.0.113.7", &r.at);
	CU_ASSERT_EQUAL(xy_ikto_text(&r, text, sizeof(text)), (int)strlen(vector));
	CU_ASSERT_STRING_EQUAL(text, vector);
	CU_ASSERT_EQUAL(xy_ikto_parse(vector, strlen(vector), &back, &err), 0);
	CU_ASSERT_TRUE(memcmp(&r.key, &back.key, sizeof(r.key)) == 0 && back.port == 51820 &&
		       xy_prefix_eq(&r.allowed, &back.allowed) && xy_addr_eq(&r.at, &back.at));
	CU_ASSERT_STRING_EQUAL(back.name, "n1");
	// Another order, a blank, one member more; host bits, as its parser clears them.
	static const char loose[] =
		"{ \"wg_port\": 1, \"allowed_ip\":\"10.7.3.9/24\", \"x\":[], \"public_key\":\"" K1
		"\","
		"\"advertise_address\":\"2001:db8::1\"}";
	CU_ASSERT_EQUAL(xy_ikto_parse(loose, strlen(loose), &back, &err), 0);
	xy_prefix_str(&back.allowed, text);
	CU_ASSERT_STRING_EQUAL(text, "10.7.3.0/24");
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"", "JSON"},
		{"[]", "JSON"},
		{"{}", "public_key"},
		{"{\"public_key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}", "public_key"},
		{"{\"public_key\":\"" K1 "x\"}", "public_key"},
		{"{\"public_key\":\"" K1 "\",\"public_key\":\"" K2 "\"}", "JSON"},
		{"{\"public_key\":\"" K1 "\",\"advertise_address\":\"host.example\"}",
		 "advertise_address"},
		{"{\"public_key\":\"" K1 "\",\"advertise_address\":\"0.0.0.0\"}",
		 "advertise_address"},
		{"{\"public_key\":\"" K1 "\",\"advertise_address\":\"ff02::1\"}",
		 "advertise_address"},
		{"{\"public_key\":\"" K1 "\",\"advertise_address\":\"203:1::1\"}",
		 "advertise_address"},
		{"{\"public_key\":\"" K1
		 "\",\"advertise_address\":\"192.0.2.1\",\"allowed_ip\":\"fd10::1\"}",
		 "allowed_ip"},
		{"{\"public_key\":\"" K1
		 "\",\"advertise_address\":\"192.0.2.1\",\"allowed_ip\":\"10.0.0.0/8\","
		 "\"wg_port\":\"51820\"}",
		 "wg_port"},
		{"{\"public_key\":\"" K1
		 "\",\"advertise_address\":\"192.0.2.1\",\"allowed_ip\":\"10.0.0.0/8\","
		 "\"wg_port\":65536}",
		 "wg_port"},
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(xy_ikto_parse(bad[i].text, strlen(bad[i].text), &back, &err),
				-EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, bad[i].says));
	}
}

// --- the mesh

static unsigned devices, gones, refusals, kepts;
static struct xy_fleet_device last;
static char why[300], last_gone[XY_IPAM_KEY];

static void on_device(void *arg, const char *key, const struct xy_fleet_device *d)
{
	devices++;
	last = *d;
}

static void on_gone(void *arg, const char *key)
{
	gones++;
	snprintf(last_gone, sizeof(last_gone), "%s", key);
}

static void on_refused(void *arg, const char *key, const char *text)
{
	refusals++;
	snprintf(why, sizeof(why), "%s", text);
}

static void on_kept(void *arg, const char *key, const char *text)
{
	kepts++;
	snprintf(why, sizeof(why), "%s", text);
}

static const struct xy_ikto_ops ops = {
	.device = on_device, .gone = on_gone, .refused = on_refused, .kept = on_kept};

static struct xy_ikto_mesh *begin(const char *cidr)
{
	struct xy_prefix p = {0}, none = {0};
	struct xy_key self = key_of(K3);
	if (cidr)
		p = prefix(cidr);
	devices = gones = refusals = kepts = 0;
	struct xy_ikto_mesh *m = xy_ikto_mesh_make(&p, &ops, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	xy_ikto_mesh_self(m, &self, &none);
	return m;
}

static void put_at(struct xy_ikto_mesh *m, const char *at, const char *name, const char *key,
		   const char *allowed)
{
	char k[XY_IPAM_KEY], text[XY_IKTO_TEXT];
	struct xy_ikto_record r = {.key = key_of(key), .port = 51820};
	snprintf(r.name, sizeof(r.name), "%s", name);
	r.allowed = prefix(allowed);
	xy_addr_parse("192.0.2.7", &r.at);
	struct xy_prefix p = prefix(at);
	xy_ikto_key(&p, k);
	int n = xy_ikto_text(&r, text, sizeof(text));
	xy_ikto_mesh_put(m, k, text, (size_t)n);
}

static void put(struct xy_ikto_mesh *m, const char *name, const char *key, const char *allowed)
{
	put_at(m, allowed, name, key, allowed);
}

static void gone(struct xy_ikto_mesh *m, const char *allowed)
{
	char k[XY_IPAM_KEY];
	struct xy_prefix p = prefix(allowed);
	xy_ikto_key(&p, k);
	xy_ikto_mesh_gone(m, k);
}

static void test_peers(void)
{
	struct xy_ikto_mesh *m = begin("fd10::/16");
	put(m, "n 1", K1, "fd10:1::/48");
	CU_ASSERT_EQUAL(devices, 1);
	CU_ASSERT_STRING_EQUAL(last.name, "n-1");
	CU_ASSERT_STRING_EQUAL(last.endpoint, "192.0.2.7:51820");
	CU_ASSERT_EQUAL(last.allowed_count, 1);
	put(m, "n2", K2, "fd10:1::/47"); // a part of it is another's: ikto's keys differ
	CU_ASSERT_EQUAL(refusals, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "overlaps with fd10:1::/48 of n 1"));
	gone(m, "fd10:1::/48"); // and is free now
	CU_ASSERT_EQUAL(gones, 1);
	CU_ASSERT_EQUAL(devices, 2);
	CU_ASSERT_STRING_EQUAL(last.name, "n2");
	put(m, "n1", K1, "fd11:1::/48");
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "not in the mesh's fd10::/16"));
	put_at(m, "fd10:3::/48", "n1", K1, "fd10:4::/48");
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "its key is not that"));
	put(m, "n2", K2, "fd10:9::/48");
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "its key is a peer already"));
	CU_ASSERT_EQUAL(devices, 2);
	put(m, "us", K3, "fd10:8::/48"); // ourselves
	CU_ASSERT_EQUAL(devices, 2);
	xy_ikto_mesh_free(m);
}

// Who may write the bucket takes no network from a device that is a peer, but by deleting it first.
static void test_hostile(void)
{
	struct xy_ikto_mesh *m = begin(NULL);
	put(m, "n1", K1, "fd10:1::/48");
	put(m, "n1", K2, "fd10:1::/48");
	CU_ASSERT_EQUAL(kepts, 1);
	CU_ASSERT_EQUAL(devices, 1);
	CU_ASSERT_EQUAL(gones, 0);
	struct xy_prefix p = prefix("fd10:1::/48");
	char k[XY_IPAM_KEY];
	xy_ikto_key(&p, k);
	xy_ikto_mesh_put(m, k, "nothing", 7);
	xy_ikto_mesh_put(m, k, NULL, 100000);
	CU_ASSERT_EQUAL(kepts, 3);
	put(m, "n1", K1, "fd10:1::/48"); // the same again
	CU_ASSERT_EQUAL(devices, 2);
	static const char *const wide[] = {"::/0",	"200::/7",   "0.0.0.0/0",  "300::/8",
					   "fe80::/10", "fd10::/15", "127.0.0.0/8"};
	for (unsigned i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		put(m, "x", K2, wide[i]);
		CU_ASSERT_EQUAL(refusals, i + 1);
	}
	CU_ASSERT_EQUAL(devices, 2);
	// Ours is nobody else's.
	struct xy_prefix own = prefix("fd10:2::/48");
	struct xy_key self = key_of(K3);
	xy_ikto_mesh_self(m, &self, &own);
	put(m, "x", K2, "fd10:2:0:1::/64");
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "overlaps with ours"));
	CU_ASSERT_TRUE(xy_ikto_mesh_overlaps(m, &p, why, sizeof(why)));
	CU_ASSERT_FALSE(xy_ikto_mesh_overlaps(m, &own, why, sizeof(why)));
	xy_ikto_mesh_free(m);
	// Only who is listed.
	m = begin(NULL);
	struct xy_key listed = key_of(K2);
	xy_ikto_mesh_trust(m, &listed, 1);
	put(m, "n1", K1, "fd10:1::/48");
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "trust.keys"));
	put(m, "n2", K2, "fd10:2::/48");
	CU_ASSERT_EQUAL(devices, 1);
	xy_ikto_mesh_free(m);
}

static void put_number(struct xy_ikto_mesh *m, unsigned i, const char *allowed)
{
	char name[16], key[XY_KEY_STRLEN];
	struct xy_key k = {.b = {1, (uint8_t)i, (uint8_t)(i >> 8)}};
	snprintf(name, sizeof(name), "n%u", i);
	put(m, name, xy_key_str(&k, key), allowed);
}

static const char *network(unsigned i)
{
	static char text[64];
	snprintf(text, sizeof(text), "fd10:%x:%x::/48", i / 65536, i % 65536);
	return text;
}

static void test_many(void)
{
	struct xy_ikto_mesh *m = begin(NULL);
	for (unsigned i = 0; i < XY_IKTO_DEVICES + 5; i++)
		put_number(m, i, network(i));
	CU_ASSERT_EQUAL(devices, XY_IKTO_DEVICES);
	CU_ASSERT_EQUAL(refusals, 5);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "n4100 has no room: 4096 devices"));
	CU_ASSERT_FALSE(xy_ikto_mesh_wants_again(m)); // there is none yet
	gone(m, network(XY_IKTO_DEVICES));	      // one of those without: it is no more refused
	CU_ASSERT_EQUAL(gones, 1);
	CU_ASSERT_FALSE(xy_ikto_mesh_wants_again(m));
	gone(m, network(7));
	CU_ASSERT_EQUAL(gones, 2);
	CU_ASSERT_TRUE(xy_ikto_mesh_wants_again(m));
	CU_ASSERT_FALSE(xy_ikto_mesh_wants_again(m)); // said
	put_number(m, XY_IKTO_DEVICES + 4, network(XY_IKTO_DEVICES + 4));
	CU_ASSERT_EQUAL(devices, XY_IKTO_DEVICES + 1);
	CU_ASSERT_STRING_EQUAL(last.name, "n4100");
	xy_ikto_mesh_free(m);
}

// Whoever fills the bucket with what can be no peer keeps out nobody who can.
static void test_rubbish(void)
{
	struct xy_ikto_mesh *m = begin(NULL);
	char key[XY_IPAM_KEY];
	for (unsigned i = 0; i < XY_IKTO_DEVICES; i++) {
		snprintf(key, sizeof(key), "peers.x%u", i);
		xy_ikto_mesh_put(m, key, (const uint8_t *)"{}", 2);
	}
	CU_ASSERT_EQUAL(refusals, XY_IKTO_DEVICES);
	for (unsigned i = 0; i < 100; i++)
		put_number(m, i, network(i));
	CU_ASSERT_EQUAL(devices, 100);
	xy_ikto_mesh_put(m, "peers.more", (const uint8_t *)"{}", 2); // and is not put before them
	put_number(m, 100, network(100));
	CU_ASSERT_EQUAL(devices, 101);
	for (unsigned i = 0; i < 101; i++)
		gone(m, network(i));
	CU_ASSERT_EQUAL(gones, 101 + 101); // rubbish that made room is refused no more
	xy_ikto_mesh_free(m);
}

// Half of a full mesh stands in the way of the other half, each of one, and all go: to look at all
// again with all for each that went were 2 * 10^10 comparisons.
static void test_many_go(void)
{
	enum { HALF = XY_IKTO_DEVICES / 2 };
	struct xy_ikto_mesh *m = begin(NULL);
	char part[64];
	for (unsigned i = 0; i < HALF; i++)
		put_number(m, i, network(i));
	for (unsigned i = 0; i < HALF; i++) {
		snprintf(part, sizeof(part), "fd10:0:%x:8000::/49", i);
		put_number(m, HALF + i, part);
	}
	CU_ASSERT_EQUAL(devices, HALF);
	CU_ASSERT_EQUAL(refusals, HALF);
	for (unsigned i = 0; i < HALF; i++) {
		unsigned n = i * 1021 % HALF; // in no order
		gone(m, network(n));
		snprintf(part, sizeof(part), "n%u", HALF + n);
		CU_ASSERT_STRING_EQUAL(last.name, part); // whom it stood in the way
	}
	CU_ASSERT_EQUAL(devices, 2 * HALF);
	CU_ASSERT_EQUAL(gones, HALF);
	for (unsigned i = 0; i < HALF; i++) {
		snprintf(part, sizeof(part), "fd10:0:%x:8000::/49", i);
		struct xy_prefix p = prefix(part);
		CU_ASSERT_TRUE(xy_ikto_mesh_overlaps(m, &p, why, sizeof(why)));
		gone(m, part);
		CU_ASSERT_FALSE(xy_ikto_mesh_overlaps(m, &p, why, sizeof(why)));
	}
	CU_ASSERT_EQUAL(gones, 2 * HALF);
	xy_ikto_mesh_free(m);
}

XY_UNIT_MAIN("fleet_ikto", {"keys", test_keys}, {"record", test_record}, {"peers", test_peers},
	     {"hostile", test_hostile}, {"many", test_many}, {"many_go", test_many_go},
	     {"rubbish", test_rubbish})
