// SPDX-License-Identifier: BSD-3-Clause
// The connection to a server, the bucket, and requests. libnats' own reconnecting is not used: it
// hides why a server refuses, and goes on with what is not there any more. What is not answered
// twice has the next server tried.
#include "fleet/kvstate.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	CONNECT_MS = 3000,
	WAIT_MS = 3000, // for an answer
	PING_MS = 5000, // two without an answer: the connection is gone
	FAILURES = 2,	// of checks in a row: another server
	TROUBLE_AGE_S = 5,
	KEYS_PER_CHECK_S = 200,
	KEYS_AT_ONCE = 1000, // may be read again each XY_KV_LOOK_S
	BUCKET_REPLICAS = 3,
	BUCKET_AGE_DAYS = 30, // of what nobody says again
};
#define AGAIN	   (2 * XY_SEC) // a look that the stream was ahead of is looked at again
#define SYSTEM_CAS "/etc/ssl/certs/ca-certificates.crt"
#define URL_TLS	   "tls://"
#define SOON	   (500 * XY_MSEC)
#define TEARDOWN_S 3

xy_nsec xy_kv_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return (xy_nsec)t.tv_sec * XY_SEC + (xy_nsec)t.tv_nsec;
}

// Between 3/4 and 5/4 of it: many do not come at once.
static xy_nsec about(xy_nsec d)
{
	return d / 4 * 3 + d / 2 * randombytes_uniform(1001) / 1000;
}

void xy_kv_life_begin(struct xy_kv *kv)
{
	pthread_mutex_lock(&kv->lock);
	kv->lives++;
	pthread_mutex_unlock(&kv->lock);
}

void xy_kv_life_end(struct xy_kv *kv)
{
	pthread_mutex_lock(&kv->lock);
	kv->lives--;
	pthread_cond_broadcast(&kv->quiet);
	pthread_mutex_unlock(&kv->lock);
}

// --- what went wrong

static int errno_of(natsStatus s, jsErrCode code)
{
	switch (code) {
	case JSStreamWrongLastSequenceErr:
		return EEXIST;
	case JSStreamMessageExceedsMaximumErr:
		return EMSGSIZE;
	case JSStreamNotFoundErr:
		return ENOENT;
	default:
		break;
	}
	switch (s) {
	case NATS_TIMEOUT:
		return ETIMEDOUT;
	case NATS_NO_RESPONDERS:
		return EAGAIN;
	case NATS_CONNECTION_CLOSED:
	case NATS_CONNECTION_DISCONNECTED:
		return ENOTCONN;
	case NATS_NOT_PERMITTED:
	case NATS_CONNECTION_AUTH_FAILED:
		return EACCES;
	case NATS_NO_MEMORY:
		return ENOMEM;
	case NATS_MAX_PAYLOAD:
		return EMSGSIZE;
	default:
		return EIO;
	}
}

// Without the line of libnats' source.
static const char *last_error(natsStatus s)
{
	natsStatus own = NATS_OK;
	const char *text = nats_GetLastError(&own), *end;
	if (own != s || !text || !text[0])
		return natsStatus_GetText(s);
	end = text[0] == '(' ? strstr(text, "): ") : NULL;
	return end ? end + 3 : text;
}

int xy_kv_err(struct xy_kv *kv, natsStatus s, jsErrCode code, const char *what, struct xy_err *err)
{
	char trouble[sizeof(kv->trouble)] = "";
	pthread_mutex_lock(&kv->lock);
	// A request that may not be made is refused beside it, and then only not answered.
	if (s == NATS_TIMEOUT && kv->trouble_at &&
	    xy_kv_now() - kv->trouble_at < TROUBLE_AGE_S * XY_SEC)
		snprintf(trouble, sizeof(trouble), "%s", kv->trouble);
	pthread_mutex_unlock(&kv->lock);
	if (trouble[0])
		return xy_err_set(err, strstr(trouble, "ermission") ? EACCES : ETIMEDOUT, "%s: %s",
				  what, trouble);
	if (s == NATS_NO_RESPONDERS)
		return xy_err_set(
			err, EAGAIN,
			"%s: JetStream does not answer (it is not enabled at the server or for "
			"this account, or has no leader now)",
			what);
	if (s == NATS_TIMEOUT)
		return xy_err_set(err, ETIMEDOUT, "%s: no answer within %d s", what,
				  WAIT_MS / 1000);
	return xy_err_set(err, errno_of(s, code), "%s: %s", what, last_error(s));
}

