// SPDX-License-Identifier: BSD-3-Clause
// What a fleet signs: vectors with known answers (made by another program: docs/wire-format.md),
// what is refused and with which words, and who is let in.
#include "fleet_rig.h"

#include "fleet/trust.h"

static const char record_vector[] =
	"{\"address\":\"3fc:4218:2ede:2bd:295a:92ec:c597:9aa0\",\"claim\":\"fd10:1::/48\",\"e"
	"ndpoints\":[{\"at\":\"192.0.2.1:51820\",\"from\":\"own\"},{\"at\":\"[2001:db8::1]:51"
	"820\",\"from\":\"seen\"}],\"epoch\":7,\"expires\":1796003600,\"key\":\"A6EHv/POEL4dc"
	"N0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\",\"link_key\":\"RwHQhIhFH1RaQJ+1iuPlhYHKQKw/fxFGmM1"
	"x3qxzygE=\",\"name\":\"berlin-1\",\"net\":\"3fc:4218:2ede:2bd::/64\",\"prefixes\":["
	"\"10.1.0.0/16\",\"fd00:1::/64\"],\"relay\":false,\"signature\":\"urwAMaFO5dilYr8bf+v"
	"qoFaj1vQaP0DUH8mee2aRV25p8Kt7tc28rEWBuAp8Yok9TGOL7QddKWmW4fGxYbN6CQ==\",\"v\":1,\"ve"
	"rsion\":\"0.1.0\"}";
static const char claim_vector[] =
	"{\"claims\":\"fd10:1::/48\",\"epoch\":7,\"expires\":1796003600,\"key\":\"A6EHv/POEL4"
	"dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\",\"signature\":\"qv3OU1stPdvZe86ROOncHf8C5Esnh7GP"
	"JhGvCnhlKnn9R6FW2c8GEfMSel/eGP9z833b/TT46O5I+0VKRb6nCA==\",\"since\":1796000000,\"v"
	"\":1}";
static const char member_vector[] =
	"{\"member\":\"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\",\"signature\":\"Rve4lbp"
	"p7paIBnhtvLQCoeluFZGCMWW34Oj0SPtdGMYihERhdECFK1MQtDE6trdAITzJ9sQ2GpKsLGlJVTUYAg==\","
	"\"until\":1827532800,\"v\":1}";
static const char revocation_vector[] =
	"{\"epoch\":1796000000,\"revokes\":\"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\","
	"\"signature\":\"g9+19kJm/E/45zE/tdm3Hmf3EcqmvjgluU6nMmT2xpEQUWocn92XroDoaAB6wvzSlxnm"
	"XsLp7rQqww22bqnvDQ==\",\"v\":1}";

enum { CA = 100 };

// --- vectors

static void test_record_vector(void)
{
	struct xy_identity id = identity(0);
	struct xy_fleet_record r;
	struct xy_err err;
	char *text = text_of(0, 7, 1796003600);
	CU_ASSERT_STRING_EQUAL(text, record_vector);
	CU_ASSERT(xy_fleet_record_parse(text, strlen(text), &r, &err) == 0);
	CU_ASSERT(xy_addr_eq(&r.address, &id.addr) && strcmp(r.name, "berlin-1") == 0);
	CU_ASSERT(r.endpoint_count == 2 && r.endpoint[1].from == XY_FLEET_FROM_SEEN);
	CU_ASSERT(r.prefix_count == 2 && r.has_claim && r.claim.len == 48 && !r.relay && !r.ended);
	CU_ASSERT(r.epoch == 7 && r.expires == 1796003600 && !r.membership.until);
	CU_ASSERT(xy_fleet_kind_of(text, strlen(text)) == XY_FLEET_IS_RECORD);
	char hex[XY_FLEET_KEY_STRLEN];
	CU_ASSERT_STRING_EQUAL(xy_fleet_key_hex(&r.address, hex),
			       "03fc42182ede02bd295a92ecc5979aa0");
	free(text);
}

