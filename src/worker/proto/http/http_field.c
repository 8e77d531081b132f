#include "worker/proto/http/http_field.h"

#include <arpa/inet.h>
#include <string.h>

#include "net/http_class.h"

static enum http_known
match(const char *name, size_t len, const char *lower, enum http_known known)
{
	bool poses = false;

	/* In tokens no other bytes than its letters become lower with the bit. */
	for (size_t i = 0; i < len; i++) {
		if ((name[i] | 0x20) == lower[i])
			continue;
		if (name[i] != '_' || lower[i] != '-')
			return HTTP_OTHER;
		poses = true;
	}
	return poses ? HTTP_POSER : known;
}

enum http_known
http_field_known(const char *name, size_t len)
{
	switch (len) {
	case 4:
		return match(name, len, "host", HTTP_HOST);
	case 6:
		return match(name, len, "expect", HTTP_EXPECT);
	case 7:
		return match(name, len, "upgrade", HTTP_UPGRADE);
	case 10:
		return match(name, len, "connection", HTTP_CONNECTION);
	case 14:
		return match(name, len, "content-length", HTTP_LENGTH);
	case 17:
		return match(name, len, "transfer-encoding", HTTP_CODING);
	default:
		return HTTP_OTHER;
	}
}

static bool
is_port(const char *p, const char *end)
{
	int port = 0;

	for (; p < end; p++) {
		port = port * 10 + *p - '0';
		if (!http_is(*p, HTTP_DIGIT) || port > 65535)
			return false;
	}
	return true;
}

/* An IPv6 address in brackets from p on: where it ends, or NULL. */
static const char *
literal_end(const char *p, const char *end)
{
	const char *close = memchr(p, ']', (size_t)(end - p));
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (close == NULL || (size_t)(close - p) > sizeof(text))
		return NULL;
	memcpy(text, p + 1, (size_t)(close - p - 1));
	text[close - p - 1] = '\0';
	return strlen(text) == (size_t)(close - p - 1) &&
	    inet_pton(AF_INET6, text, &address) == 1 ? close + 1 : NULL;
}

static const char *
name_end(const char *p, const char *end)
{
	while (p < end) {
		if (*p == '%' && end - p > 2 && http_is(p[1], HTTP_HEX) &&
		    http_is(p[2], HTTP_HEX))
			p += 3;
		else if (http_is(*p, HTTP_NAME))
			p++;
		else
			break;
	}
	return p;
}

bool
http_is_host(struct http_span value)
{
	const char *p = value.data, *end = p + value.len, *stop;

	if (p == end)
		return false;
	stop = *p == '[' ? literal_end(p, end) : name_end(p, end);
	if (stop == NULL || stop == p)
		return false;
	return stop == end || (*stop == ':' && is_port(stop + 1, end));
}

unsigned
http_coding(struct http_span value, const char **fault)
{
	struct http_span element;
	bool chunked = false, other = false;

	*fault = "Transfer-Encoding that is no list of codings";
	if (value.len == 0 || value.data[value.len - 1] == ',')
		return 400;
	while (http_list_next(&value, &element)) {
		const char *semicolon = memchr(element.data, ';', element.len);
		struct http_span name = element;

		if (semicolon != NULL)
			name.len = (size_t)(semicolon - name.data);
		name = http_span_trim(name);
		if (!http_is_token(name, ""))
			return 400;
		if (chunked || (semicolon != NULL &&
		    http_span_is(name, "chunked"))) {
			*fault = "chunked twice, not last or with a parameter";
			return 400;
		}
		if (http_span_is(name, "chunked"))
			chunked = true;
		else
			other = true;
	}
	*fault = other ? "unknown transfer coding" : NULL;
	return other ? 501 : 0;
}
