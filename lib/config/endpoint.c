// SPDX-License-Identifier: BSD-3-Clause
// Where a peer is said to be. What can be nobody's address, and no name of one, is refused where it
// is written: a resolver would be asked for it for ever.
#include "config/read.h"

#include <stdlib.h>

enum { LABEL_MAX = 63, NAME_MAX_LEN = 253 }; // RFC 1035 section 2.3.4, without the last dot

__attribute__((format(printf, 3, 4))) static int refuse(struct xy_err *why, const char *text,
							const char *fmt, ...)
{
	char what[300];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return xy_err_set(why, EINVAL, "\"%.80s\" %s", text, what);
}

// A resolver takes a name in other letters, too; a blank or a quotation mark is a slip.
static int check_letters(const char *text, struct xy_err *why)
{
	char what[XY_CONFIG_GLYPH_LEN];
	const char *end = text + strlen(text);
	for (const char *p = text; p < end;) {
		struct xy_config_glyph g = xy_config_glyph_read(p, (size_t)(end - p));
		if (g.code > 0x7f && (g.name || g.broken))
			return refuse(why, text, "has %s in it; remove it",
				      xy_config_glyph_str(&g, what));
		if (g.code <= ' ' || g.code == 0x7f)
			return refuse(why, text, "has a blank in it; remove it");
		p += g.len;
	}
	if (strstr(text, "://"))
		return refuse(why, text,
			      "has a scheme; links go over UDP, so write \"host:port\" without it");
	return 0;
}

static int check_address(const char *text, const struct xy_addr *a, struct xy_err *why)
{
	if (xy_addr_is_mesh(a))
		return refuse(why, text,
			      "lies in the overlay (200::/7); give its address in the network "
			      "underneath");
	if (xy_addr_is_multicast(a) || xy_addr_is_unspecified(a))
		return refuse(why, text, "is nobody's address; give the peer's");
	return 0;
}

// What stands in brackets, with the interface behind a % where the address needs one.
static int check_v6(const char *text, const char *host, struct xy_err *why)
{
	char part[256];
	struct xy_addr a;
	struct xy_endpoint e;
	const char *percent = strchr(host, '%');
	snprintf(part, sizeof(part), "%.*s", (int)(percent ? percent - host : 255), host);
	if (xy_addr_parse(part, &a))
		return refuse(why, text,
			      "has no IPv6 address in its brackets; write for example "
			      "\"[2001:db8::1]:%d\"",
			      XY_PORT_DEFAULT);
	if (!percent && xy_addr_is_link_local(&a))
		return refuse(why, text,
			      "is link-local and needs the interface to it: \"[%s%%eth0]:%d\"",
			      part, XY_PORT_DEFAULT);
	if (percent && !xy_addr_is_link_local(&a))
		return refuse(why, text,
			      "names an interface, which only a link-local address (fe80::) has; "
			      "remove %.20s",
			      percent);
	int ret = xy_endpoint_parse(text, &e);
	if (ret && ret != -ENOENT) // the interface may stand there by its name
		return refuse(why, text, "has no interface's name or number behind the %%");
	return check_address(text, &a, why);
}

static int check_labels(const char *text, const char *host, struct xy_err *why)
{
	size_t len = strlen(host);
	len -= len && host[len - 1] == '.'; // the root's, which may be written
	if (len > NAME_MAX_LEN)
		return refuse(why, text, "has a name longer than %d characters", NAME_MAX_LEN);
	for (size_t at = 0; at <= len;) {
		size_t n = strcspn(host + at, ".");
		if (n == 0)
			return refuse(why, text, "has an empty part in its name: a dot too many");
		if (n > LABEL_MAX)
			return refuse(why, text, "has a part longer than %d characters in its name",
				      LABEL_MAX);
		at += n + 1;
	}
	return 0;
}

static int check_name(const char *text, const char *host, struct xy_err *why)
{
	bool letter = false;
	for (const char *p = host; *p; p++) {
		bool alpha = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p & 0x80;
		if (!alpha && !strchr("0123456789-._", *p))
			return refuse(why, text, "has a %c in its name, which no name has", *p);
		letter = letter || alpha;
	}
	if (!letter)
		return refuse(why, text,
			      "is no IPv4 address, and no name: write four numbers of 0 to 255, "
			      "without zeros before them");
	return check_labels(text, host, why);
}

int xy_config_endpoint_check(const char *text, struct xy_err *why)
{
	char host[XY_CONFIG_HOST_LEN];
	uint16_t port;
	struct xy_addr a;
	int ret = check_letters(text, why);
	if (ret)
		return ret;
	if (strlen(text) >= XY_CONFIG_ENDPOINT_LEN ||
	    xy_hostport_split(text, host, sizeof(host), &port) || !host[0])
		return refuse(why, text,
			      "is no endpoint; write \"host:port\", and an IPv6 address in "
			      "brackets: \"[2001:db8::1]:%d\"",
			      XY_PORT_DEFAULT);
	if (text[0] == '[')
		return check_v6(text, host, why);
	if (xy_addr_parse(host, &a) == 0)
		return check_address(text, &a, why);
	return check_name(text, host, why);
}

char **xy_config_endpoints_copy(const char *const *list, unsigned n)
{
	size_t size = n * sizeof(char *);
	for (unsigned i = 0; i < n; i++)
		size += strlen(list[i]) + 1;
	char **copy = malloc(size + 1), *to = (char *)(copy + n);
	for (unsigned i = 0; copy && i < n; i++) {
		size_t len = strlen(list[i]) + 1;
		copy[i] = memcpy(to, list[i], len);
		to += len;
	}
	return copy;
}
