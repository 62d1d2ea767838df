/* SPDX-License-Identifier: MIT */
/*
 * Which peers are UDP clients, and for how long: new and active ones, their time, evictions,
 * and how many one source may have. Told by what the service is told.
 */
#include "unit/scripted_udp.h"

#include "udp/session.h"

#define ADDRESS "udp://192.0.2.9:7070"

/* A silent client is found so late at the latest: a sixteenth, and a millisecond at either end. */
#define FOUND_MS(timeout_ms) ((timeout_ms) + (timeout_ms) / 16 + 2)

static void ignore_events(void)
{
	expect(events);
}

static uint32_t active_count(void)
{
	return server->udp.sessions.active_count;
}

/* Sends `count` datagrams at this interval, each of which is answered or not. */
static void come_often(const char *host, uint16_t port, unsigned count, uint64_t interval_ms)
{
	for (unsigned i = 0; i < count; i++) {
		if (i > 0)
			pass(interval_ms);
		come(host, port, "x");
		if (is_answering)
			assert_sent("x", host, port);
	}
}

/* Traffic over several answers and some seconds: it is active then. */
static void become_active(const char *host, uint16_t port)
{
	const uint32_t before = active_count();
	const bool was_answering = is_answering;

	is_answering = true;
	come_often(host, port, SESSION_ROUNDS, SESSION_ROUND_MS);
	assert_int_equal(active_count(), before);
	pass(SESSION_ROUND_MS);
	come_often(host, port, 1, 0);
	assert_int_equal(active_count(), before + 1);
	is_answering = was_answering;
	ignore_events();
}

/* Traffic that a sender of forged datagrams has at little cost makes no client active. */
static void no_evidence(void **state)
{
	static const struct {
		bool is_answering;
		unsigned count;
		uint64_t interval_ms;
	} cases[] = {
		{ true, 2, 5000 },    /* a pair */
		{ true, 100, 0 },     /* at once */
		{ true, 100, 10 },    /* in less than a second */
		{ true, 5, 999 },     /* three times twice 999 ms would do */
		{ false, 100, 1000 }, /* without answers */
	};

	(void)state;
	serve(ADDRESS);
	for (size_t i = 0; i < COUNT(cases); i++) {
		is_answering = cases[i].is_answering;
		come_often("192.0.2.1", (uint16_t)(2001 + i), cases[i].count, cases[i].interval_ms);
	}
	assert_int_equal(active_count(), 0);
	assert_int_equal(stats_now().udp_clients_now, COUNT(cases));
}

/* Each round needs an answer of its own. */
static void one_answer(void **state)
{
	(void)state;
	serve(ADDRESS);
	is_answering = true;
	come_often("192.0.2.1", 2001, 1, 0);
	is_answering = false;
	pass(SESSION_ROUND_MS);
	come_often("192.0.2.1", 2001, 100, SESSION_ROUND_MS);
	assert_int_equal(active_count(), 0);
}

/* A client for which a cookie was made becomes active by returning it, and by nothing else. */
static void cookie_returned(void **state)
{
	uint8_t cookie[ROLLCALL_COOKIE_BYTES], wrong[ROLLCALL_COOKIE_BYTES] = { 1 };

	(void)state;
	serve(ADDRESS);
	is_answering = true;
	come_often("192.0.2.1", 2001, 1, 0);
	assert_int_equal(rollcall_cookie(server, 0, cookie), 0);
	come_often("192.0.2.1", 2001, 10, SESSION_ROUND_MS);
	assert_int_equal(active_count(), 0);
	assert_int_equal(rollcall_cookie(server, 0, cookie), 0);
	assert_int_equal(rollcall_cookie_check(server, 0, wrong), -EACCES);
	assert_int_equal(active_count(), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rollcall_cookie_check(server, 0, cookie), 0);
		assert_int_equal(active_count(), 1);
	}
	assert_int_equal(rollcall_close(server, 0), 0);
	assert_int_equal(rollcall_cookie_check(server, 0, cookie), -ENOENT);
	turn();
	assert_int_equal(active_count(), 0);
}

