// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_CONTROL

#include "fleetside.h"

#include "base/bytes.h"
#include "daemon.h"
#include "fleet/record.h"
#include "interface.h"
#include "kernel/addresses.h"
#include "peers/registry.h"
#include "peers/seen.h"
#include "steering.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
	LIFETIME_LEAST = 1,
	EXPIRES_MOST =
		8 * 86400, // seconds ahead that a record of ours may be valid; no agent takes more
	EPOCH_MOST = 365 * 86400, // and its epoch be, so that a later record can always be above
	ADDRESSES = 64,
};
#define SEEN_APART (4 * XY_SEC) // two neighbours are asked from where they see us

struct claim {
	bool set, has_address;
	struct xy_prefix prefix;
	struct xy_addr address;
	xy_nsec until;
};

struct xy_fleetside {
	struct xy_registry registry;
	struct claim claim;
	uint64_t left_out; // of the registry, of whom links know
	struct xy_seen seen;
	enum xy_seen_mapping mapping; // that was said
	unsigned seen_at;	      // neighbour that is asked next,
	xy_nsec seen_next;	      // and when
	unsigned own_accepts;	      // of the plan, before those that were laid behind them
	char start[33];		      // of this daemon: another one knows nothing
};

// --- params

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static int key_of(const json_t *o, const char *name, struct xy_key *out, struct xy_err *err)
{
	struct xy_err why;
	const char *text = text_of(o, name);
	if (!text || xy_key_parse(text, out, &why))
		return xy_err_set(err, EINVAL, "%s: %.300s", name, text ? why.text : "write a key");
	return 0;
}

// least..most; what is not there is `def`, where that is not UINT64_MAX.
static int number_of(const json_t *o, const char *key, uint64_t least, uint64_t most, uint64_t def,
		     uint64_t *out, struct xy_err *err)
{
	const json_t *v = json_object_get(o, key);
	json_int_t n = json_integer_value(v);
	if (!v && def != UINT64_MAX) {
		*out = def;
		return 0;
	}
	if (!json_is_integer(v) || n < 0 || (uint64_t)n < least || (uint64_t)n > most)
		return xy_err_set(err, EINVAL, "%s: write %llu to %llu", key,
				  (unsigned long long)least, (unsigned long long)most);
	*out = (uint64_t)n;
	return 0;
}

static int flag_of(const json_t *o, const char *key, bool *out, struct xy_err *err)
{
	const json_t *v = json_object_get(o, key);
	*out = json_is_true(v);
	return !v || json_is_boolean(v) ? 0
					: xy_err_set(err, EINVAL, "%s: write true or false", key);
}

// Of one run of an agent; none is 0.
static int session_of(struct xy_registry *g, const json_t *o, struct xy_err *err)
{
	return number_of(o, "session", 1, XY_FLEET_NUMBER_MAX, 0, &g->session, err);
}

static int until_of(const json_t *o, xy_nsec *out, struct xy_err *err)
{
	uint64_t seconds = 0;
	int r = number_of(o, "lifetime", LIFETIME_LEAST, XY_REGISTRY_LIFETIME, UINT64_MAX, &seconds,
			  err);
	if (!r)
		*out = xy_now() + seconds * XY_SEC;
	return r;
}

static int prefix_of(const char *key, const json_t *v, struct xy_prefix *out, struct xy_err *err)
{
	const char *text = json_string_value(v);
	if (!text || strlen(text) >= XY_PREFIX_STRLEN || xy_prefix_parse(text, out))
		return xy_err_set(err, EINVAL, "%s: write a prefix, as fd10:1::/48", key);
	return 0;
}

static bool may_claim(const struct xy_config *c, const struct xy_prefix *p)
{
	for (unsigned i = 0; i < c->routing.claims.count; i++)
		if (xy_prefix_covers(&c->routing.claims.v[i], p))
			return true;
	return false;
}

static int claim_check(const struct xy_config *c, const struct xy_prefix *p, struct xy_err *err)
{
	char text[XY_PREFIX_STRLEN];
	if (xy_prefix_is_default(p) || !may_claim(c, p))
		return xy_err_set(err, EPERM,
				  "claim %s: lies in none of routing.claims, by which this node's "
				  "config says what may be claimed for it",
				  xy_prefix_str(p, text));
	return 0;
}

static bool overlap(const struct xy_prefix *a, const struct xy_prefix *b)
{
	return xy_prefix_covers(a, b) || xy_prefix_covers(b, a);
}

// An exit's default routes leave room for everybody; what is announced or accepted for many, as a
// gateway's, for devices that are a part of it.
static bool is_in_way(const struct xy_prefix *has, const struct xy_prefix *p, bool leaf)
{
	return !xy_prefix_is_default(has) && (leaf ? xy_prefix_covers(p, has) : overlap(p, has));
}

static bool is_among(const struct xy_config_prefixes *all, const struct xy_prefix *p, bool leaf)
{
	for (unsigned i = 0; i < all->count; i++)
		if (is_in_way(&all->v[i], p, leaf))
			return true;
	return false;
}

static bool is_anothers_accept(const struct xy_config *c, unsigned count, const struct xy_prefix *p,
			       const struct xy_key *key, bool leaf)
{
	for (unsigned i = 0; i < count; i++) {
		const struct xy_config_accept *a = &c->routing.accept[i];
		if (is_in_way(&a->prefix, p, leaf) && memcmp(&a->key, key, sizeof(*key)) != 0)
			return true;
	}
	return false;
}

static bool is_leafs(const struct xy_config_peer *peer, const struct xy_prefix *p,
		     const struct xy_key *key)
{
	return peer->allowed.count && memcmp(&peer->key, key, sizeof(*key)) != 0 &&
	       is_among(&peer->allowed, p, false);
}

