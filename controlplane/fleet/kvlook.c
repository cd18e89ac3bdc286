// SPDX-License-Identifier: BSD-3-Clause
// The look at a bucket: a consumer that begins with the last state of each key and goes on with
// changes. Its server may die and leave it silent, so it is only ever believed for a while (kv.c);
// what is told is the difference to what was told before, by any look. libnats' ordered consumers
// make themselves anew instead, on a thread of theirs: an Unsubscribe meanwhile reads freed memory
// (3.4.1), and they may give up without a word.
#include "fleet/kvstate.h"

#include "base/grow.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { PENDING_MESSAGES = 8192, PENDING_BYTES = 16 << 20, HEARTBEAT_S = 5 };
#define BURIED (60 * XY_SEC)

int xy_kv_look_init(struct xy_kv *kv)
{
	randombytes_buf(kv->secret, sizeof(kv->secret));
	return xy_map_init(&kv->index);
}

void xy_kv_look_fini(struct xy_kv *kv)
{
	for (uint32_t i = 0; i < kv->known_count; i++)
		free(kv->known[i].key);
	free(kv->known);
	xy_map_fini(&kv->index);
}

static uint64_t hash(const struct xy_kv *kv, const char *key)
{
	uint64_t h;
	_Static_assert(sizeof(h) == crypto_shorthash_BYTES, "");
	crypto_shorthash((uint8_t *)&h, (const uint8_t *)key, strlen(key), kv->secret);
	return h;
}

static struct kv_known *find(struct xy_kv *kv, const char *key)
{
	uint32_t at;
	if (!xy_map_get(&kv->index, hash(kv, key), &at) || strcmp(kv->known[at].key, key) != 0)
		return NULL;
	return &kv->known[at];
}

// NULL: no memory, or too many.
static struct kv_known *add(struct xy_kv *kv, const char *key)
{
	struct kv_known *more = xy_grow(kv->known, &kv->known_room, kv->known_count, sizeof(*more));
	if (!more)
		return NULL;
	kv->known = more;
	char *copy = strdup(key);
	if (!copy || xy_map_set(&kv->index, hash(kv, key), kv->known_count)) {
		free(copy);
		return NULL;
	}
	struct kv_known *k = &kv->known[kv->known_count++];
	*k = (struct kv_known){.key = copy};
	return k;
}

// The last takes its place.
static void drop(struct xy_kv *kv, struct kv_known *k)
{
	struct kv_known *last = &kv->known[kv->known_count - 1];
	xy_map_del(&kv->index, hash(kv, k->key));
	free(k->key);
	if (k != last) {
		*k = *last;
		xy_map_set(&kv->index, hash(kv, k->key), (uint32_t)(k - kv->known)); // is there
	}
	kv->known_count--;
}

uint32_t xy_kv_look_keys(struct xy_kv *kv)
{
	pthread_mutex_lock(&kv->lock);
	uint32_t n = kv->known_count;
	pthread_mutex_unlock(&kv->lock);
	return n;
}

void xy_kv_look_forget(struct xy_kv *kv)
{
	pthread_mutex_lock(&kv->lock);
	for (uint32_t i = 0; i < kv->known_count; i++)
		kv->known[i].told = false;
	pthread_mutex_unlock(&kv->lock);
}

// --- what is told

static void digest(const struct xy_kv_entry *e, const void *value, uint8_t out[static 16])
{
	crypto_generichash(out, 16, value, e->len, NULL, 0);
}

enum verdict { NOTHING, TELL, OVERFULL };

// With the lock held: is it news?
static enum verdict judge(struct xy_kv *kv, struct kv_look *look, const struct xy_kv_entry *e,
			  const void *value)
{
	struct kv_known *k = find(kv, e->key);
	if (e->gone) {
		if (k)
			drop(kv, k);
		return k ? TELL : NOTHING;
	}
	uint8_t d[16];
	digest(e, value, d);
	if (!k && (kv->known_count >= XY_KV_KEYS || !(k = add(kv, e->key)))) {
		bool said = kv->overfull;
		kv->overfull = true;
		return said ? NOTHING : OVERFULL;
	}
	k->look = look->number;
	if (k->told && memcmp(k->digest, d, sizeof(d)) == 0)
		return NOTHING;
	memcpy(k->digest, d, sizeof(d));
	k->told = true;
	return TELL;
}

