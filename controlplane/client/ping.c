// SPDX-License-Identifier: BSD-3-Clause
#include "client/ping.h"

#include "fields/fields.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAST_WAIT_MS = 2000, LOOK_MS = 200, IPV6 = 40, IPV4 = 20 };

// --- which way

static const json_t *in_force(const json_t *reply)
{
	const json_t *routes = json_object_get(reply, XY_KEY(route_reply, routes)), *r;
	size_t i;
	json_array_foreach(routes, i, r)
	{
		if (json_is_true(json_object_get(r, XY_KEY(candidate, in_force))))
			return r;
	}
	return NULL;
}

// "by r1", "by r1 or r2, each flow by one".
static void by_peers(const json_t *route, char *to, size_t size)
{
	const json_t *peers = json_object_get(route, XY_KEY(route, peers));
	size_t n = 0, count = json_array_size(peers);
	for (size_t i = 0; i < count && n < size; i++) {
		const char *name = json_string_value(json_array_get(peers, i));
		n += (size_t)snprintf(to + n, size - n, "%s%s", i ? " or " : "by ",
				      name ? name : "?");
	}
	if (count > 1 && n < size)
		snprintf(to + n, size - n, ", each flow by one");
}

static void way_text(struct xy_who *who, const struct xy_addr *to, const json_t *reply, char *text,
		     size_t size)
{
	const json_t *route = in_force(reply);
	const char *kind = json_string_value(json_object_get(route, XY_KEY(route, kind)));
	const char *own = xy_who_is(who, to);
	kind = kind ? kind : "";
	if (own && strcmp(own, "this node") == 0)
		snprintf(text, size, "to this node itself: its kernel answers, nothing is sent");
	else if (!route && !xy_addr_is_mesh(to)) // the kernel may have one of its own
		snprintf(text, size, "not over the mesh, in which this node has no route to it");
	else if (!route)
		snprintf(text, size, "by nobody: this node has no route to it");
	else if (strcmp(kind, "peer") == 0)
		by_peers(route, text, size);
	else if (strcmp(kind, "host") == 0)
		snprintf(text, size, "by this host, which has it behind it");
	else if (strcmp(kind, "reject") == 0)
		snprintf(text, size, "by nobody: a route of this node refuses it");
	else if (strcmp(kind, "ask") == 0)
		snprintf(text, size, "by whom its relay says (this node is a stub)");
	else
		snprintf(text, size, "by this node's %s", kind);
}

static int find_way(struct xy_ping *p, struct xy_err *err)
{
	char text[XY_ADDR_STRLEN];
	struct xy_client *c = NULL;
	json_t *reply;
	int ret = xy_who_connect(&p->who, &c, err);
	ret = ret ? ret : xy_client_ask(c, "/xylem/route", xy_addr_str(&p->to, text), &reply, err);
	xy_client_close(c);
	if (ret)
		return ret;
	way_text(&p->who, &p->to, reply, p->by, sizeof(p->by));
	json_decref(reply);
	return 0;
}

// --- what comes

static bool is_over(const struct xy_ping *p)
{
	return p->cfg.who.is_over && p->cfg.who.is_over(p->cfg.who.arg);
}

static void name_of(struct xy_ping *p, const struct xy_addr *a, char *to, size_t size)
{
	char text[XY_ADDR_STRLEN];
	const char *name = xy_who_is(&p->who, a);
	xy_addr_str(a, text);
	if (name)
		snprintf(to, size, "%s (%s)", name, text);
	else
		snprintf(to, size, "%s", text);
}

static bool is_new(struct xy_ping *p, uint16_t seq)
{
	uint8_t bit = (uint8_t)(1 << (seq & 7)), *at = &p->done[seq >> 3];
	bool fresh = !(*at & bit);
	*at |= bit;
	return fresh;
}

static void see_answer(struct xy_ping *p, const struct xy_echo_seen *s)
{
	char from[XY_PING_NAME];
	bool fresh = is_new(p, s->seq);
	p->received += fresh;
	p->twice += !fresh;
	if (fresh && s->ms >= 0) {
		p->least = p->received == 1 || s->ms < p->least ? s->ms : p->least;
		p->most = s->ms > p->most ? s->ms : p->most;
		p->sum += s->ms;
		p->squares += s->ms * s->ms;
	}
	name_of(p, &s->from, from, sizeof(from));
	struct xy_ping_seen seen = {.answer = true,
				    .twice = !fresh,
				    .seq = s->seq,
				    .bytes = s->bytes,
				    .hops = s->hops,
				    .ms = s->ms,
				    .from = from};
	snprintf(seen.text, sizeof(seen.text),
		 "%u bytes from %s: icmp_seq=%u ttl=%u time=%.3g ms%s", s->bytes, from, s->seq,
		 s->hops, s->ms, fresh ? "" : " (DUP!)");
	p->cfg.see(p->cfg.arg, &seen);
}

static void tell_error(struct xy_ping *p, struct xy_ping_seen *seen)
{
	p->errors++;
	json_array_append_new(p->said, json_string(seen->text));
	p->cfg.see(p->cfg.arg, seen);
}

