// SPDX-License-Identifier: BSD-3-Clause
// Whom the nodes of a large fleet link to, each by itself, from nothing but the records of all and
// the few round trips that it measured: prints what comes of it (degrees, diameter, cost), and
// fails where it is not connected, or somebody has to bear too much.
//   fleet_sim [--nodes N] [--seed S] [--relays PER_THOUSAND] [--rounds R] [--islands]
// Nodes live in places (cities) on a plane; a round trip is the way between two, and each one's own
// access. --islands: between places it is not known at all, so near links never leave one.
#include "fleet/choose.h"

#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PLACES = 40,
	KNOWN = 160,	    // round trips that a node ever knows
	TRIED_A_ROUND = 24, // in so long a round that these had their turn
	LETS_IN = 256,	    // max_open_peers
	NONE = -1,
};

struct known {
	unsigned node;
	uint32_t rtt;
	bool down; // it let nobody in any more
};

struct node {
	unsigned place;
	double access; // ms
	bool gone;
	unsigned let_in; // by itself chosen by others alone
	unsigned known_count;
	struct known known[KNOWN];
	unsigned want_count, wants[96];
	enum xy_fleet_why why[96];
};

struct sim {
	unsigned nodes, rounds, relays; // relays: of a thousand
	bool islands;
	uint64_t seed, state;
	double x[PLACES], y[PLACES];
	struct node *node;
	struct xy_fleet_node *view; // all records, and for a moment one's own eyes
	enum xy_fleet_why *out;
	uint64_t refused;
	unsigned *link, *first; // adjacency
	unsigned links;
};

static uint64_t chance(struct sim *s)
{
	uint64_t x = s->state += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static double unit(struct sim *s)
{
	return (double)(chance(s) >> 11) / (double)(UINT64_C(1) << 53);
}

// --- a world

static void world_make(struct sim *s)
{
	for (unsigned i = 0; i < PLACES; i++) {
		s->x[i] = 150 * unit(s);
		s->y[i] = 100 * unit(s);
	}
	for (unsigned i = 0; i < s->nodes; i++) {
		struct node *n = &s->node[i];
		struct xy_fleet_node *v = &s->view[i];
		uint64_t key[4] = {i, s->seed, 1, 2};
		n->place = (unsigned)(PLACES * unit(s) * unit(s)); // some are large
		n->access = 0.2 - 6 * log(1 - unit(s));
		memcpy(v->key.b, key, sizeof(v->key.b));
		v->ring = xy_fleet_ring(&v->key);
		v->finger = xy_fleet_finger(&v->key);
		v->relay = i % 1000 < s->relays;
		if (v->relay)
			n->access = 0.3;
	}
}

static uint32_t rtt_of(const struct sim *s, unsigned a, unsigned b)
{
	const struct node *x = &s->node[a], *y = &s->node[b];
	double way = hypot(s->x[x->place] - s->x[y->place], s->y[x->place] - s->y[y->place]);
	if (s->islands && x->place != y->place)
		return 0;
	return (uint32_t)(1000 * (way + x->access + y->access));
}

static struct known *known_of(struct node *n, unsigned at)
{
	for (unsigned i = 0; i < n->known_count; i++)
		if (n->known[i].node == at)
			return &n->known[i];
	return NULL;
}

static struct known *learn(struct sim *s, unsigned who, unsigned at)
{
	struct node *n = &s->node[who];
	struct known *k = known_of(n, at);
	if (k || n->known_count == KNOWN || who == at)
		return k;
	k = &n->known[n->known_count++];
	*k = (struct known){.node = at, .rtt = rtt_of(s, who, at)};
	return k;
}

// --- choosing

// What it has from before is what it chooses with, and is taken out of the view after.
static void see(struct sim *s, unsigned who, bool puts)
{
	struct node *n = &s->node[who];
	for (unsigned i = 0; i < n->known_count; i++) {
		struct xy_fleet_node *v = &s->view[n->known[i].node];
		v->rtt_us = puts ? n->known[i].rtt : 0;
		v->down = s->node[n->known[i].node].gone || (puts && n->known[i].down);
	}
	for (unsigned i = 0; i < n->want_count; i++)
		s->view[n->wants[i]].was = puts ? n->why[i] : XY_FLEET_WHY_NOT;
}

static void choose(struct sim *s, unsigned who)
{
	struct node *n = &s->node[who];
	const struct xy_fleet_choice c = {.self = s->view[who].key,
					  .self_relay = s->view[who].relay,
					  .near = XY_FLEET_NEAR,
					  .now = 1000000,
					  .seed = who};
	see(s, who, true);
	xy_fleet_choose(&c, s->view, s->nodes, s->out);
	see(s, who, false);
	n->want_count = 0;
	for (unsigned i = 0; i < s->nodes && n->want_count < 96; i++) {
		if (s->out[i] == XY_FLEET_WHY_NOT || s->out[i] == XY_FLEET_WHY_TRIAL)
			continue;
		n->wants[n->want_count] = i;
		n->why[n->want_count++] = s->out[i];
	}
}

static bool wants(const struct node *n, unsigned at)
{
	for (unsigned i = 0; i < n->want_count; i++)
		if (n->wants[i] == at)
			return true;
	return false;
}

// Whoever is chosen from one side alone lets in so many; who was refused looks for others.
static void let_in(struct sim *s)
{
	for (unsigned i = 0; i < s->nodes; i++)
		s->node[i].let_in = 0;
	for (unsigned i = 0; i < s->nodes; i++) {
		struct node *n = &s->node[i];
		for (unsigned k = 0; k < n->want_count;) {
			unsigned to = n->wants[k];
			struct known *of = learn(s, i, to);
			bool both = wants(&s->node[to], i);
			if (both || s->node[to].let_in++ < LETS_IN) {
				k++;
				continue;
			}
			s->refused++;
			if (of)
				of->down = true;
			n->wants[k] = n->wants[--n->want_count];
			n->why[k] = n->why[n->want_count];
		}
	}
}

static void round_run(struct sim *s)
{
	for (unsigned i = 0; i < s->nodes; i++) {
		if (s->node[i].gone)
			continue;
		for (unsigned k = 0; k < TRIED_A_ROUND; k++)
			learn(s, i, (unsigned)(chance(s) % s->nodes));
		choose(s, i);
	}
	let_in(s);
}

// --- what came of it

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return (x > y) - (x < y);
}

