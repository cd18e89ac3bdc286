// SPDX-License-Identifier: BSD-3-Clause
#include "babel/wire.h"

#include "base/bytes.h"

// A TLV under construction. Room is checked once, for the whole of it, before the first byte.
struct tlv {
	uint8_t *at;
};

static bool has_room(const struct xy_babel_builder *b, size_t len)
{
	return b->size - b->len >= len;
}

static void put8(struct tlv *t, uint8_t v)
{
	*t->at++ = v;
}

static void put16(struct tlv *t, uint16_t v)
{
	xy_be16_store(t->at, v);
	t->at += 2;
}

static void put32(struct tlv *t, uint32_t v)
{
	xy_be32_store(t->at, v);
	t->at += 4;
}

static void put64(struct tlv *t, uint64_t v)
{
	xy_be64_store(t->at, v);
	t->at += 8;
}

static void put(struct tlv *t, const void *data, size_t len)
{
	memcpy(t->at, data, len);
	t->at += len;
}

// body is the number of bytes that the caller will put.
static struct tlv begin(struct xy_babel_builder *b, uint8_t type, size_t body)
{
	struct tlv t = {b->data + b->len};
	put8(&t, type);
	put8(&t, (uint8_t)body);
	b->len += XY_BABEL_TLV_HEADER_LEN + body;
	return t;
}

void xy_babel_build(struct xy_babel_builder *b, void *data, size_t size,
		    const struct xy_addr *source)
{
	*b = (struct xy_babel_builder){.data = data, .size = size, .len = XY_BABEL_HEADER_LEN};
	if (xy_addr_is_v4(source)) {
		b->state.v4 = *source;
		b->state.has_v4 = true;
	} else {
		b->state.v6 = *source;
		b->state.has_v6 = true;
	}
}

bool xy_babel_build_empty(const struct xy_babel_builder *b)
{
	return b->len == XY_BABEL_HEADER_LEN;
}

size_t xy_babel_build_end(struct xy_babel_builder *b)
{
	b->data[0] = XY_BABEL_MAGIC;
	b->data[1] = XY_BABEL_VERSION;
	xy_be16_store(b->data + 2, (uint16_t)(b->len - XY_BABEL_HEADER_LEN));
	return b->len;
}

void xy_babel_build_pad(struct xy_babel_builder *b, size_t size)
{
	while (b->len < size) {
		size_t left = size - b->len, most = XY_BABEL_TLV_HEADER_LEN + UINT8_MAX;
		if (left == 1) {
			b->data[b->len++] = XY_BABEL_PAD1;
			return;
		}
		size_t body = (left < most ? left : most) - XY_BABEL_TLV_HEADER_LEN;
		struct tlv t = begin(b, XY_BABEL_PADN, body);
		memset(t.at, 0, body);
	}
}

bool xy_babel_build_ack_request(struct xy_babel_builder *b, uint16_t opaque, uint16_t interval)
{
	if (!has_room(b, 8))
		return false;
	struct tlv t = begin(b, XY_BABEL_ACK_REQUEST, 6);
	put16(&t, 0);
	put16(&t, opaque);
	put16(&t, interval);
	return true;
}

bool xy_babel_build_ack(struct xy_babel_builder *b, uint16_t opaque)
{
	if (!has_room(b, 4))
		return false;
	struct tlv t = begin(b, XY_BABEL_ACK, 2);
	put16(&t, opaque);
	return true;
}

bool xy_babel_build_hello(struct xy_babel_builder *b, const struct xy_babel_hello *h)
{
	size_t body = h->has_time ? 12 : 6;
	if (!has_room(b, XY_BABEL_TLV_HEADER_LEN + body))
		return false;
	struct tlv t = begin(b, XY_BABEL_HELLO, body);
	put16(&t, h->flags);
	put16(&t, h->seqno);
	put16(&t, h->interval);
	if (h->has_time) {
		put8(&t, XY_BABEL_SUB_TIMESTAMP);
		put8(&t, 4);
		put32(&t, h->time);
	}
	return true;
}

void xy_babel_hello_restamp(uint8_t *packet, uint32_t time)
{
	// Behind the packet's header, the Hello's with its six bytes, and the sub-TLV's.
	xy_be32_store(packet + XY_BABEL_HEADER_LEN + XY_BABEL_TLV_HEADER_LEN + 6 + 2, time);
}

