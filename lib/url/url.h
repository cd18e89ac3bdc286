// SPDX-License-Identifier: BSD-3-Clause
// What a browser, or whoever says to be one, writes into a request of HTTP, taken apart: the target
// (RFC 9112 section 3.2, RFC 3986), and the values of Host, Origin, Cookie and Authorization. Pure
// text in, text out; what is not plainly right is refused, never mended. Any thread; owns nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	XY_URL_MAX = 2048, // bytes of a target
	XY_URL_SEGMENTS = 6,
	XY_URL_PARAMS = 8,
	XY_URL_HOST = 256, // a name has at most 253
};

struct xy_url_param {
	const char *key, *value; // "" where there is no "="
};

// Decoded. No text in it has a NUL or another control character, and all are UTF-8.
struct xy_url {
	char path[XY_URL_MAX]; // as it came, from its first "/", without the query
	const char *authority; // "host:80" of "http://host:80/path"; NULL: there is none
	unsigned segment_count;
	const char *segments[XY_URL_SEGMENTS]; // of the path: "/" has one, which is empty
	unsigned param_count;
	struct xy_url_param params[XY_URL_PARAMS];
	char text[2 * XY_URL_MAX + XY_URL_SEGMENTS]; // what they point into
};

// -EINVAL, and why says what is wrong; -E2BIG: longer, or of more parts, than any that is served.
// The path is compared as it came: "." and ".." and empty parts within it are refused.
int xy_url_parse(const char *target, struct xy_url *out, const char **why);
const char *xy_url_param(const struct xy_url *u, const char *key); // NULL: there is none

struct xy_url_host {
	char name[XY_URL_HOST]; // in lower case, without brackets
	uint16_t port;		// 0: none was said
	bool address;		// it is an IP address
};
// The value of Host: "name", "name:80", "192.0.2.1:80", "[2001:db8::1]:80". -EINVAL.
int xy_url_host_parse(const char *text, struct xy_url_host *out);
// The value of Origin: "http://HOST" or "https://HOST". -EINVAL, of "null" as well.
int xy_url_origin_parse(const char *text, bool *tls, struct xy_url_host *out);

// The value of a cookie in that of Cookie (RFC 6265 section 4.2.1); false: it is not there, there
// twice, or longer than out has room for.
bool xy_url_cookie(const char *header, const char *name, char *out, size_t size);
// The token in an Authorization of "Bearer TOKEN" (RFC 6750 section 2.1). -ENOENT: it is no Bearer;
// -EINVAL: one that is none.
int xy_url_bearer(const char *header, char *out, size_t size);
// The weight, 0 to 1000, that an Accept (RFC 9110 section 12.5.1) gives to a media type that stands
// in it as such: the highest of where it has that version, or none is said. "": nothing has any.
unsigned xy_url_accept(const char *header, const char *type, const char *version);
