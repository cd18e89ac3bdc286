// SPDX-License-Identifier: BSD-3-Clause
// wg-quick files: what becomes of each key, what is said of what is not carried over, with its
// line, and what is refused. No text about a file holds a secret of it.
#include "config/wgquick.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define K1  "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define K2  "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
#define S1  "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
#define S2  "/UwcSPg38hW/D9Y3tcS1FOV0K1wuURMbS0sesJEP5ak="
#define IF  "[Interface]\nPrivateKey = " S1 "\n"
#define ONE "[Peer]\nPublicKey = " K1 "\nAllowedIPs = 10.8.0.2/32\n"

// error: a part of one, with its line; else note likewise, and config: what is made has it.
static const struct row {
	const char *text, *config, *note, *error;
	unsigned line;
} rows[] = {
	{IF ONE, "name = \"peer-1\"; key = \"" K1 "\"; leaf = true; allowed = [ \"10.8.0.2/32\" ];",
	 "PrivateKey: is not carried over", NULL, 2},
	{"[Interface]\nListenPort = 443\n" ONE, "listen = 443;", NULL, NULL, 0},
	{"[interface]\nlistenport=443\n[peer]\npublickey=" K1 "\nallowedips=10.8.0.2\n",
	 "\"10.8.0.2/32\"", NULL, NULL, 0},
	{IF "Address = 10.8.0.1/24,10.9.0.1\n" ONE,
	 "addresses = [ \"10.8.0.1/24\", \"10.9.0.1/32\" ]", NULL, NULL, 0},
	{IF "Address = fd42::1/64\n" ONE, "allow = ( )", "Address: fd42::1/64 is not carried over",
	 NULL, 3},
	{IF "MTU = 1300\n" ONE, "mtu = 1300;", NULL, NULL, 0},
	{IF "MTU = 1420\n" ONE, NULL, "MTU: 1420 is not carried over", NULL, 3},
	{IF "FwMark = 0x10\n" ONE, "fwmark = 16;", NULL, NULL, 0},
	{IF "FwMark = off\n" ONE, NULL, NULL, NULL, 0},
	{IF "PostUp = iptables -A FORWARD -i %i -j ACCEPT # x\n" ONE, NULL, "PostUp: is not", NULL,
	 3},
	{IF "PreDown = true\n" ONE, NULL, "PreDown: is not", NULL, 3},
	{IF "Table = off\n" ONE, NULL, "Table: is not carried over", NULL, 3},
	{IF "DNS = 1.1.1.1\n" ONE, NULL, "DNS: is not carried over", NULL, 3},
	{IF "SaveConfig = true\n" ONE, NULL, "SaveConfig: is not", NULL, 3},
	// names
	{IF "# phone\n" ONE, "name = \"phone\"", NULL, NULL, 0},
	{IF "### Client phone\n" ONE, "name = \"phone\"", NULL, NULL, 0},
	{IF "### begin phone ###\n" ONE "### end phone ###\n", "name = \"phone\"", NULL, NULL, 0},
	{IF "[Peer]\n# Name = my phone\nPublicKey = " K1 "\nAllowedIPs = 10.8.0.2/32\n",
	 "name = \"my-phone\"", NULL, NULL, 0},
	{IF "# this is where the phones of all of us are\n" ONE, "name = \"peer-1\"", NULL, NULL,
	 0},
	{IF "#DNS = 1.1.1.1\n" ONE, "name = \"peer-1\"", NULL, NULL, 0},
	{IF "# a\n" ONE "# a\n[Peer]\nPublicKey = " K2 "\nAllowedIPs = 10.8.0.3/32\n",
	 "name = \"a-2\"", NULL, NULL, 0},
	// peers
	{IF ONE "PresharedKey = " S2 "\nPersistentKeepalive = 25\nEndpoint = h.example:5\n",
	 "endpoints = [ \"h.example:5\" ]; allowed = [ \"10.8.0.2/32\" ]; keepalive = 25; psk = "
	 "\"" S2 "\";",
	 NULL, NULL, 0},
	{IF ONE "PersistentKeepalive = off\n", NULL, NULL, NULL, 0},
	{IF ONE "AllowedIPs = 10.9.1.7/24\n", "\"10.8.0.2/32\", \"10.9.1.0/24\"", NULL, NULL, 0},
	{IF ONE "AllowedIPs = 10.8.0.2/32\n", "[ \"10.8.0.2/32\" ]", NULL, NULL, 0},
	{IF ONE "AllowedIPs =\n", "[ \"10.8.0.2/32\" ]", NULL, NULL, 0},
	{IF ONE "AllowedIPs = 300::5/128\n", "[ \"10.8.0.2/32\" ]",
	 "AllowedIPs: 300::5/128 of peer-1 is not carried over: in 200::/7", NULL, 3},
	{IF ONE "AllowedIPs = ::/1\n", "[ \"10.8.0.2/32\" ]", "AllowedIPs: ::/1 of peer-1", NULL,
	 3},
	{IF ONE "AllowedIPs = ff02::1/128\n", "[ \"10.8.0.2/32\" ]", "never routed", NULL, 3},
	{IF ONE "AllowedIPs = 0.0.0.0/0, ::/0\n", "\"0.0.0.0/0\", \"::/0\"", "everything goes to",
	 NULL, 3},
	{IF ONE "[Peer]\nPublicKey = " K2 "\nAllowedIPs = 10.8.0.2/32, 10.8.0.3/32\n",
	 "[ \"10.8.0.3/32\" ]", "another peer before has it", NULL, 6},
	{IF ONE "[Peer]\nPublicKey = " K2 "\nAllowedIPs = 300::1/128\n", NULL,
	 "peer-2 is left out: nothing is left", NULL, 6},
	// a node: what is routed to it has its own address
	{IF "[Peer]\nPublicKey = " K1
	    "\nAllowedIPs = 200::/7, 10.1.0.0/24\nEndpoint = h.example:5\n",
	 "{ name = \"peer-1\"; key = \"" K1 "\"; endpoints = [ \"h.example:5\" ]; }",
	 "AllowedIPs: 10.1.0.0/24 of peer-1 is not carried over", NULL, 3},
	// refused
	{"", NULL, NULL, "no [Peer] in it", 0},
	{"<html>\n", NULL, NULL, "neither a section nor a key", 1},
	{IF, NULL, NULL, "no [Peer] in it", 0},
	{"PublicKey = " K1 "\n", NULL, NULL, "stands before [Interface]", 1},
	{"[Other]\n" ONE, NULL, NULL, "there is [Interface] and [Peer]", 1},
	{IF "Colour = red\n" ONE, NULL, NULL, "Colour: there is no such key in [Interface]", 3},
	{IF ONE "PrivateKey = x\n", NULL, NULL, "PrivateKey: there is no such key in [Peer]", 6},
	{"[Interface]\nPrivateKey = nonsense\n" ONE, NULL, NULL, "PrivateKey: is no key", 2},
	{IF ONE "PresharedKey = " S2 "x\n", NULL, NULL, "PresharedKey: is no key", 6},
	{IF "[Peer]\nPublicKey = abc\n", NULL, NULL, "PublicKey: ", 4},
	{IF "[Peer]\nPublicKey = ReplaceThisExampleByThePhonesPublicKeyXylgA=\n", NULL, NULL,
	 "PublicKey: is an example's", 4},
	{IF ONE "PresharedKey = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", NULL, NULL,
	 "PresharedKey: is an example's", 6},
	{IF "[Peer]\nAllowedIPs = 10.8.0.2/32\n", NULL, NULL, "this peer has no PublicKey", 3},
	{IF ONE ONE, NULL, NULL, "is that of the peer in line 3, too", 6},
	{IF ONE "AllowedIPs = everything\n", NULL, NULL, "\"everything\" is no prefix", 6},
	{IF ONE "Endpoint = nowhere\n", NULL, NULL, "Endpoint: ", 6},
	{IF ONE "PersistentKeepalive = 99999\n", NULL, NULL, "write seconds", 6},
	{IF "ListenPort = 99999\n" ONE, NULL, NULL, "is no port", 3},
	{IF "MTU = small\n" ONE, NULL, NULL, "is no size", 3},
	{IF "Address = here\n" ONE, NULL, NULL, "is no address", 3},
};

