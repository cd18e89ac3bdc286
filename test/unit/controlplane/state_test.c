// SPDX-License-Identifier: BSD-3-Clause
// The state folder: what is saved comes back, and whatever happens to the file, the node runs and
// says what it lost.
#include "unit.h"

#include "base/bytes.h"
#include "state/statefile.h"

#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char top[] = "/tmp/xylem-state-test.XXXXXX";
static char folder[128];

static const char *path_in(const char *name)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void folder_new(void)
{
	static unsigned n;
	snprintf(folder, sizeof(folder), "%s/%u", top, n++);
}

static struct xy_key key_of(uint8_t b)
{
	struct xy_key k;
	memset(k.b, b, sizeof(k.b));
	return k;
}

static struct xy_endpoint at(const char *text)
{
	struct xy_endpoint e = {0};
	CU_ASSERT_FATAL(xy_endpoint_parse(text, &e) == 0);
	return e;
}

static struct xy_state *open_good(void)
{
	struct xy_state *s;
	struct xy_err why;
	CU_ASSERT_FATAL(xy_state_open(&s, folder, &why) == 0);
	CU_ASSERT_STRING_EQUAL(why.text, "");
	CU_ASSERT_PTR_NULL(xy_state_lost(s));
	return s;
}

static struct xy_state *open_lost(const char *says)
{
	struct xy_state *s;
	struct xy_err why;
	CU_ASSERT_FATAL(xy_state_open(&s, folder, &why) == 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(why.text, says));
	if (!strstr(why.text, says))
		printf("  \"%s\" does not say \"%s\"\n", why.text, says);
	CU_ASSERT_FATAL(xy_state_lost(s) != NULL);
	CU_ASSERT_STRING_EQUAL(xy_state_lost(s), why.text);
	CU_ASSERT_EQUAL(xy_state_epoch(s), 0);
	CU_ASSERT_EQUAL(xy_state_pins(s) + xy_state_places(s), 0);
	return s;
}

static const uint8_t stamp_1[XY_WG_TAI64N_LEN] = {0x40, 0, 0, 0, 0x69, 1, 2, 3, 4, 5, 6, 7};

static void fill(struct xy_state *s)
{
	const struct xy_key k1 = key_of(1), k2 = key_of(2), k3 = key_of(3);
	const struct xy_endpoint v4 = at("192.0.2.1:51820"), v6 = at("[2001:db8::1]:7");
	CU_ASSERT_EQUAL(xy_state_epoch_save_now(s, 1763712000, NULL), 0);
	xy_state_stamp_set(s, stamp_1);
	CU_ASSERT_EQUAL(xy_state_pin_set(s, "relay.example.net:51820", &k1), 0);
	CU_ASSERT_EQUAL(xy_state_place_set(s, &k3, &v6), 0);
	CU_ASSERT_EQUAL(xy_state_place_set(s, &k2, &v4), 0);
}

static void check_filled(const struct xy_state *s)
{
	const struct xy_key k1 = key_of(1), k2 = key_of(2), k3 = key_of(3);
	const struct xy_endpoint v4 = at("192.0.2.1:51820"), v6 = at("[2001:db8::1]:7");
	struct xy_endpoint got;
	uint8_t stamp[XY_WG_TAI64N_LEN];
	CU_ASSERT_EQUAL(xy_state_epoch(s), 1763712000);
	xy_state_stamp(s, stamp);
	CU_ASSERT_EQUAL(memcmp(stamp, stamp_1, sizeof(stamp)), 0);
	const struct xy_key *pin = xy_state_pin(s, "relay.example.net:51820");
	CU_ASSERT_FATAL(pin != NULL);
	CU_ASSERT_EQUAL(memcmp(pin, &k1, sizeof(k1)), 0);
	CU_ASSERT_PTR_NULL(xy_state_pin(s, "relay.example.net:51821"));
	CU_ASSERT_TRUE(xy_state_place(s, &k2, &got) && xy_endpoint_eq(&got, &v4));
	CU_ASSERT_TRUE(xy_state_place(s, &k3, &got) && xy_endpoint_eq(&got, &v6));
	CU_ASSERT_FALSE(xy_state_place(s, &k1, &got));
	CU_ASSERT_EQUAL(xy_state_places(s), 2);
}

