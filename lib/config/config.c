// SPDX-License-Identifier: BSD-3-Clause
#include "config/config.h"
#include "config/read.h"

#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 16 << 20, PIPE_WAIT_MS = 2000 };

void xy_config_init(struct xy_config *c)
{
	*c = (struct xy_config){
		.key_file = "/etc/xylem/key",
		.port_count = 1,
		.ports[0] = {.driver = XY_DRIVER_SOCKET, .port = XY_PORT_DEFAULT},
		.host = {.enabled = true, .name = "xylem0"},
		.workers = {.count = 1, .idle = XY_IDLE_ADAPTIVE, .lanes = 64},
		.max_peers = 1024,
		.max_sessions = 4096,
		.max_routes = 65536,
		.log_level = XY_LOG_INFO,
		.telemetry = {.mode = 0660},
		.control = {.mode = 0600},
		.max_open_peers = XY_CONFIG_OPEN_PEERS,
		.node_info = {.enabled = true},
	};
	memset(c->log_levels, XY_LOG_AS_IT_IS, sizeof(c->log_levels));
}

static void notes_free(struct xy_config_notes *n)
{
	for (unsigned i = 0; i < n->count; i++)
		free(n->v[i].text);
	free(n->v);
}

void xy_config_free(struct xy_config *c)
{
	for (unsigned i = 0; i < c->peer_count; i++) {
		free(c->peers[i].endpoints);
		free(c->peers[i].allowed.v);
		free(c->peers[i].accept.v);
		free(c->peers[i].announce.v);
	}
	notes_free(&c->errors);
	notes_free(&c->warnings);
	free(c->allow.v);
	free(c->routing.announce.v);
	free(c->routing.claims.v);
	free(c->routing.accept);
	free(c->exit.users);
	if (c->peers)
		sodium_memzero(c->peers, c->peer_count * sizeof(*c->peers));
	free(c->peers);
	free(c->routes);
	sodium_memzero(c, sizeof(*c));
}

// libconfig frees its strings as they are, and some are secrets. Its parser bounds the depth.
static void wipe_strings(const config_setting_t *s)
{
	if (s->type == CONFIG_TYPE_STRING && s->value.sval)
		sodium_memzero(s->value.sval, strlen(s->value.sval));
	if (config_setting_is_aggregate(s))
		for (int i = 0; i < config_setting_length(s); i++)
			wipe_strings(config_setting_get_elem(s, (unsigned)i));
}

static void syntax_error(struct xy_config_reader *r, const config_t *tree)
{
	static const struct {
		const char *theirs, *remedy;
	} known[] = {
		{"syntax error", "look here and at the line before: settings are `key = value;`, "
				 "strings stand in double quotes, lists have commas between items"},
		{"duplicate setting name", "a key is set twice; remove one"},
		{"mismatched element type in array",
		 "items of [ ] must be of one type, and no groups; lists of groups stand in ( )"},
		{"memory exhausted", "nested too deep; no setting needs that"},
	};
	const char *what = config_error_text(tree) ? config_error_text(tree) : "cannot be read";
	const char *remedy = "compare with `xylem genconf`";
	for (size_t i = 0; i < XY_ARRAY_SIZE(known); i++)
		if (strcmp(known[i].theirs, what) == 0)
			remedy = known[i].remedy;
	xy_config_fail_line(r, config_error_line(tree), "%s; %s", what, remedy);
}

static void check_node(struct xy_config_reader *r, const config_setting_t *root, void *base)
{
	xy_config_check(r, root);
	if (!r->failed)
		xy_config_weigh(r, root);
}

static int refused(const struct xy_config_reader *r, struct xy_err *err)
{
	const struct xy_config_notes *e = &r->c->errors;
	if (e->count)
		return xy_err_set(err, EINVAL, "%s", e->v[0].text);
	xy_config_free(r->c);
	return xy_err_set(err, ENOMEM, "%s: not enough memory to say what is wrong", r->name);
}

static void read_tree(struct xy_config_reader *r, config_t *tree, const char *text,
		      const struct xy_config_form *form, void *base)
{
	if (!config_read_string(tree, text)) {
		syntax_error(r, tree);
		return;
	}
	const config_setting_t *root = config_root_setting(tree);
	xy_config_group_read(r, root, form->schema, base);
	form->check(r, root, base);
}

int xy_config_parse_by(const struct xy_config_form *form, const char *name, const char *text,
		       size_t len, void *base, struct xy_config *out, struct xy_err *err)
{
	char *copy = NULL;
	struct xy_config_reader r = {.name = name, .c = out};
	int ret = xy_config_text_prepare(&r, text, len, &copy);
	if (ret == -ENOMEM)
		return xy_err_set(err, ENOMEM, "%s: not enough memory to read it", name);
	if (!ret) {
		config_t tree;
		config_init(&tree);
		read_tree(&r, &tree, copy, form, base);
		wipe_strings(config_root_setting(&tree));
		config_destroy(&tree);
	}
	xy_config_text_free(copy);
	return r.failed ? refused(&r, err) : 0;
}

