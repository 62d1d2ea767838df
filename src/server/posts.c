/* SPDX-License-Identifier: MIT */
#include "server/posts.h"

#include <errno.h>
#include <stdlib.h>

#include "ring/socket.h"
#include "server/server.h"

struct post {
	struct post *next;
	void (*call)(struct rollcall_server *server, void *context);
	void *context;
};

int posts_init(struct posts *posts, struct hub *hub)
{
	int error = timers_reserve(&hub->timers);

	if (error)
		return error;
	*posts = (struct posts){ .event = socket_event(hub->ring) };
	return posts->event < 0 ? posts->event : 0;
}

int rollcall_post(struct rollcall_server *server,
		  void (*call)(struct rollcall_server *server, void *context), void *context)
{
	struct posts *posts = &server->posts;
	struct post *post, *below;
	const int event = posts->event;

	/* No thread of this process would ever run it. */
	if (owner_is_forked(server->owner))
		return -EPERM;
	post = malloc(sizeof(*post));
	if (!post)
		return -ENOMEM;
	*post = (struct post){ .call = call, .context = context };
	below = atomic_load(&posts->newest);
	do {
		post->next = below;
	} while (!atomic_compare_exchange_weak(&posts->newest, &below, post));
	/* From here on the post may have run and been freed. */
	if (!below)
		socket_event_raise(event);
	return 0;
}

/* Takes all posts, oldest first. */
static struct post *take(struct posts *posts)
{
	struct post *newest = atomic_exchange(&posts->newest, NULL), *oldest = NULL;

	while (newest) {
		struct post *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

static void run_posted(struct posts *posts, struct rollcall_server *server)
{
	struct post *oldest = take(posts);

	while (oldest) {
		struct post *next = oldest->next;

		oldest->call(server, oldest->context);
		free(oldest);
		oldest = next;
	}
}

void posts_close(struct posts *posts)
{
	posts->closing = true;
}

bool posts_flush(struct posts *posts, struct ring *ring)
{
	struct io_uring_sqe *sqe;

	if (posts->closing)
		return !operation_is_to_cancel(&posts->read) ||
		       operation_cancel(&posts->read, ring, OP_WAKE_CANCEL);
	if (posts->read.in_flight || timer_is_set(&posts->retry))
		return true;
	sqe = ring_sqe(ring);
	if (!sqe)
		return false;
	io_uring_prep_read(sqe, posts->event, &posts->count, sizeof(posts->count), 0);
	operation_start(&posts->read, sqe, OP_WAKE, 0);
	return true;
}

void posts_on_wake(struct posts *posts, struct rollcall_server *server,
		   const struct io_uring_cqe *cqe)
{
	struct hub *hub = &server->hub;

	posts->read.in_flight = false;
	if (cqe->res < 0 && !posts->closing)
		timers_set(&hub->timers, &posts->retry, hub->now_ns + POSTS_RETRY_NS);
	run_posted(posts, server);
}

void posts_on_cancel(struct posts *posts)
{
	posts->read.cancel_in_flight = false;
}

void posts_destroy(struct posts *posts, struct rollcall_server *server, struct ring *ring)
{
	struct post *left;

	run_posted(posts, server);
	for (left = take(posts); left;) {
		struct post *next = left->next;

		free(left);
		left = next;
	}
	socket_close(ring, posts->event);
}
