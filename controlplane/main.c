// SPDX-License-Identifier: BSD-3-Clause
// xylemd: options, then each part up in order, and down again.
#include "commands.h"
#include "daemon.h"
#include "pool.h"

#include "api/server.h"
#include "base/secret.h"
#include "capturing.h"
#include "cores.h"
#include "discovery.h"
#include "exits.h"
#include "fleetside.h"
#include "hostside.h"
#include "inbound.h"
#include "interface.h"
#include "kernel/underlay.h"
#include "lanes.h"
#include "memory.h"
#include "notify.h"
#include "ports.h"
#include "prepare.h"
#include "restore.h"
#include "runsocket.h"
#include "steering.h"
#include "suites.h"
#include "taken.h"
#include "test_limits.h"

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#define PACKET_MIN	 1500
#define PACKET_MAX	 9216
#define FILES_MIN	 130
#define FILES_PER_WORKER 8
#define FILES_PER_CARD	 16 // and one for each queue
// Of malloc: this thread's, and one for all helpers, which would keep what a large config took in
// one each.
#define ARENAS 2

static const char usage[] =
	"usage: xylemd [-c FILE] [-n NAME] [--peer [KEY@]HOST:PORT]... [--autoconf] [--no-tun] "
	"[--sandbox] [--threads N] [--max-threads N] [--check | --prepare]\n"
	"  -c, --config FILE  config file (default /etc/xylem/xylem.conf)\n"
	"  -n, --name NAME    instance, where several share a machine (default xylem)\n"
	"      --peer [KEY@]HOST:PORT\n"
	"                     one more peer; without its key it is asked for, and pinned\n"
	"      --autoconf     find nodes on the LAN, and be found\n"
	"      --check        check config and key, print the rules of host.allow and what an\n"
	"                     exit needs, touch nothing\n"
	"      --prepare      as root: let the daemon of user xylem read config and key, give its\n"
	"                     sockets to the config's groups, and end; for units\n"
	"      --no-tun       no host interface: relay only, needs no privileges\n"
	"      --sandbox      once all is open, keep the files, system calls and capabilities\n"
	"                     that each thread needs; the rest is refused, and told\n"
	"      --threads N    N workers, whatever workers.count says (1 to 64)\n"
	"      --max-threads N\n"
	"                     at most N threads that work: helpers and workers; at least 2\n"
	"      --version\n"
	"      --help\n";

struct options {
	bool check, prepare, done;
	int code;
};

static struct options options_read(struct xy_daemon *d, int argc, char **argv)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
					      {"name", required_argument, NULL, 'n'},
					      {"check", no_argument, NULL, 'k'},
					      {"prepare", no_argument, NULL, 'r'},
					      {"peer", required_argument, NULL, 'p'},
					      {"autoconf", no_argument, NULL, 'a'},
					      {"no-tun", no_argument, NULL, 't'},
					      {"sandbox", no_argument, NULL, 's'},
					      {"threads", required_argument, NULL, 'w'},
					      {"max-threads", required_argument, NULL, 'm'},
					      {"version", no_argument, NULL, 'v'},
					      {"help", no_argument, NULL, 'h'},
					      {0}};
	struct options o = {0};
	struct xy_err err;
	int c;
	d->setup.path = "/etc/xylem/xylem.conf";
	d->name = "xylem";
	while ((c = getopt_long(argc, argv, "c:n:h", longs, NULL)) >= 0) {
		switch (c) {
		case 'c':
			d->setup.path = optarg;
			d->setup.path_given = true;
			break;
		case 'n':
			d->name = optarg;
			break;
		case 'k':
			o.check = true;
			break;
		case 'r':
			o.prepare = true;
			break;
		case 'p':
			if (xy_setup_peer_add(&d->setup, optarg, &err)) {
				fprintf(stderr, "xylemd: %s\n", err.text);
				return (struct options){.done = true, .code = 2};
			}
			break;
		case 'a':
			d->setup.autoconf = true;
			break;
		case 't':
			d->no_tun = true;
			break;
		case 's':
			d->sandbox.wanted = true;
			break;
		case 'w':
		case 'm':
			if (!xy_setup_threads(&d->setup, c == 'm', optarg, &err))
				break;
			fprintf(stderr, "xylemd: %s\n", err.text);
			return (struct options){.done = true, .code = 2};
		case 'v':
			puts("xylemd " XY_VERSION);
			return (struct options){.done = true};
		case 'h':
			fputs(usage, stdout);
			return (struct options){.done = true};
		default:
			fputs(usage, stderr);
			return (struct options){.done = true, .code = 2};
		}
	}
	const char *wrong = xy_instance_name_wrong(d->name);
	if (optind == argc && !wrong)
		return o;
	if (optind < argc)
		fprintf(stderr, "xylemd: %s: not an option\n", argv[optind]);
	else
		fprintf(stderr, "xylemd: -n %s: it %s\n", d->name, wrong);
	fputs(usage, stderr);
	return (struct options){.done = true, .code = 2};
}

