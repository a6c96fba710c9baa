/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * web_config.h - TLS and passwords of the listener, in the file format that Prometheus' exporters share
 * (exporter-toolkit, "web configuration").
 *
 * Reads the file and the certificates it names; knows no socket. What the format has and this listener has not is
 * refused by name, never ignored: a file that asks for more than it gets would be a false promise.
 */
#ifndef DG_WEB_CONFIG_H
#define DG_WEB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "userspace/lib/scope.h"

#define DG_WEB_USERS_MAX 64
#define DG_WEB_HEADERS_MAX 4
#define DG_WEB_NAME_MAX 64
#define DG_WEB_HASH_MAX 128
#define DG_WEB_FILE_MAX (256 << 10)

struct dg_web_user {
	char name[DG_WEB_NAME_MAX + 1];
	char hash[DG_WEB_HASH_MAX + 1]; /* crypt(5): bcrypt */
};

struct dg_web_config {
	char *certificate, *key;  /* PEM; NULL = plain HTTP */
	time_t certificate_until; /* when it expires */
	char *client_ca; /* PEM; clients must show a certificate of it; NULL = none is asked for */
	bool tls12;	 /* TLS 1.2 is spoken, beside 1.3 */
	bool tls13;
	unsigned int users, headers;
	struct dg_web_user user[DG_WEB_USERS_MAX]; /* none = no password */
	struct {
		char name[DG_WEB_NAME_MAX + 1], value[256];
	} header[DG_WEB_HEADERS_MAX]; /* more of them for every answer */
};

/*
 * Reads the file and what it names; paths in it are relative to it. *ret is the caller's. -errno: *err reads
 * "file:line:column: what is wrong". Key and password files that others may read are refused.
 */
int dg_web_config_load(const char *path, struct dg_web_config **ret, struct dg_error *err);
/* As load, from a text, without opening other files: certificates stay NULL. For fuzzing and tests. */
int dg_web_config_parse(const char *name, const char *text, size_t len, struct dg_web_config *ret,
			struct dg_error *err);
/* A PEM file as a whole, the caller's. secret: one that others than owner and group may read is refused. -errno. */
int dg_pem_read(const char *path, bool secret, char **ret, struct dg_error *err);
/* Wipes the secrets. Accepts NULL; *config becomes NULL. */
void dg_web_config_free(struct dg_web_config **config);

#endif
