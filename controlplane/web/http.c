// SPDX-License-Identifier: BSD-3-Clause
#include "web/http.h"

#include "base/bytes.h"
#include "log.h"
#include "web/certificate.h"
#include "web/head.h"

#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Later ones look at these bytes themselves, if they are told to.
#define IN_PLACE (MHD_VERSION < 0x00097701)
#if IN_PLACE
#define STRICTLY MHD_OPTION_STRICT_FOR_CLIENT, 1
#else
#define STRICTLY MHD_OPTION_CLIENT_DISCIPLINE_LVL, 2
#endif

enum {
	HEADER_BYTES = 16 << 10,
	SWEEP_MS = 1000,
	EAT_BYTES = 1 << 20, // of a body that is refused, so that its sender hears why
	STREAM_BLOCK = 16 << 10,
	KERNEL_BYTES = 32 << 10, // that the kernel holds of an answer, which it doubles
	DEAF_MS = 30000,	 // that who hears a stream may take nothing, or is gone
	HEADERS = 8,
	SILENCE_S = 70, // libmicrohttpd's own limit; ours come before
};

// What a connection is waited for.
enum step {
	NEW,	 // its first request
	RESTING, // another one
	ASKING,	 // the rest of one whose line has come
	ASKED,	 // our answer
	TAKING,	 // that it takes the answer
	STREAM,
};

struct connection {
	struct connection *next, **pprev;
	int fd;
	enum step step;
	uint64_t since;
	struct xy_addr source;
	bool counted; // libmicrohttpd may tell of one twice
};

struct header {
	char *name, *value;
};

struct xy_http_request {
	struct xy_http *http;
	struct MHD_Connection *of;
	struct connection *connection;
	char *target, *body;
	const char *method, *refused; // why it is answered without a look at it
	unsigned refused_status;
	size_t len, eaten;
	bool seen, asked, answered, suspended, end_after, head;
	struct header headers[HEADERS];
	unsigned header_count, status;
	struct MHD_Response *response;
	struct xy_http_stream stream;
	char from[XY_ADDR_STRLEN + 4];
};

struct xy_http {
	struct xy_http_config cfg;
	uv_loop_t *loop;
	struct MHD_Daemon *mhd;
	uv_poll_t poll;
	uv_timer_t timer, sweep;
	unsigned handles;
	struct connection *connections;
	bool in_turn, closing;
	unsigned long refused; // connections, since that was said
	xy_nsec said;
};

// --- the loop

static void on_timer(uv_timer_t *t);

static void turn(struct xy_http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;
	h->in_turn = true;
	MHD_run(h->mhd);
	h->in_turn = false;
	if (MHD_get_timeout(h->mhd, &ms) == MHD_YES)
		uv_timer_start(&h->timer, on_timer, ms, 0);
	else
		uv_timer_stop(&h->timer);
}

static void on_timer(uv_timer_t *t)
{
	turn(t->data);
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	turn(p->data);
}

// Something was resumed: inside a turn its end looks for that.
static void turn_soon(struct xy_http *h)
{
	if (!h->in_turn && !h->closing)
		uv_timer_start(&h->timer, on_timer, 0, 0);
}

// --- connections

// One who has a /64 has all addresses in it.
static struct xy_addr source_of(const struct sockaddr *sa)
{
	struct xy_addr a = {0};
	if (sa && sa->sa_family == AF_INET)
		a = xy_addr_from_v4(ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr));
	else if (sa && sa->sa_family == AF_INET6)
		memcpy(a.b, &((const struct sockaddr_in6 *)sa)->sin6_addr, sizeof(a.b));
	if (!xy_addr_is_v4(&a) && !(a.b[15] == 1 && memcmp(a.b, (uint8_t[15]){0}, 15) == 0))
		memset(a.b + 8, 0, 8);
	return a;
}

static bool is_here(const struct xy_addr *a)
{
	static const uint8_t zeros[15];
	return (xy_addr_is_v4(a) && a->b[12] == 127) || memcmp(a->b, zeros, sizeof(zeros)) == 0;
}

