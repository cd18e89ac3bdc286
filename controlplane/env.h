// SPDX-License-Identifier: BSD-3-Clause
// What the parts ask of the outside, as the daemon gives it to them: time, chance, helpers, names,
// and each other. Control thread.
#pragma once

#include "base/time.h"

#include <stddef.h>

struct xy_daemon;
struct xy_exchanges_ops;
struct xy_links_ops;
struct xy_routing_ops;

xy_nsec xy_env_now(void *arg);
void xy_env_random(void *arg, void *buf, size_t len);
void xy_env_exchange_ops(struct xy_daemon *d, struct xy_exchanges_ops *ops);
void xy_env_links_ops(struct xy_daemon *d, struct xy_links_ops *ops);
void xy_env_routing_ops(struct xy_daemon *d, struct xy_routing_ops *ops);
