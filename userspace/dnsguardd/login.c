// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * login.c - a pair of name and password becomes a digest under a key of this process; what is remembered is that digest
 * and how the check went.
 */
#include "userspace/dnsguardd/login.h"

#include <crypt.h>
#include <errno.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <string.h>
#include <sys/random.h>

struct remembered {
	unsigned char digest[SHA256_DIGEST_SIZE];
	enum dg_login_verdict verdict; /* unknown = a free place */
};

struct check {
	uv_work_t work;
	struct dg_login *login; /* NULL: nobody waits any more */
	struct check *next;
	void (*done)(void *arg);
	void *arg;
	unsigned char digest[SHA256_DIGEST_SIZE];
	char password[DG_LOGIN_PASSWORD_MAX + 1];
	char hash[DG_WEB_HASH_MAX + 1];
	bool user_known, good;
};

struct dg_login {
	uv_loop_t *loop;
	unsigned char key[SHA256_DIGEST_SIZE];
	unsigned int users;
	struct dg_web_user user[DG_WEB_USERS_MAX];
	struct remembered remembered[2 * DG_LOGIN_REMEMBERED]; /* wrong ones, then right ones */
	unsigned int next[2]; /* the place of each half that is given up next */
	struct check *running;
	unsigned int count; /* of them */
};

struct dg_login *dg_login_new(uv_loop_t *loop, const struct dg_web_user *users, unsigned int count)
{
	struct dg_login *login = calloc(1, sizeof(*login));

	if (!login)
		return NULL;
	login->loop = loop;
	login->users = count;
	memcpy(login->user, users, count * sizeof(*users));
	if (getrandom(login->key, sizeof(login->key), 0) != sizeof(login->key)) {
		free(login);
		return NULL;
	}
	return login;
}

void dg_login_free(struct dg_login **login)
{
	struct dg_login *l = *login;

	*login = NULL;
	if (!l)
		return;
	for (struct check *check = l->running; check; check = check->next)
		check->login = NULL;
	explicit_bzero(l, sizeof(*l));
	free(l);
}

/* The name's end is hashed too: "a" with "bc" is not "ab" with "c". */
static void digest_make(const struct dg_login *login, const char *name, const char *password,
			unsigned char ret[SHA256_DIGEST_SIZE])
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, sizeof(login->key), login->key);
	hmac_sha256_update(&ctx, strlen(name) + 1, (const unsigned char *)name);
	hmac_sha256_update(&ctx, strlen(password), (const unsigned char *)password);
	hmac_sha256_digest(&ctx, SHA256_DIGEST_SIZE, ret);
	explicit_bzero(&ctx, sizeof(ctx));
}

enum dg_login_verdict dg_login_look(struct dg_login *login, const char *name, const char *password)
{
	unsigned char digest[SHA256_DIGEST_SIZE];

	digest_make(login, name, password, digest);
	for (unsigned int i = 0; i < 2 * DG_LOGIN_REMEMBERED; i++)
		if (login->remembered[i].verdict &&
		    memeql_sec(login->remembered[i].digest, digest, sizeof(digest)))
			return login->remembered[i].verdict;
	return DG_LOGIN_UNKNOWN;
}

/* ---- one check ------------------------------------------------------------------------------ */

/* In a thread: touches nothing but the check. */
static void check_work(uv_work_t *work)
{
	struct check *check = work->data;
	struct crypt_data *room = calloc(1, sizeof(*room));
	const char *found = room ? crypt_r(check->password, check->hash, room) : NULL;

	check->good = found && check->user_known && strlen(found) == strlen(check->hash) &&
		      memeql_sec(found, check->hash, strlen(found));
	if (room)
		explicit_bzero(room, sizeof(*room));
	free(room);
}

static void check_unlink(struct dg_login *login, const struct check *check)
{
	for (struct check **at = &login->running; *at; at = &(*at)->next) {
		if (*at != check)
			continue;
		*at = check->next;
		login->count--;
		return;
	}
}

static void remember(struct dg_login *login, const struct check *check)
{
	const unsigned int place = login->next[check->good]++ % DG_LOGIN_REMEMBERED;
	struct remembered *one = &login->remembered[place + check->good * DG_LOGIN_REMEMBERED];

	memcpy(one->digest, check->digest, sizeof(one->digest));
	one->verdict = check->good ? DG_LOGIN_GOOD : DG_LOGIN_BAD;
}

static void check_done(uv_work_t *work, int status)
{
	struct check *check = work->data;
	struct dg_login *login = check->login;

	(void)status;
	if (login) {
		remember(login, check);
		check_unlink(login, check);
		check->done(check->arg);
	}
	explicit_bzero(check, sizeof(*check));
	free(check);
}

/* A name that is not there takes as long as one that is: the hash of another user, and never right. */
static void user_take(const struct dg_login *login, const char *name, struct check *check)
{
	const struct dg_web_user *user = &login->user[0];

	for (unsigned int i = 0; i < login->users; i++) {
		if (strcmp(login->user[i].name, name) != 0)
			continue;
		user = &login->user[i];
		check->user_known = true;
	}
	memcpy(check->hash, user->hash, sizeof(check->hash));
}

int dg_login_check(struct dg_login *login, const char *name, const char *password,
		   void (*done)(void *arg), void *arg)
{
	struct check *check;

	if (login->count >= DG_LOGIN_AT_ONCE)
		return -EBUSY;
	check = calloc(1, sizeof(*check));
	if (!check)
		return -ENOMEM;
	*check = (struct check){ .login = login, .next = login->running, .done = done, .arg = arg };
	check->work.data = check;
	digest_make(login, name, password, check->digest);
	snprintf(check->password, sizeof(check->password), "%.*s", DG_LOGIN_PASSWORD_MAX, password);
	user_take(login, name, check);
	if (uv_queue_work(login->loop, &check->work, check_work, check_done)) {
		free(check);
		return -EAGAIN;
	}
	login->running = check;
	login->count++;
	return 0;
}
