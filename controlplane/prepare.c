// SPDX-License-Identifier: BSD-3-Clause
#include "prepare.h"

#include "client/rundir.h"
#include "identity/identity.h"
#include "setup.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define CONFIGS "/etc/xylem/"

enum { KEY_TEXT = 256 };

static int fail(const char *path, const char *what)
{
	fprintf(stderr, "xylemd --prepare: %s: %s\n", path, what);
	return EXIT_FAILURE;
}

// As the key file's own rule has it: a group that nobody else is in.
static const struct passwd *daemon_user(void)
{
	const struct passwd *user = getpwnam("xylem");
	const struct group *shown = getgrnam("xylem");
	if (!user || !user->pw_uid || !user->pw_gid || (shown && shown->gr_gid == user->pw_gid))
		return NULL;
	return user;
}

// For its group, to read (a folder: to pass); its owner and others keep what they may. No moment at
// which the group may more.
static int give(int fd, const struct stat *st, gid_t gid, mode_t bit)
{
	mode_t mode = st->st_mode & 07777, want = (mode & ~(mode_t)070) | bit;
	if (st->st_gid == gid && mode == want)
		return 0;
	if (fchmod(fd, mode & ~(mode_t)070) || fchown(fd, (uid_t)-1, gid) || fchmod(fd, want))
		return -errno;
	return 0;
}

static bool is_key(int fd)
{
	char text[KEY_TEXT];
	uint8_t seed[32];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	bool is = n > 0 && xy_keyfile_parse(text, (size_t)n, seed, NULL) == 0;
	sodium_memzero(text, sizeof(text));
	sodium_memzero(seed, sizeof(seed));
	return is;
}

static int give_file(const char *path, const struct passwd *user, bool key)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY), r = 0;
	if (fd < 0)
		return fail(path, errno == ELOOP ? "is a symbolic link, which is not followed; "
						   "name the file that it leads to"
						 : strerror(errno));
	if (fstat(fd, &st))
		r = fail(path, strerror(errno));
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		r = fail(path, "is no regular file of one name: left as it is");
	else if (st.st_uid == user->pw_uid)
		r = 0; // its owner reads it
	else if (st.st_uid)
		r = fail(path, "is not root's: left as it is; chown it to root");
	else if (key && !is_key(fd))
		r = fail(path, "is no key file of Xylem: left as it is");
	else if ((r = give(fd, &st, user->pw_gid, 040)))
		r = fail(path, strerror(-r));
	close(fd);
	return r;
}

// A folder of keys that root keeps to himself, below ours.
static void give_folder(const char *key, const struct passwd *user)
{
	char folder[512];
	struct stat st;
	const char *slash = strrchr(key, '/');
	size_t n = slash ? (size_t)(slash - key) : 0;
	if (strncmp(key, CONFIGS, strlen(CONFIGS)) != 0 || n < sizeof(CONFIGS) - 1 ||
	    n >= sizeof(folder) || strstr(key, "/../"))
		return;
	snprintf(folder, sizeof(folder), "%.*s", (int)n, key);
	int fd = open(folder, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_DIRECTORY);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid == 0 && !(st.st_mode & 0001))
		give(fd, &st, user->pw_gid, 010);
	close(fd);
}

// The folder is the daemon's, who may put there what he likes: only a socket of his own is given.
static int give_socket(const char *name, const char *socket, const char *group, unsigned mode,
		       const struct passwd *user)
{
	char path[XY_RUNDIR_LEN + 32], self[64];
	struct stat st;
	const struct group *g = group[0] ? getgrnam(group) : NULL;
	snprintf(path, sizeof(path), "/run/xylem/%s/%s", name, socket);
	if (!group[0])
		return 0;
	if (!g)
		return fail(path, "the config gives it to a group that there is not; groupadd it");
	int fd = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW), r = 0;
	if (fd < 0)
		return 0; // not yet
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) || !S_ISSOCK(st.st_mode) || st.st_uid != user->pw_uid)
		r = fail(path, "is no socket of user xylem: left as it is");
	else if (st.st_gid != g->gr_gid &&
		 (fchownat(fd, "", (uid_t)-1, g->gr_gid, AT_EMPTY_PATH) || chmod(self, mode)))
		r = fail(path, strerror(errno));
	close(fd);
	return r;
}

int xy_prepare(const struct xy_setup *s, const char *name)
{
	struct xy_config c;
	struct xy_err err = {0};
	const struct passwd *user = daemon_user();
	if (geteuid())
		return fail(s->path, "run it as root");
	if (!user)
		return fail(s->path, "there is no user xylem with a group of its own; run: "
				     "systemd-sysusers xylem.conf");
	const struct passwd of = *user; // the next look at users goes over it
	int r = give_file(s->path, &of, false);
	if (xy_setup_config(s, &c, &err)) { // the daemon says it as well, and all of it
		fail(s->path, err.text);
		xy_config_free(&c);
		return EX_CONFIG;
	}
	give_folder(c.key_file, &of);
	r |= give_file(c.key_file, &of, true);
	r |= give_socket(name, XY_RUNDIR_TELEMETRY, c.telemetry.group, c.telemetry.mode, &of);
	r |= give_socket(name, XY_RUNDIR_CONTROL, c.control.group, c.control.mode, &of);
	xy_config_free(&c);
	return r;
}
