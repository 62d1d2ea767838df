/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "program/address_syntax.h"
#include "program/number.h"

static const char port_missing[] = "has no port: write HOST:PORT, like localhost:8080";

static const char *port_fault(const char *port)
{
	uint64_t value;

	if (!*port)
		return port_missing;
	if (number_parse(NUMBER_WHOLE, port, 0, UINT16_MAX, &value))
		return "has a bad port: allowed are 0 (a free one) to 65535";
	return NULL;
}

static const char *bracket_fault(const char *text)
{
	const char *close = strchr(text, ']');

	if (!close)
		return "has no closing bracket: write [IPv6]:PORT, like [::1]:8080";
	if (!memchr(text, ':', (size_t)(close - text)))
		return "has no IPv6 address in its brackets: write [IPv6]:PORT, like [::1]:8080";
	if (close[1] != ':')
		return port_missing;
	return port_fault(close + 2);
}

static size_t host_bytes(const char *text)
{
	return *text == '[' ? strcspn(text, "]") - 1 : strcspn(text, ":");
}

const char *address_split(const char *text, char host[static ADDRESS_HOST_BYTES])
{
	const size_t bytes = host_bytes(text);

	memcpy(host, text + (*text == '['), bytes);
	host[bytes] = '\0';
	return strrchr(text, ':') + 1;
}

const char *address_url_fault(const char *text)
{
	const char *fault;

	if (strncmp(text, "tcp://", 6) != 0 && strncmp(text, "udp://", 6) != 0)
		return "has no scheme: write tcp://HOST:PORT or udp://HOST:PORT";
	text += 6;
	fault = address_fault(text);
	if (fault)
		return fault;
	if (host_bytes(text) >= ADDRESS_HOST_BYTES)
		return "has too long a host name";
	if (*text == '*')
		return "has no host to query: write one, like localhost";
	if (strspn(strrchr(text, ':') + 1, "0") == strlen(strrchr(text, ':') + 1))
		return "has port 0, to which no client can connect";
	return NULL;
}

const char *address_fault(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (!*text)
		return "is empty: write HOST:PORT, like localhost:8080";
	if (strstr(text, "://"))
		return "has a scheme: write HOST:PORT alone, like localhost:8080";
	if (*text == '[')
		return bracket_fault(text);
	if (!colon)
		return port_missing;
	if (colon != strchr(text, ':'))
		return "has more than one colon: write IPv6 in brackets, like [::1]:8080";
	if (colon == text)
		return "has no host: write localhost:PORT for this machine alone, "
		       "*:PORT for all its addresses";
	return port_fault(colon + 1);
}
