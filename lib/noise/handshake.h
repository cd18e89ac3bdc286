// SPDX-License-Identifier: BSD-3-Clause
// Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s as WireGuard uses it (paper, section 5.4), in steps. A step
// with an X25519 in it is pure and takes copies, so that it can run on a helper thread; its result
// is handed back to the control thread, which checks that the peer has not moved on meanwhile.
// Nothing is owned; every struct with secrets is wiped by its _wipe or by sodium_memzero.
//
//   initiator                                   responder
//   xy_hs_initiation_create  (2 DH) -- msg 1 -> xy_hs_initiation_open     (1 DH: who is it?)
//                                               xy_hs_initiation_verify   (0 DH: static-static is
//                                                                          made once for a peer)
//   xy_hs_response_consume   (2 DH) <- msg 2 -- xy_hs_response_create     (2 DH)
//   both: xy_hs_keys
#pragma once

#include "noise/wg.h"
#include "x25519/x25519.h"

// Our static key, and what it is used for: handshakes of one label open none of another's, though
// they are of the same keys.
struct xy_hs_local {
	uint8_t sk[XY_WG_KEY_LEN]; // secret
	uint8_t pk[XY_WG_KEY_LEN];
	const char *label; // NULL: WireGuard's own; else it goes into the hash
};

// A peer as the handshake sees it.
struct xy_hs_remote {
	uint8_t pk[XY_WG_KEY_LEN];
	uint8_t psk[XY_WG_KEY_LEN]; // secret; zeros when there is none
	uint8_t ss[XY_WG_KEY_LEN];  // secret: X25519(our static, their static), where it is made
	bool has_ss;
	uint8_t suite; // enum xy_wg_suite, what we ask it for: another than WireGuard's goes into
		       // message 1 and, as a label, into the hash
};

// The symmetric state, secret.
struct xy_hs_state {
	uint8_t hash[XY_WG_HASH_LEN];
	uint8_t chain[XY_WG_HASH_LEN];
	uint8_t e_sk[XY_WG_KEY_LEN];	    // our ephemeral (initiator, responder)
	uint8_t re[XY_WG_KEY_LEN];	    // their ephemeral
	uint32_t local_index, remote_index; // as on the wire
	uint8_t suite;			    // enum xy_wg_suite, that message 1 names
};

struct xy_hs_keys {
	uint8_t send[XY_WG_KEY_LEN], recv[XY_WG_KEY_LEN];
};

// No DH: who is configured by the thousand may never be spoken with. -EBADMSG when no handshake can
// be done with the key: it is not canonical, or of small order (all X25519 with it would be zero).
int xy_hs_remote_init(const uint8_t pk[static XY_WG_KEY_LEN],
		      const uint8_t psk[static XY_WG_KEY_LEN], struct xy_hs_remote *out);
// Makes ss, unless it is there: one DH. The steps below that take a remote need it, those of
// message 2 excepted. -EBADMSG on a zero result.
int xy_hs_remote_meet(const struct xy_hs_local *local, struct xy_hs_remote *remote);
// The same key and pre-shared key?
bool xy_hs_remote_same(const struct xy_hs_remote *a, const struct xy_hs_remote *b);

// Message 1 without its macs (xy_cookie_macs_add does these). ephemeral_sk is 32 random bytes (a
// test gives fixed ones), timestamp a TAI64N. -EBADMSG on a zero result.
int xy_hs_initiation_create(const struct xy_hs_local *local, const struct xy_hs_remote *remote,
			    const uint8_t ephemeral_sk[static XY_WG_KEY_LEN],
			    const uint8_t timestamp[static XY_WG_TAI64N_LEN], uint32_t local_index,
			    struct xy_hs_state *state, struct xy_wg_initiation *msg);

// Message 1 up to the initiator's static key. -EBADMSG when it does not open.
int xy_hs_initiation_open(const struct xy_hs_local *local, const struct xy_wg_initiation *msg,
			  struct xy_hs_state *state, uint8_t remote_pk[static XY_WG_KEY_LEN]);
