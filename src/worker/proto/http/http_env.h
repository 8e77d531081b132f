#ifndef WORKER_PROTO_HTTP_HTTP_ENV_H
#define WORKER_PROTO_HTTP_HTTP_ENV_H

/*
 * The parameters of a request that came by HTTP: those, in their order, that
 * nginx sends by FastCGI with Debian's fastcgi_params, so that an application
 * cannot tell one from the other.  What is otherwise:
 *
 *   HTTP_HOST      as the client wrote it, with its port; or the authority of
 *                  an absolute target, which counts instead (RFC 9112, 3.2.2)
 *   SERVER_NAME    the same without the port, or else the address
 *   DOCUMENT_ROOT  the pool's `root`, if it has one
 *   REMOTE_USER    empty: nobody has checked what Authorization says
 *   SERVER_SOFTWARE  lua-fpm and its version
 *   HTTP_PROXY     is never there (https://httpoxy.org)
 *   SERVER_ADDR    of a unix socket "unix:", without its path
 *
 * As there, fields are left out whose name has other bytes than letters, digits
 * and hyphens: one with an underscore would be taken for one with a hyphen.
 * Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "worker/proto/http/http_address.h"
#include "worker/proto/http/http_target.h"
#include "worker/serve/request.h"

struct http_env { /* all zero at first; its memory is used again */
	struct param *params;
	size_t n, cap;
	const struct param *known[REQUEST_KNOWN]; /* as request.known */
	struct buf text; /* what is not part of what was received */
};

struct http_facts { /* about a request, which http_env_make is told */
	struct http_span method;
	const struct http_target *target;
	const struct http_field *fields;
	size_t nfields;
	unsigned minor; /* of the version: 0 or 1 */
	int64_t length; /* of the body, -1: not known, or there is none */
	bool https;
	const struct http_address *client, *server;
	const char *root; /* DOCUMENT_ROOT, NULL: there is none */
};

/* Make the parameters: env->n of them at env->params, valid until the next call
 * and as long as what was received.  0, or -1 if memory ran out. */
int http_env_make(struct http_env *env, const struct http_facts *facts);

/* Give back the memory of more than `params` parameters or `text` bytes. */
void http_env_shrink(struct http_env *env, size_t params, size_t text);

#endif
