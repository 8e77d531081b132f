#ifndef WORKER_PROTO_HTTP_HTTP_FORWARDED_H
#define WORKER_PROTO_HTTP_HTTP_FORWARDED_H

/*
 * Who the client of a request is, when proxies are between it and the worker:
 * what they say is believed as far as they are known.  One set of proxies in a
 * worker.
 */

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "worker/proto/http/http_address.h"

struct http_client {
	struct http_address address;
	bool https; /* it came to the first of the proxies by https or wss */
};

/* Once, with a list whose entries are known to be valid (cidr_set_add): the
 * peers that are proxies.  An empty list: nobody is.  0, or -1 with errno. */
int http_forwarded_init(const struct conf_list *proxies,
    enum conf_forwarded kind);

/*
 * The client of a request with n fields that came from `peer`.  That is the
 * peer, if it is no proxy; else the fields are walked from their end, over all
 * that have the name, as each proxy adds what it saw behind what it got: the
 * client is the first address that is no proxy's, or the last of them.  What is
 * malformed, or hides its address, ends the walk: the client is the one before
 * it.
 *
 * https is what the proxy says that the walk ended at, in the same element or,
 * of X-Forwarded-Proto, in the value as far from the end; if there are fewer
 * values, the first was handed on and counts.  X-Forwarded-Host and -Port are
 * not looked at: a proxy can send the Host that it got.
 */
void http_forwarded_client(const struct http_field *fields, size_t n,
    const struct http_address *peer, struct http_client *client);

#endif