// --- libnats' threads

static void on_closed(natsConnection *nc, void *arg)
{
	struct kv_wire *wire = arg;
	struct xy_kv *kv = wire->kv;
	pthread_mutex_lock(&kv->lock);
	bool news = !wire->over;
	if (kv->wire == wire) {
		kv->wire = NULL;
		kv->lost = true;
	}
	pthread_mutex_unlock(&kv->lock);
	if (news)
		kv->ops.wake(kv->arg);
	free(wire);
	xy_kv_life_end(kv);
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *arg)
{
	struct kv_wire *wire = arg;
	struct xy_kv *kv = wire->kv;
	const char *text = NULL;
	natsConnection_GetLastError(nc, &text);
	pthread_mutex_lock(&kv->lock);
	bool news = !wire->over;
	if (news) {
		kv->look_wanted = true;
		kv->trouble_at = xy_kv_now();
		snprintf(kv->trouble, sizeof(kv->trouble), "%s",
			 s == NATS_NOT_PERMITTED && text && text[0] ? text : natsStatus_GetText(s));
	}
	pthread_mutex_unlock(&kv->lock);
	if (news)
		kv->ops.wake(kv->arg);
}

// --- connecting

// The server without who logs in.
static const char *shown(const char *url, char out[static 200])
{
	const char *scheme = strstr(url, "://"), *at = strrchr(url, '@');
	int head = scheme ? (int)(scheme + 3 - url) : 0;
	snprintf(out, 200, "%.*s%s", head, url, at ? at + 1 : url + head);
	return out;
}

static natsStatus secure(struct xy_kv *kv, natsOptions *o, const char *url)
{
	bool tls = strncmp(url, URL_TLS, strlen(URL_TLS)) == 0 || kv->ca || kv->cert;
	if (!tls)
		return NATS_OK;
	natsStatus s = natsOptions_SetSecure(o, true);
	s = s ?: natsOptions_LoadCATrustedCertificates(o, kv->ca ? kv->ca : SYSTEM_CAS);
	if (kv->cert)
		s = s ?: natsOptions_LoadCertificatesChain(o, kv->cert, kv->key_file);
	return s;
}

static natsStatus options(struct xy_kv *kv, const char *url, struct kv_wire *wire,
			  natsOptions **out)
{
	natsOptions *o = NULL;
	natsStatus s = natsOptions_Create(&o);
	s = s ?: natsOptions_SetURL(o, url);
	s = s ?: natsOptions_SetTimeout(o, CONNECT_MS);
	s = s ?: natsOptions_SetAllowReconnect(o, false);
	s = s ?: natsOptions_SetFailRequestsOnDisconnect(o, true);
	s = s ?: natsOptions_SetIgnoreDiscoveredServers(o, true);
	s = s ?: natsOptions_SetPingInterval(o, PING_MS);
	s = s ?: natsOptions_SetMaxPingsOut(o, 2);
	s = s ?: natsOptions_SetWriteDeadline(o, WAIT_MS);
	s = s ?: natsOptions_SetName(o, kv->name);
	s = s ?: natsOptions_SetClosedCB(o, on_closed, wire);
	s = s ?: natsOptions_SetErrorHandler(o, on_error, wire);
	s = s ?: secure(kv, o, url);
	if (kv->creds)
		s = s ?: natsOptions_SetUserCredentialsFromFiles(o, kv->creds, NULL);
	*out = o;
	return s;
}