static void tell_entry(struct kv_look *look, const struct xy_kv_entry *e, const void *value)
{
	struct xy_kv *kv = look->kv;
	pthread_mutex_lock(&kv->lock);
	enum verdict v = look->over ? NOTHING : judge(kv, look, e, value);
	pthread_mutex_unlock(&kv->lock);
	if (v == TELL)
		kv->ops.event(kv->arg, XY_KV_ENTRY, e, NULL);
	else if (v == OVERFULL)
		kv->ops.event(kv->arg, XY_KV_TROUBLE, NULL,
			      "the bucket has too many keys: further ones are not looked at");
}

// One that the whole look did not see is gone. False: there is none from *at on.
static bool tell_one_gone(struct kv_look *look, uint32_t *at)
{
	struct xy_kv *kv = look->kv;
	char key[XY_KV_KEY + 1] = "";
	pthread_mutex_lock(&kv->lock);
	while (*at < kv->known_count && !look->over && kv->known[*at].look >= look->number)
		++*at;
	if (*at < kv->known_count && !look->over) {
		snprintf(key, sizeof(key), "%s", kv->known[*at].key);
		drop(kv, &kv->known[*at]); // the last stands there now
	}
	pthread_mutex_unlock(&kv->lock);
	if (!key[0])
		return false;
	struct xy_kv_entry e = {.key = key, .gone = true};
	kv->ops.event(kv->arg, XY_KV_ENTRY, &e, NULL);
	return true;
}

static void tell_whole(struct kv_look *look)
{
	struct xy_kv *kv = look->kv;
	uint32_t at = 0;
	while (tell_one_gone(look, &at))
		;
	pthread_mutex_lock(&kv->lock);
	bool over = look->over;
	kv->overfull = kv->overfull && kv->known_count >= XY_KV_KEYS;
	pthread_mutex_unlock(&kv->lock);
	if (!over)
		kv->ops.event(kv->arg, XY_KV_WHOLE, NULL, NULL);
}

// --- libnats' threads

bool xy_kv_is_marker(natsMsg *msg)
{
	const char *op = NULL;
	if (natsMsgHeader_Get(msg, "KV-Operation", &op) != NATS_OK || !op)
		return false;
	return strcmp(op, "DEL") == 0 || strcmp(op, "PURGE") == 0;
}

// True: it was the last of those that were there when the look began.
static bool note(struct kv_look *look, const jsMsgMetaData *meta)
{
	struct xy_kv *kv = look->kv;
	pthread_mutex_lock(&kv->lock);
	look->seen++;
	bool lost = look->seen != meta->Sequence.Consumer && !look->over; // some were, on the way
	look->seen = meta->Sequence.Consumer;
	kv->look_wanted = kv->look_wanted || lost;
	if (meta->Sequence.Stream > look->last)
		look->last = meta->Sequence.Stream;
	bool whole = !look->whole && (!meta->NumPending || look->seen >= look->pending);
	look->whole = look->whole || whole;
	pthread_mutex_unlock(&kv->lock);
	if (lost)
		kv->ops.wake(kv->arg);
	return whole;
}

static void heard(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *arg)
{
	struct kv_look *look = arg;
	struct xy_kv *kv = look->kv;
	jsMsgMetaData *meta = NULL;
	size_t skip = strlen(kv->prefix);
	const char *subject = natsMsg_GetSubject(msg);
	if (natsMsg_GetMetaData(&meta, msg) != NATS_OK) { // a heartbeat or the like
		natsMsg_Destroy(msg);
		return;
	}
	pthread_mutex_lock(&kv->telling);
	if (strncmp(subject, kv->prefix, skip) == 0 && strlen(subject + skip) <= XY_KV_KEY &&
	    kv->ops.wants(subject + skip)) {
		struct xy_kv_entry e = {.key = subject + skip,
					.len = (size_t)natsMsg_GetDataLength(msg),
					.revision = meta->Sequence.Stream,
					.at = (uint64_t)meta->Timestamp / 1000000000,
					.gone = xy_kv_is_marker(msg)};
		const void *value = natsMsg_GetData(msg);
		e.value = e.len <= XY_KV_VALUE && !e.gone ? value : NULL;
		tell_entry(look, &e, value);
	}
	if (note(look, meta))
		tell_whole(look);
	pthread_mutex_unlock(&kv->telling);
	jsMsgMetaData_Destroy(meta);
	natsMsg_Destroy(msg);
}

static void ended(void *arg)
{
	struct kv_look *look = arg;
	struct xy_kv *kv = look->kv;
	pthread_mutex_lock(&kv->lock);
	bool ours = kv->look == look; // the connection ended before the look was
	look->ended = true;
	pthread_mutex_unlock(&kv->lock);
	if (!ours)
		free(look);
	xy_kv_life_end(kv);
}

