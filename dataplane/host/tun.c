// SPDX-License-Identifier: BSD-3-Clause
// Opening and closing the TUN.
#include "tun.h"

#include "dp.h"
#include "privileges.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef TUN_F_USO4 // linux/if_tun.h before 6.2
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define DEVICE "/dev/net/tun"

// --- one queue

static int device_error(int error, struct xy_err *err)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return xy_err_set(err, ENOENT,
				  "TUN: there is no " DEVICE
				  ": load the module (modprobe tun), give "
				  "the container the device, or run with --no-tun");
	case EACCES:
	case EPERM:
		return xy_err_set(err, EPERM,
				  "TUN: " DEVICE " may not be opened: %s; run as root, or with "
				  "--no-tun",
				  strerror(error));
	}
	return xy_err_set(err, error, "TUN: " DEVICE ": %s", strerror(error));
}

static int attach_error(int error, const char *name, unsigned workers, struct xy_err *err)
{
	switch (error) {
	case EPERM:
		return xy_err_set(
			err, error,
			"TUN %s: making an interface needs CAP_NET_ADMIN; run as root, or "
			"with --no-tun",
			name);
	case EBUSY:
	case EINVAL:
		return xy_err_set(
			err, EBUSY,
			"TUN %s: there is an interface of that name already, in use or of "
			"another kind%s; stop who has it, delete it (ip link del %s), or "
			"choose another name",
			name, workers > 1 ? " (several workers need one of their own)" : "", name);
	}
	return xy_err_set(err, error, "TUN %s: %s", name, strerror(error));
}

static int set_offload(struct xy_tun *t, int fd, struct xy_err *err)
{
	unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	int len = sizeof(struct xy_vnet);
	t->uso = ioctl(fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0;
	if ((!t->uso && ioctl(fd, TUNSETOFFLOAD, tcp)) || ioctl(fd, TUNSETVNETHDRSZ, &len))
		return xy_err_set(err, errno, "TUN %s: offloads: %s", t->host.name,
				  strerror(errno));
	return 0;
}

static int queue_open(struct xy_tun *t, unsigned i, struct xy_err *err)
{
	struct xy_tun_queue *q = &t->queue[i];
	bool device = false;
	int fd = xy_privileged_tun(t->dp, t->host.name, i, t->workers > 1, &device), r = 0;
	if (fd < 0 && device)
		return device_error(-fd, err);
	if (fd < 0 && i == 0)
		return attach_error(-fd, t->host.name, t->workers, err);
	if (fd < 0)
		return xy_err_set(err, -fd, "TUN %s: queue %u: %s", t->host.name, i, strerror(-fd));
	q->fd = fd;
	if (i == 0)
		r = set_offload(t, fd, err);
	if (r)
		return r;
	q->memory = malloc(XY_TUN_FRAME);
	if (!q->memory)
		return xy_err_set(err, ENOMEM, "TUN %s: no memory", t->host.name);
	r = xy_worker_watch(t->dp->worker[i], fd);
	if (r)
		return xy_err_set(err, -r, "TUN %s: epoll: %s", t->host.name, strerror(-r));
	q->watched = true;
	return 0;
}

// --- the interface

static void tun_close(struct xy_host *host)
{
	struct xy_tun *t = xy_tun(host);
	for (unsigned i = 0; i < t->workers; i++) {
		struct xy_tun_queue *q = &t->queue[i];
		if (q->watched)
			xy_worker_unwatch(t->dp->worker[i], q->fd);
		if (q->fd >= 0)
			close(q->fd);
		free(q->memory);
	}
	free(t->queue);
	free(t);
}

static const struct xy_host_ops tun_ops = {
	.driver = "tun",
	.rx_burst_rcu = xy_tun_rx_burst_rcu,
	.tx_burst_rcu = xy_tun_tx_burst_rcu,
	.close = tun_close,
};

static struct xy_tun *tun_alloc(struct xy_dp *dp, unsigned id)
{
	struct xy_tun *t = calloc(1, sizeof(*t));
	size_t size = dp->workers * sizeof(*t->queue);
	if (!t)
		return NULL;
	t->queue = aligned_alloc(RTE_CACHE_LINE_SIZE, size);
	if (!t->queue) {
		free(t);
		return NULL;
	}
	memset(t->queue, 0, size);
	t->dp = dp;
	t->host.ops = &tun_ops;
	t->host.id = id;
	t->workers = dp->workers;
	for (unsigned i = 0; i < t->workers; i++)
		t->queue[i].fd = -1;
	return t;
}

static int name_check(const char *name, struct xy_err *err)
{
	if (strlen(name) >= IFNAMSIZ || strpbrk(name, "/%: \t\n"))
		return xy_err_set(err, EINVAL,
				  "TUN '%s': an interface name has at most %d characters, none of "
				  "them / %% : or space",
				  name, IFNAMSIZ - 1);
	return 0;
}

int xy_host_tun_open(struct xy_dp *dp, unsigned id, const char *name, struct xy_host **out,
		     struct xy_err *err)
{
	int r = name_check(name, err);
	if (r)
		return r;
	struct xy_tun *t = tun_alloc(dp, id);
	if (!t)
		return xy_err_set(err, ENOMEM, "TUN %s: no memory", name);
	snprintf(t->host.name, sizeof(t->host.name), "%s", *name ? name : "xylem%d");
	for (unsigned i = 0; !r && i < dp->workers; i++)
		r = queue_open(t, i, err);
	if (r) {
		tun_close(&t->host);
		return r;
	}
	*out = &t->host;
	return 0;
}
