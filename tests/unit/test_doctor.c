// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_doctor.c - the doctor's judgement of devices that no namespace can make: hardware drivers, virtio, LRO, bonds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "userspace/dnsguard/doctor.h"

#define DRIVER .name = "eth0", .driver = "ice", .features_known = true
#define SOUND DRIVER, .features = DG_XDP_BASIC
#define OLD .name = "eth0", .features_known = false /* before Linux 6.3 */

/* An MTU of 0 is 1500. */
static const struct {
	const char *name;
	dg_check_fn *check;
	struct dg_link link;
	enum dg_health health;
	const char *said, *mend;
} rows[] = {
	{ "native", dg_check_native, { SOUND }, DG_HEALTH_PASS, "ice", "" },
	{ "not native", dg_check_native, { DRIVER }, DG_HEALTH_FAIL, "no native", "generic" },
	{ "old and listed",
	  dg_check_native,
	  { OLD, .driver = "ixgbe" },
	  DG_HEALTH_PASS,
	  "ixgbe",
	  "" },
	{ "old, not listed",
	  dg_check_native,
	  { OLD, .driver = "r8169" },
	  DG_HEALTH_WARN,
	  "does not tell",
	  "--try" },
	{ "vlan",
	  dg_check_native,
	  { OLD, .kind = "vlan", .under = "eth1" },
	  DG_HEALTH_WARN,
	  "vlan",
	  "attach eth1" },

	{ "alone", dg_check_parent, { SOUND }, DG_HEALTH_PASS, "", "" },
	{ "on a device",
	  dg_check_parent,
	  { SOUND, .kind = "vlan", .under = "eth1" },
	  DG_HEALTH_FAIL,
	  "vlan device on eth1",
	  "attach eth1" },
	{ "in a bond",
	  dg_check_parent,
	  { SOUND, .master = "bond0", .master_kind = "bond" },
	  DG_HEALTH_WARN,
	  "member of bond0",
	  "attach bond0" },
	{ "in a team",
	  dg_check_parent,
	  { SOUND, .master = "team0", .master_kind = "team" },
	  DG_HEALTH_WARN,
	  "member of team0",
	  "attach team0" },
	{ "in a bridge",
	  dg_check_parent,
	  { SOUND, .master = "br0", .master_kind = "bridge" },
	  DG_HEALTH_PASS,
	  "port of bridge br0",
	  "" },

	{ "ours",
	  dg_check_owner,
	  { SOUND, .xdp_prog = 7, .guard_prog = 7 },
	  DG_HEALTH_PASS,
	  "id 7",
	  "" },
	{ "nobody's",
	  dg_check_owner,
	  { SOUND },
	  DG_HEALTH_WARN,
	  "not guarded",
	  "attach eth0 --try" },
	{ "another's",
	  dg_check_owner,
	  { SOUND, .xdp_prog = 7, .guard_prog = 8, .owner = "it is xdp-filter's" },
	  DG_HEALTH_FAIL,
	  "xdp-filter",
	  "attach eth0" },

	{ "mtu 1500", dg_check_mtu, { SOUND }, DG_HEALTH_PASS, "1500", "" },
	{ "mtu 9000", dg_check_mtu, { SOUND, .mtu = 9000 }, DG_HEALTH_FAIL, "9000", "mtu 1500" },
	{ "mtu 9000, old", dg_check_mtu, { OLD, .mtu = 9000 }, DG_HEALTH_WARN, "9000", "mtu 1500" },
	{ "mtu 2000", dg_check_mtu, { SOUND, .mtu = 2000 }, DG_HEALTH_WARN, "2000", "mtu 1500" },
	{ "mtu 9000, several pages",
	  dg_check_mtu,
	  { DRIVER, .mtu = 9000, .features = DG_XDP_BASIC | DG_XDP_RX_SG },
	  DG_HEALTH_PASS,
	  "several pages",
	  "" },

	{ "no lro", dg_check_lro, { SOUND }, DG_HEALTH_PASS, "off", "" },
	{ "lro",
	  dg_check_lro,
	  { SOUND, .lro = true },
	  DG_HEALTH_FAIL,
	  "refuse XDP",
	  "ethtool -K eth0 lro off" },

	/* bit                                     0         1         2         3 */
	{ "no virtio", dg_check_virtio, { SOUND }, DG_HEALTH_PASS, "not a virtio", "" },
	{ "virtio 1.0",
	  dg_check_virtio,
	  { SOUND, .virtio = "111000111000000100000000000000001" },
	  DG_HEALTH_PASS,
	  "any_header_sg",
	  "" },
	{ "virtio 0.95",
	  dg_check_virtio,
	  { SOUND, .virtio = "001000000000000100000000000000000" },
	  DG_HEALTH_FAIL,
	  "no any_header_sg",
	  "disable-legacy" },
	{ "any layout",
	  dg_check_virtio,
	  { SOUND, .virtio = "001000000000000100000000000100000" },
	  DG_HEALTH_PASS,
	  "any_header_sg",
	  "" },
	{ "guest_tso for good",
	  dg_check_virtio,
	  { SOUND, .virtio = "000000010000000100000000000000001" },
	  DG_HEALTH_FAIL,
	  "cannot be told",
	  "guest_tso4=off" },
	{ "guest_csum for good",
	  dg_check_virtio,
	  { SOUND, .virtio = "010000000000000100000000000000001" },
	  DG_HEALTH_FAIL,
	  "cannot be told",
	  "guest_csum=off" },

	{ "unknown queues", dg_check_queues, { SOUND }, DG_HEALTH_PASS, "does not tell", "" },
	{ "all it has",
	  dg_check_queues,
	  { SOUND, .queues = 1, .queues_max = 1 },
	  DG_HEALTH_PASS,
	  "1 for",
	  "" },
	{ "virtio replies",
	  dg_check_queues,
	  { SOUND, .virtio = "1", .queues = 1, .queues_max = 1 },
	  DG_HEALTH_WARN,
	  "share them",
	  "hypervisor" },

	{ "no vlan", dg_check_vlan, { SOUND, .strips_vlan = true }, DG_HEALTH_PASS, "no VLAN", "" },
	{ "vlan kept",
	  dg_check_vlan,
	  { SOUND, .vlan_devices = 2 },
	  DG_HEALTH_PASS,
	  "left in the frame",
	  "" },
	{ "vlan stripped",
	  dg_check_vlan,
	  { SOUND, .vlan_devices = 2, .strips_vlan = true },
	  DG_HEALTH_WARN,
	  "switched off",
	  "rxvlan off" },
};

static void each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dg_doctor doctor = { .root = "", .link = rows[i].link };
		struct dg_finding finding = { .text = "" };

		doctor.link.mtu = doctor.link.mtu ? doctor.link.mtu : 1500;
		rows[i].check(&doctor, &finding);
		if (finding.health != rows[i].health || !strstr(finding.text, rows[i].said) ||
		    !strstr(finding.mend, rows[i].mend) || !finding.mend[0] != !rows[i].mend[0])
			fail_msg("%s: %d \"%s\" -> \"%s\"", rows[i].name, finding.health,
				 finding.text, finding.mend);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_row) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
