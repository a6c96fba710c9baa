/* Not named from the root. */
#include "http.h"