static bool is_on_host(const struct xy_config *c, const struct xy_prefix *p)
{
	for (unsigned i = 0; i < c->host.address_count; i++)
		if (xy_prefix_contains(p, &c->host.addresses[i].addr))
			return true;
	return false;
}

// Who has a part of it, of those before whom a registry's key has to yield; NULL: nobody.
static const char *before_others(const struct xy_fleetside *f, const struct xy_config *c,
				 unsigned accepts, const struct xy_prefix *p,
				 const struct xy_key *key, bool leaf)
{
	for (unsigned i = 0; i < c->peer_count; i++)
		if (is_leafs(&c->peers[i], p, key))
			return "is a leaf's of the config";
	if (is_on_host(c, p))
		return "has an address of this host";
	if (f->claim.set && overlap(&f->claim.prefix, p))
		return "is this node's claim";
	if (is_among(&c->routing.announce, p, leaf))
		return "is announced by this node";
	if (is_anothers_accept(c, accepts, p, key, leaf))
		return "is another node's by routing.accept";
	return NULL;
}

static const char *whose(const struct xy_fleetside *f, const struct xy_config *c,
			 const struct xy_prefix *p, const struct xy_key *key, bool leaf)
{
	for (unsigned i = 0; i < f->registry.count; i++)
		if (is_leafs(&f->registry.peer[i]->says, p, key))
			return "is another device's of the registry";
	return before_others(f, c, f->own_accepts, p, key, leaf);
}

static bool is_claimed(const struct xy_registry *g, const struct xy_prefix *p,
		       const struct xy_key *key)
{
	for (unsigned i = 0; i < g->admitted_count; i++) {
		const struct xy_registry_admitted *a = &g->admitted[i];
		if (a->has_claim && overlap(&a->claim, p) &&
		    memcmp(&a->key, key, sizeof(*key)) != 0)
			return true;
	}
	return false;
}

// --- hello

static json_t *hello(void *arg, struct xy_request *q)
{
	const struct xy_daemon *d = arg;
	const struct xy_fleetside *f = d->fleetside;
	char key[XY_KEY_STRLEN], link[XY_KEY_STRLEN], address[XY_ADDR_STRLEN];
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i}", "start", f->start, "version",
			 XY_VERSION, "address", xy_addr_str(&d->id.addr, address), "key",
			 xy_key_str(&d->id.ed25519, key), "link_key",
			 xy_key_str(&d->id.x25519, link), "name", d->plan.config.node_info.name,
			 "peers", (int)f->registry.count, "admitted",
			 (int)f->registry.admitted_count);
}

// --- a record of this node

static bool has_endpoint(const struct xy_fleet_record *r, const struct xy_endpoint *e)
{
	for (unsigned i = 0; i < r->endpoint_count; i++)
		if (xy_endpoint_eq(&r->endpoint[i].at, e))
			return true;
	return false;
}

static void endpoint_add(struct xy_fleet_record *r, const struct xy_addr *a, uint16_t port)
{
	const struct xy_endpoint e = {.addr = *a, .port = port};
	if (r->endpoint_count == XY_FLEET_ENDPOINTS || has_endpoint(r, &e))
		return;
	r->endpoint[r->endpoint_count++] =
		(struct xy_fleet_endpoint){.at = e, .from = XY_FLEET_FROM_OWN};
}

// Not one that is on the host interface: that is inside of what links carry.
static bool is_on_interface(const struct xy_daemon *d, const struct xy_host_addresses *all,
			    const struct xy_addr *a)
{
	unsigned i = xy_host_addresses_find(all, a);
	return i < all->count && all->v[i].ifindex == xy_interface_index(d);
}

static void port_endpoints(const struct xy_daemon *d, const struct xy_host_addresses *all,
			   const struct xy_dp_port_info *port, struct xy_fleet_record *r)
{
	struct xy_addr at[ADDRESSES];
	unsigned n = xy_host_addresses_at(all, 0, true, at, ADDRESSES);
	if (!xy_addr_is_unspecified(&port->address))
		endpoint_add(r, &port->address, port->port);
	for (unsigned i = 0; xy_addr_is_unspecified(&port->address) && i < n; i++) {
		const struct xy_prefix host = {.addr = at[i], .len = 128};
		if (xy_addr_reaches(&port->address, &at[i]) && !is_on_interface(d, all, &at[i]) &&
		    !xy_prefix_is_martian(&host) && !xy_addr_is_mesh(&at[i]))
			endpoint_add(r, &at[i], port->port);
	}
}

static void own_endpoints(struct xy_daemon *d, struct xy_fleet_record *r)
{
	struct xy_host_addresses all = {0};
	struct xy_dp_port_info port;
	xy_host_addresses_read(&d->netlink, &all); // without: ports of one address
	for (unsigned i = 0; i < XY_CONFIG_PORTS; i++)
		if (xy_dp_port_info(d->dp, i, &port) == 0 && port.port)
			port_endpoints(d, &all, &port, r);
	xy_host_addresses_free(&all);
}

// --- from where neighbours see this node

// One neighbour at a time, and only while an agent asks for records.
static void seen_ask(struct xy_daemon *d)
{
	struct xy_fleetside *f = d->fleetside;
	xy_nsec now = xy_now();
	unsigned count = xy_links_count(d->links);
	if (now < f->seen_next)
		return;
	f->seen_next = now + SEEN_APART;
	for (unsigned i = 0; i < count; i++) {
		uint32_t slot = xy_links_slot_at(d->links, (f->seen_at + i) % count);
		struct xy_addr at;
		if (!xy_links_is_up(d->links, slot, now) ||
		    !xy_links_node_addr(d->links, slot, &at))
			continue;
		f->seen_at = (f->seen_at + i + 1) % count;
		xy_nodeinfo_seen_ask(d->nodeinfo, &at, now);
		return;
	}
}

