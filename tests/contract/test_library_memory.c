/* SPDX-License-Identifier: MIT */
/* What rollcall_memory_max() says of the memory of sockets in the kernel, and that it holds. */
#include "contract/library.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>

static struct rollcall_memory memory_max(void)
{
	struct rollcall_memory memory = { .size = sizeof(memory) };

	assert_int_equal(rollcall_memory_max(server, &memory), 0);
	assert_int_equal(memory.process,
			 memory.clients + memory.queues + memory.buffers + memory.fixed);
	return memory;
}

/* TCP sockets have a limit only if both buffers have. */
static void tcp_sockets(void **state)
{
	(void)state;
	options.tcp_receive_buffer_bytes = 10000;
	create();
	assert_int_equal(memory_max().sockets, UINT64_MAX);
	rollcall_destroy(server);
	options.tcp_send_buffer_bytes = 20000;
	create();
	assert_int_equal(memory_max().sockets,
			 options.tcp_clients_max * (2 * 30000 + ROLLCALL_TCP_SOCKET_BYTES));
}

static int open_udp(struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t bytes = sizeof(*address);

	assert_in_range(fd, 0, INT32_MAX);
	*address = (struct sockaddr_in){ .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)address, bytes), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &bytes), 0);
	return fd;
}

/* The size of a buffer as the kernel counts it, twice what was set. */
static uint64_t counted(int fd, int name)
{
	int value = 0;
	socklen_t bytes = sizeof(value);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, name, &value, &bytes), 0);
	return (uint64_t)value;
}

/* Before there is a UDP socket, it is what one will have; then what the largest has. */
static void udp_sockets(void **state)
{
	uint64_t by_default, small;
	struct sockaddr_in address;
	int fd;

	(void)state;
	create();
	by_default = memory_max().udp_socket;
	fd = open_udp(&address);
	assert_int_equal(rollcall_adopt(server, fd, &service, NULL), 0);
	assert_int_equal(memory_max().udp_socket, by_default);
	assert_in_range(by_default, counted(fd, SO_RCVBUF) + counted(fd, SO_SNDBUF), UINT64_MAX);
	rollcall_destroy(server);

	options.udp_receive_buffer_bytes = options.udp_send_buffer_bytes = 8192;
	create();
	small = memory_max().udp_socket;
	assert_in_range(small, 2 * (8192 + 8192), by_default - 1);
	assert_int_equal(rollcall_listen(server, "udp://127.0.0.1:0", &service, NULL), 0);
	assert_int_equal(memory_max().udp_socket, small);
	/* One whose options were set later, by its other owner. */
	fd = open_udp(&address);
	assert_int_equal(rollcall_adopt(server, fd, &service, NULL), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 16384 }, sizeof(int)), 0);
	assert_int_equal(memory_max().udp_socket, small + 2 * (16384 - 8192));
}

/* Sends until datagrams are dropped. */
static void fill(int fd, const struct sockaddr_in *to, size_t bytes, uint32_t *values)
{
	static const char data[60000];
	const int sender = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t size;

	assert_in_range(sender, 0, INT32_MAX);
	do {
		for (int i = 0; i < 100; i++)
			sendto(sender, data, bytes, MSG_DONTWAIT, (const struct sockaddr *)to,
			       sizeof(*to));
		size = SK_MEMINFO_VARS * sizeof(*values);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &size), 0);
	} while (values[SK_MEMINFO_DROPS] == 0);
	close(sender);
}

/* A flood that nobody receives: what the kernel keeps of it, and may still send, is within that. */
static void udp_flood(void **state)
{
	static const size_t sizes[] = { 0, 1, 1400, 60000 };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		uint32_t values[SK_MEMINFO_VARS];
		struct sockaddr_in address;
		int fd;

		options.udp_receive_buffer_bytes = 50000 * (i % 2);
		create();
		fd = open_udp(&address);
		assert_int_equal(rollcall_adopt(server, fd, &service, NULL), 0);
		fill(fd, &address, sizes[i], values);
		assert_in_range(values[SK_MEMINFO_RMEM_ALLOC], counted(fd, SO_RCVBUF) / 2,
				UINT64_MAX);
		assert_in_range(values[SK_MEMINFO_RMEM_ALLOC] + values[SK_MEMINFO_FWD_ALLOC] +
					values[SK_MEMINFO_SNDBUF],
				1, memory_max().udp_socket);
		rollcall_destroy(server);
		server = NULL;
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, library_begin, library_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tcp_sockets),
		TEST(udp_sockets),
		TEST(udp_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
