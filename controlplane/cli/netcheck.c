// SPDX-License-Identifier: BSD-3-Clause
// netcheck: client/netcheck.h as a table.
#include "client/netcheck.h"
#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

static void print_rows(const struct xy_netcheck *c)
{
	static const char *const title[] = {"PEER", "REACHED", "MTU",	"PROVEN",
					    "RTT",  "LOSS",    "CLOCK", "NAT"};
	struct xy_out out = {stdout, xy_cli_colour(STDOUT_FILENO), XY_OUT_COLUMNS};
	struct xy_table *t = xy_table_new(8, &out);
	for (unsigned k = 0; k < 8; k++)
		xy_table_column(t, title[k], k < 2 || k == 7 ? XY_LEFT : XY_RIGHT);
	for (unsigned i = 0; i < c->count; i++) {
		const struct xy_netcheck_row *r = &c->row[i];
		char name[24];
		snprintf(name, sizeof(name), strlen(r->name) < 20 ? "%s" : "%.16s...", r->name);
		xy_table_cell(t, name, XY_PLAIN);
		xy_table_cell(t, r->reached ? "yes" : "no", r->reached ? XY_GREEN : XY_RED);
		xy_table_cell(t, r->mtu, XY_PLAIN);
		xy_table_cell(t, r->proven, XY_PLAIN);
		xy_table_cell(t, r->rtt, XY_PLAIN);
		xy_table_cell(t, r->loss, XY_PLAIN);
		xy_table_cell(t, r->clock, XY_PLAIN);
		xy_table_cell(t, r->nat, XY_PLAIN);
	}
	xy_table_print(t, NULL);
	for (unsigned i = 0; i < c->count; i++) {
		const struct xy_netcheck_row *r = &c->row[i];
		if (json_array_size(r->notes))
			putchar('\n');
		if (json_array_size(r->notes))
			xy_cli_prose(0, "", 0, r->name);
		for (size_t k = 0; k < json_array_size(r->notes); k++)
			xy_cli_prose(2, "", 0, json_string_value(json_array_get(r->notes, k)));
	}
	if (c->more)
		printf("\n%u peers more: name one (xylem netcheck PEER)\n", c->more);
}

static void print_json(const struct xy_netcheck *c)
{
	json_t *list = xy_netcheck_rows(c);
	json_dumpf(list, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(list);
}

int xy_cli_netcheck(int argc, char **argv)
{
	struct xy_cli_args a = {0};
	struct xy_err err = {""};
	struct xy_netcheck c;
	bool good = true;
	int ret = xy_cli_args(&a, argc, argv, NULL);
	if (!ret && a.count > 1)
		ret = xy_cli_misuse("netcheck takes one peer, or none for all");
	if (ret)
		return ret;
	const struct xy_who_config who = {.instance = a.instance};
	if (xy_netcheck_run(&c, &who, a.count ? a.word[0] : NULL, &err)) {
		ret = xy_cli_fail("%s", err.text);
	} else {
		for (unsigned i = 0; i < c.count; i++)
			good &= c.row[i].reached;
		if (a.json)
			print_json(&c);
		else
			print_rows(&c);
		ret = good ? CLI_OK : CLI_FAILED;
	}
	xy_netcheck_free(&c);
	return ret;
}