// What only its key tells of a file that is refused anyway: all of its errors are told at once.
static void refused_look(struct xy_daemon *d, struct xy_config *c)
{
	struct xy_identity id;
	struct xy_err lost, err;
	if (c->errors.count && !xy_setup_identity(&d->setup, c, false, &id, &lost, &err)) {
		xy_plan_look(d->config_path, c, &id);
		xy_identity_wipe(&id);
	}
	d->plan.config = *c;
}

// The key file is named in the config, and the config is checked against the key.
static int config_read(struct xy_daemon *d, bool touch, struct xy_err *err)
{
	struct xy_config config;
	d->setup.name = d->name;
	d->config_path = xy_setup_has_file(&d->setup) ? d->setup.path : "command line";
	int r = xy_setup_config(&d->setup, &config, err);
	if (r) {
		refused_look(d, &config);
		return r;
	}
	r = touch ? xy_memory_open(d, &config, err) : 0;
	r = r ? r : xy_setup_identity(&d->setup, &config, touch, &d->id, &d->key_lost, err);
	if (r) {
		xy_config_free(&config);
		return r;
	}
	if (d->key_lost.text[0])
		xy_log_warn("%s", d->key_lost.text);
	return xy_plan_make(d->config_path, &config, &d->id, &d->plan, err);
}

// Room for what the underlay here carries, so that jumbo frames are of use where there are some.
static uint32_t packet_most(struct xy_daemon *d)
{
	const struct xy_config *c = &d->plan.config;
	const struct xy_underlay u = {.netlink = &d->netlink};
	uint32_t most = xy_underlay_mtu_largest(&u);
	if (c->host.enabled && !d->no_tun && c->host.mtu > most)
		most = c->host.mtu;
	most = most < PACKET_MIN ? PACKET_MIN : most;
	return most > PACKET_MAX ? PACKET_MAX : most;
}

// The host interface's last IPv4 address; unspecified: none.
static struct xy_addr node_v4(const struct xy_config *c)
{
	struct xy_addr a = {0};
	for (unsigned i = 0; i < c->host.address_count; i++)
		if (xy_addr_is_v4(&c->host.addresses[i].addr))
			a = c->host.addresses[i].addr;
	return a;
}

static int dataplane_up(struct xy_daemon *d, struct xy_err *err)
{
	static const char *devices[XY_CONFIG_PORTS]; // EAL keeps them
	const struct xy_config *c = &d->plan.config;
	struct xy_dp_config dp = {.name = d->name,
				  .workers = c->workers.count,
				  .cpus = c->workers.cpu_count ? c->workers.cpus : NULL,
				  .poll = c->workers.idle == XY_IDLE_POLL,
				  .max_peers = c->max_peers,
				  .max_sessions = c->max_sessions,
				  .max_far = c->max_sessions,
				  .max_routes = c->max_routes,
				  .max_packet = packet_most(d),
				  .limits = d->limits,
				  .node_addr = d->id.addr,
				  .node_addr_v4 = node_v4(c),
				  .service_port = XY_NODEINFO_PORT,
				  .worker_begin = xy_sandbox_worker,
				  .worker_arg = d,
				  .by = xy_sandbox_privileges(d),
				  .by_arg = d->sandbox.warden};
	xy_ports_prepare(c, &dp, devices);
	d->max_packet = dp.max_packet;
	return xy_dp_create(&dp, &d->dp, err);
}

// Each worker has a handful, and two sockets of each port; clients of both of our sockets have
// some.
static rlim_t files_need(const struct xy_config *c)
{
	rlim_t need = FILES_MIN + (FILES_PER_WORKER + 2 * c->port_count) * c->workers.count;
	for (unsigned i = 0; i < c->port_count; i++)
		if (c->ports[i].driver == XY_DRIVER_AF_XDP)
			need += FILES_PER_CARD + xy_dp_card_queues(c->ports[i].interface);
	return need;
}

