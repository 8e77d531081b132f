#ifndef NET_SOCK_PROTOCOL_H
#define NET_SOCK_PROTOCOL_H

/*
 * What clients speak at an address in `listen` of lua-fpm.conf(5): HTTP if
 * "http:" stands before the place, or else FastCGI.  Pure.
 */

#include <stdint.h>

enum sock_protocol { SOCK_FCGI, SOCK_HTTP };

#define SOCK_HTTP_PREFIX "http:"

/* The protocol of an address, and the rest of its text, the place. */
enum sock_protocol sock_protocol(const char *text);
const char *sock_place(const char *text);

/* The protocol whose number a record has; FastCGI, if it is no other's. */
enum sock_protocol sock_protocol_from(int64_t number);

/* The name of a protocol in messages of worker/net/handoff.h. */
const char *sock_protocol_name(enum sock_protocol protocol);

#endif
