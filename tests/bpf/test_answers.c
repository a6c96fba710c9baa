// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_answers.c - what the program at egress takes for the answer to a query, and which bucket its time goes to; speaks TAP.
 *
 * A query is shown to the walk, its note is made older, and a frame that is an answer, or nearly one, is shown to egress. The
 * frame must go on as it came. And a table of queries that more than fit are noted in.
 */
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "bpf/latency.h"
#include "tests/bpf/frames.h"
#include "userspace/lib/query.h"

#define TAGS_MAX 2
#define FRAGMENT 8 /* octets of IPv6's header */
#define AGE_NS 5000000ull
#define CLIENT 0x0a000001
#define CROWD (2 * DG_ASKED_BUCKETS * DG_ASKED_WAYS)
#define NEWEST 1000

/* ---- the guard and its books ---------------------------------------------------------------- */

struct room {
	struct guard guard;
	int egress;
	struct dg_asked_bucket *asked; /* the whole table */
	struct dg_latency before[DG_LATENCY_KINDS];
};

static struct dg_latency kind_read(const struct room *room, enum dg_latency_kind kind)
{
	struct dg_latency row = { 0 };

	must(guard_sum(room->guard.maps.dg_latency, kind, (__u64 *)&row, sizeof(row)), "latency");
	return row;
}

static void books_begin(struct room *room)
{
	memset(room->asked, 0, DG_ASKED_BUCKETS * sizeof(*room->asked));
	for (int kind = 0; kind < DG_LATENCY_KINDS; kind++)
		room->before[kind] = kind_read(room, (enum dg_latency_kind)kind);
}

/* Since books_begin(). */
static struct dg_latency booked(const struct room *room, enum dg_latency_kind kind)
{
	struct dg_latency row = kind_read(room, kind);

	row.asked -= room->before[kind].asked;
	row.displaced -= room->before[kind].displaced;
	row.sum_ns -= room->before[kind].sum_ns;
	for (int i = 0; i < DG_LATENCY_BUCKETS; i++)
		row.bucket[i] -= room->before[kind].bucket[i];
	return row;
}

static __u64 answers_of(const struct dg_latency *row)
{
	__u64 answers = 0;

	for (int i = 0; i < DG_LATENCY_BUCKETS; i++)
		answers += row->bucket[i];
	return answers;
}

/* Answers of a kind that took as long as the notes are old, not much longer; ~0 = one took another time. */
static __u64 answers(const struct room *room, enum dg_latency_kind kind)
{
	const __u32 least = dg_latency_bucket(AGE_NS / 1000) - 1;
	struct dg_latency row = booked(room, kind);
	__u64 all = answers_of(&row);

	for (__u32 i = 0; i < least; i++)
		if (row.bucket[i])
			return ~0ull;
	return row.sum_ns < all * AGE_NS * 9 / 10 || row.sum_ns > all * (AGE_NS + GUARD_SECOND) ?
		       ~0ull :
		       all;
}

/* Every note was made so long ago. */
static void notes_age(struct room *room, __u64 age_ns)
{
	const __u64 mask = (1ull << DG_ASKED_TIME_BITS) - 1;

	for (__u32 i = 0; i < DG_ASKED_BUCKETS; i++) {
		for (int way = 0; way < DG_ASKED_WAYS; way++) {
			__u64 *cell = &room->asked[i].cell[way];

			if (*cell)
				*cell = (*cell & ~mask) |
					((*cell - (age_ns >> DG_ASKED_TIME_SHIFT)) & mask);
		}
	}
}

static __u64 notes_count(const struct room *room)
{
	__u64 notes = 0;

	for (__u32 i = 0; i < DG_ASKED_BUCKETS; i++)
		for (int way = 0; way < DG_ASKED_WAYS; way++)
			notes += room->asked[i].cell[way] != 0;
	return notes;
}

/* Shows it to egress: true when it goes on to whoever comes next, and as it came. */
static bool leaves(const struct room *room, const __u8 *frame, __u32 len)
{
	__u8 out[GUARD_FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);

	must(bpf_prog_test_run_opts(room->egress, &opts), "run at egress");
	return (int)opts.retval == TC_ACT_UNSPEC && opts.data_size_out == len &&
	       !memcmp(out, frame, len);
}