static bool has(const struct xy_config_notes *n, const char *part, unsigned line)
{
	for (unsigned i = 0; i < n->count; i++)
		if (strstr(n->v[i].text, part) && n->v[i].line == line)
			return true;
	return false;
}

static void no_secret(const struct xy_config_notes *n)
{
	for (unsigned i = 0; i < n->count; i++)
		CU_ASSERT(!strstr(n->v[i].text, S1) && !strstr(n->v[i].text, S2) &&
			  !strstr(n->v[i].text, "nonsense"));
}

static bool right(const struct row *r, int ret, const struct xy_wgquick *w)
{
	if (r->error)
		return ret == -EINVAL && !w->config && has(&w->errors, r->error, r->line);
	return ret == 0 && w->config && (!r->config || strstr(w->config, r->config)) &&
	       (!r->note || has(&w->notes, r->note, r->line));
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xy_wgquick w;
		int ret = xy_wgquick_import(rows[i].text, strlen(rows[i].text), NULL, NULL, &w);
		bool good = right(&rows[i], ret, &w);
		if (!good) {
			printf("\n  row %zu: %d\n%s\n%s", i, ret, rows[i].text,
			       w.config ? w.config : "");
			for (unsigned k = 0; k < w.errors.count; k++)
				printf("  error %u: %s\n", w.errors.v[k].line, w.errors.v[k].text);
			for (unsigned k = 0; k < w.notes.count; k++)
				printf("  note %u: %s\n", w.notes.v[k].line, w.notes.v[k].text);
		}
		CU_ASSERT(good);
		CU_ASSERT(!w.config || !strstr(w.config, S1));
		no_secret(&w.notes);
		no_secret(&w.errors);
		xy_wgquick_free(&w);
	}
}