static bool is_linked(const struct sim *s, unsigned a, unsigned b)
{
	return !s->node[a].gone && !s->node[b].gone && wants(&s->node[a], b);
}

static void links_count(struct sim *s)
{
	unsigned *at = calloc(s->nodes + 1, sizeof(*at));
	memset(s->first, 0, (s->nodes + 1) * sizeof(*s->first));
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < s->nodes; i++)
			for (unsigned k = 0; k < s->node[i].want_count; k++) {
				unsigned to = s->node[i].wants[k];
				if (!is_linked(s, i, to) || (wants(&s->node[to], i) && to < i))
					continue; // of two that want each other it is one link
				if (pass) {
					s->link[at[i]++] = to;
					s->link[at[to]++] = i;
				} else {
					s->first[i + 1]++;
					s->first[to + 1]++;
				}
			}
		for (unsigned i = 0; !pass && i < s->nodes; i++)
			s->first[i + 1] += s->first[i];
		memcpy(at, s->first, s->nodes * sizeof(*at));
	}
	s->links = s->first[s->nodes] / 2;
	free(at);
}

// Hops to the farthest; *reached and *sum: of all.
static unsigned walk(const struct sim *s, unsigned from, int *hops, unsigned *queue,
		     unsigned *reached, uint64_t *sum)
{
	unsigned head = 0, tail = 0, far = 0;
	for (unsigned i = 0; i < s->nodes; i++)
		hops[i] = NONE;
	hops[from] = 0;
	queue[tail++] = from;
	while (head < tail) {
		unsigned at = queue[head++];
		far = (unsigned)hops[at];
		*sum += far;
		for (unsigned i = s->first[at]; i < s->first[at + 1]; i++)
			if (hops[s->link[i]] == NONE) {
				hops[s->link[i]] = hops[at] + 1;
				queue[tail++] = s->link[i];
			}
	}
	*reached = tail;
	return far;
}

static unsigned degree(const struct sim *s, unsigned i)
{
	return s->first[i + 1] - s->first[i];
}

static unsigned degrees_print(const struct sim *s, bool relays, unsigned *v)
{
	unsigned n = 0;
	uint64_t sum = 0;
	for (unsigned i = 0; i < s->nodes; i++)
		if (!s->node[i].gone && s->view[i].relay == relays)
			sum += v[n++] = degree(s, i);
	qsort(v, n, sizeof(*v), by_number);
	if (!n)
		return 0;
	printf("  links of %s: %u nodes, least %u, median %u, mean %.1f, p99 %u, most %u\n",
	       relays ? "a relay" : "a node", n, v[0], v[n / 2], (double)sum / n, v[n * 99 / 100],
	       v[n - 1]);
	return v[n - 1];
}

