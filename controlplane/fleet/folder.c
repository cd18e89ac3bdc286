// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/folder.h"

#include "base/bytes.h"
#include "fleet/record.h"
#include "state/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	FILES = 32768,	// entries that are looked at; what is more is said
	SOON_MS = 30,	// after an event: more of them come
	APART_MS = 200, // two looks, at least; and LOOKS times what the last one took
	LOOKS = 20,
	TICK_MS = 3000,	  // is the folder there, and the same one?
	WHOLE_MS = 60000, // without any event
	HALF_MS = 2000,	  // a file that does not end like a record may still be written
	HALF_AGAIN_MS = 100,
	SLICE_MS = 20,	   // of reading, and of what that leads to, in a turn
	HOT_NS = 50000000, // a file that was changed so lately may change within its time stamp
	WRITE_AGAIN_MS = 2000,
	WRITE_AGAIN_MOST = 64000,
	HASH = 16,
};

#define EVENTS                                                                              \
	(IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | \
	 IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

// What tells whether a file is as it was.
struct stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	mode_t mode;
	struct timespec modified, changed;
};

struct entry {
	char *name; // malloc'd
	struct stamp stamp;
	bool pending;	    // is to be read
	bool hot;	    // is read again, whatever its stamp says
	uint64_t half;	    // when it was first seen half written; 0: it is not
	bool told;	    // with
	uint8_t hash[HASH]; // of its bytes, or of why it has none
};

struct write {
	uv_work_t work;
	struct folder *f; // NULL: it was closed
	char folder[sizeof(((struct xy_fleet_source *)0)->place)], name[XY_FLEET_KEY_STRLEN + 8];
	char text[XY_FLEET_ENTRY_BYTES];
	size_t len;
	int result;
};

struct folder {
	struct xy_fleet_source face;
	uv_loop_t *loop;
	uv_timer_t timer;
	uv_poll_t poll;
	int inotify, watch; // -1: none
	bool polls;	    // the handle is open
	bool started;
	dev_t device; // of the folder that was looked through
	ino_t inode;
	unsigned count;
	struct entry *entry;	    // [count] by name
	uint64_t due, looked, took; // a look: the next one, the last one, how long that was
	bool there;		    // the last look found it
	unsigned pending_at;	    // entries from here on may be pending
	bool pending;
	bool up, told_up;
	char why[400];
	unsigned left_out;

	char own[XY_FLEET_KEY_STRLEN + 8]; // our file's name; "": none yet
	char text[XY_FLEET_ENTRY_BYTES];
	size_t len;
	bool placed; // it is there, as far as we know
	struct write *writing;
	uint64_t write_due;
	unsigned write_wait;
	int write_error;
	xy_fleet_source_done *done;
	void *done_arg;
	unsigned handles;
};

static void arm(struct folder *f);

// --- what is told

static void say(struct folder *f, bool up, const char *why)
{
	if (f->told_up && f->up == up && strcmp(f->why, why ? why : "") == 0)
		return;
	f->told_up = true;
	f->up = up;
	snprintf(f->why, sizeof(f->why), "%s", why ? why : "");
	f->face.ops->state(f->face.arg, &f->face, up, why);
}

static void say_up(struct folder *f)
{
	char why[400];
	const char *remedy =
		f->write_error == -EROFS || f->write_error == -EACCES || f->write_error == -EPERM
			? "; let its user write there (chown xylem-fleet; the unit's "
			  "ReadWritePaths), "
			  "or put there what `xylem fleet info --record` prints"
			: "; it is tried again";
	if (f->write_error)
		snprintf(why, sizeof(why), "our record cannot be written to %.200s: %s%s",
			 f->face.place, strerror(-f->write_error), remedy);
	else if (f->left_out)
		snprintf(why, sizeof(why), "more than %d files: %u are not looked at", FILES,
			 f->left_out);
	else if (f->inotify < 0 || f->watch < 0)
		snprintf(why, sizeof(why),
			 "the kernel tells of no changes (inotify: too many watches or instances), "
			 "so it is "
			 "looked at each %d s",
			 WHOLE_MS / 1000);
	else
		why[0] = 0;
	say(f, true, why[0] ? why : NULL);
}

