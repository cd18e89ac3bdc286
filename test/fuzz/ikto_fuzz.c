// SPDX-License-Identifier: BSD-3-Clause
// A bucket of ikto's, which anybody may have written: lines of a key, a blank and a value, in the
// order in which they are heard; one without a value is deleted, "=" says what is ours. Of a record
// that is read the text is read as the same again; a line whose key is "." is put at the key of its
// network. Peers are never two with one key, nor is one's network a part of another's or of ours.
#include "fleet/ikto.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 64 };

static struct peer {
	char key[XY_IPAM_KEY];
	struct xy_fleet_device d;
} peer[PEERS];
static unsigned peers;
static struct xy_prefix own;

static void need(bool ok)
{
	if (!ok)
		abort();
}

static bool overlap(const struct xy_prefix *a, const struct xy_prefix *b)
{
	return a->len && b->len && (xy_prefix_covers(a, b) || xy_prefix_covers(b, a));
}

static void on_gone(void *arg, const char *key)
{
	for (unsigned i = 0; i < peers; i++)
		if (strcmp(peer[i].key, key) == 0)
			peer[i--] = peer[--peers];
}

static void on_device(void *arg, const char *key, const struct xy_fleet_device *d)
{
	struct xy_prefix named;
	on_gone(arg, key);
	need(d->allowed_count == 1 && d->name[0] && strlen(d->name) < sizeof(d->name));
	need(xy_ikto_key_parse(key, &named) == 0 && xy_prefix_eq(&named, &d->allowed[0]));
	need(!overlap(&own, &d->allowed[0]));
	for (unsigned i = 0; i < peers; i++)
		need(!overlap(&peer[i].d.allowed[0], &d->allowed[0]) &&
		     memcmp(&peer[i].d.link_key, &d->link_key, sizeof(d->link_key)) != 0);
	if (peers == PEERS)
		return;
	snprintf(peer[peers].key, sizeof(peer[peers].key), "%s", key);
	peer[peers++].d = *d;
}

static void on_refused(void *arg, const char *key, const char *why)
{
	need(why[0]);
}

static void record(const char *text, size_t len, char key[static XY_IPAM_KEY])
{
	struct xy_ikto_record r, again;
	struct xy_prefix back;
	char out[XY_IKTO_TEXT];
	if (xy_ikto_parse(text, len, &r, NULL))
		return;
	need(r.port && memchr(r.name, 0, sizeof(r.name)));
	if (strcmp(key, ".") == 0)
		xy_ikto_key(&r.allowed, key);
	r.name[strcspn(r.name, "\"\\")] = 0; // a name of ours has none that JSON escapes
	for (char *c = r.name; *c; c++)
		*c = (char)((uint8_t)*c < 32 || (uint8_t)*c > 126 ? '-' : *c);
	int n = xy_ikto_text(&r, out, sizeof(out));
	need(n > 0 && (size_t)n < sizeof(out) && !xy_ikto_parse(out, (size_t)n, &again, NULL));
	need(xy_prefix_eq(&r.allowed, &again.allowed) && xy_addr_eq(&r.at, &again.at) &&
	     memcmp(&r.key, &again.key, sizeof(r.key)) == 0 && strcmp(r.name, again.name) == 0);
	char named[XY_IPAM_KEY];
	xy_ikto_key(&r.allowed, named);
	need(xy_ikto_key_parse(named, &back) == 0 && xy_prefix_eq(&back, &r.allowed));
}

static void line(struct xy_ikto_mesh *m, const char *at, size_t len)
{
	char key[XY_IPAM_KEY];
	const char *blank = memchr(at, ' ', len);
	size_t n = blank ? (size_t)(blank - at) : len;
	struct xy_prefix p;
	struct xy_key self = {{1}};
	if (n >= sizeof(key))
		return;
	memcpy(key, at, n);
	key[n] = 0;
	if (memchr(key, 0, n))
		return;
	if (key[0] == '=') {
		own = xy_prefix_parse(key + 1, &p) ? (struct xy_prefix){0} : p;
		xy_ikto_mesh_self(m, &self, &own);
		return;
	}
	xy_ikto_key_parse(key, &p);
	if (!blank) {
		xy_ikto_mesh_gone(m, key);
		return;
	}
	record(blank + 1, len - n - 1, key);
	xy_ikto_mesh_put(m, key, blank + 1, len - n - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct xy_ikto_ops ops = {
		.device = on_device, .gone = on_gone, .refused = on_refused, .kept = on_refused};
	static const struct xy_prefix cidr = {0};
	struct xy_ikto_mesh *m = xy_ikto_mesh_make(&cidr, &ops, NULL);
	const char *at = (const char *)data, *end = at + size;
	peers = 0;
	own.len = 0;
	for (unsigned i = 0; at < end && i < PEERS; i++) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((nl ? nl : end) - at);
		line(m, at, len);
		at += len + 1;
	}
	xy_ikto_mesh_free(m);
	return 0;
}
