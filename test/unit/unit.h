// SPDX-License-Identifier: BSD-3-Clause
// The frame of a unit test program: a table of named cases, run by CUnit; exit code 1 when one
// fails. Usage: XY_UNIT_MAIN("noise", {"replay window", test_replay}, ...)
#pragma once

#include <CUnit/Basic.h>
#include <stdio.h>

struct xy_unit_case {
	const char *name;
	void (*fn)(void);
};

static inline int xy_unit_run(const char *suite, const struct xy_unit_case *cases, size_t n)
{
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	CU_pSuite s = CU_add_suite(suite, NULL, NULL);
	for (size_t i = 0; s && i < n; i++)
		if (!CU_add_test(s, cases[i].name, cases[i].fn))
			s = NULL;
	if (!s) {
		fprintf(stderr, "%s: %s\n", suite, CU_get_error_msg());
		return 2;
	}
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	unsigned failed = CU_get_number_of_failures(), ran = CU_get_number_of_tests_run();
	CU_cleanup_registry();
	return failed || ran != n;
}

#define XY_UNIT_MAIN(suite, ...)                                                    \
	int main(void)                                                              \
	{                                                                           \
		static const struct xy_unit_case cases[] = {__VA_ARGS__};           \
		return xy_unit_run(suite, cases, sizeof(cases) / sizeof(cases[0])); \
	}
