#include "worker/proto/http/http_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "worker/proto/http/http_class.h"

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

void
http_address_set(struct http_address *a, const void *ip, size_t size,
    uint16_t port)
{
	size_t before = sizeof(a->ip) - size;

	memcpy(a->ip, mapped, before);
	memcpy(a->ip + before, ip, size);
	a->port = port;
	a->kind = HTTP_ADDRESS_IP;
}

struct http_address
http_address_from(const struct sockaddr *sa)
{
	struct http_address a = { .kind = HTTP_ADDRESS_NONE };
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		http_address_set(&a, &in.sin_addr, 4, ntohs(in.sin_port));
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		http_address_set(&a, &in6.sin6_addr, 16,
		    ntohs(in6.sin6_port));
	} else if (sa->sa_family == AF_UNIX) {
		a.kind = HTTP_ADDRESS_UNIX;
	}
	return a;
}

/* 1 to 65535, without zeros in front; 0 if it is no port. */
static uint16_t
parse_port(const char *p, const char *end)
{
	unsigned port = 0;

	if (p == end || *p == '0' || end - p > 5)
		return 0;
	for (; p < end; p++) {
		if (!http_is(*p, HTTP_DIGIT))
			return 0;
		port = port * 10 + (unsigned)(*p - '0');
	}
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static bool
parse_ip(const char *text, size_t len, int family, struct http_address *a)
{
	char copy[INET6_ADDRSTRLEN];

	if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (family == AF_INET6)
		return inet_pton(AF_INET6, copy, a->ip) == 1;
	memcpy(a->ip, mapped, sizeof(mapped));
	return inet_pton(AF_INET, copy, a->ip + sizeof(mapped)) == 1;
}

bool
http_address_parse(struct http_span text, struct http_address *a)
{
	const char *p = text.data, *end = p + text.len, *close = end, *colon;
	int family = AF_INET;

	*a = (struct http_address) { .kind = HTTP_ADDRESS_IP };
	if (text.len == 0)
		return false;
	colon = memchr(p, ':', text.len);
	if (*p == '[') {
		p++;
		family = AF_INET6;
		close = memchr(p, ']', (size_t)(end - p));
		if (close == NULL)
			return false;
		colon = close + 1;
	} else if (colon == NULL) {
		colon = end;
	} else if (memchr(colon + 1, ':', (size_t)(end - colon - 1)) == NULL) {
		close = colon;
	} else {
		family = AF_INET6;
		colon = end;
	}
	if (colon != end) {
		if (*colon != ':')
			return false;
		a->port = parse_port(colon + 1, end);
		if (a->port == 0)
			return false;
	}
	return parse_ip(p, (size_t)(close - p), family, a);
}

bool
http_address_is_v4(const struct http_address *a)
{
	return a->kind == HTTP_ADDRESS_IP &&
	    memcmp(a->ip, mapped, sizeof(mapped)) == 0;
}

size_t
http_address_print(const struct http_address *a, char out[HTTP_ADDRESS_TEXT])
{
	size_t len = 0;

	if (a->kind == HTTP_ADDRESS_NONE)
		return 0;
	if (a->kind == HTTP_ADDRESS_UNIX) {
		memcpy(out, "unix:", 5);
		return 5;
	}
	if (!http_address_is_v4(a)) {
		inet_ntop(AF_INET6, a->ip, out, HTTP_ADDRESS_TEXT);
		return strlen(out);
	}
	for (size_t i = sizeof(mapped); i < sizeof(a->ip); i++) {
		unsigned byte = a->ip[i];

		if (byte > 99)
			out[len++] = (char)('0' + byte / 100);
		if (byte > 9)
			out[len++] = (char)('0' + byte / 10 % 10);
		out[len++] = (char)('0' + byte % 10);
		out[len++] = '.';
	}
	return len - 1;
}
