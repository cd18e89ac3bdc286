// SPDX-License-Identifier: BSD-3-Clause
// The privileged helper as a process, in a network namespace of the test's own: what a main process
// that was taken over asks of it, and what it gets.
#include "base/bytes.h"
#include "dataplane.h"
#include "kernel/hostlink.h"
#include "unit.h"
#include "warden/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define K1 "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

enum { LOOPBACK = 1, GROUP = 12345, OTHER = 12346, NOGROUP = 65534 };

static const char *text,
	strict[] = "host = { allow = ( \"tcp/22\" ); };\n"
		   "fwmark = 77; ports = ( { driver = \"socket\"; port = 500; },\n"
		   "{ driver = \"af_xdp\"; interface = \"c0\"; port = 4500; },\n"
		   "{ driver = \"af_xdp\"; interface = \"c1\"; port = 4501; address = "
		   "\"192.0.2.7\"; } );\n"
		   "peers = ( { name = \"a\"; key = \"" K1 "\"; } );\n",
	wider[] = "host = { allow = \"all\"; };\n"
		  "peers = ( { name = \"a\"; key = \"" K1 "\"; } );\n"
		  "routes = ( { prefix = \"10.2.0.0/16\"; peer = \"a\"; } );\n"
		  "control = { group = \"nogroup\"; mode = \"0660\"; };\n";

static struct xy_warden *w;
static struct xy_netlink netlink;
static unsigned ours; // the host interface
static int tun = -1;

static int parse(void *arg, struct xy_config *out, struct xy_err *err)
{
	const char *t = *(const char **)arg;
	return xy_config_parse("t", t, strlen(t), out, err);
}

static void nothing(void *arg)
{
	(void)arg;
}

static char folder[32];

