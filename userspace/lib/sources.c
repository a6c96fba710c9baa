// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sources.c - the tables of sender policies: read whole, changed, composed, and written back where they differ.
 *
 * A table is read into an array in prefix order, where whatever covers an entry stands before it; one pass with the
 * chain of open prefixes then gives every entry its inheritance.
 */
#include "userspace/lib/sources.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define EXEMPT_FLAGS (DG_SRC_NO_LIMIT | DG_SRC_NO_SINKHOLE)
#define V4_IN_V6_BITS 96

/* One family's table on its way from the kernel and back. */
struct table {
	int fd;
	enum dg_family family;
	__u32 count, room;
	struct dg_source_entry *now;	/* as it shall be, sorted */
	struct dg_source_entry *before; /* as it was, same rows as now had then */
	__u32 before_count;
};

static void table_free(struct table *table)
{
	free(table->now);
	free(table->before);
}
#define scoped_table dg_scoped(table_free)

/* ---- keys ----------------------------------------------------------------------------------- */

/* Both key structs lie in one buffer: length in bits, then the address. */
union key {
	struct dg_source_key_v4 v4;
	struct dg_source_key_v6 v6;
};

static union key key_of(const struct dg_prefix *prefix)
{
	union key key = { .v6 = { .bits = prefix->bits } };
	const __u8 *bytes = (const __u8 *)&prefix->addr;

	if (prefix->family == DG_IPV4)
		memcpy(key.v4.addr, bytes + 12, sizeof(key.v4.addr));
	else
		memcpy(key.v6.addr, bytes, sizeof(key.v6.addr));
	return key;
}

static struct dg_prefix prefix_of(const union key *key, enum dg_family family)
{
	struct dg_prefix prefix = { .family = family, .bits = key->v6.bits };

	prefix.addr =
		family == DG_IPV4 ? dg_addr_from_v4(key->v4.addr) : dg_addr_from_v6(key->v6.addr);
	return prefix;
}

/* By address, wider first: what covers an entry comes before it. */
static int entry_compare(const void *left, const void *right)
{
	const struct dg_source_entry *a = left, *b = right;
	int order = memcmp(&a->prefix.addr, &b->prefix.addr, sizeof(a->prefix.addr));

	return order ? order : (int)a->prefix.bits - (int)b->prefix.bits;
}

bool dg_prefix_covers(const struct dg_prefix *wide, const struct dg_prefix *narrow)
{
	const __u8 *a = (const __u8 *)&wide->addr, *b = (const __u8 *)&narrow->addr;
	__u32 bits = wide->bits + (wide->family == DG_IPV4 ? V4_IN_V6_BITS : 0);

	if (wide->family != narrow->family || wide->bits > narrow->bits || memcmp(a, b, bits / 8))
		return false;
	return bits % 8 == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0;
}

/* ---- inheritance ---------------------------------------------------------------------------- */

static void entry_compose(struct dg_source *source, const struct dg_source *wider)
{
	__u64 inherited =
		wider && !(source->own_flags & DG_SRC_NO_LIMIT) ? wider->banned_until_ns : 0;

	source->flags = source->own_flags | (wider ? wider->flags : 0);
	source->banned_until_ns =
		source->own_banned_until_ns > inherited ? source->own_banned_until_ns : inherited;
}

void dg_sources_compose(struct dg_source_entry *entries, __u32 count)
{
	__u32 chain[129],
		depth = 0; /* the entries that cover the present place; 129 lengths at most */

	for (__u32 i = 0; i < count; i++) {
		while (depth &&
		       !dg_prefix_covers(&entries[chain[depth - 1]].prefix, &entries[i].prefix))
			depth--;
		entry_compose(&entries[i].source, depth ? &entries[chain[depth - 1]].source : NULL);
		chain[depth++] = i;
	}
}

/* ---- a table, read and written -------------------------------------------------------------- */

