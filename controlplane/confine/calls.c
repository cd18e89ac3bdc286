// SPDX-License-Identifier: BSD-3-Clause
// System calls: one list, who may which, and the filters that libseccomp makes of it.
#include "confine/confine.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/if_xdp.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

enum {
	C = 1 << XY_CONFINE_CONTROL,
	H = 1 << XY_CONFINE_HELPER,
	W = 1 << XY_CONFINE_WORKER,
	L = 1 << XY_CONFINE_LIBRARY,
	BEFORE = 1 << XY_CONFINE_BEFORE,
	P = 1 << XY_CONFINE_PROCESS,
	ALL = C | H | W | L, // of the main process
#ifdef XY_CONFINE_SANITIZER
	TEST = ALL | P,
#endif
	NOT_W = ALL & ~W,
	FILES = C | H, // who opens files and sockets
};

// Each call by its name, as libseccomp knows it (it is on Debian 12 and 13, and a name that it does
// not know is left out: then the call is refused), and who may.
static const struct {
	const char *name;
	unsigned who;
} calls[] = {
	// descriptors that are open
	{"read", ALL},
	{"write", ALL},
	{"readv", ALL},
	{"writev", ALL},
	{"close", NOT_W},
	{"recvfrom", ALL},
	{"sendto", ALL},
	{"recvmsg", ALL},
	{"sendmsg", ALL},
	{"recvmmsg", ALL},
	{"sendmmsg", ALL},
	{"getsockopt", ALL},
	{"poll", ALL},
	{"ppoll", ALL},
	{"select", ALL},
	{"pselect6", ALL},
	{"epoll_wait", ALL},
	{"epoll_pwait", ALL},
	{"epoll_pwait2", ALL},
	{"epoll_ctl", ALL},
	{"epoll_create1", FILES | L},
	{"eventfd2", FILES | L},
	{"timerfd_create", FILES | L},
	{"timerfd_settime", FILES | L},
	{"pipe2", FILES},
	{"dup", FILES | L},
	{"dup2", FILES},
	{"dup3", FILES},
	{"lseek", FILES | L},
	{"pread64", FILES | L},
	{"pwrite64", FILES | L},
	{"ftruncate", FILES | L},
	{"fallocate", C | L},
	{"memfd_create", C | L}, // memory of DPDK
	// memory
	{"munmap", ALL},
	{"mremap", ALL},
	{"madvise", ALL},
	{"brk", ALL},
	{"mlock", ALL},
	{"mlock2", ALL},
	{"munlock", ALL},
	{"mbind", C | L},
	{"get_mempolicy", C | L},
	{"set_mempolicy", C | L},
	// threads and time
	{"futex", ALL},
	{"sched_yield", ALL},
	{"nanosleep", ALL},
	{"clock_nanosleep", ALL},
	{"clock_gettime", ALL},
	{"clock_getres", ALL},
	{"gettimeofday", ALL},
	{"time", ALL},
	{"getcpu", ALL},
	{"getrusage", ALL},
	{"getrandom", ALL},
	{"getpid", ALL},
	{"gettid", ALL},
	{"getppid", FILES},
	{"getuid", FILES | L},
	{"geteuid", FILES | L},
	{"getgid", FILES | L},
	{"getegid", FILES | L},
	{"restart_syscall", ALL},
	{"membarrier", ALL},
	{"rseq", ALL},
	{"set_robust_list", ALL},
	{"set_tid_address", NOT_W},
	{"sched_getaffinity", ALL},
	{"sched_setaffinity", NOT_W},
	{"sched_getparam", NOT_W},
	{"sched_getscheduler", NOT_W},
	{"sigaltstack", ALL},
	{"rt_sigprocmask", ALL},
	{"rt_sigreturn", ALL},
	{"rt_sigaction", NOT_W},
	{"exit", ALL},
	{"exit_group", ALL},
	{"uname", FILES | L},
	{"sysinfo", FILES | L},
	{"times", FILES},
	{"getrlimit", FILES},
	{"setrlimit", C},
	// files
	{"open", FILES},
	{"openat", FILES},
	{"openat2", FILES},
	{"stat", FILES},
	{"lstat", FILES},
	{"fstat", NOT_W},
	{"newfstatat", NOT_W},
	{"statx", FILES},
	{"statfs", FILES},
	{"fstatfs", FILES},
	{"access", FILES},
	{"faccessat", FILES},
	{"faccessat2", FILES},
	{"readlink", FILES},
	{"readlinkat", FILES},
	{"getcwd", FILES},
	{"getdents64", FILES},
	{"fsync", FILES},
	{"fdatasync", FILES},
	{"fadvise64", FILES},
	{"rename", C | H},
	{"renameat", C | H},
	{"renameat2", C | H},
	{"link", C | H},
	{"linkat", C | H},
	{"unlink", C | H},
	{"unlinkat", C | H},
	{"mkdir", C | H},
	{"mkdirat", C | H},
	{"rmdir", C | H},
	{"umask", C | H},
	{"chmod", C},
	{"fchmod", C | H},
	{"fchmodat", C},
	{"chown", C},
	{"lchown", C}, // our sockets' files
	{"fchown", C | H},
	{"fchownat", C},
	// sockets
	{"bind", FILES | L},
	{"connect", FILES | L},
	{"listen", C | L},
	{"accept", C | L},
	{"accept4", C | L},
	{"shutdown", FILES | L},
	{"getsockname", FILES | L},
	{"getpeername", FILES | L},
	{"socketpair", C | L},
	// the privileged helper's: answers, what they take, and its memory
	{"read", P},
	{"write", P},
	{"close", P},
	{"recvmsg", P},
	{"sendmsg", P},
	{"recvfrom", P},
	{"sendto", P},
	{"getsockopt", P},
	{"getsockname", P},
	{"bind", P},
	{"poll", P},
	{"ppoll", P},
	{"select", P},
	{"pselect6", P},
	{"openat", P},
	{"fstat", P},
	{"newfstatat", P},
	{"stat", P},
	{"statx", P},
	{"access", P},
	{"faccessat2", P},
	{"readlink", P},
	{"readlinkat", P},
	{"fchownat", P},
	{"getdents64", P}, // to look at its threads
	{"lseek", P},
	{"pread64", P},
	{"munmap", P},
	{"mremap", P},
	{"madvise", P},
	{"brk", P},
	{"futex", P},
	{"nanosleep", P},
	{"clock_nanosleep", P},
	{"clock_gettime", P},
	{"getrandom", P},
	{"getpid", P},
	{"gettid", P},
	{"getuid", P},
	{"geteuid", P},
	{"getgid", P},
	{"getegid", P},
	{"uname", P},
	{"sysinfo", P},
	{"sched_getaffinity", P},
	{"sched_yield", P},
	{"restart_syscall", P},
	{"rseq", P},
	{"set_robust_list", P},
	{"sigaltstack", P},
	{"rt_sigprocmask", P},
	{"rt_sigreturn", P},
	{"exit", P},
	{"exit_group", P},
	// to narrow themselves
	{"seccomp", BEFORE | C},
	{"capset", BEFORE | C},
	{"capget", BEFORE | C},
	{"landlock_create_ruleset", BEFORE | C},
	{"landlock_restrict_self", BEFORE | C},
#ifdef XY_CONFINE_SANITIZER // what the sanitizers of a test build do
	{"ptrace", TEST},
	{"wait4", TEST},
	{"kill", TEST},
	{"process_vm_readv", TEST},
	{"personality", TEST},
	{"arch_prctl", TEST},
	{"clone", TEST},
	{"prctl", TEST},
	{"mmap", TEST},
	{"mprotect", TEST},
	{"open", TEST},
	{"openat", TEST},
	{"close", TEST},
	{"readlink", TEST},
	{"stat", TEST},
	{"newfstatat", TEST},
	{"fstat", TEST},
	{"lseek", TEST},
	{"getdents64", TEST},
	{"getppid", TEST},
	{"getuid", TEST},
	{"rt_sigaction", TEST},
	{"prlimit64", TEST},
	{"getrlimit", TEST},
	{"dup", TEST},
	{"pipe2", TEST},
	{"tgkill", TEST},
#endif
};

