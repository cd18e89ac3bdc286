// SPDX-License-Identifier: BSD-3-Clause
#include "client/netcheck.h"

#include "fields/fields.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ROUNDS = 20,
	ROUND_MS = 50,
	WAIT_MS = 1000,
	SMALL = 56,
	HEADERS = 48, // IPv6, ICMP
	HELLOS = 16,
	CLOCK_NEAR = 600, // s
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "";
}

static json_int_t number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool has(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	return v && !json_is_null(v);
}

__attribute__((format(printf, 2, 3))) static void note(struct xy_netcheck_row *r, const char *fmt,
						       ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(r->notes, json_string(text));
}

// --- NAT: where this host would send from, and where the peer is

static bool is_private(const struct xy_addr *a)
{
	const uint8_t *b = a->b, *v4 = a->b + 12;
	if (!xy_addr_is_v4(a))
		return (b[0] & 0xfe) == 0xfc || xy_addr_is_link_local(a);
	return v4[0] == 10 || v4[0] == 127 || (v4[0] == 172 && v4[1] >= 16 && v4[1] < 32) ||
	       (v4[0] == 192 && v4[1] == 168) || (v4[0] == 100 && v4[1] >= 64 && v4[1] < 128) ||
	       (v4[0] == 169 && v4[1] == 254);
}

// Nothing is sent.
static bool source_to(const struct xy_endpoint *to, struct xy_addr *out)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(to->port)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(&at.sin6_addr, to->addr.b, 16);
	bool good = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
		    getsockname(fd, (struct sockaddr *)&at, &len) == 0;
	if (fd >= 0)
		close(fd);
	memcpy(out->b, &at.sin6_addr, 16);
	return good;
}

static void see_moved(struct xy_netcheck_row *r, const char *endpoint)
{
	const json_t *list = json_object_get(r->peer, XY_KEY(peer, endpoints));
	struct xy_endpoint e;
	bool literal = false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (!text || strcmp(text, endpoint) == 0)
			return;
		literal |= xy_endpoint_parse(text, &e) == 0;
	}
	if (literal)
		note(r,
		     "it is heard from %s, which is none of its endpoints in our config: it moved, "
		     "or there is NAT on its side",
		     endpoint);
}

static void see_nat(struct xy_netcheck_row *r)
{
	const char *endpoint = text_of(r->peer, XY_KEY(peer, endpoint));
	char text[XY_ADDR_STRLEN];
	struct xy_endpoint to;
	struct xy_addr source;
	r->nat = "-";
	if (xy_endpoint_parse(endpoint, &to)) {
		note(r, "NAT: it is not known where the peer is");
		return;
	}
	see_moved(r, endpoint);
	if (!source_to(&to, &source)) {
		note(r, "NAT: this host has no way to %s", endpoint);
		return;
	}
	bool ours = is_private(&source), its = is_private(&to.addr);
	r->nat = ours && !its ? "yes" : "none seen";
	if (ours && !its)
		note(r,
		     "NAT: we send from %s, a private address, to a public one: somebody between "
		     "translates it (let `keepalive = 25;` keep the way open). What the peer "
		     "sees, the protocol does not tell: xylem show peers there has it",
		     xy_addr_str(&source, text));
}

// --- clock

static void see_clock(struct xy_netcheck_row *r)
{
	json_int_t apart = number_of(r->peer, XY_KEY(peer, clock_apart));
	json_int_t far = apart < 0 ? -apart : apart;
	if (!has(r->peer, XY_KEY(peer, clock_apart))) {
		snprintf(r->clock, sizeof(r->clock), "-");
		if (r->reached)
			note(r, "clock: it began no handshake of late, and only who begins one "
				"tells its time; or a clock was set since. We told it ours: xylem "
				"netcheck there");
		return;
	}
	snprintf(r->clock, sizeof(r->clock), far < 100000 ? "%+lld s" : "%+lld d",
		 (long long)(far < 100000 ? apart : apart / 86400));
	if (far > CLOCK_NEAR)
		note(r,
		     "clock: one of the two is wrong by %lld s (date -u on both): a clock that is "
		     "set back is refused for as long",
		     (long long)far);
}

// --- what was sent

static unsigned hellos_of(const json_t *neighbour)
{
	unsigned bits = (unsigned)strtoul(text_of(neighbour, XY_KEY(neighbour, hellos)), NULL, 16);
	return (unsigned)__builtin_popcount(bits & 0xffff);
}

