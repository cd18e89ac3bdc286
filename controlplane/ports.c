// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_PORTS

#include "ports.h"

#include "daemon.h"
#include "hostroutes.h"
#include "interface.h"
#include "kernel/way.h"

#include <net/if.h>
#include <stdlib.h>

enum {
	ADDRESSES = 256,      // whose packets one card takes; of others its socket does
	ADDRESS_TRIES = 3,    // when they change as they are read
	QUEUE_BUFFERS = 4096, // a queue keeps so many at most: 2048 to fill, 2048 on their way
	BATCH = 16,	   // links per turn: each takes three requests of the kernel, about 60 us
	KEEP_SECONDS = 10, // the kernel does not see our traffic; its neighbours age in 30 s
	ASK_SECONDS = 30,  // what ICMP told of a path's MTU expires without a word
};

#define SETTLE (50 * XY_MSEC) // changes in the kernel come in bursts
#define PAUSE  XY_MSEC	      // for others, between two batches

struct card {
	struct xy_dp_port_config cfg;
	bool open, lost;   // lost: what it cannot be opened again without
	struct xy_err why; // it does not open, as it was said last
	bool owes;	   // its addresses are not as told; tried again each second
	unsigned id, ifindex;
	char name[IF_NAMESIZE];	  // of the interface when it was opened
	char master[IF_NAMESIZE]; // a bridge or bond that it is part of
	bool may_train, trains;	  // frames may come as trains; told: that they do
	unsigned count;
	struct xy_addr address[ADDRESSES];
};

struct xy_ports {
	struct xy_ways ways;
	bool addresses_stale;
	unsigned cards;
	struct card card[XY_CONFIG_PORTS];
	uv_poll_t poll;
	xy_nsec settle_at; // XY_NEVER: nothing changed
	unsigned from;
	bool again;	// something changed while links were asked
	bool keep;	// this round keeps neighbours alive
	bool mtu_stale; // a link's may have changed
};

// --- before the dataplane starts

// Where one card has jumbo frames, packets are copied to and from it, and buffers are longer than
// AF_XDP takes: the ordinary ones beside it have others. A card that comes later is taken for one
// with a queue for each worker. Returns how many queues want usual buffers.
static unsigned af_xdp_prepare(const struct xy_config *c, struct xy_dp_config *dp)
{
	unsigned queues = 0;
	bool jumbo = false;
	for (unsigned i = 0; i < c->port_count; i++) {
		if (c->ports[i].driver != XY_DRIVER_AF_XDP)
			continue;
		if (xy_dp_card_is_jumbo(c->ports[i].interface))
			jumbo = true;
		else if (if_nametoindex(c->ports[i].interface))
			queues += xy_dp_card_queues(c->ports[i].interface);
		else
			queues += dp->workers;
	}
	if (jumbo) {
		dp->plain_buffers = queues * QUEUE_BUFFERS;
		return 0;
	}
	if (queues && dp->max_packet > XY_DP_PACKET_PLAIN)
		dp->max_packet = XY_DP_PACKET_PLAIN;
	return queues;
}

void xy_ports_prepare(const struct xy_config *c, struct xy_dp_config *dp, const char **devices)
{
	unsigned queues = af_xdp_prepare(c, dp);
	dp->devices = devices;
	for (unsigned i = 0; i < c->port_count; i++)
		if (c->ports[i].driver == XY_DRIVER_DPDK) {
			devices[dp->device_count++] = c->ports[i].device;
			queues += dp->workers;
		}
	dp->more_buffers = queues * QUEUE_BUFFERS;
}

// --- one card

// The packets of a bridge are the bridge's to take, also those that come by a part of it.
static unsigned addresses_of(const struct xy_daemon *d, const struct card *c,
			     struct xy_addr out[static ADDRESSES])
{
	if (xy_addr_is_unspecified(&c->cfg.address))
		return xy_host_addresses_at(&d->ports->ways.addresses, c->ifindex, !c->master[0],
					    out, ADDRESSES);
	out[0] = c->cfg.address;
	return 1;
}

static void addresses_follow(struct xy_daemon *d, struct card *c)
{
	struct xy_addr now[ADDRESSES];
	unsigned count = addresses_of(d, c, now);
	if (!c->owes && count == c->count && memcmp(now, c->address, count * sizeof(*now)) == 0)
		return;
	c->count = count;
	memcpy(c->address, now, count * sizeof(*now));
	int r = xy_dp_port_addresses(d->dp, c->id, now, count);
	if (r && !c->owes)
		xy_log_warn("%s: addresses: %s; packets for those that are new go by the kernel's "
			    "socket; trying again",
			    c->cfg.interface,
			    r == -EPIPE	      ? "the privileged helper has ended"
			    : r == -ETIMEDOUT ? "the privileged helper does not answer in time"
					      : strerror(-r));
	c->owes = r != 0;
}

