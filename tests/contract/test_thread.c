/* SPDX-License-Identifier: MIT */
/* A ring belongs to the thread that made it: what another thread or process gets (Linux 6.1). */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/contract.h"

static void *enter(void *result)
{
	*(int *)result = ring_submit_and_wait(ring, 0);
	return NULL;
}

/* The same where that thread has a ring of its own: it must not enter that one instead. */
static void *enter_with_own_ring(void *result)
{
	struct ring *own;

	if (ring_create(&own, contract_engine, 8, 16, 0))
		return NULL;
	enter(result);
	ring_destroy(own);
	return NULL;
}

static int result_in_thread(void *(*call)(void *result))
{
	pthread_t thread;
	int result = 1;

	assert_int_equal(pthread_create(&thread, NULL, call, &result), 0);
	pthread_join(thread, NULL);
	return result;
}

static void another_thread(void **state)
{
	(void)state;
	assert_int_equal(result_in_thread(enter), -EEXIST);
	/* The owner goes on undisturbed. */
	assert_int_equal(ring_submit_and_wait(ring, 0), -ETIME);
}

static void thread_with_own_ring(void **state)
{
	(void)state;
	assert_int_equal(result_in_thread(enter_with_own_ring), -EEXIST);
	assert_int_equal(ring_submit_and_wait(ring, 0), -ETIME);
}

static void after_fork(void **state)
{
	int status = 0;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(ring_submit_and_wait(ring, 0) == -EEXIST ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(ring_submit_and_wait(ring, 0), -ETIME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(another_thread),
		CONTRACT_TEST(thread_with_own_ring),
		CONTRACT_TEST(after_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
