// SPDX-License-Identifier: BSD-3-Clause
// What each kind of thread may not do any more, tried in a thread of that kind, in a process of its
// own for each try; and what is said where the kernel takes nothing away.
#include "confine/confine.h"

#include "base/bytes.h"
#include "unit.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	C = 1 << XY_CONFINE_CONTROL,
	H = 1 << XY_CONFINE_HELPER,
	W = 1 << XY_CONFINE_WORKER,
	L = 1 << XY_CONFINE_LIBRARY,
	ALL = C | H | W | L,
	ENDED = 128 + SIGSYS,
};

// --- what is tried: 0 or -errno

static int said(long r)
{
	return r < 0 ? -errno : 0;
}

static int try_execve(void)
{
	char *v[] = {(char *)"/bin/true", NULL};
	return said(execve(v[0], v, v + 1));
}

static int try_fork(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return said(pid);
}

static int try_ptrace(void)
{
	return said(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_read_other(void)
{
	return said(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static int try_kill(void)
{
	return said(kill(getppid(), 0));
}

static int try_setuid(void)
{
	return said(syscall(SYS_setuid, 0));
}

static int try_mount(void)
{
	return said(mount("x", "/tmp", "tmpfs", 0, NULL));
}

static int try_namespace(void)
{
	return said(unshare(CLONE_NEWNET));
}

static int opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return said(fd);
}

static int try_shadow(void)
{
	return opened("/etc/shadow", O_RDONLY);
}

static int try_usr(void)
{
	return opened("/usr/bin/env", O_RDONLY);
}

static int try_make(void)
{
	return opened("/tmp/xylem-confine-test", O_WRONLY | O_CREAT);
}

static int socket_of(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	return said(fd);
}

static int try_packet(void)
{
	return socket_of(AF_PACKET, SOCK_RAW);
}

static int try_inet(void)
{
	return socket_of(AF_INET, SOCK_DGRAM);
}

static int try_netlink(void)
{
	return socket_of(AF_NETLINK, SOCK_RAW);
}

static int try_bpf(void)
{
	union bpf_attr a = {0};
	return said(syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a)));
}

static int try_executable_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	return p == MAP_FAILED ? -errno : 0;
}

static int try_typing(void)
{
	return said(ioctl(0, TIOCSTI, "x"));
}

// The kernel looks at 32 bits of it.
static int try_typing_above(void)
{
	return said(syscall(SYS_ioctl, 0, 0x100000000ul | TIOCSTI, "x"));
}

static int asked_of_pipe(unsigned long request, unsigned long value)
{
	int v = (int)value;
	return said(syscall(SYS_ioctl, 1, request, &v)); // 1: a pipe
}

static int try_signalled(void)
{
	return asked_of_pipe(FIOASYNC, 1);
}

static int try_signalled_other(void)
{
	return asked_of_pipe(FIOSETOWN, (unsigned long)getppid());
}

static int try_signalled_group(void)
{
	return asked_of_pipe(0x700000000ul | SIOCSPGRP, (unsigned long)getppid());
}

static int try_persist(void)
{
	return asked_of_pipe(TUNSETPERSIST, 1);
}

static int try_carrier(void)
{
	return asked_of_pipe(TUNSETCARRIER, 0);
}

static int try_readable(void)
{
	return asked_of_pipe(FIONREAD, 0);
}

static int controlled(unsigned long command, unsigned long value)
{
	return said(syscall(SYS_fcntl, 1, command, value)); // likewise
}

static int try_owner(void)
{
	return controlled(F_SETOWN, (unsigned long)getppid());
}

static int try_owner_above(void)
{
	return controlled(0x100000000ul | F_SETOWN, (unsigned long)getppid());
}

static int try_owner_more(void)
{
	struct f_owner_ex of = {F_OWNER_PID, getppid()};
	return controlled(F_SETOWN_EX, (unsigned long)&of);
}

