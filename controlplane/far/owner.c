// SPDX-License-Identifier: BSD-3-Clause
// A far node as the owner of an exchange: its messages go to its address, routed as all else, and
// are believed to be its only if they come from there: there is no roaming end to end.
#define XY_LOG_PART XY_PART_LINKS

#include "far/fars.h"

#include "base/bytes.h"
#include "wire/inet.h"

enum { HOP_LIMIT = 64, IPV6_HEADER = 40, MESSAGE_MOST = 256 };

static const char *name(const struct xy_exchange *x)
{
	static char text[XY_ADDR_STRLEN]; // until the next call
	return xy_addr_str(&xy_far_of(x)->addr, text);
}

static struct xy_exchange *find(void *arg, uint32_t number)
{
	struct xy_far_node *n = xy_far_at(arg, number);
	return n && n->phase == XY_FAR_READY ? &n->exchange : NULL;
}

static bool knows(void *arg, const struct xy_exchange *x, const struct xy_exchange_place *at)
{
	const struct xy_fars *f = arg;
	return f->known;
}

static bool crowded(void *arg)
{
	return xy_fars_crowded(arg);
}

static void refused(const struct xy_fars *f, enum xy_hs_drop why, const struct xy_job *job)
{
	char text[XY_ADDR_STRLEN];
	xy_exchanges_drop(f->cfg.exchanges, why, NULL, &job->at);
	xy_log_debug("node %s: its handshake: %s", xy_addr_str(&job->at.remote.addr, text),
		     xy_hs_drop_text[why]);
}

// No relay can put another key in a node's place: the source is the key's hash, to 128 bits.
static bool is_credible(const struct xy_fars *f, const struct xy_job *job)
{
	struct xy_key key;
	memcpy(key.b, job->pk, sizeof(key.b));
	const struct xy_addr addr = xy_key_addr(&key);
	if (memcmp(job->pk, f->cfg.identity->x25519.b, sizeof(job->pk)) == 0)
		refused(f, XY_HS_DROP_OWN_KEY, job);
	else if (!xy_addr_eq(&addr, &job->at.remote.addr))
		refused(f, XY_HS_DROP_SOURCE, job);
	else
		return true;
	return false;
}

static void say_collision(struct xy_fars *f, const struct xy_job *job, xy_nsec now)
{
	char text[XY_ADDR_STRLEN];
	unsigned long missed;
	xy_exchanges_drop(f->cfg.exchanges, XY_HS_DROP_COLLISION, NULL, &job->at);
	if (xy_log_limit_pass(&f->log_collision, now, &missed))
		xy_log_warn("node %s: another key has its /64: refused (%lu more like this)",
			    xy_addr_str(&job->at.remote.addr, text), missed);
}

// Two keys for one /64: the one that is known stays.
static bool collides(struct xy_fars *f, const struct xy_job *job, xy_nsec now)
{
	const struct xy_addr *from = &job->at.remote.addr;
	const struct xy_far_node *n = xy_far_by_net(f, from);
	bool other = n && memcmp(n->key.b, job->pk, sizeof(job->pk)) != 0;
	if (other || memcmp(from->b, f->cfg.identity->addr.b, 8) == 0) {
		say_collision(f, job, now);
		return true;
	}
	return false;
}

static struct xy_exchange *opened(void *arg, const struct xy_job *job, xy_nsec now)
{
	struct xy_fars *f = arg;
	if (!is_credible(f, job) || collides(f, job, now))
		return NULL;
	struct xy_far_node *n = xy_far_by_net(f, &job->at.remote.addr);
	if (n && n->phase == XY_FAR_READY)
		return &n->exchange;
	xy_exchanges_meet(f->cfg.exchanges, &f->owner, job->pk, f->cfg.psk, &job->at.remote, job);
	return NULL;
}