// EAL aborts where it gets no descriptor.
static int files_check(const struct xy_config *c, struct xy_err *err)
{
	struct rlimit most;
	rlim_t need = files_need(c);
	if (getrlimit(RLIMIT_NOFILE, &most) || most.rlim_cur >= need)
		return 0;
	if (most.rlim_max >= need) {
		most.rlim_cur = need;
		return setrlimit(RLIMIT_NOFILE, &most) ? -errno : 0;
	}
	return xy_err_set(
		err, EMFILE,
		"only %llu files may be open, and %u workers on %u ports need %llu; raise "
		"it: ulimit -n, or LimitNOFILE= in the service",
		(unsigned long long)most.rlim_max, c->workers.count, c->port_count,
		(unsigned long long)need);
}

static int exchanges_up(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_exchanges_config cfg = {.dp = d->dp,
					  .identity = &d->id,
					  .limits = d->limits,
					  .room = d->plan.config.max_sessions,
					  .env = &d->env,
					  .suites_ask = xy_suites_ask,
					  .lanes = xy_lanes_most(d),
					  .lanes_ask = xy_lanes_ask,
					  .run = xy_pool_job,
					  .arg = d};
	d->fastest_suite = xy_dp_suite_fastest(d->dp);
	if (xy_suites_make(d, &cfg.suites, err))
		return -1;
	xy_memory_stamp_floor(d, cfg.stamp_floor);
	return xy_exchanges_create(&cfg, &d->exchanges, err);
}

static int routes_up(struct xy_daemon *d, struct xy_err *err)
{
	uint32_t peers = d->plan.config.max_peers;
	if (xy_rib_init(&d->rib, d->dp, peers) == 0 && xy_book_init(&d->book, peers) == 0)
		return 0;
	return xy_err_set(err, ENOMEM, "no memory for routes to %u peers: lower max_peers", peers);
}

static int links_up(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_links_config cfg = {.dp = d->dp,
				      .exchanges = d->exchanges,
				      .rib = &d->rib,
				      .accepts = &d->accepts,
				      .book = &d->book,
				      .identity = &d->id,
				      .max_peers = d->plan.config.max_peers,
				      .env = &d->env};
	xy_env_links_ops(d, &cfg.ops);
	return xy_links_create(&cfg, &d->links, err);
}

static int routing_up(struct xy_daemon *d, struct xy_err *err)
{
	const struct xy_config *c = &d->plan.config;
	struct xy_routing_config cfg = {
		.dp = d->dp,
		.rib = &d->rib,
		.identity = &d->id,
		.epoch = xy_memory_epoch_first(d),
		.max_peers = c->max_peers,
		.max_routes = c->max_routes,
		.stub = c->routing.stub,
		.no_rtt = xy_no_rtt_from_environment(),
		.node_v4 = node_v4(c),
		.env = &d->env,
	};
	xy_links_view(d->links, &cfg.links);
	xy_env_routing_ops(d, &cfg.ops);
	randombytes_buf(cfg.secret, sizeof(cfg.secret));
	return xy_routing_create(&cfg, xy_now(), &d->routing, err);
}

// Who is a peer, by the config and by what is remembered.
static int peers_up(struct xy_daemon *d, struct xy_err *err)
{
	int r = xy_joiner_up(d, err);
	if (r)
		return r;
	r = xy_steering_up(d, err);
	r = r ? r : xy_fleetside_up(d, err);
	if (r)
		return r;
	xy_joiner_apply(d);
	r = xy_links_apply(d->links, &d->plan, xy_now(), err);
	r = r ? r : xy_routing_apply(d->routing, &d->plan.config, xy_now(), err);
	if (r)
		return r;
	xy_join_look(d->join);
	xy_memory_recall(d);
	return 0;
}

static int up(struct xy_daemon *d, struct xy_err *err)
{
	int r = files_check(&d->plan.config, err);
	r = r ? r : xy_loop_open(&d->loop, err);
	r = r ? r : xy_runsocket_up(d, err); // first: it finds another of our name
	r = r ? r : xy_show_register(d, err);
	r = r ? r : xy_netlink_open(&d->netlink, err);
	r = r ? r : xy_sandbox_begin(d, err);
	if (!r)
		xy_sandbox_files(d);
	r = r ? r : dataplane_up(d, err);
	r = r ? r : xy_ports_open(d, err);
	r = r ? r : xy_exits_up(d, err);
	if (!r)
		xy_sandbox_threads(d);
	r = r ? r : xy_pool_open(d, err);
	r = r ? r : exchanges_up(d, err);
	r = r ? r : routes_up(d, err);
	r = r ? r : xy_sealing_up(d, err);
	r = r ? r : links_up(d, err);
	r = r ? r : routing_up(d, err);
	r = r ? r : peers_up(d, err);
	r = r ? r : xy_informer_up(d, err);
	r = r ? r : xy_inbound_up(d, err);
	r = r ? r : xy_hostside_up(d, err);
	r = r ? r : xy_seats_take(d, err);
	if (!r)
		xy_steering_begin(d);
	int e = r ? 0 : xy_commands_register(d);
	e = r || e ? e : xy_fleetside_register(d);
	e = r || e ? e : xy_capturing_begin(d);
	r = e ? xy_err_set(err, -e, "control socket: %s", strerror(-e)) : r;
	r = r ? r : xy_dp_start(d->dp, err);
	if (!r)
		xy_exits_begin(d);
	return r;
}

