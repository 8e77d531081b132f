/* The corpus of requests: the story of each, and the same one in whatever
 * pieces it comes. */

#include "../http/requests.h"
#include "../http/story.h"
#include "unit.h"

/* The bytes in a piece of `first` bytes, and then pieces of `piece`. */
static void
check(const struct requests *r, size_t first, size_t piece)
{
	struct story story = { 0 };
	const char *data = r->bytes.data;
	size_t n = r->bytes.len;

	story_feed(&story, data, first);
	for (size_t at = first; at < n; at += piece)
		story_feed(&story, data + at,
		    piece < n - at ? piece : n - at);
	ck_assert_msg(strcmp(story_end(&story), r->story) == 0,
	    "%s, not %s, of %zu and %zu bytes: %.*s", buf_string(&story.text),
	    r->story, first, piece, (int)n, data);
	story_free(&story);
}

START_TEST(whole)
{
	struct requests r;
	int n = 0;

	ck_assert(requests_open(&r));
	for (; requests_next(&r); n++)
		check(&r, r.bytes.len, 1);
	requests_close(&r);
	ck_assert_int_ge(n, 600);
}
END_TEST

START_TEST(bytes)
{
	struct requests r;

	ck_assert(requests_open(&r));
	while (requests_next(&r))
		check(&r, 0, 1);
	requests_close(&r);
}
END_TEST

START_TEST(cut)
{
	struct requests r;

	ck_assert(requests_open(&r));
	while (requests_next(&r)) {
		size_t step = r.bytes.len < 512 ? 1 : 61;

		for (size_t i = 1; i < r.bytes.len; i += step)
			check(&r, i, r.bytes.len);
	}
	requests_close(&r);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("http_requests");
	TCase *c = tcase_create("story");

	tcase_add_test(c, whole);
	tcase_add_test(c, bytes);
	tcase_add_test(c, cut);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}
