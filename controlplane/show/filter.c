// SPDX-License-Identifier: BSD-3-Clause
#include "show/filter.h"

#include "daemon.h"
#include "naming.h"

#include <stdio.h>
#include <string.h>

static bool is_known(const char *key)
{
	static const char *const keys[] = {"peer", "within", "count", "after"};
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

static json_t *bad_prefix(const char *text, int why, struct xy_prefix *p)
{
	char meant[XY_PREFIX_STRLEN];
	if (why != -EDOM)
		return xy_server_error("'%s' is neither a prefix nor an address", text);
	xy_prefix_mask(p);
	return xy_server_error("'%s' has host bits set; ask for %s", text, xy_prefix_str(p, meant));
}

static json_t *read_peer(struct xy_filter *f, const struct xy_daemon *d, const json_t *v)
{
	struct xy_err err;
	const char *text = json_string_value(v);
	f->by_peer = v != NULL;
	if (v && (!text || !*text))
		return xy_server_error("peer: write its name, key or address");
	int why = v ? xy_naming_peer(d, text, &f->slot, &err) : 0;
	if (!why)
		return NULL;
	f->slot = UINT32_MAX;
	return f->after[0] ? NULL : xy_server_refused(why, &err);
}

static json_t *read_within(struct xy_filter *f, const json_t *v)
{
	const char *text = json_string_value(v);
	f->by_within = v != NULL;
	if (v && !text)
		return xy_server_error("within: write a prefix");
	int bad = v ? xy_prefix_parse(text, &f->within) : 0;
	return bad ? bad_prefix(text, bad, &f->within) : NULL;
}

static json_t *read_all(struct xy_filter *f, const struct xy_daemon *d)
{
	const char *key;
	json_t *value;
	json_object_foreach(f->asked, key, value)
	{
		if (!is_known(key))
			return xy_server_error("'%s': there is peer, within, count and after", key);
	}
	const char *after = json_string_value(json_object_get(f->asked, "after"));
	if (after && strlen(after) >= sizeof(f->after))
		return xy_server_error("after: no cursor is that long");
	snprintf(f->after, sizeof(f->after), "%s", after ? after : "");
	f->count = json_is_true(json_object_get(f->asked, "count"));
	json_t *error = read_peer(f, d, json_object_get(f->asked, "peer"));
	return error ? error : read_within(f, json_object_get(f->asked, "within"));
}

json_t *xy_filter_begin(struct xy_filter *f, const struct xy_daemon *d, const struct xy_request *q)
{
	json_error_t where;
	memset(f, 0, sizeof(*f));
	if (!q->params || q->params[0] != '{') {
		snprintf(f->after, sizeof(f->after), "%s", q->params ? q->params : "");
		return NULL;
	}
	f->asked = json_loads(q->params, JSON_REJECT_DUPLICATES, &where);
	if (!f->asked)
		return xy_server_error("params are no JSON object: %s", where.text);
	json_t *error = read_all(f, d);
	if (error)
		xy_filter_end(f);
	return error;
}

void xy_filter_end(struct xy_filter *f)
{
	json_decref(f->asked);
	f->asked = NULL;
}

bool xy_filter_is_full(const struct xy_filter *f)
{
	return !f->count && f->found >= XY_SHOW_PAGE;
}

const char *xy_filter_next(struct xy_filter *f, const char *cursor)
{
	if (!cursor)
		return NULL;
	snprintf(f->after, sizeof(f->after), "%s", cursor);
	if (!f->asked)
		return f->after;
	json_object_set_new(f->asked, "after", json_string(cursor));
	size_t n = json_dumpb(f->asked, f->next, sizeof(f->next) - 1, JSON_COMPACT);
	f->next[n < sizeof(f->next) ? n : 0] = 0; // it came as a request, so it fits
	return f->next;
}

// --- what fits

bool xy_filter_prefix(const struct xy_filter *f, const struct xy_prefix *p)
{
	return !f->by_within || xy_prefix_covers(&f->within, p);
}

bool xy_filter_address(const struct xy_filter *f, const struct xy_addr *a)
{
	return !f->by_within || xy_prefix_contains(&f->within, a);
}

static bool is_within(const struct xy_filter *f, const struct xy_daemon *d, uint32_t slot)
{
	struct xy_addr node;
	const struct xy_config_peer *p = xy_links_says(d->links, slot);
	if (xy_links_node_addr(d->links, slot, &node) && xy_prefix_contains(&f->within, &node))
		return true;
	for (unsigned i = 0; p && p->leaf && i < p->allowed.count; i++)
		if (xy_prefix_covers(&f->within, &p->allowed.v[i]))
			return true;
	return false;
}

bool xy_filter_link(const struct xy_filter *f, const struct xy_daemon *d, uint32_t slot)
{
	return (!f->by_peer || f->slot == slot) && (!f->by_within || is_within(f, d, slot));
}