// What libnats says of a handshake, in words that name what to look at.
static void explain(struct xy_kv *kv, natsStatus s, const char *text, char *out, size_t size)
{
	const char *ca = kv->ca ? kv->ca : SYSTEM_CAS;
	if (strstr(text, "ostname mismatch") || strstr(text, "IP address mismatch"))
		snprintf(out, size, "its certificate is not for the name by which it is called");
	else if (s == NATS_SSL_ERROR && strstr(text, "certificate"))
		snprintf(out, size, "its certificate is not believed by %s (%.80s)", ca, text);
	else if (s == NATS_SECURE_CONNECTION_WANTED)
		snprintf(out, size, "it does not speak TLS");
	else if (s == NATS_CONNECTION_AUTH_FAILED && kv->creds)
		snprintf(out, size, "it refuses who we are by %s: %.80s", kv->creds, text);
	else if (s == NATS_CONNECTION_AUTH_FAILED)
		snprintf(out, size, "it refuses who we are: %.80s", text);
	else
		snprintf(out, size, "%.120s", text);
}

// Whose callbacks count from now on.
static void set_wire(struct xy_kv *kv, struct kv_wire *wire)
{
	pthread_mutex_lock(&kv->lock);
	kv->wire = wire;
	kv->lost = kv->look_wanted = false;
	kv->trouble_at = 0;
	pthread_mutex_unlock(&kv->lock);
}

static int dial(struct xy_kv *kv, const char *url, struct xy_err *err)
{
	natsOptions *o = NULL;
	char text[320], where[200];
	struct kv_wire *wire = calloc(1, sizeof(*wire));
	if (!wire)
		return xy_err_set(err, ENOMEM, "no memory");
	wire->kv = kv;
	natsStatus s = options(kv, url, wire, &o);
	set_wire(kv, wire); // it may be closed before Connect is back
	xy_kv_life_begin(kv);
	s = s ?: natsConnection_Connect(&kv->nc, o);
	natsOptions_Destroy(o);
	if (s == NATS_OK)
		return 0; // on_closed ends the wire
	set_wire(kv, NULL);
	xy_kv_life_end(kv);
	free(wire);
	explain(kv, s, last_error(s), text, sizeof(text));
	return xy_err_set(err, errno_of(s, 0), "%s: %s", shown(url, where), text);
}

static void hang_up(struct xy_kv *kv)
{
	xy_kv_look_end(kv);
	pthread_mutex_lock(&kv->lock);
	if (kv->wire)
		kv->wire->over = true;
	kv->wire = NULL;
	pthread_mutex_unlock(&kv->lock);
	jsCtx_Destroy(kv->js);
	kv->js = NULL;
	natsConnection_Destroy(kv->nc);
	kv->nc = NULL;
}

// --- the bucket

static int make_bucket(struct xy_kv *kv, struct xy_err *err)
{
	kvConfig c;
	kvStore *store = NULL;
	kvConfig_Init(&c);
	c.Bucket = kv->bucket;
	c.Description = "records of Xylem nodes";
	c.History = 1;
	c.MaxValueSize = XY_KV_VALUE;
	c.TTL = BUCKET_AGE_DAYS * (int64_t)86400 * 1000000000;
	c.StorageType = js_FileStorage;
	c.Replicas = BUCKET_REPLICAS;
	natsStatus s = js_CreateKeyValue(&store, kv->js, &c);
	const char *text = nats_GetLastError(NULL);
	if (s != NATS_OK && text && strstr(text, "non-clustered")) { // a server alone
		c.Replicas = 1;
		s = js_CreateKeyValue(&store, kv->js, &c);
	}
	kvStore_Destroy(store);
	return s == NATS_OK ? 0 : xy_kv_err(kv, s, 0, "it cannot be made here", err);
}

static int stream_info(struct xy_kv *kv, jsStreamInfo **info, struct xy_err *err)
{
	jsErrCode code = 0;
	natsStatus s = js_GetStreamInfo(info, kv->js, kv->stream, NULL, &code);
	if (s == NATS_NOT_FOUND)
		return xy_err_set(err, ENOENT, "there is no bucket %s", kv->bucket);
	return s == NATS_OK ? 0 : xy_kv_err(kv, s, code, "cannot ask for the bucket", err);
}

