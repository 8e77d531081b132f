/* Fields of proxies: whatever a client sends, behind it stands what the proxy
 * has seen, and that counts. */

#include <string.h>

#include "fuzz.h"
#include "worker/proto/http/http_forwarded.h"

static char proxy[] = "10.0.0.0/8";
static char *entries[] = { proxy };
static const struct conf_list proxies = { entries, 1 };

static const struct http_address peer = { .kind = HTTP_ADDRESS_IP,
	.ip = { [10] = 0xff, [11] = 0xff, 10, 0, 0, 1 }, .port = 99 };

static bool
is(const struct http_address *address, const char *text)
{
	char out[HTTP_ADDRESS_TEXT];
	size_t len = http_address_print(address, out);

	must(len < sizeof(out));
	return len == strlen(text) && memcmp(out, text, len) == 0;
}

/* A field whose value is these bytes and what follows them. */
static struct http_field
field(const char *name, const uint8_t *data, size_t size, const char *more)
{
	size_t len = size + strlen(more);
	char *value = malloc(len > 0 ? len : 1);

	if (size > 0)
		memcpy(value, data, size);
	memcpy(value + size, more, len - size);
	return (struct http_field) { { name, strlen(name) }, { value, len } };
}

static void
let_go(struct http_field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free((char *)fields[i].value.data);
}

/* With what the proxy adds, and without. */
static void
walk(enum conf_forwarded kind, const uint8_t *data, size_t size)
{
	const char *one = kind == CONF_FORWARDED_FOR ? ", 1.2.3.4" :
	    ",for=1.2.3.4;proto=http";
	const char *two = kind == CONF_FORWARDED_FOR ?
	    ",[2001:db8::1]:567 , 10.0.0.2" :
	    ", proto=http;for=\"[2001:db8::1]:567\";by=\"a\\\"b\", for=10.0.0.2";
	const char *added[] = { "", one, two };
	struct http_client client;

	http_forwarded_init(&proxies, kind);
	for (size_t i = 0; i < 3; i++) {
		struct http_field fields[] = {
			field("Forwarded", data, size, added[i]),
			field("X-Forwarded-For", data, size, added[i]),
			field("X-Forwarded-Proto", data, size, i == 0 ? "" :
			    i == 1 ? ", http" : ", http,http"),
		};

		http_forwarded_client(fields, 3, &peer, &client);
		must(client.address.kind == HTTP_ADDRESS_IP);
		must(i != 1 || is(&client.address, "1.2.3.4"));
		must(i != 2 || (is(&client.address, "2001:db8::1") &&
		    client.address.port == 567));
		must(i == 0 || !client.https);
		let_go(fields, 3);
	}
}

FUZZ(http_forwarded)
{
	walk(CONF_FORWARDED_FOR, data, size);
	walk(CONF_FORWARDED_RFC, data, size);
}
