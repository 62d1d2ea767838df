/* SPDX-License-Identifier: MIT */
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "program/kernel.h"

/* Reads the number of a setting in /proc/sys that comes after `skip` others. */
static long read_setting_after(const char *path, unsigned skip)
{
	FILE *file = fopen(path, "re");
	long value;

	if (!file)
		return KERNEL_UNKNOWN;
	do
		if (fscanf(file, "%ld", &value) != 1)
			value = KERNEL_UNKNOWN;
	while (skip-- > 0);
	fclose(file);
	return value;
}

static long read_setting(const char *path)
{
	return read_setting_after(path, 0);
}

/* Reads a field of /proc/self/status as a number in the given base; 0 if it does not exist. */
static uint64_t read_status(const char *field, int base)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t value = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, field, strlen(field)) == 0)
			value = strtoull(line + strlen(field), NULL, base);
	}
	fclose(file);
	return value;
}

static bool is_in_group(gid_t wanted)
{
	int count = getgroups(0, NULL);
	gid_t *groups;
	bool found = getegid() == wanted;

	groups = count > 0 ? calloc((size_t)count, sizeof(*groups)) : NULL;
	if (groups)
		count = getgroups(count, groups);
	for (int i = 0; groups && i < count; i++)
		found = found || groups[i] == wanted;
	free(groups);
	return found;
}

/* Not a function with the resource as argument: the type of that differs between libcs. */
static void read_limits(struct kernel_facts *facts)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit nofile = none, memlock = none, address_space = none, data = none;

	getrlimit(RLIMIT_NOFILE, &nofile);
	getrlimit(RLIMIT_MEMLOCK, &memlock);
	getrlimit(RLIMIT_AS, &address_space);
	getrlimit(RLIMIT_DATA, &data);
	facts->nofile_soft = nofile.rlim_cur;
	facts->nofile_hard = nofile.rlim_max;
	facts->memlock_bytes = memlock.rlim_cur;
	facts->address_space_bytes = address_space.rlim_cur;
	facts->data_bytes = data.rlim_cur;
}

void kernel_facts_read(struct kernel_facts *facts)
{
	struct utsname name;

	memset(facts, 0, sizeof(*facts));
	uname(&name);
	snprintf(facts->release, sizeof(facts->release), "%s", name.release);
	sscanf(facts->release, "%u.%u", &facts->major, &facts->minor);

	facts->io_uring_disabled = read_setting("/proc/sys/kernel/io_uring_disabled");
	facts->io_uring_group = read_setting("/proc/sys/kernel/io_uring_group");
	/* The rule of io_uring_allowed() in io_uring/io_uring.c, Linux 6.6. */
	facts->io_uring_exempt =
		(read_status("CapEff:", 16) & (1ULL << CAP_SYS_ADMIN)) ||
		(facts->io_uring_group >= 0 && is_in_group((gid_t)facts->io_uring_group));
	facts->seccomp = read_status("Seccomp:", 10) == 2;

	read_limits(facts);
	facts->somaxconn = read_setting("/proc/sys/net/core/somaxconn");
	facts->tcp_mem_pages = read_setting_after("/proc/sys/net/ipv4/tcp_mem", 2);
	facts->unprivileged_port = read_setting("/proc/sys/net/ipv4/ip_unprivileged_port_start");
}

void kernel_facts_of_memory(struct kernel_facts *facts, enum rollcall_engine engine)
{
	struct rollcall_server *server;
	struct rollcall_options small;

	rollcall_options_defaults(&small);
	small.engine = engine;
	small.tcp_clients_max = small.udp_clients_max = 1;
	small.memory_bytes_max = 1 << 20;
	small.send_queue_bytes = small.send_queue_bytes_max = 64 << 10;
	facts->small_server = rollcall_create(&server, &small) == 0;
	if (facts->small_server)
		rollcall_destroy(server);
}

bool kernel_is_at_least(const struct kernel_facts *facts, unsigned major, unsigned minor)
{
	return facts->major > major || (facts->major == major && facts->minor >= minor);
}
