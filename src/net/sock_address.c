#include "net/sock_address.h"

#include <sys/stat.h>

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "base/index.h"
#include "ipc/inherit.h"

static int
sock_parse_unix(const char *text, struct sock_address *address,
    struct why *why)
{
	size_t len = strlen(text);

	if (len >= sizeof(address->sa.un.sun_path)) {
		why_set(why, "the path of a unix socket is too long: %s",
		    text);
		return -1;
	}
	address->kind = SOCK_UNIX;
	address->sa.un.sun_family = AF_UNIX;
	memcpy(address->sa.un.sun_path, text, len + 1);
	address->len = sizeof(address->sa.un);
	return 0;
}

static int
sock_parse_fd(const char *text, struct sock_address *address,
    struct why *why)
{
	int64_t fd;

	if (num_integer(text + 3, 0, INT32_MAX, &fd) == -1) {
		why_set(why, "not the number of a descriptor: %s", text);
		return -1;
	}
	address->kind = SOCK_FD;
	address->fd = (int)fd;
	return 0;
}

/* A name for which no socket was passed is a valid address too, because systemd
 * does not run a test of the configuration (-t). */
static int
sock_parse_systemd(const char *text, struct sock_address *address)
{
	address->kind = SOCK_FD;
	address->fd = inherit_find(strchr(text, ':') + 1);
	return 0;
}

static int
sock_parse_host(const char *host, struct sock_address *address)
{
	struct sockaddr_in6 *in6 = &address->sa.in6;
	struct sockaddr_in *in = &address->sa.in;
	size_t len = strlen(host);
	char bare[INET6_ADDRSTRLEN] = "";

	address->kind = SOCK_INET;
	if (len > 2 && host[0] == '[' && host[len - 1] == ']' &&
	    len - 2 < sizeof(bare)) {
		memcpy(bare, host + 1, len - 2);
		in6->sin6_family = AF_INET6;
		address->len = sizeof(*in6);
		return inet_pton(AF_INET6, bare, &in6->sin6_addr) == 1 ? 0 : -1;
	}
	in->sin_family = AF_INET;
	address->len = sizeof(*in);
	if (strcmp(host, "*") == 0)
		return 0; /* INADDR_ANY is all zero */
	return inet_pton(AF_INET, host, &in->sin_addr) == 1 ? 0 : -1;
}

/* Why a place is none, for those who know other daemons: they take a port
 * alone, a name, and unix: before a path.  `before` is the protocol's prefix. */
static void
sock_explain(const char *before, const char *text, struct why *why)
{
	size_t digits = strspn(text, "0123456789");

	if (digits > 0 && text[digits] == '\0')
		why_set(why, "not an address: %s%s (a port alone; write "
		    "%s127.0.0.1:%s, or %s*:%s for all interfaces)", before,
		    text, before, text, before, text);
	else if (strncmp(text, "unix:", 5) == 0)
		why_set(why, "not an address: %s%s (a path stands alone: "
		    "%s%s)", before, text, before, text + 5);
	else if (strncmp(text, "localhost:", 10) == 0)
		why_set(why, "not a numeric address: %s%s (write "
		    "%s127.0.0.1%s or %s[::1]%s)", before, text, before,
		    text + 9, before, text + 9);
	else if (*text != '[' && strchr(text, ':') != strrchr(text, ':'))
		why_set(why, "not an address: %s%s (IPv6 stands in brackets, "
		    "as %s[::1]:9000)", before, text, before);
	else if (strchr(text, ':') == NULL || *text == ':')
		why_set(why, "not an address: %s%s (a path, 127.0.0.1:9000, "
		    "[::1]:9000, *:9000, fd:3 or systemd:www%s)", before, text,
		    *before == '\0' ? "" : ", each after " SOCK_HTTP_PREFIX);
	else
		why_set(why, "not a numeric address: %s%s (names are not "
		    "looked up; as %s127.0.0.1:9000 or %s[::1]:9000)", before,
		    text, before, before);
}

/* True, and why, if the text begins with the scheme of a URL, or names FastCGI
 * where no prefix does so. */
