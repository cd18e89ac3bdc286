// SPDX-License-Identifier: BSD-3-Clause
#include "base/ip.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdio.h>

enum {
	HOST_MAX = 256,	    // a DNS name is at most 253 characters
	ADDR_TEXT_MAX = 45, // eight groups, the last two dotted
	SCOPE_MAX = 15,	    // an interface name
};

struct xy_addr xy_addr_from_v4(uint32_t host_order)
{
	struct xy_addr a = {.b = {[10] = 0xff, [11] = 0xff}};
	xy_be32_store(a.b + 12, host_order);
	return a;
}

bool xy_addr_is_multicast(const struct xy_addr *a)
{
	if (!xy_addr_is_v4(a))
		return a->b[0] == 0xff;
	return (a->b[12] & 0xf0) == 0xe0 || xy_be32_load(a->b + 12) == UINT32_MAX;
}

bool xy_addr_is_unspecified(const struct xy_addr *a)
{
	static const struct xy_addr zero;
	if (xy_addr_is_v4(a))
		return xy_be32_load(a->b + 12) == 0;
	return xy_addr_eq(a, &zero);
}

bool xy_prefix_is_martian(const struct xy_prefix *p)
{
	static const struct xy_prefix table[] = {
		{{.b = {0xfe, 0x80}}, 10}, // link-local
		{{.b = {0xff}}, 8},	   // multicast
		{{.b = {[15] = 1}}, 128},  // loopback
		{{.b = {[15] = 0}}, 128},  // unspecified
		{{.b = {[10] = 0xff, [11] = 0xff, [12] = 127}}, 104},
		{{.b = {[10] = 0xff, [11] = 0xff, [12] = 224}}, 100},
		{{.b = {[10] = 0xff, [11] = 0xff}}, 128},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(table); i++)
		if (xy_prefix_covers(&table[i], p))
			return true;
	return false;
}

// 0..255 without leading zeros, which some programs read as octal.
static const char *parse_octet(const char *s, uint8_t *out)
{
	unsigned v = 0;
	const char *start = s;
	while (*s >= '0' && *s <= '9' && s - start < 3)
		v = v * 10 + (unsigned)(*s++ - '0');
	if (s == start || v > 255 || (*start == '0' && s - start > 1))
		return NULL;
	*out = (uint8_t)v;
	return s;
}

static int parse_v4(const char *s, uint8_t out[static 4])
{
	for (unsigned i = 0; i < 4; i++) {
		s = parse_octet(s, &out[i]);
		if (!s || *s != (i < 3 ? '.' : '\0'))
			return -EINVAL;
		s++;
	}
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const char *parse_group(const char *s, uint8_t out[static 2])
{
	uint16_t v = 0;
	unsigned n = 0;
	for (; n < 4 && hex_digit(*s) >= 0; n++)
		v = (uint16_t)(v << 4 | hex_digit(*s++));
	xy_be16_store(out, v);
	return n ? s : NULL;
}

// The groups of an address in order, without those that "::" leaves out; *gap is where it stands.
// Returns the number of bytes, or -EINVAL.
static int parse_groups(const char *s, uint8_t out[static 16], int *gap)
{
	int n = 0;
	*gap = -1;
	if (s[0] == ':' && s[1] == ':') {
		*gap = 0;
		s += 2;
	}
	while (*s) {
		const char *end = n <= 14 ? parse_group(s, out + n) : NULL;
		if (end && *end == '.')
			return n <= 12 && parse_v4(s, out + n) == 0 ? n + 4 : -EINVAL;
		if (!end || (*end != ':' && *end != '\0') || (*end == ':' && end[1] == '\0'))
			return -EINVAL;
		n += 2;
		s = *end ? end + 1 : end;
		if (*s != ':')
			continue;
		if (*gap >= 0)
			return -EINVAL;
		*gap = n;
		s++;
	}
	return n;
}

static int parse_v6(const char *s, uint8_t out[static 16])
{
	uint8_t b[16];
	int gap, n = parse_groups(s, b, &gap);
	if (n < 0 || (gap < 0 ? n != 16 : n > 14)) // "::" stands for one group at least
		return -EINVAL;
	int head = gap < 0 ? n : gap;
	memset(out, 0, 16);
	memcpy(out, b, (size_t)head);
	memcpy(out + 16 - (n - head), b + head, (size_t)(n - head));
	return 0;
}

int xy_addr_parse(const char *s, struct xy_addr *out)
{
	uint8_t v4[4];
	if (strchr(s, ':'))
		return parse_v6(s, out->b);
	if (parse_v4(s, v4) < 0)
		return -EINVAL;
	*out = xy_addr_from_v4(xy_be32_load(v4));
	return 0;
}

// Digits only, no sign, space or leading zero, which strtoul would let through.
static int parse_decimal(const char *s, uint32_t max, uint32_t *out)
{
	uint64_t v = 0;
	if (s[0] == '\0' || (s[0] == '0' && s[1] != '\0'))
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > max)
			return -EINVAL;
	}
	*out = (uint32_t)v;
	return 0;
}

