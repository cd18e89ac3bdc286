// SPDX-License-Identifier: BSD-3-Clause
#include "pmtu/pmtu.h"

#include <stddef.h>
#include <string.h>

enum { UNSURE = 3 }; // probes of a silent peer, before they become rare
static const xy_nsec RARE = 15 * XY_SEC;

// Sizes that networks have: Ethernet less PPPoE, tunnels, other overlays; and above.
static const uint16_t usual[] = {1300, 1340, 1360, 1380, 1400, 1412, 1420, 1428, 1440, 1450,
				 1460, 1472, 1480, 1492, 1500, 1600, 2304, 4352, 8940, 9000};

static uint32_t base_of(const struct xy_pmtu *p)
{
	return p->limit < XY_PMTU_BASE ? p->limit : XY_PMTU_BASE;
}

static void probe_end(struct xy_pmtu *p)
{
	p->probe = 0;
	p->cut = false;
	p->lost = p->unsure = 0;
}

static void search(struct xy_pmtu *p, uint32_t low)
{
	p->state = XY_PMTU_SEARCHING;
	p->low = low;
	p->high = p->limit + 1;
	p->pieces_due = true;
	probe_end(p);
}

// The middle one of the usual sizes between, then halves.
static uint32_t candidate(const struct xy_pmtu *p)
{
	unsigned from = 0, to = sizeof(usual) / sizeof(usual[0]);
	if (p->high > p->limit)
		return p->limit;
	while (from < to && usual[from] <= p->low)
		from++;
	while (to > from && usual[to - 1] >= p->high)
		to--;
	if (from < to)
		return usual[(from + to) / 2];
	return p->high - p->low > XY_PMTU_GRAIN ? (p->low + p->high) / 2 : 0;
}

static void complete(struct xy_pmtu *p, xy_nsec now)
{
	p->state = XY_PMTU_COMPLETE;
	p->raise_at = now + XY_PMTU_RAISE_TIMER;
	p->asked_at = now;
}

// What was thought to pass does not: nothing is known to, until it is asked from below.
static void fall(struct xy_pmtu *p, uint32_t high)
{
	p->state = XY_PMTU_BASE_STATE;
	p->size = p->low = 0;
	p->high = high;
	p->pieces_due = true;
}

static void fits(struct xy_pmtu *p, uint32_t size, xy_nsec now)
{
	p->confirmed = true;
	p->asked_at = now;
	if (p->hint && size > p->hint) {
		p->hint = 0;
		p->believe_at = now + XY_PMTU_REFUTED;
	}
	if (p->state == XY_PMTU_COMPLETE)
		return;
	p->state = XY_PMTU_SEARCHING;
	p->low = p->size = size;
	if (p->high <= size)
		p->high = p->limit + 1;
	if (size == p->limit)
		complete(p, now);
}

static void fails(struct xy_pmtu *p, uint32_t size, xy_nsec now)
{
	switch (p->state) {
	case XY_PMTU_BASE_STATE:
		p->state = XY_PMTU_ERROR;
		p->size = 0;
		p->raise_at = now + XY_PMTU_ERROR_TIMER;
		break;
	case XY_PMTU_SEARCHING:
		if (p->low)
			p->high = size;
		else
			fall(p, size);
		break;
	case XY_PMTU_COMPLETE:
		fall(p, size);
		break;
	case XY_PMTU_DISABLED:
	case XY_PMTU_ERROR:
		break;
	}
}

void xy_pmtu_reset(struct xy_pmtu *p, uint32_t limit, uint32_t floor, xy_nsec now)
{
	bool up = p->state != XY_PMTU_DISABLED;
	*p = (struct xy_pmtu){.limit = limit, .floor = floor, .size = limit};
	if (up)
		xy_pmtu_up(p, now);
}

void xy_pmtu_limit(struct xy_pmtu *p, uint32_t limit)
{
	uint32_t old = p->limit;
	if (limit == old)
		return;
	p->limit = limit;
	if (p->state == XY_PMTU_DISABLED) {
		p->confirmed = false;
		p->size = limit;
	} else if (limit < p->size) {
		p->size = limit;
		search(p, 0);
	} else if (p->state == XY_PMTU_SEARCHING || p->state == XY_PMTU_COMPLETE) {
		if (limit > old || p->high > limit)
			search(p, p->state == XY_PMTU_COMPLETE ? p->size : p->low);
	}
	if (p->probe > limit && !p->cut)
		probe_end(p);
}

