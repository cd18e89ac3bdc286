// SPDX-License-Identifier: BSD-3-Clause
// A folder as a source of records, on a real folder and a real loop: what is told of it, and what
// editors, mounts and half writers do to it.
#include "fleet/folder.h"
#include "fleet/store.h"
#include "unit.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEADLINE_MS = 20000, QUIET_MS = 400 };

static uv_loop_t loop;
static struct xy_fleet_source *source;
static char dir[64], folder[160], told[4000], state[600];
static bool up;

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	size_t n = strlen(told);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(told + n, sizeof(told) - n, fmt, ap);
	va_end(ap);
}

static void on_put(void *arg, struct xy_fleet_source *s, const char *name, const char *text,
		   size_t len, uint64_t revision, const char *why)
{
	if (text)
		say("+%s %.*s\n", name, (int)(len < 100 ? len : 100), text);
	else
		say("?%s %s\n", name, why);
}

static void on_gone(void *arg, struct xy_fleet_source *s, const char *name)
{
	say("-%s\n", name);
}

static void on_state(void *arg, struct xy_fleet_source *s, bool is, const char *why)
{
	up = is;
	snprintf(state, sizeof(state), "%s", why ? why : "");
}

static const struct xy_fleet_source_ops ops = {.put = on_put, .gone = on_gone, .state = on_state};

static void on_turn(uv_timer_t *t)
{
}