static void test_round_trip(void)
{
	struct stat st;
	folder_new();
	struct xy_state *s = open_good();
	CU_ASSERT_EQUAL(xy_state_epoch(s), 0);
	CU_ASSERT_TRUE(stat(folder, &st) == 0 && (st.st_mode & 07777) == 0700);
	fill(s);
	xy_state_close(s);
	CU_ASSERT_TRUE(stat(path_in("state"), &st) == 0 && (st.st_mode & 07777) == 0600);
	CU_ASSERT_NOT_EQUAL(access(path_in("state.new"), F_OK), 0);
	s = open_good();
	check_filled(s);
	xy_state_close(s);
}

static void test_changes(void)
{
	const struct xy_key k2 = key_of(2), k9 = key_of(9);
	const struct xy_endpoint moved = at("192.0.2.9:1"), local = at("[fe80::1%2]:51820");
	struct xy_endpoint got;
	folder_new();
	struct xy_state *s = open_good();
	fill(s);
	static const uint8_t older[XY_WG_TAI64N_LEN] = {0x40, 0, 0, 0, 0x68};
	xy_state_stamp_set(s, older); // never back
	CU_ASSERT_EQUAL(xy_state_place_set(s, &k2, &moved), 0);
	CU_ASSERT_EQUAL(xy_state_place_set(s, &k9, &local), 0);
	CU_ASSERT_EQUAL(xy_state_pin_set(s, "relay.example.net:51820", &k9), 0);
	xy_state_close(s);
	s = open_good();
	uint8_t stamp[XY_WG_TAI64N_LEN];
	xy_state_stamp(s, stamp);
	CU_ASSERT_EQUAL(memcmp(stamp, stamp_1, sizeof(stamp)), 0);
	CU_ASSERT_TRUE(xy_state_place(s, &k2, &got) && xy_endpoint_eq(&got, &moved));
	CU_ASSERT_FALSE(xy_state_place(s, &k9, &got));
	CU_ASSERT_EQUAL(xy_state_pins(s), 1);
	CU_ASSERT_EQUAL(xy_state_pin(s, "relay.example.net:51820")->b[0], 9);
	xy_state_close(s);
}

static bool is_two(void *arg, const struct xy_key *key)
{
	return key->b[0] == 2;
}

static void test_places_forgotten(void)
{
	folder_new();
	struct xy_state *s = open_good();
	fill(s);
	unsigned from = 0, slices = 1;
	while (xy_state_places_keep(s, &from, 1, is_two, NULL))
		slices++;
	CU_ASSERT(slices >= 2);
	xy_state_close(s);
	s = open_good();
	struct xy_endpoint got;
	const struct xy_key k2 = key_of(2), k3 = key_of(3);
	CU_ASSERT_TRUE(xy_state_place(s, &k2, &got));
	CU_ASSERT_FALSE(xy_state_place(s, &k3, &got));
	xy_state_close(s);
}

static void test_bounds(void)
{
	char text[XY_STATE_ENDPOINT_LEN + 8];
	const struct xy_key k = key_of(1);
	folder_new();
	struct xy_state *s = open_good();
	for (unsigned i = 0; i < XY_STATE_PINS; i++) {
		snprintf(text, sizeof(text), "n%u.example.net:1", i);
		CU_ASSERT_EQUAL(xy_state_pin_set(s, text, &k), 0);
	}
	CU_ASSERT_EQUAL(xy_state_pin_set(s, "one.more:1", &k), 0);
	CU_ASSERT_PTR_NOT_NULL(xy_state_pin(s, "one.more:1"));
	CU_ASSERT_PTR_NULL(xy_state_pin(s, "n0.example.net:1"));
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = 0;
	CU_ASSERT_EQUAL(xy_state_pin_set(s, text, &k), -EINVAL);
	for (unsigned i = 0; i < 1000; i++) {
		struct xy_key p = key_of(0);
		struct xy_endpoint e = at("192.0.2.1:1");
		randombytes_buf(p.b, sizeof(p.b));
		e.port = (uint16_t)(i + 1);
		CU_ASSERT_EQUAL(xy_state_place_set(s, &p, &e), 0);
	}
	xy_state_close(s);
	s = open_good();
	CU_ASSERT_EQUAL(xy_state_pins(s), XY_STATE_PINS);
	CU_ASSERT_EQUAL(xy_state_places(s), 1000);
	xy_state_close(s);
}