int xy_config_parse(const char *name, const char *text, size_t len, struct xy_config *out,
		    struct xy_err *err)
{
	xy_config_init(out);
	static const struct xy_config_form form = {&xy_config_schema, check_node};
	crypto_generichash(out->digest, sizeof(out->digest), (const uint8_t *)text, len, NULL, 0);
	return xy_config_parse_by(&form, name, text, len, out, out, err);
}

int xy_config_runtime_parse(const char *name, const char *text, size_t len,
			    struct xy_config_runtime *out, struct xy_err *err)
{
	*out = (struct xy_config_runtime){.level = XY_LOG_AS_IT_IS};
	memset(out->levels, XY_LOG_AS_IT_IS, sizeof(out->levels));
	xy_config_init(&out->config);
	out->config.max_peers = UINT16_MAX;
	static const struct xy_config_form form = {&xy_config_runtime_schema, check_node};
	return xy_config_parse_by(&form, name, text, len, out, &out->config, err);
}

void xy_config_runtime_free(struct xy_config_runtime *r)
{
	xy_config_free(&r->config);
	free(r->changes);
	r->changes = NULL;
	r->change_count = 0;
}

static bool has_secret(const struct xy_config *c)
{
	bool any = c->has_network_secret;
	for (unsigned i = 0; i < c->peer_count; i++)
		any = any || c->peers[i].has_psk;
	return any;
}

// A pipe may be somebody's <(command), which writes later, or a FIFO that nobody ever writes to.
static bool is_readable_soon(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, PIPE_WAIT_MS) > 0;
}

ssize_t xy_config_fd_read(int fd, char *to, size_t size)
{
	size_t n = 0;
	for (;;) {
		ssize_t got = read(fd, to + n, size - n);
		if (got < 0 && (errno == EINTR || (errno == EAGAIN && is_readable_soon(fd))))
			continue;
		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		n += (size_t)got;
		if (got == 0)
			return (ssize_t)n;
		if (n == size)
			return -EFBIG;
	}
}

static int refuse_open(const char *path, int code, struct xy_err *err)
{
	const char *remedy =
		code == ENOENT	 ? "make one with: xylem genconf > FILE"
		: code == EACCES ? "systemctl reload xylem gives it to the service's group, or run "
				   "as a user that may read it"
				 : "name a config file with -c";
	return xy_err_set(err, code, "%s: %s; %s", path, strerror(code), remedy);
}

static int check_file(const char *path, const struct stat *st, struct xy_err *err)
{
	if (S_ISDIR(st->st_mode))
		return refuse_open(path, EISDIR, err);
	if (st->st_size >= FILE_MAX)
		return xy_err_set(err, EFBIG, "%s: larger than %d MiB; name a config file with -c",
				  path, FILE_MAX >> 20);
	return 0;
}

// Half an editor's or a full disk's write; taken for a config it would remove all peers.
static int refuse_empty(const char *path, struct xy_err *err)
{
	return xy_err_set(err, ENODATA, "%s: is empty; make one with: xylem genconf > FILE", path);
}

static int load_fd(const char *path, int fd, const struct stat *st, struct xy_config *out,
		   struct xy_err *err)
{
	// a pipe has no size
	size_t size = S_ISREG(st->st_mode) ? (size_t)st->st_size + 1 : FILE_MAX;
	char *text = malloc(size);
	if (!text)
		return xy_err_set(err, ENOMEM, "%s: not enough memory to read it", path);
	ssize_t n = xy_config_fd_read(fd, text, size);
	int ret = n < 0	   ? refuse_open(path, (int)-n, err)
		  : n == 0 ? refuse_empty(path, err)
			   : xy_config_parse(path, text, (size_t)n, out, err);
	sodium_memzero(text, n < 0 ? size : (size_t)n);
	free(text);
	if ((ret && ret != -EINVAL) || !S_ISREG(st->st_mode) ||
	    !(st->st_mode & (S_IROTH | S_IWOTH)) || !has_secret(out))
		return ret;
	ret = xy_err_set(err, EPERM,
			 "%s: holds secrets (network_secret or psk), but everyone may read it; "
			 "run: chmod 600 %s",
			 path, path);
	if (err)
		xy_config_note(&out->errors, 0, err->text);
	return ret;
}

int xy_config_load(const char *path, struct xy_config *out, struct xy_err *err)
{
	xy_config_init(out);
	// O_NONBLOCK: a FIFO in its place must hold neither the start nor a helper for good.
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return refuse_open(path, errno, err);
	struct stat st;
	int ret = fstat(fd, &st) ? refuse_open(path, errno, err) : check_file(path, &st, err);
	if (!ret)
		ret = load_fd(path, fd, &st, out, err);
	close(fd);
	return ret;
}
