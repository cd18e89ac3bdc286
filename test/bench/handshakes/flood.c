// SPDX-License-Identifier: BSD-3-Clause
// Handshakes with who is there, by many peers from one socket, each from an address of its own, as
// a window of so many at once or at a rate; each is confirmed by a keepalive, as WireGuard's
// initiator does. Meanwhile a second thread has the first peer send data to the second, through who
// is there, and counts what arrives. What is under way longer than GIVEN_UP is lost. Prints one
// JSON object.
#include "handshakes.h"

#include "identity/identity.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	WINDOW = 64,  // handshakes under way at once
	CARRIERS = 2, // peers that data goes from and to
	DATA_LEN = 512,
	BURST = 16,
	PORT = 40000,
};
#define GIVEN_UP 0.5 // seconds

struct asker {
	struct xy_hs_local local;
	struct xy_hs_remote other;
	struct xy_hs_state state;
	struct xy_hs_keys keys;
	struct xy_cookie_jar jar;
	uint32_t remote_index;
	double asked; // 0: nothing is under way
};

struct flood {
	const struct options *o;
	struct asker *peer;
	int fd;
	struct sockaddr_in to;
	unsigned under_way;
	uint64_t asked, answered, lost, cookies;
	// Of the second thread.
	atomic_bool over;
	uint64_t data_sent, data_received;
};

// --- the wire

static struct sockaddr_in address(const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	char host[INET_ADDRSTRLEN] = "";
	unsigned port = 0;
	if (sscanf(text, "%15[0-9.]:%u", host, &port) != 2 ||
	    inet_pton(AF_INET, host, &a.sin_addr) != 1)
		die("--to is ADDRESS:PORT");
	a.sin_port = htons((uint16_t)port);
	return a;
}

static struct in_addr source_of(unsigned peer)
{
	return (struct in_addr){htonl(0x0a140000 + (peer / 250 << 8) + peer % 250 + 1)};
}

static int open_socket(uint16_t port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), room = 16 << 20;
	if (fd < 0 || bind(fd, (const void *)&any, sizeof(any)))
		die("a socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	return fd;
}

static void transmit(const struct flood *f, int fd, unsigned peer, void *data, size_t len)
{
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} c = {.room = {0}};
	const struct in_pktinfo info = {.ipi_spec_dst = source_of(peer)};
	struct iovec v = {data, len};
	struct msghdr m = {.msg_name = (void *)(uintptr_t)&f->to,
			   .msg_namelen = sizeof(f->to),
			   .msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = &c,
			   .msg_controllen = sizeof(c)};
	c.head = (struct cmsghdr){CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO};
	memcpy(CMSG_DATA(&c.head), &info, sizeof(info));
	(void)!sendmsg(fd, &m, 0); // a full socket is a loss like any other
}

static size_t seal(const struct asker *p, uint64_t counter, const uint8_t *plain, size_t len,
		   uint8_t *out)
{
	uint8_t nonce[12] = {0};
	struct xy_wg_data *msg = (void *)out;
	*msg = (struct xy_wg_data){
		.type = XY_WG_DATA, .receiver = p->remote_index, .counter = counter};
	xy_le64_store(nonce + 4, counter);
	crypto_aead_chacha20poly1305_ietf_encrypt(msg->box, NULL, plain, len, NULL, 0, NULL, nonce,
						  p->keys.send);
	return sizeof(*msg) + len + XY_WG_TAG_LEN;
}

// --- handshakes

static void asker_make(struct asker *p, unsigned number, const struct xy_key *key)
{
	const uint8_t psk[XY_WG_KEY_LEN] = {0};
	secret_of(number, p->local.sk);
	if (crypto_scalarmult_base(p->local.pk, p->local.sk) ||
	    xy_hs_remote_init(key->b, psk, &p->other) || xy_hs_remote_meet(&p->local, &p->other))
		die("a key");
	xy_cookie_jar_init(&p->jar, key->b);
}

static void ask(struct flood *f, unsigned number)
{
	struct asker *p = &f->peer[number];
	struct xy_wg_initiation msg;
	uint8_t stamp[XY_WG_TAI64N_LEN], ephemeral[XY_WG_KEY_LEN];
	if (p->asked) {
		f->lost++;
		f->under_way--;
	}
	stamp_now(stamp);
	randombytes_buf(ephemeral, sizeof(ephemeral));
	if (xy_hs_initiation_create(&p->local, &p->other, ephemeral, stamp, number, &p->state,
				    &msg))
		die("message 1");
	xy_cookie_macs_add(&p->jar, (uint8_t *)&msg, sizeof(msg), XY_SEC);
	transmit(f, f->fd, number, &msg, sizeof(msg));
	p->asked = seconds_now();
	f->asked++;
	f->under_way++;
}

static void take_response(struct flood *f, const struct xy_wg_response *msg)
{
	struct asker *p = &f->peer[msg->receiver];
	uint8_t out[sizeof(struct xy_wg_data) + XY_WG_TAG_LEN];
	if (msg->receiver >= f->o->peers || !p->asked ||
	    xy_hs_response_consume(&p->local, &p->other, &p->state, msg, &p->keys))
		return;
	p->remote_index = msg->sender;
	p->asked = 0;
	f->under_way--;
	f->answered++;
	transmit(f, f->fd, msg->receiver, out, seal(p, 0, NULL, 0, out));
}

static void take_cookie(struct flood *f, const struct xy_wg_cookie_reply *msg)
{
	f->cookies++;
	if (msg->receiver < f->o->peers)
		xy_cookie_reply_consume(&f->peer[msg->receiver].jar, msg, XY_SEC);
}