// What cannot be read now is with the next decision or second.
static void addresses_read(struct xy_daemon *d)
{
	struct xy_ports *p = d->ports;
	for (unsigned i = 0; i < ADDRESS_TRIES && p->addresses_stale; i++)
		p->addresses_stale = xy_host_addresses_read(&d->netlink, &p->ways.addresses) != 0;
	p->again |= p->addresses_stale;
}

// Packets for a part of a bridge go to the bridge, whose addresses they bear.
static void master_follow(struct xy_daemon *d, struct card *c)
{
	char now[IF_NAMESIZE];
	if (xy_underlay_master(&d->ports->ways.underlay, c->ifindex, now) ||
	    strcmp(now, c->master) == 0)
		return;
	if (now[0])
		xy_log_warn(
			"%s: is part of %s, which has the addresses and takes its packets: all go "
			"by the kernel's socket; use driver = \"socket\", or name %s",
			c->name, now, now);
	else
		xy_log_info("%s: is no longer part of %s", c->name, c->master);
	memcpy(c->master, now, sizeof(now));
}

static void train_check(const struct xy_daemon *d, struct card *c)
{
	struct xy_dp_port_info info;
	if (!c->open || !c->may_train || c->trains || xy_dp_port_info(d->dp, c->id, &info) ||
	    !info.trained)
		return;
	c->trains = true;
	xy_log_warn(
		"%s: its frames come as trains of datagrams (generic mode), so what comes there "
		"goes by the kernel's socket, which can cut them; driver = \"socket\" does the "
		"same with less work",
		c->name);
}

static int card_open(struct xy_daemon *d, struct card *c, struct xy_err *err)
{
	struct xy_dp_port_info info;
	int r = xy_dp_port_add(d->dp, &c->cfg, &c->id, err);
	if (r)
		return r;
	xy_dp_port_info(d->dp, c->id, &info);
	c->open = true;
	c->cfg.port = info.port; // stays, also where the kernel chose it: the helper takes no other
	c->why.text[0] = 0;
	c->count = 0;
	c->owes = false;
	c->trains = false;
	c->may_train = info.may_train;
	c->master[0] = 0;
	c->ifindex = if_nametoindex(info.interface);
	snprintf(c->name, sizeof(c->name), "%s", info.interface);
	xy_log_info("port %u: %s on %s (%s), %u queues, UDP port %u", c->id, info.driver,
		    info.interface, info.mode, info.queues, info.port);
	if (info.may_train)
		xy_log_warn(
			"%s: the kernel runs XDP for its driver, which is slower than sockets; "
			"where frames come as trains of datagrams, the kernel's socket takes them",
			c->name);
	master_follow(d, c);
	addresses_follow(d, c);
	return 0;
}

static bool is_gone(const struct card *c)
{
	return c->open && c->cfg.driver == XY_DP_AF_XDP &&
	       if_nametoindex(c->cfg.interface) != c->ifindex;
}

// The TAP that stands for a card of DPDK's; its device cannot be opened twice.
static void twin_check(struct card *c)
{
	char name[IF_NAMESIZE];
	if (!c->open || c->lost || c->cfg.driver != XY_DP_DPDK || if_indextoname(c->ifindex, name))
		return;
	c->lost = true;
	xy_log_error("%s: somebody deleted the TAP that stands for %s; nothing comes by that card "
		     "until xylemd is restarted",
		     c->name, c->cfg.device);
}

static void cards_follow(struct xy_daemon *d)
{
	for (unsigned i = 0; i < d->ports->cards; i++) {
		struct card *c = &d->ports->card[i];
		if (is_gone(c)) {
			xy_log_warn("%s: the interface is gone; its port waits for it",
				    c->cfg.interface);
			xy_dp_port_del(d->dp, c->id);
			c->open = false;
		}
		twin_check(c);
		if (!c->open)
			continue;
		master_follow(d, c);
		addresses_follow(d, c);
		xy_dp_port_follow(d->dp, c->id);
	}
}

bool xy_ports_note(const struct xy_daemon *d, unsigned port, char *text, size_t size)
{
	struct xy_dp_port_info info;
	const struct card *c = NULL;
	for (unsigned i = 0; i < d->ports->cards; i++)
		if (d->ports->card[i].open && d->ports->card[i].id == port)
			c = &d->ports->card[i];
	if (!c || xy_dp_port_info(d->dp, port, &info))
		return false;
	if (c->master[0])
		snprintf(text, size, "part of %s, which takes its packets: none comes by this card",
			 c->master);
	else if (!c->count)
		snprintf(text, size, "no address, so nothing is for it");
	else if (info.trained)
		snprintf(text, size, "frames are trains: the kernel's socket takes them");
	else
		return false;
	return true;
}

