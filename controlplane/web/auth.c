// SPDX-License-Identifier: BSD-3-Clause
#include "web/auth.h"
#include "web/devices.h"

#include "base/bytes.h"
#include "log.h"
#include "url/url.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_BYTES = 32, CSRF_BYTES = 24, TOKEN_MAX = 128, PASSWORD_MAX = 1024 };

struct session {
	char id[48], csrf[48]; // "": free
	uint64_t born, used;   // ms
};

// A source, or the whole /48 that it is of.
struct source {
	struct xy_addr addr;
	unsigned wrong, waiting; // waiting: tries, of a /48
	uint64_t last, until;	 // ms: of the last wrong try; nothing is looked at before that
	unsigned pressed;	 // tries for which there was no room, of late
	uint64_t pressed_at;	 // ms
	bool wide, trying, taken;
};

// A try, from when it comes to its answer.
struct attempt {
	struct attempt *next, **pprev;
	struct xy_auth *auth; // NULL: it ends
	struct xy_http_request *q;
	struct source *source, *wide; // NULL: of a device; wide: where there is none, too
	struct xy_device *device;
	unsigned rank; // the lower, the sooner
	uv_work_t work;
	uv_timer_t timer;
	char *password;
	char hash[crypto_pwhash_STRBYTES]; // that holds for this try
	bool waits, right, failed, timing; // failed: it could not be looked at
	xy_auth_then *then;
};

struct xy_auth {
	struct xy_web *web;
	struct session sessions[XY_AUTH_SESSIONS];
	struct source sources[XY_AUTH_SOURCES];
	struct attempt *attempts;
	struct xy_devices devices;
	unsigned waiting; // of them, that were not looked at; devices' are beside
	unsigned looks;
	bool looking; // at a password, which takes 64 MB
	char cookie[48], device_cookie[56];
	struct xy_log_limit limit, token_limit;
};

static uint64_t now_ms(const struct xy_auth *a)
{
	uv_update_time(a->web->loop);
	return uv_now(a->web->loop);
}

// --- sources

static bool is_forgiven(const struct source *s, uint64_t now)
{
	return !s->trying && now >= s->until && now >= s->last + XY_AUTH_FORGIVEN_S * 1000;
}

static struct source *source_find(struct xy_auth *a, const struct xy_addr *addr, bool wide)
{
	uint64_t now = now_ms(a);
	for (unsigned i = 0; i < XY_AUTH_SOURCES; i++) {
		struct source *s = &a->sources[i];
		if (!s->taken || s->wide != wide || !xy_addr_eq(&s->addr, addr))
			continue;
		if (s->wrong && is_forgiven(s, now))
			s->wrong = 0;
		return s;
	}
	return NULL;
}

// Is x less of a loss than y? Who is locked stays for longer than who is not.
static bool goes_before(const struct source *x, const struct source *y, uint64_t now)
{
	bool lx = now < x->until, ly = now < y->until;
	return lx != ly ? ly : lx ? x->until < y->until : x->last < y->last;
}

// In place of the one whose last try was longest ago. NULL: all are trying.
static struct source *source_make(struct xy_auth *a, const struct xy_addr *addr, bool wide)
{
	struct source *best = NULL;
	uint64_t now = now_ms(a);
	for (unsigned i = 0; i < XY_AUTH_SOURCES; i++) {
		struct source *s = &a->sources[i];
		if (!s->taken) {
			best = s;
			break;
		}
		if (!s->trying && !s->waiting && (!best || goes_before(s, best, now)))
			best = s;
	}
	if (best)
		*best = (struct source){.addr = *addr, .wide = wide, .taken = true};
	return best;
}

static struct source *source_of(struct xy_auth *a, const struct xy_addr *addr, bool wide)
{
	struct source *s = source_find(a, addr, wide);
	return s ? s : source_make(a, addr, wide);
}

