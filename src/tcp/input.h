/* SPDX-License-Identifier: MIT */
/*
 * input.h - the way of received bytes to the service: message by message, and only as fast as the
 * client takes the answers.
 *
 * Bytes are looked at where they were received. Only two things are kept for later: a message that
 * has begun but not ended, and what arrived for a client whose input is paused.
 */
#ifndef TCP_INPUT_H
#define TCP_INPUT_H

#include "tcp/tcp.h"

struct tcp_input {
	struct queue backlog; /* not looked at yet */
	uint8_t *message;     /* begun */
	size_t message_bytes, message_room;
};

/*
 * Hands received bytes to the service. 0; -EMSGSIZE: a message is too long, and the service has
 * been told; -ENOBUFS: no memory to keep what has to be kept.
 */
int input_receive(struct tcp *tcp, struct client *client, const void *data, size_t bytes);

/* Goes on with what was held back, once the client is not paused any more. As above. */
int input_resume(struct tcp *tcp, struct client *client);

/* The peer has ended: hands over a last line that lacks its ending. */
void input_end(struct tcp *tcp, struct client *client);

/* Whether bytes are held back that the service has not seen, an unfinished message apart. */
bool input_is_held(const struct client *client);

/* Whether a message has begun, but not ended. */
bool input_is_begun(const struct client *client);

/* Forgets all that is kept. */
void input_clear(struct tcp *tcp, struct client *client);

#endif
