#include <errno.h>

#include "userspace/lib/quote.h"
#include "userspace/lists/update.h"
