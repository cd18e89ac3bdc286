// SPDX-License-Identifier: BSD-3-Clause
// leaf: plain WireGuard devices behind this node. A secret key that is made here is printed once,
// with the device's config, and kept nowhere: the daemon is told the public one.
#include "cli/cli.h"
#include "client/leafconf.h"
#include "config/config.h"

#include <qrencode.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUIET = 2 }; // rows of a QR code's margin

// --- what the device gets

static bool is_dark(const QRcode *q, int x, int y)
{
	return x >= 0 && y >= 0 && x < q->width && y < q->width && q->data[y * q->width + x] & 1;
}

// Two rows to a line of text; dark is what the terminal's background is not, so it is drawn light
// on dark with its margin.
static void qr_print(const char *text)
{
	static const char *const cell[] = {"\u2588", "\u2584", "\u2580", " "}; // upper, lower dark
	QRcode *q = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	if (!q) {
		xy_cli_fail("no QR code: %s", strerror(errno));
		return;
	}
	for (int y = -QUIET; y < q->width + QUIET; y += 2) {
		fputs("\033[40;97m", stdout);
		for (int x = -QUIET; x < q->width + QUIET; x++)
			fputs(cell[is_dark(q, x, y) * 1 + is_dark(q, x, y + 1) * 2], stdout);
		puts("\033[0m");
	}
	sodium_memzero(q->data, (size_t)(q->width * q->width));
	QRcode_free(q);
}

static void show_config(const struct xy_cli_args *a, const struct xy_leaf *l, json_t *reply)
{
	char *text = xy_cli_must(xy_leaf_config_text(l, reply));
	if (a->json) {
		json_object_set_new(reply, "config", json_string(text));
		json_dumpf(reply, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		fputs(text, stdout);
	}
	if (!a->json && isatty(STDOUT_FILENO) && l->secret[0])
		qr_print(text);
	if (l->behind)
		fprintf(stderr,
			"The endpoint, %s, is an address of a private network: from elsewhere "
			"the device\nneeds another. Remove the leaf, and add it again with "
			"--endpoint HOST:PORT.\n",
			l->host);
	xy_cli_kept(reply);
	xy_config_text_wipe(text);
}

// --- leaf add

static int allowed_of(const struct xy_cli_args *a, json_t *params)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < a->options; i++)
		if (strcmp(a->option[i].name, "--address") == 0)
			json_array_append_new(list, json_string(a->option[i].value));
	if (json_array_size(list))
		json_object_set_new(params, "allowed", list);
	else
		json_decref(list);
	return CLI_OK;
}

static int keys_of(const struct xy_cli_args *a, struct xy_leaf *l, json_t *params)
{
	const char *key = xy_cli_option(a, "--public-key"), *file = xy_cli_option(a, "--psk-file");
	if (!key)
		xy_leaf_keys_make(l, params);
	else
		json_object_set_new(params, "key", json_string(key));
	int ret = file ? xy_cli_secret(file, params) : CLI_OK;
	const char *psk = json_string_value(json_object_get(params, "psk"));
	if (!ret && file && strlen(psk) < sizeof(l->psk))
		memcpy(l->psk, psk, strlen(psk) + 1);
	return ret;
}

static int endpoint_of(const struct xy_cli_args *a, struct xy_leaf *l)
{
	struct xy_err why;
	l->endpoint = xy_cli_option(a, "--endpoint");
	if (l->endpoint && xy_config_endpoint_check(l->endpoint, &why))
		return xy_cli_misuse("--endpoint %.100s: %s", l->endpoint, why.text);
	if (!l->endpoint && !xy_leaf_host_guess(l))
		return xy_cli_misuse("where does the device reach this node? Write --endpoint "
				     "HOST:PORT");
	return CLI_OK;
}

