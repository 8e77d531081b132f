#include <stdio.h>
#include <string.h>

#include "base/index.h"

#include "unit.h"

static struct index all;

struct thing {
	struct index_entry entry;
	unsigned n;
};

static void
teardown(void)
{
	index_free(&all);
}

static void
add(struct thing *thing, unsigned n, uint64_t hash)
{
	thing->n = n;
	index_add(&all, &thing->entry, hash, thing);
}

/* The numbers of the things of a hash, in the order in which they are found. */
static const char *
found(uint64_t hash)
{
	static char text[200];
	size_t len = 0;

	text[0] = '\0';
	for (struct index_entry *e = index_first(&all, hash); e != NULL;
	    e = index_next(e))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%u ",
		    ((struct thing *)e->of)->n);
	return text;
}

START_TEST(an_empty_one_finds_nothing)
{
	struct thing none = { .n = 1 };

	ck_assert_ptr_null(index_first(&all, 7));
	index_remove(&all, &none.entry);
	ck_assert_uint_eq(all.n, 0);
}
END_TEST

START_TEST(one_hash_has_several_in_their_order)
{
	struct thing a, b, c, other;

	add(&a, 1, 7);
	add(&other, 9, 8);
	add(&b, 2, 7);
	add(&c, 3, 7);
	ck_assert_str_eq(found(7), "1 2 3 ");
	ck_assert_str_eq(found(8), "9 ");
	index_remove(&all, &b.entry);
	index_remove(&all, &b.entry);
	ck_assert_str_eq(found(7), "1 3 ");
	add(&b, 2, 7);
	ck_assert_str_eq(found(7), "1 3 2 ");
	ck_assert_uint_eq(all.n, 4);
}
END_TEST

/* Growing moves all of them, and those of one hash keep their order. */
START_TEST(many_are_found)
{
	static struct thing things[2][5000];

	for (unsigned i = 0; i < 5000; i++)
		for (unsigned k = 0; k < 2; k++)
			add(&things[k][i], 2 * i + k, i);
	for (unsigned i = 0; i < 5000; i++) {
		char want[40];

		snprintf(want, sizeof(want), "%u %u ", 2 * i, 2 * i + 1);
		ck_assert_str_eq(found(i), want);
	}
	for (unsigned i = 0; i < 5000; i += 2)
		index_remove(&all, &things[0][i].entry);
	ck_assert_str_eq(found(100), "201 ");
	ck_assert_uint_eq(all.n, 7500);
}
END_TEST

/* However they are numbered: by one, by a port in network order, by an address
 * of memory. */
START_TEST(buckets_stay_short)
{
	static struct thing things[4096];
	static const unsigned shift[] = { 0, 4, 8, 12 };

	for (size_t s = 0; s < 4; s++) {
		size_t longest = 0;

		for (unsigned i = 0; i < 4096; i++)
			add(&things[i], i, (uint64_t)i << shift[s]);
		for (size_t b = 0; b < all.nbuckets; b++) {
			size_t n = 0;

			for (struct index_entry *e = all.bucket[b]; e != NULL;
			    e = e->next)
				n++;
			longest = n > longest ? n : longest;
		}
		ck_assert_uint_lt(longest, 9);
		index_free(&all);
	}
}
END_TEST

START_TEST(texts_have_a_hash)
{
	ck_assert(index_hash_text("www") == index_hash_text("www"));
	ck_assert(index_hash_text("www") != index_hash_text("wwx"));
	ck_assert(index_hash_text("") != index_hash_text("w"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("index");
	TCase *tc = tcase_create("index");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, an_empty_one_finds_nothing);
	tcase_add_test(tc, one_hash_has_several_in_their_order);
	tcase_add_test(tc, many_are_found);
	tcase_add_test(tc, buckets_stay_short);
	tcase_add_test(tc, texts_have_a_hash);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
