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

/* Sends three times: it is active then, whatever the service does. */
static void come_thrice(const char *host, uint16_t port)
{
	for (int i = 0; i < SESSION_ACTIVE_MESSAGES; i++)
		come(host, port, "x");
}

/*
 * One that has sent once, or twice without an answer, is new and gone soon. One that has sent again
 * after an answer, or a third time, is active, and gone after the idle timeout.
 */
static void new_and_active(void **state)
{
	(void)state;
	serve(ADDRESS);
	come("192.0.2.1", 2001, "once");
	come("192.0.2.2", 2002, "twice");
	come("192.0.2.2", 2002, "twice");
	is_answering = true;
	come("192.0.2.3", 2003, "answered");
	assert_sent("answered", "192.0.2.3", 2003);
	come("192.0.2.4", 2004, "again");
	assert_sent("again", "192.0.2.4", 2004);
	is_answering = false;
	come("192.0.2.4", 2004, "again");
	come_thrice("192.0.2.5", 2005);
	expect("+0 0:once +1 1:twice 1:twice +2 2:answered +3 3:again 3:again +4 4:x 4:x 4:x ");
	pass(SESSION_NEW_TIMEOUT_MS);
	expect("");
	pass(FOUND_MS(SESSION_NEW_TIMEOUT_MS) - SESSION_NEW_TIMEOUT_MS);
	expect("-0(-62) -1(-62) -2(-62) ");
	pass(options.udp_idle_timeout_ms - FOUND_MS(SESSION_NEW_TIMEOUT_MS));
	expect("");
	pass(FOUND_MS(options.udp_idle_timeout_ms) - options.udp_idle_timeout_ms);
	expect("-3(-62) -4(-62) ");
	assert_int_equal(stats_now().udp_clients_now, 0);
	come("192.0.2.5", 2005, "back");
	expect("+5 5:back ");
}

/* A client that sends now and then stays, new or active. */
static void activity(void **state)
{
	(void)state;
	serve(ADDRESS);
	come("192.0.2.1", 2001, "a");
	pass(SESSION_NEW_TIMEOUT_MS - 1);
	come("192.0.2.1", 2001, "b");
	pass(SESSION_NEW_TIMEOUT_MS - 1);
	come("192.0.2.1", 2001, "c");
	for (int i = 0; i < 3; i++) {
		pass(options.udp_idle_timeout_ms - 1);
		come("192.0.2.1", 2001, "d");
	}
	expect("+0 0:a 0:b 0:c 0:d 0:d 0:d ");
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

/* In a full table the new client that was silent longest is evicted; active ones never are. */
static void evicted_in_order(void **state)
{
	(void)state;
	options.udp_clients_max = 3;
	serve(ADDRESS);
	come("192.0.2.1", 2001, "a");
	come_thrice("192.0.2.2", 2002);
	pass(1000);
	come("192.0.2.3", 2003, "c");
	pass(1000);
	come("192.0.2.1", 2001, "a");
	expect("+0 0:a +1 1:x 1:x 1:x +2 2:c 0:a ");
	come("192.0.2.4", 2004, "d");
	expect("-2(-28) +3 3:d ");
	come("192.0.2.3", 2003, "c");
	expect("-0(-28) +4 4:c ");
	assert_int_equal(stats_now().udp_evictions, 2);
	come_thrice("192.0.2.3", 2003);
	come_thrice("192.0.2.4", 2004);
	expect("4:x 4:x 4:x 3:x 3:x 3:x ");
	come("192.0.2.5", 2005, "e");
	expect("");
	assert_int_equal(stats_now().udp_dropped_full, 1);
	assert_int_equal(stats_now().udp_evictions, 2);
	come("192.0.2.2", 2002, "y");
	expect("1:y ");
	assert_int_equal(stats_now().udp_clients_now, 3);
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
	come("192.0.2.1", 2001, "a");
	come_thrice("192.0.2.1", 2002);
	come("192.0.2.1", 2003, "c");
	come("192.0.2.2", 2003, "d");
	expect("+0 0:a +1 1:x 1:x 1:x +2 2:d ");
	assert_int_equal(stats_now().udp_dropped_source_full, 1);
	assert_int_equal(stats_now().udp_dropped_full, 0);
	pass(FOUND_MS(SESSION_NEW_TIMEOUT_MS));
	expect("-0(-62) -2(-62) ");
	come("192.0.2.1", 2003, "c");
	come("192.0.2.1", 2001, "a");
	expect("+3 3:c ");
	assert_int_equal(stats_now().udp_dropped_source_full, 2);
	assert_int_equal(rollcall_close(server, 1), 0);
	turn();
	come("192.0.2.1", 2001, "a");
	expect("-1(-125) +4 4:a ");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDP_TEST(new_and_active),
		UDP_TEST(activity),
		UDP_TEST(short_timeout),
		UDP_TEST(evicted_in_order),
		UDP_TEST(not_evicted_in_flight),
		UDP_TEST(closing_counts),
		UDP_TEST(closed_when_connected),
		UDP_TEST(clients_of_a_source),
		UDP_TEST(full_source_evicts_nobody),
		UDP_TEST(source_of_ipv6),
		UDP_TEST(rate_of_a_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
