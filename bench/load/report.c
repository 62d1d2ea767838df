/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "lib/fail.h"
#include "load/load.h"

static void print_quantiles(const char *name, const struct histogram *histogram)
{
	printf(", \"%s\": {\"mean\": %.3f", name, histogram_mean(histogram) / 1000);
	printf(", \"p50\": %.3f", (double)histogram_quantile(histogram, 0.5) / 1000);
	printf(", \"p90\": %.3f", (double)histogram_quantile(histogram, 0.9) / 1000);
	printf(", \"p99\": %.3f", (double)histogram_quantile(histogram, 0.99) / 1000);
	printf(", \"p99.9\": %.3f", (double)histogram_quantile(histogram, 0.999) / 1000);
	printf(", \"max\": %.3f}", (double)histogram->max / 1000);
}

static void print_usage(const char *name, const struct usage *usage, uint64_t messages)
{
	printf(", \"%s\": {\"cpu_ns\": %" PRIu64, name, usage->cpu_ns);
	if (messages)
		printf(", \"cpu_ns_per_message\": %.1f", (double)usage->cpu_ns / (double)messages);
	printf(", \"wait_ns\": %" PRIu64 ", \"switches\": %" PRIu64 ", \"memory_bytes\": %" PRIu64
	       "}",
	       usage->wait_ns, usage->switches, usage->memory_bytes);
}

static void print_udp(const struct slice *slice)
{
	printf(", \"lost\": %" PRIu64 ", \"late\": %" PRIu64 ", \"duplicated\": %" PRIu64
	       ", \"reordered\": %" PRIu64,
	       slice->lost, slice->late, slice->duplicated, slice->reordered);
}

void report_print(const struct load *load)
{
	const struct settings *settings = &load->settings;
	const struct slice *slice = &load->slice;
	double seconds = (double)(slice->end_ns - slice->begin_ns) / 1e9;

	printf("{\"clients\": %" PRIu64 ", \"idle\": %" PRIu64, settings->clients, settings->idle);
	printf(", \"messages\": %" PRIu64 ", \"bytes\": %" PRIu64, slice->answered,
	       slice->answered * settings->message_bytes);
	printf(", \"seconds\": %.6f, \"messages_per_second\": %.1f", seconds,
	       (double)slice->answered / seconds);
	if (settings->connect)
		printf(", \"connections\": %" PRIu64, slice->connections);
	if (settings->udp)
		print_udp(slice);
	print_quantiles("latency_us", &slice->latency);
	if (settings->rate) {
		printf(", \"unsent\": %" PRIu64, slice->unsent);
		print_quantiles("delay_us", &slice->delay);
	}
	print_usage("load", &slice->load, slice->answered);
	if (settings->server_pid)
		print_usage("server", &slice->server, slice->answered);
	printf("}\n");
	if (fflush(stdout))
		fail("the result cannot be written");
}