static void see_rtt(struct xy_netcheck_row *r)
{
	json_int_t babel = number_of(r->neighbour, XY_KEY(neighbour, rtt_us));
	r->rtt_ms = r->lost = -1;
	if (r->pinged && r->small->answers) {
		r->rtt_ms = r->small->sum / r->small->answers;
		r->lost = (double)(r->small->sent - r->small->answers) / r->small->sent;
		return;
	}
	if (!r->reached)
		return;
	if (babel)
		r->rtt_ms = (double)babel / 1000;
	if (!r->neighbour || !has(r->neighbour, XY_KEY(neighbour, address))) {
		note(r, "RTT, loss: it answers no ping and speaks no Babel with us");
		return;
	}
	r->lost = (double)(HELLOS - hellos_of(r->neighbour)) / HELLOS;
	note(r,
	     "RTT, loss: it answers no ping (no host interface there, or a firewall), so both are "
	     "routing's: %u of its last %d Hellos came",
	     hellos_of(r->neighbour), HELLOS);
}

static void say_figures(struct xy_netcheck_row *r)
{
	snprintf(r->rtt, sizeof(r->rtt), r->rtt_ms < 0 ? "-" : "%.2f ms", r->rtt_ms);
	snprintf(r->loss, sizeof(r->loss), r->lost < 0 ? "-" : "%.0f %%", 100 * r->lost);
}

static void see_size(struct xy_netcheck_row *r)
{
	json_int_t mtu = number_of(r->peer, XY_KEY(peer, mtu));
	const char *from = text_of(r->peer, XY_KEY(peer, mtu_from));
	const char *fragments = text_of(r->peer, XY_KEY(peer, fragments));
	json_int_t whole = number_of(r->peer, XY_KEY(peer, unfragmented));
	snprintf(r->mtu, sizeof(r->mtu), mtu ? "%lld" : "-", (long long)mtu);
	snprintf(r->proven, sizeof(r->proven), "-");
	if (strcmp(from, "probed") == 0)
		snprintf(r->proven, sizeof(r->proven), "yes");
	else if (r->large && r->large->answers)
		snprintf(r->proven, sizeof(r->proven), "%u", r->large->data + HEADERS);
	else if (r->pinged && r->small->answers && r->large)
		note(r,
		     "MTU: %u bytes do not come back, and small ones do: somebody on the way, or a "
		     "firewall there, drops large ones: xylem ping %s -s N",
		     r->large->data + HEADERS, r->name);
	else if (r->reached && mtu)
		note(r, "MTU: by %s alone, and nothing large could be sent there and back",
		     *from ? from : "assumption");
	if (strcmp(fragments, "lost") == 0)
		note(r, "MTU: larger ones go in fragments, and these are lost on the way");
	else if (whole && whole < mtu)
		note(r, "MTU: %lld bytes go whole, larger ones in fragments", (long long)whole);
	if (whole < number_of(r->peer, XY_KEY(peer, path_limit)) && strcmp(from, "probed") == 0)
		note(r,
		     "MTU: the interface would carry %lld; the path does not, and tells nobody (a "
		     "black hole)",
		     (long long)number_of(r->peer, XY_KEY(peer, path_limit)));
}

static void see_state(struct xy_netcheck_row *r)
{
	const char *trouble = text_of(r->peer, XY_KEY(peer, trouble));
	if (r->reached)
		return;
	note(r, "not reached: %s%s%s; xylem diagnose %s", r->state, *trouble ? ", " : "", trouble,
	     r->name);
}

// --- sending

static const json_t *neighbour_of(const json_t *neighbours, const char *name)
{
	const json_t *n;
	size_t i;
	json_array_foreach(json_object_get(neighbours, XY_KEY(neighbours, neighbours)), i, n)
	{
		if (strcmp(text_of(n, XY_KEY(neighbour, peer)), name) == 0)
			return n;
	}
	return NULL;
}

static bool is_up(const char *state)
{
	return strcmp(state, "up") == 0 || strcmp(state, "traffic off") == 0;
}

static void row_begin(struct xy_netcheck *c, struct xy_netcheck_row *r, const json_t *peer)
{
	*r = (struct xy_netcheck_row){.peer = peer,
				      .name = text_of(peer, XY_KEY(peer, name)),
				      .state = text_of(peer, XY_KEY(peer, state)),
				      .notes = json_array()};
	r->neighbour = neighbour_of(c->neighbours, r->name);
	r->reached = is_up(r->state) || strcmp(r->state, "lossy") == 0;
	if (strcmp(r->state, "idle") == 0) // a device that sleeps: asked, it may come
		r->reached = true;
	r->pinged = r->reached && xy_who_addr(&c->who, peer, &r->to);
}