// What libraries try first, and do without where a kernel is too old for it: no word is made of it.
// io_uring would do calls that no filter sees.
static const char *const too_new[] = {"clone3", "io_uring_setup", "io_uring_enter",
				      "io_uring_register", "set_mempolicy_home_node"};

static const char *const fatal[] = {"execve",
				    "execveat",
				    "fork",
				    "vfork",
				    "clone",
				    "ptrace",
				    "setuid",
				    "process_vm_readv",
				    "process_vm_writev",
				    "mount",
				    "umount2",
				    "pivot_root",
				    "chroot",
				    "setns",
				    "unshare",
				    "init_module",
				    "setgid",
				    "finit_module",
				    "delete_module",
				    "kexec_load",
				    "kexec_file_load",
				    "setresuid",
				    "open_by_handle_at",
				    "setresgid",
				    "keyctl",
				    "add_key",
				    "kill",
				    "tkill",
				    "pidfd_getfd",
				    "userfaultfd",
				    "perf_event_open",
				    "reboot",
				    "swapon",
				    "iopl",
				    "ioperm"};

struct making {
	scmp_filter_ctx ctx;
	unsigned who;
	bool devices; // DPDK's drivers ask the kernel what they like
	bool cards;   // af_xdp: the privileged helper loads programs for them
	int r;	      // the first error
};