static void say_refused(struct xy_http *h, const struct xy_addr *from, unsigned has)
{
	char text[XY_ADDR_STRLEN];
	xy_nsec now = uv_hrtime();
	h->refused++;
	if (now < h->said + XY_LOG_LIMIT_INTERVAL && h->said)
		return;
	h->said = now;
	xy_log_warn("http: %lu connections refused, the last from %s: it has %u open", h->refused,
		    xy_addr_str(from, text), has);
	h->refused = 0;
}

static bool is_same(const struct xy_addr *a, const struct xy_addr *b, bool wide)
{
	enum { WIDE = 6 }; // bytes of a /48
	if (!wide || xy_addr_is_v4(a) || is_here(a))
		return xy_addr_eq(a, b);
	return memcmp(a->b, b->b, WIDE) == 0;
}

// A few sources never take all: the fuller it is, the fewer each may have.
static enum MHD_Result accepts(void *cls, const struct sockaddr *sa, socklen_t len)
{
	struct xy_http *h = cls;
	struct xy_addr from = source_of(len ? sa : NULL);
	unsigned n = 0, all = 0;
	for (const struct connection *c = h->connections; c; c = c->next)
		all++;
	bool crowd = all >= XY_HTTP_CONNECTIONS / 2;
	for (const struct connection *c = h->connections; c; c = c->next)
		n += is_same(&c->source, &from, crowd);
	if (n < (is_here(&from) ? XY_HTTP_FROM_HERE
		 : crowd	? XY_HTTP_FROM_CROWD
				: XY_HTTP_FROM_ONE))
		return MHD_YES;
	say_refused(h, &from, n);
	return MHD_NO;
}

static void step(struct xy_http_request *q, enum step to)
{
	if (!q->connection)
		return;
	q->connection->step = to;
	q->connection->since = uv_now(q->http->loop);
}

