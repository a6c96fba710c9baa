/* Privileged code beside untrusted bytes. */
#include "loader/loader.h"
