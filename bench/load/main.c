/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fail.h"
#include "load/load.h"

#define MS_NS 1000000
#define SLICE_MS_MAX 600000

/* The first line says that all clients are connected; then there is one for each slice. */
static void obey(struct load *load)
{
	char line[64];
	unsigned ms;

	printf("{\"clients\": %llu, \"idle\": %llu, \"ready\": true}\n",
	       (unsigned long long)load->settings.clients, (unsigned long long)load->settings.idle);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "slice %u", &ms) != 1 || ms < 1 || ms > SLICE_MS_MAX)
			fail("'%.*s' is not 'slice MS', with 1 to %d ms", (int)strcspn(line, "\n"),
			     line, SLICE_MS_MAX);
		load_run(load, (uint64_t)ms * MS_NS);
		report_print(load);
	}
}

static const struct traffic *choose_traffic(const struct settings *settings)
{
	if (settings->udp)
		return &udp_traffic;
	return settings->connect ? &connect_traffic : &tcp_traffic;
}

int main(int argc, char **argv)
{
	static struct load load;

	settings_parse(&load.settings, argc, argv);
	load.traffic = choose_traffic(&load.settings);
	pattern_init();
	load_open(&load);
	if (load.settings.warmup_ns)
		load_run(&load, load.settings.warmup_ns);
	if (load.settings.control) {
		obey(&load);
	} else {
		load_run(&load, load.settings.duration_ns);
		report_print(&load);
	}
	load_finish(&load);
	return EXIT_SUCCESS;
}