static void test_claim_vector(void)
{
	struct xy_identity id = identity(0);
	struct xy_fleet_claim c = {.epoch = 7, .expires = 1796003600, .since = NOW}, read;
	struct xy_err err;
	char *text;
	xy_prefix_parse("fd10:1::/48", &c.prefix);
	CU_ASSERT_FATAL(xy_fleet_claim_sign(&c, &id, &text, &err) == 0);
	CU_ASSERT_STRING_EQUAL(text, claim_vector);
	CU_ASSERT(xy_fleet_claim_parse(text, strlen(text), &read, &err) == 0);
	CU_ASSERT(read.since == NOW && xy_prefix_eq(&read.prefix, &c.prefix));
	CU_ASSERT(memcmp(&read.link_key, &id.x25519, 32) == 0);
	CU_ASSERT(xy_fleet_kind_of(text, strlen(text)) == XY_FLEET_IS_CLAIM);
	// One kind is never read as another, though all are signed by the same key.
	struct xy_fleet_record r;
	CU_ASSERT(xy_fleet_record_parse(text, strlen(text), &r, &err) == -EINVAL);
	free(text);
}

static void test_ca_vectors(void)
{
	struct xy_identity id = identity(0), ca = identity(CA), other = identity(CA + 1);
	struct xy_fleet_member m = {.key = id.ed25519, .membership.until = 1827532800}, read;
	struct xy_fleet_revocation v = {.key = id.ed25519, .epoch = NOW}, back;
	struct xy_err err;
	char *text;
	CU_ASSERT_FATAL(xy_fleet_member_sign(&m, &ca, &text, &err) == 0);
	CU_ASSERT_STRING_EQUAL(text, member_vector);
	CU_ASSERT(xy_fleet_member_parse(text, strlen(text), &read, &err) == 0);
	CU_ASSERT(xy_fleet_membership_holds(&read.membership, &id.ed25519, &ca.ed25519));
	CU_ASSERT(!xy_fleet_membership_holds(&read.membership, &id.ed25519, &other.ed25519));
	CU_ASSERT(!xy_fleet_membership_holds(&read.membership, &other.ed25519, &ca.ed25519));
	read.membership.until++;
	CU_ASSERT(!xy_fleet_membership_holds(&read.membership, &id.ed25519, &ca.ed25519));
	CU_ASSERT(xy_fleet_kind_of(text, strlen(text)) == XY_FLEET_IS_MEMBER);
	free(text);
	CU_ASSERT_FATAL(xy_fleet_revocation_sign(&v, &ca, &text, &err) == 0);
	CU_ASSERT_STRING_EQUAL(text, revocation_vector);
	CU_ASSERT(xy_fleet_revocation_parse(text, strlen(text), &ca.ed25519, &back, &err) == 0);
	CU_ASSERT(xy_fleet_revocation_parse(text, strlen(text), &other.ed25519, &back, &err) ==
		  -EBADMSG);
	CU_ASSERT(xy_fleet_kind_of(text, strlen(text)) == XY_FLEET_IS_REVOCATION);
	char *again = xy_fleet_revocation_text(&v);
	CU_ASSERT_STRING_EQUAL(again, text);
	free(again);
	free(text);
}