static bool has_address(const struct xy_fleet_record *r, const struct xy_addr *a)
{
	for (unsigned i = 0; i < r->endpoint_count; i++)
		if (xy_addr_eq(&r->endpoint[i].at.addr, a))
			return true;
	return false;
}

void xy_fleetside_seen_told(void *daemon, const struct xy_addr *from,
			    const struct xy_nodeinfo_seen *ours, xy_nsec now)
{
	struct xy_daemon *d = daemon;
	if (d->fleetside)
		xy_seen_told(&d->fleetside->seen, from, &ours->at, now);
}

static void seen_say(struct xy_fleetside *f, const struct xy_endpoint *at, unsigned count)
{
	char one[XY_ENDPOINT_STRLEN], two[XY_ENDPOINT_STRLEN];
	enum xy_seen_mapping is = xy_seen_mapping(&f->seen, xy_now());
	if (is == f->mapping)
		return;
	f->mapping = is;
	if (is == XY_SEEN_APART)
		xy_log_info("fleet: a NAT gives this node another port for each peer, so others "
			    "do not reach it there unless it calls them");
	else if (is == XY_SEEN_ALIKE && count)
		xy_log_info("fleet: a NAT gives this node one port for all peers, who see it at "
			    "%s%s%s: that is in its record",
			    xy_endpoint_str(&at[0], one), count > 1 ? " and " : "",
			    count > 1 ? xy_endpoint_str(&at[1], two) : "");
}

// An address of this host is no NAT's.
static void seen_endpoints(struct xy_fleetside *f, struct xy_fleet_record *r)
{
	struct xy_endpoint at[XY_SEEN_PLACES];
	unsigned n = xy_seen_places(&f->seen, xy_now(), at), count = 0;
	for (unsigned i = 0; i < n; i++)
		if (!has_address(r, &at[i].addr) && r->endpoint_count < XY_FLEET_ENDPOINTS) {
			at[count++] = at[i];
			r->endpoint[r->endpoint_count++] =
				(struct xy_fleet_endpoint){.at = at[i], .from = XY_FLEET_FROM_SEEN};
		}
	if (count || xy_seen_mapping(&f->seen, xy_now()) != XY_SEEN_ALIKE)
		seen_say(f, at, count);
}

// What the operator wrote, or the agent learned; a name is none: others need not believe in our
// DNS.
static int endpoint_read(const json_t *v, struct xy_fleet_endpoint *out, struct xy_err *err)
{
	const char *at = json_is_string(v) ? json_string_value(v) : text_of(v, "at");
	const char *from = json_is_string(v) ? "config" : text_of(v, "from");
	unsigned f = 0;
	while (from && f < XY_FLEET_FROM_COUNT && strcmp(from, xy_fleet_from_names[f]) != 0)
		f++;
	if (!at || xy_endpoint_parse(at, &out->at) || !from || f == XY_FLEET_FROM_COUNT)
		return xy_err_set(err, EINVAL,
				  "endpoints: \"%.80s\": write ADDRESS:PORT, or {\"at\", \"from\"} "
				  "with from one of own, seen, nat, config",
				  at ? at : "");
	out->from = f;
	return 0;
}

static int endpoints_read(const json_t *o, struct xy_fleet_record *r, struct xy_err *err)
{
	const json_t *v = json_object_get(o, "endpoints");
	int e = 0;
	if (v && (!json_is_array(v) || json_array_size(v) > XY_FLEET_ENDPOINTS))
		return xy_err_set(err, EINVAL, "endpoints: write a list of at most %d",
				  XY_FLEET_ENDPOINTS);
	for (size_t i = 0; !e && i < json_array_size(v); i++)
		e = endpoint_read(json_array_get(v, i), &r->endpoint[r->endpoint_count++], err);
	return e;
}

static int membership_read(const struct xy_daemon *d, const json_t *o,
			   struct xy_fleet_membership *out, struct xy_err *err)
{
	struct xy_fleet_member m;
	const json_t *v = json_object_get(o, "membership");
	char *text = v ? json_dumps(v, JSON_COMPACT) : NULL;
	int r = v && !text ? -ENOMEM : 0;
	if (text)
		r = xy_fleet_member_parse(text, strlen(text), &m, err);
	free(text);
	if (r || !v)
		return r;
	if (memcmp(&m.key, &d->id.ed25519, sizeof(m.key)) != 0)
		return xy_err_set(err, EINVAL, "membership: is another node's than this one");
	*out = m.membership;
	return 0;
}

// What it announces besides its /64; an exit's ::/0 is among that.
static void prefixes_fill(const struct xy_daemon *d, struct xy_fleet_record *r)
{
	const struct xy_config_prefixes *own = &d->plan.config.routing.announce;
	for (unsigned i = 0; i < own->count && r->prefix_count < XY_FLEET_PREFIXES; i++)
		r->prefix[r->prefix_count++] = own->v[i];
}

static int name_read(const struct xy_daemon *d, const json_t *o, struct xy_fleet_record *r,
		     struct xy_err *err)
{
	const json_t *v = json_object_get(o, "name");
	const char *name = v ? json_string_value(v) : d->plan.config.node_info.name;
	if (!name || strlen(name) > XY_FLEET_NAME)
		return xy_err_set(err, EINVAL, "name: write 1 to %d of A-Z a-z 0-9 . _ -",
				  XY_FLEET_NAME);
	snprintf(r->name, sizeof(r->name), "%s", name);
	snprintf(r->version, sizeof(r->version), "%s", XY_VERSION);
	return 0;
}