static void cards_retry(struct xy_daemon *d)
{
	for (unsigned i = 0; i < d->ports->cards; i++) {
		struct card *c = &d->ports->card[i];
		struct xy_err err;
		if (c->open || !if_nametoindex(c->cfg.interface))
			continue;
		c->cfg.again = true; // the loop must not wait
		if (card_open(d, c, &err) == 0) {
			d->ports->again = true;			 // links may go by it
		} else if (strcmp(err.text, c->why.text) != 0) { // another reason is said, too
			c->why = err;
			xy_log_warn("%s; trying again every second", err.text);
		}
	}
}

// --- where peers are

static const struct card *card_of(const struct xy_ports *p, unsigned port)
{
	for (unsigned i = 0; i < p->cards; i++)
		if (p->card[i].open && p->card[i].id == port)
			return &p->card[i];
	return NULL;
}

static void ports_list(struct xy_daemon *d)
{
	struct xy_ways *w = &d->ports->ways;
	struct xy_dp_port_info info;
	w->count = 0;
	for (unsigned i = 0; i < XY_DP_PORTS; i++) {
		if (xy_dp_port_info(d->dp, i, &info))
			continue;
		const struct card *c = card_of(d->ports, i);
		w->port[w->count++] = (struct xy_way_port){.id = i,
							   .address = info.address,
							   .udp_port = info.port,
							   .card = c ? c->ifindex : 0,
							   .bound = c && c->cfg.shared};
	}
}

static void by_card(const struct xy_way *way, struct xy_dp_peer *peer)
{
	peer->resolved = way->path.resolved && !xy_addr_is_unspecified(&way->local);
	memcpy(peer->next_mac, way->path.next_mac, sizeof(peer->next_mac));
	memcpy(peer->own_mac, way->path.own_mac, sizeof(peer->own_mac));
}

// The kernel's word, and no failure to ask it.
static bool no_way(int r)
{
	return r == -ENETUNREACH || r == -EHOSTUNREACH || r == -ENETDOWN || r == -EACCES;
}

// An interface may carry more than our packets' buffers hold: loopback does, and one whose MTU was
// raised since the start.
static uint32_t mtu_at_most(const struct xy_daemon *d, const struct xy_endpoint *to, uint32_t mtu)
{
	uint32_t most = d->max_packet + xy_wg_link_overhead(to);
	return mtu < most ? mtu : most;
}

void xy_ports_path(void *arg, struct xy_dp_peer *peer)
{
	struct xy_daemon *d = arg;
	struct xy_ports *p = d->ports;
	struct xy_way way;
	addresses_read(d);
	int r = xy_way_find(&p->ways, &peer->remote, &peer->heard, &way);
	peer->port = way.port;
	peer->local = way.local;
	peer->no_way = no_way(r) || (!r && !way.path.carried);
	if (r)
		return;
	if (xy_interface_is_open(d) && way.path.next.ifindex == xy_interface_index(d) &&
	    xy_hostroutes_withhold(d, &peer->remote.addr))
		return; // asked again when the kernel has let it go
	peer->via = way.path.next.ifindex;
	peer->source = way.source;
	peer->mtu = mtu_at_most(d, &peer->remote, way.path.mtu);
	peer->route_mtu = way.path.route_mtu;
	peer->icmp_mtu = way.path.icmp_mtu;
	if (!way.by_card)
		return;
	if (p->keep || !way.path.resolved)
		xy_underlay_use(&p->ways.underlay, &way.path);
	by_card(&way, peer);
}

// --- following the kernel

xy_nsec xy_ports_deadline(const struct xy_daemon *d)
{
	return d->ports->settle_at;
}

void xy_ports_run(struct xy_daemon *d, xy_nsec now)
{
	struct xy_ports *p = d->ports;
	if (!p->from) {
		p->again = false;
		addresses_read(d);
		xy_late_ports_look(d);
		cards_follow(d);
		ports_list(d);
	}
	if (xy_links_mtu_refresh(d->links, &p->from, BATCH)) {
		p->settle_at = xy_now() + PAUSE;
		return;
	}
	p->from = 0;
	p->keep = false;
	xy_interface_mtu_update(d);
	p->settle_at = p->again ? xy_now() + SETTLE : XY_NEVER;
}

static void ask_again(struct xy_daemon *d)
{
	d->ports->again = true;
	if (d->ports->settle_at == XY_NEVER)
		d->ports->settle_at = xy_now() + SETTLE;
}

static void on_netlink(uv_poll_t *poll, int status, int events)
{
	struct xy_daemon *d = poll->data;
	xy_loop_begin(&d->loop);
	if (xy_netlink_changed(&d->netlink)) {
		d->ports->addresses_stale = true;
		ask_again(d);
	}
	xy_loop_end(&d->loop, &d->seat[XY_SEAT_KERNEL]);
}

