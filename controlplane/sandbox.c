// SPDX-License-Identifier: BSD-3-Clause
#define XY_LOG_PART XY_PART_CONFINEMENT
#include "sandbox.h"

#include "base/bytes.h"
#include "daemon.h"
#include "warden/warden.h"

#include <grp.h>
#include <jansson.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATHS = 64, THREADS = 256 };

// --- files

struct paths {
	struct xy_confine_path v[PATHS];
	unsigned count;
};

__attribute__((format(printf, 3, 4))) static void add(struct paths *p,
						      enum xy_confine_access access,
						      const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	if (p->count == PATHS || n <= 0 || n >= PATH_MAX)
		return;
	p->v[p->count].access = access;
	p->v[p->count].path = strdup(path);
	p->count += p->v[p->count].path != NULL;
}

static void paths_free(struct paths *p)
{
	while (p->count)
		free((char *)(uintptr_t)p->v[--p->count].path);
}

// The folder of a file; "" where that is all there is.
static void folder_of(const char *file, char out[static PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s", file);
	char *end = strrchr(out, '/');
	if (end)
		*end = 0;
	else
		snprintf(out, PATH_MAX, ".");
}

// A file that an editor replaces is another one, in the same folder; and where a link leads.
static void add_file(struct paths *p, const char *file)
{
	char folder[PATH_MAX], real[PATH_MAX];
	folder_of(file, folder);
	if (folder[0])
		add(p, XY_CONFINE_READ, "%s", folder);
	else
		add(p, XY_CONFINE_READ, "%s", file);
	if (!realpath(file, real))
		return;
	folder_of(real, folder);
	add(p, XY_CONFINE_READ, "%s", folder[0] ? folder : real);
}

// To be made, if it is not there: in the nearest folder that is.
static void add_made(struct paths *p, const char *path)
{
	char at[PATH_MAX];
	snprintf(at, sizeof(at), "%s", path);
	while (at[0] && access(at, F_OK)) {
		char *end = strrchr(at, '/');
		*(end ? end : at) = 0;
	}
	if (at[0])
		add(p, XY_CONFINE_WRITE, "%s", at);
}

static void add_sockets(struct paths *p, const struct xy_daemon *d)
{
	struct xy_rundir dirs[XY_RUNDIR_MAX];
	char parent[PATH_MAX];
	unsigned n = d->rundir.path[0] ? 0 : xy_rundir_list(XY_RUNDIR_DAEMON, d->name, dirs);
	if (d->rundir.path[0]) { // with its parent: should somebody remove it, it is made again
		folder_of(d->rundir.path, parent);
		add(p, XY_CONFINE_WRITE, "%s", parent);
		add(p, XY_CONFINE_WRITE, "%s", d->rundir.path);
	}
	for (unsigned i = 0; i < n; i++)
		add_made(p, dirs[i].path);
}

// As EAL chooses it.
static void add_dpdk(struct paths *p)
{
	const char *given = getenv("RUNTIME_DIRECTORY"), *xdg = getenv("XDG_RUNTIME_DIR");
	const char *base = given ? given : getuid() == 0 ? "/var/run" : xdg ? xdg : "/tmp";
	char folder[PATH_MAX];
	if (snprintf(folder, sizeof(folder), "%s/dpdk", base) < PATH_MAX) {
		mkdir(folder, 0700); // EAL would tell
		add(p, XY_CONFINE_WRITE, "%s", folder);
	}
}

static void add_state(struct paths *p, const struct xy_daemon *d)
{
	const char *folder = xy_state_folder(d->state);
	char parent[PATH_MAX];
	if (!folder)
		return;
	add_made(p, folder);
	folder_of(folder, parent);
	if (strcmp(parent, "/var/lib/xylem") == 0) // all instances'; it may be mounted later
		add(p, XY_CONFINE_WRITE, "%s", parent);
}

// To find who has a name: hosts, name servers, groups; the libraries that /etc/nsswitch.conf names.
static void add_names(struct paths *p)
{
	static const char *const v[] = {"/etc",
					"/usr",
					"/lib",
					"/lib64",
					"/run/systemd",
					"/run/resolvconf",
					"/run/NetworkManager",
					"/run/nscd",
					"/var/lib/extrausers",
					"/proc",
					"/sys"};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(v); i++)
		add(p, XY_CONFINE_READ, "%s", v[i]);
	add_file(p, "/etc/resolv.conf");
}

