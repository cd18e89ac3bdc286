// SPDX-License-Identifier: BSD-3-Clause
#include "nodeinfo/nodeinfo.h"
#include "base/bytes.h"
#include "base/cursor.h"

#include <errno.h>
#include <string.h>

enum { HEAD = 20, FLAG_TELLS = 1, FLAG_MORE = 2, LANES = 64 };

bool xy_nodeinfo_text_ok(const char *text, size_t len)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+~-";
	for (size_t i = 0; i < len; i++)
		if (!text[i] || !strchr(allowed, text[i]))
			return false;
	return len <= XY_NODEINFO_TEXT_LEN;
}

bool xy_nodeinfo_is_reply(const void *data, size_t len)
{
	struct xy_cursor c = xy_cursor(data, len);
	xy_cursor_u8(&c);
	return xy_cursor_u8(&c) & XY_NODEINFO_REPLY;
}

// --- reading

static bool head_read(struct xy_cursor *c, uint8_t *kind, uint8_t nonce[static 16])
{
	uint8_t version = xy_cursor_u8(c);
	*kind = xy_cursor_u8(c);
	xy_cursor_be16(c);
	xy_cursor_copy(c, nonce, XY_NODEINFO_NONCE_LEN);
	return version == XY_NODEINFO_VERSION;
}

static void suites_read(struct xy_cursor *c, struct xy_nodeinfo_suites *s)
{
	s->can = xy_cursor_u8(c);
	s->best = xy_cursor_u8(c);
	c->bad = c->bad || s->best > 7 || !(s->can >> s->best & 1);
}

static void lanes_ask_read(struct xy_cursor *c, struct xy_nodeinfo_lanes *l)
{
	xy_cursor_copy(c, &l->session, sizeof(l->session));
	l->count = xy_cursor_u8(c);
	c->bad = c->bad || !l->count || l->count > LANES;
}

static void lanes_read(struct xy_cursor *c, struct xy_nodeinfo_lanes *l)
{
	lanes_ask_read(c, l);
	l->heard = xy_cursor_be64(c);
}

int xy_nodeinfo_request_read(const void *data, size_t len, struct xy_nodeinfo_request *out)
{
	struct xy_cursor c = xy_cursor(data, len);
	*out = (struct xy_nodeinfo_request){.len = len};
	bool known = head_read(&c, &out->kind, out->nonce);
	known = known && out->kind >= XY_NODEINFO_INFO && out->kind <= XY_NODEINFO_LANES;
	struct xy_cursor about = c;
	xy_cursor_copy(&c, &out->addr, sizeof(out->addr));
	if (known && out->kind == XY_NODEINFO_SUITES) {
		suites_read(&about, &out->suites);
		c.bad = c.bad || about.bad;
	}
	if (known && out->kind == XY_NODEINFO_LANES) {
		lanes_ask_read(&about, &out->lanes);
		c.bad = c.bad || about.bad;
	}
	if (c.bad || len > XY_NODEINFO_REQUEST_MAX)
		return -EBADMSG;
	return known ? 0 : -ENOTSUP;
}

static void text_read(struct xy_cursor *c, char out[static XY_NODEINFO_TEXT_LEN + 1])
{
	uint8_t len = xy_cursor_u8(c);
	const uint8_t *text = xy_cursor_take(c, len);
	if (!text || !xy_nodeinfo_text_ok((const char *)text, len)) {
		c->bad = true;
		return;
	}
	memcpy(out, text, len);
	out[len] = 0;
}

// Ascending and in the mesh, so that a page can neither repeat a node nor lead back.
static bool neighbours_ok(const struct xy_nodeinfo_info *i)
{
	for (unsigned k = 0; k < i->count; k++) {
		const struct xy_addr *a = &i->neighbour[k].addr;
		if (!xy_addr_is_mesh(a))
			return false;
		if (k && memcmp(a, &i->neighbour[k - 1].addr, sizeof(*a)) <= 0)
			return false;
	}
	return i->count <= i->total && (i->count || !i->more);
}

