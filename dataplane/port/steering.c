// SPDX-License-Identifier: BSD-3-Clause
#include "steering.h"

#include "base/time.h"
#include "netdev.h"
#include "steer.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

enum { CPUS_MAX = 1024, ADDRS_MAX = 256 };

struct xy_steering {
	struct steer *skel;
	struct xy_steer_config config;
	bool pieces;
	int link; // descriptor of the bpf_link, or -1
	int ifindex;
	char interface[IF_NAMESIZE];
	struct xy_addr addr[ADDRS_MAX];
	unsigned addr_count;
};

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0; // our own texts say it
}

// Only the program that is wanted: kernels before 5.18 refuse to load the one for pieces.
static struct steer *program_load(bool pieces)
{
	struct steer *skel = steer__open();
	if (!skel)
		return NULL;
	bpf_program__set_autoload(skel->progs.steer, !pieces);
	bpf_program__set_autoload(skel->progs.steer_frags, pieces);
	int r = steer__load(skel);
	if (r == 0)
		return skel;
	steer__destroy(skel);
	errno = -r;
	return NULL;
}

static int config_put(const struct xy_steering *s)
{
	uint32_t zero = 0;
	return bpf_map_update_elem(bpf_map__fd(s->skel->maps.config), &zero, &s->config, BPF_ANY)
		       ? -errno
		       : 0;
}

int xy_steering_load(const char *interface, uint16_t first, uint16_t last, uint32_t frame_max,
		     bool pieces, struct xy_steering **out, struct xy_err *err)
{
	struct xy_steering *s = calloc(1, sizeof(*s));

	if (!s)
		return xy_err_set(err, ENOMEM, "%s: no memory", interface);
	s->link = -1;
	s->config = (struct xy_steer_config){
		.port_first = first, .port_last = last, .frame_max = frame_max, .trains = 1};
	s->pieces = pieces;
	s->ifindex = (int)if_nametoindex(interface);
	snprintf(s->interface, sizeof(s->interface), "%s", interface);
	if (!s->ifindex) {
		free(s);
		return xy_err_set(err, ENODEV, "%s: no such interface", interface);
	}
	libbpf_set_print(quiet);
	s->skel = program_load(pieces);
	if (!s->skel) {
		int code = errno ? errno : EINVAL;
		free(s);
		return xy_err_set(err, code, "%s: the XDP program does not load: %s%s", interface,
				  strerror(code),
				  code == EPERM || code == EACCES
					  ? " (CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are needed)"
					  : "");
	}
	int code = -config_put(s);
	if (code) {
		xy_steering_free(s);
		return xy_err_set(err, code, "%s: XDP configuration: %s", interface,
				  strerror(code));
	}
	*out = s;
	return 0;
}

int xy_steering_frame_max(struct xy_steering *s, uint32_t frame_max)
{
	if (s->config.frame_max == frame_max)
		return 0;
	s->config.frame_max = frame_max;
	return config_put(s);
}

static bool listed(const struct xy_addr *list, unsigned n, const struct xy_addr *a)
{
	for (unsigned i = 0; i < n; i++)
		if (xy_addr_eq(&list[i], a))
			return true;
	return false;
}

// Those that go make room first: the map holds no more than one full set.
static void forget_others(struct xy_steering *s, int fd, const struct xy_addr *addr, unsigned count)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < s->addr_count; i++)
		if (listed(addr, count, &s->addr[i]) ||
		    (bpf_map_delete_elem(fd, s->addr[i].b) && errno != ENOENT))
			s->addr[kept++] = s->addr[i];
	s->addr_count = kept;
}

