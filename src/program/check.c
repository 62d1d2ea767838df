/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "program/budget.h"
#include "program/check.h"
#include "program/failures.h"
#include "program/kernel.h"
#include "program/option_table.h"

/*
 * Wait for the kernel to uncharge a ring's locked memory after it was closed (Linux 6.18: 11 ms).
 */
#define RING_EXIT_US 50000

/* Far more features than the library probes; any above are not shown. */
#define FEATURES_MAX 64

static void print_features(void)
{
	struct rollcall_feature features[FEATURES_MAX];
	int count = rollcall_features(features, FEATURES_MAX, sizeof(*features));

	if (count < 0) {
		printf("cannot probe the features: %s\n", strerror(-count));
		return;
	}
	printf("%-32s %-6s %-9s %-5s %s\n", "FEATURE", "SINCE", "NEEDED", "USED", "HERE");
	for (int i = 0; i < count && i < FEATURES_MAX; i++) {
		const struct rollcall_feature *feature = &features[i];

		printf("%-32s %-6s %-9s %-5s ", feature->name, feature->since,
		       feature->required ? "required" : "optional",
		       feature->used && feature->result == 0 ? "yes" : "no");
		if (feature->result == 0)
			printf("works\n");
		else
			printf("missing (%s)\n", strerror(-feature->result));
	}
}

static void limit_text(char text[static 32], uint64_t limit, unsigned unit_shift)
{
	if (limit == RLIM_INFINITY)
		snprintf(text, 32, "unlimited");
	else
		snprintf(text, 32, "%" PRIu64 "%s", limit >> unit_shift, unit_shift ? " KiB" : "");
}

static void print_setting(const char *name, long value, const char *meaning)
{
	if (value == KERNEL_UNKNOWN)
		printf("%-38s not in this kernel\n", name);
	else
		printf("%-38s %ld%s\n", name, value, meaning);
}

static const char *io_uring_disabled_text(const struct kernel_facts *facts)
{
	switch (facts->io_uring_disabled) {
	case 0:
		return ": every process may use io_uring";
	case 1:
		return facts->io_uring_exempt
			       ? ": one group may use io_uring, this process included"
			       : ": one group may use io_uring, this process excluded";
	default:
		return ": no process may use io_uring";
	}
}

static void print_limits(const struct kernel_facts *facts)
{
	char soft[32], hard[32], memlock[32], address_space[32], data[32];

	limit_text(soft, facts->nofile_soft, 0);
	limit_text(hard, facts->nofile_hard, 0);
	limit_text(memlock, facts->memlock_bytes, 10);
	limit_text(address_space, facts->address_space_bytes, 10);
	limit_text(data, facts->data_bytes, 10);
	printf("\n%-38s %s\n", "LIMIT", "VALUE");
	printf("%-38s %s\n", "rollcall", rollcall_version_text());
	printf("%-38s Linux %s\n", "kernel", facts->release);
	printf("%-38s soft %s, hard %s: below %s TCP clients\n", "open files (RLIMIT_NOFILE)", soft,
	       hard, hard);
	printf("%-38s %s\n", "locked memory (RLIMIT_MEMLOCK)", memlock);
	printf("%-38s %s\n", "address space (RLIMIT_AS)", address_space);
	printf("%-38s %s\n", "data (RLIMIT_DATA)", data);
	print_setting("kernel.io_uring_disabled", facts->io_uring_disabled,
		      io_uring_disabled_text(facts));
	print_setting("net.core.somaxconn", facts->somaxconn, ": maximum backlog of an address");
	printf("%-38s %s\n", "seccomp filter", facts->seccomp ? "yes" : "no");
}

static void print_options(const struct program_options *options)
{
	char value[OPTION_VALUE_BYTES];

	printf("\n%-38s %s\n", "OPTION", "VALUE");
	for (const struct option_row *row = option_rows; row->name; row++) {
		const char *text = option_value(row, options, value);

		if (*text)
			printf("--%-36s %s\n", row->name, text);
	}
}

static void print_part(const char *name, uint64_t bytes)
{
	printf("%-38s %6" PRIu64 " MiB\n", name, (bytes + (1 << 20) - 1) >> 20);
}

static void print_memory(struct rollcall_server *server, unsigned udp_sockets,
			 const struct kernel_facts *facts)
{
	struct rollcall_memory memory = { .size = sizeof(memory) };
	const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

	if (rollcall_memory_max(server, &memory))
		return;
	printf("%-38s %s\n", "MEMORY", "AT MOST");
	print_part("tables of clients", memory.clients);
	print_part("queues and unfinished messages", memory.queues);
	print_part("receive buffers", memory.buffers);
	print_part("the rest of the program", memory.fixed);
	print_part("UDP sockets (kernel)", udp_sockets * memory.udp_socket);
	if (memory.sockets != UINT64_MAX) {
		print_part("TCP sockets (kernel)", memory.sockets);
		print_part("in all", budget_total(&memory, udp_sockets));
		return;
	}
	print_part("in all, without TCP sockets", memory.process + udp_sockets * memory.udp_socket);
	if (facts->tcp_mem_pages != KERNEL_UNKNOWN)
		printf("%-38s %6" PRIu64 " MiB, of the machine (net.ipv4.tcp_mem); --memory limits "
		       "them\n",
		       "TCP sockets (kernel)", (uint64_t)facts->tcp_mem_pages * page_bytes >> 20);
}

/* The library logs here what it reduced to the limits. */
static void print_log(enum rollcall_log_level level, const char *text, void *context)
{
	(void)context;
	if (level <= ROLLCALL_LOG_WARNING)
		printf("note: %s\n", text);
}

/* Returns whether it is epoll. */
static bool print_engine(const struct rollcall_server *server, const struct kernel_facts *facts)
{
	struct failure failure;
	int refusal;
	const bool is_epoll = rollcall_get_engine(server, &refusal) == ROLLCALL_ENGINE_EPOLL;

	if (refusal == 0) {
		printf("%-38s %s\n", "engine", is_epoll ? "epoll" : "io_uring");
		return is_epoll;
	}
	failure_of_create(&failure, refusal, facts);
	printf("%-38s epoll: %s\n", "engine", failure.cause);
	printf("%-38s %s\n", "to use io_uring", failure.cure);
	return true;
}

int check_run(const struct program_options *options, const struct rollcall_options *library)
{
	const unsigned udp_sockets = budget_udp_sockets(options);
	struct rollcall_options quiet = *library;
	struct rollcall_server *server;
	struct kernel_facts facts;
	char message[BUDGET_MESSAGE_BYTES];
	struct failure failure;
	bool has_space, is_epoll;
	int result;

	kernel_facts_read(&facts);
	print_features();
	print_limits(&facts);
	print_options(options);
	printf("\n");

	usleep(RING_EXIT_US);
	quiet.log = print_log;
	result = rollcall_create(&server, &quiet);
	if (result == 0) {
		is_epoll = print_engine(server, &facts);
		print_memory(server, udp_sockets, &facts);
		has_space = budget_holds(options, server, udp_sockets, message);
		rollcall_destroy(server);
		if (has_space)
			printf("\nrollcall can run here%s\n", is_epoll ? ", over epoll" : "");
		else
			printf("\n%s\n", message);
		return has_space ? 0 : EX_USAGE;
	}
	if (result == -ENOMEM)
		kernel_facts_of_memory(&facts, options->library.engine);
	failure_of_create(&failure, result, &facts);
	if (failure.cure[0])
		printf("cure: %s\n", failure.cure);
	printf("rollcall cannot run here: %s\n", failure.cause);
	return EX_UNAVAILABLE;
}
