/* SPDX-License-Identifier: MIT */
/*
 * The end of a server on a kernel that does its worst: a ring that fails, operations that never
 * complete, and no submission queue for what has to be cancelled.
 */
#include "unit/scripted_server.h"

/* Where the kernel may still write to its memory, a server is better lost than freed; kept here. */
static struct rollcall_server *volatile lost[2];
static unsigned lost_count;

static void assert_lost(void)
{
	const unsigned files = count_open_files();

	assert_in_range(files, 1, 10);
	rollcall_destroy(server);
	assert_int_equal(count_open_files(), files);
	assert_int_not_equal(fake_groups[BUFFERS_TCP].entries, 0);
	lost[lost_count++] = server;
	server = NULL;
}

static int forget(void **state)
{
	kernel_begin();
	return scripted_end(state);
}

/* A ring that fails ends the loop with its error, and nothing is freed. */
static void ring_fails(void **state)
{
	(void)state;
	create();
	assert_int_equal(listen_on("tcp://127.0.0.1:0"), 0);
	kernel.wait_error = -EBADR;
	assert_int_equal(rollcall_run(server), -EBADR);
	assert_lost();
}

/* Nor is it while an operation is in flight that does not end, however often it is cancelled. */
static void never_ending(void **state)
{
	(void)state;
	create();
	assert_int_equal(listen_on("tcp://127.0.0.1:0"), 0);
	turn();
	started(IORING_OP_ACCEPT, -1);
	assert_lost();
	started(IORING_OP_ASYNC_CANCEL, -1);
}

static void assert_engine(enum rollcall_engine engine, int refusal)
{
	int why;

	create();
	assert_int_equal(rollcall_get_engine(server, NULL), engine);
	assert_int_equal(rollcall_get_engine(server, &why), engine);
	assert_int_equal(why, refusal);
	rollcall_destroy(server);
	server = NULL;
}

/* It is io_uring, unless that is not to be had, or another was asked for. */
static void engine(void **state)
{
	static const int refusals[] = { -EPERM, -EACCES, -ENOSYS, -EOPNOTSUPP, -EINVAL };

	(void)state;
	assert_engine(ROLLCALL_ENGINE_IO_URING, 0);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		fake_io_uring_error = refusals[i];
		options.engine = ROLLCALL_ENGINE_AUTO;
		assert_engine(ROLLCALL_ENGINE_EPOLL, refusals[i]);
		options.engine = ROLLCALL_ENGINE_EPOLL;
		assert_engine(ROLLCALL_ENGINE_EPOLL, 0);
		options.engine = ROLLCALL_ENGINE_IO_URING;
		assert_int_equal(rollcall_create(&server, &options), refusals[i]);
	}
	fake_io_uring_error = 0;
}

/* A lack of memory or of descriptors is no reason for epoll, which needs them too. */
static void engine_with_few_resources(void **state)
{
	static const int errors[] = { -ENOMEM, -EMFILE, -ENFILE };

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		fake_io_uring_error = errors[i];
		assert_int_equal(rollcall_create(&server, &options), errors[i]);
	}
	fake_io_uring_error = 0;
}

static unsigned warnings;
static char last_warning[256];

static void count_warning(enum rollcall_log_level level, const char *text, void *context)
{
	(void)context;
	if (level != ROLLCALL_LOG_WARNING)
		return;
	warnings++;
	snprintf(last_warning, sizeof(last_warning), "%s", text);
}

/* An accept that fails again and again while clients come and go writes five warnings a minute. */
static void accept_fails_often(void **state)
{
	(void)state;
	warnings = 0;
	options.log = count_warning;
	options.log_level = ROLLCALL_LOG_WARNING;
	create();
	assert_int_equal(listen_on("tcp://127.0.0.1:0"), 0);
	turn();
	for (int i = 0; i < 50; i++) {
		accept_client();
		complete(started(IORING_OP_ACCEPT, -1), -EMFILE, 0);
		turn();
		kernel.now_ns += LISTENER_RETRY_NS;
		turn();
	}
	assert_int_equal(warnings, 5);
	kernel.now_ns += UINT64_C(60000000000);
	turn();
	assert_int_equal(warnings, 6);
	assert_non_null(
		strstr(last_warning, "45 more like this within 60 s: cannot accept TCP clients"));
}

static char logged[256];

static void log_error(enum rollcall_log_level level, const char *text, void *context)
{
	(void)context;
	assert_int_equal(level, ROLLCALL_LOG_ERROR);
	snprintf(logged, sizeof(logged), "%s", text);
}

/* Without a descriptor for the event a server is not made, says so, and gives all back. */
static void no_event(void **state)
{
	(void)state;
	options.log = log_error;
	kernel.event_error = -EMFILE;
	assert_int_equal(rollcall_create(&server, &options), -EMFILE);
	assert_null(server);
	assert_string_equal(logged, "cannot create a server: transports and eventfd: Too many open "
				    "files");
	assert_int_equal(fake_groups[BUFFERS_TCP].entries, 0);
	assert_int_equal(fake_groups[BUFFERS_UDP].entries, 0);
}

static int done_results[2];
static unsigned done_count;

