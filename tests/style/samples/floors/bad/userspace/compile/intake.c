/* Who parses what strangers wrote is started by the pipeline and knows nothing of it. */
#include "userspace/lists/update.h"