// Where the stream is now; a new leader, or one that has less than there was, is told.
static void take_info(struct xy_kv *kv, const jsStreamInfo *info)
{
	const char *leader = info->Cluster && info->Cluster->Leader ? info->Cluster->Leader : "";
	bool other = kv->leader[0] && leader[0] && strcmp(kv->leader, leader) != 0;
	bool less = info->State.LastSeq < kv->last;
	if (leader[0])
		snprintf(kv->leader, sizeof(kv->leader), "%s", leader);
	kv->last = info->State.LastSeq;
	kv->lessened += less;
	kv->made = (uint64_t)info->Created + kv->lessened;
	if (other || less)
		kv->ops.event(kv->arg, XY_KV_LEADER, NULL, leader);
	if (less) {
		pthread_mutex_lock(&kv->lock);
		kv->look_wanted = true;
		pthread_mutex_unlock(&kv->lock);
	}
}

static int find_bucket(struct xy_kv *kv, struct xy_err *err)
{
	jsStreamInfo *info = NULL;
	struct xy_err why = {""};
	int e = stream_info(kv, &info, err);
	if (e == -ENOENT && kv->make) {
		e = make_bucket(kv, &why);
		e = e ?: stream_info(kv, &info, &why);
		if (e)
			return xy_err_set(err, -e,
					  "there is no bucket %s, and %s. To make it: nats kv add "
					  "%s --history 1 "
					  "--replicas 3 --max-value-size %d",
					  kv->bucket, why.text, kv->bucket, XY_KV_VALUE);
	}
	if (e == -ENOENT)
		return xy_err_set(err, ENOENT,
				  "there is no bucket %s. To make it: nats kv add %s --history 1 "
				  "--replicas 3",
				  kv->bucket, kv->bucket);
	if (e)
		return e;
	take_info(kv, info);
	jsStreamInfo_Destroy(info);
	return 0;
}

static void plan_check(struct xy_kv *kv)
{
	kv->check_at = xy_kv_now() +
		       about((XY_KV_CHECK_S + xy_kv_look_keys(kv) / KEYS_PER_CHECK_S) * XY_SEC);
}

static void plan_look(struct xy_kv *kv, xy_nsec from)
{
	kv->planned = xy_kv_look_keys(kv);
	uint64_t times = kv->planned > KEYS_AT_ONCE ? kv->planned : KEYS_AT_ONCE;
	kv->look_at = from + about(XY_KV_LOOK_S * XY_SEC / 4 * 3 * times / KEYS_AT_ONCE);
}

static int begin_look(struct xy_kv *kv, struct xy_err *err)
{
	pthread_mutex_lock(&kv->lock);
	kv->look_wanted = false;
	pthread_mutex_unlock(&kv->lock);
	kv->behind = 0;
	plan_look(kv, xy_kv_now());
	return xy_kv_look_begin(kv, err);
}

static int join(struct xy_kv *kv, const char *url, struct xy_err *err)
{
	struct xy_err why = {""};
	char where[200];
	jsOptions o;
	int e = dial(kv, url, err);
	if (e)
		return e;
	jsOptions_Init(&o);
	o.Wait = WAIT_MS;
	natsStatus s = natsConnection_JetStream(&kv->js, kv->nc, &o);
	e = s == NATS_OK ? find_bucket(kv, &why) : xy_kv_err(kv, s, 0, "no JetStream", &why);
	e = e ?: begin_look(kv, &why);
	if (!e) {
		kv->failures = 0;
		plan_check(kv);
		return 0;
	}
	hang_up(kv);
	return xy_err_set(err, -e, "%s: %s", shown(url, where), why.text);
}

