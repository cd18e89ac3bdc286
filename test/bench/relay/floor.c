// SPDX-License-Identifier: BSD-3-Clause
// What no relay goes below here: one straight loop over the same buffers, keys and tables, which
// opens, takes a hop, looks the destination up, seals and says where to. It has no graph, no
// window, no accounts, no clock, and believes all that it reads; what the daemon has beyond it is
// what its nodes, checks and counts cost.
#include "bench.h"

#include <rte_cycles.h>

struct floor { // of one burst
	struct xy_session *in[XY_BURST], *out[XY_BURST];
	uint32_t link[XY_BURST];
	struct xy_aead_op op[XY_BURST];
};

static struct xy_wg_data *message(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, struct xy_wg_data *);
}

static void sessions_find(const struct xy_dp *dp, struct rte_mbuf **m, struct floor *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(message(m[i]));
	for (unsigned i = 0; i < n; i++) {
		if (i && message(m[i])->receiver == message(m[i - 1])->receiver) {
			f->in[i] = f->in[i - 1];
			continue;
		}
		f->in[i] = &dp->session[xy_session_slot(dp, message(m[i])->receiver)];
		rte_prefetch0(f->in[i]);
	}
}

static void links_find(const struct xy_dp *dp, struct rte_mbuf **m, struct floor *f, unsigned n)
{
	uint64_t net[XY_BURST], differ = 0;
	for (unsigned i = 0; i < n; i++) {
		net[i] = xy_be64_load(message(m[i])->box + 24);
		differ |= net[i] ^ net[0];
	}
	xy_exact_lookup_burst_rcu(dp->routes.mesh, net, f->link, differ ? n : 1);
	for (unsigned i = 0; i < n; i++) {
		f->link[i] = xy_fib_arg(f->link[differ ? i : 0]);
		rte_prefetch0(&dp->end[f->link[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		f->out[i] = &dp->session[dp->end[f->link[i]].current - 1];
		rte_prefetch0(&f->out[i]->send);
		rte_prefetch0(dp->end[f->link[i]].link.adjacency);
	}
}

static uint32_t box_len(const struct rte_mbuf *m)
{
	return m->data_len - XY_WG_DATA_OVERHEAD;
}

static uint64_t number = UINT64_C(1) << 40; // beyond all that the graph has sealed with these keys

static void send_on(const struct xy_dp *dp, struct rte_mbuf *m, struct floor *f, unsigned i)
{
	const struct xy_adjacency *a = dp->end[f->link[i]].link.adjacency;
	struct xy_wg_data *msg = message(m);
	struct xy_packet *p = xy_packet(m);
	msg->receiver = f->out[i]->remote_index;
	msg->counter = number++ | (msg->counter & XY_WG_LIGHT_MARK);
	msg->box[7]--;
	p->remote = a->remote;
	p->local = a->local;
}

void turn_floor(struct bench *b)
{
	const struct xy_dp *dp = b->dp;
	struct rte_mbuf **m = b->ring->in;
	unsigned n = b->ring->in_count;
	struct floor f;

	uint64_t start = rte_rdtsc();
	sessions_find(dp, m, &f, n);
	for (unsigned i = 0; i < n; i++)
		f.op[i] = op_of(b, message(m[i]), box_len(m[i]), &f.in[i]->recv);
	xy_aead_open_burst(b->cipher, f.op, n);
	for (unsigned i = 0; i < n; i++)
		b->errors += !f.op[i].ok;
	links_find(dp, m, &f, n);
	for (unsigned i = 0; i < n; i++) {
		send_on(dp, m[i], &f, i);
		f.op[i] = op_of(b, message(m[i]), box_len(m[i]), &f.out[i]->send);
	}
	xy_aead_seal_burst(b->cipher, f.op, n);
	memcpy(b->ring->out + b->ring->out_count, m, n * sizeof(*m));
	timed_add(b, b->floor, rte_rdtsc() - start);
	b->ring->out_count += n;
	b->ring->in += n;
	b->ring->in_count = 0;
}
