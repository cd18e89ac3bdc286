// SPDX-License-Identifier: BSD-3-Clause
#include "config/web.h"

#include "config/read.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WEB_FILE_MAX = 1 << 20, ARGON2_MEMORY_KIB = 1 << 16 };

// --- where

int xy_web_address_parse(const char *text, struct xy_web_address *out)
{
	char host[XY_ADDR_STRLEN];
	*out = (struct xy_web_address){.local = text[0] == '/'};
	if (out->local)
		return 0;
	int ret = xy_hostport_split(text, host, sizeof(host), &out->port);
	return ret ? ret : xy_addr_parse(host, &out->addr);
}

bool xy_web_address_is_here(const struct xy_web_address *a)
{
	static const struct xy_addr one = {.b = {[15] = 1}};
	return a->local || xy_addr_eq(&a->addr, &one) ||
	       (xy_addr_is_v4(&a->addr) && a->addr.b[12] == 127);
}

// --- values

static int store_address(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_web_address a;
	if (xy_web_address_parse(s->value.sval, &a) == 0)
		return 0;
	return xy_config_fail(r, s, NULL,
			      "\"%.60s\" is none; write ADDRESS:PORT, with an IPv6 address in "
			      "brackets, or the path of a UNIX socket",
			      s->value.sval);
}

static int store_file(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	if (s->value.sval[0] == '/')
		return 0;
	return xy_config_fail(r, s, NULL, "\"%.60s\" does not begin with /; write the whole path",
			      s->value.sval);
}

// "$argon2id$v=19$m=65536,t=2,p=1$...": libsodium's own, and none that takes all memory to look at.
static int store_password(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	static const char wanted[] = "$argon2id$v=19$m=";
	const char *v = s->value.sval;
	if (strncmp(v, wanted, sizeof(wanted) - 1) != 0 || strlen(v) >= crypto_pwhash_STRBYTES ||
	    crypto_pwhash_str_needs_rehash(v, 1, crypto_pwhash_MEMLIMIT_MIN) < 0)
		return xy_config_fail(r, s, NULL,
				      "is no hash of a password; run `xylem-web --password`, and "
				      "write what it prints");
	if (strtoul(v + sizeof(wanted) - 1, NULL, 10) > ARGON2_MEMORY_KIB)
		return xy_config_fail(r, s, NULL,
				      "wants more than %d MiB to be looked at; make another with "
				      "`xylem-web --password`",
				      ARGON2_MEMORY_KIB >> 10);
	return 0;
}

