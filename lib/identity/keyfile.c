// SPDX-License-Identifier: BSD-3-Clause
#include "identity/identity.h"

#include <assert.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PREFIX_LEN = sizeof(XY_KEY_FILE_PREFIX) - 1,
	BASE64_LEN = XY_KEY_STRLEN - 1,
	TEXT_LEN = PREFIX_LEN + BASE64_LEN + 1,
	TEXT_MAX = 256, // room to see that there is more than a line, and blanks around it
};

static bool starts_with(const char *text, size_t len, const char *with)
{
	size_t n = strlen(with);
	return len >= n && memcmp(text, with, n) == 0;
}

static int decode_seed(const char *text, uint8_t seed[static 32])
{
	struct xy_key k;
	char s[BASE64_LEN + 1];
	memcpy(s, text, BASE64_LEN);
	s[BASE64_LEN] = '\0';
	int rc = strlen(s) == BASE64_LEN ? xy_key_parse(s, &k, NULL) : -EINVAL;
	if (rc == 0)
		memcpy(seed, k.b, sizeof(k.b));
	sodium_memzero(s, sizeof(s));
	sodium_memzero(&k, sizeof(k));
	return rc;
}

// What a file without our prefix is, as far as that can be told.
static int explain_stranger(const char *text, size_t len, struct xy_err *err)
{
	uint8_t seed[32];
	if (len == 0)
		return xy_err_set(err, EINVAL, "is empty; make a key with: xylem genkey");
	if (starts_with(text, len, "xylem-key-v"))
		return xy_err_set(err, EINVAL,
				  "is a key file of another version; this program reads "
				  "\"" XY_KEY_FILE_PREFIX "\"");
	bool wireguard = len == BASE64_LEN && decode_seed(text, seed) == 0;
	sodium_memzero(seed, sizeof(seed));
	if (wireguard)
		return xy_err_set(err, EINVAL,
				  "is a bare WireGuard key: it cannot sign; make one with: xylem "
				  "genkey");
	return xy_err_set(err, EINVAL,
			  "is not a Xylem key file (its one line begins with "
			  "\"" XY_KEY_FILE_PREFIX "\"); make one with: xylem genkey");
}

// What an editor puts around the line: a byte order mark, line ends of any kind, blanks.
static void trim(const char **text, size_t *len)
{
	if (starts_with(*text, *len, "\xef\xbb\xbf")) {
		*text += 3;
		*len -= 3;
	}
	for (; *len && memchr(" \t\r\n", **text, 4); ++*text)
		--*len;
	while (*len && memchr(" \t\r\n", (*text)[*len - 1], 4))
		--*len;
}

int xy_keyfile_parse(const char *text, size_t len, uint8_t seed[static 32], struct xy_err *err)
{
	if (starts_with(text, len, "\xff\xfe") || starts_with(text, len, "\xfe\xff"))
		return xy_err_set(err, EINVAL, "is UTF-16; save it as plain text (ASCII)");
	trim(&text, &len);
	if (!starts_with(text, len, XY_KEY_FILE_PREFIX))
		return explain_stranger(text, len, err);
	size_t n = len - PREFIX_LEN;
	if (n < BASE64_LEN)
		return xy_err_set(err, EINVAL,
				  "is cut short: %zu of %d characters follow \"" XY_KEY_FILE_PREFIX
				  "\"; restore it from a copy or make a new key with: xylem genkey",
				  n, BASE64_LEN);
	if (n > BASE64_LEN)
		return xy_err_set(err, EINVAL,
				  "is too long: after the %d characters of the key only the end of "
				  "the line may follow; remove the rest",
				  BASE64_LEN);
	if (decode_seed(text + PREFIX_LEN, seed) < 0)
		return xy_err_set(err, EINVAL,
				  "is damaged: what follows \"" XY_KEY_FILE_PREFIX
				  "\" is not base64 of 32 bytes; restore it from a copy or make a "
				  "new key with: xylem genkey");
	return 0;
}

// Root's, and the daemon's group may read it: as the unit has it, whose user cannot change its key.
static bool is_daemons(const struct stat *st)
{
	const struct passwd *daemon = getpwnam("xylem");
	const struct group *shown = getgrnam("xylem");
	return (st->st_mode & 077) == S_IRGRP && st->st_uid == 0 && daemon && daemon->pw_uid &&
	       st->st_gid == daemon->pw_gid && !(shown && shown->gr_gid == st->st_gid);
}

static int check_stat(const struct stat *st, const char *path, struct xy_err *err)
{
	if (S_ISDIR(st->st_mode))
		return xy_err_set(err, EISDIR, "key file %.200s: is a directory; name a file in it",
				  path);
	if (!S_ISREG(st->st_mode))
		return xy_err_set(err, EINVAL, "key file %.200s: is not a regular file", path);
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return xy_err_set(
			err, EPERM,
			"key file %.200s: belongs to user %u, but this program runs as user "
			"%u: chown it to %u",
			path, st->st_uid, geteuid(), geteuid());
	if (st->st_mode & 077 && !is_daemons(st))
		return xy_err_set(
			err, EPERM,
			"key file %.200s: others may use it (mode %04o): chmod 600 it, and "
			"make a new key if others could read it",
			path, st->st_mode & 07777);
	return 0;
}

