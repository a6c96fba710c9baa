// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * host.c - the checks of the host: kernel, BTF, JIT, lockdown, capabilities, bpf filesystem, and a load on trial.
 */
#include <cap-ng.h>
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "loader/loader.h"
#include "userspace/doctor/patient.h"

#define LIMITER_BYTES_ON_TRIAL (1u << 16)

void dg_check_kernel(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	unsigned int major = 0, minor = 0;
	char release[128];

	if (dg_doctor_read(doctor, "/proc/sys/kernel/osrelease", release, sizeof(release)) ||
	    sscanf(release, "%u.%u", &major, &minor) != 2) {
		dg_find(ret, DG_HEALTH_WARN, "the version of the kernel cannot be read");
		dg_mend(ret, "uname -r must say 6.1 or later");
	} else if (major < 6 || (major == 6 && minor < 1)) {
		dg_find(ret, DG_HEALTH_FAIL, "Linux %s, 6.1 or later is needed", release);
		dg_mend(ret, "apt install linux-image-amd64, then reboot");
	} else {
		dg_find(ret, DG_HEALTH_PASS, "Linux %s", release);
	}
}

void dg_check_btf(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/sys/kernel/btf/vmlinux", doctor->root);
	if (!access(path, R_OK)) {
		dg_find(ret, DG_HEALTH_PASS, "the kernel describes its types");
		return;
	}
	dg_find(ret, DG_HEALTH_FAIL, "%s: %s; the kernel was built without CONFIG_DEBUG_INFO_BTF",
		path, strerror(errno));
	dg_mend(ret, "run a distribution kernel: apt install linux-image-amd64, then reboot");
}

void dg_check_jit(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	char word[32];

	if (dg_doctor_read(doctor, "/proc/sys/net/core/bpf_jit_enable", word, sizeof(word))) {
		dg_find(ret, DG_HEALTH_PASS, "cannot be switched off in this network namespace");
	} else if (!strcmp(word, "0")) {
		dg_find(ret, DG_HEALTH_FAIL,
			"the BPF compiler is off: programs are interpreted, many times slower");
		dg_mend(ret, "sysctl -w net.core.bpf_jit_enable=1");
	} else {
		dg_find(ret, DG_HEALTH_PASS, "programs are compiled");
	}
}

void dg_check_lockdown(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	char word[128];

	if (dg_doctor_read(doctor, "/sys/kernel/security/lockdown", word, sizeof(word)) ||
	    strstr(word, "[none]")) {
		dg_find(ret, DG_HEALTH_PASS, "off");
	} else if (strstr(word, "[confidentiality]")) {
		dg_find(ret, DG_HEALTH_WARN,
			"confidentiality: TCP connections may not be counted in the kernel");
		dg_mend(ret, "boot with lockdown=integrity");
	} else {
		dg_find(ret, DG_HEALTH_PASS, "%s", word);
	}
}

/* Which rights this process lacks, each with a space in front; "" = none. */
static void caps_missing(char ret[64])
{
	static const struct {
		unsigned int cap;
		const char *name;
	} needed[] = { { CAP_BPF, "CAP_BPF" },
		       { CAP_NET_ADMIN, "CAP_NET_ADMIN" },
		       { CAP_PERFMON, "CAP_PERFMON" } };

	ret[0] = '\0';
	capng_get_caps_process();
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!capng_have_capability(CAPNG_EFFECTIVE, needed[i].cap))
			snprintf(ret + strlen(ret), 64 - strlen(ret), " %s", needed[i].name);
}

void dg_check_caps(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	char missing[64];

	(void)doctor;
	caps_missing(missing);
	if (missing[0]) {
		dg_find(ret, DG_HEALTH_FAIL, "this process lacks%s", missing);
		dg_mend(ret, "sudo dnsguard doctor");
		return;
	}
	dg_find(ret, DG_HEALTH_PASS, "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are here");
}

void dg_check_bpffs(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const char *bpffs = doctor->bpffs;
	struct statfs fs;

	if (statfs(bpffs, &fs)) {
		dg_find(ret, DG_HEALTH_FAIL, "%s: %s", bpffs, strerror(errno));
		dg_mend(ret, "mkdir -p %s && mount -t bpf bpf %s", bpffs, bpffs);
	} else if ((__u32)fs.f_type != (__u32)BPF_FS_MAGIC) {
		dg_find(ret, DG_HEALTH_FAIL, "%s is not on a bpf filesystem", bpffs);
		dg_mend(ret, "mount -t bpf bpf %s", bpffs);
	} else {
		dg_find(ret, DG_HEALTH_PASS, "%s", bpffs);
	}
}

/* Loads the very program with maps of its own and attaches it nowhere: whatever this kernel cannot do shows here. */
void dg_check_load(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_fd int prog = -1;
	struct dg_settings settings;
	struct dg_error err = { .text = "" };
	char missing[64];

	(void)doctor;
	caps_missing(missing);
	if (missing[0]) {
		dg_find(ret, DG_HEALTH_WARN, "not tried: for that,%s are needed", missing);
		dg_mend(ret, "sudo dnsguard doctor");
		return;
	}
	if (dg_settings_default(&settings, &err) ||
	    dg_load_private(&settings, LIMITER_BYTES_ON_TRIAL, 0, &maps, &prog, &err)) {
		dg_find(ret, DG_HEALTH_FAIL, "the kernel refuses the program: %.400s", err.text);
		dg_mend(ret,
			"Linux 6.1 or later; in a container the rights that deploy/kubernetes/dnsguard.yaml gives");
		return;
	}
	dg_find(ret, DG_HEALTH_PASS, "the kernel takes the program");
}

void dg_check_counting(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	if (doctor->unseen) {
		dg_find(ret, DG_HEALTH_WARN,
			"whether anything is guarded cannot be told without root");
		dg_mend(ret, "sudo dnsguard doctor");
	} else if (!doctor->loaded) {
		dg_find(ret, DG_HEALTH_WARN, "nothing is guarded yet");
		dg_mend(ret, "dnsguard attach IFACE --try 120s --observe");
	} else if (!dg_tcpstate_runs(doctor->bpffs)) {
		dg_find(ret, DG_HEALTH_WARN, "the kernel refused to count TCP connections");
		dg_mend(ret, "attach again, which says why: dnsguard attach IFACE");
	} else {
		dg_find(ret, DG_HEALTH_PASS, "TCP connections are counted in the kernel");
	}
}
