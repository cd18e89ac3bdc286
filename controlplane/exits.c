// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_EXITS

#include "exits.h"

#include "daemon.h"
#include "interface.h"
#include "kernel/detour.h"
#include "kernel/underlay.h"
#include "pace.h"
#include "policy/nat.h"
#include "pool.h"
#include "ports.h"
#include "strict.h"
#include "warden/warden.h"

#include <jansson.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>

#define AGAIN	   (5 * XY_SEC)	 // what is refused now may be allowed later
#define LOOK_EVERY 5		 // seconds, at what is others' to make
#define LOOK_SOME  60		 // at NAT, once it is there: all rules are read for that
#define SETTLE	   (15 * XY_SEC) // until a route may be missed

// What others are to make or to leave alone, and is not as it should be.
enum lack {
	NO_WAY_V6, // used: no route to the exit
	NO_WAY_V4,
	STRICT,
	NO_FORWARD_V6, // offered
	NO_FORWARD_V4,
	NO_NAT_V6,
	NO_NAT_V4,
	NAT_UNKNOWN,
	LACKS,
};

struct xy_exits {
	uint32_t table;
	bool made;    // rules are there, as far as we know
	bool leaving; // they are to go, and the kernel did not let us yet
	bool open;    // one of them was taken away: the refusal is looked after at once
	xy_nsec at;   // of the next look at them
	struct xy_pace pace;
	bool fighting;	   // it was said
	struct xy_err why; // they cannot be made; empty: they can
	bool lacks[LACKS];
	xy_nsec since;	   // the plan is in force
	unsigned plan;	   // its number
	bool looked;	   // NAT was looked for, since the plan that is in force
	bool looking;	   // a helper does
	char strict[16];   // interface
	struct xy_err nat; // why nobody can tell
};

// --- what the config wants

static bool is_used(const struct xy_daemon *d)
{
	return d->plan.config.exit.used && !d->no_tun;
}

static bool is_offered(const struct xy_daemon *d)
{
	return d->plan.config.exit.offer && !d->no_tun;
}

static uint32_t mark_of(const struct xy_daemon *d)
{
	uint32_t mark = d->plan.config.fwmark;
	return mark || !is_used(d) ? mark : xy_detour_table(d->name);
}

// What goes under an address of another interface has no way back.
static bool has_v4(const struct xy_config *c)
{
	for (unsigned i = 0; i < c->host.address_count; i++)
		if (xy_addr_is_v4(&c->host.addresses[i].addr))
			return true;
	return false;
}

// --- the rules of the one that is used

// The rules are not as they are to be; they are looked at again.
static void trouble(struct xy_exits *e, const struct xy_err *why)
{
	if (strcmp(why->text, e->why.text) != 0)
		xy_log_warn("%s", why->text);
	e->why = *why;
	e->at = xy_now() + AGAIN;
}

static void refused(struct xy_daemon *d, int r)
{
	struct xy_err why;
	xy_err_set(&why, -r,
		   "exit %s: this host's traffic does not go by it, or not all of it: %s "
		   "(rules of policy routing, table %u)",
		   d->plan.config.exit.name, strerror(-r), d->exits->table);
	trouble(d->exits, &why);
}

static void made(struct xy_daemon *d, int changes)
{
	struct xy_exits *e = d->exits;
	const char *name = d->plan.config.exit.name;
	if (!e->made || e->why.text[0]) {
		xy_log_info("exit %s: this host's traffic to the Internet goes by it (table %u)",
			    name, e->table);
	} else if (changes) {
		xy_pace_done(&e->pace, xy_now());
		xy_log_warn("exit %s: somebody took away what leads this host's traffic to it "
			    "(ip rule, table %u); it is back",
			    name, e->table);
	}
	e->made = true;
	e->why.text[0] = 0;
	bool fighting = xy_pace_is_fight(&e->pace, xy_now());
	if (fighting && !e->fighting)
		xy_log_warn("exit %s: that happens again and again, and it is put back ever later, "
			    "at most after %u s; this host's traffic is refused meanwhile",
			    name, (unsigned)(XY_PACE_MOST / XY_SEC));
	e->fighting = fighting;
}

