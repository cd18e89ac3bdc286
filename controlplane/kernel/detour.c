// SPDX-License-Identifier: BSD-3-Clause
#include "kernel/detour.h"

#include "kernel/hostlink.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

enum {
	REQUEST = 256,
	RULES = 16, // of ours in one family that are looked at, at a time
	TRIES = 8,  // at a list that changes while it is read
	WANTED = 3,
};
#define TABLES UINT32_C(0x78790000) // "xy", and bits of the instance
#define NAMES  0x3fff		    // without 0x4000 and 0x8000, which Kubernetes has as marks

uint32_t xy_detour_table(const char *instance)
{
	uint32_t h = UINT32_C(2166136261); // FNV-1a
	for (; *instance; instance++)
		h = (h ^ (uint8_t)*instance) * UINT32_C(16777619);
	return TABLES | ((h ^ h >> 16) & NAMES);
}

// --- rules

struct rule {
	uint8_t family, action;
	uint32_t priority, table, mark;
	bool invert, suppresses; // default routes
};

struct rules { // of ours that are there
	uint32_t table;
	uint32_t others; // table of another instance that has some
	unsigned count;
	struct rule v[RULES];
};

static int rule_send(struct xy_netlink *n, uint16_t type, const struct rule *r)
{
	char buf[REQUEST];
	struct fib_rule_hdr *m;
	uint16_t flags = NLM_F_ACK | (type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct nlmsghdr *h = xy_netlink_request(n, buf, type, flags, sizeof(*m), &m);
	m->family = r->family;
	m->action = r->action;
	m->table = RT_TABLE_UNSPEC; // it is larger than this field
	m->flags = r->invert ? FIB_RULE_INVERT : 0;
	mnl_attr_put_u32(h, FRA_PRIORITY, r->priority);
	mnl_attr_put_u32(h, FRA_TABLE, r->table);
	mnl_attr_put_u8(h, FRA_PROTOCOL, XY_HOSTLINK_PROTOCOL);
	if (r->mark)
		mnl_attr_put_u32(h, FRA_FWMARK, r->mark);
	if (r->suppresses)
		mnl_attr_put_u32(h, FRA_SUPPRESS_PREFIXLEN, 0);
	return xy_netlink_answer(n, h, NULL, NULL);
}

static bool rule_read(const struct nlmsghdr *h, struct rule *r)
{
	const struct fib_rule_hdr *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	uint8_t protocol = 0;
	*r = (struct rule){.family = m->family,
			   .action = m->action,
			   .table = m->table,
			   .invert = m->flags & FIB_RULE_INVERT};
	mnl_attr_for_each(attr, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(attr)) {
		case FRA_PRIORITY:
			r->priority = mnl_attr_get_u32(attr);
			break;
		case FRA_TABLE:
			r->table = mnl_attr_get_u32(attr);
			break;
		case FRA_FWMARK:
			r->mark = mnl_attr_get_u32(attr);
			break;
		case FRA_SUPPRESS_PREFIXLEN:
			r->suppresses = mnl_attr_get_u32(attr) == 0;
			break;
		case FRA_PROTOCOL:
			protocol = mnl_attr_get_u8(attr);
			break;
		}
	}
	return protocol == XY_HOSTLINK_PROTOCOL;
}

// Another instance's first rule is the same as ours; its table is not.
static int on_rule(const struct nlmsghdr *h, void *arg)
{
	struct rules *all = arg;
	struct rule r;
	if (!rule_read(h, &r))
		return MNL_CB_OK;
	bool shared = r.priority == XY_DETOUR_MAIN;
	if (r.table != all->table && !shared)
		all->others = r.priority == XY_DETOUR_OURS || r.priority == XY_DETOUR_REFUSED
				      ? r.table
				      : all->others;
	else if (all->count < RULES)
		all->v[all->count++] = r;
	return MNL_CB_OK;
}

static int rules_read(struct xy_netlink *n, uint8_t family, uint32_t table, struct rules *out)
{
	char buf[REQUEST];
	struct fib_rule_hdr *m;
	int r = -EINTR;
	for (unsigned i = 0; r == -EINTR && i < TRIES; i++) {
		struct nlmsghdr *h =
			xy_netlink_request(n, buf, RTM_GETRULE, NLM_F_DUMP, sizeof(*m), &m);
		m->family = family;
		*out = (struct rules){.table = table};
		r = xy_netlink_answer(n, h, on_rule, out);
	}
	return r;
}

static bool is_same(const struct rule *a, const struct rule *b)
{
	return a->action == b->action && a->priority == b->priority && a->table == b->table &&
	       a->mark == b->mark && a->invert == b->invert && a->suppresses == b->suppresses;
}

// The first one, which all instances share, stays for as long as one has others.
static unsigned rules_want(uint8_t family, uint32_t table, const struct xy_detour *want,
			   bool others, struct rule to[static WANTED])
{
	if (!want && !others)
		return 0;
	to[0] = (struct rule){.family = family,
			      .action = FR_ACT_TO_TBL,
			      .priority = XY_DETOUR_MAIN,
			      .table = RT_TABLE_MAIN,
			      .suppresses = true};
	if (!want)
		return 1;
	to[1] = (struct rule){.family = family,
			      .action = FR_ACT_TO_TBL,
			      .priority = XY_DETOUR_OURS,
			      .table = table,
			      .mark = want->mark,
			      .invert = true};
	to[2] = to[1]; // the table says whose it is, and no more
	to[2].action = FR_ACT_UNREACHABLE;
	to[2].priority = XY_DETOUR_REFUSED;
	return WANTED;
}

