/* SPDX-License-Identifier: MIT */
/*
 * incoming.h - the path of a received datagram to the service: a GRO batch is split, and what must
 * not be answered is dropped and counted.
 */
#ifndef UDP_INCOMING_H
#define UDP_INCOMING_H

#include "udp/udp.h"

/* Completion handler of an endpoint's receive. */
void incoming_on_receive(struct udp *udp, struct endpoint *endpoint,
			 const struct io_uring_cqe *cqe);

/* Why a datagram must not be answered, from its source address; also for a whole GRO batch. */
enum udp_drop incoming_refuse(struct udp *udp, const struct arrival *arrival);

#endif
