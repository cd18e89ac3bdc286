// SPDX-License-Identifier: BSD-3-Clause
// The inside of the privileged helper: what both of its threads see.
#pragma once

#include "kernel/netlink.h"
#include "warden/warden.h"

#include <pthread.h>

// A config that the helper read, and what it may have.
struct xy_serve_config {
	struct xy_config config; // without secrets
	struct xy_scope scope;
	struct xy_serve_group {
		bool there;
		uint32_t gid;
	} group[2]; // of telemetry, of control
};

// A card's XDP program.
struct xy_serve_card {
	struct xy_dp_program *program; // NULL: a free place
	uint32_t number;	       // of which there is never another
	uint16_t port;
	bool attached;
};

// How often something may be asked for: so many at once, then one in each so many ms.
struct xy_serve_pace {
	unsigned spent;
	int64_t since; // ms
};

struct xy_serve {
	const struct xy_warden_config *as;
	uint32_t table;
	int first, second;			  // channels
	int parent;				  // pidfd of the main process
	int over;				  // readable: one thread serves no more
	pthread_mutex_t lock;			  // of what stands between here and the next line
	struct xy_serve_config *now, *next, *old; // next: read, and not in force; old: to be freed
	unsigned ifindex;			  // of the host interface; 0: none
	int tun;				  // its first queue, once more; -1: none
	bool ends;				  // the rules go with the main process
	uint32_t asked[2];			  // questions on each channel; each its thread's
	// the first channel's
	struct xy_netlink netlink;
	struct xy_nft *counts;
	unsigned queues; // of the host interface
	struct xy_serve_pace tuns, buffers, widened, programs, xsks;
	struct xy_serve_card card[XY_WARDEN_PROGRAMS];
	uint32_t programs_ever;
	// the second channel's
	struct xy_nft *nft;
	struct xy_serve_pace watches;
};

// --- second.c
void xy_serve_second(struct xy_serve *s, const struct xy_warden_request *q,
		     struct xy_warden_answer *a, int *fd);
// Takes over c, also on failure.
int xy_serve_config_make(const struct xy_serve *s, struct xy_config *c,
			 struct xy_serve_config **out, struct xy_err *err);
void xy_serve_config_free(struct xy_serve_config *c);
void xy_serve_last(struct xy_serve *s); // nobody is served any more

// --- cards.c
void xy_serve_card(struct xy_serve *s, const struct xy_warden_request *q,
		   struct xy_warden_answer *a, int came, int *fd);
void xy_serve_cards_free(struct xy_serve *s);

// --- serve.c
// What the host interface is called now; with none, what the config calls it. Locked.
void xy_serve_interface(struct xy_serve *s, char name[static 16]);
bool xy_serve_pace(struct xy_serve_pace *p, unsigned most, unsigned each_ms); // may it be now?
