// SPDX-License-Identifier: BSD-3-Clause
#include "warden/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

int xy_channel_send(int socket, const void *bytes, size_t len, int fd)
{
	struct iovec v = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	union control c = {0};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	if (fd >= 0) {
		m.msg_control = c.room;
		m.msg_controllen = sizeof(c.room);
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	}
	ssize_t n;
	do
		n = sendmsg(socket, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int descriptor(struct msghdr *m)
{
	int fd = -1;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h))
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
		    h->cmsg_len == CMSG_LEN(sizeof(fd)))
			memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	return fd;
}

ssize_t xy_channel_receive(int socket, void *to, size_t size, int *fd)
{
	struct iovec v = {.iov_base = to, .iov_len = size};
	union control c = {0};
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = c.room,
			   .msg_controllen = sizeof(c.room)};
	ssize_t n;
	*fd = -1;
	do
		n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*fd = descriptor(&m);
	if (!(m.msg_flags &
	      (MSG_TRUNC | MSG_CTRUNC))) // of descriptors that find no room none is made
		return n;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return -EBADMSG;
}
