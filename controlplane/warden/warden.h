// SPDX-License-Identifier: BSD-3-Clause
// The privileged helper: a process of its own, made first of all, that keeps the capabilities of
// which the main process then has none. It does what it is asked for as far as the config allows
// that it read itself (scope.h, netmsg.h, request.h), and is confined as well. It ends with the
// main process. docs/adr/0020-privileged-helper.md.
//
// The functions here are the main process'. Those of the first channel are the control thread's,
// those of the second any other's, and wait for the kernel. Each returns -EPIPE once the helper has
// ended, -ETIMEDOUT while it does not answer: then it may still have done what it was asked for.
#pragma once

#include "confine/confine.h"
#include "warden/channel.h"

struct xy_warden;

// The file of a socket of ours, which has this group, or our own; another one once a reload brings
// it, which the helper looks up in /etc/group.
struct xy_warden_file {
	char path[108];
	bool control; // of control.group; else telemetry.group
	bool given;   // the config named a group at start
	uint32_t gid;
};

enum {
	XY_WARDEN_FILES = 8,
	XY_WARDEN_PROGRAMS =
		2 * XY_CONFIG_PORTS, // the port of one that is gone gives its back late
};

struct xy_warden_config {
	const char *instance;
	struct xy_warden_file file[XY_WARDEN_FILES];
	unsigned file_count;
	struct xy_addr node;
	bool no_tun;
	uint64_t keep; // capabilities
	const struct xy_confine_path *path;
	unsigned path_count;
	// The config file, in the helper: at start as the main process has it, which gives it away
	// there, then anew.
	struct xy_config *config;
	int (*read)(void *arg, struct xy_config *out, struct xy_err *err);
	void (*begin)(void *arg); // in the helper: what it does not need is wiped
	void *arg;
};

// Before there are threads. The helper is confined when this returns.
int xy_warden_fork(const struct xy_warden_config *cfg, struct xy_warden **out, struct xy_err *err);
// Closes the channels, and waits until the helper serves nobody any more, 3 s at most. It ends when
// the caller does.
void xy_warden_close(struct xy_warden *w);
// Is it there? Looks, and says once why not. Control thread.
bool xy_warden_look(struct xy_warden *w);
const struct xy_warden_hello *xy_warden_hello(const struct xy_warden *w);
// It did not answer in time, and has not caught up yet.
bool xy_warden_is_late(const struct xy_warden *w);
const char *xy_warden_gone(const struct xy_warden *w); // why it is no more; NULL: it is there

// --- first channel
// Messages of rtnetlink; error has a place for each of them, at most XY_NETMSG_MOST. -EPERM of one:
// the config does not name that.
int xy_warden_netlink(void *warden, const void *bytes, size_t len, int32_t *error, unsigned count);
// A queue of the host interface, whose name comes back. The descriptor, or -errno and whether it is
// the device that cannot be opened.
int xy_warden_tun(void *warden, char name[static 16], unsigned queue, bool many, bool *device);
int xy_warden_mark(void *warden, int fd, uint32_t mark);
int xy_warden_device(void *warden, int fd, const char *interface);
int xy_warden_bind(void *warden, int fd, const struct xy_addr *address, uint16_t port);
int xy_warden_buffers(void *warden, int fd);
int xy_warden_give(void *warden, int fd,
		   unsigned gid);	   // the file of a Unix socket of ours (O_PATH)
int xy_warden_closed(struct xy_warden *w); // the host interface
// As those of xy_dp_privileges (dataplane.h).
int xy_warden_xsk(void *warden, const char *interface, struct xy_err *err);
int xy_warden_program_load(void *warden, const struct xy_dp_program_config *cfg, unsigned *number,
			   struct xy_err *err);
int xy_warden_program_frame_max(void *warden, unsigned number, uint32_t frame_max);
int xy_warden_program_addresses(void *warden, unsigned number, const struct xy_addr *addr,
				unsigned count);
int xy_warden_program_socket(void *warden, unsigned number, uint32_t queue, int xsk);
int xy_warden_program_attach(void *warden, unsigned number, struct xy_dp_program_at *at,
			     struct xy_err *err);
void xy_warden_program_free(void *warden, unsigned number);
int xy_warden_count(struct xy_warden *w, struct xy_nft_count v[static XY_POLICY_COUNTERS]);
int xy_warden_take(struct xy_warden *w);
int xy_warden_end(struct xy_warden *w);

// --- second channel
// The config file, while the caller reads it as well; one thread, which asks nothing else
// meanwhile. digest: of what the caller read; -EAGAIN: the helper has read something else.
void xy_warden_read_begin(struct xy_warden *w);
int xy_warden_read_end(struct xy_warden *w, const uint8_t digest[static XY_CONFIG_DIGEST],
		       struct xy_err *err);
int xy_warden_rules(struct xy_warden *w, bool next, const struct xy_warden_key *key, unsigned count,
		    struct xy_err *err);
int xy_warden_no_rules(struct xy_warden *w, bool next, struct xy_err *err);
bool xy_warden_is_whole(struct xy_warden *w);
int xy_warden_watch(struct xy_warden *w, struct xy_err *err); // a descriptor of nftables
int xy_warden_nat(struct xy_warden *w, bool *v6, bool *v4, struct xy_err *err);

// --- the helper's own: warden.c makes it, it never comes back
_Noreturn void xy_warden_serve(const struct xy_warden_config *cfg, pid_t parent, int first,
			       int second);
