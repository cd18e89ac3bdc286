// SPDX-License-Identifier: BSD-3-Clause
#include "noise/wg.h"

#include "base/cursor.h"

#include <string.h>

const struct xy_wg_limits xy_wg_limits_default = {
	.rekey_after_time = 120 * XY_SEC,
	.reject_after_time = 180 * XY_SEC,
	.rekey_attempt_time = 90 * XY_SEC,
	.rekey_timeout = 5 * XY_SEC,
	.rekey_timeout_jitter = 333 * XY_MSEC,
	.keepalive_timeout = 10 * XY_SEC,
	.rekey_after_messages = UINT64_C(1) << 60,
	.reject_after_messages = UINT64_MAX - (UINT64_C(1) << 13),
};

const char *const xy_wg_suite_name[XY_WG_SUITES] = {
	[XY_WG_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
	[XY_WG_AES_256_GCM] = "AES-256-GCM",
	[XY_WG_CHACHA20_POLY1305_LIGHT] = "ChaCha20-Poly1305, light",
	[XY_WG_AES_256_GCM_LIGHT] = "AES-256-GCM, light",
};

// Type and reserved bytes; 0: none.
static uint8_t header_type(struct xy_cursor c)
{
	uint32_t first = xy_cursor_be32(&c), type = first >> 24, reserved = first & 0xffffff;
	if (first == (uint32_t)XY_WG_DATA << 24)
		return c.bad ? 0 : XY_WG_DATA;
	if (type == XY_WG_INITIATION || type == XY_WG_RESPONSE)
		reserved = reserved >> 16 < XY_WG_SUITES ? reserved & 0xffff : reserved;
	return !c.bad && !reserved && type <= XY_WG_DATA ? (uint8_t)type : 0;
}

enum xy_wg_type xy_wg_classify(const uint8_t *msg, size_t len)
{
	switch (header_type(xy_cursor(msg, len))) {
	case XY_WG_INITIATION:
		return len == sizeof(struct xy_wg_initiation) ? XY_WG_INITIATION : 0;
	case XY_WG_RESPONSE:
		return len == sizeof(struct xy_wg_response) ? XY_WG_RESPONSE : 0;
	case XY_WG_COOKIE_REPLY:
		return len == sizeof(struct xy_wg_cookie_reply) ? XY_WG_COOKIE_REPLY : 0;
	case XY_WG_DATA:
		return xy_wg_is_data(msg, len) ? XY_WG_DATA : 0;
	default:
		return 0;
	}
}

static bool data_follows(struct xy_cursor c)
{
	const uint8_t *head = xy_cursor_take(&c, XY_WG_DATA_OVERHEAD);
	enum { TELLING = offsetof(struct xy_wg_data, counter) }; // type and receiver
	return !c.bad && memmem(c.p, xy_cursor_left(&c), head, TELLING);
}

bool xy_wg_is_train(const uint8_t *msg, size_t len)
{
	static const uint8_t size[] = {[XY_WG_INITIATION] = sizeof(struct xy_wg_initiation),
				       [XY_WG_RESPONSE] = sizeof(struct xy_wg_response),
				       [XY_WG_COOKIE_REPLY] = sizeof(struct xy_wg_cookie_reply)};
	struct xy_cursor c = xy_cursor(msg, len);
	uint8_t type = header_type(c);
	if (type == XY_WG_DATA)
		return data_follows(c);
	if (!type)
		return false;
	xy_cursor_take(&c, size[type]);
	return !c.bad && header_type(c);
}