// The rest of message 1, once the peer is known. No DH.
int xy_hs_initiation_verify(const struct xy_hs_remote *remote, const struct xy_wg_initiation *msg,
			    struct xy_hs_state *state, uint8_t timestamp[static XY_WG_TAI64N_LEN]);

// Message 2 without its macs, and the responder's keys.
int xy_hs_response_create(const struct xy_hs_remote *remote, struct xy_hs_state *state,
			  const uint8_t ephemeral_sk[static XY_WG_KEY_LEN], uint32_t local_index,
			  struct xy_wg_response *msg, struct xy_hs_keys *keys);
// Message 2 at the initiator, and the initiator's keys. state is unchanged on failure (a forged
// response must not end a handshake).
int xy_hs_response_consume(const struct xy_hs_local *local, const struct xy_hs_remote *remote,
			   struct xy_hs_state *state, const struct xy_wg_response *msg,
			   struct xy_hs_keys *keys);

// --- many steps at once

// The X25519 of a step, none of which waits for another: _dh says which they are, xy_x25519_burst
// does those of any number of steps, and _with is the rest of the step, which says what was wrong
// with the keys. What is pointed to stays as it is until then, and so does this, which is secret,
// where it is.
enum { XY_HS_DH = 3 };
struct xy_hs_dh {
	unsigned n;
	bool bad;
	struct xy_x25519_op op[XY_HS_DH];
	uint8_t out[XY_HS_DH][XY_WG_KEY_LEN];
};

void xy_hs_remote_meet_dh(const struct xy_hs_local *local, const struct xy_hs_remote *remote,
			  struct xy_hs_dh *dh);
int xy_hs_remote_met(struct xy_hs_remote *remote, const struct xy_hs_dh *dh);
void xy_hs_initiation_create_dh(const struct xy_hs_remote *remote,
				const uint8_t ephemeral_sk[static XY_WG_KEY_LEN],
				struct xy_hs_dh *dh);
int xy_hs_initiation_create_with(const struct xy_hs_local *local, const struct xy_hs_remote *remote,
				 const struct xy_hs_dh *dh,
				 const uint8_t timestamp[static XY_WG_TAI64N_LEN],
				 uint32_t local_index, struct xy_hs_state *state,
				 struct xy_wg_initiation *msg);
void xy_hs_initiation_open_dh(const struct xy_hs_local *local, const struct xy_wg_initiation *msg,
			      struct xy_hs_dh *dh);
int xy_hs_initiation_open_with(const struct xy_hs_local *local, const struct xy_wg_initiation *msg,
			       const struct xy_hs_dh *dh, struct xy_hs_state *state,
			       uint8_t remote_pk[static XY_WG_KEY_LEN]);
void xy_hs_response_create_dh(const struct xy_hs_remote *remote, const struct xy_hs_state *state,
			      const uint8_t ephemeral_sk[static XY_WG_KEY_LEN],
			      struct xy_hs_dh *dh);
int xy_hs_response_create_with(const struct xy_hs_remote *remote, const struct xy_hs_dh *dh,
			       struct xy_hs_state *state, uint32_t local_index,
			       struct xy_wg_response *msg, struct xy_hs_keys *keys);
void xy_hs_response_consume_dh(const struct xy_hs_local *local, const struct xy_hs_state *state,
			       const struct xy_wg_response *msg, struct xy_hs_dh *dh);
int xy_hs_response_consume_with(const struct xy_hs_remote *remote, const struct xy_hs_dh *dh,
				struct xy_hs_state *state, const struct xy_wg_response *msg,
				struct xy_hs_keys *keys);

// TAI64N of a Unix time, with the nanoseconds rounded down to 2^24 ns as WireGuard does (so that it
// is no oracle of the clock).
void xy_tai64n(uint64_t unix_sec, uint32_t nsec, uint8_t out[static XY_WG_TAI64N_LEN]);
