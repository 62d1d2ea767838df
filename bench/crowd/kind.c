/* SPDX-License-Identifier: MIT */
#include "crowd/kind.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define LINE "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"

/* Less than a server queues for a client, so that it receives all, and sees the end. */
#define HALF_CLOSE_BYTES 300000

/* Below rollcall's default --line-bytes-max. */
#define UNFINISHED_BYTES 60000

static const struct kind kinds[] = {
	{ .name = "idle", .help = "send nothing" },
	{ .name = "flood",
	  .help = "keep the socket full of line feeds, and read all",
	  .line = "\n",
	  .bytes_max = UINT64_MAX },
	{ .name = "slow-read",
	  .help = "keep the socket full of lines of 64 bytes, and read 640 bytes a second",
	  .line = LINE,
	  .bytes_max = UINT64_MAX,
	  .reads = READS_SLOWLY },
	{ .name = "half-close",
	  .help = "send 300,000 bytes of such lines and the end (FIN), and read nothing",
	  .line = LINE,
	  .bytes_max = HALF_CLOSE_BYTES,
	  .reads = READS_NOTHING,
	  .half_closes = true },
	{ .name = "hoard",
	  .help = "send 60,000 bytes of a line without its end, and read all",
	  .line = "x",
	  .bytes_max = UNFINISHED_BYTES },
	{ .name = "touch", .help = "send one byte, and read all", .line = "x", .bytes_max = 1 },
	{ .name = "disconnect", .help = "close", .closes = true },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	return NULL;
}

void kinds_print(void)
{
	for (size_t i = 0; i < KINDS; i++)
		printf("  %-12s %s\n", kinds[i].name, kinds[i].help);
}
