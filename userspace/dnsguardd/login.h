/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * login.h - names and passwords of the listener (RFC 7617): checked beside the loop, remembered, bounded.
 *
 * bcrypt is slow by design: the loop never waits for it, and what was found is remembered by a digest for as long as
 * the users are the same. No more than a few checks run at a time, whoever asks.
 */
#ifndef DG_LOGIN_H
#define DG_LOGIN_H

#include <uv.h>

#include "userspace/web/web_config.h"

#define DG_LOGIN_REMEMBERED                                                                        \
	64 /* of the right pairs, and as many of the wrong ones: guesses push no right one out */
#define DG_LOGIN_AT_ONCE 2	 /* checks; the loop's other work finds threads left */
#define DG_LOGIN_PASSWORD_MAX 72 /* octets that bcrypt looks at */

enum dg_login_verdict { DG_LOGIN_UNKNOWN, DG_LOGIN_GOOD, DG_LOGIN_BAD };

struct dg_login;

/* The users are copied. NULL when memory is short. */
struct dg_login *dg_login_new(uv_loop_t *loop, const struct dg_web_user *users, unsigned int count);
/* Checks that run are left to end by themselves, their callbacks are not called. Accepts NULL. */
void dg_login_free(struct dg_login **login);

/* What is known of this pair already. */
enum dg_login_verdict dg_login_look(struct dg_login *login, const char *name, const char *password);

/* Finds out; then done(arg) is called on the loop, and look() knows. -EBUSY: too many at once, ask again later. */
int dg_login_check(struct dg_login *login, const char *name, const char *password,
		   void (*done)(void *arg), void *arg);

#endif
