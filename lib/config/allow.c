// SPDX-License-Identifier: BSD-3-Clause
// host.allow: what the mesh may reach of this host. Of each entry only numbers are kept, so nothing
// that stands in a config can become a part of a rule's text.
#include "config/read.h"

#include <ctype.h>
#include <stdlib.h>

bool xy_config_name_fits(const char *interface)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+@";
	return interface[0] && !interface[strspn(interface, good)];
}

// --- ports

// 1 to 65535 in plain digits; returns what stands behind it, or NULL.
static const char *number(const char *text, uint16_t *out)
{
	uint32_t n = 0;
	if (*text == '0')
		return NULL;
	const char *at = text;
	for (; isdigit((unsigned char)*at) && at - text < 5; at++)
		n = n * 10 + (uint32_t)(*at - '0');
	*out = (uint16_t)n;
	return at == text || n > UINT16_MAX || isdigit((unsigned char)*at) ? NULL : at;
}

static bool ports_read(const char *text, struct xy_config_allow *out)
{
	const char *end = number(text, &out->low);
	out->high = out->low;
	if (end && *end == '-')
		end = number(end + 1, &out->high);
	return end && !*end && out->low <= out->high;
}

int xy_config_allow_port(struct xy_config_reader *r, const config_setting_t *s,
			 struct xy_config_allow *out)
{
	const char *v = s->value.sval;
	out->udp = strncmp(v, "udp", 3) == 0;
	out->low = 0;
	out->high = UINT16_MAX;
	if (strcmp(v, "all") == 0)
		return xy_config_fail(r, s, NULL,
				      "\"all\" stands alone: allow = \"all\"; or write \"tcp\" and "
				      "\"udp\" here");
	if (strncmp(v, "icmp", 4) == 0)
		return xy_config_fail(r, s, NULL,
				      "\"%.20s\" needs no entry: ping, and errors about what this "
				      "host sent, are let in; remove it",
				      v);
	if (!out->udp && strncmp(v, "tcp", 3) != 0)
		return xy_config_fail(r, s, NULL,
				      "\"%.60s\" is no protocol with a port; write \"tcp/22\", "
				      "\"udp/1000-2000\", or \"tcp\" for all ports",
				      v);
	if (!v[3] || (v[3] == '/' && ports_read(v + 4, out)))
		return 0;
	return xy_config_fail(
		r, s, NULL,
		"\"%.60s\" names no ports; write a number from 1 to 65535 as in "
		"\"%.3s/22\", two as in \"%.3s/1000-2000\", or \"%.3s\" for all of them",
		v, v, v, v);
}

static int entry_read(struct xy_config_reader *r, const config_setting_t *s,
		      const struct xy_config_group *g, struct xy_config_allow *out)
{
	*out = (struct xy_config_allow){.line = (int)config_setting_source_line(s)};
	if (config_setting_is_group(s))
		return xy_config_group_read(r, s, g, out);
	if (s->type == CONFIG_TYPE_STRING && s->value.sval)
		return xy_config_allow_port(r, s, out);
	return xy_config_fail(r, s, NULL,
			      "is neither a string nor a group; write \"tcp/22\", or { port = "
			      "\"tcp/22\"; from = \"NAME\"; }");
}

int xy_config_allow_read(struct xy_config_reader *r, const config_setting_t *s,
			 const struct xy_config_group *g)
{
	struct xy_config *c = r->c;
	int ret = 0;
	if (s->type == CONFIG_TYPE_STRING) {
		c->allow.all = strcmp(s->value.sval, "all") == 0;
		return c->allow.all ? 0
				    : xy_config_fail(r, s, NULL,
						     "\"%.60s\" alone is not understood; write "
						     "\"all\", or a list: ( \"tcp/22\" )",
						     s->value.sval);
	}
	int n = config_setting_length(s);
	if (n > XY_CONFIG_ALLOW)
		return xy_config_fail(r, s, NULL, "%d entries; write at most %d", n,
				      XY_CONFIG_ALLOW);
	if (!n)
		return 0;
	c->allow.v = calloc((size_t)n, sizeof(*c->allow.v));
	if (!c->allow.v)
		return xy_config_fail(r, s, NULL, "not enough memory for %d entries", n);
	c->allow.count = (unsigned)n;
	for (int i = 0; i < n; i++)
		ret |= entry_read(r, config_setting_get_elem(s, (unsigned)i), g, &c->allow.v[i]);
	return ret;
}