static void start(void)
{
	struct xy_config c;
	struct xy_err err = {""};
	text = strict;
	CU_ASSERT_EQUAL_FATAL(parse(&text, &c, &err), 0);
	text = wider; // what the file holds by the time that it is read again
	const struct xy_confine_path paths[] = {{"/dev/net/tun", XY_CONFINE_DEVICE},
						{"/proc/self/task", XY_CONFINE_READ},
						{"/etc/group", XY_CONFINE_READ},
						{"/sys/devices/system/cpu", XY_CONFINE_READ}};
	struct xy_warden_config cfg = {.instance = "live",
				       .file_count = 2,
				       .file = {{.given = true, .gid = GROUP}, {.control = true}},
				       .node = {.b = {2, 0, 0, 1, [15] = 1}},
				       .keep = 1 << CAP_NET_ADMIN | 1 << CAP_CHOWN |
					       1 << CAP_NET_RAW | UINT64_C(1) << CAP_BPF |
					       UINT64_C(1) << CAP_PERFMON,
				       .path = paths,
				       .path_count = XY_ARRAY_SIZE(paths),
				       .config = &c,
				       .read = parse,
				       .begin = nothing,
				       .arg = &text};
	snprintf(folder, sizeof(folder), "/tmp/warden-XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(folder) != NULL);
	snprintf(cfg.file[0].path, sizeof(cfg.file[0].path), "%s/given", folder);
	snprintf(cfg.file[1].path, sizeof(cfg.file[1].path), "%s/kept", folder);
	int r = xy_warden_fork(&cfg, &w, &err);
	if (r)
		printf("\n  %s\n", err.text);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	xy_config_free(&c);
	const struct xy_warden_hello *h = xy_warden_hello(w);
	CU_ASSERT_EQUAL(h->threads, 2);
	CU_ASSERT_TRUE(h->no_new_privileges);
	CU_ASSERT_EQUAL(h->capabilities & ~cfg.keep, 0);
	CU_ASSERT_EQUAL_FATAL(xy_netlink_ask_open(&netlink, &err), 0);
	netlink.by =
		(struct xy_netlink_by){.change = xy_warden_netlink, .arg = w, .portid = h->portid};
}

static void stop(void)
{
	xy_netlink_close(&netlink);
	xy_warden_close(w);
	rmdir(folder);
	close(tun);
	tun = -1;
	w = NULL;
}

// Nobody waits for the helper; here a shell is waited for.
static int sh(const char *command)
{
	signal(SIGCHLD, SIG_DFL);
	int r = system(command);
	signal(SIGCHLD, SIG_IGN);
	return r;
}

// --- sockets

static int udp(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

static void test_sockets(void)
{
	static const struct xy_addr any, one = {.b = {[15] = 1}},
					 tail = {.b = {[12] = 127, [15] = 1}}; // ::127.0.0.1
	int v4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(xy_dp_socket_bind(v4, &tail, 0), -EAFNOSUPPORT);
	CU_ASSERT_EQUAL(xy_dp_socket_bind(v4, &any, 0), 0);
	close(v4);
	int fd = udp(), tcp = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    file = open("/dev/null", O_RDWR | O_CLOEXEC);
	CU_ASSERT_EQUAL(xy_warden_mark(w, fd, 77), 0);
	CU_ASSERT_EQUAL(xy_warden_mark(w, fd, 78), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_mark(w, tcp, 77), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_mark(w, file, 77), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_mark(w, -1, 77), -EBADF);
	CU_ASSERT_EQUAL(xy_warden_device(w, fd, "lo"), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_buffers(w, fd), 0);
	CU_ASSERT_EQUAL(xy_warden_buffers(w, tcp), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_bind(w, fd, &any, 501), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_bind(w, fd, &one, 500), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_bind(w, tcp, &any, 500), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_give(w, fd, 0), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_give(w, file, 0), -EPERM);
	close(fd);
	close(tcp);
	close(file);
}

// --- the interface, and what is on it

static int address(unsigned ifindex, const char *at)
{
	struct xy_hostlink_address a = {0};
	xy_prefix_parse(at, &a.at);
	return xy_hostlink_address_add(&netlink, ifindex, &a);
}

static int route(unsigned ifindex, const char *at)
{
	struct xy_hostlink_route r = {.add = true};
	xy_prefix_parse(at, &r.prefix);
	xy_hostlink_routes(&netlink, ifindex, &r, 1);
	return r.result;
}

static void test_interface(void)
{
	char name[16];
	bool device;
	CU_ASSERT_EQUAL(xy_warden_tun(w, name, 1, true, &device), -EPERM); // there is no first one
	CU_ASSERT_EQUAL(xy_hostlink_set(&netlink, LOOPBACK, 1500, true), -EPERM);
	tun = xy_warden_tun(w, name, 0, false, &device);
	if (tun < 0) // no /dev/net/tun here
		return;
	CU_ASSERT_STRING_EQUAL(name, "xylem0");
	ours = if_nametoindex(name);
	CU_ASSERT_EQUAL(xy_hostlink_quiet(&netlink, ours), 0);
	CU_ASSERT_EQUAL(xy_hostlink_set(&netlink, ours, 1400, true), 0);
	CU_ASSERT_EQUAL(xy_hostlink_set(&netlink, LOOPBACK, 1400, true), -EPERM);
	CU_ASSERT_EQUAL(address(ours, "200:1::1/64"), 0);
	CU_ASSERT_EQUAL(address(ours, "200:2::1/64"), -EPERM); // another's
	CU_ASSERT_EQUAL(address(LOOPBACK, "200:1::1/64"), -EPERM);
	CU_ASSERT_EQUAL(address(ours, "192.0.2.1/32"), -EPERM);
	CU_ASSERT_EQUAL(route(ours, "200::/7"), 0);
	CU_ASSERT_EQUAL(route(ours, "200::/7"), -EEXIST); // the kernel's word comes through
	CU_ASSERT_EQUAL(route(LOOPBACK, "200::/7"), -EPERM);
	CU_ASSERT_EQUAL(route(ours, "10.2.0.0/16"), -EPERM);
	CU_ASSERT_EQUAL(route(ours, "0.0.0.0/0"), -EPERM);
}

// One that somebody deletes is no longer ours, whatever gets its number.
static void test_number(void)
{
	char command[128], name[16];
	bool device;
	if (tun < 0)
		return;
	snprintf(command, sizeof(command),
		 "ip link del xylem0 && ip link add other index %u type veth peer name beyond",
		 ours);
	CU_ASSERT_EQUAL_FATAL(sh(command), 0);
	CU_ASSERT_EQUAL(if_nametoindex("other"), ours);
	CU_ASSERT_EQUAL(address(ours, "200:1::1/64"), -EPERM);
	CU_ASSERT_EQUAL(xy_hostlink_set(&netlink, ours, 1400, true), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_tun(w, name, 1, true, &device), -EPERM);
	CU_ASSERT_EQUAL(sh("ip link del other"), 0);
	close(tun);
	tun = xy_warden_tun(w, name, 0, true, &device);
	CU_ASSERT_FATAL(tun >= 0);
	ours = if_nametoindex(name);
	CU_ASSERT_EQUAL(address(ours, "200:1::1/64"), 0);
	int more = xy_warden_tun(w, name, 1, true, &device);
	CU_ASSERT(more >= 0);
	CU_ASSERT_EQUAL(xy_warden_tun(w, name, 1, true, &device), -EPERM); // it is there
	CU_ASSERT_EQUAL(xy_warden_tun(w, name, 3, true, &device), -EPERM);
	close(more);
	close(tun);
	CU_ASSERT_EQUAL(if_nametoindex("xylem0"), ours); // the helper has it yet
	CU_ASSERT_EQUAL(xy_warden_closed(w), 0);
	CU_ASSERT_EQUAL(if_nametoindex("xylem0"), 0);
	CU_ASSERT_EQUAL(address(ours, "200:1::1/64"), -EPERM);
	tun = xy_warden_tun(w, name, 0, false, &device);
	ours = if_nametoindex(name);
	CU_ASSERT_EQUAL(xy_hostlink_set(&netlink, ours, 1400, true), 0);
}

// --- cards

static struct xy_dp_program_config on(const char *interface, uint16_t port)
{
	struct xy_dp_program_config c = {.port = port, .frame_max = 1514};
	snprintf(c.interface, sizeof(c.interface), "%s", interface);
	return c;
}

static int load(const char *interface, uint16_t port, unsigned *number)
{
	struct xy_err err;
	const struct xy_dp_program_config c = on(interface, port);
	int fd = xy_warden_program_load(w, &c, number, &err);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static bool has_program(const char *interface)
{
	char command[64];
	snprintf(command, sizeof(command), "ip -d link show dev %s | grep -q xdp", interface);
	return sh(command) == 0;
}

static void test_programs(unsigned number)
{
	static const struct xy_addr here = {.b = {[10] = 0xff, 0xff, 192, 0, 2, 7}},
				    other = {.b = {[10] = 0xff, 0xff, 192, 0, 2, 8}};
	struct xy_dp_program_at at;
	struct xy_dp_program *theirs;
	struct xy_err err = {""};
	unsigned second;
	CU_ASSERT_EQUAL(xy_warden_program_addresses(w, number, &other, 1), 0);
	CU_ASSERT_EQUAL(xy_warden_program_frame_max(w, number, 2000), 0);
	int link = xy_warden_program_attach(w, number, &at, &err);
	CU_ASSERT(link >= 0);
	CU_ASSERT(has_program("c0"));
	CU_ASSERT_EQUAL(xy_warden_program_attach(w, number, &at, &err), -EALREADY);
	CU_ASSERT_EQUAL(load("c0", 4500, &second), 0);
	CU_ASSERT_NOT_EQUAL(second, number);
	CU_ASSERT_EQUAL(xy_warden_program_attach(w, second, &at, &err), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "has an XDP program already"));
	for (unsigned i = 0; i < 100; i++) // one that is not attached makes room for the next
		CU_ASSERT_EQUAL(load("c0", 4500, &second), 0);
	xy_warden_program_free(w, second);
	CU_ASSERT_EQUAL(xy_warden_program_frame_max(w, second, 1), -ENOENT);
	xy_warden_program_free(w, number);
	CU_ASSERT(has_program("c0")); // by our link
	close(link);
	CU_ASSERT_FALSE(has_program("c0"));

	CU_ASSERT_EQUAL(load("c1", 4501, &number), 0);
	CU_ASSERT_EQUAL(xy_warden_program_addresses(w, number, &here, 1), 0);
	CU_ASSERT_EQUAL(xy_warden_program_addresses(w, number, &other, 1), -EPERM);
	const struct xy_dp_program_config c = on("c1", 9);
	CU_ASSERT_EQUAL_FATAL(xy_dp_program_load(&c, &theirs, &err), 0);
	CU_ASSERT(xy_dp_program_attach(theirs, &at, &err) >= 0);
	CU_ASSERT_EQUAL(xy_warden_program_attach(w, number, &at, &err), -EBUSY);
	xy_warden_program_free(w, number);
	CU_ASSERT(has_program("c1"));
	xy_dp_program_free(theirs);
}

static void test_cards(void)
{
	struct sockaddr_xdp nowhere = {.sxdp_family = AF_XDP, .sxdp_ifindex = 9999};
	struct xy_err err = {""};
	unsigned number;
	if (sh("ip link add c0 type veth peer name c1") != 0)
		return;
	CU_ASSERT_EQUAL(xy_warden_xsk(w, "lo", &err), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "lo: the privileged helper finds no such"));
	CU_ASSERT_EQUAL(load("lo", 4500, &number), -EPERM);
	CU_ASSERT_EQUAL(load("c0", 4501, &number), -EPERM); // the other's port
	int xsk = xy_warden_xsk(w, "c0", &err);
	if (xsk == -EPERM || xsk == -EAFNOSUPPORT) // of a user namespace
		return;
	CU_ASSERT_FATAL(xsk >= 0);
	CU_ASSERT_EQUAL(bind(xsk, (struct sockaddr *)&nowhere, sizeof(nowhere)), -1);
	if (errno != EINVAL)
		puts("this kernel binds an AF_XDP socket to any card");
	int r = load("c0", 4500, &number), fd = udp();
	CU_ASSERT(r == 0 || r == -EPERM);
	if (!r) {
		CU_ASSERT_EQUAL(xy_warden_program_socket(w, number, 0, fd), -EPERM);
		int another = xy_warden_xsk(w, "c1", &err);
		CU_ASSERT_EQUAL(xy_warden_program_socket(w, number, 0, another), -EPERM);
		CU_ASSERT_EQUAL(xy_warden_program_socket(w, number, 0, -1), -EBADF);
		CU_ASSERT_EQUAL(xy_warden_program_socket(w, number + 1, 0, xsk), -ENOENT);
		CU_ASSERT_EQUAL(xy_warden_program_socket(w, 1u << 31, 0, xsk), -ENOENT);
		close(another);
		test_programs(number);
	}
	close(fd);
	close(xsk);
	CU_ASSERT_EQUAL(sh("ip link del c0"), 0);
}

// --- how often

static void test_often(void)
{
	char name[16];
	bool device, ends = false;
	struct xy_err err;
	for (unsigned i = 0; tun >= 0 && i < 100 && !ends; i++) {
		close(tun);
		tun = xy_warden_tun(w, name, 0, false, &device);
		ends = tun == -EBUSY;
	}
	CU_ASSERT(ends || tun < 0);
	ends = false;
	for (unsigned i = 0; i < 100 && !ends; i++) {
		int fd = xy_warden_watch(w, &err);
		ends = fd == -EBUSY;
		if (fd >= 0)
			close(fd);
	}
	CU_ASSERT(ends);
	int fd = udp();
	ends = false;
	for (unsigned i = 0; i < 10000 && !ends; i++)
		ends = xy_warden_buffers(w, fd) == -EBUSY;
	CU_ASSERT(ends);
	close(fd);
}

// --- the config

// As a reload does, which has read that text.
static int read_again(const char *mine, struct xy_err *err)
{
	struct xy_config c;
	CU_ASSERT_FATAL(xy_config_parse("x", mine, strlen(mine), &c, err) == 0);
	xy_warden_read_begin(w);
	int r = xy_warden_read_end(w, c.digest, err);
	xy_config_free(&c);
	return r;
}

static void test_config(void)
{
	static const struct xy_warden_key key = {.peer = "a"};
	struct xy_err err = {""};
	CU_ASSERT_EQUAL(xy_warden_take(w), -ENOENT); // none was read
	CU_ASSERT_EQUAL(xy_warden_no_rules(w, false, &err), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_no_rules(w, true, &err), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_rules(w, true, &key, 1, &err), -ENOENT);
	CU_ASSERT_EQUAL(read_again("", &err), -EAGAIN); // two texts, one reload
	CU_ASSERT_EQUAL(read_again(wider, &err), 0);
	if (tun >= 0)
		CU_ASSERT_EQUAL(route(ours, "10.2.0.0/16"), -EPERM); // not in force yet
	CU_ASSERT_EQUAL(xy_warden_no_rules(w, false, &err), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_take(w), 0);
	CU_ASSERT_EQUAL(xy_warden_take(w), -ENOENT); // once
	if (tun >= 0)
		CU_ASSERT_EQUAL(route(ours, "10.2.0.0/16"), 0);
	CU_ASSERT_EQUAL(xy_warden_rules(w, false, &key, 1, &err), -EINVAL); // there are none
	int fd = udp(); // what a reload does not change stays
	CU_ASSERT_EQUAL(xy_warden_mark(w, fd, 77), 0);
	close(fd);
}

// --- a socket's file

static int listening(const char *name, char path[static 108])
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", folder, name);
	snprintf(path, 108, "%s", at.sun_path);
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(bind(s, (const struct sockaddr *)&at, sizeof(at)), 0);
	close(s);
	return open(path, O_PATH | O_CLOEXEC);
}

