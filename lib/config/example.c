// SPDX-License-Identifier: BSD-3-Clause
// The commented example, written from the tables: "# " begins prose, "#" alone a setting that one
// may uncomment. The defaults are shown, and a sample where there is none.
#include "config/config.h"
#include "config/fleet.h"
#include "config/schema.h"
#include "config/web.h"

#include <stdlib.h>

static const char head[] =
	"# Xylem's configuration. Every setting is optional: what is commented out shows the\n"
	"# default, or an example. Remove the # before a line to change it. Check the file with:\n"
	"#   xylemd --check -c FILE\n";

static const char web_head[] =
	"# Configuration of xylem-web. Every setting is optional: what is commented out shows the\n"
	"# default, or an example. Remove the # before a line to change it. Check the file with:\n"
	"#   xylem-web --check -c FILE\n";

static const char fleet_head[] = "# Configuration of xylem-fleet. What is commented out shows the "
				 "default, or an example. Remove\n"
				 "# the # before a line to change it. Check the file with:\n"
				 "#   xylem-fleet --check -c FILE\n"
				 "fleet = {\n";

static void indent(FILE *to, int depth)
{
	fputc('#', to);
	for (int i = 0; i < depth; i++)
		fputc('\t', to);
}

// In a group prose stays a comment when the # of the line is removed.
static void prose(FILE *to, int depth)
{
	if (depth)
		indent(to, depth);
	fputs("# ", to);
}

static void write_group(FILE *to, const struct xy_config_group *g, int depth);

static void write_key(FILE *to, const struct xy_config_key *k, int depth)
{
	if (depth == 0)
		fputc('\n', to);
	prose(to, depth);
	fprintf(to, "%s\n", k->help);
	if (k->alternative) {
		prose(to, depth);
		fprintf(to, "Or: %s = %s;\n", k->name, k->sample);
		return;
	}
	indent(to, depth);
	if (!k->group || k->type == XY_CONFIG_MIXED || k->type == XY_CONFIG_ANY) {
		fprintf(to, "%s = %s;\n", k->name, k->sample ? k->sample : k->def);
		return;
	}
	bool list = k->type == XY_CONFIG_GROUPS;
	fprintf(to, "%s = %s\n", k->name, list ? "( {" : "{");
	write_group(to, k->group, depth + 1);
	indent(to, depth);
	fprintf(to, "%s;\n", list ? "} )" : "}");
}

static void write_group(FILE *to, const struct xy_config_group *g, int depth)
{
	for (size_t i = 0; i < g->count; i++)
		write_key(to, &g->keys[i], depth);
}

static char *example(const char *first, const struct xy_config_group *g)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	if (!to)
		return NULL;
	fputs(first, to);
	write_group(to, g, 0);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

// Its first key is where the records are, which no default can say.
char *xy_config_fleet_example(void)
{
	const struct xy_config_group *g = xy_config_fleet_schema.keys[0].group;
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	if (!to)
		return NULL;
	fprintf(to, "%s\t# %s\n\t%s = %s;\n", fleet_head, g->keys[0].help, g->keys[0].name,
		g->keys[0].sample);
	for (size_t i = 1; i < g->count; i++)
		write_key(to, &g->keys[i], 1);
	fputs("};\n", to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

char *xy_config_example(void)
{
	return example(head, &xy_config_schema);
}

char *xy_config_web_example(void)
{
	return example(web_head, &xy_config_web_schema);
}
