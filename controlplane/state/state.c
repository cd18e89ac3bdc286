// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_STATE

#include "state/state.h"

#include "log.h"
#include "state/statefile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAITERS = 4 };

struct waiter { // for the save of at least this edition
	void (*done)(void *arg, int result);
	void *arg;
	uint64_t edition;
};

struct writing { // a helper's while it writes; the state is the control thread's
	struct xy_state *s;
	char folder[XY_STATE_FOLDER_LEN];
	struct xy_statefile what;
	uint64_t edition;
	int result;
	struct xy_err err;
};

struct xy_state {
	char folder[XY_STATE_FOLDER_LEN];
	struct xy_statefile now;
	uint64_t edition, saved; // of what is in memory, and on disk
	bool usable;		 // the folder can be written to, and is ours
	struct writing *writing; // NULL: no helper writes
	struct waiter waiter[WAITERS];
	unsigned waiters;
	const struct xy_env *env; // whose helpers write; NULL: none do
	char lost[sizeof(((struct xy_err *)NULL)->text)];
	char unsaved[sizeof(((struct xy_err *)NULL)->text)];
};

// --- the folder

static void parents_make(const char *folder)
{
	char path[XY_STATE_FOLDER_LEN];
	size_t len = strlen(folder);
	memcpy(path, folder, len + 1);
	for (size_t i = 1; i < len; i++) {
		if (path[i] != '/')
			continue;
		path[i] = 0;
		mkdir(path, 0755); // the last one's error tells
		path[i] = '/';
	}
}

static int refuse_folder(const char *folder, int code, struct xy_err *why)
{
	return xy_err_set(
		why, code,
		"state folder %.200s: %s; nothing is remembered over a restart: make it a "
		"folder of the daemon's user, or set `state` to one",
		folder, strerror(code));
}

// Whoever else may write to it could have us believe keys and endpoints of his.
static int folder_check(const char *folder, struct xy_err *why)
{
	struct stat st;
	if (stat(folder, &st))
		return refuse_folder(folder, errno, why);
	if (!S_ISDIR(st.st_mode))
		return refuse_folder(folder, ENOTDIR, why);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) || (st.st_uid != 0 && st.st_uid != geteuid()))
		return xy_err_set(why, EPERM,
				  "state folder %.200s: others may write to it, so it is not "
				  "trusted and nothing is remembered; give it to the daemon's user "
				  "and run: chmod 700 %.200s",
				  folder, folder);
	return access(folder, R_OK | W_OK | X_OK) ? refuse_folder(folder, errno, why) : 0;
}

static int folder_make(const char *folder, struct xy_err *why)
{
	parents_make(folder);
	if (mkdir(folder, 0700) && errno != EEXIST)
		return refuse_folder(folder, errno, why);
	return folder_check(folder, why);
}

// --- life

int xy_state_open(struct xy_state **out, const char *folder, struct xy_err *why_lost)
{
	struct xy_state *s = calloc(1, sizeof(*s));
	struct xy_err why = {0};
	if (why_lost)
		why_lost->text[0] = 0;
	if (!s)
		return -ENOMEM;
	if (strlen(folder) >= sizeof(s->folder)) {
		xy_err_set(&why, ENAMETOOLONG, "state folder: its path is too long");
	} else {
		memcpy(s->folder, folder, strlen(folder) + 1);
		s->usable = folder_make(folder, &why) == 0;
		if (s->usable)
			xy_statefile_load(folder, &s->now, &why);
	}
	memcpy(s->lost, why.text, sizeof(s->lost));
	if (why_lost)
		*why_lost = why;
	*out = s;
	return 0;
}

// --- saving

static void write_free(struct writing *w)
{
	xy_statefile_free(&w->what);
	free(w);
}

static void write_run(void *what)
{
	struct writing *w = what;
	w->result = xy_statefile_write(w->folder, &w->what, &w->err);
}

static void tell_waiters(struct xy_state *s, uint64_t edition, int result)
{
	struct waiter ready[WAITERS];
	unsigned n = 0, kept = 0;
	for (unsigned i = 0; i < s->waiters; i++)
		if (s->waiter[i].edition <= edition)
			ready[n++] = s->waiter[i];
		else
			s->waiter[kept++] = s->waiter[i];
	s->waiters = kept;
	for (unsigned i = 0; i < n; i++) // they may ask again from within
		ready[i].done(ready[i].arg, result);
}

