/* SPDX-License-Identifier: MIT */
/* The library's cookies: only a round trip to a client's own address brings one that is good. */
#include "contract/library.h"

/* Sends a cookie to a client without one, and tells others whether theirs is good. */
static void ask_for_cookie(struct rollcall_server *of, rollcall_client client, const void *data,
			   size_t bytes, void *context)
{
	uint8_t cookie[ROLLCALL_COOKIE_BYTES];
	int error;

	(void)context;
	if (bytes == ROLLCALL_COOKIE_BYTES) {
		error = rollcall_cookie_check(of, client, data);
		assert_true(error == 0 || error == -EACCES);
		assert_int_equal(rollcall_send(of, client, error ? "bad" : "yes", 3), 0);
	} else {
		assert_int_equal(rollcall_cookie(of, client, cookie), 0);
		assert_int_equal(rollcall_send(of, client, cookie, sizeof(cookie)), 0);
	}
}

static void note_cookies_of_gone(struct rollcall_server *of, rollcall_client client, int reason,
				 void *context)
{
	uint8_t cookie[ROLLCALL_COOKIE_BYTES] = { 0 };

	(void)reason;
	(void)context;
	/* It has no address any more. */
	assert_int_equal(rollcall_cookie(of, client, cookie), -ENOENT);
	assert_int_equal(rollcall_cookie_check(of, client, cookie), -ENOENT);
	assert_int_equal(rollcall_cookie(of, client + 1000, cookie), -ENOENT);
	assert_int_equal(rollcall_cookie_check(of, client + 1000, cookie), -ENOENT);
	note("gone");
}

static void get_cookie(int fd, uint8_t cookie[static ROLLCALL_COOKIE_BYTES])
{
	say(fd, "?");
	expect(recv(fd, cookie, ROLLCALL_COOKIE_BYTES, 0) == ROLLCALL_COOKIE_BYTES);
}

static void expect_verdict(int fd, const uint8_t cookie[static ROLLCALL_COOKIE_BYTES],
			   const char *verdict)
{
	say_bytes(fd, cookie, ROLLCALL_COOKIE_BYTES);
	hear(fd, verdict);
}

static void bring_cookies(void)
{
	uint8_t own[ROLLCALL_COOKIE_BYTES], others[ROLLCALL_COOKIE_BYTES];
	int fd = dial_udp(), other = dial_udp();

	get_cookie(fd, own);
	get_cookie(other, others);
	expect_verdict(fd, own, "yes");
	expect_verdict(other, others, "yes");
	expect_verdict(fd, own, "yes");
	/* Only the port tells these two apart. */
	expect_verdict(fd, others, "bad");
	expect_verdict(other, own, "bad");
	for (int i = 0; i < ROLLCALL_COOKIE_BYTES; i++) {
		own[i] ^= (uint8_t)(1 << i);
		expect_verdict(fd, own, "bad");
		own[i] ^= (uint8_t)(1 << i);
	}
	expect_verdict(fd, own, "yes");
	close(fd);
	close(other);
}

/* A cookie that went to a client's address and back is good from there, and from nowhere else. */
static void cookies(void **state)
{
	(void)state;
	service.connected = NULL;
	service.received = ask_for_cookie;
	service.disconnected = note_cookies_of_gone;
	create_and_listen();
	run(bring_cookies);
	assert_string_equal(trace, "gone\ngone\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { LIBRARY_TEST(cookies) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
