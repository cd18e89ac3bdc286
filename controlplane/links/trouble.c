// SPDX-License-Identifier: BSD-3-Clause
// Why a link does not come up, as far as it is known: said in the log when it is found out, and
// shown until the link is up or something is heard. Much of it can be forged by whoever sees the
// handshakes (ICMP errors by anybody), so it is words alone: nothing is decided by it. (An ICMP
// error also has routing ask the peer whether it is there.)
#define XY_LOG_PART XY_PART_LINKS

#include "links/link.h"

#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define WORD_AFTER 4		  // fifths of REKEY_TIMEOUT that an initiation has for its answer
#define STANDS	   (12 * XY_SEC)  // as long what was said outweighs what says less
#define CLOCK_NEAR (600 * XY_SEC) // clocks may differ by that without a word
#define CLOCK_OLD  (600 * XY_SEC) // five rekeys: then a time stamp tells nothing of now
#define CLOCK_STEP (2 * XY_SEC)	  // by more, no clock goes astray by itself meanwhile
// Who set its clock back goes on from its newest time stamp by 17 ms each.
#define STAMP_NEXT (XY_SEC / 8)

static const char *const short_text[] = {
	[XY_TROUBLE_UNANSWERED] = "no answer",
	[XY_TROUBLE_UNREACHABLE] = "unreachable (ICMP)",
	[XY_TROUBLE_CLOSED] = "port closed (ICMP)",
	[XY_TROUBLE_BUSY] = "under load, asks for a cookie",
	[XY_TROUBLE_OTHER] = "another peer is there",
	[XY_TROUBLE_NOT_TAKEN] = "does not take our answers",
	[XY_TROUBLE_OUR_KEY] = "has another key for us",
	[XY_TROUBLE_KEY] = "another key is there",
	[XY_TROUBLE_SECRET] = "its secret differs",
	[XY_TROUBLE_CLOCK] = "its clock went back",
};

__attribute__((format(printf, 4, 5))) static void trouble(struct xy_link *k, enum xy_trouble kind,
							  xy_nsec now, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	if (kind < k->trouble && now - k->trouble_at < STANDS)
		return;
	bool told = k->trouble == kind;
	k->trouble = kind;
	k->trouble_at = now;
	if (told || k->provisional) // strangers are not worth a line each
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	xy_log(kind == XY_TROUBLE_UNANSWERED ? XY_LOG_INFO : XY_LOG_WARN, "peer %s: %s", k->name,
	       text);
}

void xy_link_trouble_over(struct xy_link *k)
{
	k->trouble = XY_TROUBLE_NONE;
}

const char *xy_link_trouble_text(const struct xy_link *k, xy_nsec heard)
{
	return k->trouble && k->trouble_at >= heard ? short_text[k->trouble] : NULL;
}

// --- nobody answers

xy_nsec xy_link_trouble_due(const struct xy_links *l, const struct xy_link *k)
{
	const struct xy_exchange *x = &k->exchange;
	bool waits = x->hs == XY_EXCHANGE_HS_SENT && k->worded != x->hs_sent;
	xy_nsec wait = xy_exchanges_limits(l->exchanges)->rekey_timeout / 5 * WORD_AFTER;
	return waits ? x->hs_sent + wait : XY_NEVER;
}

static void time_str(char *buf, size_t size, uint64_t unix_sec)
{
	time_t t = (time_t)unix_sec;
	struct tm tm;
	if (unix_sec > UINT32_MAX * UINT64_C(64) || !gmtime_r(&t, &tm))
		snprintf(buf, size, "out of all bounds");
	else
		strftime(buf, size, "%Y-%m-%d %H:%M:%S UTC", &tm);
}

static uint64_t wall_sec(const struct xy_links *l)
{
	uint64_t sec;
	uint32_t nsec;
	xy_env_wall(l->cfg.env, &sec, &nsec);
	return sec;
}

static void our_key(const struct xy_links *l, char text[XY_KEY_STRLEN])
{
	xy_key_str(&l->cfg.identity->x25519, text);
}

