// SPDX-License-Identifier: BSD-3-Clause
#include "logring.h"

#include <pthread.h>
#include <string.h>

struct kept {
	struct timespec at;
	uint16_t len;
	uint8_t part, level;
	char bytes[XY_LOGLINE_TEXT];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// under it
static struct kept ring[XY_LOGRING_LINES];
static uint64_t first = 1, next = 1; // numbers: of the first that is kept, of the next that comes
static uint64_t begun = 1;	     // of the first of all

void xy_logring_begin(const struct timespec *now)
{
	uint64_t us = now->tv_sec > 0 ? (uint64_t)now->tv_sec * 1000000 : 0;
	us += (uint64_t)now->tv_nsec / 1000;
	pthread_mutex_lock(&lock);
	begun = first = next = us && us < UINT64_C(1) << 53 ? us : 1;
	pthread_mutex_unlock(&lock);
}

void xy_logring_put(const struct xy_logline *l)
{
	size_t len = l->len < XY_LOGLINE_TEXT ? l->len : XY_LOGLINE_TEXT;
	pthread_mutex_lock(&lock);
	struct kept *k = &ring[next++ % XY_LOGRING_LINES];
	first = next - first > XY_LOGRING_LINES ? next - XY_LOGRING_LINES : first;
	k->at = l->at;
	k->part = (uint8_t)l->part;
	k->level = (uint8_t)l->level;
	k->len = (uint16_t)len;
	memcpy(k->bytes, l->text, len);
	pthread_mutex_unlock(&lock);
}

bool xy_logring_after(uint64_t seq, struct xy_logring_line *out)
{
	pthread_mutex_lock(&lock);
	uint64_t at = seq < first || seq >= next ? first : seq + 1;
	const struct kept *k = &ring[at % XY_LOGRING_LINES];
	bool there = at < next;
	if (there) {
		out->seq = at;
		out->line = (struct xy_logline){.at = k->at,
						.part = k->part,
						.level = k->level,
						.text = out->bytes,
						.len = k->len};
		memcpy(out->bytes, k->bytes, k->len);
	}
	pthread_mutex_unlock(&lock);
	return there;
}

uint64_t xy_logring_missed(uint64_t seq)
{
	pthread_mutex_lock(&lock);
	uint64_t missed = seq >= begun && seq < first ? first - seq - 1 : 0;
	pthread_mutex_unlock(&lock);
	return missed;
}

uint64_t xy_logring_newest(void)
{
	pthread_mutex_lock(&lock);
	uint64_t seq = first < next ? next - 1 : 0;
	pthread_mutex_unlock(&lock);
	return seq;
}