static int claim_read(const struct xy_daemon *d, const json_t *o, struct xy_fleet_record *r,
		      struct xy_err *err)
{
	const json_t *v = json_object_get(o, "claim");
	int e = v ? prefix_of("claim", v, &r->claim, err) : 0;
	r->has_claim = v;
	return e || !v ? e : claim_check(&d->plan.config, &r->claim, err);
}

static int times_read(const struct xy_daemon *d, const json_t *o, struct xy_fleet_record *r,
		      struct xy_err *err)
{
	uint64_t now;
	uint32_t nsec;
	xy_env_wall(&d->env, &now, &nsec);
	int e = number_of(o, "epoch", 1, now + EPOCH_MOST, UINT64_MAX, &r->epoch, err);
	return e ? e : number_of(o, "expires", 1, now + EXPIRES_MOST, UINT64_MAX, &r->expires, err);
}

static int record_read(struct xy_daemon *d, const json_t *o, struct xy_fleet_record *r,
		       struct xy_err *err)
{
	bool prefixes = false;
	int e = times_read(d, o, r, err);
	e = e ? e : name_read(d, o, r, err);
	e = e ? e : endpoints_read(o, r, err);
	e = e ? e : flag_of(o, "relay", &r->relay, err);
	e = e ? e : flag_of(o, "ended", &r->ended, err);
	e = e ? e : flag_of(o, "prefixes", &prefixes, err);
	e = e ? e : claim_read(d, o, r, err);
	e = e ? e : membership_read(d, o, &r->membership, err);
	if (!e && prefixes)
		prefixes_fill(d, r);
	if (!e && !r->ended) {
		own_endpoints(d, r);
		seen_endpoints(d->fleetside, r);
		seen_ask(d);
	}
	return e;
}

static int claim_sign(const struct xy_daemon *d, const json_t *o, const struct xy_fleet_record *r,
		      char **text, struct xy_err *err)
{
	struct xy_fleet_claim c = {.prefix = r->claim,
				   .epoch = r->epoch,
				   .expires = r->expires,
				   .membership = r->membership};
	uint64_t now;
	uint32_t nsec;
	*text = NULL;
	if (!r->has_claim)
		return 0;
	xy_env_wall(&d->env, &now, &nsec);
	int e = number_of(o, "since", 1, now + 86400, now, &c.since, err);
	return e ? e : xy_fleet_claim_sign(&c, &d->id, text, err);
}

static json_t *record(void *arg, struct xy_request *q)
{
	static const char *const keys[] = {"endpoints", "relay",      "claim",	  "epoch",
					   "expires",	"membership", "prefixes", "ended",
					   "since",	"name",	      NULL};
	struct xy_daemon *d = arg;
	struct xy_fleet_record r = {0};
	struct xy_err err;
	char *text = NULL, *claim = NULL;
	json_t *o = xy_steering_params(q, keys, &err), *a = NULL;
	int e = o ? record_read(d, o, &r, &err) : -EINVAL;
	e = e ? e : xy_fleet_record_sign(&r, &d->id, &text, &err);
	e = e ? e : claim_sign(d, o, &r, &claim, &err);
	json_decref(o);
	if (!e)
		a = json_pack("{s:s, s:s?}", "record", text, "claim", claim);
	free(text);
	free(claim);
	return e ? xy_steering_refused(q, &err) : a;
}

// --- peers

struct named {
	const char *text[XY_CONFIG_ENDPOINTS];
	struct xy_prefix allowed[XY_FLEET_PREFIXES];
};

static int peer_endpoints(const json_t *o, struct named *n, struct xy_registry_want *w,
			  struct xy_err *err)
{
	const json_t *v = json_object_get(o, "endpoints");
	struct xy_err why;
	if (v && (!json_is_array(v) || json_array_size(v) > XY_CONFIG_ENDPOINTS))
		return xy_err_set(err, EINVAL, "endpoints: write a list of at most %d",
				  XY_CONFIG_ENDPOINTS);
	for (size_t i = 0; i < json_array_size(v); i++) {
		n->text[i] = json_string_value(json_array_get(v, i));
		if (!n->text[i] || xy_config_endpoint_check(n->text[i], &why))
			return xy_err_set(err, EINVAL, "endpoints: %.400s",
					  n->text[i] ? why.text : "write strings");
	}
	w->endpoints = n->text;
	w->endpoint_count = (unsigned)json_array_size(v);
	return 0;
}

// Inside 200::/7 addresses are their keys', and what we have ourselves is ours.
static int allowed_check(const struct xy_daemon *d, const struct xy_prefix *p,
			 const struct xy_key *key, struct xy_err *err)
{
	const struct xy_prefix mesh = XY_MESH_PREFIX;
	const struct xy_config *c = &d->plan.config;
	char text[XY_PREFIX_STRLEN];
	const char *why = NULL;
	if (xy_prefix_is_default(p) || xy_prefix_is_martian(p) || xy_prefix_covers(p, &mesh) ||
	    xy_prefix_covers(&mesh, p))
		why = "can be no WireGuard device's of a registry";
	else if (!may_claim(c, p))
		why = "lies in none of routing.claims, by which this node's config says what a "
		      "registry may give away";
	else
		why = whose(d->fleetside, c, p, key, true);
	return why ? xy_err_set(err, EPERM, "allowed: %s %s", xy_prefix_str(p, text), why) : 0;
}