static void make(struct xy_daemon *d)
{
	struct xy_exits *e = d->exits;
	int r = xy_ports_mark(d, mark_of(d));
	if (!r) // unmarked, links would go into themselves
		r = xy_detour_make(&d->netlink, e->table,
				   &(struct xy_detour){.mark = mark_of(d),
						       .ifindex = xy_interface_index(d),
						       .v4 = has_v4(&d->plan.config),
						       .v6 = true});
	if (r < 0)
		refused(d, r);
	else
		made(d, r);
}

static int unmake(struct xy_daemon *d)
{
	struct xy_exits *e = d->exits;
	int r = xy_detour_make(&d->netlink, e->table, NULL);
	e->at = XY_NEVER;
	if (r < 0)
		return r;
	e->made = false;
	e->why.text[0] = 0;
	return 0;
}

static void stays(struct xy_daemon *d, int r)
{
	struct xy_err why;
	xy_err_set(&why, -r,
		   "exit: none is used, but the rules for one stay: %s (ip rule, table %u); it is "
		   "tried again",
		   strerror(-r), d->exits->table);
	trouble(d->exits, &why);
}

// While they are there, what links send must bear the mark: else it goes by them.
static void leave(struct xy_daemon *d)
{
	struct xy_exits *e = d->exits;
	bool known = e->made || e->leaving;
	int r = unmake(d);
	e->leaving = r < 0;
	if (r < 0) {
		xy_ports_mark(d, xy_detour_table(d->name));
		stays(d, r);
		return;
	}
	xy_ports_mark(d, 0);
	if (known)
		xy_log_info("exit: none is used any more");
}

void xy_exits_heard(struct xy_daemon *d, const struct nlmsghdr *h)
{
	struct xy_exits *e = d->exits;
	if (!e || !e->made || (h && !xy_detour_is_about(h, e->table)))
		return;
	e->open |= !h || h->nlmsg_type == RTM_DELRULE;
	xy_exits_look_soon(d);
}

void xy_exits_look_soon(struct xy_daemon *d)
{
	struct xy_exits *e = d->exits;
	if (!e || !is_used(d))
		return;
	xy_nsec due = xy_pace_due(&e->pace, xy_now());
	e->at = due < e->at ? due : e->at;
}

xy_nsec xy_exits_deadline(const struct xy_daemon *d)
{
	if (!d->exits)
		return XY_NEVER;
	return d->exits->open ? 0 : d->exits->at;
}

void xy_exits_run(struct xy_daemon *d)
{
	struct xy_exits *e = d->exits;
	if (e->open && is_used(d)) // what is to be done about it is heard of as well
		xy_detour_refuse(&d->netlink, e->table, mark_of(d));
	e->open = false;
	if (e->at > xy_now())
		return;
	e->at = XY_NEVER;
	if (is_used(d))
		make(d);
	else if (e->leaving)
		leave(d);
}

// --- what is others'

static const struct xy_prefix whole_v6 = {.len = 0},
			      whole_v4 = {.addr.b = {[10] = 0xff, [11] = 0xff}, .len = 96};

// Is the route that is in force the exit's?
static bool leads_out(const struct xy_daemon *d, const struct xy_prefix *p)
{
	const struct xy_rib_route *r = xy_rib_best(&d->rib, p);
	return r && r->route.kind == XY_DP_ROUTE_PEER && r->origin && r->origin->has_key &&
	       memcmp(&r->origin->key, &d->plan.config.exit.key, sizeof(r->origin->key)) == 0;
}

__attribute__((format(printf, 1, 2))) static int number(const char *fmt, ...)
{
	char path[128];
	int v = -1;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	FILE *f = fopen(path, "re");
	if (f && fscanf(f, "%d", &v) != 1)
		v = -1;
	if (f)
		fclose(f);
	return v;
}

