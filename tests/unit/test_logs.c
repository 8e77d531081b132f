/* A pool's logs as the master sends them to a worker, which takes them when it
 * comes to it. */

#include "unit.h"

#include <sys/stat.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "master/logs.h"

#define MANY 300 /* rotations, more than a channel holds */

static char scratch[] = "/tmp/test_logs.XXXXXX";
static char path[64], rotated[64];
static char access_format[] = "%r";
static struct conf_pool pool = { .logs = { .access = path,
	.access_format = access_format } };
static struct logs logs;
static struct sink sinks[SINK_COUNT]; /* the worker's */
static int channel[2];		      /* the master's end, the worker's */

static void
set_up(void)
{
	struct why why;

	strcpy(scratch + strlen(scratch) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	snprintf(path, sizeof(path), "%s/log", scratch);
	snprintf(rotated, sizeof(rotated), "%s/log.1", scratch);
	ck_assert_int_eq(fd_pair(channel), 0);
	ck_assert_int_eq(logs_open(&logs, &pool, 1, &why), 0);
	logs_lend(&logs, 0, sinks);
	/* a worker has descriptors of its own */
	for (int id = 0; id < SINK_COUNT; id++)
		if (sinks[id].out.fd != -1)
			sinks[id].out.fd = dup(sinks[id].out.fd);
}

static void
tear_down(void)
{
	char command[64];

	logs_close(&logs);
	for (int id = 0; id < SINK_COUNT; id++)
		sink_close(&sinks[id]);
	fd_close(&channel[0]);
	fd_close(&channel[1]);
	snprintf(command, sizeof(command), "rm -r %s", scratch);
	ck_assert_int_eq(system(command), 0);
}

static void
rotate(void)
{
	ck_assert_int_eq(rename(path, rotated), 0);
	ck_assert_int_eq(logs_reopen(&logs, &pool), 0);
	logs_send(&logs, 0, channel[0]);
}

/* All that waits in the channel: how many messages. */
static unsigned
take(void)
{
	enum channel_message message;
	unsigned n = 0, taken = 0;
	int told;

	while ((message = channel_receive(channel[1], sinks, &told)) !=
	    CHANNEL_EMPTY) {
		ck_assert_int_ne(message, CHANNEL_CLOSED);
		taken += message == CHANNEL_LOG;
		n++;
	}
	for (; taken > 0; taken--)
		logs_taken(&logs, 0, channel[0]);
	return n;
}

static void
assert_current(void)
{
	struct stat there, here;

	ck_assert_int_eq(stat(path, &there), 0);
	ck_assert_int_eq(fstat(sinks[SINK_ACCESS].out.fd, &here), 0);
	ck_assert_uint_eq(here.st_ino, there.st_ino);
}

START_TEST(a_rotation_reaches_a_worker)
{
	for (int i = 0; i < 3; i++) {
		rotate();
		take();
		assert_current();
	}
	ck_assert_uint_eq(take(), 0);
}
END_TEST

/* What it has missed it does not get, but for the newest. */
START_TEST(the_newest_reaches_a_worker_that_was_busy)
{
	unsigned n = 0, more;

	for (int i = 0; i < MANY; i++)
		rotate();
	while ((more = take()) > 0)
		n += more;
	assert_current();
	ck_assert_uint_le(n, 2 * (1 + SINK_COUNT));
	rotate();
	take();
	assert_current();
}
END_TEST

/* Nothing that was owed to one worker goes to the next in its place. */
START_TEST(a_worker_that_is_gone_is_owed_nothing)
{
	rotate();
	rotate();
	logs_return(&logs, 0);
	take();
	ck_assert_uint_eq(take(), 0);
}
END_TEST

/* One that others have filled is sent the newest with the next. */
START_TEST(a_full_channel)
{
	while (channel_send_status(channel[0], -1) == 0)
		;
	rotate();
	take();
	rotate();
	take();
	assert_current();
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("logs");
	TCase *t = tcase_create("logs");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_rotation_reaches_a_worker);
	tcase_add_test(t, the_newest_reaches_a_worker_that_was_busy);
	tcase_add_test(t, a_worker_that_is_gone_is_owed_nothing);
	tcase_add_test(t, a_full_channel);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}
