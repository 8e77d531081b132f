#include "worker/proto/http/http_target.h"

#include <string.h>

#include "net/http_class.h"

static int
bad(struct http_target *t, const char *fault)
{
	t->fault = fault;
	return -1;
}

static int
hex(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* True if nothing in the path is to be decoded or resolved: no "%", "//" or
 * "/.". */
static bool
is_plain(const char *p, const char *end)
{
	char before = 0;

	for (; p < end; p++) {
		if (*p == '%' || (before == '/' && (*p == '/' || *p == '.')))
			return false;
		before = *p;
	}
	return true;
}

/*
 * A segment ends: from `segment` to `to`, behind a slash.  Returns where the
 * next one begins if a slash follows, and where the path ends if not; NULL if
 * the segment leads out of the root.
 */
static char *
end_segment(char *root, char *segment, char *to, bool slash)
{
	size_t len = (size_t)(to - segment);

	if (len == 0 || (len == 1 && segment[0] == '.'))
		return segment;
	if (len == 2 && segment[0] == '.' && segment[1] == '.') {
		if (segment == root + 1)
			return NULL;
		for (segment--; segment[-1] != '/'; segment--)
			;
		return segment;
	}
	if (slash)
		*to++ = '/';
	return to;
}

/* The path from p, a slash, to end: as it is meant, into room. */
static int
resolve(const char *p, const char *end, char *room, struct http_target *t)
{
	char *segment = room + 1, *to = segment, c;

	*room = '/';
	for (p++; p < end; p++) {
		c = *p;
		if (c == '%') {
			if (end - p < 3 || !http_is(p[1], HTTP_HEX) ||
			    !http_is(p[2], HTTP_HEX))
				return bad(t, "malformed escape in the path");
			c = (char)(hex(p[1]) << 4 | hex(p[2]));
			p += 2;
			if (c == '\0')
				return bad(t, "NUL in the path");
		}
		if (c != '/') {
			*to++ = c;
			continue;
		}
		segment = to = end_segment(room, segment, to, true);
		if (segment == NULL)
			return bad(t, "path that leaves the root");
	}
	to = end_segment(room, segment, to, false);
	if (to == NULL)
		return bad(t, "path that leaves the root");
	t->path = (struct http_span) { room, (size_t)(to - room) };
	return 0;
}

/* Path and query, from a slash on. */
static int
parse_path(struct http_span rest, char *room, struct http_target *t)
{
	const char *end = rest.data + rest.len, *path_end = end;
	const char *mark = memchr(rest.data, '?', rest.len);

	t->uri = rest;
	t->query = (struct http_span) { end, 0 };
	if (mark != NULL) {
		t->query = (struct http_span) { mark + 1,
			(size_t)(end - mark - 1) };
		path_end = mark;
	}
	if (!is_plain(rest.data, path_end))
		return resolve(rest.data, path_end, room, t);
	t->path = (struct http_span) { rest.data,
		(size_t)(path_end - rest.data) };
	return 0;
}

static int
parse_asterisk(struct http_target *t)
{
	t->uri = t->path = (struct http_span) { "*", 1 };
	t->query = (struct http_span) { "", 0 };
	return 0;
}

/* The length of "http://" or "https://" at its beginning, or 0. */
static size_t
scheme_length(struct http_span target)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i]);

		if (target.len >= len && http_span_is((struct http_span) {
		    target.data, len }, schemes[i]))
			return len;
	}
	return 0;
}

static int
parse_absolute(struct http_span target, size_t scheme, bool options,
    char *room, struct http_target *t)
{
	const char *p = target.data + scheme;
	const char *end = target.data + target.len;
	struct http_span rest = { p, 0 };

	while (rest.data < end && *rest.data != '/' && *rest.data != '?')
		rest.data++;
	rest.len = (size_t)(end - rest.data);
	t->authority = (struct http_span) { p, (size_t)(rest.data - p) };
	if (!http_is_host(t->authority))
		return bad(t, "malformed authority in the target");
	if (rest.len > 0 && *rest.data == '/')
		return parse_path(rest, room, t);
	/* An empty path is "/" (RFC 9110, 4.2.3), but for OPTIONS without a
	 * query, which is about the server (RFC 9112, 3.2.4). */
	if (rest.len == 0 && options)
		return parse_asterisk(t);
	*room = '/';
	memcpy(room + 1, rest.data, rest.len);
	return parse_path((struct http_span) { room, rest.len + 1 }, room, t);
}

int
http_target_parse(struct http_span method, struct http_span target, char *room,
    struct http_target *out)
{
	bool options = method.len == 7 &&
	    memcmp(method.data, "OPTIONS", 7) == 0;
	size_t scheme;

	*out = (struct http_target) { .fault = NULL };
	if (memchr(target.data, '#', target.len) != NULL)
		return bad(out, "fragment in the target");
	if (target.len > 0 && target.data[0] == '/')
		return parse_path(target, room, out);
	if (target.len == 1 && target.data[0] == '*')
		return options ? parse_asterisk(out) :
		    bad(out, "asterisk as the target, but not OPTIONS");
	scheme = scheme_length(target);
	if (scheme > 0)
		return parse_absolute(target, scheme, options, room, out);
	return bad(out, "target that is no path and no http URI");
}
