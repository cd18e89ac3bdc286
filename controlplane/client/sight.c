// SPDX-License-Identifier: BSD-3-Clause
#include "client/sight.h"

#include "base/bytes.h"
#include "base/list.h"
#include "base/time.h"
#include "noise/wg.h"
#include "wire/inet.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HOPS = 64 };

static const struct {
	const char *point, *place;
	enum xy_pcapng_direction direction;
} points[] = {
	{"rx", NULL, XY_PCAPNG_IN},	     {"tx", NULL, XY_PCAPNG_OUT},
	{"in", "links", XY_PCAPNG_IN},	     {"out", "links", XY_PCAPNG_OUT},
	{"from_host", "host", XY_PCAPNG_IN}, {"to_host", "host", XY_PCAPNG_OUT},
	{"drop", "drops", XY_PCAPNG_NONE},
};

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

// --- a datagram's headers

static size_t header_v4(uint8_t *p, const struct xy_endpoint *src, const struct xy_endpoint *dst,
			size_t udp)
{
	memset(p, 0, XY_IPV4_MIN_LEN);
	p[0] = 0x45;
	xy_be16_store(p + 2, (uint16_t)(XY_IPV4_MIN_LEN + udp));
	p[8] = HOPS;
	p[9] = XY_PROTO_UDP;
	memcpy(p + 12, src->addr.b + 12, 4);
	memcpy(p + 16, dst->addr.b + 12, 4);
	uint16_t sum = xy_csum_fold(xy_csum_add(0, p, XY_IPV4_MIN_LEN));
	memcpy(p + 10, &sum, sizeof(sum));
	return XY_IPV4_MIN_LEN;
}

static size_t header_v6(uint8_t *p, const struct xy_endpoint *src, const struct xy_endpoint *dst,
			size_t udp)
{
	memset(p, 0, XY_IPV6_LEN);
	p[0] = 0x60;
	xy_be16_store(p + 4, (uint16_t)udp);
	p[6] = XY_PROTO_UDP;
	p[7] = HOPS;
	memcpy(p + 8, src->addr.b, 16);
	memcpy(p + 24, dst->addr.b, 16);
	return XY_IPV6_LEN;
}

// Before the payload, which stands at `headers`. An address that is not known is the unspecified
// one of the other's family.
static size_t headers_put(uint8_t *data, struct xy_endpoint src, struct xy_endpoint dst, size_t len,
			  size_t caplen)
{
	const struct xy_addr none = xy_addr_from_v4(0);
	bool v4 = xy_addr_is_v4(&src.addr) || xy_addr_is_v4(&dst.addr);
	size_t udp = XY_UDP_LEN + len;
	if (v4 && !xy_addr_is_v4(&src.addr))
		src.addr = none;
	if (v4 && !xy_addr_is_v4(&dst.addr))
		dst.addr = none;
	size_t ip = v4 ? header_v4(data, &src, &dst, udp) : header_v6(data, &src, &dst, udp);
	uint8_t *u = data + ip;
	xy_be16_store(u, src.port);
	xy_be16_store(u + 2, dst.port);
	xy_be16_store(u + 4, (uint16_t)udp);
	xy_be16_store(u + 6, 0);
	if (v4 || caplen < len) // IPv4 may have none
		return ip;
	uint32_t sum = xy_csum_pseudo(&src.addr, &dst.addr, XY_PROTO_UDP, (uint32_t)udp);
	uint16_t folded = xy_csum_fold(xy_csum_add(sum, u, udp));
	memcpy(u + 6, &folded, sizeof(folded));
	return ip;
}

static bool endpoint_of(const json_t *o, const char *key, struct xy_endpoint *out)
{
	const char *text = text_of(o, key);
	char copy[XY_ENDPOINT_STRLEN];
	size_t n = text ? strlen(text) : 0;
	if (!text || n >= sizeof(copy))
		return false;
	if (xy_endpoint_parse(text, out) == 0)
		return true;
	// Port 0 stands where none is known, and is no endpoint's.
	memcpy(copy, text, n + 1);
	if (n < 2 || strcmp(copy + n - 2, ":0") != 0)
		return false;
	copy[n - 1] = '1';
	if (xy_endpoint_parse(copy, out))
		return false;
	out->port = 0;
	return true;
}

// What it was padded with inside its link is not shown.
static int overlay(struct xy_sight *s)
{
	struct xy_inner ip;
	if (s->caplen == s->len && xy_inner_parse(s->data, s->caplen, &ip) == 0)
		s->caplen = s->len = ip.total_len;
	return 0;
}

static int datagram(const json_t *o, struct xy_sight *s)
{
	struct xy_endpoint remote, local;
	size_t room = XY_IPV6_LEN + XY_UDP_LEN;
	if (!json_object_get(o, "remote"))
		return overlay(s);
	if (!endpoint_of(o, "remote", &remote) || !endpoint_of(o, "local", &local) ||
	    s->len > UINT16_MAX - room)
		return -EBADMSG;
	bool v4 = xy_addr_is_v4(&remote.addr) || xy_addr_is_v4(&local.addr);
	size_t headers = (v4 ? XY_IPV4_MIN_LEN : XY_IPV6_LEN) + XY_UDP_LEN;
	bool out = strcmp(s->word, "tx") == 0 || json_is_true(json_object_get(o, "out"));
	memmove(s->data + headers, s->data, s->caplen);
	headers_put(s->data, out ? local : remote, out ? remote : local, s->len, s->caplen);
	s->caplen += headers;
	s->len += headers;
	return 0;
}

// --- of a reply

