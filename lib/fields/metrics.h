// SPDX-License-Identifier: BSD-3-Clause
// What of the list of fields are metrics, and under which names: xylem_OBJECT_FIELD[_UNIT], by the
// conventions of Prometheus, in seconds, bytes and ratios. A counter, a gauge and what is true or
// false are metrics by themselves; what else there is, and what is none, is said here once. Names
// stay: programs of others read by them. Any thread; nothing is owned, all is constant.
#pragma once

#include "fields/fields.h"

// Things of which there are metrics.
struct xy_metric_set {
	const struct xy_object *(*object)(void);
	const char *reply; // which has them
	const char *list;  // of it; NULL: the reply itself
	const char *name;  // behind "xylem_"
	const char *of;	   // "each peer", for help
	const char
		*labels;  // keys that name one, as KEY or KEY=LABEL, by spaces; NULL: there is one
	const char *info; // keys that are labels of xylem_NAME_info; NULL: there is none
	bool peers;	  // of peers: as many as there are
};
const struct xy_metric_set *xy_metric_set_at(unsigned i); // NULL behind the last
// Keys of a list as above, one by one: what stands behind it, or NULL at the end.
enum { XY_METRIC_LABEL_LEN = 40 };
const char *xy_metric_label(const char *list, char key[static XY_METRIC_LABEL_LEN],
			    char label[static XY_METRIC_LABEL_LEN]);

enum xy_metric_type { XY_METRIC_GAUGE, XY_METRIC_COUNTER, XY_METRIC_INFO };
const char *xy_metric_type_word(enum xy_metric_type type);

// How a field's value becomes one or several samples.
enum xy_metric_how {
	XY_METRIC_VALUE,   // as it is, divided
	XY_METRIC_TRUE,	   // 1: true
	XY_METRIC_PRESENT, // 1: not null
	XY_METRIC_COUNT,   // of a list: how many
	XY_METRIC_MAP,	   // one for each name, which is `label`
	XY_METRIC_UP,	   // 1: the word is "up"
	XY_METRIC_WORD,	   // 1 for the word, which is `label`
	XY_METRIC_ONE,	   // 1 for the labels of info
};

enum { XY_METRIC_NAME_LEN = 96, XY_METRIC_HELP_LEN = 400 };
struct xy_metric {
	char name[XY_METRIC_NAME_LEN]; // without what its type puts behind it
	const char *suffix;	       // that: "_total", "_info", ""
	enum xy_metric_type type;
	const char *unit; // that the name ends with; "": none
	unsigned divisor;
	enum xy_metric_how how;
	const char *label;	      // of MAP and WORD; else NULL
	const struct xy_field *field; // NULL: of info
	char help[XY_METRIC_HELP_LEN];
};
// The metrics of a set, one by one; false behind the last.
bool xy_metric_at(const struct xy_metric_set *s, unsigned i, struct xy_metric *out);
// May anybody know it (public.h)? m NULL: any of the set.
bool xy_metric_is_public(const struct xy_metric_set *s, const struct xy_metric *m);

// Those of whoever asks the daemon, beside the list of fields.
enum xy_metric_own {
	XY_METRIC_DAEMON_UP,
	XY_METRIC_BUILD,
	XY_METRIC_PEERS_LEFT_OUT,
	XY_METRIC_ROWS_LEFT_OUT,
	XY_METRIC_SCRAPE,
	XY_METRIC_OWN
};
struct xy_metric_of_own {
	const char *name, *suffix;
	enum xy_metric_type type;
	const char *unit, *labels, *help;
};
const struct xy_metric_of_own *xy_metric_own_at(enum xy_metric_own which);
