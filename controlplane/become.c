// SPDX-License-Identifier: BSD-3-Clause
#include "become.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int xy_become(const char *user, const char *name, const char *const *files, struct xy_err *err)
{
	const struct passwd *u;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (geteuid() != 0)
		return name ? xy_err_set(err, EPERM, "--user: only root can become somebody else")
			    : 0;
	u = getpwnam(name ? name : user);
	if (!u)
		return xy_err_set(err, ENOENT,
				  "there is no user \"%s\" that it could be; name another with "
				  "--user (root, where that is meant), or start it by its unit",
				  name ? name : user);
	if (u->pw_uid == 0)
		return 0;
	for (; *files; files++)
		if (**files && lchown(*files, u->pw_uid, u->pw_gid))
			return xy_err_set(err, errno, "cannot give %s to %s: %s", *files,
					  u->pw_name, strerror(errno));
	if (initgroups(u->pw_name, u->pw_gid) || setgid(u->pw_gid) || setuid(u->pw_uid))
		return xy_err_set(err, errno, "cannot become %s: %s", u->pw_name, strerror(errno));
	return 0;
}
