#include "worker/serve/socket_request.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

#define PARAMS	  8
#define VALUE_MOST 512 /* bytes of a value that are kept with a socket */

static const char *const kept[] = { "REQUEST_URI", "SCRIPT_NAME",
	"SCRIPT_FILENAME", "REMOTE_ADDR", "REMOTE_USER", NULL };

/* ---- the handshake ----------------------------------------------------------- */

int
socket_context(const struct request *upgrade, struct buf *out)
{
	const char *value;
	size_t len;

	for (size_t i = 0; kept[i] != NULL; i++) {
		value = request_param(upgrade, kept[i], &len);
		if (value == NULL || len == 0)
			continue;
		hub_part(out, kept[i], strlen(kept[i]));
		hub_part(out, value, len < VALUE_MOST ? len : VALUE_MOST);
	}
	return out->failed ? -1 : 0;
}

static struct http_span
param(const struct request *request, const char *name)
{
	struct http_span text = { NULL, 0 };

	text.data = request_param(request, name, &text.len);
	return text;
}

struct http_span
socket_offers(const struct request *upgrade)
{
	return param(upgrade, "HTTP_SEC_WEBSOCKET_PROTOCOL");
}

int
socket_answer(const struct request *upgrade, const char *protocol,
    struct buf *out)
{
	struct http_span key = param(upgrade, "HTTP_SEC_WEBSOCKET_KEY");
	char accept[WS_ACCEPT];

	ws_handshake_accept(&key, accept);
	buf_puts(out, "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: ");
	buf_add(out, accept, sizeof(accept));
	if (*protocol != '\0')
		buf_addf(out, "\r\nSec-WebSocket-Protocol: %s", protocol);
	buf_puts(out, "\r\n\r\n");
	return out->failed ? -1 : 0;
}

/* ---- a message ----------------------------------------------------------------- */

static ssize_t
no_body(struct request *request, void *data, size_t n)
{
	(void)request;
	(void)data;
	(void)n;
	return 0;
}

static int
no_response(struct request *request)
{
	(void)request;
	errno = EPIPE;
	return -1;
}

static int
no_head(struct request *request, const struct response *response,
    int64_t body_len)
{
	(void)response;
	(void)body_len;
	return no_response(request);
}

static int
no_write(struct request *request, const struct iovec *piece, int n)
{
	(void)piece;
	(void)n;
	return no_response(request);
}

/* The hub closes the socket once the worker is gone. */
static void
no_answer(struct request *request, int status)
{
	request->status = status;
}

static bool
never_gone(struct request *request)
{
	(void)request;
	return false;
}

static const struct request_ops ops = {
	.read = no_body,
	.head = no_head,
	.write = no_write,
	.flush = no_response,
	.abandon = no_answer,
	.gone = never_gone,
};

static struct {
	struct request request;
	struct param params[PARAMS];
} self;

static void
add_param(const char *name, size_t name_len, const char *value,
    size_t value_len)
{
	struct request *r = &self.request;

	if (r->nparams < PARAMS)
		self.params[r->nparams++] = (struct param){ .name = name,
			.name_len = name_len, .value = value,
			.value_len = value_len };
}

struct request *
socket_request_begin(const struct hub_job *job)
{
	struct hub_record context = { .body = job->context.data,
		.len = job->context.len };
	struct hub_part name, value;

	self.request = (struct request){ .ops = &ops, .role = ROLE_RESPONDER,
		.params = self.params, .length = -1, .begun = clock_us() };
	add_param("REQUEST_METHOD", 14, "WEBSOCKET", 9);
	while (hub_take_part(&context, &name) &&
	    hub_take_part(&context, &value))
		add_param(name.data, name.len, value.data, value.len);
	request_index(&self.request);
	request_identify(&self.request);
	self.request.bytes_in = job->data.len;
	return &self.request;
}
