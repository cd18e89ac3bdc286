// SPDX-License-Identifier: BSD-3-Clause
// Landlock: what a thread, and those that it makes, reach of files and of TCP.
#include "confine/confine.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// As in linux/landlock.h of 6.10: Debian 12's has the first two versions alone.
enum {
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	REMOVE_DIR = 1 << 4,
	REMOVE_FILE = 1 << 5,
	MAKE_DIR = 1 << 7,
	MAKE_REG = 1 << 8,
	MAKE_SOCK = 1 << 9,
	ALL_V1 = (1 << 13) - 1,
	REFER = 1 << 13,     // version 2
	TRUNCATE = 1 << 14,  // 3
	IOCTL_DEV = 1 << 15, // 5
	BIND_TCP = 1 << 0,   // 4
	CONNECT_TCP = 1 << 1,
	OF_FILES = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV, // the rest is of folders
	READING = READ_FILE | READ_DIR,				  // to execute is nobody's
	WRITING = READING | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG |
		  MAKE_SOCK | REFER | TRUNCATE,
	DEVICE = READ_FILE | READ_DIR | WRITE_FILE | IOCTL_DEV,
	NAME_SERVERS = 53, // a long answer comes by TCP
	RULE_PATH = 1,
	RULE_PORT = 2,
	ASK_VERSION = 1,
	SYS_CREATE = 444,
	SYS_ADD = 445,
	SYS_RESTRICT = 446,
};

struct handled {
	uint64_t fs, net;
};
struct path_rule {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));
struct port_rule {
	uint64_t access, port;
} __attribute__((packed));

static uint64_t handled_by(int version)
{
	return ALL_V1 | (version >= 2 ? REFER : 0u) | (version >= 3 ? TRUNCATE : 0u) |
	       (version >= 5 ? IOCTL_DEV : 0u);
}

static int path_add(int rules, const struct xy_confine_path *p, uint64_t handled)
{
	static const uint64_t access[] = {[XY_CONFINE_READ] = READING,
					  [XY_CONFINE_WRITE] = WRITING,
					  [XY_CONFINE_DEVICE] = DEVICE};
	struct stat st;
	struct path_rule r = {access[p->access] & handled, open(p->path, O_PATH | O_CLOEXEC)};
	if (r.fd < 0)
		return 0; // not there: then it is not reached
	if (fstat(r.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		r.access &= OF_FILES;
	int e = syscall(SYS_ADD, rules, RULE_PATH, &r, 0) ? -errno : 0;
	close(r.fd);
	return e;
}

static int restrict_to(int rules, const struct xy_confine_path *v, unsigned count, int version)
{
	struct port_rule names = {CONNECT_TCP, NAME_SERVERS};
	int r = 0;
	for (unsigned i = 0; !r && i < count; i++)
		r = path_add(rules, &v[i], handled_by(version));
	if (!r && count && version >= 4 && syscall(SYS_ADD, rules, RULE_PORT, &names, 0))
		r = -errno;
	return r ? r : syscall(SYS_RESTRICT, rules, 0) ? -errno : 0;
}

int xy_files_restrict(const struct xy_confine_path *v, unsigned count, struct xy_err *err)
{
	int version = (int)syscall(SYS_CREATE, NULL, 0, ASK_VERSION);
	if (version < 0 && errno == EPERM)
		return xy_err_set(
			err, EPERM,
			"no Landlock: this container or service manager forbids to ask for it");
	if (version <= 0)
		return xy_err_set(err, errno, "no Landlock: this kernel has none (%s)",
				  errno == EOPNOTSUPP ? "it is not among lsm= of its command line"
						      : strerror(errno));
	struct handled h = {handled_by(version), version >= 4 ? BIND_TCP | CONNECT_TCP : 0};
	size_t size = version >= 4 ? sizeof(h) : sizeof(h.fs);
	int rules = (int)syscall(SYS_CREATE, &h, size, 0);
	int r = rules < 0 ? -errno : restrict_to(rules, v, count, version);
	if (rules >= 0)
		close(rules);
	return r ? xy_err_set(err, -r, "Landlock refuses: %s", strerror(-r)) : version;
}