// The /48; false: addresses like that are of none.
static bool widen(struct xy_addr *addr)
{
	if (xy_addr_is_v4(addr) || addr->b[0] >> 5 != 1) // 2000::/3
		return false;
	memset(addr->b + 6, 0, sizeof(addr->b) - 6);
	return true;
}

static unsigned tries_of(const struct source *s)
{
	return s->wide ? XY_AUTH_TRIES_WIDE : XY_AUTH_TRIES;
}

static uint64_t delay_of(unsigned wrong)
{
	uint64_t ms = XY_AUTH_DELAY_MS;
	for (; wrong > 1 && ms < XY_AUTH_DELAY_MOST_MS; wrong--)
		ms *= 2;
	return ms < XY_AUTH_DELAY_MOST_MS ? ms : XY_AUTH_DELAY_MOST_MS;
}

static void say_wrong(struct xy_auth *a, const struct attempt *t)
{
	unsigned long more;
	const struct source *s = t->source;
	if (t->device)
		xy_log_warn("login: %s: a wrong password, %u in a row, of a browser that logged "
			    "in before%s",
			    xy_http_from(t->q), t->device->wrong,
			    t->device->id[0] ? "" : "; it is nobody's again");
	else if (s->wrong == XY_AUTH_TRIES)
		xy_log_warn("login: %s: %u wrong in a row; no password of it is looked at for %d "
			    "minutes",
			    xy_http_from(t->q), s->wrong, XY_AUTH_LOCK_S / 60);
	else if (t->wide && t->wide->wrong == XY_AUTH_TRIES_WIDE)
		xy_log_warn("login: %s: %u wrong from its /48; no password from there is looked at "
			    "for %d minutes",
			    xy_http_from(t->q), t->wide->wrong, XY_AUTH_LOCK_S / 60);
	else if (xy_log_limit_pass(&a->limit, uv_hrtime(), &more))
		xy_log_warn("login: %s: a wrong password, %u in a row%s", xy_http_from(t->q),
			    s->wrong, more ? "; others, too" : "");
}

// --- tries

static void attempt_freed(uv_handle_t *h)
{
	struct attempt *t = h->data;
	free(t);
}

// It waits to be looked at no more.
static void looked_at(struct attempt *t)
{
	if (!t->waits)
		return;
	t->waits = false;
	t->auth->waiting--;
	if (t->wide)
		t->wide->waiting--;
}

static void attempt_end(struct attempt *t)
{
	looked_at(t);
	*t->pprev = t->next;
	if (t->next)
		t->next->pprev = t->pprev;
	if (t->device)
		t->device->trying = false;
	else
		t->source->trying = false;
	if (t->password)
		sodium_memzero(t->password, strlen(t->password));
	free(t->password);
	uv_close((uv_handle_t *)&t->timer, attempt_freed);
}

static void retry_after(struct xy_http_request *q, uint64_t ms)
{
	char text[24];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(ms + 999) / 1000);
	xy_http_add(q, "Retry-After", text);
}

// False: it was answered.
static bool is_looked_at(struct xy_auth *a, struct xy_http_request *q, const struct source *s)
{
	uint64_t now = now_ms(a);
	if (!s || now >= s->until)
		return true;
	unsigned long long left = (s->until - now + 999) / 1000;
	retry_after(q, s->until - now);
	xy_http_problem(q, 429,
			"too many wrong passwords came from %s%s: none of it is looked at for %llu "
			"seconds",
			xy_http_from(q), s->wide ? " and its /48" : "", left);
	return false;
}

// Who would be looked at last, of a /48 or of all, and of them who came last. NULL: nobody waits.
static struct attempt *last_of(const struct xy_auth *a, const struct source *wide)
{
	struct attempt *last = NULL;
	for (struct attempt *t = a->attempts; t; t = t->next)
		if (t->waits && !t->work.data && (!wide || t->wide == wide) &&
		    (!last || t->rank > last->rank))
			last = t;
	return last;
}

static void too_many(struct xy_http_request *q)
{
	retry_after(q, 1000);
	xy_http_problem(q, 429, "too many log in at once; try again");
}