static int leaf_add(const struct xy_cli_args *a)
{
	struct xy_leaf l = {0};
	json_t *reply, *params = json_pack("{s:s}", "name", a->word[1]);
	int ret = endpoint_of(a, &l);
	ret = ret ? ret : allowed_of(a, params);
	ret = ret ? ret : keys_of(a, &l, params);
	if (ret) {
		json_decref(params);
	} else {
		ret = xy_cli_steer(a->instance, "/xylem/leaf_add", params, &reply);
		if (!ret) {
			show_config(a, &l, reply);
			json_decref(reply);
		}
	}
	sodium_memzero(&l, sizeof(l));
	return ret;
}

// --- leaf list

static void print_leaves(const json_t *peers)
{
	struct xy_out out = {stdout, xy_cli_colour(STDOUT_FILENO), XY_OUT_COLUMNS};
	struct xy_table *t = xy_table_new(4, &out);
	size_t i;
	json_t *p;
	xy_table_column(t, "NAME", XY_LEFT);
	xy_table_column(t, "STATE", XY_LEFT);
	xy_table_column(t, "ENDPOINT", XY_LEFT);
	xy_table_column(t, "ADDRESSES", XY_LEFT);
	json_array_foreach(peers, i, p)
	{
		char text[200] = "";
		size_t n = 0, k;
		json_t *v;
		const char *kind = json_string_value(json_object_get(p, XY_KEY(peer, kind)));
		const char *name = json_string_value(json_object_get(p, XY_KEY(peer, name)));
		const char *state = json_string_value(json_object_get(p, XY_KEY(peer, state)));
		const char *at = json_string_value(json_object_get(p, XY_KEY(peer, endpoint)));
		if (!kind || strcmp(kind, "leaf") != 0)
			continue;
		json_array_foreach(json_object_get(p, XY_KEY(peer, allowed)), k, v)
		{
			if (n < sizeof(text))
				n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
						      k ? " " : "", json_string_value(v));
		}
		xy_table_cell(t, name ? name : "-", XY_PLAIN);
		xy_table_cell(t, state ? state : "-", XY_PLAIN);
		xy_table_cell(t, at ? at : "-", XY_PLAIN);
		xy_table_cell(t, text, XY_PLAIN);
	}
	xy_table_print(t, NULL);
}

static int leaf_list(const struct xy_cli_args *a)
{
	struct xy_client *c = NULL;
	struct xy_err err = {""};
	json_t *reply;
	int ret = xy_cli_connect(a->instance, &c, &err);
	ret = ret ? ret : xy_client_ask_all(c, "/xylem/peers", NULL, &reply, &err);
	xy_client_close(c);
	if (ret)
		return xy_cli_fail("%s", err.text);
	json_t *peers = json_object_get(reply, XY_KEY(peers, peers));
	for (size_t i = json_array_size(peers); a->json && i-- > 0;) {
		const char *kind = json_string_value(
			json_object_get(json_array_get(peers, i), XY_KEY(peer, kind)));
		if (!kind || strcmp(kind, "leaf") != 0)
			json_array_remove(peers, i);
	}
	if (a->json) {
		json_dumpf(peers, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_leaves(peers);
	}
	json_decref(reply);
	return CLI_OK;
}

int xy_cli_leaf(int argc, char **argv)
{
	static const char *const options[] = {"--public-key", "--psk-file", "--address",
					      "--endpoint", NULL};
	struct xy_cli_args a = {0};
	int ret = xy_cli_args(&a, argc, argv, options);
	if (ret)
		return ret;
	static const char *const words[] = {"add", "remove", "list", NULL};
	xy_cli_whole(&a, 0, words);
	bool list = a.count == 1 && strcmp(a.word[0], "list") == 0;
	bool add = a.count == 2 && strcmp(a.word[0], "add") == 0;
	if (!add && a.options)
		return xy_cli_misuse("%s is for leaf add NAME", a.option[0].name);
	if (list)
		return leaf_list(&a);
	if (add)
		return leaf_add(&a);
	if (a.count == 2 && strcmp(a.word[0], "remove") == 0)
		return xy_cli_peer_word(&a, "/xylem/leaf_remove", ": removed");
	return xy_cli_misuse("write: xylem leaf add|remove NAME, or xylem leaf list");
}
