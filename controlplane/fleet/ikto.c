// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/ikto.h"

#include "base/grow.h"
#include "base/map.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "peers.";

// --- keys and records

void xy_ikto_key(const struct xy_prefix *p, char out[static XY_IPAM_KEY])
{
	char text[XY_PREFIX_STRLEN];
	xy_prefix_str(p, text);
	memcpy(out, head, sizeof(head) - 1);
	sodium_bin2base64(out + sizeof(head) - 1, XY_IPAM_KEY - sizeof(head) + 1,
			  (const uint8_t *)text, strlen(text), sodium_base64_VARIANT_URLSAFE);
}

// Host bits that are set are cleared, as net.ParseCIDR does; a length must be there.
static int cidr_parse(const char *text, struct xy_prefix *out)
{
	int e = strchr(text, '/') ? xy_prefix_parse(text, out) : -EINVAL;
	if (e == -EDOM)
		xy_prefix_mask(out);
	return e == -EDOM ? 0 : e;
}

int xy_ikto_key_parse(const char *key, struct xy_prefix *out)
{
	char text[XY_PREFIX_STRLEN], again[XY_IPAM_KEY];
	size_t len = 0;
	if (strncmp(key, head, sizeof(head) - 1) != 0)
		return -EINVAL;
	const char *coded = key + sizeof(head) - 1;
	if (sodium_base642bin((uint8_t *)text, sizeof(text) - 1, coded, strlen(coded), NULL, &len,
			      NULL, sodium_base64_VARIANT_URLSAFE) ||
	    memchr(text, 0, len))
		return -EINVAL;
	text[len] = 0;
	if (cidr_parse(text, out))
		return -EINVAL;
	xy_ikto_key(out, again);
	return strcmp(again, key) == 0 ? 0 : -EINVAL;
}

int xy_ikto_text(const struct xy_ikto_record *r, char *out, size_t size)
{
	char key[XY_KEY_STRLEN], at[XY_ADDR_STRLEN], allowed[XY_PREFIX_STRLEN];
	return snprintf(out, size,
			"{\"name\":\"%s\",\"public_key\":\"%s\",\"advertise_address\":\"%s\","
			"\"allowed_ip\":\"%s\",\"wg_port\":%u}",
			r->name, xy_key_str(&r->key, key), xy_addr_str(&r->at, at),
			xy_prefix_str(&r->allowed, allowed), r->port);
}

static int address_read(const char *text, struct xy_addr *out, struct xy_err *err)
{
	if (!text || xy_addr_parse(text, out))
		return xy_err_set(err, EINVAL, "advertise_address: is no address");
	if (xy_addr_is_unspecified(out) || xy_addr_is_multicast(out) ||
	    xy_addr_is_link_local(out) || xy_addr_is_mesh(out))
		return xy_err_set(err, EINVAL, "advertise_address: no device is reached at %.60s",
				  text);
	return 0;
}

static int key_read(const char *text, struct xy_key *out, struct xy_err *err)
{
	size_t len = 0;
	const char *end = NULL;
	if (!text ||
	    sodium_base642bin(out->b, sizeof(out->b), text, strlen(text), NULL, &len, &end,
			      sodium_base64_VARIANT_ORIGINAL) ||
	    len != sizeof(out->b) || (end && *end) || xy_key_is_zero(out))
		return xy_err_set(err, EINVAL, "public_key: is no WireGuard key");
	return 0;
}

static int record_read(const json_t *o, struct xy_ikto_record *out, struct xy_err *err)
{
	const char *name = json_string_value(json_object_get(o, "name"));
	const char *allowed = json_string_value(json_object_get(o, "allowed_ip"));
	const json_t *port = json_object_get(o, "wg_port");
	snprintf(out->name, sizeof(out->name), "%s", name ? name : "");
	int e = key_read(json_string_value(json_object_get(o, "public_key")), &out->key, err);
	e = e
		    ?: address_read(json_string_value(json_object_get(o, "advertise_address")),
				    &out->at, err);
	if (e)
		return e;
	if (!allowed || cidr_parse(allowed, &out->allowed))
		return xy_err_set(err, EINVAL, "allowed_ip: is no network");
	json_int_t n = json_integer_value(port);
	if (!json_is_integer(port) || n < 1 || n > 65535)
		return xy_err_set(err, EINVAL, "wg_port: is no port");
	out->port = (uint16_t)n;
	return 0;
}

