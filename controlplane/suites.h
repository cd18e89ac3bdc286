// SPDX-License-Identifier: BSD-3-Clause
// Cipher suites' place in the daemon: which this node has by its CPU and its config, and between
// node info, which asks and tells them, and exchanges, which choose by them. Control thread.
#pragma once

#include "base/err.h"
#include "exchange/exchange.h"
#include "nodeinfo/nodeinfo.h"

struct xy_daemon;

// By the config in force. -ENOTSUP: it demands one that this CPU has not.
int xy_suites_make(const struct xy_daemon *d, struct xy_suites *out, struct xy_err *err);
const char *xy_suites_tell(const struct xy_daemon *d);	       // static text
const char *xy_suites_transit_tell(const struct xy_daemon *d); // static text
void xy_suites_reload(struct xy_daemon *d);
// Of exchanges (xy_exchanges_config), and of node info (xy_nodeinfo_ops).
void xy_suites_ask(void *daemon, const struct xy_exchange *x);
void xy_suites_ours(void *daemon, struct xy_nodeinfo_suites *ours);
void xy_suites_told(void *daemon, const struct xy_addr *from, const struct xy_nodeinfo_suites *its,
		    bool asked, xy_nsec now);
