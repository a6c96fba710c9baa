// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_segment.c - the kernel's reader of queries in TCP segments: any octets as segments, and any stream cut anywhere.
 *
 * The first octet says which. Segments: each is one octet of length, three that say what its headers claim, then header and data; nothing
 * is read beyond the frame, and what is found lies within it. A stream: one octet that says how it is cut, then its octets;
 * a model that sees the whole stream says how many queries there are, and a segment that comes again adds none.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/diff/native_segment.h"

#define DATA_MAX 1400
#define STREAM_MAX 4000
#define FIRST_SEQ 0xfffffe00u /* wraps early */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "segments: %s\n", what);
	abort();
}

/* ---- any octets ------------------------------------------------------------------------------- */

static void read_any(const uint8_t *data, size_t size)
{
	struct native_found found;

	native_flow_reset();
	while (size > 4) {
		size_t len = 4u * data[0] < size - 4 ? 4u * data[0] : size - 4;
		struct native_segment segment = { data + 4, (__u32)len, (__u32)len };

		/* An IP length that is not the frame's, a frame that goes on elsewhere. */
		if (data[1] & 1)
			segment.ip_len = (__u32)(data[2] << 8 | data[3]);
		if (data[1] & 2 && segment.ip_len < 1u << 16)
			segment.ip_len += data[2];
		native_segment_read(&segment, &found);
		must(found.messages <= DG_SEGMENT_MESSAGES, "more messages than are read");
		must(found.queries <= found.messages + 1, "more queries than messages");
		must(found.last_end <= segment.ip_len, "a message beyond its segment");
		data += 4 + len;
		size -= 4 + len;
	}
}

/* ---- a stream --------------------------------------------------------------------------------- */

static __u32 segment_send(uint32_t seq, const uint8_t *data, uint32_t len, int is_syn)
{
	uint8_t octets[sizeof(struct tcphdr) + DATA_MAX];
	struct tcphdr tcp = {
		.seq = htonl(seq), .doff = sizeof(tcp) / 4, .syn = is_syn, .ack = !is_syn
	};
	struct native_segment segment = { octets, (__u32)sizeof(tcp) + len,
					  (__u32)sizeof(tcp) + len };
	struct native_found found;

	memcpy(octets, &tcp, sizeof(tcp));
	memcpy(octets + sizeof(tcp), data, len);
	native_segment_read(&segment, &found);
	return found.queries;
}

/* What stands where in the stream. */
struct model {
	const uint8_t *octets;
	uint32_t size;
	uint32_t next;	   /* where the next length, or the message behind it, is due */
	uint32_t length;   /* of that message, 0 = its length is not there yet */
	uint32_t messages; /* whole ones in this segment */
};

static uint32_t length_at(const struct model *model, uint32_t at)
{
	return (uint32_t)(model->octets[at] << 8 | model->octets[at + 1]);
}

/*
 * Queries of which something came in the segment up to `end`, without what came before. A message that goes on in the next
 * segment is one unless its header, if it is all there, says that it is an answer.
 */
static uint32_t model_count(struct model *model, uint32_t end)
{
	uint32_t count = 0;

	model->messages = 0;
	while (model->next < end) {
		uint32_t length = model->length, left;

		if (!length) {
			length = length_at(model, model->next);
			model->next += DG_LENGTH_BYTES;
		}
		left = end - model->next;
		model->length = left ? 0 : length;
		if (!left)
			break;
		if (length <= left)
			model->messages++;
		if (left < DG_HEADER_BYTES && length > left)
			count++;
		else if (length >= DG_HEADER_BYTES || length > left)
			count += !(model->octets[model->next + 2] & 0x80);
		model->next += length;
	}
	return count;
}

/* An end that divides no length and brings no more messages than are read in one segment. */
static uint32_t cut(const struct model *model, uint32_t begin, uint32_t len)
{
	uint32_t end = model->size - begin < len ? model->size : begin + len, at = model->next;

	if (model->length)
		at += model->length;
	for (unsigned int messages = !!model->length; at < end; messages++) {
		if (messages == DG_SEGMENT_MESSAGES - 1)
			return at;
		if (end - at == 1)
			return end - 1;
		at += DG_LENGTH_BYTES + length_at(model, at);
	}
	return end;
}

static void read_stream(uint8_t how, const uint8_t *octets, uint32_t size)
{
	struct model model = { .octets = octets, .size = size };
	uint32_t state = how * 2654435761u + 1, begin = 0, end;

	native_flow_reset();
	segment_send(FIRST_SEQ - 1, octets, 0, 1);
	for (; begin < size; begin = end) {
		state = state * 1664525u + 1013904223u;
		end = cut(&model, begin, 1 + (state >> 8) % (how & 1 ? 40 : DATA_MAX));
		if (end == begin)
			return; /* half a length is left */
		must(segment_send(FIRST_SEQ + begin, octets + begin, end - begin, 0) ==
			     model_count(&model, end),
		     "other queries than the stream has");
		if (state >> 31)
			must(!segment_send(FIRST_SEQ + begin, octets + begin, end - begin, 0),
			     "a segment that came again counts");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] & 1)
		read_any(data + 1, size - 1);
	else if (size - 2 <= STREAM_MAX)
		read_stream(data[1], data + 2, (uint32_t)size - 2);
	return 0;
}
