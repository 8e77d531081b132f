#ifndef CTL_FCGI_FCGI_REQUEST_H
#define CTL_FCGI_FCGI_REQUEST_H

/*
 * A FastCGI request as bytes, with the parameters that nginx would send
 * (its fastcgi_params file) and those that the user of lua-fcgi adds or
 * changes.  Pure; runs in lua-fcgi.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

struct fcgi_request {
	const char *method; /* NULL: GET, or POST if there is a body */
	const char *uri;    /* "/path?query" */
	const char *script; /* SCRIPT_FILENAME; NULL: not sent */
	unsigned role;	    /* FCGI_RESPONDER, FCGI_AUTHORIZER, FCGI_FILTER */
	const struct buf *body; /* NULL: none */
	const struct buf *data; /* of a filter: FCGI_DATA; NULL: none */
	int64_t data_time;	/* when it was changed, seconds since 1970 */
	const char **headers;	/* "Name: value"; "Name:" only removes it */
	size_t nheaders;
	const char **params; /* "NAME=value"; "NAME" only removes it */
	size_t nparams;
	bool keep; /* ask the server to keep the connection */
};

/*
 * Append the whole request, from BEGIN_REQUEST to the end of the last stream
 * that its role has (specification, 6): an authorizer is sent no STDIN and no
 * CONTENT_LENGTH and SCRIPT_NAME, a filter DATA behind STDIN.  A given
 * header or parameter replaces the default one; given twice it is sent twice,
 * as nginx does with repeated headers.  0, or -1 and why (a malformed header or
 * parameter, memory).
 */
int fcgi_request_build(const struct fcgi_request *q, struct buf *out,
    struct why *why);

/* The method of the request, by default too. */
const char *fcgi_request_method(const struct fcgi_request *q);

#endif
