// SPDX-License-Identifier: BSD-3-Clause
#include "steer/runtime.h"

#include "babel/babel.h"
#include "base/secret.h"
#include "peers/plan.h"

#include <sodium.h>
#include <stdlib.h>

#define PEER_PATH "peers.[0]"

void xy_runtime_init(struct xy_runtime *r, struct xy_book *book, const struct xy_identity *id)
{
	*r = (struct xy_runtime){.book = book, .identity = id, .level = XY_LOG_AS_IT_IS};
	memset(r->levels, XY_LOG_AS_IT_IS, sizeof(r->levels));
}

static void peer_free(struct xy_runtime_peer *p)
{
	free(p->says.endpoints);
	free(p->says.allowed.v);
	free(p->says.accept.v);
	free(p->says.announce.v);
	sodium_memzero(p, sizeof(*p));
	free(p);
}

void xy_runtime_fini(struct xy_runtime *r)
{
	for (unsigned i = 0; i < r->peers; i++)
		peer_free(r->peer[i]);
	for (unsigned i = 0; i < r->gone; i++)
		peer_free(r->leaving[i]);
	free(r->peer);
	free(r->leaving);
	free(r->change);
	*r = (struct xy_runtime){.level = XY_LOG_AS_IT_IS};
	memset(r->levels, XY_LOG_AS_IT_IS, sizeof(r->levels));
}

// --- settings that lie over the config's

static uint16_t cost_of(uint16_t cost)
{
	return cost ? cost : XY_BABEL_COST;
}

static bool is_of(const struct xy_config_change *c, const struct xy_config_peer *p)
{
	if (xy_key_is_zero(&p->key)) // it is asked for its key
		return strcmp(c->name, p->name) == 0;
	return memcmp(&c->key, &p->key, sizeof(c->key)) == 0;
}

static struct xy_runtime_change *find(const struct xy_runtime *r, const struct xy_config_peer *p)
{
	for (unsigned i = 0; i < r->changes; i++)
		if (is_of(&r->change[i].set, p))
			return &r->change[i];
	return NULL;
}

const struct xy_runtime_change *xy_runtime_change_of(const struct xy_runtime *r,
						     const struct xy_config_peer *p)
{
	return find(r, p);
}

// What is as the config has it is nothing that was changed.
static bool weigh(struct xy_runtime_change *c)
{
	struct xy_config_change was = c->set;
	if (c->set.traffic == (c->was_shut ? XY_TRAFFIC_OFF : XY_TRAFFIC_ON))
		c->set.traffic = XY_TRAFFIC_AS_IT_IS;
	if (c->set.cost && c->set.cost == cost_of(c->was_cost))
		c->set.cost = 0;
	return was.traffic != c->set.traffic || was.cost != c->set.cost;
}

static void put_over(const struct xy_runtime_change *c, struct xy_config_peer *p)
{
	p->no_traffic = c->set.traffic ? c->set.traffic == XY_TRAFFIC_OFF : c->was_shut;
	p->cost = c->set.cost ? c->set.cost : c->was_cost;
}

static bool lay_over(struct xy_runtime_change *c, struct xy_config_peer *p)
{
	c->lies = true;
	c->was_shut = p->no_traffic;
	c->was_cost = p->cost;
	memcpy(c->set.name, p->name, sizeof(c->set.name)); // it may be called otherwise now
	if (!xy_key_is_zero(&p->key))
		c->set.key = p->key;
	bool settled = weigh(c);
	put_over(c, p);
	return settled;
}

void xy_runtime_lay_on(const struct xy_runtime *r, struct xy_config_peer *p)
{
	const struct xy_runtime_change *c = xy_runtime_change_of(r, p);
	if (c)
		put_over(c, p);
}

static void drop_empty(struct xy_runtime *r)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < r->changes; i++)
		if (r->change[i].set.traffic || r->change[i].set.cost)
			r->change[kept++] = r->change[i];
	r->changes = kept;
}

enum xy_log_level xy_runtime_level(const struct xy_runtime *r, const struct xy_config *c,
				   enum xy_log_part part)
{
	const int said[] = {r->levels[part], c->log_levels[part], r->level};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(said); i++)
		if (said[i] != XY_LOG_AS_IT_IS)
			return (enum xy_log_level)said[i];
	return c->log_level;
}