static bool may_give(void)
{
	return xy_warden_hello(w)->capabilities >> CAP_CHOWN & 1;
}

// Two files, each to its group alone; no other file of the same user.
static void test_give(void)
{
	char at[3][108];
	struct stat st;
	int given = listening("given", at[0]), kept = listening("kept", at[1]),
	    other = listening("other", at[2]), dir = open(folder, O_PATH | O_CLOEXEC);
	CU_ASSERT_EQUAL(xy_warden_give(w, dir, getegid()), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_give(w, given, OTHER), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_give(w, kept, GROUP), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_give(w, other, GROUP), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_give(w, other, getegid()), -EPERM);
	int r = xy_warden_give(w, given, GROUP); // a user namespace may have no such group
	CU_ASSERT(r == 0 || r == -EINVAL || !may_give());
	CU_ASSERT(r != 0 || (lstat(at[0], &st) == 0 && st.st_gid == GROUP));
	CU_ASSERT_EQUAL(xy_warden_give(w, given, getegid()), 0);
	CU_ASSERT_TRUE(lstat(at[0], &st) == 0 && st.st_gid == getegid());
	r = xy_warden_give(w, kept, NOGROUP); // by the config that was read again
	CU_ASSERT(r == 0 || r == -EINVAL || !may_give());
	CU_ASSERT_EQUAL(xy_warden_give(w, given, NOGROUP), -EPERM);
	CU_ASSERT_EQUAL(xy_warden_give(w, kept, getegid()), 0);
	for (unsigned i = 0; i < 3; i++)
		unlink(at[i]);
	close(given);
	close(kept);
	close(other);
	close(dir);
}

