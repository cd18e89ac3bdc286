// SPDX-License-Identifier: BSD-3-Clause
#include "babel/wire.h"

#include <errno.h>

// What the sub-TLVs of one TLV brought.
struct subs {
	unsigned times; // 32-bit words of the Timestamp
	uint32_t time[2];
	bool has_origin, bad_origin;
	struct xy_babel_origin origin;
};

static bool rid_valid(uint64_t rid)
{
	return rid != 0 && rid != UINT64_MAX; // RFC 8966 section 4.1.3
}

static void parse_timestamp(struct xy_cursor body, struct subs *out)
{
	// Longer than expected is fine, shorter is as if absent (RFC 9616 section 5).
	while (out->times < 2 && xy_cursor_left(&body) >= 4)
		out->time[out->times++] = xy_cursor_be32(&body);
}

static void parse_origin(struct xy_cursor body, struct subs *out)
{
	struct xy_babel_origin *o = &out->origin;
	uint8_t version = xy_cursor_u8(&body);
	o->flags = xy_cursor_u8(&body);
	o->epoch = xy_cursor_be32(&body);
	xy_cursor_copy(&body, o->key, sizeof(o->key));
	o->tag = o->flags & XY_BABEL_ORIGIN_EXTERNAL ? xy_cursor_be32(&body) : 0;
	xy_cursor_copy(&body, o->signature, sizeof(o->signature));
	out->has_origin = !body.bad && xy_cursor_left(&body) == 0 &&
			  version == XY_BABEL_ORIGIN_VERSION && !out->has_origin &&
			  !out->bad_origin;
	out->bad_origin = !out->has_origin;
}

// false: the TLV is to be ignored (RFC 8966 section 4.4).
static bool parse_subs(struct xy_cursor *c, struct subs *out)
{
	memset(out, 0, sizeof(*out));
	while (!c->bad && xy_cursor_left(c) > 0) {
		uint8_t type = xy_cursor_u8(c);
		if (type == XY_BABEL_PAD1)
			continue;
		uint8_t len = xy_cursor_u8(c);
		struct xy_cursor body = xy_cursor_sub(c, len);
		if (c->bad || type & XY_BABEL_SUB_MANDATORY)
			return false;
		if (type == XY_BABEL_SUB_TIMESTAMP)
			parse_timestamp(body, out);
		else if (type == XY_BABEL_SUB_ORIGIN)
			parse_origin(body, out);
	}
	return !c->bad;
}

// RFC 8966 section 4.1.4: a full address, no compression; AE 4 is for prefixes alone (RFC 9229).
static bool parse_address(struct xy_cursor *c, uint8_t ae, struct xy_addr *out)
{
	memset(out, 0, sizeof(*out));
	switch (ae) {
	case XY_BABEL_AE_V4:
		*out = (struct xy_addr){.b = {[10] = 0xff, [11] = 0xff}};
		xy_cursor_copy(c, out->b + 12, 4);
		return !c->bad;
	case XY_BABEL_AE_V6:
		xy_cursor_copy(c, out->b, 16);
		return !c->bad;
	case XY_BABEL_AE_LOCAL:
		out->b[0] = 0xfe;
		out->b[1] = 0x80;
		xy_cursor_copy(c, out->b + 8, 8);
		return !c->bad;
	}
	return false;
}

// The bytes of a prefix as its AE writes them; omitted ones come from the compression state.
static bool parse_prefix(struct xy_cursor *c, const struct xy_babel_state *s, uint8_t ae,
			 uint8_t plen, uint8_t omitted, uint8_t raw[static 16])
{
	static const uint8_t max[] = {0, 32, 128, 128, 32};
	size_t octets = (plen + 7u) / 8, implied = 0;
	memset(raw, 0, 16);
	if (ae == XY_BABEL_AE_WILDCARD || ae > XY_BABEL_AE_V4_VIA_V6 || plen > max[ae] ||
	    omitted > octets)
		return false;
	if (ae == XY_BABEL_AE_LOCAL) { // fe80::/64 is implied
		if (omitted || plen < 64)
			return false;
		raw[0] = 0xfe;
		raw[1] = 0x80;
		implied = 8;
	} else if (omitted) {
		if (!s->has_prefix[ae])
			return false;
		memcpy(raw, s->prefix[ae], omitted);
		implied = omitted;
	}
	xy_cursor_copy(c, raw + implied, octets - implied);
	if (plen % 8)
		raw[plen / 8] &= (uint8_t)(0xff00 >> plen % 8);
	return !c->bad;
}