static bool place_of(const json_t *o, struct xy_sight *s)
{
	const char *point = text_of(o, "point");
	for (unsigned i = 0; point && i < XY_ARRAY_SIZE(points); i++) {
		if (strcmp(point, points[i].point) != 0)
			continue;
		s->direction = points[i].direction;
		snprintf(s->word, sizeof(s->word), "%s", point);
		if (points[i].place)
			snprintf(s->place, sizeof(s->place), "%s", points[i].place);
		else
			snprintf(s->place, sizeof(s->place), "port %d",
				 (int)json_integer_value(json_object_get(o, "port")));
		return true;
	}
	return false;
}

static void comment_of(const json_t *o, struct xy_sight *s)
{
	const char *peer = text_of(o, "peer"), *drop = text_of(o, "drop");
	snprintf(s->comment, sizeof(s->comment), "%s%.80s%s%s%.40s", peer ? "peer " : "",
		 peer ? peer : "", peer && drop ? ", " : "", drop ? "drop " : "", drop ? drop : "");
}

int xy_sight_take(const json_t *packet, struct xy_sight *out)
{
	const char *data = text_of(packet, "data"), *end;
	const size_t most = UINT16_MAX;
	json_int_t len = json_integer_value(json_object_get(packet, "len"));
	out->at = json_integer_value(json_object_get(packet, "at"));
	if (!data || !place_of(packet, out))
		return -EBADMSG;
	if (sodium_base642bin(out->data, most, data, strlen(data), NULL, &out->caplen, &end,
			      sodium_base64_VARIANT_ORIGINAL) ||
	    *end || len < (json_int_t)out->caplen || len > (json_int_t)most)
		return -EBADMSG;
	out->len = (size_t)len;
	comment_of(packet, out);
	return datagram(packet, out);
}

// --- as a line

static const char *protocol_name(uint8_t protocol, char buf[static 16])
{
	switch (protocol) {
	case XY_PROTO_ICMP:
		return "icmp";
	case XY_PROTO_ICMPV6:
		return "icmp6";
	case XY_PROTO_TCP:
		return "tcp";
	case XY_PROTO_UDP:
		return "udp";
	case XY_PROTO_E2E:
		return "sealed end to end";
	}
	snprintf(buf, 16, "protocol %u", protocol);
	return buf;
}

static void wireguard_text(const uint8_t *p, size_t len, char *to, size_t size)
{
	static const char *const what[] = {[XY_WG_INITIATION] = "handshake initiation",
					   [XY_WG_RESPONSE] = "handshake response",
					   [XY_WG_COOKIE_REPLY] = "cookie reply"};
	const struct xy_wg_data *d = (const void *)p;
	to[0] = 0;
	if (len >= sizeof(*d) && d->type == XY_WG_DATA)
		snprintf(to, size, ", WireGuard data %u of session %08x",
			 (unsigned)le64toh(d->counter), le32toh(d->receiver));
	else if (len >= 4 && p[0] && p[0] < XY_ARRAY_SIZE(what) && p[1] < XY_WG_SUITES && !p[2] &&
		 !p[3])
		snprintf(to, size, ", WireGuard %s%s%s", what[p[0]], p[1] ? " for " : "",
			 p[1] ? xy_wg_suite_name[p[1]] : "");
}

static void what_text(const struct xy_sight *s, const struct xy_inner *ip, char *to, size_t size)
{
	struct xy_inner_ports ports;
	char protocol[16], wireguard[64] = "";
	const char *name = protocol_name(ip->protocol, protocol);
	size_t headers = ip->header_len + (size_t)XY_UDP_LEN;
	bool has = xy_inner_ports(s->data, s->caplen, &ports);
	if (strncmp(s->place, "port", 4) == 0 && s->caplen > headers)
		wireguard_text(s->data + headers, s->caplen - headers, wireguard,
			       sizeof(wireguard));
	if (has)
		snprintf(to, size, "%s %u > %u%s", name, ports.src, ports.dst, wireguard);
	else
		snprintf(to, size, "%s", name);
}

static void printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

int xy_sight_put(const struct xy_sight *s, struct xy_pcapng *f, struct xy_err *err)
{
	const struct xy_pcapng_packet p = {.interface = s->place,
					   .at = s->at,
					   .direction = s->direction,
					   .comment = s->comment[0] ? s->comment : NULL,
					   .data = s->data,
					   .caplen = s->caplen,
					   .len = s->len};
	return xy_pcapng_put(f, &p, err);
}

void xy_sight_line(const struct xy_sight *s, char to[static XY_SIGHT_LINE])
{
	struct xy_inner ip;
	struct tm tm;
	char src[XY_ADDR_STRLEN], dst[XY_ADDR_STRLEN], what[120];
	const time_t sec = s->at / (int64_t)XY_SEC;
	int n = 0;
	localtime_r(&sec, &tm);
	n += (int)strftime(to, XY_SIGHT_LINE, "%H:%M:%S", &tm);
	n += snprintf(to + n, (size_t)(XY_SIGHT_LINE - n), ".%06d %s %s",
		      (int)(s->at % (int64_t)XY_SEC / 1000), s->place, s->word);
	if (s->comment[0])
		n += snprintf(to + n, (size_t)(XY_SIGHT_LINE - n), " (%s)", s->comment);
	if (s->caplen < s->len || xy_inner_parse(s->data, s->caplen, &ip)) {
		snprintf(to + n, (size_t)(XY_SIGHT_LINE - n), ": no valid IP packet, %zu bytes",
			 s->len);
		printable(to);
		return;
	}
	const struct xy_addr from = xy_inner_src(s->data, ip.version),
			     dest = xy_inner_dst(s->data, ip.version);
	what_text(s, &ip, what, sizeof(what));
	snprintf(to + n, (size_t)(XY_SIGHT_LINE - n), ": %s > %s, %s, %zu bytes",
		 xy_addr_str(&from, src), xy_addr_str(&dest, dst), what, s->len);
	printable(to);
}