static bool has_devices(const struct xy_config *c)
{
	for (unsigned i = 0; i < c->port_count; i++)
		if (c->ports[i].driver == XY_DRIVER_DPDK)
			return true;
	return false;
}

static void add_devices(struct paths *p, const struct xy_config *c)
{
	static const char *const v[] = {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom",
					"/dev/vmclock0"};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(v); i++)
		add(p, XY_CONFINE_DEVICE, "%s", v[i]);
	if (has_devices(c)) // vfio, uio, infiniband, hugepages: the driver's own choice
		add(p, XY_CONFINE_DEVICE, "/dev");
}

void xy_sandbox_files(struct xy_daemon *d)
{
	const struct xy_config *c = &d->plan.config;
	struct paths p = {.count = 0};
	char here[PATH_MAX];
	if (!d->sandbox.wanted)
		return;
	if (xy_setup_has_file(&d->setup))
		add_file(&p, d->setup.path);
	add_file(&p, c->key_file);
	add_names(&p);
	add_devices(&p, c);
	add_sockets(&p, d);
	add_dpdk(&p);
	add_state(&p, d);
	if (c->core_dumps && getcwd(here, sizeof(here)))
		add(&p, XY_CONFINE_WRITE, "%s", here);
	xy_confine_files(&d->sandbox.confine, p.v, p.count);
	paths_free(&p);
	if (d->sandbox.confine.no_landlock.text[0])
		xy_log_warn("%s: files are not confined", d->sandbox.confine.no_landlock.text);
}

// --- capabilities

static bool has_low_port(const struct xy_config *c)
{
	for (unsigned i = 0; i < c->port_count; i++)
		if (c->ports[i].port && c->ports[i].port < IPPORT_RESERVED)
			return true;
	return false;
}

static bool has_card(const struct xy_config *c)
{
	for (unsigned i = 0; i < c->port_count; i++)
		if (c->ports[i].driver == XY_DRIVER_AF_XDP)
			return true;
	return false;
}

#define BIT(cap) (UINT64_C(1) << (cap))

// What the privileged helper has: interfaces, routes and rules, XDP programs and sockets of cards,
// ports that come late, sockets that are made again. None of it changes by a reload.
static uint64_t helpers(const struct xy_daemon *d)
{
	const struct xy_config *c = &d->plan.config;
	bool host = c->host.enabled && !d->no_tun, cards = has_card(c);
	uint64_t keep = 0;
	if (host || cards || has_devices(c) || c->fwmark)
		keep |= BIT(CAP_NET_ADMIN);
	if (cards)
		keep |= BIT(CAP_NET_RAW) | BIT(CAP_BPF) | BIT(CAP_PERFMON);
	if (has_low_port(c))
		keep |= BIT(CAP_NET_BIND_SERVICE);
	if (c->telemetry.group[0] || c->control.group[0])
		keep |= BIT(CAP_CHOWN);
	return keep;
}

// AF_XDP counts the memory of packets against this limit, but of who has CAP_IPC_LOCK; and it must
// be the process whose memory it is that hands it over. Root lifts it, and the unit has none.
static void memory_unlimit(void)
{
	struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};
	if (!setrlimit(RLIMIT_MEMLOCK, &most) || getrlimit(RLIMIT_MEMLOCK, &most))
		return;
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &most);
}

// KiB that may be locked; 0: any.
static unsigned long long memory_limit(void)
{
	struct rlimit most;
	if (getrlimit(RLIMIT_MEMLOCK, &most) || most.rlim_cur == RLIM_INFINITY)
		return 0;
	return most.rlim_cur >> 10 ? most.rlim_cur >> 10 : 1;
}

// What the helper cannot do: what DPDK's drivers do, and, of cards that come late, memory beyond
// the limit.
static uint64_t kept(const struct xy_daemon *d)
{
	uint64_t keep = 0;
	if (has_devices(&d->plan.config))
		keep |= BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW) | BIT(CAP_IPC_LOCK);
	if (has_card(&d->plan.config) && memory_limit())
		keep |= BIT(CAP_IPC_LOCK);
	return keep;
}