static int try_owner_self(void)
{
	return controlled(F_SETOWN, (unsigned long)getpid());
}

static int try_xdp(void)
{
	return said(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static int try_ethtool(void)
{
	return asked_of_pipe(SIOCETHTOOL, 0);
}

static int try_vfio(void)
{
	return asked_of_pipe(0x3b64, 0);
}

static int try_signal(void)
{
	return controlled(F_SETSIG, SIGKILL);
}

static int try_async(void)
{
	return controlled(F_SETFL, O_WRONLY | O_ASYNC);
}

static int try_lease(void)
{
	return controlled(F_NOTIFY, 1);
}

static int try_nonblock(void)
{
	return controlled(F_SETFL, O_WRONLY);
}

static int try_duplicate(void)
{
	long fd = syscall(SYS_fcntl, 1, F_DUPFD_CLOEXEC, 10);
	return said(fd);
}

static int try_dumpable(void)
{
	return said(prctl(PR_SET_DUMPABLE, 1));
}

static int try_uring(void)
{
	return said(syscall(SYS_io_uring_setup, 1, NULL));
}

static int try_privileges(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct v[2] = {
		{.effective = 1u << CAP_NET_RAW, .permitted = 1u << CAP_NET_RAW}};
	return said(syscall(SYS_capset, &h, v));
}

static const struct {
	const char *name;
	int (*fn)(void);
	unsigned ended;	  // in which kinds of thread the process ends
	unsigned refused; // in which it is refused with a word
	unsigned not ;	  // in which the kernel refuses, without a word: files, privileges
	unsigned may;
	bool sanitizer; // these do it
} tries[] = {
	{"to run a program", try_execve, ALL, 0, 0, 0, false},
	{"to make a process", try_fork, ALL, 0, 0, 0, true},
	{"ptrace", try_ptrace, ALL, 0, 0, 0, true},
	{"to read another process", try_read_other, ALL, 0, 0, 0, true},
	{"to signal another process", try_kill, ALL, 0, 0, 0, true},
	{"to be another user", try_setuid, ALL, 0, 0, 0, false},
	{"to mount", try_mount, ALL, 0, 0, 0, false},
	{"a namespace", try_namespace, ALL, 0, 0, 0, false},
	{"/etc/shadow", try_shadow, 0, W | L, C | H, 0, true},
	{"a file that is allowed", try_usr, 0, W | L, 0, C | H, true},
	{"to make a file", try_make, 0, W | L, C | H, 0, true},
	{"AF_PACKET", try_packet, 0, ALL, 0, 0, false},
	{"AF_INET", try_inet, 0, W | L, 0, C | H, false},
	{"AF_NETLINK", try_netlink, 0, W | L, 0, C | H, false},
	{"bpf", try_bpf, 0, ALL, 0, 0, false},
	{"AF_XDP", try_xdp, 0, ALL, 0, 0, false},
	{"memory to write and execute", try_executable_memory, 0, ALL, 0, 0, true},
	{"to type into the terminal", try_typing, 0, ALL, 0, 0, false},
	{"by another number", try_typing_above, 0, ALL, 0, 0, false},
	{"to be signalled by ioctl", try_signalled, 0, ALL, 0, 0, false},
	{"to have another signalled by ioctl", try_signalled_other, 0, ALL, 0, 0, false},
	{"and a group", try_signalled_group, 0, ALL, 0, 0, false},
	{"a TUN that stays", try_persist, 0, ALL, 0, 0, false},
	{"a TUN without a carrier", try_carrier, 0, ALL, 0, 0, false},
	{"what is there to read", try_readable, 0, W, 0, C | H | L, false},
	{"to have another signalled", try_owner, 0, ALL, 0, 0, false},
	{"to have another signalled, by another number", try_owner_above, 0, ALL, 0, 0, false},
	{"to have a thread signalled", try_owner_more, 0, ALL, 0, 0, false},
	{"to choose the signal", try_signal, 0, ALL, 0, 0, false},
	{"to be signalled", try_async, 0, ALL, 0, 0, false},
	{"to be signalled of a folder", try_lease, 0, ALL, 0, 0, false},
	{"flags", try_nonblock, 0, W, 0, C | H | L, false},
	{"a descriptor twice", try_duplicate, 0, W, 0, C | H | L, false},
	{"to be dumped", try_dumpable, 0, H | W | L, 0, C, true},
	{"io_uring", try_uring, 0, 0, ALL, 0, false},
	{"a capability again", try_privileges, 0, H | W | L, C, 0, false},
};

// --- a process with a thread of each kind

struct answer {
	int result;
	uint64_t refusals;
};

static struct xy_confine confine;
static int (*volatile wanted)(void); // of a thread that is confined already
static struct answer got;
static pthread_barrier_t told;

static void attempt(void)
{
	got.result = wanted();
	got.refusals = xy_confine_refusals();
}

static void *other_main(void *arg)
{
	xy_confine_self(&confine, *(const enum xy_confine_class *)arg);
	attempt();
	pthread_barrier_wait(&told);
	return NULL;
}

static volatile bool go;

static void *library_main(void *arg)
{
	prctl(PR_SET_NAME, "eal-test");
	while (!go)
		poll(NULL, 0, 1);
	attempt();
	pthread_barrier_wait(&told);
	return NULL;
}

static void in_child(enum xy_confine_class of, int (*fn)(void))
{
	static const struct xy_confine_path paths[] = {{"/usr", XY_CONFINE_READ},
						       {"/proc", XY_CONFINE_READ},
						       {"/not/there", XY_CONFINE_WRITE}};
	pthread_t thread;
	wanted = fn;
	pthread_barrier_init(&told, NULL, 2);
	xy_confine_begin();
	xy_confine_files(&confine, paths, XY_ARRAY_SIZE(paths));
	if (of == XY_CONFINE_LIBRARY)
		pthread_create(&thread, NULL, library_main, NULL);
	xy_confine_threads(&confine);
	if (!confine.seccomp || !confine.narrowed) {
		fprintf(stderr, "%s%s\n", confine.no_seccomp.text, confine.not_all_narrow.text);
		_exit(3);
	}
	if (of == XY_CONFINE_CONTROL) {
		attempt();
		return;
	}
	if (of == XY_CONFINE_LIBRARY)
		go = true;
	else
		pthread_create(&thread, NULL, other_main, &of);
	pthread_barrier_wait(&told);
}

// In a process of its own: 0 and the answer, or the code with which it ended.
static int in_a_process(void (*fn)(void *arg), void *arg, void *out, size_t size)
{
	int p[2], status = 0;
	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(30);
		dup2(p[1], 1);
		fn(arg);
		_exit(write(1, out, size) != (ssize_t)size);
	}
	close(p[1]);
	ssize_t n = read(p[0], out, size);
	close(p[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) ? WEXITSTATUS(status) : n != (ssize_t)size
				 : 256;
}

struct attempt {
	enum xy_confine_class of;
	int (*fn)(void);
};

static void attempt_in_child(void *arg)
{
	const struct attempt *a = arg;
	int null = open("/dev/null", O_RDWR);
	dup2(null, 2); // what it says when it ends
	in_child(a->of, a->fn);
}

static bool as_it_should(unsigned i, unsigned who, int code, const struct answer *a)
{
	if (who & tries[i].ended)
		return code == ENDED;
	if (code)
		return false;
	if (who & tries[i].refused)
		return a->result < 0 && a->refusals > 0;
	if (who & tries[i].not )
		return a->result < 0 && a->refusals == 0;
	return a->result == 0 && a->refusals == 0;
}

static void test_forbidden(void)
{
	for (unsigned i = 0; i < XY_ARRAY_SIZE(tries); i++) {
#ifdef XY_CONFINE_SANITIZER
		if (tries[i].sanitizer)
			continue;
#endif
		CU_ASSERT_EQUAL(tries[i].ended | tries[i].refused | tries[i].not | tries[i].may,
				ALL);
		for (unsigned of = 0; of < XY_CONFINE_CLASSES; of++) {
			struct attempt a = {of, tries[i].fn};
			got = (struct answer){0};
			int code = in_a_process(attempt_in_child, &a, &got, sizeof(got));
			if (as_it_should(i, 1u << of, code, &got))
				continue;
			printf("%s, %s: code %d, result %d, %llu refusals\n",
			       xy_confine_class_word(of), tries[i].name, code, got.result,
			       (unsigned long long)got.refusals);
			CU_FAIL("a thread may do what it may not, or not what it may");
		}
	}
}

// Where a port is DPDK's device its driver asks the kernel what it likes, and still has nobody
// signalled; of a card by AF_XDP is asked what it is, and the privileged helper does all else.
static const struct {
	const char *name;
	int (*fn)(void);
	bool device, card;
} of_cards[] = {
	{"to type into the terminal", try_typing, false, false},
	{"by another number", try_typing_above, false, false},
	{"to be signalled by ioctl", try_signalled, false, false},
	{"to have another signalled by ioctl", try_signalled_other, false, false},
	{"and a group", try_signalled_group, false, false},
	{"a TUN that stays", try_persist, false, false},
	{"a TUN without a carrier", try_carrier, false, false},
	{"to have another signalled", try_owner, false, false},
	{"to have a thread signalled", try_owner_more, false, false},
	{"to have ourselves signalled", try_owner_self, true, false},
	{"to be signalled", try_async, true, false},
	{"of a card", try_ethtool, true, true},
	{"a driver's own", try_vfio, true, false},
	{"what is there to read", try_readable, true, true},
	{"bpf", try_bpf, false, false},
	{"AF_XDP", try_xdp, false, false},
};

static void devices_in_child(void *arg)
{
	confine.devices = true;
	attempt_in_child(arg);
}

static void cards_in_child(void *arg)
{
	confine.cards = true;
	attempt_in_child(arg);
}

static void test_cards(void)
{
	for (unsigned i = 0; i < 2 * XY_ARRAY_SIZE(of_cards); i++) {
		bool device = i % 2, may = device ? of_cards[i / 2].device : of_cards[i / 2].card;
		struct attempt a = {XY_CONFINE_CONTROL, of_cards[i / 2].fn};
		got = (struct answer){0};
		CU_ASSERT_EQUAL(in_a_process(device ? devices_in_child : cards_in_child, &a, &got,
					     sizeof(got)),
				0);
		if (may == (got.refusals == 0))
			continue;
		printf("%s, %s: result %d, %llu refusals\n", of_cards[i / 2].name,
		       device ? "device" : "card", got.result, (unsigned long long)got.refusals);
		CU_FAIL("with a card the control thread may what it may not, or not what it may");
	}
}

// --- what the kernel does not take away is said

// A kernel that answers so to a call.
static void answers(const char *call, int errnum)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	seccomp_rule_add(f, SCMP_ACT_ERRNO((uint32_t)errnum), seccomp_syscall_resolve_name(call),
			 0);
	seccomp_load(f);
	seccomp_release(f);
}

static void *deaf_main(void *arg)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	prctl(PR_SET_NAME, "eal-deaf");
	pthread_barrier_wait(&told);
	poll(NULL, 0, -1);
	return NULL;
}

