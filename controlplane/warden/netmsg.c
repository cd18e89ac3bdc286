// SPDX-License-Identifier: BSD-3-Clause
#include "warden/netmsg.h"

#include "base/cursor.h"
#include "kernel/detour.h"
#include "kernel/hostlink.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

enum {
	ATTRIBUTES = 8,
	MTU_LEAST = 1280, // RFC 8200
	MTU_MOST = 65535,
	ASKS = NLM_F_REQUEST | NLM_F_ACK,
};

// --- attributes

// One that a message may have, and what it said; size 0: an address of either family.
struct attribute {
	uint16_t type, size;
	const uint8_t *at; // NULL: it is not there
	uint16_t len;
};

static struct attribute *wanted(struct attribute v[static ATTRIBUTES], uint16_t type)
{
	for (unsigned i = 0; i < ATTRIBUTES && (v[i].size || v[i].type); i++)
		if (v[i].type == type)
			return &v[i];
	return NULL;
}

static bool has_size(const struct attribute *a, size_t len)
{
	return a->size ? len == a->size : len == 4 || len == 16;
}

// Each at most once, none that is not wanted, none of another size.
static bool attributes_read(struct xy_cursor *c, struct attribute v[static ATTRIBUTES])
{
	while (xy_cursor_left(c)) {
		struct nlattr head;
		xy_cursor_copy(c, &head, sizeof(head));
		if (c->bad || head.nla_len < sizeof(head))
			return false;
		uint16_t len = (uint16_t)(head.nla_len - sizeof(head));
		struct attribute *a = wanted(v, head.nla_type);
		const uint8_t *at = xy_cursor_take(c, len);
		if (!at || !xy_cursor_take(c, NLA_ALIGN(len) - len) || !a || a->at ||
		    !has_size(a, len))
			return false;
		a->at = at;
		a->len = len;
	}
	return true;
}

static uint32_t number(const struct attribute *a)
{
	uint32_t v = 0;
	if (a->at && a->len == sizeof(v))
		memcpy(&v, a->at, sizeof(v));
	return v;
}

// Of the family; false: it is none.
static bool address(const struct attribute *a, uint8_t family, struct xy_addr *out)
{
	if (!a->at || a->len != (family == AF_INET ? 4 : 16))
		return false;
	if (family == AF_INET6) {
		memcpy(out->b, a->at, 16);
		return !xy_addr_is_v4(out); // or it would be read as the other family's
	}
	*out = xy_addr_from_v4(xy_be32_load(a->at));
	return true;
}

static bool is_family(uint8_t family)
{
	return family == AF_INET || family == AF_INET6;
}

// As the kernel has it, as we do. False: longer than its address.
static bool prefix(const struct attribute *a, uint8_t family, uint8_t len, struct xy_prefix *out)
{
	bool v4 = family == AF_INET;
	out->len = (uint8_t)(v4 ? len + 96 : len);
	return len <= (v4 ? 32 : 128) && address(a, family, &out->addr);
}

// --- links

// Nothing but that no address comes by itself.
static bool is_quiet(const struct attribute *spec)
{
	const struct {
		struct nlattr family, mode;
		uint8_t value;
	} __attribute__((packed))
	want = {.family = {.nla_len = 12, .nla_type = AF_INET6 | NLA_F_NESTED},
		.mode = {.nla_len = 5, .nla_type = IFLA_INET6_ADDR_GEN_MODE},
		.value = IN6_ADDR_GEN_MODE_NONE};
	return spec->at && memcmp(spec->at, &want, sizeof(want)) == 0; // behind it: to align
}

// --- the interface itself

