// SPDX-License-Identifier: BSD-3-Clause
// Of each peer whether it is reached, what the path carries, how long it takes and what it loses,
// by sending to it; how far its clock is from ours, and whether there is NAT. What cannot be known
// is
// "-", and it is said why. Takes some seconds. One thread; what run fills is freed by free.
#pragma once

#include "client/echo.h"
#include "client/who.h"

enum { XY_NETCHECK_PEERS = 128 }; // at a time: each takes two sockets

struct xy_netcheck_row {
	const json_t *peer, *neighbour;
	const char *name, *state;
	bool reached;	   // it answers
	struct xy_addr to; // [pinged]
	bool pinged;
	struct xy_echo_run *small, *large;
	json_t *notes;
	// As they are shown; "-": not known.
	char mtu[16], proven[16], rtt[20], loss[12], clock[20];
	const char *nat;
	double rtt_ms, lost; // below 0: not known
};

struct xy_netcheck {
	struct xy_who who;
	json_t *neighbours; // reply
	struct xy_netcheck_row *row;
	unsigned count, more;	 // more: peers that were left out
	struct xy_echo_run *run; // [2 * count]
};

// peer: its name, key or address; NULL: all.
int xy_netcheck_run(struct xy_netcheck *c, const struct xy_who_config *cfg, const char *peer,
		    struct xy_err *err);
json_t *xy_netcheck_rows(const struct xy_netcheck *c); // a list; the caller's; NULL: no memory
void xy_netcheck_free(struct xy_netcheck *c);
