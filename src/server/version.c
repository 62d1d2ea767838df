/* SPDX-License-Identifier: MIT */
/*
 * version.c - the version of the library, as a number and as text.
 */
#include "rollcall.h"

unsigned rollcall_version(void)
{
	return ROLLCALL_VERSION_NUMBER;
}

const char *rollcall_version_text(void)
{
	return ROLLCALL_VERSION;
}
