/* Channels: who is subscribed to what, against a plain table. */

#include "hub/hub_channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

#define SUBSCRIBERS 20
#define CHANNELS    30

static struct hub_channels channels;
static struct hub_subscriber subscribers[SUBSCRIBERS];
static bool table[SUBSCRIBERS][CHANNELS];

static void
name_of(size_t channel, char out[16])
{
	snprintf(out, 16, "channel %zu", channel);
}

static size_t
count_in_channel(const struct hub_channel *c, const struct hub_subscriber *s)
{
	size_t n = 0;

	for (size_t i = 0; i < hub_channel_count(c); i++)
		n += hub_channel_get(c, i) == s;
	return n;
}

static size_t
count_in_list(const struct hub_subscriber *s, const char *name)
{
	size_t n = 0, len;

	for (size_t i = 0; i < s->n; i++) {
		const char *at = hub_subscribed(s, i, &len);

		n += len == strlen(name) && memcmp(at, name, len) == 0;
	}
	return n;
}

static void
check_all(void)
{
	size_t alive = 0;

	for (size_t c = 0; c < CHANNELS; c++) {
		const struct hub_channel *found;
		size_t wanted = 0;
		char name[16];

		name_of(c, name);
		found = hub_channel_find(&channels, name, strlen(name));
		for (size_t s = 0; s < SUBSCRIBERS; s++) {
			wanted += table[s][c];
			ck_assert_uint_eq(count_in_list(&subscribers[s], name),
			    table[s][c]);
			if (found != NULL)
				ck_assert_uint_eq(count_in_channel(found,
				    &subscribers[s]), table[s][c]);
		}
		ck_assert((found != NULL) == (wanted > 0));
		if (found != NULL)
			ck_assert_uint_eq(hub_channel_count(found), wanted);
		alive += wanted > 0;
	}
	ck_assert_uint_eq(channels.n, alive);
}

START_TEST(subscriptions_are_as_in_a_plain_table)
{
	unsigned seed = 3;

	for (int step = 0; step < (unit_is_slow() ? 300 : 3000); step++) {
		size_t s = (seed = seed * 1103515245 + 12345) / 65536 %
		    SUBSCRIBERS;
		size_t c = (seed >> 5) % CHANNELS;
		char name[16];

		name_of(c, name);
		if (seed / 1024 % 53 == 0) {
			hub_unsubscribe_all(&channels, &subscribers[s]);
			memset(table[s], 0, sizeof(table[s]));
		} else if (seed / 1024 % 3 == 0) {
			hub_unsubscribe(&channels, &subscribers[s], name,
			    strlen(name));
			table[s][c] = false;
		} else {
			ck_assert_int_eq(hub_subscribe(&channels,
			    &subscribers[s], CHANNELS, name, strlen(name)), 0);
			table[s][c] = true;
		}
		if (step % 10 == 0)
			check_all();
	}
	for (size_t s = 0; s < SUBSCRIBERS; s++)
		hub_unsubscribe_all(&channels, &subscribers[s]);
	ck_assert_uint_eq(channels.n, 0);
	ck_assert_ptr_null(channels.tree);
}
END_TEST

START_TEST(a_subscriber_has_so_many_channels)
{
	struct hub_channels own = { 0 };
	struct hub_subscriber s = { 0 };

	ck_assert_int_eq(hub_subscribe(&own, &s, 2, "a", 1), 0);
	ck_assert_int_eq(hub_subscribe(&own, &s, 2, "b", 1), 0);
	ck_assert_int_eq(hub_subscribe(&own, &s, 2, "a", 1), 0);
	ck_assert_int_eq(hub_subscribe(&own, &s, 2, "c", 1), -1);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_ptr_null(hub_channel_find(&own, "c", 1));
	hub_unsubscribe(&own, &s, "c", 1);
	hub_unsubscribe(&own, &s, "a", 1);
	ck_assert_int_eq(hub_subscribe(&own, &s, 2, "c", 1), 0);
	hub_unsubscribe_all(&own, &s);
	ck_assert_ptr_null(own.tree);
}
END_TEST

START_TEST(a_name_is_bytes)
{
	struct hub_channels own = { 0 };
	struct hub_subscriber s = { 0 };
	char longest[256];

	memset(longest, 'x', sizeof(longest));
	ck_assert_int_eq(hub_subscribe(&own, &s, 9, "a\0b", 3), 0);
	ck_assert_int_eq(hub_subscribe(&own, &s, 9, longest, 255), 0);
	ck_assert_ptr_null(hub_channel_find(&own, "a", 1));
	ck_assert_ptr_null(hub_channel_find(&own, "a\0c", 3));
	ck_assert_ptr_nonnull(hub_channel_find(&own, "a\0b", 3));
	ck_assert_ptr_nonnull(hub_channel_find(&own, longest, 255));
	ck_assert_ptr_null(hub_channel_find(&own, longest, 256));
	ck_assert_ptr_null(hub_channel_find(&own, longest, 254));
	hub_unsubscribe_all(&own, &s);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("hub_channel");
	TCase *t = tcase_create("hub_channel");

	tcase_add_test(t, subscriptions_are_as_in_a_plain_table);
	tcase_add_test(t, a_subscriber_has_so_many_channels);
	tcase_add_test(t, a_name_is_bytes);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}