/* ---- an answer, and what is nearly one ------------------------------------------------------- */

struct answer {
	__u8 frame[GUARD_FRAME_MAX];
	__u32 len;
	bool v6;
	__u32 l4; /* without tags */
};

static __u8 *udp_of(struct answer *a)
{
	return a->frame + a->l4;
}

static __u8 *dns_of(struct answer *a)
{
	return a->frame + a->l4 + 8;
}

static void as_it_is(struct answer *a)
{
	(void)a;
}

static void truncated(struct answer *a)
{
	dns_of(a)[2] |= 0x02;
}

static void servfail(struct answer *a)
{
	dns_of(a)[3] |= 0x02;
}

static void other_id(struct answer *a)
{
	dns_of(a)[1] ^= 1;
}

static void a_query(struct answer *a)
{
	dns_of(a)[2] &= 0x7f;
}

static void other_client_port(struct answer *a)
{
	udp_of(a)[3] ^= 1;
}

static void other_guarded_port(struct answer *a)
{
	put16(udp_of(a), 5353);
}

static void unguarded_port(struct answer *a)
{
	put16(udp_of(a), 54);
}

static void other_client(struct answer *a)
{
	a->frame[FRAME_L3 + (a->v6 ? 39 : 19)] ^= 1;
}

static void other_service(struct answer *a)
{
	a->frame[FRAME_L3 + (a->v6 ? 23 : 15)] ^= 1;
}

static void protocol_set(struct answer *a, __u8 protocol)
{
	a->frame[FRAME_L3 + (a->v6 ? 6 : 9)] = protocol;
}

static void of_icmp(struct answer *a)
{
	protocol_set(a, IPPROTO_ICMP);
}

static void of_tcp(struct answer *a)
{
	protocol_set(a, IPPROTO_TCP);
}

static void of_arp(struct answer *a)
{
	put16(a->frame + 12, 0x0806);
}

static void other_version(struct answer *a)
{
	a->frame[FRAME_L3] ^= 0x20;
}

/* IPv4: a longer header. IPv6: hop-by-hop options. What follows is read by nobody. */
static void with_options(struct answer *a)
{
	if (a->v6)
		protocol_set(a, IPPROTO_HOPOPTS);
	else
		a->frame[FRAME_L3] = 0x46;
}

/* offset in units of eight octets: RFC 791, RFC 8200 section 4.5 */
static void fragment(struct answer *a, __u16 offset, bool more)
{
	__u8 *header = a->frame + FRAME_L3 + 40;

	if (!a->v6) {
		put16(a->frame + FRAME_L3 + 6, (__u16)(offset | (more ? 0x2000 : 0)));
		return;
	}
	memmove(header + FRAGMENT, header, a->len - FRAME_L3 - 40);
	memset(header, 0, FRAGMENT);
	header[0] = a->frame[FRAME_L3 + 6];
	put16(header + 2, (__u16)(offset << 3 | more));
	protocol_set(a, IPPROTO_FRAGMENT);
	a->len += FRAGMENT;
	a->l4 += FRAGMENT;
}

static void first_fragment(struct answer *a)
{
	fragment(a, 0, true);
}

static void first_fragment_of_tcp(struct answer *a)
{
	protocol_set(a, IPPROTO_TCP);
	fragment(a, 0, true);
}

static void first_fragment_other_id(struct answer *a)
{
	other_id(a);
	fragment(a, 0, true);
}

static void middle_fragment(struct answer *a)
{
	fragment(a, 185, true);
}

static void last_fragment(struct answer *a)
{
	fragment(a, 185, false);
}

