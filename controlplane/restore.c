// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_INTERFACE

#include "restore.h"

#include "daemon.h"
#include "exits.h"
#include "hostroutes.h"
#include "hostside.h"
#include "inbound.h"
#include "interface.h"
#include "pace.h"
#include "taken.h"

#include <stdlib.h>

#define AGAIN (5 * XY_SEC) // what is refused now may be allowed later: IPv6 is switched on again

struct xy_restore {
	xy_nsec at; // the next look; XY_NEVER: when the kernel says something
	struct xy_pace pace;
	bool fighting;	   // it was said
	bool down;	   // it was said
	bool gone;	   // the interface was deleted
	bool routes;	   // some may be missing
	bool counted;	   // what was put back, as one more time
	struct xy_err why; // what is wrong now
	struct xy_log_limit replaced;
};

static void look_at(struct xy_daemon *d, xy_nsec at)
{
	struct xy_restore *r = d->restore;
	r->at = at < r->at ? at : r->at;
}

static void look_soon(struct xy_daemon *d)
{
	look_at(d, xy_pace_due(&d->restore->pace, xy_now()));
}

// --- what the kernel tells

static void replaced_say(struct xy_daemon *d, const struct xy_prefix *p)
{
	char text[XY_PREFIX_STRLEN];
	unsigned long missed;
	if (xy_hostroutes_wants(d, p) &&
	    xy_log_limit_pass(&d->restore->replaced, xy_now(), &missed))
		xy_log_warn("%s: somebody put another route for %s in the place of ours, and this "
			    "host uses that (%lu more like this)",
			    xy_interface_name(d), xy_prefix_str(p, text), missed);
}

static void on_change(void *arg, const struct nlmsghdr *h)
{
	struct xy_daemon *d = arg;
	struct xy_restore *r = d->restore;
	struct xy_hostlink_event e = {.what = XY_HOSTLINK_NO_ADDRESS};
	xy_exits_heard(d, h);
	xy_taken_heard(d, h);
	if (h)
		xy_hostlink_event_read(h, xy_interface_index(d), &e);
	switch (e.what) {
	case XY_HOSTLINK_OTHER:
		return;
	case XY_HOSTLINK_REPLACED: // when that goes, ours comes
		replaced_say(d, &e.prefix);
		return;
	case XY_HOSTLINK_NO_ROUTE: // ours, or another's that stood in its way
		if (!xy_hostroutes_wants(d, &e.prefix))
			return;
		/* fall through */
	case XY_HOSTLINK_NO_ADDRESS: // the kernel takes routes with it, and is silent about some
		r->routes = true;
		break;
	case XY_HOSTLINK_GONE:
		r->gone = true;
		break;
	case XY_HOSTLINK_LINK:
		r->routes |= !e.up;
		break;
	}
	look_soon(d);
}

// --- what is missing

static void count(struct xy_restore *r)
{
	if (!r->counted)
		xy_pace_done(&r->pace, xy_now());
	r->counted = true;
}

static void said(struct xy_restore *r, const char *text)
{
	if (strcmp(r->why.text, text) == 0)
		return;
	snprintf(r->why.text, sizeof(r->why.text), "%s", text);
	xy_log_warn("%s", text);
}

static void name_follow(struct xy_daemon *d, const char *name)
{
	if (strcmp(name, xy_interface_name(d)) == 0)
		return;
	xy_log_info("%s: the interface is called %s now", xy_interface_name(d), name);
	xy_interface_renamed(d, name);
}

// False: nothing can be done while it is down.
static bool is_up(struct xy_daemon *d, const struct xy_hostlink_event *now)
{
	struct xy_restore *r = d->restore;
	if (!now->up) {
		struct xy_err text;
		xy_err_set(&text, 0,
			   "%s: somebody set the interface down; this host has no way into the "
			   "overlay until: ip link set %s up",
			   xy_interface_name(d), xy_interface_name(d));
		said(r, text.text);
		r->down = true;
		return false;
	}
	if (r->down)
		xy_log_info("%s: the interface is up again", xy_interface_name(d));
	r->routes |= r->down;
	r->down = false;
	return true;
}

static bool mtu_back(struct xy_daemon *d, uint32_t mtu)
{
	if (mtu == xy_interface_mtu(d) ||
	    xy_hostlink_set(&d->netlink, xy_interface_index(d), xy_interface_mtu(d), false))
		return false;
	xy_log_warn("%s: somebody set the MTU to %u; it is %u again: host.mtu in the config says "
		    "which it is to be",
		    xy_interface_name(d), mtu, xy_interface_mtu(d));
	return true;
}

