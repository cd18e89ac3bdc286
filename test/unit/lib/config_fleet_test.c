// SPDX-License-Identifier: BSD-3-Clause
// The config of xylem-fleet: what is read, what is refused in which words, its example, and that
// the node's config does not take it.
#include "config/fleet.h"
#include "unit.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#define KEY  "SR9C8SLqzYAzT66P/LJ13XJoG8uvQZ6XMHTuRLmq3hk="
#define NATS "nats = ( \"tls://a\" ); trust = { keys = ( \"" KEY "\" ); };"
#define IKTO "mode = \"ikto\"; nats = ( \"tls://a\" );"
#define OURS                                                                                     \
	"ikto = { allowed_ip = \"fd10:1::/48\"; mesh_cidr = \"fd10::/16\"; advertise_address = " \
	"\"192.0.2.1\"; };"

static const struct {
	const char *text, *error, *warning; // of what stands in fleet = { }; parts; NULL: none
} rows[] = {
	{"folder = \"/d\";", NULL, NULL},
	{"folder = \"d\";", "write the whole path", NULL},
	{"", "says not where the records are", NULL},
	{"folder = \"/d\"; nats = ( \"tls://a:1\" );", "beside `folder`", NULL},
	{"folder = \"/d\"; bucket = \"b\";", "bucket: has no meaning for a folder", NULL},
	{"folder = \"/d\"; cidr = \"fd10::/16\"; prefix = 48;", "no meaning for a folder", NULL},
	{"nats = ( \"tls://a\" );", NULL, "whoever may write the bucket"},
	{NATS, NULL, NULL},
	{"nats = [ \"tls://[2001:db8::1]:4222\", \"tls://b.example:4222\" ];", NULL, "whoever"},
	{"nats = ( );", "is empty", NULL},
	{"nats = ( \"a:4222\" );", "write \"tls://HOST:4222\"", NULL},
	{"nats = ( \"http://a:4222\" );", "is no server", NULL},
	{"nats = ( \"nats://user:pass@a:4222\" );", "`creds`", NULL},
	{"nats = ( \"tls://a:0\" );", "is no server", NULL},
	{"nats = ( \"tls://a\", \"nats://b\" );", "some of them are tls://", NULL},
	{"nats = ( \"nats://a\" ); tls = { ca = \"/ca\"; };", "write tls://", NULL},
	{"nats = ( \"nats://a\" ); creds = \"/c\";", NULL, "credentials too"},
	{NATS " tls = { cert = \"/c\"; };", "one of cert and key", NULL},
	{NATS " bucket = \"a b\";", "is no bucket's name", NULL},
	{"folder = \"/d\"; trust = \"all\";", "write \"signed\"", NULL},
	{"folder = \"/d\"; trust = { };", "either keys or ca", NULL},
	{"folder = \"/d\"; trust = { keys = ( ); };", "write 1 to 256", NULL},
	{"folder = \"/d\"; trust = { keys = ( \"x\" ); };", "trust.keys.[0]", NULL},
	{"folder = \"/d\"; trust = { ca = \"" KEY "\"; };", NULL, "without `membership`"},
	{"folder = \"/d\"; trust = { ca = \"" KEY "\"; }; membership = \"/m\";", NULL, NULL},
	{"folder = \"/d\"; trust = { ca = \"" KEY "\"; keys = ( \"" KEY "\" ); };",
	 "either keys or ca", NULL},
	{"folder = \"/d\"; links = \"all\";", NULL, NULL},
	{"folder = \"/d\"; links = 0;", "write 1 to 64", NULL},
	{"folder = \"/d\"; links = \"many\";", "or \"all\"", NULL},
	{"folder = \"/d\"; links = 65;", "write 1 to 64", NULL},
	{"folder = \"/d\"; pin = ( \"a\", \"" KEY "\" );", NULL, NULL},
	{"folder = \"/d\"; pin = ( \"a b\" );", "neither a node's name", NULL},
	{"folder = \"/d\"; endpoints = ( \"192.0.2.1:1\", \"[2001:db8::1]:2\" );", NULL, NULL},
	{"folder = \"/d\"; endpoints = ( \"a.example:1\" );", "write ADDRESS:PORT", NULL},
	{"folder = \"/d\"; endpoints = ( \"0.0.0.0:1\" );", "write ADDRESS:PORT", NULL},
	{"folder = \"/d\"; endpoints = ( \"[200::1]:1\" );", "write ADDRESS:PORT", NULL},
	{"folder = \"/d\"; lifetime = 59;", "60 to 604800", NULL},
	{NATS " cidr = \"fd10::/16\"; prefix = 48;", NULL, NULL},
	{NATS " cidr = \"fd10::/16\"; prefix = 48; claim = \"fd10:7::/48\";", NULL, NULL},
	{NATS " cidr = \"10.8.0.0/16\"; prefix = 24; claim = \"10.8.3.0/24\"; retry = false;", NULL,
	 NULL},
	{NATS " cidr = \"10.8.0.0/16\"; prefix = 33;", "write 16 to 32", NULL},
	{NATS " cidr = \"fd10::/16\"; prefix = 15;", "write 16 to 128", NULL},
	{NATS " cidr = \"fd10::/16\";", "wants cidr and prefix", NULL},
	{NATS " claim = \"fd10:7::/48\";", "wants cidr and prefix", NULL},
	{NATS " cidr = \"fd10::/16\"; prefix = 48; claim = \"fd11:7::/48\";", "is no /48 of cidr",
	 NULL},
	{NATS " cidr = \"fd10::/16\"; prefix = 48; claim = \"fd10:7::/30\";", "host bits", NULL},
	{NATS " cidr = \"200::/7\"; prefix = 48;", "the mesh's own", NULL},
	{NATS " cidr = \"::/0\"; prefix = 48;", "the mesh's own", NULL},
	{NATS " cidr = \"224.0.0.0/4\"; prefix = 24;", "never routed", NULL},
	{IKTO OURS, NULL, NULL},
	{IKTO, "ikto: missing", NULL},
	{NATS OURS, "with mode = \"ikto\" alone", NULL},
	{IKTO OURS " trust = \"signed\";", "nobody signs", NULL},
	{IKTO "ikto = { allowed_ip = \"fd11::/48\"; mesh_cidr = \"fd10::/16\"; advertise_address = "
	      "\"192.0.2.1\"; };",
	 "lies not in mesh_cidr", NULL},
	{IKTO "ikto = { allowed_ip = \"fd10::/48\"; mesh_cidr = \"fd10::/16\"; advertise_address = "
	      "\"a.example\"; };",
	 "know no names", NULL},
	{"folder = \"/d\"; mode = \"ikto\";", "has no meaning for a folder", NULL},
	{"foldr = \"/d\";", "did you mean `folder`", NULL},
};

