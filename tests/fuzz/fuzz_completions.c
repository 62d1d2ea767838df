/* SPDX-License-Identifier: MIT */
/*
 * A server with services that do odd things, on a kernel that does what a kernel may (hostile.h):
 * whatever comes, the server fails no check, and once stopped ends, and has given all back. Each
 * client connects and disconnects once.
 *
 * Input: settings, then what the kernel and the services do, in the order in which they ask.
 */
#include "fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "fuzz/hostile.h"
#include "ring/socket.h"
#include "rollcall.h"

struct fuzz {
	struct rollcall_server *server;
	uint64_t connected, disconnected;
	struct rollcall_timer *timer;
	struct rollcall_io writing;
	bool is_writing;
	char line[16];
};

static void on_written(struct rollcall_server *server, struct rollcall_io *io, int result)
{
	struct fuzz *fuzz = io->context;

	(void)server;
	CHECK(fuzz->is_writing && result != 0);
	fuzz->is_writing = false;
}

static void on_timer(struct rollcall_server *server, void *context)
{
	struct fuzz *fuzz = context;
	rollcall_client client = rollcall_client_next(server, ROLLCALL_NONE);

	fuzz->timer = NULL;
	if (client != ROLLCALL_NONE)
		rollcall_send(server, client, "tick\n", 5);
}

static void on_post(struct rollcall_server *server, void *context)
{
	struct fuzz *fuzz = context;

	CHECK(server == fuzz->server);
}

/* Some client, this one mostly. */
static rollcall_client pick(struct rollcall_server *server, rollcall_client client)
{
	const uint8_t how = hostile_byte();

	if (how < 128)
		return client;
	client = rollcall_client_next(server, how < 192 ? client : ROLLCALL_NONE);
	return client == ROLLCALL_NONE ? how : client;
}

static void send_parts(struct rollcall_server *server, rollcall_client client, const void *data,
		       size_t bytes)
{
	static const char own[4096] = "own ";
	const struct iovec parts[] = {
		{ (void *)own, hostile_byte() },
		{ (void *)data, bytes },
		{ (void *)own, hostile_byte() * 16u },
	};

	rollcall_sendv(server, client, parts, hostile_byte() % 4u);
}

static void start_things(struct fuzz *fuzz)
{
	if (!fuzz->timer)
		rollcall_timer_start(fuzz->server, &fuzz->timer, hostile_byte() * 100u, 0, on_timer,
				     fuzz);
	rollcall_post(fuzz->server, on_post, fuzz);
	if (!fuzz->is_writing)
		fuzz->is_writing = rollcall_write(fuzz->server, &fuzz->writing) == 0;
}

/* One of the things that a service can do in any callback. */
static void act(struct fuzz *fuzz, rollcall_client client, const void *data, size_t bytes)
{
	struct rollcall_server *server = fuzz->server;
	struct rollcall_client_info info = { .size = sizeof(info) };

	switch (hostile_byte() % 16) {
	case 0 ... 5:
		rollcall_send(server, client, data, bytes);
		break;
	case 6:
		rollcall_send(server, pick(server, client), data, bytes);
		break;
	case 7:
		send_parts(server, pick(server, client), data, bytes);
		break;
	case 8:
		rollcall_close(server, pick(server, client));
		break;
	case 9:
		rollcall_abort(server, pick(server, client));
		break;
	case 10:
		rollcall_client_get_info(server, pick(server, client), &info);
		break;
	case 11:
		start_things(fuzz);
		break;
	case 12:
		if (hostile_byte() % 8 == 7)
			rollcall_stop(server);
		break;
	case 13: /* more than it had */
		for (int i = hostile_byte() % 64; i > 0; i--)
			rollcall_send(server, client, data, bytes);
		break;
	default:
		break;
	}
}

static void on_connected(struct rollcall_server *server, rollcall_client client, void *context)
{
	struct fuzz *fuzz = context;

	CHECK(!rollcall_data(server, client));
	CHECK(rollcall_set_data(server, client, fuzz) == 0);
	fuzz->connected++;
	act(fuzz, client, "welcome\n", 8);
}

static void on_received(struct rollcall_server *server, rollcall_client client, const void *data,
			size_t bytes, void *context)
{
	struct fuzz *fuzz = context;
	uint8_t sum = 0;

	CHECK(rollcall_data(server, client) == fuzz);
	/* Reads it all, for the sanitizer to see. */
	for (size_t i = 0; i < bytes; i++)
		sum ^= ((const uint8_t *)data)[i];
	act(fuzz, client, data, bytes - (bytes > 1 && sum == 1));
}

