#include "worker/proto/http/http_forwarded.h"

#include <errno.h>
#include <string.h>

#include "base/cidr.h"
#include "net/http_class.h"

static struct {
	struct cidr_set proxies;
	enum conf_forwarded kind;
} self;

int
http_forwarded_init(const struct conf_list *proxies,
    enum conf_forwarded kind)
{
	cidr_set_free(&self.proxies);
	self.kind = kind;
	for (size_t i = 0; i < proxies->n; i++) {
		if (cidr_set_add(&self.proxies, proxies->item[i], NULL) == -1) {
			errno = ENOMEM;
			return -1;
		}
	}
	return 0;
}

static bool
is_proxy(const struct http_address *address)
{
	if (address->kind == HTTP_ADDRESS_UNIX)
		return self.proxies.local;
	return address->kind == HTTP_ADDRESS_IP &&
	    cidr_set_has(&self.proxies, address->ip);
}

/* ---- fields, from the last byte on ---------------------------------------- */

/* All fields of a name, as one list whose end comes first. */
struct walk {
	const struct http_field *fields;
	size_t n; /* of them, in front of `rest` */
	const char *name; /* in lower case */
	struct http_span rest; /* of one field, not yet walked */
};

/* Drop blanks, and bytes of `also`, from the end of a text. */
static void
trim_end(struct http_span *text, const char *also)
{
	while (text->len > 0) {
		char c = text->data[text->len - 1];

		if (!http_is_blank(c) && (c == '\0' || !strchr(also, c)))
			return;
		text->len--;
	}
}

/* Let walk->rest end in an element: an earlier field follows one that is used
 * up.  False: there is no more. */
static bool
find_rest(struct walk *walk)
{
	for (;;) {
		trim_end(&walk->rest, ",");
		if (walk->rest.len > 0)
			return true;
		do {
			if (walk->n == 0)
				return false;
			walk->n--;
		} while (!http_span_is(walk->fields[walk->n].name,
		    walk->name));
		walk->rest = walk->fields[walk->n].value;
	}
}

/* The last element of what is left; no element is empty. */
static bool
take_last(struct walk *walk, struct http_span *element)
{
	const char *comma;

	if (!find_rest(walk))
		return false;
	*element = walk->rest;
	comma = memrchr(element->data, ',', element->len);
	walk->rest.len = 0;
	if (comma != NULL) {
		walk->rest.len = (size_t)(comma - element->data);
		element->data += walk->rest.len + 1;
		element->len -= walk->rest.len + 1;
	}
	for (; element->len > 0 && http_is_blank(*element->data);
	    element->len--)
		element->data++;
	return true;
}

static bool
is_secure(struct http_span scheme)
{
	return http_span_is(scheme, "https") || http_span_is(scheme, "wss");
}

/* ---- X-Forwarded-For ------------------------------------------------------ */

static void
walk_for(const struct http_field *fields, size_t n, struct http_client *client)
{
	struct walk walk = { fields, n, "x-forwarded-for", { NULL, 0 } };
	struct walk proto = { fields, n, "x-forwarded-proto", { NULL, 0 } };
	struct http_span element;
	struct http_address address;
	size_t hops = 0;

	while (take_last(&walk, &element)) {
		hops++;
		if (!http_address_parse(element, &address))
			break;
		client->address = address;
		if (!is_proxy(&address))
			break;
	}
	do {
		if (!take_last(&proto, &element))
			return;
		client->https = is_secure(element);
	} while (hops-- > 1);
}

/* ---- Forwarded ------------------------------------------------------------ */

struct element { /* data is NULL: not there */
	struct http_span node;	/* for= */
	struct http_span proto;
};

/* Take a token off the end of a text. */
static struct http_span
take_token(struct http_span *text)
{
	struct http_span token;

	token.len = text->len;
	while (text->len > 0 && http_is(text->data[text->len - 1], HTTP_TOKEN))
		text->len--;
	token.data = text->data + text->len;
	token.len -= text->len;
	return token;
}

