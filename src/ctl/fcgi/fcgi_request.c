#include "ctl/fcgi/fcgi_request.h"

#include <ctype.h>
#include <string.h>

#include "base/num.h"
#include "net/fcgi_reply.h"
#include "net/fcgi_wire.h"

#define FORM "application/x-www-form-urlencoded"

const char *
fcgi_request_method(const struct fcgi_request *q)
{
	if (q->method != NULL)
		return q->method;
	return q->body != NULL ? "POST" : "GET";
}

/* True if `header` ("Name: value") becomes the parameter `param`
 * (HTTP_NAME). */
static bool
header_is(const char *header, const char *param)
{
	if (strncmp(param, "HTTP_", 5) != 0)
		return false;
	for (param += 5; *param != '\0'; param++, header++)
		if ((*header == '-' ? '_' : toupper((unsigned char)*header)) !=
		    *param)
			return false;
	return *header == ':';
}

static bool
is_replaced(const struct fcgi_request *q, const char *name)
{
	size_t i, n = strlen(name);

	for (i = 0; i < q->nheaders; i++)
		if (header_is(q->headers[i], name))
			return true;
	for (i = 0; i < q->nparams; i++)
		if (strncmp(q->params[i], name, n) == 0 &&
		    (q->params[i][n] == '=' || q->params[i][n] == '\0'))
			return true;
	return false;
}

static void
add(const struct fcgi_request *q, struct buf *out, const char *name,
    const void *value, size_t n)
{
	if (!is_replaced(q, name))
		fcgi_add_pair(out, name, strlen(name), value, n);
}

static void
add_text(const struct fcgi_request *q, struct buf *out, const char *name,
    const char *value)
{
	add(q, out, name, value, strlen(value));
}

