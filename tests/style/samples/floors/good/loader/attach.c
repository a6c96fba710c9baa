#include <errno.h>

#include "bpf/ingress.skel.h"
#include "loader/loader.h"
#include "userspace/lib/maps.h"