static void note(struct xy_state *s, int result, const struct xy_err *err)
{
	if (result == -ENOENT) // another file system was mounted over it, or somebody removed it
		s->usable = false;
	if (!result) {
		if (s->unsaved[0])
			xy_log_info("state: saved again in %s", s->folder);
		s->unsaved[0] = 0;
		return;
	}
	if (!s->unsaved[0])
		xy_log_warn("%s", err->text);
	memcpy(s->unsaved, err->text, sizeof(s->unsaved));
}

static void write_done(void *what)
{
	struct writing *w = what;
	struct xy_state *s = w->s;
	s->writing = NULL;
	if (!w->result && w->edition > s->saved)
		s->saved = w->edition;
	note(s, w->result, &w->err);
	uint64_t edition = w->edition;
	int result = w->result;
	write_free(w);
	tell_waiters(s, edition, result);
	if (s->waiters) // for what came while it wrote
		xy_state_save(s);
}

static struct writing *write_prepare(struct xy_state *s)
{
	struct writing *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->s = s;
	w->edition = s->edition;
	memcpy(w->folder, s->folder, sizeof(w->folder));
	if (xy_statefile_copy(&s->now, &w->what) == 0)
		return w;
	free(w);
	return NULL;
}

static int refuse(struct xy_state *s, struct xy_err *err)
{
	if (s->usable)
		return xy_err_set(err, ENOMEM, "state: no memory to write it");
	return xy_err_set(err, EROFS, "%s", s->lost);
}

// What lies there from an earlier start: of what both know the newer stands, and of two keys for
// one endpoint the one that was pinned first.
static void merge(struct xy_state *s, const struct xy_statefile *old)
{
	if (old->epoch > s->now.epoch)
		s->now.epoch = old->epoch;
	xy_state_stamp_set(s, old->stamp);
	for (unsigned i = 0; i < old->pins; i++)
		xy_state_pin_set(s, old->pin[i].endpoint, &old->pin[i].key);
	for (unsigned i = 0, at; i < old->places; i++)
		if (!xy_statefile_place_find(&s->now, &old->place[i].key, &at))
			xy_statefile_place_put(&s->now, &old->place[i].key, &old->place[i].at);
}

// A folder that could not be used may be usable now: its file system came late, its owner was
// mended.
static void folder_again(struct xy_state *s)
{
	struct xy_statefile old = {0};
	struct xy_err why = {0};
	if (!s->folder[0] || folder_make(s->folder, NULL))
		return;
	s->usable = true;
	if (!xy_statefile_load(s->folder, &old, &why))
		merge(s, &old);
	xy_statefile_free(&old);
	memcpy(s->lost, why.text, sizeof(s->lost));
	xy_log_info("state: %s can be used now%s%s", s->folder, why.text[0] ? "; " : "", why.text);
}

void xy_state_save(struct xy_state *s)
{
	if (s->writing || s->edition == s->saved)
		return;
	if (!s->usable)
		folder_again(s);
	struct writing *w = s->usable ? write_prepare(s) : NULL;
	if (!w) {
		tell_waiters(s, s->edition, refuse(s, NULL));
		return;
	}
	s->writing = w;
	if (s->env) {
		xy_env_run(s->env, write_run, write_done, w);
		return;
	}
	write_run(w);
	write_done(w);
}

void xy_state_helped(struct xy_state *s, const struct xy_env *env)
{
	s->env = env;
}

void xy_state_close(struct xy_state *s)
{
	if (!s || s->writing)
		return;
	s->env = NULL;
	xy_state_save(s);
	xy_statefile_free(&s->now);
	free(s);
}

// --- what is remembered

const char *xy_state_folder(const struct xy_state *s)
{
	return s->folder;
}

const char *xy_state_lost(const struct xy_state *s)
{
	return s->lost[0] ? s->lost : NULL;
}

const char *xy_state_unsaved(const struct xy_state *s)
{
	return s->unsaved[0] ? s->unsaved : NULL;
}

uint32_t xy_state_epoch(const struct xy_state *s)
{
	return s->now.epoch;
}