int xy_prefix_parse(const char *s, struct xy_prefix *out)
{
	char host[ADDR_TEXT_MAX + 1];
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, s, n);
	host[n] = '\0';

	struct xy_prefix p;
	if (xy_addr_parse(host, &p.addr) < 0)
		return -EINVAL;
	uint32_t most = strchr(host, ':') ? 128 : 32, len = most;
	if (slash && parse_decimal(slash + 1, most, &len) < 0)
		return -EINVAL;
	p.len = (uint8_t)(len + 128 - most);
	*out = p;
	xy_prefix_mask(&p);
	return xy_addr_eq(&p.addr, &out->addr) ? 0 : -EDOM;
}

static int copy_host(const char *s, size_t n, char *host, size_t host_size)
{
	if (n == 0)
		return -EINVAL;
	if (n >= host_size)
		return -ENAMETOOLONG;
	memcpy(host, s, n);
	host[n] = '\0';
	return 0;
}

int xy_hostport_split(const char *s, char *host, size_t host_size, uint16_t *port)
{
	const char *start = s, *end, *colon;
	if (s[0] == '[') {
		start = s + 1;
		end = strchr(start, ']');
		if (!end || end[1] != ':' || !memchr(start, ':', (size_t)(end - start)))
			return -EINVAL;
		colon = end + 1;
	} else {
		colon = end = strchr(s, ':');
		if (!colon)
			return -EINVAL;
	}
	uint32_t n;
	if (parse_decimal(colon + 1, UINT16_MAX, &n) < 0 || n == 0)
		return -EINVAL;
	int rc = copy_host(start, (size_t)(end - start), host, host_size);
	if (rc == 0)
		*port = (uint16_t)n;
	return rc;
}

// Could this be a DNS name? Digits and dots alone are a mistyped address, never a name.
static bool is_name(const char *s)
{
	bool letter = false;
	for (; *s; s++) {
		bool alpha = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');
		if (!alpha && !(*s >= '0' && *s <= '9') && *s != '-' && *s != '.' && *s != '_')
			return false;
		letter |= alpha;
	}
	return letter;
}

// An interface by its index. By name it is -ENOENT, like a host by name: asking the kernel is the
// caller's (getaddrinfo takes "fe80::1%eth0" as it is).
static int parse_scope(const char *s, uint32_t *scope)
{
	if (parse_decimal(s, INT32_MAX, scope) == 0)
		return *scope ? 0 : -EINVAL;
	return *s && strlen(s) <= SCOPE_MAX && !strpbrk(s, "/%:[] ") ? -ENOENT : -EINVAL;
}

int xy_endpoint_parse(const char *s, struct xy_endpoint *out)
{
	char host[HOST_MAX];
	struct xy_endpoint e = {0};
	if (xy_hostport_split(s, host, sizeof(host), &e.port) < 0)
		return -EINVAL;
	char *percent = strchr(host, '%');
	if (percent)
		*percent = '\0';
	if (xy_addr_parse(host, &e.addr) < 0)
		return s[0] != '[' && !percent && is_name(host) ? -ENOENT : -EINVAL;
	// A link-local address means nothing without its link, and only there is one allowed.
	if (xy_addr_is_link_local(&e.addr) != (percent != NULL))
		return -EINVAL;
	int rc = percent ? parse_scope(percent + 1, &e.scope) : 0;
	if (rc == 0)
		*out = e;
	return rc;
}

