// SPDX-License-Identifier: BSD-3-Clause
// The privileged helper: life, and the first channel.
#define XY_LOG_PART XY_PART_CONFINEMENT
#include "warden/serve.h"

#include "dataplane.h"
#include "kernel/detour.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	UNIX_BUFFER = 1 << 20, // as long as the longest answer of a socket of ours
	CHANNEL = 3,	       // its first descriptor; the second follows
	THREADS = 8,
	SAID_SECONDS = 60, // twice as long each time
	SAID_LONGEST = 3600,
	ANSWER_SECONDS = 2, // one question at a time finds room at once
	// How many at once, and then one in so many ms: interfaces made anew; buffers of UDP
	// sockets, some for each worker and port; those of our Unix sockets' clients.
	TUNS = 16,
	TUNS_EACH = 2000,
	BUFFERS = 4 * XY_CONFIG_PORTS * XY_CONFIG_CPUS,
	BUFFERS_EACH = 100,
	WIDENED = 512,
	WIDENED_EACH = 5,
};

static const struct xy_scope *scope(const struct xy_serve *s)
{
	return &s->now->scope;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * (int64_t)1000 + t.tv_nsec / 1000000;
}

bool xy_serve_pace(struct xy_serve_pace *p, unsigned most, unsigned each_ms)
{
	int64_t now = now_ms(), back = (now - p->since) / each_ms;
	if (back >= p->spent) {
		p->spent = 0;
		p->since = now;
	} else {
		p->spent -= (unsigned)back;
		p->since += back * each_ms;
	}
	if (p->spent >= most)
		return false;
	p->spent++;
	return true;
}

// --- the host interface

static void tun_drop(struct xy_serve *s)
{
	if (s->tun >= 0)
		close(s->tun);
	s->tun = -1;
}

// Somebody may delete the interface, or take it elsewhere, and another may get its number: its own
// queue tells.
static bool is_still_ours(const struct xy_serve *s)
{
	struct pollfd p = {.fd = s->tun};
	struct ifreq q = {0};
	return poll(&p, 1, 0) >= 0 && !(p.revents & (POLLERR | POLLNVAL)) &&
	       ioctl(s->tun, TUNGETIFF, &q) == 0 && if_nametoindex(q.ifr_name) == s->ifindex;
}

// Once nobody is served any more there is no queue to tell.
static unsigned ours(struct xy_serve *s)
{
	if (s->tun >= 0 && !is_still_ours(s)) {
		tun_drop(s);
		s->ifindex = s->queues = 0;
	}
	return s->ifindex;
}

void xy_serve_interface(struct xy_serve *s, char name[static 16])
{
	if (!ours(s) || !if_indextoname(s->ifindex, name))
		snprintf(name, 16, "%s", scope(s)->name);
}

// --- routing

struct passing {
	struct xy_warden_answer *a;
	uint32_t seq[XY_NETMSG_MOST];
};

static void on_error(void *arg, uint32_t seq, int error)
{
	struct passing *p = arg;
	for (unsigned i = 0; i < p->a->count; i++)
		if (p->seq[i] == seq)
			p->a->error[i] = error;
}