// The kernel looks for the way back of what comes in without our mark, so it would be the exit's.
// That is so where peers are beyond a default route.
static bool is_strict(struct xy_daemon *d)
{
	const struct xy_underlay u = {.netlink = &d->netlink, .fwmark = mark_of(d)};
	const struct xy_endpoint far = {.addr = xy_addr_from_v4(UINT32_C(0xc0000201)), .port = 9};
	struct xy_underlay_path path;
	char *name = d->exits->strict;
	if (xy_underlay_path(&u, &far, false, &path) || !if_indextoname(path.next.ifindex, name))
		return false;
	return xy_strict_to_marks("", name);
}

static const char *lack_text(const struct xy_daemon *d, enum lack what, char *to, size_t size)
{
	const struct xy_exits *e = d->exits;
	const char *name = d->plan.config.exit.name;
	switch (what) {
	case NO_WAY_V6:
	case NO_WAY_V4:
		snprintf(to, size,
			 "exit %s: no route leads to it: it does not run or offer none, no way "
			 "leads there, "
			 "or no peer's endpoint could be resolved; no %s of this host goes to the "
			 "Internet until it is there, and none past it",
			 name, what == NO_WAY_V4 ? "IPv4" : "IPv6");
		break;
	case STRICT:
		snprintf(to, size,
			 "exit %s: rp_filter of %s is strict, so the kernel drops what links bring "
			 "there: sysctl -w net.ipv4.conf.%s.rp_filter=2",
			 name, e->strict, e->strict);
		break;
	case NO_FORWARD_V6:
	case NO_FORWARD_V4:
		snprintf(to, size, "exit: this host does not forward %s: sysctl -w %s=1",
			 what == NO_FORWARD_V4 ? "IPv4" : "IPv6",
			 what == NO_FORWARD_V4 ? "net.ipv4.ip_forward"
					       : "net.ipv6.conf.all.forwarding");
		break;
	case NO_NAT_V6:
	case NO_NAT_V4:
		snprintf(to, size,
			 "exit: there is no NAT rule for %s of the mesh, so no answers come back; "
			 "xylemd --check prints it",
			 what == NO_NAT_V4 ? "IPv4" : "IPv6");
		break;
	case NAT_UNKNOWN:
		snprintf(to, size, "exit: whether there is a NAT rule is not known: %.200s",
			 e->nat.text);
		break;
	case LACKS:
		break;
	}
	return to;
}

static void lack_set(struct xy_daemon *d, enum lack what, bool lacks)
{
	char text[400];
	if (lacks == d->exits->lacks[what])
		return;
	d->exits->lacks[what] = lacks;
	lack_text(d, what, text, sizeof(text));
	if (lacks)
		xy_log_warn("%s", text);
	else
		xy_log_info("no longer: %s", text);
}

// --- a helper lists all rules

struct errand {
	struct xy_daemon *d;
	unsigned plan; // by which it was asked
	struct xy_prefix *v4;
	unsigned count;
	char interface[16];
	struct xy_nat_found found;
	int result;
	struct xy_err err;
};

// Rules of the older iptables cannot be listed so; where there are some, they are believed in.
static bool has_legacy_nat(const char *path)
{
	char line[32];
	bool any = false;
	FILE *f = fopen(path, "re");
	if (!f && errno == EACCES) // there are some, which only root may read
		return true;
	while (f && fgets(line, sizeof(line), f))
		any |= strcmp(line, "nat\n") == 0;
	if (f)
		fclose(f);
	return any;
}

static int nat_find(struct errand *e)
{
	char *json;
	int r = xy_nat_list(&json, &e->err);
	if (r)
		return r;
	r = xy_nat_find(json, e->interface, e->v4, e->count, &e->found);
	free(json);
	return r ? xy_err_set(&e->err, EINVAL, "its list cannot be read") : 0;
}