// RFC 8785 of what is allowed: order by bytes, no blanks, only quotes and backslashes escaped.
static void test_canonical(void)
{
	static const struct {
		const char *text, *canonical;
	} v[] = {
		{"{}", "{}"},
		{" { \"b\" : 1 ,\n\t\"a\":[ true , false ] } ", "{\"a\":[true,false],\"b\":1}"},
		{"{\"b\":{\"z\":-0,\"y\":9007199254740991},\"B\":\"\"}",
		 "{\"B\":\"\",\"b\":{\"y\":9007199254740991,\"z\":0}}"},
		{"{\"a\":\"\\u0041\\/\\\"\\\\~\"}", "{\"a\":\"A/\\\"\\\\~\"}"},
		{"{\"aa\":1,\"a\":2,\"a_\":3,\"aA\":4}", "{\"a\":2,\"aA\":4,\"a_\":3,\"aa\":1}"},
		{"{\"signature\":\"x\",\"a\":{\"signature\":\"y\"}}",
		 "{\"a\":{\"signature\":\"y\"}}"},
	};
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		size_t len;
		struct xy_err err;
		char *got = xy_fleet_canonical("d\n", v[i].text, strlen(v[i].text), &len, &err);
		CU_ASSERT_PTR_NOT_NULL_FATAL(got);
		CU_ASSERT(len == strlen(v[i].canonical) + 2 && strncmp(got, "d\n", 2) == 0);
		CU_ASSERT_STRING_EQUAL(got + 2, v[i].canonical);
		free(got);
	}
}

static void test_form(void)
{
	static const struct {
		const char *text, *word;
	} v[] = {
		{"", "no JSON"},
		{"[]", "no JSON object"},
		{"{\"a\":1} {}", "no JSON"},
		{"{\"a\":1", "no JSON"},
		{"{\"a\":1,\"a\":1}", "no JSON"}, // doubled
		{"{\"a\":{\"b\":1,\"b\":2}}", "no JSON"},
		{"{\"a\":1,\"\\u0061\":1}", "no JSON"}, // doubled, in another spelling
		{"{\"a\":1.0}", "not whole"},
		{"{\"a\":1e2}", "not whole"},
		{"{\"a\":9007199254740992}", "above 2^53"},
		{"{\"a\":-9007199254740992}", "above 2^53"},
		{"{\"a\":99999999999999999999}", "no JSON"},
		{"{\"a\":01}", "no JSON"},
		{"{\"a\":null}", "null"},
		{"{\"a\":\"\\u00e9\"}", "printable"},
		{"{\"a\":\"\\n\"}", "printable"},
		{"{\"\\u0007\":1}", "printable"},
		{"{\"a\":\"\\u0000\"}", "no JSON"},
		{"{\"a\":\"\xc3\xa9\"}", "ASCII"},
		{"\xef\xbb\xbf{}", "ASCII"},
		{"{\"a\":[[[[[[1]]]]]]}", "too deep"},
	};
	struct xy_err err;
	size_t len;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		CU_ASSERT_PTR_NULL(
			xy_fleet_canonical("", v[i].text, strlen(v[i].text), &len, &err));
		if (!strstr(err.text, v[i].word))
			printf("%s: %s\n", v[i].text, err.text);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, v[i].word));
	}
	CU_ASSERT_PTR_NULL(xy_fleet_canonical("", "{\"a\":1}\0", 8, &len, &err));
	char deep[2 * XY_FLEET_TEXT];
	memset(deep, '[', sizeof(deep));
	CU_ASSERT_PTR_NULL(xy_fleet_canonical("", deep, XY_FLEET_TEXT, &len, &err));
	CU_ASSERT_PTR_NULL(xy_fleet_canonical("", deep, sizeof(deep), &len, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "has 8192 bytes, and may have 4096"));
}

// --- records

// Every letter of a record is under its signature, or refused.
static void test_changed(void)
{
	struct xy_fleet_record r;
	struct xy_err err;
	char *text = text_of(0, 7, 1796003600);
	size_t len = strlen(text);
	for (size_t i = 0; i < len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			text[i] ^= (char)(1 << bit);
			int e = xy_fleet_record_parse(text, len, &r, &err);
			if (!e)
				printf("byte %zu bit %u: %s\n", i, bit, text);
			CU_ASSERT(e < 0);
			text[i] ^= (char)(1 << bit);
		}
	for (size_t i = 0; i < len; i++)
		CU_ASSERT(xy_fleet_record_parse(text, i, &r, &err) < 0);
	CU_ASSERT(xy_fleet_record_parse(text, len, &r, &err) == 0);
	free(text);
}

