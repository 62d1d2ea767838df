/* SPDX-License-Identifier: MIT */
/*
 * input.h - from received bytes to messages, at the pace at which the client reads its answers.
 *
 * Bytes are parsed where they were received. Only two things are kept for later: a message that is
 * not complete, and input of a client whose receiving is suspended.
 */
#ifndef TCP_INPUT_H
#define TCP_INPUT_H

#include "tcp/tcp.h"

struct tcp_input {
	struct queue backlog; /* not parsed yet */
	uint8_t *message;     /* not complete yet */
	size_t message_bytes, message_capacity;
	struct unfinished unfinished; /* listed while message_bytes > 0 */
};

/*
 * Hands received bytes to the service as messages. Errors: -EMSGSIZE: a message is too long, and
 * oversized() was called; -ENOBUFS: no memory for what has to be kept.
 */
int input_receive(struct tcp *tcp, struct client *client, const void *data, size_t bytes);

/*
 * Continues with held input once receiving is not suspended any more. Returns as input_receive().
 */
int input_resume(struct tcp *tcp, struct client *client);

/* The peer has closed its side: hands over a last line without its line ending. */
void input_end(struct tcp *tcp, struct client *client);

/* Whether input is held that is not parsed yet; an unfinished message does not count. */
bool input_is_held(const struct client *client);

/* Whether an unfinished message is held. */
bool input_is_begun(const struct client *client);

/* The unfinished message gets as much time again. */
void input_extend(struct tcp *tcp, struct client *client);

/* Drops all that is kept. */
void input_clear(struct tcp *tcp, struct client *client);

#endif
