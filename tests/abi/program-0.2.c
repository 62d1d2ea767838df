/* SPDX-License-Identifier: MIT */
/*
 * A program of version 0.2: calls what rollcall.h had then, over TCP and UDP on loopback. Each
 * struct lies before a page that cannot be accessed: a library that takes it for larger crashes.
 * Prints what went wrong.
 */
#include <errno.h>
#include <netinet/in.h>
#include <rollcall.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 65536 /* at least the kernel's */
#define LIMIT_S 20

static unsigned messages, disconnects, calls;

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                     \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* Memory of 0xff, at the end of what can be accessed. */
static void *at_the_edge(size_t bytes)
{
	char *pages = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(pages != MAP_FAILED && bytes <= PAGE_BYTES);
	check(mprotect(pages + PAGE_BYTES, PAGE_BYTES, PROT_NONE) == 0);
	memset(pages, 0xff, PAGE_BYTES);
	return pages + PAGE_BYTES - bytes;
}

static void call(struct rollcall_server *server, void *context)
{
	check(server != NULL && context == &calls);
	calls++;
}

static void stop(struct rollcall_server *server, void *context)
{
	call(server, context);
	check(rollcall_stop(server) == 0);
}

static void connected(struct rollcall_server *server, rollcall_client client, void *context)
{
	(void)context;
	check(rollcall_data(server, client) == NULL);
	check(rollcall_set_data(server, client, &messages) == 0);
	check(rollcall_data(server, client) == &messages);
}

static void look(struct rollcall_server *server, rollcall_client client)
{
	struct rollcall_client_info *info = at_the_edge(sizeof(*info));
	uint8_t cookie[ROLLCALL_COOKIE_BYTES];

	info->size = offsetof(struct rollcall_client_info, address);
	check(rollcall_client_get_info(server, client, info) == 0);
	check(info->transport == ROLLCALL_TCP || info->transport == ROLLCALL_UDP);
	info->size = sizeof(*info);
	check(rollcall_client_get_info(server, client, info) == 0);
	check(info->size > 0 && info->size <= sizeof(*info));
	check(info->address_bytes == sizeof(struct sockaddr_in));
	check(info->address.ss_family == AF_INET);
	check(info->messages_received == 1 && info->messages_sent == 0);
	check(!info->has_sequence);
	check(rollcall_cookie(server, client, cookie) == 0);
	check(rollcall_cookie_check(server, client, cookie) == 0);
}

static void start_timers(struct rollcall_server *server)
{
	struct rollcall_timer *first, *second;

	check(rollcall_timer_start(server, &first, 1, 0, stop, &calls) == 0);
	check(rollcall_timer_start(server, &second, 1, 0, call, NULL) == 0);
	check(rollcall_timer_stop(server, second) == 0);
}

static void received(struct rollcall_server *server, rollcall_client client, const void *data,
		     size_t bytes, void *context)
{
	const struct iovec parts[] = { { (void *)data, 1 }, { (char *)data + 1, bytes - 1 } };

	check(context == &messages);
	look(server, client);
	if (messages++ == 0) {
		check(rollcall_client_next(server, ROLLCALL_NONE) != ROLLCALL_NONE);
		check(rollcall_send(server, client, data, bytes) == 0);
	} else {
		check(rollcall_sendv(server, client, parts, 2) == 0);
		start_timers(server);
	}
}

static void disconnected(struct rollcall_server *server, rollcall_client client, int reason,
			 void *context)
{
	(void)server;
	(void)client;
	(void)context;
	check(rollcall_reason_text(reason)[0] != '\0');
	disconnects++;
}

static void done(struct rollcall_server *server, struct rollcall_io *io, int result)
{
	check(server != NULL && io->context == &calls);
	check(result == 1 || result == -ECANCELED);
	calls++;
}

