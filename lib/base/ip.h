// SPDX-License-Identifier: BSD-3-Clause
// Addresses, prefixes and endpoints. IPv4 is always held v4-mapped (::ffff:a.b.c.d, prefix length
// + 96), so one type serves both families. Any thread; values, nothing is owned.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct xy_addr {
	uint8_t b[16]; // network order
};

struct xy_prefix {
	struct xy_addr addr; // host bits are 0
	uint8_t len;	     // 0..128; IPv4 is 96..128 under ::ffff:0:0/96
};

// What takes datagrams to an endpoint. One with another carrier is another endpoint.
enum xy_carrier { XY_CARRIER_UDP };

struct xy_endpoint {
	struct xy_addr addr;
	uint32_t scope;	 // interface index for fe80::/10, else 0
	uint16_t port;	 // host order; 0 = no endpoint
	uint8_t carrier; // enum xy_carrier
};
_Static_assert(sizeof(struct xy_endpoint) == 24, "three words: workers copy and compare it");

#define XY_ADDR_STRLEN	   64 // "[v6%scope]" with room
#define XY_PREFIX_STRLEN   72
#define XY_ENDPOINT_STRLEN 80

static inline bool xy_addr_is_v4(const struct xy_addr *a)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

static inline bool xy_addr_eq(const struct xy_addr *a, const struct xy_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool xy_addr_is_link_local(const struct xy_addr *a) // fe80::/10
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

// 200::/7, the mesh: its addresses are hashes of keys.
#define XY_MESH_PREFIX                                  \
	{                                               \
		.addr = {.b = {XY_MESH_BYTE}}, .len = 7 \
	}					   // initializes a struct xy_prefix
enum { XY_MESH_BYTE = 0x02, XY_MESH_MASK = 0xfe }; // of the first byte

static inline bool xy_addr_is_mesh(const struct xy_addr *a)
{
	return (a->b[0] & XY_MESH_MASK) == XY_MESH_BYTE;
}

static inline bool xy_prefix_is_v4(const struct xy_prefix *p)
{
	return p->len >= 96 && xy_addr_is_v4(&p->addr);
}

// ::/0 or 0.0.0.0/0
static inline bool xy_prefix_is_default(const struct xy_prefix *p)
{
	return p->len == (xy_prefix_is_v4(p) ? 96 : 0);
}

struct xy_addr xy_addr_from_v4(uint32_t host_order);
bool xy_addr_is_multicast(const struct xy_addr *a);   // ff00::/8, 224.0.0.0/4, 255.255.255.255
bool xy_addr_is_unspecified(const struct xy_addr *a); // :: or 0.0.0.0
// Never routed (RFC 8966 appendix C, and what else is no place to send packets to).
bool xy_prefix_is_martian(const struct xy_prefix *p);

// May a socket bound to `local` send to `remote`? "::" is both families, 0.0.0.0 IPv4 alone.
static inline bool xy_addr_reaches(const struct xy_addr *local, const struct xy_addr *remote)
{
	bool any = xy_addr_is_unspecified(local) && !xy_addr_is_v4(local);
	return any || xy_addr_is_v4(local) == xy_addr_is_v4(remote);
}

// Parsers take exactly the whole string; -EINVAL otherwise. A prefix without "/len" is a host
// prefix; host bits that are set are refused with -EDOM, and *out holds them (an address with its
// length; xy_prefix_mask gives the prefix that was meant).
int xy_addr_parse(const char *s, struct xy_addr *out);
int xy_prefix_parse(const char *s, struct xy_prefix *out);
// "192.0.2.1:51820" or "[2001:db8::1]:51820" or "[fe80::1%2]:51820"; port 1..65535. A name
// instead of an address, or an interface by its name ("[fe80::1%eth0]:51820"), gives -ENOENT (to be
// resolved by the caller: xy_hostport_split, then getaddrinfo).
int xy_endpoint_parse(const char *s, struct xy_endpoint *out);
// Splits "host:port" or "[v6]:port" into its parts; port 1..65535 required.
int xy_hostport_split(const char *s, char *host, size_t host_size, uint16_t *port);

// Formatters write a NUL-terminated string (RFC 5952; IPv4 dotted) and return buf.
const char *xy_addr_str(const struct xy_addr *a, char buf[static XY_ADDR_STRLEN]);
const char *xy_prefix_str(const struct xy_prefix *p, char buf[static XY_PREFIX_STRLEN]);
const char *xy_endpoint_str(const struct xy_endpoint *e, char buf[static XY_ENDPOINT_STRLEN]);

// The families are apart: ::/0 holds no IPv4 address, 0.0.0.0/0 no IPv6.
bool xy_prefix_contains(const struct xy_prefix *p, const struct xy_addr *a);
bool xy_prefix_covers(const struct xy_prefix *outer, const struct xy_prefix *inner);
bool xy_prefix_eq(const struct xy_prefix *a, const struct xy_prefix *b);
static inline bool xy_endpoint_eq(const struct xy_endpoint *a, const struct xy_endpoint *b)
{
	return a->port == b->port && a->carrier == b->carrier && a->scope == b->scope &&
	       xy_addr_eq(&a->addr, &b->addr);
}
void xy_prefix_mask(struct xy_prefix *p); // clears the host bits
