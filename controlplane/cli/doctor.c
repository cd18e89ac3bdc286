// SPDX-License-Identifier: BSD-3-Clause
// doctor: what this host is like for a node, with a daemon that runs or without.
#include "cli/doctor.h"

#include "cli/cli.h"
#include "client/rundir.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_FILE "/etc/xylem/xylem.conf"

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "";
}

// --- the config: what is wrong with it is wrong with the host, too

// named: somebody said which, and it must be there. running: a daemon has taken what stood there.
static void see_config(struct xy_doctor *d, const char *path, bool named, bool running,
		       struct xy_config *c)
{
	struct xy_err err = {""};
	char type[400];
	int ret = xy_config_load(path, c, &err);
	snprintf(type, sizeof(type), "xylemd --check -c %.300s", path);
	if (ret == 0) {
		xy_doctor_row(d, XY_DOCTOR_OK, "config", path, "", "");
		return;
	}
	if (ret == -ENOENT && !named) {
		char text[400];
		xy_config_init(c);
		snprintf(text, sizeof(text), "there is none (%.300s): the defaults are looked at",
			 path);
		xy_doctor_row(d, XY_DOCTOR_OK, "config", text, "", "");
		return;
	}
	if (ret == -EACCES)
		xy_doctor_row(d, XY_DOCTOR_BETTER, "config", err.text,
			      "you may not read it, so the defaults are looked at",
			      "sudo xylem doctor");
	else if (ret == -ENOENT && running)
		xy_doctor_row(d, XY_DOCTOR_BETTER, "config", err.text,
			      "the daemon that answers was given it, and it is not seen from here: "
			      "the defaults are looked at",
			      "xylem doctor -c FILE");
	else
		xy_doctor_row(d, XY_DOCTOR_WRONG, "config", err.text,
			      running ? "the daemon that runs will not take it at a reload or a "
					"restart"
				      : "the daemon does not take it",
			      type);
	if (ret != -EINVAL)
		xy_config_init(c);
}

// Which one: that which was named, else the one that the daemon says, else where it is looked for.
static void find_config(struct xy_doctor *d, const char *instance, const char *file,
			const json_t *told, struct xy_config *c)
{
	bool usual = strcmp(instance, "xylem") == 0;
	const char *its = text_of(told, XY_KEY(config, file));
	char path[120];
	if (file) {
		see_config(d, file, true, false, c);
	} else if (*its == '/') {
		see_config(d, its, true, true, c);
	} else if (*its) {
		char text[400];
		xy_config_init(c);
		snprintf(text, sizeof(text),
			 "%.200s, as the daemon was given it: the defaults are "
			 "looked at (xylem doctor -c FILE)",
			 its);
		xy_doctor_row(d, XY_DOCTOR_OK, "config", text, "", "");
	} else {
		snprintf(path, sizeof(path), "/etc/xylem/%.40s.conf", instance);
		see_config(d, usual ? CONFIG_FILE : path, !usual, false, c);
	}
}

static void see_key(struct xy_doctor *d, const struct xy_config *c, bool running)
{
	struct xy_identity id;
	struct xy_err err = {""};
	int ret = xy_keyfile_load(c->key_file, &id, &err);
	if (ret == -EACCES)
		return; // who asks is not who runs it
	if (ret == 0) {
		xy_identity_wipe(&id);
		xy_doctor_row(d, XY_DOCTOR_OK, "key file", c->key_file, "", "");
	} else if (!running) { // whoever asks may not be who may read it
		xy_doctor_row(d, XY_DOCTOR_WRONG, "key file", err.text,
			      "without it the daemon does not start", "xylem genkey (as root)");
	}
}

// --- the daemon

static int ask(struct xy_doctor *d, const char *instance, json_t **node, json_t **ports,
	       json_t **config, struct xy_err *err)
{
	struct xy_client *c = NULL;
	int ret = xy_cli_connect(instance, &c, err);
	ret = ret ? ret : xy_client_ask(c, "/xylem/node", NULL, node, err);
	ret = ret ? ret : xy_client_ask_all(c, "/xylem/ports", NULL, ports, err);
	if (!ret && xy_client_ask(c, "/xylem/config", NULL, config, err) == -EREMOTE)
		*config = NULL; // an older one
	xy_client_close(c);
	d->node = ret ? NULL : *node;
	d->ports = ret ? NULL : *ports;
	if (ret)
		xy_doctor_row(d, XY_DOCTOR_OK, "daemon",
			      "does not answer: what it does is not seen", "", "");
	else
		xy_doctor_row(d, XY_DOCTOR_OK, "daemon", text_of(*node, XY_KEY(node, version)), "",
			      "");
	return ret;
}

// --- what is shown

static unsigned count(const json_t *rows, const char *state)
{
	unsigned n = 0;
	const json_t *r;
	size_t i;
	json_array_foreach(rows, i, r)
	{
		n += strcmp(text_of(r, "state"), state) == 0;
	}
	return n;
}

static void print_row(const json_t *r)
{
	const char *state = text_of(r, "state");
	bool wrong = strcmp(state, "wrong") == 0, good = strcmp(state, "ok") == 0;
	char head[80];
	snprintf(head, sizeof(head), "%-7s %.40s",
		 wrong	? "WRONG"
		 : good ? "ok"
			: "better",
		 text_of(r, "what"));
	if (xy_cli_colour(STDOUT_FILENO))
		fputs(wrong ? "\033[31m" : good ? "\033[32m" : "\033[33m", stdout);
	xy_cli_prose(0, head, 28, text_of(r, "found"));
	if (xy_cli_colour(STDOUT_FILENO))
		fputs("\033[0m", stdout);
	if (*text_of(r, "means"))
		xy_cli_prose(8, "means", 7, text_of(r, "means"));
	if (*text_of(r, "type"))
		xy_cli_prose(8, "type", 7, text_of(r, "type"));
}

static int report(const struct xy_doctor *d, bool json)
{
	unsigned wrong = count(d->rows, "wrong"), better = count(d->rows, "could be better");
	const json_t *r;
	size_t i;
	if (json) {
		json_dumpf(d->rows, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		json_array_foreach(d->rows, i, r)
		{
			print_row(r);
		}
		printf("\nok: %zu, could be better: %u, wrong: %u\n",
		       json_array_size(d->rows) - wrong - better, better, wrong);
	}
	return wrong ? CLI_FAILED : CLI_OK;
}

static int look(const char *instance, const char *file, bool json)
{
	struct xy_config *c = xy_cli_must(calloc(1, sizeof(*c)));
	struct xy_doctor d = {.root = "", .config = c, .rows = xy_cli_must(json_array())};
	json_t *node = NULL, *ports = NULL, *config = NULL;
	struct xy_err err = {""};
	bool running = ask(&d, instance, &node, &ports, &config, &err) == 0;
	find_config(&d, instance, file, config, c);
	see_key(&d, c, running);
	xy_doctor_kernel(&d);
	xy_doctor_cards(&d);
	xy_doctor_net(&d);
	int ret = report(&d, json);
	json_decref(d.rows);
	json_decref(node);
	json_decref(ports);
	json_decref(config);
	xy_config_free(c);
	free(c);
	return ret;
}

int xy_cli_doctor(int argc, char **argv)
{
	static const char *const options[] = {"-c", NULL};
	struct xy_cli_args a = {0};
	int ret = xy_cli_args(&a, argc, argv, options);
	if (!ret && a.count)
		ret = xy_cli_misuse("doctor takes no argument, but got \"%s\"", a.word[0]);
	return ret ? ret : look(a.instance, xy_cli_option(&a, "-c"), a.json);
}