static int peer_allowed(const struct xy_daemon *d, const json_t *o, struct named *n,
			struct xy_registry_want *w, struct xy_err *err)
{
	const json_t *v = json_object_get(o, "allowed");
	bool node = false;
	int r = flag_of(o, "node", &node, err);
	if (r || node == (v != NULL))
		return r ? r
			 : xy_err_set(err, EINVAL,
				      "write either node: true, or what a WireGuard device is "
				      "allowed");
	if (v && (!json_is_array(v) || json_array_size(v) > XY_FLEET_PREFIXES))
		return xy_err_set(err, EINVAL, "allowed: write a list of at most %d",
				  XY_FLEET_PREFIXES);
	for (size_t i = 0; !r && i < json_array_size(v); i++) {
		r = prefix_of("allowed", json_array_get(v, i), &n->allowed[i], err);
		r = r ? r : allowed_check(d, &n->allowed[i], &w->key, err);
	}
	w->leaf = !node;
	w->allowed = (struct xy_config_prefixes){(unsigned)json_array_size(v), n->allowed};
	return r;
}

static int peer_name(const json_t *o, struct xy_registry_want *w, struct xy_err *err)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	const json_t *v = json_object_get(o, "name");
	w->name = v ? json_string_value(v) : "";
	if (!w->name || strlen(w->name) > XY_NAME_LEN || w->name[strspn(w->name, letters)])
		return xy_err_set(err, EINVAL, "name: write at most %d of A-Z a-z 0-9 . _ -",
				  XY_NAME_LEN);
	return 0;
}

static int peer_read(const struct xy_daemon *d, const json_t *o, struct named *n,
		     struct xy_registry_want *w, struct xy_err *err)
{
	uint64_t keepalive = 0, mtu = 0;
	int r = key_of(o, "key", &w->key, err);
	r = r ? r : peer_name(o, w, err);
	r = r ? r : peer_endpoints(o, n, w, err);
	r = r ? r : peer_allowed(d, o, n, w, err);
	r = r ? r : number_of(o, "keepalive", 0, 65535, 0, &keepalive, err);
	r = r ? r : number_of(o, "mtu", 1280, 65535, 0, &mtu, err);
	if (r)
		return r;
	w->keepalive = (unsigned)keepalive;
	w->mtu = (unsigned)mtu;
	return 0;
}

static int peer_room(const struct xy_daemon *d, const struct xy_key *key, struct xy_err *err)
{
	unsigned most = d->plan.config.max_peers;
	if (xy_links_count(d->links) < most || xy_links_has(d->links, key))
		return 0;
	return xy_err_set(err, ENOSPC,
			  "there are as many peers as max_peers (%u) allows; raise it in the "
			  "config and restart",
			  most);
}

static json_t *peer_answer(const struct xy_daemon *d, const struct xy_key *key)
{
	char text[XY_KEY_STRLEN];
	struct xy_book_peer p;
	const struct xy_config_peer *ours = xy_registry_peer(&d->fleetside->registry, key);
	json_t *a = json_pack("{s:s, s:s}", "key", xy_key_str(key, text), "name", ours->name);
	if (a && xy_book_in_force(&d->book, key, &p))
		json_object_set_new(a, "in_force", json_string(xy_book_source_names[p.source]));
	return a;
}

static json_t *peer(void *arg, struct xy_request *q)
{
	static const char *const keys[] = {"key",     "name",	   "endpoints", "lifetime", "node",
					   "allowed", "keepalive", "mtu",	"session",  NULL};
	struct xy_daemon *d = arg;
	struct xy_registry_want w = {0};
	struct named named;
	struct xy_err err;
	xy_nsec until = 0;
	bool changed = false;
	json_t *not_now;
	if (xy_steering_waits(d, q, peer, &not_now))
		return not_now;
	json_t *o = xy_steering_params(q, keys, &err);
	int r = o ? peer_read(d, o, &named, &w, &err) : -EINVAL;
	r = r ? r : until_of(o, &until, &err);
	r = r ? r : session_of(&d->fleetside->registry, o, &err);
	r = r ? r : peer_room(d, &w.key, &err);
	r = r ? r
	      : xy_registry_set(&d->fleetside->registry, &w, &d->plan.config, until, &changed,
				&err);
	json_decref(o);
	if (r)
		return xy_steering_refused(q, &err);
	json_t *a = peer_answer(d, &w.key);
	if (!changed)
		return a;
	return xy_steering_said(d, q, a, "peer %s: named by the registry",
				xy_registry_peer(&d->fleetside->registry, &w.key)->name);
}

static json_t *forget(void *arg, struct xy_request *q)
{
	static const char *const keys[] = {"key", NULL};
	struct xy_daemon *d = arg;
	struct xy_registry *g = &d->fleetside->registry;
	struct xy_key key;
	struct xy_err err;
	char name[XY_NAME_LEN + 1] = "", text[XY_KEY_STRLEN];
	json_t *not_now;
	if (xy_steering_waits(d, q, forget, &not_now))
		return not_now;
	json_t *o = xy_steering_params(q, keys, &err);
	int r = o ? key_of(o, "key", &key, &err) : -EINVAL;
	json_decref(o);
	const struct xy_config_peer *p = r ? NULL : xy_registry_peer(g, &key);
	if (p)
		memcpy(name, p->name, sizeof(name));
	if (p && xy_registry_forget(g, &key))
		r = xy_err_set(&err, ENOMEM, "peer %s: no memory", name);
	if (r)
		return xy_steering_refused(q, &err);
	json_t *a = json_pack("{s:s, s:b}", "key", xy_key_str(&key, text), "was", p != NULL);
	return p ? xy_steering_said(d, q, a, "peer %s: the registry names it no more", name) : a;
}

// --- who may come

// Who is let in no more, and came by himself, goes.
static void links_review(struct xy_daemon *d)
{
	struct xy_fleetside *f = d->fleetside;
	if (f->left_out != f->registry.left_out)
		xy_links_admitted_review(d->links);
	f->left_out = f->registry.left_out;
}

struct left_out {
	unsigned outside, taken; // claims
};

