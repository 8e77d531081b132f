#include "worker/proto/http/http_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "net/http_class.h"

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

/* ---- printing, without printf(3) and inet_ntop(3), which uses it ----------- */

static size_t
print_v4(const unsigned char ip[4], char *out)
{
	size_t len = 0;

	for (int i = 0; i < 4; i++) {
		if (ip[i] > 99)
			out[len++] = (char)('0' + ip[i] / 100);
		if (ip[i] > 9)
			out[len++] = (char)('0' + ip[i] / 10 % 10);
		out[len++] = (char)('0' + ip[i] % 10);
		out[len++] = '.';
	}
	return len - 1;
}

static size_t
print_group(unsigned group, char *out)
{
	int shift = group > 0xfff ? 12 : group > 0xff ? 8 :
	    group > 0xf ? 4 : 0;
	size_t len = 0;

	for (; shift >= 0; shift -= 4)
		out[len++] = "0123456789abcdef"[group >> shift & 0xf];
	return len;
}

/* The first of the longest runs of at least two zeros is "::" (RFC 5952, 4). */
static size_t
print_v6(const unsigned char ip[16], char *out)
{
	unsigned group[8];
	size_t i, len = 0, run = 0, from = 8, zeros = 1;

	for (i = 0; i < 8; i++) {
		group[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
		run = group[i] == 0 ? run + 1 : 0;
		if (run > zeros) {
			zeros = run;
			from = i + 1 - run;
		}
	}
	for (i = 0; i < 8; i++) {
		if (i == from) {
			out[len++] = ':';
			out[len++] = ':';
			i += zeros - 1;
			continue;
		}
		if (i > 0 && out[len - 1] != ':')
			out[len++] = ':';
		len += print_group(group[i], out + len);
	}
	return len;
}

size_t
http_address_print(const struct http_address *a, char out[HTTP_ADDRESS_TEXT])
{
	if (a->kind == HTTP_ADDRESS_NONE)
		return 0;
	if (http_address_is_v4(a))
		return print_v4(a->ip + sizeof(mapped), out);
	if (a->kind == HTTP_ADDRESS_IP)
		return print_v6(a->ip, out);
	memcpy(out, "unix:", 5);
	return 5;
}
