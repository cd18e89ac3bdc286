// SPDX-License-Identifier: BSD-3-Clause
// The config of xylem-web: what is read, what is refused in which words, its example, and that the
// node's config does not take it.
#include "config/web.h"
#include "unit.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TOKEN "{ name = \"a\"; hash = \"" HASH "\"; scopes = [ \"read\" ]; }"

static char password[crypto_pwhash_STRBYTES];

static const struct {
	const char *text, *error, *warning; // parts; NULL: none
} rows[] = {
	{"", NULL, NULL},
	{"listen = \"[::1]:1\";", NULL, NULL},
	{"listen = \"127.8.9.1:1\";", NULL, NULL},
	{"listen = \"/run/x.sock\";", NULL, NULL},
	{"listen = \"x.sock\";", "write ADDRESS:PORT", NULL},
	{"listen = \"localhost:1\";", "write ADDRESS:PORT", NULL},
	{"listen = \"127.0.0.1\";", "write ADDRESS:PORT", NULL},
	{"listen = \"127.0.0.1:0\";", "write ADDRESS:PORT", NULL},
	{"listen = 8989;", "write a string", NULL},
	{"listen = \"0.0.0.0:1\";", "wants a password", NULL},
	{"listen = \"[2001:db8::1]:1\";", "wants a password", NULL},
	{"listen = \"0.0.0.0:1\"; tokens = ( " TOKEN " );", NULL, "without tls"},
	{"listen = \"0.0.0.0:1\"; tokens = ( " TOKEN " ); tls = { certificate = \"/c\"; key = "
	 "\"/k\"; };",
	 NULL, NULL},
	{"tls = { certificate = \"/c\"; };", "key: missing", NULL},
	{"tls = { certificate = \"c\"; key = \"/k\"; };", "write the whole path", NULL},
	{"password = \"secret\";", "is no hash of a password", NULL},
	{"password = \"$argon2i$v=19$m=65536,t=2,p=1$AAAA$AAAA\";", "is no hash", NULL},
	{"password = \"$argon2id$v=19$m=65536,t=2,p=1$AAAA\";", "is no hash", NULL},
	{"password = \"$argon2id$v=19$m=131072,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
	 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\";",
	 "more than 64 MiB", NULL},
	{"tokens = ( { name = \"a\"; hash = \"" HASH "\"; scopes = [ ]; } );", "scopes: is empty",
	 NULL},
	{"tokens = ( { name = \"a\"; hash = \"" HASH "\"; scopes = [ \"write\" ]; } );",
	 "none of read, act, metrics", NULL},
	{"tokens = ( { name = \"a\"; hash = \"0123\"; scopes = [ \"read\" ]; } );",
	 "is no SHA-256 in hex", NULL},
	{"tokens = ( " TOKEN ", " TOKEN " );", "two are called \"a\"", NULL},
	{"names = [ \"node.example\" ];", NULL, NULL},
	{"names = [ \"Node.example\" ];", "in small letters", NULL},
	{"names = [ \"node.example:1\" ];", "without a port", NULL},
	{"names = [ \"\" ];", "write a host's name", NULL},
	{"public = \"[::]:8990\";", NULL, NULL},
	{"public = \"127.0.0.1:8989\";", "is where `listen` is", NULL},
	{"metrics = { peers = false; public = true; };", NULL, NULL},
	{"metric = { };", "did you mean `metrics`", NULL},
	{"listen = ;", "syntax error", NULL},
};

static bool holds(const struct xy_config_notes *n, const char *part)
{
	for (unsigned i = 0; i < n->count; i++)
		if (strstr(n->v[i].text, part))
			return true;
	return false;
}

static void test_rows(void)
{
	struct xy_config_web w;
	struct xy_err err;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int ret = xy_config_web_parse("web.conf", rows[i].text, strlen(rows[i].text), &w,
					      &err);
		bool good = ret == (rows[i].error ? -EINVAL : 0);
		good = good && (!rows[i].error || holds(&w.notes.errors, rows[i].error));
		good = good && (rows[i].warning ? holds(&w.notes.warnings, rows[i].warning)
						: w.notes.warnings.count == 0);
		if (!good)
			printf("%s: %d %s\n", rows[i].text, ret, ret ? err.text : "");
		CU_ASSERT(good);
		xy_config_web_free(&w);
	}
}

