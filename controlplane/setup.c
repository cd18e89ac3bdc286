// SPDX-License-Identifier: BSD-3-Clause
#include "setup.h"

#include "state/state.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

bool xy_setup_has_file(const struct xy_setup *s)
{
	return s->path_given || (!s->autoconf && !s->peer_count) || access(s->path, F_OK) == 0;
}

void xy_setup_folder(const struct xy_setup *s, const struct xy_config *c, char *to, size_t size)
{
	snprintf(to, size, "%s%s", c->state[0] ? c->state : XY_STATE_BASE "/",
		 c->state[0] ? "" : s->name);
}

bool xy_setup_makes_key(const struct xy_setup *s)
{
	return !xy_setup_has_file(s);
}

// --- --peer

static bool has_name(const struct xy_config *c, const char *name)
{
	for (unsigned i = 0; i < c->peer_count; i++)
		if (strcmp(c->peers[i].name, name) == 0)
			return true;
	return false;
}

static bool has_endpoint(const struct xy_config *c, const char *text)
{
	for (unsigned i = 0; i < c->peer_count; i++)
		for (unsigned k = 0; k < c->peers[i].endpoint_count; k++)
			if (strcmp(c->peers[i].endpoints[k], text) == 0)
				return true;
	return false;
}

// "[2001:db8::1]:51820" -> "2001-db8--1-51820": what is no name's character is a hyphen, none
// first.
static void name_make(const struct xy_config *c, const char *text, char name[XY_NAME_LEN + 1])
{
	size_t n = 0;
	for (; *text && n < XY_NAME_LEN - 3; text++) {
		bool good = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
			    (*text >= 'A' && *text <= 'Z') || *text == '.';
		if (good)
			name[n++] = *text;
		else if (n && *text != ']')
			name[n++] = '-';
	}
	name[n] = 0;
	for (unsigned i = 2; has_name(c, name) && i < 100; i++)
		snprintf(name + n, XY_NAME_LEN + 1 - n, "-%u", i);
}

static const char *endpoint_of(const char *text) // of --peer
{
	const char *sign = strchr(text, '@');
	return sign ? sign + 1 : text;
}

// All but its endpoint.
static int peer_read(const struct xy_config *c, const char *text, struct xy_config_peer *p,
		     struct xy_err *err)
{
	const char *sign = strchr(text, '@'), *at = endpoint_of(text);
	char key[80];
	struct xy_err why;
	if (sign && (size_t)(sign - text) >= sizeof(key))
		return xy_err_set(err, EINVAL,
				  "--peer %.120s: what stands before the @ is no key; write "
				  "KEY@203.0.113.5:%d, or no key",
				  text, XY_PORT_DEFAULT);
	if (xy_config_endpoint_check(at, &why))
		return xy_err_set(err, EINVAL, "--peer %.120s: %.300s", text, why.text);
	name_make(c, at, p->name);
	if (!sign)
		return 0;
	snprintf(key, sizeof(key), "%.*s", (int)(sign - text), text);
	if (xy_key_parse(key, &p->key, &why) || xy_key_is_zero(&p->key))
		return xy_err_set(err, EINVAL, "--peer %.120s: its key: %.200s", text,
				  why.text[0] ? why.text : "all zeros");
	return 0;
}

int xy_setup_peer_add(struct xy_setup *s, const char *text, struct xy_err *err)
{
	const struct xy_config none = {0};
	struct xy_config_peer p = {0};
	if (s->peer_count == XY_SETUP_PEERS)
		return xy_err_set(err, E2BIG, "--peer: at most %d; write more into a config file",
				  XY_SETUP_PEERS);
	s->peer[s->peer_count++] = text;
	return peer_read(&none, text, &p, err);
}

static int peer_add(struct xy_config *c, const char *text, struct xy_err *err)
{
	const char *at = endpoint_of(text);
	struct xy_config_peer *all, p = {0};
	int r = peer_read(c, text, &p, err);
	if (r || has_endpoint(c, at)) // the file says more about it
		return r;
	if (c->peer_count >= c->max_peers)
		return xy_err_set(err, EINVAL, "--peer %.120s: max_peers is %u; raise it", text,
				  c->max_peers);
	all = calloc(c->peer_count + 1, sizeof(*all));
	p.endpoints = xy_config_endpoints_copy(&at, 1);
	if (!all || !p.endpoints) {
		free(all);
		free(p.endpoints);
		return xy_err_set(err, ENOMEM, "no memory for one more peer");
	}
	p.endpoint_count = 1;
	if (c->peer_count)
		memcpy(all, c->peers, c->peer_count * sizeof(*all));
	all[c->peer_count] = p;
	if (c->peers)
		sodium_memzero(c->peers, c->peer_count * sizeof(*c->peers));
	free(c->peers);
	c->peers = all;
	c->peer_count++;
	return 0;
}