static void epoch_set(struct xy_state *s, uint32_t epoch)
{
	s->now.epoch = epoch;
	s->edition++;
}

int xy_state_epoch_save_now(struct xy_state *s, uint32_t epoch, struct xy_err *err)
{
	epoch_set(s, epoch);
	struct writing *w = s->usable ? write_prepare(s) : NULL;
	if (!w)
		return refuse(s, err);
	write_run(w);
	int r = w->result;
	if (!r)
		s->saved = w->edition;
	note(s, r, &w->err);
	if (r && err)
		*err = w->err;
	write_free(w);
	return r;
}

void xy_state_epoch_save(struct xy_state *s, uint32_t epoch, void (*done)(void *arg, int result),
			 void *arg)
{
	epoch_set(s, epoch);
	if (s->waiters == WAITERS) {
		done(arg, -EBUSY);
		return;
	}
	s->waiter[s->waiters++] = (struct waiter){done, arg, s->edition};
	xy_state_save(s);
}

void xy_state_stamp(const struct xy_state *s, uint8_t out[static XY_WG_TAI64N_LEN])
{
	memcpy(out, s->now.stamp, XY_WG_TAI64N_LEN);
}

void xy_state_stamp_set(struct xy_state *s, const uint8_t stamp[static XY_WG_TAI64N_LEN])
{
	if (memcmp(stamp, s->now.stamp, XY_WG_TAI64N_LEN) <= 0)
		return;
	memcpy(s->now.stamp, stamp, XY_WG_TAI64N_LEN);
	s->edition++;
}

static struct xy_statefile_pin *pin_find(const struct xy_state *s, const char *endpoint)
{
	for (unsigned i = 0; i < s->now.pins; i++)
		if (strcmp(s->now.pin[i].endpoint, endpoint) == 0)
			return &s->now.pin[i];
	return NULL;
}

const struct xy_key *xy_state_pin(const struct xy_state *s, const char *endpoint)
{
	const struct xy_statefile_pin *p = pin_find(s, endpoint);
	return p ? &p->key : NULL;
}

int xy_state_pin_set(struct xy_state *s, const char *endpoint, const struct xy_key *key)
{
	struct xy_statefile_pin *p = pin_find(s, endpoint);
	if (p && memcmp(&p->key, key, sizeof(*key)) == 0)
		return 0;
	int r = p ? 0 : xy_statefile_pin_add(&s->now, endpoint, key);
	if (p)
		p->key = *key;
	s->edition += !r;
	return r;
}

unsigned xy_state_pins(const struct xy_state *s)
{
	return s->now.pins;
}

const char *xy_state_pin_at(const struct xy_state *s, unsigned at, struct xy_key *key)
{
	*key = s->now.pin[at].key;
	return s->now.pin[at].endpoint;
}

bool xy_state_place(const struct xy_state *s, const struct xy_key *key, struct xy_endpoint *out)
{
	unsigned at;
	if (!xy_statefile_place_find(&s->now, key, &at))
		return false;
	*out = s->now.place[at].at;
	return true;
}

int xy_state_place_set(struct xy_state *s, const struct xy_key *key, const struct xy_endpoint *at)
{
	struct xy_endpoint old;
	if (xy_addr_is_link_local(&at->addr) ||
	    (xy_state_place(s, key, &old) && xy_endpoint_eq(&old, at)))
		return 0;
	int r = xy_statefile_place_put(&s->now, key, at);
	s->edition += !r;
	return r;
}

bool xy_state_places_keep(struct xy_state *s, unsigned *from, unsigned max,
			  bool (*keep)(void *arg, const struct xy_key *key), void *arg)
{
	struct xy_statefile_place *v = s->now.place;
	unsigned all = s->now.places, at = *from < all ? *from : all, kept = at;
	for (; at < all && max; max--, at++)
		if (keep(arg, &v[at].key))
			v[kept++] = v[at];
	*from = kept;
	if (kept == at)
		return at < all;
	memmove(&v[kept], &v[at], (all - at) * sizeof(*v));
	s->now.places -= at - kept;
	s->edition++;
	return at < all;
}

unsigned xy_state_places(const struct xy_state *s)
{
	return s->now.places;
}