static void info_read(struct xy_cursor *c, struct xy_nodeinfo_info *i)
{
	text_read(c, i->name);
	text_read(c, i->version);
	uint8_t flags = xy_cursor_u8(c);
	i->tells_neighbours = flags & FLAG_TELLS;
	i->more = flags & FLAG_MORE;
	i->total = xy_cursor_be16(c);
	uint8_t count = xy_cursor_u8(c);
	if (count > XY_NODEINFO_PAGE)
		c->bad = true;
	for (; !c->bad && i->count < count; i->count++) {
		struct xy_nodeinfo_neighbour n; // gcc 14 warns of a copy into the list
		xy_cursor_copy(c, &n.addr, sizeof(n.addr));
		n.cost = xy_cursor_be16(c);
		n.rtt_us = xy_cursor_be32(c);
		i->neighbour[i->count] = n;
	}
	c->bad = c->bad || !neighbours_ok(i);
}

static void next_read(struct xy_cursor *c, struct xy_nodeinfo_next *n)
{
	text_read(c, n->name);
	n->result = xy_cursor_u8(c);
	n->metric = xy_cursor_be16(c);
	xy_cursor_copy(c, &n->hop, sizeof(n->hop));
	if (n->result < XY_NODEINFO_HERE || n->result > XY_NODEINFO_NONE)
		c->bad = true;
	if (n->result == XY_NODEINFO_VIA && !xy_addr_is_mesh(&n->hop))
		c->bad = true;
}

// What nobody can send from is no answer; what else it is, is for who asked.
static void seen_read(struct xy_cursor *c, struct xy_nodeinfo_seen *s)
{
	xy_cursor_copy(c, &s->at.addr, sizeof(s->at.addr));
	s->at.port = xy_cursor_be16(c);
	const struct xy_prefix host = {.addr = s->at.addr, .len = 128};
	bool none = xy_addr_is_unspecified(&s->at.addr) && !s->at.port;
	c->bad = c->bad || (!none && (!s->at.port || xy_prefix_is_martian(&host)));
}

int xy_nodeinfo_reply_read(const void *data, size_t len, struct xy_nodeinfo_reply *out)
{
	struct xy_cursor c = xy_cursor(data, len);
	memset(out, 0, sizeof(*out));
	bool known = head_read(&c, &out->kind, out->nonce);
	if (c.bad || !(out->kind & XY_NODEINFO_REPLY))
		return -EBADMSG;
	out->kind &= (uint8_t)~XY_NODEINFO_REPLY;
	if (known && out->kind == XY_NODEINFO_INFO)
		info_read(&c, &out->info);
	else if (known && out->kind == XY_NODEINFO_NEXT)
		next_read(&c, &out->next);
	else if (known && out->kind == XY_NODEINFO_SUITES)
		suites_read(&c, &out->suites);
	else if (known && out->kind == XY_NODEINFO_SEEN)
		seen_read(&c, &out->seen);
	else if (known && out->kind == XY_NODEINFO_LANES)
		lanes_read(&c, &out->lanes);
	else
		return -ENOTSUP;
	return c.bad ? -EBADMSG : 0;
}

// --- writing

static uint8_t *head_write(uint8_t *p, uint8_t kind, const uint8_t nonce[static 16])
{
	*p++ = XY_NODEINFO_VERSION;
	*p++ = kind;
	xy_be16_store(p, 0);
	memcpy(p + 2, nonce, XY_NODEINFO_NONCE_LEN);
	return p + 2 + XY_NODEINFO_NONCE_LEN;
}

static uint8_t *suites_write(uint8_t *p, const struct xy_nodeinfo_suites *s)
{
	*p++ = s->can;
	*p++ = s->best;
	return p;
}

static uint8_t *seen_write(uint8_t *p, const struct xy_nodeinfo_seen *s)
{
	memcpy(p, &s->at.addr, sizeof(s->at.addr));
	xy_be16_store(p + sizeof(s->at.addr), s->at.port);
	return p + sizeof(s->at.addr) + 2;
}

static uint8_t *lanes_write(uint8_t *p, const struct xy_nodeinfo_lanes *l)
{
	memcpy(p, &l->session, sizeof(l->session));
	p[4] = l->count;
	xy_be32_store(p + 5, (uint32_t)(l->heard >> 32));
	xy_be32_store(p + 9, (uint32_t)l->heard);
	return p + 13;
}