static void on_done(struct rollcall_server *of, struct rollcall_io *io, int result)
{
	assert_ptr_equal(of, server);
	(void)io;
	done_results[done_count++] = result;
}

/*
 * Files of a server that is ended: nothing is started any more; what is in flight is cancelled as
 * soon as there is an SQE, and told as cancelled whichever way the kernel says it.
 */
static void files_cancelled(void **state)
{
	char data[8];
	struct rollcall_io io = {
		.size = sizeof(io), .fd = kernel_open(), .data = data, .bytes = 8, .done = on_done
	};
	struct rollcall_io second = io;

	(void)state;
	done_count = 0;
	create();
	assert_int_equal(rollcall_read(server, &io), 0);
	assert_int_equal(rollcall_write(server, &second), 0);
	turn();
	rollcall_stop(server);
	rollcall_stop(server);
	assert_int_equal(rollcall_read(server, &io), -ESHUTDOWN);
	kernel.sqes_left = 0;
	turn();
	assert_null(find_started(IORING_OP_ASYNC_CANCEL, -1));
	kernel.sqes_left = UINT32_MAX;
	turn();
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), -ENOENT, 0);
	complete(started(IORING_OP_READ, io.fd), -EINTR, 0);
	turn();
	assert_int_equal(done_count, 1);
	assert_int_equal(done_results[0], -ECANCELED);
	complete(started(IORING_OP_WRITE, io.fd), 5, 0);
	turn();
	assert_int_equal(done_count, 2);
	assert_int_equal(done_results[1], 5);
	assert_null(find_started(IORING_OP_ASYNC_CANCEL, -1));
	kernel_close(io.fd);
}

/* What is in flight when the server is destroyed has ended when that returns. */
static void files_at_the_end(void **state)
{
	char data[8];
	struct rollcall_io io = {
		.size = sizeof(io), .fd = kernel_open(), .data = data, .bytes = 8, .done = on_done
	};
	struct rollcall_io second = io;

	(void)state;
	done_count = 0;
	create();
	assert_int_equal(rollcall_read(server, &io), 0);
	assert_int_equal(rollcall_write(server, &second), 0);
	turn();
	kernel.kind = true;
	rollcall_destroy(server);
	server = NULL;
	assert_int_equal(done_count, 2);
	assert_int_equal(done_results[0], -ECANCELED);
	assert_int_equal(done_results[1], -ECANCELED);
	kernel_close(io.fd);
}

static void stop(struct rollcall_server *of, void *context)
{
	(void)context;
	rollcall_stop(of);
}

/* A timer that was due before the loop began is not waited for. */
static void late_timer(void **state)
{
	struct rollcall_timer *timer;

	(void)state;
	create();
	assert_int_equal(rollcall_timer_start(server, &timer, 5, 0, stop, NULL), 0);
	kernel.now_ns += 6000000;
	kernel.kind = true;
	assert_int_equal(rollcall_run(server), 0);
	assert_int_equal(kernel.first_wait_ns, 0);
}

static unsigned calls;

static void post_again(struct rollcall_server *of, void *context)
{
	calls++;
	assert_int_equal(rollcall_post(of, post_again, context), 0);
}

/* What is posted before the end runs in it; what is posted from there on never does. */
static void post_at_the_end(void **state)
{
	(void)state;
	calls = 0;
	create();
	assert_int_equal(rollcall_post(server, post_again, NULL), 0);
	kernel.kind = true;
	rollcall_destroy(server);
	server = NULL;
	assert_int_equal(calls, 1);
}

/* A caller that asks for nothing behind the transport gets just that, without a system call. */
static void info_without_address(void **state)
{
	struct rollcall_client_info info = {
		.size = offsetof(struct rollcall_client_info, address),
		.address_bytes = 77,
	};
	unsigned before;

	(void)state;
	create();
	assert_int_equal(listen_on("tcp://127.0.0.1:0"), 0);
	turn();
	accept_client();
	before = kernel.peer_lookups;
	assert_int_equal(rollcall_client_get_info(server, 0, &info), 0);
	assert_int_equal(info.size, offsetof(struct rollcall_client_info, address));
	assert_int_equal(info.transport, ROLLCALL_TCP);
	assert_int_equal(info.address_bytes, 77);
	assert_int_equal(kernel.peer_lookups, before);

	info.size = sizeof(info);
	assert_int_equal(rollcall_client_get_info(server, 0, &info), 0);
	assert_int_equal(info.address_bytes, sizeof(struct sockaddr_in));
	assert_int_equal(kernel.peer_lookups, before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ring_fails, scripted_begin, forget),
		cmocka_unit_test_setup_teardown(never_ending, scripted_begin, forget),
		SCRIPTED_TEST(engine),
		SCRIPTED_TEST(engine_with_few_resources),
		SCRIPTED_TEST(accept_fails_often),
		SCRIPTED_TEST(no_event),
		SCRIPTED_TEST(files_cancelled),
		SCRIPTED_TEST(files_at_the_end),
		SCRIPTED_TEST(late_timer),
		SCRIPTED_TEST(post_at_the_end),
		SCRIPTED_TEST(info_without_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
