/* One room in another. */
#include "bpf/sinkhole.bpf.h"
