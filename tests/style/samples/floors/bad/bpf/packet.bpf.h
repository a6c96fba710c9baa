/* Userspace in the kernel. */
#include <stdio.h>
