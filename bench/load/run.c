/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "lib/fail.h"
#include "load/load.h"
#include "load/random.h"

/* How often unanswered messages are looked for. */
#define TICK_NS 50000000

/*
 * A sleeping thread may wake up so much too late: this long before a message is due, answers are
 * polled for instead. So the delay is not the load's own.
 */
#define SPIN_NS 100000

#define EVENTS_MAX 256

/* Answers are taken after so many messages that were due, however many more there are. */
#define ARRIVALS_MAX 64

/* Files that are not clients'. */
#define FILES_RESERVED 16

uint64_t clock_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void client_watch(struct load *load, struct client *client, int operation, bool waits_to_send)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = client };

	if (waits_to_send)
		event.events |= EPOLLOUT;
	client->waits_to_send = waits_to_send;
	must(epoll_ctl(load->epoll, operation, client->fd, &event), "epoll_ctl");
}

static uint64_t *due_of(const struct load *load, const struct client *client, uint64_t message)
{
	return &client->due_ns[message & load->due_mask];
}

void client_answered(struct load *load, struct client *client, uint64_t message)
{
	uint64_t *due_ns = due_of(load, client, message);

	histogram_record(&load->slice.latency, load->now_ns - *due_ns);
	*due_ns = DUE_ANSWERED;
	client->in_flight--;
	load->in_flight--;
	load->slice.answered++;
	load->progress_ns = load->now_ns;
}

void client_lost(struct load *load, struct client *client, uint64_t message)
{
	*due_of(load, client, message) = DUE_LOST;
	client->in_flight--;
	load->in_flight--;
	load->slice.lost++;
}

/* Where the new message is remembered one may be that so many others have overtaken. */
static void begin_message(struct load *load, struct client *client, uint64_t due_ns)
{
	if (*due_of(load, client, client->begun) > DUE_LOST)
		client_lost(load, client, client->begun);
	*due_of(load, client, client->begun++) = due_ns;
	client->in_flight++;
	if (load->in_flight++ == 0)
		load->progress_ns = load->now_ns;
	load->slice.begun++;
}

static bool is_running(const struct load *load)
{
	return load->now_ns < load->stop_ns && load->slice.begun < load->settings.messages_max;
}

/* Closed loop: for each message that has left, the next one. */
static void refill(struct load *load, struct client *client)
{
	uint32_t before = client->in_flight;

	if (load->settings.rate)
		return;
	while (client->in_flight < load->settings.inflight && is_running(load))
		begin_message(load, client, load->now_ns);
	if (client->in_flight > before)
		load->traffic->send(load, client);
}

/* The times between arrivals at random are distributed exponentially. */
static uint64_t gap_ns(struct load *load)
{
	return (uint64_t)(-log(random_fraction(&load->seed)) * 1e9 / (double)load->settings.rate);
}

/* A client at random, or the next one after it that may send. There has to be one. */
static struct client *draw_client(struct load *load)
{
	uint64_t index = random_next(&load->seed) % load->settings.clients;

	while (load->clients[index].in_flight == load->settings.inflight)
		index = (index + 1) % load->settings.clients;
	return &load->clients[index];
}

/* Open loop: what cannot be sent in time is sent later, but has been due since then. */
static void arrive(struct load *load)
{
	uint64_t room = load->settings.clients * load->settings.inflight;

	for (unsigned i = 0; i < ARRIVALS_MAX && load->next_ns <= load->now_ns; i++) {
		struct client *client;

		if (load->in_flight == room || !is_running(load))
			return;
		client = draw_client(load);
		begin_message(load, client, load->next_ns);
		load->now_ns = clock_ns();
		histogram_record(&load->slice.delay, load->now_ns - load->next_ns);
		load->traffic->send(load, client);
		load->next_ns += gap_ns(load);
	}
}

static void expire(struct load *load)
{
	for (uint64_t i = 0; i < load->settings.clients && load->traffic->expire; i++) {
		if (load->clients[i].in_flight) {
			load->traffic->expire(load, &load->clients[i]);
			refill(load, &load->clients[i]);
		}
	}
	if (load->in_flight && load->now_ns - load->progress_ns > load->settings.timeout_ns)
		fail("no answer for %.3g s, with %llu messages in flight",
		     (double)(load->now_ns - load->progress_ns) / 1e9,
		     (unsigned long long)load->in_flight);
}

