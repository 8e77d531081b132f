/* A worker's side of the hub, which is played by the test. */

#include "worker/net/hub_client.h"

#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/ws_frame.h"
#include "unit.h"
#include "worker/net/poller.h"

static int hub; /* our end of the connection */

static void
say(enum hub_type type, const char *text)
{
	struct buf b = { 0 };
	size_t begun = hub_begin(&b, type, WS_TEXT, 0, 7);

	for (int i = 0; type == HUB_MESSAGE && i < 3; i++)
		hub_part(&b, text, strlen(text));
	hub_end(&b, begun);
	ck_assert_int_eq(fd_send(hub, -1, b.data, b.len), (long)b.len);
	buf_free(&b);
}

static void
meet(void)
{
	char text[100];
	int door[2];

	ck_assert_int_eq(fd_pair(door), 0);
	hub_client_init(door[0], poller_open(), 1);
	hub_client_open();
	ck_assert_int_gt(fd_receive(door[1], &hub, text, sizeof(text)), 0);
	ck_assert_int_ne(hub, -1);
	say(HUB_ROOM, NULL);
	hub_client_receive();
	ck_assert(hub_client_takes());
	close(door[1]);
}

static void
expect(const char *wanted)
{
	struct hub_job job;

	hub_client_receive();
	ck_assert(hub_client_next(&job));
	ck_assert_uint_eq(job.data.len, strlen(wanted));
	ck_assert_mem_eq(job.data.data, wanted, strlen(wanted));
	hub_client_done(false);
}

START_TEST(what_was_returned_is_not_begun)
{
	struct hub_job job;

	meet();
	say(HUB_MESSAGE, "first");
	expect("first");
	say(HUB_MESSAGE, "another worker's");
	hub_client_late();
	hub_client_receive();
	ck_assert(!hub_client_next(&job));
	say(HUB_TAKEN, NULL);
	hub_client_back();
	say(HUB_MESSAGE, "second");
	expect("second");
}
END_TEST

/* It is back, and late again before the hub has heard of the first time. */
START_TEST(each_return_has_its_own_end)
{
	struct hub_job job;

	meet();
	hub_client_late();
	hub_client_back();
	hub_client_late();
	say(HUB_TAKEN, NULL);
	say(HUB_MESSAGE, "returned by the second time");
	hub_client_receive();
	ck_assert(!hub_client_next(&job));
	say(HUB_TAKEN, NULL);
	hub_client_back();
	say(HUB_MESSAGE, "next");
	expect("next");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("hub_client");
	TCase *t = tcase_create("returns");

	tcase_add_test(t, what_was_returned_is_not_begun);
	tcase_add_test(t, each_return_has_its_own_end);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}
