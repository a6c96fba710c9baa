// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - dnsguard-transfer: keeps one zone in step with a DNS primary, without privileges.
 *
 * Opens what needs rights (the NOTIFY port, the key, the zone file), gives the rights up, then talks to the network. What
 * a zone's records mean is not its business.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "userspace/lib/quote.h"
#include "userspace/transfer/follow.h"
#include "userspace/transfer/key.h"
#include "userspace/transfer/clock.h"
#include "userspace/transfer/listener.h"
#include "userspace/transfer/rights.h"
#include "userspace/transfer/serial.h"
#include "userspace/transfer/zone_file.h"

struct program {
	struct dg_options options;
	knot_tsig_key_t key;
	struct dg_listener listener;
	struct dg_follow follow;
	int state; /* descriptor of the stored zone, -1 = there is none */
};

/* ---- opening, with rights ------------------------------------------------------------------- */

static int state_open(struct program *program, struct dg_error *err)
{
	const struct dg_options *options = &program->options;
	const char *path = options->state ? options->state : options->output;

	/* The zone that we have, and no file of it yet. */
	program->follow.dirty = (options->state || options->state_fd >= 0) && options->output &&
				access(options->output, F_OK);
	program->state = options->state_fd;
	if (options->state_fd >= 0 || !path)
		return 0;
	program->state = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (program->state >= 0 || errno == ENOENT)
		return 0;
	return dg_fail(err, -errno, DG_EXIT_FAILED, "stored zone %s: cannot open it: %s",
		       DG_QUOTE(path), strerror(errno));
}

static int listener_open(struct program *program, struct dg_error *err)
{
	const struct dg_options *options = &program->options;
	int rc;

	if (!options->listen.len)
		return 0;
	rc = dg_listener_open(&program->listener, &options->listen, err);
	if (!rc)
		program->follow.loop.listener = &program->listener;
	return rc;
}

static int key_open(struct program *program, struct dg_error *err)
{
	const struct dg_options *options = &program->options;
	int rc;

	if (!options->tsig_file && options->tsig_fd < 0)
		return 0;
	rc = options->tsig_file ? dg_key_read(options->tsig_file, &program->key, err) :
				  dg_key_read_fd("--tsig-fd", options->tsig_fd, &program->key, err);
	if (!rc)
		program->follow.primary.key = program->listener.key = &program->key;
	return rc;
}

/* The keeper is started before the key is read: it has no use for it. */
static int open_all(struct program *program, struct dg_error *err)
{
	const struct dg_options *options = &program->options;
	bool keep = options->output && dg_rights_has_root();
	int rc = keep ? dg_outlet_keep(&program->follow.outlet, err) : 0;

	if (!rc)
		rc = state_open(program, err);
	if (!rc)
		rc = listener_open(program, err);
	if (!rc)
		rc = key_open(program, err);
	dg_rights_memory(options->max_bytes);
	return rc ? rc : dg_rights_drop(keep ? NULL : options->output, err);
}

/* ---- the stored zone ------------------------------------------------------------------------ */

static __u64 age_of(int fd)
{
	struct stat st;
	time_t now = time(NULL);

	if (fstat(fd, &st) || st.st_mtime >= now)
		return 0;
	return (__u64)(now - st.st_mtime) * DG_NS_PER_S;
}

/* A stored zone that cannot be used is no reason to stop: the whole zone comes instead. */
static int state_load(struct program *program)
{
	struct dg_follow *follow = &program->follow;
	struct dg_error err = { .text = "" };
	int rc;

	if (program->state < 0)
		return 0;
	follow->age_ns = age_of(program->state);
	rc = dg_zone_read(&follow->zone, program->state, &err);
	dg_close_fd(&program->state);
	if (!rc)
		return 0;
	if (rc != -ENODATA)
		fprintf(stderr, "dnsguard-transfer: zone %s: the stored zone is not used: %s\n",
			program->options.zone_text, err.text);
	dg_zone_clear(&follow->zone);
	return dg_zone_init(&follow->zone, program->options.zone, program->options.max_bytes);
}

