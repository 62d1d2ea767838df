/* SPDX-License-Identifier: MIT */
#include "lib/aborts.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void call_in_child(void (*call)(void *argument), void *argument)
{
	const struct rlimit no_core = { 0, 0 };
	int null = open("/dev/null", O_WRONLY);

	setrlimit(RLIMIT_CORE, &no_core);
	dup2(null, STDERR_FILENO);
	call(argument);
	_exit(0);
}

bool aborts(void (*call)(void *argument), void *argument)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		call_in_child(call, argument);
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGABRT;
}
