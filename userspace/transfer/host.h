/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.h - where somebody is reached or listens: an address and a port, written ADDR[@PORT].
 *
 * Addresses only, never names: what guards a resolver must not ask one.
 */
#ifndef DG_TRANSFER_HOST_H
#define DG_TRANSFER_HOST_H

#include <stdbool.h>
#include <sys/socket.h>

#include "userspace/lib/scope.h"

struct dg_host {
	struct sockaddr_storage addr;
	socklen_t len;
	char text[80]; /* ADDR@PORT */
};

/* Port 53 unless given. `what` names the option in the message. */
int dg_host_parse(const char *what, const char *text, struct dg_host *ret, struct dg_error *err);
/* The same address, whatever the port; an IPv4 address mapped into IPv6 is the IPv4 address. */
bool dg_host_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

#endif