static void connection_begins(struct xy_http *h, struct MHD_Connection *of, void **context)
{
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(of, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *sa =
		MHD_get_connection_info(of, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct connection *c = calloc(1, sizeof(*c));
	*context = c;
	if (!c)
		return; // it is served without deadlines of ours
	int size = KERNEL_BYTES;
	if (fd) // else it is as much as the kernel likes, for each that does not read
		setsockopt(fd->connect_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	*c = (struct connection){.next = h->connections,
				 .pprev = &h->connections,
				 .fd = fd ? fd->connect_fd : -1,
				 .since = uv_now(h->loop),
				 .source = source_of(sa ? sa->client_addr : NULL)};
	if (c->next)
		c->next->pprev = &c->next;
	h->connections = c;
}

static void on_connection(void *cls, struct MHD_Connection *of, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct connection *c = *context;
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		connection_begins(cls, of, context);
	} else if (c) {
		*c->pprev = c->next;
		if (c->next)
			c->next->pprev = c->pprev;
		free(c);
		*context = NULL;
	}
}

// libmicrohttpd's limit is for silence; who sends a byte now and then would stay.
static void on_sweep(uv_timer_t *t)
{
	static const unsigned limit[] = {[NEW] = XY_HTTP_REQUEST_MS,	[RESTING] = XY_HTTP_REST_MS,
					 [ASKING] = XY_HTTP_REQUEST_MS, [ASKED] = 0,
					 [TAKING] = XY_HTTP_TAKE_MS,	[STREAM] = 0};
	struct xy_http *h = t->data;
	uint64_t now = uv_now(h->loop);
	for (struct connection *c = h->connections; c; c = c->next) {
		if (!limit[c->step] || now < c->since + limit[c->step])
			continue;
		shutdown(c->fd, SHUT_RDWR); // and libmicrohttpd sees that it has left
		c->since = now;
	}
}

// --- a request

static struct connection *connection_of(struct MHD_Connection *of)
{
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(of, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return i ? i->socket_context : NULL;
}

// Its line has come; the rest of the head has not.
static void *on_line(void *cls, const char *target, struct MHD_Connection *of)
{
	struct xy_http_request *q = calloc(1, sizeof(*q));
	char *copy = strdup(target);
	if (!q || !copy) {
		free(q);
		free(copy);
		return NULL;
	}
	*q = (struct xy_http_request){
		.http = cls, .of = of, .connection = connection_of(of), .target = copy};
	step(q, ASKING);
	return q;
}

static void request_free(struct xy_http_request *q)
{
	for (unsigned i = 0; i < q->header_count; i++) {
		free(q->headers[i].name);
		free(q->headers[i].value);
	}
	if (q->response)
		MHD_destroy_response(q->response);
	if (q->body)
		explicit_bzero(q->body, q->len);
	free(q->body);
	free(q->target);
	free(q);
}

static void on_completed(void *cls, struct MHD_Connection *of, void **context,
			 enum MHD_RequestTerminationCode why)
{
	struct xy_http_request *q = *context;
	*context = NULL;
	if (!q)
		return;
	step(q, RESTING);
	if (q->stream.gone)
		q->stream.gone(q->stream.arg);
	request_free(q);
}

static void refuse(struct xy_http_request *q, unsigned status, const char *why)
{
	if (q->refused)
		return;
	q->refused = why;
	q->refused_status = status;
	q->end_after = true;
}

static enum MHD_Result look_at(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_size,
			       const char *value, size_t value_size)
{
	xy_head_field(cls, key, value);
	return MHD_YES;
}

// What two programs on the way could read in two ways is nobody's request.
static void look(struct xy_http_request *q, const char *method, const char *version)
{
	const union MHD_ConnectionInfo *size =
		MHD_get_connection_info(q->of, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	struct xy_head h;
	xy_head_begin(&h, method, q->target, version, IN_PLACE);
	MHD_get_connection_values_n(q->of, MHD_HEADER_KIND, look_at, &h);
	xy_head_end(&h, version, size ? size->header_size : 0);
	if (h.status)
		refuse(q, h.status, h.why);
	const char *length = xy_http_header(q, "Content-Length");
	if (length && strtoull(length, NULL, 10) > XY_HTTP_BODY)
		refuse(q, 413, "a request may bring 64 KB");
	q->end_after = q->end_after || h.encodings; // chunks could be read in two ways, too
	q->seen = true;
	q->head = strcmp(method, "HEAD") == 0;
	q->method = q->head ? "GET" : method;
}

static enum MHD_Result take_body(struct xy_http_request *q, const char *data, size_t *size)
{
	size_t n = *size;
	*size = 0;
	q->eaten += n;
	if (q->eaten > EAT_BYTES)
		return MHD_NO;
	if (q->eaten > XY_HTTP_BODY)
		refuse(q, 413, "a request may bring 64 KB");
	if (q->refused)
		return MHD_YES;
	if (!q->body)
		q->body = malloc(XY_HTTP_BODY + 1);
	if (!q->body)
		return MHD_NO;
	memcpy(q->body + q->len, data, n);
	q->len += n;
	q->body[q->len] = 0;
	return MHD_YES;
}

static enum MHD_Result give(struct xy_http_request *q)
{
	step(q, q->stream.read ? STREAM : TAKING);
	enum MHD_Result r = MHD_queue_response(q->of, q->status, q->response);
	MHD_destroy_response(q->response);
	q->response = NULL;
	return r;
}

static void dispatch(struct xy_http_request *q)
{
	step(q, ASKED);
	q->asked = true;
	if (q->http->closing) // those who would answer it are closed already
		refuse(q, 503, "xylem-web ends");
	if (q->eaten && (strcmp(q->method, "GET") == 0))
		refuse(q, 400, "a GET brings nothing; leave its body out");
	if (q->refused)
		xy_http_problem(q, q->refused_status, "%s", q->refused);
	else
		q->http->cfg.handler(q->http->cfg.arg, q);
}

// What was answered before is with the kernel already; what has no room there is not told.
static bool tell_now(struct xy_http_request *q, const char *text, size_t len)
{
	if (!q->connection)
		return false;
	if (!xy_http_is_tls(q))
		return send(q->connection->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
		       (ssize_t)len;
	const union MHD_ConnectionInfo *tls =
		MHD_get_connection_info(q->of, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return tls && gnutls_record_send(tls->tls_session, text, len) == (ssize_t)len;
}

// Before its body: who waits for "100 Continue" need not send it, and where it ends is not known
// perhaps. libmicrohttpd takes an answer then for POST and PUT alone.
static enum MHD_Result refuse_early(struct xy_http_request *q)
{
	static const char head[] = "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: "
				   "application/problem+json\r\nContent-Length: %zu\r\n\r\n%s";
	char body[400], all[700];
	if (strcmp(q->method, "POST") == 0) {
		dispatch(q);
		return q->response ? give(q) : MHD_NO;
	}
	if (q->refused_status == 413 && !xy_http_header(q, "Expect"))
		return MHD_YES; // it is eaten, to a bound, so that its sender hears why
	const char *title = MHD_get_reason_phrase_for(q->refused_status);
	snprintf(body, sizeof(body),
		 "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":\"%s\"}",
		 title, q->refused_status, q->refused);
	int n = snprintf(all, sizeof(all), head, q->refused_status, title, strlen(body), body);
	if (!tell_now(q, all, (size_t)n))
		xy_log_debug("http: %s: refused, and not told", xy_http_from(q));
	return MHD_NO;
}

// Called when the head is there, for each piece of the body, at its end, and when it is resumed.
static enum MHD_Result on_request(void *cls, struct MHD_Connection *of, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **context)
{
	struct xy_http_request *q = *context;
	if (!q)
		return MHD_NO; // no memory for it
	if (!q->seen) {
		look(q, method, version);
		return q->refused_status == 413 || q->refused_status == 501 ? refuse_early(q)
									    : MHD_YES;
	}
	if (*size)
		return take_body(q, data, size);
	if (!q->asked)
		dispatch(q);
	if (q->response)
		return give(q);
	if (q->answered)
		return MHD_NO;
	q->suspended = true;
	MHD_suspend_connection(of);
	return MHD_YES;
}

static size_t as_it_is(void *cls, struct MHD_Connection *of, char *text)
{
	return strlen(text);
}

const char *xy_http_method(const struct xy_http_request *q)
{
	return q->method;
}

const char *xy_http_target(const struct xy_http_request *q)
{
	return q->target;
}

const char *xy_http_header(const struct xy_http_request *q, const char *name)
{
	return MHD_lookup_connection_value(q->of, MHD_HEADER_KIND, name);
}

const char *xy_http_body(const struct xy_http_request *q, size_t *len)
{
	*len = q->len;
	return q->body ? q->body : "";
}

bool xy_http_is_public(const struct xy_http_request *q)
{
	return q->http->cfg.public;
}

bool xy_http_is_tls(const struct xy_http_request *q)
{
	return q->http->cfg.tls;
}

struct xy_addr xy_http_source(const struct xy_http_request *q)
{
	return q->connection ? q->connection->source : (struct xy_addr){0};
}

bool xy_http_is_from_here(const struct xy_http_request *q)
{
	struct xy_addr a = xy_http_source(q);
	return is_here(&a);
}

const char *xy_http_from(const struct xy_http_request *q)
{
	struct xy_http_request *to = (struct xy_http_request *)(uintptr_t)q;
	struct xy_addr a = xy_http_source(q);
	char text[XY_ADDR_STRLEN];
	snprintf(to->from, sizeof(to->from), "%s%s", xy_addr_str(&a, text),
		 is_here(&a) || xy_addr_is_v4(&a) ? "" : "/64");
	return q->from;
}

// --- the answer

void xy_http_add(struct xy_http_request *q, const char *name, const char *value)
{
	struct header *to = &q->headers[q->header_count];
	if (q->header_count == HEADERS)
		return;
	*to = (struct header){strdup(name), strdup(value)};
	if (to->name && to->value) {
		q->header_count++;
		return;
	}
	free(to->name);
	free(to->value);
}

void xy_http_end_after(struct xy_http_request *q)
{
	q->end_after = true;
}

static bool has(const struct xy_http_request *q, const char *name)
{
	for (unsigned i = 0; i < q->header_count; i++)
		if (strcasecmp(q->headers[i].name, name) == 0)
			return true;
	return false;
}

static void put_headers(struct xy_http_request *q, const char *type)
{
	static const char *const all[][2] = {
		{"Content-Security-Policy",
		 "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
		 "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
		 "frame-ancestors 'none'"},
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Cache-Control", "no-store"},
	};
	for (unsigned i = 0; i < XY_ARRAY_SIZE(all); i++)
		if (!has(q, all[i][0]))
			MHD_add_response_header(q->response, all[i][0], all[i][1]);
	for (unsigned i = 0; i < q->header_count; i++)
		MHD_add_response_header(q->response, q->headers[i].name, q->headers[i].value);
	if (type)
		MHD_add_response_header(q->response, "Content-Type", type);
	if (q->end_after)
		MHD_add_response_header(q->response, "Connection", "close");
}

static void answer(struct xy_http_request *q, unsigned status, const char *type,
		   struct MHD_Response *response)
{
	q->answered = true;
	q->status = status;
	q->response = response;
	if (response)
		put_headers(q, type);
	if (!q->suspended)
		return;
	q->suspended = false;
	MHD_resume_connection(q->of); // on_request is called again
	turn_soon(q->http);
}

void xy_http_answer(struct xy_http_request *q, unsigned status, const char *type, char *body,
		    size_t len)
{
	struct MHD_Response *r =
		body ? MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE) : NULL;
	if (body && !r)
		free(body);
	answer(q, status, type, r);
}

void xy_http_answer_constant(struct xy_http_request *q, unsigned status, const char *type,
			     const void *body, size_t len)
{
	void *bytes = (void *)(uintptr_t)body; // which are only read
	answer(q, status, type,
	       MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_PERSISTENT));
}

struct xy_http_text {
	unsigned users;
	size_t len, *held;
	char *bytes;
};

struct xy_http_text *xy_http_text_make(char *bytes, size_t len, size_t *held)
{
	struct xy_http_text *t = bytes ? malloc(sizeof(*t)) : NULL;
	if (!t) {
		free(bytes);
		return NULL;
	}
	*t = (struct xy_http_text){.users = 1, .len = len, .held = held, .bytes = bytes};
	*held += len;
	return t;
}

size_t xy_http_text_len(const struct xy_http_text *t)
{
	return t->len;
}

static void text_unused(void *text)
{
	struct xy_http_text *t = text;
	if (!t || --t->users)
		return;
	*t->held -= t->len;
	free(t->bytes);
	free(t);
}

void xy_http_text_release(struct xy_http_text *t)
{
	text_unused(t);
}

void xy_http_answer_text(struct xy_http_request *q, unsigned status, const char *type,
			 struct xy_http_text *t)
{
	struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback_cls(
		t->len, t->bytes, text_unused, t);
	t->users += r != NULL;
	answer(q, status, type, r);
}

void xy_http_answer_json(struct xy_http_request *q, unsigned status, json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (text)
		xy_http_answer(q, status, "application/json", text, strlen(text));
	else
		xy_http_problem(q, 500, "not enough memory for the answer");
}

static const char *title_of(unsigned status)
{
	const char *phrase = MHD_get_reason_phrase_for(status);
	return phrase ? phrase : "Error";
}

void xy_http_problem(struct xy_http_request *q, unsigned status, const char *fmt, ...)
{
	char detail[600];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	json_t *text = json_string(detail); // NULL where it is no UTF-8
	json_t *o = json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "title",
			      title_of(status), "status", (int)status, "detail",
			      text ? text : json_string("what was sent is no UTF-8"));
	char *body = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	xy_http_answer(q, status, "application/problem+json", body, body ? strlen(body) : 0);
}

// --- streams

static ssize_t stream_read(void *cls, uint64_t pos, char *to, size_t max)
{
	struct xy_http_request *q = cls;
	ssize_t n = q->stream.read(q->stream.arg, to, max);
	if (n == 0 && !q->http->closing) {
		q->suspended = true;
		MHD_suspend_connection(q->of);
	}
	return n < 0 || (n == 0 && q->http->closing) ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

void xy_http_answer_stream(struct xy_http_request *q, const char *type,
			   const struct xy_http_stream *s)
{
	unsigned deaf = DEAF_MS;
	q->stream = *s;
	if (q->connection) // what is not acknowledged, for there is no room, counts
		setsockopt(q->connection->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &deaf, sizeof(deaf));
	answer(q, 200, type,
	       MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_read, q,
						 NULL));
}

bool xy_http_has_left(const struct xy_http_request *q)
{
	struct pollfd p = {.fd = q->connection ? q->connection->fd : -1, .events = POLLRDHUP};
	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

void xy_http_stream_wake(struct xy_http_request *q)
{
	if (!q->suspended)
		return;
	q->suspended = false;
	MHD_resume_connection(q->of);
	turn_soon(q->http);
}

void xy_http_stream_cut(struct xy_http_request *q)
{
	if (q->connection)
		shutdown(q->connection->fd, SHUT_RDWR);
	xy_http_stream_wake(q);
}

// --- begin and end

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *fmt, va_list ap)
{
	char text[300];
	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = 0;
	xy_log_debug("http: %s", text);
}

static struct MHD_Daemon *start(struct xy_http *h)
{
	static const char versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
	const struct xy_http_config *c = &h->cfg;
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)xy_certificate_give},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)versions},
		{MHD_OPTION_END, 0, NULL},
	};
	unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME |
			 (c->tls ? MHD_USE_TLS : 0);
	return MHD_start_daemon(
		flags, 0, accepts, h, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, h,
		MHD_OPTION_LISTEN_SOCKET, c->fd, MHD_OPTION_URI_LOG_CALLBACK, on_line, h,
		MHD_OPTION_UNESCAPE_CALLBACK, as_it_is, h, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)XY_HTTP_CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES, STRICTLY,
		MHD_OPTION_ARRAY, c->tls ? tls : &tls[2], MHD_OPTION_END);
}

