// SPDX-License-Identifier: BSD-3-Clause
// What changes a running daemon, by its control socket: set, peer, reload, drain, log.
#include "cli/cli.h"
#include "client/rundir.h"
#include "config/config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 40000, SECRET_MAX = 256 }; // longer than the daemon has for an answer

static int connect_control(const char *instance, struct xy_client **out, struct xy_err *err)
{
	struct xy_client_config cfg = {
		.instance = instance, .socket = XY_RUNDIR_CONTROL, .timeout_ms = WAIT_MS};
	return xy_client_open(&cfg, out, err);
}

int xy_cli_steer(const char *instance, const char *command, json_t *params, json_t **out)
{
	struct xy_client *c = NULL;
	struct xy_err err = {""};
	char *text = params ? json_dumps(params, JSON_COMPACT) : NULL;
	json_decref(params);
	int ret = connect_control(instance, &c, &err);
	ret = ret ? ret : xy_client_ask(c, command, text, out, &err);
	xy_client_close(c);
	xy_config_text_wipe(text); // a secret may be in it
	return ret ? xy_cli_fail("%s", err.text) : CLI_OK;
}

void xy_cli_kept(const json_t *reply)
{
	const char *why = json_string_value(json_object_get(reply, "why"));
	if (json_is_false(json_object_get(reply, "kept")))
		xy_cli_fail("it is in force, but %s", why ? why : "is not kept");
}

// --- arguments

int xy_cli_args(struct xy_cli_args *a, int argc, char **argv, const char *const *options)
{
	a->instance = "xylem";
	for (int i = 1; i < argc; i++) {
		const char *o = argv[i];
		unsigned k = 0;
		if (o[0] != '-' || !o[1]) {
			if (a->count == XY_CLI_WORDS)
				return xy_cli_misuse("%s does not know \"%s\"", argv[0], o);
			a->word[a->count++] = o;
			continue;
		}
		if (strcmp(o, "--json") == 0) {
			a->json = true;
			continue;
		}
		while (options && options[k] && strcmp(options[k], o) != 0)
			k++;
		bool known = strcmp(o, "-n") == 0 || (options && options[k]);
		if (!known)
			return xy_cli_misuse("%s does not know \"%s\"", argv[0], o);
		if (i + 1 == argc)
			return xy_cli_misuse("%s needs a value", o);
		if (strcmp(o, "-n") == 0)
			a->instance = argv[++i];
		else if (a->options == XY_CLI_OPTIONS)
			return xy_cli_misuse("too many options");
		else
			a->option[a->options++] = (struct xy_cli_option){options[k], argv[++i]};
	}
	return xy_cli_instance(a->instance);
}

const char *xy_cli_option(const struct xy_cli_args *a, const char *name)
{
	for (unsigned i = 0; i < a->options; i++)
		if (strcmp(a->option[i].name, name) == 0)
			return a->option[i].value;
	return NULL;
}

// Words of the command itself, whole as they are or as they begin: what they are is another's to
// say.
void xy_cli_whole(struct xy_cli_args *a, unsigned at, const char *const *words)
{
	const char *word = at < a->count ? xy_cli_word(a->word[at], words) : NULL;
	if (word)
		a->word[at] = word;
}

int xy_cli_number(const char *what, const char *text, long long max, json_t *to)
{
	char *end;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	if (errno || end == text || *end || n < 0 || n > max)
		return xy_cli_misuse("%s %s: write a number, 0 to %lld", what, text, max);
	json_object_set_new(to, what + strspn(what, "-"), json_integer(n));
	return CLI_OK;
}

int xy_cli_secret(const char *file, json_t *to)
{
	char text[SECRET_MAX];
	FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	if (!f)
		return xy_cli_fail("%s: %s", file, strerror(errno));
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	if (f != stdin)
		fclose(f);
	text[n] = 0;
	text[strcspn(text, "\r\n \t")] = 0;
	json_object_set_new(to, "psk", json_string(text));
	sodium_memzero(text, sizeof(text));
	return CLI_OK;
}

