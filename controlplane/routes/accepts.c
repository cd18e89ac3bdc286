// SPDX-License-Identifier: BSD-3-Clause
#include "routes/accepts.h"

#include <errno.h>
#include <stdlib.h>

struct one {
	struct xy_key key;
	struct xy_prefix prefix;
};

static int compare(const void *a, const void *b)
{
	const struct one *x = a, *y = b;
	int c = memcmp(x->key.b, y->key.b, sizeof(x->key.b));
	c = c ? c : memcmp(x->prefix.addr.b, y->prefix.addr.b, sizeof(x->prefix.addr.b));
	return c ? c : (int)x->prefix.len - (int)y->prefix.len;
}

// Inside the mesh an address is its key's, whatever the config says.
static bool is_outside(const struct xy_prefix *p)
{
	return p->len < 7 || !xy_addr_is_mesh(&p->addr);
}

static unsigned collect(const struct xy_config *c, const struct xy_hs_remote *remote, struct one *v)
{
	unsigned n = 0;
	for (unsigned i = 0; i < c->routing.accept_count; i++)
		v[n++] = (struct one){c->routing.accept[i].key, c->routing.accept[i].prefix};
	for (unsigned i = 0; i < c->route_count; i++) {
		const struct xy_config_route *r = &c->routes[i];
		struct xy_key key = r->key;
		if (xy_key_is_zero(&key))
			memcpy(key.b, remote[r->peer].pk, sizeof(key.b));
		if (is_outside(&r->prefix) && !xy_key_is_zero(&key))
			v[n++] = (struct one){key, r->prefix};
	}
	return n;
}

static unsigned unique(struct one *v, unsigned n)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < n; i++)
		if (!kept || compare(&v[kept - 1], &v[i]) != 0)
			v[kept++] = v[i];
	return kept;
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct xy_key));
}

static void take(struct xy_accepts *a, const struct xy_prefix *p)
{
	if (is_outside(p) && !xy_prefix_is_default(p))
		a->taken[a->taken_count++] = *p;
}

// What a default does not hold: all that the config says is somebody's, a leaf's, or our own
// site's.
static int taken_make(const struct xy_config *c, struct xy_accepts *out)
{
	size_t most = (size_t)out->count + c->routing.announce.count + c->route_count + 1;
	for (unsigned i = 0; i < c->peer_count; i++)
		most += c->peers[i].allowed.count;
	out->taken = calloc(most, sizeof(*out->taken));
	if (!out->taken)
		return -ENOMEM;
	for (unsigned i = 0; i < out->count; i++)
		take(out, &out->prefix[i]);
	for (unsigned i = 0; i < c->routing.announce.count; i++)
		take(out, &c->routing.announce.v[i]);
	for (unsigned i = 0; i < c->route_count; i++) // to one whose key is not known yet, too
		take(out, &c->routes[i].prefix);
	for (unsigned i = 0; i < c->peer_count; i++)
		for (unsigned k = 0; k < c->peers[i].allowed.count; k++)
			take(out, &c->peers[i].allowed.v[k]);
	for (unsigned i = 0; i < out->count; i++)
		out->whole |= xy_prefix_is_default(&out->prefix[i]);
	return 0;
}

static int users_make(const struct xy_config *c, struct xy_accepts *out)
{
	unsigned n = c->exit.offer ? c->exit.user_count : 0;
	out->exit_key = calloc(n + 1u, sizeof(*out->exit_key));
	if (!out->exit_key)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		out->exit_key[i] = c->exit.users[i];
	qsort(out->exit_key, n, sizeof(*out->exit_key), by_key);
	out->exit_count = n;
	out->exit_all = c->exit.offer && c->exit.all;
	return 0;
}

int xy_accepts_make(const struct xy_config *c, const struct xy_hs_remote *remote,
		    struct xy_accepts *out)
{
	size_t most = (size_t)c->routing.accept_count + c->route_count + 1;
	struct one *v = calloc(most, sizeof(*v));
	*out = (struct xy_accepts){.key = calloc(most, sizeof(*out->key)),
				   .prefix = calloc(most, sizeof(*out->prefix))};
	if (!v || !out->key || !out->prefix || users_make(c, out)) {
		free(v);
		xy_accepts_free(out);
		return -ENOMEM;
	}
	unsigned n = collect(c, remote, v);
	qsort(v, n, sizeof(*v), compare);
	out->count = unique(v, n);
	for (unsigned i = 0; i < out->count; i++) {
		out->key[i] = v[i].key;
		out->prefix[i] = v[i].prefix;
	}
	free(v);
	int r = taken_make(c, out);
	if (r)
		xy_accepts_free(out);
	return r;
}

void xy_accepts_free(struct xy_accepts *a)
{
	free(a->key);
	free(a->prefix);
	free(a->taken);
	free(a->exit_key);
	*a = (struct xy_accepts){0};
}

// The first whose key is not before this one; behind: after it.
static unsigned bound(const struct xy_accepts *a, const struct xy_key *key, bool behind)
{
	unsigned from = 0, to = a->count;
	while (from < to) {
		unsigned mid = from + (to - from) / 2;
		int c = memcmp(a->key[mid].b, key->b, sizeof(key->b));
		if (c < 0 || (behind && c == 0))
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

bool xy_accepts_exits(const struct xy_accepts *a, const struct xy_key *key)
{
	return a->exit_all || (a->exit_count && bsearch(key, a->exit_key, a->exit_count,
							sizeof(*a->exit_key), by_key));
}

unsigned xy_accepts_of(const struct xy_accepts *a, const struct xy_key *key,
		       const struct xy_prefix **prefix)
{
	unsigned first = bound(a, key, false);
	*prefix = a->prefix + first;
	return bound(a, key, true) - first;
}