static void work(void *what)
{
	struct errand *e = what;
	struct xy_warden *helper = e->d->sandbox.warden;
	e->result =
		helper ? xy_warden_nat(helper, &e->found.v6, &e->found.v4, &e->err) : nat_find(e);
	if (e->result)
		return;
	e->found.v6 |= has_legacy_nat("/proc/net/ip6_tables_names");
	e->found.v4 |= has_legacy_nat("/proc/net/ip_tables_names");
}

static void done(void *what)
{
	struct errand *e = what;
	struct xy_daemon *d = e->d;
	if (d->exits && is_offered(d) && d->exits->plan == e->plan) {
		d->exits->looked = true;
		d->exits->nat = e->err;
		lack_set(d, NAT_UNKNOWN, e->result);
		lack_set(d, NO_NAT_V6, !e->result && !e->found.v6);
		lack_set(d, NO_NAT_V4, !e->result && e->count && !e->found.v4);
	}
	if (d->exits)
		d->exits->looking = false;
	free(e->v4);
	free(e);
}

static void nat_look(struct xy_daemon *d)
{
	struct errand *e = d->exits->looking ? NULL : calloc(1, sizeof(*e));
	if (!e)
		return;
	e->d = d;
	e->plan = d->exits->plan;
	e->v4 = xy_nat_sources(&d->plan.config, &e->count);
	snprintf(e->interface, sizeof(e->interface), "%s", xy_interface_name(d));
	if (!e->v4) {
		free(e);
		return;
	}
	d->exits->looking = true;
	xy_pool_run(d, work, done, e);
}

static bool lacks_nat(const struct xy_exits *e)
{
	return e->lacks[NO_NAT_V6] || e->lacks[NO_NAT_V4] || e->lacks[NAT_UNKNOWN];
}

static void look_at_offered(struct xy_daemon *d)
{
	unsigned v4;
	struct xy_prefix *sources = xy_nat_sources(&d->plan.config, &v4);
	free(sources);
	lack_set(d, NO_FORWARD_V6, number("/proc/sys/net/ipv6/conf/all/forwarding") == 0);
	lack_set(d, NO_FORWARD_V4,
		 v4 && number("/proc/sys/net/ipv4/conf/%s/forwarding", xy_interface_name(d)) == 0);
	if (!d->exits->looked || lacks_nat(d->exits) || xy_tick_every(&d->tick, LOOK_SOME))
		nat_look(d);
}

// It has to be learned first.
static void way_look(struct xy_daemon *d, enum lack what, bool missing)
{
	if (!missing || xy_now() - d->exits->since >= SETTLE)
		lack_set(d, what, missing);
}

void xy_exits_second(struct xy_daemon *d)
{
	struct xy_exits *e = d->exits;
	bool due = xy_tick_every(&d->tick, LOOK_EVERY);
	if (!e)
		return;
	if (is_used(d)) {
		way_look(d, NO_WAY_V6, !leads_out(d, &whole_v6));
		way_look(d, NO_WAY_V4, has_v4(&d->plan.config) && !leads_out(d, &whole_v4));
		if (due)
			lack_set(d, STRICT, is_strict(d));
	}
	if (is_offered(d) && (due || !e->looked))
		look_at_offered(d);
}

// --- for people

const char *xy_exits_word(const struct xy_daemon *d, char *to, size_t size)
{
	const struct xy_config *c = &d->plan.config;
	if (is_used(d))
		snprintf(to, size, "by %s", c->exit.name);
	else if (is_offered(d) && c->exit.all)
		snprintf(to, size, "offered to all");
	else if (is_offered(d))
		snprintf(to, size, "offered to %u", c->exit.user_count);
	else
		return NULL;
	return to;
}