static void see_error(struct xy_ping *p, const struct xy_echo_seen *s)
{
	char from[XY_PING_NAME] = "this host's kernel", more[120] = "";
	unsigned headers = (p->echo.v4 ? IPV4 : IPV6) + 8;
	if (!is_new(p, s->seq))
		return;
	if (s->what != XY_ECHO_LOCAL)
		name_of(p, &s->from, from, sizeof(from));
	if (s->mtu > headers)
		snprintf(more, sizeof(more), ": it carries %u bytes; -s %u is the most", s->mtu,
			 s->mtu - headers);
	struct xy_ping_seen seen = {.seq = s->seq, .ms = -1, .from = from};
	snprintf(seen.text, sizeof(seen.text), "From %s: icmp_seq=%u %s%s", from, s->seq,
		 xy_echo_error_text(s, p->echo.v4), more);
	tell_error(p, &seen);
}

static void take_all(struct xy_ping *p)
{
	struct xy_echo_seen s;
	while (xy_echo_take(&p->echo, &s)) {
		if (s.what == XY_ECHO_ANSWER)
			see_answer(p, &s);
		else
			see_error(p, &s);
	}
}

// --- what is sent

// What the kernel refuses at once stands in its queue of errors, too, or is told here.
static void send_one(struct xy_ping *p)
{
	uint16_t seq = (uint16_t)++p->sent;
	p->done[seq >> 3] &= (uint8_t) ~(1 << (seq & 7));
	p->last_sent = xy_echo_clock();
	int ret = xy_echo_send(&p->echo, seq, p->cfg.data);
	take_all(p);
	if (!ret || !is_new(p, seq))
		return;
	struct xy_ping_seen seen = {.seq = seq, .ms = -1, .from = "this host's kernel"};
	snprintf(seen.text, sizeof(seen.text), "this host's kernel: icmp_seq=%u %s", seq,
		 ret == -EMSGSIZE ? "too big for its interface" : strerror(-ret));
	tell_error(p, &seen);
}

void xy_ping_run(struct xy_ping *p)
{
	p->began = xy_echo_clock();
	while (!is_over(p)) {
		double now = xy_echo_clock();
		double next = p->sent ? p->last_sent + p->cfg.interval : now;
		bool last = p->cfg.count && p->sent == p->cfg.count;
		if (!last && now >= next) {
			send_one(p);
			continue;
		}
		if (last &&
		    (p->received + p->errors >= p->sent || now >= p->last_sent + LAST_WAIT_MS))
			break;
		double left = (last ? p->last_sent + LAST_WAIT_MS : next) - now;
		struct pollfd fd = {.fd = p->echo.fd, .events = POLLIN};
		poll(&fd, 1, left < LOOK_MS ? (int)left + 1 : LOOK_MS);
		take_all(p);
	}
}

// --- begin and end

bool xy_ping_goes_astray(const struct xy_ping *p, char *text, size_t size)
{
	char to[XY_ADDR_STRLEN], source[XY_ADDR_STRLEN];
	if (!xy_addr_is_mesh(&p->to) || xy_addr_is_mesh(&p->echo.source))
		return false;
	snprintf(text, size,
		 "this host sends it from %s, so not by the mesh's interface: see ip route get %s",
		 xy_addr_str(&p->echo.source, source), xy_addr_str(&p->to, to));
	return true;
}

static bool has_interface(const struct xy_who *w)
{
	return json_is_string(json_object_get(w->node, XY_KEY(node, interface)));
}

int xy_ping_begin(struct xy_ping *p, const struct xy_ping_config *cfg, struct xy_err *err)
{
	char text[XY_ADDR_STRLEN];
	struct xy_who_one one;
	*p = (struct xy_ping){.cfg = *cfg, .echo = {.fd = -1}, .said = json_array()};
	int ret = xy_who_load(&cfg->who, &p->who, err);
	ret = ret ? ret : xy_who_find(&p->who, cfg->to, &one, err);
	ret = ret ? ret : xy_who_address(&one, &p->to, err);
	if (!ret && !has_interface(&p->who))
		ret = xy_err_set(err, ENODEV,
				 "this node has no host interface (tun = false, --no-tun), so "
				 "nothing of this host goes into the mesh: ping from another node, "
				 "or see xylem trace");
	ret = ret ? ret : find_way(p, err);
	ret = ret ? ret : xy_echo_open(&p->echo, &p->to, err);
	if (ret)
		return ret;
	snprintf(p->name, sizeof(p->name), "%s",
		 one.name[0] ? one.name : xy_addr_str(&p->to, text));
	return 0;
}

void xy_ping_end(struct xy_ping *p)
{
	xy_echo_close(&p->echo);
	xy_who_free(&p->who);
	json_decref(p->said);
	p->said = NULL;
}

// --- in sum

double xy_ping_loss(const struct xy_ping *p)
{
	return p->sent ? (double)(p->sent - p->received) / p->sent : 0;
}

json_t *xy_ping_sum(const struct xy_ping *p)
{
	char text[XY_ADDR_STRLEN];
	bool some = p->received;
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:f, s:o, s:o, s:o, s:O}", "name", p->name,
			 "address", xy_addr_str(&p->to, text), "way", p->by, "sent", (int)p->sent,
			 "received", (int)p->received, "errors", (int)p->errors, "loss",
			 xy_ping_loss(p), "rtt_min_ms", some ? json_real(p->least) : json_null(),
			 "rtt_avg_ms", some ? json_real(p->sum / p->received) : json_null(),
			 "rtt_max_ms", some ? json_real(p->most) : json_null(), "said", p->said);
}
