// SPDX-License-Identifier: BSD-3-Clause
#include "fake_dataplane.h"

#include "base/bytes.h"
#include "wire/inet.h"

struct packet { // a transport message in clear
	uint8_t type, reserved[3];
	uint32_t receiver;
	uint64_t counter;
	uint8_t key[32];
	uint8_t payload; // 0: a keepalive
	uint8_t pad[7];
} __attribute__((packed));

void fake_init(struct xy_dp *dp, const xy_nsec *now)
{
	*dp = (struct xy_dp){.now = now,
			     .limits = xy_wg_limits_default,
			     .workers = 1,
			     .ports = 1,
			     .session_limit = FAKE_SESSIONS};
}

// An index is generation and slot, scattered by an odd factor; the other takes that back.
#define SCATTER UINT32_C(2654435761)
#define GATHER	UINT32_C(244002641)
_Static_assert(SCATTER *GATHER == 1, "one undoes the other");

static struct fake_session *session_of(const struct xy_dp *dp, uint32_t index)
{
	const struct fake_session *s = &dp->session[index * GATHER % FAKE_SESSIONS];
	return s->taken && s->index == index ? (struct fake_session *)s : NULL;
}

static void session_end(struct xy_dp *dp, struct fake_session *s)
{
	dp->peer[s->peer].sessions--;
	s->taken = false;
}

unsigned fake_sessions(const struct xy_dp *dp)
{
	unsigned n = 0;
	for (unsigned i = 0; i < FAKE_SESSIONS; i++)
		n += dp->session[i].taken;
	return n;
}

static void far_transmit(struct xy_dp *dp, const struct xy_addr *to, const void *m, size_t len)
{
	uint8_t packet[XY_IPV6_LEN + sizeof(struct packet)] = {0x60};
	xy_be16_store(packet + 4, (uint16_t)len);
	packet[6] = XY_PROTO_E2E;
	packet[7] = 64;
	memcpy(packet + 8, dp->node.b, 16);
	memcpy(packet + 24, to->b, 16);
	memcpy(packet + XY_IPV6_LEN, m, len);
	if (dp->overlay)
		dp->overlay(dp->arg, XY_DP_NO_PEER, packet, XY_IPV6_LEN + len);
}

static void seal(struct xy_dp *dp, struct fake_session *s, uint8_t payload)
{
	struct fake_peer *p = &dp->peer[s->peer];
	struct packet m = {.type = XY_WG_DATA, .receiver = s->remote_index, .payload = payload};
	m.counter = s->tx_counter++;
	memcpy(m.key, s->send, 32);
	p->stats.tx_packets++;
	p->stats.tx_any = *dp->now;
	if (payload)
		p->stats.tx_data = p->stats.tx_carried = s->tx_data = *dp->now;
	if (p->is_far)
		far_transmit(dp, &p->far.addr, &m, sizeof(m));
	else if (p->cfg.remote.port)
		dp->transmit(dp->arg, &p->cfg.remote, &m, sizeof(m));
}

void fake_data(struct xy_dp *dp, uint32_t peer)
{
	struct fake_peer *p = &dp->peer[peer];
	struct fake_session *s = p->current ? session_of(dp, p->current) : NULL;
	if (s && *dp->now - s->born < dp->limits.reject_after_time) {
		seal(dp, s, 1);
		return;
	}
	p->held++;
	if (p->wanted && *dp->now - p->wanted < XY_SEC)
		return;
	p->wanted = *dp->now;
	struct xy_dp_event ev = {.type = XY_DP_WANT, .peer = peer};
	dp->event(dp->arg, &ev);
}

static struct fake_peer *far_of(struct xy_dp *dp, const struct xy_addr *to)
{
	for (uint32_t i = 0; i < FAKE_PEERS; i++)
		if (dp->peer[i].is_far && memcmp(dp->peer[i].far.addr.b, to->b, 8) == 0)
			return &dp->peer[i];
	return NULL;
}

void fake_far_data(struct xy_dp *dp, const struct xy_addr *to)
{
	struct xy_dp_event ev = {.type = XY_DP_MEET, .addr = *to};
	struct fake_peer *p = far_of(dp, to);
	struct fake_session *s = p && p->current ? session_of(dp, p->current) : NULL;
	if (s && *dp->now - s->born < dp->limits.reject_after_time) {
		seal(dp, s, 1);
		return;
	}
	memset(ev.addr.b + 8, 0, 8);
	dp->event(dp->arg, &ev);
	p = far_of(dp, to); // it waits by the /64, until there is a session
	if (p)
		p->held++;
}

