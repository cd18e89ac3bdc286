// SPDX-License-Identifier: BSD-3-Clause
#include "attack.h"

#include <sodium.h>

enum { PACKET = 1232, PACKET_MAX = 1900 };

struct packet {
	uint8_t data[PACKET_MAX];
	struct xy_babel_builder b;
};

static uint64_t random_next(struct attacker *a)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return a->random;
}

static void packet_begin(struct attacker *a, struct packet *p)
{
	xy_babel_build(&p->b, p->data, PACKET, &a->s->c->local);
}

static void raw(struct attacker *a, const void *data, size_t len)
{
	speaker_raw(a->s, data, len);
	a->packets++;
}

static void packet_end(struct attacker *a, struct packet *p)
{
	if (!xy_babel_build_empty(&p->b))
		raw(a, p->data, xy_babel_build_end(&p->b));
}

static void add_update(struct attacker *a, struct packet *p, const struct xy_babel_update *u)
{
	if (!xy_babel_build_update(&p->b, u)) {
		packet_end(a, p);
		packet_begin(a, p);
		xy_babel_build_update(&p->b, u);
	}
	a->tlvs++;
}

// ---- Claims ----

static struct xy_babel_update update_of(const struct attacker *a, const struct xy_babel_claim *c)
{
	return (struct xy_babel_update){.has_rid = true,
					.has_origin = true,
					.prefix = c->prefix,
					.next_hop = a->s->c->local,
					.interval = 60000,
					.seqno = c->seqno,
					.metric = a->o.metric,
					.rid = c->rid,
					.origin = c->origin};
}

static void add_claim(struct attacker *a, struct packet *p, const struct xy_babel_claim *c)
{
	struct xy_babel_update u = update_of(a, c);
	add_update(a, p, &u);
}

// Under our own key, as it should be; what is wrong about it is the caller's to add.
static struct xy_babel_claim own_claim(const struct attacker *a, const struct xy_prefix *prefix)
{
	struct xy_babel_claim c = {.prefix = *prefix,
				   .rid = xy_babel_router_id(&a->s->id->x25519, a->o.epoch),
				   .seqno = a->o.seqno,
				   .origin = {.epoch = a->o.epoch}};
	memcpy(c.origin.key, a->s->id->ed25519.b, 32);
	return c;
}

static void add_signed(struct attacker *a, struct packet *p, struct xy_babel_claim *c)
{
	xy_babel_claim_sign(c, a->s->id->ed25519_sk);
	add_claim(a, p, c);
}

// The victim's claim as heard, with what its key signed changed under the signature. One kind a
// round: of several Updates for one prefix a neighbour need look at the last alone.
static void forge(struct attacker *a)
{
	const struct xy_babel_claim *heard = speaker_heard(a->s, &a->o.victim);
	struct packet p;
	if (!heard)
		return;
	struct xy_babel_claim c = *heard;
	struct xy_babel_update u;
	struct xy_key ed, x25519;
	c.seqno++; // else it is the one that is known
	switch (a->at++ % 3) {
	case 0:
		c.origin.signature[random_next(a) % 64] ^= 1;
		break;
	case 1: // from its future
		memcpy(ed.b, c.origin.key, sizeof(ed.b));
		if (xy_key_from_ed25519(&ed, &x25519))
			return;
		c.rid = xy_babel_router_id(&x25519, ++c.origin.epoch);
		break;
	default:
		break;
	}
	u = update_of(a, &c);
	u.has_origin = a->at % 3 != 0;
	packet_begin(a, &p);
	add_update(a, &p, &u);
	packet_end(a, &p);
}

// Another's /64 under keys that do not hash to it: ours, and ones that are no points.
static void claim(struct attacker *a)
{
	struct packet p;
	struct xy_babel_claim c = own_claim(a, &a->o.victim);
	packet_begin(a, &p);
	if (a->at++ % 2) {
		memset(c.origin.key, 0, 32); // small order
		add_claim(a, &p, &c);
	} else {
		add_signed(a, &p, &c);
	}
	packet_end(a, &p);
}

// Router-ids that are not our key's: to spoil another's feasibility distances.
static void grind(struct attacker *a)
{
	struct xy_prefix own = xy_key_prefix(&a->s->id->x25519);
	const struct xy_babel_claim *heard = speaker_heard(a->s, &a->o.victim);
	struct packet p;
	packet_begin(a, &p);
	for (unsigned i = 0; i < a->o.burst; i++) {
		struct xy_babel_claim c = own_claim(a, &own);
		c.rid = i == 0 && heard ? heard->rid : random_next(a);
		add_signed(a, &p, &c);
	}
	packet_end(a, &p);
}

