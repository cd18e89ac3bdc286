// SPDX-License-Identifier: BSD-3-Clause
// What a browser writes: the first byte says as what the rest is read. What is taken is text
// without control characters, and lies where it should.
#include "url/url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_text(const struct xy_url *u, const char *text)
{
	check(text >= u->text && text + strlen(text) < u->text + sizeof(u->text));
	for (; *text; text++)
		check((uint8_t)*text >= ' ' && *text != 0x7f);
}

static void target(const char *text)
{
	static struct xy_url u;
	const char *why = NULL;
	if (xy_url_parse(text, &u, &why)) {
		check(why && *why);
		return;
	}
	check(u.segment_count >= 1 && u.segment_count <= XY_URL_SEGMENTS);
	check(u.path[0] == '/' && strstr(text, u.path));
	for (unsigned i = 0; i < u.segment_count; i++) {
		check_text(&u, u.segments[i]);
		check(strcmp(u.segments[i], "..") != 0 && strcmp(u.segments[i], ".") != 0);
	}
	for (unsigned i = 0; i < u.param_count; i++) {
		check_text(&u, u.params[i].key);
		if (*u.params[i].value)
			check_text(&u, u.params[i].value);
		check(xy_url_param(&u, u.params[i].key) == u.params[i].value);
	}
}

static void host(const char *text)
{
	struct xy_url_host h;
	bool tls;
	if (xy_url_host_parse(text, &h) == 0)
		check(*h.name && !strpbrk(h.name, "/@ []") && strlen(h.name) < sizeof(h.name));
	if (xy_url_origin_parse(text, &tls, &h) == 0)
		check(strncmp(text, "http", 4) == 0);
}

static void values(const char *text)
{
	char v[32];
	if (xy_url_cookie(text, "xylem", v, sizeof(v)))
		check(strlen(v) < sizeof(v) && !strchr(v, ';') && strstr(text, "xylem="));
	if (xy_url_bearer(text, v, sizeof(v)) == 0)
		check(*v && strlen(v) < sizeof(v) && !strpbrk(v, " ,;\"") && strstr(text, v));
	unsigned weight = xy_url_accept(text, "a/b", "1");
	check(weight <= 1000 && (!weight || strcasestr(text, "a/b")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	char *text = malloc(size);
	check(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	if (data[0] == 't')
		target(text);
	else if (data[0] == 'h')
		host(text);
	else
		values(text);
	free(text);
	return 0;
}
