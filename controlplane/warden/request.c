// SPDX-License-Identifier: BSD-3-Clause
#include "warden/request.h"

#include "base/cursor.h"

#include <errno.h>
#include <string.h>

bool xy_warden_has_fd(enum xy_warden_op op)
{
	return op == XY_WARDEN_MARK || op == XY_WARDEN_DEVICE || op == XY_WARDEN_BIND ||
	       op == XY_WARDEN_BUFFERS || op == XY_WARDEN_GIVE || op == XY_WARDEN_SOCKET;
}

bool xy_warden_is_second(enum xy_warden_op op)
{
	return op >= XY_WARDEN_READ;
}

// --- writing

struct writer {
	uint8_t *to;
	size_t n;
	bool full;
};

static void put(struct writer *w, const void *from, size_t n)
{
	if (w->full || n > XY_WARDEN_MESSAGE - w->n) {
		w->full = true;
		return;
	}
	memcpy(w->to + w->n, from, n);
	w->n += n;
}

static void put_u8(struct writer *w, unsigned v)
{
	put(w, &(uint8_t){(uint8_t)v}, 1);
}

static void put_u16(struct writer *w, uint16_t v)
{
	uint8_t be[2];
	xy_be16_store(be, v);
	put(w, be, sizeof(be));
}

static void put_u32(struct writer *w, uint32_t v)
{
	uint8_t be[4];
	xy_be32_store(be, v);
	put(w, be, sizeof(be));
}

// Of a card's program.
static void put_program(struct writer *w, const struct xy_warden_request *r)
{
	if (r->op == XY_WARDEN_PROGRAM) {
		put(w, r->interface, sizeof(r->interface));
		put_u16(w, r->port);
		put_u32(w, r->frame_max);
		put_u8(w, r->pieces);
		return;
	}
	put_u32(w, r->program);
	if (r->op == XY_WARDEN_FRAMES)
		put_u32(w, r->frame_max);
	if (r->op == XY_WARDEN_SOCKET)
		put_u8(w, r->queue);
	if (r->op == XY_WARDEN_ADDRESSES)
		put(w, r->bytes, r->len);
}

static void put_keys(struct writer *w, const struct xy_warden_request *r)
{
	put_u8(w, r->key_count);
	for (unsigned i = 0; i < r->key_count && i < XY_CONFIG_KEYLESS; i++) {
		put(w, r->key[i].peer, sizeof(r->key[i].peer));
		put(w, &r->key[i].key, sizeof(r->key[i].key));
	}
}

static bool are_addresses(size_t len)
{
	return len % sizeof(struct xy_addr) == 0 &&
	       len <= XY_WARDEN_ADDRESSES_MOST * sizeof(struct xy_addr);
}

size_t xy_warden_request_write(const struct xy_warden_request *r,
			       uint8_t to[static XY_WARDEN_MESSAGE])
{
	struct writer w = {.to = to};
	put_u8(&w, r->op);
	switch (r->op) {
	case XY_WARDEN_NETLINK:
		put(&w, r->bytes, r->len);
		w.full |= !r->len || r->len > XY_NETMSG_BYTES;
		break;
	case XY_WARDEN_TUN:
		put_u8(&w, r->queue);
		put_u8(&w, r->many);
		break;
	case XY_WARDEN_MARK:
		put_u32(&w, r->mark);
		break;
	case XY_WARDEN_GIVE:
		put_u32(&w, r->gid);
		break;
	case XY_WARDEN_DEVICE:
	case XY_WARDEN_XSK:
		put(&w, r->interface, sizeof(r->interface));
		break;
	case XY_WARDEN_BIND:
		put(&w, r->address.b, sizeof(r->address.b));
		put_u16(&w, r->port);
		break;
	case XY_WARDEN_PROGRAM:
	case XY_WARDEN_FRAMES:
	case XY_WARDEN_ADDRESSES:
	case XY_WARDEN_SOCKET:
	case XY_WARDEN_ATTACH:
	case XY_WARDEN_FREE:
		put_program(&w, r);
		w.full |= r->op == XY_WARDEN_ADDRESSES && !are_addresses(r->len);
		break;
	case XY_WARDEN_RULES:
		put_u8(&w, r->next);
		put_keys(&w, r);
		break;
	case XY_WARDEN_NONE:
		put_u8(&w, r->next);
		break;
	default:
		w.full |= r->op >= XY_WARDEN_OPS;
	}
	return w.full ? 0 : w.n;
}