static bool
sock_is_prefixed(const char *text, struct why *why)
{
	size_t http = strlen(SOCK_HTTP_PREFIX);
	const char *rest;

	if (strncasecmp(text, "https:", 6) == 0)
		why_set(why, "not an address: %s (TLS is left to a proxy, "
		    "which speaks HTTP or FastCGI to lua-fpm)", text);
	else if (strncmp(text, "fcgi:", 5) == 0)
		why_set(why, "not an address: %s (FastCGI has no prefix: %s)",
		    text, text + 5);
	else if (strncasecmp(text, SOCK_HTTP_PREFIX "//", http + 2) != 0)
		return false;
	else {
		rest = text + http + 2;
		why_set(why, "not an address: %s (no URL; write "
		    SOCK_HTTP_PREFIX "%.*s)", text, (int)(*rest == '/' ? strlen(rest) :
			strcspn(rest, "/")), rest);
	}
	return true;
}

static int
sock_parse_inet(const char *before, const char *text,
    struct sock_address *address, struct why *why)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2] = "";
	int64_t port;

	if (colon == NULL || colon == text ||
	    (size_t)(colon - text) >= sizeof(host)) {
		sock_explain(before, text, why);
		return -1;
	}
	memcpy(host, text, (size_t)(colon - text));
	if (sock_parse_host(host, address) == -1) {
		sock_explain(before, text, why);
		return -1;
	}
	if (num_integer(colon + 1, 1, 65535, &port) == -1) {
		why_set(why, "not a port from 1 to 65535: %s%s", before, text);
		return -1;
	}
	/* sin_port and sin6_port are at the same place */
	address->sa.in.sin_port = htons((uint16_t)port);
	return 0;
}

int
sock_parse(const char *text, struct sock_address *address, struct why *why)
{
	const char *place = sock_place(text);
	const char *before = place == text ? "" : SOCK_HTTP_PREFIX;

	/* sock_same compares all bytes, so the unused ones must be 0. */
	memset(address, 0, sizeof(*address));
	if (sock_is_prefixed(text, why))
		return -1;
	address->protocol = sock_protocol(text);
	if (place[0] == '/' || strncmp(place, "./", 2) == 0)
		return sock_parse_unix(place, address, why);
	if (strncmp(place, "fd:", 3) == 0)
		return sock_parse_fd(place, address, why);
	if (strncmp(place, "systemd:", 8) == 0)
		return sock_parse_systemd(place, address);
	return sock_parse_inet(before, place, address, why);
}

/* The name of a socket file in its directory. */
static const char *
sock_base(const struct sock_address *address)
{
	return strrchr(address->sa.un.sun_path, '/') + 1;
}

void
sock_locate(struct sock_address *address)
{
	char directory[sizeof(address->sa.un.sun_path)];
	struct stat st;
	size_t len;

	if (address->kind != SOCK_UNIX)
		return;
	len = (size_t)(sock_base(address) - address->sa.un.sun_path);
	memcpy(directory, address->sa.un.sun_path, len);
	directory[len] = '\0';
	if (stat(directory, &st) == -1)
		return;
	address->directory_dev = st.st_dev;
	address->directory_ino = st.st_ino;
}

bool
sock_same(const struct sock_address *a, const struct sock_address *b)
{
	if (a->kind != b->kind || a->fd != b->fd || a->len != b->len)
		return false;
	if (a->kind == SOCK_UNIX && a->directory_ino != 0 &&
	    b->directory_ino != 0)
		return a->directory_dev == b->directory_dev &&
		    a->directory_ino == b->directory_ino &&
		    strcmp(sock_base(a), sock_base(b)) == 0;
	return memcmp(&a->sa, &b->sa, a->len) == 0;
}

static bool
sock_any(const struct sock_address *address)
{
	if (address->sa.any.sa_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&address->sa.in6.sin6_addr);
	return address->sa.in.sin_addr.s_addr == INADDR_ANY;
}

bool
sock_overlap(const struct sock_address *a, const struct sock_address *b)
{
	if (sock_same(a, b))
		return true;
	/* IPv6 sockets are IPv6 only, so they never overlap with IPv4. */
	return a->kind == SOCK_INET && b->kind == SOCK_INET &&
	    a->sa.any.sa_family == b->sa.any.sa_family &&
	    a->sa.in.sin_port == b->sa.in.sin_port &&
	    (sock_any(a) || sock_any(b));
}

uint64_t
sock_hash(const struct sock_address *address)
{
	switch (address->kind) {
	case SOCK_UNIX:
		return index_hash_text(sock_base(address));
	case SOCK_INET: /* sin6_port is at the same place */
		return address->sa.in.sin_port;
	default:
		return (uint64_t)address->fd;
	}
}