int xy_kv_connect(struct xy_kv *kv, struct xy_err *err)
{
	unsigned order[XY_KV_SERVERS];
	struct xy_err each;
	size_t used = 0;
	int e = -ENOTCONN;
	hang_up(kv);
	for (unsigned i = 0; i < kv->server_count; i++)
		order[i] = i;
	for (unsigned i = kv->server_count; i > 1; i--) {
		unsigned k = randombytes_uniform(i), t = order[i - 1];
		order[i - 1] = order[k];
		order[k] = t;
	}
	err->text[0] = 0;
	for (unsigned i = 0; i < kv->server_count && !xy_kv_is_closing(kv); i++) {
		e = join(kv, kv->servers[order[i]], &each);
		if (!e)
			return 0;
		if (strstr(err->text, each.text)) // of two that are called alike
			continue;
		int n = snprintf(err->text + used, sizeof(err->text) - used, "%s%s",
				 used ? "; " : "", each.text);
		used = used + (size_t)n < sizeof(err->text) ? used + (size_t)n
							    : sizeof(err->text) - 1;
	}
	return e;
}

bool xy_kv_is_connected(const struct xy_kv *kv)
{
	return kv->nc != NULL;
}

// --- looking after it

// Is what was heard all that there is?
static int check(struct xy_kv *kv, struct xy_err *err)
{
	jsStreamInfo *info = NULL;
	int e = stream_info(kv, &info, err);
	plan_check(kv);
	if (e) {
		kv->behind = 0;
		kv->check_at = xy_kv_now() + about(AGAIN);
		return ++kv->failures >= FAILURES || e == -ENOENT ? e : 0;
	}
	kv->failures = 0;
	take_info(kv, info);
	jsStreamInfo_Destroy(info);
	pthread_mutex_lock(&kv->lock);
	uint64_t last = kv->look ? kv->look->last : 0;
	bool whole = kv->look && kv->look->whole;
	if (kv->behind && last < kv->behind)
		kv->look_wanted = true;
	kv->behind = 0;
	if (whole && last < kv->last) {
		kv->behind = kv->last;
		kv->check_at = xy_kv_now() + AGAIN;
	}
	pthread_mutex_unlock(&kv->lock);
	return 0;
}

static int due_look(struct xy_kv *kv, xy_nsec now, struct xy_err *err)
{
	pthread_mutex_lock(&kv->lock);
	bool wanted = kv->look_wanted;
	pthread_mutex_unlock(&kv->lock);
	wanted = wanted && now >= kv->looked_at + AGAIN;
	// the first look did not know how many keys it would find
	if (!wanted && now >= kv->look_at && xy_kv_look_keys(kv) > kv->planned)
		plan_look(kv, kv->looked_at);
	if (!wanted && now < kv->look_at)
		return 0;
	int e = begin_look(kv, err);
	if (e && ++kv->failures < FAILURES) {
		kv->look_at = xy_kv_now() + about(AGAIN);
		return 0;
	}
	return e;
}

static int until(struct xy_kv *kv)
{
	xy_nsec now = xy_kv_now(), next = kv->check_at < kv->look_at ? kv->check_at : kv->look_at;
	pthread_mutex_lock(&kv->lock);
	if (kv->look_wanted && kv->looked_at + AGAIN < next)
		next = kv->looked_at + AGAIN;
	pthread_mutex_unlock(&kv->lock);
	return next > now ? (int)((next - now) / XY_MSEC + 1) : 1;
}

int xy_kv_tend(struct xy_kv *kv, struct xy_err *err)
{
	xy_nsec now = xy_kv_now();
	if (!kv->nc)
		return xy_err_set(err, ENOTCONN, "not connected");
	pthread_mutex_lock(&kv->lock);
	bool lost = kv->lost;
	pthread_mutex_unlock(&kv->lock);
	int e = 0;
	if (lost) {
		const char *text = NULL;
		natsStatus s = natsConnection_GetLastError(kv->nc, &text);
		e = xy_err_set(err, ENOTCONN, "the connection ended: %s",
			       text && text[0] ? text
					       : natsStatus_GetText(s ?: NATS_CONNECTION_CLOSED));
	}
	if (!e && now >= kv->check_at)
		e = check(kv, err);
	if (!e)
		e = due_look(kv, now, err);
	if (!e)
		return until(kv);
	hang_up(kv);
	return -ENOTCONN;
}

