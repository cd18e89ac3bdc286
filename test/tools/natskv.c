// SPDX-License-Identifier: BSD-3-Clause
// A bucket of NATS by hand, as programs of others use one: libnats' own key-value calls.
//   natskv URL BUCKET make                 the bucket, where there is none
//   natskv URL BUCKET keys                 a line each
//   natskv URL BUCKET get KEY              its value; exit code 1: there is none
//   natskv URL BUCKET put|create KEY       its value is what stdin has
//   natskv URL BUCKET ikto KEY             as an agent of ikto at its start: Get; create where
//   there is none, update
//                                          by revision where the record is of the same public key,
//                                          else exit code 3
//   natskv URL BUCKET delete|purge KEY
#include <nats/nats.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE = 1 << 20 };

static char value[VALUE];
static size_t len;

static int done(natsStatus s)
{
	if (s == NATS_OK)
		return 0;
	fprintf(stderr, "natskv: %s\n", nats_GetLastError(NULL) ?: natsStatus_GetText(s));
	return 1;
}

static int keys(kvStore *kv)
{
	kvKeysList list;
	natsStatus s = kvStore_Keys(&list, kv, NULL);
	for (int i = 0; s == NATS_OK && i < list.Count; i++)
		puts(list.Keys[i]);
	return s == NATS_NOT_FOUND ? 0 : done(s);
}

static int get(kvStore *kv, const char *key)
{
	kvEntry *e = NULL;
	natsStatus s = kvStore_Get(&e, kv, key);
	if (s != NATS_OK)
		return 1;
	fwrite(kvEntry_Value(e), 1, (size_t)kvEntry_ValueLen(e), stdout);
	kvEntry_Destroy(e);
	return 0;
}

// The text of the member "public_key", with its quotes, or NULL.
static const char *public_key(const char *text, size_t n, size_t *size)
{
	static const char member[] = "\"public_key\":";
	const char *at = memmem(text, n, member, sizeof(member) - 1);
	*size = 46; // base64 of 32 bytes
	return at && (size_t)(at - text) + sizeof(member) - 1 + *size <= n ? at + sizeof(member) - 1
									   : NULL;
}

static int ikto(kvStore *kv, const char *key)
{
	kvEntry *e = NULL;
	size_t a, b;
	if (kvStore_Get(&e, kv, key) != NATS_OK)
		return done(kvStore_Create(NULL, kv, key, value, (int)len));
	const char *theirs = public_key(kvEntry_Value(e), (size_t)kvEntry_ValueLen(e), &a),
		   *ours = public_key(value, len, &b);
	uint64_t revision = kvEntry_Revision(e);
	bool same = theirs && ours && memcmp(theirs, ours, a) == 0;
	kvEntry_Destroy(e);
	if (!same) {
		fputs("natskv: address already in use\n", stderr);
		return 3;
	}
	return done(kvStore_Update(NULL, kv, key, value, (int)len, revision));
}

static int run(kvStore *kv, const char *what, const char *key)
{
	if (strcmp(what, "make") == 0)
		return 0;
	if (strcmp(what, "keys") == 0)
		return keys(kv);
	if (!key)
		return 2;
	if (strcmp(what, "get") == 0)
		return get(kv, key);
	if (strcmp(what, "delete") == 0)
		return done(kvStore_Delete(kv, key));
	if (strcmp(what, "purge") == 0)
		return done(kvStore_Purge(kv, key, NULL));
	len = fread(value, 1, sizeof(value), stdin);
	if (strcmp(what, "put") == 0)
		return done(kvStore_Put(NULL, kv, key, value, (int)len));
	if (strcmp(what, "create") == 0)
		return done(kvStore_Create(NULL, kv, key, value, (int)len));
	return strcmp(what, "ikto") == 0 ? ikto(kv, key) : 2;
}

int main(int argc, char **argv)
{
	natsConnection *nc = NULL;
	jsCtx *js = NULL;
	kvStore *kv = NULL;
	kvConfig c;
	if (argc < 4) {
		fputs("usage: natskv URL BUCKET make|keys|get|put|create|ikto|delete|purge [KEY]\n",
		      stderr);
		return 2;
	}
	natsStatus s = natsConnection_ConnectTo(&nc, argv[1]);
	s = s ?: natsConnection_JetStream(&js, nc, NULL);
	kvConfig_Init(&c);
	c.Bucket = argv[2];
	if (s == NATS_OK && strcmp(argv[3], "make") == 0)
		s = js_CreateKeyValue(&kv, js, &c);
	else
		s = s ?: js_KeyValue(&kv, js, argv[2]);
	int code = s == NATS_OK ? run(kv, argv[3], argv[4]) : done(s);
	kvStore_Destroy(kv);
	jsCtx_Destroy(js);
	natsConnection_Destroy(nc);
	nats_Close();
	return code;
}
