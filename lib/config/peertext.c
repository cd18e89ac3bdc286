// SPDX-License-Identifier: BSD-3-Clause
// A peer as a config file would have it.
#include "config/config.h"

#include <sodium.h>
#include <stdlib.h>

void xy_config_string_put(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', to);
		fputc(*text, to);
	}
	fputc('"', to);
}

static void prefixes_put(FILE *to, const char *key, const struct xy_config_prefixes *list)
{
	char text[XY_PREFIX_STRLEN];
	if (!list->count)
		return;
	fprintf(to, "%s = [", key);
	for (unsigned i = 0; i < list->count; i++)
		fprintf(to, "%s\"%s\"", i ? ", " : " ", xy_prefix_str(&list->v[i], text));
	fputs(" ]; ", to);
}

static void secret_put(FILE *to, const uint8_t secret[static 32])
{
	struct xy_key k;
	char text[XY_KEY_STRLEN];
	memcpy(k.b, secret, sizeof(k.b));
	fprintf(to, "psk = \"%s\"; ", xy_key_str(&k, text));
	sodium_memzero(&k, sizeof(k));
	sodium_memzero(text, sizeof(text));
}

static void put(FILE *to, const struct xy_config_peer *p)
{
	char key[XY_KEY_STRLEN];
	fprintf(to, "{ name = \"%s\"; key = \"%s\"; ", p->name, xy_key_str(&p->key, key));
	if (p->leaf)
		fputs("leaf = true; ", to);
	if (p->endpoint_count) {
		fputs("endpoints = [", to);
		for (unsigned i = 0; i < p->endpoint_count; i++) {
			fputs(i ? ", " : " ", to);
			xy_config_string_put(to, p->endpoints[i]);
		}
		fputs(" ]; ", to);
	}
	prefixes_put(to, "allowed", &p->allowed);
	if (p->keepalive)
		fprintf(to, "keepalive = %u; ", p->keepalive);
	if (p->mtu)
		fprintf(to, "mtu = %u; ", p->mtu);
	if (p->cost)
		fprintf(to, "cost = %u; ", p->cost);
	if (p->no_traffic)
		fputs("traffic = false; ", to);
	if (p->has_psk)
		secret_put(to, p->psk);
	fputs("}", to);
}

char *xy_config_peer_text(const struct xy_config_peer *p)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	if (!to)
		return NULL;
	put(to, p);
	bool good = !ferror(to);
	if (fclose(to) == 0 && good)
		return text;
	xy_config_text_wipe(text);
	return NULL;
}

void xy_config_text_wipe(char *text)
{
	if (text)
		sodium_memzero(text, strlen(text));
	free(text);
}
