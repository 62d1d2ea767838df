/* SPDX-License-Identifier: MIT */
/*
 * The way of received bytes to the service: in place where that is possible, and kept where a
 * message is not whole yet or the client's input is paused. What the service gets is compared as a
 * trace.
 */
#include <errno.h>
#include <string.h>

#include "lib/random.h"
#include "tcp/input.h"
#include "unit/fake_ring.h"

static struct hub hub;
static struct tcp tcp;
static struct origin origin;
static struct client *client;

static char trace[65536];
static size_t trace_bytes;
static const void *last_data;
static unsigned pause_after, close_after; /* number of messages; 0: never */

static void note(const void *data, size_t bytes)
{
	assert_in_range(trace_bytes + bytes, 0, sizeof(trace) - 1);
	memcpy(trace + trace_bytes, data, bytes);
	trace_bytes += bytes;
	trace[trace_bytes] = '\0';
}

static void on_received(struct rollcall_server *server, rollcall_client id, const void *data,
			size_t bytes, void *context)
{
	(void)server;
	(void)context;
	assert_int_equal(id, client->id);
	last_data = data;
	note("[", 1);
	note(data, bytes);
	note("]", 1);
	if (pause_after > 0 && --pause_after == 0)
		client->flags |= CLIENT_PAUSED;
	if (close_after > 0 && --close_after == 0)
		client->state = CLIENT_FINISHING;
}

static void on_oversized(struct rollcall_server *server, rollcall_client id, size_t bytes_max,
			 void *context)
{
	(void)server;
	(void)id;
	(void)context;
	assert_int_equal(bytes_max, origin.service.message_bytes_max);
	note("!", 1);
}

/* What others hold, which gives way. */
static struct queue others;

static bool make_space(struct tcp *of, const struct client *wanting, size_t bytes)
{
	const bool gives_way = others.bytes >= bytes;

	assert_ptr_equal(of, &tcp);
	assert_ptr_equal(wanting, client);
	queue_clear(&hub.memory, &others);
	return gives_way;
}

static int set_up_with(size_t memory_bytes)
{
	hub = (struct hub){ 0 };
	rollcall_options_defaults(&hub.options);
	hub.options.tcp_clients_max = hub.options.udp_clients_max = 1;
	hub.options.memory_bytes_max = memory_bytes;
	tcp = (struct tcp){ .hub = &hub, .make_space = make_space };
	origin = (struct origin){ .service = { .framing = ROLLCALL_FRAMING_LINES,
					       .message_bytes_max = 1 << 21,
					       .received = on_received,
					       .oversized = on_oversized } };
	trace_bytes = 0;
	trace[0] = '\0';
	pause_after = close_after = 0;
	if (hub_init(&hub) || hub_open_ring(&hub, HUB_HALVINGS_MAX) ||
	    unfinished_init(&tcp.unfinished, &hub, NULL))
		return -1;
	client = table_add(&hub.table, ROLLCALL_TCP);
	client->origin = &origin;
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return set_up_with(1 << 20);
}

/* So little that it is used up before it is scarce. */
static int set_up_small(void **state)
{
	(void)state;
	return set_up_with((size_t)4 * QUEUE_BLOCK_BYTES);
}

/* Whatever a test did, all memory comes back. */
static int tear_down(void **state)
{
	(void)state;
	input_clear(&tcp, client);
	assert_null(client->tcp.input);
	assert_int_equal(hub_memory_bytes(&hub), 0);
	hub_close_ring(&hub);
	hub_destroy(&hub);
	return 0;
}

static int receive(const char *text)
{
	return input_receive(&tcp, client, text, strlen(text));
}

static int resume(void)
{
	client->flags &= (uint16_t)~CLIENT_PAUSED;
	return input_resume(&tcp, client);
}

/* Whole messages are passed on where they lie, and nothing is kept. */
static void in_place(void **state)
{
	static const char text[] = "one\ntwo\r\n\n";

	(void)state;
	assert_int_equal(receive(text), 0);
	assert_string_equal(trace, "[one\n][two\r\n][\n]");
	assert_ptr_equal(last_data, text + 9);
	assert_null(client->tcp.input);
}

/* A line in pieces is passed on as a whole, and its memory is given back at once. */
static void in_pieces(void **state)
{
	(void)state;
	assert_int_equal(receive("a\nhel"), 0);
	assert_true(hub_memory_bytes(&hub) > 0);
	assert_int_equal(receive("l"), 0);
	assert_string_equal(trace, "[a\n]");
	assert_int_equal(receive("o\nb\nc"), 0);
	assert_string_equal(trace, "[a\n][hello\n][b\n]");
	assert_int_equal(receive("\n"), 0);
	assert_string_equal(trace, "[a\n][hello\n][b\n][c\n]");
	assert_null(client->tcp.input);
}