static void note(int *result, int r)
{
	if (*result >= 0)
		*result = r < 0 ? r : *result + 1;
}

// What is missing comes first, so that nothing goes past meanwhile. Is anything to be seen again?
static bool rules_pass(struct xy_netlink *n, uint8_t family, uint32_t table,
		       const struct xy_detour *want, int *result)
{
	struct rules there;
	struct rule to[WANTED];
	bool have[WANTED] = {false}, good[RULES] = {false}, gone = false;
	int r = rules_read(n, family, table, &there);
	if (!want && (r == -EOPNOTSUPP || r == -EAFNOSUPPORT)) // a kernel that has no such rules
		return false;
	if (r) {
		note(result, r);
		return false;
	}
	unsigned count = rules_want(family, table, want, there.others, to);
	for (unsigned i = 0; i < there.count; i++)
		for (unsigned k = 0; k < count && !good[i]; k++)
			if (!have[k] && is_same(&there.v[i], &to[k]))
				have[k] = good[i] = true;
	for (unsigned k = count; k-- > 0;) // the refusal first of all
		if (!have[k] && (r = rule_send(n, RTM_NEWRULE, &to[k])) != -EEXIST &&
		    (want || r != -EPERM)) // who never had an exit may not put it back for others
			note(result, r);
	for (unsigned i = 0; i < there.count; i++)
		if (!good[i]) {
			note(result, rule_send(n, RTM_DELRULE, &there.v[i]));
			gone = true;
		}
	return gone && *result >= 0;
}

// The kernel may take a like one for that which is to go, and there may be more than were looked
// at.
static void rules_make(struct xy_netlink *n, uint8_t family, uint32_t table,
		       const struct xy_detour *want, int *result)
{
	for (unsigned i = 0; i < TRIES && rules_pass(n, family, table, want, result); i++)
		continue;
}

bool xy_detour_is_there(struct xy_netlink *n, uint32_t table)
{
	static const uint8_t family[] = {AF_INET, AF_INET6};
	struct rules there;
	for (unsigned i = 0; i < 2; i++) {
		if (rules_read(n, family[i], table, &there))
			continue;
		for (unsigned k = 0; k < there.count; k++)
			if (there.v[k].table == table)
				return true;
	}
	return false;
}

uint32_t xy_detour_other(struct xy_netlink *n, uint32_t table)
{
	struct rules v4, v6;
	if (rules_read(n, AF_INET, table, &v4) == 0 && v4.others)
		return v4.others;
	return rules_read(n, AF_INET6, table, &v6) == 0 ? v6.others : 0;
}

int xy_detour_refuse(struct xy_netlink *n, uint32_t table, uint32_t mark)
{
	const struct xy_detour want = {.mark = mark};
	struct rule to[WANTED];
	int result = 0;
	for (unsigned i = 0; i < 2; i++) {
		rules_want(i ? AF_INET6 : AF_INET, table, &want, false, to);
		int r = rule_send(n, RTM_NEWRULE, &to[WANTED - 1]);
		if (r != -EEXIST && r != -EAFNOSUPPORT && r != -EOPNOTSUPP)
			note(&result, r);
	}
	return result;
}

// --- the table

// The default route by an interface; 0: by whichever.
static int route_send(struct xy_netlink *n, uint16_t type, uint8_t family, uint32_t table,
		      unsigned ifindex)
{
	char buf[REQUEST];
	struct rtmsg *m;
	uint16_t flags = NLM_F_ACK | (type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct nlmsghdr *h = xy_netlink_request(n, buf, type, flags, sizeof(*m), &m);
	m->rtm_family = family;
	m->rtm_table = RT_TABLE_UNSPEC;
	m->rtm_protocol = XY_HOSTLINK_PROTOCOL;
	m->rtm_scope = family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(h, RTA_TABLE, table);
	if (ifindex)
		mnl_attr_put_u32(h, RTA_OIF, ifindex);
	return xy_netlink_answer(n, h, NULL, NULL);
}

static void family_make(struct xy_netlink *n, uint8_t family, uint32_t table,
			const struct xy_detour *want, int *result)
{
	bool goes = want && want->ifindex && (family == AF_INET ? want->v4 : want->v6);
	int r = goes ? route_send(n, RTM_NEWROUTE, family, table, want->ifindex) : -EEXIST;
	if (r != -EEXIST) // it is there before the rule
		note(result, r);
	rules_make(n, family, table, want, result);
	if (!want)
		route_send(n, RTM_DELROUTE, family, table, 0); // mostly it went with its interface
}

int xy_detour_make(struct xy_netlink *n, uint32_t table, const struct xy_detour *want)
{
	int v4 = 0, v6 = 0;
	family_make(n, AF_INET, table, want, &v4);
	family_make(n, AF_INET6, table, want, &v6);
	if (v6 == -EAFNOSUPPORT || v6 == -EOPNOTSUPP) // a kernel without IPv6 sends none
		v6 = 0;
	return v4 < 0 ? v4 : v6 < 0 ? v6 : v4 + v6;
}

bool xy_detour_is_about(const struct nlmsghdr *h, uint32_t table)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	if (h->nlmsg_type == RTM_NEWRULE || h->nlmsg_type == RTM_DELRULE)
		return true;
	if (h->nlmsg_type != RTM_NEWROUTE && h->nlmsg_type != RTM_DELROUTE)
		return false;
	mnl_attr_for_each(attr, h, sizeof(*m)) if (mnl_attr_get_type(attr) ==
						   RTA_TABLE) return mnl_attr_get_u32(attr) ==
		table;
	return false;
}
