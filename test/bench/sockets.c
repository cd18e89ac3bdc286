// SPDX-License-Identifier: BSD-3-Clause
// What a socket port's transmit costs, by how a burst's destinations lie: one after the other
// ("grouped": all of a remote's packets in one piece) or in turn ("interleaved", as a relay has
// them).
//   bench_sockets [--short] [--json]
// Over loopback to sockets that nobody reads, with UDP_GRO, so that the kernel takes a train whole
// and drops it where their buffers are full: its way through both is counted in, alike for all
// rows. Both ways take turns burst by burst; a figure is the median of TSC cycles per packet over
// bursts of 64 that the kernel took wholly.
#include "dp.h"
#include "port/socket.h"

#include <netinet/udp.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <unistd.h>

enum { BURSTS = 4000, BURSTS_SHORT = 800, REMOTES = 64 };

struct load { // one line of the table
	unsigned remotes, size;
};

struct way {
	unsigned n;
	uint64_t cycles[BURSTS];
};

struct bench {
	struct xy_dp *dp;
	struct xy_port *port;
	struct xy_endpoint remote[REMOTES];
	struct way grouped, interleaved;
};

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "bench sockets: %s: %s\n", what, why);
	exit(1);
}

static void remote_open(struct xy_endpoint *remote)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) ||
	    getsockname(fd, (struct sockaddr *)&at, &len) ||
	    setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof(one)))
		die("a socket to send to", strerror(errno));
	*remote = (struct xy_endpoint){.addr = xy_addr_from_v4(INADDR_LOOPBACK),
				       .port = ntohs(at.sin_port)};
}

static void begin(struct bench *b)
{
	struct xy_dp_config cfg = {.name = "bench-sockets",
				   .workers = 1,
				   .max_peers = 1,
				   .max_sessions = 4,
				   .max_routes = 16,
				   .max_packet = 1500};
	struct xy_dp_port_config port = {.port = 0};
	struct xy_err err;
	unsigned id;
	if (xy_dp_create(&cfg, &b->dp, &err))
		die("dataplane", err.text);
	if (xy_dp_port_add(b->dp, &port, &id, &err))
		die("port", err.text);
	b->port = b->dp->ports->port[id];
	for (unsigned i = 0; i < REMOTES; i++)
		remote_open(&b->remote[i]);
}

static void burst(struct bench *b, const struct load *load, bool grouped)
{
	struct xy_worker *w = b->dp->worker[0];
	struct way *way = grouped ? &b->grouped : &b->interleaved;
	struct rte_mbuf *m[XY_BURST];
	if (xy_buffers_alloc(w, m, XY_BURST))
		die("buffers", "none left");
	for (unsigned i = 0; i < XY_BURST; i++) {
		unsigned who = grouped ? i * load->remotes / XY_BURST : i % load->remotes;
		m[i]->data_len = (uint16_t)load->size;
		m[i]->pkt_len = load->size;
		*xy_packet(m[i]) =
			(struct xy_packet){.remote = b->remote[who], .next = XY_PEER_NONE};
	}
	uint64_t start = rte_rdtsc();
	unsigned sent = b->port->ops->tx_burst_rcu(b->port, w, m, XY_BURST);
	uint64_t spent = rte_rdtsc() - start;
	if (sent == XY_BURST)
		way->cycles[way->n++] = spent;
	else
		rte_pktmbuf_free_bulk(m, XY_BURST - sent);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static double median(struct way *w) // cycles per packet
{
	if (!w->n)
		die("transmit", "the kernel took no burst wholly");
	qsort(w->cycles, w->n, sizeof(w->cycles[0]), compare);
	return (double)w->cycles[w->n / 2] / XY_BURST;
}

static void row(struct bench *b, const struct load *load, unsigned bursts, bool json)
{
	b->grouped.n = b->interleaved.n = 0;
	for (unsigned i = 0; i < bursts; i++) {
		burst(b, load, true);
		burst(b, load, false);
	}
	double grouped = median(&b->grouped), interleaved = median(&b->interleaved);
	if (json)
		printf("{\"remotes\": %u, \"bytes\": %u, \"grouped\": %.0f, \"interleaved\": %.0f, "
		       "\"ratio\": %.2f}\n",
		       load->remotes, load->size, grouped, interleaved, interleaved / grouped);
	else
		printf("%7u %6u %9.0f %12.0f %7.2f\n", load->remotes, load->size, grouped,
		       interleaved, interleaved / grouped);
}

int main(int argc, char **argv)
{
	static const struct load loads[] = {{1, 1404}, {2, 1404}, {8, 1404}, {64, 1404},
					    {1, 96},   {2, 96},	  {8, 96},   {64, 96}};
	static struct bench b;
	bool brief = false, json = false;
	for (int i = 1; i < argc; i++) {
		bool is_short = strcmp(argv[i], "--short") == 0;
		bool is_json = strcmp(argv[i], "--json") == 0;
		if (!is_short && !is_json) {
			fprintf(stderr,
				"bench sockets: unknown argument '%s'; use [--short] [--json]\n",
				argv[i]);
			return 2;
		}
		brief |= is_short;
		json |= is_json;
	}
	begin(&b);
	if (!json)
		puts("cycles for a packet, median over bursts of 64\n"
		     "remotes  bytes   grouped  interleaved   ratio");
	for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		row(&b, &loads[i], brief ? BURSTS_SHORT : BURSTS, json);
	xy_dp_destroy(b.dp);
	return 0;
}
