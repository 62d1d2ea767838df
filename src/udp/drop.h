/* SPDX-License-Identifier: MIT */
/*
 * drop.h - why a received datagram is dropped. Each reason has a counter, udp_dropped_* in struct
 * rollcall_stats.
 */
#ifndef UDP_DROP_H
#define UDP_DROP_H

enum udp_drop {
	UDP_DROP_NONE, /* it is not dropped */
	UDP_DROP_FULL,
	UDP_DROP_SOURCE_FULL,
	UDP_DROP_RATE,
	UDP_DROP_NO_PORT,
	UDP_DROP_LOW_PORT,
	UDP_DROP_OWN_SOURCE,
	UDP_DROP_BAD_SOURCE,
	UDP_DROP_LOOP,
	UDP_DROP_TRUNCATED,
	UDP_DROP_MALFORMED,
	UDP_DROPS,
};

#endif
