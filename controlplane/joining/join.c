// SPDX-License-Identifier: BSD-3-Clause
// Asking for keys: one target for each peer of the config that has none. Probes go out with backoff
// until somebody answers; the first right answer is pinned. A pinned peer whose link does not come
// up is asked again, and another key than the pinned one is refused, and said.
#define XY_LOG_PART XY_PART_JOINING

#include "joining/joining.h"

#include "base/list.h"

#include <sodium.h>
#include <stdlib.h>

#define BEACONS	      (4 * XY_SEC) // one of a source
#define BACKOFF_FIRST (1 * XY_SEC)
#define BACKOFF_MOST  (60 * XY_SEC)
#define CHECK_AFTER   (20 * XY_SEC) // a pinned one's link has had its time
#define RESOLVE_AGAIN (10 * XY_SEC)

const char *const xy_join_drop_name[XY_JOIN_DROP_COUNT] = {XY_JOIN_DROPS(XY_LIST_NAME)};
const char *const xy_join_drop_text[XY_JOIN_DROP_COUNT] = {XY_JOIN_DROPS(XY_LIST_TEXT)};

// --- life

int xy_join_create(const struct xy_join_config *cfg, struct xy_join **out, struct xy_err *err)
{
	uint8_t key[16];
	struct xy_join *j = calloc(1, sizeof(*j));
	if (!j || xy_offenders_init(&j->drops)) {
		free(j);
		return xy_err_set(err, ENOMEM, "no memory for joining");
	}
	j->cfg = *cfg;
	xy_env_random(cfg->env, key, sizeof(key));
	xy_limiter_init_rate(&j->probes, key, XY_SEC / 10, 10);
	xy_env_random(cfg->env, key, sizeof(key));
	xy_limiter_init_rate(&j->beacons, key, BEACONS, 1);
	xy_env_random(cfg->env, key, sizeof(key));
	xy_limiter_init_rate(&j->known_beacons, key, BEACONS, 1);
	xy_bucket_init(&j->all_probes, XY_SEC / 1000, 100);
	xy_bucket_init(&j->all_beacons, XY_SEC / 10, 10);
	for (unsigned i = 0; i < XY_JOIN_JOBS; i++) {
		j->job[i].next_free = j->free;
		j->free = &j->job[i];
	}
	*out = j;
	return 0;
}

void xy_join_destroy(struct xy_join *j)
{
	if (j)
		xy_offenders_fini(&j->drops);
	free(j);
}

// --- targets

static struct xy_join_target *find(struct xy_join *j, const char *endpoint)
{
	for (unsigned i = 0; i < j->count; i++)
		if (strcmp(j->target[i].at, endpoint) == 0)
			return &j->target[i];
	return NULL;
}

static struct xy_join_target *add(struct xy_join *j, const struct xy_config_peer *p, xy_nsec now)
{
	struct xy_join_target *t = &j->target[j->count];
	const struct xy_key *pin = xy_state_pin(j->cfg.state, p->endpoints[0]);
	if (j->count == XY_CONFIG_KEYLESS) // the config has no more, --peer may
		return NULL;
	j->count++;
	*t = (struct xy_join_target){.edition = ++j->edition,
				     .due = pin ? now + CHECK_AFTER : now,
				     .has_key = pin != NULL,
				     .state = pin ? XY_JOIN_PINNED : XY_JOIN_ASKING};
	snprintf(t->at, sizeof(t->at), "%s", p->endpoints[0]);
	if (pin)
		t->key = *pin;
	return t;
}

// The config's word is above what answered first: should the key go from it again, the peer is
// still the one that it named.
static void repin(struct xy_join *j, const struct xy_plan *plan)
{
	bool changed = false;
	for (unsigned i = 0; i < xy_state_pins(j->cfg.state); i++) {
		struct xy_key pin;
		const char *endpoint = xy_state_pin_at(j->cfg.state, i, &pin);
		const struct xy_config_peer *p = xy_plan_at(plan, endpoint);
		if (!p || memcmp(&pin, &p->key, sizeof(pin)) == 0)
			continue;
		xy_log_info("peer %s: its key in the config takes the place of the one pinned at "
			    "%s",
			    p->name, endpoint);
		changed |= xy_state_pin_set(j->cfg.state, endpoint, &p->key) == 0;
	}
	if (changed)
		xy_state_save(j->cfg.state);
}

// --- troubles: said once in the log, and for as long as they last among the warnings

static void good(struct xy_join_target *t)
{
	t->state = t->has_key ? XY_JOIN_PINNED : XY_JOIN_ASKING;
	t->trouble.text[0] = 0;
}