// Who was wrong more often makes room.
static bool room_make(struct xy_auth *a, unsigned rank, const struct source *wide)
{
	for (;;) {
		bool full = a->waiting >= XY_AUTH_WAITING;
		bool full_wide = wide && wide->waiting >= XY_AUTH_WAITING_WIDE;
		if (!full && !full_wide)
			return true;
		struct attempt *last = last_of(a, full_wide ? wide : NULL);
		if (!last || last->rank <= rank)
			return false;
		too_many(last->q);
		attempt_end(last);
	}
}

// Who does not wait to be told that there is no room comes behind who does.
static void press(struct source *s, uint64_t now)
{
	if (now >= s->pressed_at + XY_AUTH_PRESSED_S * UINT64_C(1000))
		s->pressed = 0;
	s->pressed += s->pressed < XY_AUTH_PRESSED;
	s->pressed_at = now;
}

static unsigned rank_of(const struct source *s, const struct source *wide, uint64_t now)
{
	bool late = now < s->pressed_at + XY_AUTH_PRESSED_S * UINT64_C(1000);
	return 1 + s->wrong + (late ? s->pressed : 0) + (wide ? wide->wrong / XY_AUTH_TRIES : 0);
}

static bool is_alone(struct xy_http_request *q, bool trying)
{
	if (!trying)
		return true;
	retry_after(q, 1000);
	xy_http_problem(q, 429, "another try from there is being looked at; one at a time");
	return false;
}

static struct attempt *attempt_make(struct xy_auth *a, struct xy_http_request *q)
{
	struct attempt *t = calloc(1, sizeof(*t));
	if (!t) {
		xy_http_problem(q, 503, "not enough memory");
		return NULL;
	}
	*t = (struct attempt){.next = a->attempts, .pprev = &a->attempts, .auth = a, .q = q};
	memcpy(t->hash, a->web->config.password, sizeof(t->hash));
	if (t->next)
		t->next->pprev = &t->next;
	a->attempts = t;
	uv_timer_init(a->web->loop, &t->timer);
	t->timer.data = t;
	return t;
}

static struct xy_device *device_of(struct xy_auth *a, const struct xy_http_request *q)
{
	const char *header = xy_http_header(q, "Cookie");
	char id[sizeof(a->devices.v[0].id)] = "";
	if (!header || !xy_url_cookie(header, a->device_cookie, id, sizeof(id)))
		return NULL;
	return xy_devices_find(&a->devices, id);
}

// One that logged in before is kept from it by nobody.
static struct attempt *attempt_of_device(struct xy_auth *a, struct xy_http_request *q,
					 struct xy_device *device)
{
	struct attempt *t = is_alone(q, device->trying) ? attempt_make(a, q) : NULL;
	if (!t)
		return NULL;
	t->device = device;
	device->trying = true;
	return t;
}

// NULL: it was answered.
static struct attempt *attempt_begin(struct xy_auth *a, struct xy_http_request *q)
{
	struct xy_addr from = xy_http_source(q), site = from;
	struct xy_device *device = device_of(a, q);
	if (device)
		return attempt_of_device(a, q, device);
	bool is_wide = widen(&site);
	if (!is_looked_at(a, q, source_find(a, &from, false)) ||
	    !is_looked_at(a, q, is_wide ? source_find(a, &site, true) : NULL))
		return NULL;
	struct source *s = source_of(a, &from, false);
	bool was = s && s->trying;
	if (s)
		s->trying = true; // so that its /48 does not take its place
	struct source *wide = is_wide ? source_of(a, &site, true) : NULL;
	if (s)
		s->trying = was;
	uint64_t now = now_ms(a);
	if (was)
		press(s, now);
	if (!is_alone(q, was))
		return NULL;
	unsigned rank = s ? rank_of(s, wide, now) : 0;
	if (!s || (is_wide && !wide) || !room_make(a, rank, wide)) {
		if (s)
			press(s, now);
		too_many(q);
		return NULL;
	}
	struct attempt *t = attempt_make(a, q);
	if (!t)
		return NULL;
	t->source = s;
	t->wide = wide;
	t->rank = rank;
	t->waits = true;
	a->waiting++;
	if (wide)
		wide->waiting++;
	s->trying = true;
	return t;
}