static void lacking_in_child(void *arg)
{
	static const struct xy_confine_path usr = {"/usr", XY_CONFINE_READ};
	const char *lacks = arg;
	pthread_t thread;
	xy_confine_begin();
	if (strcmp(lacks, "landlock") == 0)
		answers("landlock_create_ruleset", EOPNOTSUPP);
	else if (strcmp(lacks, "seccomp") == 0)
		answers("seccomp", EINVAL);
	xy_confine_files(&confine, &usr, 0);
	if (strcmp(lacks, "thread") == 0) {
		pthread_barrier_init(&told, NULL, 2);
		pthread_create(&thread, NULL, deaf_main, NULL);
		pthread_barrier_wait(&told);
	}
	xy_confine_threads(&confine);
}

static void lacking(const char *what)
{
	memset(&confine, 0, sizeof(confine));
	CU_ASSERT_EQUAL(
		in_a_process(lacking_in_child, (void *)(uintptr_t)what, &confine, sizeof(confine)),
		0);
}

static void test_lacking(void)
{
	lacking("landlock");
	CU_ASSERT_EQUAL(confine.landlock, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(confine.no_landlock.text, "no Landlock"));
	CU_ASSERT(confine.seccomp);
	lacking("seccomp");
	CU_ASSERT_FALSE(confine.seccomp);
	CU_ASSERT_PTR_NOT_NULL(strstr(confine.no_seccomp.text, "Invalid argument"));
}