static void test_forged(void)
{
	struct xy_fleet_record r;
	struct xy_err err;
	char *text = text_of(0, 7, 1796003600);
	char *other = replaced(text, "192.0.2.1", "192.0.2.9");
	CU_ASSERT(xy_fleet_record_parse(other, strlen(other), &r, &err) == -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "berlin-1"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "signature"));
	free(other);
	// Another's key in it, or another's signature.
	char *body = body_of(1, ""), *as = signed_as(0, RECORD, body);
	CU_ASSERT(xy_fleet_record_parse(as, strlen(as), &r, &err) == -EBADMSG);
	free(as);
	// His own signature, of another kind of thing.
	as = signed_as(1, "xylem fleet claim 1\n", body);
	CU_ASSERT(xy_fleet_record_parse(as, strlen(as), &r, &err) == -EBADMSG);
	free(as);
	free(body);
	free(text);
}

static void test_identity(void)
{
	struct xy_identity one = identity(1), two = identity(2);
	struct xy_fleet_record r;
	struct xy_err err;
	char a[XY_KEY_STRLEN], b[XY_KEY_STRLEN], at[XY_ADDR_STRLEN], bt[XY_ADDR_STRLEN];
	char *body = body_of(1, "");
	const struct {
		const char *what, *by, *word;
	} swap[] = {
		{xy_key_str(&one.x25519, a), xy_key_str(&two.x25519, b), "link_key"},
		{xy_addr_str(&one.addr, at), xy_addr_str(&two.addr, bt), "address"},
		{"::/64", "::/63", "net"},
		{"\"v\":1", "\"v\":2", "another version"},
		{"\"v\":1", "\"w\":1", "v: is missing"},
		{"\"epoch\":7", "\"epoch\":-7", "epoch"},
		{"\"epoch\":7", "\"epoch\":\"7\"", "epoch"},
		{",\"expires\":1796003600", "", "expires"},
	};
	for (size_t i = 0; i < sizeof(swap) / sizeof(swap[0]); i++) {
		char *bad = replaced(body, swap[i].what, swap[i].by);
		char *text = signed_as(1, RECORD, bad);
		CU_ASSERT(xy_fleet_record_parse(text, strlen(text), &r, &err) < 0);
		if (!strstr(err.text, swap[i].word))
			printf("%s: %s\n", swap[i].word, err.text);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, swap[i].word));
		free(text);
		free(bad);
	}
	free(body);
	CU_ASSERT(parse_of(1, "", &r, &err) == 0); // and no more is needed
	CU_ASSERT(!r.name[0] && !r.endpoint_count && !r.relay);
}

