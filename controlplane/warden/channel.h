// SPDX-License-Identifier: BSD-3-Clause
// How the main process and its privileged helper speak: messages and answers of one SOCK_SEQPACKET
// socket, each with at most one descriptor beside it. One thread at each end at a time.
#pragma once

#include "base/err.h"
#include "dataplane.h"
#include "policy/nft.h"
#include "warden/request.h"

// As the helper is, once it is confined: what the kernel says of it.
struct xy_warden_hello {
	int32_t pid;
	uint32_t portid; // of what it asks of routing: changes by it are ours
	unsigned threads, filters;
	int landlock;
	uint64_t capabilities;
	bool no_new_privileges;
	char lacks[sizeof(struct xy_err)]; // "": nothing
};

struct xy_warden_answer {
	int32_t result;	 // 0 or -errno
	uint32_t number; // of the question among those of its channel, from 1 on
	struct xy_err err;
	bool device;	  // of a TUN: the device may not be opened; else it is the interface
	bool whole;	  // the rules are
	bool v6, v4;	  // of NAT rules: they are there
	char name[16];	  // of the host interface
	uint32_t program; // its number
	struct xy_dp_program_at at;	  // where it is attached
	uint8_t digest[XY_CONFIG_DIGEST]; // of the config that was read
	uint32_t count;			  // of messages
	int32_t error[XY_NETMSG_MOST];
	struct xy_nft_count counters[XY_POLICY_COUNTERS]; // last: goes where it was asked for
};

// fd: goes beside it; -1: none. 0 or -errno.
int xy_channel_send(int socket, const void *bytes, size_t len, int fd);
// How many bytes; 0: the other end is closed; -errno, -EAGAIN once the socket's time is over. *fd:
// what came beside it, or -1: the caller's to close. More than one descriptor (all are closed), a
// message without a byte or one that is longer than size is -EBADMSG.
ssize_t xy_channel_receive(int socket, void *to, size_t size, int *fd);