// --- its end

static void test_gone(void)
{
	struct xy_err err = {""};
	start();
	CU_ASSERT_TRUE(xy_warden_look(w));
	CU_ASSERT_PTR_NULL(xy_warden_gone(w));
	int fd = udp();
	CU_ASSERT_EQUAL(kill(xy_warden_hello(w)->pid, SIGKILL), 0);
	CU_ASSERT_EQUAL(xy_warden_mark(w, fd, 77), -EPIPE);
	CU_ASSERT_EQUAL(read_again(wider, &err), -EPIPE);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "restart xylemd"));
	CU_ASSERT_FALSE(xy_warden_look(w));
	CU_ASSERT_STRING_EQUAL(xy_warden_gone(w), "it ended");
	close(fd);
	stop();
}

// --- lateness

static bool caught_up(void)
{
	for (unsigned i = 0; i < 1000 && xy_warden_is_late(w); i++) {
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		xy_warden_look(w);
	}
	return !xy_warden_is_late(w);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// One that stalls keeps the control thread for shorter than a service manager waits, once; what it
// says later is nobody's answer, and then it serves as before.
static void test_late(void)
{
	struct xy_err err = {""};
	start();
	CU_ASSERT_TRUE(xy_warden_look(w));
	int fd = udp();
	kill(xy_warden_hello(w)->pid, SIGSTOP);
	double since = seconds();
	CU_ASSERT_EQUAL(xy_warden_mark(w, fd, 77), -ETIMEDOUT);
	CU_ASSERT_TRUE(seconds() - since < 9);
	since = seconds();
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(xy_warden_mark(w, fd, 77), -ETIMEDOUT);
	CU_ASSERT_EQUAL(xy_warden_take(w), -ETIMEDOUT);
	CU_ASSERT_TRUE(seconds() - since < 3);
	CU_ASSERT_TRUE(xy_warden_look(w));
	CU_ASSERT_TRUE(xy_warden_is_late(w));
	// the config before has still to come into force
	CU_ASSERT_EQUAL(read_again(wider, &err), -ETIMEDOUT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "does not answer"));
	kill(xy_warden_hello(w)->pid, SIGCONT);
	CU_ASSERT_TRUE(caught_up());
	CU_ASSERT_EQUAL(xy_warden_mark(w, fd, 78), -EPERM); // not the answer of before
	CU_ASSERT_EQUAL(xy_warden_mark(w, fd, 77), 0);
	CU_ASSERT_PTR_NULL(xy_warden_gone(w));
	CU_ASSERT_EQUAL(read_again(wider, &err), 0);
	close(fd);
	stop();
}