static void memory_say(void)
{
	if (memory_limit())
		xy_log_warn(
			"sandbox: no more than %llu KiB of memory may be locked: for cards that "
			"come later the control thread keeps CAP_IPC_LOCK, if it has that. Raise "
			"the limit, and it keeps nothing: LimitMEMLOCK=infinity in the service, or "
			"ulimit -l unlimited before it starts",
			memory_limit());
}

// --- the privileged helper

static int config_again(void *arg, struct xy_config *out, struct xy_err *err)
{
	const struct xy_daemon *d = arg;
	return xy_setup_config(&d->setup, out, err);
}

// What it does not need of us: the key, and what the plan holds beside the config.
static void helper_begins(void *arg)
{
	struct xy_daemon *d = arg;
	d->plan.config = (struct xy_config){0}; // it has that
	xy_plan_free(&d->plan);
	xy_identity_wipe(&d->id);
}

static void file_add(struct xy_warden_config *cfg, const struct xy_rundir *dir, const char *name,
		     const char *group, bool control)
{
	const struct group *g = group[0] ? getgrnam(group) : NULL;
	struct xy_warden_file *f = &cfg->file[cfg->file_count];
	if (cfg->file_count == XY_WARDEN_FILES)
		return;
	int n = snprintf(f->path, sizeof(f->path), "%s/%s", dir->path, name);
	f->control = control;
	f->given = g != NULL;
	f->gid = g ? g->gr_gid : 0;
	cfg->file_count += n > 0 && n < (int)sizeof(f->path);
}

// The sockets, wherever they will be, and whose group the config names for each.
static void files_add(struct xy_warden_config *cfg, const struct xy_daemon *d)
{
	const struct xy_config *c = &d->plan.config;
	struct xy_rundir dirs[XY_RUNDIR_MAX];
	unsigned n = xy_rundir_list(XY_RUNDIR_DAEMON, d->name, dirs);
	for (unsigned i = 0; i < n; i++) {
		file_add(cfg, &dirs[i], XY_RUNDIR_TELEMETRY, c->telemetry.group, false);
		file_add(cfg, &dirs[i], XY_RUNDIR_CONTROL, c->control.group, true);
	}
}

int xy_sandbox_fork(struct xy_daemon *d, struct xy_err *err)
{
	struct paths p = {.count = 0};
	d->sandbox.wanted |= d->plan.config.sandbox;
	if (!d->sandbox.wanted || !helpers(d))
		return 0;
	if (has_card(&d->plan.config)) {
		memory_unlimit();
		add(&p, XY_CONFINE_READ, "/sys/devices/system/cpu"); // how many may count
	}
	if (xy_setup_has_file(&d->setup))
		add_file(&p, d->setup.path);
	if (helpers(d) & BIT(CAP_CHOWN))
		add(&p, XY_CONFINE_READ, "/etc/group");
	add(&p, XY_CONFINE_DEVICE, "/dev/net/tun");
	add(&p, XY_CONFINE_READ, "/proc/self/task"); // to tell how it is confined
	add(&p, XY_CONFINE_READ, "/usr");	     // what lists other programs' rules
	add(&p, XY_CONFINE_READ, "/lib");
	add(&p, XY_CONFINE_READ, "/lib64");
	struct xy_warden_config cfg = {.instance = d->name,
				       .node = d->id.addr,
				       .no_tun = d->no_tun,
				       .keep = helpers(d),
				       .path = p.v,
				       .path_count = p.count,
				       .config = &d->plan.config,
				       .read = config_again,
				       .begin = helper_begins,
				       .arg = d};
	files_add(&cfg, d);
	int r = xy_warden_fork(&cfg, &d->sandbox.warden, err);
	paths_free(&p);
	return r;
}

void xy_sandbox_close(struct xy_daemon *d)
{
	xy_warden_close(d->sandbox.warden);
	d->sandbox.warden = NULL;
}