static void test_fields(void)
{
	static const struct {
		const char *more, *word; // NULL: it is good
	} v[] = {
		{",\"name\":\"a\"", NULL},
		{",\"name\":\"\"", "name"},
		{",\"name\":\"a b\"", "name"},
		{",\"name\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "name"},
		{",\"name\":7", "name"},
		{",\"version\":\"../x\"", "version"},
		{",\"relay\":true", NULL},
		{",\"relay\":1", "relay"},
		{",\"ended\":true", NULL},
		{",\"endpoints\":[]", NULL},
		{",\"endpoints\":{}", "endpoints"},
		{",\"endpoints\":[{\"at\":\"192.0.2.1:1\",\"from\":\"nat\"}]", NULL},
		{",\"endpoints\":[{\"at\":\"192.0.2.1:1\",\"from\":\"x\"}]", "from"},
		{",\"endpoints\":[{\"at\":\"192.0.2.1:1\"}]", "from"},
		{",\"endpoints\":[{\"at\":\"192.0.2.1\",\"from\":\"own\"}]", "no address"},
		{",\"endpoints\":[{\"at\":\"192.0.2.1:0\",\"from\":\"own\"}]", "no address"},
		{",\"endpoints\":[{\"at\":\"a.example:1\",\"from\":\"own\"}]", "no address"},
		{",\"endpoints\":[\"192.0.2.1:1\"]", "no address"},
		{",\"endpoints\":[{\"at\":\"127.0.0.1:1\",\"from\":\"own\"}]", "nobody else"},
		{",\"endpoints\":[{\"at\":\"[::1]:1\",\"from\":\"own\"}]", "nobody else"},
		{",\"endpoints\":[{\"at\":\"[fe80::1%2]:1\",\"from\":\"own\"}]", "nobody else"},
		{",\"endpoints\":[{\"at\":\"[200::1]:1\",\"from\":\"own\"}]", "nobody else"},
		{",\"endpoints\":[{\"at\":\"[ff02::1]:1\",\"from\":\"own\"}]", "nobody else"},
		{",\"endpoints\":[{\"at\":\"0.0.0.0:1\",\"from\":\"own\"}]", "nobody else"},
		{",\"endpoints\":[1,1,1,1,1,1,1,1,1]", "at most 8"},
		{",\"prefixes\":[\"0.0.0.0/0\",\"::/0\"]", NULL},
		{",\"prefixes\":[\"10.0.0.1/8\"]", "no prefix"},
		{",\"prefixes\":[\"300::/64\"]", "nobody's"},
		{",\"prefixes\":[\"fe80::/64\"]", "nobody's"},
		{",\"prefixes\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "at most 16"},
		{",\"claim\":\"10.9.0.0/24\"", NULL},
		{",\"claim\":\"::/0\"", "default"},
		{",\"claim\":\"200::/48\"", "nobody's"},
		{",\"membership\":7", "membership"},
		{",\"membership\":{\"until\":7}", "signature"},
		{",\"membership\":{\"until\":0,\"signature\":\"\"}", "signature"},
		{",\"later\":{\"unknown\":[1,{\"a\":\"b\"}]}", NULL}, // a newer one's
	};
	struct xy_fleet_record r;
	struct xy_err err;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		int e = parse_of(3, v[i].more, &r, &err);
		if ((e == 0) != !v[i].word || (v[i].word && !strstr(err.text, v[i].word)))
			printf("%s: %d %s\n", v[i].more, e, e ? err.text : "");
		CU_ASSERT((e == 0) == !v[i].word);
		CU_ASSERT(!v[i].word || strstr(err.text, v[i].word));
	}
}

// The largest that may be made fits; nothing is signed that others would refuse.
static void test_sizes(void)
{
	struct xy_identity id = identity(4);
	struct xy_fleet_record r = plain(XY_FLEET_NUMBER_MAX, XY_FLEET_NUMBER_MAX), got;
	struct xy_err err;
	char *text;
	memset(r.name, 'n', XY_FLEET_NAME);
	memset(r.version, 'v', XY_FLEET_NAME);
	for (r.endpoint_count = 0; r.endpoint_count < XY_FLEET_ENDPOINTS; r.endpoint_count++) {
		xy_endpoint_parse("[2001:db8:1111:2222:3333:4444:5555:6666]:51820",
				  &r.endpoint[r.endpoint_count].at);
		r.endpoint[r.endpoint_count].from = XY_FLEET_FROM_CONFIG;
	}
	for (r.prefix_count = 0; r.prefix_count < XY_FLEET_PREFIXES; r.prefix_count++)
		xy_prefix_parse("fd10:1111:2222:3333:4444:5555:6666:7777/128",
				&r.prefix[r.prefix_count]);
	r.membership.until = XY_FLEET_NUMBER_MAX;
	CU_ASSERT_FATAL(xy_fleet_record_sign(&r, &id, &text, &err) == 0);
	CU_ASSERT(strlen(text) < XY_FLEET_TEXT);
	CU_ASSERT(xy_fleet_record_parse(text, strlen(text), &got, &err) == 0);
	CU_ASSERT(got.endpoint_count == 8 && got.prefix_count == 16 && got.membership.until);
	free(text);
	r.epoch++;
	CU_ASSERT(xy_fleet_record_sign(&r, &id, &text, &err) == -EINVAL && !text);
	r.epoch--;
	xy_endpoint_parse("127.0.0.1:1", &r.endpoint[0].at);
	CU_ASSERT(xy_fleet_record_sign(&r, &id, &text, &err) == -EINVAL && !text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "127.0.0.1"));
}

