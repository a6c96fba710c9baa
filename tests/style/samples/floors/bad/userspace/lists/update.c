/* The pipeline of lists knows the pinned maps, not who loads the programs. */
#include "loader/loader.h"
