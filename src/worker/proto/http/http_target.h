#ifndef WORKER_PROTO_HTTP_HTTP_TARGET_H
#define WORKER_PROTO_HTTP_HTTP_TARGET_H

/*
 * The target of a request (RFC 9112, 3.2): which of its forms it has, and which
 * path is meant.  A path becomes what nginx makes of it, so that an application
 * sees the same behind both.  Pure; allocates nothing.
 */

#include "worker/proto/http/http_field.h"

struct http_target {
	struct http_span uri;	/* path and query as they were sent */
	struct http_span path;	/* decoded, begins with "/"; or "*" */
	struct http_span query; /* behind the "?", as it was sent */
	struct http_span authority; /* of the absolute form, which counts and
				       not Host (3.2.2); else data is NULL */
	const char *fault; /* what is wrong, a constant */
};

/*
 * Parse a target of bytes that may be in one.  The escapes of the path are
 * decoded, once; then "." and ".." are resolved and repeated slashes are one,
 * also where these were escaped.  Asterisk: with OPTIONS only.  Absolute:
 * http:// or https://; this is the wish of the client and not how the
 * connection is secured.  The query is not judged.
 *
 * room: target.len + 1 bytes, in which the result may lie; else it is a part of
 * target.  0; -1 with `fault`, and the answer is 400: a fragment, an escape
 * that is none or is NUL, a path that leaves the root, a malformed authority,
 * another form.
 */
int http_target_parse(struct http_span method, struct http_span target,
    char *room, struct http_target *out);

#endif
