// SPDX-License-Identifier: BSD-3-Clause
#include "config/wgquick.h"

#include "base/bytes.h"
#include "config/schema.h"

#include <ctype.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ADDRESSES = 16, // of the host interface, as config.h has it
	PREFIXES = 256, // of one peer
	PEERS = 4096,
	VALUE = 8192, // of one line
	MESH_MTU = 1344,
};

struct peer {
	struct xy_config_peer p;
	struct xy_prefix v[PREFIXES];
	char endpoint[XY_CONFIG_ENDPOINT_LEN], *endpoints[1];
	unsigned line;
	bool node;
};

enum section { NOWHERE, INTERFACE, PEER };

struct reader {
	struct xy_wgquick *out;
	const struct xy_key *own;
	enum section section;
	unsigned line;
	bool keys;		    // the section has some already
	char name[XY_NAME_LEN + 1]; // of the next peer, from a comment
	unsigned port, mtu, fwmark;
	bool has_port, has_key;
	unsigned key_line;
	char addresses[ADDRESSES][64];
	unsigned address_count;
	struct peer *now; // the section's
	struct peer **peers;
	unsigned count, room;
	bool out_of_memory;
};

__attribute__((format(printf, 3, 4))) static void say(struct xy_config_notes *to, unsigned line,
						      const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	xy_config_note(to, line, text);
}

#define NOTE(r, ...)  say(&(r)->out->notes, (r)->line, __VA_ARGS__)
#define ERROR(r, ...) say(&(r)->out->errors, (r)->line, __VA_ARGS__)

// --- values

static bool number(const char *text, unsigned long most, unsigned *out)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(text, &end, 0);
	*out = (unsigned)n;
	return isdigit((unsigned char)*text) && !*end && !errno && n <= most;
}