bool xy_sandbox_gives(const struct xy_daemon *d)
{
	const struct xy_warden *w = d->sandbox.warden;
	return !d->sandbox.wanted || (w && xy_warden_hello(w)->capabilities & BIT(CAP_CHOWN));
}

const struct xy_dp_privileges *xy_sandbox_privileges(const struct xy_daemon *d)
{
	static const struct xy_dp_privileges by = {.tun = xy_warden_tun,
						   .mark = xy_warden_mark,
						   .device = xy_warden_device,
						   .bind = xy_warden_bind,
						   .buffers = xy_warden_buffers,
						   .xsk = xy_warden_xsk,
						   .program_load = xy_warden_program_load,
						   .program_frame_max = xy_warden_program_frame_max,
						   .program_addresses = xy_warden_program_addresses,
						   .program_socket = xy_warden_program_socket,
						   .program_attach = xy_warden_program_attach,
						   .program_free = xy_warden_program_free};
	return d->sandbox.warden ? &by : NULL;
}

// --- life

static const char *lacking(const struct xy_daemon *d)
{
	const struct xy_confine *c = &d->sandbox.confine;
	static char text[128];
	for (unsigned i = 0; i < XY_CONFINE_CLASSES; i++)
		if (xy_confine_failed(i)) {
			snprintf(text, sizeof(text), "%s could not narrow themselves: %s",
				 xy_confine_class_word(i), strerror(xy_confine_failed(i)));
			return text;
		}
	const struct xy_err *v[] = {&c->no_seccomp, &c->no_landlock, &c->not_all_narrow};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(v); i++)
		if (v[i]->text[0])
			return v[i]->text;
	return d->sandbox.warden && xy_warden_hello(d->sandbox.warden)->lacks[0]
		       ? xy_warden_hello(d->sandbox.warden)->lacks
		       : NULL;
}

int xy_sandbox_begin(struct xy_daemon *d, struct xy_err *err)
{
	struct xy_warden *w = d->sandbox.warden;
	int r = d->sandbox.wanted ? xy_confine_begin() : 0;
	if (w)
		d->netlink.by = (struct xy_netlink_by){.change = xy_warden_netlink,
						       .arg = w,
						       .portid = xy_warden_hello(w)->portid};
	return r ? xy_err_set(err, -r, "sandbox: no_new_privs: %s", strerror(-r)) : 0;
}

void xy_sandbox_threads(struct xy_daemon *d)
{
	struct xy_confine *c = &d->sandbox.confine;
	char text[128];
	if (!d->sandbox.wanted)
		return;
	c->keep = kept(d);
	c->devices = has_devices(&d->plan.config);
	c->cards = has_card(&d->plan.config);
	xy_confine_threads(c);
	if (!c->seccomp)
		xy_log_warn("sandbox: %s: system calls are not confined", c->no_seccomp.text);
	if (!c->narrowed)
		xy_log_warn("sandbox: %s", c->not_all_narrow.text);
	if (c->cards)
		memory_say();
	if (!lacking(d))
		xy_log_info("sandbox: on; capabilities that are kept: %s%s",
			    xy_confine_capabilities_str(c->keep, text, sizeof(text)),
			    d->sandbox.warden ? "; the privileged helper has the others" : "");
}

void xy_sandbox_worker(void *arg, unsigned worker)
{
	const struct xy_daemon *d = arg;
	if (d->sandbox.wanted)
		xy_confine_self(&d->sandbox.confine, XY_CONFINE_WORKER);
}

void xy_sandbox_second(struct xy_daemon *d)
{
	char text[128];
	unsigned times;
	if (d->sandbox.warden)
		xy_warden_look(d->sandbox.warden);
	if (!d->sandbox.wanted || xy_confine_refusals() == d->sandbox.told)
		return;
	d->sandbox.told = xy_confine_refusals();
	while (xy_confine_refusal(text, sizeof(text), &times))
		xy_log_warn("sandbox: %s, which it may not (%u times): refused. If something does "
			    "not work since, report it, and run without --sandbox until then",
			    text, times);
}

// --- what is told

const char *xy_sandbox_word(const struct xy_daemon *d, char *text, size_t size)
{
	const char *lacks = lacking(d);
	if (!d->sandbox.wanted)
		return "off";
	if (!lacks)
		return "on";
	snprintf(text, size, "in part: %s", lacks);
	return text;
}

