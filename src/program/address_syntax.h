/* SPDX-License-Identifier: MIT */
/*
 * address_syntax.h - checks an ADDRESS of the command line for common mistakes, to say how to
 * correct them. The library decides what a valid address is. Pure functions; any thread.
 */
#ifndef PROGRAM_ADDRESS_SYNTAX_H
#define PROGRAM_ADDRESS_SYNTAX_H

/* The longest host name (RFC 1035, section 2.3.4) and its NUL. */
#define ADDRESS_HOST_BYTES 256

/*
 * Returns NULL if `text` looks like HOST:PORT, [IPv6]:PORT or *:PORT, else the fault and what to
 * write instead, as the end of a sentence. The returned text is static.
 */
const char *address_fault(const char *text);

/* The same for an address of --health: "tcp://HOST:PORT" or "udp://HOST:PORT", not "*" and with a
 * port other than 0. */
const char *address_url_fault(const char *text);

/*
 * Splits a HOST:PORT without a fault: copies the host, without brackets, and returns the port.
 */
const char *address_split(const char *text, char host[static ADDRESS_HOST_BYTES]);

#endif
