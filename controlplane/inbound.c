// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_CONFINEMENT

#include "inbound.h"

#include "base/bytes.h"
#include "daemon.h"
#include "interface.h"
#include "pace.h"
#include "pool.h"
#include "warden/warden.h"

#include <stdlib.h>

#define AGAIN (60 * XY_SEC) // what is refused now may be there later: a module, a permission

// To be in force next, for a config that waits for it.
struct change {
	char *text;
	void (*then)(void *arg, const struct xy_err *why);
	void *arg;
};

struct xy_inbound {
	struct xy_nft *nft; // a helper's while it is at work; NULL: not yet to be had
	uv_poll_t poll;
	bool polls;
	char *wanted;	   // the rules' text; NULL: none
	bool enforced;	   // it is in force, as far as we know
	struct xy_err why; // it is not
	bool going;	   // a helper is at work
	bool lost;	   // somebody took away what was there
	bool fighting;	   // it was said
	xy_nsec make_at, look_at;
	struct xy_pace pace;
	struct change change; // then NULL: none
	struct xy_err trouble;
};

struct errand {
	struct xy_daemon *d;
	struct xy_nft *nft;
	bool look, whole, next; // next: of a config that waits
	unsigned key_count;	// of peers that have none in the config
	struct xy_warden_key key[XY_CONFIG_KEYLESS];
	char *text; // NULL: no rules
	int result;
	struct xy_err err;
	struct change change; // then NULL: the daemon's own
};

// --- the text

// A name that a new config has again may be of another node; then its key is asked for anew.
static bool known_key(void *arg, const struct xy_config_peer *p, struct xy_key *out)
{
	const struct xy_daemon *d = arg;
	struct xy_join_info k;
	for (unsigned i = 0; d->join && i < xy_join_count(d->join); i++) {
		xy_join_info(d->join, i, &k);
		if (strcmp(k.name, p->name) != 0)
			continue;
		*out = k.key;
		return k.state == XY_JOIN_PINNED || k.state == XY_JOIN_CHANGED;
	}
	return false;
}

void xy_inbound_policy_of(const struct xy_daemon *d, struct xy_policy_of *out)
{
	const char *interface = xy_interface_name(d);
	*out = (struct xy_policy_of){.instance = d->name,
				     .interface =
					     interface[0] ? interface : d->plan.config.host.name,
				     .config = &d->plan.config,
				     .key = known_key,
				     .arg = (void *)(uintptr_t)d};
}

