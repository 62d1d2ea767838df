/* SPDX-License-Identifier: MIT */
/*
 * address.h - a first look at an ADDRESS of the command line, to name the usual mistakes with their
 * cure. The library has the last word on what an address is. Pure functions; any thread.
 */
#ifndef PROGRAM_ADDRESS_H
#define PROGRAM_ADDRESS_H

/*
 * Returns NULL if `text` looks like HOST:PORT, [IPv6]:PORT or *:PORT, else what is wrong with it
 * and what to write instead, as the end of a sentence. The text returned is static.
 */
const char *address_fault(const char *text);

#endif
