/* SPDX-License-Identifier: MIT */
/*
 * address.h - a first look at an ADDRESS of the command line, to name the usual mistakes with their
 * cure. The library has the last word on what an address is. Pure functions; any thread.
 */
#ifndef PROGRAM_ADDRESS_H
#define PROGRAM_ADDRESS_H

/* The longest host name (RFC 1035, section 2.3.4) and its NUL. */
#define ADDRESS_HOST_BYTES 256

/*
 * Returns NULL if `text` looks like HOST:PORT, [IPv6]:PORT or *:PORT, else what is wrong with it
 * and what to write instead, as the end of a sentence. The text returned is static.
 */
const char *address_fault(const char *text);

/* The same for an address that is to be asked: "tcp://HOST:PORT" or "udp://HOST:PORT", of one host
 * and with a port. */
const char *address_url_fault(const char *text);

/*
 * Takes a HOST:PORT without a fault apart: copies the host, without brackets, and returns the port.
 */
const char *address_split(const char *text, char host[static ADDRESS_HOST_BYTES]);

#endif