static bool claim_counts(const struct xy_daemon *d, const struct xy_key *key,
			 const struct xy_prefix *claim, struct left_out *n)
{
	const struct xy_fleetside *f = d->fleetside;
	const struct xy_config *c = &d->plan.config;
	bool within = !xy_prefix_is_default(claim) && may_claim(c, claim);
	bool taken = !xy_prefix_is_default(claim) && (is_claimed(&f->registry, claim, key) ||
						      (within && whose(f, c, claim, key, false)));
	n->outside += !within;
	n->taken += taken;
	return !xy_prefix_is_default(claim) && !taken; // routing.claims may have it later
}

static int admit_one(struct xy_daemon *d, const json_t *v, xy_nsec until, struct left_out *n,
		     struct xy_err *err)
{
	const json_t *c = json_object_get(v, "claim");
	struct xy_key key;
	struct xy_prefix claim;
	const char *text = json_is_string(v) ? json_string_value(v) : text_of(v, "key");
	if (!text || xy_key_parse(text, &key, NULL))
		return xy_err_set(err, EINVAL,
				  "keys: \"%.60s\" is no key; write KEY, or {\"key\", \"claim\"}",
				  text ? text : "");
	int r = c ? prefix_of("claim", c, &claim, err) : 0;
	if (r)
		return r;
	if (!until) {
		xy_registry_unadmit(&d->fleetside->registry, &key);
		return 0;
	}
	bool counts = c && claim_counts(d, &key, &claim, n);
	r = xy_registry_admit(&d->fleetside->registry, &key, counts ? &claim : NULL, until);
	return r ? xy_err_set(err, -r, "keys: %d are let in, and no more may be",
			      XY_REGISTRY_ADMITTED)
		 : 0;
}

static json_t *admit(void *arg, struct xy_request *q)
{
	static const char *const keys[] = {"keys", "lifetime", "session", NULL};
	struct xy_daemon *d = arg;
	struct xy_err err;
	xy_nsec until = 0;
	struct left_out left_out = {0};
	json_t *o = xy_steering_params(q, keys, &err);
	const json_t *v = json_object_get(o, "keys");
	bool ends = json_is_integer(json_object_get(o, "lifetime")) &&
		    !json_integer_value(json_object_get(o, "lifetime"));
	int r = !o ? -EINVAL : ends ? 0 : until_of(o, &until, &err);
	r = r ? r : session_of(&d->fleetside->registry, o, &err);
	if (!r && !json_is_array(v))
		r = xy_err_set(&err, EINVAL, "keys: write a list");
	for (size_t i = 0; !r && i < json_array_size(v); i++)
		r = admit_one(d, json_array_get(v, i), until, &left_out, &err);
	json_decref(o);
	links_review(d);
	if (r)
		return xy_steering_refused(q, &err);
	return json_pack("{s:i, s:i, s:i}", "admitted", (int)d->fleetside->registry.admitted_count,
			 "claims_outside", (int)left_out.outside, "claims_taken",
			 (int)left_out.taken);
}

// An agent that was started anew has said all that it knows: what one before said besides goes.
static json_t *session(void *arg, struct xy_request *q)
{
	static const char *const keys[] = {"session", NULL};
	struct xy_daemon *d = arg;
	struct xy_registry *g = &d->fleetside->registry;
	struct xy_err err;
	unsigned let_in = g->admitted_count, ended;
	json_t *not_now;
	if (xy_steering_waits(d, q, session, &not_now))
		return not_now;
	json_t *o = xy_steering_params(q, keys, &err);
	int r = o ? session_of(g, o, &err) : -EINVAL;
	if (!r && !g->session)
		r = xy_err_set(&err, EINVAL, "session: write a number");
	json_decref(o);
	if (r)
		return xy_steering_refused(q, &err);
	ended = xy_registry_only(g, g->session);
	let_in -= g->admitted_count;
	links_review(d);
	json_t *a = json_pack("{s:i, s:i}", "peers", (int)ended, "admitted", (int)let_in);
	if (!ended && !let_in)
		return a;
	return xy_steering_said(d, q, a, "fleet: %u peers and %u admissions of before ended", ended,
				let_in);
}

bool xy_fleetside_admits(const struct xy_daemon *d, const struct xy_key *key)
{
	return d->fleetside && xy_registry_admits(&d->fleetside->registry, key, xy_now());
}

// --- our claim

static bool is_announced(const struct xy_config *c, const struct xy_prefix *p)
{
	for (unsigned i = 0; i < c->routing.announce.count; i++)
		if (xy_prefix_eq(&c->routing.announce.v[i], p))
			return true;
	return false;
}

static bool is_host_address(const struct xy_config *c, const struct xy_addr *a)
{
	for (unsigned i = 0; i < c->host.address_count; i++)
		if (xy_addr_eq(&c->host.addresses[i].addr, a))
			return true;
	return false;
}

static void address_gone(struct xy_daemon *d)
{
	const struct xy_hostlink_address *a = &d->claimed.address;
	char text[XY_ADDR_STRLEN];
	bool was = d->claimed.set;
	d->claimed.set = false; // what lacks addresses does not miss it
	if (!was || !xy_interface_is_open(d))
		return;
	int r = xy_hostlink_address_del(&d->netlink, xy_interface_index(d), a);
	if (r && r != -EADDRNOTAVAIL)
		xy_log_warn("%s: address %s of the claim before cannot be taken away: %s",
			    xy_interface_name(d), xy_addr_str(&a->at.addr, text), strerror(-r));
}

