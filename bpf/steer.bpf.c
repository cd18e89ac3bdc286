// SPDX-License-Identifier: BSD-3-Clause
// The XDP program of an af_xdp port: our UDP into the AF_XDP socket of the queue that it came on,
// all else to the kernel. What is ours is decided by lib/wire/steer.h. A queue without a socket
// passes too.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "wire/steer.h"

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64); // queues
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xy_steer_config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256); // addresses of the interface
	__type(key, struct xy_steer_addr);
	__type(value, __u8);
} addresses SEC(".maps");

struct { // who looks maps it: no privilege, and no system call of a worker
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2); // 1 + CPUs: whoever loads it knows how many
	__type(key, __u32);
	__type(value, struct xy_steer_seen);
} seen SEC(".maps");

static __always_inline enum xy_steer decide(const uint8_t *frame, const uint8_t *end, __u32 len)
{
	struct xy_steer_found found = {};
	const struct xy_steer_config *c;
	struct xy_steer_seen *all;
	__u32 zero = 0;

	enum xy_steer v = xy_steer_form(frame, end, len, &found);
	if (v != XY_STEER_OURS)
		return v;
	c = bpf_map_lookup_elem(&config, &zero);
	if (!c || !xy_steer_port_is_ours(c, found.port))
		return XY_STEER_OTHER_PORT;
	if (!bpf_map_lookup_elem(&addresses, &found.dst))
		return XY_STEER_OTHER_ADDR;
	all = bpf_map_lookup_elem(&seen, &zero);
	return all ? xy_steer_train(c, frame, end, len, &all->train) : XY_STEER_OURS;
}

static __always_inline int steer_frame(struct xdp_md *ctx, __u32 len)
{
	__u32 v =
		decide((const uint8_t *)(long)ctx->data, (const uint8_t *)(long)ctx->data_end, len);
	__u32 own = 1 + bpf_get_smp_processor_id();
	struct xy_steer_seen *s = bpf_map_lookup_elem(&seen, &own);
	if (s && v < XY_STEER_COUNT)
		s->count[v]++;
	if (v != XY_STEER_OURS)
		return XDP_PASS;
	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
}

SEC("xdp")
int steer(struct xdp_md *ctx)
{
	return steer_frame(ctx, 0);
}

// The same for a card that gives frames in several buffers (jumbo frames): the headers are in the
// first.
SEC("xdp.frags")
int steer_frags(struct xdp_md *ctx)
{
	return steer_frame(ctx, (__u32)bpf_xdp_get_buff_len(ctx));
}

char _license[] SEC("license") = "Dual BSD/GPL";
