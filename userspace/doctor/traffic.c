// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * traffic.c - the checks of who asks: a balancer in front of everybody, and clients that nobody has configured.
 */
#include <string.h>

#include "userspace/doctor/patient.h"
#include "userspace/lib/sources.h"

#define ENOUGH 50 /* queries: fewer say nothing of shares */
#define BALANCER_PERCENT 30

static struct dg_prefix prefix_of(const struct dg_addr *addr)
{
	struct dg_prefix prefix;
	char text[64];

	dg_prefix_parse(dg_addr_text(*addr, text, sizeof(text)), &prefix, NULL);
	return prefix;
}

/* What the entries of the guard that cover this address say, or'ed. */
static __u32 flags_of(const struct dg_doctor *doctor, const struct dg_addr *addr)
{
	dg_scoped_free struct dg_source_entry *entries = NULL;
	struct dg_prefix narrow = prefix_of(addr);
	int count = doctor->loaded ? dg_sources_list(&doctor->maps, &entries) : 0;
	__u32 flags = 0;

	for (int i = 0; i < count; i++)
		if (dg_prefix_covers(&entries[i].prefix, &narrow))
			flags |= entries[i].source.flags;
	return flags;
}

void dg_check_balancer(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_sample *sample = doctor->sample;
	__u32 most = 0;
	char text[64];

	for (__u32 i = 1; sample && i < sample->count; i++)
		most = sample->source[i].queries > sample->source[most].queries ? i : most;
	if (!sample) {
		dg_find(ret, DG_HEALTH_WARN, "the packets of %s cannot be looked at",
			doctor->link.name);
		dg_mend(ret, "as root, with CAP_NET_RAW: sudo dnsguard doctor %s",
			doctor->link.name);
		return;
	}
	if (sample->queries < ENOUGH) {
		dg_find(ret, DG_HEALTH_PASS, "%u queries seen: too few to tell shares",
			sample->queries);
		return;
	}
	dg_addr_text(sample->source[most].addr, text, sizeof(text));
	if (sample->source[most].queries * 100ull <= sample->queries * (__u64)BALANCER_PERCENT) {
		dg_find(ret, DG_HEALTH_PASS,
			"%u queries of %u sources; the most of one: %s, %llu %%", sample->queries,
			sample->count, text,
			sample->source[most].queries * 100ull / sample->queries);
	} else if (flags_of(doctor, &sample->source[most].addr) & DG_SRC_NO_LIMIT) {
		dg_find(ret, DG_HEALTH_PASS, "%s sends %llu %% of the queries, and is exempt", text,
			sample->source[most].queries * 100ull / sample->queries);
	} else {
		dg_find(ret, DG_HEALTH_WARN,
			"%s sends %llu %% of %u queries: a balancer, dnsdist or forwarder, whom limits per "
			"source would hit for all behind it",
			text, sample->source[most].queries * 100ull / sample->queries,
			sample->queries);
		dg_mend(ret, "dnsguard source exempt %s  # and limit in front of it", text);
	}
}

void dg_check_clients(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_sample *sample = doctor->sample;
	__u32 strangers = 0;
	char text[64] = "";

	if (doctor->unseen) {
		dg_find(ret, DG_HEALTH_WARN,
			"which senders are clients cannot be told without root");
		dg_mend(ret, "sudo dnsguard doctor %s", doctor->link.name);
		return;
	}
	if (!doctor->loaded || !(doctor->settings.flags & DG_SET_CLIENTS_ONLY)) {
		dg_find(ret, DG_HEALTH_PASS, "every sender is a client");
		return;
	}
	for (__u32 i = 0; sample && i < sample->count; i++) {
		if (flags_of(doctor, &sample->source[i].addr) & DG_SRC_CLIENT)
			continue;
		if (!strangers++)
			dg_addr_text(sample->source[i].addr, text, sizeof(text));
	}
	if (!strangers) {
		dg_find(ret, DG_HEALTH_PASS, "the %u sources seen are configured clients",
			sample ? sample->count : 0);
		return;
	}
	dg_find(ret, DG_HEALTH_WARN,
		"%u of %u sources seen are no configured clients, %s for one: blocked names "
		"are not answered to them",
		strangers, sample->count, text);
	dg_mend(ret,
		"/etc/dnsguard/dnsguard.yaml: add its prefix to clients: [...]; then: systemctl reload dnsguardd");
}
