#include "worker/proto/http/http_ask.h"

#include <string.h>

#include "net/ws_handshake.h"

int
http_ask_parse(struct http_ask *ask, const char *data,
    const struct http_scan *scan, const char **fault)
{
	ask->nfields = http_scan_fields(data, scan, &ask->method, &ask->uri,
	    ask->fields, HTTP_FIELDS_MOST);
	buf_clear(&ask->room);
	if (buf_reserve(&ask->room, ask->uri.len + 1) == NULL) {
		*fault = "no memory for its target";
		return 503;
	}
	if (http_target_parse(ask->method, ask->uri, ask->room.data,
	    &ask->target) == 0)
		return 0;
	*fault = ask->target.fault;
	return 400;
}

/* The value of the field of that name, which is in lower case; an empty one,
 * which is good for none of them, if it is there twice. */
static struct http_span
value_of(const struct http_ask *ask, const char *name)
{
	struct http_span value = { NULL, 0 };

	for (size_t i = 0; i < ask->nfields; i++) {
		if (!http_span_is(ask->fields[i].name, name))
			continue;
		if (value.data != NULL)
			return (struct http_span) { "", 0 };
		value = ask->fields[i].value;
	}
	return value;
}

int
http_ask_upgrade(const struct http_ask *ask, const struct http_scan *scan,
    const struct ws_origins *origins, const char **fault)
{
	static const struct ws_origins same = { NULL, 0 };
	const struct ws_request request = {
		.get = ask->method.len == 3 &&
		    memcmp(ask->method.data, "GET", 3) == 0,
		.minor = scan->minor,
		.host = value_of(ask, "host"),
		.key = value_of(ask, "sec-websocket-key"),
		.version = value_of(ask, "sec-websocket-version"),
		.origin = value_of(ask, "origin"),
	};
	int status = ws_handshake_judge(&request,
	    origins == NULL ? &same : origins, fault);

	if (status != 101 || origins != NULL)
		return status;
	*fault = "an upgrade to WebSocket, which no application takes";
	return 404;
}
