// SPDX-License-Identifier: BSD-3-Clause
// Threads: which filter and capabilities each has, what becomes of a call that is refused, and what
// the kernel says is in force.
#include "confine/confine.h"

#include "base/bytes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef SYS_SECCOMP // asm-generic/siginfo.h has it, and cannot stand beside signal.h
#define SYS_SECCOMP 1
#endif
#define LIBRARY_SIGNAL (SIGRTMIN + 6) // DPDK, libuv and glibc use none of these

enum {
	LIBRARY_WAIT = 1000, // ms for a thread of DPDK to narrow itself
	NUMBERS = 512,	     // of calls
	NAME = 16,
	SPEC_ALLOW = 1 << 2, // no mitigations that are for strangers' code: they slow workers
};

static struct sock_fprog all, of_class[XY_CONFINE_CLASSES]; // for as long as the process
static __thread char own_name[NAME];
static atomic_int failed[XY_CONFINE_CLASSES];

static const char *const class_word[] = {[XY_CONFINE_CONTROL] = "control thread",
					 [XY_CONFINE_HELPER] = "helpers",
					 [XY_CONFINE_WORKER] = "workers",
					 [XY_CONFINE_LIBRARY] = "DPDK's"};

const char *xy_confine_class_word(enum xy_confine_class c)
{
	return class_word[c];
}

// --- calls that are refused

struct refusals {
	atomic_uint times, told;
	_Atomic(pid_t) tid;
	char name[NAME]; // of the last thread; torn at worst
};
static struct refusals refused[NUMBERS];
static atomic_ullong refused_all;

static void say_fatal(int nr)
{
	static const char before[] = "error: confinement: ", middle[] = " made system call ",
			  after[] = ", which no part of xylemd ever does: it was taken over, or "
				    "a library has changed. The process ends\n";
	char line[256], digits[8];
	size_t n = 0, d = sizeof(digits);
	const char *name = own_name[0] ? own_name : "a thread";
	for (unsigned v = (unsigned)nr; d && (v || d == sizeof(digits)); v /= 10)
		digits[--d] = (char)('0' + v % 10);
	memcpy(line, before, sizeof(before) - 1);
	n = sizeof(before) - 1;
	memcpy(line + n, name, strlen(name));
	n += strlen(name);
	memcpy(line + n, middle, sizeof(middle) - 1);
	n += sizeof(middle) - 1;
	memcpy(line + n, digits + d, sizeof(digits) - d);
	n += sizeof(digits) - d;
	memcpy(line + n, after, sizeof(after) - 1);
	n += sizeof(after) - 1;
	ssize_t r = write(STDERR_FILENO, line, n);
	(void)r;
}

// Of the thread that made the call, in its place: what is called here may be called in a handler.
static void on_refused(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	int nr = info->si_syscall;
	if (info->si_code != SYS_SECCOMP || xy_calls_is_fatal(nr)) {
		say_fatal(nr);
		_exit(128 + SIGSYS);
	}
	struct refusals *r = &refused[nr >= 0 && nr < NUMBERS ? nr : 0];
	r->tid = (pid_t)syscall(SYS_gettid);
	memcpy(r->name, own_name, sizeof(r->name));
	atomic_fetch_add(&r->times, 1);
	atomic_fetch_add(&refused_all, 1);
	// A library goes another way where a call is not there; where arguments are wrong, none.
	uc->uc_mcontext.gregs[REG_RAX] = xy_calls_is_listed(nr) ? -EPERM : -ENOSYS;
}

static int handler_set(void)
{
	struct sigaction a = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_NODEFER};
	sigemptyset(&a.sa_mask);
	return sigaction(SIGSYS, &a, NULL) ? -errno : 0;
}

bool xy_confine_refusal(char *text, size_t size, unsigned *times)
{
	char call[64];
	for (int nr = 0; nr < NUMBERS; nr++) {
		struct refusals *r = &refused[nr];
		unsigned now = atomic_load(&r->times), before = atomic_load(&r->told);
		if (now == before)
			continue;
		atomic_store(&r->told, now);
		*times = now - before;
		snprintf(text, size, "%.15s (thread %d) made system call %s",
			 r->name[0] ? r->name : "a thread", (int)r->tid,
			 xy_calls_name(nr, call, sizeof(call)));
		return true;
	}
	return false;
}

uint64_t xy_confine_refusals(void)
{
	return atomic_load(&refused_all);
}

// --- one thread

static int capabilities_get(uint64_t *permitted)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct v[2] = {0};
	if (syscall(SYS_capget, &h, v))
		return -errno;
	*permitted = (uint64_t)v[1].permitted << 32 | v[0].permitted;
	return 0;
}

// Of this thread: those of keep that it has; what a program that it runs would be given goes too.
static int capabilities_keep(uint64_t keep)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct v[2] = {0};
	uint64_t has = 0;
	int r = capabilities_get(&has);
	if (r)
		return r;
	v[0].effective = v[0].permitted = (uint32_t)(has & keep);
	v[1].effective = v[1].permitted = (uint32_t)((has & keep) >> 32);
	return syscall(SYS_capset, &h, v) ? -errno : 0;
}

