/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * web.h - the page for people: one file without outside assets, and the policy under which a browser runs it.
 */
#ifndef DG_WEB_H
#define DG_WEB_H

#include <stddef.h>

extern const char dg_web_page[];
size_t dg_web_page_len(void);

/*
 * Content-Security-Policy of the page: its own style and script by their SHA-256, its own documents by fetch, nothing
 * else (CSP Level 3 section 2.3.1). Computed once; static.
 */
const char *dg_web_policy(void);

#endif