// What was true once, with the best of metrics.
static void replay(struct attacker *a)
{
	struct packet p;
	packet_begin(a, &p);
	for (unsigned i = 0; i < a->o.claims->count; i++)
		add_claim(a, &p, &a->o.claims->at[i]);
	packet_end(a, &p);
}

// Seqnos half the circle away and just before its end: requests that would have the victim jump,
// and a prefix of our own that does.
static void wrap(struct attacker *a)
{
	static const uint16_t steps[] = {0x7fff, 0x4000, 1, 0x7ffe, 0xffff};
	static const uint16_t seqnos[] = {32766, 32767, 65534, 65535, 0, 1};
	const struct xy_babel_claim *heard = speaker_heard(a->s, &a->o.victim);
	struct xy_prefix own = xy_key_prefix(&a->s->id->x25519);
	struct packet p;
	packet_begin(a, &p);
	for (unsigned i = 0; heard && i < XY_ARRAY_SIZE(steps); i++)
		a->tlvs += xy_babel_build_seqno_request(
			&p.b,
			&(struct xy_babel_request){.prefix = a->o.victim,
						   .seqno = (uint16_t)(heard->seqno + steps[i]),
						   .hops = 64,
						   .rid = heard->rid});
	struct xy_babel_claim c = own_claim(a, &own);
	c.seqno = seqnos[a->at++ % XY_ARRAY_SIZE(seqnos)];
	add_signed(a, &p, &c);
	packet_end(a, &p);
}

// ---- Floods ----

// Origins without end, prefixes without end under one key, and some that no one signed.
static void prefixes(struct attacker *a)
{
	struct packet p;
	packet_begin(a, &p);
	for (unsigned i = 0; i < a->o.burst; i++, a->at++) {
		struct xy_prefix plain = claims_plain(a->at);
		struct xy_babel_claim c = own_claim(a, &plain);
		struct xy_babel_update u = update_of(a, &c);
		u.has_origin = false;
		add_update(a, &p, &u);
		add_signed(a, &p, &c);
		if (a->o.claims->count)
			add_claim(a, &p, &a->o.claims->at[a->at % a->o.claims->count]);
	}
	packet_end(a, &p);
}

static struct xy_prefix any_prefix(struct attacker *a)
{
	const struct claims *heard = &a->s->heard;
	if (heard->count && random_next(a) % 2)
		return heard->at[random_next(a) % heard->count].prefix;
	struct xy_prefix p = {.addr = {.b = {2}}, .len = 64};
	xy_be64_store(p.addr.b, (random_next(a) >> 8) | UINT64_C(2) << 56);
	return p;
}

// Seqno requests, route requests and requests for all, for prefixes that exist and such that do
// not.
static void requests(struct attacker *a)
{
	for (unsigned i = 0; i < a->o.burst; i++) {
		struct packet p;
		packet_begin(a, &p);
		for (unsigned j = 0; j < 20; j++, a->tlvs += 2) {
			struct xy_babel_request r = {.prefix = any_prefix(a),
						     .seqno = (uint16_t)random_next(a),
						     .hops = 255};
			const struct xy_babel_claim *heard = speaker_heard(a->s, &r.prefix);
			r.rid = heard ? heard->rid : random_next(a);
			xy_babel_build_seqno_request(&p.b, &r);
			r.wildcard = j == 0;
			xy_babel_build_route_request(&p.b, &r);
		}
		packet_end(a, &p);
	}
}

// ---- What no encoder writes ----

static void raw_header(uint8_t *data, size_t body)
{
	data[0] = XY_BABEL_MAGIC;
	data[1] = XY_BABEL_VERSION;
	xy_be16_store(data + 2, (uint16_t)body);
}

// One TLV of this type again and again, each with this body.
static void repeated(struct attacker *a, uint8_t type, const void *body, uint8_t len)
{
	uint8_t data[PACKET_MAX];
	size_t at = XY_BABEL_HEADER_LEN, each = type == XY_BABEL_PAD1 ? 1 : 2u + len;
	for (; at + each <= PACKET; at += each, a->tlvs++) {
		data[at] = type;
		if (each == 1)
			continue;
		data[at + 1] = len;
		memcpy(data + at + 2, body, len);
	}
	raw_header(data, at - XY_BABEL_HEADER_LEN);
	raw(a, data, at);
}

