// SPDX-License-Identifier: BSD-3-Clause
// leaf: plain WireGuard devices behind this node. A secret key that is made here is printed once,
// with the device's config, and kept nowhere: the daemon is told the public one.
#include "cli/cli.h"
#include "config/config.h"
#include "identity/identity.h"

#include <arpa/inet.h>
#include <qrencode.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	KEEPALIVE = 25,
	MTU = 1344, // what every node of the mesh takes, sealed end to end
	QUIET = 2,  // rows of a QR code's margin
};

struct leaf {
	char secret[XY_KEY_STRLEN], psk[XY_KEY_STRLEN]; // "": not known here
	char host[INET6_ADDRSTRLEN + 2];		// of the endpoint, where none is given
	bool guessed, behind; // so; and it is an address of a private network
	const char *endpoint; // as it was given
};

// --- keys

static void key_make(struct leaf *l, json_t *params)
{
	struct xy_key secret, public, psk;
	char text[XY_KEY_STRLEN];
	randombytes_buf(secret.b, sizeof(secret.b));
	randombytes_buf(psk.b, sizeof(psk.b));
	secret.b[0] &= 248;
	secret.b[31] = (uint8_t)((secret.b[31] & 127) | 64);
	crypto_scalarmult_base(public.b, secret.b);
	xy_key_str(&secret, l->secret);
	xy_key_str(&psk, l->psk);
	json_object_set_new(params, "key", json_string(xy_key_str(&public, text)));
	json_object_set_new(params, "psk", json_string(l->psk));
	sodium_memzero(&secret, sizeof(secret));
	sodium_memzero(&psk, sizeof(psk));
}

// --- where this node is

static bool is_private(const struct sockaddr_storage *a)
{
	const uint8_t *v4 = (const void *)&((const struct sockaddr_in *)a)->sin_addr;
	const uint8_t *v6 = (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr;
	if (a->ss_family == AF_INET6)
		return (v6[0] & 0xfe) == 0xfc || (v6[0] == 0xfe && (v6[1] & 0xc0) == 0x80);
	return v4[0] == 10 || v4[0] == 127 || (v4[0] == 172 && v4[1] >= 16 && v4[1] < 32) ||
	       (v4[0] == 192 && v4[1] == 168) || (v4[0] == 100 && v4[1] >= 64 && v4[1] < 128) ||
	       (v4[0] == 169 && v4[1] == 254);
}

// From which address this host would send to the world. Nothing is sent.
static bool source_to(const char *world, int family, struct leaf *l)
{
	struct sockaddr_storage to = {.ss_family = (sa_family_t)family}, from;
	socklen_t len = sizeof(from);
	char text[INET6_ADDRSTRLEN];
	void *at = family == AF_INET ? (void *)&((struct sockaddr_in *)&to)->sin_addr
				     : (void *)&((struct sockaddr_in6 *)&to)->sin6_addr;
	((struct sockaddr_in *)&to)->sin_port = htons(9); // in both families at the same place
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	inet_pton(family, world, at);
	bool good = fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
		    getsockname(fd, (struct sockaddr *)&from, &len) == 0;
	if (fd >= 0)
		close(fd);
	if (!good)
		return false;
	if (family == AF_INET)
		inet_ntop(family, &((struct sockaddr_in *)&from)->sin_addr, text, sizeof(text));
	else
		inet_ntop(family, &((struct sockaddr_in6 *)&from)->sin6_addr, text, sizeof(text));
	if (!strchr(text, '.') && (strtoul(text, NULL, 16) & 0xfe00) == 0x200)
		return false; // the mesh itself
	snprintf(l->host, sizeof(l->host), family == AF_INET ? "%s" : "[%s]", text);
	l->behind = is_private(&from);
	l->guessed = true;
	return true;
}

static bool guess(struct leaf *l)
{
	return source_to("192.0.2.1", AF_INET, l) || source_to("2001:db8::1", AF_INET6, l);
}

// --- what the device gets

static char *config_text(const struct leaf *l, const json_t *reply)
{
	const json_t *allowed = json_object_get(reply, "allowed");
	char *text = NULL;
	size_t len;
	FILE *to = xy_cli_must(open_memstream(&text, &len));
	fprintf(to, "[Interface]\nPrivateKey = %s\nAddress = ",
		l->secret[0] ? l->secret : "(the device's own)");
	for (size_t i = 0; i < json_array_size(allowed); i++)
		fprintf(to, "%s%s", i ? ", " : "", json_string_value(json_array_get(allowed, i)));
	fprintf(to, "\nMTU = %d\n\n[Peer]\nPublicKey = %s\n", MTU,
		json_string_value(json_object_get(reply, "node_key")));
	if (l->psk[0])
		fprintf(to, "PresharedKey = %s\n", l->psk);
	if (l->endpoint)
		fprintf(to, "Endpoint = %s\n", l->endpoint);
	else
		fprintf(to, "Endpoint = %s:%lld\n", l->host,
			(long long)json_integer_value(json_object_get(reply, "port")));
	fprintf(to, "AllowedIPs = 200::/7\nPersistentKeepalive = %d\n", KEEPALIVE);
	if (fclose(to))
		xy_cli_must(NULL);
	return text;
}

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

static void show_config(const struct xy_cli_args *a, const struct leaf *l, json_t *reply)
{
	char *text = config_text(l, reply);
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

static int keys_of(const struct xy_cli_args *a, struct leaf *l, json_t *params)
{
	const char *key = xy_cli_option(a, "--public-key"), *file = xy_cli_option(a, "--psk-file");
	if (!key)
		key_make(l, params);
	else
		json_object_set_new(params, "key", json_string(key));
	int ret = file ? xy_cli_secret(file, params) : CLI_OK;
	const char *psk = json_string_value(json_object_get(params, "psk"));
	if (!ret && file && strlen(psk) < sizeof(l->psk))
		memcpy(l->psk, psk, strlen(psk) + 1);
	return ret;
}

static int endpoint_of(const struct xy_cli_args *a, struct leaf *l)
{
	struct xy_err why;
	l->endpoint = xy_cli_option(a, "--endpoint");
	if (l->endpoint && xy_config_endpoint_check(l->endpoint, &why))
		return xy_cli_misuse("--endpoint %.100s: %s", l->endpoint, why.text);
	if (!l->endpoint && !guess(l))
		return xy_cli_misuse("where does the device reach this node? Write --endpoint "
				     "HOST:PORT");
	return CLI_OK;
}

static int leaf_add(const struct xy_cli_args *a)
{
	struct leaf l = {0};
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