static void let(struct making *m, unsigned who, const char *name, unsigned n,
		const struct scmp_arg_cmp *args)
{
	int nr = seccomp_syscall_resolve_name(name);
	if (!(who & m->who) || nr == __NR_SCMP_ERROR || nr < 0)
		return;
	int r = seccomp_rule_add_array(m->ctx, SCMP_ACT_ALLOW, nr, n, args);
	m->r = m->r ? m->r : r == -EEXIST ? 0 : r;
}

static void let_option(struct making *m, unsigned who, int option)
{
	let(m, who, "prctl", 1, (struct scmp_arg_cmp[]){SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)option)});
}

static void let_family(struct making *m, unsigned who, int family)
{
	let(m, who, "socket", 1,
	    (struct scmp_arg_cmp[]){SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)family)});
}

static void let_level(struct making *m, unsigned who, int level)
{
	let(m, who, "setsockopt", 1,
	    (struct scmp_arg_cmp[]){SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)level)});
}

// Memory is written to or executed, never both; and what libraries bring (NSS) is executed where
// names are looked up alone.
static void let_memory(struct making *m, const char *name)
{
	let(m, W | L, name, 1,
	    (struct scmp_arg_cmp[]){SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)});
	let(m, FILES | BEFORE | P, name, 1,
	    (struct scmp_arg_cmp[]){
		    SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC)});
	let(m, FILES | BEFORE | P, name, 1,
	    (struct scmp_arg_cmp[]){SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)});
}

static void let_sockets(struct making *m)
{
	static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
	static const int of_process[] = {AF_UNIX, AF_INET, AF_NETLINK}; // to ask the kernel
	static const int levels[] = {SOL_SOCKET, SOL_IP, SOL_IPV6, SOL_TCP, SOL_UDP, SOL_NETLINK};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(families); i++)
		let_family(m, FILES, families[i]);
	for (unsigned i = 0; i < XY_ARRAY_SIZE(of_process); i++)
		let_family(m, P, of_process[i]);
	let_level(m, P, SOL_SOCKET);
	let_level(m, P, SOL_NETLINK);
	let_family(m, L, AF_UNIX); // DPDK's memif; and its telemetry has one
	for (unsigned i = 0; i < XY_ARRAY_SIZE(levels); i++)
		let_level(m, FILES | L, levels[i]);
	let_level(m, C, SOL_XDP);
	let_level(m, W, SOL_IP); // whether a datagram may be cut
	let_level(m, W, SOL_IPV6);
	let_level(m, W, SOL_UDP);
}

static void let_options(struct making *m)
{
	let_option(m, ALL | P, PR_GET_NAME);
	let_option(m, ALL | P, PR_SET_NAME);
	let_option(m, C, PR_SET_DUMPABLE);
	let_option(m, C | H, PR_GET_DUMPABLE);
	let_option(m, ALL | P, PR_SET_VMA); // malloc names its arenas
	let_option(m, BEFORE, PR_SET_NO_NEW_PRIVS);
	let_option(m, BEFORE | C, PR_GET_SECCOMP);
}

// The kernel looks at 32 bits of these numbers, so the filter does, too: with all 64 of them
// compared another number above would pass for none of the list.
struct number {
	uint32_t number;
	unsigned who;
};

static void let_numbers(struct making *m, const char *call, const struct number *v, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		let(m, v[i].who, call, 1,
		    (struct scmp_arg_cmp[]){
			    SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, v[i].number)});
}