// --- what may have become of the file

static char *file_read(size_t *len)
{
	char *text = calloc(1, 1 << 16);
	FILE *f = fopen(path_in("state"), "re");
	CU_ASSERT_FATAL(f && text);
	*len = fread(text, 1, 1 << 16, f);
	fclose(f);
	return text;
}

static void file_write(const char *text, size_t len)
{
	FILE *f = fopen(path_in("state"), "we");
	CU_ASSERT_FATAL(f && fwrite(text, 1, len, f) == len);
	fclose(f);
}

static void test_torn(void)
{
	size_t len;
	folder_new();
	struct xy_state *s = open_good();
	fill(s);
	xy_state_close(s);
	char *text = file_read(&len);
	for (size_t cut = 0; cut < len; cut += 7) {
		file_write(text, cut);
		struct xy_state *lost = open_lost("is lost");
		CU_ASSERT_EQUAL(access(path_in("state.lost"), F_OK), 0);
		fill(lost); // and it is as good as new
		xy_state_close(lost);
		s = open_good();
		check_filled(s);
		xy_state_close(s);
	}
	free(text);
}

static void test_damaged(void)
{
	size_t len;
	folder_new();
	struct xy_state *s = open_good();
	fill(s);
	xy_state_close(s);
	char *text = file_read(&len);
	for (size_t i = 0; i < len; i++) {
		struct xy_statefile f;
		struct xy_err why = {0};
		text[i] ^= 1;
		CU_ASSERT_EQUAL(xy_statefile_parse(text, len, &f, &why), -EINVAL);
		CU_ASSERT_NOT_EQUAL(why.text[0], 0);
		text[i] ^= 1;
	}
	free(text);
}

static void test_version(void)
{
	static const char other[] = "xylem-state-v2\nepoch 7\n";
	folder_new();
	xy_state_close(open_good());
	file_write(other, sizeof(other) - 1);
	xy_state_close(open_lost("another version"));
	file_write("", 0);
	xy_state_close(open_lost("cut off"));
}

// The sum is right, the line is not.
static void check_refused(const char *line)
{
	struct xy_statefile f;
	struct xy_err why = {0};
	char text[1024], hex[65];
	uint8_t sum[32];
	int len = snprintf(text, sizeof(text), "xylem-state-v1\n%s\n", line);
	crypto_generichash(sum, sizeof(sum), (const uint8_t *)text, (size_t)len, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), sum, sizeof(sum));
	len += snprintf(text + len, sizeof(text) - (size_t)len, "sum %s\n", hex);
	int r = xy_statefile_parse(text, (size_t)len, &f, &why);
	CU_ASSERT_EQUAL(r, -EINVAL);
	if (!r) {
		printf("  taken: %s\n", line);
		xy_statefile_free(&f);
	}
}

static void test_lines(void)
{
	static const char *const bad[] = {
		"epoch",
		"epoch ",
		"epoch -1",
		"epoch 4294967296",
		"epoch 1x",
		"epoch  1",
		"stamp 40",
		"stamp 4000000069010203040506070",
		"stamp zz0000006901020304050607",
		"pin",
		"pin AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
		"pin AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 x:1",
		"endpoint AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= relay:51820",
		"endpoint AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= 192.0.2.1",
		"colour blue",
		"",
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(bad); i++)
		check_refused(bad[i]);
}

// --- the folder