// 32 bytes in base64; what is wrong with it is said without it.
static bool secret(const char *text, uint8_t out[static 32])
{
	size_t got = 0;
	const char *end = NULL, *whole = text + strlen(text);
	return sodium_base642bin(out, 32, text, strlen(text), NULL, &got, &end,
				 sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       got == 32 && end == whole;
}

// Each of a list, blanks cut off.
static char *next_of(char **list)
{
	char *at = *list, *end;
	if (!at)
		return NULL;
	end = strchr(at, ',');
	*list = end ? end + 1 : NULL;
	if (end)
		*end = 0;
	at += strspn(at, " \t");
	for (end = at + strlen(at); end > at && isspace((unsigned char)end[-1]);)
		*--end = 0;
	return at;
}

// --- [Interface]

static void take_address(struct reader *r, char *list)
{
	struct xy_prefix p, net;
	for (char *at; (at = next_of(&list));) {
		int ret = xy_prefix_parse(at, &p);
		if (ret && ret != -EDOM) {
			ERROR(r, "Address: \"%.60s\" is no address; write for example 10.1.0.1/24",
			      at);
			continue;
		}
		net = r->own ? xy_key_prefix(r->own) : (struct xy_prefix){0};
		if (!xy_prefix_is_v4(&p) && !(r->own && xy_prefix_contains(&net, &p.addr))) {
			NOTE(r,
			     "Address: %.60s is not carried over: a node's IPv6 address follows "
			     "from "
			     "its key (xylem inspect)",
			     at);
			continue;
		}
		if (r->address_count == ADDRESSES) {
			NOTE(r, "Address: %.60s is not carried over: %d are the most", at,
			     ADDRESSES);
			continue;
		}
		snprintf(r->addresses[r->address_count++], sizeof(r->addresses[0]), "%.45s%s", at,
			 strchr(at, '/')       ? ""
			 : xy_prefix_is_v4(&p) ? "/32"
					       : "/128");
	}
}

static void take_port(struct reader *r, char *v)
{
	r->has_port = number(v, 65535, &r->port);
	if (!r->has_port)
		ERROR(r, "ListenPort: \"%.40s\" is no port; write 0 to 65535", v);
}

static void take_mtu(struct reader *r, char *v)
{
	if (!number(v, 65535, &r->mtu) || r->mtu < 1280) {
		ERROR(r, "MTU: \"%.40s\" is no size; write 1280 to 65535", v);
	} else if (r->mtu > MESH_MTU) {
		NOTE(r,
		     "MTU: %u is not carried over: it is computed, and no more than what the links "
		     "carry, sealed twice",
		     r->mtu);
		r->mtu = 0;
	}
}

static void take_fwmark(struct reader *r, char *v)
{
	if (strcasecmp(v, "off") != 0 && !number(v, UINT32_MAX, &r->fwmark))
		ERROR(r, "FwMark: \"%.40s\" is no mark; write a number or off", v);
}

static void take_private_key(struct reader *r, char *v)
{
	uint8_t key[32];
	r->has_key = true;
	r->key_line = r->line;
	if (!secret(v, key))
		ERROR(r, "PrivateKey: is no key of 32 bytes in base64");
	sodium_memzero(key, sizeof(key));
}

static void leave(struct reader *r, const char *key)
{
	static const struct {
		const char *key, *why;
	} left[] = {
		{"PreUp", "no commands are run; put it into a unit of systemd (ExecStartPre=)"},
		{"PostUp",
		 "no commands are run; what the mesh may reach of this host says "
		 "host.allow, NAT for the Internet exit = \"offer\" (xylemd --check prints "
		 "it); else a unit of systemd (ExecStartPost=)"},
		{"PreDown", "no commands are run; put it into a unit of systemd (ExecStop=)"},
		{"PostDown", "no commands are run; put it into a unit of systemd (ExecStopPost=)"},
		{"DNS", "the resolver stays this host's own"},
		{"Table", "routes go into the main table, those of an exit into one of its own"},
		{"SaveConfig", "what is changed at run time is kept in the state folder (xylem "
			       "config write puts it into the config)"},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(left); i++) {
		if (strcasecmp(key, left[i].key) != 0)
			continue;
		NOTE(r, "%s: is not carried over: %s", left[i].key, left[i].why);
		return;
	}
	ERROR(r, "%.40s: there is no such key in [%s]", key,
	      r->section == PEER ? "Peer" : "Interface");
}

// --- [Peer]

static void take_public_key(struct reader *r, char *v)
{
	struct xy_err why = {""};
	char text[XY_KEY_STRLEN];
	if (xy_key_parse(v, &r->now->p.key, &why))
		ERROR(r, "PublicKey: %s", why.text);
	else if (xy_key_is_zero(&r->now->p.key))
		ERROR(r, "PublicKey: all zeros is no public key");
	else if (xy_config_is_sample(xy_key_str(&r->now->p.key, text)))
		ERROR(r, "PublicKey: is an example's, which nobody has; write the device's (wg "
			 "pubkey)");
}

static void take_psk(struct reader *r, char *v)
{
	r->now->p.has_psk = secret(v, r->now->p.psk);
	if (!r->now->p.has_psk)
		ERROR(r, "PresharedKey: is no key of 32 bytes in base64");
	char text[XY_KEY_STRLEN];
	const struct xy_key *psk = (const void *)r->now->p.psk;
	if (r->now->p.has_psk && xy_config_is_sample(xy_key_str(psk, text)))
		ERROR(r, "PresharedKey: is an example's, which everyone knows; make one with: wg "
			 "genpsk");
	sodium_memzero(text, sizeof(text));
}

static void take_endpoint(struct reader *r, char *v)
{
	struct xy_err why = {""};
	if (strlen(v) >= XY_CONFIG_ENDPOINT_LEN || xy_config_endpoint_check(v, &why)) {
		ERROR(r, "Endpoint: %s", why.text[0] ? why.text : "is too long");
		return;
	}
	snprintf(r->now->endpoint, sizeof(r->now->endpoint), "%s", v);
}

static void take_keepalive(struct reader *r, char *v)
{
	if (strcasecmp(v, "off") != 0 && !number(v, 65535, &r->now->p.keepalive))
		ERROR(r, "PersistentKeepalive: \"%.40s\": write seconds, 0 to 65535, or off", v);
}

// What of it a leaf may have, and what is said else. Its key may stand behind it, so that it is a
// node is seen at the end.
static void take_allowed(struct reader *r, char *list)
{
	struct xy_config_prefixes *to = &r->now->p.allowed;
	struct xy_prefix p;
	if (!*list)
		return;
	for (char *at; (at = next_of(&list));) {
		int ret = *at ? xy_prefix_parse(at, &p) : -EINVAL;
		if (ret && ret != -EDOM) {
			ERROR(r,
			      "AllowedIPs: \"%.60s\" is no prefix; write for example 10.1.0.5/32",
			      at);
			continue;
		}
		xy_prefix_mask(&p);
		if (to->count == PREFIXES)
			NOTE(r, "AllowedIPs: %.60s is not carried over: %d are the most", at,
			     PREFIXES);
		else
			r->now->v[to->count++] = p;
	}
}

static void key_is(struct reader *r, const char *key, char *v)
{
	static const struct {
		enum section in;
		const char *key;
		void (*take)(struct reader *r, char *v);
	} keys[] = {
		{INTERFACE, "Address", take_address},
		{INTERFACE, "ListenPort", take_port},
		{INTERFACE, "MTU", take_mtu},
		{INTERFACE, "FwMark", take_fwmark},
		{INTERFACE, "PrivateKey", take_private_key},
		{PEER, "PublicKey", take_public_key},
		{PEER, "PresharedKey", take_psk},
		{PEER, "AllowedIPs", take_allowed},
		{PEER, "Endpoint", take_endpoint},
		{PEER, "PersistentKeepalive", take_keepalive},
	};
	for (size_t i = 0; i < XY_ARRAY_SIZE(keys); i++) {
		if (keys[i].in != r->section || strcasecmp(key, keys[i].key) != 0)
			continue;
		keys[i].take(r, v);
		return;
	}
	if (r->section == NOWHERE)
		ERROR(r, "%.40s: stands before [Interface] and [Peer]", key);
	else
		leave(r, key);
}

// --- names: from the comment above a peer, as many tools write it

static void name_of(struct reader *r, const char *comment)
{
	static const char *const before[] = {
		"begin ",  "BEGIN_PEER ", "Client ",	      "Peer ",
		"Name = ", "Name=",	  "friendly_name = ", "friendly_name="};
	size_t n = 0, words = 0;
	comment += strspn(comment, "# \t");
	for (size_t i = 0; i < XY_ARRAY_SIZE(before); i++)
		if (strncasecmp(comment, before[i], strlen(before[i])) == 0)
			comment += strlen(before[i]);
	r->name[0] = 0;
	if (strchr(comment, '=') || strncasecmp(comment, "end ", 4) == 0)
		return; // a line that was switched off
	for (const char *p = comment; *p && *p != '#' && n < XY_NAME_LEN; p++) {
		bool good = isalnum((unsigned char)*p) || strchr("._-", *p);
		words += !good && n && r->name[n - 1] != '-';
		if (good || (n && r->name[n - 1] != '-'))
			r->name[n++] = good ? *p : '-';
	}
	while (n && r->name[n - 1] == '-')
		n--;
	r->name[words > 4 ? 0 : n] = 0; // a sentence is no name
}

// --- lines

static void peer_begin(struct reader *r)
{
	if (r->count == r->room) {
		unsigned room = r->room ? 2 * r->room : 16;
		void *v = reallocarray(r->peers, room, sizeof(*r->peers));
		r->out_of_memory |= !v;
		r->peers = v ? v : r->peers;
		r->room = v ? room : r->room;
	}
	struct peer *p = r->count < r->room ? calloc(1, sizeof(*p)) : NULL;
	r->out_of_memory |= !p;
	if (!p)
		return;
	r->peers[r->count++] = p;
	r->now = p;
	p->line = r->line;
	p->p.leaf = true;
	p->p.allowed.v = p->v;
	snprintf(p->p.name, sizeof(p->p.name), "%s", r->name);
}

static void section_is(struct reader *r, const char *name)
{
	r->keys = false;
	if (strcasecmp(name, "[Interface]") == 0) {
		r->section = INTERFACE;
	} else if (strcasecmp(name, "[Peer]") == 0) {
		r->section = PEER;
		if (r->count < PEERS)
			peer_begin(r);
		else
			ERROR(r, "there are more than %d peers", PEERS);
	} else {
		ERROR(r, "\"%.40s\": there is [Interface] and [Peer]", name);
		r->section = NOWHERE;
	}
	r->name[0] = 0;
}

static void comment_is(struct reader *r, const char *text)
{
	name_of(r, text);
	if (r->section != PEER || r->keys || !r->now || r->now->p.name[0])
		return;
	snprintf(r->now->p.name, sizeof(r->now->p.name), "%s", r->name);
	r->name[0] = 0;
}

// text: NUL-terminated, blanks cut off.
static void line_is(struct reader *r, char *text)
{
	char *comment = strchr(text, '#'), *equals, *end;
	if (text == comment) {
		comment_is(r, text);
		return;
	}
	if (comment)
		*comment = 0;
	for (end = text + strlen(text); end > text && isspace((unsigned char)end[-1]);)
		*--end = 0;
	if (!*text)
		return;
	if (*text == '[') {
		section_is(r, text);
		return;
	}
	equals = strchr(text, '=');
	if (!equals) {
		ERROR(r, "is neither a section nor a key with a value");
		return;
	}
	for (end = equals; end > text && isspace((unsigned char)end[-1]);)
		end--;
	*end = 0;
	equals++;
	equals += strspn(equals, " \t");
	r->keys = true;
	r->name[0] = 0;
	if (!r->out_of_memory)
		key_is(r, text, equals);
}

static void read_all(struct reader *r, const char *text, size_t len)
{
	static _Thread_local char buf[VALUE];
	const char *end = text + len;
	while (text < end && !r->out_of_memory) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((stop ? stop : end) - text);
		r->line++;
		if (n >= sizeof(buf)) {
			ERROR(r, "is longer than %d characters", VALUE - 1);
		} else if (memchr(text, 0, n)) {
			ERROR(r, "has a NUL in it");
		} else {
			memcpy(buf, text, n);
			buf[n] = 0;
			line_is(r, buf + strspn(buf, " \t\r"));
		}
		text += n + (stop != NULL);
	}
	sodium_memzero(buf, sizeof(buf));
}

