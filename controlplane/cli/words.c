// SPDX-License-Identifier: BSD-3-Clause
// Words of the command line: whole, or so much of one that it can be no other; and what may come
// next, for a shell's completion, by the usage of the command.
#include "base/near.h"
#include "cli/cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MS = 800 }; // a shell waits for it

const char *xy_cli_word(const char *given, const char *const *words)
{
	const char *found = NULL;
	size_t len = strlen(given);
	for (unsigned i = 0; words[i]; i++) {
		if (strcmp(words[i], given) == 0)
			return words[i];
		if (len && strncmp(words[i], given, len) == 0) {
			if (found)
				return NULL;
			found = words[i];
		}
	}
	return found;
}

const char *xy_cli_meant(const char *given, const char *const *words, char *buf, size_t size)
{
	struct xy_nearest near = xy_nearest_to(given, UINT_MAX);
	unsigned fits = 0;
	size_t n = 0;
	buf[0] = 0;
	for (unsigned i = 0; *given && words[i]; i++) // it may be the beginning of several
		if (strncmp(words[i], given, strlen(given)) == 0 && n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s",
					      fits++ ? " or " : "; did you mean ", words[i]);
	for (unsigned i = 0; !fits && words[i]; i++)
		xy_nearest_see(&near, words[i]);
	if (near.best)
		n = (size_t)snprintf(buf, size, "; did you mean %s", near.best);
	if (n && n + 1 < size)
		memcpy(buf + n, "?", 2);
	return buf;
}

// --- completion

static void offer(const char *word, size_t len, const char *begun)
{
	size_t n = strlen(begun);
	for (size_t i = 0; i < len; i++)
		if (iscntrl((unsigned char)word[i]))
			return;
	if (len >= n && strncmp(word, begun, n) == 0)
		printf("%.*s\n", (int)len, word);
}

static void offer_peers(const char *instance, const char *begun)
{
	struct xy_client_config cfg = {
		.instance = instance, .socket = "telemetry", .timeout_ms = ASK_MS};
	struct xy_client *c = NULL;
	json_t *reply = NULL, *p;
	size_t i;
	int ret = xy_client_open(&cfg, &c, NULL);
	if (!ret && xy_client_ask_all(c, "/xylem/peers", NULL, &reply, NULL) == 0) {
		json_array_foreach(json_object_get(reply, XY_KEY(peers, peers)), i, p)
		{
			const char *name =
				json_string_value(json_object_get(p, XY_KEY(peer, name)));
			if (name)
				offer(name, strlen(name), begun);
		}
		json_decref(reply);
	}
	xy_client_close(c);
}

static void offer_views(const char *begun)
{
	const char *const *v = xy_cli_views();
	for (unsigned i = 0; v[i]; i++)
		offer(v[i], strlen(v[i]), begun);
}

// A word of a usage: "on|off|N", "NAME", "[NAME]".
static void offer_token(const char *token, size_t len, const char *instance, const char *begun)
{
	while (len) {
		size_t n = strcspn(token, "|]");
		n = n < len ? n : len;
		if (n == 4 && strncmp(token, "NAME", 4) == 0)
			offer_peers(instance, begun);
		else if (n == 4 && strncmp(token, "WHAT", 4) == 0)
			offer_views(begun);
		else if (n && (islower((unsigned char)*token)))
			offer(token, n, begun);
		token += n < len ? n + 1 : n;
		len -= n < len ? n + 1 : n;
	}
}

// The next word of a usage, without its bracket.
static const char *token_of(const char *usage, size_t *len)
{
	usage += strspn(usage, " ");
	usage += *usage == '[';
	*len = strcspn(usage, " ");
	return usage;
}

// What stands behind an option: "NAME]"; NULL: it takes nothing.
static const char *value_of(const char *usage, const char *option)
{
	char whole[40];
	snprintf(whole, sizeof(whole), "[%s ", option);
	const char *at = strstr(usage, whole);
	return at ? at + strlen(whole) : NULL;
}

static bool takes_value(const char *usage, const char *option)
{
	return value_of(usage, option);
}

static void offer_options(const char *usage, const char *begun)
{
	for (const char *at = usage; (at = strstr(at, "[-")); at++)
		offer(at + 1, strcspn(at + 1, " ]"), begun);
}

static void offer_positional(const char *usage, unsigned nth, const char *instance,
			     const char *begun)
{
	size_t len;
	const char *at = token_of(usage, &len);
	for (; *at; at = token_of(at + len, &len)) {
		if (*at == '-')
			return;
		if (!nth--) {
			offer_token(at, len, instance, begun);
			return;
		}
	}
}

static void offer_next(const char *usage, int argc, char **argv, const char *begun)
{
	const char *instance = "xylem";
	unsigned nth = 1; // the command itself
	for (int i = 0; i < argc; i++) {
		bool value = argv[i][0] == '-' && takes_value(usage, argv[i]);
		if (value && i + 1 == argc) { // it is being written; -n names no peer
			const char *token = value_of(usage, argv[i]);
			if (strcmp(argv[i], "-n") != 0)
				offer_token(token, strcspn(token, " "), instance, begun);
			return;
		}
		if (value && strcmp(argv[i], "-n") == 0)
			instance = argv[i + 1];
		nth += argv[i][0] != '-';
		i += value;
	}
	if (begun[0] == '-')
		offer_options(usage, begun);
	else
		offer_positional(usage, nth, instance, begun);
}

int xy_cli_complete(int argc, char **argv)
{
	const char *begun = argc > 1 ? argv[argc - 1] : "";
	for (unsigned i = 0; argc <= 2 && xy_cli_commands[i].name; i++)
		if (xy_cli_commands[i].usage)
			offer(xy_cli_commands[i].name, strlen(xy_cli_commands[i].name), begun);
	const struct xy_cli_command *c = argc > 2 ? xy_cli_command_find(argv[1]) : NULL;
	if (c && c->usage)
		offer_next(c->usage, argc - 3, argv + 2, begun);
	return CLI_OK;
}