static void on_oversized(struct rollcall_server *server, rollcall_client client, size_t bytes_max,
			 void *context)
{
	CHECK(rollcall_data(server, client) == context && bytes_max > 0);
	act(context, client, "too long\n", 9);
}

static void on_drained(struct rollcall_server *server, rollcall_client client, void *context)
{
	CHECK(rollcall_data(server, client) == context);
	act(context, client, "more\n", 5);
}

static void on_disconnected(struct rollcall_server *server, rollcall_client client, int reason,
			    void *context)
{
	struct fuzz *fuzz = context;

	CHECK(rollcall_data(server, client) == fuzz);
	CHECK(rollcall_set_data(server, client, NULL) == 0);
	CHECK(rollcall_reason_text(reason));
	CHECK(rollcall_send(server, client, "bye\n", 4) == -EPIPE);
	fuzz->disconnected++;
	act(fuzz, client, "bye\n", 4);
}

static void stop(struct rollcall_server *server, void *context)
{
	(void)context;
	rollcall_stop(server);
}

static void on_script_end(void *context)
{
	struct fuzz *fuzz = context;

	CHECK(rollcall_post(fuzz->server, stop, fuzz) == 0);
}

#define SERVICE(name, framing_, prefix)                                                            \
	static const struct rollcall_service name = {                                              \
		.size = sizeof(struct rollcall_service),                                           \
		.framing = framing_,                                                               \
		.message_bytes_max = 300,                                                          \
		.loop_prefix = prefix,                                                             \
		.connected = on_connected,                                                         \
		.received = on_received,                                                           \
		.oversized = on_oversized,                                                         \
		.drained = on_drained,                                                             \
		.disconnected = on_disconnected,                                                   \
	}

SERVICE(lines, ROLLCALL_FRAMING_LINES, "hello\r\n");
SERVICE(raw, ROLLCALL_FRAMING_RAW, NULL);
SERVICE(lengths, ROLLCALL_FRAMING_LENGTH, NULL);

static void make_server(struct fuzz *fuzz)
{
	const uint8_t how = hostile_byte();
	struct rollcall_options options;
	int error;

	rollcall_options_defaults(&options);
	options.tcp_clients_max = how % 2 ? 2 : 16;
	options.udp_clients_max = how & 2 ? 2 : 16;
	options.send_queue_bytes = 4096;
	options.send_queue_bytes_max = how & 4 ? 4096 : 65536;
	options.memory_bytes_max = 1 << 20;
	options.tcp_idle_timeout_ms = how & 8 ? 1000 : 0;
	options.udp_idle_timeout_ms = 1000;
	options.drain_timeout_ms = how & 16 ? 0 : 5000;
	options.udp_low_ports = how & 32;
	error = rollcall_create(&fuzz->server, &options);
	CHECK(!error || error == -ENOMEM);
	if (error)
		return;
	CHECK(!rollcall_listen(fuzz->server, "tcp://127.0.0.1:1", &lines, fuzz));
	CHECK(!rollcall_listen(fuzz->server, "tcp://127.0.0.1:2", &raw, fuzz));
	CHECK(!rollcall_listen(fuzz->server, "tcp://[::1]:3", &lengths, fuzz));
	CHECK(!rollcall_listen(fuzz->server, "udp://127.0.0.1:4", &lines, fuzz));
	CHECK(!rollcall_listen(fuzz->server, "udp://0.0.0.0:5", &raw, fuzz));
	CHECK(!rollcall_listen(fuzz->server, "udp://[::]:6", &raw, fuzz));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz fuzz = { .line = "written\n" };

	hostile_begin(data, bytes, on_script_end, &fuzz);
	fuzz.writing = (struct rollcall_io){
		.size = sizeof(struct rollcall_io),
		.fd = socket_event(NULL),
		.data = fuzz.line,
		.bytes = sizeof(fuzz.line),
		.done = on_written,
		.context = &fuzz,
	};
	make_server(&fuzz);
	if (fuzz.server) {
		CHECK(rollcall_run(fuzz.server) == 0);
		CHECK(fuzz.connected == fuzz.disconnected && !fuzz.is_writing);
		rollcall_destroy(fuzz.server);
	}
	socket_close(NULL, fuzz.writing.fd);
	hostile_end();
	return 0;
}