static bool is_local(const struct xy_addr *a) // fe80::/64, as AE 3 writes it
{
	static const uint8_t prefix[8] = {0xfe, 0x80};
	return memcmp(a->b, prefix, sizeof(prefix)) == 0;
}

static uint8_t address_ae(const struct xy_addr *a)
{
	if (xy_addr_is_v4(a))
		return XY_BABEL_AE_V4;
	return is_local(a) ? XY_BABEL_AE_LOCAL : XY_BABEL_AE_V6;
}

static size_t address_len(uint8_t ae)
{
	static const uint8_t len[] = {0, 4, 16, 8};
	return len[ae];
}

static void put_address(struct tlv *t, uint8_t ae, const struct xy_addr *a)
{
	size_t len = address_len(ae);
	put(t, a->b + 16 - len, len); // each AE writes the address's last bytes
}

bool xy_babel_build_ihu(struct xy_babel_builder *b, const struct xy_babel_ihu *ihu)
{
	uint8_t ae = ihu->any ? XY_BABEL_AE_WILDCARD : address_ae(&ihu->address);
	size_t body = 6 + address_len(ae) + (ihu->has_time ? 10 : 0);
	if (!has_room(b, XY_BABEL_TLV_HEADER_LEN + body))
		return false;
	struct tlv t = begin(b, XY_BABEL_IHU, body);
	put8(&t, ae);
	put8(&t, 0);
	put16(&t, ihu->rxcost);
	put16(&t, ihu->interval);
	put_address(&t, ae, &ihu->address);
	if (ihu->has_time) {
		put8(&t, XY_BABEL_SUB_TIMESTAMP);
		put8(&t, 8);
		put32(&t, ihu->origin_time);
		put32(&t, ihu->receive_time);
	}
	return true;
}

// The bytes of a prefix as its AE writes them.
static size_t prefix_raw(const struct xy_prefix *p, uint8_t raw[static 16], uint8_t *plen)
{
	memset(raw, 0, 16);
	if (xy_prefix_is_v4(p)) {
		memcpy(raw, p->addr.b + 12, 4);
		*plen = p->len - 96;
	} else {
		memcpy(raw, p->addr.b, 16);
		*plen = p->len;
	}
	return (*plen + 7u) / 8;
}

static uint8_t prefix_ae(const struct xy_prefix *p, bool v4_next_hop)
{
	if (!xy_prefix_is_v4(p))
		return XY_BABEL_AE_V6;
	return v4_next_hop ? XY_BABEL_AE_V4 : XY_BABEL_AE_V4_VIA_V6;
}

static size_t common_octets(const uint8_t *a, const uint8_t *b, size_t max)
{
	size_t n = 0;
	while (n < max && a[n] == b[n])
		n++;
	return n;
}

static size_t origin_len(const struct xy_babel_origin *o)
{
	return o->flags & XY_BABEL_ORIGIN_EXTERNAL ? XY_BABEL_ORIGIN_EXTERNAL_LEN
						   : XY_BABEL_ORIGIN_LEN;
}

static void put_origin(struct tlv *t, const struct xy_babel_origin *o)
{
	put8(t, XY_BABEL_SUB_ORIGIN);
	put8(t, (uint8_t)origin_len(o));
	put8(t, XY_BABEL_ORIGIN_VERSION);
	put8(t, o->flags);
	put32(t, o->epoch);
	put(t, o->key, sizeof(o->key));
	if (o->flags & XY_BABEL_ORIGIN_EXTERNAL)
		put32(t, o->tag);
	put(t, o->signature, sizeof(o->signature));
}

static void put_router_id(struct xy_babel_builder *b, uint64_t rid)
{
	struct tlv t = begin(b, XY_BABEL_ROUTER_ID, 10);
	put16(&t, 0);
	put64(&t, rid);
	b->state.rid = rid;
	b->state.has_rid = true;
}

static void put_next_hop(struct xy_babel_builder *b, const struct xy_addr *hop)
{
	uint8_t ae = address_ae(hop);
	struct tlv t = begin(b, XY_BABEL_NEXT_HOP, 2 + address_len(ae));
	put8(&t, ae);
	put8(&t, 0);
	put_address(&t, ae, hop);
	if (ae == XY_BABEL_AE_V4) {
		b->state.v4 = *hop;
		b->state.has_v4 = true;
	} else {
		b->state.v6 = *hop;
		b->state.has_v6 = true;
	}
}

