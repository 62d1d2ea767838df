/* SPDX-License-Identifier: MIT */
/* Cookies of clients: whose they are, for how long, and which clients have none. */
#include "unit/scripted_udp.h"

#include "base/cookie.h"

/* A cookie is its client's alone: not another port's, not another address's, and no other bytes. */
static void whose(void **state)
{
	uint8_t cookies[3][ROLLCALL_COOKIE_BYTES];

	(void)state;
	serve("udp://192.0.2.9:7070");
	come("192.0.2.1", 2001, "a");
	come("192.0.2.1", 2002, "b");
	come("192.0.2.2", 2001, "c");
	for (rollcall_client client = 0; client < 3; client++)
		assert_int_equal(rollcall_cookie(server, client, cookies[client]), 0);
	for (rollcall_client client = 0; client < 3; client++)
		for (unsigned of = 0; of < 3; of++)
			assert_int_equal(rollcall_cookie_check(server, client, cookies[of]),
					 client == of ? 0 : -EACCES);
	cookies[0][7] ^= 1;
	assert_int_equal(rollcall_cookie_check(server, 0, cookies[0]), -EACCES);
}

/* It proves an address: also for the client that has come back to it under another number. */
static void whose_address(void **state)
{
	uint8_t cookie[ROLLCALL_COOKIE_BYTES];

	(void)state;
	serve("udp://192.0.2.9:7070");
	come("192.0.2.1", 2001, "a");
	assert_int_equal(rollcall_cookie(server, 0, cookie), 0);
	assert_int_equal(rollcall_close(server, 0), 0);
	turn();
	assert_int_equal(rollcall_cookie(server, 0, cookie), -ENOENT);
	assert_int_equal(rollcall_cookie_check(server, 0, cookie), -ENOENT);
	come("192.0.2.1", 2001, "a");
	assert_int_equal(rollcall_cookie_check(server, 1, cookie), 0);
}

/* Good for one slot of time at least, and for two at most. */
static void how_long(void **state)
{
	const uint64_t slot_ms = COOKIE_SLOT_NS / MILLISECOND_NS;
	uint8_t cookie[ROLLCALL_COOKIE_BYTES];

	(void)state;
	kernel.now_ns = 100 * COOKIE_SLOT_NS;
	serve("udp://192.0.2.9:7070");
	for (int i = 0; i < 3; i++)
		come("192.0.2.1", 2001, "a");
	assert_int_equal(rollcall_cookie(server, 0, cookie), 0);
	pass(2 * slot_ms - 1);
	assert_int_equal(rollcall_cookie_check(server, 0, cookie), 0);
	pass(1);
	assert_int_equal(rollcall_cookie_check(server, 0, cookie), -EACCES);
	pass(slot_ms - 1);
	assert_int_equal(rollcall_cookie(server, 0, cookie), 0);
	pass(slot_ms);
	assert_int_equal(rollcall_cookie_check(server, 0, cookie), 0);
	pass(1);
	assert_int_equal(rollcall_cookie_check(server, 0, cookie), -EACCES);
}

static void without_address(struct rollcall_server *of, rollcall_client client, int reason,
			    void *context)
{
	uint8_t cookie[ROLLCALL_COOKIE_BYTES] = { 0 };

	assert_int_equal(rollcall_cookie(of, client, cookie), -ENOENT);
	assert_int_equal(rollcall_cookie_check(of, client, cookie), -ENOENT);
	on_disconnected(of, client, reason, context);
}

/* A client that is gone has no address any more; one of TCP has one, as long as it is there. */
static void who_has_none(void **state)
{
	uint8_t cookie[ROLLCALL_COOKIE_BYTES];

	(void)state;
	service.disconnected = without_address;
	serve("udp://192.0.2.9:7070");
	come("192.0.2.1", 2001, "a");
	assert_int_equal(rollcall_close(server, 0), 0);
	turn();
	expect("+0 0:a -0(-125) ");
	assert_int_equal(rollcall_cookie(server, 5, cookie), -ENOENT);
	service.disconnected = on_disconnected;
	assert_int_equal(listen_on("tcp://127.0.0.1:0"), 0);
	turn();
	accept_client();
	assert_int_equal(rollcall_cookie(server, 1, cookie), 0);
	assert_int_equal(rollcall_cookie_check(server, 1, cookie), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDP_TEST(whose),
		UDP_TEST(whose_address),
		UDP_TEST(how_long),
		UDP_TEST(who_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