static void opened(struct xy_dp *dp, struct fake_session *s, const struct xy_endpoint *from,
		   const struct packet *m)
{
	struct fake_peer *p = &dp->peer[s->peer];
	struct xy_dp_event ev = {.peer = s->peer,
				 .index = s->index,
				 .remote = *from,
				 .local = dp->at.local,
				 .interface = dp->at.interface,
				 .port = dp->at.port};
	p->stats.rx_packets++;
	p->stats.rx_any = *dp->now;
	s->rx_packets++;
	if (m->payload) {
		p->stats.rx_data = *dp->now;
		p->data_rx++;
	}
	bool moved = !xy_endpoint_eq(&p->cfg.remote, from) ||
		     !xy_addr_eq(&p->cfg.heard.local, &dp->at.local) ||
		     p->cfg.heard.interface != dp->at.interface || p->cfg.heard.port != dp->at.port;
	if (!s->first_seen) {
		s->first_seen = true;
		ev.type = XY_DP_FIRST;
		dp->event(dp->arg, &ev);
	}
	if (moved && !p->is_far) {
		ev.type = XY_DP_ROAM;
		dp->event(dp->arg, &ev);
	}
}

void fake_receive(struct xy_dp *dp, const struct xy_endpoint *from, const void *data, size_t len)
{
	struct packet m;
	if (len != sizeof(m) || *(const uint8_t *)data != XY_WG_DATA) {
		struct xy_dp_event ev = {.type = XY_DP_PUNT,
					 .peer = XY_DP_NO_PEER,
					 .remote = *from,
					 .local = dp->at.local,
					 .interface = dp->at.interface,
					 .port = dp->at.port,
					 .data = data,
					 .len = len};
		dp->event(dp->arg, &ev);
		return;
	}
	memcpy(&m, data, sizeof(m));
	struct fake_session *s = session_of(dp, m.receiver);
	if (s && s->live && memcmp(s->recv, m.key, 32) == 0 &&
	    *dp->now - s->born < dp->limits.reject_after_time)
		opened(dp, s, from, &m);
}

void fake_far_receive(struct xy_dp *dp, uint32_t link, const void *packet, size_t len)
{
	const uint8_t *b = packet;
	struct packet m;
	struct xy_endpoint from = {0};
	memcpy(from.addr.b, b + 8, 16);
	if (len != XY_IPV6_LEN + sizeof(m) || b[XY_IPV6_LEN] != XY_WG_DATA) {
		struct xy_dp_event ev = {.type = XY_DP_PUNT,
					 .peer = link,
					 .remote = from,
					 .data = b + XY_IPV6_LEN,
					 .len = len - XY_IPV6_LEN};
		dp->event(dp->arg, &ev);
		return;
	}
	memcpy(&m, b + XY_IPV6_LEN, sizeof(m));
	struct fake_session *s = session_of(dp, m.receiver);
	if (s && s->live && memcmp(s->recv, m.key, 32) == 0 && dp->peer[s->peer].is_far &&
	    xy_addr_eq(&dp->peer[s->peer].far.addr, &from.addr) &&
	    *dp->now - s->born < dp->limits.reject_after_time) {
		opened(dp, s, &from, &m);
	} else if (!s || !s->live ||
		   memcmp(s->recv, m.key, 32) != 0) { // an index is another's here
		struct xy_dp_event ev = {.type = XY_DP_LOST, .addr = from.addr, .source = link};
		memset(ev.addr.b + 8, 0, 8);
		dp->event(dp->arg, &ev);
	}
}

// --- dataplane.h

int xy_dp_far_set(struct xy_dp *dp, uint32_t end, const struct xy_dp_far *cfg)
{
	if (end >= FAKE_PEERS)
		return -ENOSPC;
	const struct fake_peer *p = &dp->peer[end];
	if (!p->there && p->left && *dp->now - p->left < dp->rest)
		return -EBUSY;
	if (dp->no_memory && p->there)
		return -ENOMEM;
	dp->fars += !p->there;
	dp->far_sets++;
	dp->peer[end].there = dp->peer[end].is_far = true;
	dp->peer[end].far = *cfg;
	return 0;
}

