// SPDX-License-Identifier: BSD-3-Clause
// The daemon: its parts, and the order in which main.c brings them up and down. Control thread
// only, but for what runs on libuv's helpers (xy_job_run, reading the config, resolving names).
#pragma once

#include "client/rundir.h"
#include "env.h"
#include "exchange/exchange.h"
#include "far/far.h"
#include "hostqueue.h"
#include "informing/nodeinfo.h"
#include "joining/join.h"
#include "kernel/hostlink.h"
#include "lateports.h"
#include "links/links.h"
#include "log.h"
#include "loop.h"
#include "overload.h"
#include "peers/book.h"
#include "peers/plan.h"
#include "reload.h"
#include "resume.h"
#include "routes/accepts.h"
#include "routes/rib.h"
#include "routing/routing.h"
#include "sandbox.h"
#include "setup.h"
#include "show/tally.h"
#include "state/state.h"
#include "tick.h"
#include "watchdog.h"

#include <uv.h>

struct json_t;
struct xy_capturing;
struct xy_exits;
struct xy_fleetside;
struct xy_taken;
struct xy_hostroutes;
struct xy_inbound;
struct xy_interface;
struct xy_memory;
struct xy_ports;
struct xy_restore;
struct xy_server;
struct xy_steering;
struct xy_pool;

enum xy_seat_index { // in the order in which they run, and are shown
	XY_SEAT_EVENTS,
	XY_SEAT_LINKS,
	XY_SEAT_FAR,
	XY_SEAT_ROUTING,
	XY_SEAT_JOINING,
	XY_SEAT_NODEINFO,
	XY_SEAT_KERNEL,
	XY_SEAT_FLEET,
	XY_SEAT_TICK,
	XY_SEAT_HOUSEKEEPING,
	XY_SEAT_RESULTS,
	XY_SEAT_SHOWS,
	XY_SEATS,
};

struct xy_worker_view { // sampled at each tick
	double busy;
	uint64_t busy_cycles, total_cycles, walks, packets;
	bool asleep;
};

struct xy_daemon {
	// as started
	struct xy_setup setup;
	const char *config_path, *name; // the path: for people
	bool no_tun;
	struct xy_wg_limits limits;
	struct xy_identity id;
	struct xy_err key_lost; // why it is for this run alone; empty: it is not
	struct xy_plan plan;
	struct xy_reloads reloads;
	struct xy_sandbox sandbox;
	xy_nsec started;
	int64_t clock_offset;		// of tests, seconds
	enum xy_wg_suite fastest_suite; // of this CPU
	uint32_t max_packet;		// largest overlay packet, bytes

	struct xy_env env;
	struct xy_dp *dp;
	struct xy_ports *ports;
	struct xy_late_ports late;
	struct xy_exchanges *exchanges;
	struct xy_rib rib;	   // the table of routes
	struct xy_accepts accepts; // who may send from what
	bool accepts_lacking;	   // it found no memory, and is empty
	struct xy_taken *taken;	   // what none may who may all
	struct xy_fars *fars;
	struct xy_book book; // the book of peers
	struct xy_log_limit log_unsealed;
	struct xy_links *links;
	struct xy_join *join;
	struct xy_discovery *discovery;
	struct xy_routing *routing;
	struct xy_pool *pool;
	struct xy_nodeinfo *nodeinfo;
	struct xy_rundir rundir;
	struct xy_state *state;
	struct xy_memory *memory;
	struct xy_server *telemetry, *control;
	struct xy_err unseen; // why a socket of theirs is not there; empty: it is
	unsigned ungiven[2];  // telemetry, control: looks that found it not to be its group's
	struct xy_steering *steering;
	struct xy_capturing *capturing;
	struct xy_fleetside *fleetside;

	// host interface
	struct xy_netlink netlink;
	struct xy_interface *interface;
	struct { // an address beside the config's: fleetside.c
		bool set;
		struct xy_hostlink_address address;
	} claimed;
	struct xy_hostroutes *hostroutes;
	struct xy_restore *restore;
	struct xy_inbound *inbound;
	struct xy_exits *exits;
	struct xy_hostqueue hostqueue;
	struct xy_overload overload;

	// loop
	struct xy_loop loop;
	struct xy_seat seat[XY_SEATS];
	struct xy_tick tick;
	uv_poll_t dp_poll;
	bool events_taken; // of workers, in this turn
	uv_signal_t sigterm, sigint, sighup;
	xy_nsec grace_at;
	uv_async_t asked; // by a client of DPDK's telemetry
	uv_timer_t publish_timer;
	uv_timer_t farewell;
	xy_nsec farewell_began; // 0: not told to stop
	struct xy_tally tally;
	struct xy_worker_view worker[XY_DP_WORKERS];
	struct xy_watchdog watchdog;
	struct xy_resume resume;
};

// --- seats.c: who works at the loop
// First of all: SIGHUP would kill; it is kept until the loop hears it, and then heard.
void xy_seats_hold_reload(void);
int xy_seats_take(struct xy_daemon *d, struct xy_err *err); // all that is seated is there
void xy_seats_leave(struct xy_daemon *d);		    // the loop ran out

// --- env.c: what the parts ask of the outside, and of each other
void xy_env_make(struct xy_daemon *d);
void xy_env_links_ops(struct xy_daemon *d, struct xy_links_ops *ops);
void xy_env_routing_ops(struct xy_daemon *d, struct xy_routing_ops *ops);

// --- farewell.c: a signal says stop
void xy_farewell(struct xy_daemon *d, int number);

// --- sealing.c: far nodes, and who may send from what
int xy_sealing_up(struct xy_daemon *d, struct xy_err *err); // before links
void xy_sealing_down(struct xy_daemon *d);		    // after them
// Who may send from what by d->plan. made: on a helper, taken over; none of it: it is made here.
void xy_sealing_accepts(struct xy_daemon *d, struct xy_accepts *made);
void xy_sealing_apply(struct xy_daemon *d);  // before a plan comes into force
void xy_sealing_second(struct xy_daemon *d); // what could not be sealed or kept is tried again

// --- joiner.c
int xy_joiner_up(struct xy_daemon *d, struct xy_err *err);
void xy_joiner_down(struct xy_daemon *d);
void xy_joiner_apply(struct xy_daemon *d); // the plan has come into force

// --- informer.c: node info
int xy_informer_up(struct xy_daemon *d, struct xy_err *err);
void xy_informer_down(struct xy_daemon *d);
void xy_informer_reload(struct xy_daemon *d);

// --- publish.c: for DPDK's own telemetry socket
int xy_publish_start(struct xy_daemon *d, struct xy_err *err); // a first time; then when asked
void xy_publish_stop(void);				       // before the loop closes

// --- show.c, show_log.c, show_mesh.c, show_policy.c, show_routing.c
int xy_show_register(struct xy_daemon *d, struct xy_err *err);
int xy_show_log_register(struct xy_daemon *d);	   // -errno
int xy_show_policy_register(struct xy_daemon *d);  // -errno
int xy_show_mesh_register(struct xy_daemon *d);	   // -errno
int xy_show_routing_register(struct xy_daemon *d); // -errno
// What a peer is doing, in a word or two: the same wherever it is told.
const char *xy_show_peer_word(const struct xy_daemon *d, const struct xy_link_info *k);
// Adds what is wrong to a list for people.
void xy_show_routing_warnings(const struct xy_daemon *d, struct json_t *list);
uint64_t xy_show_sample(struct xy_daemon *d); // packets since the last time
