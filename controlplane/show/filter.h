// SPDX-License-Identifier: BSD-3-Clause
// What of a long list is asked for, so that it is found here and not sent whole. Params that begin
// with "{" are a JSON object: "peer" (name, key or address), "within" (a prefix), "count" (true: no
// rows, but how many), and "after", where to go on; `next` is such an object again then. All other
// params are a plain cursor. A page looks at a bounded number of entries, and may hold none though
// more follow. Control thread only.
#pragma once

#include "api/server.h"
#include "base/ip.h"
#include "show/show.h"

enum { XY_FILTER_CURSOR_LEN = 128, XY_FILTER_NEXT_LEN = 1024 };

struct xy_filter {
	bool by_peer, by_within, count;
	uint32_t slot; // of the peer
	struct xy_prefix within;
	char after[XY_FILTER_CURSOR_LEN]; // "": from the first
	json_t *asked;			  // NULL: plain
	char next[XY_FILTER_NEXT_LEN];
	int64_t found; // on this page
};

// Of a peer it is no error when it has gone meanwhile: nothing fits then. NULL, or the error that
// is the answer. To be ended.
json_t *xy_filter_begin(struct xy_filter *f, const struct xy_daemon *d, const struct xy_request *q);
void xy_filter_end(struct xy_filter *f);
// One that fits: puts what make gives on the list, unless it is only counted.
#define XY_FILTER_PUT(f, list, row)                           \
	do {                                                  \
		(f)->found++;                                 \
		if (!(f)->count)                              \
			json_array_append_new((list), (row)); \
	} while (0)
bool xy_filter_is_full(const struct xy_filter *f); // the page is
// Where the next page goes on, good until the end of f; cursor NULL: there is none.
const char *xy_filter_next(struct xy_filter *f, const char *cursor);
static inline int64_t xy_filter_count(const struct xy_filter *f)
{
	return f->count ? f->found : XY_FIELD_NULL;
}
static inline const char *xy_filter_after(const struct xy_filter *f) // or NULL
{
	return f->after[0] ? f->after : NULL;
}

// Do they fit? A peer by its number, and by the addresses that are its own.
bool xy_filter_link(const struct xy_filter *f, const struct xy_daemon *d, uint32_t slot);
bool xy_filter_prefix(const struct xy_filter *f, const struct xy_prefix *p);
bool xy_filter_address(const struct xy_filter *f, const struct xy_addr *a);
