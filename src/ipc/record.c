#include "ipc/record.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"

void
record_put(struct buf *out, const char *name, const void *value, size_t len)
{
	buf_addf(out, "%s %zu\n", name, len);
	buf_add(out, value, len);
	buf_putc(out, '\n');
}

void
record_put_text(struct buf *out, const char *name, const char *text)
{
	record_put(out, name, text, strlen(text));
}

void
record_put_number(struct buf *out, const char *name, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, number);
	record_put_text(out, name, text);
}

void
record_put_records(struct buf *out, const char *name, struct buf *records)
{
	record_put(out, name, records->data, records->len);
	out->failed |= records->failed;
	buf_free(records);
}

void
record_put_fd(struct buf *out, const char *name, int fd)
{
	if (fd != -1)
		fd_cloexec(fd, false);
	record_put_number(out, name, fd);
}

/* Parse "NAME LENGTH\n" and check that the whole value and its newline
 * follow. */
static bool
parse_head(const char *at, size_t len, struct record *out)
{
	const char *end = memchr(at, '\n', len), *space;
	char digits[20];
	int64_t n;

	space = end == NULL ? NULL : memchr(at, ' ', (size_t)(end - at));
	if (space == NULL || space == at ||
	    (size_t)(end - space) > sizeof(digits))
		return false;
	memcpy(digits, space + 1, (size_t)(end - space - 1));
	digits[end - space - 1] = '\0';
	len -= (size_t)(end + 1 - at);
	if (len == 0 || num_integer(digits, 0, (int64_t)len - 1, &n) == -1)
		return false;
	*out = (struct record){ .name = at, .name_len = (size_t)(space - at),
		.value = end + 1, .len = (size_t)n };
	return out->value[n] == '\n';
}

bool
record_next(const char **rest, size_t *len, struct record *out)
{
	size_t taken;

	if (*len == 0 || !parse_head(*rest, *len, out))
		return false;
	taken = (size_t)(out->value + out->len + 1 - *rest);
	*rest += taken;
	*len -= taken;
	return true;
}

bool
record_is(const struct record *record, const char *name)
{
	return record->name_len == strlen(name) &&
	    memcmp(record->name, name, record->name_len) == 0;
}

bool
record_is_whole(const struct record *in)
{
	const char *rest = in->value;
	size_t len = in->len;
	struct record part;

	while (record_next(&rest, &len, &part))
		;
	return len == 0;
}

bool
record_find(const struct record *in, const char *name, struct record *out)
{
	const char *rest = in->value;
	size_t len = in->len;

	while (record_next(&rest, &len, out))
		if (record_is(out, name))
			return true;
	return false;
}

char *
record_text(const struct record *in, const char *name)
{
	struct record found;

	if (!record_find(in, name, &found))
		return NULL;
	return strndup(found.value, found.len);
}

bool
record_is_number(const struct record *record, int64_t *number)
{
	char digits[24];

	if (record->len >= sizeof(digits))
		return false;
	memcpy(digits, record->value, record->len);
	digits[record->len] = '\0';
	return num_integer(digits, INT64_MIN, INT64_MAX, number) == 0;
}

int64_t
record_number(const struct record *in, const char *name, int64_t otherwise)
{
	struct record found;
	int64_t number;

	if (!record_find(in, name, &found) ||
	    !record_is_number(&found, &number))
		return otherwise;
	return number;
}

/* A descriptor that is close-on-exec was opened by this image, or taken
 * before. */
int
record_take_fd(const struct record *record)
{
	int64_t fd;

	if (!record_is_number(record, &fd) || fd <= STDERR_FILENO ||
	    fd > INT_MAX || fcntl((int)fd, F_GETFD) != 0 ||
	    fd_cloexec((int)fd, true) == -1)
		return -1;
	return (int)fd;
}

int
record_fd(const struct record *in, const char *name)
{
	struct record found;

	return record_find(in, name, &found) ? record_take_fd(&found) : -1;
}