/* A quarter of the places is never active: there each new client is admitted. */
static void reserved_places(void **state)
{
	uint8_t cookie[ROLLCALL_COOKIE_BYTES];

	(void)state;
	options.udp_clients_max = 4;
	serve(ADDRESS);
	for (uint16_t port = 2001; port <= 2003; port++)
		become_active("192.0.2.1", port);
	is_answering = true;
	come_often("192.0.2.2", 2004, 10, SESSION_ROUND_MS);
	assert_int_equal(rollcall_cookie(server, 3, cookie), 0);
	assert_int_equal(rollcall_cookie_check(server, 3, cookie), 0);
	assert_int_equal(active_count(), 3);
	ignore_events();
	is_answering = false;
	for (uint16_t port = 2005; port < 2008; port++)
		come("192.0.2.3", port, "n");
	expect("-3(-28) +4 4:n -4(-28) +5 5:n -5(-28) +6 6:n ");
	/* With the evidence it waits only for a place. */
	is_answering = true;
	come_often("192.0.2.3", 2007, 10, SESSION_ROUND_MS);
	assert_int_equal(active_count(), 3);
	assert_int_equal(rollcall_close(server, 0), 0);
	turn();
	assert_int_equal(active_count(), 2);
	come_often("192.0.2.3", 2007, 1, 0);
	assert_int_equal(active_count(), 3);
}

/* The only place is a newcomer's, whatever the client that has it has shown. */
static void only_place(void **state)
{
	(void)state;
	options.udp_clients_max = 1;
	serve(ADDRESS);
	is_answering = true;
	come_often("192.0.2.1", 2001, 10, SESSION_ROUND_MS);
	ignore_events();
	is_answering = false;
	come("192.0.2.2", 2002, "n");
	expect("-0(-28) +1 1:n ");
}

/* While there are places, a new client is kept as an active one. */
static void kept_while_there_are_places(void **state)
{
	(void)state;
	options.udp_clients_max = 8;
	serve(ADDRESS);
	become_active("192.0.2.1", 2001);
	for (uint16_t port = 2002; port <= 2006; port++)
		come("192.0.2.1", port, "n");
	ignore_events();
	pass(options.udp_idle_timeout_ms - 1);
	expect("");
	pass(FOUND_MS(options.udp_idle_timeout_ms));
	assert_int_equal(stats_now().udp_clients_now, 0);
}

/* While places are short, a new client is idle after 10 s; the last of them makes it so. */
static void forgotten_while_places_are_short(void **state)
{
	(void)state;
	options.udp_clients_max = 8;
	serve(ADDRESS);
	become_active("192.0.2.1", 2001);
	for (uint16_t port = 2002; port <= 2006; port++)
		come("192.0.2.1", port, "n");
	pass(60000);
	ignore_events();
	come("192.0.2.1", 2006, "n");
	come("192.0.2.1", 2007, "s");
	expect("5:n +6 6:s ");
	/* As many are forgotten as are too many, the oldest first. */
	pass(1);
	expect("-1(-62) ");
	come("192.0.2.1", 2008, "s");
	come("192.0.2.1", 2009, "s");
	pass(1);
	expect("+7 7:s +8 8:s -2(-62) -3(-62) ");
	come("192.0.2.1", 2010, "s");
	pass(SESSION_NEW_TIMEOUT_MS - 1);
	expect("+9 9:s -4(-62) ");
	for (uint16_t port = 2011; port <= 2012; port++)
		come("192.0.2.2", port, "t");
	ignore_events();
	pass(FOUND_MS(SESSION_NEW_TIMEOUT_MS) - (SESSION_NEW_TIMEOUT_MS - 1));
	assert_int_equal(stats_now().udp_clients_now, 6);
	assert_int_equal(active_count(), 1);
}

/* A client that sends now and then stays, new or active. */
static void activity(void **state)
{
	(void)state;
	serve(ADDRESS);
	come("192.0.2.1", 2001, "a");
	pass(options.udp_idle_timeout_ms - 1);
	come("192.0.2.1", 2001, "b");
	expect("+0 0:a 0:b ");
	become_active("192.0.2.1", 2001);
	for (int i = 0; i < 3; i++) {
		pass(options.udp_idle_timeout_ms - 1);
		come("192.0.2.1", 2001, "d");
	}
	expect("0:d 0:d 0:d ");
	pass(FOUND_MS(options.udp_idle_timeout_ms));
	expect("-0(-62) ");
	assert_int_equal(active_count(), 0);
}

/* An idle timeout below the 10 s of new clients is theirs too. */
static void short_timeout(void **state)
{
	(void)state;
	options.udp_idle_timeout_ms = 1000;
	serve(ADDRESS);
	come("192.0.2.1", 2001, "a");
	pass(999);
	expect("+0 0:a ");
	pass(FOUND_MS(1000) - 999);
	expect("-0(-62) ");
}