static void test_claims(void)
{
	struct xy_identity id = identity(5);
	struct xy_fleet_claim a = {.since = 5}, b = {.since = 6};
	struct xy_err err;
	char *text;
	CU_ASSERT(xy_fleet_claim_before(&a, &b) && !xy_fleet_claim_before(&b, &a));
	b.since = 5;
	b.key.b[0] = 1;
	CU_ASSERT(xy_fleet_claim_before(&a, &b) && !xy_fleet_claim_before(&b, &a));
	xy_prefix_parse("::/0", &a.prefix);
	CU_ASSERT(xy_fleet_claim_sign(&a, &id, &text, &err) == -EINVAL && !text);
	xy_prefix_parse("300::/48", &a.prefix);
	CU_ASSERT(xy_fleet_claim_sign(&a, &id, &text, &err) == -EINVAL && !text);
	xy_prefix_parse("10.7.0.0/24", &a.prefix);
	CU_ASSERT_FATAL(xy_fleet_claim_sign(&a, &id, &text, &err) == 0);
	char *other = replaced(text, "10.7.0.0", "10.8.0.0");
	CU_ASSERT(xy_fleet_claim_parse(other, strlen(other), &a, &err) == -EBADMSG);
	free(other);
	free(text);
}

// --- who is let in

static struct xy_fleet_membership member_of(unsigned ca, unsigned node, uint64_t until)
{
	struct xy_identity id = identity(node), by = identity(ca);
	struct xy_fleet_member m = {.key = id.ed25519, .membership.until = until};
	struct xy_err err;
	char *text;
	CU_ASSERT_FATAL(xy_fleet_member_sign(&m, &by, &text, &err) == 0);
	free(text);
	return m.membership;
}

static void test_trust_keys(void)
{
	struct xy_fleet_trust t;
	struct xy_key key[3] = {identity(3).ed25519, identity(1).ed25519, identity(2).ed25519};
	struct xy_key other = identity(4).ed25519;
	xy_fleet_trust_init(&t);
	CU_ASSERT(xy_fleet_trust_admit(&t, &other, NULL, NOW) == XY_FLEET_ADMITTED);
	CU_ASSERT(xy_fleet_trust_keys(&t, key, 3) == 0);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT(xy_fleet_trust_admit(&t, &key[i], NULL, NOW) == XY_FLEET_ADMITTED);
	CU_ASSERT(xy_fleet_trust_admit(&t, &other, NULL, NOW) == XY_FLEET_NOT_LISTED);
	struct xy_key link = identity(4).x25519; // as `xylem pubkey` prints it
	CU_ASSERT(xy_fleet_trust_keys(&t, &link, 1) == 0);
	CU_ASSERT(xy_fleet_trust_admit(&t, &other, NULL, NOW) == XY_FLEET_ADMITTED);
	CU_ASSERT(xy_fleet_trust_admit(&t, &key[0], NULL, NOW) == XY_FLEET_NOT_LISTED);
	CU_ASSERT(xy_fleet_trust_keys(&t, key, 0) == 0);
	CU_ASSERT(xy_fleet_trust_admit(&t, &key[0], NULL, NOW) == XY_FLEET_NOT_LISTED);
	CU_ASSERT(xy_fleet_trust_keys(&t, key, XY_FLEET_TRUSTED_KEYS + 1) == -ENOSPC);
	xy_fleet_trust_fini(&t);
}

