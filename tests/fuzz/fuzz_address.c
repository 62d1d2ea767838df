/* SPDX-License-Identifier: MIT */
/*
 * What address_parse() takes can be put together again from what it found; and each socket address
 * has a text that fits, and from which it can be parsed again.
 *
 * Input: a text, or after a 0 byte a struct sockaddr_in or sockaddr_in6.
 */
#include "fuzz/fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/base.h"

/* Leading zeros of a port are all that parsing forgets. */
static void check_parsed(const char *text, const struct address_name *name)
{
	const bool bracketed = text[6] == '[';
	const char *port = strrchr(text, ':') + 1;
	char again[ADDRESS_HOST_BYTES + 32], *end;

	CHECK(name->transport == (text[0] == 't' ? ROLLCALL_TCP : ROLLCALL_UDP));
	CHECK(strlen(name->host) > 0 && strlen(name->host) < sizeof(name->host));
	CHECK(bracketed == (strchr(name->host, ':') != NULL));
	CHECK(*port && strspn(port, "0123456789") == strlen(port));
	CHECK(strtoull(port, &end, 10) == name->port && !*end);
	snprintf(again, sizeof(again), "%.6s%s%s%s:", text, bracketed ? "[" : "", name->host,
		 bracketed ? "]" : "");
	CHECK(strlen(again) == (size_t)(port - text) && memcmp(again, text, strlen(again)) == 0);
}

static void parse(const uint8_t *data, size_t bytes)
{
	char *text = malloc(bytes + 1);
	struct address_name name;
	int error;

	CHECK(text);
	memcpy(text, data, bytes);
	text[bytes] = '\0';
	error = address_parse(text, &name);
	CHECK(error == 0 || error == -EINVAL);
	if (!error)
		check_parsed(text, &name);
	free(text);
}

/* The text's host and port are those of the address. */
static void check_text(const struct address *address, const char *text)
{
	struct address_name name;
	struct address again = { .any.sa_family = address->any.sa_family };
	char url[ADDRESS_TEXT_BYTES + 8], *scope;

	snprintf(url, sizeof(url), "udp://%s", text);
	CHECK(address_parse(url, &name) == 0 && name.port == address_port(address));
	scope = strchr(name.host, '%');
	if (scope) {
		*scope = '\0';
		again.v6.sin6_scope_id = (uint32_t)strtoul(scope + 1, NULL, 10);
	}
	if (again.any.sa_family == AF_INET)
		CHECK(inet_pton(AF_INET, name.host, &again.v4.sin_addr) == 1);
	else
		CHECK(inet_pton(AF_INET6, name.host, &again.v6.sin6_addr) == 1);
	CHECK(address_same_host(address, &again));
	address_set_port(&again, name.port);
	CHECK(address_equal(address, &again));
}

static void format(const uint8_t *data, size_t bytes)
{
	const bool v6 = bytes % 2;
	struct address address = { .bytes = v6 ? sizeof(address.v6) : sizeof(address.v4) };
	char text[ADDRESS_TEXT_BYTES];

	memcpy(&address.any, data, min_size(bytes, address.bytes));
	address.any.sa_family = v6 ? AF_INET6 : AF_INET;
	address_format(&address, text);
	CHECK(strlen(text) < sizeof(text));
	check_text(&address, text);
	CHECK(address_is_wildcard(&address) + address_is_loopback(&address) <= 1);
	CHECK(!address_is_loopback(&address) || address_is_unicast(&address));
	CHECK(!address_is_wildcard(&address) || !address_is_unicast(&address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (bytes > 0 && data[0] == 0)
		format(data + 1, bytes - 1);
	else
		parse(data, bytes);
	return 0;
}
