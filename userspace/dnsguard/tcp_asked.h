/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_asked.h - the part of dnsguard tcp that is about queries: how many, of what type, for which names, from whom.
 */
#ifndef DG_TCP_ASKED_H
#define DG_TCP_ASKED_H

#include <jansson.h>

#include "userspace/lib/maps.h"

/*
 * {udp, tcp, tcp_share, connections, queries_per_connection, not_read, by_type [{type, udp, tcp}], per_connection
 * [{at_least, connections}], names [{name, type, queries, seconds_ago}], clients [{prefix, segments, seconds_ago}]}.
 * Since the guard was attached. NULL when the counters cannot be read.
 */
json_t *dg_tcp_asked_json(const struct dg_maps *maps);

#endif