// With this node's key: its own /64 is for leaves, and devices are told the new public key.
static void test_own(void)
{
	static const char format[] = IF "Address = %s1/64\n" ONE "AllowedIPs = %s5/128\n";
	char text[600], net[XY_PREFIX_STRLEN], want[80];
	struct xy_wgquick w;
	struct xy_key own;
	CU_ASSERT_FATAL(xy_key_parse(K2, &own, NULL) == 0);
	const struct xy_prefix p = xy_key_prefix(&own);
	xy_prefix_str(&p, net);
	*strchr(net, '/') = 0;
	snprintf(text, sizeof(text), format, net, net);
	CU_ASSERT_FATAL(xy_wgquick_import(text, strlen(text), &own, NULL, &w) == 0);
	snprintf(want, sizeof(want), "\"%s5/128\"", net);
	CU_ASSERT(strstr(w.config, want) != NULL && w.leaves == 1);
	snprintf(want, sizeof(want), "\"%s1/64\"", net);
	CU_ASSERT(strstr(w.config, want) != NULL);
	CU_ASSERT(has(&w.notes, "need PublicKey = " K2, 2));
	xy_wgquick_free(&w);
}

// The key that devices are told is that of the file that the config names.
static void test_key_file(void)
{
	static const char path[] = "/etc/xylem/a \"b\\c.key";
	struct xy_wgquick w;
	struct xy_key own;
	struct xy_config c;
	struct xy_err err = {""};
	CU_ASSERT_FATAL(xy_key_parse(K2, &own, NULL) == 0);
	CU_ASSERT_FATAL(xy_wgquick_import(IF ONE, strlen(IF ONE), &own, path, &w) == 0);
	CU_ASSERT_FATAL(xy_config_parse("c", w.config, strlen(w.config), &c, &err) == 0);
	CU_ASSERT_STRING_EQUAL(c.key_file, path);
	xy_config_free(&c);
	xy_wgquick_free(&w);
	CU_ASSERT_FATAL(xy_wgquick_import(IF ONE, strlen(IF ONE), &own, NULL, &w) == 0);
	CU_ASSERT(!strstr(w.config, "key_file"));
	xy_wgquick_free(&w);
}

static void test_many(void)
{
	char *text = NULL;
	size_t len;
	struct xy_wgquick w;
	FILE *to = open_memstream(&text, &len);
	fputs(IF, to);
	for (unsigned i = 1; i <= 300; i++) {
		struct xy_key k = {.b = {(uint8_t)i, (uint8_t)(i >> 8), 7}};
		char key[XY_KEY_STRLEN];
		fprintf(to, "[Peer]\nPublicKey = %s\nAllowedIPs = 10.%u.%u.0/24, 300::%x/128\n",
			xy_key_str(&k, key), i >> 8, i & 255, i);
	}
	fclose(to);
	CU_ASSERT(xy_wgquick_import(text, len, NULL, NULL, &w) == 0 && w.leaves == 300);
	CU_ASSERT(w.notes.more > 200); // said as a number
	xy_wgquick_free(&w);
	free(text);
}

XY_UNIT_MAIN("wgquick", {"each key", test_rows}, {"this node's key", test_own},
	     {"its file", test_key_file}, {"many", test_many})
