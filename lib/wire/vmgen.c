// SPDX-License-Identifier: BSD-3-Clause
#include "wire/vmgen.h"

#include "base/cursor.h"

#define MAGIC		   UINT32_C(0x4b4c4356) // "VCLK"
#define COUNTS_GENERATIONS (UINT64_C(1) << 8)

enum { HEADER = 32, GENERATION = 104 }; // places in the page

// "change@/devices/...", then "KEY=VALUE" with a zero byte behind each.
bool xy_vmgen_is_new(const void *uevent, size_t len)
{
	static const char change[] = "ACTION=change", key[] = "NEW_VMGENID=1";
	struct xy_cursor c = xy_cursor(uevent, len);
	bool changed = false, found = false;
	while (xy_cursor_left(&c)) {
		const uint8_t *end = memchr(c.p, 0, xy_cursor_left(&c));
		size_t n = end ? (size_t)(end - c.p) : xy_cursor_left(&c);
		const uint8_t *text = xy_cursor_take(&c, n);
		changed = changed || (n == sizeof(change) - 1 && memcmp(text, change, n) == 0);
		found = found || (n == sizeof(key) - 1 && memcmp(text, key, n) == 0);
		if (end)
			xy_cursor_take(&c, 1);
	}
	return changed && found;
}

static uint32_t le32(struct xy_cursor *c)
{
	const uint8_t *at = xy_cursor_take(c, 4);
	return at ? xy_le32_load(at) : 0;
}

static uint64_t le64(struct xy_cursor *c)
{
	const uint8_t *at = xy_cursor_take(c, 8);
	return at ? xy_le64_load(at) : 0;
}

bool xy_vmclock_read(const void *page, size_t len, uint64_t *generation)
{
	struct xy_cursor c = xy_cursor(page, len), again = c;
	uint32_t magic = le32(&c), size = le32(&c);
	xy_cursor_take(&c, 4); // version, counter, time type
	uint32_t before = le32(&c);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	uint64_t disruption = le64(&c), flags = le64(&c);
	if (flags & COUNTS_GENERATIONS && size >= GENERATION + 8) {
		xy_cursor_take(&c, GENERATION - HEADER);
		disruption = le64(&c);
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	xy_cursor_take(&again, 12);
	uint32_t after = le32(&again);
	*generation = disruption;
	return !c.bad && magic == MAGIC && !(before & 1) && before == after; // a seqlock
}
