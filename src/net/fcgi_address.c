#include "net/fcgi_address.h"

#include <sys/un.h>

#include <netdb.h>
#include <string.h>

#include "net/sock_protocol.h"

static int
parse_unix(const char *path, struct fcgi_address *address, struct why *why)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&address->sa;

	if (strlen(path) >= sizeof(un->sun_path)) {
		why_set(why, "%s: longer than %zu bytes", path,
		    sizeof(un->sun_path) - 1);
		return -1;
	}
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, path);
	address->len = sizeof(*un);
	return 0;
}

static const struct addrinfo *
preferred(const struct addrinfo *list)
{
	const struct addrinfo *ai;

	for (ai = list; ai != NULL; ai = ai->ai_next)
		if (ai->ai_family == AF_INET)
			return ai;
	return list;
}

static int
resolve(const char *host, const char *port, struct fcgi_address *address,
    struct why *why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	const struct addrinfo *ai;
	int rc;

	if ((rc = getaddrinfo(host, port, &hints, &list)) != 0) {
		why_set(why, "%s, port %s: %s", host, port, gai_strerror(rc));
		return -1;
	}
	ai = preferred(list);
	memcpy(&address->sa, ai->ai_addr, ai->ai_addrlen);
	address->len = ai->ai_addrlen;
	freeaddrinfo(list);
	return 0;
}

int
fcgi_address_parse(const char *text, struct fcgi_address *address,
    struct why *why)
{
	const char *colon = strrchr(text, ':'), *from = text;
	char host[256];
	size_t n;

	memset(address, 0, sizeof(*address));
	if (sock_protocol(text) == SOCK_HTTP) {
		why_set(why, "%s: HTTP is spoken there, not FastCGI", text);
		return -1;
	}
	if (colon == NULL || strchr(text, '/') != NULL)
		return parse_unix(text, address, why);
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && colon[-1] == ']') {
		from++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(host) || colon[1] == '\0') {
		why_set(why, "%s: neither a path nor HOST:PORT", text);
		return -1;
	}
	memcpy(host, from, n);
	host[n] = '\0';
	return resolve(host, colon + 1, address, why);
}