// Descriptors, locks, seals. Never who gets a signal when there is something to read, nor which:
// that would be kill() of whoever has our user, the privileged helper first.
static void let_fcntl(struct making *m)
{
	enum { O = NOT_W };
	static const struct number v[] = {
		{F_DUPFD, O},	      {F_DUPFD_CLOEXEC, O | P},
		{F_GETFD, O | P},     {F_SETFD, O | P},
		{F_GETFL, O | P},     {F_GETLK, O},
		{F_SETLK, O},	      {F_SETLKW, O},
		{F_OFD_GETLK, O},     {F_OFD_SETLK, O},
		{F_OFD_SETLKW, O},    {F_GET_SEALS, C | L},
		{F_ADD_SEALS, C | L},
	};
	let_numbers(m, "fcntl", v, XY_ARRAY_SIZE(v));
	let(m, O | P, "fcntl", 2,
	    (struct scmp_arg_cmp[]){SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, F_SETFL),
				    SCMP_A2_64(SCMP_CMP_MASKED_EQ, O_ASYNC, 0)});
	if (!m->devices)
		return;
	// DPDK's driver for TAP has the kernel signal us
	static const struct number signals[] = {{F_SETSIG, C | L}, {F_SETFL, C | L}};
	let_numbers(m, "fcntl", signals, XY_ARRAY_SIZE(signals));
	let(m, C | L, "fcntl", 2,
	    (struct scmp_arg_cmp[]){
		    SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, F_SETOWN),
		    SCMP_A2_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint32_t)getpid())});
}

// Each number whose bits of mask are not of one of these: it differs from a in one bit, from b in
// one.
static void let_neither(struct making *m, uint32_t mask, uint32_t a, uint32_t b)
{
	for (uint32_t i = 1; i; i <<= 1)
		for (uint32_t j = 1; j; j <<= 1) {
			uint32_t is = (~a & i) | (~b & j);
			if ((i & mask) && (j & mask) && (i != j || !((a ^ b) & i)))
				let(m, C | L, "ioctl", 1,
				    (struct scmp_arg_cmp[]){
					    SCMP_A1_64(SCMP_CMP_MASKED_EQ, i | j, is)});
		}
}

// What is asked of sockets, terminals and the TUN, and nothing that changes whose they are or who
// is signalled, or types into somebody's terminal. Who drives cards asks what the driver likes, but
// of these two kinds of numbers only what is harmless.
static void let_ioctl(struct making *m)
{
	enum {
		KIND = 0xff00,
		TERMINALS = 0x5400, // and the TUN
		SOCKETS = 0x8900,
		NUMBER = 0xff,
		FIRST_HARMLESS = 4, // those before say who is signalled
		O = FILES | L,
		D = C | L, // with a card
	};
	static const struct number v[] = {
		{FIONREAD, O | P},     // of who looks up names
		{TCGETS, O | P},       // isatty
		{TIOCGWINSZ, O},       // libuv, of a terminal
		{FIONBIO, O},	       // libuv
		{FIOCLEX, O},	       // libuv
		{SIOCGIFNAME, O | P},  // if_indextoname
		{SIOCGIFINDEX, O | P}, // if_nametoindex
		{SIOCGIFFLAGS, O | P}, {SIOCGIFMTU, O},	   {SIOCGIFCONF, O},
		{SIOCGIFADDR, O},      {SIOCGIFHWADDR, O}, {TUNGETIFF, C | P},
		{TUNSETIFF, P},	       {TUNSETOFFLOAD, C}, {TUNSETVNETHDRSZ, C},
	};
	static const struct number drivers[] = {
		{TUNSETIFF, D},	      {TUNGETFEATURES, D},  {TUNSETOFFLOAD, D}, {TUNSETSNDBUF, D},
		{TUNSETVNETHDRSZ, D}, {TUNGETVNETHDRSZ, D}, {TUNSETQUEUE, D},	{TUNGETIFF, D},
	};
	let_numbers(m, "ioctl", v, XY_ARRAY_SIZE(v));
	if (m->cards) // queues and drivers; without a privilege it changes nothing
		let_numbers(m, "ioctl", &(struct number){SIOCETHTOOL, C | P}, 1);
	if (!m->devices)
		return;
	let_numbers(m, "ioctl", drivers, XY_ARRAY_SIZE(drivers));
	let_neither(m, KIND, TERMINALS, SOCKETS);
	for (uint32_t bit = FIRST_HARMLESS; bit & NUMBER; bit <<= 1)
		let(m, C | L, "ioctl", 1,
		    (struct scmp_arg_cmp[]){
			    SCMP_A1_64(SCMP_CMP_MASKED_EQ, KIND | bit, SOCKETS | bit)});
}

// An XDP program, its maps and link, as libbpf asks for them (from 1.4 on by placeholders), and
// sockets of AF_XDP: the helper's alone.
static void let_cards(struct making *m)
{
	static const char *const v[] = {"bpf", "memfd_create", "dup3"};
	for (unsigned i = 0; m->cards && i < XY_ARRAY_SIZE(v); i++)
		let(m, P, v[i], 0, NULL);
	if (m->cards)
		let_family(m, P, AF_XDP);
}