static int filter_set(const struct sock_fprog *prog, unsigned flags)
{
	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SPEC_ALLOW, prog);
	return r < 0 ? -errno : r > 0 ? -ECANCELED : 0; // a thread that could not
}

static void refusals_heard(void)
{
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGSYS); // blocked, it would end the process without a word
	pthread_sigmask(SIG_UNBLOCK, &s, NULL);
}

void xy_confine_hear(void)
{
	prctl(PR_GET_NAME, own_name);
	refusals_heard();
}

void xy_confine_self(const struct xy_confine *c, enum xy_confine_class of)
{
	struct xy_err err;
	bool no_files = of == XY_CONFINE_WORKER || (of == XY_CONFINE_LIBRARY && !c->devices);
	xy_confine_hear();
	int r = capabilities_keep(of == XY_CONFINE_CONTROL ? c->keep : 0), e = 0;
	if (no_files && c->landlock && (e = xy_files_restrict(NULL, 0, &err)) < 0)
		r = r ? r : e;
	if (c->seccomp && (of != XY_CONFINE_LIBRARY || !c->devices))
		r = r ? r : filter_set(&of_class[of], 0);
	if (r)
		atomic_store(&failed[of], -r);
}

int xy_confine_failed(enum xy_confine_class of)
{
	return atomic_load(&failed[of]);
}

// --- DPDK's threads: they run its code alone, so a signal has them narrow themselves

static const struct xy_confine *narrowing;
static atomic_uint narrowed;
static char process_name[NAME];

static void on_narrow(int number)
{
	int was = errno;
	prctl(PR_GET_NAME, own_name);
	if (strncmp(own_name, process_name, NAME) == 0) // nobody could name it from outside
		prctl(PR_SET_NAME, "xylem-dpdk");
	xy_confine_self(narrowing, XY_CONFINE_LIBRARY);
	atomic_fetch_add(&narrowed, 1);
	errno = was;
}

static bool is_narrowed(const struct xy_confine_thread *t, const struct xy_confine *c)
{
	return !t->capabilities && (!c->seccomp || c->devices || t->filters > c->before + 1);
}

enum { THREADS = 256 };