static const struct {
	const char *name;
	void (*change)(struct answer *a);
	__u64 answers;
} rows[] = {
	{ "the answer", as_it_is, 1 },
	{ "TC=1", truncated, 1 },
	{ "SERVFAIL", servfail, 1 },
	{ "another ID", other_id, 0 },
	{ "QR=0", a_query, 0 },
	{ "to another port", other_client_port, 0 },
	{ "from another guarded port", other_guarded_port, 0 },
	{ "from a port that is not guarded", unguarded_port, 0 },
	{ "to another client", other_client, 0 },
	{ "from another address", other_service, 0 },
	{ "ICMP", of_icmp, 0 },
	{ "TCP", of_tcp, 0 },
	{ "ARP", of_arp, 0 },
	{ "another IP version", other_version, 0 },
	{ "IP options", with_options, 0 },
	{ "first fragment", first_fragment, 1 },
	{ "first fragment, another ID", first_fragment_other_id, 0 },
	{ "first fragment of TCP", first_fragment_of_tcp, 0 },
	{ "fragment from the middle", middle_fragment, 0 },
	{ "last fragment", last_fragment, 0 },
};

/* ---- one query and its answer ---------------------------------------------------------------- */

static void addr_set(const char *text, struct dg_addr *ret)
{
	struct dg_prefix prefix;

	must(dg_prefix_parse(text, &prefix, NULL), text);
	*ret = prefix.addr;
}

static __u32 query_make(const struct room *room, bool v6, __u8 frame[GUARD_FRAME_MAX])
{
	struct dg_name name;
	struct dg_query query = {
		.client_port = FRAME_PORT, .server_port = 53, .name = &name, .qtype = 1
	};
	int len;

	must(dg_name_parse("www.example", &name, NULL), "name");
	addr_set(v6 ? "2001:db8::1" : "192.0.2.1", &query.client);
	addr_set(v6 ? "2001:db8::53" : "192.0.2.53", &query.server);
	memcpy(query.dst_mac, room->guard.iface.mac[0], sizeof(query.dst_mac));
	len = dg_query_frame(&query, frame);
	must(len < 0 ? len : 0, "query");
	return (__u32)len;
}

/* So many VLAN tags between addresses and type. */
static __u32 tags_put(__u8 *frame, __u32 len, int tags)
{
	for (int i = 0; i < tags; i++, len += 4) {
		memmove(frame + 16, frame + 12, len - 12);
		put16(frame + 12, 0x8100);
		put16(frame + 14, 100);
	}
	return len;
}

static void query_show(const struct room *room, const __u8 *frame, __u32 len, int tags)
{
	struct guard_run run;

	memcpy(run.frame, frame, len);
	run.frame_len = tags_put(run.frame, len, tags);
	must(guard_show(&room->guard, &run, 0, 0), "show a query");
	must(run.probe.verdict == DG_PASS_CLEAN ? 0 : -EPROTO, "verdict");
}

/* A query that was asked AGE_NS ago, and its answer. */
static struct answer asked(struct room *room, bool v6, int tags)
{
	struct answer answer = { .v6 = v6, .l4 = FRAME_L3 + (v6 ? 40 : 20) };

	answer.len = query_make(room, v6, answer.frame);
	books_begin(room);
	query_show(room, answer.frame, answer.len, tags);
	notes_age(room, AGE_NS);
	frame_turn(answer.frame);
	dns_of(&answer)[2] |= 0x80;
	return answer;
}

static void row_play(struct room *room, size_t row, bool v6, int tags)
{
	struct answer a = asked(room, v6, tags);
	struct dg_latency udp;
	bool left;

	rows[row].change(&a);
	a.len = tags_put(a.frame, a.len, tags);
	left = leaves(room, a.frame, a.len);
	udp = booked(room, DG_LATENCY_UDP);
	ok(left && udp.asked == 1 && answers(room, DG_LATENCY_UDP) == rows[row].answers &&
		   notes_count(room) == 1 - rows[row].answers,
	   "IPv%d, %d tags, %s: %s", v6 ? 6 : 4, tags, rows[row].name,
	   rows[row].answers ? "timed" : "not timed");
}

/* Cut off anywhere: it is read where all is there that it is known by, and else it is not. */
static void cut_short(struct room *room, bool v6)
{
	struct answer whole = asked(room, v6, 0);
	const __u32 enough = whole.l4 + 8 + 4;
	bool left = true;

	for (__u32 len = whole.l4; len < enough; len++) /* a test run wants a whole IP header */
		left &= leaves(room, whole.frame, len);
	ok(left && answers(room, DG_LATENCY_UDP) == 0, "IPv%d, cut below %u octets: not timed",
	   v6 ? 6 : 4, enough);
	left = leaves(room, whole.frame, enough);
	ok(left && answers(room, DG_LATENCY_UDP) == 1, "IPv%d, cut at %u octets: timed", v6 ? 6 : 4,
	   enough);
}

