/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signature.h - TSIG (RFC 8945): one key, requests signed, answers verified message by message.
 *
 * An answer of many messages may leave up to 99 of them unsigned between two signed ones; each signature covers what came
 * since the one before. Nothing is trusted until dg_signature_complete says so. Cryptography is libknot's.
 */
#ifndef DG_TRANSFER_SIGNATURE_H
#define DG_TRANSFER_SIGNATURE_H

#include <libknot/libknot.h>
#include <linux/types.h>
#include <stdbool.h>

#include "userspace/lib/scope.h"

#define DG_TSIG_MAC_MAX 64 /* SHA-512 */

/* One exchange: a request and the messages that answer it. */
struct dg_signature {
	const knot_tsig_key_t *key; /* NULL: nothing is signed, a signature is not looked at */
	__u8 mac[DG_TSIG_MAC_MAX];  /* of the request, then of the last signed message */
	size_t mac_len;
	__u64 time;    /* of the last signed message, seconds; 0 = none yet */
	__u8 *pending; /* messages since, to be covered by the next signature */
	size_t pending_len;
	unsigned int unsigned_count;
};

void dg_signature_begin(struct dg_signature *signature, const knot_tsig_key_t *key);
void dg_signature_end(struct dg_signature *signature);
/* Appends the TSIG record to a request. */
int dg_signature_sign(struct dg_signature *signature, knot_pkt_t *request, struct dg_error *err);
/*
 * Takes one parsed message of the answer. -EKEYREJECTED when it is refused or does not verify; the
 * sentence names the error (BADKEY, BADSIG, BADTIME).
 */
int dg_signature_check(struct dg_signature *signature, const knot_pkt_t *message,
		       struct dg_error *err);
/* Is everything taken so far covered by a signature (or is there no key)? */
bool dg_signature_complete(const struct dg_signature *signature);

#endif