/* ---- one check ------------------------------------------------------------------------------ */

static void sentence(const struct program *program, const struct dg_checked *checked)
{
	const char *zone = program->options.zone_text;
	const struct dg_change *change = &checked->change;

	if (program->options.output_fd == STDOUT_FILENO)
		return;
	if (!checked->written)
		printf("zone %s: serial %u, unchanged\n", zone, checked->serial);
	else if (change->kind == DG_KIND_IXFR)
		printf("zone %s: serial %u, %" PRIu64 " records, IXFR from %u (+%" PRIu64
		       " -%" PRIu64 ")\n",
		       zone, checked->serial, (uint64_t)checked->records, change->from,
		       (uint64_t)change->added, (uint64_t)change->deleted);
	else
		printf("zone %s: serial %u, %" PRIu64 " records%s\n", zone, checked->serial,
		       (uint64_t)checked->records, change->kind == DG_KIND_AXFR ? ", AXFR" : "");
}

static int run_once(struct program *program, struct dg_error *err)
{
	struct dg_checked checked;
	int rc = dg_follow_check(&program->follow, &checked, err);

	if (rc) {
		dg_follow_reason(&program->follow, err);
		if (program->options.json)
			dg_event_failed(&program->follow, err->text, 0);
		return rc;
	}
	if (program->options.json)
		dg_event_checked(&program->follow, &checked);
	else
		sentence(program, &checked);
	if (dg_serial_newer(checked.serial, checked.primary_serial))
		fprintf(stderr,
			"dnsguard-transfer: zone %s: the primary has serial %u, older than %u\n",
			program->options.zone_text, checked.primary_serial, checked.serial);
	return 0;
}

static int run(struct program *program, struct dg_error *err)
{
	struct dg_follow *follow = &program->follow;

	dg_loop_signals();
	if (dg_zone_init(&follow->zone, program->options.zone, program->options.max_bytes) ||
	    state_load(program))
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	if (program->options.once)
		return run_once(program, err);
	if (follow->zone.soa)
		dg_event_loaded(follow);
	return dg_follow_run(follow);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void program_begin(struct program *program)
{
	const struct dg_options *options = &program->options;

	program->state = -1;
	program->listener = (struct dg_listener){
		.zone = options->zone, .primary = &options->primary, .udp = -1, .tcp = -1
	};
	program->follow.options = options;
	/* Who stays for somebody goes with him: nobody else would end a child of a parent that was killed. */
	program->follow.loop.hearer = options->once ? -1 : STDOUT_FILENO;
	program->follow.primary = (struct dg_primary){ .host = options->primary,
						       .loop = &program->follow.loop,
						       .connect_ns = options->connect_ns,
						       .idle_ns = options->idle_ns,
						       .whole_ns = options->whole_ns };
	program->follow.outlet = (struct dg_outlet){ .path = options->output,
						     .fd = options->output_fd,
						     .keeper = -1,
						     .state = DG_STATE_FILE_NONE };
}

static void program_end(struct program *program)
{
	dg_zone_clear(&program->follow.zone);
	knot_tsig_key_deinit(&program->key);
	if (program->follow.loop.listener)
		dg_listener_close(&program->listener);
	dg_close_fd(&program->follow.outlet.keeper);
	dg_close_fd(&program->state);
}

int main(int argc, char **argv)
{
	static struct program program;
	struct dg_error err = { .status = DG_EXIT_FAILED, .text = "not enough memory" };
	int rc = dg_options_read(&program.options, argc, argv, &err);

	if (rc > 0) {
		fputs(dg_options_usage, stdout);
		return DG_EXIT_OK;
	}
	if (!rc) {
		program_begin(&program);
		rc = open_all(&program, &err);
		if (!rc)
			rc = run(&program, &err);
		program_end(&program);
	}
	if (rc < 0)
		fprintf(stderr, "dnsguard-transfer: %s\n", err.text);
	return rc < 0 ? err.status : DG_EXIT_OK;
}