static void trouble(struct xy_join_target *t, enum xy_join_state state, const struct xy_key *key)
{
	char got[XY_KEY_STRLEN], want[XY_KEY_STRLEN];
	bool told = t->state == state && memcmp(&t->other, key, sizeof(*key)) == 0;
	t->state = state;
	t->other = *key;
	if (told)
		return;
	xy_key_str(key, got);
	if (state == XY_JOIN_CHANGED)
		xy_err_set(&t->trouble, EPERM,
			   "peer %s: %.80s answers with the key %s, but %s was pinned there: "
			   "refused. If that node has a new key, write key = \"%s\"; into the peer "
			   "(or --peer KEY@ENDPOINT); else somebody answers in its stead",
			   t->name, t->at, got, xy_key_str(&t->key, want), got);
	else if (state == XY_JOIN_OURSELVES)
		xy_err_set(&t->trouble, EINVAL,
			   "peer %s: %.80s is this node itself; remove the peer", t->name, t->at);
	else
		xy_err_set(&t->trouble, EEXIST,
			   "peer %s: %.80s is a node that stands in the config twice; remove one",
			   t->name, t->at);
	xy_log_error("%s", t->trouble.text);
}

// --- the book

static const struct xy_config_peer *peer_of(const struct xy_join *j, const struct xy_join_target *t)
{
	return &j->plan->config.peers[t->peer];
}

// Of two peers where the same node answers, the first has its key.
static void enter(struct xy_join *j, const struct xy_join_target *t)
{
	struct xy_book_peer e;
	struct xy_err err;
	if (xy_book_get(j->cfg.book, &t->key, XY_BOOK_PIN, &e) && e.mark == j->mark)
		return;
	e = (struct xy_book_peer){.key = t->key,
				  .source = XY_BOOK_PIN,
				  .mark = j->mark,
				  .says = peer_of(j, t),
				  .remote = &j->plan->remote[t->peer]};
	int r = xy_plan_key_known(j->plan, t->peer, &t->key, j->cfg.identity, &err);
	if (!r && xy_book_set(j->cfg.book, &e))
		r = xy_err_set(&err, ENOMEM, "peer %s: no memory for it", t->name);
	if (!r)
		return;
	xy_log_error("%s", err.text);
	xy_book_del(j->cfg.book, &t->key, XY_BOOK_PIN); // of the plan before
}

static void leave(struct xy_join *j, const struct xy_join_target *t)
{
	struct xy_book_peer e;
	if (xy_book_get(j->cfg.book, &t->key, XY_BOOK_PIN, &e) && e.mark != j->mark)
		xy_book_del(j->cfg.book, &t->key, XY_BOOK_PIN);
}

static void look(struct xy_join *j, struct xy_join_target *t)
{
	struct xy_book_peer e;
	if (!t->has_key || !xy_book_in_force(j->cfg.book, &t->key, &e))
		return;
	if (e.says != peer_of(j, t))
		trouble(t, XY_JOIN_TWICE, &t->key);
	else if (t->state == XY_JOIN_TWICE)
		good(t);
}

void xy_join_look(struct xy_join *j)
{
	for (unsigned i = 0; i < j->count; i++)
		look(j, &j->target[i]);
}

static void take_note(struct xy_join *j, unsigned peer, xy_nsec now)
{
	const struct xy_config_peer *p = &j->plan->config.peers[peer];
	struct xy_join_target *t = p->endpoint_count ? find(j, p->endpoints[0]) : NULL;
	if (!t && p->endpoint_count)
		t = add(j, p, now);
	if (!t)
		return;
	t->mark = j->mark;
	t->peer = peer;
	memcpy(t->name, p->name, sizeof(t->name));
	if (t->has_key)
		enter(j, t);
}

void xy_join_apply(struct xy_join *j, struct xy_plan *plan, xy_nsec now)
{
	unsigned kept = 0;
	j->plan = plan;
	j->mark++;
	repin(j, plan);
	for (unsigned i = 0; i < plan->keyless_count; i++)
		take_note(j, plan->keyless[i], now);
	for (unsigned i = 0; i < j->count; i++) {
		if (j->target[i].mark == j->mark)
			j->target[kept++] = j->target[i];
		else if (j->target[i].has_key)
			leave(j, &j->target[i]);
	}
	j->count = kept;
}

// --- probing

