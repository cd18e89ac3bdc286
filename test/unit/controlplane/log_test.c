// SPDX-License-Identifier: BSD-3-Clause
// The log: each form of a line as bytes, whatever the line holds; levels by part; and that of what
// becomes of peers the last is said, with how many were not; the ring of its last lines.
#define XY_LOG_PART XY_PART_LINKS

#include "log.h"

#include "logring.h"
#include "unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// --- forms

static char bytes[XY_LOGLINE_SIZE + 1];

static struct xy_logline line(enum xy_log_part part, enum xy_log_level level, const char *text)
{
	return (struct xy_logline){.at = {1700000000, 123456789},
				   .part = part,
				   .level = level,
				   .text = text,
				   .len = strlen(text)};
}

static const char *text_of(const struct xy_logline *l, bool colour)
{
	bytes[xy_logline_text(l, colour, bytes)] = 0;
	return bytes;
}

static void test_text(void)
{
	struct xy_logline l = line(XY_PART_LINKS, XY_LOG_INFO, "peer a: up");
	CU_ASSERT_STRING_EQUAL(text_of(&l, false),
			       "2023-11-14T22:13:20.123Z info: links: peer a: up\n");
	bytes[xy_logline_prefixed(&l, bytes)] = 0;
	CU_ASSERT_STRING_EQUAL(bytes, "<6>info: links: peer a: up\n");
	l = line(XY_PART_ROUTING, XY_LOG_WARN, "routing: peer a is silent");
	CU_ASSERT_STRING_EQUAL(text_of(&l, false),
			       "2023-11-14T22:13:20.123Z warn: routing: peer a is silent\n");
	l = line(XY_PART_DAEMON, XY_LOG_INFO, "login: a session begins");
	l.word = "web"; // of another program
	CU_ASSERT_STRING_EQUAL(text_of(&l, false),
			       "2023-11-14T22:13:20.123Z info: web: login: a session begins\n");
	l = line(XY_PART_STATE, XY_LOG_INFO, "a\n2023 error: b \033[2J\xc2\x9b \xff \xc3\xa4\x7f");
	CU_ASSERT(strstr(text_of(&l, false),
			 " a\\x0a2023 error: b \\x1b[2J\\xc2\\x9b \\xff \xc3\xa4\\x7f\n") != NULL);
}

// A class, a colour; what is wrong is red or yellow whole.
static void test_colours(void)
{
	static const struct {
		enum xy_log_part part;
		enum xy_log_level level;
		const char *colour;
	} table[] = {
		{XY_PART_LINKS, XY_LOG_ERROR, "\033[31merror"},
		{XY_PART_LINKS, XY_LOG_WARN, "\033[33mwarn"},
		{XY_PART_LINKS, XY_LOG_INFO, "\033[32mlinks"},
		{XY_PART_ROUTING, XY_LOG_INFO, "\033[36mrouting"},
		{XY_PART_INTERFACE, XY_LOG_INFO, "\033[34minterface"},
		{XY_PART_CONFINEMENT, XY_LOG_INFO, "\033[35mconfinement"},
	};
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct xy_logline l = line(table[i].part, table[i].level, "x");
		CU_ASSERT(strstr(text_of(&l, true), table[i].colour) != NULL);
		CU_ASSERT(!strchr(text_of(&l, false), '\033'));
	}
}

static void test_peer(void)
{
	static const struct {
		const char *text, *peer;
	} table[] = {
		{"peer r-1._x: up", "r-1._x"},
		{"routing: peer b is silent", "b"},
		{"control: anna (uid 1, pid 2): peer c: traffic off", "c"},
		{"no peer came up", NULL},
		{"a peer b", NULL},
		{"peer ", NULL},
		{"peer", NULL},
		{"", NULL},
		{"peer 0123456789012345678901234567890123: x", NULL}, // no name is as long
		{"peer ;: x", NULL},
	};
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct xy_logline l = line(XY_PART_LINKS, XY_LOG_INFO, table[i].text);
		size_t n = 0;
		const char *peer = xy_logline_peer(&l, &n);
		CU_ASSERT(!peer == !table[i].peer);
		if (peer && table[i].peer)
			CU_ASSERT(n == strlen(table[i].peer) && !memcmp(peer, table[i].peer, n));
	}
}

