// SPDX-License-Identifier: BSD-3-Clause
// What goes to one peer in one send of a socket port (UDP_SEGMENT), and comes there as one:
// datagrams of one size, the last one may be shorter.
#pragma once

enum {
	XY_TRAIN = 64,	       // datagrams: UDP_MAX_SEGMENTS before Linux 6.9
	XY_TRAIN_BYTES = 65000 // of all of them; IPv4's limit is 65507
};
