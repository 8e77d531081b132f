#ifndef WORKER_PROTO_HTTP_HTTP_ASK_H
#define WORKER_PROTO_HTTP_HTTP_ASK_H

/*
 * What a request asks for, by its head, which http_scan has found well-formed;
 * and what may be refused without the application.  Pure.
 */

#include <stdint.h>

#include "base/buf.h"
#include "net/ws_handshake.h"
#include "worker/proto/http/http_scan.h"
#include "worker/proto/http/http_target.h"

#define HTTP_FIELDS_MOST 100 /* of a head (http_limits.fields) */

struct http_ask { /* all zero at first; its memory is used again */
	struct http_span method, uri;
	struct http_field fields[HTTP_FIELDS_MOST];
	size_t nfields;
	struct http_target target;
	struct buf room; /* of the target */
};

/* Take the head at `data` apart; the result is valid as long as that.  0; the
 * status of the refusal and why, a constant; 503 if memory ran out. */
int http_ask_parse(struct http_ask *ask, const char *data,
    const struct http_scan *scan, const char **fault);

/* The status with which an upgrade to WebSocket is refused, and why
 * (ws_handshake.h), or 101.  origins NULL: no application takes it, so one that
 * is sound is 404. */
int http_ask_upgrade(const struct http_ask *ask, const struct http_scan *scan,
    const struct ws_origins *origins, const char **fault);

#endif
