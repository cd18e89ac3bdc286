// SPDX-License-Identifier: BSD-3-Clause
// The XDP program on a card, by whoever has the privileges: loaded, its maps filled, then attached.
#include "base/time.h"
#include "dataplane.h"
#include "netdev.h"
#include "steer.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CPUS_MAX = 1024, ADDRS_MAX = XY_DP_PROGRAM_ADDRESSES };

// Of an AF_XDP socket: frames on their way in copy mode count against it, about 2 KB each; the
// default (208 KB) would stop a full ring half way.
#define SEND_BYTES (4 << 20)

struct xy_dp_program {
	struct steer *skel;
	struct xy_steer_config config;
	bool pieces;
	int link; // descriptor of the bpf_link, or -1
	int ifindex;
	char interface[IF_NAMESIZE];
	struct xy_addr addr[ADDRS_MAX];
	unsigned addr_count;
};

// --- loading

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0; // our own texts say it
}

static int cpus_known(void)
{
	int n = libbpf_num_possible_cpus();
	return n < 1 ? 1 : n > CPUS_MAX ? CPUS_MAX : n;
}

// Only the program that is wanted: kernels before 5.18 refuse to load the one for pieces.
static struct steer *skeleton_load(bool pieces)
{
	struct steer *skel = steer__open();
	if (!skel)
		return NULL;
	bpf_program__set_autoload(skel->progs.steer, !pieces);
	bpf_program__set_autoload(skel->progs.steer_frags, pieces);
	int r = bpf_map__set_max_entries(skel->maps.seen, 1 + (uint32_t)cpus_known());
	r = r ? r : steer__load(skel);
	if (r == 0)
		return skel;
	steer__destroy(skel);
	errno = -r;
	return NULL;
}

static int config_put(const struct xy_dp_program *p)
{
	uint32_t zero = 0;
	return bpf_map_update_elem(bpf_map__fd(p->skel->maps.config), &zero, &p->config, BPF_ANY)
		       ? -errno
		       : 0;
}

static int fill(struct xy_dp_program *p, struct xy_err *err)
{
	if (!p->ifindex)
		return xy_err_set(err, ENODEV, "%s: no such interface", p->interface);
	libbpf_set_print(quiet);
	p->skel = skeleton_load(p->pieces);
	int code = errno ? errno : EINVAL;
	if (!p->skel)
		return xy_err_set(err, code, "%s: the XDP program does not load: %s%s",
				  p->interface, strerror(code),
				  code == EPERM || code == EACCES
					  ? " (CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are needed)"
					  : "");
	code = -config_put(p);
	return code ? xy_err_set(err, code, "%s: XDP configuration: %s", p->interface,
				 strerror(code))
		    : 0;
}

int xy_dp_program_load(const struct xy_dp_program_config *cfg, struct xy_dp_program **out,
		       struct xy_err *err)
{
	struct xy_dp_program *p = calloc(1, sizeof(*p));
	*out = NULL;
	if (!p)
		return xy_err_set(err, ENOMEM, "%s: no memory", cfg->interface);
	p->link = -1;
	p->config = (struct xy_steer_config){.port_first = cfg->port,
					     .port_last = cfg->port,
					     .frame_max = cfg->frame_max,
					     .trains = 1};
	p->pieces = cfg->pieces;
	p->ifindex = (int)if_nametoindex(cfg->interface);
	snprintf(p->interface, sizeof(p->interface), "%s", cfg->interface);
	int r = fill(p, err);
	if (r)
		xy_dp_program_free(p);
	else
		*out = p;
	return r;
}

void xy_dp_program_free(struct xy_dp_program *p)
{
	if (!p)
		return;
	if (p->link >= 0)
		close(p->link);
	if (p->skel)
		steer__destroy(p->skel);
	free(p);
}

int xy_dp_program_seen(const struct xy_dp_program *p)
{
	return bpf_map__fd(p->skel->maps.seen);
}

const char *xy_dp_program_interface(const struct xy_dp_program *p)
{
	return p->interface;
}

// --- what it goes by

int xy_dp_program_frame_max(struct xy_dp_program *p, uint32_t frame_max)
{
	p->config.frame_max = frame_max;
	return config_put(p);
}

static bool listed(const struct xy_addr *list, unsigned n, const struct xy_addr *a)
{
	for (unsigned i = 0; i < n; i++)
		if (xy_addr_eq(&list[i], a))
			return true;
	return false;
}

// Those that go make room first: the map holds no more than one full set.
static void forget_others(struct xy_dp_program *p, int fd, const struct xy_addr *addr,
			  unsigned count)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < p->addr_count; i++)
		if (listed(addr, count, &p->addr[i]) ||
		    (bpf_map_delete_elem(fd, p->addr[i].b) && errno != ENOENT))
			p->addr[kept++] = p->addr[i];
	p->addr_count = kept;
}