// Those that may pass, in their order, under numbers of our own; the last one is acknowledged.
static int netlink(struct xy_serve *s, const struct xy_warden_request *q,
		   struct xy_warden_answer *a)
{
	static char buf[XY_NETMSG_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct xy_netmsg m[XY_NETMSG_MOST];
	struct passing p = {.a = a};
	struct nlmsghdr *h = NULL;
	size_t len = 0;
	int n = xy_netmsg_check(scope(s), ours(s), q->bytes, q->len, m);
	if (n < 0)
		return n;
	a->count = (uint32_t)n;
	for (int i = 0; i < n; i++) {
		a->error[i] = m[i].error;
		if (m[i].error)
			continue;
		h = (struct nlmsghdr *)(buf + len);
		memcpy(h, q->bytes + m[i].at, m[i].len);
		h->nlmsg_seq = p.seq[i] = ++s->netlink.seq;
		len += m[i].len;
	}
	if (!h)
		return 0;
	h->nlmsg_flags |= NLM_F_ACK;
	return xy_netlink_answer_all(&s->netlink, buf, len, on_error, &p);
}

// Our own hold on it goes with the first queue's, so that it goes when the main process closes it.
static int tun_first(struct xy_serve *s, const struct xy_warden_request *q,
		     struct xy_warden_answer *a)
{
	if (!xy_serve_pace(&s->tuns, TUNS, TUNS_EACH))
		return -EBUSY;
	tun_drop(s);
	s->ifindex = s->queues = 0;
	snprintf(a->name, sizeof(a->name), "%s", scope(s)->name[0] ? scope(s)->name : "xylem%d");
	int fd = xy_dp_tun_attach(a->name, q->queue, q->many, &a->device);
	if (fd < 0)
		return fd;
	s->tun = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	s->ifindex = s->tun < 0 ? 0 : if_nametoindex(a->name);
	s->queues = 1;
	if (s->ifindex)
		return fd;
	tun_drop(s);
	close(fd);
	return -ENODEV;
}

// Each once, in their order.
static int tun_further(struct xy_serve *s, const struct xy_warden_request *q,
		       struct xy_warden_answer *a)
{
	if (!s->ifindex)
		return -EPERM;
	if (!ours(s) || !if_indextoname(s->ifindex, a->name))
		return -ENODEV;
	if (q->queue != s->queues)
		return -EPERM;
	int fd = xy_dp_tun_attach(a->name, q->queue, q->many, &a->device);
	s->queues += fd >= 0;
	return fd;
}

static int tun(struct xy_serve *s, const struct xy_warden_request *q, struct xy_warden_answer *a,
	       int *fd)
{
	if (!scope(s)->host)
		return -EPERM;
	int r = q->queue == 0 ? tun_first(s, q, a) : tun_further(s, q, a);
	*fd = r;
	return r < 0 ? r : 0;
}

// --- sockets

static int option(int fd, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);
	return getsockopt(fd, SOL_SOCKET, name, &v, &len) ? -1 : v;
}

static bool is_udp(int fd)
{
	int domain = option(fd, SO_DOMAIN);
	return (domain == AF_INET || domain == AF_INET6) && option(fd, SO_TYPE) == SOCK_DGRAM &&
	       option(fd, SO_PROTOCOL) == IPPROTO_UDP;
}

static int buffers(struct xy_serve *s, int fd)
{
	int bytes = UNIX_BUFFER;
	if (is_udp(fd))
		return xy_serve_pace(&s->buffers, BUFFERS, BUFFERS_EACH) ? xy_dp_socket_buffers(fd)
									 : -EBUSY;
	if (option(fd, SO_DOMAIN) != AF_UNIX)
		return -EPERM;
	if (!xy_serve_pace(&s->widened, WIDENED, WIDENED_EACH))
		return -EBUSY;
	return setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) ? -errno : 0;
}

// A socket's file of this instance to the group that the config names for it, or back to ours.
// Another file of our user may be another instance's, and other groups are other people.
static int give(const struct xy_serve *s, int fd, uint32_t gid)
{
	const struct xy_warden_config *as = s->as;
	struct stat st, at;
	bool may = false;
	if (fstat(fd, &st))
		return -errno;
	bool is_path = option(fd, SO_DOMAIN) < 0; // else it is a socket itself
	if (!is_path || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return -EPERM;
	for (unsigned i = 0; !may && i < as->file_count; i++) {
		const struct xy_warden_file *f = &as->file[i];
		const struct xy_serve_group *g = &s->now->group[f->control];
		may = (gid == getegid() || (g->there && gid == g->gid)) &&
		      lstat(f->path, &at) == 0 && at.st_dev == st.st_dev && at.st_ino == st.st_ino;
	}
	if (!may)
		return -EPERM;
	return fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH) ? -errno : 0;
}

static int about_socket(struct xy_serve *serve, const struct xy_warden_request *q, int fd)
{
	const struct xy_scope *s = scope(serve);
	if (fd < 0)
		return -EBADF;
	if (q->op == XY_WARDEN_BUFFERS)
		return buffers(serve, fd);
	if (q->op == XY_WARDEN_GIVE)
		return give(serve, fd, q->gid);
	if (!is_udp(fd))
		return -EPERM;
	switch (q->op) {
	case XY_WARDEN_MARK:
		return xy_scope_has_mark(s, q->mark) ? xy_dp_socket_mark(fd, q->mark) : -EPERM;
	case XY_WARDEN_DEVICE:
		return xy_scope_has_device(s, q->interface) ? xy_dp_socket_device(fd, q->interface)
							    : -EPERM;
	default:
		return xy_scope_has_port(s, &q->address, q->port)
			       ? xy_dp_socket_bind(fd, &q->address, q->port)
			       : -EPERM;
	}
}