// --- threads

int xy_setup_threads(struct xy_setup *s, bool most, const char *text, struct xy_err *err)
{
	char *end;
	unsigned least = most ? 2 : 1, greatest = most ? 1024 : XY_CONFIG_CPUS;
	unsigned long n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || n < least || n > greatest)
		return xy_err_set(err, EINVAL, "%s %.40s: is not a number from %u to %u%s",
				  most ? "--max-threads" : "--threads", text, least, greatest,
				  most ? ": one worker and one helper are the least" : "");
	*(most ? &s->max_threads : &s->threads) = (unsigned)n;
	return 0;
}

// Helpers go first, down to one; then workers do.
static int threads_lay(const struct xy_setup *s, struct xy_config *c, struct xy_err *err)
{
	unsigned n = s->threads ? s->threads : c->workers.count;
	if (s->threads && s->max_threads && s->threads >= s->max_threads)
		return xy_err_set(err, EINVAL,
				  "--threads %u: --max-threads %u leaves no thread for a helper; "
				  "at least %u are needed",
				  s->threads, s->max_threads, s->threads + 1);
	if (s->max_threads && n >= s->max_threads)
		n = s->max_threads - 1;
	if (c->workers.cpu_count && n > c->workers.cpu_count)
		return xy_err_set(err, EINVAL,
				  "--threads %u: workers.cpus names %u CPUs; name one for each "
				  "worker, or none",
				  n, c->workers.cpu_count);
	c->workers.count = n;
	if (c->workers.cpu_count)
		c->workers.cpu_count = n;
	return 0;
}

unsigned xy_setup_helpers(const struct xy_setup *s, const struct xy_config *c, unsigned usual)
{
	unsigned left = s->max_threads ? s->max_threads - c->workers.count : usual;
	return left < usual ? left : usual;
}

// --- the config

static void open_to_lan(struct xy_config *c)
{
	if (c->peering == XY_PEERING_CLOSED)
		c->peering = XY_PEERING_LAN;
	c->discovery.all = !c->discovery.count;
}

int xy_setup_config(const struct xy_setup *s, struct xy_config *out, struct xy_err *err)
{
	char folder[XY_STATE_FOLDER_LEN];
	int r = 0;
	if (xy_setup_has_file(s)) {
		r = xy_config_load(s->path, out, err);
	} else {
		xy_config_init(out);
		xy_setup_folder(s, out, folder, sizeof(folder));
		snprintf(out->key_file, sizeof(out->key_file), "%s/key", folder);
	}
	if (r)
		return r;
	r = threads_lay(s, out, err);
	for (unsigned i = 0; !r && i < s->peer_count; i++)
		r = peer_add(out, s->peer[i], err);
	if (s->autoconf)
		open_to_lan(out);
	return r;
}

// --- the key

static int for_now(struct xy_identity *out)
{
	uint8_t seed[32];
	randombytes_buf(seed, sizeof(seed));
	int r = xy_identity_from_seed(seed, out);
	sodium_memzero(seed, sizeof(seed));
	return r;
}

int xy_setup_identity(const struct xy_setup *s, const struct xy_config *c, bool touch,
		      struct xy_identity *out, struct xy_err *why_lost, struct xy_err *err)
{
	struct xy_err why;
	why_lost->text[0] = 0;
	if (!xy_setup_makes_key(s) || access(c->key_file, F_OK) == 0)
		return xy_keyfile_load(c->key_file, out, err);
	if (!touch)
		return for_now(out);
	if (xy_keyfile_create(c->key_file, out, &why) == 0)
		return 0;
	xy_err_set(
		why_lost, EROFS,
		"%.300s; this run has a key of its own, and the next another, with another address",
		why.text);
	return for_now(out);
}
