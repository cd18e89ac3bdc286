// SPDX-License-Identifier: BSD-3-Clause
#include "warden/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_FDS = 253 }; // of a message: SCM_MAX_FD of the kernel

union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

// All that may come: what finds no room here the kernel still opens as far as padding reaches.
union controls {
	struct cmsghdr head;
	char room[CMSG_SPACE(MOST_FDS * sizeof(int))];
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

// The one descriptor; where there are more, all are closed, and it is -EBADMSG.
static int descriptor(struct msghdr *m, int *fd)
{
	unsigned count = 0;
	*fd = -1;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(*fd);
		for (size_t i = 0; i < n; i++, count++) {
			if (*fd >= 0)
				close(*fd);
			memcpy(fd, CMSG_DATA(h) + i * sizeof(*fd), sizeof(*fd));
		}
	}
	return count > 1 ? -EBADMSG : 0;
}

// A message without a byte looks like the end.
static bool is_end(int socket)
{
	struct pollfd p = {.fd = socket, .events = POLLRDHUP};
	int r;
	do
		r = poll(&p, 1, 0);
	while (r < 0 && errno == EINTR);
	return r < 0 || p.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL);
}

ssize_t xy_channel_receive(int socket, void *to, size_t size, int *fd)
{
	struct iovec v = {.iov_base = to, .iov_len = size};
	union controls c = {0};
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
	int r = descriptor(&m, fd);
	if (n == 0 && *fd < 0 && is_end(socket))
		return 0;
	if (!r && n > 0 && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return -EBADMSG;
}
