// SPDX-License-Identifier: BSD-3-Clause
#include "api/listen.h"

#include <assert.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int refuse(const struct xy_listen *l, int code, const char *what, struct xy_err *err)
{
	return xy_err_set(err, code, "%s: %s: %s", l->path, what, strerror(code));
}

// Only a socket that nobody listens on is removed.
static int remove_stale(const struct xy_listen *l, const struct sockaddr_un *sun,
			const char *instance, struct xy_err *err)
{
	struct stat st;
	if (lstat(l->path, &st))
		return errno == ENOENT ? 0 : refuse(l, errno, "cannot be looked at", err);
	if (!S_ISSOCK(st.st_mode))
		return xy_err_set(err, EEXIST, "%s: there is a file that is no socket; remove it",
				  l->path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return refuse(l, errno, "no socket", err);
	int code = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) ? errno : 0;
	close(fd);
	if (code != ECONNREFUSED)
		return xy_err_set(err, EADDRINUSE,
				  "instance %s is already running (%s answers); stop it, or start "
				  "this one under another name with -n",
				  instance, l->path);
	return unlink(l->path) ? refuse(l, errno, "stale and cannot be removed", err) : 0;
}

static int set_group(const struct xy_listen *l, const struct xy_listen_config *cfg,
		     struct xy_err *err)
{
	if (!cfg->group || !cfg->group[0])
		return 0;
	const struct group *g = getgrnam(cfg->group);
	if (!g)
		return xy_err_set(err, ENOENT,
				  "%s.group: there is no group \"%s\"; run: groupadd %s",
				  cfg->setting, cfg->group, cfg->group);
	if (chown(l->path, (uid_t)-1, g->gr_gid))
		return xy_err_set(err, errno,
				  "%s: cannot be given to group %s: %s; start as root or as a "
				  "member of it (usermod -aG %s USER, and restart)",
				  l->path, cfg->group, strerror(errno), cfg->group);
	return 0;
}

static int bind_and_listen(struct xy_listen *l, int fd, const struct xy_listen_config *cfg,
			   struct xy_err *err)
{
	struct stat st;
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	static_assert(sizeof(l->path) == sizeof(sun.sun_path), "");
	memcpy(sun.sun_path, l->path, sizeof(sun.sun_path));
	int ret = remove_stale(l, &sun, cfg->instance, err);
	if (ret)
		return ret;
	mode_t old = umask(0177); // nobody else before its mode is set
	ret = bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) ? errno : 0;
	umask(old);
	if (ret)
		return refuse(l, ret, "cannot be bound", err);
	ret = set_group(l, cfg, err);
	if (!ret && chmod(l->path, cfg->mode))
		ret = refuse(l, errno, "its mode cannot be set", err);
	if (!ret && listen(fd, cfg->backlog))
		ret = refuse(l, errno, "cannot listen", err);
	if (!ret && lstat(l->path, &st))
		ret = refuse(l, errno, "cannot be looked at", err);
	if (ret) {
		unlink(l->path);
		return ret;
	}
	l->device = st.st_dev;
	l->inode = st.st_ino;
	return 0;
}

int xy_listen_open(struct xy_listen *l, const struct xy_listen_config *cfg, struct xy_err *err)
{
	if (strlen(cfg->path) >= sizeof(l->path))
		return xy_err_set(err, ENAMETOOLONG, "%s: path too long for a socket", cfg->path);
	memcpy(l->path, cfg->path, strlen(cfg->path) + 1);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return refuse(l, errno, "no socket", err);
	int ret = bind_and_listen(l, fd, cfg, err);
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

bool xy_listen_is_there(const struct xy_listen *l)
{
	struct stat st;
	return lstat(l->path, &st) == 0 && st.st_ino == l->inode && st.st_dev == l->device;
}

void xy_listen_remove(const struct xy_listen *l)
{
	if (xy_listen_is_there(l)) // else it is another's
		unlink(l->path);
}