static void fight_say(struct xy_daemon *d, xy_nsec now)
{
	struct xy_restore *r = d->restore;
	bool fighting = xy_pace_is_fight(&r->pace, now);
	if (fighting && !r->fighting)
		xy_log_warn("%s: somebody takes away what is ours there again and again; it is put "
			    "back ever later, at most after %u s. Tell the program that manages "
			    "this host's interfaces to leave %s alone: docs/operating.md says how",
			    xy_interface_name(d), (unsigned)(XY_PACE_MOST / XY_SEC),
			    xy_interface_name(d));
	r->fighting = fighting;
}

static void gone_say(struct xy_daemon *d)
{
	xy_log_error("%s: somebody deleted the interface; it is made anew", xy_interface_name(d));
}

static bool remake(struct xy_daemon *d)
{
	struct xy_restore *r = d->restore;
	struct xy_err err;
	if (xy_interface_is_open(d))
		gone_say(d);
	if (xy_hostside_again(d, &err)) {
		said(r, err.text);
		look_at(d, xy_now() + AGAIN);
		return false;
	}
	xy_log_info("%s: the interface is there again", xy_interface_name(d));
	r->gone = r->down = false;
	r->why.text[0] = 0;
	return true;
}

static void put_back(struct xy_daemon *d, const struct xy_hostlink_event *now)
{
	struct xy_restore *r = d->restore;
	struct xy_err err = {0};
	bool any = mtu_back(d, now->mtu);
	any |= xy_interface_readdress(d, &err) > 0;
	if (err.text[0]) {
		said(r, err.text);
		look_at(d, xy_now() + AGAIN);
	} else if (r->why.text[0]) { // routes may have been refused for the same reason
		xy_log_info("%s: all is well again", xy_interface_name(d));
		r->why.text[0] = 0;
		r->routes = true;
	}
	if (r->routes) // also without IPv6: IPv4's
		xy_hostroutes_again(d);
	r->routes = false;
	if (any)
		count(r);
}

xy_nsec xy_restore_deadline(const struct xy_daemon *d)
{
	return d->restore ? d->restore->at : XY_NEVER;
}

void xy_restore_run(struct xy_daemon *d)
{
	struct xy_restore *r = d->restore;
	struct xy_hostlink_event now;
	r->at = XY_NEVER;
	r->counted = false;
	if (r->gone || xy_hostlink_get(&d->netlink, xy_interface_index(d), &now) == -ENODEV) {
		r->gone = true;
		if (remake(d))
			count(r);
	} else if (now.what == XY_HOSTLINK_LINK) {
		name_follow(d, now.name);
		if (is_up(d, &now))
			put_back(d, &now);
	}
	xy_inbound_update(d);  // it may have another name
	xy_exits_look_soon(d); // it may be another
	fight_say(d, xy_now());
}

void xy_restore_routes_back(struct xy_daemon *d, unsigned n)
{
	if (!n)
		return;
	xy_log_warn("%s: the kernel lacked %u route%s of ours, and has %s now",
		    xy_interface_name(d), n, n == 1 ? "" : "s", n == 1 ? "it" : "them");
	count(d->restore);
}

const char *xy_restore_trouble(const struct xy_daemon *d)
{
	const struct xy_restore *r = d->restore;
	if (!r)
		return NULL;
	if (r->why.text[0])
		return r->why.text;
	if (xy_pace_is_fight(&r->pace, xy_now()))
		return "somebody takes away again and again what is ours on the host interface: "
		       "see the log";
	return NULL;
}

// --- life

int xy_restore_start(struct xy_daemon *d, struct xy_err *err)
{
	if (!xy_interface_is_open(d))
		return 0;
	struct xy_restore *r = calloc(1, sizeof(*r));
	if (!r)
		return xy_err_set(err, ENOMEM, "no memory for the host interface");
	d->restore = r;
	r->at = XY_NEVER;
	d->netlink.see = on_change;
	d->netlink.see_arg = d;
	look_soon(d); // what changed before we listened, or was refused
	return 0;
}

void xy_restore_close(struct xy_daemon *d)
{
	d->netlink.see = NULL;
	free(d->restore);
	d->restore = NULL;
}
