// SPDX-License-Identifier: BSD-3-Clause
#include "policy/nat.h"

#include <errno.h>
#include <jansson.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct xy_prefix mesh = XY_MESH_PREFIX;

// --- who sends from what

static bool is_user(const struct xy_config *c, const struct xy_key *key)
{
	for (unsigned i = 0; i < c->exit.user_count; i++)
		if (memcmp(&c->exit.users[i], key, sizeof(*key)) == 0)
			return true;
	return c->exit.all;
}

static bool overlaps(const struct xy_prefix *a, const struct xy_prefix *b)
{
	return xy_prefix_covers(a, b) || xy_prefix_covers(b, a);
}

// Each once, and none inside another: a set of nftables takes no others.
static void add(struct xy_prefix *v, unsigned *count, const struct xy_prefix *p)
{
	unsigned kept = 0;
	if (!xy_prefix_is_v4(p))
		return;
	for (unsigned i = 0; i < *count; i++)
		if (xy_prefix_covers(&v[i], p))
			return;
	for (unsigned i = 0; i < *count; i++)
		if (!xy_prefix_covers(p, &v[i]))
			v[kept++] = v[i];
	v[kept++] = *p;
	*count = kept;
}

struct xy_prefix *xy_nat_sources(const struct xy_config *c, unsigned *count)
{
	size_t room = c->routing.accept_count + 1;
	for (unsigned i = 0; i < c->peer_count; i++)
		room += c->peers[i].allowed.count;
	struct xy_prefix *v = calloc(room, sizeof(*v));
	*count = 0;
	for (unsigned i = 0; v && i < c->routing.accept_count; i++)
		if (is_user(c, &c->routing.accept[i].key))
			add(v, count, &c->routing.accept[i].prefix);
	for (unsigned i = 0; v && i < c->peer_count; i++)
		for (unsigned k = 0; is_user(c, &c->peers[i].key) && k < c->peers[i].allowed.count;
		     k++)
			add(v, count, &c->peers[i].allowed.v[k]);
	return v;
}

// --- what is to be typed

void xy_nat_print(FILE *to, const char *before, const char *interface, const struct xy_prefix *v4,
		  unsigned count)
{
	static const char rule[] = "nft 'add rule inet xylem_exit postrouting";
	char text[XY_PREFIX_STRLEN];
	fprintf(to,
		"%snft 'add table inet xylem_exit'\n"
		"%snft 'add chain inet xylem_exit postrouting { type nat hook postrouting priority "
		"srcnat; }'\n"
		"%s%s ip6 saddr %s oifname != \"%s\" masquerade'\n",
		before, before, before, rule, xy_prefix_str(&mesh, text), interface);
	if (!count)
		return;
	fprintf(to, "%s%s ip saddr { ", before, rule);
	for (unsigned i = 0; i < count; i++)
		fprintf(to, "%s%s", i ? ", " : "", xy_prefix_str(&v4[i], text));
	fprintf(to, " } oifname != \"%s\" masquerade'\n", interface);
}

// --- what is there

struct looking {
	const char *interface;
	const struct xy_prefix *v4;
	unsigned count;
	bool *v4_found; // [count]
	bool v6;
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *v = json_string_value(json_object_get(o, key));
	return v ? v : "";
}

static bool is_same_table(const json_t *a, const json_t *b)
{
	return strcmp(text_of(a, "family"), text_of(b, "family")) == 0 &&
	       strcmp(text_of(a, "table"), text_of(b, "table")) == 0;
}

// Does a chain of the rule's table change sources? The rule may stand in one that this leads to.
static bool is_of_nat(const json_t *list, const json_t *rule)
{
	size_t i;
	const json_t *o;
	json_array_foreach(list, i, o)
	{
		const json_t *chain = json_object_get(o, "chain");
		if (chain && is_same_table(chain, rule) &&
		    strcmp(text_of(chain, "type"), "nat") == 0 &&
		    strcmp(text_of(chain, "hook"), "postrouting") == 0)
			return true;
	}
	return false;
}

static bool changes_source(const json_t *expr)
{
	size_t i;
	const json_t *e;
	json_array_foreach(expr, i, e)
	{
		const char *xt = text_of(json_object_get(e, "xt"), "name");
		if (json_object_get(e, "masquerade") || json_object_get(e, "snat") ||
		    strcmp(xt, "MASQUERADE") == 0 || strcmp(xt, "SNAT") == 0)
			return true;
	}
	return false;
}

static bool prefix_read(const json_t *right, struct xy_prefix *out)
{
	char text[XY_PREFIX_STRLEN];
	const json_t *p = json_object_get(right, "prefix");
	if (json_is_string(right))
		snprintf(text, sizeof(text), "%s/%u", json_string_value(right),
			 strchr(json_string_value(right), ':') ? 128 : 32);
	else if (p)
		snprintf(text, sizeof(text), "%s/%d", text_of(p, "addr"),
			 (int)json_integer_value(json_object_get(p, "len")));
	else
		return false;
	return xy_prefix_parse(text, out) == 0;
}