// The first of the longest runs of zero groups, two at least (RFC 5952, 4.2); its length.
static unsigned find_gap(const struct xy_addr *a, unsigned *start)
{
	unsigned best = 1, run = 0;
	for (unsigned i = 0; i < 8; i++) {
		run = xy_be16_load(a->b + 2 * i) ? 0 : run + 1;
		if (run > best) {
			best = run;
			*start = i + 1 - run;
		}
	}
	return best > 1 ? best : 0;
}

static void format_v6(const struct xy_addr *a, char *buf)
{
	unsigned start = 8, n = find_gap(a, &start);
	char *at = buf, *end = buf + XY_ADDR_STRLEN;
	for (unsigned i = 0; i < 8; i++) {
		if (n && i == start) {
			at += snprintf(at, (size_t)(end - at), "::");
			i += n - 1;
			continue;
		}
		const char *colon = i == 0 || (n && i == start + n) ? "" : ":";
		at += snprintf(at, (size_t)(end - at), "%s%x", colon, xy_be16_load(a->b + 2 * i));
	}
}

const char *xy_addr_str(const struct xy_addr *a, char buf[static XY_ADDR_STRLEN])
{
	const uint8_t *v4 = a->b + 12;
	if (xy_addr_is_v4(a))
		snprintf(buf, XY_ADDR_STRLEN, "%u.%u.%u.%u", v4[0], v4[1], v4[2], v4[3]);
	else
		format_v6(a, buf);
	return buf;
}

const char *xy_prefix_str(const struct xy_prefix *p, char buf[static XY_PREFIX_STRLEN])
{
	char addr[XY_ADDR_STRLEN];
	unsigned len = xy_prefix_is_v4(p) ? p->len - 96U : p->len;
	snprintf(buf, XY_PREFIX_STRLEN, "%s/%u", xy_addr_str(&p->addr, addr), len);
	return buf;
}

const char *xy_endpoint_str(const struct xy_endpoint *e, char buf[static XY_ENDPOINT_STRLEN])
{
	char addr[XY_ADDR_STRLEN];
	xy_addr_str(&e->addr, addr);
	if (xy_addr_is_v4(&e->addr))
		snprintf(buf, XY_ENDPOINT_STRLEN, "%s:%u", addr, e->port);
	else if (e->scope)
		snprintf(buf, XY_ENDPOINT_STRLEN, "[%.45s%%%u]:%u", addr, e->scope, e->port);
	else
		snprintf(buf, XY_ENDPOINT_STRLEN, "[%s]:%u", addr, e->port);
	return buf;
}

// The first and the last 64 bits of a netmask.
static void netmask(unsigned len, uint64_t mask[static 2])
{
	mask[0] = len >= 64 ? UINT64_MAX : len ? UINT64_MAX << (64 - len) : 0;
	mask[1] = len >= 128 ? UINT64_MAX : len > 64 ? UINT64_MAX << (128 - len) : 0;
}

bool xy_prefix_contains(const struct xy_prefix *p, const struct xy_addr *a)
{
	uint64_t mask[2];
	// ::/0 does not hold IPv4, although v4-mapped addresses look as if it did.
	if (xy_prefix_is_v4(p) != xy_addr_is_v4(a))
		return false;
	netmask(p->len, mask);
	return ((xy_be64_load(p->addr.b) ^ xy_be64_load(a->b)) & mask[0]) == 0 &&
	       ((xy_be64_load(p->addr.b + 8) ^ xy_be64_load(a->b + 8)) & mask[1]) == 0;
}

bool xy_prefix_covers(const struct xy_prefix *outer, const struct xy_prefix *inner)
{
	return outer->len <= inner->len && xy_prefix_contains(outer, &inner->addr);
}

bool xy_prefix_eq(const struct xy_prefix *a, const struct xy_prefix *b)
{
	return a->len == b->len && xy_addr_eq(&a->addr, &b->addr);
}

void xy_prefix_mask(struct xy_prefix *p)
{
	uint64_t mask[2];
	netmask(p->len, mask);
	xy_be64_store(p->addr.b, xy_be64_load(p->addr.b) & mask[0]);
	xy_be64_store(p->addr.b + 8, xy_be64_load(p->addr.b + 8) & mask[1]);
}