static void library_narrow(struct xy_confine *c)
{
	static struct xy_confine_thread v[THREADS];
	struct sigaction a = {.sa_handler = on_narrow, .sa_flags = SA_RESTART}, was;
	unsigned asked = 0;
	int n = xy_confine_look(v, THREADS);
	sigfillset(&a.sa_mask);
	narrowing = c;
	prctl(PR_GET_NAME, process_name);
	atomic_store(&narrowed, 0);
	sigaction(LIBRARY_SIGNAL, &a, &was);
	for (int i = 0; i < n && i < THREADS; i++)
		if (v[i].of == XY_CONFINE_LIBRARY &&
		    syscall(SYS_tgkill, getpid(), v[i].tid, LIBRARY_SIGNAL) == 0)
			asked++;
	for (unsigned ms = 0; atomic_load(&narrowed) < asked && ms < LIBRARY_WAIT; ms++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	if (atomic_load(&narrowed) >= asked) // else it may come yet, and would end us
		sigaction(LIBRARY_SIGNAL, &was, NULL);
	n = n < 0 ? n : xy_confine_look(v, THREADS);
	c->narrowed = n >= 0;
	for (int i = 0; i < n && i < THREADS; i++)
		if (v[i].of == XY_CONFINE_LIBRARY && !is_narrowed(&v[i], c)) {
			c->narrowed = false;
			xy_err_set(&c->not_all_narrow, EBUSY,
				   "thread %s keeps what the control thread may", v[i].name);
		}
	if (n < 0)
		xy_err_set(&c->not_all_narrow, -n, "/proc does not tell of threads: %s",
			   strerror(-n));
}

// --- life

int xy_confine_begin(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

void xy_confine_files(struct xy_confine *c, const struct xy_confine_path *v, unsigned count)
{
	int r = xy_files_restrict(v, count, &c->no_landlock);
	c->landlock = r > 0 ? r : 0;
	if (r > 0)
		c->no_landlock.text[0] = 0;
}

static unsigned own_filters(void)
{
	static struct xy_confine_thread v[THREADS];
	int n = xy_confine_look(v, THREADS);
	for (int i = 0; i < n && i < THREADS; i++)
		if (v[i].of == XY_CONFINE_CONTROL)
			return v[i].filters;
	return 0;
}

static unsigned kinds_of(const struct xy_confine *c)
{
	return (c->devices ? XY_CALLS_DEVICES : 0) | (c->cards ? XY_CALLS_CARDS : 0);
}

static int filters_make(unsigned kinds, struct xy_err *err)
{
	int r = xy_calls_build(XY_CONFINE_BEFORE, kinds, &all, err);
	for (unsigned i = 0; !r && i < XY_CONFINE_CLASSES; i++)
		r = xy_calls_build(i, kinds, &of_class[i], err);
	return r;
}

void xy_confine_threads(struct xy_confine *c)
{
	struct xy_err *why = &c->no_seccomp;
	c->before = own_filters();
	int r = filters_make(kinds_of(c), why);
	r = r ? r : handler_set();
	if (!r) {
		r = filter_set(&all, SECCOMP_FILTER_FLAG_TSYNC);
		if (r)
			xy_err_set(why, -r, "this kernel takes no filter of system calls: %s",
				   strerror(-r));
	}
	c->seccomp = !r;
	if (!r)
		why->text[0] = 0;
	library_narrow(c);
	xy_confine_self(c, XY_CONFINE_CONTROL);
}

// --- a process of its own

int xy_confine_process_files(struct xy_confine *c, uint64_t keep, const struct xy_confine_path *v,
			     unsigned count)
{
	c->keep = keep;
	c->before = own_filters();
	int r = capabilities_keep(keep);
	if (!r)
		xy_confine_files(c, v, count);
	return r;
}

void xy_confine_process_calls(struct xy_confine *c)
{
	struct xy_err *why = &c->no_seccomp;
	xy_confine_hear();
	int r = xy_calls_build(XY_CONFINE_PROCESS, kinds_of(c), &all, why);
	r = r ? r : handler_set();
	if (!r && (r = filter_set(&all, SECCOMP_FILTER_FLAG_TSYNC)))
		xy_err_set(why, -r, "this kernel takes no filter of system calls: %s",
			   strerror(-r));
	c->seccomp = !r;
	if (!r)
		why->text[0] = 0;
}

// --- what the kernel says

static enum xy_confine_class class_of(const char *name, pid_t tid)
{
	static const struct {
		const char *begins;
		enum xy_confine_class of;
	} v[] = {{"rte-worker", XY_CONFINE_WORKER},  {"eal-", XY_CONFINE_LIBRARY},
		 {"rte", XY_CONFINE_LIBRARY},	     {"dpdk-intr", XY_CONFINE_LIBRARY},
		 {"dpdk-worker", XY_CONFINE_WORKER}, {"dpdk-", XY_CONFINE_LIBRARY},
		 {"telemetry-", XY_CONFINE_LIBRARY}, {"xylem-helper", XY_CONFINE_HELPER},
		 {"memif", XY_CONFINE_LIBRARY}};
	if (tid == getpid())
		return XY_CONFINE_CONTROL;
	for (unsigned i = 0; i < XY_ARRAY_SIZE(v); i++)
		if (strncmp(name, v[i].begins, strlen(v[i].begins)) == 0)
			return v[i].of;
	return XY_CONFINE_LIBRARY;
}

static bool look_at(const char *tid, struct xy_confine_thread *t)
{
	char path[64], line[256];
	unsigned long long caps;
	unsigned n;
	*t = (struct xy_confine_thread){.tid = (pid_t)atol(tid)};
	snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", tid);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Name: %15s", t->name) == 1)
			continue;
		else if (sscanf(line, "CapPrm: %llx", &caps) == 1)
			t->capabilities = caps;
		else if (sscanf(line, "NoNewPrivs: %u", &n) == 1)
			t->no_new_privileges = n;
		else if (sscanf(line, "Seccomp_filters: %u", &n) == 1)
			t->filters = n;
	fclose(f);
	t->of = class_of(t->name, t->tid);
	return true;
}

int xy_confine_look(struct xy_confine_thread *v, unsigned max)
{
	struct xy_confine_thread t;
	struct dirent *e;
	int n = 0;
	DIR *d = opendir("/proc/self/task");
	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && look_at(e->d_name, &t)) {
			if ((unsigned)n < max)
				v[n] = t;
			n++;
		}
	closedir(d);
	return n;
}

const char *xy_confine_capabilities_str(uint64_t set, char *text, size_t size)
{
	static const char *const name[] = {
		[CAP_CHOWN] = "chown",
		[CAP_NET_BIND_SERVICE] = "net_bind_service",
		[CAP_NET_ADMIN] = "net_admin",
		[CAP_NET_RAW] = "net_raw",
		[CAP_IPC_LOCK] = "ipc_lock",
		[CAP_SYS_RAWIO] = "sys_rawio",
		[CAP_SYS_ADMIN] = "sys_admin",
		[CAP_PERFMON] = "perfmon",
		[CAP_BPF] = "bpf",
	};
	size_t n = 0;
	unsigned others = 0;
	snprintf(text, size, "none");
	for (unsigned i = 0; i < 64; i++) {
		if (!(set >> i & 1))
			continue;
		if (i < XY_ARRAY_SIZE(name) && name[i] && n < size)
			n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "", name[i]);
		else
			others++;
	}
	if (others && n < size)
		snprintf(text + n, size - n, "%s%u others", n ? " and " : "", others);
	return text;
}