int xy_ports_mark(struct xy_daemon *d, uint32_t mark)
{
	struct xy_underlay *u = &d->ports->ways.underlay;
	if (d->plan.config.fwmark || mark == u->fwmark)
		return 0;
	int r = xy_dp_ports_mark(d->dp, mark);
	if (!r)
		u->fwmark = mark;
	ask_again(d);
	return r;
}

void xy_ports_mtu_told(struct xy_daemon *d)
{
	d->ports->mtu_stale = true;
}

void xy_ports_second(struct xy_daemon *d)
{
	struct xy_ports *p = d->ports;
	cards_retry(d);
	for (unsigned i = 0; i < p->cards; i++) {
		train_check(d, &p->card[i]);
		if (p->card[i].open && p->card[i].owes)
			addresses_follow(d, &p->card[i]);
	}
	if (xy_late_ports_wait(d) && xy_late_ports_look(d))
		p->again = true; // links may go by it
	if (xy_tick_every(&d->tick, p->cards ? KEEP_SECONDS : ASK_SECONDS))
		p->keep = p->again = true;
	if (p->mtu_stale)
		xy_interface_mtu_update(d);
	p->mtu_stale = false;
	if (p->again)
		ask_again(d);
}

int xy_ports_start(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_ports *p = d->ports;
	int r = uv_poll_init(&d->loop.uv, &p->poll, xy_netlink_fd(&d->netlink));
	p->poll.data = d;
	r = r ? r : uv_poll_start(&p->poll, UV_READABLE, on_netlink);
	if (r)
		return xy_err_set(err, -r, "event loop: %s", uv_strerror(r));
	ask_again(d);
	return 0;
}

// --- life

static void config_of(const struct xy_config *c, unsigned i, struct xy_dp_port_config *out)
{
	static const enum xy_dp_driver drivers[] = {[XY_DRIVER_SOCKET] = XY_DP_SOCKET,
						    [XY_DRIVER_AF_XDP] = XY_DP_AF_XDP,
						    [XY_DRIVER_DPDK] = XY_DP_DPDK};
	const struct xy_config_port *p = &c->ports[i];
	*out = (struct xy_dp_port_config){.driver = drivers[p->driver],
					  .address = p->address,
					  .port = p->port,
					  .fwmark = c->fwmark,
					  .shared = p->shared,
					  .no_checksum = p->checksum == XY_CHECKSUM_NONE};
	memcpy(out->interface, p->interface, sizeof(out->interface));
	memcpy(out->device, p->device, sizeof(out->device));
}

static int port_open(struct xy_daemon *d, unsigned i, struct xy_err *err)
{
	struct xy_ports *p = d->ports;
	struct xy_dp_port_config cfg;
	config_of(&d->plan.config, i, &cfg);
	if (cfg.driver == XY_DP_SOCKET)
		return xy_late_port_open(d, &cfg, err);
	struct card *c = &p->card[p->cards++];
	*c = (struct card){.cfg = cfg, .id = XY_DP_PORTS};
	int r = card_open(d, c, err);
	if ((r != -ENODEV && r != -EADDRNOTAVAIL) || cfg.driver != XY_DP_AF_XDP)
		return r;
	xy_log_warn("%s. Its port waits for it", err->text);
	if (r == -EADDRNOTAVAIL)
		c->why = *err;
	return 0;
}

bool xy_ports_waiting(const struct xy_daemon *d, unsigned i, char *to, size_t size)
{
	for (unsigned k = 0; k < d->ports->cards; k++) {
		const struct card *c = &d->ports->card[k];
		if (c->open || i--)
			continue;
		snprintf(to, size, "%s, the card of an af_xdp port", c->cfg.interface);
		return true;
	}
	return xy_late_ports_text(d, i, to, size);
}

int xy_ports_open(struct xy_daemon *d, struct xy_err *err)
{
	int r = 0;
	d->ports = calloc(1, sizeof(*d->ports));
	if (!d->ports)
		return xy_err_set(err, ENOMEM, "no memory for ports");
	d->ports->ways.underlay =
		(struct xy_underlay){.netlink = &d->netlink, .fwmark = d->plan.config.fwmark};
	d->ports->settle_at = XY_NEVER;
	d->ports->addresses_stale = true;
	addresses_read(d);
	for (unsigned i = 0; !r && i < d->plan.config.port_count; i++)
		r = port_open(d, i, err);
	ports_list(d);
	if (d->ports->cards)
		xy_netlink_watch_neighbours(&d->netlink);
	return r;
}

void xy_ports_close(struct xy_daemon *d)
{
	if (d->ports)
		xy_host_addresses_free(&d->ports->ways.addresses);
	free(d->ports);
	d->ports = NULL;
}