void xy_dp_far_del(struct xy_dp *dp, uint32_t end)
{
	dp->fars -= dp->peer[end].there;
	for (unsigned i = 0; dp->peer[end].sessions && i < FAKE_SESSIONS; i++)
		if (dp->session[i].taken && dp->session[i].peer == end)
			session_end(dp, &dp->session[i]);
	for (unsigned i = 0; i < FAKE_ROUTES; i++)
		dp->dangling += dp->route[i].there && dp->route[i].route.peer == end &&
				dp->route[i].route.kind == XY_DP_ROUTE_FAR;
	dp->peer[end] = (struct fake_peer){.left = *dp->now};
}

int xy_dp_accepts_set(struct xy_dp *dp, uint32_t end, const struct xy_prefix *prefix, unsigned n)
{
	struct fake_peer *p = &dp->peer[end];
	if (end >= FAKE_PEERS || !p->there)
		return -ENOENT;
	if (dp->no_memory && n)
		return -ENOMEM;
	p->accepts = n;
	p->accepts_told++;
	for (unsigned i = 0; i < n && i < FAKE_ACCEPTS; i++)
		p->accept[i] = prefix[i];
	return 0;
}

int xy_dp_taken_set(struct xy_dp *dp, const struct xy_prefix *prefix, unsigned n)
{
	(void)dp, (void)prefix, (void)n;
	return 0;
}

int xy_dp_exit_allow(struct xy_dp *dp, uint32_t end, bool allowed)
{
	if (end >= FAKE_PEERS || !dp->peer[end].there)
		return -ENOENT;
	dp->peer[end].exits = allowed;
	return 0;
}

int xy_dp_peer_set(struct xy_dp *dp, uint32_t peer, const struct xy_dp_peer *cfg)
{
	if (peer >= FAKE_PEERS)
		return -ENOSPC;
	dp->peer[peer].there = true;
	dp->peer[peer].cfg = *cfg;
	return 0;
}

void xy_dp_peer_del(struct xy_dp *dp, uint32_t peer)
{
	for (unsigned i = 0; i < FAKE_SESSIONS; i++)
		if (dp->session[i].taken && dp->session[i].peer == peer)
			session_end(dp, &dp->session[i]);
	for (unsigned i = 0; i < FAKE_ROUTES; i++)
		dp->dangling += dp->route[i].there && dp->route[i].route.peer == peer &&
				dp->route[i].route.kind == XY_DP_ROUTE_PEER;
	dp->peer[peer] = (struct fake_peer){0};
}

int xy_dp_peer_patient(struct xy_dp *dp, uint32_t peer, bool patient)
{
	if (peer >= FAKE_PEERS || !dp->peer[peer].there)
		return -ENOENT;
	dp->peer[peer].patient = patient;
	return 0;
}

void xy_dp_orders_gather(struct xy_dp *dp)
{
	dp->gathers++;
}

void xy_dp_orders_give(struct xy_dp *dp)
{
	dp->gathers--;
}

void xy_dp_peer_release_held(struct xy_dp *dp, uint32_t peer)
{
	dp->peer[peer].released += dp->peer[peer].held;
	dp->peer[peer].held = 0;
}

int xy_dp_peer_stats(const struct xy_dp *dp, uint32_t peer, struct xy_dp_peer_stats *out)
{
	*out = dp->peer[peer].stats;
	return dp->peer[peer].there ? 0 : -ENOENT;
}

int xy_dp_session_reserve(struct xy_dp *dp, uint32_t peer, uint32_t *index)
{
	if (peer >= FAKE_PEERS || !dp->peer[peer].there)
		return -ENOENT;
	for (unsigned i = 0; i < dp->session_limit; i++) {
		uint32_t slot = dp->session_at++ % dp->session_limit;
		if (dp->session[slot].taken)
			continue;
		*index = (++dp->last_index * FAKE_SESSIONS + slot) * SCATTER;
		dp->session[slot] =
			(struct fake_session){.taken = true, .index = *index, .peer = peer};
		dp->peer[peer].sessions++;
		return 0;
	}
	return -ENOSPC;
}

