// SPDX-License-Identifier: BSD-3-Clause
// Handshakes answered, for handshakes.sh, which says more:
//   bench_handshakes bare [--short] [--json]   what a responder computes for one, beside bare
//   X25519 bench_handshakes keys --peers N            the public key of each made-up peer, a line
//   each bench_handshakes flood --key KEY --to ADDRESS:PORT --peers N [--rate N] [--data N]
//   --seconds N
//                                              does handshakes with who is there, from 10.20.0.0/16
#include "handshakes.h"

#include "identity/identity.h"
#include "noise/blake2s.h"

#include <getopt.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PEERS_MAX = 60000 }; // addresses, 250 to a /24

_Noreturn void die(const char *what)
{
	fprintf(stderr, "bench handshakes: %s\n", what);
	exit(1);
}

double seconds_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void secret_of(unsigned peer, uint8_t sk[static XY_WG_KEY_LEN])
{
	xy_blake2s("bench handshakes", 16, &peer, sizeof(peer), sk);
}

void stamp_now(uint8_t out[static XY_WG_TAI64N_LEN])
{
	struct timespec wall;
	clock_gettime(CLOCK_REALTIME, &wall);
	xy_tai64n((uint64_t)wall.tv_sec, (uint32_t)wall.tv_nsec, out);
}

static int keys_run(const struct options *o)
{
	for (unsigned i = 0; i < o->peers; i++) {
		uint8_t sk[XY_WG_KEY_LEN];
		char text[XY_KEY_STRLEN];
		struct xy_key pk;
		secret_of(i, sk);
		if (crypto_scalarmult_base(pk.b, sk))
			die("a key");
		puts(xy_key_str(&pk, text));
	}
	return 0;
}

static int wrong(void)
{
	fputs("bench_handshakes: use bare [--short] [--json], keys --peers N, or flood --key KEY "
	      "--to ADDRESS:PORT --peers N [--rate N] [--data N] --seconds N\n",
	      stderr);
	return 2;
}

static const struct option options[] = {{"short", no_argument, NULL, 's'},
					{"json", no_argument, NULL, 'j'},
					{"peers", required_argument, NULL, 'p'},
					{"rate", required_argument, NULL, 'r'},
					{"data", required_argument, NULL, 'd'},
					{"seconds", required_argument, NULL, 'n'},
					{"key", required_argument, NULL, 'k'},
					{"to", required_argument, NULL, 't'},
					{0}};

static bool option_take(struct options *o, int c)
{
	switch (c) {
	case 's':
		return o->brief = true;
	case 'j':
		return o->json = true;
	case 'p':
		o->peers = (unsigned)atoi(optarg);
		return o->peers >= 2 && o->peers <= PEERS_MAX;
	case 'r':
		o->rate = (unsigned)atoi(optarg);
		return true;
	case 'd':
		o->data = (unsigned)atoi(optarg);
		return true;
	case 'n':
		o->seconds = atof(optarg);
		return o->seconds > 0;
	case 'k':
		o->key = optarg;
		return true;
	case 't':
		o->to = optarg;
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	struct options o = {.peers = 1000, .seconds = 5};
	int c;
	if (argc < 2 || sodium_init() < 0)
		return wrong();
	while ((c = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1)
		if (!option_take(&o, c))
			return wrong();
	if (strcmp(argv[1], "bare") == 0)
		return bare_run(&o);
	if (strcmp(argv[1], "keys") == 0)
		return keys_run(&o);
	if (strcmp(argv[1], "flood") == 0 && o.key && o.to)
		return flood_run(&o);
	return wrong();
}