int xy_ikto_parse(const void *text, size_t len, struct xy_ikto_record *out, struct xy_err *err)
{
	*out = (struct xy_ikto_record){0};
	if (len > XY_IKTO_TEXT)
		return xy_err_set(err, EINVAL, "it has %zu bytes, a record has no more than %d",
				  len, XY_IKTO_TEXT);
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return xy_err_set(err, EINVAL, "it is no JSON object");
	}
	int e = record_read(o, out, err);
	json_decref(o);
	return e;
}

// --- the mesh

// A key of the bucket, whether it is a peer or not.
struct entry {
	char key[XY_IPAM_KEY];
	struct xy_ikto_record record;
	bool valid; // the record can be a peer's
	bool peer;  // and is, as `device` told
	bool said;  // why not
};

struct xy_ikto_mesh {
	struct xy_prefix cidr, own;
	struct xy_key link_key;
	const struct xy_key *trusted;
	unsigned trusted_count;
	struct xy_ikto_ops ops;
	void *arg;
	uint32_t count, room;
	struct entry *entry;
	struct xy_map by_name; // of the bucket's keys
	struct xy_map by_key;  // peers, of their own
	uint32_t *order;       // [peers] by network: none is a part of another
	uint32_t peers, order_room;
	uint8_t secret[crypto_shorthash_KEYBYTES]; // strangers choose what is hashed
	uint32_t evict_at;
	bool overfull; // there was one that had no room
	bool lacks;    // and it was not told again since
};

struct xy_ikto_mesh *xy_ikto_mesh_make(const struct xy_prefix *cidr, const struct xy_ikto_ops *ops,
				       void *arg)
{
	struct xy_ikto_mesh *m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	*m = (struct xy_ikto_mesh){.cidr = *cidr, .ops = *ops, .arg = arg};
	randombytes_buf(m->secret, sizeof(m->secret));
	if (!xy_map_init(&m->by_name) && !xy_map_init(&m->by_key))
		return m;
	xy_ikto_mesh_free(m);
	return NULL;
}

void xy_ikto_mesh_free(struct xy_ikto_mesh *m)
{
	if (!m)
		return;
	xy_map_fini(&m->by_name);
	xy_map_fini(&m->by_key);
	free(m->order);
	free(m->entry);
	free(m);
}

void xy_ikto_mesh_trust(struct xy_ikto_mesh *m, const struct xy_key *key, unsigned count)
{
	m->trusted = key;
	m->trusted_count = count;
}

static bool overlap(const struct xy_prefix *a, const struct xy_prefix *b)
{
	return a->len && b->len && (xy_prefix_covers(a, b) || xy_prefix_covers(b, a));
}

// --- finding

static uint64_t hash(const struct xy_ikto_mesh *m, const void *what, size_t len)
{
	uint64_t h;
	crypto_shorthash((uint8_t *)&h, what, len, m->secret);
	return h;
}

static struct entry *find(struct xy_ikto_mesh *m, const char *key)
{
	uint32_t at;
	if (!xy_map_get(&m->by_name, hash(m, key, strlen(key)), &at) ||
	    strcmp(m->entry[at].key, key) != 0)
		return NULL;
	return &m->entry[at];
}

static struct entry *peer_with(const struct xy_ikto_mesh *m, const struct xy_key *key)
{
	uint32_t at;
	if (!xy_map_get(&m->by_key, hash(m, key->b, sizeof(key->b)), &at) ||
	    memcmp(&m->entry[at].record.key, key, sizeof(*key)) != 0)
		return NULL;
	return &m->entry[at];
}

