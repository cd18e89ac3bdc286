// SPDX-License-Identifier: BSD-3-Clause
#include "web/head.h"

#include <string.h>
#include <strings.h>

static void refuse(struct xy_head *h, unsigned status, const char *why)
{
	if (h->status)
		return;
	h->status = status;
	h->why = why;
}

static void refuse_bytes(struct xy_head *h)
{
	refuse(h, 400,
	       "the head can be read in two ways: end each line with CR LF, fold none, and send no "
	       "other control character");
}

// RFC 9110 section 5.6.2.
static bool is_token(const char *text)
{
	const char *p = text;
	for (; *p; p++) {
		bool alnum = (*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z');
		if (!alnum && !strchr("!#$%&'*+-.^_`|~", *p))
			return false;
	}
	return p != text;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return true;
	return false;
}

void xy_head_begin(struct xy_head *h, const char *method, const char *target, const char *version,
		   bool in_place)
{
	*h = (struct xy_head){.begin = method};
	if (!is_token(method) || strchr(target, ' ') || strchr(target, '\t'))
		refuse(h, 400, "the request's line is no METHOD TARGET HTTP/1.1");
	if (!in_place)
		return;
	if (version != method + strlen(method) + 1 + strlen(target) + 1)
		refuse_bytes(h);
	h->at = version + strlen(version) + 2;
}

void xy_head_field(struct xy_head *h, const char *name, const char *value)
{
	const char *v = value ? value : "";
	if (!is_token(name))
		refuse(h, 400,
		       "the name of a header has a character that none has, or a space behind it");
	if (has_control(v))
		refuse_bytes(h);
	if (h->at) {
		const char *behind = name + strlen(name) + 1; // the colon
		if (name != h->at || !value || value < behind ||
		    strspn(behind, " \t") < (size_t)(value - behind)) {
			refuse_bytes(h);
			h->at = NULL; // and what follows stands elsewhere
		} else {
			h->at = value + strlen(value) + 2;
		}
	}
	// where the body ends is not known
	if (strcasecmp(name, "Transfer-Encoding") == 0 && strcasecmp(v, "chunked") != 0)
		refuse(h, 501,
		       "the body's encoding is none that is taken; send chunked, or a length");
	h->lengths += strcasecmp(name, "Content-Length") == 0;
	h->encodings += strcasecmp(name, "Transfer-Encoding") == 0;
	h->hosts += strcasecmp(name, "Host") == 0;
}

void xy_head_end(struct xy_head *h, const char *version, size_t size)
{
	if (h->at && h->at + 2 != h->begin + size)
		refuse_bytes(h);
	if (h->lengths + h->encodings > 1)
		refuse(h, 400, "the length of the request is said twice");
	if (h->hosts != 1 && (h->hosts || strcmp(version, "HTTP/1.0") != 0))
		refuse(h, 400, "there must be one Host header");
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		refuse(h, 505, "write HTTP/1.1");
}
