/* Named values: nothing is found outside of the bytes, and what is found can
 * be said again in the same way. */

#include <string.h>

#include "fuzz.h"
#include "ipc/record.h"

static void
check_place(const struct record *r, const uint8_t *data, size_t size)
{
	const char *begin = (const char *)data, *end = begin + size;

	must(r->name >= begin && r->name_len > 0 &&
	    r->name + r->name_len < r->value && r->value < end &&
	    r->len < (size_t)(end - r->value));
}

static void
look_for(const struct record *in, const char *name)
{
	struct record found;
	char *text = record_text(in, name);

	must((text != NULL) == record_find(in, name, &found));
	record_number(in, name, 0);
	free(text);
}

FUZZ(record)
{
	const char *rest = (const char *)data;
	const struct record all = { .value = rest, .len = size };
	struct buf again = { 0 };
	struct record part;
	size_t len = size;
	char name[64];

	while (record_next(&rest, &len, &part)) {
		check_place(&part, data, size);
		look_for(&part, "a");
		if (part.name_len >= sizeof(name))
			continue;
		memcpy(name, part.name, part.name_len);
		name[part.name_len] = '\0';
		if (strlen(name) != part.name_len)
			continue;
		must(record_is(&part, name) && record_find(&all, name, &part));
		buf_clear(&again);
		record_put(&again, name, part.value, part.len);
	}
	must((len == 0) == record_is_whole(&all));
	look_for(&all, "a");
	look_for(&all, "bytes");
	buf_free(&again);
}