static struct xy_prefix make_prefix(uint8_t ae, uint8_t plen, const uint8_t raw[static 16])
{
	struct xy_prefix p = {.len = plen};
	if (ae == XY_BABEL_AE_V4 || ae == XY_BABEL_AE_V4_VIA_V6) {
		p.addr.b[10] = p.addr.b[11] = 0xff;
		memcpy(p.addr.b + 12, raw, 4);
		p.len += 96;
	} else {
		memcpy(p.addr.b, raw, 16);
	}
	return p;
}

// IPv6 prefixes inside ::ffff:0:0/96 are refused: in our tables they would be IPv4.
static bool mapped_v6(uint8_t ae, const struct xy_prefix *p)
{
	return ae == XY_BABEL_AE_V6 && xy_prefix_is_v4(p);
}

static bool parse_ack_request(struct xy_cursor *c, struct xy_babel_tlv *t)
{
	struct subs subs;
	xy_cursor_be16(c);
	t->ack.opaque = xy_cursor_be16(c);
	t->ack.interval = xy_cursor_be16(c);
	return parse_subs(c, &subs) && t->ack.interval != 0;
}

static bool parse_ack(struct xy_cursor *c, struct xy_babel_tlv *t)
{
	struct subs subs;
	t->ack.opaque = xy_cursor_be16(c);
	t->ack.interval = 0;
	return parse_subs(c, &subs);
}

static bool parse_hello(struct xy_cursor *c, struct xy_babel_hello *h)
{
	struct subs subs;
	h->flags = xy_cursor_be16(c) & XY_BABEL_HELLO_UNICAST;
	h->seqno = xy_cursor_be16(c);
	h->interval = xy_cursor_be16(c);
	if (!parse_subs(c, &subs))
		return false;
	h->has_time = subs.times >= 1;
	h->time = subs.time[0];
	return true;
}

static bool parse_ihu(struct xy_cursor *c, struct xy_babel_ihu *ihu)
{
	struct subs subs;
	uint8_t ae = xy_cursor_u8(c);
	xy_cursor_u8(c);
	ihu->rxcost = xy_cursor_be16(c);
	ihu->interval = xy_cursor_be16(c);
	ihu->any = ae == XY_BABEL_AE_WILDCARD;
	memset(&ihu->address, 0, sizeof(ihu->address));
	if (!ihu->any && !parse_address(c, ae, &ihu->address))
		return false;
	if (!parse_subs(c, &subs) || ihu->interval == 0)
		return false;
	ihu->has_time = subs.times == 2;
	ihu->origin_time = subs.time[0];
	ihu->receive_time = subs.time[1];
	return true;
}

static bool parse_router_id(struct xy_cursor *c, struct xy_babel_state *s, uint64_t *out)
{
	struct subs subs;
	xy_cursor_be16(c);
	uint64_t rid = xy_cursor_be64(c);
	if (c->bad)
		return false;
	s->rid = rid; // even when a mandatory sub-TLV makes us ignore the rest
	s->has_rid = rid_valid(rid);
	*out = rid;
	return parse_subs(c, &subs) && s->has_rid;
}

static bool parse_next_hop(struct xy_cursor *c, struct xy_babel_state *s, struct xy_addr *out)
{
	struct subs subs;
	uint8_t ae = xy_cursor_u8(c);
	xy_cursor_u8(c);
	if (!parse_address(c, ae, out))
		return false;
	if (ae == XY_BABEL_AE_V4) {
		s->v4 = *out;
		s->has_v4 = true;
	} else {
		s->v6 = *out;
		s->has_v6 = true;
	}
	return parse_subs(c, &subs);
}