static int table_append(struct table *table, const struct dg_source_entry *entry)
{
	if (table->count == table->room) {
		__u32 room = table->room ? 2 * table->room : 64;
		struct dg_source_entry *grown = realloc(table->now, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		table->now = grown;
		table->room = room;
	}
	table->now[table->count++] = *entry;
	return 0;
}

static void table_sort(struct table *table)
{
	if (table->count)
		qsort(table->now, table->count, sizeof(*table->now), entry_compare);
}

static int table_read(const struct dg_maps *maps, enum dg_family family, struct table *table)
{
	union key key, *from = NULL;
	int status = 0;

	*table = (struct table){ .family = family,
				 .fd = family == DG_IPV4 ? maps->dg_sources4 : maps->dg_sources6 };
	while (!status && !bpf_map_get_next_key(table->fd, from, &key)) {
		struct dg_source_entry entry = { .prefix = prefix_of(&key, family) };

		if (!bpf_map_lookup_elem(table->fd, &key, &entry.source))
			status = table_append(table, &entry);
		from = &key;
	}
	table_sort(table);
	return status;
}

/* Keeps a copy of what the kernel has, to write only what differs. */
static int table_open(const struct dg_maps *maps, enum dg_family family, struct table *table)
{
	int status = table_read(maps, family, table);

	table->before_count = table->count;
	if (status || !table->count)
		return status;
	table->before = malloc(table->count * sizeof(*table->before));
	if (!table->before)
		return -ENOMEM;
	memcpy(table->before, table->now, table->count * sizeof(*table->before));
	return 0;
}

static struct dg_source_entry *find(struct dg_source_entry *entries, __u32 count,
				    const struct dg_prefix *prefix)
{
	const struct dg_source_entry wanted = { .prefix = *prefix };

	return count ? bsearch(&wanted, entries, count, sizeof(*entries), entry_compare) : NULL;
}

static bool says_nothing(const struct dg_source *source)
{
	return !source->own_flags && !source->own_banned_until_ns;
}

static void table_drop_silent(struct table *table)
{
	__u32 kept = 0;

	for (__u32 i = 0; i < table->count; i++)
		if (!says_nothing(&table->now[i].source))
			table->now[kept++] = table->now[i];
	table->count = kept;
}

static int rules_write(const struct dg_maps *maps, enum dg_family family, __u32 count)
{
	struct dg_settings settings;
	int status = dg_settings_read(maps, &settings);

	if (status || settings.source_rules[family] == count)
		return status;
	settings.source_rules[family] = count;
	return dg_settings_write(maps, &settings);
}

/* The rows that differ, side by side as bpf(2) wants them. */
struct batch {
	__u32 count;
	size_t key_bytes;
	__u8 *keys;
	struct dg_source *values;
};

static void batch_free(struct batch *batch)
{
	free(batch->keys);
	free(batch->values);
}
#define scoped_batch dg_scoped(batch_free)

static void batch_add(struct batch *batch, const struct dg_source_entry *entry)
{
	union key key = key_of(&entry->prefix);

	memcpy(batch->keys + batch->count * batch->key_bytes, &key, batch->key_bytes);
	batch->values[batch->count++] = entry->source;
}

static int batch_collect(const struct table *table, struct batch *ret)
{
	ret->key_bytes = table->family == DG_IPV4 ? sizeof(struct dg_source_key_v4) :
						    sizeof(struct dg_source_key_v6);
	ret->keys = calloc(table->count + 1, ret->key_bytes);
	ret->values = calloc(table->count + 1, sizeof(*ret->values));
	if (!ret->keys || !ret->values)
		return -ENOMEM;
	for (__u32 i = 0; i < table->count; i++) {
		const struct dg_source_entry *entry = &table->now[i];
		const struct dg_source_entry *old =
			find(table->before, table->before_count, &entry->prefix);

		if (!old || memcmp(&old->source, &entry->source, sizeof(entry->source)))
			batch_add(ret, entry);
	}
	return 0;
}

/* One call for all; where a kernel cannot do that for a trie, one for each. */
static int rows_write(struct table *table)
{
	scoped_batch struct batch batch = { 0 };
	int status = batch_collect(table, &batch);
	__u32 done = batch.count;

	if (status || !batch.count ||
	    !bpf_map_update_batch(table->fd, batch.keys, batch.values, &done, NULL))
		return status;
	for (__u32 i = 0; i < batch.count; i++)
		if (bpf_map_update_elem(table->fd, batch.keys + i * batch.key_bytes,
					&batch.values[i], BPF_ANY))
			return -errno;
	return 0;
}

static int rows_remove(struct table *table)
{
	for (__u32 i = 0; i < table->before_count; i++) {
		union key key = key_of(&table->before[i].prefix);

		if (find(table->now, table->count, &table->before[i].prefix))
			continue;
		if (bpf_map_delete_elem(table->fd, &key) && errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* Composes and writes. The kernel's count is raised before rows come and lowered after rows go. */
static int table_write(const struct dg_maps *maps, struct table *table)
{
	int status;

	table_drop_silent(table);
	dg_sources_compose(table->now, table->count);
	status = rules_write(maps, table->family,
			     table->count > table->before_count ? table->count :
								  table->before_count);
	if (!status)
		status = rows_write(table);
	if (!status)
		status = rows_remove(table);
	return status ? status : rules_write(maps, table->family, table->count);
}

static int table_failed(int status, struct dg_error *err)
{
	if (status == -ENOSPC)
		return dg_fail(
			err, status, DG_EXIT_FAILED,
			"the table of senders is full: %d prefixes are all it holds; see: dnsguard source show",
			DG_SOURCES_MAX);
	return dg_fail(err, status, DG_EXIT_FAILED, "cannot change the table of senders: %s",
		       strerror(-status));
}

/* Equal prefixes stand side by side: one of them stays. */
static void table_unite(struct table *table)
{
	__u32 kept = 0;

	for (__u32 i = 0; i < table->count; i++)
		if (!kept || entry_compare(&table->now[kept - 1], &table->now[i]))
			table->now[kept++] = table->now[i];
	table->count = kept;
}

/* A row for each prefix of the table's family; those that had none say nothing yet. Sorts once. */
static int rows_make(struct table *table, const struct dg_source_entry *wanted, __u32 count)
{
	const __u32 sorted = table->count;
	int status = 0;

	for (__u32 i = 0; !status && i < count; i++) {
		const struct dg_source_entry fresh = { .prefix = wanted[i].prefix };

		if (fresh.prefix.family == table->family &&
		    !find(table->now, sorted, &fresh.prefix))
			status = table_append(table, &fresh);
	}
	table_sort(table);
	table_unite(table);
	return status ? status : table->count > DG_SOURCES_MAX ? -ENOSPC : 0;
}

/* ---- what operators say --------------------------------------------------------------------- */

static void reason_set(struct dg_source *source, const char *reason)
{
	memset(source->reason, 0, sizeof(source->reason));
	if (reason)
		memcpy(source->reason, reason, strnlen(reason, sizeof(source->reason) - 1));
}

static void source_say(struct dg_source *source, const struct dg_source *said)
{
	if (said->own_banned_until_ns)
		source->own_banned_until_ns = said->own_banned_until_ns;
	if (said->own_flags & EXEMPT_FLAGS) {
		source->own_flags &= ~(__u32)EXEMPT_FLAGS;
		source->own_flags |= said->own_flags & EXEMPT_FLAGS;
		source->until_ns = said->until_ns;
	}
	reason_set(source, said->reason);
}

static int table_say(struct table *table, const struct dg_source_entry *said, __u32 count)
{
	int status = rows_make(table, said, count);

	for (__u32 i = 0; !status && i < count; i++)
		if (said[i].prefix.family == table->family)
			source_say(&find(table->now, table->count, &said[i].prefix)->source,
				   &said[i].source);
	return status;
}

int dg_sources_say(const struct dg_maps *maps, const struct dg_source_entry *said, __u32 count,
		   struct dg_error *err)
{
	scoped_table struct table v4 = { 0 };
	scoped_table struct table v6 = { 0 };
	int status = table_open(maps, DG_IPV4, &v4);

	if (!status)
		status = table_open(maps, DG_IPV6, &v6);
	if (!status)
		status = table_say(&v4, said, count);
	if (!status)
		status = table_say(&v6, said, count);
	if (!status)
		status = table_write(maps, &v4);
	if (!status)
		status = table_write(maps, &v6);
	return status ? table_failed(status, err) : 0;
}

int dg_source_ban(const struct dg_maps *maps, const struct dg_prefix *prefix, __u64 until_ns,
		  const char *reason, struct dg_error *err)
{
	struct dg_source_entry said = { .prefix = *prefix, .source.own_banned_until_ns = until_ns };

	reason_set(&said.source, reason);
	return dg_sources_say(maps, &said, 1, err);
}

int dg_source_exempt(const struct dg_maps *maps, const struct dg_prefix *prefix,
		     struct dg_exemption exemption, const char *reason, struct dg_error *err)
{
	struct dg_source_entry said = { .prefix = *prefix,
					.source = { .own_flags = exemption.flags,
						    .until_ns = exemption.until_ns } };

	reason_set(&said.source, reason);
	return dg_sources_say(maps, &said, 1, err);
}

static void source_clear(struct dg_source *source)
{
	source->own_banned_until_ns = 0;
	source->own_flags &= ~(__u32)EXEMPT_FLAGS;
	source->until_ns = 0;
	reason_set(source, NULL);
}

int dg_source_forget(const struct dg_maps *maps, const struct dg_prefix *prefix,
		     struct dg_error *err)
{
	scoped_table struct table table = { 0 };
	struct dg_source_entry *entry;
	char text[64];
	int status = table_open(maps, prefix->family, &table);

	if (status)
		return table_failed(status, err);
	entry = find(table.now, table.count, prefix);
	if (!entry ||
	    (!entry->source.own_banned_until_ns && !(entry->source.own_flags & EXEMPT_FLAGS)))
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_FOUND,
			       "nothing is said of %s: see what is with: dnsguard source show",
			       dg_prefix_text(prefix, text, sizeof(text)));
	source_clear(&entry->source);
	status = table_write(maps, &table);
	return status ? table_failed(status, err) : 0;
}

static void table_forget(struct table *table, const struct dg_prefix *prefixes, __u32 count)
{
	for (__u32 i = 0; i < count; i++) {
		struct dg_source_entry *entry =
			prefixes[i].family == table->family ?
				find(table->now, table->count, prefixes + i) :
				NULL;

		if (entry)
			source_clear(&entry->source);
	}
}

int dg_sources_forget(const struct dg_maps *maps, const struct dg_prefix *prefixes, __u32 count,
		      struct dg_error *err)
{
	int status = 0;

	for (enum dg_family family = DG_IPV4; count && !status && family <= DG_IPV6; family++) {
		scoped_table struct table table = { 0 };

		status = table_open(maps, family, &table);
		if (!status)
			table_forget(&table, prefixes, count);
		if (!status)
			status = table_write(maps, &table);
	}
	return status ? table_failed(status, err) : 0;
}

/* ---- clients -------------------------------------------------------------------------------- */

static int table_clients(struct table *table, const struct dg_source_entry *clients, __u32 count)
{
	int status = rows_make(table, clients, count);

	for (__u32 i = 0; i < table->count; i++)
		table->now[i].source.own_flags &= ~(__u32)DG_SRC_CLIENT;
	for (__u32 i = 0; !status && i < count; i++)
		if (clients[i].prefix.family == table->family)
			find(table->now, table->count, &clients[i].prefix)->source.own_flags |=
				DG_SRC_CLIENT;
	return status;
}

int dg_sources_clients(const struct dg_maps *maps, const struct dg_prefix *prefixes, __u32 count,
		       struct dg_error *err)
{
	dg_scoped_free struct dg_source_entry *clients = calloc(count + 1, sizeof(*clients));
	scoped_table struct table v4 = { 0 };
	scoped_table struct table v6 = { 0 };
	int status = clients ? table_open(maps, DG_IPV4, &v4) : -ENOMEM;

	for (__u32 i = 0; clients && i < count; i++)
		clients[i].prefix = prefixes[i];
	if (!status)
		status = table_open(maps, DG_IPV6, &v6);
	if (!status)
		status = table_clients(&v4, clients, count);
	if (!status)
		status = table_clients(&v6, clients, count);
	if (!status)
		status = table_write(maps, &v4);
	if (!status)
		status = table_write(maps, &v6);
	return status ? table_failed(status, err) : 0;
}

/* ---- deadlines ------------------------------------------------------------------------------ */

/* How many statements of this entry have ended; they are gone afterwards. */
static int entry_tidy(struct dg_source *source, __u64 now_ns)
{
	int gone = 0;

	if (source->own_banned_until_ns && source->own_banned_until_ns <= now_ns) {
		source->own_banned_until_ns = 0;
		gone++;
	}
	if (source->until_ns && source->until_ns <= now_ns) {
		source->own_flags &= ~(__u32)EXEMPT_FLAGS;
		source->until_ns = 0;
		gone++;
	}
	return gone;
}

static int family_tidy(const struct dg_maps *maps, enum dg_family family, __u64 now_ns)
{
	scoped_table struct table table = { 0 };
	int gone = 0, status = table_open(maps, family, &table);

	for (__u32 i = 0; !status && i < table.count; i++)
		gone += entry_tidy(&table.now[i].source, now_ns);
	if (!status && gone)
		status = table_write(maps, &table);
	return status ? status : gone;
}

int dg_sources_tidy(const struct dg_maps *maps, __u64 now_ns, struct dg_error *err)
{
	int v4 = family_tidy(maps, DG_IPV4, now_ns);
	int v6 = v4 < 0 ? v4 : family_tidy(maps, DG_IPV6, now_ns);

	return v6 < 0 ? table_failed(v6, err) : v4 + v6;
}

int dg_sources_list(const struct dg_maps *maps, struct dg_source_entry **ret)
{
	scoped_table struct table all = { 0 };
	scoped_table struct table v6 = { 0 };
	int status = table_read(maps, DG_IPV4, &all);

	if (!status)
		status = table_read(maps, DG_IPV6, &v6);
	for (__u32 i = 0; !status && i < v6.count; i++)
		status = table_append(&all, &v6.now[i]);
	if (status)
		return status;
	*ret = dg_take_ptr(all.now);
	return (int)all.count;
}
