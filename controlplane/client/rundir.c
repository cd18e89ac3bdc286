// SPDX-License-Identifier: BSD-3-Clause
#include "client/rundir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// /etc/xylem/WORD.conf, and of an instance /etc/xylem/NAME.WORD.conf.
static bool ends_with(const char *name, size_t len, const char *word)
{
	size_t n = strlen(word);
	return len >= n && strcmp(name + len - n, word) == 0 &&
	       (len == n || name[len - n - 1] == '.');
}

const char *xy_instance_name_wrong(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);
	if (len < 1 || len > 32 || strspn(name, allowed) != len || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return "is no instance name; use 1 to 32 of A-Z a-z 0-9 . _ -";
	if (ends_with(name, len, "web"))
		return "is no instance name: what ends so in /etc/xylem is a config of xylem-web; "
		       "use another";
	if (ends_with(name, len, "fleet"))
		return "is no instance name: what ends so in /etc/xylem is a config of "
		       "xylem-fleet; use another";
	return NULL;
}

// One whose path is too long for a socket is left out.
static void add(struct xy_rundir *out, unsigned *n, const char *base, const char *name)
{
	int len = snprintf(out[*n].path, sizeof(out[*n].path), "%s/%s", base, name);
	if (len > 0 && (size_t)len < sizeof(out[*n].path))
		(*n)++;
}

unsigned xy_rundir_list(const char *program, const char *name,
			struct xy_rundir out[static XY_RUNDIR_MAX])
{
	char base[XY_RUNDIR_LEN];
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	unsigned n = 0;
	snprintf(base, sizeof(base), "/run/%s", program);
	add(out, &n, base, name);
	if (xdg && xdg[0] == '/' &&
	    snprintf(base, sizeof(base), "%s/%s", xdg, program) < (int)sizeof(base))
		add(out, &n, base, name);
	snprintf(base, sizeof(base), "/tmp/%s-%u", program, (unsigned)geteuid());
	add(out, &n, base, name);
	return n;
}

// Others may write to /tmp, or a group to its folder: what is not ours or root's alone could be
// anyone's trap.
static bool trusted(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH)) && (st.st_uid == 0 || st.st_uid == geteuid());
}

static void parent_of(const char *path, char parent[static XY_RUNDIR_LEN])
{
	size_t len = (size_t)(strrchr(path, '/') - path);
	memcpy(parent, path, len);
	parent[len] = 0;
}

// What root put into a folder of his is whose he made it: a service's user.
static bool given_by_root(const char *parent, const char *path)
{
	struct stat in, st;
	return lstat(parent, &in) == 0 && S_ISDIR(in.st_mode) && in.st_uid == 0 &&
	       !(in.st_mode & (S_IWGRP | S_IWOTH)) && lstat(path, &st) == 0 &&
	       S_ISDIR(st.st_mode) && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

bool xy_rundir_trusted(const struct xy_rundir *dir)
{
	char parent[XY_RUNDIR_LEN];
	parent_of(dir->path, parent);
	return given_by_root(parent, dir->path) || (trusted(parent) && trusted(dir->path));
}

static int make(const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	if (!trusted(path))
		return -EPERM;
	return access(path, W_OK) ? -errno : 0;
}

static int make_both(const char *path)
{
	char parent[XY_RUNDIR_LEN];
	parent_of(path, parent);
	int ret = make(parent);
	// a parent that only root may write to is good enough when the folder is there, and ours
	return ret && ret != -EACCES ? ret : make(path);
}

void xy_rundir_remove(const struct xy_rundir *dir)
{
	if (dir->path[0])
		rmdir(dir->path);
}

int xy_rundir_make(const char *program, const char *name, struct xy_rundir *out, struct xy_err *err)
{
	struct xy_rundir dirs[XY_RUNDIR_MAX];
	const char *wrong = xy_instance_name_wrong(name);
	if (wrong)
		return xy_err_set(err, EINVAL, "\"%.40s\" %s", name, wrong);
	unsigned n = xy_rundir_list(program, name, dirs);
	int ret = -ENOENT;
	for (unsigned i = 0; i < n; i++) {
		ret = make_both(dirs[i].path);
		if (ret == 0) {
			*out = dirs[i];
			return 0;
		}
	}
	return xy_err_set(err, -ret,
			  "%s: cannot be made or is not ours: %s; set XDG_RUNTIME_DIR to a folder "
			  "of yours",
			  dirs[n - 1].path, strerror(-ret));
}