static json_t *json_of(const struct xy_logline *l)
{
	json_error_t why;
	size_t n = xy_logline_json(l, bytes);
	CU_ASSERT(n && bytes[n - 1] == '\n' && !memchr(bytes, '\n', n - 1));
	json_t *o = json_loadb(bytes, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	CU_ASSERT_FATAL(o != NULL);
	return o;
}

static const char *at(const json_t *o, const char *key)
{
	const char *v = json_string_value(json_object_get(o, key));
	return v ? v : "-";
}

static void test_json(void)
{
	static const char hostile[] =
		"peer a: \"\\\n\",\"level\":\"x\t\x01\xff\xed\xa0\x80\xc0\x80";
	struct xy_logline l = line(XY_PART_LINKS, XY_LOG_WARN, hostile);
	json_t *o = json_of(&l);
	CU_ASSERT_STRING_EQUAL(at(o, "ts"), "2023-11-14T22:13:20.123Z");
	CU_ASSERT_STRING_EQUAL(at(o, "level"), "warn");
	CU_ASSERT_STRING_EQUAL(at(o, "subsystem"), "links");
	CU_ASSERT_STRING_EQUAL(at(o, "peer"), "a");
	CU_ASSERT(strncmp(at(o, "msg"), hostile, 25) == 0);
	CU_ASSERT(json_object_size(o) == 5);
	json_decref(o);
	l = line(XY_PART_STATE, XY_LOG_INFO, "saved");
	o = json_of(&l);
	CU_ASSERT(json_object_size(o) == 4);
	json_decref(o);
}

// All bytes, in any order, up to the longest.
static void test_any_bytes(void)
{
	char text[XY_LOGLINE_TEXT];
	unsigned seed = 1;
	for (unsigned turn = 0; turn < 2000; turn++) {
		size_t len = (size_t)rand_r(&seed) % sizeof(text);
		unsigned kind = turn % 3;
		for (size_t i = 0; i < len; i++)
			text[i] = kind == 0   ? (char)rand_r(&seed)
				  : kind == 1 ? (char)(rand_r(&seed) % 0x20)
					      : "\xe2\x82\xac\xf0\x9f\"\\"[rand_r(&seed) % 7];
		struct xy_logline l = line(XY_PART_LINKS, XY_LOG_INFO, "");
		l.text = text;
		l.len = len;
		json_decref(json_of(&l));
		size_t n = xy_logline_text(&l, turn & 1, bytes);
		CU_ASSERT(n && !memchr(bytes, '\n', n - 1));
		CU_ASSERT(xy_logline_journal(&l, bytes) > len);
	}
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = 1;
	struct xy_logline l = line(XY_PART_LINKS, XY_LOG_INFO, "");
	l.text = text;
	l.len = sizeof(text);
	json_t *o = json_of(&l);
	CU_ASSERT(strlen(at(o, "msg")) == sizeof(text)); // whole
	json_decref(o);
}

static void test_journal(void)
{
	static const char want[] = "PRIORITY=4\nSYSLOG_IDENTIFIER=xylemd\nXYLEM_SUBSYSTEM=links\n"
				   "XYLEM_PEER\n\1\0\0\0\0\0\0\0a\n"
				   "MESSAGE\n\x14\0\0\0\0\0\0\0peer a: b\nPRIORITY=0\n";
	struct xy_logline l = line(XY_PART_LINKS, XY_LOG_WARN, "peer a: b\nPRIORITY=0");
	size_t n = xy_logline_journal(&l, bytes);
	CU_ASSERT(n == sizeof(want) - 1 && memcmp(bytes, want, n) == 0);
}

// --- what is written

static int was_stderr, caught;

static void catch_begin(void)
{
	char name[] = "/tmp/xylem-log-XXXXXX";
	fflush(stderr);
	was_stderr = dup(STDERR_FILENO);
	caught = mkstemp(name);
	CU_ASSERT_FATAL(caught >= 0);
	unlink(name);
	dup2(caught, STDERR_FILENO);
	xy_log_init(XY_LOG_INFO);
}

// What was written since the last call.
static const char *lines(void)
{
	static char text[1 << 20];
	ssize_t n = pread(caught, text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = 0;
	CU_ASSERT(ftruncate(caught, 0) == 0);
	lseek(caught, 0, SEEK_SET);
	return text;
}

static void catch_end(void)
{
	dup2(was_stderr, STDERR_FILENO);
	close(was_stderr);
	close(caught);
	xy_log_init(XY_LOG_ERROR);
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;
	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

static void test_levels(void)
{
	catch_begin();
	xy_log_part_level_set(XY_PART_LINKS, XY_LOG_DEBUG);
	xy_log_debug("one");
	xy_log_write(XY_PART_ROUTING, XY_LOG_DEBUG, "two");
	xy_log_part_level_set(XY_PART_ROUTING, XY_LOG_ERROR);
	xy_log_write(XY_PART_ROUTING, XY_LOG_WARN, "three");
	xy_log_write(XY_PART_ROUTING, XY_LOG_ERROR, "four");
	const char *text = lines();
	CU_ASSERT(strstr(text, "debug: links: one\n") && strstr(text, "error: routing: four\n"));
	CU_ASSERT(!strstr(text, "two") && !strstr(text, "three"));
	xy_log_format_set(XY_LOG_JSON, NULL);
	xy_log_info("%s", "five");
	CU_ASSERT(strncmp(lines(), "{\"ts\":\"", 7) == 0);
	xy_log_format_set(XY_LOG_TEXT, NULL);
	catch_end();
}

static void test_journald(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char folder[] = "/tmp/xylem-log-XXXXXX";
	CU_ASSERT_FATAL(mkdtemp(folder) != NULL);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s/socket", folder);
	catch_begin();
	xy_log_format_set(XY_LOG_JOURNALD, to.sun_path);
	xy_log_info("peer a: one");
	xy_log_info("peer a: two");
	const char *text = lines(); // nobody listens: a word, once, and the lines
	CU_ASSERT(count(text, "takes nothing") == 1 && strstr(text, "one") && strstr(text, "two"));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CU_ASSERT_FATAL(bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	xy_log_warn("peer a: three");
	ssize_t n = recv(fd, bytes, sizeof(bytes) - 1, 0);
	CU_ASSERT_FATAL(n > 0);
	CU_ASSERT(memmem(bytes, (size_t)n, "peer a: three\n", 14) != NULL);
	CU_ASSERT(memmem(bytes, (size_t)n, "PRIORITY=4\n", 11) != NULL);
	CU_ASSERT_STRING_EQUAL(lines(), "");
	unsigned sent = 0; // it does not read: nothing waits for it, and nothing is lost
	for (; sent < 5000 && !count(lines(), "takes nothing"); sent++)
		xy_log_info("peer a: flood");
	CU_ASSERT(sent < 5000);
	close(fd);
	unlink(to.sun_path);
	rmdir(folder);
	xy_log_format_set(XY_LOG_TEXT, NULL);
	catch_end();
}

// --- what becomes of peers

static void becomes(xy_nsec now, const char *who, bool up)
{
	xy_log_change(XY_LOG_INFO, now, who[0] == 's', who, "peer %s: %s", who, up ? "up" : "down");
}

static void test_changes(void)
{
	catch_begin();
	for (unsigned i = 0; i < 21; i++)
		becomes(XY_SEC + i, "a", i % 2);
	becomes(XY_SEC, "b", true);
	const char *text = lines();
	CU_ASSERT_EQUAL(count(text, "peer a: "), XY_LOG_CHANGES);
	CU_ASSERT_EQUAL(count(text, "peer b: up"), 1); // another's flapping is not its
	xy_log_changes_settle(5 * XY_SEC);
	CU_ASSERT_STRING_EQUAL(lines(), "");
	xy_log_changes_settle(11 * XY_SEC + 1); // the last of it is what is
	text = lines();
	CU_ASSERT(strstr(text, "links: peer a: down (16 more like it)\n") != NULL);
	CU_ASSERT_EQUAL(count(text, "peer"), 1);
	becomes(12 * XY_SEC, "a", true); // and then as at first
	CU_ASSERT(strstr(lines(), "peer a: up\n") != NULL);
	for (unsigned i = 0; i < 4; i++)
		becomes(13 * XY_SEC, "a", false);
	xy_log_changes_settle(XY_NEVER);
	CU_ASSERT_EQUAL(count(lines(), "peer a: down\n"), 4); // one was held: it alone
	catch_end();
}

// Thousands at once are no thousands of lines, and that is said.
static void test_changes_of_all(void)
{
	char name[16];
	catch_begin();
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		becomes(100 * XY_SEC, name, true);
	}
	CU_ASSERT_EQUAL(count(lines(), ": up"), XY_LOG_CHANGES_ALL);
	xy_log_changes_settle(110 * XY_SEC);
	const char *text = lines();
	CU_ASSERT(strstr(text, " 7440 more lines") != NULL);
	CU_ASSERT_EQUAL(count(text, ": up"), XY_LOG_CHANGES_ALL); // and more in the next second
	becomes(110 * XY_SEC, "p1", false);
	xy_log_changes_settle(XY_NEVER);
	text = lines();
	CU_ASSERT_EQUAL(count(text, "p1: down"), 1);
	CU_ASSERT_EQUAL(count(text, ": up"), 2048 - XY_LOG_CHANGES_ALL);
	catch_end();
}

enum { CROWD = 600 };

static void crowd(xy_nsec now, bool backwards, bool up)
{
	char name[16];
	for (unsigned i = 0; i < CROWD; i++) {
		snprintf(name, sizeof(name), "p%u.", backwards ? CROWD - 1 - i : i);
		becomes(now, name, up);
	}
}

// Of how many the last word in text is "up".
static unsigned are_up(const char *text)
{
	unsigned n = 0;
	char word[40];
	for (unsigned i = 0; i < CROWD; i++) {
		const char *last = NULL;
		snprintf(word, sizeof(word), "peer p%u.: ", i);
		for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
			last = at + strlen(word);
		n += last && strncmp(last, "up", 2) == 0;
	}
	return n;
}

// More than may be said of all at once: the last word of each is what is.
static void test_changes_of_many(void)
{
	for (unsigned later = 5; later <= 11; later += 6) { // in the same interval, in the next
		catch_begin();
		crowd(200 * XY_SEC, false, false);
		for (unsigned s = 1; s < later; s++)
			xy_log_changes_settle((200 + s) * XY_SEC);
		crowd((200 + later) * XY_SEC, true, true);
		for (unsigned s = later; s < 30; s++)
			xy_log_changes_settle((200 + s) * XY_SEC);
		const char *text = lines();
		CU_ASSERT_EQUAL(are_up(text), CROWD);
		CU_ASSERT(strstr(text, "more lines") == NULL);
		catch_end();
	}
}

// Strangers (here s...) as many as they like: what the config names has its own share.
static void test_changes_of_strangers(void)
{
	char name[16];
	catch_begin();
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		becomes(300 * XY_SEC, name, true);
	}
	CU_ASSERT_EQUAL(count(lines(), ": up"), XY_LOG_CHANGES_ALL);
	becomes(300 * XY_SEC, "a", false);
	CU_ASSERT_EQUAL(count(lines(), "peer a: down"), 1);
	xy_log_changes_settle(XY_NEVER);
	CU_ASSERT(strstr(lines(), "neighbours that no config names: more than") != NULL);
	catch_end();
}

// What is held of a peer is not said behind its removal.
static void test_changes_removed(void)
{
	catch_begin();
	for (unsigned i = 0; i < 6; i++)
		becomes(400 * XY_SEC, "a", i % 2);
	lines();
	xy_log_changes_end("a");
	CU_ASSERT(strstr(lines(), "peer a: up (1 more like it)\n") != NULL);
	xy_log_changes_settle(XY_NEVER);
	CU_ASSERT_STRING_EQUAL(lines(), "");
	catch_end();
}

// --- what is kept

static bool is_kept(uint64_t after, uint64_t seq, const char *text)
{
	static struct xy_logring_line l;
	bool there = xy_logring_after(after, &l);
	return there && l.seq == seq && l.line.len == strlen(text) &&
	       memcmp(l.line.text, text, l.line.len) == 0 && l.line.part == XY_PART_LINKS;
}

static void test_ring(void)
{
	struct xy_logring_line l;
	char text[16];
	catch_begin();
	xy_logring_begin(&(struct timespec){1000, 5000}); // 10^9 + 5 us
	CU_ASSERT(!xy_logring_after(0, &l) && !xy_logring_after(7, &l) && !xy_logring_newest());
	xy_log_info("first");
	xy_log_debug("nobody wants it");
	xy_log_warn("second");
	CU_ASSERT(is_kept(0, 1000000005, "first") && is_kept(1000000004, 1000000005, "first"));
	CU_ASSERT(is_kept(1000000005, 1000000006, "second"));
	CU_ASSERT(!xy_logring_after(1000000006, &l) && xy_logring_newest() == 1000000006);
	CU_ASSERT(is_kept(1000000007, 1000000005, "first")); // of another start: all are behind it
	for (unsigned i = 0; i < XY_LOGRING_LINES; i++)
		xy_log_info("%u", i);
	CU_ASSERT(is_kept(0, 1000000007, "0") && is_kept(1000000005, 1000000007, "0"));
	snprintf(text, sizeof(text), "%d", XY_LOGRING_LINES - 1);
	CU_ASSERT(is_kept(xy_logring_newest() - 1, xy_logring_newest(), text));
	CU_ASSERT_EQUAL(xy_logring_missed(0), 0);	  // who has nothing, misses nothing
	CU_ASSERT_EQUAL(xy_logring_missed(999999999), 0); // of another start
	CU_ASSERT_EQUAL(xy_logring_missed(xy_logring_newest() - XY_LOGRING_LINES), 0);
	CU_ASSERT_EQUAL(xy_logring_missed(1000000006),
			xy_logring_newest() - XY_LOGRING_LINES - 1000000006);
	xy_logring_begin(&(struct timespec){-1, 0}); // a clock that was lost
	CU_ASSERT(!xy_logring_newest() && !xy_logring_after(0, &l));
	xy_log_info("third");
	CU_ASSERT(is_kept(0, xy_logring_newest(), "third"));
	catch_end();
}

// The longest is whole, and as a text it has no byte that steers.
static void test_ring_bytes(void)
{
	static struct xy_logring_line l;
	enum { LONGEST = XY_LOGLINE_TEXT };
	char text[LONGEST + 1] = "";
	for (unsigned i = 0; i < LONGEST; i++)
		text[i] = (char)(i % 31 + 1);
	struct xy_logline put = line(XY_PART_STATE, XY_LOG_ERROR, "");
	put.text = text;
	put.len = LONGEST;
	xy_logring_put(&put);
	CU_ASSERT_FATAL(xy_logring_after(xy_logring_newest() - 1, &l));
	CU_ASSERT(l.line.len == LONGEST && memcmp(l.line.text, text, LONGEST) == 0);
	CU_ASSERT(l.line.level == XY_LOG_ERROR && l.line.at.tv_sec == put.at.tv_sec);
	CU_ASSERT(xy_logline_plain(&l.line, bytes) == 4 * LONGEST);
	CU_ASSERT(strncmp(bytes, "\\x01\\x02", 8) == 0 && !strpbrk(bytes, text));
}

enum { WRITERS = 4, EACH = 4000 };

static void *write_many(void *arg)
{
	char text[64];
	for (unsigned i = 0; i < EACH; i++) {
		struct xy_logline l = line(XY_PART_LINKS, XY_LOG_INFO, text);
		int n = snprintf(text, sizeof(text), "%u %u %u", *(unsigned *)arg, i, i);
		l.len = (size_t)n;
		xy_logring_put(&l);
	}
	return NULL;
}

// Lines of several threads do not mix, each writer's are in order, and none is numbered twice.
static void test_ring_threads(void)
{
	static struct xy_logring_line l;
	pthread_t thread[WRITERS];
	unsigned of[WRITERS], last[WRITERS] = {0}, bad = 0, seen = 0;
	uint64_t seq = xy_logring_newest(), end = seq + WRITERS * EACH;
	for (unsigned i = 0; i < WRITERS; i++) {
		of[i] = i;
		CU_ASSERT_FATAL(!pthread_create(&thread[i], NULL, write_many, &of[i]));
	}
	while (seq < end) {
		unsigned w, a, b;
		char text[64];
		if (!xy_logring_after(seq, &l))
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)l.line.len, l.line.text);
		bool right = sscanf(text, "%u %u %u", &w, &a, &b) == 3 && w < WRITERS && a == b &&
			     l.seq > seq && (!a || a > last[w]);
		bad += !right;
		last[w % WRITERS] = right ? a : 0;
		seq = l.seq;
		seen++;
	}
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
	CU_ASSERT(bad == 0 && seen >= 1 && xy_logring_newest() == end);
}

XY_UNIT_MAIN("log", {"text", test_text}, {"colours", test_colours}, {"peers", test_peer},
	     {"JSON", test_json}, {"any bytes", test_any_bytes}, {"journal", test_journal},
	     {"levels", test_levels}, {"journald", test_journald}, {"changes", test_changes},
	     {"changes of all", test_changes_of_all}, {"changes of many", test_changes_of_many},
	     {"ring", test_ring}, {"ring of bytes", test_ring_bytes},
	     {"ring of threads", test_ring_threads},
	     {"changes of strangers", test_changes_of_strangers},
	     {"changes of the removed", test_changes_removed})
