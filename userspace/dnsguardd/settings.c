// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * settings.c - the configuration's keys as fields of the kernel's live settings.
 */
#include <arpa/inet.h>
#include <string.h>

#include "userspace/dnsguardd/settings.h"
#include "userspace/lib/maps.h"

/*
 * Rate and burst make one struct dg_rate. The one that is not given keeps what the guard has, and
 * where the charge was off there is nothing to keep: then it is the default, which the
 * configuration holds.
 */
struct rate_keys {
	int per_sec_given, burst_given;
	__u64 per_sec, burst;
};

static void rates(const struct rate_keys *keys, struct dg_rate rate[DG_FAMILY_COUNT])
{
	for (int f = 0; f < DG_FAMILY_COUNT && (keys->per_sec_given || keys->burst_given); f++) {
		__u64 per_sec = 0, burst = 0;

		dg_rate_read(&rate[f], &per_sec, &burst);
		dg_rate_make(keys->per_sec_given || !per_sec ? keys->per_sec : per_sec,
			     keys->burst_given || !burst ? keys->burst : burst, (enum dg_family)f,
			     &rate[f]);
	}
}

static void ports(const struct dg_config *c, struct dg_settings *s)
{
	for (__u32 i = 0; i < DG_PORTS_MAX; i++)
		s->ports[i] = i < c->port_count ? htons(c->ports[i]) : 0;
}

static void flag(struct dg_settings *s, __u32 bit, int on)
{
	s->flags = on ? s->flags | bit : s->flags & ~bit;
}

static void modes(const struct dg_config *c, const struct dg_key_set *keys, struct dg_settings *s)
{
	if (dg_keys_has(keys, DG_KEY_LIMIT_MODE))
		s->limit_mode = (__u8)c->limit_mode;
	if (dg_keys_has(keys, DG_KEY_ANSWER_MODE))
		s->sinkhole_mode = (__u8)c->sinkhole_mode;
	if (dg_keys_has(keys, DG_KEY_SOURCE_MODE))
		s->source_mode = (__u8)c->source_mode;
	if (dg_keys_has(keys, DG_KEY_SYN_MODE))
		s->syn_mode = (__u8)c->syn_mode;
	if (dg_keys_has(keys, DG_KEY_TCP_PROTECT))
		s->protect.mode = (__u8)c->tcp_protect;
	if (dg_keys_has(keys, DG_KEY_TCP_REAPER))
		s->protect.reaper = (__u8)c->tcp_reaper;
}

static void limits(const struct dg_config *c, const struct dg_key_set *keys, struct dg_settings *s)
{
	const struct rate_keys query = { dg_keys_has(keys, DG_KEY_RATE_LIMIT),
					 dg_keys_has(keys, DG_KEY_INSTANT_LIMIT), c->rate_limit,
					 c->instant_limit };
	/* TCP protection has a SYN limit with it: where none was ever said, the default. */
	const int bring = s->protect.mode != DG_OFF && !s->rate[DG_CHARGE_SYN][DG_IPV4].cost[0];
	const struct rate_keys syn = { bring || dg_keys_has(keys, DG_KEY_SYN_RATE_LIMIT),
				       bring || dg_keys_has(keys, DG_KEY_SYN_INSTANT_LIMIT),
				       c->syn_rate_limit, c->syn_instant_limit };

	rates(&query, s->rate[DG_CHARGE_QUERY]);
	rates(&syn, s->rate[DG_CHARGE_SYN]);
	if (dg_keys_has(keys, DG_KEY_SLIP))
		s->slip = (__u32)c->slip;
}

static void answers(const struct dg_config *c, const struct dg_key_set *keys, struct dg_settings *s)
{
	if (dg_keys_has(keys, DG_KEY_NEGATIVE_TTL))
		s->negative_ttl = (__u32)c->negative_ttl;
	if (dg_keys_has(keys, DG_KEY_ADDRESS_TTL))
		s->address_ttl = (__u32)c->address_ttl;
	if (dg_keys_has(keys, DG_KEY_EDE_TEXT))
		flag(s, DG_SET_EDE_TEXT, c->ede_text != 0);
	if (dg_keys_has(keys, DG_KEY_COOKIE_PASS))
		flag(s, DG_SET_COOKIE_PASS, c->cookie_pass != 0);
	if (dg_keys_has(keys, DG_KEY_BUDGET))
		dg_budget_make(c->budget, s);
	if (!dg_keys_has(keys, DG_KEY_COOKIE_SECRET) && !dg_keys_has(keys, DG_KEY_COOKIE_FILE))
		return;
	memcpy(s->cookie_secret, c->cookie_secret, sizeof(s->cookie_secret));
	flag(s, DG_SET_COOKIE_SECRET, c->cookie_secret_set);
}

void dg_settings_configure(const struct dg_config *config, const struct dg_key_set *keys,
			   struct dg_settings *settings)
{
	modes(config, keys, settings);
	limits(config, keys, settings);
	answers(config, keys, settings);
	if (dg_keys_has(keys, DG_KEY_PORTS))
		ports(config, settings);
	if (dg_keys_has(keys, DG_KEY_LATENCY_SAMPLE))
		settings->asked_below = DG_ASKED_BELOW(config->latency_sample);
	if (dg_keys_has(keys, DG_KEY_CLIENTS))
		flag(settings, DG_SET_CLIENTS_ONLY, config->client_count != 0);
}