// What is owed to it for a program that is gone is not done to the one in its place.
static void test_late_free(void)
{
	struct xy_err err = {""};
	unsigned old, new;
	if (sh("ip link add c0 type veth peer name c1") != 0)
		return;
	start();
	CU_ASSERT_TRUE(xy_warden_look(w));
	int fd = udp();
	if (load("c0", 4500, &old) == 0) {
		kill(xy_warden_hello(w)->pid, SIGSTOP);
		CU_ASSERT_EQUAL(xy_warden_mark(w, fd, 77), -ETIMEDOUT);
		xy_warden_program_free(w, old);
		kill(xy_warden_hello(w)->pid, SIGCONT);
		nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
		CU_ASSERT_EQUAL(load("c0", 4500, &new), 0);
		CU_ASSERT_TRUE(caught_up());
		CU_ASSERT_TRUE(xy_warden_look(w));
		CU_ASSERT_EQUAL(xy_warden_program_frame_max(w, new, 2000), 0);
		CU_ASSERT_EQUAL(xy_warden_program_frame_max(w, old, 2000), -ENOENT);
		bool ends = false;
		for (unsigned i = 0; i < 10000 && !ends; i++)
			ends = load("c0", 4500, &new) == -EBUSY;
		CU_ASSERT(ends);
		ends = false;
		for (unsigned i = 0; i < 10000 && !ends; i++) {
			int xsk = xy_warden_xsk(w, "c0", &err);
			ends = xsk == -EBUSY;
			if (xsk >= 0)
				close(xsk);
		}
		CU_ASSERT(ends);
	}
	close(fd);
	stop();
	CU_ASSERT_EQUAL(sh("ip link del c0"), 0);
}

