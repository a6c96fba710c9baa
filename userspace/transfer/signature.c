// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * signature.c - TSIG (RFC 8945): one key, requests signed, answers verified message by message.
 *
 * libknot computes and compares; here is kept what a signature must cover, and in which order.
 */
#include "userspace/transfer/signature.h"

#include <errno.h>
#include <string.h>

/* RFC 8945 section 5.3.1: a client accepts at most 99 unsigned messages in a row. */
#define UNSIGNED_MAX 99u

void dg_signature_begin(struct dg_signature *signature, const knot_tsig_key_t *key)
{
	*signature = (struct dg_signature){ .key = key };
}

void dg_signature_end(struct dg_signature *signature)
{
	free(signature->pending);
	*signature = (struct dg_signature){ .key = NULL };
}

static int reject(struct dg_error *err, const char *reason)
{
	return dg_fail(err, -EKEYREJECTED, DG_EXIT_FAILED, "%s", reason);
}

int dg_signature_sign(struct dg_signature *signature, knot_pkt_t *request, struct dg_error *err)
{
	signature->mac_len = sizeof(signature->mac);
	if (signature->key &&
	    knot_tsig_sign(request->wire, &request->size, request->max_size, NULL, 0,
			   signature->mac, &signature->mac_len, signature->key, 0, 0))
		return reject(err, "cannot sign the question with the TSIG key");
	return 0;
}

static int pending_add(struct dg_signature *signature, const knot_pkt_t *message)
{
	__u8 *grown = realloc(signature->pending, signature->pending_len + message->size);

	if (!grown)
		return -ENOMEM;
	memcpy(grown + signature->pending_len, message->wire, message->size);
	signature->pending = grown;
	signature->pending_len += message->size;
	return 0;
}

/* What the other side says of our signature, RFC 8945 section 5.2. */
static int refusal(const knot_rrset_t *tsig, struct dg_error *err)
{
	switch (knot_tsig_rdata_error(tsig)) {
	case KNOT_RCODE_NOERROR:
		return 0;
	case KNOT_RCODE_BADSIG:
		return reject(err, "it refuses our TSIG signature: BADSIG (another secret?)");
	case KNOT_RCODE_BADKEY:
		return reject(err, "it refuses our TSIG key: BADKEY (unknown name or algorithm?)");
	case KNOT_RCODE_BADTIME:
		return reject(err, "it refuses our TSIG signature: BADTIME (do the clocks agree?)");
	}
	return reject(err, "it refuses our TSIG signature");
}

static int verdict(int rc, struct dg_error *err)
{
	switch (rc) {
	case KNOT_EOK:
		return 0;
	case KNOT_TSIG_EBADKEY:
		return reject(err, "its answer is signed with another TSIG key: BADKEY");
	case KNOT_TSIG_EBADTIME:
		return reject(err,
			      "its answer's TSIG time is wrong: BADTIME (do the clocks agree?)");
	case KNOT_ENOMEM:
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	}
	return reject(err, "its answer's TSIG signature does not verify: BADSIG");
}

static int verify(const struct dg_signature *signature, const knot_rrset_t *tsig)
{
	bool first = !signature->time;

	/* A shorter digest than the key's would be accepted truncated. */
	if (knot_tsig_rdata_alg(tsig) != signature->key->algorithm)
		return KNOT_TSIG_EBADKEY;
	return (first ? knot_tsig_client_check : knot_tsig_client_check_next)(
		tsig, signature->pending, signature->pending_len, signature->mac,
		signature->mac_len, signature->key, signature->time);
}

static void advance(struct dg_signature *signature, const knot_rrset_t *tsig)
{
	signature->mac_len = knot_tsig_rdata_mac_length(tsig);
	memcpy(signature->mac, knot_tsig_rdata_mac(tsig), signature->mac_len);
	signature->time = knot_tsig_rdata_time_signed(tsig);
	signature->pending_len = 0;
	signature->unsigned_count = 0;
}

static int signed_check(struct dg_signature *signature, const knot_pkt_t *message,
			struct dg_error *err)
{
	int rc = verdict(verify(signature, message->tsig_rr), err);

	/*
	 * An error is believed only when it is signed, except that BADKEY and BADSIG cannot be: there
	 * is no common key to sign with.
	 */
	if (rc == -EKEYREJECTED && !knot_tsig_rdata_mac_length(message->tsig_rr))
		(void)refusal(message->tsig_rr, err);
	if (!rc)
		rc = refusal(message->tsig_rr, err);
	if (!rc)
		advance(signature, message->tsig_rr);
	return rc;
}

static int unsigned_check(struct dg_signature *signature, const knot_pkt_t *message,
			  struct dg_error *err)
{
	__u8 rcode = knot_wire_get_rcode(message->wire);

	if (!signature->time && rcode)
		return dg_fail(err, -EKEYREJECTED, DG_EXIT_FAILED,
			       "it answers %s, unsigned (does it know the TSIG key?)",
			       knot_pkt_ext_rcode_name(message));
	if (!signature->time)
		return reject(err, "its answer is not signed, and a TSIG key is configured");
	if (++signature->unsigned_count > UNSIGNED_MAX)
		return reject(err, "more than 99 messages of its answer in a row are not signed");
	return 0;
}

int dg_signature_check(struct dg_signature *signature, const knot_pkt_t *message,
		       struct dg_error *err)
{
	if (!signature->key)
		return 0;
	if (pending_add(signature, message))
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	return message->tsig_rr ? signed_check(signature, message, err) :
				  unsigned_check(signature, message, err);
}

bool dg_signature_complete(const struct dg_signature *signature)
{
	return !signature->key || (signature->time && !signature->pending_len);
}
