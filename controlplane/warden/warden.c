// SPDX-License-Identifier: BSD-3-Clause
// The main process' side: what is asked, and what becomes of it when nobody answers.
#define XY_LOG_PART XY_PART_CONFINEMENT
#include "warden/warden.h"

#include "log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	START_SECONDS = 10,
	FIRST_SECONDS = 3,   // the control thread waits, and tells its service manager nothing
	SECOND_SECONDS = 60, // others may hold the packet filter
	END_SECONDS = 3,
};

struct channel {
	int fd;
	pthread_mutex_t lock;
	uint32_t asked;	  // questions, and so the number of the answer that is waited for
	atomic_bool late; // it did not come in time
};

struct xy_warden {
	struct channel channel[2];
	int reading; // -errno: it was not asked to
	pid_t pid;
	struct xy_warden_hello hello;
	atomic_bool losing, gone, owes_take; // why is there once gone is
	bool told, told_late, runs;
	uint32_t owes_free[XY_WARDEN_PROGRAMS]; // XDP programs; control thread's
	unsigned owes;
	char why[96];
};

// --- one question

// The other channel's thread may find it at once; who sees that it is gone can read why.
static void lost(struct xy_warden *w, ssize_t how)
{
	if (atomic_exchange(&w->losing, true))
		return;
	snprintf(w->why, sizeof(w->why), "%s",
		 how == 0	      ? "it ended"
		 : how == -EPIPE      ? "it ended"
		 : how == -ECONNRESET ? "it ended"
				      : strerror((int)-how));
	atomic_store(&w->gone, true);
	for (unsigned i = 0; i < 2; i++) // it is, also where it still answers on the other one
		shutdown(w->channel[i].fd, SHUT_RDWR);
}

