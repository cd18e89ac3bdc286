// SPDX-License-Identifier: BSD-3-Clause
#include "claims.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static void identity_of(unsigned i, struct xy_identity *out)
{
	char name[32];
	uint8_t seed[32];
	int len = snprintf(name, sizeof(name), "meshpeer %u", i);
	crypto_generichash(seed, sizeof(seed), (const uint8_t *)name, (size_t)len, NULL, 0);
	xy_identity_from_seed(seed, out);
}

static void claim_of(unsigned i, uint32_t epoch, struct xy_babel_claim *out)
{
	struct xy_identity id;
	identity_of(i, &id);
	*out = (struct xy_babel_claim){.prefix = xy_key_prefix(&id.x25519),
				       .rid = xy_babel_router_id(&id.x25519, epoch),
				       .origin = {.epoch = epoch}};
	memcpy(out->origin.key, id.ed25519.b, 32);
	xy_babel_claim_sign(out, id.ed25519_sk);
}

struct xy_prefix claims_plain(unsigned i)
{
	struct xy_prefix p = {.addr = {.b = {0xfd, 0xfe, 0xed}}, .len = 64};
	xy_be32_store(p.addr.b + 4, i);
	return p;
}

int claims_add(struct claims *c, const struct xy_babel_claim *claim)
{
	if (c->count == c->room) {
		unsigned room = c->room ? 2 * c->room : 64;
		struct xy_babel_claim *at = realloc(c->at, room * sizeof(*at));
		if (!at)
			return -ENOMEM;
		c->at = at;
		c->room = room;
	}
	c->at[c->count++] = *claim;
	return 0;
}

void claims_free(struct claims *c)
{
	free(c->at);
	*c = (struct claims){0};
}

int claims_load(struct claims *c, const char *path, struct xy_err *err)
{
	struct xy_babel_claim claim;
	FILE *f = fopen(path, "rb");
	if (!f)
		return xy_err_set(err, errno, "%s: %s", path, strerror(errno));
	int ret = 0;
	while (!ret && fread(&claim, sizeof(claim), 1, f) == 1)
		ret = claims_add(c, &claim);
	fclose(f);
	return ret ? xy_err_set(err, -ret, "%s: no memory for its claims", path) : 0;
}

int claims_save(const struct claims *c, const char *path, struct xy_err *err)
{
	FILE *f = fopen(path, "wb");
	if (!f)
		return xy_err_set(err, errno, "%s: %s", path, strerror(errno));
	bool whole = fwrite(c->at, sizeof(*c->at), c->count, f) == c->count;
	if (fclose(f) || !whole)
		return xy_err_set(err, EIO, "%s: not written whole", path);
	return 0;
}

int claims_make(struct claims *c, unsigned n, uint32_t epoch, const char *cache, struct xy_err *err)
{
	if (cache && claims_load(c, cache, NULL) == 0 && c->count && c->at[0].origin.epoch != epoch)
		claims_free(c);
	unsigned had = c->count;
	for (unsigned i = had; i < n; i++) {
		struct xy_babel_claim claim;
		claim_of(i, epoch, &claim);
		if (claims_add(c, &claim))
			return xy_err_set(err, ENOMEM, "no memory for %u claims", n);
	}
	if (cache && n > had)
		return claims_save(c, cache, err);
	c->count = n < c->count ? n : c->count;
	return 0;
}