static void test_trust_ca(void)
{
	struct xy_fleet_trust t;
	struct xy_identity ca = identity(CA), node = identity(1);
	struct xy_fleet_membership good = member_of(CA, 1, NOW + 10), none = {0};
	struct xy_fleet_membership wrong = member_of(CA + 1, 1, NOW + 10);
	struct xy_fleet_membership others = member_of(CA, 2, NOW + 10);
	struct xy_fleet_revocation r = {.key = node.ed25519, .epoch = NOW};
	xy_fleet_trust_init(&t);
	xy_fleet_trust_ca(&t, &ca.ed25519);
	const struct xy_key *key = &node.ed25519;
	CU_ASSERT(xy_fleet_trust_admit(&t, key, &good, NOW) == XY_FLEET_ADMITTED);
	CU_ASSERT(xy_fleet_trust_admit(&t, key, &good, NOW + 9) == XY_FLEET_ADMITTED);
	CU_ASSERT(xy_fleet_trust_admit(&t, key, &good, NOW + 10) == XY_FLEET_MEMBERSHIP_ENDED);
	CU_ASSERT(xy_fleet_trust_admit(&t, key, &none, NOW) == XY_FLEET_NO_MEMBERSHIP);
	CU_ASSERT(xy_fleet_trust_admit(&t, key, NULL, NOW) == XY_FLEET_NO_MEMBERSHIP);
	CU_ASSERT(xy_fleet_trust_admit(&t, key, &wrong, NOW) == XY_FLEET_WRONG_CA);
	CU_ASSERT(xy_fleet_trust_admit(&t, key, &others, NOW) == XY_FLEET_WRONG_CA);
	CU_ASSERT(xy_fleet_trust_until(&t, &good) == NOW + 10);
	CU_ASSERT(xy_fleet_trust_revoke(&t, &r) == 1 && xy_fleet_trust_revoke(&t, &r) == 0);
	CU_ASSERT(xy_fleet_trust_admit(&t, key, &good, NOW) == XY_FLEET_REVOKED);
	for (unsigned i = 200; i < 300; i++) {
		struct xy_fleet_revocation more = {.key = identity(i).ed25519};
		CU_ASSERT(!xy_fleet_trust_is_revoked(&t, &more.key));
		CU_ASSERT(xy_fleet_trust_revoke(&t, &more) == 1);
	}
	for (unsigned i = 200; i < 300; i++) {
		struct xy_key k = identity(i).ed25519;
		CU_ASSERT(xy_fleet_trust_is_revoked(&t, &k));
	}
	CU_ASSERT(xy_fleet_trust_is_revoked(&t, key));
	struct xy_identity next = identity(CA + 1);
	xy_fleet_trust_ca(&t, &next.ed25519); // another's revocations
	CU_ASSERT(!xy_fleet_trust_is_revoked(&t, key));
	CU_ASSERT(xy_fleet_trust_admit(&t, key, &wrong, NOW) == XY_FLEET_ADMITTED);
	xy_fleet_trust_fini(&t);
}

static void test_words(void)
{
	for (unsigned i = 0; i < XY_FLEET_VERDICT_COUNT; i++)
		CU_ASSERT(xy_fleet_verdict_names[i] && xy_fleet_verdict_texts[i]);
	CU_ASSERT_STRING_EQUAL(xy_fleet_verdict_names[XY_FLEET_WRONG_CA], "wrong_ca");
	CU_ASSERT_PTR_NULL(xy_fleet_verdict_names[XY_FLEET_VERDICT_COUNT]);
	CU_ASSERT_PTR_NULL(xy_fleet_from_names[XY_FLEET_FROM_COUNT]);
}

XY_UNIT_MAIN("fleet", {"record vector", test_record_vector}, {"claim vector", test_claim_vector},
	     {"ca vectors", test_ca_vectors}, {"canonical form", test_canonical},
	     {"what is no form", test_form}, {"changed", test_changed}, {"forged", test_forged},
	     {"identity", test_identity}, {"fields", test_fields}, {"sizes", test_sizes},
	     {"claims", test_claims}, {"trust: keys", test_trust_keys},
	     {"trust: ca", test_trust_ca}, {"words", test_words})