// --- what it becomes

static bool is_node(const struct peer *p)
{
	const struct xy_addr addr = xy_key_addr(&p->p.key);
	for (unsigned i = 0; i < p->p.allowed.count; i++)
		if (p->v[i].len >= 7 && xy_addr_is_mesh(&p->v[i].addr) &&
		    !xy_prefix_is_v4(&p->v[i]) && xy_prefix_contains(&p->v[i], &addr))
			return true;
	return false;
}

// Part of 200::/7 and no part of this node's /64, or more than it and no default route.
static bool is_anothers(const struct reader *r, const struct xy_prefix *p)
{
	static const struct xy_prefix mesh = {.addr = {.b = {2}}, .len = 7};
	struct xy_prefix own = r->own ? xy_key_prefix(r->own) : (struct xy_prefix){0};
	if (xy_prefix_is_v4(p) || xy_prefix_is_default(p))
		return false;
	if (xy_prefix_covers(p, &mesh))
		return true;
	return xy_addr_is_mesh(&p->addr) && !(r->own && xy_prefix_covers(&own, p));
}

static bool is_had(const struct reader *r, unsigned before, const struct xy_prefix *p)
{
	for (unsigned i = 0; i < before; i++)
		for (unsigned k = 0; k < r->peers[i]->p.allowed.count; k++)
			if (!r->peers[i]->node && xy_prefix_eq(&r->peers[i]->v[k], p))
				return true;
	return false;
}