int xy_dp_session_set(struct xy_dp *dp, uint32_t index, const struct xy_dp_session_keys *keys)
{
	struct fake_session *s = session_of(dp, index);
	if (!s || s->live)
		return -ENOENT;
	s->live = true;
	memcpy(s->send, keys->send, 32);
	memcpy(s->recv, keys->recv, 32);
	s->remote_index = keys->remote_index;
	s->owner = keys->owner;
	s->suite = keys->suite;
	s->born = keys->born;
	return 0;
}

int xy_dp_session_use(struct xy_dp *dp, uint32_t index)
{
	struct fake_session *s = session_of(dp, index);
	if (!s || !s->live)
		return -ENOENT;
	struct fake_peer *p = &dp->peer[s->peer];
	p->current = index;
	for (; p->held; p->held--)
		seal(dp, s, 1);
	return 0;
}

void xy_dp_session_del(struct xy_dp *dp, uint32_t index)
{
	struct fake_session *s = session_of(dp, index);
	if (!s)
		return;
	if (dp->peer[s->peer].current == index)
		dp->peer[s->peer].current = 0;
	session_end(dp, s);
}

int xy_dp_session_keepalive(struct xy_dp *dp, uint32_t index)
{
	struct fake_session *s = session_of(dp, index);
	if (!s || !s->live)
		return -ENOENT;
	seal(dp, s, 0);
	return 0;
}

int xy_dp_session_move(struct xy_dp *dp, uint32_t index, unsigned worker)
{
	struct fake_session *s = session_of(dp, index);
	if (!s)
		return -ENOENT;
	s->owner = worker;
	s->handed_over = 0;
	dp->moves++;
	return 0;
}

int xy_dp_session_lanes(struct xy_dp *dp, uint32_t index, unsigned count)
{
	struct fake_session *s = session_of(dp, index);
	if (!s)
		return -ENOENT;
	if (!s->lanes && count > 1)
		s->lanes = count;
	return s->lanes ? (int)s->lanes : 1;
}

int xy_dp_session_lanes_send(struct xy_dp *dp, uint32_t index, uint64_t mask)
{
	struct fake_session *s = session_of(dp, index);
	if (!s || !s->lanes)
		return -ENOENT;
	s->lanes_sent = mask;
	return 0;
}

int xy_dp_session_lanes_probe(struct xy_dp *dp, uint32_t index)
{
	struct fake_session *s = session_of(dp, index);
	if (!s || !s->lanes)
		return -ENOENT;
	s->probes++;
	return 0;
}

int xy_dp_session_lanes_heard(struct xy_dp *dp, uint32_t index, uint64_t *mask)
{
	struct fake_session *s = session_of(dp, index);
	if (!s)
		return -ENOENT;
	*mask = dp->heard;
	return 0;
}

void xy_dp_session_lanes_place(struct xy_dp *dp, uint32_t index)
{
	(void)dp;
	(void)index;
}

bool xy_dp_port_takes_lanes(const struct xy_dp *dp, unsigned port)
{
	(void)dp;
	(void)port;
	return true;
}

int xy_dp_session_stats(const struct xy_dp *dp, uint32_t index, struct xy_dp_session_stats *out)
{
	const struct fake_session *s = session_of(dp, index);
	if (!s || !s->live)
		return -ENOENT;
	*out = (struct xy_dp_session_stats){.peer = s->peer,
					    .owner = s->owner,
					    .suite = s->suite,
					    .born = s->born,
					    .tx_counter = s->tx_counter,
					    .tx_used = s->tx_counter,
					    .tx_packets = s->tx_counter,
					    .tx_data = s->tx_data,
					    .remote_index = s->remote_index,
					    .lanes = s->lanes ? s->lanes : 1,
					    .rx_packets = s->rx_packets,
					    .handed_over = s->handed_over,
					    .handed_from = s->handed_from};
	return 0;
}

static struct fake_route *place(struct fake_route *table, const struct xy_prefix *p)
{
	struct fake_route *spare = NULL;
	for (unsigned i = 0; i < FAKE_ROUTES; i++) {
		if (table[i].there && xy_prefix_eq(&table[i].prefix, p))
			return &table[i];
		if (!table[i].there && !spare)
			spare = &table[i];
	}
	return spare;
}

