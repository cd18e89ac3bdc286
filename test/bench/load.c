// SPDX-License-Identifier: BSD-3-Clause
// A steady flow of UDP over IPv6 and how long each datagram took, for scripts/bench peers:
//   bench_load receive PORT SECONDS             until nothing came for SECONDS; prints JSON
//   bench_load send ADDRESS PORT RATE SECONDS SIZE
//   bench_load forward PORT ADDRESS PORT        what comes goes on to there, until it is killed:
//   what a program between has to do at least, which sleeps, takes all that is there, and sends it
//   bench_load cpu PID                          ns of CPU that a process has had, of all its
//   threads
//   bench_load gap SECONDS                      us of CPU time in one step of a loop that does
//   nothing
// The sender keeps to its times: each datagram has one of its own, and those that are due go, so a
// late one is not made up for by sending less. A datagram bears the time at which it was sent, and
// the kernel stamps its arrival (SO_TIMESTAMPNS), so the receiver's own wake-up is not counted.
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, LEN_MIN = 16, LEN_MAX = 2048, SAMPLES = 1 << 22, BUFFER = 8 << 20 };

static uint64_t nsec(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec;
}

static uint64_t clock_now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return nsec(&t);
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t number(const char *text, const char *what, uint32_t min, uint32_t max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (!*text || *end || n < min || n > max) {
		fprintf(stderr, "bench load: %s: %s is not in %u..%u\n", what, text, min, max);
		exit(2);
	}
	return (uint32_t)n;
}

static int udp(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = BUFFER;
	if (fd < 0)
		die("UDP socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return fd;
}

// --- send

static void send_all(int fd, uint32_t rate, uint32_t seconds, uint32_t size)
{
	static uint8_t data[LEN_MAX];
	uint64_t start = clock_now(CLOCK_MONOTONIC), count = (uint64_t)rate * seconds;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t due = start + i * 1000000000 / rate;
		struct timespec t = {.tv_sec = (time_t)(due / 1000000000),
				     .tv_nsec = (long)(due % 1000000000)};
		while (clock_now(CLOCK_MONOTONIC) < due)
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		uint64_t at = clock_now(CLOCK_REALTIME);
		memcpy(data, &i, sizeof(i));
		memcpy(data + 8, &at, sizeof(at));
		if (send(fd, data, size, 0) < 0 && errno != ENOBUFS && errno != EAGAIN &&
		    errno != ECONNREFUSED)
			die("send");
	}
}

static int sender(char **argv)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
				  .sin6_port = htons((uint16_t)number(argv[1], "port", 1, 65535))};
	uint32_t rate = number(argv[2], "rate", 1, 10000000);
	uint32_t seconds = number(argv[3], "seconds", 1, 3600);
	uint32_t size = number(argv[4], "size", LEN_MIN, LEN_MAX);
	int fd = udp();
	if (inet_pton(AF_INET6, argv[0], &to.sin6_addr) != 1) {
		fprintf(stderr, "bench load: %s is no IPv6 address\n", argv[0]);
		return 2;
	}
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	prctl(PR_SET_TIMERSLACK, 1UL);
	send_all(fd, rate, seconds, size);
	return 0;
}

// --- forward

static int forward_all(int in, int out)
{
	static uint8_t data[BATCH][LEN_MAX];
	struct mmsghdr h[BATCH] = {0};
	struct iovec iov[BATCH];
	for (;;) {
		for (unsigned i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){.iov_base = data[i], .iov_len = LEN_MAX};
			h[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
		}
		int n = recvmmsg(in, h, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0 && errno != EINTR)
			die("forward: receive");
		for (int i = 0; i < n; i++)
			iov[i].iov_len = h[i].msg_len;
		for (int sent = 0, r; sent<n; sent += r> 0 ? r : 1) // what is refused is lost
			r = sendmmsg(out, h + sent, (unsigned)(n - sent), 0);
	}
}

static int forwarder(char **argv)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
				  .sin6_port = htons((uint16_t)number(argv[2], "port", 1, 65535))};
	struct sockaddr_in6 here = {.sin6_family = AF_INET6,
				    .sin6_port =
					    htons((uint16_t)number(argv[0], "port", 1, 65535))};
	int in = udp(), out = udp();
	if (inet_pton(AF_INET6, argv[1], &to.sin6_addr) != 1) {
		fprintf(stderr, "bench load: %s is no IPv6 address\n", argv[1]);
		return 2;
	}
	if (bind(in, (struct sockaddr *)&here, sizeof(here)) ||
	    connect(out, (struct sockaddr *)&to, sizeof(to)))
		die("forward");
	return forward_all(in, out);
}

