// SPDX-License-Identifier: BSD-3-Clause
// What the parts ask of the outside, each of them alike: time, chance, helpers, names. The daemon
// makes one (env.c), a test another; it outlives all parts. Control thread.
#pragma once

#include "base/ip.h"
#include "base/time.h"

#include <stddef.h>
#include <stdint.h>

// Who asked for a name. serial and asked are its own, and come back with the answer.
struct xy_env_asker {
	void (*found)(void *who, uint64_t serial, unsigned asked, const struct xy_endpoint *found,
		      unsigned count, xy_nsec now);
	void *who;
	uint64_t serial;
	unsigned asked;
};

struct xy_env {
	void *arg;
	xy_nsec (*now)(void *arg);
	void (*wall)(void *arg, uint64_t *unix_sec, uint32_t *nsec);
	void (*random)(void *arg, void *buf, size_t len);
	// Has work(what) called on a helper, then done(what) on the control thread.
	void (*run)(void *arg, void (*work)(void *what), void (*done)(void *what), void *what);
	// Starts to resolve host. 0: by's found follows, with count 0 when there is no such name,
	// and not from within; never once the daemon stops. -errno: it does not follow.
	int (*resolve)(void *arg, const struct xy_env_asker *by, const char *host, uint16_t port);
};

static inline xy_nsec xy_env_now(const struct xy_env *e)
{
	return e->now(e->arg);
}

static inline void xy_env_wall(const struct xy_env *e, uint64_t *unix_sec, uint32_t *nsec)
{
	e->wall(e->arg, unix_sec, nsec);
}

static inline void xy_env_random(const struct xy_env *e, void *buf, size_t len)
{
	e->random(e->arg, buf, len);
}

static inline void xy_env_run(const struct xy_env *e, void (*work)(void *what),
			      void (*done)(void *what), void *what)
{
	e->run(e->arg, work, done, what);
}

static inline int xy_env_resolve(const struct xy_env *e, const struct xy_env_asker *by,
				 const char *host, uint16_t port)
{
	return e->resolve(e->arg, by, host, port);
}
