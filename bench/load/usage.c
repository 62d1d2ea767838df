/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/fail.h"
#include "load/usage.h"

#define PATH_BYTES 300
#define TEXT_BYTES 4096

/*
 * The clock of a process counts all its threads in nanoseconds, those that have ended and the
 * workers of an io_uring too, up to this moment; /proc/PID/schedstat leaves out a running one's
 * last tick.
 */
static uint64_t cpu_ns(pid_t pid)
{
	struct timespec time;
	clockid_t clock;
	int error = clock_getcpuclockid(pid, &clock);

	if (error)
		fail("process %d: %s", (int)pid, strerror(error));
	must(clock_gettime(clock, &time), "the clock of a process");
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Reads a file of a process or thread as text; an empty one if it is gone. */
static const char *proc_text(pid_t pid, const char *thread, const char *name)
{
	static char text[TEXT_BYTES];
	char path[PATH_BYTES];
	size_t bytes = 0;
	FILE *file;

	if (thread)
		snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", (int)pid, thread, name);
	else
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "re");
	if (file) {
		bytes = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	text[bytes] = '\0';
	return text;
}

static void add_thread(struct usage *usage, pid_t pid, const char *thread)
{
	uint64_t wait_ns, willing, unwilling;
	const char *line;

	if (sscanf(proc_text(pid, thread, "schedstat"), "%*u %" SCNu64, &wait_ns) == 1)
		usage->wait_ns += wait_ns;
	line = strstr(proc_text(pid, thread, "status"), "\nvoluntary_ctxt_switches:");
	if (line &&
	    sscanf(line,
		   " voluntary_ctxt_switches: %" SCNu64 " nonvoluntary_ctxt_switches: %" SCNu64,
		   &willing, &unwilling) == 2)
		usage->switches += willing + unwilling;
}

void usage_read(struct usage *usage, pid_t pid)
{
	char path[PATH_BYTES];
	uint64_t pages;
	struct dirent *entry;
	DIR *threads;

	*usage = (struct usage){ .cpu_ns = cpu_ns(pid) };
	if (sscanf(proc_text(pid, NULL, "statm"), "%*u %" SCNu64, &pages) == 1)
		usage->memory_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	threads = opendir(path);
	if (!threads)
		fail("%s: %s", path, strerror(errno));
	while ((entry = readdir(threads)) != NULL) {
		if (entry->d_name[0] != '.')
			add_thread(usage, pid, entry->d_name);
	}
	closedir(threads);
}

/* A thread that has ended takes its share along. */
static uint64_t rise(uint64_t before, uint64_t after)
{
	return after > before ? after - before : 0;
}

struct usage usage_between(const struct usage *before, const struct usage *after)
{
	return (struct usage){
		.cpu_ns = rise(before->cpu_ns, after->cpu_ns),
		.wait_ns = rise(before->wait_ns, after->wait_ns),
		.switches = rise(before->switches, after->switches),
		.memory_bytes = after->memory_bytes,
	};
}
