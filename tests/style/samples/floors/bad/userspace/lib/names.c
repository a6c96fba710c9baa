/* Upward. */
#include "loader/loader.h"