static void test_no_folder(void)
{
	snprintf(folder, sizeof(folder), "/proc/xylem-state-test");
	struct xy_state *s = open_lost("nothing is remembered");
	struct xy_err err;
	CU_ASSERT_TRUE(xy_state_epoch_save_now(s, 5, &err) < 0);
	CU_ASSERT_NOT_EQUAL(err.text[0], 0);
	CU_ASSERT_EQUAL(xy_state_epoch(s), 5); // for as long as it runs
	xy_state_close(s);
	snprintf(folder, sizeof(folder), "%s/a/b/c", top);
	xy_state_close(open_good()); // parents are made
	snprintf(folder, sizeof(folder), "%s/file", top);
	FILE *f = fopen(folder, "we");
	CU_ASSERT_FATAL(f != NULL);
	fclose(f);
	xy_state_close(open_lost("Not a directory"));
}

// The folder's file system is mounted when the daemon runs already: from then on it is used, and
// what lay in it from an earlier start counts.
static void test_late_folder(void)
{
	char early[sizeof(folder)], moved[sizeof(folder) + 8];
	struct xy_key old = key_of(1), new = key_of(2), other = key_of(3);
	struct xy_err err;
	folder_new();
	memcpy(early, folder, sizeof(early));
	struct xy_state *s = open_good();
	xy_state_pin_set(s, "a:1", &old);
	CU_ASSERT_EQUAL(xy_state_epoch_save_now(s, 70, &err), 0);
	xy_state_close(s);
	snprintf(moved, sizeof(moved), "%s.there", early);
	CU_ASSERT_FATAL(rename(early, moved) == 0);
	FILE *f = fopen(early, "we"); // in its place: no folder
	CU_ASSERT_FATAL(f != NULL);
	fclose(f);

	s = open_lost("Not a directory");
	CU_ASSERT_TRUE(xy_state_epoch_save_now(s, 60, &err) < 0);
	xy_state_pin_set(s, "a:1", &new);
	xy_state_pin_set(s, "b:2", &other);
	xy_state_save(s);
	CU_ASSERT_PTR_NOT_NULL(xy_state_lost(s));
	CU_ASSERT_FATAL(unlink(early) == 0 && rename(moved, early) == 0);
	xy_state_save(s);
	CU_ASSERT_PTR_NULL(xy_state_lost(s));
	CU_ASSERT_FATAL(rename(early, moved) == 0); // and when it goes, and another comes
	xy_state_stamp_set(s, stamp_1);
	xy_state_save(s);
	CU_ASSERT_PTR_NOT_NULL(xy_state_unsaved(s));
	xy_state_save(s);
	CU_ASSERT_PTR_NULL(xy_state_unsaved(s));
	xy_state_close(s);
	s = open_good();
	CU_ASSERT_EQUAL(xy_state_epoch(s), 70);
	CU_ASSERT_EQUAL(xy_state_pins(s), 2);
	CU_ASSERT_EQUAL(memcmp(xy_state_pin(s, "a:1"), &old, sizeof(old)), 0);
	CU_ASSERT_EQUAL(memcmp(xy_state_pin(s, "b:2"), &other, sizeof(other)), 0);
	xy_state_close(s);
}

static void test_untrusted_folder(void)
{
	folder_new();
	CU_ASSERT_FATAL(mkdir(folder, 0700) == 0 && chmod(folder, 0777) == 0);
	xy_state_close(open_lost("not trusted"));
	chmod(folder, 0770); // a group is others, too
	xy_state_close(open_lost("not trusted"));
	chmod(folder, 0700);
	xy_state_close(open_good());
}