// How many peers' networks begin at that address or before.
static uint32_t order_at(const struct xy_ikto_mesh *m, const struct xy_addr *a)
{
	uint32_t from = 0, to = m->peers;
	while (from < to) {
		uint32_t mid = from + (to - from) / 2;
		if (memcmp(&m->entry[m->order[mid]].record.allowed.addr, a, sizeof(*a)) <= 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

// Of networks that are no part of one another only the neighbours of p can overlap with it.
static struct entry *peer_on(const struct xy_ikto_mesh *m, const struct xy_prefix *p)
{
	uint32_t at = order_at(m, &p->addr);
	for (uint32_t i = at ? at - 1 : 0; i <= at && i < m->peers; i++) {
		struct entry *it = &m->entry[m->order[i]];
		if (overlap(&it->record.allowed, p))
			return it;
	}
	return NULL;
}

// A peer whose network overlaps, or whose key it is.
static struct entry *peer_like(const struct xy_ikto_mesh *m, const struct entry *but,
			       const struct xy_ikto_record *r)
{
	struct entry *it = peer_with(m, &r->key);
	if (it && it != but)
		return it;
	it = peer_on(m, &r->allowed);
	return it == but ? NULL : it;
}

static int peer_add(struct xy_ikto_mesh *m, struct entry *it)
{
	uint32_t at = order_at(m, &it->record.allowed.addr), is = (uint32_t)(it - m->entry);
	const struct xy_key *key = &it->record.key;
	uint32_t *order = xy_grow(m->order, &m->order_room, m->peers, sizeof(*order));
	m->order = order ? order : m->order;
	if (!order || xy_map_set(&m->by_key, hash(m, key->b, sizeof(key->b)), is))
		return -ENOMEM;
	memmove(&order[at + 1], &order[at], (m->peers - at) * sizeof(*order));
	order[at] = is;
	m->peers++;
	it->peer = true;
	return 0;
}

static void peer_del(struct xy_ikto_mesh *m, struct entry *it)
{
	const struct xy_key *key = &it->record.key;
	if (!it->peer)
		return;
	uint32_t at = order_at(m, &it->record.allowed.addr) - 1;
	m->peers--;
	memmove(&m->order[at], &m->order[at + 1], (m->peers - at) * sizeof(*m->order));
	xy_map_del(&m->by_key, hash(m, key->b, sizeof(key->b)));
	it->peer = false;
}

bool xy_ikto_mesh_overlaps(const struct xy_ikto_mesh *m, const struct xy_prefix *p, char *why,
			   size_t size)
{
	char text[XY_PREFIX_STRLEN];
	const struct entry *it = peer_on(m, p);
	if (it)
		snprintf(why, size, "in use: %.60s has %s", it->record.name,
			 xy_prefix_str(&it->record.allowed, text));
	return it;
}

// --- deciding

static bool is_trusted(const struct xy_ikto_mesh *m, const struct xy_key *key)
{
	for (unsigned i = 0; i < m->trusted_count; i++)
		if (memcmp(&m->trusted[i], key, sizeof(*key)) == 0)
			return true;
	return !m->trusted_count;
}

// Why it cannot be a peer; "" it can.
static void object(const struct xy_ikto_mesh *m, const struct entry *it, char *why, size_t size)
{
	const struct xy_ikto_record *r = &it->record;
	const struct xy_prefix mesh = XY_MESH_PREFIX;
	char a[XY_PREFIX_STRLEN], b[XY_PREFIX_STRLEN];
	struct entry *other = peer_like(m, it, r);
	xy_prefix_str(&r->allowed, a);
	why[0] = 0;
	if (!is_trusted(m, &r->key))
		snprintf(why, size, "its key is none of those that trust.keys lists");
	else if (m->cidr.len && !xy_prefix_covers(&m->cidr, &r->allowed))
		snprintf(why, size, "its allowed_ip %s is not in the mesh's %s", a,
			 xy_prefix_str(&m->cidr, b));
	else if (xy_prefix_is_default(&r->allowed) || xy_prefix_is_martian(&r->allowed) ||
		 overlap(&mesh, &r->allowed))
		snprintf(why, size, "its allowed_ip %s can be no network of a mesh", a);
	else if (overlap(&m->own, &r->allowed))
		snprintf(why, size, "its allowed_ip %s overlaps with ours, %s", a,
			 xy_prefix_str(&m->own, b));
	else if (other && memcmp(&other->record.key, &r->key, sizeof(r->key)) == 0)
		snprintf(why, size, "its key is a peer already, with %s",
			 xy_prefix_str(&other->record.allowed, b));
	else if (other)
		snprintf(why, size,
			 "its allowed_ip %s overlaps with %s of %.32s, which was there before", a,
			 xy_prefix_str(&other->record.allowed, b), other->record.name);
}

static bool is_self(const struct xy_ikto_mesh *m, const struct xy_key *key)
{
	return memcmp(&m->link_key, key, sizeof(*key)) == 0;
}

static void device_name(const struct xy_ikto_record *r, char out[static XY_FLEET_NODE_NAME])
{
	size_t n = 0;
	char key[XY_KEY_STRLEN];
	for (const char *c = r->name; *c && n < XY_FLEET_NODE_NAME - 1; c++)
		out[n++] =
			strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
			       *c)
				? *c
				: '-';
	out[n] = 0;
	if (!n) { // base64's other letters are no name's
		snprintf(out, XY_FLEET_NODE_NAME, "ikto-%.8s", xy_key_str(&r->key, key));
		for (char *c = out; *c; c++)
			*c = *c == '+' || *c == '/' || *c == '=' ? '.' : *c;
	}
}

static void refuse(struct xy_ikto_mesh *m, struct entry *it, const char *why)
{
	if (it->peer)
		m->ops.gone(m->arg, it->key);
	peer_del(m, it);
	it->said = true;
	m->ops.refused(m->arg, it->key, why);
}

static void tell_peer(struct xy_ikto_mesh *m, struct entry *it)
{
	struct xy_fleet_device d = {
		.link_key = it->record.key, .allowed = {it->record.allowed}, .allowed_count = 1};
	struct xy_endpoint at = {.addr = it->record.at, .port = it->record.port};
	char text[XY_ENDPOINT_STRLEN];
	if (!it->peer && peer_add(m, it)) {
		refuse(m, it, "there is no memory for it");
		return;
	}
	device_name(&it->record, d.name);
	snprintf(d.endpoint, sizeof(d.endpoint), "%.63s", xy_endpoint_str(&at, text));
	it->said = false;
	m->ops.device(m->arg, it->key, &d);
}

static void decide(struct xy_ikto_mesh *m, struct entry *it)
{
	char why[240];
	if (is_self(m, &it->record.key)) {
		if (it->peer)
			m->ops.gone(m->arg, it->key);
		peer_del(m, it);
		return;
	}
	object(m, it, why, sizeof(why));
	if (why[0])
		refuse(m, it, why);
	else
		tell_peer(m, it);
}

// One that was refused may be let in since another went, whose network or key it has; NULL: since
// ours is another.
static void again(struct xy_ikto_mesh *m, const struct xy_ikto_record *went)
{
	char why[240];
	for (uint32_t i = 0; i < m->count; i++) {
		struct entry *it = &m->entry[i];
		if (!it->valid || it->peer || is_self(m, &it->record.key) ||
		    (went && !overlap(&went->allowed, &it->record.allowed) &&
		     memcmp(&went->key, &it->record.key, sizeof(went->key)) != 0))
			continue;
		object(m, it, why, sizeof(why));
		if (!why[0])
			tell_peer(m, it);
	}
}

void xy_ikto_mesh_self(struct xy_ikto_mesh *m, const struct xy_key *link_key,
		       const struct xy_prefix *allowed)
{
	m->link_key = *link_key;
	m->own = *allowed;
	for (uint32_t i = 0; i < m->count; i++)
		if (m->entry[i].peer && (is_self(m, &m->entry[i].record.key) ||
					 overlap(&m->own, &m->entry[i].record.allowed)))
			decide(m, &m->entry[i]);
	again(m, NULL);
}

static void drop(struct xy_ikto_mesh *m, struct entry *it);

// What can be no peer makes room: who fills the bucket with rubbish keeps nobody out.
static void evict_one(struct xy_ikto_mesh *m)
{
	for (uint32_t i = 0; i < m->count; i++) {
		m->evict_at = (m->evict_at + 1) % m->count;
		struct entry *it = &m->entry[m->evict_at];
		if (it->peer || (it->valid && is_trusted(m, &it->record.key)))
			continue;
		if (it->said)
			m->ops.gone(m->arg, it->key);
		m->overfull = true;
		drop(m, it);
		return;
	}
}

// NULL: no memory, or too many.
static struct entry *add(struct xy_ikto_mesh *m, const char *key, bool may_be_peer)
{
	if (m->count == XY_IKTO_DEVICES && may_be_peer)
		evict_one(m);
	if (m->count == XY_IKTO_DEVICES)
		return NULL;
	struct entry *v = xy_grow(m->entry, &m->room, m->count, sizeof(*v));
	if (!v)
		return NULL;
	m->entry = v;
	if (xy_map_set(&m->by_name, hash(m, key, strlen(key)), m->count))
		return NULL;
	struct entry *it = &m->entry[m->count++];
	*it = (struct entry){0};
	snprintf(it->key, sizeof(it->key), "%s", key);
	return it;
}

// The last takes its place.
static void drop(struct xy_ikto_mesh *m, struct entry *it)
{
	struct entry *last = &m->entry[m->count - 1];
	bool peer = last->peer && last != it;
	xy_map_del(&m->by_name, hash(m, it->key, strlen(it->key)));
	peer_del(m, it);
	if (peer)
		peer_del(m, last);
	m->count--;
	if (it == last)
		return;
	*it = *last;
	xy_map_set(&m->by_name, hash(m, it->key, strlen(it->key)), // is there
		   (uint32_t)(it - m->entry));
	if (peer)
		peer_add(m, it); // there is room
}

static void no_room(struct xy_ikto_mesh *m, const char *key, const struct xy_ikto_record *r)
{
	char why[160];
	snprintf(why, sizeof(why),
		 "%.60s has no room: %d devices are kept, and no more; it is looked at again when "
		 "one of them went",
		 r->name[0] ? r->name : "the device", XY_IKTO_DEVICES);
	m->overfull = m->lacks = true;
	m->ops.refused(m->arg, key, why);
}

void xy_ikto_mesh_put(struct xy_ikto_mesh *m, const char *key, const void *value, size_t len)
{
	struct xy_prefix named;
	struct xy_ikto_record r = {0};
	struct xy_err err = {""};
	struct entry *it = find(m, key);
	bool was = it && it->peer;
	int e = value ? xy_ikto_parse(value, len, &r, &err)
		      : xy_err_set(&err, EINVAL, "it has %zu bytes", len);
	if (!e && (xy_ikto_key_parse(key, &named) || !xy_prefix_eq(&named, &r.allowed)))
		e = xy_err_set(&err, EINVAL, "its key is not that of its allowed_ip");
	if (!it && !(it = add(m, key, !e && is_trusted(m, &r.key)))) {
		no_room(m, key, &r);
		return;
	}
	if (was && (e || memcmp(&it->record.key, &r.key, sizeof(r.key)) != 0)) {
		m->ops.kept(m->arg, key, e ? err.text : "it has another device's key now");
		return;
	}
	it->record = r;
	it->valid = !e;
	if (e)
		refuse(m, it, err.text);
	else
		decide(m, it);
	if (was && !it->peer)
		again(m, &r);
}

void xy_ikto_mesh_gone(struct xy_ikto_mesh *m, const char *key)
{
	struct entry *it = find(m, key);
	if (!it) {
		if (m->overfull) // it may have been refused without being kept
			m->ops.gone(m->arg, key);
		return;
	}
	struct xy_ikto_record went = it->record;
	bool was = it->peer;
	if (was || it->said)
		m->ops.gone(m->arg, key);
	drop(m, it);
	if (was) // what was refused itself stood in nobody's way
		again(m, &went);
}

bool xy_ikto_mesh_wants_again(struct xy_ikto_mesh *m)
{
	bool wants = m->lacks && m->count < XY_IKTO_DEVICES;
	m->lacks = m->lacks && !wants;
	return wants;
}