int xy_dp_program_addresses(struct xy_dp_program *p, const struct xy_addr *addr, unsigned count)
{
	int fd = bpf_map__fd(p->skel->maps.addresses);
	uint8_t one = 1;
	if (count > ADDRS_MAX)
		return -ENOSPC;
	forget_others(p, fd, addr, count);
	for (unsigned i = 0; i < count; i++) {
		if (listed(p->addr, p->addr_count, &addr[i]))
			continue;
		if (p->addr_count == ADDRS_MAX || bpf_map_update_elem(fd, addr[i].b, &one, BPF_ANY))
			return p->addr_count == ADDRS_MAX ? -ENOSPC : -errno;
		p->addr[p->addr_count++] = addr[i];
	}
	return 0;
}

// --- its sockets

int xy_dp_xsk(const char *interface, struct xy_err *err)
{
	int bytes = SEND_BYTES, r = 0, fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return xy_err_set(err, errno, "%s: AF_XDP socket: %s%s", interface, strerror(errno),
				  errno == EPERM ? " (CAP_NET_RAW is needed)" : "");
	// Whoever has it cannot bind it to another card (since Linux 6.5, and 6.1.39 of 6.1).
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)))
		r = xy_err_set(err, errno, "%s: AF_XDP socket: %s", interface, strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	if (!r)
		return fd;
	close(fd);
	return r;
}

// Of another card it would take nothing here, but this program would not know.
static bool is_of(const struct xy_dp_program *p, int fd)
{
	char bound[IF_NAMESIZE] = "";
	int domain = 0;
	socklen_t len = sizeof(domain), room = sizeof(bound);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_XDP &&
	       getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bound, &room) == 0 &&
	       strncmp(bound, p->interface, sizeof(bound)) == 0;
}

int xy_dp_program_socket(struct xy_dp_program *p, uint32_t queue, int xsk)
{
	uint32_t fd = (uint32_t)xsk;
	if (!is_of(p, xsk))
		return -EPERM;
	return bpf_map_update_elem(bpf_map__fd(p->skel->maps.sockets), &queue, &fd, BPF_ANY)
		       ? -errno
		       : 0;
}

// --- attaching

static enum xy_dp_xdp_mode mode_of(const struct xy_dp_program *p)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	if (bpf_xdp_query(p->ifindex, 0, &q))
		return XY_DP_XDP_UNKNOWN;
	switch (q.attach_mode) {
	case XDP_ATTACHED_DRV:
		return XY_DP_XDP_NATIVE;
	case XDP_ATTACHED_SKB:
		return XY_DP_XDP_GENERIC;
	case XDP_ATTACHED_HW:
		return XY_DP_XDP_OFFLOADED;
	}
	return XY_DP_XDP_NONE;
}

static bool link_create(struct xy_dp_program *p, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, o, .flags = flags);
	int prog = bpf_program__fd(p->pieces ? p->skel->progs.steer_frags : p->skel->progs.steer);
	p->link = bpf_link_create(prog, p->ifindex, BPF_XDP, &o);
	return p->link >= 0;
}

// A native program sees frames as they were on the wire, but for a TUN's. Until this is known
// trains are looked out for.
static int mode_learn(struct xy_dp_program *p, struct xy_dp_program_at *at, struct xy_err *err)
{
	at->mode = mode_of(p);
	at->may_train = at->mode != XY_DP_XDP_NATIVE || xy_netdev_is_tun(p->interface);
	p->config.trains = at->may_train;
	int r = config_put(p);
	if (!r)
		return p->link;
	close(p->link);
	p->link = -1;
	return xy_err_set(err, -r, "%s: XDP configuration: %s", p->interface, strerror(-r));
}

int xy_dp_program_attach(struct xy_dp_program *p, struct xy_dp_program_at *at, struct xy_err *err)
{
	if (p->link >= 0)
		return xy_err_set(err, EALREADY, "%s: it is attached", p->interface);
	if (link_create(p, 0)) // native where the driver can
		return mode_learn(p, at, err);
	int code = errno;
	if (code != EBUSY && code != EEXIST && link_create(p, XDP_FLAGS_SKB_MODE))
		return mode_learn(p, at, err);
	if (code == EBUSY || code == EEXIST)
		return xy_err_set(
			err, EBUSY,
			"%s has an XDP program already (see: ip link show dev %s); is another "
			"xylemd running on it? One left behind goes by: ip link set dev %s xdp off",
			p->interface, p->interface, p->interface);
	return xy_err_set(err, code, "%s: attaching the XDP program: %s", p->interface,
			  strerror(code));
}