static void met_stranger(struct xy_fars *f, const struct xy_job *job, xy_nsec now)
{
	struct xy_key key;
	memcpy(key.b, job->pk, sizeof(key.b));
	if (job->result || collides(f, job, now))
		return;
	struct xy_far_node *n = xy_far_by_key(f, &key);
	if (!n)
		n = xy_far_make(f, &key, XY_FAR_BY_STRANGER, (uint32_t)job->at.heard.port, now);
	if (!n) {
		xy_exchanges_drop(f->cfg.exchanges, XY_HS_DROP_FAR_FULL, NULL, &job->at);
		return;
	}
	if (n->phase != XY_FAR_READY)
		xy_far_ready(f, n, job, now);
	xy_exchange_answer(f->cfg.exchanges, &n->exchange, job, now);
}

static void met(void *arg, const struct xy_job *job, xy_nsec now)
{
	struct xy_fars *f = arg;
	struct xy_key key;
	unsigned long missed;
	if (job->asked) {
		met_stranger(f, job, now);
		return;
	}
	f->meeting--;
	memcpy(key.b, job->pk, sizeof(key.b));
	struct xy_far_node *n = xy_far_by_key(f, &key);
	if (!n || n->phase == XY_FAR_READY || n->phase == XY_FAR_CANNOT)
		return; // it has gone, or it asked meanwhile
	if (!job->result) {
		xy_far_ready(f, n, job, now);
	} else if (job->result == -ESTALE) {
		xy_far_meet_again(f, n);
	} else if (n->phase == XY_FAR_MEETS) {
		n->phase = XY_FAR_CANNOT;
		n->ends = now; // unless it is pinned
		xy_far_schedule(f, n, now);
		if (xy_log_limit_pass(&f->log_cannot, now, &missed))
			xy_log_warn("node %s: no handshake can be done with its key (%lu more like "
				    "this)",
				    name(&n->exchange), missed);
	}
}

// --- where messages go

static bool place(void *arg, struct xy_exchange *x, bool again, struct xy_exchange_place *to,
		  xy_nsec now)
{
	to->remote = (struct xy_endpoint){.addr = xy_far_of(x)->addr};
	return true;
}

// The receiver binds a cookie to what it sees: our address, and no port.
static int send_message(void *arg, struct xy_exchange *x, const struct xy_exchange_place *to,
			const void *msg, size_t len)
{
	const struct xy_fars *f = arg;
	uint8_t packet[IPV6_HEADER + MESSAGE_MOST] = {0x60};
	if (len > MESSAGE_MOST)
		return -EINVAL;
	xy_be16_store(packet + 4, (uint16_t)len);
	packet[6] = XY_PROTO_E2E;
	packet[7] = HOP_LIMIT;
	memcpy(packet + 8, f->cfg.identity->addr.b, sizeof(f->cfg.identity->addr.b));
	memcpy(packet + 24, to->remote.addr.b, sizeof(to->remote.addr.b));
	memcpy(packet + IPV6_HEADER, msg, len);
	// An answer goes back by the link that brought the question: the way there is open,
	// whatever routes say of it yet or still. A question is routed, and has no such link.
	if (packet[IPV6_HEADER] != XY_WG_INITIATION &&
	    xy_dp_overlay_send(f->cfg.dp, (uint32_t)to->heard.port, packet, IPV6_HEADER + len) == 0)
		return 0;
	return xy_dp_overlay_send(f->cfg.dp, XY_DP_NO_PEER, packet, IPV6_HEADER + len);
}

static void came_from(void *arg, struct xy_exchange *x, const struct xy_exchange_place *at,
		      xy_nsec now)
{
	struct xy_far_node *n = xy_far_of(x);
	n->ends = XY_NEVER;
	xy_far_touch(arg, n, now); // a session that it begins now is not one that was idle
	n->via_last = (uint32_t)at->heard.port;
	if (!n->provisional) // those are counted by it
		n->via = n->via_last;
}

// --- what becomes of it: nothing goes in here, but in _run

static void given_up(struct xy_fars *f, struct xy_far_node *n, xy_nsec now)
{
	const struct xy_wg_limits *w = xy_exchanges_limits(f->cfg.exchanges);
	f->unanswered++;
	n->wanted = false;
	// Who is wanted again before that is asked no sooner than WireGuard asks.
	n->ends = now + 2 * w->rekey_timeout;
	xy_log_debug("node %s: no answer", name(&n->exchange));
}

