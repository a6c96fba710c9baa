#include <linux/ip.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/packet.bpf.h"