/* The length is taken off, whether the message came as a whole or in pieces. */
static void length_prefix(void **state)
{
	static const char stream[] = "\0\0\0\2hi\0\0\0\0\0\0\0\1x";

	(void)state;
	origin.service.framing = ROLLCALL_FRAMING_LENGTH;
	assert_int_equal(input_receive(&tcp, client, stream, 15), 0);
	assert_string_equal(trace, "[hi][][x]");
	for (size_t i = 0; i < 15; i++)
		assert_int_equal(input_receive(&tcp, client, stream + i, 1), 0);
	assert_string_equal(trace, "[hi][][x][hi][][x]");
}

/* A message that is too long is told of once; what came before it has been passed on. */
static void oversized(void **state)
{
	(void)state;
	origin.service.message_bytes_max = 4;
	assert_int_equal(receive("abcd\nabc"), 0);
	assert_int_equal(receive("de\nx\n"), -EMSGSIZE);
	assert_string_equal(trace, "[abcd\n]!");
}

/* At the end a last line without its ending is a message; half of one with a length is nothing. */
static void end(void **state)
{
	(void)state;
	input_end(&tcp, client);
	assert_int_equal(receive("a\nlast"), 0);
	input_end(&tcp, client);
	assert_string_equal(trace, "[a\n][last]");
	assert_null(client->tcp.input);
	input_end(&tcp, client);

	origin.service.framing = ROLLCALL_FRAMING_LENGTH;
	assert_int_equal(input_receive(&tcp, client, "\0\0\0\2h", 5), 0);
	input_end(&tcp, client);
	assert_string_equal(trace, "[a\n][last]");
	assert_null(client->tcp.input);
}

/* What is held back is no last line: the service sees it later, and the end behind it. */
static void end_while_paused(void **state)
{
	(void)state;
	client->flags |= CLIENT_PAUSED;
	assert_int_equal(receive("a\nlast"), 0);
	input_end(&tcp, client);
	assert_string_equal(trace, "");
	assert_int_equal(resume(), 0);
	input_end(&tcp, client);
	assert_string_equal(trace, "[a\n][last]");
}

/* While the client is paused nothing is passed on; later all is, in order, pausing once more. */
static void paused(void **state)
{
	(void)state;
	pause_after = 1;
	assert_int_equal(receive("a\nb\nc"), 0);
	assert_string_equal(trace, "[a\n]");
	assert_true(input_is_held(client));
	assert_int_equal(receive("c\nd\ne"), 0);
	assert_string_equal(trace, "[a\n]");
	pause_after = 2;
	assert_int_equal(resume(), 0);
	assert_string_equal(trace, "[a\n][b\n][cc\n]");
	assert_true(input_is_held(client));
	assert_int_equal(receive("e"), 0);
	assert_int_equal(resume(), 0);
	assert_string_equal(trace, "[a\n][b\n][cc\n][d\n]");
	assert_false(input_is_held(client));
	assert_int_equal(receive("\n"), 0);
	assert_string_equal(trace, "[a\n][b\n][cc\n][d\n][ee\n]");
}

/* What is held back is a copy: the receive buffer is the kernel's again, and overwritten. */
static void held_bytes_are_copies(void **state)
{
	struct buffers *buffers = &hub.buffers[BUFFERS_TCP];
	uint16_t id = fake_receive(buffers);
	uint8_t *data = buffers_data(buffers, id);

	(void)state;
	memcpy(data, "a\nb\n", 4);
	client->flags |= CLIENT_PAUSED;
	assert_int_equal(input_receive(&tcp, client, data, 4), 0);
	buffers_release(buffers, id);
	assert_int_equal(buffers->held, 0);
	memset(data, 'x', 4);
	assert_int_equal(resume(), 0);
	assert_string_equal(trace, "[a\n][b\n]");
}

/* What comes when the pause has ended, but what was held back is not handed over yet, waits too. */
static void behind_held_bytes(void **state)
{
	(void)state;
	client->flags |= CLIENT_PAUSED;
	assert_int_equal(receive("a\n"), 0);
	client->flags &= (uint16_t)~CLIENT_PAUSED;
	assert_int_equal(receive("b\n"), 0);
	assert_string_equal(trace, "");
	assert_int_equal(resume(), 0);
	assert_string_equal(trace, "[a\n][b\n]");
}

