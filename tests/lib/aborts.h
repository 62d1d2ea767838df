/* SPDX-License-Identifier: MIT */
/*
 * aborts.h - shows that a CHECK catches an error of the programmer.
 */
#ifndef LIB_ABORTS_H
#define LIB_ABORTS_H

#include <stdbool.h>

/* Whether the call aborts. It is made in a child process, without its message. */
bool aborts(void (*call)(void *argument), void *argument);

#endif