static int send_all(struct xy_netcheck *c, struct xy_err *err)
{
	json_int_t host = number_of(c->who.node, XY_KEY(node, mtu));
	bool interface = has(c->who.node, XY_KEY(node, interface));
	unsigned n = 0;
	c->run = calloc(2 * (size_t)c->count + 1, sizeof(*c->run));
	if (!c->run)
		return xy_err_set(err, ENOMEM, "not enough memory");
	for (unsigned i = 0; i < c->count; i++) {
		struct xy_netcheck_row *r = &c->row[i];
		json_int_t size = number_of(r->peer, XY_KEY(peer, mtu));
		if (!interface && r->pinged)
			note(r, "this node has no host interface to send from");
		r->pinged = r->pinged && interface;
		if (!r->pinged)
			continue;
		size = host && host < size ? host : size;
		r->small = &c->run[n++];
		*r->small = (struct xy_echo_run){.to = r->to, .count = ROUNDS, .data = SMALL};
		if (size <= HEADERS + SMALL)
			continue;
		r->large = &c->run[n++];
		*r->large = (struct xy_echo_run){
			.to = r->to, .count = 3, .data = (unsigned)size - HEADERS};
	}
	xy_echo_all(c->run, n, ROUND_MS, WAIT_MS);
	for (unsigned i = 0; i < c->count; i++) {
		struct xy_netcheck_row *r = &c->row[i];
		if (r->pinged && r->small->why == -EPERM)
			note(r, "no ping could be sent: run as root, or let your group: sysctl -w "
				"net.ipv4.ping_group_range=\"0 2147483647\"");
	}
	return 0;
}

static void see(struct xy_netcheck_row *r)
{
	if (r->pinged && r->small->answers)
		r->reached = true;
	else if (strcmp(r->state, "idle") == 0)
		r->reached = false;
	see_state(r);
	see_rtt(r);
	say_figures(r);
	see_size(r);
	see_clock(r);
	see_nat(r);
}

// --- in sum

static json_t *known(const char *text)
{
	return strcmp(text, "-") == 0 ? json_null() : json_string(text);
}

static json_t *figure(double v)
{
	return v < 0 ? json_null() : json_real(v);
}

json_t *xy_netcheck_rows(const struct xy_netcheck *c)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < c->count; i++) {
		const struct xy_netcheck_row *r = &c->row[i];
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:b, s:O?, s:o, s:o, s:o, s:O?, s:o, s:O}",
					"peer", r->name, "state", r->state, "reached", r->reached,
					"mtu", json_object_get(r->peer, XY_KEY(peer, mtu)),
					"proven", known(r->proven), "rtt_ms", figure(r->rtt_ms),
					"loss", figure(r->lost), "clock_apart",
					json_object_get(r->peer, XY_KEY(peer, clock_apart)), "nat",
					known(r->nat), "notes", r->notes));
	}
	return list;
}

// --- begin and end

static int load(struct xy_netcheck *c, const struct xy_who_config *cfg, struct xy_err *err)
{
	struct xy_client *client = NULL;
	int ret = xy_who_load(cfg, &c->who, err);
	ret = ret ? ret : xy_who_connect(&c->who, &client, err);
	ret = ret ? ret : xy_client_ask_all(client, "/xylem/neighbours", NULL, &c->neighbours, err);
	xy_client_close(client);
	return ret;
}

// The peer that is meant.
static int one_of(const struct xy_netcheck *c, const char *text, const json_t **out,
		  struct xy_err *err)
{
	struct xy_who_one one;
	int ret = xy_who_find(&c->who, text, &one, err);
	if (ret)
		return ret;
	*out = xy_who_row(&c->who, &one);
	return *out ? 0
		    : xy_err_set(
			      err, EINVAL,
			      "%.60s is no peer of this node: xylem ping %.60s, or xylem diagnose "
			      "%.60s",
			      text, text, text);
}

static int rows(struct xy_netcheck *c, const json_t *one, struct xy_err *err)
{
	const struct xy_who_config *w = &c->who.cfg;
	const json_t *peers = json_object_get(c->who.peers, XY_KEY(peers, peers)), *p;
	size_t n = json_array_size(peers), i;
	c->row = calloc(n + 1, sizeof(*c->row));
	if (!c->row)
		return xy_err_set(err, ENOMEM, "not enough memory");
	json_array_foreach(peers, i, p)
	{
		if (w->is_over && w->is_over(w->arg))
			return xy_err_set(err, ECANCELED, "it is no longer wanted");
		if (one && p != one)
			continue;
		if (c->count == XY_NETCHECK_PEERS)
			c->more++;
		else
			row_begin(c, &c->row[c->count++], p);
	}
	return 0;
}

int xy_netcheck_run(struct xy_netcheck *c, const struct xy_who_config *cfg, const char *peer,
		    struct xy_err *err)
{
	const json_t *one = NULL;
	*c = (struct xy_netcheck){.count = 0};
	int ret = load(c, cfg, err);
	ret = ret || !peer ? ret : one_of(c, peer, &one, err);
	ret = ret ? ret : rows(c, one, err);
	ret = ret ? ret : send_all(c, err);
	for (unsigned i = 0; !ret && i < c->count; i++)
		see(&c->row[i]);
	return ret;
}

void xy_netcheck_free(struct xy_netcheck *c)
{
	for (unsigned i = 0; i < c->count; i++)
		json_decref(c->row[i].notes);
	free(c->row);
	free(c->run);
	json_decref(c->neighbours);
	xy_who_free(&c->who);
}
