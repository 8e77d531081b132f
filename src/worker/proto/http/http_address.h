#ifndef WORKER_PROTO_HTTP_HTTP_ADDRESS_H
#define WORKER_PROTO_HTTP_HTTP_ADDRESS_H

/* The address of an end of a connection, as a socket, a proxy or a field of a
 * request tells it.  Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "worker/proto/http/http_field.h"

#define HTTP_ADDRESS_TEXT 48 /* bytes; more than any address has */

enum http_address_kind {
	HTTP_ADDRESS_NONE, /* not known */
	HTTP_ADDRESS_UNIX, /* of a unix socket: it has no address */
	HTTP_ADDRESS_IP
};

struct http_address {
	unsigned char ip[16]; /* IPv6; IPv4 as ::ffff:0:0/96 */
	uint16_t port;	      /* 0: not known */
	unsigned char kind;   /* enum http_address_kind */
};

/* The address that getpeername(2) or getsockname(2) has given. */
struct http_address http_address_from(const struct sockaddr *sa);

/* Become the IP address whose `size` bytes, 4 or 16, are in network order. */
void http_address_set(struct http_address *address, const void *ip,
    size_t size, uint16_t port);

/* Parse "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" or
 * "[2001:db8::1]:80".  False if it is none of these. */
bool http_address_parse(struct http_span text, struct http_address *address);

/* Write an address without its port: "192.0.2.1", also for one that is mapped
 * into IPv6, "2001:db8::1", "unix:", or nothing if it is not known.  Returns
 * the length; it is not terminated. */
size_t http_address_print(const struct http_address *address,
    char out[HTTP_ADDRESS_TEXT]);

/* True for an IPv4 address, which may be mapped into IPv6. */
bool http_address_is_v4(const struct http_address *address);

#endif