// --- a main process that was taken over: a child, whose helper becomes ours when it ends

static struct shared {
	pid_t helper;
	bool no_tun, whole, served;
	int answer[4];
} * shared;

static int channel[2];

static void channels_find(void)
{
	int type;
	for (int fd = 3, n = 0; fd < 1024 && n < 2; fd++) {
		socklen_t len = sizeof(type);
		if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && type == SOCK_SEQPACKET)
			channel[n++] = fd;
	}
}

// As many descriptors as there are.
static int raw_send(int fd, const void *bytes, size_t len, const int *fds, unsigned n)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(8 * sizeof(int))];
	} c = {0};
	struct iovec v = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	if (n) {
		m.msg_control = c.room;
		m.msg_controllen = CMSG_SPACE(n * sizeof(*fds));
		c.head = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS,
					  .cmsg_len = CMSG_LEN(n * sizeof(*fds))};
		memcpy(CMSG_DATA(&c.head), fds, n * sizeof(*fds));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int raw_ask(const void *bytes, size_t len, const int *fds, unsigned n)
{
	struct xy_warden_answer a;
	int none;
	if (raw_send(channel[0], bytes, len, fds, n) ||
	    xy_channel_receive(channel[0], &a, sizeof(a), &none) <= 0)
		return -EPIPE;
	return a.result;
}

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

static bool ends(pid_t pid)
{
	for (unsigned i = 0; i < 1000; i++, pause_ms(20))
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return true;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return false;
}