static void tell(struct folder *f, struct entry *e, const char *text, size_t len, const char *why)
{
	uint8_t hash[HASH];
	const char *what = text ? text : why;
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)what, text ? len : strlen(why),
			   (const uint8_t *)(text ? "text" : "no text"), 0);
	if (e->told && memcmp(hash, e->hash, sizeof(hash)) == 0)
		return;
	e->told = true;
	memcpy(e->hash, hash, sizeof(hash));
	f->face.ops->put(f->face.arg, &f->face, e->name, text, len,
			 (uint64_t)e->stamp.modified.tv_sec, why);
}

// --- a file

static bool is_entry(const char *name)
{
	size_t len = strlen(name);
	return name[0] != '.' && name[0] != '#' && len > 5 && len <= XY_FLEET_ENTRY_NAME &&
	       strcmp(name + len - 5, ".json") == 0;
}

static void stamp_of(const struct stat *st, struct stamp *out)
{
	memset(out, 0, sizeof(*out)); // they are compared as bytes
	out->device = st->st_dev;
	out->inode = st->st_ino;
	out->size = st->st_size;
	out->mode = st->st_mode;
	out->modified = st->st_mtim;
	out->changed = st->st_ctim;
}

static bool is_lately(const struct timespec *at)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	long long apart = (now.tv_sec - at->tv_sec) * 1000000000LL + now.tv_nsec - at->tv_nsec;
	return apart > -HOT_NS && apart < HOT_NS;
}

static bool ends_like_one(const char *text, size_t len)
{
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	return len && text[len - 1] == '}';
}

static ssize_t fd_read(int fd, char *text, size_t size)
{
	struct stat st;
	size_t got = 0;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	while (got < size) {
		ssize_t n = read(fd, text + got, size - got);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)got;
}

// At most size bytes of it; -errno.
static ssize_t file_read(int dir, const char *name, char *text, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -errno : fd_read(fd, text, size);
	if (fd >= 0)
		close(fd);
	return n;
}

static void say_unread(struct folder *f, struct entry *e, ssize_t code)
{
	char why[200];
	if (code == -EFBIG)
		snprintf(why, sizeof(why), "is larger than %d bytes, and no record is",
			 XY_FLEET_ENTRY_BYTES);
	else if (code == -EINVAL)
		snprintf(why, sizeof(why), "is no regular file");
	else if (code == -ENODATA)
		snprintf(why, sizeof(why),
			 "is empty, or half a record: whoever wrote it has not ended");
	else
		snprintf(why, sizeof(why), "cannot be read: %s%s", strerror((int)-code),
			 code == -EACCES ? "; chmod 644" : "");
	tell(f, e, NULL, 0, why);
}

static void entry_look(struct folder *f, int dir, struct entry *e)
{
	char text[XY_FLEET_ENTRY_BYTES + 1];
	ssize_t n = file_read(dir, e->name, text, sizeof(text));
	uint64_t now = uv_now(f->loop);
	bool half = n >= 0 && n <= XY_FLEET_ENTRY_BYTES && !ends_like_one(text, (size_t)n);
	e->hot = half || is_lately(&e->stamp.changed);
	if (!half)
		e->half = 0;
	else if (!e->half)
		e->half = now ? now : 1;
	if (half && now < e->half + HALF_MS)
		return;
	if (half) // it stays as it was until it is whole
		e->hot = false;
	if (n < 0 || n > XY_FLEET_ENTRY_BYTES || half)
		say_unread(f, e, half ? -ENODATA : n < 0 ? n : -EFBIG);
	else
		tell(f, e, text, (size_t)n, NULL);
}

// --- all of them

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void entries_free(struct entry *v, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		free(v[i].name);
	free(v);
}