bool xy_runtime_has_levels(const struct xy_runtime *r)
{
	bool any = r->level != XY_LOG_AS_IT_IS;
	for (unsigned i = 0; i < XY_LOG_PART_COUNT; i++)
		any = any || r->levels[i] != XY_LOG_AS_IT_IS;
	return any;
}

static bool levels_lay(struct xy_runtime *r, const struct xy_config *c)
{
	bool settled = r->level == (int)c->log_level;
	if (settled)
		r->level = XY_LOG_AS_IT_IS;
	for (unsigned i = 0; i < XY_LOG_PART_COUNT; i++) {
		if (r->levels[i] == XY_LOG_AS_IT_IS || r->levels[i] != c->log_levels[i])
			continue;
		r->levels[i] = XY_LOG_AS_IT_IS;
		settled = true;
	}
	return settled;
}

bool xy_runtime_lay(struct xy_runtime *r, struct xy_config *c)
{
	bool settled = levels_lay(r, c);
	for (unsigned i = 0; i < r->changes; i++)
		r->change[i].lies = false;
	for (unsigned i = 0; r->changes && i < c->peer_count; i++) {
		struct xy_runtime_change *k = find(r, &c->peers[i]);
		if (k && !k->lies)
			settled |= lay_over(k, &c->peers[i]);
	}
	drop_empty(r);
	return settled;
}

int xy_runtime_forget(struct xy_runtime *r, const char *peer)
{
	struct xy_key key = {{0}};
	bool by_key = xy_key_parse(peer, &key, NULL) == 0, found = false;
	for (unsigned i = 0; i < r->changes; i++) {
		struct xy_runtime_change *c = &r->change[i];
		if (c->lies || (by_key ? memcmp(&c->set.key, &key, sizeof(key)) != 0
				       : strcmp(c->set.name, peer) != 0))
			continue;
		found = true;
		c->set.traffic = XY_TRAFFIC_AS_IT_IS;
		c->set.cost = 0;
	}
	drop_empty(r);
	return found ? 0 : -ENOENT;
}