static bool build_wildcard(struct xy_babel_builder *b, const struct xy_babel_update *u)
{
	if (!has_room(b, 12))
		return false;
	struct tlv t = begin(b, XY_BABEL_UPDATE, 10);
	put32(&t, 0); // AE, flags, plen, omitted
	put16(&t, u->interval);
	put16(&t, u->seqno);
	put16(&t, XY_BABEL_INFINITY);
	return true;
}

static bool same_hop(const struct xy_babel_state *s, bool v4, const struct xy_addr *hop)
{
	return v4 ? s->has_v4 && xy_addr_eq(&s->v4, hop) : s->has_v6 && xy_addr_eq(&s->v6, hop);
}

bool xy_babel_build_update(struct xy_babel_builder *b, const struct xy_babel_update *u)
{
	if (u->wildcard)
		return build_wildcard(b, u);
	uint8_t raw[16], plen;
	size_t octets = prefix_raw(&u->prefix, raw, &plen), omitted = 0;
	bool finite = u->metric != XY_BABEL_INFINITY, v4_hop = xy_addr_is_v4(&u->next_hop);
	uint8_t ae = prefix_ae(&u->prefix, v4_hop);
	bool establish = !b->state.has_prefix[ae];
	if (!establish)
		omitted = common_octets(raw, b->state.prefix[ae], octets);

	bool rid = (finite || u->has_rid || u->has_origin) &&
		   !(b->state.has_rid && b->state.rid == u->rid);
	bool hop = finite && !xy_addr_is_unspecified(&u->next_hop) &&
		   !same_hop(&b->state, v4_hop, &u->next_hop);
	size_t body = 10 + octets - omitted + (u->has_origin ? 2 + origin_len(&u->origin) : 0);
	size_t before = (rid ? 12 : 0) + (hop ? 4 + address_len(address_ae(&u->next_hop)) : 0);
	if (!has_room(b, before + XY_BABEL_TLV_HEADER_LEN + body))
		return false;
	if (rid)
		put_router_id(b, u->rid);
	if (hop)
		put_next_hop(b, &u->next_hop);

	struct tlv t = begin(b, XY_BABEL_UPDATE, body);
	put8(&t, ae);
	put8(&t, establish ? XY_BABEL_UPDATE_PREFIX : 0);
	put8(&t, plen);
	put8(&t, (uint8_t)omitted);
	put16(&t, u->interval);
	put16(&t, u->seqno);
	put16(&t, u->metric);
	put(&t, raw + omitted, octets - omitted);
	if (u->has_origin)
		put_origin(&t, &u->origin);
	if (establish) {
		memcpy(b->state.prefix[ae], raw, sizeof(raw));
		b->state.has_prefix[ae] = true;
	}
	return true;
}

// Requests for IPv4 go out as AE 1, which every implementation reads (RFC 9229 section 2.4).
bool xy_babel_build_route_request(struct xy_babel_builder *b, const struct xy_babel_request *r)
{
	uint8_t raw[16] = {0}, plen = 0;
	size_t octets = r->wildcard ? 0 : prefix_raw(&r->prefix, raw, &plen);
	if (!has_room(b, XY_BABEL_TLV_HEADER_LEN + 2 + octets))
		return false;
	struct tlv t = begin(b, XY_BABEL_ROUTE_REQUEST, 2 + octets);
	put8(&t, r->wildcard ? XY_BABEL_AE_WILDCARD : prefix_ae(&r->prefix, true));
	put8(&t, plen);
	put(&t, raw, octets);
	return true;
}

bool xy_babel_build_seqno_request(struct xy_babel_builder *b, const struct xy_babel_request *r)
{
	uint8_t raw[16], plen;
	size_t octets = prefix_raw(&r->prefix, raw, &plen);
	if (!has_room(b, XY_BABEL_TLV_HEADER_LEN + 14 + octets))
		return false;
	struct tlv t = begin(b, XY_BABEL_SEQNO_REQUEST, 14 + octets);
	put8(&t, prefix_ae(&r->prefix, true));
	put8(&t, plen);
	put16(&t, r->seqno);
	put8(&t, r->hops);
	put8(&t, 0);
	put64(&t, r->rid);
	put(&t, raw, octets);
	return true;
}
