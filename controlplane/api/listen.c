// SPDX-License-Identifier: BSD-3-Clause
#include "api/listen.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
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

// Whose group it is not yet gets no rights by it: the file has some other group until then.
static int set_mode(struct xy_listen *l)
{
	unsigned mode = l->lacks.text[0] ? l->mode & ~0070U : l->mode;
	return chmod(l->path, mode) ? -errno : 0;
}

static bool is_group(const char *path, gid_t gid)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_gid == gid;
}

static int give(const struct xy_listen *l, gid_t gid)
{
	if (lchown(l->path, (uid_t)-1, gid) == 0)
		return 0;
	if (errno != EPERM || !l->by.give)
		return -errno;
	int fd = open(l->path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	int r = fd < 0 ? -errno : l->by.give(l->by.arg, fd, gid);
	if (fd >= 0)
		close(fd);
	errno = -r;
	return r;
}

static void set_group(struct xy_listen *l)
{
	const struct group *g = l->group[0] ? getgrnam(l->group) : NULL;
	l->lacks.text[0] = 0;
	if (l->group[0] && !g)
		xy_err_set(&l->lacks, ENOENT,
			   "%s.group: there is no group \"%s\"; run: groupadd %s", l->setting,
			   l->group, l->group);
	else if (g && !is_group(l->path, g->gr_gid) && give(l, g->gr_gid))
		xy_err_set(&l->lacks, errno,
			   "%s: cannot be given to group %s (%s.group): %s; run: chgrp %s %s, or "
			   "start as a member of it (usermod -aG %s USER, and restart)",
			   l->path, l->group, l->setting, strerror(errno), l->group, l->path,
			   l->group);
	else if (!g && !is_group(l->path, getegid()) && give(l, getegid()))
		xy_err_set(
			&l->lacks, errno,
			"%s: cannot be taken from its group (there is no %s.group any more): %s; "
			"run: chgrp %u %s",
			l->path, l->setting, strerror(errno), (unsigned)getegid(), l->path);
}

void xy_listen_change(struct xy_listen *l, unsigned mode, const char *group)
{
	if (l->mode == mode && strcmp(l->group, group) == 0)
		return;
	l->mode = mode;
	snprintf(l->group, sizeof(l->group), "%s", group);
	if (!xy_listen_is_there(l))
		return;		       // the next one is made so
	chmod(l->path, mode & ~0070U); // whose it was has nothing by it, whatever becomes of it
	set_group(l);
	set_mode(l);
}

bool xy_listen_give(struct xy_listen *l)
{
	if (!l->lacks.text[0] || !xy_listen_is_there(l))
		return !l->lacks.text[0];
	set_group(l);
	if (!l->lacks.text[0])
		set_mode(l);
	return !l->lacks.text[0];
}

const char *xy_listen_lacks(const struct xy_listen *l)
{
	return l->lacks.text[0] ? l->lacks.text : NULL;
}

static bool is_member(gid_t gid)
{
	gid_t v[256];
	int n = getgroups(XY_ARRAY_SIZE(v), v);
	for (int i = 0; i < n; i++)
		if (v[i] == gid)
			return true;
	return n < 0 || getegid() == gid; // of so many groups nothing can be said
}

bool xy_listen_may_give(const char *setting, const char *group, struct xy_err *err)
{
	const struct group *g = group[0] ? getgrnam(group) : NULL;
	if (!group[0] || (g && (geteuid() == 0 || is_member(g->gr_gid))))
		return true;
	if (!g)
		xy_err_set(err, ENOENT,
			   "%s.group: there is no group \"%s\", so the socket is the daemon's "
			   "alone; run: groupadd %s",
			   setting, group, group);
	else
		xy_err_set(err, EPERM,
			   "%s.group: who is not root and no member of group %s cannot give the "
			   "socket to it, so it is the daemon's alone until somebody does: chgrp",
			   setting, group);
	return false;
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
	set_group(l);
	ret = set_mode(l);
	if (ret)
		ret = refuse(l, -ret, "its mode cannot be set", err);
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
	l->mode = cfg->mode;
	snprintf(l->group, sizeof(l->group), "%s", cfg->group ? cfg->group : "");
	snprintf(l->setting, sizeof(l->setting), "%s", cfg->setting ? cfg->setting : "");
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
