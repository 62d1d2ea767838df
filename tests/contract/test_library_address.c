/* SPDX-License-Identifier: MIT */
/* Making a server and telling it where to listen: what is refused, and why. */
#include "contract/library.h"

static void note_log(enum rollcall_log_level level, const char *text, void *context)
{
	assert_ptr_equal(context, &trace);
	note("%d %s", level, text);
}

/* What is listened on can be asked for, and is logged; both addresses of localhost share a port. */
static void listening(void **state)
{
	static const char *const formats[] = { "tcp 127.0.0.1:%u", "tcp [::1]:%u",
					       "udp 127.0.0.1:%u", "udp [::1]:%u" };
	unsigned ports[COUNT(formats)];
	char text[80], line[100];

	(void)state;
	options.log = note_log;
	options.log_context = &trace;
	create();
	assert_int_equal(rollcall_listener_address(server, 0, text, sizeof(text)), -ENOENT);
	assert_int_equal(rollcall_listen(server, "tcp://localhost:0", &service, NULL), 0);
	assert_int_equal(rollcall_listen(server, "udp://localhost:0", &service, NULL), 0);
	for (unsigned i = 0; i < COUNT(formats); i++) {
		assert_int_equal(rollcall_listener_address(server, i, text, sizeof(text)), 0);
		assert_int_equal(sscanf(text, formats[i], &ports[i]), 1);
		assert_in_range(ports[i], 1, 65535);
		snprintf(line, sizeof(line), "%d listening on %s\n", ROLLCALL_LOG_INFO, text);
		assert_non_null(strstr(trace, line));
	}
	assert_int_equal(ports[0], ports[1]);
	assert_int_equal(ports[2], ports[3]);
	assert_int_equal(rollcall_listener_address(server, COUNT(formats), text, sizeof(text)),
			 -ENOENT);
	assert_int_equal(rollcall_listener_address(server, 0, text, strlen("tcp 127.0.0.1:1")),
			 -ENOSPC);
	assert_int_equal(rollcall_listener_address(server, 0, NULL, 0), -ENOSPC);
}

static void bad_addresses(void **state)
{
	static const struct {
		const char *address;
		int error;
	} cases[] = {
		{ "", -EINVAL },
		{ "localhost:80", -EINVAL },
		{ "tcp://:80", -EINVAL },
		{ "tcp://localhost", -EINVAL },
		{ "tcp://localhost:65536", -EINVAL },
		{ "tcp://no-such-host.invalid:0", -ENOENT },
		{ "tcp://[fe80::1]:0", -ENODEV },
		{ "udp://[fe80::1]:0", -ENODEV },
		{ "tcp://203.0.113.1:0", -EADDRNOTAVAIL },
		{ "udp://203.0.113.1:0", -EADDRNOTAVAIL },
	};
	char text[80], address[100];

	(void)state;
	create();
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_case(cases[i].address,
			    rollcall_listen(server, cases[i].address, &service, NULL),
			    cases[i].error);
	assert_int_equal(rollcall_listener_address(server, 0, text, sizeof(text)), -ENOENT);

	/* The second of its name is in use: the first is closed again. */
	assert_int_equal(rollcall_listen(server, "tcp://[::1]:0", &service, NULL), 0);
	assert_int_equal(rollcall_listener_address(server, 0, text, sizeof(text)), 0);
	snprintf(address, sizeof(address), "tcp://localhost:%s", strrchr(text, ':') + 1);
	assert_int_equal(rollcall_listen(server, address, &service, NULL), -EADDRINUSE);
	assert_int_equal(rollcall_listener_address(server, 1, text, sizeof(text)), -ENOENT);
}

static void bad_services(void **state)
{
	(void)state;
	create();
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", NULL, NULL), -EINVAL);
	service.size = 0;
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), -EINVAL);
	service.size = sizeof(service);
	service.framing = (enum rollcall_framing)(ROLLCALL_FRAMING_LENGTH + 1);
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), -EINVAL);
	service.framing = ROLLCALL_FRAMING_LENGTH;
	service.message_bytes_max = options.memory_bytes_max + 1;
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), -EINVAL);
	service.message_bytes_max--;
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), 0);
}

/* With memory for larger ones too a message has 2^30 bytes at most. */
static void largest_message(void **state)
{
	(void)state;
	options.memory_bytes_max = (size_t)2 << 30;
	create();
	service.message_bytes_max = ((size_t)1 << 30) + 1;
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), -EINVAL);
	service.message_bytes_max--;
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), 0);
}

/* 64 addresses; a name that would pass that gets none of its addresses. */
static void many_addresses(void **state)
{
	char text[80];

	(void)state;
	create();
	for (int i = 0; i < 63; i++)
		assert_int_equal(rollcall_listen(server,
						 i % 2 ? "tcp://127.0.0.1:0" : "udp://127.0.0.1:0",
						 &service, NULL),
				 0);
	assert_int_equal(rollcall_listen(server, "tcp://localhost:0", &service, NULL), -ENOSPC);
	assert_int_equal(rollcall_listener_address(server, 63, text, sizeof(text)), -ENOENT);
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), 0);
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), -ENOSPC);
}

static void creation(void **state)
{
	(void)state;
	options.tcp_clients_max = 0;
	assert_int_equal(rollcall_create(&server, &options), -EINVAL);
	options.size = 0;
	assert_int_equal(rollcall_create(&server, &options), -EINVAL);
	assert_null(server);
	assert_int_equal(rollcall_create(&server, NULL), 0);
}

/* The features of this kernel: where the required ones work, the server uses io_uring. */
static void features(void **state)
{
	struct rollcall_feature found[64];
	int count = rollcall_features(found, COUNT(found), sizeof(*found));
	bool works = true;

	(void)state;
	assert_in_range(count, 5, COUNT(found));
	for (int i = 0; i < count; i++) {
		assert_non_null(found[i].name);
		assert_non_null(found[i].since);
		assert_in_range(-found[i].result, 0, 4095);
		works = works && (!found[i].required || found[i].result == 0);
	}
	options.engine = ROLLCALL_ENGINE_AUTO;
	create();
	assert_int_equal(rollcall_get_engine(server, NULL),
			 works ? ROLLCALL_ENGINE_IO_URING : ROLLCALL_ENGINE_EPOLL);
	assert_int_equal(rollcall_features(NULL, 0, sizeof(*found)), count);
	found[1].name = NULL;
	assert_int_equal(rollcall_features(found, 1, sizeof(*found)), count);
	assert_null(found[1].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIBRARY_TEST(listening),      LIBRARY_TEST(bad_addresses),
		LIBRARY_TEST(bad_services),   LIBRARY_TEST(largest_message),
		LIBRARY_TEST(many_addresses), LIBRARY_TEST(creation),
		LIBRARY_TEST(features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
