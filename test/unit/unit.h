// SPDX-License-Identifier: BSD-3-Clause
// The frame of a unit test program: a table of named cases, run by CUnit; exit code 1 when one
// fails. Usage: XY_UNIT_MAIN("noise", {"replay window", test_replay}, ...)
//   unit_noise                     all of them, in order
//   unit_noise "replay window"     those named, and with them the cases that are always run (one
//                                  that builds on others wants them named as well)
//   unit_noise --list              their names
#pragma once

#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct xy_unit_case {
	const char *name;
	void (*fn)(void);
	bool always; // makes or ends what the others stand on: run whichever are named
};

static inline void xy_unit_list(FILE *to, const struct xy_unit_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!cases[i].always)
			fprintf(to, "%s\n", cases[i].name);
}

static inline bool xy_unit_named(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return false;
}

// Is there a case of each name that was given?
static inline bool xy_unit_known(const char *suite, const struct xy_unit_case *cases, size_t n,
				 int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		size_t at = 0;
		while (at < n && strcmp(cases[at].name, argv[i]))
			at++;
		if (at < n)
			continue;
		fprintf(stderr, "%s: there is no case '%s'; there are:\n", suite, argv[i]);
		xy_unit_list(stderr, cases, n);
		return false;
	}
	return true;
}

static inline int xy_unit_run(const char *suite, const struct xy_unit_case *cases, size_t n,
			      int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		xy_unit_list(stdout, cases, n);
		return 0;
	}
	if (!xy_unit_known(suite, cases, n, argc, argv) || CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	CU_pSuite s = CU_add_suite(suite, NULL, NULL);
	size_t chosen = 0;
	for (size_t i = 0; s && i < n; i++) {
		if (argc > 1 && !cases[i].always && !xy_unit_named(cases[i].name, argc, argv))
			continue;
		chosen++;
		if (!CU_add_test(s, cases[i].name, cases[i].fn))
			s = NULL;
	}
	if (!s) {
		fprintf(stderr, "%s: %s\n", suite, CU_get_error_msg());
		return 2;
	}
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	unsigned failed = CU_get_number_of_failures(), ran = CU_get_number_of_tests_run();
	CU_cleanup_registry();
	return failed || ran != chosen;
}

#define XY_UNIT_MAIN(suite, ...)                                                                \
	int main(int argc, char **argv)                                                         \
	{                                                                                       \
		static const struct xy_unit_case cases[] = {__VA_ARGS__};                       \
		return xy_unit_run(suite, cases, sizeof(cases) / sizeof(cases[0]), argc, argv); \
	}