static int print(const struct xy_cli_args *a, json_t *reply, const char *fmt)
{
	const char *peer = json_string_value(json_object_get(reply, "peer"));
	if (a->json) {
		json_dumpf(reply, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		printf("%s", peer ? peer : "");
		puts(fmt);
	}
	xy_cli_kept(reply);
	json_decref(reply);
	return CLI_OK;
}

// --- set peer NAME traffic on|off, cost N

int xy_cli_set(int argc, char **argv)
{
	static const char *const of[] = {"peer", NULL}, *const what[] = {"traffic", "cost", NULL};
	struct xy_cli_args a = {0};
	json_t *reply, *params = json_object();
	int ret = xy_cli_args(&a, argc, argv, NULL);
	xy_cli_whole(&a, 0, of);
	xy_cli_whole(&a, 2, what);
	if (!ret && (a.count != 4 || strcmp(a.word[0], "peer") != 0))
		ret = xy_cli_misuse("write: xylem set peer NAME traffic on|off, or cost N|default");
	if (!ret)
		json_object_set_new(params, "peer", json_string(a.word[1]));
	if (!ret && strcmp(a.word[2], "traffic") == 0) {
		if (strcmp(a.word[3], "on") != 0 && strcmp(a.word[3], "off") != 0)
			ret = xy_cli_misuse("traffic %s: write on or off", a.word[3]);
		else
			json_object_set_new(params, "traffic", json_string(a.word[3]));
	} else if (!ret && strcmp(a.word[2], "cost") == 0) {
		if (strcmp(a.word[3], "default") == 0)
			json_object_set_new(params, "cost", json_string("default"));
		else
			ret = xy_cli_number("cost", a.word[3], 65534, params);
	} else if (!ret) {
		ret = xy_cli_misuse("set peer: there is traffic and cost, not \"%s\"", a.word[2]);
	}
	if (ret) {
		json_decref(params);
		return ret;
	}
	ret = xy_cli_steer(a.instance, "/xylem/set", params, &reply);
	if (ret)
		return ret;
	char text[80];
	snprintf(text, sizeof(text), ": traffic %s, cost %lld",
		 json_string_value(json_object_get(reply, "traffic")),
		 (long long)json_integer_value(json_object_get(reply, "cost")));
	return print(&a, reply, text);
}

// --- peer add, remove, reset

static int add_options(const struct xy_cli_args *a, json_t *to)
{
	json_t *endpoints = json_array();
	int ret = CLI_OK;
	for (unsigned i = 0; !ret && i < a->options; i++) {
		const char *name = a->option[i].name, *value = a->option[i].value;
		if (strcmp(name, "--endpoint") == 0)
			json_array_append_new(endpoints, json_string(value));
		else if (strcmp(name, "--psk-file") == 0)
			ret = xy_cli_secret(value, to);
		else if (strcmp(name, "--key") == 0)
			json_object_set_new(to, "key", json_string(value));
		else
			ret = xy_cli_number(name, value, 65535, to);
	}
	if (json_array_size(endpoints))
		json_object_set_new(to, "endpoints", endpoints);
	else
		json_decref(endpoints);
	return ret;
}

static int peer_add(const struct xy_cli_args *a)
{
	json_t *reply, *params = json_pack("{s:s}", "name", a->word[1]);
	int ret = add_options(a, params);
	if (!ret && !xy_cli_option(a, "--key"))
		ret = xy_cli_misuse("peer add %s: needs --key KEY (on the peer: xylem pubkey)",
				    a->word[1]);
	if (ret) {
		json_decref(params);
		return ret;
	}
	ret = xy_cli_steer(a->instance, "/xylem/peer_add", params, &reply);
	return ret ? ret : print(a, reply, ": added");
}

int xy_cli_peer_word(const struct xy_cli_args *a, const char *command, const char *done)
{
	json_t *reply;
	int ret =
		xy_cli_steer(a->instance, command, json_pack("{s:s}", "peer", a->word[1]), &reply);
	return ret ? ret : print(a, reply, done);
}

int xy_cli_peer(int argc, char **argv)
{
	static const char *const options[] = {"--key", "--endpoint", "--psk-file", "--keepalive",
					      "--mtu", "--cost",     NULL};
	struct xy_cli_args a = {0};
	int ret = xy_cli_args(&a, argc, argv, options);
	if (ret)
		return ret;
	static const char *const words[] = {"add", "remove", "reset", NULL};
	xy_cli_whole(&a, 0, words);
	if (a.count != 2)
		return xy_cli_misuse("write: xylem peer add|remove|reset NAME");
	if (strcmp(a.word[0], "add") == 0)
		return peer_add(&a);
	if (a.options)
		return xy_cli_misuse("peer %s does not know \"%s\"", a.word[0], a.option[0].name);
	if (strcmp(a.word[0], "remove") == 0)
		return xy_cli_peer_word(&a, "/xylem/peer_remove", ": removed");
	if (strcmp(a.word[0], "reset") == 0)
		return xy_cli_peer_word(&a, "/xylem/peer_reset",
					": its session has ended, and another begins");
	return xy_cli_misuse("peer: there is add, remove and reset, not \"%s\"", a.word[0]);
}

// --- reload

static void print_texts(const json_t *list, FILE *to, const char *before)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		fprintf(to, "%s%s\n", before, json_string_value(json_array_get(list, i)));
}

