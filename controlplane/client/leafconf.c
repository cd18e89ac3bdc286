// SPDX-License-Identifier: BSD-3-Clause
#include "client/leafconf.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	KEEPALIVE = 25,
	MTU = 1344, // what every node of the mesh takes, sealed end to end
};

// --- keys

void xy_leaf_keys_make(struct xy_leaf *l, json_t *params)
{
	struct xy_key secret, public, psk;
	char text[XY_KEY_STRLEN];
	randombytes_buf(secret.b, sizeof(secret.b));
	randombytes_buf(psk.b, sizeof(psk.b));
	secret.b[0] &= 248;
	secret.b[31] = (uint8_t)((secret.b[31] & 127) | 64);
	crypto_scalarmult_base(public.b, secret.b);
	xy_key_str(&secret, l->secret);
	xy_key_str(&psk, l->psk);
	json_object_set_new(params, "key", json_string(xy_key_str(&public, text)));
	json_object_set_new(params, "psk", json_string(l->psk));
	sodium_memzero(&secret, sizeof(secret));
	sodium_memzero(&psk, sizeof(psk));
}

// --- where this node is

static bool is_private(const struct sockaddr_storage *a)
{
	const uint8_t *v4 = (const void *)&((const struct sockaddr_in *)a)->sin_addr;
	const uint8_t *v6 = (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr;
	if (a->ss_family == AF_INET6)
		return (v6[0] & 0xfe) == 0xfc || (v6[0] == 0xfe && (v6[1] & 0xc0) == 0x80);
	return v4[0] == 10 || v4[0] == 127 || (v4[0] == 172 && v4[1] >= 16 && v4[1] < 32) ||
	       (v4[0] == 192 && v4[1] == 168) || (v4[0] == 100 && v4[1] >= 64 && v4[1] < 128) ||
	       (v4[0] == 169 && v4[1] == 254);
}

// From which address this host would send to the world. Nothing is sent.
static bool source_to(const char *world, int family, struct xy_leaf *l)
{
	struct sockaddr_storage to = {.ss_family = (sa_family_t)family}, from;
	socklen_t len = sizeof(from);
	char text[INET6_ADDRSTRLEN];
	void *at = family == AF_INET ? (void *)&((struct sockaddr_in *)&to)->sin_addr
				     : (void *)&((struct sockaddr_in6 *)&to)->sin6_addr;
	((struct sockaddr_in *)&to)->sin_port = htons(9); // in both families at the same place
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	inet_pton(family, world, at);
	bool good = fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
		    getsockname(fd, (struct sockaddr *)&from, &len) == 0;
	if (fd >= 0)
		close(fd);
	if (!good)
		return false;
	if (family == AF_INET)
		inet_ntop(family, &((struct sockaddr_in *)&from)->sin_addr, text, sizeof(text));
	else
		inet_ntop(family, &((struct sockaddr_in6 *)&from)->sin6_addr, text, sizeof(text));
	if (!strchr(text, '.') && (strtoul(text, NULL, 16) & 0xfe00) == 0x200)
		return false; // the mesh itself
	snprintf(l->host, sizeof(l->host), family == AF_INET ? "%s" : "[%s]", text);
	l->behind = is_private(&from);
	return true;
}

bool xy_leaf_host_guess(struct xy_leaf *l)
{
	return source_to("192.0.2.1", AF_INET, l) || source_to("2001:db8::1", AF_INET6, l);
}

// --- what the device gets

char *xy_leaf_config_text(const struct xy_leaf *l, const json_t *reply)
{
	const json_t *allowed = json_object_get(reply, "allowed");
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	if (!to)
		return NULL;
	fprintf(to, "[Interface]\nPrivateKey = %s\nAddress = ",
		l->secret[0] ? l->secret : "(the device's own)");
	for (size_t i = 0; i < json_array_size(allowed); i++)
		fprintf(to, "%s%s", i ? ", " : "", json_string_value(json_array_get(allowed, i)));
	fprintf(to, "\nMTU = %d\n\n[Peer]\nPublicKey = %s\n", MTU,
		json_string_value(json_object_get(reply, "node_key")));
	if (l->psk[0])
		fprintf(to, "PresharedKey = %s\n", l->psk);
	if (l->endpoint)
		fprintf(to, "Endpoint = %s\n", l->endpoint);
	else
		fprintf(to, "Endpoint = %s:%lld\n", l->host,
			(long long)json_integer_value(json_object_get(reply, "port")));
	fprintf(to, "AllowedIPs = 200::/7\nPersistentKeepalive = %d\n", KEEPALIVE);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}