static void let_with_arguments(struct making *m)
{
	const uint64_t us = (uint64_t)getpid();
	let_memory(m, "mmap");
	let_memory(m, "mprotect");
	let_sockets(m);
	let_options(m);
	let_fcntl(m);
	let_ioctl(m);
	let_cards(m);
	// a thread, never a process
	let(m, NOT_W, "clone", 1,
	    (struct scmp_arg_cmp[]){SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)});
	// abort(), and xy_confine_threads
	let(m, ALL | P, "tgkill", 1, (struct scmp_arg_cmp[]){SCMP_A0(SCMP_CMP_EQ, us)});
	let(m, FILES, "prlimit64", 1, (struct scmp_arg_cmp[]){SCMP_A0_32(SCMP_CMP_EQ, 0)});
}

static void make(struct making *m)
{
	m->r = seccomp_attr_set(m->ctx, SCMP_FLTATR_CTL_NNP, 0); // done already
	seccomp_attr_set(m->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);	 // a tree; old ones have none
	for (unsigned i = 0; i < XY_ARRAY_SIZE(calls); i++)
		let(m, calls[i].who, calls[i].name, 0, NULL);
	for (unsigned i = 0; i < XY_ARRAY_SIZE(too_new); i++) {
		int nr = seccomp_syscall_resolve_name(too_new[i]);
		int r = nr < 0 ? 0 : seccomp_rule_add(m->ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
		m->r = m->r ? m->r : r;
	}
	let_with_arguments(m);
}

// libseccomp gives the program to a descriptor alone.
static int exported(scmp_filter_ctx ctx, struct sock_fprog *out)
{
	struct stat st;
	int fd = memfd_create("filter", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = seccomp_export_bpf(ctx, fd);
	if (!r && (fstat(fd, &st) || lseek(fd, 0, SEEK_SET) < 0))
		r = -errno;
	if (!r) {
		out->len = (unsigned short)((size_t)st.st_size / sizeof(*out->filter));
		out->filter = malloc((size_t)st.st_size);
		if (!out->filter || read(fd, out->filter, (size_t)st.st_size) != st.st_size)
			r = -ENOMEM;
	}
	close(fd);
	return r;
}

int xy_calls_build(unsigned of, unsigned kinds, struct sock_fprog *out, struct xy_err *err)
{
	struct making m = {.ctx = seccomp_init(SCMP_ACT_TRAP),
			   .devices = kinds & XY_CALLS_DEVICES,
			   .cards = kinds & XY_CALLS_CARDS,
			   .who = of == XY_CONFINE_BEFORE ? ALL | BEFORE : 1u << of};
	*out = (struct sock_fprog){0};
	if (!m.ctx)
		return xy_err_set(err, ENOMEM, "no memory for a filter of system calls");
	make(&m);
	int r = m.r ? m.r : exported(m.ctx, out);
	seccomp_release(m.ctx);
	if (!r)
		return 0;
	xy_calls_free(out);
	return xy_err_set(err, -r, "libseccomp makes no filter: %s", strerror(-r));
}

void xy_calls_free(struct sock_fprog *prog)
{
	free(prog->filter);
	*prog = (struct sock_fprog){0};
}

// --- what a number means; for a signal handler, so from tables that were made before

enum { NUMBERS = 512 };
static bool is_fatal[NUMBERS], is_listed[NUMBERS];

__attribute__((constructor)) static void numbers_make(void)
{
	for (unsigned i = 0; i < XY_ARRAY_SIZE(fatal); i++) {
		int nr = seccomp_syscall_resolve_name(fatal[i]);
		if (nr >= 0 && nr < NUMBERS)
			is_fatal[nr] = true;
	}
	static const char *const with_arguments[] = {
		"mmap",	 "mprotect", "socket",	  "prctl", "setsockopt",
		"ioctl", "tgkill",   "prlimit64", "fcntl", "bpf"};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(calls); i++) {
		int nr = seccomp_syscall_resolve_name(calls[i].name);
		if (nr >= 0 && nr < NUMBERS)
			is_listed[nr] = true;
	}
	for (unsigned i = 0; i < XY_ARRAY_SIZE(with_arguments); i++) {
		int nr = seccomp_syscall_resolve_name(with_arguments[i]);
		if (nr >= 0 && nr < NUMBERS)
			is_listed[nr] = true;
	}
}

bool xy_calls_is_fatal(int nr)
{
	return nr >= 0 && nr < NUMBERS && is_fatal[nr];
}

bool xy_calls_is_listed(int nr)
{
	return nr >= 0 && nr < NUMBERS && is_listed[nr];
}

const char *xy_calls_name(int nr, char *text, size_t size)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
	snprintf(text, size, "%s", name ? name : "a call");
	free(name);
	return text;
}
