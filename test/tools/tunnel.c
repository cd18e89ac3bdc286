// SPDX-License-Identifier: BSD-3-Clause
// A WireGuard tunnel in one socket, initiator only, that carries Babel datagrams and nothing else.
#include "carrier.h"

#include "babel/babel.h"
#include "noise/cookie.h"
#include "noise/handshake.h"
#include "wire/udp6.h"

#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INNER_MAX = 2048, SESSIONS = 2 };

static const xy_nsec RETRY = 2 * XY_SEC;
static const xy_nsec REKEY = 100 * XY_SEC; // before the peer's 120 s, so that it never has to

struct session {
	struct xy_hs_keys keys;
	uint32_t local_index, remote_index; // as on the wire
	uint64_t counter;
};

struct tunnel {
	struct carrier c;
	struct sockaddr_in6 to;
	struct xy_hs_local local;
	struct xy_hs_remote remote;
	struct xy_cookie_jar jar;
	struct xy_hs_state state;
	bool waiting; // for a response
	xy_nsec asked, born;
	uint32_t index;
	struct session sessions[SESSIONS]; // newest first
};

int carrier_socket(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int off = 0, room = 4 << 20;
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	return fd;
}

static void transmit(struct tunnel *t, const void *data, size_t len)
{
	// A full socket is a loss like any other.
	(void)!sendto(t->c.fd, data, len, 0, (const void *)&t->to, sizeof(t->to));
}

static void initiate(struct tunnel *t, xy_nsec now)
{
	struct xy_wg_initiation msg;
	struct timespec wall;
	uint8_t ephemeral[32], stamp[XY_WG_TAI64N_LEN];
	clock_gettime(CLOCK_REALTIME, &wall);
	xy_tai64n((uint64_t)wall.tv_sec, (uint32_t)wall.tv_nsec, stamp);
	randombytes_buf(ephemeral, sizeof(ephemeral));
	t->asked = now;
	t->waiting = xy_hs_initiation_create(&t->local, &t->remote, ephemeral, stamp, ++t->index,
					     &t->state, &msg) == 0;
	sodium_memzero(ephemeral, sizeof(ephemeral));
	if (!t->waiting)
		return;
	xy_cookie_macs_add(&t->jar, (uint8_t *)&msg, sizeof(msg), now);
	transmit(t, &msg, sizeof(msg));
}

static void poll_tunnel(struct carrier *c, xy_nsec now)
{
	struct tunnel *t = (struct tunnel *)c;
	bool due = !t->c.up || now - t->born >= REKEY;
	if (due && (!t->asked || now - t->asked >= RETRY))
		initiate(t, now);
}

static void seal(struct tunnel *t, const uint8_t *inner, size_t len)
{
	uint8_t out[sizeof(struct xy_wg_data) + INNER_MAX + XY_WG_TAG_LEN], nonce[12] = {0};
	struct xy_wg_data *msg = (void *)out;
	struct session *s = &t->sessions[0];
	unsigned long long sealed;
	memset(msg, 0, sizeof(*msg));
	msg->type = XY_WG_DATA;
	msg->receiver = s->remote_index;
	xy_le64_store(&msg->counter, s->counter);
	xy_le64_store(nonce + 4, s->counter++);
	crypto_aead_chacha20poly1305_ietf_encrypt(msg->box, &sealed, inner, len, NULL, 0, NULL,
						  nonce, s->keys.send);
	transmit(t, out, sizeof(*msg) + sealed);
}

static void send_tunnel(struct carrier *c, const struct xy_addr *to, const void *data, size_t len)
{
	struct tunnel *t = (struct tunnel *)c;
	uint8_t inner[INNER_MAX] = {0};
	struct xy_udp6 u = {.src = c->local,
			    .dst = *to,
			    .src_port = XY_BABEL_PORT,
			    .dst_port = XY_BABEL_PORT,
			    .traffic_class = 0xc0, // CS6, as routing protocols have it
			    .hop_limit = 1,
			    .data = data,
			    .len = len};
	size_t total = xy_udp6_build(&u, inner, sizeof(inner));
	if (t->c.up && total)
		seal(t, inner, (total + XY_WG_PAD - 1) / XY_WG_PAD * XY_WG_PAD);
}

