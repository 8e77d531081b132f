#include "net/ws_handshake.h"

#include <string.h>
#include <strings.h>

#include "base/sha1.h"
#include "net/http_class.h"

#define KEY_SIZE 24 /* characters of 16 bytes in Base64 */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv"
    "wxyz0123456789+/";

static bool
is_like(const struct http_span *text, const char *other, size_t len)
{
	return text->len == len && strncasecmp(text->data, other, len) == 0;
}

/* ---- origins ---------------------------------------------------------------- */

struct place { /* an origin or a host, in parts */
	struct http_span scheme; /* NULL: none is known */
	struct http_span host;   /* with the brackets of an address */
	struct http_span port;   /* empty: the scheme's */
};

/* A name or an address; a comma would begin another element of a list. */
static bool
is_host(const struct http_span *host)
{
	for (size_t i = 0; i < host->len; i++) {
		char c = host->data[i];

		if (c == ',' || (!http_is(c, HTTP_NAME) && c != '%' &&
		    c != '[' && c != ']' && c != ':'))
			return false;
	}
	return host->len > 0;
}

/* Split "HOST" or "HOST:PORT". */
static bool
split_host(struct http_span text, struct place *out)
{
	const char *colon = text.len == 0 ? NULL :
	    memrchr(text.data, ':', text.len);
	const char *bracket = text.len == 0 ? NULL :
	    memrchr(text.data, ']', text.len);

	out->host = text;
	out->port = (struct http_span){ NULL, 0 };
	if (colon != NULL && (bracket == NULL || bracket < colon)) {
		out->host.len = (size_t)(colon - text.data);
		out->port.data = colon + 1;
		out->port.len = text.len - out->host.len - 1;
	}
	for (size_t i = 0; i < out->port.len; i++)
		if (!http_is(out->port.data[i], HTTP_DIGIT))
			return false;
	/* Without brackets a colon is no part of a host. */
	return is_host(&out->host) && (*out->host.data == '[' ||
	    memchr(out->host.data, ':', out->host.len) == NULL);
}

/* Split "SCHEME://HOST[:PORT]". */
static bool
split_origin(struct http_span text, struct place *out)
{
	const char *colon = text.len == 0 ? NULL :
	    memchr(text.data, ':', text.len);
	size_t n = colon == NULL ? 0 : (size_t)(colon - text.data);

	if (n == 0 || text.len - n < 4 || memcmp(colon, "://", 3) != 0 ||
	    !http_is_token((struct http_span){ text.data, n }, ""))
		return false;
	out->scheme = (struct http_span){ text.data, n };
	text.data += n + 3;
	text.len -= n + 3;
	return split_host(text, out);
}

/* The port, made empty if it is the one that the scheme has anyway. */
static struct http_span
own_port(const struct place *place)
{
	static const struct http_span none = { NULL, 0 };
	const struct http_span *port = &place->port;
	bool secure = is_like(&place->scheme, "https", 5);

	if (port->len == 0 || is_like(port, secure ? "443" : "80",
		secure ? 3 : 2))
		return none;
	return *port;
}

static bool
same_port(const struct place *a, const struct place *b)
{
	struct http_span one = own_port(a), other = own_port(b);

	return one.len == other.len && (one.len == 0 ||
	    memcmp(one.data, other.data, one.len) == 0);
}

/* Host has no scheme: a proxy may have ended TLS, so the origin's counts. */
static bool
is_same(const struct ws_request *request, const struct place *origin)
{
	struct place asked = { .scheme = origin->scheme };

	return split_host(request->host, &asked) &&
	    is_like(&origin->host, asked.host.data, asked.host.len) &&
	    same_port(origin, &asked);
}

static bool
host_matches(const struct http_span *host, const struct http_span *pattern)
{
	size_t n = pattern->len;

	if (n < 2 || memcmp(pattern->data, "*.", 2) != 0)
		return is_like(host, pattern->data, n);
	return host->len >= n && strncasecmp(host->data + host->len - (n - 1),
	    pattern->data + 1, n - 1) == 0;
}

/* Split an item in the form of an origin or a host. */
static bool
split_item(const char *item, struct place *out)
{
	struct http_span text = { item, strlen(item) };

	*out = (struct place){ 0 };
	return split_origin(text, out) || split_host(text, out);
}