static void again_and_late(struct room *room)
{
	struct answer a = asked(room, false, 0);

	leaves(room, a.frame, a.len);
	leaves(room, a.frame, a.len);
	ok(answers(room, DG_LATENCY_UDP) == 1, "an answer that leaves twice is timed once");
	a = asked(room, false, 0);
	notes_age(room, DG_ASKED_WINDOW_NS);
	leaves(room, a.frame, a.len);
	ok(answers(room, DG_LATENCY_UDP) == 0, "one that comes after 34 s is not");
	a = asked(room, false, 0);
	room->guard.settings.asked_below = 0;
	must(guard_write_settings(&room->guard), "settings");
	leaves(room, a.frame, a.len);
	ok(answers(room, DG_LATENCY_UDP) == 0, "one of a query that is not of the sample is not");
	room->guard.settings.asked_below = DG_ASKED_BELOW(1);
	must(guard_write_settings(&room->guard), "settings");
}

/* ---- more queries than the table holds ------------------------------------------------------- */

/* Query number n, or the answer to it: each of a client of its own. */
static void crowd_frame(__u32 n, bool answer, struct guard_run *run)
{
	static const __u8 message[] = { 0x12, 0x34, 1, 0,   0,	 1,   0,   0, 0, 0, 0, 0,
					1,    'q',  4, 't', 'e', 's', 't', 0, 0, 1, 0, 1 };

	frame_begin(run, CLIENT + n, IPPROTO_UDP, 8 + sizeof(message));
	put16(run->frame + FRAME_L4 + 4, 8 + sizeof(message));
	memcpy(run->frame + FRAME_L4 + 8, message, sizeof(message));
	if (!answer)
		return;
	frame_turn(run->frame);
	run->frame[FRAME_L4 + 8 + 2] |= 0x80;
}

static __u64 crowd_answer(const struct room *room, __u32 from, __u32 to)
{
	struct dg_latency before = booked(room, DG_LATENCY_UDP), after;
	struct guard_run run;

	for (__u32 n = from; n < to; n++) {
		crowd_frame(n, true, &run);
		leaves(room, run.frame, run.frame_len);
	}
	after = booked(room, DG_LATENCY_UDP);
	return answers_of(&after) - answers_of(&before);
}

static void crowd(struct room *room)
{
	const __u64 cells = (__u64)DG_ASKED_BUCKETS * DG_ASKED_WAYS;
	struct dg_latency udp;
	__u64 kept, answered;
	struct guard_run run;

	books_begin(room);
	for (__u32 n = 0; n < CROWD; n++) {
		crowd_frame(n, false, &run);
		must(guard_show(&room->guard, &run, 0, 0), "show a query");
	}
	udp = booked(room, DG_LATENCY_UDP);
	kept = notes_count(room);
	ok(udp.asked == CROWD && kept > cells * 9 / 10,
	   "%u queries for %llu cells: all are counted, %llu are kept", CROWD, cells, kept);
	ok(udp.displaced == CROWD - kept, "and the others as displaced: %llu", udp.displaced);
	answered = crowd_answer(room, CROWD - NEWEST, CROWD);
	ok(answered == NEWEST, "the oldest gave way: of the newest %u answers %llu are timed",
	   NEWEST, answered);
	answered += crowd_answer(room, 0, CROWD - NEWEST);
	ok(answered == kept, "of all of them %llu, as many as were kept", answered);
}

/* ---- TCP ------------------------------------------------------------------------------------- */

#define QUERY_BYTES (2 + 12 + 8 + 4)

