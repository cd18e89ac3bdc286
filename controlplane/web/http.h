// SPDX-License-Identifier: BSD-3-Clause
// HTTP/1.1 on the loop, by libmicrohttpd: a listener, its connections with limits for each source
// and a deadline for each step, and requests that are answered at once or later. What is no plain
// request is refused before anybody sees it. The loop's thread alone.
#pragma once

#include "base/err.h"
#include "base/ip.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct xy_http;
struct xy_http_request;

enum {
	XY_HTTP_BODY = 64 << 10,    // bytes that a request may bring
	XY_HTTP_CONNECTIONS = 1024, // of a listener
	XY_HTTP_FROM_ONE = 64,	    // of them, from one source: an IPv4 address, an IPv6 /64
	XY_HTTP_FROM_CROWD = 8,	    // when half of all are taken; of an IPv6 /48 then
	XY_HTTP_FROM_HERE = 768,    // from this host, where a proxy may stand for many
	XY_HTTP_REQUEST_MS = 10000, // from the connection, or a request's line, to its end
	XY_HTTP_REST_MS = 65000,    // between requests
	XY_HTTP_TAKE_MS = 60000,    // to take an answer, unless it is a stream
};

// Called once for each request; the answer is given by one of the functions below, in the call or
// later, and the request is gone some time after that.
typedef void xy_http_handler(void *arg, struct xy_http_request *q);

struct xy_http_config {
	int fd; // that listens; the listener's from here on
	bool public;
	bool tls; // by certificate.h
	xy_http_handler *handler;
	void *arg;
};

int xy_http_create(uv_loop_t *loop, const struct xy_http_config *cfg, struct xy_http **out,
		   struct xy_err *err);
// From here on no request reaches the handler: each is answered that the process ends.
void xy_http_end(struct xy_http *h);
// Behind xy_http_end; all that was to be answered later must have been. Memory goes when the loop
// has closed handles.
void xy_http_close(struct xy_http *h);

// What came.
const char *xy_http_method(const struct xy_http_request *q);
const char *xy_http_target(const struct xy_http_request *q);		       // as on the wire
const char *xy_http_header(const struct xy_http_request *q, const char *name); // NULL: none
const char *xy_http_body(const struct xy_http_request *q, size_t *len);	       // NUL-terminated
bool xy_http_is_public(const struct xy_http_request *q);
bool xy_http_is_tls(const struct xy_http_request *q);
bool xy_http_is_from_here(const struct xy_http_request *q); // from this host
// Who asks: an IPv4 address, an IPv6 /64, or :: for this host's sockets without an address.
struct xy_addr xy_http_source(const struct xy_http_request *q);
bool xy_http_is_from_here(const struct xy_http_request *q); // from this host
const char *xy_http_from(const struct xy_http_request *q);  // the same for the log

// A header of the answer; before the answer is given.
void xy_http_add(struct xy_http_request *q, const char *name, const char *value);
// The answer is closed after, whatever the client wants.
void xy_http_end_after(struct xy_http_request *q);
// Takes `body`, which was malloc'd; NULL is answered as no memory.
void xy_http_answer(struct xy_http_request *q, unsigned status, const char *type, char *body,
		    size_t len);
// The same of bytes that stay for as long as the process runs.
void xy_http_answer_constant(struct xy_http_request *q, unsigned status, const char *type,
			     const void *body, size_t len);
// Bytes of which several answers are made; each that was not taken yet has a share in them.
struct xy_http_text;
// Takes `bytes`, which were malloc'd, also where there is no memory (NULL). For as long as somebody
// has a share in them *held is so much more; it must stay until the listeners are closed.
struct xy_http_text *xy_http_text_make(char *bytes, size_t len, size_t *held);
size_t xy_http_text_len(const struct xy_http_text *t);
void xy_http_text_release(struct xy_http_text *t); // the share of who made it; NULL: nothing
void xy_http_answer_text(struct xy_http_request *q, unsigned status, const char *type,
			 struct xy_http_text *t);
// Takes `body`.
void xy_http_answer_json(struct xy_http_request *q, unsigned status, json_t *body);
// RFC 9457: what is wrong, and what to do.
__attribute__((format(printf, 3, 4))) void xy_http_problem(struct xy_http_request *q,
							   unsigned status, const char *fmt, ...);

// An answer that goes on until somebody ends it. read gives up to max bytes, 0: none now (wake asks
// again), -1: the end; gone is called once, after which nothing of it may be used.
struct xy_http_stream {
	ssize_t (*read)(void *arg, char *to, size_t max);
	void (*gone)(void *arg);
	void *arg;
};
void xy_http_answer_stream(struct xy_http_request *q, const char *type,
			   const struct xy_http_stream *s);
bool xy_http_has_left(const struct xy_http_request *q); // who asked has ended the connection
void xy_http_stream_wake(struct xy_http_request *q);
void xy_http_stream_cut(struct xy_http_request *q); // now; gone is called later