static int
hex_digit(int c)
{
	return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

/* Add the path as nginx sends it, with %XX decoded. */
static void
add_path(const struct fcgi_request *q, struct buf *out, const char *name)
{
	const unsigned char *p = (const unsigned char *)q->uri;
	struct buf path = { 0 };

	for (; *p != '\0' && *p != '?'; p++)
		if (*p == '%' && isxdigit(p[1]) && isxdigit(p[2])) {
			buf_putc(&path, hex_digit(p[1]) << 4 | hex_digit(p[2]));
			p += 2;
		} else {
			buf_putc(&path, *p);
		}
	add(q, out, name, path.data, path.len);
	out->failed |= path.failed;
	buf_free(&path);
}

static const char *
header_value(const char *header)
{
	header = strchr(header, ':') + 1;
	return header + strspn(header, " \t");
}

static const char *
content_type(const struct fcgi_request *q)
{
	size_t i;

	for (i = 0; i < q->nheaders; i++)
		if (header_is(q->headers[i], "HTTP_CONTENT_TYPE"))
			return header_value(q->headers[i]);
	return q->body != NULL && q->role != FCGI_AUTHORIZER ? FORM : "";
}

static void
add_number(const struct fcgi_request *q, struct buf *out, const char *name,
    int64_t value)
{
	char digits[NUM_TEXT];

	add(q, out, name, digits, num_decimal((uint64_t)value, digits));
}

static size_t
length(const struct buf *body)
{
	return body != NULL ? body->len : 0;
}

/* What depends on the role. */
static void
add_of_role(const struct fcgi_request *q, struct buf *out)
{
	if (q->role == FCGI_AUTHORIZER)
		return;
	if (q->body != NULL)
		add_number(q, out, "CONTENT_LENGTH", (int64_t)q->body->len);
	else
		add_text(q, out, "CONTENT_LENGTH", "");
	add_path(q, out, "SCRIPT_NAME");
	if (q->role != FCGI_FILTER)
		return;
	add_number(q, out, "FCGI_DATA_LAST_MOD", q->data_time);
	add_number(q, out, "FCGI_DATA_LENGTH", (int64_t)length(q->data));
}

static void
add_defaults(const struct fcgi_request *q, struct buf *out)
{
	static const char *const fixed[][2] = {
		{ "DOCUMENT_ROOT", "/" },
		{ "SERVER_PROTOCOL", "HTTP/1.1" },
		{ "REQUEST_SCHEME", "http" },
		{ "GATEWAY_INTERFACE", "CGI/1.1" },
		{ "SERVER_SOFTWARE", "lua-fcgi" },
		{ "REMOTE_ADDR", "127.0.0.1" },
		{ "REMOTE_PORT", "0" },
		{ "SERVER_ADDR", "127.0.0.1" },
		{ "SERVER_PORT", "80" },
		{ "SERVER_NAME", "localhost" },
		{ "REDIRECT_STATUS", "200" },
		{ "HTTP_HOST", "localhost" },
		{ "HTTP_USER_AGENT", "lua-fcgi" },
		{ "HTTP_ACCEPT", "*/*" },
	};
	const char *query = strchr(q->uri, '?');
	size_t i;

	if (q->script != NULL)
		add_text(q, out, "SCRIPT_FILENAME", q->script);
	add_text(q, out, "QUERY_STRING", query != NULL ? query + 1 : "");
	add_text(q, out, "REQUEST_METHOD", fcgi_request_method(q));
	add_text(q, out, "CONTENT_TYPE", content_type(q));
	add_of_role(q, out);
	add_text(q, out, "REQUEST_URI", q->uri);
	add_path(q, out, "DOCUMENT_URI");
	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		add_text(q, out, fixed[i][0], fixed[i][1]);
}

static int
add_header(struct buf *out, const char *header, struct why *why)
{
	size_t i, n = strcspn(header, ":");
	const char *value;
	struct buf name = { 0 };

	if (n == 0 || header[n] == '\0') {
		why_set(why, "\"%s\" is no header: Name: value", header);
		return -1;
	}
	value = header_value(header);
	if (*value == '\0')
		return 0;
	buf_puts(&name, "HTTP_");
	for (i = 0; i < n; i++)
		buf_putc(&name, header[i] == '-' ? '_' :
		    toupper((unsigned char)header[i]));
	fcgi_add_pair(out, name.data, name.len, value, strlen(value));
	out->failed |= name.failed;
	buf_free(&name);
	return 0;
}

static int
add_param(struct buf *out, const char *param, struct why *why)
{
	const char *equals = strchr(param, '=');

	if (equals == param || *param == '\0') {
		why_set(why, "\"%s\" is no parameter: NAME=value", param);
		return -1;
	}
	if (equals != NULL)
		fcgi_add_pair(out, param, (size_t)(equals - param), equals + 1,
		    strlen(equals + 1));
	return 0;
}

static int
add_given(const struct fcgi_request *q, struct buf *out, struct why *why)
{
	size_t i;

	for (i = 0; i < q->nheaders; i++)
		if (add_header(out, q->headers[i], why) == -1)
			return -1;
	for (i = 0; i < q->nparams; i++)
		if (add_param(out, q->params[i], why) == -1)
			return -1;
	return 0;
}

static void
add_body(struct buf *out, unsigned type, const struct buf *body)
{
	if (length(body) > 0)
		fcgi_add_stream(out, type, REPLY_ID, body->data, body->len);
	fcgi_add_stream(out, type, REPLY_ID, NULL, 0);
}

static void
add_records(const struct fcgi_request *q, const struct buf *params,
    struct buf *out)
{
	fcgi_add_begin(out, REPLY_ID, q->role, q->keep ? FCGI_KEEP_CONN : 0);
	if (params->len > 0)
		fcgi_add_stream(out, FCGI_PARAMS, REPLY_ID, params->data,
		    params->len);
	fcgi_add_stream(out, FCGI_PARAMS, REPLY_ID, NULL, 0);
	if (q->role != FCGI_AUTHORIZER)
		add_body(out, FCGI_STDIN, q->body);
	if (q->role == FCGI_FILTER)
		add_body(out, FCGI_DATA, q->data);
}

int
fcgi_request_build(const struct fcgi_request *q, struct buf *out,
    struct why *why)
{
	struct buf params = { 0 };
	int rc;

	add_defaults(q, &params);
	rc = add_given(q, &params, why);
	add_records(q, &params, out);
	if (rc == 0 && (params.failed || out->failed)) {
		why_set(why, "out of memory");
		rc = -1;
	}
	buf_free(&params);
	return rc;
}