// --- the rest of the first channel

static int count(struct xy_serve *s, struct xy_warden_answer *a)
{
	int r = s->counts ? 0 : xy_nft_ask_open(s->as->instance, &s->counts);
	return r ? r : xy_nft_count(s->counts, a->counters);
}

static int take(struct xy_serve *s)
{
	struct xy_serve_config *next = s->next;
	if (!next)
		return -ENOENT;
	struct xy_scope fixed = s->now->scope;
	xy_scope_follow(&fixed, &next->scope);
	s->now->scope = (struct xy_scope){0};
	next->scope = fixed;
	s->old = s->now; // the last one was freed by the read before this
	s->now = next;
	s->next = NULL;
	return 0;
}

static void first(struct xy_serve *s, const struct xy_warden_request *q, struct xy_warden_answer *a,
		  int came, int *fd)
{
	switch (q->op) {
	case XY_WARDEN_NETLINK:
		a->result = netlink(s, q, a);
		break;
	case XY_WARDEN_TUN:
		a->result = tun(s, q, a, fd);
		break;
	case XY_WARDEN_COUNT:
		a->result = count(s, a);
		break;
	case XY_WARDEN_TAKE:
		a->result = take(s);
		break;
	case XY_WARDEN_END:
		s->ends = true;
		break;
	case XY_WARDEN_CLOSE:
		tun_drop(s);
		s->ifindex = s->queues = 0;
		break;
	case XY_WARDEN_XSK:
	case XY_WARDEN_PROGRAM:
	case XY_WARDEN_FRAMES:
	case XY_WARDEN_ADDRESSES:
	case XY_WARDEN_SOCKET:
	case XY_WARDEN_ATTACH:
	case XY_WARDEN_FREE:
		xy_serve_card(s, q, a, came, fd);
		break;
	default:
		a->result = xy_warden_has_fd(q->op) ? about_socket(s, q, came) : -EBADMSG;
	}
}

// --- one question after the other

static void refusals_say(void)
{
	char text[128];
	unsigned times;
	while (xy_confine_refusal(text, sizeof(text), &times))
		xy_log_warn("sandbox: the privileged helper: %s, which it may not (%u times): "
			    "refused. Report it",
			    text, times);
}

// What is refused says who asks for what he may not: the main process never does.
static void refused_say(const struct xy_warden_request *q, int result)
{
	static unsigned said;
	if (result == -EBADMSG && said++ < 10)
		xy_log_error("confinement: the main process asked the privileged helper for what "
			     "no part of xylemd asks (%u): refused. It may have been taken over",
			     q->op);
}

static bool is_unnamed(const struct xy_warden_answer *a)
{
	for (unsigned i = 0; i < a->count; i++)
		if (a->error[i] == -EPERM)
			return true;
	return a->result == -EPERM;
}

// What the config does not name is refused, and told, ever more rarely, for each kind of request,
// each of which is one thread's: it may be a setting of run time, or somebody who tries what there
// is.
static void unnamed_say(const struct xy_warden_request *q, const struct xy_warden_answer *a)
{
	static const char *const what[XY_WARDEN_OPS] = {
		[XY_WARDEN_NETLINK] = "an address, a route or a rule",
		[XY_WARDEN_TUN] = "a host interface",
		[XY_WARDEN_MARK] = "a mark of packets",
		[XY_WARDEN_DEVICE] = "a socket of one interface",
		[XY_WARDEN_BIND] = "a UDP port",
		[XY_WARDEN_BUFFERS] = "buffers of what is no socket of ours",
		[XY_WARDEN_GIVE] = "the group of a file",
		[XY_WARDEN_XSK] = "an AF_XDP socket of a card",
		[XY_WARDEN_PROGRAM] = "an XDP program of a card",
		[XY_WARDEN_ADDRESSES] = "packets for an address, of a card",
		[XY_WARDEN_SOCKET] = "what is no AF_XDP socket of that card",
		[XY_WARDEN_NONE] = "an end of the packet filter's rules",
	};
	static struct {
		unsigned times, told;
		time_t next, wait;
	} v[XY_WARDEN_OPS];
	struct timespec now;
	if (q->op >= XY_WARDEN_OPS || !what[q->op] || !is_unnamed(a))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	v[q->op].times++;
	if (now.tv_sec < v[q->op].next)
		return;
	v[q->op].wait = v[q->op].wait ? v[q->op].wait * 2 : SAID_SECONDS;
	if (v[q->op].wait > SAID_LONGEST)
		v[q->op].wait = SAID_LONGEST;
	v[q->op].next = now.tv_sec + v[q->op].wait;
	xy_log_warn("confinement: the privileged helper refused the main process %s, which the "
		    "config file does not name (%u times, %u in all). What was set at run time "
		    "once `xylem config write` has "
		    "put it into the file; else the main process may have been taken over",
		    what[q->op], v[q->op].times - v[q->op].told, v[q->op].times);
	v[q->op].told = v[q->op].times;
}

