#include "worker/serve/response.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net/http_class.h"

#define DEFAULT_TYPE "text/html; charset=utf-8"
#define STATUS_MIN   100
#define STATUS_MAX   999

/* The registry of IANA, without its unused entries. */
static const struct {
	int status;
	const char *phrase;
} reasons[] = {
	{ 100, "Continue" },
	{ 101, "Switching Protocols" },
	{ 102, "Processing" },
	{ 103, "Early Hints" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 203, "Non-Authoritative Information" },
	{ 204, "No Content" },
	{ 205, "Reset Content" },
	{ 206, "Partial Content" },
	{ 207, "Multi-Status" },
	{ 208, "Already Reported" },
	{ 226, "IM Used" },
	{ 300, "Multiple Choices" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 305, "Use Proxy" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 407, "Proxy Authentication Required" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 423, "Locked" },
	{ 424, "Failed Dependency" },
	{ 425, "Too Early" },
	{ 426, "Upgrade Required" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 451, "Unavailable For Legal Reasons" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
	{ 506, "Variant Also Negotiates" },
	{ 507, "Insufficient Storage" },
	{ 508, "Loop Detected" },
	{ 510, "Not Extended" },
	{ 511, "Network Authentication Required" },
};

const char *
response_reason(int status)
{
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].phrase;
	return "";
}

void
response_init(struct response *r)
{
	buf_clear(&r->headers);
	r->status = 200;
	r->reason[0] = '\0';
	r->length = -1;
	r->has_status = r->has_type = r->has_location = false;
	r->has_date = r->close = false;
}

void
response_free(struct response *r)
{
	buf_free(&r->headers);
}

/* ---- what may not be sent ------------------------------------------------ */

static const char *
byte_name(unsigned char byte, char text[16])
{
	switch (byte) {
	case '\0':
		return "a NUL";
	case '\n':
		return "a line feed";
	case '\r':
		return "a carriage return";
	case ' ':
		return "a blank";
	default:
		snprintf(text, 16, "the byte 0x%02x", byte);
		return text;
	}
}

/* The position, from 1, of the first byte that is not of the class
 * (http_class.h); 0: all are. */
static size_t
find_illegal(const char *data, size_t n, unsigned class)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!http_is(data[i], class))
			return i + 1;
	return 0;
}

/* How many bytes of a name or value a message shows. */
#define SHOWN(n) (int)((n) < 64 ? (n) : 64)

static int
check_name(const char *name, size_t n, struct why *why)
{
	size_t at = find_illegal(name, n, HTTP_TOKEN);
	char text[16];

	if (n == 0) {
		why_set(why, "a header has an empty name");
		return -1;
	}
	if (at == 0)
		return 0;
	why_set(why, "header \"%.*s\": name has %s at byte %zu", SHOWN(n), name,
	    byte_name((unsigned char)name[at - 1], text), at);
	return -1;
}

static int
check_value(const char *name, size_t name_len, const char *value, size_t n,
    struct why *why)
{
	size_t at = find_illegal(value, n, HTTP_TEXT);
	char text[16];

	if (at == 0)
		return 0;
	why_set(why, "header \"%.*s\": value has %s at byte %zu",
	    SHOWN(name_len), name,
	    byte_name((unsigned char)value[at - 1], text), at);
	return -1;
}

/* ---- status -------------------------------------------------------------- */

static int
check_reason(const char *reason, size_t n, size_t most, struct why *why)
{
	size_t at = find_illegal(reason, n, HTTP_TEXT);
	char text[16];

	if (at != 0)
		why_set(why, "Status: reason has %s at byte %zu",
		    byte_name((unsigned char)reason[at - 1], text), at);
	else if (n > most)
		why_set(why, "Status: reason has %zu bytes, at most %zu go", n,
		    most);
	else
		return 0;
	return -1;
}

int
response_status(struct response *r, int64_t status, const char *reason,
    size_t reason_len, struct why *why)
{
	if (status < STATUS_MIN || status > STATUS_MAX) {
		why_set(why, "Status is %" PRId64 ", expected %d to %d",
		    status, STATUS_MIN, STATUS_MAX);
		return -1;
	}
	if (check_reason(reason, reason_len, sizeof(r->reason) - 1, why) == -1)
		return -1;
	r->status = (int)status;
	r->has_status = true;
	if (reason_len > 0)
		memcpy(r->reason, reason, reason_len);
	r->reason[reason_len] = '\0';
	return 0;
}

int
response_status_text(struct response *r, const char *text, size_t len,
    struct why *why)
{
	size_t digits = 0;
	int64_t status = 0;

	while (digits < len && digits < 3 && text[digits] >= '0' &&
	    text[digits] <= '9')
		status = status * 10 + (text[digits++] - '0');
	if (digits != 3 || (len > 3 && text[3] != ' ')) {
		why_set(why, "Status is \"%.*s\", expected as in \"404\" or "
		    "\"404 Not Found\"", SHOWN(len), text);
		return -1;
	}
	if (len <= 4)
		return response_status(r, status, NULL, 0, why);
	return response_status(r, status, text + 4, len - 4, why);
}