void xy_pmtu_hint(struct xy_pmtu *p, uint32_t size, xy_nsec now)
{
	if (p->state == XY_PMTU_DISABLED || size == p->hint)
		return;
	if (!size) {
		p->hint = 0;
		if (p->state == XY_PMTU_COMPLETE && p->size < p->limit)
			p->raise_at = now;
		return;
	}
	if (size >= p->size || now < p->believe_at)
		return;
	p->hint = size;
	if (size >= base_of(p)) {
		p->size = size;
		search(p, size);
	} else {
		fall(p, p->limit + 1);
		probe_end(p);
	}
}

void xy_pmtu_up(struct xy_pmtu *p, xy_nsec now)
{
	if (p->state != XY_PMTU_DISABLED)
		return;
	if (!p->confirmed) {
		search(p, 0);
		return;
	}
	p->state = XY_PMTU_COMPLETE;
	p->asked_at = 0; // does it still pass?
	probe_end(p);
}

void xy_pmtu_down(struct xy_pmtu *p)
{
	if (p->state == XY_PMTU_SEARCHING)
		p->raise_at = 0; // it goes on
	p->state = XY_PMTU_DISABLED;
	if (!p->size)
		p->confirmed = false;
	if (!p->confirmed)
		p->size = p->limit;
	p->hint = 0;
	probe_end(p);
}

void xy_pmtu_acked(struct xy_pmtu *p, uint32_t size, xy_nsec now)
{
	bool cut = p->cut;
	if (!p->probe || size != p->probe)
		return;
	probe_end(p);
	p->pieces_due &= !cut;
	if (cut)
		p->pieces = XY_PMTU_PIECES_PASS;
	else
		fits(p, size, now);
}

// What to ask next, 0: nothing now.
static uint32_t next(struct xy_pmtu *p, const struct xy_pmtu_seen *seen, xy_nsec now)
{
	uint32_t size;
	if (p->state == XY_PMTU_SEARCHING) {
		size = candidate(p);
		if (size)
			return size;
		complete(p, now);
	}
	if (p->state == XY_PMTU_BASE_STATE)
		return base_of(p);
	if (p->state == XY_PMTU_COMPLETE && !p->asked_at)
		return p->size;
	if (now >= p->raise_at && p->size < p->limit) {
		if (p->state == XY_PMTU_ERROR) {
			p->state = XY_PMTU_BASE_STATE;
			return base_of(p);
		}
		search(p, p->size);
		return candidate(p);
	}
	if (p->size < p->floor && p->pieces_due) {
		p->cut = true;
		return p->floor;
	}
	if (p->state == XY_PMTU_COMPLETE && seen->carried > p->asked_at &&
	    now - p->asked_at >= XY_PMTU_CONFIRM)
		return p->size;
	return 0;
}

// The time of the probe under way is over.
static void judge(struct xy_pmtu *p, const struct xy_pmtu_seen *seen, xy_nsec now)
{
	uint32_t size = p->probe;
	bool cut = p->cut;
	if (seen->heard <= p->sent) {
		p->unsure++;
		return;
	}
	p->unsure = 0;
	if (++p->lost < XY_PMTU_MAX_PROBES)
		return;
	probe_end(p);
	p->pieces_due &= !cut;
	if (cut)
		p->pieces = XY_PMTU_PIECES_LOST;
	else
		fails(p, size, now);
}

bool xy_pmtu_run(struct xy_pmtu *p, const struct xy_pmtu_seen *seen, xy_nsec now,
		 struct xy_pmtu_probe *out)
{
	xy_nsec timer = XY_PMTU_PROBE_TIMER + 2 * seen->rtt;
	if (p->state == XY_PMTU_DISABLED || (p->probe && now < p->due))
		return false;
	if (p->probe)
		judge(p, seen, now);
	bool again = p->probe;
	if (!again)
		p->probe = next(p, seen, now);
	if (!p->probe)
		return false;
	p->sent = now;
	p->due = now + (p->unsure < UNSURE ? timer : RARE);
	*out = (struct xy_pmtu_probe){
		.size = p->probe,
		.pieces = p->cut,
		.companion = again || p->state != XY_PMTU_COMPLETE,
	};
	return true;
}