// A set, a named set, a range: one of them may be it.
static bool may_hold(const json_t *right, const struct xy_prefix *p)
{
	const json_t *set = json_object_get(right, "set"), *e;
	struct xy_prefix is;
	size_t i;
	if (!set)
		return !prefix_read(right, &is) || overlaps(&is, p);
	json_array_foreach(set, i, e) if (may_hold(e, p)) return true;
	return false;
}

static bool is_not(const json_t *match)
{
	return strcmp(text_of(match, "op"), "!=") == 0;
}

static bool source_matches(const json_t *match, const char *protocol, const struct xy_prefix *p)
{
	const json_t *right = json_object_get(match, "right");
	struct xy_prefix is;
	if (strcmp(protocol, xy_prefix_is_v4(p) ? "ip" : "ip6") != 0)
		return false;
	if (is_not(match))
		return !prefix_read(right, &is) || !xy_prefix_covers(&is, p);
	return may_hold(right, p);
}

static bool meta_matches(const json_t *match, const char *key, const char *interface, bool v4)
{
	const json_t *right = json_object_get(match, "right");
	const char *v = json_string_value(right);
	bool same = false;
	if (!v)
		return true;
	if (strcmp(key, "iifname") == 0 || strcmp(key, "iif") == 0)
		same = strcmp(v, interface) == 0;
	else if (strcmp(key, "nfproto") == 0)
		same = strcmp(v, v4 ? "ipv4" : "ipv6") == 0;
	else
		return true;
	return same != is_not(match);
}

static bool is_for(const json_t *rule, const json_t *expr, const char *interface,
		   const struct xy_prefix *p)
{
	const char *family = text_of(rule, "family");
	bool v4 = xy_prefix_is_v4(p);
	size_t i;
	const json_t *e;
	if (strcmp(family, "inet") != 0 && strcmp(family, v4 ? "ip" : "ip6") != 0)
		return false;
	json_array_foreach(expr, i, e)
	{
		const json_t *match = json_object_get(e, "match");
		const json_t *left = json_object_get(match, "left");
		const json_t *payload = json_object_get(left, "payload");
		const json_t *meta = json_object_get(left, "meta");
		if (strcmp(text_of(payload, "field"), "saddr") == 0 &&
		    !source_matches(match, text_of(payload, "protocol"), p))
			return false;
		if (meta && !meta_matches(match, text_of(meta, "key"), interface, v4))
			return false;
	}
	return true;
}

static void rule_look(const json_t *list, const json_t *rule, struct looking *k)
{
	const json_t *expr = json_object_get(rule, "expr");
	if (!expr || !changes_source(expr) || !is_of_nat(list, rule))
		return;
	k->v6 |= is_for(rule, expr, k->interface, &mesh);
	for (unsigned i = 0; i < k->count; i++)
		k->v4_found[i] |= is_for(rule, expr, k->interface, &k->v4[i]);
}

int xy_nat_find(const char *json, const char *interface, const struct xy_prefix *v4, unsigned count,
		struct xy_nat_found *out)
{
	json_t *root = json_loads(json, 0, NULL);
	const json_t *list = json_object_get(root, "nftables"), *o;
	struct looking k = {interface, v4, count, calloc(count + 1u, sizeof(bool)), false};
	size_t i;
	*out = (struct xy_nat_found){.v4 = true};
	int r = !k.v4_found ? -ENOMEM : json_is_array(list) ? 0 : -EINVAL;
	if (!r)
		json_array_foreach(list, i, o) rule_look(list, json_object_get(o, "rule"), &k);
	for (unsigned n = 0; !r && n < count; n++)
		out->v4 &= k.v4_found[n];
	out->v6 = k.v6;
	free(k.v4_found);
	json_decref(root);
	return r;
}

// libnftables ends the process where it gets no socket.
static int socket_try(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int r = fd < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return r;
}

int xy_nat_list(char **json, struct xy_err *err)
{
	int r = socket_try();
	struct nft_ctx *ctx = r ? NULL : nft_ctx_new(NFT_CTX_DEFAULT);
	*json = NULL;
	if (!r && (!ctx || nft_ctx_buffer_output(ctx) || nft_ctx_buffer_error(ctx)))
		r = -ENOMEM;
	if (!r) {
		// Elements of named sets may be millions, and are not looked at.
		nft_ctx_output_set_flags(ctx, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_STATELESS |
						      NFT_CTX_OUTPUT_TERSE);
		errno = 0;
		if (nft_run_cmd_from_buffer(ctx, "list ruleset"))
			r = errno ? -errno : -EIO;
	}
	if (!r) {
		const char *said = nft_ctx_get_output_buffer(ctx);
		*json = said ? strdup(said) : NULL;
		r = *json ? 0 : -ENOMEM;
	}
	if (ctx)
		nft_ctx_free(ctx);
	return r ? xy_err_set(err, -r, "the kernel's packet filter cannot be read (%s)",
			      strerror(-r))
		 : 0;
}
