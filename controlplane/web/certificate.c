// SPDX-License-Identifier: BSD-3-Clause
#include "web/certificate.h"

#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PEM_MAX = 1 << 18, CHAIN = 16, KEPT_S = 60 }; // KEPT_S: longer than a handshake may take

struct pair {
	struct pair *next; // that was used before
	gnutls_pcert_st chain[CHAIN];
	unsigned count;
	gnutls_privkey_t key;
	time_t left; // when another took its place
};

static struct pair *current;

static void pair_free(struct pair *p)
{
	for (unsigned i = 0; i < p->count; i++)
		gnutls_pcert_deinit(&p->chain[i]);
	if (p->key)
		gnutls_privkey_deinit(p->key);
	free(p);
}

// A file as text in `to`.
static int pem_read(const char *path, gnutls_datum_t *to, struct xy_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	to->data = fd < 0 ? NULL : calloc(1, PEM_MAX);
	ssize_t n = to->data ? read(fd, to->data, PEM_MAX - 1) : -1;
	if (n <= 0)
		xy_err_set(err, EIO, "tls: %s: %s", path, n == 0 ? "is empty" : strerror(errno));
	if (fd >= 0)
		close(fd);
	to->size = n > 0 ? (unsigned)n : 0;
	return n > 0 ? 0 : -EIO;
}

static void pem_free(gnutls_datum_t *t)
{
	if (t->data)
		explicit_bzero(t->data, PEM_MAX);
	free(t->data);
}

static int chain_take(struct pair *p, const char *path, struct xy_err *err)
{
	gnutls_datum_t text = {0};
	unsigned count = CHAIN;
	int ret = pem_read(path, &text, err);
	if (!ret && (ret = gnutls_pcert_list_import_x509_raw(p->chain, &count, &text,
							     GNUTLS_X509_FMT_PEM, 0)))
		xy_err_set(err, EINVAL, "tls: %s: is no certificate in PEM: %s", path,
			   gnutls_strerror(ret));
	else if (!ret)
		p->count = count;
	pem_free(&text);
	return ret ? -EINVAL : 0;
}

static int key_take(struct pair *p, const char *path, struct xy_err *err)
{
	gnutls_datum_t text = {0};
	int ret = pem_read(path, &text, err);
	if (!ret && (ret = gnutls_privkey_init(&p->key)
				   ?: gnutls_privkey_import_x509_raw(p->key, &text,
								     GNUTLS_X509_FMT_PEM, NULL, 0)))
		xy_err_set(err, EINVAL, "tls: %s: is no key in PEM: %s", path,
			   gnutls_strerror(ret));
	pem_free(&text);
	return ret ? -EINVAL : 0;
}

static bool belong_together(const struct pair *p)
{
	uint8_t of_key[64], of_certificate[64];
	size_t len = sizeof(of_key), other = sizeof(of_certificate);
	gnutls_pubkey_t public = NULL;
	bool same = gnutls_pubkey_init(&public) == 0 &&
		    gnutls_pubkey_import_privkey(public, p->key, 0, 0) == 0 &&
		    gnutls_pubkey_get_key_id(public, 0, of_key, &len) == 0 &&
		    gnutls_pubkey_get_key_id(p->chain[0].pubkey, 0, of_certificate, &other) == 0 &&
		    len == other && memcmp(of_key, of_certificate, len) == 0;
	if (public)
		gnutls_pubkey_deinit(public);
	return same;
}

static int pair_read(const char *certificate, const char *key, struct pair **out,
		     struct xy_err *err)
{
	struct pair *p = calloc(1, sizeof(*p));
	if (!p)
		return xy_err_set(err, ENOMEM, "not enough memory");
	int ret = chain_take(p, certificate, err);
	ret = ret ? ret : key_take(p, key, err);
	if (!ret && !belong_together(p))
		ret = xy_err_set(err, EINVAL, "tls: %s is not the key of %s", key, certificate);
	if (ret)
		pair_free(p);
	else
		*out = p;
	return ret;
}

// Those that no handshake can have any more.
static void forget_old(struct pair *from, time_t now)
{
	struct pair **at = &from->next, *p;
	while ((p = *at)) {
		if (now - p->left < KEPT_S) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		pair_free(p);
	}
}

int xy_certificate_use(const char *certificate, const char *key, struct xy_err *err)
{
	struct pair *p;
	struct timespec now;
	int ret = pair_read(certificate, key, &p, err);
	if (ret)
		return ret;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (current)
		current->left = now.tv_sec;
	p->next = current;
	current = p;
	forget_old(p, now.tv_sec);
	return 0;
}

int xy_certificate_check(const char *certificate, const char *key, struct xy_err *err)
{
	struct pair *p;
	int ret = pair_read(certificate, key, &p, err);
	if (!ret)
		pair_free(p);
	return ret;
}

void xy_certificate_forget(void)
{
	struct pair *next;
	for (struct pair *p = current; p; p = next) {
		next = p->next;
		pair_free(p);
	}
	current = NULL;
}

int xy_certificate_give(gnutls_session_t session, const gnutls_datum_t *authorities, int count,
			const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
			gnutls_pcert_st **chain, unsigned int *chain_length, gnutls_privkey_t *key)
{
	if (!current)
		return -1;
	*chain = current->chain;
	*chain_length = current->count;
	*key = current->key;
	return 0;
}