// Of threads of one kind what each of them has: the least.
struct kind {
	unsigned threads, filters;
	uint64_t capabilities;
	bool no_new_privileges;
};

static void kind_add(struct kind *k, const struct xy_confine_thread *t)
{
	k->filters = !k->threads || t->filters < k->filters ? t->filters : k->filters;
	k->no_new_privileges = (!k->threads || k->no_new_privileges) && t->no_new_privileges;
	k->capabilities |= t->capabilities;
	k->threads++;
}

// Short: it stands in a table of 80 columns.
static json_t *kind_tell(const struct xy_confine *c, enum xy_confine_class of, const struct kind *k)
{
	char caps[128], files[32] = "any file";
	const char *calls = k->filters <= c->before				   ? "any call"
			    : k->filters > c->before + 1 && !xy_confine_failed(of) ? "own calls"
										   : "common calls";
	bool none = of == XY_CONFINE_WORKER || (of == XY_CONFINE_LIBRARY && !c->devices);
	if (c->landlock && none)
		snprintf(files, sizeof(files), "no files");
	else if (c->landlock)
		snprintf(files, sizeof(files), "Landlock %d", c->landlock);
	xy_confine_capabilities_str(k->capabilities, caps, sizeof(caps));
	return json_sprintf("%s (%u): %s, %s, %s%s", xy_confine_class_word(of), k->threads, calls,
			    files, k->capabilities ? caps : "no capabilities",
			    k->no_new_privileges ? "" : ", may get new privileges");
}

// What the kernel said of it when it was confined, which cannot be undone.
static json_t *helper_tell(const struct xy_warden *w)
{
	const struct xy_warden_hello *h = xy_warden_hello(w);
	char caps[128], files[32] = "any file";
	if (xy_warden_gone(w))
		return json_sprintf("privileged helper: gone (%s)", xy_warden_gone(w));
	if (h->landlock)
		snprintf(files, sizeof(files), "Landlock %d", h->landlock);
	xy_confine_capabilities_str(h->capabilities, caps, sizeof(caps));
	return json_sprintf("privileged helper (%u): %s, %s, %s%s", h->threads,
			    h->filters ? "own calls" : "any call", files,
			    h->capabilities ? caps : "no capabilities",
			    h->no_new_privileges ? "" : ", may get new privileges");
}

json_t *xy_sandbox_threads_tell(const struct xy_daemon *d)
{
	static struct xy_confine_thread v[THREADS];
	struct kind kind[XY_CONFINE_CLASSES] = {0};
	json_t *list = json_array();
	int n = d->sandbox.wanted ? xy_confine_look(v, THREADS) : 0;
	for (int i = 0; i < n && i < THREADS; i++)
		kind_add(&kind[v[i].of], &v[i]);
	for (unsigned i = 0; i < XY_CONFINE_CLASSES; i++)
		if (kind[i].threads)
			json_array_append_new(list, kind_tell(&d->sandbox.confine, i, &kind[i]));
	if (d->sandbox.warden)
		json_array_append_new(list, helper_tell(d->sandbox.warden));
	return list;
}

void xy_sandbox_warnings(const struct xy_daemon *d, json_t *list)
{
	const char *lacks = lacking(d);
	if (d->sandbox.warden && xy_warden_gone(d->sandbox.warden))
		json_array_append_new(
			list,
			json_sprintf("the privileged helper is gone (%s): what is taken away of "
				     "routes, addresses and rules does not come back, and reloads "
				     "are refused; restart xylemd",
				     xy_warden_gone(d->sandbox.warden)));
	else if (d->sandbox.warden && xy_warden_is_late(d->sandbox.warden))
		json_array_append_new(list,
				      json_string("the privileged helper does not answer: what the "
						  "node needs of the kernel waits for it"));
	if (d->sandbox.wanted && lacks)
		json_array_append_new(list, json_sprintf("the sandbox is not whole: %s", lacks));
	if (xy_confine_refusals())
		json_array_append_new(
			list, json_sprintf("the sandbox refused %llu system calls: see the log",
					   (unsigned long long)xy_confine_refusals()));
}
