/* The fields of a WebSocket handshake, one a line: an upgrade that is accepted
 * has what the protocol asks for, and its origin is one that a second look
 * finds in the list. */

#include <string.h>

#include "fuzz.h"
#include "net/ws_handshake.h"

/* A field in memory of exactly its size; an empty line is a missing one. */
static struct ws_text
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
	return (struct ws_text){ len == 0 ? NULL : *memory, len };
}

static void
check_list(struct ws_text list)
{
	struct ws_text all = list, element;

	while (ws_list_next(&list, &element)) {
		must(element.len > 0 && element.at >= all.at &&
		    element.at + element.len <= all.at + all.len);
		must(memchr(element.at, ',', element.len) == NULL);
		must(ws_list_has(all, element.at, element.len, false));
		ws_is_token(element.at, element.len);
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
	if (origins->n == 0 && r->origin.at != NULL) /* it names the host */
		must(memchr(r->origin.at, ':', r->origin.len) != NULL);
}

FUZZ(ws_handshake)
{
	char *memory[8], *item = NULL;
	struct ws_request r = { .get = true, .minor = 1 };
	struct ws_text *const fields[] = { &r.host, &r.upgrade, &r.connection,
		&r.key, &r.version, &r.origin };
	struct ws_origins none = { NULL, 0 }, one = { NULL, 1 };
	struct ws_text text, protocols;

	for (size_t i = 0; i < 6; i++)
		*fields[i] = take_line(&data, &size, &memory[i]);
	protocols = take_line(&data, &size, &memory[6]);
	text = take_line(&data, &size, &memory[7]);
	item = strndup(memory[7], text.len);
	must(item != NULL);
	one.item = (const char *const *)&item;
	ws_is_upgrade(&r);
	check_list(r.upgrade);
	check_list(protocols);
	judge(&r, &none);
	judge(&r, &one);
	ws_origin_is_valid(item);
	for (size_t i = 0; i < 8; i++)
		free(memory[i]);
	free(item);
}
