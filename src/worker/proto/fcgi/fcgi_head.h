#ifndef WORKER_PROTO_FCGI_FCGI_HEAD_H
#define WORKER_PROTO_FCGI_FCGI_HEAD_H

/*
 * The head of a response as FastCGI has it: valid CGI (RFC 3875, 6.3).  Pure.
 */

#include <stdint.h>

#include "base/buf.h"
#include "worker/serve/response.h"

/* Append the head and the empty line that ends it to out; body_len as for
 * response_length.  0, or -1 if memory ran out. */
int fcgi_head_print(const struct response *r, int64_t body_len,
    struct buf *out);

#endif