// As another user: a folder that he may not write to, and one that he may not make.
static void test_unprivileged(void)
{
	int status;
	folder_new();
	CU_ASSERT_FATAL(mkdir(folder, 0755) == 0);
	chmod(top, 0755);
	pid_t child = fork();
	if (child == 0) {
		struct xy_state *s;
		struct xy_err why;
		if (geteuid() == 0 && setresuid(65534, 65534, 65534))
			_exit(1);
		if (getuid() != 65534)
			chmod(folder, 0500);
		int bad = xy_state_open(&s, folder, &why) || !xy_state_lost(s);
		xy_state_close(s);
		strcat(folder, "/below");
		bad |= xy_state_open(&s, folder, &why) || !strstr(why.text, "Permission denied");
		xy_state_close(s);
		_exit(bad ? 2 : 0);
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	chmod(top, 0700);
	chmod(folder, 0700);
}

static void test_disk_full(void)
{
	struct rlimit old, tiny;
	folder_new();
	struct xy_state *s = open_good();
	fill(s);
	xy_state_save(s);
	CU_ASSERT_PTR_NULL(xy_state_unsaved(s));
	signal(SIGXFSZ, SIG_IGN);
	CU_ASSERT_FATAL(getrlimit(RLIMIT_FSIZE, &old) == 0);
	tiny = old;
	tiny.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &tiny);
	struct xy_err err = {0};
	int r = xy_state_epoch_save_now(s, 1763712001, &err);
	setrlimit(RLIMIT_FSIZE, &old);
	CU_ASSERT_EQUAL(r, -EFBIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "lost at a restart"));
	CU_ASSERT_PTR_NOT_NULL(xy_state_unsaved(s));
	struct xy_state *other = open_good(); // the old one is whole
	check_filled(other);
	xy_state_close(other);
	xy_state_save(s); // there is room again
	CU_ASSERT_PTR_NULL(xy_state_unsaved(s));
	xy_state_close(s);
	s = open_good();
	CU_ASSERT_EQUAL(xy_state_epoch(s), 1763712001);
	xy_state_close(s);
}

// --- on a helper

static struct {
	void (*work)(void *), (*done)(void *);
	void *what;
	unsigned runs;
} helper;

static void run(void *arg, void (*work)(void *), void (*done)(void *), void *what)
{
	helper.work = work;
	helper.done = done;
	helper.what = what;
	helper.runs++;
}

static void helper_go(void)
{
	void (*done)(void *) = helper.done;
	CU_ASSERT_FATAL(helper.work != NULL);
	helper.work(helper.what);
	helper.work = NULL;
	done(helper.what);
}

static struct {
	unsigned calls;
	int result;
} told[2];

static void on_saved(void *arg, int result)
{
	unsigned i = *(unsigned *)arg;
	told[i].calls++;
	told[i].result = result;
}

static void test_helper(void)
{
	static const struct xy_env env = {.run = run};
	unsigned zero = 0, one = 1;
	folder_new();
	struct xy_state *s = open_good();
	fill(s);
	xy_state_save(s);
	xy_state_helped(s, &env);
	xy_state_save(s);
	CU_ASSERT_EQUAL(helper.runs, 0); // nothing has changed
	xy_state_epoch_save(s, 1763712001, on_saved, &zero);
	CU_ASSERT_EQUAL(helper.runs, 1);
	xy_state_epoch_save(s, 1763712002, on_saved, &one);
	CU_ASSERT_EQUAL(helper.runs, 1); // one at a time
	CU_ASSERT_EQUAL(told[0].calls, 0);
	helper_go();
	CU_ASSERT_TRUE(told[0].calls == 1 && told[0].result == 0);
	CU_ASSERT_EQUAL(told[1].calls, 0); // was not in it
	CU_ASSERT_EQUAL(helper.runs, 2);
	helper_go();
	CU_ASSERT_TRUE(told[1].calls == 1 && told[1].result == 0);
	struct xy_state *other = open_good();
	CU_ASSERT_EQUAL(xy_state_epoch(other), 1763712002);
	xy_state_close(other);
	xy_state_close(s);
}

int main(int argc, char **argv)
{
	static const struct xy_unit_case cases[] = {
		{"what is saved comes back", test_round_trip},
		{"changes", test_changes},
		{"places of peers that are gone", test_places_forgotten},
		{"bounds", test_bounds},
		{"a torn file", test_torn},
		{"a damaged file", test_damaged},
		{"another version", test_version},
		{"lines that are wrong", test_lines},
		{"no folder", test_no_folder},
		{"a folder that comes late", test_late_folder},
		{"a folder that others may write to", test_untrusted_folder},
		{"without privileges", test_unprivileged},
		{"the disk is full", test_disk_full},
		{"saving on a helper", test_helper},
	};
	char command[sizeof(top) + 16];
	if (sodium_init() < 0 || !mkdtemp(top))
		return 1;
	int r = xy_unit_run("state", cases, XY_ARRAY_SIZE(cases), argc, argv);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command) ? 1 : r;
}
