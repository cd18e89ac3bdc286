// SPDX-License-Identifier: BSD-3-Clause
// What the telemetry socket tells of the log: its last lines, from whatever part of the daemon.
#include "daemon.h"
#include "logring.h"

#include "base/bytes.h"
#include "show/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

// A line of nothing but bytes that are no text is four times as long as it was, and twice that in
// JSON; the smallest message that a kernel sends has room for a page all the same.
enum { PAGE_TEXT = 32 << 10 };

// The number; false: it is none.
static bool seq_of(const char *params, uint64_t *seq)
{
	char *end;
	*seq = 0;
	if (!params || !*params)
		return true;
	errno = 0;
	*seq = strtoull(params, &end, 10);
	return params[0] >= '0' && params[0] <= '9' && !*end && !errno;
}

static size_t put(json_t *list, const struct xy_logring_line *l)
{
	char text[XY_LOGLINE_SIZE], time[XY_LOGLINE_TIME];
	size_t len = xy_logline_plain(&l->line, text);
	xy_logline_time(&l->line.at, time);
	json_array_append_new(list, xy_tell_log_line(&(struct xy_fields_log_line){
					    .seq = (int64_t)l->seq,
					    .time = time,
					    .level = xy_config_level_names[l->line.level],
					    .subsystem = xy_log_part_names[l->line.part],
					    .text = text,
				    }));
	return len;
}

static json_t *show_log(void *arg, struct xy_request *q)
{
	struct xy_logring_line l;
	uint64_t seq, newest = xy_logring_newest(); // what is said meanwhile is for the next time
	char next[24];
	size_t text = 0;
	if (!seq_of(q->params, &seq))
		return xy_server_error("\"%.60s\" is no line's number; write the seq of one, to "
				       "have what was said behind it",
				       q->params);
	seq = seq > newest ? 0 : seq;
	uint64_t missed = xy_logring_missed(seq);
	json_t *list = json_array();
	while (seq < newest && json_array_size(list) < XY_SHOW_PAGE && text < PAGE_TEXT &&
	       xy_logring_after(seq, &l)) {
		text += put(list, &l);
		seq = l.seq;
	}
	snprintf(next, sizeof(next), "%" PRIu64, seq);
	return xy_tell_log(&(struct xy_fields_log){.lines = list,
						   .next = seq < newest ? next : NULL,
						   .missed = (int64_t)missed,
						   .newest = or_null(newest != 0, newest)});
}

int xy_show_log_register(struct xy_daemon *d)
{
	static const struct xy_show_reply reply[] = {{"log", show_log}};
	return xy_show_register_all(d, reply, XY_ARRAY_SIZE(reply));
}
