// SPDX-License-Identifier: BSD-3-Clause
// ICMP echo, in both families: to one address, by a datagram socket where the
// kernel gives one to whoever asks (net.ipv4.ping_group_range), else by a raw one, which takes
// CAP_NET_RAW. What comes back, answers and errors alike, is taken when the descriptor is readable.
// Any thread, each with structs of its own, which are the caller's and closed by close.
#pragma once

#include "base/err.h"
#include "base/ip.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { XY_ECHO_MOST = 65000, XY_ECHO_KEPT = 256 };

struct xy_echo {
	int fd; // -1: closed
	bool raw, v4;
	uint16_t id, last; // last: sequence number that was sent last
	struct timespec sent[XY_ECHO_KEPT];
	struct xy_addr source; // that the kernel sends from; IPv4 is mapped
};

enum xy_echo_what {
	XY_ECHO_ANSWER,
	XY_ECHO_ERROR, // ICMP: type, code, and for "too big" mtu
	XY_ECHO_LOCAL, // this host's kernel: larger than its interface takes (mtu)
};

struct xy_echo_seen {
	enum xy_echo_what what;
	uint16_t seq;
	unsigned bytes, hops; // of the answer, with the ICMP header; its hop limit as it came
	double ms;	      // since it was sent; below 0: not known
	struct xy_addr from;
	uint8_t type, code; // of an error, as ICMPv6 or ICMPv4 has it
	unsigned mtu;
};

// -EPERM: neither kind of socket; -ENETUNREACH: this host's kernel has no way there.
int xy_echo_open(struct xy_echo *e, const struct xy_addr *to, struct xy_err *err);
void xy_echo_close(struct xy_echo *e);
// data: bytes behind the ICMP header. -EMSGSIZE: larger than the interface takes; others as of
// send(2).
int xy_echo_send(struct xy_echo *e, uint16_t seq, unsigned data);
// False: nothing (more) has come.
bool xy_echo_take(struct xy_echo *e, struct xy_echo_seen *out);
// Of an error, in words: "no route to it". v4: the types are ICMPv4's.
const char *xy_echo_error_text(const struct xy_echo_seen *s, bool v4);

double xy_echo_clock(void); // ms, as good as any other clock that only goes on

// Several addresses at once, a round every `interval_ms`, until all have answered or wait_ms after
// the last one was sent.
struct xy_echo_run {
	struct xy_addr to;
	unsigned count, data;	 // how many, and how large
	unsigned sent, answers;	 // what became of it
	double least, most, sum; // ms
	bool error;		 // the last one is in `seen`
	struct xy_echo_seen seen;
	struct xy_addr source; // that the kernel sends from
	int why;	       // it could not be opened or sent: -errno; 0
	struct xy_echo echo;
};
void xy_echo_all(struct xy_echo_run *r, unsigned n, unsigned interval_ms, unsigned wait_ms);