// --- reading

// A text that ends within its place, behind which there is nothing.
static void text_read(struct xy_cursor *c, char *to, size_t size)
{
	xy_cursor_copy(c, to, size);
	size_t n = strnlen(to, size);
	c->bad |= n == 0 || n == size;
	for (; n < size; n++)
		c->bad |= to[n] != 0;
}

static bool flag_read(struct xy_cursor *c)
{
	uint8_t v = xy_cursor_u8(c);
	c->bad |= v > 1;
	return v;
}

static void keys_read(struct xy_cursor *c, struct xy_warden_request *out)
{
	out->key_count = xy_cursor_u8(c);
	c->bad |= out->key_count > XY_CONFIG_KEYLESS;
	for (unsigned i = 0; !c->bad && i < out->key_count; i++) {
		text_read(c, out->key[i].peer, sizeof(out->key[i].peer));
		xy_cursor_copy(c, &out->key[i].key, sizeof(out->key[i].key));
	}
}

static void program_read(struct xy_cursor *c, struct xy_warden_request *out)
{
	if (out->op == XY_WARDEN_PROGRAM) {
		text_read(c, out->interface, sizeof(out->interface));
		out->port = xy_cursor_be16(c);
		out->frame_max = xy_cursor_be32(c);
		out->pieces = flag_read(c);
		return;
	}
	out->program = xy_cursor_be32(c);
	if (out->op == XY_WARDEN_FRAMES)
		out->frame_max = xy_cursor_be32(c);
	if (out->op == XY_WARDEN_SOCKET) {
		out->queue = xy_cursor_u8(c);
		c->bad |= out->queue >= XY_WARDEN_QUEUES;
	}
	if (out->op != XY_WARDEN_ADDRESSES)
		return;
	out->len = xy_cursor_left(c);
	c->bad |= !are_addresses(out->len);
	out->bytes = c->bad ? NULL : xy_cursor_take(c, out->len);
}

int xy_warden_request_read(const uint8_t *bytes, size_t len, struct xy_warden_request *out)
{
	struct xy_cursor c = xy_cursor(bytes, len);
	memset(out, 0, sizeof(*out));
	out->op = xy_cursor_u8(&c);
	switch (out->op) {
	case XY_WARDEN_NETLINK:
		out->len = xy_cursor_left(&c);
		c.bad |= !out->len || out->len > XY_NETMSG_BYTES;
		out->bytes = c.bad ? NULL : xy_cursor_take(&c, out->len);
		break;
	case XY_WARDEN_TUN:
		out->queue = xy_cursor_u8(&c);
		out->many = flag_read(&c);
		c.bad |= out->queue >= XY_CONFIG_CPUS || (out->queue && !out->many);
		break;
	case XY_WARDEN_MARK:
		out->mark = xy_cursor_be32(&c);
		break;
	case XY_WARDEN_GIVE:
		out->gid = xy_cursor_be32(&c);
		break;
	case XY_WARDEN_DEVICE:
	case XY_WARDEN_XSK:
		text_read(&c, out->interface, sizeof(out->interface));
		break;
	case XY_WARDEN_BIND:
		xy_cursor_copy(&c, out->address.b, sizeof(out->address.b));
		out->port = xy_cursor_be16(&c);
		break;
	case XY_WARDEN_PROGRAM:
	case XY_WARDEN_FRAMES:
	case XY_WARDEN_ADDRESSES:
	case XY_WARDEN_SOCKET:
	case XY_WARDEN_ATTACH:
	case XY_WARDEN_FREE:
		program_read(&c, out);
		break;
	case XY_WARDEN_RULES:
		out->next = flag_read(&c);
		keys_read(&c, out);
		break;
	case XY_WARDEN_NONE:
		out->next = flag_read(&c);
		break;
	case XY_WARDEN_BUFFERS:
	case XY_WARDEN_COUNT:
	case XY_WARDEN_TAKE:
	case XY_WARDEN_END:
	case XY_WARDEN_CLOSE:
	case XY_WARDEN_READ:
	case XY_WARDEN_WHOLE:
	case XY_WARDEN_WATCH:
	case XY_WARDEN_NAT:
		break;
	default:
		return -EBADMSG;
	}
	return c.bad || xy_cursor_left(&c) ? -EBADMSG : 0;
}