// A turn of the loop, of 10 ms at most.
static void turn(void)
{
	static uv_timer_t t;
	uv_timer_init(&loop, &t);
	uv_timer_start(&t, on_turn, 10, 0);
	uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&t, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static bool until(const char *part)
{
	for (uint64_t end = uv_hrtime() / 1000000 + DEADLINE_MS; uv_hrtime() / 1000000 < end;
	     turn())
		if (strcmp(part, "up") == 0	      ? up
		    : strncmp(part, "state ", 6) == 0 ? strstr(state, part + 6) != NULL
						      : strstr(told, part) != NULL)
			return true;
	printf("\n  no \"%s\" in:\n%s(%s)\n", part, told, state);
	return false;
}

static void quiet(void)
{
	for (uint64_t end = uv_hrtime() / 1000000 + QUIET_MS; uv_hrtime() / 1000000 < end;)
		turn();
}

static void put(const char *name, const char *text)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CU_ASSERT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static const char *at(const char *name)
{
	static char path[4][400];
	static unsigned n;
	snprintf(path[++n % 4], sizeof(path[0]), "%s/%s", folder, name);
	return path[n % 4];
}

static void begin(bool with)
{
	struct xy_err err;
	snprintf(dir, sizeof(dir), "/tmp/fleet_folder_test.XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
	snprintf(folder, sizeof(folder), "%s/d", dir);
	if (with)
		mkdir(folder, 0755);
	told[0] = state[0] = 0;
	up = false;
	uv_loop_init(&loop);
	CU_ASSERT_FATAL(xy_fleet_folder_create(&loop, folder, &ops, NULL, &source) == 0);
	CU_ASSERT(source->start(source, &err) == 0);
}

static void end(void)
{
	char command[200];
	source->close(source);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT(uv_loop_close(&loop) == 0);
	snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s", dir, dir);
	CU_ASSERT(system(command) == 0);
}

static void test_entries(void)
{
	begin(true);
	put("a.json", "{\"a\":1}\n");
	CU_ASSERT(until("+a.json {\"a\":1}") && up && !state[0]);
	put("b.json", "{\"b\":1}");
	CU_ASSERT(until("+b.json"));
	put("a.json", "{\"a\":2}");
	CU_ASSERT(until("+a.json {\"a\":2}"));
	CU_ASSERT(rename(at("b.json"), at("c.json")) == 0);
	CU_ASSERT(until("+c.json {\"b\":1}") && until("-b.json"));
	CU_ASSERT(unlink(at("a.json")) == 0 && until("-a.json"));
	told[0] = 0;
	put("c.json", "{\"b\":1}"); // written again, and the same
	quiet();
	CU_ASSERT_STRING_EQUAL(told, "");
	end();
}

// vim writes 4913 and .a.json.swp, and a.json~; emacs #a.json# and .#a.json, a dangling link.
static void test_editors(void)
{
	begin(true);
	put("a.json", "{\"a\":1}");
	CU_ASSERT(until("+a.json"));
	told[0] = 0;
	put("4913", "");
	put(".a.json.swp", "b0VIM");
	put("a.json~", "{\"a\":0}");
	put("#a.json#", "{\"a\":0}");
	CU_ASSERT(symlink("who@host.1:2", at(".#a.json")) == 0);
	put(".a.json", "{}");
	put("README", "{}");
	put("a.json.new", "{}");
	quiet();
	CU_ASSERT_STRING_EQUAL(told, "");
	put("a.tmp", "{\"a\":2}"); // another is put in its place
	CU_ASSERT(rename(at("a.tmp"), at("a.json")) == 0 && until("+a.json {\"a\":2}"));
	CU_ASSERT(strstr(told, "-") == NULL && strstr(told, "?") == NULL);
	end();
}

// Nothing is told of half a file, and then what it became; one that stays half is told.
static void test_half(void)
{
	begin(true);
	CU_ASSERT(until("up") && up);
	int fd = open(at("a.json"), O_WRONLY | O_CREAT, 0644);
	CU_ASSERT(write(fd, "{\"a\":", 5) == 5);
	quiet();
	CU_ASSERT_STRING_EQUAL(told, "");
	CU_ASSERT(write(fd, "1}\n", 3) == 3);
	CU_ASSERT(until("+a.json {\"a\":1}"));
	close(fd);
	told[0] = 0;
	put("a.json", "{\"a\":");
	CU_ASSERT(until("?a.json is empty, or half a record"));
	put("a.json", "{\"a\":3}");
	CU_ASSERT(until("+a.json {\"a\":3}"));
	put("b.json", "");
	CU_ASSERT(until("?b.json is empty"));
	end();
}

static void test_odd(void)
{
	char *large = malloc(XY_FLEET_ENTRY_BYTES + 2);
	begin(true);
	memset(large, ' ', XY_FLEET_ENTRY_BYTES + 1);
	large[XY_FLEET_ENTRY_BYTES] = '}';
	large[XY_FLEET_ENTRY_BYTES + 1] = 0;
	put("large.json", large);
	CU_ASSERT(until("?large.json is larger than 4096 bytes"));
	put("fits.json", large + 1);
	CU_ASSERT(until("+fits.json"));
	CU_ASSERT(mkfifo(at("fifo.json"), 0644) == 0 && until("?fifo.json is no regular file"));
	CU_ASSERT(mkdir(at("dir.json"), 0755) == 0 && until("?dir.json is no regular file"));
	if (geteuid() != 0) {
		put("mine.json", "{}");
		chmod(at("mine.json"), 0);
		CU_ASSERT(until("?mine.json cannot be read"));
	}
	CU_ASSERT(symlink("nowhere", at("link.json")) == 0 &&
		  until("?link.json cannot be read: No such file"));
	put("target", "{\"t\":1}");
	CU_ASSERT(symlink("target", at("to.json")) == 0 && until("+to.json {\"t\":1}"));
	free(large);
	end();
}

// It comes later, is another, goes, and comes back: records end by their time alone then.
static void test_folder_itself(void)
{
	char other[120];
	begin(false);
	CU_ASSERT(until("state No such file") && !up);
	mkdir(folder, 0755);
	put("a.json", "{\"a\":1}");
	CU_ASSERT(until("+a.json") && up);
	snprintf(other, sizeof(other), "%s/before", dir);
	told[0] = 0;
	CU_ASSERT(rename(folder, other) == 0);
	CU_ASSERT(until("state No such file") && !up);
	mkdir(folder, 0755);
	put("b.json", "{\"b\":1}");
	CU_ASSERT(until("+b.json") && up);
	CU_ASSERT(strstr(told, "-a.json") == NULL);
	CU_ASSERT(unlink(at("b.json")) == 0 && until("-b.json")); // in the same one it is gone
	end();
}

static int code;
static unsigned dones;
static void on_done(void *arg, int c, const char *why)
{
	code = c;
	dones++;
}

static void done_until(unsigned n)
{
	for (uint64_t e = uv_hrtime() / 1000000 + DEADLINE_MS;
	     uv_hrtime() / 1000000 < e && dones < n;)
		turn();
	CU_ASSERT_EQUAL(dones, n);
}

static void test_own(void)
{
	static const char mine[] = "{\"mine\":1}", newer[] = "{\"mine\":2}";
	const struct xy_fleet_self self = {.name = "n", .address = {.b = {2, 1}}};
	struct stat st;
	begin(true);
	CU_ASSERT(until("up") && up);
	dones = 0;
	source->publish(source, &self, mine, strlen(mine), on_done, NULL);
	done_until(1);
	CU_ASSERT(code == 0 && until("+02010000000000000000000000000000.json {\"mine\":1}"));
	CU_ASSERT(stat(at("02010000000000000000000000000000.json"), &st) == 0 &&
		  (st.st_mode & 0777) == 0644);
	source->publish(source, &self, mine, strlen(mine), on_done,
			NULL); // another before it is there
	source->publish(source, &self, newer, strlen(newer), on_done, NULL);
	done_until(3);
	CU_ASSERT(code == 0 && until("{\"mine\":2}"));
	told[0] = 0;
	CU_ASSERT(unlink(at("02010000000000000000000000000000.json")) == 0);
	CU_ASSERT(until("-0201") &&
		  until("+02010000000000000000000000000000.json {\"mine\":2}")); // put back
	end();
}

// A pipe, a link or a folder where ours is written first: it is done without, and never waited for.
static void test_own_in_the_way(void)
{
	static const char mine[] = "{\"mine\":1}";
	const struct xy_fleet_self self = {.name = "n", .address = {.b = {2, 1}}};
	const char *beside = "02010000000000000000000000000000.json.new";
	begin(true);
	CU_ASSERT(until("up"));
	dones = 0;
	CU_ASSERT_FATAL(mkfifo(at(beside), 0666) == 0);
	int held = open(at(beside), O_RDWR | O_NONBLOCK | O_CLOEXEC); // who reads it
	source->publish(source, &self, mine, strlen(mine), on_done, NULL);
	done_until(1);
	CU_ASSERT(code == 0 && until("+0201"));
	close(held);
	CU_ASSERT_FATAL(mkfifo(at(beside), 0666) == 0); // and nobody
	source->publish(source, &self, "{}", 2, on_done, NULL);
	done_until(2);
	CU_ASSERT(code == 0 && until("json {}"));
	put("other.json", "{}");
	CU_ASSERT_FATAL(symlink(at("other.json"), at(beside)) == 0);
	source->publish(source, &self, mine, strlen(mine), on_done, NULL);
	done_until(3);
	CU_ASSERT(code == 0 && until("+other.json {}"));
	quiet();
	CU_ASSERT_PTR_NULL(strstr(told, "other.json {\"mine"));
	end();
}

static void test_told_again(void)
{
	begin(true);
	put("a.json", "{\"a\":1}");
	CU_ASSERT(until("+a.json"));
	told[0] = 0;
	quiet();
	CU_ASSERT_STRING_EQUAL(told, "");
	source->tell_again(source);
	CU_ASSERT(until("+a.json {\"a\":1}"));
	quiet();
	CU_ASSERT_STRING_EQUAL(told, "+a.json {\"a\":1}\n");
	end();
}

static void test_own_later(void)
{
	static const char mine[] = "{\"mine\":1}";
	const struct xy_fleet_self self = {.name = "n", .address = {.b = {2, 1}}};
	begin(false);
	CU_ASSERT(until("state No such file"));
	dones = 0;
	source->publish(source, &self, mine, strlen(mine), on_done, NULL);
	quiet();
	CU_ASSERT_EQUAL(dones, 0);
	mkdir(folder, 0755);
	done_until(1);
	CU_ASSERT(code == 0 && until("+0201"));
	if (geteuid() != 0) {
		chmod(folder, 0555);
		source->publish(source, &self, "{}", 2, on_done, NULL);
		CU_ASSERT(until("state cannot be written") && up && strstr(state, "--record"));
	}
	end();
}

// --- what is kept over a restart

static unsigned lines;
static void on_line(void *arg, const char *text, size_t len)
{
	lines++;
}

static void test_store(void)
{
	char where[100], command[200];
	struct xy_fleet_store *s;
	struct xy_err why;
	struct xy_key key = {.b = {1}}, other = {.b = {2}};
	snprintf(dir, sizeof(dir), "/tmp/fleet_store_test.XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
	snprintf(where, sizeof(where), "%s/a/b", dir);
	uv_loop_init(&loop);
	CU_ASSERT(xy_fleet_store_open(&loop, where, &s, &why) == 0 && !why.text[0]);
	struct xy_fleet_kept k = {.key = key,
				  .epoch = 7,
				  .expires = 9,
				  .claim = {.addr = {.b = {0xfd}}, .len = 48},
				  .since = 3};
	CU_ASSERT(xy_fleet_store_keep(s, &k, &why) == 0);
	xy_fleet_store_close(s);
	CU_ASSERT(xy_fleet_store_open(&loop, where, &s, &why) == 0 && !why.text[0]);
	struct xy_fleet_kept again = xy_fleet_store_kept(s, &key);
	CU_ASSERT(again.epoch == 7 && again.expires == 9 && again.since == 3 &&
		  xy_prefix_eq(&again.claim, &k.claim));
	CU_ASSERT(xy_fleet_store_kept(s, &other).epoch == 0);
	xy_fleet_store_close(s);
	snprintf(folder, sizeof(folder), "%s", where);
	put("own", "{\"key\":");
	put("records", "xylem-fleet-records-v1\n{}\n{}\n{}\n");
	CU_ASSERT(xy_fleet_store_open(&loop, where, &s, &why) == 0 && strstr(why.text, "own.lost"));
	CU_ASSERT(xy_fleet_store_kept(s, &key).epoch == 0);
	lines = 0;
	CU_ASSERT(xy_fleet_store_read(s, 2, on_line, NULL) && lines == 2);
	CU_ASSERT(!xy_fleet_store_read(s, 2, on_line, NULL) && lines == 3);
	xy_fleet_store_close(s);
	// Whom a CA revoked stays so while trust names no CA.
	struct xy_fleet_trust trust;
	struct xy_fleet_book *book = NULL;
	struct xy_identity id, self;
	struct xy_fleet_record r = {.name = "n", .epoch = 1, .expires = 100};
	char *text = NULL;
	xy_fleet_trust_init(&trust);
	CU_ASSERT_FATAL(xy_identity_from_seed((const uint8_t[32]){1}, &id) == 0 &&
			xy_identity_from_seed((const uint8_t[32]){2}, &self) == 0 &&
			xy_fleet_record_sign(&r, &id, &text, &why) == 0 &&
			xy_fleet_book_create(&(struct xy_fleet_book_config){.trust = &trust,
									    .self = self.ed25519},
					     &book) == 0);
	CU_ASSERT(xy_fleet_book_put(book, 0, "n", text, strlen(text), 1, &why) == XY_FLEET_NEW);
	put("records", "xylem-fleet-records-v1\n{\"v\":1,\"revokes\":1}\n{\"v\":1,\"revokes\":2}\n{"
		       "}\n{}\n{}\n");
	CU_ASSERT(xy_fleet_store_open(&loop, where, &s, &why) == 0);
	CU_ASSERT(!xy_fleet_store_read(s, 9, on_line, NULL));
	xy_fleet_store_save(s, book, &trust);
	uv_run(&loop, UV_RUN_DEFAULT);
	xy_fleet_store_close(s);
	CU_ASSERT(xy_fleet_store_open(&loop, where, &s, &why) == 0);
	lines = 0;
	CU_ASSERT(!xy_fleet_store_read(s, 9, on_line, NULL) && lines == 3);
	xy_fleet_store_close(s);
	xy_fleet_book_destroy(book);
	xy_fleet_trust_fini(&trust);
	free(text);
	lines = 3;
	put("records", "something else\n");
	CU_ASSERT(xy_fleet_store_open(&loop, where, &s, &why) == 0);
	CU_ASSERT(!xy_fleet_store_read(s, 2, on_line, NULL) && lines == 3);
	xy_fleet_store_close(s);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT(uv_loop_close(&loop) == 0);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CU_ASSERT(system(command) == 0);
}

static bool claimed_is(struct xy_fleet_store *s, const struct xy_fleet_record *r, uint64_t seen,
		       uint64_t dated, bool given)
{
	struct xy_fleet_claimed k = xy_fleet_store_claimed(s, r);
	return k.seen == seen && k.dated == dated && k.given == given;
}

static void ignore(void *arg, const char *text, size_t len)
{
	(void)arg;
	(void)text;
	(void)len;
}

// Who claims what since when, over a restart; lines that make no sense count for nothing.
static void test_claims_kept(void)
{
	char command[200], key[XY_KEY_STRLEN], line[400];
	struct xy_fleet_store *s;
	struct xy_fleet_trust trust;
	struct xy_fleet_book *book = NULL;
	struct xy_identity id, self, third;
	struct xy_err why;
	uint64_t now = xy_fleet_wall();
	char *text = NULL, *other = NULL;
	struct xy_fleet_record r = {.name = "n",
				    .epoch = now,
				    .expires = now + 900,
				    .has_claim = true,
				    .claim = {.addr = {{0xfd, 0x10, 0, 1}}, .len = 48}};
	snprintf(dir, sizeof(dir), "/tmp/fleet_store_test.XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
	snprintf(folder, sizeof(folder), "%s", dir);
	uv_loop_init(&loop);
	xy_fleet_trust_init(&trust);
	CU_ASSERT_FATAL(xy_identity_from_seed((const uint8_t[32]){1}, &id) == 0 &&
			xy_identity_from_seed((const uint8_t[32]){2}, &self) == 0 &&
			xy_identity_from_seed((const uint8_t[32]){3}, &third) == 0 &&
			xy_fleet_record_sign(&r, &third, &other, &why) == 0 &&
			xy_fleet_record_sign(&r, &id, &text, &why) == 0 &&
			xy_fleet_book_create(&(struct xy_fleet_book_config){.trust = &trust,
									    .self = self.ed25519},
					     &book) == 0);
	CU_ASSERT(xy_fleet_book_put(book, 0, "n", text, strlen(text), now - 40, &why) ==
		  XY_FLEET_NEW);
	xy_fleet_book_claim_heard(book, &r.key, &r.claim, now - 50, now);
	xy_fleet_book_claim_given(book, 0, true);
	CU_ASSERT(xy_fleet_store_open(&loop, dir, &s, &why) == 0);
	CU_ASSERT(claimed_is(s, &r, 0, 0, false));
	xy_fleet_store_save(s, book, &trust);
	uv_run(&loop, UV_RUN_DEFAULT);
	xy_fleet_store_close(s);
	CU_ASSERT(xy_fleet_store_open(&loop, dir, &s, &why) == 0);
	r.epoch--; // played back, with another claim
	r.claim.addr.b[3]++;
	CU_ASSERT(claimed_is(s, &r, 0, 0, false));
	r.epoch++;
	r.claim.addr.b[3]--;
	// Nobody was heard of until the next run: it is kept as it is.
	xy_fleet_book_destroy(book);
	CU_ASSERT(xy_fleet_book_create(
			  &(struct xy_fleet_book_config){.trust = &trust, .self = self.ed25519},
			  &book) == 0);
	CU_ASSERT(xy_fleet_book_put(book, 0, "m", other, strlen(other), now, &why) == XY_FLEET_NEW);
	while (xy_fleet_store_read(s, 10, ignore, NULL)) // what is not read yet is not written over
		;
	xy_fleet_store_save(s, book, &trust);
	uv_run(&loop, UV_RUN_DEFAULT);
	xy_fleet_store_close(s);
	CU_ASSERT(xy_fleet_store_open(&loop, dir, &s, &why) == 0);
	CU_ASSERT(claimed_is(s, &r, now - 40, now - 50, true));
	CU_ASSERT(claimed_is(s, &r, 0, 0, false)); // what it claims anew is seen now
	xy_fleet_store_close(s);
	CU_ASSERT(xy_fleet_store_open(&loop, dir, &s, &why) == 0);
	xy_fleet_store_claims_end(s);
	CU_ASSERT(claimed_is(s, &r, 0, 0, false));
	xy_fleet_store_close(s);
	xy_key_str(&r.key, key);
	snprintf(line, sizeof(line),
		 "xylem-fleet-claims-v2\n%s fd10:1::/48 1 2 3\nx fd10:1::/48 1 2 3 1\n"
		 "%s fd10:1:/48 1 2 3 1\n%s fd10:1::/48 1 2 3 1 5\n%s fd10:1::/48 1 2 3 2\n\n"
		 "%s fd10:1::/48 7 18446744073709551615 9 1",
		 key, key, key, key, key);
	put("claims", line);
	CU_ASSERT(xy_fleet_store_open(&loop, dir, &s, &why) == 0);
	CU_ASSERT(claimed_is(s, &r, 0, 0, false)); // a number of more digits than any
	xy_fleet_store_close(s);
	put("claims", "something else\n");
	CU_ASSERT(xy_fleet_store_open(&loop, dir, &s, &why) == 0);
	CU_ASSERT(claimed_is(s, &r, 0, 0, false));
	xy_fleet_store_close(s);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT(uv_loop_close(&loop) == 0);
	snprintf(line, sizeof(line), "%s/claims.lost", dir);
	CU_ASSERT(access(line, F_OK) == 0);
	xy_fleet_book_destroy(book);
	xy_fleet_trust_fini(&trust);
	free(text);
	free(other);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CU_ASSERT(system(command) == 0);
}

XY_UNIT_MAIN("fleet_folder", {"entries", test_entries}, {"editors", test_editors},
	     {"half", test_half}, {"odd", test_odd}, {"folder itself", test_folder_itself},
	     {"own", test_own}, {"own in the way", test_own_in_the_way},
	     {"told again", test_told_again}, {"own later", test_own_later}, {"store", test_store},
	     {"claims_kept", test_claims_kept})
