// SPDX-License-Identifier: BSD-3-Clause
#include "warden/scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct xy_prefix mesh = XY_MESH_PREFIX;

// --- prefixes

static int compare(const void *a, const void *b)
{
	const struct xy_prefix *x = a, *y = b;
	int r = memcmp(x->addr.b, y->addr.b, sizeof(x->addr.b));
	return r ? r : (x->len > y->len) - (x->len < y->len);
}

static void add(struct xy_scope *s, const struct xy_prefix *p)
{
	struct xy_prefix *to = &s->prefix[s->prefix_count++];
	*to = *p;
	xy_prefix_mask(to);
	s->has_len[to->len] = true;
}

static void add_all(struct xy_scope *s, const struct xy_config_prefixes *p)
{
	for (unsigned i = 0; i < p->count; i++)
		add(s, &p->v[i]);
}

static int prefixes_make(const struct xy_config *c, struct xy_scope *s)
{
	size_t room =
		(size_t)c->routing.accept_count + c->route_count + c->routing.claims.count + 1;
	for (unsigned i = 0; i < c->peer_count; i++)
		room += c->peers[i].allowed.count + c->peers[i].accept.count;
	s->prefix = calloc(room, sizeof(*s->prefix));
	if (!s->prefix)
		return -ENOMEM;
	for (unsigned i = 0; i < c->routing.accept_count; i++)
		add(s, &c->routing.accept[i].prefix);
	add_all(s, &c->routing.claims);
	for (unsigned i = 0; i < c->route_count; i++)
		add(s, &c->routes[i].prefix);
	for (unsigned i = 0; i < c->peer_count; i++) {
		add_all(s, &c->peers[i].allowed);
		add_all(s, &c->peers[i].accept);
	}
	qsort(s->prefix, s->prefix_count, sizeof(*s->prefix), compare);
	return 0;
}

static int claims_make(const struct xy_config *c, struct xy_scope *s)
{
	const struct xy_config_prefixes *from = &c->routing.claims;
	s->claims.v = calloc(from->count + 1u, sizeof(*s->claims.v));
	if (!s->claims.v)
		return -ENOMEM;
	for (unsigned i = 0; i < from->count; i++)
		s->claims.v[s->claims.count++] = from->v[i];
	return 0;
}

static bool is_named(const struct xy_scope *s, const struct xy_prefix *p)
{
	int least = xy_prefix_is_v4(p) ? 96 : 0; // ::/0 names no IPv4
	for (int len = p->len; len >= least; len--) {
		struct xy_prefix at = {.addr = p->addr, .len = (uint8_t)len};
		xy_prefix_mask(&at);
		if (s->has_len[len] &&
		    bsearch(&at, s->prefix, s->prefix_count, sizeof(at), compare))
			return true;
	}
	return false;
}

// --- made of a config

int xy_scope_make(const struct xy_config *c, const struct xy_addr *node, uint32_t table,
		  bool no_tun, struct xy_scope *out)
{
	*out = (struct xy_scope){.host = c->host.enabled && !no_tun,
				 .node = *node,
				 .fwmark = c->fwmark,
				 .table = table,
				 .exit = c->exit.used && !no_tun};
	out->exit_was = out->exit;
	snprintf(out->name, sizeof(out->name), "%s", c->host.name);
	out->address[out->address_count++] = (struct xy_prefix){.addr = *node, .len = 64};
	for (unsigned i = 0; i < c->host.address_count; i++)
		out->address[out->address_count++] = c->host.addresses[i];
	for (unsigned i = 0; i < c->port_count; i++) {
		const struct xy_config_port *p = &c->ports[i];
		struct xy_scope_port *to = &out->port[out->port_count++];
		*to = (struct xy_scope_port){.address = p->address, .port = p->port};
		if (p->shared)
			snprintf(to->interface, sizeof(to->interface), "%s", p->interface);
		if (p->driver != XY_DRIVER_AF_XDP)
			continue;
		snprintf(to->card, sizeof(to->card), "%s", p->interface);
		out->cards = true;
	}
	int r = prefixes_make(c, out);
	return r ? r : claims_make(c, out);
}