static bool entry_add(struct entry **v, unsigned *count, unsigned *room, const char *name)
{
	if (*count == *room) {
		unsigned more = *room ? *room * 2 : 64;
		struct entry *grown = reallocarray(*v, more, sizeof(**v));
		if (!grown)
			return false;
		*v = grown;
		*room = more;
	}
	struct entry e = {.name = strdup(name)};
	if (!e.name)
		return false;
	(*v)[(*count)++] = e;
	return true;
}

// Names, sorted, with their stamps. -errno.
static int folder_list(struct folder *f, DIR *d, struct entry **out, unsigned *count)
{
	unsigned room = 0;
	struct dirent *one;
	struct stat st;
	*out = NULL;
	*count = 0;
	f->left_out = 0;
	errno = 0;
	while ((one = readdir(d))) {
		if (!is_entry(one->d_name))
			continue;
		if (*count == FILES)
			f->left_out++;
		else if (!entry_add(out, count, &room, one->d_name))
			return -ENOMEM;
		errno = 0;
	}
	if (errno)
		return -errno;
	if (*count)
		qsort(*out, *count, sizeof(**out), by_name);
	for (unsigned i = 0; i < *count; i++)
		if (fstatat(dirfd(d), (*out)[i].name, &st, 0) == 0)
			stamp_of(&st, &(*out)[i].stamp);
	return 0;
}

// Of those before and those now, both by name. same: it is the folder of before.
static void folder_compare(struct folder *f, struct entry *now, unsigned count, bool same)
{
	struct entry *was = f->entry;
	unsigned had = f->count, i = 0;
	f->entry = now;
	f->count = count;
	for (unsigned k = 0; k < count; k++) {
		int order = -1;
		for (; i < had && (order = strcmp(was[i].name, now[k].name)) < 0; i++)
			if (was[i].told && same)
				f->face.ops->gone(f->face.arg, &f->face, was[i].name);
		bool known = i < had && order == 0;
		bool changed = !known || was[i].hot ||
			       memcmp(&was[i].stamp, &now[k].stamp, sizeof(now[k].stamp)) != 0;
		now[k].pending = changed || was[i].pending;
		if (known) {
			now[k].half = was[i].half;
			now[k].told = was[i].told;
			memcpy(now[k].hash, was[i].hash, HASH);
			i++;
		}
	}
	for (; i < had; i++)
		if (was[i].told && same)
			f->face.ops->gone(f->face.arg, &f->face, was[i].name);
	entries_free(was, had);
}

static void watch_anew(struct folder *f)
{
	if (f->inotify < 0)
		return;
	if (f->watch >= 0)
		inotify_rm_watch(f->inotify, f->watch);
	f->watch = inotify_add_watch(f->inotify, f->face.place, EVENTS);
}

static bool has_own(const struct folder *f, const char *name)
{
	for (unsigned i = 0; i < f->count; i++)
		if (strcmp(f->entry[i].name, name) == 0)
			return true;
	return false;
}

static void say_away(struct folder *f, int code)
{
	char why[400];
	snprintf(why, sizeof(why), "%.250s: %s%s", f->face.place, strerror(code),
		 code == ENOENT
			 ? "; make it: install -d -o xylem-fleet, or mount it; it is looked for"
		 : code == EACCES ? "; let the user xylem-fleet into it: chmod o+rx"
				  : "");
	if (f->watch >= 0)
		inotify_rm_watch(f->inotify, f->watch);
	f->watch = -1;
	say(f, false, why);
}

