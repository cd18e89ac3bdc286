// SPDX-License-Identifier: BSD-3-Clause
// What the main process may ask of the privileged helper, as bytes: one message of a SOCK_SEQPACKET
// socket each, with a descriptor beside some. The helper believes none of it: what is too short,
// too long, or says what it cannot mean is refused whole. Pure; any thread.
#pragma once

#include "config/config.h"
#include "warden/netmsg.h"

// The first channel is the control thread's, and answered at once; the second is a helper
// thread's, for what takes long.
enum xy_warden_op {
	// on the first
	XY_WARDEN_NETLINK = 1, // bytes
	XY_WARDEN_TUN,	       // queue, many: a queue of the host interface comes back
	XY_WARDEN_MARK,	       // mark; with a UDP socket
	XY_WARDEN_DEVICE,      // interface; likewise: it is for that one alone
	XY_WARDEN_BIND,	       // address, port; likewise
	XY_WARDEN_BUFFERS,     // likewise, or a Unix socket: its buffers become large
	XY_WARDEN_COUNT,       // of the packet filter's rules
	XY_WARDEN_TAKE,	       // the config that was read last is in force
	XY_WARDEN_END,	       // once the main process has ended its rules may go
	XY_WARDEN_GIVE,	       // gid; with the file (O_PATH) of a Unix socket of our user
	XY_WARDEN_CLOSE,       // the host interface is closed
	XY_WARDEN_XSK,	       // interface: an AF_XDP socket for that card comes back
	XY_WARDEN_PROGRAM,     // interface, port, frame_max, pieces: its XDP program is loaded
	XY_WARDEN_FRAMES,      // program, frame_max
	XY_WARDEN_ADDRESSES,   // program, bytes: of each 16
	XY_WARDEN_SOCKET,      // program, queue; with an AF_XDP socket
	XY_WARDEN_ATTACH,      // program: its link comes back
	XY_WARDEN_FREE,	       // program
	// on the second
	XY_WARDEN_READ,	 // the config file, anew
	XY_WARDEN_RULES, // next, keys: those of host.allow are made
	XY_WARDEN_NONE,	 // next: they are taken away, where everything is allowed
	XY_WARDEN_WHOLE, // are they as they were made?
	XY_WARDEN_WATCH, // a descriptor that tells of changes
	XY_WARDEN_NAT,	 // are there rules that change sources?
	XY_WARDEN_OPS,
};

enum {
	XY_WARDEN_MESSAGE = XY_NETMSG_BYTES + 16, // the longest request
	XY_WARDEN_ADDRESSES_MOST = 256,
	XY_WARDEN_QUEUES = 64, // of a card
};

// A key that was found, of a peer that has none in the config.
struct xy_warden_key {
	char peer[XY_NAME_LEN + 1];
	struct xy_key key;
};

struct xy_warden_request {
	enum xy_warden_op op;
	const uint8_t *bytes; // the caller's
	size_t len;
	unsigned queue;
	bool many, next; // next: the config that was read, and is not in force yet
	bool pieces;
	uint32_t mark, gid, program, frame_max;
	char interface[16];
	struct xy_addr address;
	uint16_t port;
	unsigned key_count;
	struct xy_warden_key key[XY_CONFIG_KEYLESS];
};

// How many bytes it takes; 0: it does not fit, or is none.
size_t xy_warden_request_write(const struct xy_warden_request *r,
			       uint8_t to[static XY_WARDEN_MESSAGE]);
// -EBADMSG. bytes stays the caller's, and is looked at by *out.
int xy_warden_request_read(const uint8_t *bytes, size_t len, struct xy_warden_request *out);
bool xy_warden_has_fd(enum xy_warden_op op);	// a descriptor comes with it
bool xy_warden_is_second(enum xy_warden_op op); // it is for the second channel
