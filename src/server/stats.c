/* SPDX-License-Identifier: MIT */
/*
 * stats.c - the statistics. Counters that steer nothing are counted in hub->stats; the others are
 * copied from the state that they describe.
 */
#include <errno.h>

#include "base/sized.h"
#include "server/server.h"

/* Size of the statistics in version 0.2.0. */
#define STATS_BYTES_MIN SIZED_THROUGH(struct rollcall_stats, tcp_refused_source)

int rollcall_get_stats(struct rollcall_server *server, struct rollcall_stats *stats)
{
	struct rollcall_stats now;

	if (!server_is_callers(server))
		return -EPERM;
	now = server->hub.stats;
	udp_report(&server->udp, &now);
	now.size = min_size(stats->size, sizeof(now));
	now.turns = server->hub.turns;
	now.tcp_clients_now = table_count(&server->hub.table, ROLLCALL_TCP);
	now.udp_clients_now = table_count(&server->hub.table, ROLLCALL_UDP);
	now.bytes_copied = server->hub.memory.copied_bytes;
	now.memory_bytes_now = hub_memory_bytes(&server->hub);
	return sized_write(stats, stats->size, &now, sizeof(now), STATS_BYTES_MIN);
}