static void look(struct folder *f)
{
	struct entry *now = NULL;
	struct stat st;
	unsigned count = 0;
	uint64_t begun = uv_hrtime();
	int fd = open(f->face.place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 || fstat(fd, &st) ? -errno : 0;
	bool same = !r && st.st_dev == f->device && st.st_ino == f->inode;
	bool first = !r && !f->inode;
	if (!r && (!same || f->watch < 0))
		watch_anew(f); // before it is read: what comes meanwhile is seen
	DIR *d = r ? NULL : fdopendir(fd);
	if (!r)
		r = d ? folder_list(f, d, &now, &count) : -errno;
	if (r) {
		entries_free(now, count);
		f->there = f->pending = false;
		say_away(f, -r);
	} else {
		f->there = f->pending = true;
		f->pending_at = 0;
		f->device = st.st_dev;
		f->inode = st.st_ino;
		folder_compare(f, now, count, same || first);
		if (f->own[0] && f->placed && !has_own(f, f->own)) {
			f->placed = false;
			f->write_due = uv_now(f->loop) + f->write_wait;
		}
	}
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	uv_update_time(f->loop);
	f->took = (uv_hrtime() - begun) / 1000000;
	f->looked = uv_now(f->loop);
	f->due = f->looked + WHOLE_MS;
}

// What has changed is read, for so long in a turn: ten thousand records are some seconds of
// signatures. Behind the last all is told.
static void read_some(struct folder *f)
{
	uint64_t end = uv_hrtime() + SLICE_MS * UINT64_C(1000000);
	int dir = open(f->face.place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (; f->pending_at < f->count && uv_hrtime() < end; f->pending_at++) {
		struct entry *e = &f->entry[f->pending_at];
		if (e->pending && dir >= 0)
			entry_look(f, dir, e);
		e->pending = e->pending && dir < 0;
	}
	if (dir >= 0)
		close(dir);
	uv_update_time(f->loop);
	if (f->pending_at < f->count)
		return;
	f->pending = false;
	say_up(f);
}

// Is something to be looked at soon again?
static uint64_t again(const struct folder *f)
{
	for (unsigned i = 0; i < f->count; i++)
		if (f->entry[i].hot)
			return f->looked +
			       (f->took * LOOKS > HALF_AGAIN_MS ? f->took * LOOKS : HALF_AGAIN_MS);
	return UINT64_MAX;
}

// --- our own

static void tell_done(struct folder *f, int code, const char *why)
{
	xy_fleet_source_done *done = f->done;
	f->done = NULL;
	if (done)
		done(f->done_arg, code, why);
}

static void write_it(uv_work_t *work)
{
	struct write *w = work->data;
	w->result = xy_keep_write_as(w->folder, w->name, w->text, w->len, 0644);
}

static void written(uv_work_t *work, int status)
{
	struct write *w = work->data;
	struct folder *f = w->f;
	if (!f) {
		free(w);
		return;
	}
	f->writing = NULL;
	bool newest = w->len == f->len && memcmp(w->text, f->text, w->len) == 0;
	f->write_error = status ? status : w->result;
	free(w);
	uint64_t now = uv_now(f->loop);
	if (!f->write_error && newest) {
		f->placed = true;
		tell_done(f, 0, NULL);
	} else {
		f->write_due = now + (newest ? f->write_wait : 0);
	}
	if (newest && f->write_wait < WRITE_AGAIN_MOST)
		f->write_wait *= 2; // also where somebody removes it again and again
	if (f->up)		    // else when all is read
		say_up(f);
	arm(f);
}

static void write_begin(struct folder *f)
{
	struct write *w = calloc(1, sizeof(*w));
	f->write_due = uv_now(f->loop) + f->write_wait;
	if (!w)
		return;
	w->f = f;
	w->work.data = w;
	w->len = f->len;
	memcpy(w->folder, f->face.place, sizeof(w->folder));
	memcpy(w->name, f->own, sizeof(w->name));
	memcpy(w->text, f->text, f->len);
	if (uv_queue_work(f->loop, &w->work, write_it, written)) {
		free(w);
		return;
	}
	f->writing = w;
}

static void publish(struct xy_fleet_source *s, const struct xy_fleet_self *self, const char *text,
		    size_t len, xy_fleet_source_done *done, void *arg)
{
	struct folder *f = (struct folder *)s;
	char hex[XY_FLEET_KEY_STRLEN];
	tell_done(f, -ECANCELED, "another record took its place");
	if (len > sizeof(f->text)) {
		done(arg, -EMSGSIZE, "it is too large");
		return;
	}
	snprintf(f->own, sizeof(f->own), "%s.json", xy_fleet_key_hex(&self->address, hex));
	memcpy(f->text, text, len);
	f->len = len;
	f->placed = false;
	f->write_wait = WRITE_AGAIN_MS;
	f->write_due = uv_now(f->loop);
	f->done = done;
	f->done_arg = arg;
	arm(f);
}

static void tell_again(struct xy_fleet_source *s)
{
	struct folder *f = (struct folder *)s;
	for (unsigned i = 0; i < f->count; i++) {
		f->entry[i].pending = true;
		memset(f->entry[i].hash, 0, HASH);
	}
	f->pending_at = 0;
	f->pending = f->there;
	arm(f);
}

// --- the loop

static void on_timer(uv_timer_t *t)
{
	struct folder *f = t->data;
	struct stat st;
	uv_update_time(f->loop);
	uint64_t now = uv_now(f->loop);
	bool there = stat(f->face.place, &st) == 0;
	bool same = there && st.st_dev == f->device && st.st_ino == f->inode;
	if (now >= f->due || now >= again(f) || there != f->there || (there && !same) ||
	    (!f->told_up && !f->pending))
		look(f);
	if (f->pending)
		read_some(f);
	if (f->own[0] && !f->placed && !f->writing && now >= f->write_due && f->there)
		write_begin(f);
	arm(f);
}

static void arm(struct folder *f)
{
	uint64_t now = uv_now(f->loop), next = now + TICK_MS, hot = again(f);
	next = f->pending ? now + 1
			  : next; // others have their turn: a timer of 0 would go before them
	next = f->due < next ? f->due : next;
	next = hot < next ? hot : next;
	if (f->there && f->own[0] && !f->placed && !f->writing && f->write_due < next)
		next = f->write_due;
	uv_timer_start(&f->timer, on_timer, next > now ? next - now : 0, 0);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct folder *f = poll->data;
	char buf[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
	while (read(f->inotify, buf, sizeof(buf)) > 0)
		; // whatever it was: all of it is looked through
	uint64_t now = uv_now(f->loop);
	uint64_t apart = f->took * LOOKS > APART_MS ? f->took * LOOKS : APART_MS;
	uint64_t due = now + SOON_MS > f->looked + apart ? now + SOON_MS : f->looked + apart;
	if (due < f->due)
		f->due = due;
	arm(f);
}

static int start(struct xy_fleet_source *s, struct xy_err *err)
{
	struct folder *f = (struct folder *)s;
	f->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f->inotify >= 0 && uv_poll_init(f->loop, &f->poll, f->inotify) == 0) {
		f->poll.data = f;
		f->polls = true;
		f->handles++;
		uv_poll_start(&f->poll, UV_READABLE, on_event);
	}
	f->started = true;
	arm(f);
	return 0;
}

static void closed(uv_handle_t *h)
{
	struct folder *f = h->data;
	if (--f->handles)
		return;
	if (f->inotify >= 0)
		close(f->inotify);
	entries_free(f->entry, f->count);
	free(f);
}

static void folder_close(struct xy_fleet_source *s)
{
	struct folder *f = (struct folder *)s;
	if (!f)
		return;
	if (f->writing)
		f->writing->f = NULL;
	tell_done(f, -ECANCELED, "this program ends");
	uv_close((uv_handle_t *)&f->timer, closed);
	if (f->polls)
		uv_close((uv_handle_t *)&f->poll, closed);
}

int xy_fleet_folder_create(uv_loop_t *loop, const char *path, const struct xy_fleet_source_ops *ops,
			   void *arg, struct xy_fleet_source **out)
{
	struct folder *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->face = (struct xy_fleet_source){.kind = "folder",
					   .start = start,
					   .publish = publish,
					   .leave = publish, // the record itself says that it ended
					   .tell_again = tell_again,
					   .close = folder_close,
					   .ops = ops,
					   .arg = arg};
	snprintf(f->face.place, sizeof(f->face.place), "%s", path);
	f->loop = loop;
	f->inotify = f->watch = -1;
	f->write_wait = WRITE_AGAIN_MS;
	f->timer.data = f;
	f->handles = 1;
	uv_timer_init(loop, &f->timer);
	*out = &f->face;
	return 0;
}