// RFC 8966 section 4.6.9: flag 0x40 takes the router-id from the end of the address.
static uint64_t rid_from_prefix(uint8_t ae, const uint8_t raw[static 16])
{
	if (ae == XY_BABEL_AE_V4 || ae == XY_BABEL_AE_V4_VIA_V6)
		return xy_be32_load(raw);
	return xy_be64_load(raw + 8);
}

static bool find_next_hop(const struct xy_babel_state *s, uint8_t ae, struct xy_addr *out)
{
	bool v4 = ae == XY_BABEL_AE_V4; // AE 4 takes its next hop from IPv6 (RFC 9229)
	*out = v4 ? s->v4 : s->v6;
	return (v4 ? s->has_v4 : s->has_v6) && !xy_addr_is_unspecified(out);
}

static bool wildcard_update(struct xy_cursor *c, struct xy_babel_update *u, uint8_t plen,
			    uint8_t omitted)
{
	struct subs subs;
	u->wildcard = true;
	return parse_subs(c, &subs) && u->metric == XY_BABEL_INFINITY && !plen && !omitted &&
	       u->interval != 0;
}

static bool parse_update(struct xy_cursor *c, struct xy_babel_state *s, struct xy_babel_update *u)
{
	struct subs subs;
	uint8_t raw[16];
	memset(u, 0, sizeof(*u));
	uint8_t ae = xy_cursor_u8(c), flags = xy_cursor_u8(c);
	uint8_t plen = xy_cursor_u8(c), omitted = xy_cursor_u8(c);
	u->interval = xy_cursor_be16(c);
	u->seqno = xy_cursor_be16(c);
	u->metric = xy_cursor_be16(c);
	if (ae == XY_BABEL_AE_WILDCARD)
		return wildcard_update(c, u, plen, omitted);
	if (!parse_prefix(c, s, ae, plen, omitted, raw))
		return false;
	if (flags & XY_BABEL_UPDATE_PREFIX && ae != XY_BABEL_AE_LOCAL) {
		memcpy(s->prefix[ae], raw, sizeof(raw));
		s->has_prefix[ae] = true;
	}
	if (flags & XY_BABEL_UPDATE_RID) {
		s->rid = rid_from_prefix(ae, raw);
		s->has_rid = rid_valid(s->rid);
	}
	// From here on the parser's state does not change.
	if (!parse_subs(c, &subs) || u->interval == 0)
		return false;
	u->prefix = make_prefix(ae, plen, raw);
	if (mapped_v6(ae, &u->prefix))
		return false;
	u->has_rid = s->has_rid;
	u->rid = s->rid;
	u->has_origin = subs.has_origin;
	u->bad_origin = subs.bad_origin;
	u->origin = subs.origin;
	bool has_hop = find_next_hop(s, ae, &u->next_hop);
	return u->metric == XY_BABEL_INFINITY || (has_hop && u->has_rid);
}

static bool parse_route_request(struct xy_cursor *c, struct xy_babel_request *r)
{
	struct subs subs;
	uint8_t raw[16];
	memset(r, 0, sizeof(*r));
	uint8_t ae = xy_cursor_u8(c), plen = xy_cursor_u8(c);
	r->wildcard = ae == XY_BABEL_AE_WILDCARD;
	if (r->wildcard)
		return plen == 0 && parse_subs(c, &subs);
	if (!parse_prefix(c, NULL, ae, plen, 0, raw))
		return false;
	r->prefix = make_prefix(ae, plen, raw);
	return parse_subs(c, &subs) && !mapped_v6(ae, &r->prefix);
}