static void take_all(struct flood *f)
{
	uint8_t in[2048];
	ssize_t n;
	while ((n = recv(f->fd, in, sizeof(in), 0)) > 0)
		switch (xy_wg_classify(in, (size_t)n)) {
		case XY_WG_RESPONSE:
			take_response(f, (const void *)in);
			break;
		case XY_WG_COOKIE_REPLY:
			take_cookie(f, (const void *)in);
			break;
		default: // its own keepalives
			break;
		}
}

static void give_up(struct flood *f, double now)
{
	for (unsigned i = 0; i < f->o->peers && f->under_way; i++)
		if (f->peer[i].asked && now - f->peer[i].asked > GIVEN_UP) {
			f->peer[i].asked = 0;
			f->under_way--;
			f->lost++;
		}
}

// Peer by peer from `first`, so that each has as long as possible between two of its own.
static void handshakes(struct flood *f, unsigned first, unsigned rate, double seconds)
{
	double start = seconds_now(), now = start, looked = start;
	unsigned next = first;
	uint64_t begun = f->asked;
	while ((now = seconds_now()) - start < seconds) {
		uint64_t due = rate ? (uint64_t)((now - start) * rate) : UINT64_MAX;
		while (f->under_way < WINDOW && f->asked - begun < due) {
			ask(f, next);
			next = next + 1 < f->o->peers ? next + 1 : first;
			take_all(f);
		}
		poll(&(struct pollfd){.fd = f->fd, .events = POLLIN}, 1, 1);
		take_all(f);
		if (now - looked > GIVEN_UP / 4)
			give_up(f, looked = now);
	}
}

// --- data

static void packet_make(uint8_t *pkt)
{
	memset(pkt, 0, DATA_LEN);
	pkt[0] = 0x60;
	xy_be16_store(pkt + 4, DATA_LEN - 40);
	pkt[6] = 59; // no next header
	pkt[7] = 64;
	pkt[8] = pkt[24] = 0xfd;
	pkt[9] = pkt[25] = 0x77;
	pkt[38] = 0; // fd77::1 to fd77::2, as handshakes.sh has them
	pkt[23] = 1;
	pkt[39] = 2;
}

static void data_count(struct flood *f, int fd)
{
	uint8_t in[2048];
	ssize_t n;
	while ((n = recv(fd, in, sizeof(in), 0)) > 0)
		f->data_received += (size_t)n >= DATA_LEN + XY_WG_DATA_OVERHEAD;
}

static void *data_run(void *arg)
{
	struct flood *f = arg;
	uint8_t plain[DATA_LEN], out[DATA_LEN + XY_WG_DATA_OVERHEAD];
	double start = seconds_now();
	packet_make(plain);
	while (!f->over) {
		uint64_t due = (uint64_t)((seconds_now() - start) * f->o->data);
		for (unsigned i = 0; i < BURST && f->data_sent < due; i++) {
			// The first number was a keepalive's.
			size_t len = seal(&f->peer[0], ++f->data_sent, plain, sizeof(plain), out);
			transmit(f, f->fd, 0, out, len);
		}
		if (f->data_sent >= due)
			poll(NULL, 0, 1);
	}
	return NULL;
}

// Counts on the second peer's port, till nothing comes any more.
static void *count_run(void *arg)
{
	struct flood *f = arg;
	int fd = open_socket(PORT + 1);
	uint8_t out[sizeof(struct xy_wg_data) + XY_WG_TAG_LEN];
	double over = 0;
	// Who is there sends to where it heard the peer last.
	transmit(f, fd, 1, out, seal(&f->peer[1], 1, NULL, 0, out));
	while (!over || seconds_now() - over < GIVEN_UP) {
		poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10);
		data_count(f, fd);
		if (f->over && !over)
			over = seconds_now();
	}
	close(fd);
	return NULL;
}

// --- the run

static void meet(struct flood *f)
{
	for (unsigned i = 0; i < CARRIERS; i++)
		for (double start = seconds_now(); f->answered <= i;) {
			if (seconds_now() - start > 10)
				die("who is there does not answer");
			ask(f, i);
			for (unsigned k = 0; k < 100 && f->answered <= i; k++) {
				poll(&(struct pollfd){.fd = f->fd, .events = POLLIN}, 1, 10);
				take_all(f);
			}
		}
}

int flood_run(const struct options *o)
{
	static struct flood f;
	struct xy_key key;
	struct xy_err err;
	pthread_t sender, counter;
	f.o = o;
	f.to = address(o->to);
	f.peer = calloc(o->peers, sizeof(*f.peer));
	if (!f.peer || xy_key_parse(o->key, &key, &err))
		die("--key is a public key");
	for (unsigned i = 0; i < o->peers; i++)
		asker_make(&f.peer[i], i, &key);
	f.fd = open_socket(PORT);
	meet(&f);
	puts("{\"event\": \"ready\"}"); // who measures begins here
	fflush(stdout);
	sleep(1);
	f.answered = f.asked = f.lost = 0;
	if (o->data && (pthread_create(&counter, NULL, count_run, &f) ||
			pthread_create(&sender, NULL, data_run, &f)))
		die("a thread");
	handshakes(&f, CARRIERS, o->rate, o->seconds);
	f.over = true;
	if (o->data) {
		pthread_join(sender, NULL);
		pthread_join(counter, NULL);
	}
	printf("{\"event\": \"end\", \"seconds\": %.3f, \"asked\": %llu, \"answered\": %llu, "
	       "\"lost\": %llu, \"cookies\": %llu, \"data_sent\": %llu, \"data_received\": %llu}\n",
	       o->seconds, (unsigned long long)f.asked, (unsigned long long)f.answered,
	       (unsigned long long)f.lost, (unsigned long long)f.cookies,
	       (unsigned long long)f.data_sent, (unsigned long long)f.data_received);
	return 0;
}