// An answer to a question of ours is no replay, as one of its questions may be.
static void begun(struct xy_fars *f, struct xy_far_node *n, xy_nsec now)
{
	struct xy_key key;
	n->wanted = false;
	n->ends = XY_NEVER;
	if (xy_keypairs_current(&n->exchange.keypairs)->initiator)
		xy_far_confirm(f, n, now);
	if (!xy_far_route(f, &n->addr, &key, &n->epoch) ||
	    memcmp(key.b, n->key.b, sizeof(key.b)) != 0)
		n->epoch = 0;
}

static void changed(void *arg, struct xy_exchange *x, enum xy_exchange_change what, xy_nsec now)
{
	struct xy_fars *f = arg;
	struct xy_far_node *n = xy_far_of(x);
	switch (what) {
	case XY_EXCHANGE_CURRENT:
		begun(f, n, now);
		break;
	case XY_EXCHANGE_ENDED:
		n->ends = now;
		break;
	case XY_EXCHANGE_GIVEN_UP:
		given_up(f, n, now);
		break;
	case XY_EXCHANGE_BEGUN:
	case XY_EXCHANGE_AGED:
		break;
	}
}

// What waits for a node waits by its /64, and the dataplane drops it by itself.
static void held_release(void *arg, struct xy_exchange *x)
{
}

static void noted(void *arg, struct xy_exchange *x, const struct xy_exchange_noted *n, xy_nsec now)
{
	struct xy_fars *f = arg;
	switch (n->what) {
	case XY_NOTE_REFUSED:
		xy_log_debug("node %s: its handshake: %s", name(x), xy_hs_drop_text[n->why]);
		break;
	case XY_NOTE_OLD_STAMP: // its clock went back; it takes our time stamps
		xy_far_of(x)->wanted = true;
		xy_far_schedule(f, xy_far_of(x), now);
		break;
	case XY_NOTE_SECRET:
		xy_log_debug("node %s: its answer does not open: is network_secret the same there?",
			     name(x));
		break;
	case XY_NOTE_STAMP:
	case XY_NOTE_ANSWERED:
	case XY_NOTE_BUSY:
	case XY_NOTE_OTHER_KEY:
		break;
	}
}

static void schedule(void *arg, struct xy_exchange *x, xy_nsec now)
{
	xy_far_schedule(arg, xy_far_of(x), now);
}

static void renew(void *arg)
{
	struct xy_fars *f = arg;
	f->renewing = f->cfg.max; // in slices
}

const struct xy_exchange_ops xy_far_exchange_ops = {
	.kind = "node",
	.name = name,
	.find = find,
	.knows = knows,
	.crowded = crowded,
	.opened = opened,
	.met = met,
	.place = place,
	.send = send_message,
	.came_from = came_from,
	.changed = changed,
	.held_release = held_release,
	.noted = noted,
	.schedule = schedule,
	.renew = renew,
};

static struct xy_far_node *ready(struct xy_fars *f, const struct xy_addr *addr)
{
	struct xy_far_node *n = xy_far_by_net(f, addr);
	return n && n->phase == XY_FAR_READY && xy_addr_eq(&n->addr, addr) ? n : NULL;
}

bool xy_fars_lanes_asked(struct xy_fars *f, const struct xy_addr *addr,
			 const struct xy_nodeinfo_lanes *q, struct xy_nodeinfo_lanes *out)
{
	struct xy_far_node *n = ready(f, addr);
	return n && xy_exchange_lanes_asked(f->cfg.exchanges, &n->exchange, q, out);
}

void xy_fars_lanes_told(struct xy_fars *f, const struct xy_addr *addr,
			const struct xy_nodeinfo_lanes *its, xy_nsec now)
{
	struct xy_far_node *n = ready(f, addr);
	if (!n)
		return;
	xy_exchange_lanes_told(f->cfg.exchanges, &n->exchange, its, now);
	xy_far_schedule(f, n, now);
}

void xy_fars_suites(struct xy_fars *f, const struct xy_addr *addr, uint8_t can, uint8_t best,
		    bool asked, xy_nsec now)
{
	struct xy_far_node *n = ready(f, addr);
	if (!n)
		return;
	xy_exchange_suites(f->cfg.exchanges, &n->exchange, can, best, asked, now);
	xy_far_schedule(f, n, now);
}
