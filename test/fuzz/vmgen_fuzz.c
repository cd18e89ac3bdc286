// SPDX-License-Identifier: BSD-3-Clause
// What a kernel or a hypervisor may say of VM generations.
#include "wire/vmgen.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t generation, again;
	if (xy_vmgen_is_new(data, size) &&
	    size < sizeof("ACTION=change") + sizeof("NEW_VMGENID=1") - 1)
		abort();
	if (xy_vmclock_read(data, size, &generation) &&
	    (size < 32 || !xy_vmclock_read(data, size, &again) || again != generation))
		abort();
	return 0;
}
