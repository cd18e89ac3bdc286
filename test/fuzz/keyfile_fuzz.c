// SPDX-License-Identifier: BSD-3-Clause
// Key files and key texts: what is taken must print as it was read.
#include "identity/identity.h"

#include <sodium.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_keyfile(const char *text, size_t size)
{
	uint8_t seed[32];
	struct xy_err err = {""};
	int rc = xy_keyfile_parse(text, size, seed, &err);
	if (rc < 0 && err.text[0] == '\0')
		abort();
	if (rc < 0)
		return;
	struct xy_key k;
	char buf[XY_KEY_STRLEN];
	memcpy(k.b, seed, sizeof(k.b));
	xy_key_str(&k, buf);
	size_t prefix = sizeof(XY_KEY_FILE_PREFIX) - 1; // blanks may stand before it
	const char *at = memmem(text, size, XY_KEY_FILE_PREFIX, prefix);
	if (!at || memcmp(buf, at + prefix, sizeof(buf) - 1) != 0)
		abort();
}

static void check_key(const char *text, size_t size)
{
	struct xy_key k, again;
	char buf[XY_KEY_STRLEN], *s = malloc(size + 1);
	memcpy(s, text, size);
	s[size] = '\0';
	if (xy_key_parse(s, &k, NULL) == 0 &&
	    (xy_key_parse(xy_key_str(&k, buf), &again, NULL) < 0 || memcmp(&k, &again, sizeof(k))))
		abort();
	free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_keyfile((const char *)data, size);
	check_key((const char *)data, size);
	return 0;
}
