// SPDX-License-Identifier: BSD-3-Clause
#include "suites.h"

#include "daemon.h"
#include "naming.h"

enum { WIREGUARDS = 1 << XY_WG_CHACHA20_POLY1305, AES = 1 << XY_WG_AES_256_GCM };

static int ciphers_make(const struct xy_daemon *d, struct xy_suites *out, struct xy_err *err)
{
	*out = (struct xy_suites){.can = WIREGUARDS, .best = XY_WG_CHACHA20_POLY1305};
	if (d->plan.config.suite == XY_SUITE_CHACHA)
		return 0;
	out->can = (uint8_t)xy_dp_suites(d->dp);
	out->best = (uint8_t)d->fastest_suite;
	if (d->plan.config.suite != XY_SUITE_AES)
		return 0;
	if (!(out->can & AES))
		return xy_err_set(err, ENOTSUP,
				  "suite = \"aes\": this CPU has no AES-NI and PCLMULQDQ: say "
				  "\"auto\" or \"chacha\"");
	out->best = XY_WG_AES_256_GCM;
	out->only = true;
	return 0;
}

int xy_suites_make(const struct xy_daemon *d, struct xy_suites *out, struct xy_err *err)
{
	int r = ciphers_make(d, out, err);
	if (r || d->plan.config.transit != XY_TRANSIT_LIGHT)
		return r;
	out->can |= (uint8_t)(out->can << XY_WG_CIPHERS);
	out->best = xy_wg_light_of(out->best);
	return 0;
}

// Whole and light, of its cipher.
static uint8_t of_cipher(uint8_t suite)
{
	uint8_t cipher = (uint8_t)xy_wg_cipher_of(suite);
	return (uint8_t)(1 << cipher | 1 << xy_wg_light_of(cipher));
}

void xy_suites_reload(struct xy_daemon *d)
{
	struct xy_suites s;
	struct xy_err err = {{0}};
	if (xy_suites_make(d, &s, &err))
		xy_log_warn("reload: %s; what was in force stays", err.text);
	else
		xy_exchanges_suites_set(d->exchanges, &s);
}

const char *xy_suites_tell(const struct xy_daemon *d)
{
	const struct xy_suites *s = xy_exchanges_suites(d->exchanges);
	if (s->only)
		return "aes: AES-256-GCM alone";
	if (!(s->can & AES))
		return d->plan.config.suite == XY_SUITE_CHACHA
			       ? "chacha: ChaCha20-Poly1305 alone"
			       : "auto: ChaCha20-Poly1305 (this CPU has no AES-NI)";
	return xy_wg_cipher_of(s->best) == XY_WG_AES_256_GCM
		       ? "auto: AES-256-GCM with nodes that are faster at it, too"
		       : "auto: ChaCha20-Poly1305, at which this CPU is faster";
}

const char *xy_suites_transit_tell(const struct xy_daemon *d)
{
	return xy_wg_is_light(xy_exchanges_suites(d->exchanges)->best)
		       ? "light: heads alone of what is sealed end to end, with nodes that say so, "
			 "too"
		       : "whole";
}

void xy_suites_ask(void *daemon, const struct xy_exchange *x)
{
	struct xy_daemon *d = daemon;
	struct xy_key key;
	memcpy(key.b, x->theirs.pk, sizeof(key.b));
	const struct xy_addr addr = xy_key_addr(&key);
	if (!xy_nodeinfo_suites_ask(d->nodeinfo, &addr, xy_now()))
		xy_log_debug("too many nodes are asked for their cipher suites: one is with its "
			     "next session");
}

// With `only`, what is refused is as if it were not there.
void xy_suites_ours(void *daemon, struct xy_nodeinfo_suites *ours)
{
	const struct xy_daemon *d = daemon;
	const struct xy_suites *s = xy_exchanges_suites(d->exchanges);
	ours->can = s->only ? s->can & of_cipher(s->best) : s->can;
	ours->best = s->best;
}

void xy_suites_told(void *daemon, const struct xy_addr *from, const struct xy_nodeinfo_suites *its,
		    bool asked, xy_nsec now)
{
	struct xy_daemon *d = daemon;
	uint32_t slot;
	if (xy_naming_neighbour(d, from, &slot))
		xy_links_suites(d->links, slot, its->can, its->best, asked, now);
	xy_fars_suites(d->fars, from, its->can, its->best, asked, now);
}