const struct fake_route *fake_route_find(const struct fake_route *table, const char *prefix)
{
	struct xy_prefix p;
	if (xy_prefix_parse(prefix, &p))
		return NULL;
	for (unsigned i = 0; i < FAKE_ROUTES; i++)
		if (table[i].there && xy_prefix_eq(&table[i].prefix, &p))
			return &table[i];
	return NULL;
}

unsigned fake_route_count(const struct fake_route *table)
{
	unsigned n = 0;
	for (unsigned i = 0; i < FAKE_ROUTES; i++)
		n += table[i].there;
	return n;
}

static int put(struct fake_route *table, const struct xy_prefix *prefix, struct xy_dp_route route)
{
	struct fake_route *r = place(table, prefix);
	if (!r)
		return -ENOSPC;
	*r = (struct fake_route){.there = true, .prefix = *prefix, .route = route};
	return 0;
}

static int take(struct fake_route *table, const struct xy_prefix *prefix)
{
	struct fake_route *r = place(table, prefix);
	if (!r || !r->there)
		return -ENOENT;
	r->there = false;
	return 0;
}

int xy_dp_route_set(struct xy_dp *dp, const struct xy_prefix *prefix,
		    const struct xy_dp_route *route)
{
	dp->route_changes++;
	if (dp->routes_any)
		return 0;
	const struct fake_route *r = place(dp->route, prefix);
	if (r && !r->there && dp->room && fake_route_count(dp->route) >= dp->room)
		return -ENOSPC;
	if (dp->no_memory && r && !r->there)
		return -ENOMEM;
	return put(dp->route, prefix, *route);
}

int xy_dp_route_del(struct xy_dp *dp, const struct xy_prefix *prefix)
{
	dp->route_changes++;
	return dp->routes_any ? 0 : take(dp->route, prefix);
}

void xy_dp_route_prefetch(const struct xy_dp *dp, const struct xy_prefix *prefix)
{
	(void)dp;
	(void)prefix;
}

void xy_dp_route_commit(struct xy_dp *dp)
{
	dp->commits++;
}

int xy_dp_source_set(struct xy_dp *dp, const struct xy_prefix *prefix, uint32_t peer)
{
	return put(dp->source, prefix, (struct xy_dp_route){.peer = peer});
}

int xy_dp_source_del(struct xy_dp *dp, const struct xy_prefix *prefix)
{
	return take(dp->source, prefix);
}

int xy_dp_source_own(struct xy_dp *dp, const struct xy_prefix *prefix)
{
	dp->own++;
	return 0;
}

int xy_dp_port_info(const struct xy_dp *dp, unsigned port, struct xy_dp_port_info *out)
{
	if (port >= dp->ports)
		return -ENOENT;
	*out = (struct xy_dp_port_info){.driver = "fake"};
	return 0;
}

int xy_dp_send(struct xy_dp *dp, unsigned port, const struct xy_endpoint *remote,
	       const struct xy_addr *local, const void *data, size_t len)
{
	dp->sends++;
	if (dp->send_fails)
		return -ENOBUFS;
	dp->transmit(dp->arg, remote, data, len);
	return 0;
}

// Without a session it is lost, as the workers lose it.
int xy_dp_overlay_probe(struct xy_dp *dp, uint32_t peer, bool pieces, const void *packet,
			size_t len)
{
	dp->probes += !pieces;
	dp->probe = !pieces;
	int r = xy_dp_overlay_send(dp, peer, packet, len);
	dp->probe = false;
	return r;
}

int xy_dp_overlay_send(struct xy_dp *dp, uint32_t peer, const void *packet, size_t len)
{
	if (peer != XY_DP_NO_PEER && (peer >= FAKE_PEERS || !dp->peer[peer].there))
		return -EINVAL;
	dp->overlay_sends++;
	if (dp->send_fails)
		return -ENOBUFS;
	if (dp->overlay && (peer == XY_DP_NO_PEER || dp->peer[peer].current))
		dp->overlay(dp->arg, peer, packet, len);
	return 0;
}

int xy_dp_peer_send(struct xy_dp *dp, uint32_t peer, const void *data, size_t len)
{
	return xy_dp_send(dp, dp->peer[peer].cfg.port, &dp->peer[peer].cfg.remote, NULL, data, len);
}

unsigned xy_dp_workers(const struct xy_dp *dp)
{
	return dp->workers;
}