static xy_nsec backoff(struct xy_join *j, const struct xy_join_target *t)
{
	uint32_t random = 0;
	xy_nsec wait = BACKOFF_FIRST << (t->tries < 6 ? t->tries : 6);
	wait = wait < BACKOFF_MOST ? wait : BACKOFF_MOST;
	xy_env_random(j->cfg.env, &random, sizeof(random));
	return wait + random % (wait / 4);
}

static void ask(struct xy_join *j, struct xy_join_target *t, const struct xy_endpoint *where)
{
	uint8_t probe[XY_JOIN_LEN];
	xy_env_random(j->cfg.env, t->nonce, sizeof(t->nonce));
	xy_join_probe_write(t->nonce, probe);
	t->asked = *where;
	t->waiting = true;
	if (xy_links_send(j->cfg.links, where, NULL, probe, sizeof(probe)))
		xy_join_dropped(j, XY_JOIN_DROP_JOIN_UNSENT, where);
}

static unsigned question(const struct xy_join *j, const struct xy_join_target *t)
{
	return t->edition * XY_CONFIG_KEYLESS + (unsigned)(t - j->target);
}

// Said once, and once when it does again: it is asked for again and again.
static void say_name(struct xy_join_target *t, bool found)
{
	if (t->unresolved == !found)
		return;
	t->unresolved = !found;
	if (found)
		xy_log_info("peer %s: endpoint %s: the name resolves now", t->name, t->at);
	else
		xy_log_warn("peer %s: endpoint %s: the name does not resolve, or to nothing that "
			    "can be an underlay; asked again",
			    t->name, t->at);
}

static void resolved(void *who, uint64_t serial, unsigned asked, const struct xy_endpoint *found,
		     unsigned count, xy_nsec now)
{
	xy_join_resolved(who, asked, found, count, now);
}

static void resolve(struct xy_join *j, struct xy_join_target *t, xy_nsec now)
{
	struct xy_env_asker by = {.found = resolved, .who = j, .asked = question(j, t)};
	char host[XY_CONFIG_HOST_LEN];
	uint16_t port;
	t->next = t->count = 0;
	if (t->resolving)
		return;
	t->resolving = xy_hostport_split(t->at, host, sizeof(host), &port) == 0 &&
		       xy_env_resolve(j->cfg.env, &by, host, port) == 0;
	if (!t->resolving)
		say_name(t, false);
	t->due = now + RESOLVE_AGAIN;
}

static void probe(struct xy_join *j, struct xy_join_target *t, xy_nsec now)
{
	struct xy_endpoint literal;
	t->due = now + backoff(j, t);
	t->tries++;
	if (xy_endpoint_parse(t->at, &literal) == 0) {
		ask(j, t, &literal);
		return;
	}
	if (t->next < t->count)
		ask(j, t, &t->found[t->next++]);
	else
		resolve(j, t, now); // each round anew
}

void xy_join_resolved(struct xy_join *j, unsigned asked, const struct xy_endpoint *found,
		      unsigned count, xy_nsec now)
{
	struct xy_join_target *t = NULL;
	for (unsigned i = 0; i < j->count && !t; i++) // it may have moved to another place
		if (j->target[i].edition == asked / XY_CONFIG_KEYLESS)
			t = &j->target[i];
	if (!t || !t->resolving)
		return;
	t->resolving = false;
	for (unsigned i = 0; i < count && t->count < XY_JOIN_ADDRESSES; i++)
		if (xy_link_usable(&found[i]))
			t->found[t->count++] = found[i];
	say_name(t, t->count);
	if (t->count)
		probe(j, t, now);
}

static void check_pinned(struct xy_join *j, struct xy_join_target *t, xy_nsec now)
{
	if (!xy_links_up(j->cfg.links, &t->key, now)) {
		probe(j, t, now);
		return;
	}
	if (t->state != XY_JOIN_TWICE)
		good(t);
	look(j, t);
	t->tries = 0;
	t->waiting = false;
	t->due = now + CHECK_AFTER;
}

void xy_join_run(struct xy_join *j, xy_nsec now)
{
	for (unsigned i = 0; i < j->count; i++) {
		struct xy_join_target *t = &j->target[i];
		if (now < t->due)
			continue;
		if (t->has_key)
			check_pinned(j, t, now);
		else
			probe(j, t, now);
	}
}

xy_nsec xy_join_deadline(const struct xy_join *j)
{
	xy_nsec first = XY_NEVER;
	for (unsigned i = 0; i < j->count; i++)
		first = j->target[i].due < first ? j->target[i].due : first;
	return first;
}

// --- answers

