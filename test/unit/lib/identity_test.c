// SPDX-License-Identifier: BSD-3-Clause
#include "base/bytes.h"
#include "identity/identity.h"
#include "unit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_addr_vectors(void)
{
	// The rule of mycelium's first releases. The third tells the lowest bit of the first byte
	// from its parity.
	static const struct {
		const char *key, *addr;
	} t[] = {
		{"a47c1d6f2a15b2c670d3a88fbe0aeb301ced12f7bcb4c8e3aa877b20f8559c02",
		 "27f:b2c5:a944:4dad:9cb1:da4:8bf7:7e65"},
		{"955bf6bea5e1150fd8e270c12e5b2fc08f08f7c5f3799d10550096cc137d671b",
		 "34f:b680:ba6e:7ced:355f:346f:d97b:eecb"},
		{"bb39b4a3a4efd70f3e05e37887677e02efbda14681d0acd3882bc0f754792c32",
		 "2e4:9ace:9252:630:beee:e405:74c0:d876"},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		struct xy_key k;
		char buf[XY_ADDR_STRLEN];
		CU_ASSERT_EQUAL_FATAL(xy_key_parse(t[i].key, &k, NULL), 0);
		struct xy_addr a = xy_key_addr(&k);
		CU_ASSERT_STRING_EQUAL(xy_addr_str(&a, buf), t[i].addr);
		struct xy_prefix p = xy_key_prefix(&k);
		CU_ASSERT_EQUAL(p.len, 64);
		CU_ASSERT(xy_prefix_contains(&p, &a));
		CU_ASSERT_EQUAL(xy_be64_load(p.addr.b + 8), 0);
		struct xy_addr ll = xy_key_link_local(&k);
		CU_ASSERT_EQUAL(xy_be64_load(ll.b), UINT64_C(0xfe80000000000000));
		CU_ASSERT_EQUAL(xy_be64_load(ll.b + 8), xy_be64_load(a.b + 8));
	}
}

