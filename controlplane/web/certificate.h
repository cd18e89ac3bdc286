// SPDX-License-Identifier: BSD-3-Clause
// The certificate of both addresses and its key: read from files, looked at, and given to each
// handshake that begins, so that another can take its place while the process runs. The process
// has one. The loop's thread alone.
#pragma once

#include "base/err.h"

#include <gnutls/abstract.h>

// Reads them. 0: handshakes have these from now on; else what was there before holds, and err says
// which file is wrong, and how.
int xy_certificate_use(const char *certificate, const char *key, struct xy_err *err);
// The same, for nobody: could they be used?
int xy_certificate_check(const char *certificate, const char *key, struct xy_err *err);
void xy_certificate_forget(void); // behind the last handshake
// Of libmicrohttpd: which one a handshake has.
int xy_certificate_give(gnutls_session_t session, const gnutls_datum_t *authorities, int count,
			const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
			gnutls_pcert_st **chain, unsigned int *chain_length, gnutls_privkey_t *key);