void xy_kv_tell_again(struct xy_kv *kv)
{
	xy_kv_look_forget(kv);
	pthread_mutex_lock(&kv->lock);
	kv->look_wanted = true;
	pthread_mutex_unlock(&kv->lock);
	kv->looked_at = 0;
}

// --- requests

static int subject(struct xy_kv *kv, const char *key, char out[static 256], struct xy_err *err)
{
	if (!kv->nc)
		return xy_err_set(err, ENOTCONN, "not connected");
	if (strlen(key) > XY_KV_KEY)
		return xy_err_set(err, EINVAL, "the key %.40s... is too long", key);
	snprintf(out, 256, "%s%s", kv->prefix, key);
	return 0;
}

int xy_kv_get(struct xy_kv *kv, const char *key, uint8_t value[static XY_KV_VALUE],
	      struct xy_kv_entry *out, struct xy_err *err)
{
	char subj[256];
	natsMsg *msg = NULL;
	jsErrCode code = 0;
	*out = (struct xy_kv_entry){.key = key, .made = kv->made};
	int e = subject(kv, key, subj, err);
	if (e)
		return e;
	natsStatus s = js_GetLastMsg(&msg, kv->js, kv->stream, subj, NULL, &code);
	if (s == NATS_NOT_FOUND && code == JSNoMessageFoundErr)
		return 0;
	if (s != NATS_OK)
		return xy_kv_err(kv, s, code, "cannot read", err);
	out->revision = natsMsg_GetSequence(msg);
	out->gone = xy_kv_is_marker(msg);
	out->len = (size_t)natsMsg_GetDataLength(msg);
	if (out->len <= XY_KV_VALUE && !out->gone) {
		memcpy(value, natsMsg_GetData(msg), out->len);
		out->value = value;
	}
	natsMsg_Destroy(msg);
	return 0;
}

static int publish(struct xy_kv *kv, natsMsg *msg, uint64_t bound, uint64_t *revision,
		   struct xy_err *err)
{
	jsPubOptions o;
	jsPubAck *ack = NULL;
	jsErrCode code = 0;
	jsPubOptions_Init(&o);
	o.MaxWait = WAIT_MS;
	o.ExpectNoMessage = !bound;
	if (bound != XY_KV_ANY)
		o.ExpectLastSubjectSeq = bound;
	natsStatus s = js_PublishMsg(&ack, kv->js, msg, &o, &code);
	if (s == NATS_OK && revision)
		*revision = ack->Sequence;
	jsPubAck_Destroy(ack);
	if (code == JSStreamWrongLastSequenceErr)
		return xy_err_set(err, EEXIST, "somebody else has written it");
	return s == NATS_OK ? 0 : xy_kv_err(kv, s, code, "cannot write", err);
}

int xy_kv_put(struct xy_kv *kv, const char *key, const void *value, size_t len, uint64_t bound,
	      uint64_t *revision, struct xy_err *err)
{
	char subj[256];
	natsMsg *msg = NULL;
	int e = subject(kv, key, subj, err);
	if (!e && natsMsg_Create(&msg, subj, NULL, value, (int)len) != NATS_OK)
		e = xy_err_set(err, ENOMEM, "no memory");
	e = e ?: publish(kv, msg, bound, revision, err);
	natsMsg_Destroy(msg);
	return e;
}

int xy_kv_delete(struct xy_kv *kv, const char *key, uint64_t bound, struct xy_err *err)
{
	char subj[256];
	natsMsg *msg = NULL;
	int e = subject(kv, key, subj, err);
	if (!e && (natsMsg_Create(&msg, subj, NULL, NULL, 0) != NATS_OK ||
		   natsMsgHeader_Set(msg, "KV-Operation", "DEL") != NATS_OK))
		e = xy_err_set(err, ENOMEM, "no memory");
	e = e ?: publish(kv, msg, bound, NULL, err);
	natsMsg_Destroy(msg);
	return e;
}