// --- receive

static uint32_t *took; // ns, one per datagram
static uint32_t taken;
static uint64_t began, ended, bytes;

static void note(const struct msghdr *h, const uint8_t *data, uint32_t len)
{
	struct timespec stamp;
	uint64_t sent;
	if (len < LEN_MIN || taken == SAMPLES)
		return;
	memcpy(&sent, data + 8, sizeof(sent));
	struct cmsghdr *c = CMSG_FIRSTHDR((struct msghdr *)(uintptr_t)h);
	if (!c || c->cmsg_type != SCM_TIMESTAMPNS)
		return;
	memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
	ended = nsec(&stamp);
	began = began ? began : ended;
	bytes += len;
	took[taken++] = ended > sent ? (uint32_t)(ended - sent) : 0;
}

// False: nothing came in time.
static bool receive(int fd)
{
	static uint8_t data[BATCH][LEN_MAX];
	static uint64_t control[BATCH][8];
	struct mmsghdr h[BATCH] = {0};
	struct iovec iov[BATCH];
	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){.iov_base = data[i], .iov_len = LEN_MAX};
		h[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
					       .msg_iovlen = 1,
					       .msg_control = control[i],
					       .msg_controllen = sizeof(control[i])};
	}
	int n = recvmmsg(fd, h, BATCH, MSG_WAITFORONE, NULL);
	for (int i = 0; i < n; i++)
		note(&h[i].msg_hdr, data[i], h[i].msg_len);
	return n > 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static double at(unsigned of_1000) // ms
{
	return taken ? took[(uint64_t)(taken - 1) * of_1000 / 1000] / 1e6 : 0;
}

static int receiver(char **argv)
{
	struct sockaddr_in6 here = {.sin6_family = AF_INET6,
				    .sin6_port =
					    htons((uint16_t)number(argv[0], "port", 1, 65535))};
	struct timeval wait = {.tv_sec = (time_t)number(argv[1], "seconds", 1, 3600)};
	int fd = udp(), on = 1;
	took = malloc(sizeof(*took) * SAMPLES);
	if (!took || bind(fd, (struct sockaddr *)&here, sizeof(here)) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)))
		die("receive");
	while (receive(fd))
		;
	qsort(took, taken, sizeof(*took), compare);
	printf("{\"packets\": %u, \"bytes\": %llu, \"seconds\": %.3f, \"p50_ms\": %.4f, "
	       "\"p99_ms\": %.4f, \"p999_ms\": %.4f, \"max_ms\": %.4f}\n",
	       taken, (unsigned long long)bytes, (double)(ended - began) / 1e9, at(500), at(990),
	       at(999), at(1000));
	return 0;
}

static int cpu(char **argv)
{
	clockid_t clock;
	pid_t pid = (pid_t)number(argv[0], "process", 1, INT32_MAX);
	errno = clock_getcpuclockid(pid, &clock);
	if (errno)
		die("process");
	printf("%llu\n", (unsigned long long)clock_now(clock));
	return 0;
}

// What the machine itself adds: while a hypervisor or an interrupt has the CPU, the thread's own
// CPU time may run on.
static int gap(char **argv)
{
	uint64_t end =
		clock_now(CLOCK_MONOTONIC) + number(argv[0], "seconds", 1, 3600) * 1000000000ull;
	uint64_t longest = 0, was = clock_now(CLOCK_THREAD_CPUTIME_ID), now;
	for (; clock_now(CLOCK_MONOTONIC) < end; was = now) {
		now = clock_now(CLOCK_THREAD_CPUTIME_ID);
		longest = now - was > longest ? now - was : longest;
	}
	printf("%llu\n", (unsigned long long)longest / 1000);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "cpu") == 0)
		return cpu(argv + 2);
	if (argc == 3 && strcmp(argv[1], "gap") == 0)
		return gap(argv + 2);
	if (argc == 7 && strcmp(argv[1], "send") == 0)
		return sender(argv + 2);
	if (argc == 5 && strcmp(argv[1], "forward") == 0)
		return forwarder(argv + 2);
	if (argc == 4 && strcmp(argv[1], "receive") == 0)
		return receiver(argv + 2);
	fputs("usage: bench_load send ADDRESS PORT RATE SECONDS SIZE\n"
	      "       bench_load forward PORT ADDRESS PORT\n"
	      "       bench_load receive PORT SECONDS\n"
	      "       bench_load cpu PID\n"
	      "       bench_load gap SECONDS\n",
	      stderr);
	return 2;
}