void xy_link_trouble_unanswered(struct xy_links *l, struct xy_link *k, xy_nsec now)
{
	const struct xy_endpoint *place = k->asked.port ? &k->asked : &k->remote;
	const struct xy_link *other = xy_link_by_remote(l, place);
	char at[XY_ENDPOINT_STRLEN], clock[40], ours[XY_KEY_STRLEN], theirs[XY_KEY_STRLEN];

	k->worded = k->exchange.hs_sent;
	if (xy_link_is_up(l, k, now) && k->exchange.timers.attempts < 2)
		return; // one is lost now and then
	if (k->exchange.suite.asked && xy_exchange_is_heard(l->exchanges, &k->exchange, now))
		return; // it is the suite's, which suite.c says
	xy_endpoint_str(place, at);
	if (other && other != k && xy_link_is_well(l, other, now)) {
		trouble(k, XY_TROUBLE_OTHER, now,
			"no answer from %s, where the peer %s is: is one of their endpoints wrong, "
			"or the key of this one?",
			at, other->name);
		return;
	}
	our_key(l, ours);
	xy_key_str(&k->key, theirs);
	time_str(clock, sizeof(clock), wall_sec(l));
	trouble(k, XY_TROUBLE_UNANSWERED, now,
		"no answer from %s yet. If a node is there that others reach: is its key %s, does "
		"it "
		"know ours, %s, and is our clock right (%s; it refuses time stamps older than our "
		"last)?",
		at, theirs, ours, clock);
}

void xy_link_trouble_busy(struct xy_link *k, const struct xy_endpoint *from, xy_nsec now)
{
	char at[XY_ENDPOINT_STRLEN];
	trouble(k, XY_TROUBLE_BUSY, now, "%s is under load and asks for a cookie first",
		xy_endpoint_str(from, at));
}

void xy_link_trouble_icmp(struct xy_links *l, const struct xy_dp_event *ev, xy_nsec now)
{
	struct xy_link *k = xy_link_by_remote(l, &ev->remote);
	char at[XY_ENDPOINT_STRLEN];
	if (!k)
		return;
	xy_endpoint_str(&ev->remote, at);
	if (ev->error == ECONNREFUSED)
		trouble(k, XY_TROUBLE_CLOSED, now,
			"ICMP says that nobody listens at %s: it does not run, or at another port",
			at);
	else
		trouble(k, XY_TROUBLE_UNREACHABLE, now, "ICMP says of %s: %s", at,
			strerror(ev->error));
}

// --- secrets and keys

void xy_link_trouble_secret(struct xy_link *k, const struct xy_endpoint *from, xy_nsec now)
{
	char at[XY_ENDPOINT_STRLEN];
	trouble(k, XY_TROUBLE_SECRET, now,
		"the answer from %s does not open: its %s is another than ours (or it is forged)",
		xy_endpoint_str(from, at), k->leaf ? "pre-shared key" : "network_secret or psk");
}

void xy_link_trouble_answered(struct xy_link *k, const struct xy_endpoint *from, xy_nsec now)
{
	enum { LOST = 2 }; // so many answers may be
	char at[XY_ENDPOINT_STRLEN];
	if (k->exchange.answers_unused <= LOST)
		return;
	trouble(k, XY_TROUBLE_NOT_TAKEN, now,
		"it begins anew and takes none of our answers to %s: its %s is another than ours, "
		"or "
		"they do not reach it",
		xy_endpoint_str(from, at), k->leaf ? "pre-shared key" : "network_secret or psk");
}

void xy_links_trouble_other_key(struct xy_links *l, const struct xy_endpoint *from, xy_nsec now)
{
	struct xy_link *k = xy_link_by_remote(l, from);
	char at[XY_ENDPOINT_STRLEN], ours[XY_KEY_STRLEN];
	unsigned long missed;
	xy_endpoint_str(from, at);
	our_key(l, ours);
	if (k && xy_link_is_well(l, k, now))
		return; // forged, or damaged on its way
	if (k) {
		trouble(k, XY_TROUBLE_OUR_KEY, now,
			"its handshakes from %s are for another key than ours: its config must "
			"have %s "
			"for this node",
			at, ours);
		return;
	}
	l->other_key_at = now;
	l->other_key_from = *from;
	if (xy_log_limit_pass(&l->log_other_key, now, &missed))
		xy_log_warn(
			"a handshake from %s is for another key than ours: if it is a peer, its "
			"config must have %s for this node (%lu more like this)",
			at, ours, missed);
}

bool xy_links_other_key(const struct xy_links *l, xy_nsec now, struct xy_endpoint *from)
{
	*from = l->other_key_from;
	return l->other_key_at && now - l->other_key_at < XY_SEC * 60;
}

void xy_links_trouble_unknown(struct xy_links *l, const struct xy_job *job, xy_nsec now)
{
	struct xy_link *k = xy_link_by_remote(l, &job->at.remote);
	char text[XY_KEY_STRLEN], from[XY_ENDPOINT_STRLEN];
	unsigned long missed;
	struct xy_key pk;
	memcpy(pk.b, job->pk, sizeof(pk.b));
	xy_endpoint_str(&job->at.remote, from);
	xy_key_str(&pk, text);
	if (k && !xy_link_is_well(l, k, now))
		trouble(k, XY_TROUBLE_KEY, now,
			"the node at its endpoint %s has the key %s, which is not the one in our "
			"config",
			from, text);
	else if (xy_log_limit_pass(&l->log_unknown, now, &missed))
		xy_log_info(
			"handshake from %s with the key %s, which is no peer here (%lu more like "
			"this)",
			from, text, missed);
}