static void test_deaf(void)
{
	memset(&confine, 0, sizeof(confine));
	// no /proc, or a thread that hears no signal: neither is claimed to be confined
	CU_ASSERT_EQUAL(in_a_process(lacking_in_child, (void *)(uintptr_t) "thread", &confine,
				     sizeof(confine)),
			0);
	CU_ASSERT_FALSE(confine.narrowed);
	CU_ASSERT(confine.not_all_narrow.text[0] != 0);
}

// --- what is told

static void test_words(void)
{
	char text[64];
	CU_ASSERT_STRING_EQUAL(xy_confine_capabilities_str(0, text, sizeof(text)), "none");
	CU_ASSERT_STRING_EQUAL(
		xy_confine_capabilities_str((1ull << CAP_NET_ADMIN) | (1ull << CAP_BPF), text,
					    sizeof(text)),
		"net_admin, bpf");
	CU_ASSERT_STRING_EQUAL(
		xy_confine_capabilities_str(1ull << CAP_SYS_TIME, text, sizeof(text)), "1 others");
	CU_ASSERT_STRING_EQUAL(xy_calls_name(SYS_execve, text, sizeof(text)), "execve");
	CU_ASSERT(xy_calls_is_fatal(SYS_ptrace));
	CU_ASSERT_FALSE(xy_calls_is_fatal(SYS_read));
	CU_ASSERT_FALSE(xy_calls_is_fatal(-1));
	CU_ASSERT_FALSE(xy_calls_is_fatal(100000));
}

static void refusing_in_child(void *arg)
{
	unsigned times = 0;
	char *text = arg;
	xy_confine_begin();
	xy_confine_threads(&confine);
	try_packet();
	try_packet();
	if (!xy_confine_refusal(text, 128, &times) || times != 2 ||
	    xy_confine_refusal(text + 128, 128, &times))
		_exit(4);
}

static void test_refusals(void)
{
	char text[256] = "";
	CU_ASSERT_EQUAL(in_a_process(refusing_in_child, text, text, sizeof(text)), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "made system call socket"));
}

static void test_look(void)
{
	struct xy_confine_thread v[8];
	int n = xy_confine_look(v, XY_ARRAY_SIZE(v));
	CU_ASSERT_FATAL(n >= 1);
	CU_ASSERT_EQUAL(v[0].of, XY_CONFINE_CONTROL);
	CU_ASSERT_EQUAL(v[0].tid, getpid());
}

XY_UNIT_MAIN("confine", {"what each thread may not", test_forbidden}, {"with a card", test_cards},
	     {"a kernel that lacks it", test_lacking}, {"a thread that hears nothing", test_deaf},
	     {"words", test_words}, {"what was refused", test_refusals}, {"threads", test_look})