static struct xy_join_target *asked(struct xy_join *j, const uint8_t nonce[XY_JOIN_NONCE_LEN],
				    const struct xy_endpoint *from)
{
	for (unsigned i = 0; i < j->count; i++) {
		struct xy_join_target *t = &j->target[i];
		if (t->waiting && memcmp(t->nonce, nonce, sizeof(t->nonce)) == 0 &&
		    xy_endpoint_eq(&t->asked, from))
			return t;
	}
	return NULL;
}

static void replied(struct xy_join *j, const struct xy_dp_event *ev)
{
	struct xy_join_reply reply;
	if (xy_join_reply_read(ev->data, ev->len, &reply)) {
		xy_join_dropped(j, XY_JOIN_DROP_JOIN_BAD, &ev->remote);
		return;
	}
	if (!asked(j, reply.nonce, &ev->remote)) {
		xy_join_dropped(j, XY_JOIN_DROP_JOIN_UNASKED, &ev->remote);
		return;
	}
	struct xy_join_job *job = xy_join_job_take(j, XY_JOIN_CHECK_REPLY, &ev->remote);
	if (!job)
		return;
	job->reply = reply;
	xy_join_job_begin(job);
}

static void pin(struct xy_join *j, struct xy_join_target *t, const struct xy_key *key, xy_nsec now)
{
	char text[XY_KEY_STRLEN];
	t->has_key = true;
	t->key = *key;
	t->tries = 0;
	t->due = now + CHECK_AFTER;
	good(t);
	xy_log_info("peer %s: %s answers with the key %s, which is pinned from now on", t->name,
		    t->at, xy_key_str(key, text));
	if (xy_state_pin_set(j->cfg.state, t->at, key))
		xy_log_warn("peer %s: no memory to pin its key for the next start", t->name);
	xy_state_save(j->cfg.state);
	enter(j, t);
	if (j->cfg.ops.found)
		j->cfg.ops.found(j->cfg.ops.arg);
	look(j, t);
}

void xy_join_learned(struct xy_join *j, const struct xy_join_job *job)
{
	struct xy_join_target *t = asked(j, job->reply.nonce, &job->remote);
	if (!t)
		return; // asked again meanwhile
	t->waiting = false;
	if (memcmp(&job->key, &j->cfg.identity->x25519, sizeof(job->key)) == 0)
		trouble(t, XY_JOIN_OURSELVES, &job->key);
	else if (!t->has_key)
		pin(j, t, &job->key, xy_env_now(j->cfg.env));
	else if (memcmp(&job->key, &t->key, sizeof(t->key)) != 0)
		trouble(t, XY_JOIN_CHANGED, &job->key);
	else if (t->state == XY_JOIN_CHANGED)
		good(t);
}

void xy_join_punt(struct xy_join *j, const struct xy_dp_event *ev, xy_nsec now)
{
	if (!xy_link_usable(&ev->remote))
		xy_join_dropped(j, XY_JOIN_DROP_JOIN_BAD, &ev->remote);
	else if (ev->len && ev->data[0] == XY_JOIN_REPLY)
		replied(j, ev);
	else
		xy_join_probed(j, ev, now);
}

// --- what is going on

unsigned xy_join_jobs(const struct xy_join *j)
{
	return j->jobs;
}

unsigned xy_join_count(const struct xy_join *j)
{
	return j->count;
}

void xy_join_info(const struct xy_join *j, unsigned at, struct xy_join_info *out)
{
	const struct xy_join_target *t = &j->target[at];
	*out = (struct xy_join_info){.name = t->name,
				     .endpoint = t->at,
				     .state = t->state == XY_JOIN_ASKING && t->unresolved
						      ? XY_JOIN_UNRESOLVED
						      : t->state,
				     .tries = t->tries,
				     .key = t->key,
				     .trouble = t->trouble.text[0] ? t->trouble.text : NULL};
}

uint64_t xy_join_drops(const struct xy_join *j, enum xy_join_drop which)
{
	return xy_offenders_packets(&j->drops, which);
}

const struct xy_offenders *xy_join_offenders(const struct xy_join *j)
{
	return &j->drops;
}

_Static_assert((int)XY_JOIN_DROP_COUNT <= (int)XY_OFFENDERS_REASONS, "a place for each");

void xy_join_dropped(struct xy_join *j, enum xy_join_drop why, const struct xy_endpoint *at)
{
	const struct xy_offence offence = {.of = XY_DP_OF_STRANGER,
					   .at = at,
					   .unsent = why == XY_JOIN_DROP_JOIN_UNSENT,
					   .when = xy_env_now(j->cfg.env)};
	xy_offenders_add(&j->drops, why, &offence);
}
