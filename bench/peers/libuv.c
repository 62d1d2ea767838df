/* SPDX-License-Identifier: MIT */
/*
 * libuv.c - a TCP echo server on libuv. It sends from the one buffer that it receives into, and
 * stops reading from a client that has not taken all.
 */
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "lib/fail.h"
#include "peers/peer.h"

struct client {
	uv_tcp_t tcp;
	uv_write_t write;
	char *unsent;
};

static void on_close(uv_handle_t *handle)
{
	struct client *client = (struct client *)handle;

	free(client->unsent);
	free(client);
}

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	static char memory[64 << 10];

	(void)handle;
	(void)suggested;
	*buffer = uv_buf_init(memory, sizeof(memory));
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buffer);

static void on_written(uv_write_t *write, int status)
{
	struct client *client = (struct client *)write->handle;

	free(client->unsent);
	client->unsent = NULL;
	if (status == 0)
		uv_read_start(write->handle, on_buffer, on_read);
	else
		uv_close((uv_handle_t *)write->handle, on_close);
}

static void write_later(struct client *client, const char *data, size_t bytes)
{
	uv_stream_t *stream = (uv_stream_t *)&client->tcp;
	uv_buf_t rest;

	client->unsent = malloc(bytes);
	if (!client->unsent)
		fail("no memory for what a client has not taken");
	memcpy(client->unsent, data, bytes);
	rest = uv_buf_init(client->unsent, (unsigned)bytes);
	uv_read_stop(stream);
	uv_write(&client->write, stream, &rest, 1, on_written);
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buffer)
{
	uv_buf_t all = uv_buf_init(buffer->base, bytes > 0 ? (unsigned)bytes : 0);
	int sent;

	if (bytes == 0)
		return;
	sent = bytes > 0 ? uv_try_write(stream, &all, 1) : (int)bytes;
	if (sent == UV_EAGAIN)
		sent = 0;
	if (sent < 0)
		uv_close((uv_handle_t *)stream, on_close);
	else if (sent < bytes)
		write_later((struct client *)stream, buffer->base + sent, (size_t)(bytes - sent));
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		fail("no memory for a client");
	uv_tcp_init(listener->loop, &client->tcp);
	if (status < 0 || uv_accept(listener, (uv_stream_t *)&client->tcp) < 0) {
		uv_close((uv_handle_t *)&client->tcp, on_close);
		return;
	}
	uv_tcp_nodelay(&client->tcp, 1);
	uv_read_start((uv_stream_t *)&client->tcp, on_buffer, on_read);
}

int main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	uv_tcp_t listener;

	if (uv_tcp_init(loop, &listener) || uv_tcp_open(&listener, peer_listen(argc, argv)) ||
	    uv_listen((uv_stream_t *)&listener, SOMAXCONN, on_connection))
		fail("libuv cannot start");
	return uv_run(loop, UV_RUN_DEFAULT);
}