/* In a full table the new client that was silent for longest is evicted, and no active one. */
static void evicted_in_order(void **state)
{
	(void)state;
	options.udp_clients_max = 4;
	serve(ADDRESS);
	become_active("192.0.2.2", 2002);
	become_active("192.0.2.2", 2003);
	come("192.0.2.1", 2001, "a");
	pass(1000);
	come("192.0.2.3", 2003, "c");
	pass(1000);
	come("192.0.2.1", 2001, "a");
	expect("+2 2:a +3 3:c 2:a ");
	come("192.0.2.4", 2004, "d");
	expect("-3(-28) +4 4:d ");
	come("192.0.2.3", 2003, "c");
	expect("-2(-28) +5 5:c ");
	assert_int_equal(stats_now().udp_evictions, 2);
	become_active("192.0.2.3", 2003);
	come("192.0.2.5", 2005, "e");
	come("192.0.2.6", 2006, "f");
	expect("-4(-28) +6 6:e -6(-28) +7 7:f ");
	assert_int_equal(stats_now().udp_dropped_full, 0);
	come("192.0.2.2", 2002, "y");
	come("192.0.2.2", 2003, "y");
	come("192.0.2.3", 2003, "y");
	expect("0:y 1:y 5:y ");
	assert_int_equal(stats_now().udp_clients_now, 4);
}

/* A client whose answer is in flight keeps its slot; once that is sent, it can be evicted. */
static void not_evicted_in_flight(void **state)
{
	(void)state;
	options.udp_clients_max = 1;
	serve(ADDRESS);
	is_answering = true;
	come("192.0.2.1", 2001, "a");
	come("192.0.2.2", 2002, "b");
	expect("+0 0:a ");
	assert_int_equal(stats_now().udp_dropped_full, 1);
	assert_sent("a", "192.0.2.1", 2001);
	come("192.0.2.2", 2002, "b");
	expect("-0(-28) +1 1:b ");
	assert_int_equal(stats_now().udp_dropped_full, 1);
}

/* An active client is not evicted either, if all others are closing. */
static void active_beside_closing(void **state)
{
	(void)state;
	options.udp_clients_max = 2;
	serve(ADDRESS);
	become_active("192.0.2.1", 2001);
	is_answering = true;
	come("192.0.2.2", 2002, "b");
	assert_int_equal(rollcall_close(server, 1), 0);
	turn();
	come("192.0.2.3", 2003, "c");
	expect("+1 1:b ");
	assert_int_equal(stats_now().udp_dropped_full, 1);
}

/* One that is closing counts until it is gone, and its address is a stranger's meanwhile. */
static void closing_counts(void **state)
{
	(void)state;
	options.udp_clients_max = 1;
	serve(ADDRESS);
	is_answering = true;
	come("192.0.2.1", 2001, "a");
	assert_int_equal(rollcall_close(server, 0), 0);
	turn();
	come("192.0.2.2", 2002, "b");
	come("192.0.2.1", 2001, "a");
	expect("+0 0:a ");
	assert_int_equal(stats_now().udp_dropped_full, 2);
	assert_sent("a", "192.0.2.1", 2001);
	expect("-0(-125) ");
	come("192.0.2.1", 2001, "c");
	expect("+1 1:c ");
}

static void close_at_once(struct rollcall_server *of, rollcall_client client, void *context)
{
	on_connected(of, client, context);
	assert_int_equal(rollcall_close(of, client), 0);
}

/* Closed before its first message: that is not delivered. */
static void closed_when_connected(void **state)
{
	(void)state;
	service.connected = close_at_once;
	serve(ADDRESS);
	come("192.0.2.1", 2001, "a");
	expect("+0 -0(-125) ");
	assert_int_equal(stats_now().messages_received, 0);
}

/* A source has a limited number of clients, whatever their ports; others have their own. */
static void clients_of_a_source(void **state)
{
	(void)state;
	options.udp_clients_per_source_max = 2;
	serve(ADDRESS);
	become_active("192.0.2.1", 2002);
	come("192.0.2.1", 2001, "a");
	come("192.0.2.1", 2003, "c");
	come("192.0.2.2", 2003, "d");
	expect("+1 1:a +2 2:d ");
	assert_int_equal(stats_now().udp_dropped_source_full, 1);
	assert_int_equal(stats_now().udp_dropped_full, 0);
	assert_int_equal(rollcall_close(server, 1), 0);
	turn();
	expect("-1(-125) ");
	come("192.0.2.1", 2003, "c");
	come("192.0.2.1", 2001, "a");
	expect("+3 3:c ");
	assert_int_equal(stats_now().udp_dropped_source_full, 2);
	assert_int_equal(rollcall_close(server, 0), 0);
	turn();
	come("192.0.2.1", 2001, "a");
	expect("-0(-125) +4 4:a ");
}

/* A source that is full makes nobody else go. */
static void full_source_evicts_nobody(void **state)
{
	(void)state;
	options.udp_clients_per_source_max = 1;
	options.udp_clients_max = 2;
	serve(ADDRESS);
	come("192.0.2.1", 2001, "a");
	come("192.0.2.2", 2002, "b");
	come("192.0.2.2", 2003, "c");
	expect("+0 0:a +1 1:b ");
	assert_int_equal(stats_now().udp_dropped_source_full, 1);
	come("192.0.2.3", 2004, "d");
	expect("-0(-28) +2 2:d ");
	come("192.0.2.1", 2001, "a");
	expect("-1(-28) +3 3:a ");
}

