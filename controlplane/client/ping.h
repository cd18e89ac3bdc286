// SPDX-License-Identifier: BSD-3-Clause
// ICMP echo over the mesh to whoever is meant by a name, and which way it goes. What comes back, or
// is said by others, is told as it comes. One thread; what begin opens is closed by end.
#pragma once

#include "client/echo.h"
#include "client/who.h"

enum { XY_PING_DATA = 56, XY_PING_NAME = XY_WHO_LEN + XY_ADDR_STRLEN + 8, XY_PING_TEXT = 400 };

// One that was answered, or an error: `text` says it, as a line.
struct xy_ping_seen {
	bool answer, twice;
	uint16_t seq;
	unsigned bytes, hops;
	double ms;	  // below 0: not known
	const char *from; // NAME (ADDRESS), others' words
	char text[XY_PING_TEXT];
};

struct xy_ping_config {
	struct xy_who_config who;
	const char *to;	      // name, key or address
	unsigned data, count; // bytes; count 0: until it is over
	double interval;      // ms
	void (*see)(void *arg, const struct xy_ping_seen *s);
	void *arg;
};

struct xy_ping {
	struct xy_ping_config cfg;
	struct xy_who who;
	struct xy_echo echo;
	struct xy_addr to;
	char name[XY_WHO_LEN], by[200];
	double began, last_sent; // ms
	unsigned sent, received, errors, twice;
	double least, most, sum, squares;
	uint8_t done[65536 / 8]; // by sequence number: answered, or told of
	json_t *said;		 // what errors said
};

int xy_ping_begin(struct xy_ping *p, const struct xy_ping_config *cfg, struct xy_err *err);
// This host's kernel would send it from elsewhere: says so. False: it does not.
bool xy_ping_goes_astray(const struct xy_ping *p, char *text, size_t size);
void xy_ping_run(struct xy_ping *p);	      // until all are answered, or it is over
double xy_ping_loss(const struct xy_ping *p); // a share
json_t *xy_ping_sum(const struct xy_ping *p); // the caller's
void xy_ping_end(struct xy_ping *p);	      // also of one that could not begin