// --- begin and end

static char *copy(const char *text, bool *failed)
{
	if (!text || !text[0])
		return NULL;
	char *c = strdup(text);
	*failed = *failed || !c;
	return c;
}

__attribute__((format(printf, 2, 3))) static char *print(bool *failed, const char *fmt, ...)
{
	char *out = NULL;
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(&out, fmt, ap) < 0) {
		out = NULL;
		*failed = true;
	}
	va_end(ap);
	return out;
}

static void drop(struct xy_kv *kv)
{
	for (unsigned i = 0; i < kv->server_count; i++)
		free(kv->servers[i]);
	free(kv->servers);
	free(kv->bucket);
	free(kv->creds);
	free(kv->ca);
	free(kv->cert);
	free(kv->key_file);
	free(kv->name);
	free(kv->stream);
	free(kv->filter);
	free(kv->prefix);
	xy_kv_look_fini(kv);
	pthread_mutex_destroy(&kv->lock);
	pthread_mutex_destroy(&kv->telling);
	pthread_cond_destroy(&kv->quiet);
	free(kv);
}

int xy_kv_open(const struct xy_kv_config *c, const struct xy_kv_ops *ops, void *arg,
	       struct xy_kv **out)
{
	bool failed = false;
	struct xy_kv *kv = calloc(1, sizeof(*kv));
	if (!kv)
		return -ENOMEM;
	pthread_mutex_init(&kv->lock, NULL);
	pthread_mutex_init(&kv->telling, NULL);
	pthread_cond_init(&kv->quiet, NULL);
	kv->ops = *ops;
	kv->arg = arg;
	kv->make = c->make;
	kv->servers = calloc(XY_KV_SERVERS, sizeof(*kv->servers));
	failed = !kv->servers || xy_kv_look_init(kv) || nats_Open(-1) != NATS_OK;
	for (unsigned i = 0; !failed && i < c->server_count && i < XY_KV_SERVERS; i++)
		kv->servers[kv->server_count++] = copy(c->servers[i], &failed);
	kv->bucket = copy(c->bucket, &failed);
	kv->creds = copy(c->creds, &failed);
	kv->ca = copy(c->ca, &failed);
	kv->cert = copy(c->cert, &failed);
	kv->key_file = copy(c->key, &failed);
	kv->name = copy(c->name ? c->name : "xylem-fleet", &failed);
	kv->stream = print(&failed, "KV_%s", c->bucket);
	kv->prefix = print(&failed, "$KV.%s.", c->bucket);
	kv->filter = print(&failed, "$KV.%s.>", c->bucket);
	if (failed) {
		drop(kv);
		return -ENOMEM;
	}
	*out = kv;
	return 0;
}

void xy_kv_poke(struct xy_kv *kv)
{
	pthread_mutex_lock(&kv->lock);
	kv->closing = true;
	pthread_mutex_unlock(&kv->lock);
}

bool xy_kv_is_closing(const struct xy_kv *kv)
{
	struct xy_kv *k = (struct xy_kv *)kv; // its lock alone
	pthread_mutex_lock(&k->lock);
	bool closing = k->closing;
	pthread_mutex_unlock(&k->lock);
	return closing;
}

void xy_kv_close(struct xy_kv *kv)
{
	struct timespec end;
	if (!kv)
		return;
	xy_kv_poke(kv);
	hang_up(kv);
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += TEARDOWN_S;
	pthread_mutex_lock(&kv->lock);
	while (kv->lives && pthread_cond_timedwait(&kv->quiet, &kv->lock, &end) != ETIMEDOUT)
		;
	bool quiet = !kv->lives;
	pthread_mutex_unlock(&kv->lock);
	for (xy_kv_look_reap(kv, SOON); kv->dead; xy_kv_look_reap(kv, SOON))
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	if (quiet) // else libnats may still call: what it needs stays until the process ends
		drop(kv);
}