static void down(struct xy_daemon *d, int code)
{
	if (d->telemetry)
		xy_server_close(d->telemetry);
	xy_steering_close(d);
	xy_capturing_close(d);
	xy_seats_leave(d);
	xy_restore_close(d);
	xy_exits_down(d, d->farewell_began);
	xy_hostside_down(d);
	xy_inbound_down(d);
	xy_memory_close(d);
	xy_informer_down(d);
	xy_discovery_close(d);
	xy_joiner_down(d);
	bool handshakes = d->exchanges && xy_exchanges_jobs(d->exchanges);
	bool idle = xy_pool_idle(d) && !xy_pool_busy(d) && !handshakes;
	if (d->routing && !xy_routing_jobs(d->routing)) // else a helper still writes into it
		xy_routing_destroy(d->routing);
	d->routing = NULL;
	if (!handshakes) {
		xy_links_destroy(d->links); // gives its sessions and peers back to the dataplane
		xy_sealing_down(d);	    // likewise
		xy_exchanges_destroy(d->exchanges);
		xy_rib_fini(&d->rib);
		xy_book_fini(&d->book);
	}
	xy_dp_destroy(d->dp); // no worker runs from here on
	xy_ports_close(d);
	xy_netlink_close(&d->netlink);
	xy_pool_close(d);
	xy_fleetside_down(d);
	xy_steering_down(d);
	xy_plan_free(&d->plan);
	xy_accepts_free(&d->accepts);
	xy_taken_free(d);
	xy_plan_free(&d->reloads.old);
	xy_identity_wipe(&d->id);
	xy_rundir_remove(&d->rundir);
	xy_sandbox_close(d);
	if (!idle) // exit() would wait for a name that does not resolve, or a disk that hangs
		_exit(code);
}

// "socket :::51820, af_xdp eth0 192.0.2.1:51820"; what is waited for is not among them.
static const char *ports_text(const struct xy_daemon *d, char *to, size_t size)
{
	char addr[XY_ADDR_STRLEN];
	struct xy_dp_port_info p;
	size_t n = 0;
	snprintf(to, size, "none yet");
	for (unsigned i = 0; i < XY_DP_PORTS && n < size; i++) {
		if (xy_dp_port_info(d->dp, i, &p))
			continue;
		bool v6 = !xy_addr_is_v4(&p.address);
		n += (size_t)snprintf(to + n, size - n, "%s%s%s%s %s%s%s:%u", n ? ", " : "",
				      p.driver, p.interface[0] ? " " : "", p.interface,
				      v6 ? "[" : "", xy_addr_str(&p.address, addr), v6 ? "]" : "",
				      p.port);
	}
	return to;
}

static void say_ready(const struct xy_daemon *d)
{
	char addr[XY_ADDR_STRLEN], key[XY_KEY_STRLEN];
	char policy[sizeof(struct xy_err) + 32], ports[256];
	if (xy_inbound_is_enforced(d))
		xy_log_info("%s: what the mesh may reach of this host: %s (ping and answers to it "
			    "always; host.allow says what else)",
			    xy_interface_name(d), xy_inbound_word(d, policy, sizeof(policy)));
	xy_log_info("ready: %s, address %s, key %s, peers: %u, interface: %s, workers: %u, %s, "
		    "version %s, ports: %s",
		    d->name, xy_addr_str(&d->id.addr, addr), xy_key_str(&d->id.x25519, key),
		    xy_links_count(d->links),
		    xy_interface_is_open(d) ? xy_interface_name(d) : "none", xy_dp_workers(d->dp),
		    xy_dp_memory(d->dp), XY_VERSION, ports_text(d, ports, sizeof(ports)));
	xy_notify("READY=1");
}

// What another start may find otherwise: a file system that is not mounted yet, a disk. All else of
// the config and the key needs a person, and a service manager is told so.
static int code_of(int r)
{
	switch (-r) {
	case 0:
		return EXIT_SUCCESS;
	case ENOENT:
	case ENOTDIR:
	case EACCES:
	case EIO:
	case ENODATA: // it is being written
	case ETIMEDOUT:
	case ENOMEM:
		return EXIT_FAILURE;
	}
	return EX_CONFIG;
}