static void close_if(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

// Of a channel whose answer did not come in time: has it come meanwhile? Until then nothing more is
// asked there: the control thread would wait for each question anew. Locked.
static bool catch_up(struct xy_warden *w, struct channel *c)
{
	struct xy_warden_answer a;
	int fd;
	while (poll(&(struct pollfd){.fd = c->fd, .events = POLLIN}, 1, 0) > 0) {
		ssize_t n = xy_channel_receive(c->fd, &a, sizeof(a), &fd);
		close_if(&fd);
		if (n < (ssize_t)offsetof(struct xy_warden_answer, counters)) {
			lost(w, n);
			return false;
		}
		if (a.number == c->asked) {
			atomic_store(&c->late, false);
			return true;
		}
	}
	return false;
}

static int put(struct xy_warden *w, struct channel *c, const struct xy_warden_request *q, int fd)
{
	uint8_t bytes[XY_WARDEN_MESSAGE];
	size_t len = xy_warden_request_write(q, bytes);
	if (!len)
		return -EMSGSIZE;
	if (atomic_load(&w->gone))
		return -EPIPE;
	if (atomic_load(&c->late) && !catch_up(w, c))
		return atomic_load(&w->gone) ? -EPIPE : -ETIMEDOUT;
	if (!xy_warden_is_second(q->op) && q->op != XY_WARDEN_TAKE && atomic_load(&w->owes_take))
		return -ETIMEDOUT; // it would be held against the config before
	int r = xy_channel_send(c->fd, bytes, len, fd);
	if (r == -EAGAIN)
		return -ETIMEDOUT;
	if (r)
		lost(w, r);
	else
		c->asked++;
	return r ? -EPIPE : 0;
}

// One that comes too late is known by its number, and is not taken for the next one's.
static int get(struct xy_warden *w, struct channel *c, struct xy_warden_answer *a, int *fd)
{
	for (;;) {
		ssize_t n = xy_channel_receive(c->fd, a, sizeof(*a), fd);
		bool whole = n >= (ssize_t)offsetof(struct xy_warden_answer, counters);
		if (whole && a->number == c->asked)
			return a->result;
		close_if(fd);
		if (n == -EAGAIN) {
			a->err.text[0] = 0;
			atomic_store(&c->late, true);
			return -ETIMEDOUT;
		}
		if (!whole || a->number > c->asked) {
			lost(w, whole ? -EPROTO : n);
			return -EPIPE;
		}
	}
}

static int ask(struct xy_warden *w, const struct xy_warden_request *q, int fd,
	       struct xy_warden_answer *a, int *fd_out)
{
	struct channel *c = &w->channel[xy_warden_is_second(q->op)];
	int came = -1;
	a->err.text[0] = 0;
	pthread_mutex_lock(&c->lock);
	int r = put(w, c, q, fd);
	r = r ? r : get(w, c, a, &came);
	pthread_mutex_unlock(&c->lock);
	if (fd_out && !r)
		*fd_out = came;
	else if (came >= 0)
		close(came);
	return r;
}

static int told(int r, const struct xy_warden_answer *a, struct xy_err *err)
{
	if (!r)
		return 0;
	return xy_err_set(err, -r, "%s",
			  r == -EPIPE ? "the privileged helper has ended; restart xylemd"
			  : r == -ETIMEDOUT
				  ? "the privileged helper does not answer in time; try again"
			  : a->err.text[0] ? a->err.text
					   : strerror(-r));
}

// --- first channel

int xy_warden_netlink(void *warden, const void *bytes, size_t len, int32_t *error, unsigned count)
{
	struct xy_warden_answer a;
	const struct xy_warden_request q = {.op = XY_WARDEN_NETLINK, .bytes = bytes, .len = len};
	int r = ask(warden, &q, -1, &a, NULL);
	for (unsigned i = 0; !r && i < count; i++)
		error[i] = i < a.count && i < XY_NETMSG_MOST ? a.error[i] : -EPROTO;
	return r;
}

int xy_warden_tun(void *warden, char name[static 16], unsigned queue, bool many, bool *device)
{
	struct xy_warden_answer a = {0};
	const struct xy_warden_request q = {.op = XY_WARDEN_TUN, .queue = queue, .many = many};
	int fd = -1, r = ask(warden, &q, -1, &a, &fd);
	*device = r && a.device;
	if (r)
		return r;
	memcpy(name, a.name, sizeof(a.name));
	name[sizeof(a.name) - 1] = 0;
	return fd < 0 ? -EPROTO : fd;
}

static int about_socket(void *warden, int fd, const struct xy_warden_request *q)
{
	struct xy_warden_answer a;
	return ask(warden, q, fd, &a, NULL);
}

int xy_warden_mark(void *warden, int fd, uint32_t mark)
{
	return about_socket(warden, fd,
			    &(struct xy_warden_request){.op = XY_WARDEN_MARK, .mark = mark});
}

int xy_warden_device(void *warden, int fd, const char *interface)
{
	struct xy_warden_request q = {.op = XY_WARDEN_DEVICE};
	snprintf(q.interface, sizeof(q.interface), "%s", interface);
	return about_socket(warden, fd, &q);
}

int xy_warden_bind(void *warden, int fd, const struct xy_addr *address, uint16_t port)
{
	return about_socket(warden, fd,
			    &(struct xy_warden_request){
				    .op = XY_WARDEN_BIND, .address = *address, .port = port});
}

int xy_warden_buffers(void *warden, int fd)
{
	return about_socket(warden, fd, &(struct xy_warden_request){.op = XY_WARDEN_BUFFERS});
}

int xy_warden_give(void *warden, int fd, unsigned gid)
{
	return about_socket(warden, fd,
			    &(struct xy_warden_request){.op = XY_WARDEN_GIVE, .gid = gid});
}

// --- first channel: cards

static int fd_asked(struct xy_warden *w, const struct xy_warden_request *q,
		    struct xy_warden_answer *a, struct xy_err *err)
{
	int fd = -1, r = ask(w, q, -1, a, &fd);
	if (r)
		return told(r, a, err);
	return fd < 0 ? xy_err_set(err, EPROTO, "no descriptor came of the privileged helper") : fd;
}

int xy_warden_xsk(void *warden, const char *interface, struct xy_err *err)
{
	struct xy_warden_answer a;
	struct xy_warden_request q = {.op = XY_WARDEN_XSK};
	snprintf(q.interface, sizeof(q.interface), "%s", interface);
	return fd_asked(warden, &q, &a, err);
}

static int about_program(void *warden, const struct xy_warden_request *q, int fd)
{
	struct xy_warden_answer a;
	return ask(warden, q, fd, &a, NULL);
}

// One that could not be asked for is asked for once the helper answers again.
void xy_warden_program_free(void *warden, unsigned number)
{
	struct xy_warden *w = warden;
	const struct xy_warden_request q = {.op = XY_WARDEN_FREE, .program = number};
	uint32_t before = w->channel[0].asked;
	int r = about_program(w, &q, -1);
	if (r == -ETIMEDOUT && w->channel[0].asked == before && w->owes < XY_WARDEN_PROGRAMS)
		w->owes_free[w->owes++] = number;
}

static void owed_free(struct xy_warden *w)
{
	uint32_t owed[XY_WARDEN_PROGRAMS];
	unsigned n = w->owes;
	memcpy(owed, w->owes_free, n * sizeof(*owed));
	w->owes = 0;
	for (unsigned i = 0; i < n; i++)
		xy_warden_program_free(w, owed[i]);
}

// The one before is off the card first.
int xy_warden_program_load(void *warden, const struct xy_dp_program_config *cfg, unsigned *number,
			   struct xy_err *err)
{
	struct xy_warden_answer a;
	struct xy_warden_request q = {.op = XY_WARDEN_PROGRAM,
				      .port = cfg->port,
				      .frame_max = cfg->frame_max,
				      .pieces = cfg->pieces};
	memcpy(q.interface, cfg->interface, sizeof(q.interface));
	owed_free(warden);
	int fd = fd_asked(warden, &q, &a, err);
	if (fd >= 0)
		*number = a.program;
	return fd;
}

int xy_warden_program_frame_max(void *warden, unsigned number, uint32_t frame_max)
{
	const struct xy_warden_request q = {
		.op = XY_WARDEN_FRAMES, .program = number, .frame_max = frame_max};
	return about_program(warden, &q, -1);
}

int xy_warden_program_addresses(void *warden, unsigned number, const struct xy_addr *addr,
				unsigned count)
{
	const struct xy_warden_request q = {.op = XY_WARDEN_ADDRESSES,
					    .program = number,
					    .bytes = addr->b,
					    .len = count * sizeof(*addr)};
	return about_program(warden, &q, -1);
}

int xy_warden_program_socket(void *warden, unsigned number, uint32_t queue, int xsk)
{
	const struct xy_warden_request q = {
		.op = XY_WARDEN_SOCKET, .program = number, .queue = queue};
	return about_program(warden, &q, xsk);
}

int xy_warden_program_attach(void *warden, unsigned number, struct xy_dp_program_at *at,
			     struct xy_err *err)
{
	struct xy_warden_answer a;
	const struct xy_warden_request q = {.op = XY_WARDEN_ATTACH, .program = number};
	int fd = fd_asked(warden, &q, &a, err);
	if (fd >= 0)
		*at = a.at;
	return fd;
}

// ---

static int simple(struct xy_warden *w, enum xy_warden_op op)
{
	struct xy_warden_answer a;
	return ask(w, &(struct xy_warden_request){.op = op}, -1, &a, NULL);
}

int xy_warden_count(struct xy_warden *w, struct xy_nft_count v[static XY_POLICY_COUNTERS])
{
	struct xy_warden_answer a;
	int r = ask(w, &(struct xy_warden_request){.op = XY_WARDEN_COUNT}, -1, &a, NULL);
	if (!r)
		memcpy(v, a.counters, sizeof(a.counters));
	return r;
}

// What could not be asked is asked once the helper answers again: xy_warden_look.
int xy_warden_take(struct xy_warden *w)
{
	uint32_t before = w->channel[0].asked;
	int r = simple(w, XY_WARDEN_TAKE);
	atomic_store(&w->owes_take, r == -ETIMEDOUT && w->channel[0].asked == before);
	return r;
}

int xy_warden_closed(struct xy_warden *w)
{
	return simple(w, XY_WARDEN_CLOSE);
}

int xy_warden_end(struct xy_warden *w)
{
	return simple(w, XY_WARDEN_END);
}

// --- second channel

void xy_warden_read_begin(struct xy_warden *w)
{
	struct channel *c = &w->channel[1];
	pthread_mutex_lock(&c->lock);
	// while the one before has still to come into force, there is no other
	w->reading = atomic_load(&w->owes_take)
			     ? -ETIMEDOUT
			     : put(w, c, &(struct xy_warden_request){.op = XY_WARDEN_READ}, -1);
}

int xy_warden_read_end(struct xy_warden *w, const uint8_t digest[static XY_CONFIG_DIGEST],
		       struct xy_err *err)
{
	struct xy_warden_answer a = {0};
	struct channel *c = &w->channel[1];
	int none = -1, r = w->reading ? w->reading : get(w, c, &a, &none);
	pthread_mutex_unlock(&c->lock);
	r = told(r, &a, err);
	if (!r && memcmp(digest, a.digest, sizeof(a.digest)) != 0)
		r = xy_err_set(err, EAGAIN,
			       "the config file was changed while it was read; reload again");
	return r;
}

int xy_warden_rules(struct xy_warden *w, bool next, const struct xy_warden_key *key, unsigned count,
		    struct xy_err *err)
{
	struct xy_warden_answer a;
	struct xy_warden_request q = {.op = XY_WARDEN_RULES, .next = next, .key_count = count};
	memcpy(q.key, key, count * sizeof(*key));
	return told(ask(w, &q, -1, &a, NULL), &a, err);
}

int xy_warden_no_rules(struct xy_warden *w, bool next, struct xy_err *err)
{
	struct xy_warden_answer a;
	const struct xy_warden_request q = {.op = XY_WARDEN_NONE, .next = next};
	return told(ask(w, &q, -1, &a, NULL), &a, err);
}

bool xy_warden_is_whole(struct xy_warden *w)
{
	struct xy_warden_answer a;
	return ask(w, &(struct xy_warden_request){.op = XY_WARDEN_WHOLE}, -1, &a, NULL) == 0 &&
	       a.whole;
}

int xy_warden_watch(struct xy_warden *w, struct xy_err *err)
{
	struct xy_warden_answer a;
	int fd = -1;
	int r = ask(w, &(struct xy_warden_request){.op = XY_WARDEN_WATCH}, -1, &a, &fd);
	return r ? told(r, &a, err) : fd < 0 ? xy_err_set(err, EPROTO, "no descriptor came") : fd;
}

int xy_warden_nat(struct xy_warden *w, bool *v6, bool *v4, struct xy_err *err)
{
	struct xy_warden_answer a;
	int r = ask(w, &(struct xy_warden_request){.op = XY_WARDEN_NAT}, -1, &a, NULL);
	*v6 = !r && a.v6;
	*v4 = !r && a.v4;
	return told(r, &a, err);
}

// --- life

static void patience(int fd, int seconds)
{
	struct timeval t = {.tv_sec = seconds};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

static int hear(struct xy_warden *w, struct xy_err *err)
{
	int none;
	patience(w->channel[0].fd, START_SECONDS);
	ssize_t n = xy_channel_receive(w->channel[0].fd, &w->hello, sizeof(w->hello), &none);
	if (n != (ssize_t)sizeof(w->hello))
		return xy_err_set(err, EPROTO, "sandbox: the privileged helper did not start: %s",
				  n < 0 ? strerror((int)-n) : "it ended");
	patience(w->channel[1].fd, SECOND_SECONDS); // of the first one: xy_warden_look
	return 0;
}

static int pairs(int fd[2][2])
{
	int r = 0;
	memset(fd, -1, 4 * sizeof(fd[0][0]));
	for (unsigned i = 0; !r && i < 2; i++)
		r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd[i]) ? -errno : 0;
	return r;
}

static void close_all(const int *fd, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

int xy_warden_fork(const struct xy_warden_config *cfg, struct xy_warden **out, struct xy_err *err)
{
	struct xy_warden *w = calloc(1, sizeof(*w));
	int fd[2][2], r = pairs(fd);
	*out = NULL;
	if (r || !w) {
		close_all(fd[0], 4);
		free(w);
		return xy_err_set(err, r ? -r : ENOMEM, "sandbox: no privileged helper: %s",
				  strerror(r ? -r : ENOMEM));
	}
	signal(SIGCHLD, SIG_IGN); // nobody waits for it
	const pid_t parent = getpid();
	w->pid = fork();
	if (w->pid == 0) {
		close(fd[0][0]);
		close(fd[1][0]);
		xy_warden_serve(cfg, parent, fd[0][1], fd[1][1]);
	}
	r = w->pid < 0 ? errno : 0;
	close(fd[0][1]);
	close(fd[1][1]);
	for (unsigned i = 0; i < 2; i++) {
		w->channel[i].fd = fd[i][0];
		pthread_mutex_init(&w->channel[i].lock, NULL);
	}
	r = r ? xy_err_set(err, r, "sandbox: no privileged helper: fork: %s", strerror(r))
	      : hear(w, err);
	if (r) {
		atomic_store(&w->gone, true);
		xy_warden_close(w);
		return r;
	}
	*out = w;
	return 0;
}

void xy_warden_close(struct xy_warden *w)
{
	char byte;
	if (!w)
		return;
	for (unsigned i = 0; i < 2; i++)
		shutdown(w->channel[i].fd, SHUT_WR);
	patience(w->channel[0].fd, END_SECONDS);
	while (recv(w->channel[0].fd, &byte, 1, 0) > 0)
		continue;
	for (unsigned i = 0; i < 2; i++) {
		close(w->channel[i].fd);
		pthread_mutex_destroy(&w->channel[i].lock);
	}
	free(w);
}

// A passing stall, of the kernel or of the helper, is told at its begin and its end.
static void lateness(struct xy_warden *w)
{
	bool late = false;
	for (unsigned i = 0; i < 2; i++) {
		struct channel *c = &w->channel[i];
		if (atomic_load(&c->late) && pthread_mutex_trylock(&c->lock) == 0) {
			catch_up(w, c);
			pthread_mutex_unlock(&c->lock);
		}
		late |= atomic_load(&c->late);
	}
	if (late != w->told_late && !atomic_load(&w->gone)) {
		w->told_late = late;
		if (late)
			xy_log_warn("the privileged helper does not answer in time: until it does, "
				    "what the node needs of the kernel waits. It forwards");
		else
			xy_log_info("the privileged helper answers again");
	}
	if (!atomic_load(&w->channel[0].late) && atomic_load(&w->owes_take))
		xy_warden_take(w);
	if (!atomic_load(&w->channel[0].late) && w->owes)
		owed_free(w);
}

bool xy_warden_is_late(const struct xy_warden *w)
{
	return atomic_load(&w->channel[0].late) || atomic_load(&w->channel[1].late);
}

bool xy_warden_look(struct xy_warden *w)
{
	char byte;
	struct channel *c = &w->channel[0];
	if (!w->runs) { // the start has more time: nobody watches it yet
		w->runs = true;
		patience(c->fd, FIRST_SECONDS);
	}
	lateness(w);
	if (!atomic_load(&w->gone)) { // between two questions nothing comes but the end
		ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			lost(w, n < 0 ? -errno : 0);
	}
	if (!atomic_load(&w->gone) || w->told)
		return !atomic_load(&w->gone);
	w->told = true;
	xy_log_error("the privileged helper is gone: %s. The node forwards, and what it has of "
		     "the kernel stays; what somebody takes away there does not come back, and "
		     "reloads are refused. Restart xylemd",
		     w->why);
	return false;
}

const char *xy_warden_gone(const struct xy_warden *w)
{
	return atomic_load(&w->gone) ? w->why : NULL;
}

const struct xy_warden_hello *xy_warden_hello(const struct xy_warden *w)
{
	return &w->hello;
}