static int text_of(const struct xy_daemon *d, const struct xy_config *c, char **out,
		   struct xy_err *err)
{
	struct xy_policy_of of;
	xy_inbound_policy_of(d, &of);
	of.config = c;
	return xy_policy_text(&of, out, err);
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void want(struct xy_inbound *b, char *text)
{
	free(b->wanted);
	b->wanted = text;
}

// --- what became of it

bool xy_inbound_is_enforced(const struct xy_daemon *d)
{
	return d->inbound && d->inbound->wanted && d->inbound->enforced;
}

const char *xy_inbound_word(const struct xy_daemon *d, char *to, size_t size)
{
	const struct xy_inbound *b = d->inbound;
	unsigned n = d->plan.config.allow.count;
	if (!b)
		snprintf(to, size, "no host interface");
	else if (!b->wanted && !b->why.text[0])
		snprintf(to, size, "all open");
	else if (!b->enforced)
		snprintf(to, size, "not enforced: %s", b->why.text);
	else if (!n)
		snprintf(to, size, "deny");
	else
		snprintf(to, size, "deny but %u rule%s", n, n == 1 ? "" : "s");
	return to;
}

// What it means, and what to do; once for each reason.
static void refused(struct xy_daemon *d, const struct xy_err *why)
{
	struct xy_inbound *b = d->inbound;
	bool again = strcmp(b->why.text, why->text) == 0;
	b->why = *why;
	b->enforced = false;
	b->make_at = xy_now() + AGAIN;
	if (!again)
		xy_log_warn("%s", xy_inbound_trouble(d));
}

static void enforced(struct xy_daemon *d)
{
	struct xy_inbound *b = d->inbound;
	if (b->lost) {
		xy_pace_done(&b->pace, xy_now());
		xy_log_warn("%s: somebody took away or changed the rules for what the mesh may "
			    "reach of this host (table inet xylem_%s); they are back",
			    xy_interface_name(d), d->name);
	}
	b->lost = false;
	b->enforced = true;
	b->why.text[0] = 0;
	b->make_at = XY_NEVER;
}

static void fight_say(struct xy_daemon *d)
{
	struct xy_inbound *b = d->inbound;
	bool fighting = xy_pace_is_fight(&b->pace, xy_now());
	if (fighting && !b->fighting)
		xy_log_warn("%s: somebody takes away the rules for what the mesh may reach of this "
			    "host again and again; they are put back ever later, at most after %u "
			    "s, and until then it reaches every port. Find who flushes all of "
			    "nftables: table inet xylem_%s is to be left alone",
			    xy_interface_name(d), (unsigned)(XY_PACE_MOST / XY_SEC), d->name);
	b->fighting = fighting;
}

const char *xy_inbound_trouble(const struct xy_daemon *d)
{
	struct xy_inbound *b = d->inbound;
	if (!b)
		return NULL;
	if (xy_pace_is_fight(&b->pace, xy_now()))
		return "somebody takes away the rules for what the mesh may reach of this host "
		       "again and again, and it reaches every port meanwhile: see the log";
	if (!b->why.text[0])
		return NULL;
	xy_err_set(&b->trouble, 0,
		   "the mesh can reach every port of this host: %.260s; give xylemd CAP_NET_ADMIN "
		   "and a kernel with nf_tables and nf_conntrack, or set host.allow to \"all\" if "
		   "that is meant",
		   b->why.text);
	return b->trouble.text;
}

// --- a helper

static void keys_list(const struct xy_daemon *d, struct errand *e)
{
	struct xy_join_info k;
	for (unsigned i = 0; d->join && i < xy_join_count(d->join); i++) {
		xy_join_info(d->join, i, &k);
		if ((k.state != XY_JOIN_PINNED && k.state != XY_JOIN_CHANGED) || !k.name[0] ||
		    e->key_count == XY_ARRAY_SIZE(e->key))
			continue;
		struct xy_warden_key *to = &e->key[e->key_count++];
		snprintf(to->peer, sizeof(to->peer), "%s", k.name);
		to->key = k.key;
	}
}

// The privileged helper makes the text itself, of the config that it read.
static int ask_helper(struct errand *e, struct xy_warden *w)
{
	if (!e->nft) {
		int fd = xy_warden_watch(w, &e->err);
		e->result = fd < 0 ? fd : xy_nft_watch_take(e->d->name, fd, &e->nft);
		if (e->result)
			return e->result;
	}
	return e->text ? xy_warden_rules(w, e->next, e->key, e->key_count, &e->err)
		       : xy_warden_no_rules(w, e->next, &e->err);
}

static int carry_out(struct errand *e)
{
	if (e->d->sandbox.warden)
		return e->result = ask_helper(e, e->d->sandbox.warden);
	if (!e->nft) {
		e->result = xy_nft_open(e->d->name, &e->nft, &e->err);
		if (e->result)
			return e->result;
	}
	return e->text ? xy_nft_make(e->nft, e->text, &e->err) : xy_nft_remove(e->nft, &e->err);
}

static void work(void *what)
{
	struct errand *e = what;
	if (e->look)
		e->whole = e->d->sandbox.warden ? xy_warden_is_whole(e->d->sandbox.warden)
						: xy_nft_is_whole(e->nft);
	else
		e->result = carry_out(e);
}

static void on_changed(uv_poll_t *poll, int status, int events)
{
	struct xy_daemon *d = poll->data;
	struct xy_inbound *b = d->inbound;
	xy_loop_begin(&d->loop);
	if (xy_nft_changed(b->nft) && b->wanted && b->look_at == XY_NEVER)
		b->look_at = xy_now() + XY_PACE_SETTLE;
	xy_loop_end(&d->loop, &d->seat[XY_SEAT_KERNEL]);
}

// Without it nobody tells when the rules are gone.
static int listen_to(struct xy_daemon *d)
{
	struct xy_inbound *b = d->inbound;
	if (b->polls || !b->nft || d->loop.stopping)
		return 0;
	int r = uv_poll_init(&d->loop.uv, &b->poll, xy_nft_fd(b->nft));
	b->poll.data = d;
	r = r ? r : uv_poll_start(&b->poll, UV_READABLE, on_changed);
	b->polls = !r;
	return r;
}

static void looked(struct xy_daemon *d, bool whole)
{
	struct xy_inbound *b = d->inbound;
	if (whole || !b->wanted)
		return;
	b->lost = true;
	b->enforced = false;
	xy_err_set(&b->why, 0, "somebody took away or changed the rules, and they are put back");
	b->make_at = xy_pace_due(&b->pace, xy_now());
}

// A config waits: with rules in force it is refused when its own are.
static void changed(struct xy_daemon *d, struct errand *e)
{
	struct xy_inbound *b = d->inbound;
	bool refuses = e->result && b->enforced;
	if (!refuses) {
		want(b, e->text);
		e->text = NULL;
		if (e->result)
			refused(d, &e->err);
		else
			enforced(d);
	}
	e->change.then(e->change.arg, refuses ? &e->err : NULL);
}

static void made(struct xy_daemon *d, struct errand *e)
{
	if (e->change.then)
		changed(d, e);
	else if (!is_same(e->text, d->inbound->wanted))
		d->inbound->make_at = xy_now();
	else if (e->result)
		refused(d, &e->err);
	else
		enforced(d);
}

static void done(void *what)
{
	struct errand *e = what;
	struct xy_daemon *d = e->d;
	struct xy_inbound *b = d->inbound;
	b->going = false;
	b->nft = e->nft;
	if (listen_to(d))
		xy_log_warn("inbound policy: the loop cannot watch it; changes by others are not "
			    "seen");
	if (e->look)
		looked(d, e->whole);
	else
		made(d, e);
	fight_say(d);
	free(e->text);
	free(e);
}

// Takes text and change. False: no memory, and nothing was done.
static bool begin(struct xy_daemon *d, bool look, char *text, const struct change *change)
{
	struct xy_inbound *b = d->inbound;
	struct errand *e = calloc(1, sizeof(*e));
	if (!e) {
		free(text);
		return false;
	}
	*e = (struct errand){.d = d, .nft = b->nft, .look = look, .text = text, .next = change};
	if (change)
		e->change = *change;
	if (d->sandbox.warden)
		keys_list(d, e);
	b->going = true;
	xy_pool_run(d, work, done, e);
	return true;
}

// --- when it is looked at

xy_nsec xy_inbound_deadline(const struct xy_daemon *d)
{
	const struct xy_inbound *b = d->inbound;
	if (!b || b->going)
		return XY_NEVER;
	if (b->change.then)
		return 0;
	return b->make_at < b->look_at ? b->make_at : b->look_at;
}

static void change_begin(struct xy_daemon *d)
{
	struct xy_inbound *b = d->inbound;
	struct change c = b->change;
	b->change = (struct change){0};
	if (!begin(d, false, c.text, &c))
		c.then(c.arg, &(struct xy_err){"no memory to replace the rules of host.allow"});
}

static void make_begin(struct xy_daemon *d)
{
	struct xy_inbound *b = d->inbound;
	char *text = b->wanted ? strdup(b->wanted) : NULL;
	b->make_at = XY_NEVER;
	if ((b->wanted && !text) || !begin(d, false, text, NULL))
		b->make_at = xy_now() + XY_SEC;
}

void xy_inbound_run(struct xy_daemon *d)
{
	struct xy_inbound *b = d->inbound;
	xy_nsec now = xy_now();
	if (b->going)
		return;
	if (b->change.then) {
		change_begin(d);
	} else if (b->make_at <= now) {
		make_begin(d);
	} else if (b->look_at <= now) {
		b->look_at = XY_NEVER;
		if (b->nft && b->make_at == XY_NEVER && !begin(d, true, NULL, NULL))
			b->look_at = now + XY_SEC;
	}
}

void xy_inbound_update(struct xy_daemon *d)
{
	struct xy_inbound *b = d->inbound;
	struct xy_err err;
	char *text;
	if (!b)
		return;
	if (text_of(d, &d->plan.config, &text, &err)) {
		refused(d, &err);
		b->make_at = XY_NEVER; // not before it has another name
	} else if (is_same(text, b->wanted) && (b->enforced || b->make_at != XY_NEVER)) {
		free(text);
	} else {
		want(b, text);
		b->make_at = xy_now();
	}
}

// The key of a peer without one in the config may have been found.
void xy_inbound_second(struct xy_daemon *d)
{
	const struct xy_config *c = &d->plan.config;
	bool any = false;
	for (unsigned i = 0; d->inbound && i < c->allow.count; i++)
		any |= c->allow.v[i].from == XY_FROM_PEER &&
		       xy_key_is_zero(&c->peers[c->allow.v[i].peer].key);
	if (any)
		xy_inbound_update(d);
}

bool xy_inbound_change(struct xy_daemon *d, const struct xy_config *c,
		       void (*then)(void *arg, const struct xy_err *why), void *arg)
{
	struct xy_inbound *b = d->inbound;
	struct change change = {.then = then, .arg = arg};
	struct xy_err err;
	if (!b || text_of(d, c, &change.text, &err)) // the name's fault: xy_inbound_update says it
		return false;
	if (is_same(change.text, b->wanted) && (b->enforced || b->lost)) {
		free(change.text);
		return false;
	}
	b->change = change;
	return true;
}

bool xy_inbound_counts(const struct xy_daemon *d, struct xy_nft_count v[static XY_POLICY_COUNTERS])
{
	const struct xy_inbound *b = d->inbound;
	if (!b || !b->nft || !b->wanted || !b->enforced)
		return false;
	return (d->sandbox.warden ? xy_warden_count(d->sandbox.warden, v)
				  : xy_nft_count(b->nft, v)) == 0;
}

// --- life

// There is no loop yet, and nothing comes by the interface before the rules are there.
int xy_inbound_up(struct xy_daemon *d, struct xy_err *err)
{
	if (d->no_tun || !d->plan.config.host.enabled)
		return 0;
	struct xy_inbound *b = calloc(1, sizeof(*b));
	struct errand e = {.d = d};
	if (!b)
		return xy_err_set(err, ENOMEM, "no memory for the inbound policy");
	d->inbound = b;
	b->make_at = b->look_at = XY_NEVER;
	int r = text_of(d, &d->plan.config, &b->wanted, &e.err);
	e.text = b->wanted;
	keys_list(d, &e);
	r = r ? r : carry_out(&e);
	b->nft = e.nft;
	if (r && (b->wanted || d->plan.config.allow.all == false))
		refused(d, &e.err);
	else
		enforced(d); // where all is open there may be none of a killed daemon to remove
	return 0;
}

int xy_inbound_start(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_inbound *b = d->inbound;
	if (!b)
		return 0;
	int r = listen_to(d);
	if (r)
		return xy_err_set(err, -r, "event loop: %s", uv_strerror(r));
	if (b->enforced && b->wanted)
		b->look_at = xy_now(); // what changed before we listened
	return 0;
}

void xy_inbound_stop(struct xy_daemon *d)
{
	if (d->inbound && d->inbound->polls)
		uv_poll_stop(&d->inbound->poll);
}

void xy_inbound_down(struct xy_daemon *d)
{
	struct xy_inbound *b = d->inbound;
	struct xy_err err;
	if (!b)
		return;
	if (b->change.then)
		b->change.then(b->change.arg, NULL);
	free(b->change.text);
	b->change = (struct change){0};
	if (b->going) // a helper has it still: the next start replaces what is there
		return;
	d->inbound = NULL;
	if (d->sandbox.warden) // once the interface is gone, which is not yet
		xy_warden_end(d->sandbox.warden);
	else if (b->nft && b->wanted && xy_nft_remove(b->nft, &err))
		xy_log_warn("the rules of host.allow stay behind: %s", err.text);
	xy_nft_close(b->nft);
	free(b->wanted);
	free(b);
}