int xy_steering_addresses(struct xy_steering *s, const struct xy_addr *addr, unsigned count)
{
	int fd = bpf_map__fd(s->skel->maps.addresses);
	uint8_t one = 1;
	if (count > ADDRS_MAX)
		return -ENOSPC;
	forget_others(s, fd, addr, count);
	for (unsigned i = 0; i < count; i++) {
		if (listed(s->addr, s->addr_count, &addr[i]))
			continue;
		if (s->addr_count == ADDRS_MAX || bpf_map_update_elem(fd, addr[i].b, &one, BPF_ANY))
			return s->addr_count == ADDRS_MAX ? -ENOSPC : -errno;
		s->addr[s->addr_count++] = addr[i];
	}
	return 0;
}

int xy_steering_socket(struct xy_steering *s, uint32_t queue, int xsk_fd)
{
	uint32_t fd = (uint32_t)xsk_fd;
	return bpf_map_update_elem(bpf_map__fd(s->skel->maps.sockets), &queue, &fd, BPF_ANY)
		       ? -errno
		       : 0;
}

static int link_create(struct xy_steering *s, int prog, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, o, .flags = flags);
	s->link = bpf_link_create(prog, s->ifindex, BPF_XDP, &o);
	return s->link < 0 ? -1 : 0;
}

// A native program sees frames as they were on the wire, but for a TUN's. Until this is known
// trains are looked out for.
static int mode_learn(struct xy_steering *s, struct xy_err *err)
{
	s->config.trains =
		strcmp(xy_steering_mode(s), "native") != 0 || xy_netdev_is_tun(s->interface);
	int r = config_put(s);
	return r ? xy_err_set(err, -r, "%s: XDP configuration: %s", s->interface, strerror(-r)) : 0;
}

int xy_steering_attach(struct xy_steering *s, struct xy_err *err)
{
	int code = 0,
	    prog = bpf_program__fd(s->pieces ? s->skel->progs.steer_frags : s->skel->progs.steer);
	if (link_create(s, prog, 0) == 0) // native where the driver can
		return mode_learn(s, err);
	code = errno;
	if (code != EBUSY && code != EEXIST && link_create(s, prog, XDP_FLAGS_SKB_MODE) == 0)
		return mode_learn(s, err);
	if (code == EBUSY || code == EEXIST)
		return xy_err_set(
			err, EBUSY,
			"%s has an XDP program already (see: ip link show dev %s); is another "
			"xylemd running on it? One left behind goes by: ip link set dev %s xdp off",
			s->interface, s->interface, s->interface);
	return xy_err_set(err, code, "%s: attaching the XDP program: %s", s->interface,
			  strerror(code));
}

void xy_steering_free(struct xy_steering *s)
{
	if (!s)
		return;
	if (s->link >= 0)
		close(s->link);
	steer__destroy(s->skel);
	free(s);
}

bool xy_steering_may_train(const struct xy_steering *s)
{
	return s->config.trains;
}

void xy_steering_train(const struct xy_steering *s)
{
	uint32_t zero = 0, seen = 1;
	bpf_map_update_elem(bpf_map__fd(s->skel->maps.trains), &zero, &seen, BPF_ANY);
}

bool xy_steering_trained(const struct xy_steering *s)
{
	uint32_t zero = 0, seen = 0;
	return bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.trains), &zero, &seen) == 0 && seen;
}

const char *xy_steering_mode(const struct xy_steering *s)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	if (bpf_xdp_query(s->ifindex, 0, &q))
		return "unknown";
	switch (q.attach_mode) {
	case XDP_ATTACHED_DRV:
		return "native";
	case XDP_ATTACHED_SKB:
		return "generic";
	case XDP_ATTACHED_HW:
		return "offloaded";
	}
	return "none";
}

void xy_steering_counters(const struct xy_steering *s, uint64_t out[static XY_STEER_COUNT])
{
	uint64_t per_cpu[CPUS_MAX];
	int cpus = libbpf_num_possible_cpus();
	for (uint32_t v = 0; v < XY_STEER_COUNT; v++) {
		out[v] = 0;
		if (cpus > CPUS_MAX ||
		    bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.verdicts), &v, per_cpu))
			continue;
		for (int i = 0; i < cpus; i++)
			out[v] += per_cpu[i];
	}
}
