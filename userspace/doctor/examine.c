// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * examine.c - the table of checks, run one after the other over host, devices and resolvers.
 *
 * Each check is a row and a function; this file only hands them their patient and writes down what they found.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "loader/loader.h"
#include "userspace/doctor/doctor.h"
#include "userspace/doctor/patient.h"

enum about { HOST, LINK, DEVICE, RESOLVERS, RESOLVER, PORTS };

/* clang-format off */
static const struct {
	enum about about;
	const char *name;
	dg_check_fn *run;
} checks[] = {
	{ HOST,      "kernel",       dg_check_kernel },
	{ HOST,      "btf",          dg_check_btf },
	{ HOST,      "jit",          dg_check_jit },
	{ HOST,      "lockdown",     dg_check_lockdown },
	{ HOST,      "capabilities", dg_check_caps },
	{ HOST,      "bpffs",        dg_check_bpffs },
	{ HOST,      "load",         dg_check_load },
	{ HOST,      "counting",     dg_check_counting },
	{ LINK,      "link",         dg_check_link },
	{ DEVICE,    "parent",       dg_check_parent },
	{ DEVICE,    "native",       dg_check_native },
	{ DEVICE,    "owner",        dg_check_owner },
	{ DEVICE,    "mtu",          dg_check_mtu },
	{ DEVICE,    "lro",          dg_check_lro },
	{ DEVICE,    "virtio",       dg_check_virtio },
	{ DEVICE,    "queues",       dg_check_queues },
	{ DEVICE,    "vlan",         dg_check_vlan },
	{ DEVICE,    "balancer",     dg_check_balancer },
	{ DEVICE,    "clients",      dg_check_clients },
	{ RESOLVERS, "resolver",     dg_check_resolver },
	{ RESOLVER,  "quota",        dg_check_quota },
	{ RESOLVER,  "backlog",      dg_check_backlog },
	{ RESOLVER,  "idle",         dg_check_idle },
	{ RESOLVER,  "rrl",          dg_check_rrl },
	{ RESOLVER,  "cookies",      dg_check_cookies },
	{ PORTS,     "encrypted",    dg_check_encrypted },
};
/* clang-format on */

static const char *const health_words[] = { "PASS", "WARN", "FAIL" };

/* ---- the run --------------------------------------------------------------------------------- */

/* Everything found so far: the rows of the document. */
struct report {
	json_t *rows;
	unsigned int count[3];
};

static void checks_run(const struct dg_doctor *doctor, enum about about, const char *of,
		       struct report *report)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct dg_finding finding = { .text = "" };

		if (checks[i].about != about)
			continue;
		checks[i].run(doctor, &finding);
		report->count[finding.health]++;
		json_array_append_new(report->rows, json_pack("{s:s, s:s, s:s, s:s, s:s}", "health",
							      health_words[finding.health], "check",
							      checks[i].name, "of", of, "text",
							      finding.text, "mend", finding.mend));
	}
}

static void resolvers_run(struct dg_doctor *doctor, struct report *report)
{
	dg_scoped_free char *said = malloc(DG_SAID_MAX);
	struct dg_resolver_facts found[DG_RESOLVERS_MAX];
	char of[96];

	doctor->resolvers = dg_resolvers_find(doctor, found);
	checks_run(doctor, RESOLVERS, "", report);
	for (__u32 i = 0; said && i < doctor->resolvers; i++) {
		dg_resolver_ask(&found[i], said);
		doctor->resolver = found[i];
		snprintf(of, sizeof(of), "%s at %s",
			 found[i].owner.pid ? found[i].owner.program : "?", found[i].listener);
		checks_run(doctor, RESOLVER, of, report);
	}
	checks_run(doctor, PORTS, "", report);
}

/* ---- which devices --------------------------------------------------------------------------- */

struct names {
	unsigned int count;
	char name[DG_IF_MAX][IFNAMSIZ];
};

