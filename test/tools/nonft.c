// SPDX-License-Identifier: BSD-3-Clause
// Preloaded, it takes the packet filter away from a program: while the file named in NONFT_FILE is
// there, there are no transactions of libnftables, or no sockets of netfilter: whichever it says.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct nft_ctx;
int nft_run_cmd_from_buffer(struct nft_ctx *ctx, const char *text);

static bool takes(const char *what)
{
	char text[32] = "";
	const char *name = getenv("NONFT_FILE");
	int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	if (file < 0)
		return false;
	bool said = read(file, text, sizeof(text) - 1) >= 0;
	close(file);
	return said && strncmp(text, what, strlen(what)) == 0;
}

int nft_run_cmd_from_buffer(struct nft_ctx *ctx, const char *text)
{
	static int (*real)(struct nft_ctx * ctx, const char *text);
	if (takes("transactions")) {
		errno = EPERM;
		return -1;
	}
	if (!real)
		real = (int (*)(struct nft_ctx *, const char *))dlsym(RTLD_NEXT,
								      "nft_run_cmd_from_buffer");
	return real(ctx, text);
}

int socket(int family, int type, int protocol)
{
	static int (*real)(int family, int type, int protocol);
	if (family == AF_NETLINK && protocol == NETLINK_NETFILTER && takes("sockets")) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	if (!real)
		real = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
	return real(family, type, protocol);
}
