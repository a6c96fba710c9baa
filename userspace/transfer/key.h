/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * key.h - the TSIG key from its file, in the syntax of BIND (tsig-keygen) or of Knot DNS (keymgr -t).
 *
 * The secret is nowhere but in the file and in this process: never on a command line, never in a message.
 */
#ifndef DG_TRANSFER_KEY_H
#define DG_TRANSFER_KEY_H

#include <libknot/libknot.h>

#include "userspace/lib/scope.h"

/*
 * Reads the one key of the file:
 *   key "NAME" { algorithm hmac-sha256; secret "BASE64"; };
 *   key: - id: NAME   algorithm: hmac-sha256   secret: BASE64    (three lines)
 * hmac-sha1 to -sha512; hmac-md5 is refused (RFC 8945 section 6), as is a file that others may read. Owned by the
 * caller: knot_tsig_key_deinit.
 */
int dg_key_read(const char *path, knot_tsig_key_t *ret, struct dg_error *err);
/* The same from an open descriptor, which stays open. */
int dg_key_read_fd(const char *path, int fd, knot_tsig_key_t *ret, struct dg_error *err);
/* The same from the file's text, which is changed. `path` is for messages. */
int dg_key_parse(const char *path, char *text, knot_tsig_key_t *ret, struct dg_error *err);

#endif