static bool is_twice(const struct peer *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (xy_prefix_eq(&p->v[i], &p->v[n]))
			return true;
	return false;
}

static void keep_allowed(struct reader *r, unsigned at)
{
	struct peer *p = r->peers[at];
	char text[XY_PREFIX_STRLEN];
	unsigned kept = 0;
	for (unsigned i = 0; i < p->p.allowed.count; i++) {
		xy_prefix_str(&p->v[i], text);
		p->v[kept] = p->v[i];
		if (is_anothers(r, &p->v[i]))
			NOTE(r,
			     "AllowedIPs: %s of %s is not carried over: in 200::/7 a leaf can have "
			     "addresses of this node's own /64 alone (%s)",
			     text, p->p.name,
			     r->own ? "xylem inspect" : "whose key is not known here: --key-file");
		else if (xy_prefix_is_martian(&p->v[i]))
			NOTE(r, "AllowedIPs: %s of %s is not carried over: it is never routed",
			     text, p->p.name);
		else if (is_twice(p, kept))
			continue;
		else if (is_had(r, at, &p->v[i]))
			NOTE(r,
			     "AllowedIPs: %s of %s is not carried over: another peer before has it",
			     text, p->p.name);
		else
			kept++;
	}
	p->p.allowed.count = kept;
}