static bool holds(const struct xy_config_notes *n, const char *part)
{
	for (unsigned i = 0; i < n->count; i++)
		if (strstr(n->v[i].text, part))
			return true;
	return false;
}

static int parse(const char *inside, struct xy_config_fleet *f, struct xy_err *err)
{
	char text[1000];
	snprintf(text, sizeof(text), "fleet = { %s };", inside);
	return xy_config_fleet_parse("fleet.conf", text, strlen(text), f, err);
}

static void test_rows(void)
{
	struct xy_config_fleet f;
	struct xy_err err;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int ret = parse(rows[i].text, &f, &err);
		bool good = ret == (rows[i].error ? -EINVAL : 0);
		good = good && (!rows[i].error || holds(&f.notes.errors, rows[i].error));
		good = good && (rows[i].error ||
				(rows[i].warning ? holds(&f.notes.warnings, rows[i].warning)
						 : f.notes.warnings.count == 0));
		if (!good)
			printf("%s: %d %s\n", rows[i].text, ret, ret ? err.text : "");
		CU_ASSERT(good);
		xy_config_fleet_free(&f);
	}
	CU_ASSERT_EQUAL(xy_config_fleet_parse("f", "", 0, &f, &err), -EINVAL);
	CU_ASSERT(strstr(err.text, "add: fleet = { folder") != NULL);
	xy_config_fleet_free(&f);
}

