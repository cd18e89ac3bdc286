// SPDX-License-Identifier: BSD-3-Clause
#include "cli/who.h"

#include "cli/cli.h"
#include "identity/identity.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "";
}

int xy_who_load(const char *instance, struct xy_who *out, struct xy_err *err)
{
	struct xy_client *c = NULL;
	*out = (struct xy_who){NULL};
	int ret = xy_cli_connect(instance, &c, err);
	ret = ret ? ret : xy_client_ask(c, "/xylem/node", NULL, &out->node, err);
	ret = ret ? ret : xy_client_ask_all(c, "/xylem/peers", NULL, &out->peers, err);
	xy_client_close(c);
	if (ret)
		xy_who_free(out);
	return ret;
}

void xy_who_free(struct xy_who *w)
{
	json_decref(w->node);
	json_decref(w->peers);
	json_decref(w->tree);
	*w = (struct xy_who){NULL};
}

static bool is_addr(const char *text, const struct xy_addr *addr)
{
	struct xy_addr a;
	return xy_addr_parse(text, &a) == 0 && xy_addr_eq(&a, addr);
}

bool xy_who_is_us(const struct xy_who *w, const struct xy_addr *addr)
{
	struct xy_prefix p;
	return is_addr(text_of(w->node, XY_KEY(node, address)), addr) ||
	       (xy_prefix_parse(text_of(w->node, XY_KEY(node, prefix)), &p) == 0 &&
		xy_prefix_contains(&p, addr));
}

bool xy_who_addr(const json_t *peer, struct xy_addr *out)
{
	const json_t *allowed = json_object_get(peer, XY_KEY(peer, allowed));
	struct xy_prefix p;
	if (strcmp(text_of(peer, XY_KEY(peer, kind)), "leaf") != 0)
		return xy_addr_parse(text_of(peer, XY_KEY(peer, address)), out) == 0;
	for (size_t i = 0; i < json_array_size(allowed); i++) {
		const char *text = json_string_value(json_array_get(allowed, i));
		if (text && xy_prefix_parse(text, &p) == 0 && p.len == 128) {
			*out = p.addr;
			return true;
		}
	}
	return false;
}

const char *xy_who_is(const struct xy_who *w, const struct xy_addr *addr)
{
	const json_t *p;
	struct xy_addr a;
	size_t i;
	if (is_addr(text_of(w->node, XY_KEY(node, address)), addr))
		return "this node";
	json_array_foreach(json_object_get(w->peers, XY_KEY(peers, peers)), i, p)
	{
		if (xy_who_addr(p, &a) && xy_addr_eq(&a, addr))
			return json_string_value(json_object_get(p, XY_KEY(peer, name)));
	}
	json_array_foreach(json_object_get(w->tree, XY_KEY(tree, nodes)), i, p)
	{
		if (is_addr(text_of(p, XY_KEY(tree_node, address)), addr))
			return json_string_value(json_object_get(p, XY_KEY(tree_node, name)));
	}
	return NULL;
}

const json_t *xy_who_peer(const struct xy_who *w, const char *text)
{
	const char *const by[] = {XY_KEY(peer, name), XY_KEY(peer, key), XY_KEY(peer, address)};
	const json_t *p;
	size_t i;
	json_array_foreach(json_object_get(w->peers, XY_KEY(peers, peers)), i, p)
	{
		struct xy_addr a, b;
		for (unsigned k = 0; k < 3; k++)
			if (strcmp(text_of(p, by[k]), text) == 0)
				return p;
		if (xy_addr_parse(text, &a) == 0 && xy_who_addr(p, &b) && xy_addr_eq(&a, &b))
			return p;
	}
	return NULL;
}

// How many rows of a list are called that; the last one.
static unsigned named(const json_t *list, const char *key, const char *text, const json_t **out)
{
	const json_t *p;
	unsigned found = 0;
	size_t i;
	json_array_foreach(list, i, p)
	{
		if (strcmp(text_of(p, key), text) == 0) {
			*out = p;
			found++;
		}
	}
	return found;
}

// All names that there are: for who wrote one wrong.
static int nobody(const struct xy_who *w, const char *text, struct xy_err *err)
{
	const json_t *lists[2] = {json_object_get(w->peers, XY_KEY(peers, peers)),
				  json_object_get(w->tree, XY_KEY(tree, nodes))};
	size_t n = 0, all = json_array_size(lists[0]) + json_array_size(lists[1]), i;
	const char **words = xy_cli_must(calloc(all + 1, sizeof(*words)));
	char meant[200];
	const json_t *p;
	for (unsigned k = 0; k < 2; k++) {
		json_array_foreach(lists[k], i, p)
		{
			const char *name = text_of(p, XY_KEY(peer, name));
			if (*name)
				words[n++] = name;
		}
	}
	xy_cli_meant(text, words, meant, sizeof(meant));
	free(words);
	return xy_err_set(
		err, EINVAL,
		"\"%.60s\" is no address, no key, no peer's name and no name of a node that "
		"tells its own%s",
		text, meant);
}

int xy_who_nobody(const struct xy_who *w, const char *text)
{
	struct xy_err err;
	nobody(w, text, &err);
	return xy_cli_fail("%s", err.text);
}

static int peer_of(const json_t *p, const char *text, struct xy_addr *out, struct xy_err *err)
{
	if (xy_who_addr(p, out))
		return 0;
	return xy_err_set(
		err, EINVAL,
		"%.60s may have no single address, only prefixes: give an address in them", text);
}

int xy_who_find(struct xy_who *w, const char *instance, const char *text, struct xy_addr *out,
		char name[static XY_WHO_LEN], struct xy_err *err)
{
	const json_t *p = NULL, *peers = json_object_get(w->peers, XY_KEY(peers, peers));
	struct xy_key key;
	if (!*text)
		return xy_err_set(err, EINVAL, "an address or a name is not empty");
	unsigned n = named(peers, XY_KEY(peer, name), text, &p);
	snprintf(name, XY_WHO_LEN, "%s", n ? text : "");
	if (n > 1)
		return xy_err_set(err, EINVAL,
				  "%u peers are called %.60s: give a key (xylem show peers --json)",
				  n, text);
	if (n)
		return peer_of(p, text, out, err);
	bool addr = xy_addr_parse(text, out) == 0;
	if (addr || xy_key_parse(text, &key, NULL) == 0) {
		*out = addr ? *out : xy_key_addr(&key);
		snprintf(name, XY_WHO_LEN, "%s", xy_who_is(w, out) ? xy_who_is(w, out) : "");
		return 0;
	}
	if (xy_cli_ask_done(instance, "/xylem/tree", NULL, &w->tree, err))
		return -EINVAL;
	n = named(json_object_get(w->tree, XY_KEY(tree, nodes)), XY_KEY(tree_node, name), text, &p);
	if (n > 1)
		return xy_err_set(
			err, EINVAL,
			"%u nodes call themselves %.60s: give an address (xylem show tree)", n,
			text);
	if (!n)
		return nobody(w, text, err);
	snprintf(name, XY_WHO_LEN, "%s", text);
	return xy_addr_parse(text_of(p, XY_KEY(tree_node, address)), out);
}
