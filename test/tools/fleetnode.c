// SPDX-License-Identifier: BSD-3-Clause
// Nodes of a fleet without daemons: each is a key, a record that it signs itself, and a source of
// xylem-fleet's that keeps it in a bucket of NATS. What each sees goes into files of a folder, for
// a test to compare: view.N (a line for each node that it knows: address, epoch), own.N (its own
// epoch), claim.N (its network, or "-" and why), state.N.
//   fleetnode [OPTION]... FOLDER URL...
//   -f FIRST   number of the first (1)      -n COUNT   how many (1)
//   -k CREDS                                -t CA
//   -b BUCKET                               -e SECONDS a new record so often (never)
//   -c CIDR -p BITS [-r] [-w FIRST-WISH]    wants a network; -r: draws anew
// SIGUSR1: new records; SIGUSR2: they leave; SIGTERM: ends without a word.
#include "config/fleet.h"
#include "fleet/record.h"
#include "fleet/source.h"

#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NODES = 64, KNOWN = 256, LIFETIME_S = 3600, FLUSH_MS = 100 };

struct known {
	char address[XY_FLEET_KEY_STRLEN];
	uint64_t epoch;
	bool ended;
};

struct node {
	unsigned number;
	struct xy_identity id;
	struct xy_fleet_source *source;
	struct xy_fleet_self self;
	uint64_t epoch;
	bool has, dirty;
	struct xy_prefix claim;
	char why[300], state[300];
	unsigned count;
	struct known known[KNOWN];
};

static struct node node[NODES];
static unsigned first = 1, count = 1, every, leaving;
static const char *folder;
static struct xy_config_fleet config;
static struct xy_fleet_wish wish;
static uv_loop_t loop;
static uv_signal_t signals[3];
static uv_timer_t flush_timer, record_timer;

// --- files

__attribute__((format(printf, 3, 4))) static void file(const char *name, unsigned number,
						       const char *fmt, ...)
{
	char path[300], temporary[310];
	snprintf(path, sizeof(path), "%s/%s.%u", folder, name, number);
	snprintf(temporary, sizeof(temporary), "%s/.%s.%u", folder, name, number);
	FILE *f = fopen(temporary, "w");
	if (!f)
		return;
	va_list ap;
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
	rename(temporary, path);
}

static int by_address(const void *a, const void *b)
{
	return strcmp(((const struct known *)a)->address, ((const struct known *)b)->address);
}

static void flush_view(struct node *n)
{
	static char text[KNOWN * 64];
	size_t used = 0;
	qsort(n->known, n->count, sizeof(n->known[0]), by_address);
	text[0] = 0;
	for (unsigned i = 0; i < n->count; i++)
		if (!n->known[i].ended)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %lu\n",
						 n->known[i].address, n->known[i].epoch);
	file("view", n->number, "%s", text);
}

static void flush(uv_timer_t *t)
{
	for (unsigned i = 0; i < count; i++) {
		struct node *n = &node[i];
		char text[XY_PREFIX_STRLEN];
		if (!n->dirty)
			continue;
		n->dirty = false;
		flush_view(n);
		file("own", n->number, "%lu\n", n->epoch);
		file("state", n->number, "%s\n", n->state);
		if (n->has)
			file("claim", n->number, "%s\n", xy_prefix_str(&n->claim, text));
		else
			file("claim", n->number, "- %s\n", n->why);
	}
}

// --- what a source tells

static void on_put(void *arg, struct xy_fleet_source *s, const char *name, const char *text,
		   size_t len, uint64_t revision, const char *why)
{
	struct node *n = arg;
	struct xy_fleet_record r;
	char hex[XY_FLEET_KEY_STRLEN];
	unsigned i = 0;
	if (!text || xy_fleet_record_parse(text, len, &r, NULL))
		return;
	xy_fleet_key_hex(&r.address, hex);
	while (i < n->count && strcmp(n->known[i].address, hex) != 0)
		i++;
	if (i == KNOWN || (i < n->count && n->known[i].epoch >= r.epoch))
		return;
	n->count += i == n->count;
	memcpy(n->known[i].address, hex, sizeof(hex));
	n->known[i].epoch = r.epoch;
	n->known[i].ended = r.ended;
	n->dirty = true;
}

static void on_device(void *arg, struct xy_fleet_source *s, const char *name,
		      const struct xy_fleet_device *d)
{
}

static void on_gone(void *arg, struct xy_fleet_source *s, const char *name)
{
}

static void on_state(void *arg, struct xy_fleet_source *s, bool up, const char *why)
{
	struct node *n = arg;
	snprintf(n->state, sizeof(n->state), "%s %.280s", up ? "up" : "down", why ? why : "");
	n->dirty = true;
}

static void on_sign(void *arg, struct xy_fleet_source *s, const struct xy_prefix *claim,
		    uint64_t since, xy_fleet_source_signed *done, void *done_arg)
{
	struct node *n = arg;
	struct xy_fleet_claim c = {.prefix = *claim,
				   .epoch = ++n->epoch,
				   .expires = (uint64_t)time(NULL) + LIFETIME_S,
				   .since = since};
	struct xy_err err = {"no"};
	char *text = NULL;
	int e = xy_fleet_claim_sign(&c, &n->id, &text, &err);
	done(done_arg, text, text ? strlen(text) : 0, e ? err.text : NULL);
	free(text);
}

static void published(void *arg, int code, const char *why)
{
	if (code != -ECANCELED)
		((struct node *)arg)->dirty = true;
}

static void gone_for_good(void *arg, int code, const char *why)
{
	struct node *n = arg;
	if (code == -ECANCELED)
		return;
	n->has = false;
	snprintf(n->why, sizeof(n->why), "it left");
	n->dirty = true;
	flush(NULL);
	file("left", n->number, "%d\n", code);
	if (!--leaving)
		uv_stop(&loop);
}