/* A write that ends at once, and a read of what never comes. */
static void start_files(struct rollcall_server *server)
{
	struct rollcall_io *reading = at_the_edge(sizeof(*reading));
	struct rollcall_io *writing = at_the_edge(sizeof(*writing));
	static char byte;
	int ends[2], never[2];

	check(pipe(ends) == 0 && pipe(never) == 0);
	*writing = (struct rollcall_io){
		.size = sizeof(*writing), .fd = ends[1], .data = &byte, .bytes = 1, .done = done
	};
	writing->context = &calls;
	*reading = *writing;
	reading->fd = never[0];
	check(rollcall_write(server, writing) == 0);
	check(rollcall_read(server, reading) == 0);
}

static struct rollcall_server *create(void)
{
	struct rollcall_options *options = at_the_edge(sizeof(*options));
	struct rollcall_server *server;

	rollcall_options_defaults(options);
	check(options->size == sizeof(*options));
	check(options->tcp_clients_max == 65536 && options->log == NULL);
	options->tcp_clients_max = options->udp_clients_max = 16;
	check(rollcall_create(&server, options) == 0);
	return server;
}

static void listen_on(struct rollcall_server *server)
{
	struct rollcall_service *service = at_the_edge(sizeof(*service));

	*service = (struct rollcall_service){ .size = sizeof(*service),
					      .framing = ROLLCALL_FRAMING_LINES,
					      .connected = connected,
					      .received = received,
					      .disconnected = disconnected };
	check(rollcall_listen(server, "tcp://127.0.0.1:0", service, &messages) == 0);
	check(rollcall_listen(server, "udp://127.0.0.1:0", service, &messages) == 0);
	check(rollcall_adopt(server, -1, service, &messages) == -EBADF);
}

/* Connects to the server's address of this index and sends a line. */
static int ask(struct rollcall_server *server, unsigned index, int type)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, type, 0);
	char text[80];

	check(rollcall_listener_address(server, index, text, sizeof(text)) == 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)atoi(strrchr(text, ':') + 1));
	check(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	check(send(fd, "hello\n", 6, 0) == 6);
	if (type == SOCK_STREAM)
		check(shutdown(fd, SHUT_WR) == 0);
	return fd;
}

static void hear(int fd)
{
	char answer[6];

	check(recv(fd, answer, sizeof(answer), MSG_WAITALL) == sizeof(answer));
	check(memcmp(answer, "hello\n", sizeof(answer)) == 0);
	close(fd);
}

static void count(struct rollcall_server *server)
{
	struct rollcall_stats *stats = at_the_edge(sizeof(*stats));

	stats->size = sizeof(*stats);
	check(rollcall_get_engine(server, NULL) != ROLLCALL_ENGINE_AUTO);
	check(rollcall_get_stats(server, stats) == 0);
	check(stats->size > 0 && stats->size <= sizeof(*stats));
	check(stats->messages_received == 2 && stats->messages_sent == 2);
	check(stats->tcp_clients == 1 && stats->udp_clients == 1);
	check(stats->tcp_resets_found == 0);
}

static void try_features(void)
{
	const size_t size = sizeof(struct rollcall_feature);
	const int known = rollcall_features(NULL, 0, size);
	struct rollcall_feature *features = at_the_edge((size_t)known * size);

	check(known > 0);
	check(rollcall_features(features, (unsigned)known, size) == known);
	for (int i = 0; i < known; i++) {
		check(strlen(features[i].name) < 100 && strlen(features[i].since) < 10);
		check(!features[i].required || features[i].result == 0);
	}
}

int main(void)
{
	struct rollcall_server *server;
	int tcp, udp;

	alarm(LIMIT_S);
	check(rollcall_version() >= ROLLCALL_VERSION_NUMBER && rollcall_version_text()[0]);
	try_features();
	server = create();
	listen_on(server);
	start_files(server);
	check(rollcall_post(server, call, &calls) == 0);
	tcp = ask(server, 0, SOCK_STREAM);
	udp = ask(server, 1, SOCK_DGRAM);
	check(rollcall_run(server) == 0);
	hear(tcp);
	hear(udp);
	count(server);
	check(rollcall_close(server, 0) == -ENOENT && rollcall_abort(server, 0) == -ENOENT);
	check(rollcall_destroy(server) == 0);
	check(messages == 2 && disconnects == 2 && calls == 4);
	return 0;
}
