// SPDX-License-Identifier: BSD-3-Clause
// The man pages against the program: each key of the config's tables is documented in its group
// with type, default and meaning, and no other; each command of `xylem help` stands in its
// synopsis, each option of `xylemd --help` in its page. $SOURCE is the tree, $XYLEM and $XYLEMD the
// programs.
#include "config/fleet.h"
#include "config/schema.h"
#include "unit.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static char page[1 << 17];

static void load(const char *name)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/docs/man/%s", getenv("SOURCE"), name);
	FILE *f = fopen(path, "r");
	CU_ASSERT_FATAL(f != NULL);
	page[fread(page, 1, sizeof(page) - 1, f)] = 0;
	fclose(f);
}

static void entry_of(const struct xy_config_key *k, char *to, size_t size)
{
	char type[120];
	xy_config_type_str(k, type, sizeof(type));
	if (k->required)
		snprintf(to, size, "\n.It Ic %s\n%s\n(%s; required)\n", k->name, k->help, type);
	else if (k->def)
		snprintf(to, size, "\n.It Ic %s\n%s\n(%s; default: %s)\n", k->name, k->help, type,
			 k->def);
	else
		snprintf(to, size, "\n.It Ic %s\n%s\n(%s)\n", k->name, k->help, type);
}

// The page has a subsection for each group, in the order of this walk.
static unsigned check_group(const struct xy_config_group *g, const char **at)
{
	char text[1024];
	unsigned count = 0;
	snprintf(text, sizeof(text), "\n.Ss %s\n", g->name);
	const char *section = strstr(*at, text);
	if (!section)
		printf("\n  missing or out of order:%s", text);
	CU_ASSERT_FATAL(section != NULL);
	const char *end = strstr(section + 1, "\n.S");
	for (size_t i = 0; i < g->count; i++, count++) {
		entry_of(&g->keys[i], text, sizeof(text));
		const char *found = strstr(section, text);
		bool right = found && (!end || found < end);
		if (!right)
			printf("\n  missing in %s:%s", g->name, text);
		CU_ASSERT(right);
	}
	*at = section;
	for (size_t i = 0; i < g->count; i++)
		if (g->keys[i].group)
			count += check_group(g->keys[i].group, at);
	return count;
}

static void keys_of(const char *name, const struct xy_config_group *g)
{
	load(name);
	const char *at = page;
	unsigned documented = 0, keys = check_group(g, &at);
	for (const char *p = page; (p = strstr(p, "\n.It Ic ")); p++)
		documented++;
	CU_ASSERT(documented == keys);
}

static void test_keys(void)
{
	keys_of("xylem.conf.5", &xy_config_schema);
	keys_of("xylem-fleet.8", xy_config_fleet_schema.keys[0].group);
}

// The usage of the next command; what does not fit its line goes on in the next, further in.
static bool read_usage(FILE *p, char *usage, size_t size)
{
	static char next[256]; // that was read too far
	char line[256];
	usage[0] = 0;
	if (next[0])
		snprintf(usage, size, "%s", next);
	next[0] = 0;
	while (fgets(line, sizeof(line), p)) {
		line[strcspn(line, "\n")] = 0;
		bool begins = strncmp(line, "  ", 2) == 0 && line[2] && line[2] != ' ';
		bool goes_on = strncmp(line, "      ", 6) == 0 && line[6] && line[6] != ' ';
		if (begins && usage[0]) {
			snprintf(next, sizeof(next), "%s", line);
			return true;
		}
		if (begins)
			snprintf(usage, size, "%s", line);
		else if (goes_on)
			snprintf(usage + strlen(usage), size - strlen(usage), "%s", line + 5);
	}
	return usage[0] != 0;
}

// "  show WHAT [--json]" of the help is "xylem show WHAT [--json]" in the page's comment lines.
static void test_commands(void)
{
	char line[600], want[700], command[512];
	unsigned count = 0;
	load("xylem.8");
	snprintf(command, sizeof(command), "'%s' help", getenv("XYLEM"));
	FILE *p = popen(command, "r");
	CU_ASSERT_FATAL(p != NULL);
	while (read_usage(p, line, sizeof(line))) {
		snprintf(want, sizeof(want), "\n.\\\" usage: %s\n", line + 2);
		if (!strstr(page, want))
			printf("\n  missing: %s\n", want);
		CU_ASSERT(strstr(page, want) != NULL);
		snprintf(want, sizeof(want), "\n.It Cm %.*s", (int)strcspn(line + 2, " \n"),
			 line + 2);
		if (line[2] != '-' && !strstr(page, want))
			printf("\n  missing: %s\n", want);
		CU_ASSERT(line[2] == '-' || strstr(page, want) != NULL);
		count++;
	}
	CU_ASSERT(pclose(p) == 0 && count >= 6);
}

// "      --check        check ..." of the help has its ".It Fl ... -check" in the page.
static void test_options(void)
{
	char line[256], want[64], command[512];
	unsigned count = 0;
	load("xylemd.8");
	snprintf(command, sizeof(command), "'%s' --help", getenv("XYLEMD"));
	FILE *p = popen(command, "r");
	CU_ASSERT_FATAL(p != NULL);
	while (fgets(line, sizeof(line), p)) {
		const char *option = strstr(line, "--");
		if (line[0] != ' ' || !option)
			continue;
		bool found = false;
		int len = snprintf(want, sizeof(want), "%.*s", (int)strcspn(option + 1, " \n"),
				   option + 1);
		for (const char *at = page; !found && (at = strstr(at, "\n.It Fl ")); at++) {
			const char *there = strstr(at, want);
			found = there && there < at + 1 + strcspn(at + 1, "\n") &&
				!isalnum((unsigned char)there[len]);
		}
		if (!found)
			printf("\n  missing: -%s\n", want);
		CU_ASSERT(found);
		count++;
	}
	CU_ASSERT(pclose(p) == 0 && count >= 5);
}

XY_UNIT_MAIN("man", {"xylem.conf.5, xylem-fleet.8: every key", test_keys},
	     {"xylem.8: every command", test_commands}, {"xylemd.8: every option", test_options})
