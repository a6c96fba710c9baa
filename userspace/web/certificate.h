/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * certificate.h - whether a certificate, its key and an authority are what they should be, before anybody connects.
 *
 * Knows PEM texts and the names of the files they are from; opens nothing, and prints nothing of a key.
 */
#ifndef DG_CERTIFICATE_H
#define DG_CERTIFICATE_H

#include <time.h>

#include "userspace/lib/scope.h"

struct dg_pem {
	const char *file; /* for messages */
	const char *text;
};

/* The certificate is one, and the key is its own and not encrypted. *ret_until: when the certificate expires, Unix time. */
int dg_certificate_check(const struct dg_pem *certificate, const struct dg_pem *key,
			 time_t *ret_until, struct dg_error *err);
/* There is at least one certificate that clients' ones can be checked against. */
int dg_authority_check(const struct dg_pem *authority, struct dg_error *err);

#endif
