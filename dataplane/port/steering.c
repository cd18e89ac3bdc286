// SPDX-License-Identifier: BSD-3-Clause
#include "steering.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct xy_steering {
	const struct xy_dp_privileges *by; // who has the program; NULL: we
	void *by_arg;
	unsigned number;	   // of theirs
	struct xy_dp_program *own; // ours
	int link;		   // of theirs: without us it would go with them
	struct xy_dp_program_at at;
	uint32_t frame_max;
	struct xy_steer_seen *seen; // [1 + cpus], shared with the program
	unsigned cpus;
	size_t seen_len;
};

// --- what the program counts

static unsigned cpus_configured(void)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);
	return n < 1 ? 1 : (unsigned)n;
}

// Where CPUs are numbered with gaps the last ones' counts are not seen.
static int seen_map(struct xy_steering *s, int fd)
{
	long page = sysconf(_SC_PAGESIZE);
	for (s->cpus = cpus_configured();; s->cpus--) {
		size_t len = (1 + s->cpus) * sizeof(*s->seen);
		s->seen_len = (len + (size_t)page - 1) & ~((size_t)page - 1);
		void *at = mmap(NULL, s->seen_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (at != MAP_FAILED) {
			s->seen = at;
			return 0;
		}
		if (errno != EINVAL || s->cpus <= 1)
			return -errno;
	}
}

// --- life

static int load(struct xy_steering *s, const struct xy_dp_program_config *cfg, struct xy_err *err)
{
	int r, fd;
	if (s->by) {
		fd = s->by->program_load(s->by_arg, cfg, &s->number, err);
		if (fd < 0)
			return fd;
		r = seen_map(s, fd);
		close(fd);
	} else {
		r = xy_dp_program_load(cfg, &s->own, err);
		if (r)
			return r;
		r = seen_map(s, xy_dp_program_seen(s->own));
	}
	return r ? xy_err_set(err, -r, "%s: what the XDP program counts: %s", cfg->interface,
			      strerror(-r))
		 : 0;
}

int xy_steering_load(const struct xy_dp *dp, const struct xy_dp_program_config *cfg,
		     struct xy_steering **out, struct xy_err *err)
{
	struct xy_steering *s = calloc(1, sizeof(*s));
	*out = NULL;
	if (!s)
		return xy_err_set(err, ENOMEM, "%s: no memory", cfg->interface);
	s->by = dp->cfg.by;
	s->by_arg = dp->cfg.by_arg;
	s->number = XY_DP_NO_PROGRAM;
	s->link = -1;
	s->frame_max = cfg->frame_max;
	int r = load(s, cfg, err);
	if (r)
		xy_steering_free(s);
	else
		*out = s;
	return r;
}

void xy_steering_free(struct xy_steering *s)
{
	if (!s)
		return;
	if (s->link >= 0)
		close(s->link);
	if (s->by && s->number != XY_DP_NO_PROGRAM)
		s->by->program_free(s->by_arg, s->number);
	xy_dp_program_free(s->own);
	if (s->seen)
		munmap(s->seen, s->seen_len);
	free(s);
}

int xy_steering_attach(struct xy_steering *s, struct xy_err *err)
{
	int r = s->by ? s->by->program_attach(s->by_arg, s->number, &s->at, err)
		      : xy_dp_program_attach(s->own, &s->at, err);
	if (r < 0)
		return r;
	if (s->by)
		s->link = r;
	return 0;
}

// --- what it goes by

int xy_steering_frame_max(struct xy_steering *s, uint32_t frame_max)
{
	if (s->frame_max == frame_max)
		return 0;
	int r = s->by ? s->by->program_frame_max(s->by_arg, s->number, frame_max)
		      : xy_dp_program_frame_max(s->own, frame_max);
	if (!r)
		s->frame_max = frame_max;
	return r;
}

int xy_steering_addresses(struct xy_steering *s, const struct xy_addr *addr, unsigned count)
{
	return s->by ? s->by->program_addresses(s->by_arg, s->number, addr, count)
		     : xy_dp_program_addresses(s->own, addr, count);
}

int xy_steering_socket(struct xy_steering *s, uint32_t queue, int xsk_fd)
{
	return s->by ? s->by->program_socket(s->by_arg, s->number, queue, xsk_fd)
		     : xy_dp_program_socket(s->own, queue, xsk_fd);
}

// --- what it tells

bool xy_steering_may_train(const struct xy_steering *s)
{
	return s->at.may_train;
}

void xy_steering_train(const struct xy_steering *s)
{
	__atomic_store_n(&s->seen[0].train, 1, __ATOMIC_RELAXED);
}

bool xy_steering_trained(const struct xy_steering *s)
{
	return __atomic_load_n(&s->seen[0].train, __ATOMIC_RELAXED);
}

const char *xy_steering_mode(const struct xy_steering *s)
{
	static const char *const word[] = {[XY_DP_XDP_UNKNOWN] = "unknown",
					   [XY_DP_XDP_NONE] = "none",
					   [XY_DP_XDP_NATIVE] = "native",
					   [XY_DP_XDP_GENERIC] = "generic",
					   [XY_DP_XDP_OFFLOADED] = "offloaded"};
	return word[s->at.mode];
}

void xy_steering_counters(const struct xy_steering *s, uint64_t out[static XY_STEER_COUNT])
{
	for (unsigned v = 0; v < XY_STEER_COUNT; v++) {
		out[v] = 0;
		for (unsigned i = 1; i <= s->cpus; i++)
			out[v] += __atomic_load_n(&s->seen[i].count[v], __ATOMIC_RELAXED);
	}
}