static void test_key_text(void)
{
	static const char hex[] =
		"bb39b4a3a4efd70f3e05e37887677e02efbda14681d0acd3882bc0f754792c32";
	struct xy_key k, l;
	struct xy_err err;
	char b64[XY_KEY_STRLEN];
	CU_ASSERT_EQUAL(xy_key_parse(hex, &k, &err), 0);
	CU_ASSERT_STRING_EQUAL(xy_key_str(&k, b64), "uzm0o6Tv1w8+BeN4h2d+Au+9oUaB0KzTiCvA91R5LDI=");
	CU_ASSERT_EQUAL(xy_key_parse(b64, &l, &err), 0);
	CU_ASSERT_EQUAL(memcmp(&k, &l, sizeof(k)), 0);
	CU_ASSERT_FALSE(xy_key_is_zero(&k));
	CU_ASSERT_EQUAL(xy_key_parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", &l, &err), 0);
	CU_ASSERT(xy_key_is_zero(&l));

	static const char *const bad[] = {
		"",
		"uzm0o6Tv1w8+BeN4h2d+Au+9oUaB0KzTiCvA91R5LDI",	// no padding
		"uzm0o6Tv1w8+BeN4h2d+Au+9oUaB0KzTiCvA91R5LDJ=", // bits left over
		"uzm0o6Tv1w8+BeN4h2d+Au+9oUaB0KzTiCvA91R5LDIA", // 33 bytes
		"uzm0o6Tv1w8+BeN4h2d+Au-9oUaB0KzTiCvA91R5LDI=", // the other alphabet
		"uzm0o6Tv1w8+BeN4h2d+Au 9oUaB0KzTiCvA91R5LDI=",
		"uzm0o6Tv1w8+BeN4h2d+Au+9oUaB0KzTiCvA91R5LDI=\n",
		"uzm0o6Tv1w8+BeN4h2d+A\xf5+9oUaB0KzTiCvA91R5LDI=", // a flipped bit
		"uzm0o6Tv1w8+BeN4h2d+Au+9oUaB0KzTiCvA91R5LD\xc9=",
		"gb39b4a3a4efd70f3e05e37887677e02efbda14681d0acd3882bc0f754792c32",
		"bb39b4a3a4efd70f3e05e37887677e02efbda14681d0acd3882bc0f754792c3",
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(bad); i++) {
		memset(&l, 0x5a, sizeof(l));
		err.text[0] = '\0';
		CU_ASSERT_EQUAL(xy_key_parse(bad[i], &l, &err), -EINVAL);
		CU_ASSERT_EQUAL(l.b[0], 0x5a); // untouched
		CU_ASSERT(strlen(err.text) > 20);
	}
}

static void test_identity(void)
{
	// RFC 8032, section 7.1, test 1.
	uint8_t seed[32], pk[32], shared[2][32];
	struct xy_identity a, b;
	size_t n;
	sodium_hex2bin(seed, 32, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		       64, NULL, &n, NULL);
	sodium_hex2bin(pk, 32, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
		       64, NULL, &n, NULL);
	CU_ASSERT_EQUAL_FATAL(xy_identity_from_seed(seed, &a), 0);
	CU_ASSERT_EQUAL(memcmp(a.ed25519.b, pk, 32), 0);
	CU_ASSERT_EQUAL(a.x25519_sk[0] & 7, 0);
	CU_ASSERT_EQUAL(a.x25519_sk[31] & 0xc0, 0x40);
	uint8_t x[32];
	crypto_scalarmult_base(x, a.x25519_sk);
	CU_ASSERT_EQUAL(memcmp(x, a.x25519.b, 32), 0); // secret and public form are one pair
	struct xy_addr addr = xy_key_addr(&a.x25519);
	CU_ASSERT(xy_addr_eq(&addr, &a.addr) && xy_addr_is_mesh(&addr));

	seed[0] ^= 1;
	CU_ASSERT_EQUAL_FATAL(xy_identity_from_seed(seed, &b), 0);
	CU_ASSERT_EQUAL(crypto_scalarmult(shared[0], a.x25519_sk, b.x25519.b), 0);
	CU_ASSERT_EQUAL(crypto_scalarmult(shared[1], b.x25519_sk, a.x25519.b), 0);
	CU_ASSERT_EQUAL(memcmp(shared[0], shared[1], 32), 0);

	static const struct xy_identity wiped;
	xy_identity_wipe(&a);
	CU_ASSERT_EQUAL(memcmp(&a, &wiped, sizeof(a)), 0);
}

static void test_ed25519_refused(void)
{
	struct xy_key x, ed = {0}; // y = 0: order 4
	CU_ASSERT_EQUAL(xy_key_from_ed25519(&ed, &x), -EINVAL);
	ed.b[0] = 1; // the neutral element
	CU_ASSERT_EQUAL(xy_key_from_ed25519(&ed, &x), -EINVAL);
	ed.b[0] = 2; // not on the curve
	CU_ASSERT_EQUAL(xy_key_from_ed25519(&ed, &x), -EINVAL);
}

#define SEED_TEXT "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="

static void test_keyfile_text(void)
{
	static const struct {
		const char *text, *error; // error NULL: good
	} t[] = {
		{"xylem-key-v1:" SEED_TEXT "\n", NULL},
		{"xylem-key-v1:" SEED_TEXT, NULL},
		{"", "empty"},
		{"\n", "empty"},
		{"xylem-key-v1:", "cut short"},
		{"xylem-key-v1:nWGx\n", "cut short"},
		{"xylem-key-v1", "another version"},
		{"xylem-key-v2:" SEED_TEXT "\n", "another version"},
		{SEED_TEXT "\n", "it cannot sign; make one with: xylem genkey"},
		{SEED_TEXT, "it cannot sign"},
		{"-----BEGIN OPENSSH PRIVATE KEY-----\n", "not a Xylem key file"},
		{"xylem-key-v1:" SEED_TEXT "\n\n", NULL},
		{"\r\n\r\nxylem-key-v1:" SEED_TEXT " \r\n\r\n", NULL},
		{"\357\273\277xylem-key-v1:" SEED_TEXT "\r\n", NULL},
		{"\357\273\277", "empty"},
		{"\357\273\277" SEED_TEXT "\r\n", "it cannot sign"},
		{"\377\376x", "is UTF-16"},
		{"xylem-key-v1:" SEED_TEXT "\nmore", "too long"},
		{"xylem-key-v1:" SEED_TEXT "\r\nmore\r\n", "too long"},
		{"xylem-key-v1: " SEED_TEXT "\n", "too long"},
		{"xylem-key-v1:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2B=\n", "damaged"},
		{"xylem-key-v1:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2AA\n", "damaged"},
		{"xylem-key-v1:nWGxne/9WmC6hEr0\xebuwsxERJxWl7MmkZcDusAxyuf2A=\n", "damaged"},
		{"xylem-key-v1:nWGxne*9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=\n", "damaged"},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(t); i++) {
		uint8_t seed[32] = {0};
		struct xy_err err = {""};
		int rc = xy_keyfile_parse(t[i].text, strlen(t[i].text), seed, &err);
		CU_ASSERT_EQUAL(rc, t[i].error ? -EINVAL : 0);
		if (!t[i].error) {
			CU_ASSERT(seed[0] == 0x9d && seed[31] == 0x60);
		} else if (!strstr(err.text, t[i].error)) {
			CU_FAIL("the error does not say why");
		}
		CU_ASSERT_PTR_NULL(strstr(err.text, "nWGx")); // never shows a key
	}
}

static char folder[64];

static const char *in_folder(const char *name)
{
	static char path[2][128];
	static unsigned turn;
	char *p = path[turn++ & 1];
	snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
	return p;
}

static void put(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in_folder(name), "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
	CU_ASSERT_EQUAL(chmod(in_folder(name), mode), 0);
}

static void expect(const char *name, int rc, const char *error)
{
	struct xy_identity id;
	struct xy_err err = {""};
	CU_ASSERT_EQUAL(xy_keyfile_load(in_folder(name), &id, &err), rc);
	if (!strstr(err.text, error))
		CU_FAIL("the error does not say why");
	if (!strstr(err.text, in_folder(name)))
		CU_FAIL("the error does not name the path");
}

static void test_keyfile_load(void)
{
	struct xy_identity id;
	strcpy(folder, "/tmp/xy_identity_XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));

	expect("missing", -ENOENT, "xylem genkey");
	expect(".", -EISDIR, "directory");
	put("short", "xylem-key-v1:nWGx\n", 0600);
	expect("short", -EINVAL, "cut short");
	put("bare", SEED_TEXT "\n", 0600);
	expect("bare", -EINVAL, "cannot sign");
	put("world", "xylem-key-v1:" SEED_TEXT "\n", 0644);
	expect("world", -EPERM, "chmod 600");
	put("group", "xylem-key-v1:" SEED_TEXT "\n", 0640);
	expect("group", -EPERM, "mode 0640");
	put("long", "xylem-key-v1:" SEED_TEXT "\n# one more line\n", 0600);
	expect("long", -EINVAL, "too long");
	CU_ASSERT_EQUAL(mkfifo(in_folder("fifo"), 0600), 0);
	expect("fifo", -EINVAL, "regular");

	put("good", "xylem-key-v1:" SEED_TEXT "\n", 0400);
	CU_ASSERT_EQUAL(xy_keyfile_load(in_folder("good"), &id, NULL), 0);
	CU_ASSERT_EQUAL(id.ed25519.b[0], 0xd7);
	CU_ASSERT_EQUAL(symlink("good", in_folder("link")), 0);
	CU_ASSERT_EQUAL(xy_keyfile_load(in_folder("link"), &id, NULL), 0);
	if (geteuid() == 0) {
		CU_ASSERT_EQUAL(chown(in_folder("good"), 12345, 12345), 0);
		expect("good", -EPERM, "user 12345");
	}
}

static void test_keyfile_create(void)
{
	struct xy_identity made, read, again;
	struct xy_err err;
	struct stat st;
	CU_ASSERT_EQUAL_FATAL(xy_keyfile_create(in_folder("new"), &made, &err), 0);
	CU_ASSERT_EQUAL(stat(in_folder("new"), &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
	CU_ASSERT_EQUAL(st.st_nlink, 1);
	CU_ASSERT_EQUAL(xy_keyfile_load(in_folder("new"), &read, &err), 0);
	CU_ASSERT_EQUAL(memcmp(&made, &read, sizeof(made)), 0);

	CU_ASSERT_EQUAL(xy_keyfile_create(in_folder("new"), &again, &err), -EEXIST);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, in_folder("new")));
	CU_ASSERT_EQUAL(xy_keyfile_load(in_folder("new"), &read, &err), 0);
	CU_ASSERT_EQUAL(memcmp(&made, &read, sizeof(made)), 0);
	CU_ASSERT_EQUAL(symlink("nowhere", in_folder("dangling")), 0);
	CU_ASSERT_EQUAL(xy_keyfile_create(in_folder("dangling"), &again, &err), -EEXIST);
	CU_ASSERT_EQUAL(xy_keyfile_create(in_folder("no/such"), &again, &err), -ENOENT);

	CU_ASSERT_EQUAL(xy_keyfile_create(in_folder("other"), &again, &err), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(made.seed, again.seed, 32), 0);
	char cmd[96]; // nothing but the files above may be left
	snprintf(cmd, sizeof(cmd), "test $(ls -A %s | wc -l) = 11", folder);
	CU_ASSERT_EQUAL(system(cmd), 0);
	snprintf(cmd, sizeof(cmd), "rm -r %s", folder);
	CU_ASSERT_EQUAL(system(cmd), 0);
}

XY_UNIT_MAIN("identity", {"address vectors", test_addr_vectors}, {"key text", test_key_text},
	     {"identity from seed", test_identity}, {"bad Ed25519 keys", test_ed25519_refused},
	     {"key file text", test_keyfile_text},
	     {"key file load", test_keyfile_load, .always = true},
	     {"key file create", test_keyfile_create})
