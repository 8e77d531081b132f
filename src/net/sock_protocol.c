#include "net/sock_protocol.h"

#include <string.h>

enum sock_protocol
sock_protocol(const char *text)
{
	return strncmp(text, SOCK_HTTP_PREFIX, strlen(SOCK_HTTP_PREFIX)) == 0 ?
	    SOCK_HTTP : SOCK_FCGI;
}

const char *
sock_place(const char *text)
{
	return sock_protocol(text) == SOCK_HTTP ?
	    text + strlen(SOCK_HTTP_PREFIX) : text;
}

enum sock_protocol
sock_protocol_from(int64_t number)
{
	return number == SOCK_HTTP ? SOCK_HTTP : SOCK_FCGI;
}

const char *
sock_protocol_name(enum sock_protocol protocol)
{
	return protocol == SOCK_HTTP ? "http" : "fcgi";
}