/* A client that is closed in the middle gets no more, from what has just come or was held back. */
static void closed_meanwhile(void **state)
{
	(void)state;
	close_after = 1;
	assert_int_equal(receive("a\nb\n"), 0);
	assert_string_equal(trace, "[a\n]");
	client->state = CLIENT_OPEN;
	client->flags |= CLIENT_PAUSED;
	assert_int_equal(receive("c\nd\n"), 0);
	close_after = 1;
	assert_int_equal(resume(), 0);
	assert_string_equal(trace, "[a\n][c\n]");
}

/* Too long a message among what was held back is told of in the same way. */
static void oversized_when_resumed(void **state)
{
	(void)state;
	origin.service.message_bytes_max = 4;
	client->flags |= CLIENT_PAUSED;
	assert_int_equal(receive("a\nabcde\n"), 0);
	assert_int_equal(resume(), -EMSGSIZE);
	assert_string_equal(trace, "[a\n]!");
}

/* An unfinished message ends where the memory does; what was kept before stays whole. */
static void no_memory_for_a_message(void **state)
{
	static const char piece[4096] = { 'x' };
	size_t bytes = 0;
	int error = 0;

	(void)state;
	while (!error) {
		hub.turns++;
		error = input_receive(&tcp, client, piece, sizeof(piece));
		bytes += error ? 0 : sizeof(piece);
	}
	assert_int_equal(error, -ENOBUFS);
	assert_in_range(bytes, 1 << 19, 1 << 20);
	assert_in_range(hub_memory_bytes(&hub), bytes, 1 << 20);
}

static void fill(struct queue *queue, size_t bytes)
{
	static const char piece[4096] = { 'x' };
	const struct iovec part = { (void *)piece, sizeof(piece) };

	while (hub_memory_bytes(&hub) < bytes)
		assert_true(queue_append(&hub.memory, queue, &part, 1, true));
}

/* Queues and unfinished messages share the memory. */
static void no_memory_beside_queues(void **state)
{
	static const char piece[4096] = { 'x' };
	struct queue queue = { 0 };
	size_t bytes = 0;

	(void)state;
	fill(&queue, 700000);
	for (; input_receive(&tcp, client, piece, sizeof(piece)) == 0; hub.turns++)
		bytes += sizeof(piece);
	assert_in_range(bytes, 1 << 16, 1 << 17);
	assert_in_range(hub_memory_bytes(&hub), 700000 + bytes, (1 << 20) / 8 * 7);
	queue_clear(&hub.memory, &queue);
}

/* A short message is held even if it takes of the reserve. */
static void reserve(void **state)
{
	static const char piece[QUEUE_BLOCK_BYTES + 1] = { 'x' };
	const size_t taken = (1 << 20) / 8 * 7;

	(void)state;
	hub.memory.input_bytes += taken;
	assert_int_equal(input_receive(&tcp, client, piece, QUEUE_BLOCK_BYTES), 0);
	assert_int_equal(input_receive(&tcp, client, piece, 1), -ENOBUFS);
	input_clear(&tcp, client);
	assert_int_equal(input_receive(&tcp, client, piece, sizeof(piece)), -ENOBUFS);
	hub.memory.input_bytes -= taken;
}

/* For a longer one others may give way. */
static void others_give_way(void **state)
{
	static const char piece[4 * QUEUE_BLOCK_BYTES] = { 'x' };

	(void)state;
	fill(&others, (1 << 20) / 8 * 7 - 3 * QUEUE_BLOCK_BYTES);
	assert_int_equal(input_receive(&tcp, client, piece, sizeof(piece)), 0);
	assert_int_equal(hub_memory_bytes(&hub), sizeof(piece));
}

/* The same for what is held back, and beside memory that others use. */
static void no_memory_to_hold_back(void **state)
{
	static const char piece[4096] = { 'x' };
	size_t bytes = 0;

	(void)state;
	client->flags |= CLIENT_PAUSED;
	while (input_receive(&tcp, client, piece, sizeof(piece)) == 0)
		bytes += sizeof(piece);
	assert_in_range(bytes, 1 << 19, 1 << 20);
	assert_int_equal(input_receive(&tcp, client, piece, sizeof(piece)), -ENOBUFS);
}

