// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flows.c - the table of TCP flows, from this side: never written.
 */
#include "userspace/tcp/flows.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "bpf/hash.h"

#define TABLE_BYTES (DG_FLOW_BUCKETS * sizeof(struct dg_flow_bucket))

#define load(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

int dg_tcp_flows_open(const struct dg_maps *maps, struct dg_tcp_flows *ret)
{
	struct dg_settings settings;
	int status = dg_settings_read(maps, &settings);
	void *at;

	*ret = DG_TCP_FLOWS_NONE;
	if (status)
		return status;
	at = mmap(NULL, TABLE_BYTES, PROT_READ, MAP_SHARED, maps->dg_flows, 0);
	if (at == MAP_FAILED)
		return -errno;
	ret->bucket = at;
	memcpy(ret->key, settings.limit_key, sizeof(ret->key));
	return 0;
}

void dg_tcp_flows_close(struct dg_tcp_flows *flows)
{
	if (flows->bucket)
		munmap((void *)flows->bucket, TABLE_BYTES);
	*flows = DG_TCP_FLOWS_NONE;
}

static bool way_answered(const struct dg_flow *flow, const __u8 *answers)
{
	__u8 queries = load(flow->queries);

	return (load(flow->flags) & (DG_FLOW_SYN | DG_FLOW_GAP)) == DG_FLOW_SYN && queries &&
	       queries < DG_FLOW_QUERIES_MAX && load(*answers) == queries;
}

bool dg_tcp_flows_answered(const struct dg_tcp_flows *flows, const struct dg_tcp_key *client,
			   const struct dg_tcp_key *service)
{
	const __u64 from[2] = { client->addr.hi, client->addr.lo };
	const __u64 to[2] = { service->addr.hi, service->addr.lo };
	__u64 hash = dg_hash_flow(from, to, (__u32)client->port << 16 | service->port, flows->key);
	const struct dg_flow_bucket *bucket = &flows->bucket[hash & (DG_FLOW_BUCKETS - 1)];

	for (int i = 0; i < DG_FLOW_WAYS; i++)
		if (load(bucket->flow[i].mark) >> DG_FLOW_SEEN_BITS == dg_hash_flow_id(hash))
			return way_answered(&bucket->flow[i], &bucket->answers[i]);
	return false;
}