static void respond(struct tunnel *t, const struct xy_wg_response *msg, xy_nsec now)
{
	struct session s = {.local_index = t->state.local_index, .remote_index = msg->sender};
	if (!t->waiting || msg->receiver != s.local_index ||
	    xy_hs_response_consume(&t->local, &t->remote, &t->state, msg, &s.keys))
		return;
	t->waiting = false;
	t->sessions[1] = t->sessions[0];
	t->sessions[0] = s;
	t->born = now;
	t->c.up = true;
	t->c.handshakes++;
	sodium_memzero(&s, sizeof(s));
	seal(t, NULL, 0); // a keepalive: the responder may send from here on
}

static int open_inner(const uint8_t *inner, size_t len, void *buf, size_t size,
		      struct xy_addr *from)
{
	struct xy_udp6 u;
	if (xy_udp6_parse(inner, len, &u) || u.src_port != XY_BABEL_PORT ||
	    u.dst_port != XY_BABEL_PORT || u.len > size)
		return 0;
	memcpy(buf, u.data, u.len);
	*from = u.src;
	return (int)u.len;
}

static int open_data(struct tunnel *t, const uint8_t *data, size_t len, void *buf, size_t size,
		     struct xy_addr *from)
{
	uint8_t inner[INNER_MAX], nonce[12] = {0};
	const struct xy_wg_data *msg = (const void *)data;
	unsigned long long got;
	if (len - sizeof(*msg) > sizeof(inner))
		return 0;
	memcpy(nonce + 4, &msg->counter, sizeof(msg->counter));
	for (unsigned i = 0; i < SESSIONS; i++) {
		const struct session *s = &t->sessions[i];
		if (s->local_index == msg->receiver &&
		    crypto_aead_chacha20poly1305_ietf_decrypt(inner, &got, NULL, msg->box,
							      len - sizeof(*msg), NULL, 0, nonce,
							      s->keys.recv) == 0)
			return open_inner(inner, (size_t)got, buf, size, from);
	}
	return 0;
}

static int receive_tunnel(struct carrier *c, void *buf, size_t size, struct xy_addr *from,
			  xy_nsec now)
{
	struct tunnel *t = (struct tunnel *)c;
	uint8_t data[4096];
	ssize_t len = recv(c->fd, data, sizeof(data), 0);
	if (len < 0)
		return -EAGAIN;
	switch (xy_wg_classify(data, (size_t)len)) {
	case XY_WG_RESPONSE:
		respond(t, (const void *)data, now);
		return 0;
	case XY_WG_COOKIE_REPLY:
		if (xy_cookie_reply_consume(&t->jar, (const void *)data, now) == 0)
			t->asked = 0; // again, with the cookie
		return 0;
	case XY_WG_DATA:
		return open_data(t, data, (size_t)len, buf, size, from);
	default:
		return 0;
	}
}

static void close_tunnel(struct carrier *c)
{
	close(c->fd);
	sodium_memzero(c, sizeof(struct tunnel));
	free(c);
}

struct carrier *tunnel_open(const struct tunnel_options *o, struct xy_err *err)
{
	struct tunnel *t = calloc(1, sizeof(*t));
	int fd = carrier_socket();
	if (!t || fd < 0) {
		xy_err_set(err, ENOMEM, "no socket or no memory");
		free(t);
		return NULL;
	}
	t->c = (struct carrier){.fd = fd,
				.local = xy_key_link_local(&o->identity->x25519),
				.remote = xy_key_link_local(&o->peer),
				.send = send_tunnel,
				.receive = receive_tunnel,
				.poll = poll_tunnel,
				.close = close_tunnel};
	memcpy(t->local.sk, o->identity->x25519_sk, 32);
	memcpy(t->local.pk, o->identity->x25519.b, 32);
	t->index = randombytes_random() | 1;
	t->to = (struct sockaddr_in6){.sin6_family = AF_INET6,
				      .sin6_port = htons(o->endpoint.port),
				      .sin6_scope_id = o->endpoint.scope};
	memcpy(&t->to.sin6_addr, o->endpoint.addr.b, 16);
	xy_cookie_jar_init(&t->jar, o->peer.b);
	if (xy_hs_remote_init(o->peer.b, o->psk, &t->remote) ||
	    xy_hs_remote_meet(&t->local, &t->remote)) {
		xy_err_set(err, EINVAL, "--peer is no public key");
		close_tunnel(&t->c);
		return NULL;
	}
	return &t->c;
}
