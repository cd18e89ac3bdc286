// SPDX-License-Identifier: BSD-3-Clause
#include "state/keep.h"

#include "base/bytes.h"
#include "state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = XY_STATE_FOLDER_LEN + 32 };

static void path_of(const char *folder, const char *name, const char *suffix,
		    char path[static PATH_LEN])
{
	snprintf(path, PATH_LEN, "%s/%s%s", folder, name, suffix);
}

static ssize_t read_fd(int fd, size_t most, char **text)
{
	struct stat st;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size > most)
		return -EINVAL;
	*text = malloc((size_t)st.st_size + 1);
	if (!*text)
		return -ENOMEM;
	ssize_t n = read(fd, *text, (size_t)st.st_size);
	(*text)[n < 0 ? 0 : n] = 0;
	return n < 0 ? -errno : n;
}

ssize_t xy_keep_read(const char *folder, const char *name, size_t most, char **text)
{
	char path[PATH_LEN];
	*text = NULL;
	path_of(folder, name, "", path);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	ssize_t n = read_fd(fd, most, text);
	close(fd);
	return n;
}

int xy_keep_aside(const char *folder, const char *name)
{
	static const char *const suffix[] = {".lost", ".lost2", ".lost3", ".lost4"};
	char path[PATH_LEN], aside[PATH_LEN];
	path_of(folder, name, "", path);
	for (unsigned i = 0; i < XY_ARRAY_SIZE(suffix); i++) {
		path_of(folder, name, suffix[i], aside);
		if (!link(path, aside))
			return unlink(path) ? -errno : 0;
		if (errno != EEXIST)
			break;
	}
	return -errno;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) ? -errno : 0;
}

static int folder_sync(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = fsync(fd) && errno != EINVAL ? -errno : 0; // EINVAL: the file system needs none
	close(fd);
	return r;
}

int xy_keep_write(const char *folder, const char *name, const char *text, size_t len)
{
	return xy_keep_write_as(folder, name, text, len, 0600);
}

int xy_keep_write_as(const char *folder, const char *name, const char *text, size_t len,
		     unsigned mode)
{
	char path[PATH_LEN], beside[PATH_LEN];
	path_of(folder, name, "", path);
	path_of(folder, name, ".new", beside);
	// Whatever it is: a pipe there would hold us up.
	if (unlink(beside) && errno != ENOENT)
		return -errno;
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		      0600);
	int r = fd < 0 ? -errno : write_all(fd, text, len);
	if (!r && mode != 0600 && fchmod(fd, mode))
		r = -errno;
	if (fd >= 0)
		close(fd);
	if (!r && rename(beside, path))
		r = -errno;
	if (r && fd >= 0)
		unlink(beside);
	return r ? r : folder_sync(folder);
}
