// SPDX-License-Identifier: BSD-3-Clause
// WireGuard's time limits shortened for tests: the environment variable XYLEM_TEST_TIMERS holds
// "rekey_after=3,reject_after=9,..." in seconds (decimals allowed). Not for users; said in the log.
// XYLEM_TEST_CLOCK holds seconds that are added to the wall clock; with XYLEM_TEST_NO_RTT set,
// round trips do not count in metrics, which a busy machine would change.
#pragma once

#include "base/err.h"
#include "noise/wg.h"

int xy_clock_from_environment(int64_t *offset, struct xy_err *err);
bool xy_no_rtt_from_environment(void);
int xy_limits_from_environment(struct xy_wg_limits *limits, struct xy_err *err);
int xy_limits_parse(const char *text, struct xy_wg_limits *limits, struct xy_err *err);
