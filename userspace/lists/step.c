// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * step.c - do the image and the contents on the disk belong together?
 *
 * compiled.json says what the last image was made of: each list's words and its content's generation, the key, the
 * layout. Written last, so that a run which dies at any point is noticed by the next one.
 */
#include <errno.h>
#include <string.h>

#include "bpf/hash.h"
#include "userspace/lists/internal.h"

#define COMPILED "compiled.json"
#define COMPILED_BYTES_MAX (1 << 20)
#define KEY_TEXT 32

/* What an image is made of: each list's words and the generation of its content. */
static json_t *inputs_json(const struct dg_run *run)
{
	json_t *inputs = json_array();

	for (__u32 i = 0; i < run->count; i++) {
		const struct dg_item *item = run->item + i;
		__u64 generation = dg_item_meta(item)->generation;

		if (item->inputs.count)
			json_array_append_new(inputs,
					      json_pack("[s, s, s, s, i, b, b, I]", item->spec.name,
							item->spec.format, item->spec.match,
							item->spec.answer, item->spec.ede,
							item->spec.observe, item->spec.override,
							(json_int_t)generation));
	}
	return inputs;
}

static json_t *compiled_read(const struct dg_run *run)
{
	dg_scoped_free char *text = NULL;

	if (dg_dir_read(&run->lists, COMPILED, COMPILED_BYTES_MAX, &text, NULL))
		return NULL;
	return json_loads(text, 0, NULL);
}

/* What an image must have been made for to be of use: the key and the layout. */
static void key_text(const struct dg_run *run, char buf[KEY_TEXT])
{
	snprintf(buf, KEY_TEXT, "%016llx/%u", (unsigned long long)dg_hash_key_check(run->key),
		 DG_ABI_VERSION);
}

/* Of the image that is published; 0 = none is. */
static __u64 generation_live(const struct dg_run *run)
{
	struct dg_image_header header;

	return run->attached && !dg_image_current(&run->maps, &header, NULL, NULL) ?
		       header.generation :
		       0;
}

static __u64 generation_of(const json_t *compiled)
{
	return (__u64)json_integer_value(json_object_get(compiled, "generation"));
}

static bool is_kept(const struct dg_run *run)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/image", run->want->state_dir) < PATH_MAX &&
	       !access(path, F_OK);
}

bool dg_step_is_kept(const struct dg_run *run)
{
	json_t *compiled = compiled_read(run), *inputs = inputs_json(run);
	const char *key = json_string_value(json_object_get(compiled, "made_for"));
	char now[KEY_TEXT];
	bool same;

	key_text(run, now);
	same = json_equal(json_object_get(compiled, "inputs"), inputs) && key && !strcmp(key, now);
	if (run->attached)
		same = same && generation_live(run) == generation_of(compiled) &&
		       !json_is_true(json_object_get(compiled, "senders_pending"));
	else
		same = same && (is_kept(run) || !json_array_size(inputs));
	json_decref(compiled);
	json_decref(inputs);
	return same;
}

int dg_step_write(const struct dg_run *run, struct dg_error *err)
{
	const struct dg_image_header *header = run->elements;
	dg_scoped_free char *text = NULL;
	char key[KEY_TEXT];
	json_t *document;

	key_text(run, key);
	document = json_pack("{s:i, s:o, s:I, s:s, s:b}", "schema", 1, "inputs", inputs_json(run),
			     "generation", header ? (json_int_t)header->generation : 0, "made_for",
			     key, "senders_pending", run->senders_pending);
	text = document ? json_dumps(document, JSON_INDENT(1)) : NULL;
	json_decref(document);
	return text ? dg_dir_write(&run->lists, COMPILED, text, err) :
		      dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
}

bool dg_step_is_live(const struct dg_run *run)
{
	json_t *compiled = compiled_read(run);
	__u64 live = generation_live(run);
	bool ours = live && live == generation_of(compiled);

	json_decref(compiled);
	return ours;
}