/* Waits for answers until the time when there is something else to do. */
static void wait_for_events(struct load *load, uint64_t until_ns)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t spin_ns = load->settings.rate ? SPIN_NS : 0;
	uint64_t wait_ns =
		until_ns > load->now_ns + spin_ns ? until_ns - load->now_ns - spin_ns : 0;
	struct timespec timeout = { .tv_sec = (time_t)(wait_ns / 1000000000),
				    .tv_nsec = (long)(wait_ns % 1000000000) };
	int count = epoll_pwait2(load->epoll, events, EVENTS_MAX, &timeout, NULL);

	if (count < 0 && errno != EINTR)
		fail("epoll_pwait2: %s", strerror(errno));
	load->now_ns = clock_ns();
	for (int i = 0; i < count; i++) {
		struct client *client = events[i].data.ptr;

		if (client->waits_to_send && events[i].events & EPOLLOUT)
			load->traffic->send(load, client);
		if (events[i].events & ~(uint32_t)EPOLLOUT)
			load->traffic->receive(load, client, events[i].events);
		refill(load, client);
	}
}

static void begin_slice(struct load *load, uint64_t duration_ns)
{
	struct slice *slice = &load->slice;

	memset(slice, 0, sizeof(*slice));
	usage_read(&slice->load, getpid());
	if (load->settings.server_pid)
		usage_read(&slice->server, (pid_t)load->settings.server_pid);
	load->now_ns = slice->begin_ns = load->progress_ns = clock_ns();
	load->stop_ns = load->now_ns + duration_ns;
	if (load->settings.rate)
		load->next_ns = load->now_ns + gap_ns(load);
}

/* Losses are waited for, but that is no time in which the server had work. */
static void end_slice(struct load *load, uint64_t stopped_ns)
{
	struct slice *slice = &load->slice;
	struct usage after;

	slice->end_ns = load->progress_ns > stopped_ns ? load->progress_ns : stopped_ns;
	usage_read(&after, getpid());
	slice->load = usage_between(&slice->load, &after);
	if (load->settings.server_pid) {
		usage_read(&after, (pid_t)load->settings.server_pid);
		slice->server = usage_between(&slice->server, &after);
	}
	while (load->settings.rate && slice->begun < load->settings.messages_max &&
	       load->next_ns < load->stop_ns) {
		slice->unsent++;
		load->next_ns += gap_ns(load);
	}
}

void load_run(struct load *load, uint64_t duration_ns)
{
	uint64_t stopped_ns = 0, tick_ns;

	begin_slice(load, duration_ns);
	tick_ns = load->now_ns + TICK_NS;
	for (uint64_t i = 0; i < load->settings.clients; i++)
		refill(load, &load->clients[i]);
	for (;;) {
		uint64_t until_ns = tick_ns;

		if (load->settings.rate && load->settings.clients)
			arrive(load);
		if (is_running(load)) {
			until_ns = earlier(until_ns, load->stop_ns);
			if (load->settings.rate &&
			    load->in_flight < load->settings.clients * load->settings.inflight)
				until_ns = earlier(until_ns, load->next_ns);
		} else {
			stopped_ns = stopped_ns ? stopped_ns : load->now_ns;
			if (!load->in_flight)
				break;
		}
		wait_for_events(load, until_ns);
		if (load->now_ns >= tick_ns) {
			expire(load);
			tick_ns = load->now_ns + TICK_NS;
		}
	}
	idle_check(load);
	end_slice(load, stopped_ns);
}

static uint64_t power_of_two(uint64_t at_least)
{
	uint64_t power = 1;

	while (power < at_least)
		power *= 2;
	return power;
}

void load_open(struct load *load)
{
	const struct settings *settings = &load->settings;
	uint64_t remembered = power_of_two(settings->inflight * load->traffic->memory);
	uint64_t files = settings->clients + settings->idle + FILES_RESERVED;
	uint64_t limit = files_limit_raise(), *due_ns;

	if (files > limit)
		fail("the limit of open files is %llu, but %llu are needed",
		     (unsigned long long)limit, (unsigned long long)files);
	must(prctl(PR_SET_TIMERSLACK, 1), "PR_SET_TIMERSLACK");
	load->clients = calloc((size_t)settings->clients + 1, sizeof(*load->clients));
	due_ns = calloc((size_t)(settings->clients * remembered) + 1, sizeof(*due_ns));
	if (!load->clients || !due_ns)
		fail("no memory for %llu clients", (unsigned long long)settings->clients);
	load->due_mask = remembered - 1;
	load->epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	idle_open(load);
	for (uint64_t i = 0; i < settings->clients; i++) {
		load->clients[i] = (struct client){ .fd = -1,
						    .index = (uint32_t)i,
						    .due_ns = due_ns + i * remembered };
		load->traffic->open(load, &load->clients[i]);
	}
}

void load_finish(struct load *load)
{
	for (uint64_t i = 0; i < load->settings.clients && load->traffic->finish; i++)
		load->traffic->finish(load, &load->clients[i]);
}