/* What does not fit is not held back in part; what was held back before is still there. */
static void too_much_to_hold_back(void **state)
{
	static const char piece[5 * QUEUE_BLOCK_BYTES] = { 'x' };

	(void)state;
	client->flags |= CLIENT_PAUSED;
	assert_int_equal(receive("a\n"), 0);
	assert_int_equal(input_receive(&tcp, client, piece, sizeof(piece)), -ENOBUFS);
	assert_int_equal(resume(), 0);
	assert_string_equal(trace, "[a\n]");
}

/*
 * Of many short messages at once a client's share is handled in a turn. The rest is held, what
 * arrives later behind it, and each turn handles as many again.
 */
static void share_of_a_turn(void **state)
{
	char lines[4 * TCP_SHARE_MESSAGES + 1], expected[sizeof(lines) * 3] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(lines) - 1; i++)
		lines[i] = i % 2 ? '\n' : 'a';
	lines[sizeof(lines) - 1] = '\0';
	assert_int_equal(receive(lines), 0);
	for (int i = 0; i < TCP_SHARE_MESSAGES; i++)
		strcat(expected, "[a\n]");
	assert_string_equal(trace, expected);
	assert_true(input_is_held(client));
	assert_int_equal(receive("b\n"), 0);
	assert_int_equal(resume(), 0);
	assert_string_equal(trace, expected);
	hub.turns++;
	assert_int_equal(resume(), 0);
	for (int i = 0; i < TCP_SHARE_MESSAGES; i++)
		strcat(expected, "[a\n]");
	assert_string_equal(trace, expected);
	hub.turns++;
	assert_int_equal(resume(), 0);
	strcat(expected, "[b\n]");
	assert_string_equal(trace, expected);
	assert_null(client->tcp.input);
}

/* What is beyond the share is held when memory is scarce too; others may give way for it. */
static void share_at_the_cost_of_others(void **state)
{
	static char lines[TCP_SHARE_MESSAGES + 2 * QUEUE_BLOCK_BYTES];

	(void)state;
	memset(lines, '\n', sizeof(lines) - 1);
	fill(&others, (1 << 20) / 8 * 7 - QUEUE_BLOCK_BYTES);
	assert_int_equal(receive(lines), 0);
	assert_int_equal(others.bytes, 0);
	assert_int_equal(client->messages_received, TCP_SHARE_MESSAGES);
	assert_true(input_is_held(client));
}

/* Random pieces, pauses and resumptions of one long stream: the service sees just the stream. */
static void random_pieces(void **state)
{
	static char stream[8000], expected[3 * sizeof(stream)];
	size_t expected_bytes = 0;
	uint64_t seed = 31;

	(void)state;
	expected[expected_bytes++] = '[';
	for (size_t i = 0; i < sizeof(stream); i++) {
		stream[i] = "abcdefg\n"[random_below(&seed, 8)];
		stream[sizeof(stream) - 1] = '\n';
		expected[expected_bytes++] = stream[i];
		if (stream[i] != '\n')
			continue;
		expected[expected_bytes++] = ']';
		expected[expected_bytes++] = '[';
	}
	for (size_t at = 0; at < sizeof(stream);) {
		size_t bytes = 1 + (size_t)random_below(&seed, 50);

		bytes = bytes < sizeof(stream) - at ? bytes : sizeof(stream) - at;
		hub.turns++;
		if (random_below(&seed, 4) == 0)
			pause_after = 1 + (unsigned)random_below(&seed, 8);
		if (random_below(&seed, 3) == 0)
			assert_int_equal(resume(), 0);
		assert_int_equal(input_receive(&tcp, client, stream + at, bytes), 0);
		at += bytes;
	}
	pause_after = 0;
	assert_int_equal(resume(), 0);
	assert_int_equal(trace_bytes, expected_bytes - 1);
	assert_memory_equal(trace, expected, trace_bytes);
	assert_null(client->tcp.input);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_place),
		TEST(in_pieces),
		TEST(length_prefix),
		TEST(oversized),
		TEST(end),
		TEST(end_while_paused),
		TEST(paused),
		TEST(held_bytes_are_copies),
		TEST(behind_held_bytes),
		TEST(closed_meanwhile),
		TEST(oversized_when_resumed),
		TEST(no_memory_for_a_message),
		TEST(no_memory_beside_queues),
		TEST(reserve),
		TEST(others_give_way),
		TEST(no_memory_to_hold_back),
		cmocka_unit_test_setup_teardown(too_much_to_hold_back, set_up_small, tear_down),
		TEST(share_of_a_turn),
		TEST(share_at_the_cost_of_others),
		TEST(random_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