static int open_keyfile(const char *path, struct xy_err *err)
{
	struct stat st;
	// O_NONBLOCK: a FIFO in its place must not hold the program.
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return xy_err_set(err, ENOENT,
				  "key file %.200s: does not exist; make one with: xylem genkey",
				  path);
	if (fd < 0)
		return xy_err_set(
			err, errno, "key file %.200s: cannot be opened: %s%s", path,
			strerror(errno),
			errno == EACCES && geteuid()
				? "; systemctl reload xylem gives it to this program's group, or: "
				  "chgrp it, chmod 640 it"
				: "");
	int rc = fstat(fd, &st) < 0 ? -errno : 0;
	if (rc < 0)
		xy_err_set(err, -rc, "key file %.200s: %s", path, strerror(-rc));
	else
		rc = check_stat(&st, path, err);
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

// Reads until the end or until the buffer is full; returns the length.
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;
	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static int seed_from_fd(int fd, const char *path, uint8_t seed[static 32], struct xy_err *err)
{
	char text[TEXT_MAX];
	struct xy_err why;
	ssize_t len = read_all(fd, text, sizeof(text));
	int rc = (int)len;
	if (len < 0) {
		xy_err_set(err, -rc, "key file %.200s: cannot be read: %s", path, strerror(-rc));
	} else {
		rc = xy_keyfile_parse(text, (size_t)len, seed, &why);
		if (rc == 0 && len == (ssize_t)sizeof(text)) // who knows what else
			rc = xy_err_set(&why, EINVAL, "is too long: remove what is not the key");
		if (rc < 0)
			xy_err_set(err, -rc, "key file %.200s: %.260s", path, why.text);
	}
	sodium_memzero(text, sizeof(text));
	return rc;
}

int xy_keyfile_load(const char *path, struct xy_identity *out, struct xy_err *err)
{
	uint8_t seed[32];
	int fd = open_keyfile(path, err);
	if (fd < 0)
		return fd;
	int rc = seed_from_fd(fd, path, seed, err);
	close(fd);
	if (rc == 0) {
		rc = xy_identity_from_seed(seed, out);
		if (rc < 0)
			xy_err_set(err, -rc,
				   "key file %.200s: its key cannot be used; make a new one "
				   "with: xylem genkey",
				   path);
	}
	sodium_memzero(seed, sizeof(seed));
	return rc;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static void text_of(const uint8_t seed[static 32], char text[static XY_KEYFILE_STRLEN])
{
	static_assert(XY_KEYFILE_STRLEN == TEXT_LEN + 1, "");
	memcpy(text, XY_KEY_FILE_PREFIX, PREFIX_LEN);
	sodium_bin2base64(text + PREFIX_LEN, XY_KEY_STRLEN, seed, 32,
			  sodium_base64_VARIANT_ORIGINAL);
	text[TEXT_LEN - 1] = '\n';
	text[TEXT_LEN] = 0;
}

int xy_keyfile_make(char text[static XY_KEYFILE_STRLEN], struct xy_identity *out)
{
	uint8_t seed[32];
	if (sodium_init() < 0)
		return -EIO;
	randombytes_buf(seed, sizeof(seed));
	int rc = xy_identity_from_seed(seed, out);
	text_of(seed, text);
	sodium_memzero(seed, sizeof(seed));
	return rc;
}

static int write_seed(int fd, const uint8_t seed[static 32])
{
	char text[XY_KEYFILE_STRLEN];
	text_of(seed, text);
	int rc = write_all(fd, text, TEXT_LEN);
	sodium_memzero(text, sizeof(text));
	return rc;
}

// The name itself must survive a power cut too; where folders cannot be synced it is not an error.
static void sync_folder(const char *path)
{
	char folder[PATH_MAX] = ".";
	const char *slash = strrchr(path, '/');
	if (slash && (size_t)(slash - path) < sizeof(folder) - 1)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path + 1), path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

// link() is what refuses to overwrite, and what shows the file only when it is whole.
static int write_keyfile(const char *path, const uint8_t seed[static 32])
{
	char temp[PATH_MAX];
	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	int fd = mkostemp(temp, O_CLOEXEC); // mode 0600
	if (fd < 0)
		return -errno;
	int rc = write_seed(fd, seed);
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && link(temp, path) < 0)
		rc = -errno;
	unlink(temp);
	if (rc == 0)
		sync_folder(path);
	return rc;
}

int xy_keyfile_create(const char *path, struct xy_identity *out, struct xy_err *err)
{
	uint8_t seed[32];
	struct stat st;
	if (sodium_init() < 0)
		return xy_err_set(err, EIO, "no source of random numbers");
	if (lstat(path, &st) == 0)
		return xy_err_set(err, EEXIST, "key file %.200s: exists and is not overwritten",
				  path);
	randombytes_buf(seed, sizeof(seed));
	int rc = xy_identity_from_seed(seed, out);
	if (rc == 0)
		rc = write_keyfile(path, seed);
	sodium_memzero(seed, sizeof(seed));
	if (rc == 0)
		return 0;
	xy_identity_wipe(out);
	if (rc == -EEXIST)
		return xy_err_set(err, EEXIST, "key file %.200s: exists and is not overwritten",
				  path);
	return xy_err_set(err, -rc, "key file %.200s: cannot be made: %s", path, strerror(-rc));
}