// Does the helper end with it?
static bool taken_over(void (*attack)(void))
{
	*shared = (struct shared){0};
	signal(SIGCHLD, SIG_DFL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t pid = fork();
	CU_ASSERT_FATAL(pid >= 0);
	if (pid == 0) {
		char name[16];
		bool device;
		start();
		channels_find();
		shared->helper = xy_warden_hello(w)->pid;
		tun = xy_warden_tun(w, name, 0, false, &device);
		shared->no_tun = tun < 0;
		attack();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	CU_ASSERT_TRUE_FATAL(shared->helper > 0);
	return ends(shared->helper);
}

static bool rules_stand(void)
{
	struct xy_nft_count v[XY_POLICY_COUNTERS];
	struct xy_nft *n;
	bool stand = false;
	CU_ASSERT_EQUAL_FATAL(xy_nft_ask_open("live", &n), 0);
	CU_ASSERT_EQUAL(xy_nft_count(n, v), 0);
	for (unsigned i = 0; i < XY_POLICY_COUNTERS; i++)
		stand |= v[i].there;
	xy_nft_close(n);
	return stand;
}

// It closes both channels, and the helper believes it.
static void end_by_word(void)
{
	char byte;
	shutdown(channel[0], SHUT_WR);
	shutdown(channel[1], SHUT_WR);
	while (recv(channel[0], &byte, 1, 0) > 0)
		continue;
	pause_ms(100);
}

static void rules_make(void)
{
	static const struct xy_warden_key key = {.peer = "a"};
	struct xy_err err = {""};
	shared->served = xy_warden_rules(w, false, &key, 1, &err) == 0 && rules_stand() &&
			 xy_warden_end(w) == 0;
}

static void attack_rules(void)
{
	int off = 0;
	rules_make();
	ioctl(tun, TUNSETCARRIER, &off);
	end_by_word();
	shared->whole = rules_stand();
	close(tun);
	pause_ms(100);
	shared->whole &= rules_stand();
}

// Neither an idle interface nor a closed channel is the main process' end.
static void test_rules_stay(void)
{
	CU_ASSERT_TRUE(taken_over(attack_rules));
	if (shared->no_tun)
		return;
	CU_ASSERT_TRUE(shared->served);
	CU_ASSERT_TRUE(shared->whole);
	CU_ASSERT_FALSE(rules_stand()); // they go with it
}

static void attack_persistent(void)
{
	rules_make();
	ioctl(tun, TUNSETPERSIST, 1);
}

static void test_persistent(void)
{
	struct ifreq q = {.ifr_name = "xylem0", .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
	CU_ASSERT_TRUE(taken_over(attack_persistent));
	if (shared->no_tun)
		return;
	CU_ASSERT_TRUE(shared->served);
	CU_ASSERT_TRUE(rules_stand()); // the interface is there
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	CU_ASSERT_EQUAL(ioctl(fd, TUNSETIFF, &q), 0);
	CU_ASSERT_EQUAL(ioctl(fd, TUNSETPERSIST, 0), 0);
	close(fd);
}

static void attack_messages(void)
{
	static const uint8_t buffers = XY_WARDEN_BUFFERS, count = XY_WARDEN_TAKE;
	int fd = udp();
	const int several[] = {channel[0], channel[1], fd, fd, fd};
	shared->answer[0] = raw_ask(&buffers, 1, several, 2);
	shared->answer[1] = raw_ask(&buffers, 1, several, 5);
	shared->answer[2] = raw_ask(&count, 1, several, 1); // takes none
	shared->answer[3] = raw_ask("", 0, NULL, 0);
	shared->served = raw_ask(&buffers, 1, &fd, 1) == 0;
}

static void test_messages(void)
{
	CU_ASSERT_TRUE(taken_over(attack_messages));
	for (unsigned i = 0; i < XY_ARRAY_SIZE(shared->answer); i++)
		CU_ASSERT_EQUAL(shared->answer[i], -EBADMSG);
	CU_ASSERT_TRUE(shared->served); // none of it is an end
}

// Questions with the channels' own ends beside them, and nobody who hears the answers.
static void attack_jam(void)
{
	static const uint8_t op[] = {XY_WARDEN_BUFFERS, XY_WARDEN_WHOLE};
	for (unsigned i = 0; i < 2; i++)
		for (unsigned n = 0, full = 0; n < 5000 && full < 10; n++) {
			full = raw_send(channel[i], op + i, 1, channel + i, n % 2) ? full + 1 : 0;
			if (full)
				pause_ms(20);
		}
}

static void test_jam(void)
{
	CU_ASSERT_TRUE(taken_over(attack_jam));
}

static const struct xy_unit_case cases[] = {
	{"start", start, .always = true},
	{"sockets", test_sockets},
	{"the interface", test_interface},
	{"its number", test_number},
	{"cards", test_cards},
	{"the config", test_config},
	{"a socket's file", test_give},
	{"not too often", test_often},
	{"stop", stop, .always = true},
	{"gone", test_gone},
	{"late", test_late},
	{"a late end of a program", test_late_free},
	{"the rules stay while it lives", test_rules_stay},
	{"and while the interface does", test_persistent},
	{"messages that nobody sends", test_messages},
	{"a jam", test_jam},
};

int main(int argc, char **argv)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		puts("skipped: no network namespace of our own");
		return 77;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	return xy_unit_run("warden_live", cases, XY_ARRAY_SIZE(cases), argc, argv);
}