/* Of IPv6 the network of 64 bits is the source. */
static void source_of_ipv6(void **state)
{
	(void)state;
	options.udp_clients_per_source_max = 1;
	serve("udp://[2001:db8::9]:7070");
	come("2001:db8:0:1::1", 2001, "a");
	come("2001:db8:0:1:ffff::", 2001, "b");
	come("2001:db8:0:2::1", 2001, "c");
	expect("+0 0:a +1 1:c ");
	assert_int_equal(stats_now().udp_dropped_source_full, 1);
}

/* A full source gets places back from its new clients that have been silent for 10 s. */
static void full_source_left_behind(void **state)
{
	(void)state;
	options.udp_clients_per_source_max = 2;
	serve(ADDRESS);
	come("192.0.2.1", 2001, "a");
	come("192.0.2.2", 2001, "b");
	pass(5000);
	come("192.0.2.1", 2002, "c");
	expect("+0 0:a +1 1:b +2 2:c ");
	pass(4900);
	come("192.0.2.1", 2003, "d");
	expect("");
	pass(200);
	come("192.0.2.1", 2003, "d");
	expect("-0(-28) +3 3:d ");
	come("192.0.2.1", 2004, "e");
	expect("");
	assert_int_equal(stats_now().udp_dropped_source_full, 2);
	assert_int_equal(stats_now().udp_evictions, 1);
}

/* Above its rate nothing of a source is delivered, its clients' own included; others' is. */
static void rate_of_a_source(void **state)
{
	(void)state;
	options.udp_rate = 2;
	serve(ADDRESS);
	for (uint16_t port = 2001; port < 2006; port++)
		come("192.0.2.1", port, "a");
	come("192.0.2.1", 2001, "b");
	come("192.0.2.2", 2001, "c");
	expect("+0 0:a +1 1:a +2 2:c ");
	assert_int_equal(stats_now().udp_dropped_rate, 4);
	pass(500);
	come("192.0.2.1", 2001, "d");
	come("192.0.2.1", 2001, "e");
	expect("0:d ");
	assert_int_equal(stats_now().udp_dropped_rate, 5);
}

/* The /64s of one /48 have eight times the limit together, the first of them too. */
static void rate_of_a_site(void **state)
{
	char host[32];

	(void)state;
	options.udp_rate = 2;
	serve("udp://[::]:0");
	for (unsigned i = 0; i < 2 * UDP_RATE_SITE; i++) {
		snprintf(host, sizeof(host), "2001:db8:0:%x::1", i);
		come(host, 2001, "a");
	}
	assert_int_equal(stats_now().udp_dropped_rate, 0);
	come("2001:db8:0:ff::1", 2001, "a");
	come("2001:db8::1", 2001, "a");
	assert_int_equal(stats_now().udp_dropped_rate, 2);
	come("2001:db8:1::1", 2001, "a");
	assert_int_equal(stats_now().udp_dropped_rate, 2);
}

/* What a source sends above its own limit is not taken from that of its site. */
static void rate_of_one_in_a_site(void **state)
{
	(void)state;
	options.udp_rate = 2;
	serve("udp://[::]:0");
	for (unsigned i = 0; i < 100; i++)
		come("2001:db8:0:1::1", 2001, "a");
	assert_int_equal(stats_now().udp_dropped_rate, 98);
	come("2001:db8:0:2::1", 2001, "a");
	assert_int_equal(stats_now().udp_dropped_rate, 98);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDP_TEST(no_evidence),
		UDP_TEST(one_answer),
		UDP_TEST(cookie_returned),
		UDP_TEST(reserved_places),
		UDP_TEST(only_place),
		UDP_TEST(kept_while_there_are_places),
		UDP_TEST(forgotten_while_places_are_short),
		UDP_TEST(activity),
		UDP_TEST(short_timeout),
		UDP_TEST(evicted_in_order),
		UDP_TEST(not_evicted_in_flight),
		UDP_TEST(active_beside_closing),
		UDP_TEST(closing_counts),
		UDP_TEST(closed_when_connected),
		UDP_TEST(clients_of_a_source),
		UDP_TEST(full_source_evicts_nobody),
		UDP_TEST(source_of_ipv6),
		UDP_TEST(full_source_left_behind),
		UDP_TEST(rate_of_a_source),
		UDP_TEST(rate_of_a_site),
		UDP_TEST(rate_of_one_in_a_site),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