size_t xy_nodeinfo_request_write(const struct xy_nodeinfo_request *r,
				 uint8_t out[static XY_NODEINFO_REQUEST_MAX])
{
	memset(out, 0, r->len);
	uint8_t *p = head_write(out, r->kind, r->nonce);
	if (r->kind == XY_NODEINFO_SUITES)
		suites_write(p, &r->suites);
	else if (r->kind == XY_NODEINFO_LANES)
		lanes_write(p, &(struct xy_nodeinfo_lanes){.session = r->lanes.session,
							   .count = r->lanes.count});
	else
		memcpy(p, &r->addr, sizeof(r->addr));
	return r->len;
}

static uint8_t *text_write(uint8_t *p, const char *text)
{
	size_t len = strnlen(text, XY_NODEINFO_TEXT_LEN);
	*p++ = (uint8_t)len;
	memcpy(p, text, len);
	return p + len;
}

static uint8_t *neighbour_write(uint8_t *p, const struct xy_nodeinfo_neighbour *n)
{
	memcpy(p, &n->addr, sizeof(n->addr));
	xy_be16_store(p + 16, n->cost);
	xy_be32_store(p + 18, n->rtt_us);
	return p + XY_NODEINFO_NEIGHBOUR_LEN;
}

// How many of the page fit into a reply of so many bytes.
static unsigned page_fits(const struct xy_nodeinfo_info *i, size_t room)
{
	size_t fixed = XY_NODEINFO_INFO_LEN - 2 * XY_NODEINFO_TEXT_LEN + strlen(i->name) +
		       strlen(i->version);
	size_t fits = (room - fixed) / XY_NODEINFO_NEIGHBOUR_LEN;
	return i->count < fits ? i->count : (unsigned)fits;
}

static uint8_t *info_write(uint8_t *p, const struct xy_nodeinfo_info *i, size_t room)
{
	unsigned count = i->tells_neighbours ? page_fits(i, room) : 0;
	bool more = i->tells_neighbours && (i->more || count < i->count);
	p = text_write(p, i->name);
	p = text_write(p, i->version);
	*p++ = (uint8_t)((i->tells_neighbours ? FLAG_TELLS : 0) | (more && count ? FLAG_MORE : 0));
	xy_be16_store(p, i->tells_neighbours ? i->total : 0);
	p += 2;
	*p++ = (uint8_t)count;
	for (unsigned k = 0; k < count; k++)
		p = neighbour_write(p, &i->neighbour[k]);
	return p;
}

static uint8_t *next_write(uint8_t *p, const struct xy_nodeinfo_next *n)
{
	p = text_write(p, n->name);
	*p++ = n->result;
	xy_be16_store(p, n->metric);
	memcpy(p + 2, &n->hop, sizeof(n->hop));
	return p + 2 + sizeof(n->hop);
}

size_t xy_nodeinfo_reply_write(const struct xy_nodeinfo_request *to,
			       const struct xy_nodeinfo_reply *r,
			       uint8_t out[static XY_NODEINFO_REPLY_MAX])
{
	static const size_t least[] = {[XY_NODEINFO_INFO] = XY_NODEINFO_INFO_LEN,
				       [XY_NODEINFO_NEXT] = XY_NODEINFO_NEXT_LEN,
				       [XY_NODEINFO_SUITES] = XY_NODEINFO_SUITES_LEN,
				       [XY_NODEINFO_SEEN] = XY_NODEINFO_SEEN_LEN,
				       [XY_NODEINFO_LANES] = XY_NODEINFO_LANES_LEN};
	size_t room = to->len < XY_NODEINFO_REPLY_MAX ? to->len : XY_NODEINFO_REPLY_MAX;
	if (room < least[r->kind])
		return 0;
	uint8_t *p = head_write(out, r->kind | XY_NODEINFO_REPLY, to->nonce);
	if (r->kind == XY_NODEINFO_INFO)
		p = info_write(p, &r->info, room);
	else if (r->kind == XY_NODEINFO_NEXT)
		p = next_write(p, &r->next);
	else if (r->kind == XY_NODEINFO_SEEN)
		p = seen_write(p, &r->seen);
	else if (r->kind == XY_NODEINFO_LANES)
		p = lanes_write(p, &r->lanes);
	else
		p = suites_write(p, &r->suites);
	return (size_t)(p - out);
}
