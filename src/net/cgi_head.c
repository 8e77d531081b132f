#include "net/cgi_head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

size_t
cgi_head_end(const char *start, size_t n, size_t from)
{
	const char *p, *stop = start + n;

	/* The empty line may begin in the bytes that were searched before. */
	p = start + (from > 2 ? from - 2 : 0);
	while ((p = memchr(p, '\n', (size_t)(stop - p))) != NULL) {
		if (p == start || p[-1] == '\n' ||
		    (p[-1] == '\r' && (p - 1 == start || p[-2] == '\n')))
			return (size_t)(p + 1 - start);
		p++;
	}
	return 0;
}

/* The number between p and end; -1 if there is anything but digits, or no room
 * for it. */
static int64_t
parse_length(const char *p, const char *end)
{
	int64_t value = 0;
	const char *digits = p;

	for (; p < end && isdigit((unsigned char)*p); p++) {
		if (value > INT64_MAX / 10 - 1)
			return -1;
		value = value * 10 + (*p - '0');
	}
	return p > digits && p == end ? value : -1;
}

static int
take_status(struct cgi_head *head, const char *p, const char *end,
    struct why *why)
{
	const char *digits = p;
	unsigned status = 0;

	for (; p < end && isdigit((unsigned char)*p) && p - digits < 4; p++)
		status = status * 10 + (unsigned)(*p - '0');
	if (p - digits != 3 || status < 100 || (p < end && *p != ' ')) {
		why_set(why, "malformed Status: %.*s",
		    (int)(end - digits < 80 ? end - digits : 80), digits);
		return -1;
	}
	head->status = status;
	head->has_status = true;
	return 0;
}

static bool
is_name(const struct cgi_header *header, const char *name)
{
	return strlen(name) == header->name_len &&
	    strncasecmp(header->name, name, header->name_len) == 0;
}

static int
take_line(const char *line, const char *end, struct cgi_header *header,
    struct why *why)
{
	const char *colon = memchr(line, ':', (size_t)(end - line));
	const char *value;

	if (colon == NULL || colon == line) {
		why_set(why, "malformed header line: %.*s",
		    (int)(end - line < 80 ? end - line : 80), line);
		return -1;
	}
	for (value = colon + 1; value < end && isblank((unsigned char)*value);)
		value++;
	while (end > value && isblank((unsigned char)end[-1]))
		end--;
	*header = (struct cgi_header){ line, value, (size_t)(colon - line),
		(size_t)(end - value) };
	return 1;
}

int
cgi_head_next(const char **line, const char *stop, struct cgi_header *header,
    struct why *why)
{
	const char *eol, *last, *start;

	while (*line < stop) {
		start = *line;
		eol = memchr(start, '\n', (size_t)(stop - start));
		last = eol > start && eol[-1] == '\r' ? eol - 1 : eol;
		*line = eol + 1;
		if (last > start)
			return take_line(start, last, header, why);
	}
	return 0;
}

static int
take_header(struct cgi_head *head, const struct cgi_header *header,
    struct why *why)
{
	const char *value = header->value, *end = value + header->value_len;

	if (is_name(header, "Status"))
		return take_status(head, value, end, why);
	if (is_name(header, "Content-Length"))
		head->content_length = parse_length(value, end);
	else if (is_name(header, "Location") && !head->has_status)
		head->status = 302;
	return 0;
}

int
cgi_head_parse(const char *line, size_t n, struct cgi_head *head,
    struct why *why)
{
	const char *stop = line + n;
	struct cgi_header header;
	int more;

	memset(head, 0, sizeof(*head));
	head->content_length = -1;
	while ((more = cgi_head_next(&line, stop, &header, why)) == 1)
		if (take_header(head, &header, why) == -1)
			return -1;
	if (more == -1)
		return -1;
	if (head->status == 0)
		head->status = 200;
	return 0;
}