// --- refused, though the sender is known

void xy_link_refused(struct xy_link *k, enum xy_hs_drop why, const struct xy_endpoint *from,
		     xy_nsec now)
{
	char at[XY_ENDPOINT_STRLEN];
	unsigned long missed;
	if (xy_log_limit_pass(&k->refusals, now, &missed))
		xy_log_info("peer %s: refused, from %s: %s (%lu more like this)", k->name,
			    xy_endpoint_str(from, at), xy_hs_drop_text[why], missed);
}

static uint64_t stamp_sec(const uint8_t stamp[XY_WG_TAI64N_LEN])
{
	static const uint8_t zero[XY_WG_TAI64N_LEN];
	uint8_t epoch[XY_WG_TAI64N_LEN];
	xy_tai64n(0, 0, epoch);
	uint64_t sec = xy_be64_load(stamp), origin = xy_be64_load(epoch);
	return memcmp(stamp, zero, sizeof(zero)) && sec > origin ? sec - origin : 0;
}

void xy_link_trouble_stamp(struct xy_links *l, struct xy_link *k, const uint8_t *stamp,
			   const struct xy_endpoint *from, xy_nsec now)
{
	char its[40], last[40], ours[40], at[XY_ENDPOINT_STRLEN];
	time_str(its, sizeof(its), stamp_sec(stamp));
	time_str(last, sizeof(last), stamp_sec(k->exchange.timestamp));
	time_str(ours, sizeof(ours), wall_sec(l));
	trouble(k, XY_TROUBLE_CLOCK, now,
		"its handshake from %s is refused: the time stamp, %s, is older than one of "
		"before, %s "
		"(our clock: %s): its clock was set back, or an old message was sent again",
		xy_endpoint_str(from, at), its, last, ours);
}

// Of a clock that was set back time stamps say nothing until it has caught up with the newest.
static bool is_of_clock(const struct xy_link *k, const uint8_t *stamp, xy_nsec now)
{
	const struct xy_link_clock *c = &k->clock;
	uint64_t sec = stamp_sec(stamp), nsec = xy_be32_load(stamp + 8) % XY_SEC;
	if (!sec || !c->its)
		return sec > 0;
	bool next = sec - c->its <= 1 && (sec - c->its) * XY_SEC + nsec < c->nsec + STAMP_NEXT;
	return !next && sec - c->its + CLOCK_STEP / XY_SEC >= (now - c->at) / XY_SEC;
}

// The time stamp is newer than all before. A node that comes up with its clock in the past is told
// so by those of others.
void xy_link_clock_compare(struct xy_links *l, struct xy_link *k, const uint8_t *stamp, xy_nsec now)
{
	uint64_t its = stamp_sec(stamp), ours = wall_sec(l);
	uint64_t apart = (its > ours ? its - ours : ours - its);
	char their_time[40], our_time[40];
	bool far = apart > CLOCK_NEAR / XY_SEC;
	k->clock.known = is_of_clock(k, stamp, now);
	k->clock.its = its;
	k->clock.nsec = xy_be32_load(stamp + 8) % XY_SEC;
	k->clock.ours = ours;
	k->clock.at = now;
	if (!k->clock.known)
		return;
	k->clock.apart = its > ours ? (int64_t)apart : -(int64_t)apart;
	if (far && !k->clock.told) {
		time_str(their_time, sizeof(their_time), its);
		time_str(our_time, sizeof(our_time), ours);
		xy_log_warn(
			"peer %s: its time stamps say %s, our clock %s: one of the two is wrong, "
			"and who sets a clock back is refused for as long",
			k->name, their_time, our_time);
	}
	k->clock.told = far;
}

// Whoever of the two began the handshakes since, each may have been set right.
bool xy_link_clock_known(const struct xy_links *l, const struct xy_link *k, xy_nsec now)
{
	const struct xy_link_clock *c = &k->clock;
	if (!c->known || now - c->at >= CLOCK_OLD)
		return false;
	uint64_t even = c->ours + (now - c->at) / XY_SEC, ours = wall_sec(l); // in whole seconds
	return (ours > even ? ours - even : even - ours) <= CLOCK_STEP / XY_SEC;
}