// The config may announce it by now: then it is the config's.
static void claim_end(struct xy_daemon *d, const char *why)
{
	struct claim *c = &d->fleetside->claim;
	char text[XY_PREFIX_STRLEN];
	if (!c->set)
		return;
	if (why)
		xy_log_info("fleet: claim %s is not announced any more: %s",
			    xy_prefix_str(&c->prefix, text), why);
	address_gone(d);
	xy_routing_claim(d->routing, NULL, xy_now());
	if (!is_announced(&d->plan.config, &c->prefix)) {
		xy_rib_del(&d->rib, &c->prefix, XY_ROUTE_ANNOUNCED);
		xy_rib_commit(&d->rib);
	}
	*c = (struct claim){0};
	d->fleetside->registry.claims++; // others' may count now
}

static int address_put(struct xy_daemon *d, const struct claim *c, struct xy_err *err)
{
	struct xy_hostlink_address *a = &d->claimed.address;
	char text[XY_ADDR_STRLEN];
	d->claimed.set = c->has_address;
	*a = (struct xy_hostlink_address){.at = {.addr = c->address, .len = 128}};
	if (!c->has_address || !xy_interface_is_open(d))
		return 0;
	int r = xy_hostlink_address_add(&d->netlink, xy_interface_index(d), a);
	return r ? xy_err_set(err, -r, "%s: address %s: %s", xy_interface_name(d),
			      xy_addr_str(&a->at.addr, text), strerror(-r))
		 : 0;
}

static int claim_begin(struct xy_daemon *d, const struct claim *c, struct xy_err *err)
{
	const struct xy_rib_route route = {.prefix = c->prefix,
					   .source = XY_ROUTE_ANNOUNCED,
					   .route = {.kind = XY_DP_ROUTE_HOST}};
	char text[XY_PREFIX_STRLEN];
	d->fleetside->claim = *c;
	d->fleetside->registry.claims++; // others' that are a part of it count no more
	int r = xy_rib_set(&d->rib, &route);
	xy_rib_commit(&d->rib);
	r = r ? r : xy_routing_claim(d->routing, &c->prefix, xy_now());
	if (r)
		xy_err_set(err, -r, "claim %s: %s", xy_prefix_str(&c->prefix, text), strerror(-r));
	r = r ? r : address_put(d, c, err);
	if (r)
		claim_end(d, NULL);
	return r;
}

static int claim_want(const struct xy_daemon *d, const json_t *o, struct claim *c,
		      struct xy_err *err)
{
	const struct xy_config *config = &d->plan.config;
	const char *address = text_of(o, "address");
	char text[XY_PREFIX_STRLEN];
	int r = prefix_of("prefix", json_object_get(o, "prefix"), &c->prefix, err);
	r = r ? r : claim_check(config, &c->prefix, err);
	if (!r && is_announced(config, &c->prefix))
		r = xy_err_set(err, EEXIST, "claim %s: stands in routing.announce already",
			       xy_prefix_str(&c->prefix, text));
	if (!r && address &&
	    (xy_addr_parse(address, &c->address) || !xy_prefix_contains(&c->prefix, &c->address) ||
	     is_host_address(config, &c->address)))
		r = xy_err_set(err, EINVAL,
			       "address: write one of %s that is not among host.addresses",
			       xy_prefix_str(&c->prefix, text));
	c->has_address = address;
	c->set = true;
	return r ? r : until_of(o, &c->until, err);
}

static bool claim_same(const struct claim *a, const struct claim *b)
{
	return a->set == b->set && a->has_address == b->has_address &&
	       xy_prefix_eq(&a->prefix, &b->prefix) && xy_addr_eq(&a->address, &b->address);
}

static json_t *claim_answer(const struct claim *c)
{
	char prefix[XY_PREFIX_STRLEN], address[XY_ADDR_STRLEN];
	return json_pack("{s:s?, s:s?}", "prefix",
			 c->set ? xy_prefix_str(&c->prefix, prefix) : NULL, "address",
			 c->has_address ? xy_addr_str(&c->address, address) : NULL);
}

static json_t *claim(void *arg, struct xy_request *q)
{
	static const char *const keys[] = {"prefix", "address", "lifetime", NULL};
	struct xy_daemon *d = arg;
	struct claim want = {0}, *have = &d->fleetside->claim;
	struct xy_err err;
	char text[XY_PREFIX_STRLEN];
	json_t *not_now;
	if (xy_steering_waits(d, q, claim, &not_now))
		return not_now;
	json_t *o = xy_steering_params(q, keys, &err);
	bool ends = o && json_is_null(json_object_get(o, "prefix"));
	int r = !o ? -EINVAL : ends ? 0 : claim_want(d, o, &want, &err);
	json_decref(o);
	if (!r && !ends && claim_same(have, &want)) {
		have->until = want.until;
		return claim_answer(have);
	}
	if (!r)
		claim_end(d, ends ? "xylem-fleet took it back" : "another takes its place");
	if (!r && !ends)
		r = claim_begin(d, &want, &err);
	if (r)
		return xy_steering_refused(q, &err);
	if (ends)
		return claim_answer(have);
	return xy_steering_said(d, q, claim_answer(have), "claim %s is announced as ours",
				xy_prefix_str(&have->prefix, text));
}

// --- what the fleet's nodes claim

static void laid_free(struct xy_config *c, unsigned own)
{
	c->routing.accept_count = own;
}

// Behind what the config accepts itself; what lies outside of routing.claims, or is another's by
// now, counts for nothing. Without memory it stays as it is, and is tried again.
static bool lay(struct xy_fleetside *f, struct xy_config *c, unsigned own)
{
	struct xy_registry *g = &f->registry;
	struct xy_config_accept *v =
		reallocarray(c->routing.accept, own + g->admitted_count + 1u, sizeof(*v));
	if (!v) {
		xy_log_warn("fleet: no memory for what %u nodes claim", g->admitted_count);
		g->claims++;
		return false;
	}
	xy_registry_claims_laid(g);
	laid_free(c, own);
	c->routing.accept = v;
	for (unsigned i = 0; i < g->admitted_count; i++) {
		const struct xy_registry_admitted *a = &g->admitted[i];
		if (a->has_claim && may_claim(c, &a->claim) &&
		    !before_others(f, c, own, &a->claim, &a->key, false))
			v[c->routing.accept_count++] =
				(struct xy_config_accept){.key = a->key, .prefix = a->claim};
	}
	return true;
}

