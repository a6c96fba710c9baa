// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * drivers.c - what is known of drivers and native XDP, each row as its source says (Linux 6.1.192 and 7.3.4, drivers/net).
 *
 * Only what the kernel does not tell by itself. A driver that has no row is tried, not guessed at. Sizes are those of machines
 * with pages of 4 KiB, for a program that takes frames of one buffer; struct skb_shared_info is 320 bytes there.
 */
#include <string.h>

#include "userspace/doctor/patient.h"

#define PAGE 4096
#define HEADROOM 256 /* XDP_PACKET_HEADROOM */
#define SHARED_INFO 320
#define ETHERNET 14
#define FCS 4
#define VLAN 4
#define INTEL_BUFFER 3072 /* its receive buffer once the MTU is above 1500 */
#define IN_6_1 .native_in_6_1 = true

/* Named as /sys/class/net/NAME/device/driver or, without one, as ethtool -i does. No mtu: it depends on more than the driver. */
static const struct dg_driver drivers[] = {
	/* aquantia/atlantic/aq_main.c: aq_xdp_setup(), AQ_CFG_RX_FRAME_MAX */
	{ "atlantic", IN_6_1, .mtu = 2048, .lro = DG_LRO_ENDED },
	/* broadcom/bnxt/bnxt_xdp.c, bnxt.h: BNXT_MAX_PAGE_MODE_MTU; bnxt_fix_features() */
	{ "bnxt_en", IN_6_1, .mtu = PAGE - ETHERNET - VLAN - 2 - HEADROOM - SHARED_INFO,
	  .lro = DG_LRO_ENDED },
	/* ti/cpsw.c, cpsw_new.c */
	{ "cpsw", IN_6_1 },
	{ "cpsw-switch", IN_6_1 },
	/* amazon/ena/ena_xdp.h: ENA_XDP_MAX_MTU; ena_xdp_legal_queue_count() */
	{ "ena", IN_6_1, .mtu = PAGE - ETHERNET - FCS - VLAN - HEADROOM - SHARED_INFO,
	  .half_queues = true },
	/* freescale/dpaa2, dpaa, enetc: by their buffer layouts */
	{ "fsl_dpa", IN_6_1 },
	{ "fsl_dpaa2_eth", IN_6_1 },
	{ "fsl_enetc", IN_6_1 },
	/* fungible/funeth/funeth_main.c */
	{ "funeth", IN_6_1 },
	/* google/gve/gve_main.c: gve_verify_xdp_configuration(), 2 KiB less GVE_RX_PAD */
	{ "gve", .mtu = 2048 - ETHERNET - 2, .half_queues = true },
	/* hyperv/netvsc_bpf.c: netvsc_xdp_set() */
	{ "hv_netvsc", IN_6_1, .mtu = PAGE - HEADROOM - SHARED_INFO - ETHERNET,
	  .lro = DG_LRO_REFUSED },
	/* intel/i40e/i40e_main.c: i40e_max_vsi_frame_size(); ice/ice_main.c: ice_max_xdp_frame_size() */
	{ "i40e", IN_6_1, .mtu = INTEL_BUFFER - ETHERNET - FCS - 2 * VLAN },
	{ "ice", IN_6_1, .mtu = INTEL_BUFFER - ETHERNET - FCS - 2 * VLAN },
	/* intel/igb/igb_main.c: igb_xdp_setup(); igc/igc_xdp.c: igc_xdp_set_prog() */
	{ "igb", IN_6_1, .mtu = INTEL_BUFFER - ETHERNET - FCS - 2 * VLAN },
	{ "igc", IN_6_1, .mtu = 1500 },
	/* pensando/ionic/ionic_dev.h: IONIC_XDP_MAX_LINEAR_MTU */
	{ "ionic", .mtu = PAGE - ETHERNET - VLAN - HEADROOM - SHARED_INFO },
	/* intel/ixgbe/ixgbe_main.c: ixgbe_xdp_setup(), ring_is_rsc_enabled(); ixgbevf/ixgbevf_main.c */
	{ "ixgbe", IN_6_1, .mtu = INTEL_BUFFER - ETHERNET - FCS - VLAN, .lro = DG_LRO_REFUSED },
	{ "ixgbevf", IN_6_1, .mtu = INTEL_BUFFER - ETHERNET - FCS - VLAN },
	/* microsoft/mana/mana_bpf.c */
	{ "mana", IN_6_1 },
	/* mellanox/mlx4/en_netdev.c: MLX4_EN_MAX_XDP_MTU */
	{ "mlx4_core", IN_6_1, .mtu = PAGE - ETHERNET - 2 * VLAN - HEADROOM - SHARED_INFO },
	/* mellanox/mlx5/core/en/xdp.c: mlx5e_xdp_max_mtu(); en_main.c: mlx5e_xdp_allowed() */
	{ "mlx5_core", IN_6_1, .mtu = PAGE - HEADROOM - SHARED_INFO - ETHERNET - VLAN - FCS,
	  .lro = DG_LRO_REFUSED },
	/* mediatek/mtk_eth_soc.c */
	{ "mtk_soc_eth", IN_6_1 },
	/* marvell/mvneta.c, mvpp2/mvpp2_main.c */
	{ "mvneta", IN_6_1 },
	{ "mvpp2", IN_6_1 },
	/* socionext/netsec.c */
	{ "netsec", IN_6_1 },
	/* netronome/nfp/nfp_net_common.c: by its free list's buffers */
	{ "nfp", IN_6_1 },
	{ "nfp_netvf", IN_6_1 },
	/* qlogic/qede/qede_filter.c */
	{ "qede", IN_6_1 },
	/* marvell/octeontx2/nic/otx2_txrx.h: MAX_XDP_MTU */
	{ "rvu_nicpf", IN_6_1, .mtu = 1530 - ETHERNET - 2 * VLAN },
	/* sfc/efx_common.c: efx_xdp_max_mtu(), by the chip's prefix */
	{ "sfc", IN_6_1 },
	{ "sfc_siena", IN_6_1 },
	/* stmicro/stmmac/stmmac_xdp.c: ETH_DATA_LEN */
	{ "st_gmac", IN_6_1, .mtu = 1500 },
	{ "stmmaceth", IN_6_1, .mtu = 1500 },
	{ "intel-eth-pci", IN_6_1, .mtu = 1500 },
	/* cavium/thunder/nicvf_main.c: MAX_XDP_MTU */
	{ "nicvf", IN_6_1, .mtu = 1530 - ETHERNET - 2 * VLAN },
	/* tun.c, veth.c: several buffers, by its peer */
	{ "tun", IN_6_1 },
	{ "veth", IN_6_1 },
	/* xen-netfront.c: xennet_xdp_set() */
	{ "vif", IN_6_1, .mtu = PAGE - HEADROOM },
	/* virtio_net.c: virtnet_xdp_set() */
	{ "virtio_net", IN_6_1, .mtu = PAGE - HEADROOM - SHARED_INFO - ETHERNET },
	/* vmxnet3/vmxnet3_xdp.h: VMXNET3_XDP_MAX_MTU, NET_IP_ALIGN is 0 on x86 */
	{ "vmxnet3", .mtu = PAGE - HEADROOM - SHARED_INFO - ETHERNET - 2 * VLAN - FCS,
	  .lro = DG_LRO_ENDED },
	{ .name = NULL },
};

const struct dg_driver *dg_driver_find(const char *name)
{
	const struct dg_driver *driver = drivers;

	while (driver->name && strcmp(driver->name, name))
		driver++;
	return driver;
}
