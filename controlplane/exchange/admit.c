// SPDX-License-Identifier: BSD-3-Clause
// May a message cost us an X25519? Who writes from where one is known to be has an allowance that
// others cannot use up but by forging that very address, and then still the way of strangers: one
// bucket for all of them, and a cookie when it is dry. Cookies have their own limiter, so that
// forged sources do not eat the share of the real one.
#include "exchange/exchanges.h"

#include "base/bytes.h"
#include "base/cursor.h"

#include <sodium.h>

void xy_admission_init(struct xy_admission *a)
{
	uint8_t key[16];
	randombytes_buf(key, sizeof(key));
	xy_limiter_init(&a->known, key);
	randombytes_buf(key, sizeof(key));
	if (a->cookied_rate)
		xy_limiter_init_rate(&a->cookied, key, XY_SEC / a->cookied_rate, a->cookied_burst);
	else
		xy_limiter_init(&a->cookied, key);
	xy_load_init(&a->load, a->rate, a->burst);
}

static void send_cookie(struct xy_exchanges *e, const struct xy_exchange_owner *o,
			const struct xy_exchange_message *m, xy_nsec now)
{
	struct xy_wg_cookie_reply reply;
	uint8_t nonce[XY_WG_COOKIE_NONCE_LEN];
	uint32_t sender = xy_le32_load(m->data + offsetof(struct xy_wg_initiation, sender));

	xy_env_random(e->cfg.env, nonce, sizeof(nonce));
	xy_cookie_reply_create(&e->checker, m->data, m->len, sender, &m->at.remote, nonce, now,
			       &reply);
	xy_exchanges_drop(e, XY_HS_DROP_COOKIE, NULL, &m->at);
	if (o->ops->send(o->arg, NULL, &m->at, &reply, sizeof(reply)))
		xy_exchanges_drop(e, XY_HS_DROP_UNSENT, NULL, &m->at);
}

static void bad_mac(struct xy_exchanges *e, const struct xy_exchange_owner *o,
		    const struct xy_exchange_message *m, xy_nsec now)
{
	const struct xy_exchange_noted n = {.what = XY_NOTE_OTHER_KEY, .at = &m->at};
	xy_exchanges_drop(e, XY_HS_DROP_BAD_MAC, NULL, &m->at);
	if (m->data[0] == XY_WG_INITIATION)
		o->ops->noted(o->arg, NULL, &n, now);
}

bool xy_exchanges_is_meant(struct xy_exchanges *e, const struct xy_exchange_message *m, xy_nsec now)
{
	enum xy_wg_type type = xy_wg_classify(m->data, m->len);
	return (type == XY_WG_INITIATION || type == XY_WG_RESPONSE) &&
	       xy_cookie_check(&e->checker, m->data, m->len, &m->at.remote, now) != XY_MAC_INVALID;
}

bool xy_exchange_admit(struct xy_exchanges *e, struct xy_exchange_owner *o,
		       const struct xy_exchange_message *m, bool *stranger, xy_nsec now)
{
	struct xy_admission *a = &o->admission;
	enum xy_mac_verdict mac = xy_cookie_check(&e->checker, m->data, m->len, &m->at.remote, now);
	if (mac == XY_MAC_INVALID) {
		bad_mac(e, o, m, now);
		return false;
	}
	*stranger = *stranger || !xy_limiter_take(&a->known, &m->payer, now);
	if (!*stranger || (!xy_load_take(&a->load, now) && !o->ops->crowded(o->arg)))
		return true;
	if (mac != XY_MAC_VALID_WITH_COOKIE) {
		send_cookie(e, o, m, now);
		return false;
	}
	if (xy_limiter_take(&a->cookied, &m->payer, now))
		return true;
	xy_exchanges_drop(e, XY_HS_DROP_LIMITED, NULL, &m->at);
	return false;
}
