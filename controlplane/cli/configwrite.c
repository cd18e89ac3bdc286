// SPDX-License-Identifier: BSD-3-Clause
// config write: what was changed at run time, into the config file. The file is the old one or the
// new one whole, with its owner and mode; where that cannot be, it stays, and what to write by hand
// is said.
#include "cli/cli.h"
#include "config/edit.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 16 << 20 };

struct job {
	char path[PATH_MAX], beside[PATH_MAX + 8];
	struct stat was;
	char *text, *edited;
	size_t len;
	struct xy_config_runtime now;
};

static int read_file(struct job *j, int fd, struct xy_err *err)
{
	if (fstat(fd, &j->was))
		return xy_err_set(err, errno, "%.300s: %s", j->path, strerror(errno));
	if (!S_ISREG(j->was.st_mode) || j->was.st_size > FILE_MAX)
		return xy_err_set(err, EINVAL, "%.300s: is no file that can be written anew",
				  j->path);
	if (j->was.st_nlink > 1)
		return xy_err_set(
			err, EMLINK,
			"%.300s: has another name as well (a hard link), which would keep "
			"the old content",
			j->path);
	j->text = xy_cli_must(malloc((size_t)j->was.st_size + 1));
	ssize_t n = read(fd, j->text, (size_t)j->was.st_size);
	if (n != j->was.st_size)
		return xy_err_set(err, EIO, "%.300s: cannot be read whole", j->path);
	j->len = (size_t)n;
	j->text[n] = 0;
	return 0;
}

static int load(struct job *j, struct xy_err *err)
{
	int fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret = fd < 0 ? xy_err_set(err, errno, "%.300s: %s", j->path, strerror(errno))
			 : read_file(j, fd, err);
	if (fd >= 0)
		close(fd);
	return ret;
}

// A secret in a file that all may read would have the daemon refuse it.
static int look_at_secrets(const struct job *j, struct xy_err *err)
{
	for (unsigned i = 0; i < j->now.config.peer_count; i++)
		if (j->now.config.peers[i].has_psk && j->was.st_mode & (S_IROTH | S_IWOTH))
			return xy_err_set(
				err, EPERM,
				"a pre-shared key would go into %.200s, which everyone may "
				"read; run: chmod 600 %.200s",
				j->path, j->path);
	return 0;
}

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);
	while (len) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) ? -errno : 0;
}

static int fill(const struct job *j, int fd)
{
	bool same = j->was.st_uid == geteuid() && j->was.st_gid == getegid();
	if (!same && fchown(fd, j->was.st_uid, j->was.st_gid))
		return -errno;
	if (fchmod(fd, j->was.st_mode & 07777))
		return -errno;
	return write_all(fd, j->edited);
}

// An editor may have had it open meanwhile.
static bool is_as_it_was(const struct job *j)
{
	struct stat st;
	return stat(j->path, &st) == 0 && st.st_ino == j->was.st_ino &&
	       st.st_size == j->was.st_size && st.st_mtim.tv_sec == j->was.st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == j->was.st_mtim.tv_nsec;
}

static void folder_sync(const struct job *j)
{
	char copy[PATH_MAX];
	memcpy(copy, j->path, sizeof(copy));
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

static int replace(struct job *j, struct xy_err *err)
{
	snprintf(j->beside, sizeof(j->beside), "%s.new", j->path);
	int fd = open(j->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return xy_err_set(err, errno, "%.300s: %s%s", j->beside, strerror(errno),
				  errno == EEXIST ? "; another one writes, or was killed: remove it"
						  : "");
	int ret = fill(j, fd);
	close(fd);
	if (!ret && !is_as_it_was(j))
		ret = -EBUSY;
	if (!ret && rename(j->beside, j->path))
		ret = -errno;
	if (ret)
		unlink(j->beside);
	else
		folder_sync(j);
	if (ret == -EBUSY)
		return xy_err_set(err, EBUSY, "%.300s: somebody else has just written it", j->path);
	return ret ? xy_err_set(err, -ret, "%.300s: %s", j->path, strerror(-ret)) : 0;
}

static int advise(const struct job *j, const struct xy_err *err)
{
	char *text = xy_config_edit_advice(&j->now);
	int ret = xy_cli_fail("%s", err->text);
	if (text && text[0])
		fprintf(stderr, "The file is as it was. By hand, write\n%s", text);
	xy_config_text_wipe(text);
	return ret;
}

static unsigned levels_of(const struct xy_config_runtime *r)
{
	unsigned n = r->level != XY_LOG_AS_IT_IS;
	for (unsigned i = 0; i < XY_LOG_PART_COUNT; i++)
		n += r->levels[i] != XY_LOG_AS_IT_IS;
	return n;
}

static bool is_nothing(const struct xy_config_runtime *r)
{
	return !r->config.peer_count && !r->change_count && !levels_of(r);
}

static int put_in(struct job *j)
{
	struct xy_err err = {""};
	if (is_nothing(&j->now)) {
		puts(j->now.drained ? "nothing to write: that a node is drained stays at run time"
				    : "nothing to write: nothing was changed at run time");
		return CLI_OK;
	}
	int ret = load(j, &err);
	ret = ret ? ret : look_at_secrets(j, &err);
	ret = ret ? ret : xy_config_edit(j->path, j->text, j->len, &j->now, &j->edited, &err);
	unsigned absent = xy_config_edit_absent(j->text, j->len, &j->now);
	if (absent)
		printf("settings of peers that are not in the file, and stay at run time: %u "
		       "(xylem show "
		       "config)\n",
		       absent);
	if (ret == -EALREADY) {
		printf("nothing else is to be written into %s\n", j->path);
		return CLI_OK;
	}
	ret = ret ? ret : replace(j, &err);
	if (ret)
		return advise(j, &err);
	printf("%s: written; peers: %u, settings: %u. From the next reload on it is the config's "
	       "(xylem reload)\n",
	       j->path, j->now.config.peer_count,
	       j->now.change_count - absent + levels_of(&j->now));
	return CLI_OK;
}

static int take_reply(struct job *j, const json_t *reply, struct xy_err *err)
{
	const char *path = json_string_value(json_object_get(reply, "config"));
	const char *text = json_string_value(json_object_get(reply, "text"));
	if (!path || !text || strlen(path) >= sizeof(j->path))
		return xy_err_set(err, EPROTO, "the daemon's answer is none");
	memcpy(j->path, path, strlen(path) + 1);
	return xy_config_runtime_parse("what was changed at run time", text, strlen(text), &j->now,
				       err);
}

static void job_free(struct job *j)
{
	if (j->text)
		sodium_memzero(j->text, j->len);
	free(j->text);
	xy_config_text_wipe(j->edited);
	xy_config_runtime_free(&j->now);
}

int xy_cli_config(int argc, char **argv)
{
	struct xy_cli_args a = {0};
	struct job j = {0};
	struct xy_err err = {""};
	json_t *reply;
	int ret = xy_cli_args(&a, argc, argv, NULL);
	if (!ret && (a.count != 1 || strcmp(a.word[0], "write") != 0))
		ret = xy_cli_misuse("write: xylem config write");
	ret = ret ? ret : xy_cli_steer(a.instance, "/xylem/runtime", NULL, &reply);
	if (ret)
		return ret;
	if (take_reply(&j, reply, &err))
		ret = xy_cli_fail("%s", err.text);
	else
		ret = put_in(&j);
	json_decref(reply);
	job_free(&j);
	return ret;
}