/* ---- headers ------------------------------------------------------------- */

static bool
is_name(const char *name, size_t n, const char *other)
{
	return n == strlen(other) && strncasecmp(name, other, n) == 0;
}

/* The number, or -1 if it is not all decimal digits, or too large. */
static int64_t
parse_length(const char *value, size_t n)
{
	int64_t length = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (value[i] < '0' || value[i] > '9' ||
		    length > (INT64_MAX - 9) / 10)
			return -1;
		length = length * 10 + (value[i] - '0');
	}
	return n > 0 ? length : -1;
}

static int
set_length(struct response *r, const char *value, size_t n, struct why *why)
{
	int64_t length = parse_length(value, n);

	if (r->length != -1)
		why_set(why, "header \"Content-Length\" is given twice");
	else if (length == -1)
		why_set(why, "header \"Content-Length\": \"%.*s\" is no length",
		    SHOWN(n), value);
	else {
		r->length = length;
		return 0;
	}
	return -1;
}

/* Headers that a response may have once (RFC 3875, 6.3). */
static int
note_once(bool *seen, const char *name, struct why *why)
{
	if (*seen) {
		why_set(why, "header \"%s\" is given twice", name);
		return -1;
	}
	*seen = true;
	return 0;
}

static int
add_line(struct response *r, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	buf_add(&r->headers, name, name_len);
	buf_add(&r->headers, ": ", 2);
	buf_add(&r->headers, value, value_len);
	return buf_add(&r->headers, "\r\n", 2);
}

/* "close" or "keep-alive"; what else Connection can say names headers that an
 * application may not send. */
static int
set_connection(struct response *r, const char *value, size_t n,
    struct why *why)
{
	if (is_name(value, n, "close"))
		r->close = true;
	else if (!is_name(value, n, "keep-alive")) {
		why_set(why, "header \"Connection\": \"%.*s\" is neither "
		    "\"close\" nor \"keep-alive\"", SHOWN(n), value);
		return -1;
	}
	return 0;
}

/* Of a connection, not of a response. */
static bool
is_of_the_hop(const char *name, size_t n)
{
	static const char *const names[] = { "Transfer-Encoding", "Keep-Alive",
		"Upgrade", "TE", "Trailer", "Proxy-Connection" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is_name(name, n, names[i]))
			return true;
	return false;
}

/* Those that are refused whatever their value is. */
static int
check_meaning(const char *name, size_t n, struct why *why)
{
	if (is_name(name, n, "Status"))
		why_set(why, "\"Status\" is not a header");
	else if (is_of_the_hop(name, n))
		why_set(why, "header \"%.*s\" is for the server to send",
		    SHOWN(n), name);
	else
		return 0;
	return -1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int
response_header(struct response *r, const char *name, size_t name_len,
    const char *value, size_t value_len, struct why *why)
{
	if (check_name(name, name_len, why) == -1 ||
	    check_value(name, name_len, value, value_len, why) == -1)
		return -1;
	for (; value_len > 0 && is_blank(*value); value_len--)
		value++;
	while (value_len > 0 && is_blank(value[value_len - 1]))
		value_len--;
	if (is_name(name, name_len, "Content-Length"))
		return set_length(r, value, value_len, why);
	if (is_name(name, name_len, "Connection"))
		return set_connection(r, value, value_len, why);
	if (check_meaning(name, name_len, why) == -1)
		return -1;
	r->has_date |= is_name(name, name_len, "Date");
	if (is_name(name, name_len, "Content-Type") &&
	    note_once(&r->has_type, "Content-Type", why) == -1)
		return -1;
	if (is_name(name, name_len, "Location") &&
	    note_once(&r->has_location, "Location", why) == -1)
		return -1;
	if (r->has_location && !r->has_status)
		r->status = 302;
	if (add_line(r, name, name_len, value, value_len) == -1) {
		why_set(why, "out of memory for the headers");
		return -1;
	}
	return 0;
}

/* ---- the head ------------------------------------------------------------ */

bool
response_has_body(const struct response *r)
{
	return r->status >= 200 && r->status != 204 && r->status != 205 &&
	    r->status != 304;
}

const char *
response_type(const struct response *r)
{
	if (response_has_body(r) && !r->has_type && !r->has_location)
		return DEFAULT_TYPE;
	return NULL;
}

int64_t
response_length(const struct response *r, int64_t body_len)
{
	if (r->status < 200 || r->status == 204)
		return -1;
	if (r->status == 205)
		return 0;
	if (r->length == -1 && response_has_body(r))
		return body_len;
	return r->length;
}

const char *
response_phrase(const struct response *r)
{
	return r->reason[0] != '\0' ? r->reason : response_reason(r->status);
}
