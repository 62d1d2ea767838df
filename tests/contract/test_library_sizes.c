/* SPDX-License-Identifier: MIT */
/*
 * Programs built with another version of rollcall.h: structs that are smaller than the library's or
 * larger, with known and unknown fields. tests/checks/abi runs programs that were built so.
 */
#include "contract/library.h"

/* A struct of a newer version: `known` is ours. */
#define NEWER(type)                                                                                \
	struct {                                                                                   \
		type known;                                                                        \
		uint8_t unknown[24];                                                               \
	}

/* Puts garbage where a newer version has fields of its own. */
#define SPOIL(newer) memset((newer).unknown, 0xee, sizeof((newer).unknown))

static const uint8_t zeros[24], garbage[24] = { [0 ... 23] = 0xee };

static void statistics(void **state)
{
	NEWER(struct rollcall_stats) stats;

	(void)state;
	create();
	SPOIL(stats);
	for (size_t size = 0; size < sizeof(stats.known); size++) {
		stats.known.size = size;
		assert_int_equal(rollcall_get_stats(server, &stats.known), -EINVAL);
		assert_int_equal(stats.known.size, size);
	}
	stats.known.size = sizeof(stats.known);
	assert_int_equal(rollcall_get_stats(server, &stats.known), 0);
	assert_memory_equal(stats.unknown, garbage, sizeof(garbage));

	/* The size becomes what was filled in. */
	stats.known.size = sizeof(stats);
	assert_int_equal(rollcall_get_stats(server, &stats.known), 0);
	assert_int_equal(stats.known.size, sizeof(stats.known));
	assert_memory_equal(stats.unknown, zeros, sizeof(zeros));
	stats.known.size = SIZE_MAX;
	assert_int_equal(rollcall_get_stats(server, &stats.known), -E2BIG);
}

static void memory(void **state)
{
	NEWER(struct rollcall_memory) memory;

	(void)state;
	create();
	SPOIL(memory);
	for (size_t size = 0; size < sizeof(memory.known); size++) {
		memory.known.size = size;
		assert_int_equal(rollcall_memory_max(server, &memory.known), -EINVAL);
	}
	memory.known.size = sizeof(memory);
	assert_int_equal(rollcall_memory_max(server, &memory.known), 0);
	assert_int_equal(memory.known.size, sizeof(memory.known));
	assert_memory_equal(memory.unknown, zeros, sizeof(zeros));
}

/* All sizes are tried in the callback, while there is a client. */
static void ask(struct rollcall_server *of, rollcall_client client, const void *data, size_t bytes,
		void *context)
{
	NEWER(struct rollcall_client_info) info;
	const size_t least = offsetof(struct rollcall_client_info, address);

	(void)context;
	for (size_t size = 0; size <= sizeof(info.known); size++) {
		memset(&info, 0xee, sizeof(info));
		info.known.size = size;
		assert_int_equal(rollcall_client_get_info(of, client, &info.known),
				 size < least ? -EINVAL : 0);
		assert_int_equal(info.known.size, size);
		for (size_t i = size < least ? sizeof(size) : size; i < sizeof(info); i++)
			assert_int_equal(((uint8_t *)&info)[i], 0xee);
	}
	info.known.size = sizeof(info);
	assert_int_equal(rollcall_client_get_info(of, client, &info.known), 0);
	assert_int_equal(info.known.size, sizeof(info.known));
	assert_int_equal(info.known.messages_received, 1);
	assert_memory_equal(info.unknown, zeros, sizeof(zeros));
	info.known.size = SIZE_MAX;
	assert_int_equal(rollcall_client_get_info(of, client, &info.known), -E2BIG);
	assert_int_equal(rollcall_send(of, client, data, bytes), 0);
}

static void hello(void)
{
	int fd = dial();

	say(fd, "hello\n");
	hear(fd, "hello\n");
	close(fd);
}

static void information(void **state)
{
	(void)state;
	service.received = ask;
	create_and_listen();
	run(hello);
	assert_non_null(strstr(trace, "connected 0"));
}

/* The elements lie as far apart as the caller's are large. */
static void features(void **state)
{
	NEWER(struct rollcall_feature) newer[3];
	struct rollcall_feature ours[2];
	int count = rollcall_features(ours, 2, sizeof(*ours));

	(void)state;
	assert_in_range(count, 3, 64);
	memset(newer, 0xee, sizeof(newer));
	assert_int_equal(rollcall_features(&newer[0].known, 2, sizeof(*newer)), count);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(newer[i].known.name, ours[i].name);
		assert_int_equal(newer[i].known.result, ours[i].result);
		assert_memory_equal(newer[i].unknown, zeros, sizeof(zeros));
	}
	assert_memory_equal(newer[2].unknown, garbage, sizeof(garbage));

	for (unsigned elements = 0; elements < 2; elements++) {
		assert_int_equal(rollcall_features(ours, elements, sizeof(*ours) - 1), -EINVAL);
		assert_int_equal(rollcall_features(ours, elements, SIZE_MAX), -E2BIG);
	}
}

/* Too small for the first version; larger with an unknown tail of 0, and with another one. */
static void services(void **state)
{
	NEWER(struct rollcall_service) newer = { .known = service };

	(void)state;
	create();
	for (size_t size = 0; size < sizeof(newer.known); size++) {
		newer.known.size = size;
		assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &newer.known, NULL),
				 -EINVAL);
	}
	newer.known.size = sizeof(newer);
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &newer.known, NULL), 0);
	newer.unknown[sizeof(newer.unknown) - 1] = 1;
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &newer.known, NULL), -E2BIG);
	assert_int_equal(rollcall_adopt(server, 0, &newer.known, NULL), -E2BIG);
	newer.known.size = sizeof(newer) - 1;
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &newer.known, NULL), 0);
}

/* The caller's struct is not used after the call. */
static void service_is_copied(void **state)
{
	(void)state;
	create_and_listen();
	memset(&service, 0xee, sizeof(service));
	run(hello);
	assert_string_equal(trace,
			    "connected 0\nreceived 0 hello\ndisconnected 0 ended by the client\n");
}

static void note_written(struct rollcall_server *of, struct rollcall_io *io, int result)
{
	assert_ptr_equal(io->context, io);
	note("written %d", result);
	rollcall_stop(of);
}

/* done() gets the caller's struct; what else the library needs of it is copied by the call. */
static void files(void **state)
{
	NEWER(struct rollcall_io) newer = { .unknown[23] = 1 };
	int ends[2];

	(void)state;
	create();
	assert_int_equal(pipe(ends), 0);
	newer.known = (struct rollcall_io){
		.fd = ends[1],
		.data = "x",
		.bytes = 1,
		.done = note_written,
		.context = &newer,
	};
	for (size_t size = 0; size < sizeof(newer.known); size++) {
		newer.known.size = size;
		assert_int_equal(rollcall_read(server, &newer.known), -EINVAL);
	}
	newer.known.size = sizeof(newer);
	assert_int_equal(rollcall_write(server, &newer.known), -E2BIG);
	newer.unknown[23] = 0;
	assert_int_equal(rollcall_write(server, &newer.known), 0);
	newer.known.fd = -1;
	newer.known.done = NULL;
	assert_int_equal(rollcall_run(server), 0);
	assert_string_equal(trace, "written 1\n");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIBRARY_TEST(statistics), LIBRARY_TEST(memory),	  LIBRARY_TEST(information),
		LIBRARY_TEST(features),	  LIBRARY_TEST(services), LIBRARY_TEST(service_is_copied),
		LIBRARY_TEST(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