static bool look(struct sim *s, const char *when, unsigned widest)
{
	int *hops = calloc(s->nodes, sizeof(*hops));
	unsigned *queue = calloc(s->nodes, sizeof(*queue)), live = 0, far = 0, reached = 0;
	uint64_t sum = 0, pairs = 0;
	bool whole = true;
	links_count(s);
	for (unsigned i = 0; i < s->nodes; i++)
		live += !s->node[i].gone;
	for (unsigned i = 0; i < s->nodes; i += 1 + (unsigned)(chance(s) % 8)) {
		if (s->node[i].gone)
			continue;
		unsigned f = walk(s, i, hops, queue, &reached, &sum);
		far = f > far ? f : far;
		pairs += reached;
		whole = whole && reached == live;
	}
	printf("%s: %u nodes, %u links, %s, diameter %u (from a quarter of them), mean %.2f hops\n",
	       when, live, s->links, whole ? "connected" : "NOT CONNECTED", far,
	       (double)sum / (double)pairs);
	unsigned most = degrees_print(s, false, queue), relay = degrees_print(s, true, queue);
	free(hops);
	free(queue);
	// What it wants itself, what leads here by the order of keys, and whom it lets in.
	bool bounded = most <= 96 && relay <= LETS_IN + 96;
	if (!bounded)
		printf("  TOO MANY links\n");
	if (far > widest)
		printf("  TOO WIDE: more than %u hops\n", widest);
	return whole && bounded && far <= widest;
}

// All of a place, or so many of all.
static void leave(struct sim *s, unsigned percent, unsigned place)
{
	unsigned gone = 0;
	for (unsigned i = 0; i < s->nodes; i++) {
		bool goes = percent ? chance(s) % 100 < percent : s->node[i].place == place;
		gone += goes && !s->node[i].gone;
		s->node[i].gone |= goes;
		s->view[i].down = s->node[i].gone;
	}
	printf("%u nodes leave without a word\n", gone);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool run(struct sim *s)
{
	bool good = true;
	world_make(s);
	double from = seconds();
	for (unsigned i = 0; i < s->rounds; i++)
		round_run(s);
	printf("one choice among %u records: %.0f us of CPU\n", s->nodes,
	       1e6 * (seconds() - from) / s->nodes / s->rounds);
	good = look(s, "settled", 12) && good;
	printf("  refused where %d were let in already: %" PRIu64 "\n", LETS_IN, s->refused);
	leave(s, 0, 0); // the largest place
	round_run(s);
	good = look(s, "chosen anew", 14) && good;
	leave(s, 20, 0);
	round_run(s);
	return look(s, "chosen anew", 16) && good;
}

int main(int argc, char **argv)
{
	struct sim s = {.nodes = 10000, .rounds = 2, .relays = 10, .seed = 1};
	for (int i = 1; i < argc; i++) {
		unsigned long n = i + 1 < argc ? strtoul(argv[i + 1], NULL, 10) : 0;
		if (strcmp(argv[i], "--nodes") == 0)
			s.nodes = (unsigned)n;
		else if (strcmp(argv[i], "--seed") == 0)
			s.seed = n;
		else if (strcmp(argv[i], "--rounds") == 0)
			s.rounds = (unsigned)n;
		else if (strcmp(argv[i], "--relays") == 0)
			s.relays = (unsigned)n;
		else if (strcmp(argv[i], "--islands") == 0)
			s.islands = true;
	}
	if (sodium_init() < 0 || s.nodes < 2)
		return 2;
	s.state = s.seed;
	s.node = calloc(s.nodes, sizeof(*s.node));
	s.view = calloc(s.nodes, sizeof(*s.view));
	s.out = calloc(s.nodes, sizeof(*s.out));
	s.first = calloc(s.nodes + 1, sizeof(*s.first));
	s.link = calloc(2 * 96 * (size_t)s.nodes, sizeof(*s.link));
	if (!s.node || !s.view || !s.out || !s.first || !s.link)
		return 2;
	bool good = run(&s);
	printf(good ? "ok\n" : "not ok: seed %" PRIu64 "\n", s.seed);
	free(s.node);
	free(s.view);
	free(s.out);
	free(s.first);
	free(s.link);
	return !good;
}