/* Everything from the client was seen AGE_NS ago. */
static void segment_show(const struct room *room, __u32 sequence, __u8 flags, __u16 data)
{
	static const __u8 message[QUERY_BYTES] = { 0,	     QUERY_BYTES - 2,
						   0,	     1,
						   1,	     0,
						   0,	     1,
						   [14] = 1, 'q',
						   4,	     't',
						   'e',	     's',
						   't',	     0,
						   0,	     1,
						   0,	     1 };
	struct guard_run run;

	frame_segment(&run, CLIENT, sequence, flags, data);
	memcpy(run.frame + FRAME_DATA, message, data);
	must(guard_show(&room->guard, &run, dg_now_ns() - AGE_NS, 0), "show a segment");
	must(run.probe.verdict == DG_PASS_TCP ? 0 : -EPROTO, "verdict");
}

/* From the server, with `data` octets behind a header of so many words. */
static void segment_leave(const struct room *room, __u16 data, __u8 words, __u16 to_port)
{
	struct guard_run run;

	frame_segment(&run, CLIENT, 1, FRAME_ACK, data);
	frame_turn(run.frame);
	put16(run.frame + FRAME_L4 + 2, to_port);
	run.frame[FRAME_L4 + 12] = (__u8)(words << 4);
	must(leaves(room, run.frame, run.frame_len) ? 0 : -EPROTO, "a segment at egress");
}

static void tcp_is(const struct room *room, __u64 first, __u64 query, const char *what)
{
	__u64 is_first = answers(room, DG_LATENCY_TCP_FIRST), is = answers(room, DG_LATENCY_TCP);

	ok(is_first == first && is == query, "TCP, %s: %llu from the SYN on, %llu to a query", what,
	   is_first, is);
}

static void tcp(struct room *room)
{
	books_begin(room);
	segment_show(room, 0, FRAME_SYN, 0);
	segment_leave(room, 0, 5, FRAME_PORT);
	tcp_is(room, 0, 0, "a segment without data");
	segment_leave(room, 20, 10, FRAME_PORT);
	tcp_is(room, 0, 0, "options to its end");
	segment_leave(room, 20, 15, FRAME_PORT);
	tcp_is(room, 0, 0, "a header longer than the segment");
	segment_leave(room, 20, 5, FRAME_PORT + 1);
	tcp_is(room, 0, 0, "data of another connection");
	segment_leave(room, 20, 5, FRAME_PORT);
	tcp_is(room, 1, 0, "the first data");
	segment_leave(room, 20, 5, FRAME_PORT);
	tcp_is(room, 1, 0, "more data");
	segment_show(room, 1, FRAME_ACK, QUERY_BYTES);
	segment_leave(room, 0, 5, FRAME_PORT);
	tcp_is(room, 1, 0, "a query and its acknowledgement");
	segment_show(room, 1 + QUERY_BYTES, FRAME_ACK, QUERY_BYTES);
	segment_leave(room, 20, 5, FRAME_PORT);
	tcp_is(room, 1, 1, "the answer to the older one of two queries");
	segment_leave(room, 20, 5, FRAME_PORT);
	tcp_is(room, 1, 1, "its second segment");
}

/* ---- all ------------------------------------------------------------------------------------- */

static void prepare(struct room *room)
{
	const size_t bytes = DG_ASKED_BUCKETS * sizeof(*room->asked);

	guard_begin(&room->guard);
	must(guard_service(&room->guard, "2001:db8::53", DG_SVC_GUARDED), "service");
	room->guard.iface.flags |= DG_IF_TIMED;
	must(guard_write_iface(&room->guard), "device");
	room->guard.settings.ports[1] = htons(5353);
	room->guard.settings.asked_below = DG_ASKED_BELOW(1);
	must(guard_write_settings(&room->guard), "settings");
	must(dg_egress_load(&room->guard.maps, &room->egress), "load the program of egress");
	room->asked =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, room->guard.maps.dg_asked, 0);
	must(room->asked == MAP_FAILED ? -errno : 0, "map the table of queries");
}

int main(void)
{
	static struct room room;

	if (guard_load(&room.guard, 1 << 16))
		return 2;
	must(guard_pin(0), "pin");
	prepare(&room);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
		for (int i = 0; i < 2 * (TAGS_MAX + 1); i++)
			row_play(&room, row, i % 2, i / 2);
	cut_short(&room, false);
	cut_short(&room, true);
	again_and_late(&room);
	crowd(&room);
	tcp(&room);
	dg_close_fd(&room.egress);
	guard_unload(&room.guard);
	return tap_end();
}