static void crowds(struct attacker *a)
{
	// metric and intervals 0, prefixes of impossible length, sub-TLVs beyond their TLV
	static const uint8_t update[] = {2, 0, 255, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4};
	static const uint8_t omitted[] = {2, 0, 64, 16, 0, 1, 0, 0, 0, 0};
	static const uint8_t mandatory[] = {0, 0, 0, 0, 0, 0, 0x80 | 77, 0};
	static const uint8_t overrun[] = {0, 0, 0, 0, 0, 1, 112, 255, 1};
	repeated(a, XY_BABEL_PAD1, "", 0);
	repeated(a, XY_BABEL_PADN, "", 0);
	repeated(a, 200, "", 0); // of a type that is none
	repeated(a, XY_BABEL_UPDATE, update, sizeof(update));
	repeated(a, XY_BABEL_UPDATE, omitted, sizeof(omitted));
	repeated(a, XY_BABEL_ACK_REQUEST, mandatory, sizeof(mandatory));
	repeated(a, XY_BABEL_ROUTE_REQUEST, overrun, sizeof(overrun));
	for (unsigned type = 0; type < 16; type++)
		repeated(a, (uint8_t)type, "\0\0\0", 3);
}

static void bad_headers(struct attacker *a)
{
	uint8_t data[64] = {0};
	raw(a, data, 1);
	raw_header(data, 500); // a body beyond the packet
	raw(a, data, sizeof(data));
	raw_header(data, 0); // nothing but a trailer
	raw(a, data, sizeof(data));
	data[0] = 43;
	raw(a, data, sizeof(data));
}

// A good packet of Updates and requests with some bytes changed, or cut.
static void mutated(struct attacker *a)
{
	struct packet p;
	packet_begin(a, &p);
	for (unsigned i = 0; i < 4; i++) {
		struct xy_prefix prefix = any_prefix(a);
		struct xy_babel_claim c = own_claim(a, &prefix);
		add_claim(a, &p, &c);
		a->tlvs += xy_babel_build_seqno_request(
			&p.b, &(struct xy_babel_request){.prefix = prefix, .hops = 1, .rid = 1});
	}
	size_t len = xy_babel_build_end(&p.b);
	for (unsigned n = 1 + random_next(a) % 8; n; n--)
		p.data[XY_BABEL_HEADER_LEN + random_next(a) % (len - XY_BABEL_HEADER_LEN)] =
			(uint8_t)random_next(a);
	if (random_next(a) % 4 == 0)
		len = 1 + random_next(a) % len;
	raw(a, p.data, len);
}

static void malformed(struct attacker *a)
{
	crowds(a);
	bad_headers(a);
	for (unsigned i = 0; i < a->o.burst; i++)
		mutated(a);
}

// One Update as the options have it, unsigned: an old seqno, a distance that is not feasible.
static void update(struct attacker *a)
{
	struct packet p;
	struct xy_babel_update u = {.has_rid = true,
				    .prefix = a->o.victim,
				    .next_hop = a->s->c->local,
				    .interval = 6000,
				    .seqno = a->o.seqno,
				    .metric = a->o.metric,
				    .rid = a->o.rid};
	packet_begin(a, &p);
	add_update(a, &p, &u);
	packet_end(a, &p);
}

const struct attack attacks[] = {
	{"forge", "the victim's claims with a byte changed, or without their signature", forge},
	{"claim", "the victim's /64 under keys that do not hash to it", claim},
	{"grind", "our own /64 under router-ids that are not our key's", grind},
	{"replay", "the claims of a file again", replay},
	{"wrap", "seqnos half the circle away", wrap},
	{"prefixes", "origins and prefixes without end", prefixes},
	{"requests", "seqno and route requests without end", requests},
	{"malformed", "packets that no encoder writes, and crowds of TLVs", malformed},
	{"update", "one unsigned Update, as --rid, --seqno and --metric have it", update},
	{0},
};

const struct attack *attack_find(const char *name)
{
	for (const struct attack *t = attacks; t->name; t++)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

void attack_init(struct attacker *a, struct speaker *s, const struct attack_options *o)
{
	*a = (struct attacker){.o = *o, .s = s, .random = o->seed ? o->seed : 1};
}