static void answer_wrong(struct attempt *t)
{
	xy_http_add(t->q, "WWW-Authenticate", "Bearer realm=\"xylem-web\"");
	xy_http_problem(t->q, 401, "the password is wrong");
	attempt_end(t);
}

static void on_delayed(uv_timer_t *timer)
{
	answer_wrong(timer->data);
}

static void count_wrong(struct source *s, uint64_t now)
{
	s->wrong++;
	s->last = now;
	if (s->wrong >= tries_of(s))
		s->until = now + XY_AUTH_LOCK_S * 1000;
}

static void wrong(struct attempt *t)
{
	struct xy_auth *a = t->auth;
	struct source *s = t->source;
	uint64_t now = now_ms(a);
	if (t->device)
		xy_devices_wrong(t->device);
	else
		count_wrong(s, now);
	if (t->wide)
		count_wrong(t->wide, now);
	say_wrong(a, t);
	looked_at(t);
	t->timing = true;
	bool locked = s && now < s->until; // which is delay enough
	uv_timer_start(
		&t->timer, on_delayed,
		locked ? XY_AUTH_DELAY_MS : delay_of(t->device ? t->device->wrong : s->wrong), 0);
}

// Nothing is known of whether it is right, so nothing is counted.
static void fail(struct attempt *t)
{
	xy_log_warn("login: %s: a password could not be looked at: not enough memory",
		    xy_http_from(t->q));
	retry_after(t->q, 5000);
	xy_http_problem(t->q, 503,
			"there is not enough memory to look at a password; try again, and see the "
			"log of xylem-web");
	attempt_end(t);
}

// --- sessions