static void print_notes(const struct xy_config_notes *n, const char *before, const char *of_what)
{
	for (unsigned i = 0; i < n->count; i++)
		fprintf(stderr, "%s%s\n", before, n->v[i].text);
	if (n->more)
		fprintf(stderr, "%sand %u more %s\n", before, n->more, of_what);
}

// What would be made of host.allow. A key that is not known yet is asked for by a running daemon.
static void print_rules(const struct xy_daemon *d)
{
	const struct xy_config *c = &d->plan.config;
	const struct xy_policy_of of = {
		.instance = d->name, .interface = c->host.name, .config = c};
	char *text = NULL, port[XY_POLICY_PORT_LEN], from[XY_POLICY_FROM_LEN];
	if (d->no_tun || !c->host.enabled || xy_policy_text(&of, &text, NULL))
		return;
	for (unsigned i = 0; i < c->allow.count; i++)
		if (xy_policy_waits(&of, i))
			printf("# %s from %s: when its key is known\n",
			       xy_policy_port_str(c, i, port), xy_policy_from_str(c, i, from));
	xy_exits_print(stdout, c, c->host.name);
	fputs(text ? text : "# host.allow is \"all\": no rules\n", stdout);
	free(text);
}

static void check_groups(const struct xy_config *c)
{
	struct xy_err err;
	if (!xy_listen_may_give("telemetry", c->telemetry.group, &err))
		fprintf(stderr, "warning: %s\n", err.text);
	if (!xy_listen_may_give("control", c->control.group, &err))
		fprintf(stderr, "warning: %s\n", err.text);
}

// error: the only one, where the file has none of its own.
static void say_checked(const struct xy_config *c, const char *error)
{
	print_notes(&c->warnings, "warning: ", "warnings");
	check_groups(c);
	print_notes(&c->errors, "", "errors");
	if (!error)
		puts("ok");
	else if (!c->errors.count)
		fprintf(stderr, "%s\n", error);
}

// Before there is any: libuv looks there.
static void helpers_limit(const struct xy_daemon *d)
{
	char n[16];
	snprintf(n, sizeof(n), "%u",
		 xy_setup_helpers(&d->setup, &d->plan.config, xy_pool_threads()));
	setenv(XY_POOL_SIZE, n, 1);
}

int main(int argc, char **argv)
{
	static struct xy_daemon d;
	struct xy_err err = {0};
	xy_cores_set(false);
	xy_secret_hide(&d, sizeof(d));
	struct options o = options_read(&d, argc, argv);

	if (o.done)
		return o.code;
	if (sodium_init() < 0) {
		fputs("xylemd: libsodium does not start\n", stderr);
		return EXIT_FAILURE;
	}
	if (o.prepare)
		return xy_prepare(&d.setup, d.name);
	signal(SIGPIPE, SIG_IGN); // DPDK writes to telemetry clients that have gone
	xy_seats_hold_reload();
	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_MXFAST, 0); // else a large free joins all small ones, milliseconds in one turn
	d.limits = xy_wg_limits_default;
	d.started = xy_now();
	xy_env_make(&d);
	xy_log_init(XY_LOG_INFO); // until the config says otherwise
	int r = xy_limits_from_environment(&d.limits, &err);
	r = r ? r : xy_clock_from_environment(&d.clock_offset, &err);
	r = r ? r : config_read(&d, !o.check, &err);
	if (r || o.check) {
		if (o.check && !r)
			print_rules(&d);
		if (o.check)
			say_checked(&d.plan.config, r ? err.text : NULL);
		else if (!xy_plan_refused(&d.plan, ""))
			xy_log_error("%s", err.text);
		xy_memory_close(&d);
		xy_plan_free(&d.plan);
		xy_identity_wipe(&d.id);
		return r && o.check ? EXIT_FAILURE : code_of(r);
	}
	r = xy_sandbox_fork(&d, &err); // before all that makes threads, or reads of strangers
	if (d.setup.max_threads)
		helpers_limit(&d);
	xy_steering_log_apply(&d);
	xy_cores_set(d.plan.config.core_dumps);
	xy_plan_warn(&d.plan, "");
	r = r ? r : up(&d, &err);
	if (!r) {
		say_ready(&d);
		xy_pool_trim(&d);
		xy_loop_run(&d.loop);
	} else {
		xy_log_error("%s", err.text);
	}
	xy_log_changes_settle(XY_NEVER);
	int code = r ? EXIT_FAILURE : EXIT_SUCCESS;
	down(&d, code);
	return code;
}