// 0, or -errno: nobody takes the answers.
static int answer(struct xy_serve *s, bool second, const uint8_t *bytes, size_t len, int came)
{
	struct xy_warden_answer a = {0};
	struct xy_warden_request q;
	int channel = second ? s->second : s->first, fd = -1;
	size_t size = offsetof(struct xy_warden_answer, counters);
	a.number = ++s->asked[second];
	int r = xy_warden_request_read(bytes, len, &q);
	if (!r && (xy_warden_is_second(q.op) != second || (came >= 0 && !xy_warden_has_fd(q.op))))
		r = -EBADMSG;
	if (r) {
		a.result = r;
	} else if (second) {
		xy_serve_second(s, &q, &a, &fd);
	} else {
		pthread_mutex_lock(&s->lock);
		first(s, &q, &a, came, &fd);
		pthread_mutex_unlock(&s->lock);
		size = q.op == XY_WARDEN_COUNT ? sizeof(a) : size;
	}
	if (came >= 0)
		close(came);
	refused_say(&q, a.result);
	unnamed_say(&q, &a);
	refusals_say();
	r = xy_channel_send(channel, &a, size, fd);
	if (fd >= 0)
		close(fd);
	return r;
}

// Is there a question? Not once the main process is dead: its channels may outlive it, in flight.
static bool wait_for(const struct xy_serve *s, int channel)
{
	struct pollfd p[] = {{.fd = channel, .events = POLLIN},
			     {.fd = s->parent, .events = POLLIN},
			     {.fd = s->over, .events = POLLIN}};
	int r;
	do
		r = poll(p, 3, -1);
	while (r < 0 && errno == EINTR);
	return r > 0 && !p[1].revents && !p[2].revents;
}

// Neither channel is served without the other.
static void over(struct xy_serve *s)
{
	const uint64_t one = 1;
	(void)!write(s->over, &one, sizeof(one));
}

// Until the other end is closed, nobody takes the answers, or the main process is dead.
static void serve(struct xy_serve *s, bool second)
{
	uint8_t bytes[XY_WARDEN_MESSAGE];
	int came, channel = second ? s->second : s->first, r = 0;
	while (!r && wait_for(s, channel)) {
		ssize_t n = xy_channel_receive(channel, bytes, sizeof(bytes), &came);
		if (n <= 0 && n != -EBADMSG)
			return;
		r = answer(s, second, bytes, n < 0 ? 0 : (size_t)n, came);
	}
	if (r == -EAGAIN)
		xy_log_error("confinement: the main process asks the privileged helper and does "
			     "not hear the answers: it is not served any more");
}

static void *second_main(void *arg)
{
	prctl(PR_SET_NAME, "xylem-warden-2");
	xy_confine_hear();
	struct xy_serve *s = arg;
	serve(s, true);
	over(s);
	return NULL;
}

// --- life

