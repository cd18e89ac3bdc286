// SPDX-License-Identifier: BSD-3-Clause
// The peers as they were last seen, in order of name: what a row of the dashboard needs, rates by
// the difference to the time before, and the history of some. One thread; owns all.
#pragma once

#include "fields/fields.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	XY_ROWS_MAX = 65536,
	XY_ROWS_SAMPLES = 600, // of a history, one a second
};

struct xy_rows_history {
	float rx[XY_ROWS_SAMPLES], tx[XY_ROWS_SAMPLES]; // bits a second, NAN where it is not known
};

struct xy_row {
	char name[64], endpoint[264], address[48], trouble[200];
	char kind[12], peering[16], state[16];
	int64_t rx_bytes, tx_bytes, rx_packets, tx_packets, last_received, mtu; // XY_FIELD_NULL
	int64_t rtt_us, cost;
	float loss;			       // NAN: not known
	double rx_bps, tx_bps, rx_pps, tx_pps; // NAN: not known yet
	uint64_t at;			       // ms, when it was seen; 0: never with counters
	unsigned round;			       // when it was seen last
	struct xy_rows_history *history;
};

struct xy_rows {
	struct xy_row **v;
	unsigned count, room;
	unsigned round, histories;
};

void xy_rows_free(struct xy_rows *r); // all of them; it may be filled again
struct xy_row *xy_rows_find(const struct xy_rows *r, const char *name);
// A page of peers, or of neighbours, of the daemon's.
void xy_rows_take_peers(struct xy_rows *r, const json_t *peers, uint64_t now);
void xy_rows_take_neighbours(struct xy_rows *r, const json_t *neighbours);
// All pages came: who was in none of them has gone.
void xy_rows_end_round(struct xy_rows *r);
// One more sample at place `at` of each history; makes them, up to `most`, for who carries much.
void xy_rows_sample(struct xy_rows *r, unsigned at, unsigned most);
// The first `most`, those in trouble first, then by rate: {"total", "up", "cut", "rows"}; total and
// up are the daemon's, for a round takes some seconds.
json_t *xy_rows_tell(const struct xy_rows *r, unsigned most, int64_t total, int64_t up);
// {"rx_bps", "tx_bps", "rx_pps", "tx_pps"} of all; null, NAN where none of `total` was seen twice.
json_t *xy_rows_rates(const struct xy_rows *r, int64_t total, double *rx_bps, double *tx_bps);
// Of the last 16 Hellos as bits, newest on top: the share that was lost since the first one.
float xy_rows_loss(const char *hellos);
