/* The fields of a WebSocket handshake, one a line: an upgrade that is accepted
 * has what the protocol asks for, and its origin is one that a second look
 * finds in the list. */

#include <string.h>

#include "fuzz.h"
#include "net/ws_handshake.h"

/* A field in memory of exactly its size; an empty line is a missing one. */
static struct http_span
take_line(const uint8_t **data, size_t *size, char **memory)
{
	const uint8_t *end = memchr(*data, '\n', *size);
	size_t len = end == NULL ? *size : (size_t)(end - *data);

	*memory = malloc(len > 0 ? len : 1);
	must(*memory != NULL);
	memcpy(*memory, *data, len);
	*data += len;
	*size -= len;
	if (*size > 0) {
		(*data)++;
		(*size)--;
	}
	return (struct http_span){ len == 0 ? NULL : *memory, len };
}

static void
check_list(struct http_span list)
{
	struct http_span all = list, element;

	while (http_list_next(&list, &element)) {
		must(element.data >= all.data && element.data + element.len <=
		    all.data + all.len);
		must(memchr(element.data, ',', element.len) == NULL);
		must(http_list_has(all, element.data, element.len) ==
		    (element.len > 0));
		http_is_token(element, "");
	}
}

static void
judge(const struct ws_request *r, const struct ws_origins *origins)
{
	const char *fault;
	char accept[WS_ACCEPT];
	int status = ws_handshake_judge(r, origins, &fault);

	must(status == 101 || status == 400 || status == 403 || status == 426);
	must((status == 101) == (fault == NULL));
	if (status != 101)
		return;
	must(r->key.len == 24 && r->version.len == 2 && r->host.len > 0);
	ws_handshake_accept(&r->key, accept);
	must(accept[WS_ACCEPT - 1] == '=' && accept[WS_ACCEPT - 2] != '=');
	if (origins->n == 0 && r->origin.data != NULL) /* it names the host */
		must(memchr(r->origin.data, ':', r->origin.len) != NULL);
}

FUZZ(ws_handshake)
{
	char *memory[8], *item = NULL;
	struct ws_request r = { .get = true, .minor = 1 };
	struct http_span upgrade, connection; /* of which lists are made */
	struct http_span *const fields[] = { &r.host, &upgrade, &connection,
		&r.key, &r.version, &r.origin };
	struct ws_origins none = { NULL, 0 }, one = { NULL, 1 };
	struct http_span text, protocols;

	for (size_t i = 0; i < 6; i++)
		*fields[i] = take_line(&data, &size, &memory[i]);
	protocols = take_line(&data, &size, &memory[6]);
	text = take_line(&data, &size, &memory[7]);
	item = strndup(memory[7], text.len);
	must(item != NULL);
	one.item = (const char *const *)&item;
	check_list(upgrade);
	check_list(connection);
	check_list(protocols);
	judge(&r, &none);
	judge(&r, &one);
	ws_origin_is_valid(item);
	for (size_t i = 0; i < 8; i++)
		free(memory[i]);
	free(item);
}