static int store_names(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_web *w = base;
	for (int i = 0; i < config_setting_length(s); i++) {
		const char *name = config_setting_get_string_elem(s, i);
		if (w->name_count == XY_CONFIG_WEB_NAMES)
			return xy_config_fail(r, s, NULL, "has more than %d", XY_CONFIG_WEB_NAMES);
		size_t len = strlen(name);
		if (!len || len >= sizeof(w->names[0]) ||
		    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") != len)
			return xy_config_fail(r, s, NULL,
					      "\"%.60s\": write a host's name in small letters, as "
					      "browsers are given it, without a port",
					      name);
		memcpy(w->names[w->name_count++], name, len + 1);
	}
	return 0;
}

static int store_hash(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_web_token *t = base;
	const char *v = s->value.sval, *end = NULL;
	size_t got = 0;
	if (strlen(v) == 2 * sizeof(t->hash) &&
	    sodium_hex2bin(t->hash, sizeof(t->hash), v, strlen(v), NULL, &got, &end) == 0 &&
	    got == sizeof(t->hash))
		return 0;
	return xy_config_fail(r, s, NULL,
			      "is no SHA-256 in hex; run `xylem-web --token NAME SCOPE...`, and "
			      "write what it prints");
}

static int store_scopes(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_web_token *t = base;
	for (int i = 0; i < config_setting_length(s); i++) {
		const char *v = config_setting_get_string_elem(s, i);
		unsigned scope = strcmp(v, "read") == 0	     ? XY_WEB_READ
				 : strcmp(v, "act") == 0     ? XY_WEB_ACT | XY_WEB_READ
				 : strcmp(v, "metrics") == 0 ? XY_WEB_METRICS
							     : 0;
		if (!scope)
			return xy_config_fail(r, s, NULL, "\"%.40s\" is none of read, act, metrics",
					      v);
		t->scopes |= scope;
	}
	return t->scopes ? 0
			 : xy_config_fail(r, s, NULL, "is empty; write read, act or metrics in it");
}

// clang-format off
#define WEB(field)                                    \
	.offset = offsetof(struct xy_config_web, field), \
	.size = sizeof(((struct xy_config_web *)NULL)->field)
#define TOKEN(field)                                        \
	.offset = offsetof(struct xy_config_web_token, field), \
	.size = sizeof(((struct xy_config_web_token *)NULL)->field)
#define GROUP(title, table) {.name = title, .keys = table, .count = XY_ARRAY_SIZE(table)}

static const struct xy_config_key tls_keys[] = {
	{.name = "certificate", .type = XY_CONFIG_STRING, .required = true, .store = store_file,
	 .sample = "\"/etc/xylem/web.crt\"", WEB(tls.certificate),
	 .help = "File with the certificate and those that vouch for it, in PEM."},
	{.name = "key", .type = XY_CONFIG_STRING, .required = true, .store = store_file,
	 .sample = "\"/etc/xylem/web.key\"", WEB(tls.key), .help = "File with its key, in PEM, for xylem-web to read; both are read again at a reload."},
};
static const struct xy_config_group tls_group = GROUP("tls", tls_keys);

static const struct xy_config_key token_keys[] = {
	{.name = "name", .type = XY_CONFIG_STRING, .required = true, .sample = "\"grafana\"",
	 TOKEN(name), .help = "What the log calls it."},
	{.name = "hash", .type = XY_CONFIG_STRING, .required = true, .store = store_hash,
	 .sample = "\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
	 .help = "SHA-256 of the token, in hex."},
	{.name = "scopes", .type = XY_CONFIG_STRINGS, .required = true, .store = store_scopes,
	 .sample = "[ \"read\" ]",
	 .help = "What may be done with it: read, act (and read), metrics."},
};
static const struct xy_config_group token_group = GROUP("tokens", token_keys);

static int store_tokens(struct xy_config_reader *r, const config_setting_t *s, void *base)
{
	struct xy_config_web *w = base;
	unsigned count = (unsigned)config_setting_length(s);
	if (count > XY_CONFIG_WEB_TOKENS)
		return xy_config_fail(r, s, NULL, "has more than %d", XY_CONFIG_WEB_TOKENS);
	int ret = xy_config_groups_read(r, s, &token_group, &w->tokens, sizeof(*w->tokens));
	w->token_count = w->tokens ? count : 0;
	return ret;
}

static const struct xy_config_key metrics_keys[] = {
	{.name = "peers", .type = XY_CONFIG_BOOL, .def = "true", WEB(metrics_peers),
	 .help = "Whether /metrics has series for each peer."},
	{.name = "public", .type = XY_CONFIG_BOOL, .def = "false", WEB(metrics_public),
	 .help = "Whether the public address has /metrics, too."},
};
static const struct xy_config_group metrics_group = GROUP("metrics", metrics_keys);

static const struct xy_config_key web_keys[] = {
	{.name = "listen", .type = XY_CONFIG_STRING, .def = "\"127.0.0.1:8989\"",
	 .store = store_address, WEB(listen),
	 .help = "Where the dashboard and the API are: ADDRESS:PORT, or the path of a UNIX socket."},
	{.name = "tls", .type = XY_CONFIG_GROUP, .group = &tls_group,
	 .help = "HTTPS there, and on the public address."},
	{.name = "password", .type = XY_CONFIG_STRING, .store = store_password, WEB(password),
	 .sample = "\"$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
	 .help = "Of those who may read and act, as `xylem-web --password` prints it."},
	{.name = "tokens", .type = XY_CONFIG_GROUPS, .def = "( )", .group = &token_group,
	 .store = store_tokens,
	 .help = "For programs: `Authorization: Bearer TOKEN`. `xylem-web --token` makes one."},
	{.name = "names", .type = XY_CONFIG_STRINGS, .def = "[ ]", .store = store_names,
	 .help = "Names by which browsers may call this host, beside its addresses and localhost."},
	{.name = "public", .type = XY_CONFIG_STRING, .store = store_address, WEB(public),
	 .sample = "\"[::]:8990\"",
	 .help = "For everybody: the same without secrets of the underlay, without log and actions."},
	{.name = "metrics", .type = XY_CONFIG_GROUP, .group = &metrics_group,
	 .help = "What Prometheus is told."},
};
// clang-format on
const struct xy_config_group xy_config_web_schema = GROUP("xylem-web", web_keys);

// --- all of it

static void check_listen(struct xy_config_reader *r, const config_setting_t *root,
			 const struct xy_config_web *w)
{
	const config_setting_t *s = xy_config_member(root, "listen");
	struct xy_web_address a;
	if (xy_config_is_bad(s) || xy_web_address_parse(w->listen, &a) ||
	    xy_web_address_is_here(&a))
		return;
	if (!xy_config_web_has_login(w))
		xy_config_fail(r, s, NULL,
			       "others than this host reach %s, so it wants a password "
			       "(`xylem-web --password`) or tokens; what everybody may see is "
			       "`public`",
			       w->listen);
	else if (!w->tls.certificate[0])
		xy_config_warn(r, s,
			       "others than this host reach %s without tls: the password and what "
			       "it shows can be read on the way, unless that is the mesh's alone",
			       w->listen);
}

static void check_names(struct xy_config_reader *r, const config_setting_t *root,
			const struct xy_config_web *w)
{
	const config_setting_t *s = xy_config_member(root, "tokens");
	for (unsigned i = 0; i < w->token_count; i++)
		for (unsigned k = 0; k < i; k++)
			if (strcmp(w->tokens[i].name, w->tokens[k].name) == 0)
				xy_config_fail(r, s, NULL,
					       "two are called \"%s\"; the log could not tell one "
					       "from the other",
					       w->tokens[i].name);
}

static void check(struct xy_config_reader *r, const config_setting_t *root, void *base)
{
	const struct xy_config_web *w = base;
	if (!xy_config_is_bad(xy_config_member(root, "password")) &&
	    !xy_config_is_bad(xy_config_member(root, "tokens")))
		check_listen(r, root, w);
	check_names(r, root, w);
	if (w->public[0] && strcmp(w->public, w->listen) == 0)
		xy_config_fail(r, xy_config_member(root, "public"), NULL,
			       "is where `listen` is; write another port");
}

void xy_config_web_init(struct xy_config_web *w)
{
	*w = (struct xy_config_web){.listen = "127.0.0.1:8989", .metrics_peers = true};
	xy_config_init(&w->notes);
}

void xy_config_web_free(struct xy_config_web *w)
{
	xy_config_free(&w->notes);
	free(w->tokens);
	sodium_memzero(w, sizeof(*w));
}

int xy_config_web_parse(const char *name, const char *text, size_t len, struct xy_config_web *out,
			struct xy_err *err)
{
	static const struct xy_config_form form = {&xy_config_web_schema, check};
	xy_config_web_init(out);
	return xy_config_parse_by(&form, name, text, len, out, &out->notes, err);
}

static int refuse(const char *path, int code, struct xy_err *err)
{
	return xy_err_set(err, code, "%s: %s; `xylem-web --genconf > FILE` makes one", path,
			  strerror(code));
}

static int load_fd(const char *path, int fd, struct xy_config_web *out, struct xy_err *err)
{
	struct stat st;
	if (fstat(fd, &st))
		return refuse(path, errno, err);
	if (S_ISDIR(st.st_mode))
		return refuse(path, EISDIR, err);
	char *text = malloc(WEB_FILE_MAX);
	ssize_t n = text ? xy_config_fd_read(fd, text, WEB_FILE_MAX) : -ENOMEM;
	int ret = n < 0 ? refuse(path, (int)-n, err)
			: xy_config_web_parse(path, text, (size_t)n, out, err);
	if (n > 0)
		sodium_memzero(text, (size_t)n);
	free(text);
	if (ret || !S_ISREG(st.st_mode) || !(st.st_mode & (S_IROTH | S_IWOTH)) || !out->password[0])
		return ret;
	ret = xy_err_set(err, EPERM,
			 "%s: has the hash of a password, but everyone may read it; run: chmod 640 "
			 "%s; chgrp xylem-web %s",
			 path, path, path);
	xy_config_note(&out->notes.errors, 0, err->text);
	return ret;
}

int xy_config_web_load(const char *path, struct xy_config_web *out, struct xy_err *err)
{
	xy_config_web_init(out);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret = fd < 0 ? refuse(path, errno, err) : load_fd(path, fd, out, err);
	if (fd >= 0)
		close(fd);
	return ret;
}