void xy_exits_warnings(const struct xy_daemon *d, json_t *list)
{
	const struct xy_exits *e = d->exits;
	const struct xy_config *c = &d->plan.config;
	char text[400];
	if (d->no_tun && (c->exit.used || c->exit.offer))
		json_array_append_new(
			list,
			json_string("exit has no effect: --no-tun, so there is no interface"));
	if (!e)
		return;
	if (e->why.text[0])
		json_array_append_new(list, json_string(e->why.text));
	if (e->made && xy_pace_is_fight(&e->pace, xy_now()))
		json_array_append_new(list, json_string("somebody takes away again and again what "
							"leads this host's traffic to the exit: "
							"see the log"));
	for (unsigned i = 0; i < LACKS; i++)
		if (e->lacks[i])
			json_array_append_new(
				list, json_string(lack_text(d, (enum lack)i, text, sizeof(text))));
}

void xy_exits_print(FILE *to, const struct xy_config *c, const char *interface)
{
	unsigned count;
	struct xy_prefix *v4 = c->exit.offer ? xy_nat_sources(c, &count) : NULL;
	if (!v4)
		return;
	fputs("# exit = \"offer\" needs of this host, made by you and kept over a restart (in "
	      "/etc/sysctl.d, /etc/nftables.conf):\n#   sysctl -w net.ipv6.conf.all.forwarding=1\n",
	      to);
	if (count)
		fputs("#   sysctl -w net.ipv4.ip_forward=1\n", to);
	xy_nat_print(to, "#   ", interface, v4, count);
	free(v4);
}

// --- life

// Of a killed instance that nobody starts again they would keep this host's traffic for ever.
static void others_say(struct xy_daemon *d)
{
	uint32_t other = xy_detour_other(&d->netlink, xy_detour_table(d->name));
	if (other)
		xy_log_warn(
			"exit: another instance has rules on this host (ip rule, table %u), by "
			"which traffic goes to its exit or nowhere; if none runs that uses one: "
			"ip -4 rule flush protocol 120; ip -6 rule flush protocol 120 (what is "
			"of a running one comes back)",
			other);
}

int xy_exits_up(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_exits *e = calloc(1, sizeof(*e));
	if (!e)
		return xy_err_set(err, ENOMEM, "no memory for exits");
	e->table = xy_detour_table(d->name);
	e->at = XY_NEVER;
	e->since = xy_now();
	d->exits = e;
	others_say(d);
	if (!is_used(d)) {
		leave(d); // a killed daemon's
		return 0;
	}
	int r = xy_ports_mark(d, mark_of(d));
	return r ? xy_err_set(err, -r,
			      "exit: UDP sockets cannot be marked: %s; it needs CAP_NET_ADMIN: run "
			      "as root, or leave exit out",
			      strerror(-r))
		 : 0;
}

void xy_exits_begin(struct xy_daemon *d)
{
	if (is_used(d))
		make(d);
}

void xy_exits_apply(struct xy_daemon *d, const struct xy_config *old)
{
	struct xy_exits *e = d->exits;
	bool was = e->made || e->why.text[0];
	memset(e->lacks, 0, sizeof(e->lacks));
	e->since = xy_now();
	e->plan++;
	e->looked = false;
	if (is_used(d)) {
		e->leaving = false;
		if (e->made &&
		    memcmp(&old->exit.key, &d->plan.config.exit.key, sizeof(old->exit.key)) != 0)
			xy_log_info("exit %s: this host's traffic goes by it, no more by %s",
				    d->plan.config.exit.name, old->exit.name);
		e->at = xy_now();
		return;
	}
	if (was)
		leave(d);
}

void xy_exits_down(struct xy_daemon *d, bool ordered)
{
	struct xy_exits *e = d->exits;
	int r = ordered && e && (is_used(d) || e->leaving) ? unmake(d) : 0;
	if (r)
		xy_log_warn("exit: its rules stay behind (ip rule, table %u): %s", e->table,
			    strerror(-r));
	free(d->exits);
	d->exits = NULL;
}