static void test_values(void)
{
	char text[XY_PREFIX_STRLEN];
	struct xy_config_fleet f;
	struct xy_err err;
	CU_ASSERT_EQUAL_FATAL(
		parse("nats = ( \"tls://a:1\", \"tls://b\" ); links = 7; relay = true; lifetime = "
		      "60;"
		      "trust = { keys = ( \"" KEY "\" ); }; pin = ( \"x\", \"" KEY "\" );"
		      "cidr = \"10.8.0.0/16\"; prefix = 24; endpoints = [ \"192.0.2.1:5\" ];",
		      &f, &err),
		0);
	CU_ASSERT(f.server_count == 2 && strcmp(f.servers[1], "tls://b") == 0 && !f.folder[0]);
	CU_ASSERT(f.links == 7 && f.relay && f.lifetime == 60 && f.claim.retry);
	CU_ASSERT(f.trust == XY_CONFIG_FLEET_LISTED && f.key_count == 1 && f.keys[0].b[0] == 0x49);
	CU_ASSERT(f.pin_count == 2 && strcmp(f.pins[0].name, "x") == 0 && !f.pins[1].name[0]);
	CU_ASSERT(memcmp(&f.pins[1].key, &f.keys[0], 32) == 0);
	CU_ASSERT_STRING_EQUAL(xy_prefix_str(&f.claim.cidr, text), "10.8.0.0/16");
	CU_ASSERT(f.claim.bits == 24 && f.claim.first.len == 0);
	CU_ASSERT(f.endpoint_count == 1 && strcmp(f.endpoints[0], "192.0.2.1:5") == 0);
	xy_config_fleet_free(&f);
	CU_ASSERT_EQUAL_FATAL(parse("folder = \"/d\"; links = \"all\";", &f, &err), 0);
	CU_ASSERT(f.links == XY_CONFIG_FLEET_ALL && f.lifetime == 3600 &&
		  strcmp(f.bucket, "xylem") == 0);
	xy_config_fleet_free(&f);
}

static void test_urls(void)
{
	char host[XY_CONFIG_HOST_LEN];
	uint16_t port;
	bool tls;
	CU_ASSERT(!xy_config_fleet_url("tls://a.b:7", host, &port, &tls) && port == 7 && tls);
	CU_ASSERT_STRING_EQUAL(host, "a.b");
	CU_ASSERT(!xy_config_fleet_url("nats://192.0.2.1", host, &port, &tls) && port == 4222 &&
		  !tls);
	CU_ASSERT(!xy_config_fleet_url("nats://[::1]", host, &port, &tls) && port == 4222);
	CU_ASSERT(xy_config_fleet_url("tls://", host, &port, &tls) != 0);
	CU_ASSERT(xy_config_fleet_url("tls://a/b", host, &port, &tls) != 0);
	CU_ASSERT(xy_config_fleet_url("tlsx://a", host, &port, &tls) != 0);
}

static void test_example(void)
{
	struct xy_config_fleet f;
	struct xy_err err;
	char *text = xy_config_fleet_example();
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL(xy_config_fleet_parse("example", text, strlen(text), &f, &err), 0);
	CU_ASSERT(strcmp(f.folder, "/etc/xylem/fleet.d") == 0 && f.links == 4 && !f.relay);
	CU_ASSERT(strstr(text, "--check") && strstr(text, "#\tlinks = 4;"));
	free(text);
	xy_config_fleet_free(&f);
}

static void test_files(void)
{
	char path[] = "/tmp/config_fleet_test.XXXXXX";
	static const char text[] = "fleet = { folder = \"/d\"; };\n";
	struct xy_config_fleet f;
	struct xy_err err;
	int fd = mkstemp(path);
	CU_ASSERT(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	CU_ASSERT_EQUAL(xy_config_fleet_load(path, &f, &err), 0);
	xy_config_fleet_free(&f);
	unlink(path);
	CU_ASSERT_EQUAL(xy_config_fleet_load(path, &f, &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "fleet init"));
	xy_config_fleet_free(&f);
	CU_ASSERT_EQUAL(xy_config_fleet_load("/tmp", &f, &err), -EISDIR);
	xy_config_fleet_free(&f);
}

static void test_of_the_node(void)
{
	static const char text[] = "fleet = { folder = \"/etc/xylem/fleet.d\"; };";
	struct xy_config c;
	struct xy_err err;
	CU_ASSERT_EQUAL(xy_config_parse("xylem.conf", text, strlen(text), &c, &err), -EINVAL);
	CU_ASSERT(strstr(err.text, "/etc/xylem/fleet.conf") && strstr(err.text, "secrets"));
	xy_config_free(&c);
}

XY_UNIT_MAIN("config_fleet", {"rows", test_rows}, {"values", test_values}, {"urls", test_urls},
	     {"example", test_example}, {"files", test_files}, {"of the node", test_of_the_node})