void xy_scope_follow(struct xy_scope *s, struct xy_scope *next)
{
	free(s->prefix);
	free(s->claims_were.v);
	s->claims_were = s->claims;
	s->claims = next->claims;
	s->prefix = next->prefix;
	s->prefix_count = next->prefix_count;
	memcpy(s->has_len, next->has_len, sizeof(s->has_len));
	s->exit = next->exit;
	s->exit_was |= next->exit;
	*next = (struct xy_scope){0};
}

void xy_scope_free(struct xy_scope *s)
{
	free(s->prefix);
	free(s->claims.v);
	free(s->claims_were.v);
	*s = (struct xy_scope){0};
}

// --- what it has

bool xy_scope_has_address(const struct xy_scope *s, const struct xy_prefix *a)
{
	for (unsigned i = 0; i < s->address_count; i++)
		if (s->address[i].len == a->len && xy_addr_eq(&s->address[i].addr, &a->addr))
			return true;
	return false;
}

static bool is_claimed(const struct xy_scope_claims *c, const struct xy_prefix *a)
{
	if (a->len != 128 || xy_addr_is_mesh(&a->addr) || xy_prefix_is_martian(a))
		return false;
	for (unsigned i = 0; i < c->count; i++)
		if (xy_prefix_covers(&c->v[i], a))
			return true;
	return false;
}

bool xy_scope_has_claim(const struct xy_scope *s, const struct xy_prefix *a)
{
	return is_claimed(&s->claims, a);
}

bool xy_scope_had_claim(const struct xy_scope *s, const struct xy_prefix *a)
{
	return is_claimed(&s->claims, a) || is_claimed(&s->claims_were, a);
}

bool xy_scope_has_route(const struct xy_scope *s, const struct xy_prefix *p)
{
	struct xy_prefix own = {.addr = s->node, .len = 64};
	xy_prefix_mask(&own);
	if (xy_prefix_is_default(p) || xy_prefix_is_martian(p))
		return false;
	if (xy_prefix_eq(p, &mesh) || xy_prefix_covers(&own, p))
		return true;
	return !xy_prefix_covers(&mesh, p) && is_named(s, p);
}

bool xy_scope_has_mark(const struct xy_scope *s, uint32_t mark)
{
	return !mark || mark == s->fwmark || mark == s->table;
}

bool xy_scope_has_port(const struct xy_scope *s, const struct xy_addr *a, uint16_t port)
{
	for (unsigned i = 0; i < s->port_count; i++)
		if (s->port[i].port == port && xy_addr_eq(&s->port[i].address, a))
			return true;
	return false;
}

static const struct xy_scope_port *card_of(const struct xy_scope *s, const char *interface)
{
	for (unsigned i = 0; interface[0] && i < s->port_count; i++)
		if (strcmp(s->port[i].card, interface) == 0)
			return &s->port[i];
	return NULL;
}

bool xy_scope_has_card(const struct xy_scope *s, const char *interface)
{
	return card_of(s, interface);
}

bool xy_scope_has_program(const struct xy_scope *s, const char *interface, uint16_t port)
{
	const struct xy_scope_port *p = card_of(s, interface);
	return p && (p->port ? p->port == port : !p->taken || p->taken == port);
}

void xy_scope_card_takes(struct xy_scope *s, const char *interface, uint16_t port)
{
	for (unsigned i = 0; i < s->port_count; i++)
		if (s->port[i].card[0] && strcmp(s->port[i].card, interface) == 0)
			s->port[i].taken = port;
}

bool xy_scope_has_card_address(const struct xy_scope *s, const char *interface,
			       const struct xy_addr *a)
{
	const struct xy_scope_port *p = card_of(s, interface);
	return p && (xy_addr_is_unspecified(&p->address) || xy_addr_eq(&p->address, a));
}

bool xy_scope_has_device(const struct xy_scope *s, const char *interface)
{
	for (unsigned i = 0; i < s->port_count; i++)
		if (s->port[i].interface[0] && strcmp(s->port[i].interface, interface) == 0)
			return true;
	return false;
}
