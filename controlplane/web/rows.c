// SPDX-License-Identifier: BSD-3-Clause
#include "web/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- the table

static unsigned place_of(const struct xy_rows *r, const char *name, bool *there)
{
	unsigned from = 0, to = r->count;
	*there = false;
	while (from < to) {
		unsigned at = from + (to - from) / 2;
		int c = strcmp(r->v[at]->name, name);
		if (c == 0) {
			*there = true;
			return at;
		}
		if (c < 0)
			from = at + 1;
		else
			to = at;
	}
	return from;
}

struct xy_row *xy_rows_find(const struct xy_rows *r, const char *name)
{
	bool there;
	unsigned at = place_of(r, name, &there);
	return there ? r->v[at] : NULL;
}

static bool grow(struct xy_rows *r)
{
	unsigned room = r->room ? r->room * 2 : 64;
	struct xy_row **v =
		r->count < r->room ? r->v : realloc(r->v, room * sizeof(struct xy_row *));
	if (!v)
		return false;
	if (r->count == r->room)
		r->room = room;
	r->v = v;
	return true;
}

// NULL: no room.
static struct xy_row *row_of(struct xy_rows *r, const char *name)
{
	bool there;
	unsigned at = place_of(r, name, &there);
	if (there)
		return r->v[at];
	struct xy_row *row = r->count < XY_ROWS_MAX && grow(r) ? calloc(1, sizeof(*row)) : NULL;
	if (!row)
		return NULL;
	snprintf(row->name, sizeof(row->name), "%s", name);
	row->rtt_us = row->cost = XY_FIELD_NULL;
	row->loss = NAN;
	row->rx_bps = row->tx_bps = row->rx_pps = row->tx_pps = NAN;
	memmove(r->v + at + 1, r->v + at, (r->count - at) * sizeof(*r->v));
	r->v[at] = row;
	r->count++;
	return row;
}

static void row_free(struct xy_rows *r, struct xy_row *row)
{
	r->histories -= row->history != NULL;
	free(row->history);
	free(row);
}

void xy_rows_free(struct xy_rows *r)
{
	for (unsigned i = 0; i < r->count; i++)
		row_free(r, r->v[i]);
	free(r->v);
	*r = (struct xy_rows){.round = r->round};
}

void xy_rows_end_round(struct xy_rows *r)
{
	unsigned n = 0;
	for (unsigned i = 0; i < r->count; i++) {
		if (r->v[i]->round == r->round)
			r->v[n++] = r->v[i];
		else
			row_free(r, r->v[i]);
	}
	r->count = n;
	r->round++;
}

// --- what was seen

#define TEXT_OF(to, o, key)                                                     \
	do {                                                                    \
		const char *text_ = json_string_value(json_object_get(o, key)); \
		snprintf(to, sizeof(to), "%s", text_ ? text_ : "");             \
	} while (0)

static int64_t number_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	return json_is_integer(v) ? json_integer_value(v) : XY_FIELD_NULL;
}

// A counter that went back began anew, with the daemon or the peer.
static double rate(int64_t then, int64_t now, uint64_t ms)
{
	if (now == XY_FIELD_NULL || ms == 0)
		return NAN;
	return (double)(then != XY_FIELD_NULL && now >= then ? now - then : now) * 1000 /
	       (double)ms;
}

static void count(struct xy_row *row, const json_t *p, uint64_t now)
{
	int64_t rx = number_of(p, XY_KEY(peer, rx_bytes)),
		tx = number_of(p, XY_KEY(peer, tx_bytes));
	int64_t rxp = number_of(p, XY_KEY(peer, rx_packets)),
		txp = number_of(p, XY_KEY(peer, tx_packets));
	uint64_t ms = row->at ? now - row->at : 0;
	row->rx_bps = 8 * rate(row->rx_bytes, rx, ms);
	row->tx_bps = 8 * rate(row->tx_bytes, tx, ms);
	row->rx_pps = rate(row->rx_packets, rxp, ms);
	row->tx_pps = rate(row->tx_packets, txp, ms);
	row->rx_bytes = rx;
	row->tx_bytes = tx;
	row->rx_packets = rxp;
	row->tx_packets = txp;
	row->at = now;
}

void xy_rows_take_peers(struct xy_rows *r, const json_t *peers, uint64_t now)
{
	size_t i;
	const json_t *p;
	json_array_foreach(peers, i, p)
	{
		const char *name = json_string_value(json_object_get(p, XY_KEY(peer, name)));
		struct xy_row *row =
			name && strlen(name) < sizeof(row->name) ? row_of(r, name) : NULL;
		if (!row)
			continue;
		row->round = r->round;
		TEXT_OF(row->kind, p, XY_KEY(peer, kind));
		TEXT_OF(row->peering, p, XY_KEY(peer, peering));
		TEXT_OF(row->state, p, XY_KEY(peer, state));
		TEXT_OF(row->endpoint, p, XY_KEY(peer, endpoint));
		TEXT_OF(row->address, p, XY_KEY(peer, address));
		TEXT_OF(row->trouble, p, XY_KEY(peer, trouble));
		row->last_received = number_of(p, XY_KEY(peer, last_received));
		row->mtu = number_of(p, XY_KEY(peer, mtu));
		count(row, p, now);
	}
}

