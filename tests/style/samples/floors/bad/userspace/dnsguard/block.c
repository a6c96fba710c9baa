/* Only the loader sees a skeleton. */
#include "bpf/ingress.skel.h"