static bool link_may(unsigned ifindex, struct xy_cursor *c, uint16_t flags)
{
	enum { MTU, SPEC };
	struct attribute v[ATTRIBUTES] = {
		[MTU] = {.type = IFLA_MTU, .size = 4},
		[SPEC] = {.type = IFLA_AF_SPEC | NLA_F_NESTED, .size = 12}};
	struct ifinfomsg m;
	xy_cursor_copy(c, &m, sizeof(m));
	if (c->bad || flags != ASKS || m.ifi_family != AF_UNSPEC || m.__ifi_pad || m.ifi_type ||
	    !ifindex || m.ifi_index != (int)ifindex || (m.ifi_change && m.ifi_change != IFF_UP) ||
	    m.ifi_flags != m.ifi_change || !attributes_read(c, v))
		return false;
	if (v[SPEC].at)
		return !v[MTU].at && !m.ifi_change && is_quiet(&v[SPEC]);
	return v[MTU].at && number(&v[MTU]) >= MTU_LEAST && number(&v[MTU]) <= MTU_MOST;
}

// --- addresses

static bool address_may(const struct xy_scope *s, unsigned ifindex, struct xy_cursor *c,
			uint16_t flags)
{
	enum { LOCAL, ADDRESS, FLAGS };
	struct attribute v[ATTRIBUTES] = {[LOCAL] = {.type = IFA_LOCAL},
					  [ADDRESS] = {.type = IFA_ADDRESS},
					  [FLAGS] = {.type = IFA_FLAGS, .size = 4}};
	struct ifaddrmsg m;
	struct xy_prefix a, peer;
	xy_cursor_copy(c, &m, sizeof(m));
	if (c->bad || m.ifa_flags || m.ifa_scope || !ifindex || m.ifa_index != ifindex ||
	    !is_family(m.ifa_family) || !attributes_read(c, v) || !v[FLAGS].at)
		return false;
	uint32_t how = number(&v[FLAGS]) & ~(uint32_t)IFA_F_NOPREFIXROUTE;
	bool again = flags == (ASKS | NLM_F_CREATE | NLM_F_EXCL);
	return (again || flags == (ASKS | NLM_F_CREATE | NLM_F_REPLACE)) && how == IFA_F_NODAD &&
	       prefix(&v[LOCAL], m.ifa_family, m.ifa_prefixlen, &a) &&
	       prefix(&v[ADDRESS], m.ifa_family, m.ifa_prefixlen, &peer) &&
	       xy_prefix_eq(&a, &peer) &&
	       (xy_scope_has_address(s, &a) || xy_scope_has_claim(s, &a));
}

// Of what was claimed, or was by an earlier config; what the config gives itself stays.
static bool no_address_may(const struct xy_scope *s, unsigned ifindex, struct xy_cursor *c,
			   uint16_t flags)
{
	enum { LOCAL };
	struct attribute v[ATTRIBUTES] = {[LOCAL] = {.type = IFA_LOCAL}};
	struct ifaddrmsg m;
	struct xy_prefix a;
	xy_cursor_copy(c, &m, sizeof(m));
	return !c->bad && flags == ASKS && !m.ifa_flags && !m.ifa_scope && ifindex &&
	       m.ifa_index == ifindex && is_family(m.ifa_family) && attributes_read(c, v) &&
	       prefix(&v[LOCAL], m.ifa_family, m.ifa_prefixlen, &a) && xy_scope_had_claim(s, &a) &&
	       !xy_scope_has_address(s, &a);
}

// --- routes

// Ours in the main table: what is added leads to what the config names. What is taken away is known
// by its protocol and interface, and may be left of an earlier config.
static bool main_route_may(const struct xy_scope *s, unsigned ifindex, const struct rtmsg *m,
			   const struct attribute *dst, const struct attribute *oif, bool adds)
{
	struct xy_prefix p, masked;
	if (!ifindex || number(oif) != ifindex || !prefix(dst, m->rtm_family, m->rtm_dst_len, &p))
		return false;
	masked = p;
	xy_prefix_mask(&masked);
	return !adds || (xy_prefix_eq(&p, &masked) && xy_scope_has_route(s, &p));
}

