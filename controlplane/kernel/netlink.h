// SPDX-License-Identifier: BSD-3-Clause
// Talk with the kernel about links, addresses, routes and neighbours (rtnetlink): requests that are
// answered at once, and a descriptor that tells of changes. Control thread only; what open makes is
// freed by close.
#pragma once

#include "base/err.h"
#include "base/ip.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Who has the privilege to change something, where the process has none: messages that stand in a
// row; error has a place for each. -errno when none of them was looked at.
struct xy_netlink_by {
	int (*change)(void *arg, const void *bytes, size_t len, int32_t *error, unsigned count);
	void *arg;
	uint32_t portid; // that its changes are told with
};

struct xy_netlink {
	struct mnl_socket *ask;	  // requests
	struct mnl_socket *watch; // changes of links, addresses, routes and rules
	uint32_t seq;		  // of the last request
	// Is shown each change that no request of ours for a route made, when it is read; NULL for
	// changes that were lost. May be NULL.
	void (*see)(void *arg, const struct nlmsghdr *h);
	void *see_arg;
	struct xy_netlink_by by; // change NULL: we change it ourselves
};

int xy_netlink_open(struct xy_netlink *n, struct xy_err *err);
int xy_netlink_ask_open(struct xy_netlink *n, struct xy_err *err); // without changes
void xy_netlink_close(struct xy_netlink *n);

int xy_netlink_fd(const struct xy_netlink *n); // readable: something changed
// Changes of neighbours are told as well, from now on.
void xy_netlink_watch_neighbours(struct xy_netlink *n);
// Reads what there is, a bounded share of it at a time. True when something changed that we did not
// change by a request for a route of our own.
bool xy_netlink_changed(struct xy_netlink *n);

// Begins a request in buf, with a family header of `extra` bytes that *extra_out points to.
struct nlmsghdr *xy_netlink_request(struct xy_netlink *n, void *buf, uint16_t type, uint16_t flags,
				    size_t extra, void *extra_out);
// Sends it and reads until the kernel is done; cb sees each part of the answer. 0 or -errno as the
// kernel says; -EINTR: a list changed while it was read, so it may lack something.
int xy_netlink_answer(struct xy_netlink *n, const struct nlmsghdr *h, mnl_cb_t cb, void *arg);
// Sends several requests that stand in buf in a row; only the last one asks for an acknowledgment.
// on_error is told which ones the kernel refused, by nlmsg_seq, and why (-errno).
int xy_netlink_answer_all(struct xy_netlink *n, const void *buf, size_t len,
			  void (*on_error)(void *arg, uint32_t seq, int error), void *arg);

uint8_t xy_netlink_family(const struct xy_addr *a);
void xy_netlink_put_addr(struct nlmsghdr *h, uint16_t type, const struct xy_addr *a);
bool xy_netlink_get_addr(const struct nlattr *attr, struct xy_addr *out);
