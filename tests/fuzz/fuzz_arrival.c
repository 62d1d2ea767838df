/* SPDX-License-Identifier: MIT */
/*
 * A received buffer, whatever is in it, is refused or taken apart within its bounds; what may be
 * answered has an address that can be answered. Two things a kernel always keeps to, as the code
 * relies on them: control data is within its buffer, and each piece within the control data.
 *
 * Input: what the endpoint is, then the buffer.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "udp/arrival.h"
#include "udp/incoming.h"
#include "client/sources.h"

#define PORT 7070
#define INDEX 3

static struct endpoint own;

/* Of either family, on every address or on one. */
static void make_endpoint(uint8_t kind, struct udp *udp)
{
	own = (struct endpoint){ .origin.index = INDEX, .hub = udp->hub };
	udp->endpoints[0] = &own;
	udp->endpoint_count = 1;
	own.wildcard = kind & 1;
	if (kind & 2) {
		own.address.bytes = sizeof(own.address.v6);
		own.address.v6.sin6_family = AF_INET6;
		own.address.v6.sin6_addr.s6_addr[15] = !own.wildcard;
	} else {
		own.address.bytes = sizeof(own.address.v4);
		own.address.v4.sin_family = AF_INET;
		own.address.v4.sin_addr.s_addr = own.wildcard ? 0 : htobe32(0x7f000001);
	}
	address_set_port(&own.address, PORT);
	arrival_lay_out(&own.layout);
}

/* Cuts control data off where a kernel would. */
static void keep_to_bounds(uint8_t *buffer)
{
	struct io_uring_recvmsg_out *out = (struct io_uring_recvmsg_out *)buffer;
	size_t left = min_size(out->controllen, own.layout.msg_controllen);
	uint8_t *control = buffer + sizeof(*out) + own.layout.msg_namelen;

	out->controllen = (uint32_t)left;
	while (left >= sizeof(struct cmsghdr)) {
		struct cmsghdr *header = (struct cmsghdr *)control;

		header->cmsg_len = min_size(header->cmsg_len, left);
		if (header->cmsg_len < sizeof(*header))
			return;
		left -= min_size(left, CMSG_ALIGN(header->cmsg_len));
		control += CMSG_ALIGN(header->cmsg_len);
	}
}

static void check_arrival(const struct arrival *arrival, const uint8_t *buffer, size_t bytes)
{
	const size_t head = sizeof(struct io_uring_recvmsg_out) + own.layout.msg_namelen +
			    own.layout.msg_controllen;

	CHECK(arrival->endpoint == &own && arrival->key.endpoint == INDEX);
	CHECK(arrival->data == buffer + head && arrival->bytes == bytes - head);
	CHECK(arrival->from.bytes <= sizeof(arrival->from.v6));
	CHECK(arrival->segment_bytes <= INT32_MAX);
	CHECK(arrival->key.port == address_port(&arrival->from));
	CHECK(arrival->source == sources_prefix(&arrival->from));
	CHECK(!arrival->key.numbered && !arrival->key.ssrc);
}

/* What is not refused has an address and a port that are not our own. */
static void check_refusal(struct udp *udp, const struct arrival *arrival)
{
	const enum udp_drop drop = incoming_refuse(udp, arrival);

	CHECK(drop == UDP_DROP_NONE || drop == UDP_DROP_BAD_SOURCE || drop == UDP_DROP_NO_PORT ||
	      drop == UDP_DROP_OWN_SOURCE || drop == UDP_DROP_LOW_PORT);
	if (drop)
		return;
	CHECK(address_is_unicast(&arrival->from));
	CHECK(arrival->key.port >= (udp->hub->options.udp_low_ports ? 1 : 1024));
	CHECK(!address_equal(&arrival->from, &own.address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const uint8_t kind = bytes > 0 ? data[0] : 0;
	const size_t buffer_bytes = bytes > 0 ? bytes - 1 : 0;
	uint8_t *buffer = malloc(buffer_bytes + !buffer_bytes);
	struct hub hub = { .options.udp_low_ports = kind & 4 };
	struct udp udp = { .hub = &hub, .own = { .monitor = -1, .known = true } };
	struct arrival arrival;

	CHECK(buffer);
	if (buffer_bytes > 0)
		memcpy(buffer, data + 1, buffer_bytes);
	make_endpoint(kind, &udp);
	if (buffer_bytes >= sizeof(struct io_uring_recvmsg_out) + own.layout.msg_namelen +
				    own.layout.msg_controllen)
		keep_to_bounds(buffer);
	if (arrival_parse(&arrival, &own, buffer, (int)buffer_bytes)) {
		check_arrival(&arrival, buffer, buffer_bytes);
		check_refusal(&udp, &arrival);
	}
	free(buffer);
	return 0;
}