static bool
item_matches(const char *item, const struct ws_request *request,
    const struct place *origin)
{
	struct place allowed;

	if (strcmp(item, "*") == 0)
		return true;
	if (origin->host.len == 0)
		return false;
	if (strcmp(item, "same") == 0)
		return is_same(request, origin);
	if (!split_item(item, &allowed) ||
	    !host_matches(&origin->host, &allowed.host))
		return false;
	if (allowed.scheme.data != NULL)
		return is_like(&origin->scheme, allowed.scheme.data,
		    allowed.scheme.len) && same_port(origin, &allowed);
	allowed.scheme = origin->scheme;
	return allowed.port.len == 0 || same_port(origin, &allowed);
}

bool
ws_origin_is_valid(const char *item)
{
	struct place place;

	if (strcmp(item, "*") == 0)
		return true;
	if (!split_item(item, &place) || is_like(&place.host, "null", 4))
		return false;
	for (size_t i = 0; i < place.host.len; i++)
		if (place.host.data[i] == '*' && (i > 0 ||
		    place.host.len < 3 || place.host.data[1] != '.'))
			return false;
	return true;
}

/* What is no origin ("null", for one) is allowed by "*" alone. */
static bool
is_allowed(const struct ws_request *request, const struct ws_origins *origins)
{
	struct place origin = { 0 };

	if (request->origin.data == NULL)
		return true;
	if (!split_origin(request->origin, &origin))
		origin = (struct place){ 0 };
	if (origins->n == 0)
		return origin.host.len > 0 && is_same(request, &origin);
	for (size_t i = 0; i < origins->n; i++)
		if (item_matches(origins->item[i], request, &origin))
			return true;
	return false;
}

/* ---- the request ------------------------------------------------------------ */

/* True if it is Base64 of 16 bytes; the four bits left over may be any. */
static bool
is_key(const struct http_span *key)
{
	if (key->data == NULL || key->len != KEY_SIZE ||
	    memcmp(key->data + KEY_SIZE - 2, "==", 2) != 0)
		return false;
	for (size_t i = 0; i < KEY_SIZE - 2; i++)
		if (key->data[i] == '\0' || strchr(digits, key->data[i]) == NULL)
			return false;
	return true;
}

int
ws_handshake_judge(const struct ws_request *request,
    const struct ws_origins *origins, const char **fault)
{
	*fault = NULL;
	if (!request->get)
		*fault = "its method is not GET";
	else if (request->minor < 1)
		*fault = "it is of HTTP/1.0";
	else if (request->body)
		*fault = "it has a body";
	else if (request->host.data == NULL || request->host.len == 0)
		*fault = "it has no Host";
	if (*fault != NULL)
		return 400;
	if (request->version.data == NULL ||
	    !is_like(&request->version, WS_VERSION, strlen(WS_VERSION))) {
		*fault = "its Sec-WebSocket-Version is not " WS_VERSION;
		return 426;
	}
	if (!is_key(&request->key)) {
		*fault = "its Sec-WebSocket-Key is not 16 bytes";
		return 400;
	}
	if (!is_allowed(request, origins)) {
		*fault = "its Origin is not allowed";
		return 403;
	}
	return 101;
}

/* ---- the answer ------------------------------------------------------------- */

static void
put_base64(const unsigned char *in, size_t n, char *out)
{
	for (size_t i = 0; i < n; i += 3, out += 4) {
		unsigned bits = (unsigned)in[i] << 16 |
		    (i + 1 < n ? (unsigned)in[i + 1] << 8 : 0) |
		    (i + 2 < n ? in[i + 2] : 0);

		out[0] = digits[bits >> 18];
		out[1] = digits[bits >> 12 & 63];
		out[2] = i + 1 < n ? digits[bits >> 6 & 63] : '=';
		out[3] = i + 2 < n ? digits[bits & 63] : '=';
	}
}

void
ws_handshake_accept(const struct http_span *key, char out[WS_ACCEPT])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[KEY_SIZE + sizeof(guid) - 1];
	unsigned char hash[SHA1_SIZE];

	memcpy(text, key->data, KEY_SIZE);
	memcpy(text + KEY_SIZE, guid, sizeof(guid) - 1);
	sha1(text, sizeof(text), hash);
	put_base64(hash, sizeof(hash), out);
}
