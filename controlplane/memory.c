// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_STATE

#include "memory.h"

#include "daemon.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <time.h>

enum {
	PLACES_PER_SECOND = 256,
	KEPT_PER_SECOND = 1024, // looked at for peers that are gone
	SAVE_SECONDS = 10,
	// What was sent since the last save is not known after a crash: with a clock that went
	// back, the first stamp is so much newer than the saved one.
	STAMP_MARGIN = 2 * SAVE_SECONDS,
};

struct xy_memory {
	unsigned places_from; // links whose place was noted
	unsigned prune_from;  // places whose peer was looked for
	bool pruning;
};

int xy_memory_open(struct xy_daemon *d, const struct xy_config *c, struct xy_err *err)
{
	char folder[XY_STATE_FOLDER_LEN];
	struct xy_err why;
	xy_setup_folder(&d->setup, c, folder, sizeof(folder));
	d->memory = calloc(1, sizeof(*d->memory));
	if (!d->memory || xy_state_open(&d->state, folder, &why))
		return xy_err_set(err, ENOMEM, "no memory for the state folder's content");
	if (why.text[0])
		xy_log_warn("%s", why.text);
	return 0;
}

void xy_memory_stamp_floor(const struct xy_daemon *d, uint8_t out[static XY_WG_TAI64N_LEN])
{
	uint8_t now[XY_WG_TAI64N_LEN];
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	xy_tai64n((uint64_t)(t.tv_sec + d->clock_offset), (uint32_t)t.tv_nsec, now);
	xy_state_stamp(d->state, out);
	if (memcmp(now, out, XY_WG_TAI64N_LEN) > 0)
		return;
	xy_log_warn("the clock is behind the last handshake before this start; handshakes go on "
		    "from there, but set the clock");
	xy_be64_store(out, xy_be64_load(out) + STAMP_MARGIN);
}

uint32_t xy_memory_epoch_first(struct xy_daemon *d)
{
	struct xy_err why;
	uint64_t now = (uint64_t)((int64_t)time(NULL) + d->clock_offset);
	uint32_t epoch = xy_babel_epoch_first(xy_state_epoch(d->state), now);
	// Without it the network knows our epoch, and tells.
	if (xy_state_epoch_save_now(d->state, epoch, &why) && !xy_state_lost(d->state))
		xy_log_warn("%s", why.text);
	return epoch;
}

struct epoch {
	struct xy_daemon *d;
	uint32_t epoch;
};

// Also when it could not be kept, which was said: the neighbours tell of it after a restart.
static void epoch_saved(void *arg, int result)
{
	struct epoch *e = arg;
	if (e->d->routing)
		xy_routing_epoch_saved(e->d->routing, e->epoch, xy_now());
	free(e);
}

void xy_memory_epoch_save(void *arg, uint32_t epoch)
{
	struct xy_daemon *d = arg;
	struct epoch *e = malloc(sizeof(*e));
	if (!e)
		return; // it is asked for again
	*e = (struct epoch){.d = d, .epoch = epoch};
	xy_state_epoch_save(d->state, epoch, epoch_saved, e);
}

void xy_memory_recall(struct xy_daemon *d)
{
	for (unsigned i = 0; i < xy_links_count(d->links); i++) {
		struct xy_link_info k;
		struct xy_endpoint place;
		xy_links_info(d->links, i, xy_now(), &k);
		if (!k.leaf && xy_state_place(d->state, &k.key, &place))
			xy_links_place_set(d->links, &k.key, &place, xy_now());
	}
	xy_memory_prune(d);
	xy_state_helped(d->state, &d->env);
}

static bool is_peer(void *arg, const struct xy_key *key)
{
	return xy_links_has(((struct xy_daemon *)arg)->links, key);
}

static void prune_run(struct xy_daemon *d)
{
	struct xy_memory *m = d->memory;
	m->pruning = xy_state_places_keep(d->state, &m->prune_from, KEPT_PER_SECOND, is_peer, d);
}

void xy_memory_prune(struct xy_daemon *d)
{
	d->memory->prune_from = 0;
	prune_run(d); // the rest by and by
}

static void places_note(struct xy_daemon *d, unsigned max)
{
	unsigned count = xy_links_count(d->links), *at = &d->memory->places_from;
	if (*at >= count)
		*at = 0;
	for (; max && *at < count; max--, ++*at) {
		struct xy_endpoint place;
		struct xy_key key;
		if (xy_links_place(d->links, *at, &key, &place))
			xy_state_place_set(d->state, &key, &place);
	}
}

static void stamp_note(struct xy_daemon *d)
{
	uint8_t stamp[XY_WG_TAI64N_LEN];
	xy_exchanges_stamp(d->exchanges, stamp);
	xy_state_stamp_set(d->state, stamp);
}

void xy_memory_note(struct xy_daemon *d)
{
	places_note(d, xy_tick_share(&d->tick, PLACES_PER_SECOND));
	if (d->memory->pruning)
		prune_run(d);
	if (!xy_tick_every(&d->tick, SAVE_SECONDS))
		return;
	stamp_note(d);
	xy_state_save(d->state);
}

void xy_memory_close(struct xy_daemon *d)
{
	if (d->state && d->links) {
		d->memory->places_from = 0;
		places_note(d, xy_links_count(d->links));
		stamp_note(d);
	}
	xy_state_close(d->state);
	d->state = NULL;
	free(d->memory);
	d->memory = NULL;
}