bool xy_fleetside_lay(struct xy_daemon *d, struct xy_plan *plan)
{
	struct xy_fleetside *f = d->fleetside;
	f->own_accepts = plan->config.routing.accept_count;
	lay(f, &plan->config, f->own_accepts);
	return plan->config.routing.accept_count != f->own_accepts;
}

// Not at each change, and never while a plan comes into force.
static void lay_again(struct xy_daemon *d)
{
	struct xy_fleetside *f = d->fleetside;
	struct xy_accepts none = {0};
	if (!xy_registry_claims_due(&f->registry, xy_now()) ||
	    d->reloads.enforcing != XY_ENFORCING_NONE || xy_routing_applying(d->routing))
		return;
	if (!lay(f, &d->plan.config, f->own_accepts))
		return;
	xy_sealing_accepts(d, &none);
	xy_links_accepts_changed(d->links);
	xy_routing_apply_begin(d->routing, &d->plan.config);
}

// --- time, and configs that change

xy_nsec xy_fleetside_deadline(const struct xy_daemon *d)
{
	const struct xy_fleetside *f = d->fleetside;
	xy_nsec at = xy_registry_deadline(&f->registry);
	return f->claim.set && f->claim.until < at ? f->claim.until : at;
}

void xy_fleetside_run(struct xy_daemon *d, xy_nsec now)
{
	struct xy_fleetside *f = d->fleetside;
	char name[XY_NAME_LEN + 1];
	unsigned ended = xy_registry_run(&f->registry, now, name);
	if (ended)
		xy_log_info(
			"fleet: %u peers of the registry ended, %s among them: nobody said them "
			"again (is xylem-fleet running?)",
			ended, name);
	links_review(d);
	if (f->claim.set && f->claim.until <= now)
		claim_end(d, "nobody said it again (is xylem-fleet running?)");
}

void xy_fleetside_second(struct xy_daemon *d)
{
	xy_registry_sweep(&d->fleetside->registry);
	lay_again(d);
}

void xy_fleetside_settle(struct xy_daemon *d)
{
	struct claim *c = &d->fleetside->claim;
	struct xy_err err;
	xy_registry_settle(&d->fleetside->registry, &d->plan.config);
	if (!c->set)
		return;
	if (is_announced(&d->plan.config, &c->prefix))
		claim_end(d, "the config announces it itself");
	else if (claim_check(&d->plan.config, &c->prefix, &err))
		claim_end(d, "routing.claims has it no more");
}

// --- life

static bool is_taken(void *arg, const char *name)
{
	const struct xy_daemon *d = arg;
	const struct xy_config *c = &d->plan.config;
	const struct xy_runtime *r = xy_steering_runtime(d);
	for (unsigned i = 0; i < c->peer_count; i++)
		if (strcmp(c->peers[i].name, name) == 0)
			return true;
	for (unsigned i = 0; i < r->peers; i++)
		if (strcmp(r->peer[i]->says.name, name) == 0)
			return true;
	return false;
}

static void lay_on(void *arg, struct xy_config_peer *p)
{
	xy_runtime_lay_on(xy_steering_runtime(arg), p);
}

int xy_fleetside_up(struct xy_daemon *d, struct xy_err *err)
{
	uint8_t start[16];
	struct xy_fleetside *f = calloc(1, sizeof(*f));
	if (!f || xy_registry_init(&f->registry, &d->book, &d->id)) {
		free(f);
		return xy_err_set(err, ENOMEM, "no memory for peers of a registry");
	}
	f->registry.is_taken = is_taken;
	f->registry.lay = lay_on;
	f->registry.arg = d;
	f->own_accepts = d->plan.config.routing.accept_count;
	randombytes_buf(start, sizeof(start));
	sodium_bin2hex(f->start, sizeof(f->start), start, sizeof(start));
	d->fleetside = f;
	return 0;
}

int xy_fleetside_register(struct xy_daemon *d)
{
	static const struct xy_server_command all[] = {
		{"/xylem/fleet_hello", "Which start of which node this is.", hello},
		{"/xylem/fleet_record",
		 "A record of this node, signed. Params: epoch, expires, name, endpoints, relay, "
		 "prefixes, claim, since, membership, ended.",
		 record},
		{"/xylem/fleet_peer",
		 "A peer that a registry names. Params: key, lifetime, node or allowed, name, "
		 "endpoints, keepalive, mtu, session.",
		 peer},
		{"/xylem/fleet_forget", "Takes that back. Params: key.", forget},
		{"/xylem/fleet_admit",
		 "Who may come by himself, and what he may announce. Params: keys, lifetime, "
		 "session.",
		 admit},
		{"/xylem/fleet_session",
		 "Ends peers and admissions that were said in other sessions only. Params: "
		 "session.",
		 session},
		{"/xylem/fleet_claim",
		 "The prefix that is announced as ours. Params: prefix (null: none), address, "
		 "lifetime.",
		 claim},
	};
	return xy_server_register_all(d->control, all, XY_ARRAY_SIZE(all), d);
}

void xy_fleetside_down(struct xy_daemon *d)
{
	if (!d->fleetside)
		return;
	xy_registry_fini(&d->fleetside->registry);
	free(d->fleetside);
	d->fleetside = NULL;
}