static void test_values(void)
{
	char text[600];
	struct xy_config_web w;
	struct xy_err err;
	snprintf(text, sizeof(text),
		 "password = \"%s\"; names = [ \"a\", \"b.c\" ]; public = \"[::]:2\";"
		 "tokens = ( { name = \"x\"; hash = \"" HASH "\"; scopes = [ \"act\", \"metrics\" "
		 "]; } );",
		 password);
	CU_ASSERT_EQUAL_FATAL(xy_config_web_parse("w", text, strlen(text), &w, &err), 0);
	CU_ASSERT_STRING_EQUAL(w.password, password);
	CU_ASSERT_STRING_EQUAL(w.listen, "127.0.0.1:8989");
	CU_ASSERT_STRING_EQUAL(w.public, "[::]:2");
	CU_ASSERT(w.name_count == 2 && strcmp(w.names[1], "b.c") == 0);
	CU_ASSERT_FATAL(w.token_count == 1);
	CU_ASSERT_EQUAL(w.tokens[0].scopes, XY_WEB_READ | XY_WEB_ACT | XY_WEB_METRICS);
	CU_ASSERT(w.tokens[0].hash[0] == 0x01 && w.tokens[0].hash[31] == 0xef);
	CU_ASSERT(w.metrics_peers && !w.metrics_public && xy_config_web_has_login(&w));
	xy_config_web_free(&w);
}

static void test_example(void)
{
	struct xy_config_web w, plain;
	struct xy_err err;
	char *text = xy_config_web_example();
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL(xy_config_web_parse("example", text, strlen(text), &w, &err), 0);
	xy_config_web_init(&plain);
	CU_ASSERT_STRING_EQUAL(w.listen, plain.listen);
	CU_ASSERT(!w.public[0] && !w.password[0] && !w.token_count && w.metrics_peers);
	CU_ASSERT(strstr(text, "--check") && strstr(text, "#password = \"$argon2id$"));
	free(text);
	xy_config_web_free(&w);
	xy_config_web_free(&plain);
}

static int load(const char *path, mode_t mode, const char *text, struct xy_err *err)
{
	struct xy_config_web w;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CU_ASSERT(write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
	close(fd);
	int ret = xy_config_web_load(path, &w, err);
	xy_config_web_free(&w);
	return ret;
}

static void test_files(void)
{
	char path[] = "/tmp/config_web_test.XXXXXX", text[200];
	struct xy_config_web w;
	struct xy_err err;
	close(mkstemp(path));
	snprintf(text, sizeof(text), "password = \"%s\";\n", password);
	CU_ASSERT_EQUAL(load(path, 0640, text, &err), 0);
	CU_ASSERT_EQUAL(load(path, 0644, text, &err), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "chmod 640"));
	CU_ASSERT_EQUAL(load(path, 0644, "listen = \"[::1]:5\";\n", &err), 0);
	CU_ASSERT_EQUAL(load(path, 0644, "", &err), 0); // all is default
	unlink(path);
	CU_ASSERT_EQUAL(xy_config_web_load(path, &w, &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--genconf"));
	xy_config_web_free(&w);
	CU_ASSERT_EQUAL(xy_config_web_load("/tmp", &w, &err), -EISDIR);
	xy_config_web_free(&w);
}

// The node's config has secrets that xylem-web must not be able to read.
static void test_of_the_node(void)
{
	static const char text[] = "web = { listen = \"127.0.0.1:8989\"; };";
	struct xy_config c;
	struct xy_err err;
	CU_ASSERT_EQUAL(xy_config_parse("xylem.conf", text, strlen(text), &c, &err), -EINVAL);
	CU_ASSERT(strstr(err.text, "/etc/xylem/web.conf") && strstr(err.text, "secrets"));
	xy_config_free(&c);
}

static void begin(void)
{
	CU_ASSERT_FATAL(sodium_init() >= 0);
	CU_ASSERT_FATAL(crypto_pwhash_str(password, "x", 1, 1, crypto_pwhash_MEMLIMIT_MIN) == 0);
}

XY_UNIT_MAIN("config_web", {"begin", begin, .always = true}, {"rows", test_rows},
	     {"values", test_values}, {"example", test_example}, {"files", test_files},
	     {"of the node", test_of_the_node})