static int print_reload(const struct xy_cli_args *a, json_t *reply)
{
	const json_t *refused = json_object_get(reply, "refused");
	const char *path = json_string_value(json_object_get(reply, "config"));
	if (a->json) {
		json_dumpf(reply, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (refused) {
		print_texts(refused, stderr, "");
	} else {
		print_texts(json_object_get(reply, "warnings"), stderr, "warning: ");
		printf("%s is in force, peers: %lld\n", path,
		       (long long)json_integer_value(json_object_get(reply, "peers")));
	}
	int ret = refused ? xy_cli_fail("refused; the old config stays in force") : CLI_OK;
	json_decref(reply);
	return ret;
}

int xy_cli_reload(int argc, char **argv)
{
	struct xy_cli_args a = {0};
	json_t *reply;
	int ret = xy_cli_args(&a, argc, argv, NULL);
	if (!ret && a.count)
		ret = xy_cli_misuse("reload takes no argument, but got \"%s\"", a.word[0]);
	ret = ret ? ret : xy_cli_steer(a.instance, "/xylem/reload", NULL, &reply);
	return ret ? ret : print_reload(&a, reply);
}

// --- drain, log level

int xy_cli_drain(int argc, char **argv)
{
	struct xy_cli_args a = {0};
	json_t *reply;
	int ret = xy_cli_args(&a, argc, argv, NULL);
	bool off = !ret && a.count == 1 && strcmp(a.word[0], "off") == 0;
	if (!ret && a.count && !off)
		ret = xy_cli_misuse("write: xylem drain, or xylem drain off");
	ret = ret ? ret
		  : xy_cli_steer(a.instance, "/xylem/drain", json_pack("{s:b}", "drained", !off),
				 &reply);
	if (ret)
		return ret;
	bool was = json_is_true(json_object_get(reply, "was"));
	return print(&a, reply,
		     off   ? (was ? "drained no more" : "it was not drained")
		     : was ? "it was drained already"
			   : "drained: traffic of others goes other ways; xylem drain off ends it");
}

int xy_cli_log(int argc, char **argv)
{
	struct xy_cli_args a = {0};
	json_t *reply;
	char text[80];
	static const char *const words[] = {"level", NULL};
	int ret = xy_cli_args(&a, argc, argv, NULL);
	xy_cli_whole(&a, 0, words);
	xy_cli_whole(&a, 1, a.count > 2 ? xy_log_part_names : xy_config_level_names);
	xy_cli_whole(&a, 2, xy_config_level_names);
	if (!ret && (a.count < 2 || a.count > 3 || strcmp(a.word[0], "level") != 0))
		ret = xy_cli_misuse(
			"write: xylem log level [SUBSYSTEM] error|warn|info|debug|default");
	const char *part = a.count > 2 ? a.word[1] : NULL;
	ret = ret ? ret
		  : xy_cli_steer(a.instance, "/xylem/log_level",
				 json_pack("{s:s, s:s*}", "level", a.word[a.count - 1], "subsystem",
					   part),
				 &reply);
	if (ret)
		return ret;
	snprintf(text, sizeof(text), "log level %s%s%s", part ? part : "", part ? " " : "",
		 json_string_value(json_object_get(reply, "level")));
	return print(&a, reply, text);
}