static void handle_begins(struct xy_http *h, void *handle)
{
	((uv_handle_t *)handle)->data = h;
	h->handles++;
}

int xy_http_create(uv_loop_t *loop, const struct xy_http_config *cfg, struct xy_http **out,
		   struct xy_err *err)
{
	struct xy_http *h = calloc(1, sizeof(*h));
	if (!h)
		return xy_err_set(err, ENOMEM, "not enough memory");
	h->cfg = *cfg;
	h->loop = loop;
	h->mhd = start(h);
	if (!h->mhd) {
		free(h);
		return xy_err_set(err, EINVAL, "HTTP cannot be begun");
	}
	uv_poll_init(loop, &h->poll,
		     MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
	uv_timer_init(loop, &h->timer);
	uv_timer_init(loop, &h->sweep);
	handle_begins(h, &h->poll);
	handle_begins(h, &h->timer);
	handle_begins(h, &h->sweep);
	uv_poll_start(&h->poll, UV_READABLE, on_poll);
	uv_timer_start(&h->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	turn(h);
	*out = h;
	return 0;
}

static void handle_closed(uv_handle_t *handle)
{
	struct xy_http *h = handle->data;
	if (--h->handles == 0)
		free(h);
}

void xy_http_end(struct xy_http *h)
{
	if (h)
		h->closing = true;
}

void xy_http_close(struct xy_http *h)
{
	if (!h)
		return;
	h->closing = true;
	MHD_run(h->mhd); // what was answered just now
	uv_close((uv_handle_t *)&h->poll, handle_closed);
	uv_close((uv_handle_t *)&h->timer, handle_closed);
	uv_close((uv_handle_t *)&h->sweep, handle_closed);
	MHD_stop_daemon(h->mhd); // which closes the connections and the listening socket
}
