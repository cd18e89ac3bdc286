// SPDX-License-Identifier: BSD-3-Clause
#include "wire/fragment.h"

#include "base/cursor.h"

#include <errno.h>

enum {
	V4_LEN = 2,
	V4_FRAG = 6,
	V4_CSUM = 10,
	DF = 0x4000,
	MF = 0x2000,
	OFFSET = 0x1fff, // in units of 8 bytes
	UNIT = 8,

	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_COPIED = 0x80, // in each fragment, not in the first alone (RFC 791, section 3.1)
};

bool xy_fragment_allowed(const uint8_t *pkt, uint8_t version)
{
	return version == 4 && !(xy_be16_load(pkt + V4_FRAG) & DF);
}

// The copied ones of a packet's options; returns their length, padded with "end" to whole words, or
// -EBADMSG. They are never longer than what they come from, which is padded likewise.
static int options_copied(struct xy_cursor c, uint8_t out[static XY_IPV4_OPTIONS_MAX])
{
	unsigned n = 0;
	memset(out, OPTION_END, XY_IPV4_OPTIONS_MAX);
	while (xy_cursor_left(&c)) {
		const uint8_t *option = c.p;
		uint8_t type = xy_cursor_u8(&c);
		if (type == OPTION_END)
			break;
		if (type == OPTION_NOP)
			continue;
		uint8_t len = xy_cursor_u8(&c);
		if (c.bad || len < 2 || !xy_cursor_take(&c, len - 2U))
			return -EBADMSG;
		if (type & OPTION_COPIED) {
			memcpy(out + n, option, len);
			n += len;
		}
	}
	return (int)((n + 3) & ~3U);
}

// A piece that another follows carries whole units, and none reaches beyond what an offset can say.
static bool place_is_possible(uint16_t where, uint32_t payload)
{
	uint32_t end = (where & OFFSET) * (uint32_t)UNIT + payload;
	return end <= UINT16_MAX && (!(where & MF) || payload % UNIT == 0);
}

static uint16_t whole_units(uint32_t bytes)
{
	return (uint16_t)(bytes & ~(UNIT - 1U));
}

// All but the last carry whole units; the last takes what fits.
static void plan(struct xy_fragment_cut *cut, uint32_t payload, uint32_t mtu)
{
	uint32_t most = mtu - cut->header;
	cut->first = whole_units(mtu - cut->first_header);
	cut->each = whole_units(most);
	uint32_t rest = payload - cut->first, between = 0;
	if (rest > most)
		between = (rest - most + cut->each - 1) / cut->each;
	cut->count = (uint16_t)(2 + between);
}

int xy_fragment_begin(struct xy_fragment_cut *cut, const uint8_t *pkt, size_t len, uint32_t mtu)
{
	struct xy_inner in;
	if (xy_inner_parse(pkt, len, &in) || in.version != 4 ||
	    xy_csum_fold(xy_csum_add(0, pkt, in.header_len)) != 0)
		return -EBADMSG;
	uint16_t payload = (uint16_t)(in.total_len - in.header_len);
	*cut = (struct xy_fragment_cut){.pkt = pkt,
					.total_len = in.total_len,
					.first_header = in.header_len,
					.first = payload,
					.count = 1,
					.where = xy_be16_load(pkt + V4_FRAG)};
	struct xy_cursor options = xy_cursor(pkt, in.header_len);
	xy_cursor_take(&options, XY_IPV4_MIN_LEN);
	int copied = options_copied(options, cut->options);
	if (copied < 0 || !place_is_possible(cut->where, payload))
		return -EBADMSG;
	cut->header = (uint16_t)(XY_IPV4_MIN_LEN + copied);
	if (in.total_len <= mtu)
		return 1;
	if (cut->where & DF || mtu < in.header_len + (uint32_t)UNIT)
		return -EMSGSIZE;
	plan(cut, payload, mtu);
	return cut->count;
}

// The header at out, of this length, becomes that of a piece `at` bytes into the packet's payload.
static void finish_header(const struct xy_fragment_cut *cut, uint8_t *out, uint16_t header,
			  uint32_t at, uint32_t payload)
{
	uint16_t where = (uint16_t)(cut->where + at / UNIT);
	if (at + payload < (uint32_t)cut->total_len - cut->first_header)
		where |= MF;
	out[0] = (uint8_t)(0x40 | header / 4);
	xy_be16_store(out + V4_LEN, (uint16_t)(header + payload));
	xy_be16_store(out + V4_FRAG, where);
	xy_be16_store(out + V4_CSUM, 0);
	xy_le16_store(out + V4_CSUM, xy_csum_fold(xy_csum_add(0, out, header)));
}

int xy_fragment_next(const struct xy_fragment_cut *cut, unsigned i, uint8_t *out, size_t room)
{
	uint16_t header = i ? cut->header : cut->first_header;
	uint32_t at = i ? cut->first + (i - 1) * cut->each : 0;
	uint32_t payload = cut->total_len - cut->first_header - at;
	if (i + 1 < cut->count)
		payload = i ? cut->each : cut->first;
	if (header + payload > room)
		return -ENOSPC;
	memcpy(out, cut->pkt, i ? XY_IPV4_MIN_LEN : header);
	if (i)
		memcpy(out + XY_IPV4_MIN_LEN, cut->options, header - (size_t)XY_IPV4_MIN_LEN);
	finish_header(cut, out, header, at, payload);
	memcpy(out + header, cut->pkt + cut->first_header + at, payload);
	return (int)(header + payload);
}
