// SPDX-License-Identifier: BSD-3-Clause
#include "unit.h"
#include "wire/vmgen.h"

#include "base/bytes.h"

#define UEVENT(text) (text), sizeof(text) // with the zero byte behind the last one

static void test_uevent(void)
{
	static const char right[] = "change@/devices/pci0000:00/VMGENCTR:00\0ACTION=change\0"
				    "DEVPATH=/devices/pci0000:00/VMGENCTR:00\0SUBSYSTEM=platform\0"
				    "NEW_VMGENID=1\0SEQNUM=4711";
	CU_ASSERT(xy_vmgen_is_new(UEVENT(right)));
	CU_ASSERT(xy_vmgen_is_new(right, sizeof(right) - 1)); // without it
	for (size_t len = 0; len < sizeof(right) - sizeof("SEQNUM=4711") - 1; len++)
		CU_ASSERT(!xy_vmgen_is_new(right, len)); // cut off
	CU_ASSERT(!xy_vmgen_is_new(UEVENT("change@/x\0ACTION=change\0SYNTH_ARG_NEW_VMGENID=1")));
	CU_ASSERT(!xy_vmgen_is_new(UEVENT("change@/x\0ACTION=change\0NEW_VMGENID=10")));
	CU_ASSERT(!xy_vmgen_is_new(UEVENT("add@/x\0ACTION=add\0NEW_VMGENID=1")));
	CU_ASSERT(!xy_vmgen_is_new(UEVENT("\0\0\0\0")));
}

static void test_vmclock(void)
{
	uint8_t page[XY_VMCLOCK_LEN] = "VCLK";
	uint64_t g;
	xy_le32_store(page + 4, 4096);
	xy_le32_store(page + 12, 2);  // a count of writes
	xy_le64_store(page + 16, 7);  // of disruptions
	xy_le64_store(page + 104, 9); // of generations
	CU_ASSERT(xy_vmclock_read(page, sizeof(page), &g) && g == 7);
	CU_ASSERT(xy_vmclock_read(page, 32, &g) && g == 7);
	xy_le64_store(page + 24, 1 << 8); // which it says that it has
	CU_ASSERT(xy_vmclock_read(page, sizeof(page), &g) && g == 9);
	CU_ASSERT(!xy_vmclock_read(page, sizeof(page) - 1, &g));
	xy_le32_store(page + 12, 3); // being written
	CU_ASSERT(!xy_vmclock_read(page, sizeof(page), &g));
	xy_le32_store(page + 12, 4);
	xy_le32_store(page + 4, 104); // an older, shorter one
	CU_ASSERT(xy_vmclock_read(page, sizeof(page), &g) && g == 7);
	page[0] ^= 1;
	CU_ASSERT(!xy_vmclock_read(page, sizeof(page), &g));
	for (size_t len = 0; len < 32; len++)
		CU_ASSERT(!xy_vmclock_read(page, len, &g));
}

XY_UNIT_MAIN("vmgen", {"uevent", test_uevent}, {"vmclock", test_vmclock})
