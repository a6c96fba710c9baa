// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * certificate.c - asks GnuTLS, and says which file is wrong and how; the HTTP library would only print it, or accept
 * anything and refuse every client later.
 */
#include "userspace/web/certificate.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <string.h>

static gnutls_datum_t datum_of(const char *text)
{
	return (gnutls_datum_t){ (unsigned char *)text, (unsigned int)strlen(text) };
}

/* The first certificate of a text; the others vouch for it. */
static int first_read(const struct dg_pem *pem, gnutls_x509_crt_t *ret, struct dg_error *err)
{
	const gnutls_datum_t text = datum_of(pem->text);
	gnutls_x509_crt_t *all = NULL;
	unsigned int count = 0;
	int failed = gnutls_x509_crt_list_import2(&all, &count, &text, GNUTLS_X509_FMT_PEM, 0);

	if (failed < 0 || !count)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
			       "%s: no certificate that can be read: %s", pem->file,
			       gnutls_strerror(failed));
	for (unsigned int i = 1; i < count; i++)
		gnutls_x509_crt_deinit(all[i]);
	*ret = all[0];
	gnutls_free(all);
	return 0;
}

static int key_read(const struct dg_pem *pem, gnutls_x509_privkey_t key, struct dg_error *err)
{
	const gnutls_datum_t text = datum_of(pem->text);
	int failed;

	if (strstr(pem->text, "ENCRYPTED"))
		return dg_fail(
			err, -EINVAL, DG_EXIT_FAILED,
			"%s: the key is encrypted, and nobody is there to type its passphrase; "
			"take it away with: openssl pkey -in %s -out NEW",
			pem->file, pem->file);
	failed = gnutls_x509_privkey_import2(key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
	return failed < 0 ? dg_fail(err, -EINVAL, DG_EXIT_FAILED, "%s: no key that can be read: %s",
				    pem->file, gnutls_strerror(failed)) :
			    0;
}

/* They belong together when they have the same public half. */
static int is_key_of(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key)
{
	unsigned char one[64], other[64];
	size_t one_len = sizeof(one), other_len = sizeof(other);

	return gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, one, &one_len) >=
		       0 &&
	       gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, other, &other_len) >=
		       0 &&
	       one_len == other_len && !memcmp(one, other, one_len);
}

int dg_certificate_check(const struct dg_pem *certificate, const struct dg_pem *key,
			 time_t *ret_until, struct dg_error *err)
{
	gnutls_x509_privkey_t own = NULL;
	gnutls_x509_crt_t first = NULL;
	int failed = first_read(certificate, &first, err);

	if (failed)
		return failed;
	failed = gnutls_x509_privkey_init(&own) < 0 ?
			 dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory") :
			 key_read(key, own, err);
	if (!failed && !is_key_of(first, own))
		failed = dg_fail(err, -EINVAL, DG_EXIT_FAILED,
				 "%s: this key does not fit its certificate, %s", key->file,
				 certificate->file);
	if (!failed)
		*ret_until = gnutls_x509_crt_get_expiration_time(first);
	gnutls_x509_privkey_deinit(own);
	gnutls_x509_crt_deinit(first);
	return failed;
}

int dg_authority_check(const struct dg_pem *authority, struct dg_error *err)
{
	gnutls_x509_crt_t first = NULL;
	int failed = first_read(authority, &first, err);

	if (!failed)
		gnutls_x509_crt_deinit(first);
	return failed;
}