// --- the owner's thread

void xy_kv_look_end(struct xy_kv *kv)
{
	pthread_mutex_lock(&kv->lock);
	struct kv_look *look = kv->look;
	kv->look = NULL;
	if (look)
		look->over = true;
	natsSubscription *sub = look ? look->sub : NULL;
	bool ended_already = look && look->ended;
	pthread_mutex_unlock(&kv->lock);
	if (ended_already)
		free(look);
	if (!sub)
		return;
	natsSubscription_Unsubscribe(sub); // and the server's consumer goes; `ended` frees the look
	natsSubscription_Destroy(sub);
}

// How much is there to be heard first? All of it may have been already.
static int begun(struct xy_kv *kv, struct kv_look *look, struct xy_err *err)
{
	jsConsumerInfo *info = NULL;
	jsErrCode code = 0;
	natsStatus s = natsSubscription_GetConsumerInfo(&info, look->sub, NULL, &code);
	if (s != NATS_OK)
		return xy_kv_err(kv, s, code, "cannot look at the bucket", err);
	bool empty = !info->NumPending && !info->Delivered.Consumer;
	pthread_mutex_lock(&kv->lock);
	look->pending = info->NumPending + info->Delivered.Consumer;
	bool whole = !look->whole && (empty || look->seen >= look->pending);
	look->whole = look->whole || whole;
	pthread_mutex_unlock(&kv->lock);
	jsConsumerInfo_Destroy(info);
	if (whole) {
		pthread_mutex_lock(&kv->telling);
		tell_whole(look);
		pthread_mutex_unlock(&kv->telling);
	}
	return 0;
}

// It was never one, but libnats may be in its callback: kept for a while.
static void bury(struct xy_kv *kv, struct kv_look *look)
{
	pthread_mutex_lock(&kv->lock);
	look->over = true;
	pthread_mutex_unlock(&kv->lock);
	look->died = xy_kv_now();
	look->next = kv->dead;
	kv->dead = look;
}

void xy_kv_look_reap(struct xy_kv *kv, xy_nsec age)
{
	xy_nsec now = xy_kv_now();
	for (struct kv_look **at = &kv->dead, *it; (it = *at);)
		if (it->died + age > now)
			at = &it->next;
		else {
			*at = it->next;
			free(it);
		}
}

static void set_look(struct xy_kv *kv, struct kv_look *look)
{
	pthread_mutex_lock(&kv->lock);
	kv->look = look;
	pthread_mutex_unlock(&kv->lock);
}

int xy_kv_look_begin(struct xy_kv *kv, struct xy_err *err)
{
	jsSubOptions o;
	jsErrCode code = 0;
	xy_kv_look_end(kv);
	xy_kv_look_reap(kv, BURIED);
	struct kv_look *look = calloc(1, sizeof(*look));
	if (!look)
		return xy_err_set(err, ENOMEM, "no memory");
	pthread_mutex_lock(&kv->lock);
	*look = (struct kv_look){
		.kv = kv, .number = ++kv->looks, .pending = UINT64_MAX, .last = kv->last};
	pthread_mutex_unlock(&kv->lock);
	jsSubOptions_Init(&o);
	o.Stream = kv->stream;
	o.Config.AckPolicy = js_AckNone;
	o.Config.MaxDeliver = 1;
	o.Config.DeliverPolicy = js_DeliverLastPerSubject;
	o.Config.FlowControl = true;
	o.Config.Heartbeat = HEARTBEAT_S * (int64_t)1000000000;
	o.Config.MemoryStorage = true;
	o.Config.Replicas = 1;
	natsStatus s = js_Subscribe(&look->sub, kv->js, kv->filter, heard, look, NULL, &o, &code);
	if (s != NATS_OK) {
		bury(kv, look);
		return xy_kv_err(kv, s, code, "cannot look at the bucket", err);
	}
	xy_kv_life_begin(kv);
	natsSubscription_SetPendingLimits(look->sub, PENDING_MESSAGES, PENDING_BYTES);
	set_look(kv, look); // before `ended` may ask
	if (natsSubscription_SetOnCompleteCB(look->sub, ended, look) != NATS_OK) {
		set_look(kv, NULL);
		natsSubscription_Destroy(look->sub);
		xy_kv_life_end(kv);
		bury(kv, look);
		return xy_err_set(err, ENOTCONN, "the connection is gone");
	}
	kv->looked_at = xy_kv_now();
	int e = begun(kv, look, err);
	if (e)
		xy_kv_look_end(kv);
	return e;
}