static void finish_node(struct reader *r, struct peer *p)
{
	char text[XY_PREFIX_STRLEN];
	for (unsigned i = 0; i < p->p.allowed.count; i++)
		if (!xy_addr_is_mesh(&p->v[i].addr) || xy_prefix_is_v4(&p->v[i]))
			NOTE(r,
			     "AllowedIPs: %s of %s is not carried over: a network behind a node is "
			     "what routing.accept takes of it",
			     xy_prefix_str(&p->v[i], text), p->p.name);
	p->p.leaf = false;
	p->p.allowed.count = 0;
	r->out->nodes++;
}

static void unique_name(struct reader *r, unsigned at)
{
	struct peer *p = r->peers[at];
	char base[25];
	snprintf(base, sizeof(base), "%.20s", p->p.name);
	for (unsigned n = 1;; n++) {
		unsigned i = 0;
		while (i < at && strcmp(r->peers[i]->p.name, p->p.name) != 0)
			i++;
		if (p->p.name[0] && i == at)
			return;
		if (base[0])
			snprintf(p->p.name, sizeof(p->p.name), "%.20s-%u", base, n + 1);
		else
			snprintf(p->p.name, sizeof(p->p.name), "peer-%u", at + n);
	}
}

static void finish_peer(struct reader *r, unsigned at)
{
	struct peer *p = r->peers[at];
	r->line = p->line;
	if (xy_key_is_zero(&p->p.key)) {
		ERROR(r, "this peer has no PublicKey");
		return;
	}
	for (unsigned i = 0; i < at; i++)
		if (memcmp(&r->peers[i]->p.key, &p->p.key, sizeof(p->p.key)) == 0) {
			ERROR(r, "PublicKey: is that of the peer in line %u, too; make them one",
			      r->peers[i]->line);
			return;
		}
	unique_name(r, at);
	if (p->endpoint[0]) {
		p->endpoints[0] = p->endpoint;
		p->p.endpoints = p->endpoints;
		p->p.endpoint_count = 1;
	}
	p->node = is_node(p);
	if (p->node) {
		finish_node(r, p);
		return;
	}
	keep_allowed(r, at);
	r->out->leaves += p->p.allowed.count > 0;
	for (unsigned i = 0; i < p->p.allowed.count; i++)
		if (xy_prefix_is_default(&p->v[i]))
			NOTE(r,
			     "AllowedIPs: everything goes to %s: others of the mesh may be sent "
			     "there, "
			     "but this host's own default route stays as it is",
			     p->p.name);
	if (!p->p.allowed.count)
		NOTE(r,
		     "%s is left out: nothing is left that it may have; give it an address of this "
		     "node's /64: xylem leaf add %s --public-key KEY",
		     p->p.name, p->p.name);
}

static void say_keys(struct reader *r)
{
	char text[XY_KEY_STRLEN];
	if (!r->has_key)
		return;
	r->line = r->key_line;
	if (r->own)
		NOTE(r,
		     "PrivateKey: is not carried over: a WireGuard key cannot sign. Devices keep "
		     "theirs, and need PublicKey = %s for this node",
		     xy_key_str(r->own, text));
	else
		NOTE(r, "PrivateKey: is not carried over: a WireGuard key cannot sign. Make one "
			"(xylem "
			"genkey); devices keep theirs, and need this node's new PublicKey (xylem "
			"pubkey)");
}