float xy_rows_loss(const char *hellos)
{
	unsigned long bits = hellos ? strtoul(hellos, NULL, 16) & 0xffff : 0;
	if (!bits)
		return hellos ? 1 : NAN;
	unsigned since = 16 - (unsigned)__builtin_ctzl(bits);
	return (float)(since - (unsigned)__builtin_popcountl(bits)) / (float)since;
}

void xy_rows_take_neighbours(struct xy_rows *r, const json_t *neighbours)
{
	size_t i;
	const json_t *n;
	json_array_foreach(neighbours, i, n)
	{
		const char *name = json_string_value(json_object_get(n, XY_KEY(neighbour, peer)));
		struct xy_row *row = name ? xy_rows_find(r, name) : NULL;
		const char *hellos =
			json_string_value(json_object_get(n, XY_KEY(neighbour, hellos)));
		if (!row)
			continue;
		row->rtt_us = number_of(n, XY_KEY(neighbour, rtt_us));
		row->cost = number_of(n, XY_KEY(neighbour, cost));
		row->loss = xy_rows_loss(hellos);
	}
}

// --- history

static double known(double v)
{
	return isnan(v) ? 0 : v;
}

void xy_rows_sample(struct xy_rows *r, unsigned at, unsigned most)
{
	for (unsigned i = 0; i < r->count; i++) {
		struct xy_row *row = r->v[i];
		if (!row->history && r->histories < most &&
		    known(row->rx_bps) + known(row->tx_bps) > 0) {
			row->history = malloc(sizeof(*row->history));
			for (unsigned k = 0; row->history && k < XY_ROWS_SAMPLES; k++)
				row->history->rx[k] = row->history->tx[k] = NAN;
			r->histories += row->history != NULL;
		}
		if (!row->history)
			continue;
		row->history->rx[at] = (float)row->rx_bps;
		row->history->tx[at] = (float)row->tx_bps;
	}
}

// --- what is told

static json_t *number(double v)
{
	return isnan(v) ? json_null() : json_integer((json_int_t)(v + 0.5));
}

static json_t *whole(int64_t v)
{
	return v == XY_FIELD_NULL ? json_null() : json_integer(v);
}

static json_t *share(float v)
{
	return isnan(v) ? json_null() : json_real((double)(int)(v * 1000 + 0.5F) / 1000);
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *row_tell(const struct xy_row *r)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			 "s:o, s:o}",
			 "name", r->name, "kind", r->kind, "peering", r->peering, "state", r->state,
			 "endpoint", text_or_null(r->endpoint), "address", text_or_null(r->address),
			 "rtt_us", whole(r->rtt_us), "loss", share(r->loss), "rx_bps",
			 number(r->rx_bps), "tx_bps", number(r->tx_bps), "rx_bytes",
			 whole(r->rx_bytes), "tx_bytes", whole(r->tx_bytes), "last_received",
			 whole(r->last_received), "mtu", whole(r->mtu), "trouble",
			 text_or_null(r->trouble), "cost", whole(r->cost));
}

static int by_need(const void *x, const void *y)
{
	const struct xy_row *a = *(struct xy_row *const *)x, *b = *(struct xy_row *const *)y;
	bool ta = a->trouble[0] != 0, tb = b->trouble[0] != 0;
	double ra = known(a->rx_bps) + known(a->tx_bps), rb = known(b->rx_bps) + known(b->tx_bps);
	if (ta != tb)
		return ta ? -1 : 1;
	if (ra != rb)
		return ra > rb ? -1 : 1;
	return strcmp(a->name, b->name);
}

json_t *xy_rows_tell(const struct xy_rows *r, unsigned most, int64_t total, int64_t up)
{
	struct xy_row **order = malloc((r->count + 1) * sizeof(struct xy_row *));
	json_t *rows = json_array();
	if (!order)
		return json_object();
	for (unsigned i = 0; i < r->count; i++)
		order[i] = r->v[i];
	if (r->count)
		qsort(order, r->count, sizeof(struct xy_row *), by_need);
	for (unsigned i = 0; i < r->count && i < most; i++)
		json_array_append_new(rows, row_tell(order[i]));
	free(order);
	return json_pack("{s:I, s:I, s:b, s:o}", "total", (json_int_t)total, "up", (json_int_t)up,
			 "cut", total > (int64_t)json_array_size(rows), "rows", rows);
}

json_t *xy_rows_rates(const struct xy_rows *r, int64_t total, double *rx_bps, double *tx_bps)
{
	double rx = 0, tx = 0, rxp = 0, txp = 0;
	bool any = total == 0;
	for (unsigned i = 0; i < r->count; i++) {
		const struct xy_row *row = r->v[i];
		any = any || !isnan(row->rx_bps);
		rx += known(row->rx_bps);
		tx += known(row->tx_bps);
		rxp += known(row->rx_pps);
		txp += known(row->tx_pps);
	}
	*rx_bps = any ? rx : NAN;
	*tx_bps = any ? tx : NAN;
	return json_pack("{s:o, s:o, s:o, s:o}", "rx_bps", number(*rx_bps), "tx_bps",
			 number(*tx_bps), "rx_pps", any ? number(rxp) : json_null(), "tx_pps",
			 any ? number(txp) : json_null());
}
