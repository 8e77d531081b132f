/*
 * What comes on a connection of HTTP.  It is judged as it lies and in pieces,
 * and the story has to be the same.  A head that is accepted is read again by
 * the simplest means: it has to say the same.
 */

#include <strings.h>

#include "../http/story.h"
#include "fuzz.h"

/* What the simplest reader of a head has found. */
struct found {
	unsigned fields, hosts, lengths, codings;
	long long length;
};

static bool
named(const char *name, size_t len, const char *text)
{
	return strlen(text) == len && strncasecmp(name, text, len) == 0;
}

static void
read_line(struct found *found, const char *line, size_t len,
    const struct http_field *field)
{
	const char *colon = memchr(line, ':', len), *value;
	size_t name_len;

	must(colon != NULL);
	name_len = (size_t)(colon - line);
	must(field->name.data == line && field->name.len == name_len);
	value = colon + 1 + strspn(colon + 1, " \t");
	for (len -= (size_t)(value - line);
	     len > 0 && strchr(" \t", value[len - 1]); len--)
		;
	must(field->value.data == value && field->value.len == len);
	found->fields++;
	if (named(line, name_len, "host"))
		found->hosts++;
	if (named(line, name_len, "content-length")) {
		found->lengths++;
		found->length = strtoll(value, NULL, 10);
		must(strspn(value, "0123456789") == len);
	}
	if (named(line, name_len, "transfer-encoding")) {
		found->codings++;
		must(named(value, len, "chunked"));
	}
}

static void
read_again(const struct story *story)
{
	const struct http_scan *scan = &story->scan;
	const char *data = story->in.data, *line = data + scan->start, *end;
	struct http_field fields[101];
	struct http_span method, target;
	struct found found = { 0 };
	size_t n = http_scan_fields(data, scan, &method, &target, fields, 101);

	must(n == scan->fields && n <= story_limits.fields);
	must(scan->start % 2 == 0 && scan->at <= story->in.len);
	must(scan->at - scan->start <= story_limits.head);
	must(method.data == line && method.len > 0 &&
	    method.data[method.len] == ' ' && target.len > 0 &&
	    target.len <= story_limits.target &&
	    target.data == method.data + method.len + 1);
	must(memcmp(target.data + target.len, " HTTP/1.", 8) == 0);
	must(target.data[target.len + 8] == (scan->minor ?
	    target.data[target.len + 8] == '0' ? '1' :
	    target.data[target.len + 8] : '0'));
	for (;; line = end + 2) {
		end = memchr(line, '\n', (size_t)(data + scan->at - line));
		must(end != NULL && *--end == '\r');
		if (end == line)
			break;
		if (line != data + scan->start)
			read_line(&found, line, (size_t)(end - line),
			    &fields[found.fields]);
	}
	must(end + 2 == data + scan->at && found.fields == n);
	must(found.hosts == 1 || (found.hosts == 0 && scan->minor == 0));
	must(found.lengths + found.codings <= 1);
	must(scan->chunked == (found.codings == 1));
	must(scan->length == (found.lengths == 1 ? found.length : -1));
	must(!scan->upgrade || (!scan->chunked && scan->length <= 0));
}

/* The first byte says how large the pieces are. */
FUZZ(http_scan)
{
	struct story whole = { .tight = true, .head = read_again };
	struct story pieces = { .tight = true };
	size_t at, n, seed;

	if (size == 0)
		return;
	seed = *data++;
	size--;
	story_feed(&whole, (const char *)data, size);
	for (at = 0; at < size; at += n) {
		seed = seed * 5 + 1;
		n = seed % 29 + 1;
		if (n > size - at)
			n = size - at;
		story_feed(&pieces, (const char *)data + at, n);
	}
	must(strcmp(story_end(&whole), story_end(&pieces)) == 0);
	story_free(&whole);
	story_free(&pieces);
}
