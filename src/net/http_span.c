#include "net/http_span.h"

#include <string.h>

#include "net/http_class.h"

struct http_span
http_span_trim(struct http_span span)
{
	for (; span.len > 0 && http_is_blank(*span.data); span.len--)
		span.data++;
	while (span.len > 0 && http_is_blank(span.data[span.len - 1]))
		span.len--;
	return span;
}

bool
http_list_next(struct http_span *list, struct http_span *element)
{
	const char *comma;

	if (list->data == NULL || list->len == 0)
		return false;
	comma = memchr(list->data, ',', list->len);
	*element = *list;
	*list = (struct http_span) { NULL, 0 };
	if (comma != NULL) {
		size_t len = (size_t)(comma - element->data);

		*list = (struct http_span) { comma + 1,
			element->len - len - 1 };
		element->len = len;
	}
	*element = http_span_trim(*element);
	return true;
}

bool
http_list_has(struct http_span list, const char *element, size_t len)
{
	struct http_span one;

	while (http_list_next(&list, &one))
		if (one.len > 0 && one.len == len &&
		    memcmp(one.data, element, len) == 0)
			return true;
	return false;
}

bool
http_span_is(struct http_span span, const char *lower)
{
	size_t i;

	for (i = 0; i < span.len && lower[i] != '\0'; i++) {
		char c = span.data[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if (c != lower[i])
			return false;
	}
	return i == span.len && lower[i] == '\0';
}

bool
http_is_token(struct http_span span, const char *also)
{
	for (size_t i = 0; i < span.len; i++)
		if (!http_is(span.data[i], HTTP_TOKEN) &&
		    (span.data[i] == '\0' || !strchr(also, span.data[i])))
			return false;
	return span.len > 0;
}