// A new record; ended: the last.
static void publish(struct node *n, bool ended)
{
	struct xy_fleet_record r = {.epoch = ++n->epoch,
				    .expires = (uint64_t)time(NULL) + LIFETIME_S,
				    .ended = ended,
				    .has_claim = n->has && !ended,
				    .claim = n->claim};
	char *text = NULL;
	struct xy_err err;
	if (xy_fleet_record_sign(&r, &n->id, &text, &err)) {
		fprintf(stderr, "fleetnode: %s\n", err.text);
		return;
	}
	if (ended)
		n->source->leave(n->source, &n->self, text, strlen(text), gone_for_good, n);
	else
		n->source->publish(n->source, &n->self, text, strlen(text), published, n);
	free(text);
	n->dirty = true;
}

static void on_claimed(void *arg, struct xy_fleet_source *s, const struct xy_prefix *claim,
		       const char *why)
{
	struct node *n = arg;
	n->has = claim != NULL;
	if (claim)
		n->claim = *claim;
	snprintf(n->why, sizeof(n->why), "%s", why ? why : "");
	flush(NULL);
	n->dirty = true;
	flush(NULL);
	if (!leaving)
		publish(n, false);
}

static const struct xy_fleet_source_ops ops = {.put = on_put,
					       .device = on_device,
					       .gone = on_gone,
					       .state = on_state,
					       .sign = on_sign,
					       .claimed = on_claimed};

// --- the program

static int begin(struct node *n, unsigned number)
{
	struct xy_err err = {""};
	uint8_t seed[32] = {(uint8_t)number, (uint8_t)(number >> 8), 99};
	n->number = number;
	xy_identity_from_seed(seed, &n->id);
	n->epoch = (uint64_t)time(NULL);
	n->self = (struct xy_fleet_self){
		.address = n->id.addr, .key = n->id.ed25519, .link_key = n->id.x25519};
	snprintf(n->self.name, sizeof(n->self.name), "f%u", number);
	int e = xy_fleet_nats_create(&loop, &config, "", &ops, n, &n->source, &err);
	e = e ? e : n->source->start(n->source, &err);
	if (e) {
		fprintf(stderr, "fleetnode: %s\n", err.text);
		return 1;
	}
	if (wish.bits)
		n->source->claim(n->source, &n->self, &wish);
	publish(n, false);
	return 0;
}

static void all_publish(uv_timer_t *t)
{
	for (unsigned i = 0; i < count && !leaving; i++)
		publish(&node[i], false);
}

static void on_signal(uv_signal_t *s, int signum)
{
	if (signum == SIGTERM)
		uv_stop(&loop);
	else if (signum == SIGUSR1)
		all_publish(NULL);
	else if (!leaving) {
		leaving = count;
		for (unsigned i = 0; i < count; i++)
			publish(&node[i], true);
	}
}

static int usage(void)
{
	fputs("usage: fleetnode [-f FIRST] [-n COUNT] [-k CREDS] [-t CA] [-b BUCKET] [-e SECONDS] "
	      "[-c CIDR -p BITS "
	      "[-r] "
	      "[-w WISH]] FOLDER URL...\n",
	      stderr);
	return 2;
}

static int options(int argc, char **argv)
{
	int c, bad = 0;
	snprintf(config.bucket, sizeof(config.bucket), "xylem");
	while ((c = getopt(argc, argv, "f:n:k:t:b:e:c:p:rw:")) != -1)
		switch (c) {
		case 'f':
			first = (unsigned)atoi(optarg);
			break;
		case 'n':
			count = (unsigned)atoi(optarg);
			break;
		case 'k':
			snprintf(config.creds, sizeof(config.creds), "%s", optarg);
			break;
		case 't':
			snprintf(config.tls.ca, sizeof(config.tls.ca), "%s", optarg);
			break;
		case 'b':
			snprintf(config.bucket, sizeof(config.bucket), "%s", optarg);
			break;
		case 'e':
			every = (unsigned)atoi(optarg);
			break;
		case 'c':
			bad |= xy_prefix_parse(optarg, &wish.cidr);
			break;
		case 'p':
			wish.bits = (unsigned)atoi(optarg);
			break;
		case 'r':
			wish.retry = true;
			break;
		case 'w':
			bad |= xy_prefix_parse(optarg, &wish.drawn);
			break;
		default:
			bad = 1;
		}
	if (bad || argc - optind < 2 || count > NODES)
		return usage();
	folder = argv[optind++];
	for (; optind < argc && config.server_count < XY_CONFIG_FLEET_SERVERS; optind++)
		snprintf(config.servers[config.server_count++], XY_CONFIG_FLEET_URL, "%s",
			 argv[optind]);
	return 0;
}

int main(int argc, char **argv)
{
	static const int nums[] = {SIGTERM, SIGUSR1, SIGUSR2};
	int e = options(argc, argv);
	if (e || sodium_init() < 0)
		return e;
	uv_loop_init(&loop);
	for (unsigned i = 0; i < 3; i++) {
		uv_signal_init(&loop, &signals[i]);
		uv_signal_start(&signals[i], on_signal, nums[i]);
	}
	uv_timer_init(&loop, &flush_timer);
	uv_timer_start(&flush_timer, flush, FLUSH_MS, FLUSH_MS);
	uv_timer_init(&loop, &record_timer);
	if (every)
		uv_timer_start(&record_timer, all_publish, every * 1000, every * 1000);
	for (unsigned i = 0; i < count && !e; i++)
		e = begin(&node[i], first + i);
	if (!e)
		uv_run(&loop, UV_RUN_DEFAULT);
	flush(NULL);
	_exit(e);
}
