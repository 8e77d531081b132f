/* From the bytes of a head to the parameters of a request: their names are what
 * names of parameters are, none is there that a client must not set, and no
 * byte is read outside. */

#include <string.h>

#include "fuzz.h"
#include "worker/proto/http/http_env.h"
#include "worker/proto/http/http_scan.h"

static const struct http_limits limits = { .head = 4096, .target = 1024,
	.fields = 20 };

static const struct http_address client = { .kind = HTTP_ADDRESS_IP,
	.ip = { [10] = 0xff, [11] = 0xff, 10, 0, 0, 1 }, .port = 65535 };
static const struct http_address server = { .kind = HTTP_ADDRESS_IP,
	.ip = "1234567890123456", .port = 65535 };

static bool
is(const struct param *p, const char *name)
{
	return p->name_len == strlen(name) &&
	    memcmp(p->name, name, p->name_len) == 0;
}

static void
check(const struct http_env *env, size_t fields)
{
	size_t hosts = 0, names = 0;

	must(env->n >= 18 && env->n <= 21 + fields && env->n <= env->cap);
	for (size_t i = 0; i < env->n; i++) {
		const struct param *p = &env->params[i];

		must(p->name_len > 0 && strspn(p->name,
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") >= p->name_len);
		must(!is(p, "HTTP_PROXY"));
		must(i < 20 || memcmp(p->name, "HTTP_", 5) == 0);
		must(p->value != NULL && memchr(p->value, '\0', p->value_len) ==
		    NULL);
		hosts += is(p, "HTTP_HOST");
		names += is(p, "SERVER_NAME") && p->value_len > 0;
	}
	must(hosts <= 1 && names == 1);
}

FUZZ(http_env)
{
	static struct http_env env;
	struct http_field fields[20];
	struct http_scan scan = { 0 };
	struct http_span method, target;
	struct http_target parsed;
	struct http_facts facts = { .client = &client, .server = &server,
		.fields = fields, .target = &parsed, .length = -1 };
	char *copy = calloc(size > 0 ? size : 1, 1), *room;

	if (size > 0)
		memcpy(copy, data, size);
	if (http_scan_next(&scan, copy, size, &limits) == HTTP_HEAD) {
		facts.nfields = http_scan_fields(copy, &scan, &method, &target,
		    fields, 20);
		facts.method = method;
		facts.minor = scan.minor;
		facts.https = size % 2;
		facts.root = size % 3 == 0 ? "/srv" : NULL;
		room = malloc(target.len + 1);
		if (http_target_parse(method, target, room, &parsed) == 0) {
			must(http_env_make(&env, &facts) == 0);
			check(&env, facts.nfields);
			http_env_shrink(&env, size % 30, size);
		}
		free(room);
	}
	free(copy);
}