static void write_host(const struct reader *r, FILE *to)
{
	fputs("# Of this host the mesh reaches ping alone, until allow names more.\nhost = { ", to);
	if (r->address_count) {
		fputs("addresses = [", to);
		for (unsigned i = 0; i < r->address_count; i++)
			fprintf(to, "%s\"%s\"", i ? ", " : " ", r->addresses[i]);
		fputs(" ]; ", to);
	}
	if (r->mtu)
		fprintf(to, "mtu = %u; ", r->mtu);
	fputs("allow = ( ); };\n", to);
}

static void write_peers(const struct reader *r, FILE *to)
{
	bool first = true;
	fputs("peers = (", to);
	for (unsigned i = 0; i < r->count; i++) {
		if (!r->peers[i]->node && !r->peers[i]->p.allowed.count)
			continue;
		char *text = xy_config_peer_text(&r->peers[i]->p);
		fprintf(to, "%s\n\t# line %u\n\t%s", first ? "" : ",", r->peers[i]->line,
			text ? text : "");
		xy_config_text_wipe(text);
		first = false;
	}
	fputs("\n);\n", to);
}

static char *write_config(const struct reader *r, const char *key_file)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	if (!to)
		return NULL;
	fputs("# Made of a wg-quick file by xylem import.\n", to);
	if (key_file) {
		fputs("key_file = ", to);
		xy_config_string_put(to, key_file);
		fputs(";\n", to);
	}
	if (r->has_port)
		fprintf(to, "listen = %u;\n", r->port);
	if (r->fwmark)
		fprintf(to, "fwmark = %u;\n", r->fwmark);
	write_host(r, to);
	write_peers(r, to);
	bool good = !ferror(to);
	if (fclose(to) == 0 && good)
		return text;
	xy_config_text_wipe(text);
	return NULL;
}

// The reader of configs has the last word.
static void check(struct xy_wgquick *w)
{
	struct xy_config *c = calloc(1, sizeof(*c));
	struct xy_err err = {""};
	int ret = c ? xy_config_parse("config", w->config, strlen(w->config), c, &err) : -ENOMEM;
	if (ret == 0 || ret == -EINVAL)
		for (unsigned i = 0; i < c->errors.count; i++)
			xy_config_note(&w->errors, 0, c->errors.v[i].text);
	else
		xy_config_note(&w->errors, 0, err.text);
	if (ret == 0 || ret == -EINVAL)
		xy_config_free(c);
	free(c);
}

static void notes_free(struct xy_config_notes *n)
{
	for (unsigned i = 0; i < n->count; i++)
		free(n->v[i].text);
	free(n->v);
	*n = (struct xy_config_notes){0};
}

void xy_wgquick_free(struct xy_wgquick *w)
{
	xy_config_text_wipe(w->config);
	w->config = NULL;
	notes_free(&w->notes);
	notes_free(&w->errors);
}

int xy_wgquick_import(const char *text, size_t len, const struct xy_key *own, const char *key_file,
		      struct xy_wgquick *out)
{
	*out = (struct xy_wgquick){0};
	struct reader *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	*r = (struct reader){.out = out, .own = own};
	read_all(r, text, len);
	for (unsigned i = 0; i < r->count && !r->out_of_memory; i++)
		finish_peer(r, i);
	say_keys(r);
	r->line = 0;
	if (!r->count && !out->errors.count)
		ERROR(r, "there is no [Peer] in it: is it a wg-quick file?");
	if (!out->errors.count && !r->out_of_memory) {
		out->config = write_config(r, key_file);
		r->out_of_memory |= !out->config;
		if (out->config)
			check(out);
	}
	int ret = r->out_of_memory ? -ENOMEM : out->errors.count || out->errors.more ? -EINVAL : 0;
	for (unsigned i = 0; i < r->count; i++) {
		sodium_memzero(r->peers[i], sizeof(*r->peers[i]));
		free(r->peers[i]);
	}
	free(r->peers);
	free(r);
	if (ret) {
		xy_config_text_wipe(out->config);
		out->config = NULL;
	}
	return ret;
}