static void hello(struct xy_serve *s, const struct xy_confine *c)
{
	struct xy_warden_hello h = {.pid = getpid(),
				    .portid = mnl_socket_get_portid(s->netlink.ask),
				    .landlock = c->landlock,
				    .no_new_privileges = true};
	struct xy_confine_thread v[THREADS];
	int n = xy_confine_look(v, THREADS);
	for (int i = 0; i < n && i < THREADS; i++) {
		h.filters = !i || v[i].filters < h.filters ? v[i].filters : h.filters;
		h.capabilities |= v[i].capabilities;
		h.no_new_privileges &= v[i].no_new_privileges;
		h.threads++;
	}
	h.filters = h.filters > c->before ? h.filters - c->before : 0;
	const struct xy_err *why[] = {&c->no_seccomp, &c->no_landlock, &c->not_all_narrow};
	for (unsigned i = 0; i < 3 && !h.lacks[0]; i++)
		snprintf(h.lacks, sizeof(h.lacks), "%s", why[i]->text);
	xy_channel_send(s->first, &h, sizeof(h), -1);
}

// Its own two channels and the standard ones: nothing else of the main process stays open here.
static void descriptors(struct xy_serve *s, int from_first, int from_second)
{
	const struct timeval t = {.tv_sec = ANSWER_SECONDS};
	int a = fcntl(from_first, F_DUPFD_CLOEXEC, 64), b = fcntl(from_second, F_DUPFD_CLOEXEC, 64);
	s->first = dup2(a, CHANNEL);
	s->second = dup2(b, CHANNEL + 1);
	if (syscall(SYS_close_range, CHANNEL + 2, ~0U, 0))
		for (int fd = CHANNEL + 2; fd < 4096; fd++)
			close(fd);
	setsockopt(s->first, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	setsockopt(s->second, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

// A terminal and a service manager send these to all processes; the end of the channel is its.
static void signals(void)
{
	static const int deaf[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
	sigset_t none;
	sigemptyset(&none);
	for (unsigned i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
		signal(deaf[i], SIG_IGN);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void fail(const char *what, int error)
{
	xy_log_error("the privileged helper: %s: %s", what, strerror(error));
	_exit(1);
}

// By whose end ours is: neither a number that another gets, nor a socket that others can hold.
static void parent_open(struct xy_serve *s, pid_t parent)
{
	s->parent = (int)syscall(SYS_pidfd_open, parent, 0);
	if (s->parent < 0)
		fail("pidfd_open", errno);
	if (getppid() != parent)
		fail("the main process", ESRCH);
	s->over = eventfd(0, EFD_CLOEXEC);
	if (s->over < 0)
		fail("eventfd", errno);
}

static void begin(struct xy_serve *s, struct xy_confine *c)
{
	struct xy_err err;
	const struct xy_warden_config *as = s->as;
	s->table = xy_detour_table(as->instance);
	s->tun = -1;
	if (xy_serve_config_make(s, as->config, &s->now, &err))
		fail("config", ENOMEM);
	for (unsigned i = 0; i < as->file_count; i++)
		s->now->group[as->file[i].control] =
			(struct xy_serve_group){.there = as->file[i].given, .gid = as->file[i].gid};
	as->begin(as->arg);
	int r = xy_confine_begin();
	r = r ? r : prctl(PR_SET_DUMPABLE, 0) ? -errno : 0;
	if (r)
		fail("no_new_privs", -r);
	if (xy_netlink_ask_open(&s->netlink, &err))
		fail(err.text, EIO);
	s->now->scope.exit_was |= xy_detour_is_there(&s->netlink, s->table);
	c->cards = s->now->scope.cards;
	r = xy_confine_process_files(c, as->keep, as->path, as->path_count);
	if (r)
		fail("capabilities", -r);
}

_Noreturn void xy_warden_serve(const struct xy_warden_config *cfg, pid_t parent, int from_first,
			       int from_second)
{
	static struct xy_serve s;
	static struct xy_confine c;
	pthread_t thread;
	s.as = cfg;
	pthread_mutex_init(&s.lock, NULL);
	prctl(PR_SET_NAME, "xylem-warden");
	signals();
	descriptors(&s, from_first, from_second);
	parent_open(&s, parent);
	begin(&s, &c);
	int r = pthread_create(&thread, NULL, second_main, &s);
	if (r)
		fail("a thread", r);
	xy_confine_process_calls(&c);
	hello(&s, &c);
	serve(&s, false);
	over(&s);
	xy_serve_cards_free(&s);
	pthread_mutex_lock(&s.lock);
	tun_drop(&s);
	pthread_mutex_unlock(&s.lock);
	pthread_join(thread, NULL);
	close(s.first); // who waits for our end need not wait for his own
	xy_serve_last(&s);
	_exit(0);
}