static bool parse_seqno_request(struct xy_cursor *c, struct xy_babel_request *r)
{
	struct subs subs;
	uint8_t raw[16];
	memset(r, 0, sizeof(*r));
	uint8_t ae = xy_cursor_u8(c), plen = xy_cursor_u8(c);
	r->seqno = xy_cursor_be16(c);
	r->hops = xy_cursor_u8(c);
	xy_cursor_u8(c);
	r->rid = xy_cursor_be64(c);
	if (!parse_prefix(c, NULL, ae, plen, 0, raw)) // AE 0 fails here too
		return false;
	r->prefix = make_prefix(ae, plen, raw);
	return parse_subs(c, &subs) && r->hops != 0 && rid_valid(r->rid) &&
	       !mapped_v6(ae, &r->prefix);
}

static bool parse_body(struct xy_babel_parser *p, struct xy_cursor *c, struct xy_babel_tlv *t)
{
	switch (t->type) {
	case XY_BABEL_ACK_REQUEST:
		return parse_ack_request(c, t);
	case XY_BABEL_ACK:
		return parse_ack(c, t);
	case XY_BABEL_HELLO:
		return parse_hello(c, &t->hello);
	case XY_BABEL_IHU:
		return parse_ihu(c, &t->ihu);
	case XY_BABEL_ROUTER_ID:
		return parse_router_id(c, &p->state, &t->rid);
	case XY_BABEL_NEXT_HOP:
		return parse_next_hop(c, &p->state, &t->next_hop);
	case XY_BABEL_UPDATE:
		return parse_update(c, &p->state, &t->update);
	case XY_BABEL_ROUTE_REQUEST:
		return parse_route_request(c, &t->request);
	case XY_BABEL_SEQNO_REQUEST:
		return parse_seqno_request(c, &t->request);
	default:
		return false;
	}
}

int xy_babel_parse(struct xy_babel_parser *p, const void *data, size_t len,
		   const struct xy_addr *source)
{
	struct xy_cursor c = xy_cursor(data, len);
	memset(p, 0, sizeof(*p));
	uint8_t magic = xy_cursor_u8(&c), version = xy_cursor_u8(&c);
	uint16_t body = xy_cursor_be16(&c);
	p->body = xy_cursor_sub(&c, body);
	if (p->body.bad || magic != XY_BABEL_MAGIC || version != XY_BABEL_VERSION)
		return -EBADMSG;
	if (xy_addr_is_v4(source)) {
		p->state.v4 = *source;
		p->state.has_v4 = true;
	} else {
		p->state.v6 = *source;
		p->state.has_v6 = true;
	}
	return 0;
}

bool xy_babel_parse_next(struct xy_babel_parser *p, struct xy_babel_tlv *out)
{
	while (!p->body.bad && xy_cursor_left(&p->body) > 0) {
		uint8_t type = xy_cursor_u8(&p->body);
		if (type == XY_BABEL_PAD1)
			continue;
		uint8_t len = xy_cursor_u8(&p->body);
		struct xy_cursor c = xy_cursor_sub(&p->body, len);
		if (c.bad) { // cut off: nothing after it can be found
			p->ignored++;
			return false;
		}
		if (type == XY_BABEL_PADN)
			continue;
		out->type = (enum xy_babel_type)type;
		if (parse_body(p, &c, out))
			return true;
		p->ignored++;
	}
	return false;
}

bool xy_babel_keeps_alive(const void *data, size_t len, uint16_t interval)
{
	static const struct xy_addr none;
	struct xy_babel_parser p;
	struct xy_babel_tlv t;
	bool hello = false, ihu = false;
	if (xy_babel_parse(&p, data, len, &none) < 0)
		return false;
	while (xy_babel_parse_next(&p, &t)) {
		if (t.type == XY_BABEL_HELLO && t.hello.interval >= interval)
			hello = true;
		else if (t.type == XY_BABEL_IHU && t.ihu.rxcost != XY_BABEL_INFINITY &&
			 t.ihu.interval >= interval)
			ihu = true;
		else
			return false;
	}
	return hello && ihu && !p.ignored;
}
