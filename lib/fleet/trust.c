// SPDX-License-Identifier: BSD-3-Clause
#include "fleet/trust.h"

#include "base/list.h"

#include <stdlib.h>
#include <string.h>

const char *const xy_fleet_verdict_names[] = {XY_FLEET_VERDICTS(XY_LIST_NAME) NULL};
const char *const xy_fleet_verdict_texts[] = {XY_FLEET_VERDICTS(XY_LIST_TEXT) NULL};

void xy_fleet_trust_init(struct xy_fleet_trust *t)
{
	*t = (struct xy_fleet_trust){.kind = XY_FLEET_TRUST_SIGNED};
}

void xy_fleet_trust_fini(struct xy_fleet_trust *t)
{
	free(t->key);
	free(t->revoked);
	xy_fleet_trust_init(t);
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct xy_key));
}

int xy_fleet_trust_keys(struct xy_fleet_trust *t, const struct xy_key *key, unsigned count)
{
	if (count > XY_FLEET_TRUSTED_KEYS)
		return -ENOSPC;
	struct xy_key *v = calloc(count + 1u, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++)
		v[i] = key[i];
	qsort(v, count, sizeof(*v), by_key);
	free(t->key);
	t->kind = XY_FLEET_TRUST_KEYS;
	t->key = v;
	t->count = count;
	return 0;
}

void xy_fleet_trust_ca(struct xy_fleet_trust *t, const struct xy_key *ca)
{
	if (memcmp(&t->ca, ca, sizeof(*ca)) != 0) // their signatures were another's
		t->revoked_count = 0;
	t->kind = XY_FLEET_TRUST_CA;
	t->ca = *ca;
}

// --- revocations

static unsigned place_of(const struct xy_fleet_trust *t, const struct xy_key *key)
{
	unsigned low = 0, high = t->revoked_count;
	while (low < high) {
		unsigned at = (low + high) / 2;
		if (by_key(&t->revoked[at].key, key) < 0)
			low = at + 1;
		else
			high = at;
	}
	return low;
}

bool xy_fleet_trust_is_revoked(const struct xy_fleet_trust *t, const struct xy_key *key)
{
	unsigned at = place_of(t, key);
	return at < t->revoked_count && by_key(&t->revoked[at].key, key) == 0;
}

static int grow(struct xy_fleet_trust *t)
{
	unsigned room = t->revoked_room ? 2 * t->revoked_room : 16;
	if (t->revoked_count < t->revoked_room)
		return 0;
	if (t->revoked_count == XY_FLEET_REVOCATIONS)
		return -ENOSPC;
	void *v = reallocarray(t->revoked, room, sizeof(*t->revoked));
	if (!v)
		return -ENOMEM;
	t->revoked = v;
	t->revoked_room = room;
	return 0;
}

int xy_fleet_trust_revoke(struct xy_fleet_trust *t, const struct xy_fleet_revocation *r)
{
	unsigned at = place_of(t, &r->key);
	if (xy_fleet_trust_is_revoked(t, &r->key))
		return 0;
	int e = grow(t);
	if (e)
		return e;
	memmove(&t->revoked[at + 1], &t->revoked[at],
		(t->revoked_count++ - at) * sizeof(*t->revoked));
	t->revoked[at] = *r;
	return 1;
}

// --- who may be in

static bool has_key(const struct xy_fleet_trust *t, const struct xy_key *key)
{
	return t->count && bsearch(key, t->key, t->count, sizeof(*key), by_key);
}

static bool is_listed(const struct xy_fleet_trust *t, const struct xy_key *key)
{
	struct xy_key link_key;
	return has_key(t, key) || (!xy_key_from_ed25519(key, &link_key) && has_key(t, &link_key));
}

static enum xy_fleet_verdict of_ca(const struct xy_fleet_trust *t, const struct xy_key *key,
				   const struct xy_fleet_membership *m, uint64_t now)
{
	if (xy_fleet_trust_is_revoked(t, key))
		return XY_FLEET_REVOKED;
	if (!m || !m->until)
		return XY_FLEET_NO_MEMBERSHIP;
	if (!xy_fleet_membership_holds(m, key, &t->ca))
		return XY_FLEET_WRONG_CA;
	return now < m->until ? XY_FLEET_ADMITTED : XY_FLEET_MEMBERSHIP_ENDED;
}

enum xy_fleet_verdict xy_fleet_trust_admit(const struct xy_fleet_trust *t, const struct xy_key *key,
					   const struct xy_fleet_membership *m, uint64_t now)
{
	switch (t->kind) {
	case XY_FLEET_TRUST_SIGNED:
		return XY_FLEET_ADMITTED;
	case XY_FLEET_TRUST_KEYS:
		return is_listed(t, key) ? XY_FLEET_ADMITTED : XY_FLEET_NOT_LISTED;
	case XY_FLEET_TRUST_CA:
		break;
	}
	return of_ca(t, key, m, now);
}

uint64_t xy_fleet_trust_until(const struct xy_fleet_trust *t, const struct xy_fleet_membership *m)
{
	return t->kind == XY_FLEET_TRUST_CA && m ? m->until : UINT64_MAX;
}
