// SPDX-License-Identifier: BSD-3-Clause
#include "log.h"

#include "base/bytes.h"
#include "logline.h"
#include "logring.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL "/run/systemd/journal/socket"

// Helpers log as well: each is read and written whole.
static uint8_t level_of[XY_LOG_PART_COUNT];
static uint8_t log_format;
static bool log_colour, stderr_journal;
static const char *own_word; // NULL: the daemon's
static int journal_fd = -1;
static struct sockaddr_un journal_at;
static bool journal_lost; // said

// systemd says in JOURNAL_STREAM which device and inode the journal is; stderr may be another.
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void xy_log_init(enum xy_log_level level)
{
	const char *no_colour = getenv("NO_COLOR");
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	xy_logring_begin(&now);
	xy_log_level_set(level);
	log_colour = isatty(STDERR_FILENO) && !(no_colour && *no_colour);
	stderr_journal = stderr_is_journal();
}

void xy_log_word_set(const char *word)
{
	own_word = word;
}

void xy_log_level_set(enum xy_log_level level)
{
	for (unsigned i = 0; i < XY_LOG_PART_COUNT; i++)
		xy_log_part_level_set(i, level);
}

void xy_log_part_level_set(enum xy_log_part part, enum xy_log_level level)
{
	__atomic_store_n(&level_of[part], (uint8_t)level, __ATOMIC_RELAXED);
}

static bool is_wanted(enum xy_log_part part, enum xy_log_level level)
{
	return level <= __atomic_load_n(&level_of[part], __ATOMIC_RELAXED);
}

static void to_stderr(const struct xy_logline *l, enum xy_log_format format)
{
	char bytes[XY_LOGLINE_SIZE];
	size_t n = format == XY_LOG_JSON ? xy_logline_json(l, bytes)
		   : stderr_journal	 ? xy_logline_prefixed(l, bytes)
					 : xy_logline_text(l, log_colour, bytes);
	ssize_t r = write(STDERR_FILENO, bytes, n); // one call: lines of two threads do not mix
	(void)r;
}

// Without a connection, for the journal may be started anew; and without waiting for it.
static bool to_journal(const struct xy_logline *l)
{
	char bytes[XY_LOGLINE_SIZE];
	int fd = __atomic_load_n(&journal_fd, __ATOMIC_ACQUIRE);
	size_t n = fd < 0 ? 0 : xy_logline_journal(l, bytes);
	return n && sendto(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL,
			   (const struct sockaddr *)&journal_at, sizeof(journal_at)) == (ssize_t)n;
}

static void put(const struct xy_logline *l)
{
	enum xy_log_format format = __atomic_load_n(&log_format, __ATOMIC_RELAXED);
	bool told = format == XY_LOG_JOURNALD && to_journal(l);
	if (format == XY_LOG_JOURNALD && told)
		__atomic_store_n(&journal_lost, false, __ATOMIC_RELAXED);
	else if (format == XY_LOG_JOURNALD &&
		 !__atomic_exchange_n(&journal_lost, true, __ATOMIC_RELAXED)) {
		char text[300];
		snprintf(text, sizeof(text),
			 "log.format is \"journald\", and %s takes nothing (%s); until it does the "
			 "log is here",
			 journal_at.sun_path, strerror(errno));
		struct xy_logline lost = {l->at, XY_PART_DAEMON, XY_LOG_WARN, text, strlen(text)};
		xy_logring_put(&lost);
		to_stderr(&lost, XY_LOG_TEXT);
	}
	if (!told)
		to_stderr(l, format);
}

void xy_log_format_set(enum xy_log_format format, const char *journal)
{
	journal = journal ? journal : JOURNAL;
	if (format == XY_LOG_JOURNALD && journal_fd < 0 &&
	    strlen(journal) < sizeof(journal_at.sun_path)) {
		journal_at.sun_family = AF_UNIX;
		memcpy(journal_at.sun_path, journal, strlen(journal) + 1);
		__atomic_store_n(&journal_fd, socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0),
				 __ATOMIC_RELEASE); // and stays, for a helper may be sending
	}
	__atomic_store_n(&log_format, (uint8_t)format, __ATOMIC_RELAXED);
}

static void say(enum xy_log_part part, enum xy_log_level level, const char *text, size_t len)
{
	int error = errno; // a caller's is not for the log to change
	struct xy_logline l = {.part = part, .level = level, .text = text, .len = len};
	l.word = part == XY_PART_DAEMON ? own_word : NULL;
	clock_gettime(CLOCK_REALTIME, &l.at);
	xy_logring_put(&l);
	put(&l);
	errno = error;
}