// The default route of our table.
static bool table_route_may(const struct xy_scope *s, unsigned ifindex, const struct rtmsg *m,
			    const struct attribute *table, const struct attribute *oif, bool adds)
{
	if (m->rtm_dst_len || number(table) != s->table || !s->table)
		return false;
	return adds ? s->exit && ifindex && number(oif) == ifindex
		    : !oif->at || number(oif) == ifindex;
}

static bool route_may(const struct xy_scope *s, unsigned ifindex, struct xy_cursor *c,
		      uint16_t flags, bool adds)
{
	enum { DST, OIF, METRIC, TABLE };
	struct attribute v[ATTRIBUTES] = {[DST] = {.type = RTA_DST},
					  [OIF] = {.type = RTA_OIF, .size = 4},
					  [METRIC] = {.type = RTA_PRIORITY, .size = 4},
					  [TABLE] = {.type = RTA_TABLE, .size = 4}};
	struct rtmsg m;
	uint16_t want = NLM_F_REQUEST | (adds ? NLM_F_CREATE | NLM_F_EXCL : 0);
	xy_cursor_copy(c, &m, sizeof(m));
	if (c->bad || (flags & ~NLM_F_ACK) != want || !is_family(m.rtm_family) || m.rtm_src_len ||
	    m.rtm_tos || m.rtm_flags || m.rtm_protocol != XY_HOSTLINK_PROTOCOL ||
	    m.rtm_type != RTN_UNICAST ||
	    m.rtm_scope != (m.rtm_family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE) ||
	    !attributes_read(c, v))
		return false;
	if (m.rtm_table == RT_TABLE_MAIN)
		return !v[TABLE].at && main_route_may(s, ifindex, &m, &v[DST], &v[OIF], adds);
	return m.rtm_table == RT_TABLE_UNSPEC && !v[DST].at && !v[METRIC].at &&
	       table_route_may(s, ifindex, &m, &v[TABLE], &v[OIF], adds);
}

// --- rules

struct rule {
	uint32_t priority, table, mark;
	uint8_t action;
	bool invert, marks, suppresses;
};

// It is other instances' as well, and looks into the main table before rules of others do.
static bool rule_is_first(const struct rule *r)
{
	return r->priority == XY_DETOUR_MAIN && r->table == RT_TABLE_MAIN &&
	       r->action == FR_ACT_TO_TBL && !r->invert && !r->marks && r->suppresses;
}

// The three that an exit has.
static bool rule_is_ours(const struct xy_scope *s, const struct rule *r)
{
	switch (r->priority) {
	case XY_DETOUR_MAIN:
		return s->exit_was && rule_is_first(r); // who leaves puts it back for others
	case XY_DETOUR_OURS:
	case XY_DETOUR_REFUSED:
		return s->exit && r->table == s->table && r->invert && r->mark && !r->suppresses &&
		       xy_scope_has_mark(s, r->mark) &&
		       r->action ==
			       (r->priority == XY_DETOUR_OURS ? FR_ACT_TO_TBL : FR_ACT_UNREACHABLE);
	}
	return false;
}

