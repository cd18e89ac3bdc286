// SPDX-License-Identifier: BSD-3-Clause
#include "peers/seen.h"

#include "base/bytes.h"

#include <string.h>

// RFC 1918, 6598, 5735; of IPv6 only what is given out for all, 2000::/3.
static bool is_open(const struct xy_addr *a)
{
	static const struct xy_prefix closed[] = {
		{{.b = {[10] = 0xff, [11] = 0xff, [12] = 0}}, 104},
		{{.b = {[10] = 0xff, [11] = 0xff, [12] = 10}}, 104},
		{{.b = {[10] = 0xff, [11] = 0xff, [12] = 100, [13] = 64}}, 106},
		{{.b = {[10] = 0xff, [11] = 0xff, [12] = 127}}, 104},
		{{.b = {[10] = 0xff, [11] = 0xff, [12] = 169, [13] = 254}}, 112},
		{{.b = {[10] = 0xff, [11] = 0xff, [12] = 172, [13] = 16}}, 108},
		{{.b = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 168}}, 112},
		{{.b = {[10] = 0xff, [11] = 0xff, [12] = 224}}, 99}, // multicast, and behind it
	};
	const struct xy_prefix host = {.addr = *a, .len = 128};
	if (!xy_prefix_is_v4(&host))
		return (a->b[0] & 0xe0) == 0x20;
	for (size_t i = 0; i < XY_ARRAY_SIZE(closed); i++)
		if (xy_prefix_contains(&closed[i], a))
			return false;
	return true;
}

static bool is_word(const struct xy_seen_word *w, xy_nsec now)
{
	return w->at.port && now < w->when + XY_SEEN_LIFE;
}

void xy_seen_told(struct xy_seen *s, const struct xy_addr *from, const struct xy_endpoint *at,
		  xy_nsec now)
{
	struct xy_seen_word *to = &s->word[0];
	for (unsigned i = 0; i < XY_SEEN_PEERS; i++) {
		struct xy_seen_word *w = &s->word[i];
		if (w->at.port && xy_addr_eq(&w->from, from)) {
			to = w;
			break;
		}
		if (to->at.port && (!w->at.port || w->when < to->when))
			to = w;
	}
	bool is = at->port && is_open(&at->addr);
	if (!is && !(to->at.port && xy_addr_eq(&to->from, from)))
		return;
	*to = (struct xy_seen_word){.from = *from, .when = now};
	if (is)
		to->at = *at;
}

static bool is_v4(const struct xy_addr *a)
{
	const struct xy_prefix host = {.addr = *a, .len = 128};
	return xy_prefix_is_v4(&host);
}

static unsigned votes(const struct xy_seen *s, const struct xy_endpoint *at, bool port, xy_nsec now)
{
	unsigned n = 0;
	for (unsigned i = 0; i < XY_SEEN_PEERS; i++) {
		const struct xy_seen_word *w = &s->word[i];
		n += is_word(w, now) &&
		     (port ? xy_endpoint_eq(&w->at, at) : xy_addr_eq(&w->at.addr, &at->addr));
	}
	return n;
}

// Of two with as many votes the lower, so that it stays.
static bool most(const struct xy_seen *s, bool v4, xy_nsec now, struct xy_endpoint *out)
{
	unsigned best = XY_SEEN_VOTES - 1;
	for (unsigned i = 0; i < XY_SEEN_PEERS; i++) {
		const struct xy_seen_word *w = &s->word[i];
		if (!is_word(w, now) || is_v4(&w->at.addr) != v4)
			continue;
		unsigned n = votes(s, &w->at, true, now);
		bool lower =
			n == best && best >= XY_SEEN_VOTES && memcmp(&w->at, out, sizeof(*out)) < 0;
		if (n <= best && !lower)
			continue;
		best = n;
		*out = w->at;
	}
	return best >= XY_SEEN_VOTES;
}

unsigned xy_seen_places(const struct xy_seen *s, xy_nsec now,
			struct xy_endpoint out[static XY_SEEN_PLACES])
{
	unsigned n = 0;
	n += most(s, false, now, &out[n]);
	n += most(s, true, now, &out[n]);
	return n;
}

enum xy_seen_mapping xy_seen_mapping(const struct xy_seen *s, xy_nsec now)
{
	struct xy_endpoint at[XY_SEEN_PLACES];
	if (xy_seen_places(s, now, at))
		return XY_SEEN_ALIKE;
	for (unsigned i = 0; i < XY_SEEN_PEERS; i++)
		if (is_word(&s->word[i], now) &&
		    votes(s, &s->word[i].at, false, now) >= XY_SEEN_VOTES)
			return XY_SEEN_APART;
	return XY_SEEN_UNKNOWN;
}