static void random_text(char *to, size_t size, size_t bytes)
{
	uint8_t raw[ID_BYTES];
	randombytes_buf(raw, bytes);
	sodium_bin2base64(to, size, raw, bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(raw, sizeof(raw));
}

static bool is_over(const struct session *s, uint64_t now)
{
	return now >= s->used + XY_AUTH_IDLE_S * UINT64_C(1000) ||
	       now >= s->born + XY_AUTH_WHOLE_S * UINT64_C(1000);
}

static struct session *session_make(struct xy_auth *a)
{
	struct session *best = &a->sessions[0];
	uint64_t now = now_ms(a);
	for (unsigned i = 0; i < XY_AUTH_SESSIONS && best->id[0]; i++) {
		struct session *s = &a->sessions[i];
		if (!s->id[0] || s->used < best->used)
			best = s;
	}
	*best = (struct session){.born = now, .used = now};
	random_text(best->id, sizeof(best->id), ID_BYTES);
	random_text(best->csrf, sizeof(best->csrf), CSRF_BYTES);
	return best;
}

// Each is compared whole, so that nothing is learned from how long it takes.
static struct session *session_find(struct xy_auth *a, const struct xy_http_request *q)
{
	const char *header = xy_http_header(q, "Cookie");
	char id[48] = "";
	struct session *found = NULL;
	uint64_t now = now_ms(a);
	if (!header || !xy_url_cookie(header, a->cookie, id, sizeof(id)) || !id[0])
		return NULL;
	for (unsigned i = 0; i < XY_AUTH_SESSIONS; i++)
		if (a->sessions[i].id[0] && sodium_memcmp(a->sessions[i].id, id, sizeof(id)) == 0)
			found = &a->sessions[i];
	if (found && is_over(found, now))
		sodium_memzero(found, sizeof(*found));
	if (!found || !found->id[0])
		return NULL;
	found->used = now;
	return found;
}

static void set_cookie(struct xy_http_request *q, const char *name, const char *id, int age)
{
	char text[200];
	snprintf(text, sizeof(text), "%s=%s; HttpOnly; SameSite=Strict; Path=/; Max-Age=%d%s", name,
		 id, age, xy_http_is_tls(q) ? "; Secure" : "");
	xy_http_add(q, "Set-Cookie", text);
}

static void who_by_session(struct xy_auth_who *who, const struct session *s)
{
	*who = (struct xy_auth_who){.scopes = XY_WEB_READ | XY_WEB_ACT | XY_WEB_METRICS,
				    .cookie = true,
				    .name = "session"};
	memcpy(who->csrf, s->csrf, sizeof(who->csrf));
}

// --- who

static const struct xy_config_web_token *token_find(const struct xy_auth *a, const char *token)
{
	const struct xy_config_web *c = &a->web->config;
	const struct xy_config_web_token *found = NULL;
	uint8_t hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256(hash, (const uint8_t *)token, strlen(token));
	for (unsigned i = 0; i < c->token_count; i++)
		if (sodium_memcmp(c->tokens[i].hash, hash, sizeof(hash)) == 0)
			found = &c->tokens[i];
	return found;
}

// It cannot be guessed: a right one is taken whatever else came from there, and a wrong one is some
// program's old one, which neither waits nor counts.
static bool who_by_token(struct xy_auth *a, struct xy_http_request *q, const char *token,
			 struct xy_auth_who *who)
{
	const struct xy_config_web_token *found = token ? token_find(a, token) : NULL;
	unsigned long more;
	if (found) {
		who->scopes = found->scopes;
		who->by_token = true;
		memcpy(who->token, found->hash, sizeof(who->token));
		snprintf(who->name, sizeof(who->name), "token %s", found->name);
		return true;
	}
	if (xy_log_limit_pass(&a->token_limit, uv_hrtime(), &more))
		xy_log_warn("login: %s: a token that is none of the config's%s", xy_http_from(q),
			    more ? "; others, too" : "");
	xy_http_add(q, "WWW-Authenticate", "Bearer realm=\"xylem-web\", error=\"invalid_token\"");
	xy_http_problem(q, 401,
			"the token is none of this node's (tokens in the config of xylem-web)");
	return false;
}

bool xy_auth_who(struct xy_auth *a, struct xy_http_request *q, struct xy_auth_who *out)
{
	const struct xy_config_web *c = &a->web->config;
	const char *header = xy_http_header(q, "Authorization");
	const struct session *s;
	char token[TOKEN_MAX];
	*out = (struct xy_auth_who){.name = "nobody"};
	if (xy_http_is_public(q)) {
		out->scopes = XY_WEB_READ | (c->metrics_public ? XY_WEB_METRICS : 0);
		return true;
	}
	if (!xy_config_web_has_login(c)) {
		out->scopes = XY_WEB_READ | XY_WEB_METRICS;
		return true;
	}
	int ret = header ? xy_url_bearer(header, token, sizeof(token)) : -ENOENT;
	if (ret != -ENOENT) { // else it is meant for a proxy before us, as Basic is
		bool known = who_by_token(a, q, ret ? NULL : token, out);
		sodium_memzero(token, sizeof(token));
		return known;
	}
	s = session_find(a, q);
	if (s)
		who_by_session(out, s);
	return true;
}

// --- what changes something

// Does that page come by HTTPS where we do not speak it? It may where something before us does: on
// this host, or as it says in a header that no page can write into a request to elsewhere.
static bool is_before_us(const struct xy_http_request *q)
{
	const char *proto = xy_http_header(q, "X-Forwarded-Proto");
	return xy_http_is_from_here(q) || (proto && strcasecmp(proto, "https") == 0);
}

static unsigned port_of(const struct xy_url_host *h, bool tls)
{
	return h->port ? h->port : tls ? 443 : 80;
}

// A page elsewhere cannot lie about where it is from; who is no browser says nothing.
static bool is_from_us(const struct xy_http_request *q)
{
	const char *text = xy_http_header(q, "Origin"), *host = xy_http_header(q, "Host");
	const char *site = xy_http_header(q, "Sec-Fetch-Site");
	struct xy_url_host origin, ours;
	bool tls;
	if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return false;
	if (!text)
		return true;
	return host && xy_url_origin_parse(text, &tls, &origin) == 0 &&
	       xy_url_host_parse(host, &ours) == 0 && strcmp(origin.name, ours.name) == 0 &&
	       port_of(&origin, tls) == port_of(&ours, tls) &&
	       (tls == xy_http_is_tls(q) || (tls && is_before_us(q)));
}

static bool is_json(const struct xy_http_request *q)
{
	const char *type = xy_http_header(q, "Content-Type");
	size_t len;
	xy_http_body(q, &len);
	if (!type)
		return len == 0;
	size_t n = strcspn(type, "; ");
	return n == 16 && strncasecmp(type, "application/json", n) == 0;
}

bool xy_auth_may_send(struct xy_http_request *q)
{
	if (!is_json(q))
		xy_http_problem(q, 415, "send application/json, and say so in Content-Type");
	else if (!is_from_us(q))
		xy_http_problem(q, 403, "a page elsewhere may not do this (Origin)");
	else
		return true;
	return false;
}

bool xy_auth_may_act(struct xy_auth *a, struct xy_http_request *q, const struct xy_auth_who *who)
{
	const char *csrf = xy_http_header(q, "X-CSRF-Token");
	char given[sizeof(who->csrf)] = "";
	if (!xy_auth_may_send(q))
		return false;
	if (csrf && strlen(csrf) < sizeof(given))
		memcpy(given, csrf, strlen(csrf));
	if (!who->cookie || sodium_memcmp(given, who->csrf, sizeof(given)) == 0)
		return true;
	xy_http_problem(q, 403,
			"X-CSRF-Token is not what /api/v1/access says; load the page again");
	return false;
}

// --- login

static void look_at_next(struct xy_auth *a);

static void look(uv_work_t *work)
{
	struct attempt *t = work->data;
	errno = 0;
	t->right = crypto_pwhash_str_verify(t->hash, t->password, strlen(t->password)) == 0;
	t->failed = !t->right && errno != EINVAL; // which is what libsodium says of a wrong one
}

static void remember(struct xy_auth *a, struct attempt *t)
{
	char id[sizeof(t->device->id)];
	struct xy_device *d = t->device;
	if (!d || !d->id[0]) {
		random_text(id, sizeof(id), ID_BYTES);
		d = xy_devices_make(&a->devices, id, now_ms(a));
	}
	if (!d)
		return;
	d->used = now_ms(a);
	d->wrong = 0;
	set_cookie(t->q, a->device_cookie, d->id, XY_DEVICES_AGE_S);
}

static void logged_in(struct attempt *t)
{
	struct xy_auth *a = t->auth;
	struct xy_auth_who who;
	struct session *s = session_make(a);
	who_by_session(&who, s);
	set_cookie(t->q, a->cookie, s->id, XY_AUTH_WHOLE_S);
	remember(a, t);
	if (t->source)
		t->source->wrong = 0;
	xy_log_info("login: %s: a session begins", xy_http_from(t->q));
	t->then(a->web, t->q, &who);
	attempt_end(t);
}

static void looked(uv_work_t *work, int status)
{
	struct attempt *t = work->data;
	struct xy_auth *a = t->auth;
	if (!a) { // it ended meanwhile
		sodium_memzero(t->password, strlen(t->password));
		free(t->password);
		uv_close((uv_handle_t *)&t->timer, attempt_freed);
		return;
	}
	a->looking = false;
	if (status || t->failed)
		fail(t);
	else if (t->right)
		logged_in(t);
	else
		wrong(t);
	look_at_next(a);
}

static struct attempt *next_of(struct xy_auth *a)
{
	struct attempt *best = NULL;
	bool oldest = ++a->looks % XY_AUTH_OLDEST == 0;
	for (struct attempt *t = a->attempts; t; t = t->next) // the last is the oldest
		if (t->password && !t->work.data &&
		    (!best || !t->rank || (oldest && best->rank) || t->rank <= best->rank))
			best = t;
	return best;
}

static void look_at_next(struct xy_auth *a)
{
	struct attempt *t = a->looking ? NULL : next_of(a);
	if (!t)
		return;
	a->looking = true;
	t->work.data = t;
	if (uv_queue_work(a->web->loop, &t->work, look, looked)) {
		a->looking = false;
		t->work.data = NULL;
		fail(t);
	}
}

void xy_auth_login(struct xy_auth *a, struct xy_http_request *q, const char *password,
		   xy_auth_then *then)
{
	struct attempt *t;
	if (!a->web->config.password[0]) {
		xy_http_problem(q, 403,
				"there is no password: make one with `xylem-web --password`, and "
				"write it into the config");
		return;
	}
	if (strlen(password) > PASSWORD_MAX) {
		xy_http_problem(q, 400, "no password is that long");
		return;
	}
	t = attempt_begin(a, q);
	if (!t)
		return;
	t->then = then;
	t->password = strdup(password);
	if (t->password)
		look_at_next(a);
	else
		fail(t);
}

bool xy_auth_is_alive(struct xy_auth *a, const char *csrf)
{
	uint64_t now = now_ms(a);
	for (unsigned i = 0; i < XY_AUTH_SESSIONS; i++) {
		struct session *s = &a->sessions[i];
		if (!s->id[0] || strcmp(s->csrf, csrf) != 0 || is_over(s, now))
			continue;
		s->used = now;
		return true;
	}
	return false;
}

bool xy_auth_holds(struct xy_auth *a, const struct xy_auth_who *who)
{
	const struct xy_config_web *c = &a->web->config;
	if (who->csrf[0])
		return xy_auth_is_alive(a, who->csrf);
	for (unsigned i = 0; who->by_token && i < c->token_count; i++)
		if (memcmp(c->tokens[i].hash, who->token, sizeof(who->token)) == 0)
			return (who->scopes & ~c->tokens[i].scopes) == 0;
	return !who->by_token && !xy_config_web_has_login(c);
}

void xy_auth_sessions_end(struct xy_auth *a)
{
	sodium_memzero(a->sessions, sizeof(a->sessions));
}

void xy_auth_logout(struct xy_auth *a, struct xy_http_request *q)
{
	struct session *s = session_find(a, q);
	if (s) {
		sodium_memzero(s, sizeof(*s));
		xy_log_info("login: %s: a session ends", xy_http_from(q));
	}
	set_cookie(q, a->cookie, "", 0);
}

// --- begin and end

int xy_auth_create(struct xy_web *w, struct xy_auth **out)
{
	struct xy_auth *a = calloc(1, sizeof(*a));
	bool plain = strcmp(w->instance, "xylem") == 0;
	if (!a)
		return -ENOMEM;
	a->web = w;
	// cookies do not tell ports apart: instances of one machine would end each other's sessions
	snprintf(a->cookie, sizeof(a->cookie), "xylem%s%s", plain ? "" : "-",
		 plain ? "" : w->instance);
	snprintf(a->device_cookie, sizeof(a->device_cookie), "known-%s", a->cookie);
	*out = a;
	return 0;
}

void xy_auth_close(struct xy_auth *a)
{
	struct attempt *next;
	if (!a)
		return;
	for (struct attempt *t = a->attempts; t; t = next) {
		next = t->next;
		xy_http_problem(t->q, 503, "xylem-web ends");
		uv_timer_stop(&t->timer);
		if (t->work.data && !t->timing) // a helper has it
			t->auth = NULL;
		else
			attempt_end(t);
	}
	sodium_memzero(a, sizeof(*a));
	free(a);
}