/* The text ends in a quote: take the quoted string, whose inside becomes
 * `value`.  Its first quote is the last one that has no odd number of
 * backslashes in front of it. */
static bool
take_quoted(struct http_span *text, struct http_span *value)
{
	size_t end = text->len - 1, at = end, slashes;

	do {
		const char *quote = memrchr(text->data, '"', at);

		if (quote == NULL)
			return false;
		at = (size_t)(quote - text->data);
		for (slashes = 0; slashes < at &&
		    text->data[at - 1 - slashes] == '\\'; slashes++)
			;
	} while (slashes % 2 == 1);
	*value = (struct http_span) { text->data + at + 1, end - at - 1 };
	text->len = at;
	return true;
}

/* Take a pair, NAME=VALUE, off the end of a text that is not empty. */
static bool
take_pair(struct http_span *text, struct element *element)
{
	struct http_span name, value, *place = NULL;

	if (text->data[text->len - 1] == '"') {
		if (!take_quoted(text, &value))
			return false;
	} else {
		value = take_token(text);
		if (value.len == 0)
			return false;
	}
	if (text->len == 0 || text->data[text->len - 1] != '=')
		return false;
	text->len--;
	name = take_token(text);
	if (http_span_is(name, "for"))
		place = &element->node;
	else if (http_span_is(name, "proto"))
		place = &element->proto;
	if (name.len == 0 || (place != NULL && place->data != NULL))
		return false;
	if (place != NULL)
		*place = value;
	return true;
}

/*
 * The last element of what is left.  Read from its end, because what a proxy
 * has added is well-formed, and a client may have sent a quote that nothing
 * closes in front of it.  False: there is no more, or it is malformed.
 */
static bool
take_element(struct walk *walk, struct element *element)
{
	struct http_span *rest = &walk->rest;

	*element = (struct element) { .node = { NULL, 0 } };
	if (!find_rest(walk))
		return false;
	for (;;) {
		trim_end(rest, ";");
		if (rest->len == 0 || rest->data[rest->len - 1] == ',')
			return true;
		if (!take_pair(rest, element))
			return false;
		trim_end(rest, "");
		if (rest->len == 0 || rest->data[rest->len - 1] == ',')
			return true;
		if (rest->data[rest->len - 1] != ';')
			return false;
	}
}

/* A node (RFC 7239, 6), if it has an address: an IPv6 address is in brackets,
 * and a port may be hidden. */
static bool
parse_node(struct http_span node, struct http_address *address)
{
	const char *hidden, *colon;

	if (node.data == NULL)
		return false;
	hidden = memmem(node.data, node.len, ":_", 2);
	if (hidden != NULL)
		node.len = (size_t)(hidden - node.data);
	colon = memchr(node.data, ':', node.len);
	if (colon != NULL && *node.data != '[' &&
	    colon != memrchr(node.data, ':', node.len))
		return false;
	return http_address_parse(node, address);
}

static void
walk_rfc(const struct http_field *fields, size_t n, struct http_client *client)
{
	struct walk walk = { fields, n, "forwarded", { NULL, 0 } };
	struct element element;
	struct http_address address;

	while (take_element(&walk, &element)) {
		client->https = is_secure(element.proto);
		if (!parse_node(element.node, &address))
			return;
		client->address = address;
		if (!is_proxy(&address))
			return;
	}
}

void
http_forwarded_client(const struct http_field *fields, size_t n,
    const struct http_address *peer, struct http_client *client)
{
	client->address = *peer;
	client->https = false;
	if (self.kind == CONF_FORWARDED_NONE || !is_proxy(peer))
		return;
	if (self.kind == CONF_FORWARDED_FOR)
		walk_for(fields, n, client);
	else
		walk_rfc(fields, n, client);
}
