// SPDX-License-Identifier: BSD-3-Clause
#include "program.h"

#include "base/bytes.h"
#include "client/rundir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { CHECK = 256, GENCONF, USER_IS, VERSION, OPTIONS = 24 };

static const struct option all_have[] = {
	{"config", required_argument, NULL, 'c'},   {"name", required_argument, NULL, 'n'},
	{"user", required_argument, NULL, USER_IS}, {"check", no_argument, NULL, CHECK},
	{"genconf", no_argument, NULL, GENCONF},    {"version", no_argument, NULL, VERSION},
	{"help", no_argument, NULL, 'h'},
};

static int print_example(const struct xy_program *p)
{
	char *text = p->example();
	int ret = text && fputs(text, stdout) != EOF ? XY_PROGRAM_DONE : EX_OSERR;
	free(text);
	return ret;
}

static int take(const struct xy_program *p, int c, char **argv, int argc,
		struct xy_program_options *o)
{
	switch (c) {
	case 'c':
		o->config = optarg;
		return 0;
	case 'n':
		o->instance = optarg;
		return 0;
	case USER_IS:
		o->user = optarg;
		return 0;
	case CHECK:
		o->check = true;
		return 0;
	case GENCONF:
		return print_example(p);
	case VERSION:
		printf("%s " XY_VERSION "\n", p->name);
		return XY_PROGRAM_DONE;
	case 'h':
		fputs(p->usage, stdout);
		return XY_PROGRAM_DONE;
	default:
		if (c >= XY_PROGRAM_OWN)
			return p->take(p->arg, c, optarg, argv + optind, argc - optind);
		fputs(p->usage, stderr);
		return EX_USAGE;
	}
}

static int instance_check(const struct xy_program *p, struct xy_program_options *o)
{
	const char *wrong = xy_instance_name_wrong(o->instance);
	const char *prefix = strcmp(o->instance, "xylem") == 0 ? "" : o->instance;
	if (wrong) {
		fprintf(stderr, "%s: -n %.40s: it %s\n", p->name, o->instance, wrong);
		return EX_USAGE;
	}
	snprintf(o->path, sizeof(o->path), "/etc/xylem/%s%s%s.conf", prefix, *prefix ? "." : "",
		 p->kind);
	o->given = o->config != NULL;
	o->config = o->config ? o->config : o->path;
	return 0;
}

int xy_program_options(const struct xy_program *p, int argc, char **argv,
		       struct xy_program_options *o)
{
	struct option longs[OPTIONS] = {0};
	int c, ret;
	memcpy(longs, all_have, sizeof(all_have));
	for (unsigned i = 0; p->own[i].name && XY_ARRAY_SIZE(all_have) + i + 1 < OPTIONS; i++)
		longs[XY_ARRAY_SIZE(all_have) + i] = p->own[i];
	*o = (struct xy_program_options){.instance = "xylem"};
	while ((c = getopt_long(argc, argv, "c:n:h", longs, NULL)) != -1) {
		if ((ret = take(p, c, argv, argc, o)))
			return ret;
	}
	if (optind < argc) {
		fprintf(stderr, "%s: '%s' is too much\n%s", p->name, argv[optind], p->usage);
		return EX_USAGE;
	}
	return instance_check(p, o);
}

void xy_program_notes(const struct xy_program *p, int ret, const struct xy_config *notes,
		      const struct xy_err *err)
{
	for (unsigned i = 0; i < notes->warnings.count; i++)
		fprintf(stderr, "warning: %s\n", notes->warnings.v[i].text);
	for (unsigned i = 0; ret && i < notes->errors.count; i++)
		fprintf(stderr, "%s: %s\n", p->name, notes->errors.v[i].text);
	if (ret && !notes->errors.count)
		fprintf(stderr, "%s: %s\n", p->name, err->text);
}
