#include "worker/proto/http/http_env.h"

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define FIXED 24 /* parameters, more than those that are no fields */

/* Bytes of text beside the names of fields: two addresses, one of them again in
 * brackets, two ports, a length. */
#define TEXT (3 * HTTP_ADDRESS_TEXT + 2 + 3 * NUM_TEXT)

#define PREFIX	   "HTTP_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

/* What a byte of a field's name becomes; 0: the field is left out. */
static const char becomes[256] = {
	['-'] = '_',
	['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
	['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',
#define LETTER(upper, lower) [upper] = upper, [lower] = upper
	LETTER('A', 'a'), LETTER('B', 'b'), LETTER('C', 'c'), LETTER('D', 'd'),
	LETTER('E', 'e'), LETTER('F', 'f'), LETTER('G', 'g'), LETTER('H', 'h'),
	LETTER('I', 'i'), LETTER('J', 'j'), LETTER('K', 'k'), LETTER('L', 'l'),
	LETTER('M', 'm'), LETTER('N', 'n'), LETTER('O', 'o'), LETTER('P', 'p'),
	LETTER('Q', 'q'), LETTER('R', 'r'), LETTER('S', 's'), LETTER('T', 't'),
	LETTER('U', 'u'), LETTER('V', 'v'), LETTER('W', 'w'), LETTER('X', 'x'),
	LETTER('Y', 'y'), LETTER('Z', 'z'),
#undef LETTER
};

/* Those whose values depend on fields. */
struct places {
	struct param *type, *address, *name;
};

static struct param *
add(struct http_env *env, const char *name, size_t name_len,
    struct http_span value)
{
	struct param *p = &env->params[env->n++];

	*p = (struct param) { .name = name, .value = value.data,
		.name_len = name_len, .value_len = value.len };
	return p;
}

static struct param *
add_named(struct http_env *env, const char *name, size_t name_len,
    struct http_span value, bool constant)
{
	struct param *p = add(env, name, name_len, value);

	p->constant_name = true;
	p->constant_value = constant;
	return p;
}

/* The name is a constant, and so is a TEXT. */
#define TEXT_OF(text) ((struct http_span) { text, sizeof(text) - 1 })
#define ADD(env, name, value) \
	add_named(env, name, sizeof(name) - 1, value, false)
#define ADD_TEXT(env, name, text) \
	add_named(env, name, sizeof(name) - 1, TEXT_OF(text), true)
#define ADD_KNOWN(env, which, name, value) \
	((env)->known[which] = ADD(env, name, value))

/* Room for all of them, so that nothing moves while they are made. */
static int
reserve(struct http_env *env, const struct http_facts *facts)
{
	size_t need = TEXT, n = FIXED + facts->nfields;
	struct param *grown;

	for (size_t i = 0; i < facts->nfields; i++)
		need += PREFIX_LEN + facts->fields[i].name.len;
	env->n = 0;
	buf_clear(&env->text);
	if (buf_reserve(&env->text, need) == NULL)
		return -1;
	if (n <= env->cap)
		return 0;
	grown = reallocarray(env->params, n, sizeof(*grown));
	if (grown == NULL)
		return -1;
	env->params = grown;
	env->cap = n;
	return 0;
}

/* ---- text that is made ---------------------------------------------------- */

static struct http_span
number(struct http_env *env, uint64_t value)
{
	char *at = env->text.data + env->text.len;
	size_t len = num_decimal(value, at);

	env->text.len += len;
	return (struct http_span) { at, len };
}

static struct http_span
port_of(struct http_env *env, const struct http_address *a)
{
	return a->port == 0 ? TEXT_OF("") : number(env, a->port);
}

static struct http_span
address_of(struct http_env *env, const struct http_address *a)
{
	char *at = env->text.data + env->text.len;
	size_t len = http_address_print(a, at);

	env->text.len += len;
	return (struct http_span) { at, len };
}

/* SERVER_NAME: a host without its port; without a host the address of the
 * server, if it has one. */
static struct http_span
name_of(struct http_env *env, struct http_span host,
    const struct http_address *server, const struct param *ip)
{
	char *at = env->text.data + env->text.len;

	if (host.len > 0) {
		const char *end = host.data + host.len;
		const char *colon = memrchr(host.data, ':', host.len);

		if (colon != NULL && memchr(colon, ']',
		    (size_t)(end - colon)) == NULL)
			host.len = (size_t)(colon - host.data);
		return host;
	}
	if (server->kind != HTTP_ADDRESS_IP)
		return TEXT_OF("localhost");
	if (http_address_is_v4(server))
		return (struct http_span) { ip->value, ip->value_len };
	at[0] = '[';
	memcpy(at + 1, ip->value, ip->value_len);
	at[ip->value_len + 1] = ']';
	env->text.len += ip->value_len + 2;
	return (struct http_span) { at, ip->value_len + 2 };
}

/* ---- the parameters ------------------------------------------------------- */

/* Those that are no fields; CONTENT_TYPE and SERVER_NAME are empty as yet. */
static struct places
add_fixed(struct http_env *env, const struct http_facts *facts)
{
	const struct http_target *t = facts->target;
	struct places places;

	ADD_KNOWN(env, PARAM_QUERY, "QUERY_STRING", t->query);
	ADD_KNOWN(env, PARAM_METHOD, "REQUEST_METHOD", facts->method);
	places.type = ADD(env, "CONTENT_TYPE", TEXT_OF(""));
	ADD_KNOWN(env, PARAM_CONTENT_LENGTH, "CONTENT_LENGTH",
	    facts->length == -1 ? TEXT_OF("") :
	    number(env, (uint64_t)facts->length));
	ADD_KNOWN(env, PARAM_SCRIPT_NAME, "SCRIPT_NAME", t->path);
	ADD_KNOWN(env, PARAM_URI, "REQUEST_URI", t->uri);
	ADD(env, "DOCUMENT_URI", t->path);
	if (facts->root != NULL)
		ADD(env, "DOCUMENT_ROOT", ((struct http_span) { facts->root,
		    strlen(facts->root) }));
	if (facts->minor == 0)
		ADD_TEXT(env, "SERVER_PROTOCOL", "HTTP/1.0");
	else
		ADD_TEXT(env, "SERVER_PROTOCOL", "HTTP/1.1");
	if (facts->https) {
		ADD_TEXT(env, "REQUEST_SCHEME", "https");
		ADD_TEXT(env, "HTTPS", "on");
	} else {
		ADD_TEXT(env, "REQUEST_SCHEME", "http");
	}
	ADD_TEXT(env, "GATEWAY_INTERFACE", "CGI/1.1");
	ADD_TEXT(env, "SERVER_SOFTWARE", "lua-fpm/" PACKAGE_VERSION);
	ADD_KNOWN(env, PARAM_REMOTE_ADDR, "REMOTE_ADDR",
	    address_of(env, facts->client));
	ADD(env, "REMOTE_PORT", port_of(env, facts->client));
	env->known[PARAM_REMOTE_USER] = ADD_TEXT(env, "REMOTE_USER", "");
	places.address = ADD(env, "SERVER_ADDR", address_of(env, facts->server));
	ADD(env, "SERVER_PORT", port_of(env, facts->server));
	places.name = ADD(env, "SERVER_NAME", TEXT_OF(""));
	ADD_TEXT(env, "REDIRECT_STATUS", "200");
	return places;
}

/* Add a field.  NULL if it is left out. */
static struct param *
add_field(struct http_env *env, const struct http_field *field)
{
	char *name = env->text.data + env->text.len, *to = name + PREFIX_LEN;
	const char *from = field->name.data, *end = from + field->name.len;

	memcpy(name, PREFIX, PREFIX_LEN);
	for (; from < end; from++, to++) {
		*to = becomes[(unsigned char)*from];
		if (*to == '\0')
			return NULL;
	}
	env->text.len += PREFIX_LEN + field->name.len;
	return add(env, name, PREFIX_LEN + field->name.len, field->value);
}

static bool
is_named(const struct param *p, const char *name, size_t len)
{
	return p->name_len == PREFIX_LEN + len &&
	    memcmp(p->name + PREFIX_LEN, name, len) == 0;
}

static void
set_value(struct param *p, struct http_span value)
{
	p->value = value.data;
	p->value_len = value.len;
	p->constant_value = false;
}

/* Add the fields; `type` is CONTENT_TYPE.  Returns the host. */
static struct http_span
add_fields(struct http_env *env, const struct http_facts *facts,
    struct param *type)
{
	struct http_span host = facts->target->authority;

	if (host.data != NULL)
		ADD(env, "HTTP_HOST", host);
	for (size_t i = 0; i < facts->nfields; i++) {
		const struct http_field *field = &facts->fields[i];
		struct param *p = add_field(env, field);

		if (p == NULL)
			continue;
		if (is_named(p, "HOST", 4)) {
			if (host.data == NULL)
				host = field->value;
			else
				env->n--;
		} else if (is_named(p, "PROXY", 5)) {
			env->n--;
		} else if (type != NULL && is_named(p, "CONTENT_TYPE", 12)) {
			set_value(type, field->value);
			type = NULL;
		}
	}
	return host;
}

int
http_env_make(struct http_env *env, const struct http_facts *facts)
{
	struct places places;
	struct http_span host;

	if (reserve(env, facts) == -1) {
		errno = ENOMEM;
		return -1;
	}
	places = add_fixed(env, facts);
	host = add_fields(env, facts, places.type);
	set_value(places.name, name_of(env, host, facts->server,
	    places.address));
	return 0;
}

void
http_env_shrink(struct http_env *env, size_t params, size_t text)
{
	if (env->text.cap > text)
		buf_free(&env->text);
	if (env->cap <= params)
		return;
	free(env->params);
	env->params = NULL;
	env->cap = env->n = 0;
}