// --- from whom

int xy_config_peer_called(const struct xy_config *c, const char *name)
{
	for (unsigned i = 0; i < c->peer_count; i++)
		if (strcmp(c->peers[i].name, name) == 0)
			return (int)i;
	return -1;
}

int xy_config_peer_with(const struct xy_config *c, const struct xy_key *key)
{
	for (unsigned i = 0; i < c->peer_count; i++)
		if (memcmp(&c->peers[i].key, key, sizeof(*key)) == 0)
			return (int)i;
	return -1;
}

static void from_peer(struct xy_config_allow *a, int peer)
{
	a->from = XY_FROM_PEER;
	a->peer = (unsigned)peer;
}

// A name goes before what else the text may be: 10.1.0.5 is one, too.
static int from_read(struct xy_config_reader *r, const config_setting_t *s,
		     struct xy_config_allow *a)
{
	const char *v = s->value.sval;
	struct xy_err why;
	struct xy_key key;
	int peer = xy_config_peer_called(r->c, v);
	if (peer < 0 && !xy_key_parse(v, &key, &why) && !xy_key_is_zero(&key)) {
		peer = xy_config_peer_with(r->c, &key);
		a->from = XY_FROM_PREFIX;
		a->prefix = xy_key_prefix(&key);
	} else if (peer < 0 && strchr(v, '/') && strlen(v) < XY_PREFIX_STRLEN) {
		a->from = XY_FROM_PREFIX;
		return xy_config_prefix_read(r, s, &a->prefix);
	} else if (peer < 0 && !xy_addr_parse(v, &a->prefix.addr)) {
		a->from = XY_FROM_PREFIX;
		a->prefix.len = 128;
	}
	if (peer >= 0)
		from_peer(a, peer);
	if (a->from != XY_FROM_ALL)
		return 0;
	return xy_config_fail(r, s, NULL,
			      "\"%.60s\" is nobody: no peer has that name, and it is no public key "
			      "and no prefix; write one of these",
			      v);
}

static const config_setting_t *list_of(const config_setting_t *root)
{
	return xy_config_member(xy_config_member(root, "host"), "allow");
}

// Unknown names are told when all peers have the names that they were meant to have.
void xy_config_allow_check(struct xy_config_reader *r, const config_setting_t *root)
{
	const config_setting_t *list = list_of(root), *peers = xy_config_member(root, "peers");
	const config_setting_t *name = xy_config_member(xy_config_member(root, "host"), "name");
	for (unsigned i = 0; i < r->c->allow.count; i++) {
		const config_setting_t *s = config_setting_get_elem(list, i);
		s = config_setting_is_group(s) ? xy_config_member(s, "from") : NULL;
		if (s && !xy_config_is_bad(s) && !xy_config_is_bad(peers))
			from_read(r, s, &r->c->allow.v[i]);
	}
	if (r->c->host.enabled && !r->c->allow.all && !xy_config_is_bad(name) &&
	    !xy_config_is_bad(list) && !xy_config_name_fits(r->c->host.name))
		xy_config_fail(r, name ? name : root, NULL,
			       "no rule of the firewall can hold this name; use A-Z a-z 0-9 . _ - "
			       "+ @, or set allow = \"all\"");
}

// --- what has no effect

static bool covers(const struct xy_config_allow *a, const struct xy_config_allow *b)
{
	if (a->udp != b->udp || a->low > b->low || a->high < b->high)
		return false;
	if (a->from == XY_FROM_ALL)
		return true;
	if (a->from != b->from)
		return false;
	return a->from == XY_FROM_PEER ? a->peer == b->peer
				       : xy_prefix_covers(&a->prefix, &b->prefix);
}

void xy_config_allow_weigh(struct xy_config_reader *r, const config_setting_t *root)
{
	const config_setting_t *list = list_of(root);
	const struct xy_config_allow *v = r->c->allow.v;
	for (unsigned i = 0; i < r->c->allow.count; i++) {
		unsigned k = 0;
		while (k < r->c->allow.count &&
		       (k == i || !covers(&v[k], &v[i]) || (covers(&v[i], &v[k]) && k > i)))
			k++;
		if (k < r->c->allow.count)
			xy_config_warn(r, config_setting_get_elem(list, i),
				       "has no effect: the entry in line %d lets it in already",
				       v[k].line);
	}
}
