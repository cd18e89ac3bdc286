// SPDX-License-Identifier: BSD-3-Clause
#include "test_limits.h"

#include "base/bytes.h"

#include <stdlib.h>

static const struct {
	const char *name;
	size_t at;
	bool count; // of messages; else seconds
} limit_of[] = {
	{"rekey_after", offsetof(struct xy_wg_limits, rekey_after_time), false},
	{"reject_after", offsetof(struct xy_wg_limits, reject_after_time), false},
	{"rekey_attempt", offsetof(struct xy_wg_limits, rekey_attempt_time), false},
	{"rekey_timeout", offsetof(struct xy_wg_limits, rekey_timeout), false},
	{"jitter", offsetof(struct xy_wg_limits, rekey_timeout_jitter), false},
	{"keepalive", offsetof(struct xy_wg_limits, keepalive_timeout), false},
	{"rekey_messages", offsetof(struct xy_wg_limits, rekey_after_messages), true},
	{"reject_messages", offsetof(struct xy_wg_limits, reject_after_messages), true},
};

static int one(const char *item, struct xy_wg_limits *limits, struct xy_err *err)
{
	for (size_t i = 0; i < XY_ARRAY_SIZE(limit_of); i++) {
		size_t n = strlen(limit_of[i].name);
		char *end;
		if (strncmp(item, limit_of[i].name, n) != 0 || item[n] != '=')
			continue;
		double value = strtod(item + n + 1, &end);
		if (end == item + n + 1 || *end || !(value > 0 && value < 1e9))
			break;
		uint64_t *to = (uint64_t *)((char *)limits + limit_of[i].at);
		*to = (uint64_t)(limit_of[i].count ? value : value * (double)XY_SEC);
		return 0;
	}
	return xy_err_set(err, EINVAL, "XYLEM_TEST_TIMERS: '%s' is no limit with a number above 0",
			  item);
}

int xy_limits_parse(const char *text, struct xy_wg_limits *limits, struct xy_err *err)
{
	char copy[256], *rest = copy, *item;
	int r = 0;
	if (strlen(text) >= sizeof(copy))
		return xy_err_set(err, EINVAL, "XYLEM_TEST_TIMERS: too long");
	memcpy(copy, text, strlen(text) + 1);
	while (!r && (item = strsep(&rest, ",")))
		if (*item)
			r = one(item, limits, err);
	return r;
}

int xy_limits_from_environment(struct xy_wg_limits *limits, struct xy_err *err)
{
	const char *text = getenv("XYLEM_TEST_TIMERS");
	return text ? xy_limits_parse(text, limits, err) : 0;
}

bool xy_no_rtt_from_environment(void)
{
	return getenv("XYLEM_TEST_NO_RTT");
}

int xy_clock_from_environment(int64_t *offset, struct xy_err *err)
{
	const char *text = getenv("XYLEM_TEST_CLOCK");
	char *end;
	*offset = text ? strtoll(text, &end, 10) : 0;
	if (!text || (end != text && !*end && *offset > -INT32_MAX && *offset < INT32_MAX))
		return 0;
	return xy_err_set(err, EINVAL, "XYLEM_TEST_CLOCK: '%s' is no number of seconds", text);
}