static bool rule_may(const struct xy_scope *s, struct xy_cursor *c, uint16_t flags, bool adds)
{
	enum { PRIORITY, TABLE, PROTOCOL, MARK, SUPPRESS };
	struct attribute v[ATTRIBUTES] = {[PRIORITY] = {.type = FRA_PRIORITY, .size = 4},
					  [TABLE] = {.type = FRA_TABLE, .size = 4},
					  [PROTOCOL] = {.type = FRA_PROTOCOL, .size = 1},
					  [MARK] = {.type = FRA_FWMARK, .size = 4},
					  [SUPPRESS] = {.type = FRA_SUPPRESS_PREFIXLEN, .size = 4}};
	struct fib_rule_hdr m;
	uint16_t want = ASKS | (adds ? NLM_F_CREATE | NLM_F_EXCL : 0);
	xy_cursor_copy(c, &m, sizeof(m));
	if (c->bad || flags != want || !is_family(m.family) || m.dst_len || m.src_len || m.tos ||
	    m.table || m.res1 || m.res2 || (m.flags && m.flags != FIB_RULE_INVERT) ||
	    !attributes_read(c, v) || !v[PRIORITY].at || !v[TABLE].at || !v[PROTOCOL].at ||
	    *v[PROTOCOL].at != XY_HOSTLINK_PROTOCOL || (v[SUPPRESS].at && number(&v[SUPPRESS])))
		return false;
	const struct rule r = {.priority = number(&v[PRIORITY]),
			       .table = number(&v[TABLE]),
			       .mark = number(&v[MARK]),
			       .action = m.action,
			       .invert = m.flags,
			       .marks = v[MARK].at,
			       .suppresses = v[SUPPRESS].at};
	if (adds)
		return rule_is_ours(s, &r);
	return (s->exit_was && rule_is_first(&r)) || (s->table && r.table == s->table);
}

// --- neighbours

// That the kernel is to resolve one, and no more.
static bool neighbour_may(const struct xy_scope *s, struct xy_cursor *c, uint16_t flags)
{
	enum { DST };
	struct attribute v[ATTRIBUTES] = {[DST] = {.type = NDA_DST}};
	struct ndmsg m;
	struct xy_addr to;
	xy_cursor_copy(c, &m, sizeof(m));
	return !c->bad && s->cards && flags == (ASKS | NLM_F_CREATE) && is_family(m.ndm_family) &&
	       m.ndm_ifindex > 0 && !m.ndm_state && m.ndm_flags == NTF_USE && !m.ndm_type &&
	       attributes_read(c, v) && address(&v[DST], m.ndm_family, &to);
}

// --- a list of them

static bool may(const struct xy_scope *s, unsigned ifindex, const struct nlmsghdr *h,
		struct xy_cursor *c)
{
	if (h->nlmsg_type == RTM_NEWNEIGH)
		return neighbour_may(s, c, h->nlmsg_flags);
	if (!s->host && h->nlmsg_type != RTM_DELRULE && h->nlmsg_type != RTM_DELROUTE &&
	    h->nlmsg_type != RTM_NEWRULE)
		return false;
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
		return link_may(ifindex, c, h->nlmsg_flags);
	case RTM_NEWADDR:
		return address_may(s, ifindex, c, h->nlmsg_flags);
	case RTM_DELADDR:
		return no_address_may(s, ifindex, c, h->nlmsg_flags);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_may(s, ifindex, c, h->nlmsg_flags, h->nlmsg_type == RTM_NEWROUTE);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return rule_may(s, c, h->nlmsg_flags, h->nlmsg_type == RTM_NEWRULE);
	}
	return false;
}

int xy_netmsg_check(const struct xy_scope *s, unsigned ifindex, const void *bytes, size_t len,
		    struct xy_netmsg out[static XY_NETMSG_MOST])
{
	struct xy_cursor c = xy_cursor(bytes, len);
	int count = 0;
	if (!len || len > XY_NETMSG_BYTES)
		return -EBADMSG;
	while (xy_cursor_left(&c)) {
		struct nlmsghdr h;
		size_t at = len - xy_cursor_left(&c);
		xy_cursor_copy(&c, &h, sizeof(h));
		if (c.bad || h.nlmsg_len < sizeof(h) || h.nlmsg_len > len ||
		    h.nlmsg_len % NLMSG_ALIGNTO || count == XY_NETMSG_MOST)
			return -EBADMSG;
		struct xy_cursor body = xy_cursor_sub(&c, h.nlmsg_len - sizeof(h));
		if (c.bad)
			return -EBADMSG;
		bool passes = !h.nlmsg_pid && may(s, ifindex, &h, &body);
		out[count++] = (struct xy_netmsg){
			.at = (uint32_t)at, .len = h.nlmsg_len, .error = passes ? 0 : -EPERM};
	}
	return count;
}