static int change_make(struct xy_runtime *r, const struct xy_config_peer *p,
		       const struct xy_key *key, struct xy_runtime_change **out)
{
	struct xy_runtime_change *v;
	if (r->changes == XY_RUNTIME_CHANGES)
		return -E2BIG;
	v = reallocarray(r->change, r->changes + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	r->change = v;
	*out = &v[r->changes++];
	**out = (struct xy_runtime_change){
		.lies = true, .set.key = *key, .was_shut = p->no_traffic, .was_cost = p->cost};
	memcpy((*out)->set.name, p->name, sizeof(p->name));
	return 0;
}

static int set_over(struct xy_runtime *r, struct xy_config_peer *p, const struct xy_key *key,
		    const struct xy_runtime_want *w)
{
	struct xy_runtime_change *c = find(r, p);
	int ret = c ? 0 : change_make(r, p, key, &c);
	if (ret)
		return ret;
	if (w->traffic)
		c->set.traffic = w->traffic;
	if (w->cost || w->to_config)
		c->set.cost = w->cost;
	weigh(c);
	put_over(c, p);
	drop_empty(r);
	return 0;
}

static void set_ours(struct xy_config_peer *p, const struct xy_runtime_want *w)
{
	if (w->traffic)
		p->no_traffic = w->traffic == XY_TRAFFIC_OFF;
	if (w->cost || w->to_config)
		p->cost = w->cost;
}

int xy_runtime_set(struct xy_runtime *r, const struct xy_book_peer *p,
		   const struct xy_runtime_want *want, struct xy_err *err)
{
	// What the book has is the config's, or ours, and both are the control thread's.
	struct xy_config_peer *says = (void *)(uintptr_t)p->says;
	int ret = 0;
	if (says->leaf && says->babel != XY_SPEAK_YES && (want->cost || want->to_config))
		return xy_err_set(err, EINVAL,
				  "peer %s: is a leaf, with which no routes are exchanged, so a "
				  "cost has no effect; traffic on|off has",
				  says->name);
	if (p->source == XY_BOOK_OPEN)
		return xy_err_set(err, EINVAL,
				  "nobody configured this peer; add it first: xylem peer add NAME "
				  "--key KEY");
	if (p->source == XY_BOOK_RUNTIME)
		set_ours(says, want);
	else
		ret = set_over(r, says, &p->key, want);
	ret = ret ? ret : xy_book_set(r->book, p);
	return ret ? xy_err_set(err, -ret, "peer %s: %s", says->name, strerror(-ret)) : 0;
}

// --- peers that came

static unsigned place_of(const struct xy_runtime *r, const struct xy_key *key)
{
	unsigned i = 0;
	while (i < r->peers && memcmp(&r->peer[i]->says.key, key, sizeof(*key)) != 0)
		i++;
	return i;
}

const struct xy_config_peer *xy_runtime_peer(const struct xy_runtime *r, const struct xy_key *key)
{
	unsigned i = place_of(r, key);
	return i < r->peers ? &r->peer[i]->says : NULL;
}

static int book_put(struct xy_runtime *r, const struct xy_runtime_peer *p)
{
	const struct xy_book_peer e = {.key = p->says.key,
				       .source = XY_BOOK_RUNTIME,
				       .says = &p->says,
				       .remote = &p->remote};
	return xy_book_set(r->book, &e);
}

// Moves a plan's peer out of it.
static int take(struct xy_runtime *r, struct xy_plan *plan, unsigned i)
{
	struct xy_config_peer *from = &plan->config.peers[i];
	struct xy_runtime_peer **v, *p = calloc(1, sizeof(*p));
	v = p ? reallocarray(r->peer, r->peers + 1, sizeof(struct xy_runtime_peer *)) : NULL;
	if (!v) {
		free(p);
		return -ENOMEM;
	}
	r->peer = v;
	xy_secret_hide(p, sizeof(*p));
	p->says = *from;
	p->remote = plan->remote[i];
	from->endpoints = NULL;
	from->endpoint_count = 0;
	from->allowed = from->accept = from->announce = (struct xy_config_prefixes){0};
	int ret = book_put(r, p);
	if (ret)
		peer_free(p);
	else
		r->peer[r->peers++] = p;
	return ret;
}

static int remove_at(struct xy_runtime *r, unsigned i)
{
	struct xy_runtime_peer **v = reallocarray(r->leaving, r->gone + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	r->leaving = v;
	v[r->gone++] = r->peer[i];
	xy_book_del(r->book, &r->peer[i]->says.key, XY_BOOK_RUNTIME);
	memmove(&r->peer[i], &r->peer[i + 1], (--r->peers - i) * sizeof(struct xy_runtime_peer *));
	return 0;
}

int xy_runtime_peer_remove(struct xy_runtime *r, const struct xy_key *key)
{
	unsigned i = place_of(r, key);
	return i < r->peers ? remove_at(r, i) : -ENOENT;
}

void xy_runtime_sweep(struct xy_runtime *r, bool (*is_there)(void *arg, const struct xy_key *key),
		      void *arg)
{
	unsigned kept = 0;
	if (xy_book_has_news(r->book)) // links look at it as long as they have not followed
		return;
	for (unsigned i = 0; i < r->gone; i++) {
		const struct xy_key *key = &r->leaving[i]->says.key;
		if (is_there(arg, key) && !xy_runtime_peer(r, key))
			r->leaving[kept++] = r->leaving[i];
		else
			peer_free(r->leaving[i]);
	}
	r->gone = kept;
}

static bool psk_follow(struct xy_runtime_peer *p, const struct xy_config *c)
{
	static const uint8_t none[32];
	const uint8_t *psk = c->has_network_secret ? c->network_secret : none;
	if (p->says.leaf || p->says.has_psk || sodium_memcmp(p->remote.psk, psk, 32) == 0)
		return false;
	memcpy(p->remote.psk, psk, 32);
	return true;
}

static bool has_key(const struct xy_config *c, const struct xy_key *key)
{
	for (unsigned i = 0; i < c->peer_count; i++)
		if (memcmp(&c->peers[i].key, key, sizeof(*key)) == 0)
			return true;
	return false;
}

bool xy_runtime_settle(struct xy_runtime *r, const struct xy_config *c)
{
	bool settled = false;
	for (unsigned i = r->peers; i-- > 0;) {
		struct xy_runtime_peer *p = r->peer[i];
		if (has_key(c, &p->says.key))
			settled |= remove_at(r, i) == 0;
		else if (psk_follow(p, c))
			book_put(r, p);
	}
	return settled;
}

// --- adding

static int refuse_known(const struct xy_config_peer *have, const struct xy_config_peer *want,
			const char *where, struct xy_err *err)
{
	char key[XY_KEY_STRLEN];
	if (memcmp(&have->key, &want->key, sizeof(have->key)) == 0)
		return xy_err_set(err, EEXIST, "key %s is %s's already, %s", // also by another name
				  xy_key_str(&want->key, key), have->name, where);
	if (strcmp(have->name, want->name) == 0)
		return xy_err_set(err, EEXIST,
				  "there is a peer %s already, %s; choose another name", want->name,
				  where);
	return 0;
}

static int refuse_shared(const struct xy_config_peer *have, const struct xy_config_peer *want,
			 struct xy_err *err)
{
	char text[XY_PREFIX_STRLEN];
	for (unsigned i = 0; i < want->allowed.count; i++)
		for (unsigned k = 0; k < have->allowed.count; k++)
			if (xy_prefix_eq(&want->allowed.v[i], &have->allowed.v[k]))
				return xy_err_set(err, EEXIST, "allowed %s is leaf %s's already",
						  xy_prefix_str(&want->allowed.v[i], text),
						  have->name);
	return 0;
}

bool xy_runtime_twice(const struct xy_runtime *r, const struct xy_config *c, struct xy_err *err)
{
	struct xy_err why;
	for (unsigned k = 0; k < r->peers; k++)
		for (unsigned i = 0; i < c->peer_count; i++) {
			const struct xy_config_peer *p = &r->peer[k]->says, *of = &c->peers[i];
			if (!refuse_known(p, of, "added at run time", &why) &&
			    !refuse_shared(p, of, &why))
				continue;
			xy_err_set(err, EEXIST,
				   "peer %s of the config, and peer %s, which was added at run "
				   "time: %.160s; change one of them, or xylem %s remove %s",
				   of->name, p->name, why.text, p->leaf ? "leaf" : "peer", p->name);
			return true;
		}
	return false;
}

static int refuse_taken(const struct xy_runtime *r, const struct xy_config *c,
			const struct xy_config_peer *p, struct xy_err *err)
{
	int ret = 0;
	for (unsigned i = 0; !ret && i < c->peer_count; i++) {
		ret = refuse_known(&c->peers[i], p,
				   c->peers[i].line ? "in the config" : "by the command line", err);
		ret = ret ? ret : refuse_shared(&c->peers[i], p, err);
	}
	for (unsigned i = 0; !ret && i < r->peers; i++) {
		ret = refuse_known(&r->peer[i]->says, p, "added at run time", err);
		ret = ret ? ret : refuse_shared(&r->peer[i]->says, p, err);
	}
	struct xy_book_peer e;
	if (!ret && xy_book_in_force(r->book, &p->key, &e) && e.source == XY_BOOK_PIN)
		ret = xy_err_set(err, EEXIST, "this key answered for peer %s of the config",
				 e.says->name);
	return ret;
}

// "peer:1: peers.[0].key: TEXT" -> "key: TEXT"
static void words_of(struct xy_err *err)
{
	const char *at = strstr(err->text, PEER_PATH);
	if (!at)
		return;
	at += strlen(PEER_PATH);
	at += *at == '.' || (at[0] == ':' && at[1] == ' ') ? 1 : 0;
	at += *at == ' ';
	memmove(err->text, at, strlen(at) + 1);
}

static int plan_of(const struct xy_runtime *r, const char *what, const char *text, size_t len,
		   const struct xy_config *c, struct xy_plan *out, struct xy_err *err)
{
	struct xy_config config;
	*out = (struct xy_plan){0};
	int ret = xy_config_parse(what, text, len, &config, err);
	if (ret == -EINVAL)
		xy_config_free(&config);
	if (ret)
		return ret;
	config.has_network_secret = c->has_network_secret;
	memcpy(config.network_secret, c->network_secret, sizeof(config.network_secret));
	return xy_plan_make(what, &config, r->identity, out, err);
}

static int check_one(const struct xy_runtime *r, const struct xy_plan *plan,
		     const struct xy_config *c, struct xy_err *err)
{
	if (plan->config.peer_count != 1)
		return xy_err_set(err, EINVAL, "one peer at a time");
	const struct xy_config_peer *p = &plan->config.peers[0];
	if (xy_key_is_zero(&p->key))
		return xy_err_set(err, EINVAL,
				  "key: missing; a peer that is added at run time is named by its "
				  "key (on the peer: xylem pubkey)");
	if (r->peers == XY_RUNTIME_PEERS)
		return xy_err_set(err, ENOSPC,
				  "%d peers were added at run time, and no more may be; put them "
				  "into the config: xylem config write",
				  XY_RUNTIME_PEERS);
	return refuse_taken(r, c, p, err);
}

int xy_runtime_peer_add(struct xy_runtime *r, const char *text, const struct xy_config *c,
			struct xy_key *out, struct xy_err *err)
{
	struct xy_plan plan;
	char *whole = NULL;
	int len = asprintf(&whole, "peers = ( %s );", text);
	if (len < 0)
		return xy_err_set(err, ENOMEM, "no memory for one more peer");
	int ret = plan_of(r, "peer", whole, (size_t)len, c, &plan, err);
	if (ret)
		words_of(err);
	ret = ret ? ret : check_one(r, &plan, c, err);
	if (!ret) {
		*out = plan.config.peers[0].key;
		ret = take(r, &plan, 0);
		if (ret)
			xy_err_set(err, -ret, "no memory for one more peer");
	}
	xy_plan_free(&plan);
	xy_config_text_wipe(whole);
	return ret;
}

// --- addresses of our /64

enum { LOW = 1 << 16 }; // host numbers that people can type

static void mark(uint8_t *used, const struct xy_prefix *net, const struct xy_prefix *p)
{
	if (!xy_prefix_covers(net, p))
		return;
	for (unsigned i = 8; i < 14; i++)
		if (p->addr.b[i]) // not below LOW
			return;
	unsigned from = p->addr.b[14] << 8 | p->addr.b[15];
	unsigned count = p->len <= 112 ? LOW : 1u << (128 - p->len);
	for (unsigned i = from; i < LOW && i < from + count; i++)
		used[i] = true;
}

static void mark_leaf(uint8_t *used, const struct xy_prefix *net, const struct xy_config_peer *p)
{
	for (unsigned i = 0; i < p->allowed.count; i++)
		mark(used, net, &p->allowed.v[i]);
}

int xy_runtime_address(const struct xy_runtime *r, const struct xy_config *c, struct xy_addr *out)
{
	const struct xy_prefix net = xy_key_prefix(&r->identity->x25519);
	struct xy_prefix own = {.addr = r->identity->addr, .len = 128};
	uint8_t *used = calloc(LOW, 1);
	unsigned at = 2;
	if (!used)
		return -ENOMEM;
	mark(used, &net, &own);
	for (unsigned i = 0; i < c->host.address_count; i++) {
		own.addr = c->host.addresses[i].addr;
		mark(used, &net, &own);
	}
	for (unsigned i = 0; i < c->peer_count; i++)
		mark_leaf(used, &net, &c->peers[i]);
	for (unsigned i = 0; i < r->peers; i++)
		mark_leaf(used, &net, &r->peer[i]->says);
	while (at < LOW && used[at])
		at++;
	free(used);
	*out = net.addr;
	out->b[14] = (uint8_t)(at >> 8);
	out->b[15] = (uint8_t)at;
	return at < LOW ? 0 : -ENOSPC;
}

// --- the file

static void change_put(FILE *to, const struct xy_config_change *c)
{
	static const char *const word[] = {[XY_TRAFFIC_ON] = "on", [XY_TRAFFIC_OFF] = "off"};
	char key[XY_KEY_STRLEN];
	fprintf(to, "{ peer = \"%s\"; ", c->name);
	if (!xy_key_is_zero(&c->key))
		fprintf(to, "key = \"%s\"; ", xy_key_str(&c->key, key));
	if (c->traffic)
		fprintf(to, "traffic = \"%s\"; ", word[c->traffic]);
	if (c->cost)
		fprintf(to, "cost = %u; ", c->cost);
	fputs("}", to);
}

static bool peer_put(FILE *to, const struct xy_config_peer *p)
{
	char *text = xy_config_peer_text(p);
	if (text)
		fputs(text, to);
	xy_config_text_wipe(text);
	return text;
}

static void levels_put(FILE *to, const struct xy_runtime *r)
{
	bool any = false;
	if (r->level != XY_LOG_AS_IT_IS)
		fprintf(to, "log_level = \"%s\";\n", xy_config_level_names[r->level]);
	for (unsigned i = 0; i < XY_LOG_PART_COUNT; i++) {
		if (r->levels[i] == XY_LOG_AS_IT_IS)
			continue;
		fprintf(to, "%s %s = \"%s\";", any ? "" : "log_levels = {", xy_log_part_names[i],
			xy_config_level_names[r->levels[i]]);
		any = true;
	}
	fputs(any ? " };\n" : "", to);
}

static bool put(FILE *to, const struct xy_runtime *r)
{
	bool good = true;
	fputs("# What was changed at run time (xylem show config). xylemd writes this file anew "
	      "with\n"
	      "# each change; xylem config write puts what stands here into the config.\n",
	      to);
	levels_put(to, r);
	if (r->drained)
		fputs("drained = true;\n", to);
	for (unsigned i = 0; i < r->peers; i++) {
		fputs(i ? ",\n  " : "peers = (\n  ", to);
		good = peer_put(to, &r->peer[i]->says) && good;
	}
	fputs(r->peers ? "\n);\n" : "", to);
	for (unsigned i = 0; i < r->changes; i++) {
		fputs(i ? ",\n  " : "changed = (\n  ", to);
		change_put(to, &r->change[i].set);
	}
	fputs(r->changes ? "\n);\n" : "", to);
	return good;
}

char *xy_runtime_text(const struct xy_runtime *r)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	if (!to)
		return NULL;
	bool good = put(to, r) && !ferror(to);
	if (fclose(to) == 0 && good)
		return text;
	xy_config_text_wipe(text);
	return NULL;
}

static int take_changes(struct xy_runtime *r, const struct xy_config_runtime *f)
{
	struct xy_runtime_change *c;
	int ret = 0;
	for (unsigned i = 0; !ret && i < f->change_count; i++) {
		struct xy_config_peer p = {.key = f->changes[i].key};
		memcpy(p.name, f->changes[i].name, sizeof(p.name));
		if (find(r, &p))
			continue;
		ret = change_make(r, &p, &p.key, &c);
		if (!ret)
			*c = (struct xy_runtime_change){.set = f->changes[i]};
	}
	return ret;
}

static int take_peers(struct xy_runtime *r, struct xy_plan *plan)
{
	int ret = 0;
	for (unsigned i = 0; !ret && i < plan->config.peer_count; i++)
		if (!xy_key_is_zero(&plan->config.peers[i].key) &&
		    !xy_runtime_peer(r, &plan->config.peers[i].key))
			ret = take(r, plan, i);
	return ret;
}

int xy_runtime_load(struct xy_runtime *r, const char *name, const char *text, size_t len,
		    struct xy_config *c, struct xy_err *err)
{
	struct xy_config_runtime f;
	struct xy_plan plan = {0};
	int ret = xy_config_runtime_parse(name, text, len, &f, err);
	if (!ret) {
		f.config.has_network_secret = c->has_network_secret;
		memcpy(f.config.network_secret, c->network_secret, sizeof(c->network_secret));
		ret = xy_plan_make(name, &f.config, r->identity, &plan, err);
	}
	if (!ret && (take_changes(r, &f) || take_peers(r, &plan)))
		ret = xy_err_set(err, ENOMEM, "%s: not enough memory", name);
	if (!ret && !xy_runtime_has_levels(r)) {
		r->level = f.level;
		memcpy(r->levels, f.levels, sizeof(r->levels));
	}
	r->drained |= !ret && f.drained;
	xy_plan_free(&plan);
	xy_config_runtime_free(&f);
	return ret;
}