__attribute__((format(printf, 3, 0))) static size_t form(char *to, size_t size, const char *fmt,
							 va_list ap)
{
	int n = vsnprintf(to, size, fmt, ap);
	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

void xy_log_write(enum xy_log_part part, enum xy_log_level level, const char *fmt, ...)
{
	char text[XY_LOGLINE_TEXT];
	va_list ap;
	if (!is_wanted(part, level))
		return;
	va_start(ap, fmt);
	size_t n = form(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(part, level, text, n);
}

bool xy_log_limit_pass(struct xy_log_limit *limit, xy_nsec now, unsigned long *suppressed)
{
	if (now < limit->next) {
		limit->suppressed++;
		return false;
	}
	*suppressed = limit->suppressed;
	limit->suppressed = 0;
	limit->next = now + XY_LOG_LIMIT_INTERVAL;
	return true;
}

// --- what becomes of peers and neighbours

enum { PLACES = 2048, FEW = 8 }; // of which one has so many to choose from

struct changer {      // who, of one part
	uint64_t who; // its hash; 0: nobody
	xy_nsec until;
	unsigned said, held;
	enum xy_log_part part;
	enum xy_log_level level;
	char *last; // of what is held
};

// Those whom nobody configured come as often as they like: they have a share of their own.
static struct share {
	struct changer of[PLACES];
	xy_nsec until;
	unsigned said;
	unsigned long held; // and never said, for there was no place
} shares[2];

static void changer_end(struct changer *c)
{
	char text[XY_LOGLINE_TEXT + 40];
	if (c->held) {
		int n = c->held == 1 ? snprintf(text, sizeof(text), "%s", c->last)
				     : snprintf(text, sizeof(text), "%s (%u more like it)", c->last,
						c->held - 1);
		say(c->part, c->level, text, (size_t)n);
	}
	free(c->last);
	*c = (struct changer){0};
}

static void share_end(struct share *s)
{
	if (s->held)
		xy_log_write(XY_PART_DAEMON, XY_LOG_INFO,
			     "log: %lu more lines of what became of peers and neighbours%s: more "
			     "than %d in %d s (xylem show peers has all)",
			     s->held, s == shares ? "" : " that no config names",
			     XY_LOG_CHANGES_ALL, (int)(XY_LOG_LIMIT_INTERVAL / XY_SEC));
	s->said = 0;
	s->held = 0;
	s->until = 0;
}

static bool share_pass(struct share *s, xy_nsec now)
{
	if (s->until <= now) {
		share_end(s);
		s->until = now + XY_LOG_LIMIT_INTERVAL;
	}
	return s->said < XY_LOG_CHANGES_ALL && ++s->said;
}

void xy_log_changes_settle(xy_nsec now)
{
	for (struct share *s = shares; s < shares + XY_ARRAY_SIZE(shares); s++) {
		unsigned lines = 0; // what is more waits for the next second
		for (unsigned i = 0; i < PLACES; i++) {
			struct changer *c = &s->of[i];
			if (!c->who || c->until > now ||
			    (c->held && lines == XY_LOG_CHANGES_ALL && now != XY_NEVER))
				continue;
			lines += c->held > 0;
			changer_end(c);
		}
		if (s->until && s->until <= now)
			share_end(s);
	}
}

// FNV-1a, mixed.
static uint64_t hash(enum xy_log_part part, const char *who)
{
	uint64_t h = 0xcbf29ce484222325u ^ part;
	for (; *who; who++)
		h = (h ^ (uint8_t)*who) * 0x100000001b3u;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
	return h ^ h >> 33 ? h ^ h >> 33 : 1;
}

// Its place goes to another: what is held of it is said now, or counted.
static void changer_evict(struct share *s, struct changer *c, xy_nsec now)
{
	if (c->held && c->until > now && !share_pass(s, now)) {
		s->held += c->held;
		c->held = 0;
	}
	changer_end(c);
}

static bool is_lighter(const struct changer *a, const struct changer *b, xy_nsec now)
{
	bool a_holds = a->held && a->until > now, b_holds = b->held && b->until > now;
	return a_holds != b_holds ? b_holds : a->until < b->until;
}

// Its place, or of its few the one of whom nothing is held, or whose interval ends first.
static struct changer *changer_of(struct share *s, uint64_t who, xy_nsec now)
{
	struct changer *few = &s->of[who % (PLACES / FEW) * FEW], *c = few;
	for (unsigned i = 0; i < FEW && c->who != who; i++)
		if (few[i].who == who || is_lighter(&few[i], c, now))
			c = &few[i];
	if (c->who != who || c->until <= now) {
		changer_evict(s, c, now);
		c->who = who;
		c->until = now + XY_LOG_LIMIT_INTERVAL;
	}
	return c;
}

void xy_log_changes_end(const char *who)
{
	for (struct share *s = shares; s < shares + XY_ARRAY_SIZE(shares); s++)
		for (unsigned part = 0; part < XY_LOG_PART_COUNT; part++) {
			uint64_t h = hash(part, who);
			struct changer *few = &s->of[h % (PLACES / FEW) * FEW];
			for (unsigned i = 0; i < FEW; i++)
				if (few[i].who == h)
					changer_end(&few[i]);
		}
}

void xy_log_change_write(enum xy_log_part part, enum xy_log_level level, xy_nsec now, bool open,
			 const char *who, const char *fmt, ...)
{
	char text[XY_LOGLINE_TEXT];
	struct share *s = &shares[open];
	va_list ap;
	if (!is_wanted(part, level))
		return;
	struct changer *c = changer_of(s, hash(part, who), now);
	va_start(ap, fmt);
	size_t n = form(text, sizeof(text), fmt, ap);
	va_end(ap);
	// behind what is held it would be said before it
	if (!c->held && c->said < XY_LOG_CHANGES && share_pass(s, now)) {
		c->said++;
		say(part, level, text, n);
		return;
	}
	char *last = strndup(text, n);
	if (!last) { // what is held is not the last any more
		s->held += c->held + 1;
		c->held = 0;
		return;
	}
	free(c->last);
	c->last = last;
	c->held++;
	c->part = part;
	c->level = level;
}