static int name_note(const char *ifname, void *arg)
{
	struct names *names = arg;

	if (names->count < DG_IF_MAX)
		snprintf(names->name[names->count++], IFNAMSIZ, "%s", ifname);
	return 0;
}

static bool is_up(const char *name)
{
	dg_scoped_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return !ioctl(fd, SIOCGIFFLAGS, &request) && request.ifr_flags & IFF_UP &&
	       !(request.ifr_flags & IFF_LOOPBACK);
}

/* The one that is named; else those that are guarded; else all that are up, but the loopback. */
static void names_collect(const struct dg_doctor_ask *ask, struct names *names)
{
	struct if_nameindex *all;

	if (ask->device)
		name_note(ask->device, names);
	else
		dg_links_each(ask->bpffs, name_note, names);
	if (names->count)
		return;
	all = if_nameindex();
	for (struct if_nameindex *one = all; one && one->if_index; one++)
		if (is_up(one->if_name))
			name_note(one->if_name, names);
	if_freenameindex(all);
}

/* All links are read first and their traffic is looked at at once: one wait, however many there are. */
static int devices_run(struct dg_doctor *doctor, const struct dg_doctor_ask *ask,
		       struct report *report, struct dg_error *err)
{
	dg_scoped_free struct dg_link *links = calloc(DG_IF_MAX, sizeof(*links));
	dg_scoped_free struct dg_sample *samples = calloc(DG_IF_MAX, sizeof(*samples));
	struct names names = { 0 };
	int status =
		links && samples ? 0 : dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");

	names_collect(ask, &names);
	for (unsigned int i = 0; !status && i < names.count; i++)
		status = dg_link_read(doctor, names.name[i], &links[i], err);
	if (status)
		return status;
	if (!names.count)
		checks_run(doctor, LINK, "", report);
	dg_samples_take(doctor, links, names.count, ask->sample_ns, samples);
	for (unsigned int i = 0; i < names.count; i++) {
		doctor->link = links[i];
		doctor->sample = samples[i].taken ? &samples[i] : NULL;
		checks_run(doctor, LINK, names.name[i], report);
		if (!dg_link_is_idle(&links[i]))
			checks_run(doctor, DEVICE, names.name[i], report);
	}
	doctor->sample = NULL;
	return 0;
}

static void guard_open(struct dg_doctor *doctor)
{
	int status = dg_maps_open(doctor->bpffs, &doctor->maps, NULL);

	doctor->unseen = status == -EACCES || status == -EPERM;
	doctor->loaded = !status && !dg_settings_read(&doctor->maps, &doctor->settings);
	if (!doctor->loaded)
		doctor->settings = (struct dg_settings){ .ports = { htons(53) } };
}

static json_t *report_json(const struct report *report)
{
	return json_pack("{s:i, s:O, s:i, s:i, s:i}", "schema", 1, "checks", report->rows, "pass",
			 report->count[DG_HEALTH_PASS], "warn", report->count[DG_HEALTH_WARN],
			 "fail", report->count[DG_HEALTH_FAIL]);
}

int dg_doctor_examine(const struct dg_doctor_ask *ask, json_t **ret, struct dg_error *err)
{
	const char *root = getenv("DNSGUARD_DOCTOR_ROOT"); /* tests show it other systems */
	dg_scoped_free struct dg_doctor *doctor = calloc(1, sizeof(*doctor));
	struct report report = { .rows = json_array() };
	json_t *doc = NULL;
	int status;

	if (!doctor)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	doctor->bpffs = ask->bpffs;
	doctor->root = root ? root : "";
	doctor->maps = DG_MAPS_NONE;
	guard_open(doctor);
	checks_run(doctor, HOST, "", &report);
	status = devices_run(doctor, ask, &report, err);
	if (!status)
		resolvers_run(doctor, &report);
	dg_maps_close(&doctor->maps);
	if (!status)
		doc = report_json(&report);
	json_decref(report.rows);
	if (!status && !doc)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	if (!status)
		*ret = doc;
	return status;
}
