/* Targets of requests: a path that is accepted has nothing in it that is still
 * to be resolved, and means the same however its bytes are escaped. */

#include <string.h>

#include "fuzz.h"
#include "worker/proto/http/http_target.h"

struct parsed {
	int result;
	struct http_target target;
	char *text, *room; /* of their sizes, so that a byte outside is seen */
};

static struct parsed
parse(const char *method, const char *text, size_t n)
{
	struct parsed p = { .text = malloc(n > 0 ? n : 1),
		.room = malloc(n + 1) };

	if (n > 0)
		memcpy(p.text, text, n);
	p.result = http_target_parse((struct http_span) { method,
	    strlen(method) }, (struct http_span) { p.text, n }, p.room,
	    &p.target);
	must((p.result == -1) == (p.target.fault != NULL));
	return p;
}

static void
let_go(struct parsed *p)
{
	free(p->text);
	free(p->room);
}

static void
check_path(struct http_span path)
{
	must(path.len > 0 && path.data[0] == '/');
	must(memmem(path.data, path.len, "//", 2) == NULL);
	must(memmem(path.data, path.len, "/./", 3) == NULL);
	must(memmem(path.data, path.len, "/../", 4) == NULL);
	must(path.len < 2 || memcmp(path.data + path.len - 2, "/.", 2) != 0);
	must(path.len < 3 || memcmp(path.data + path.len - 3, "/..", 3) != 0);
}

/* Every byte escaped but the first. */
static void
check_escaped(struct http_span path)
{
	char *escaped = malloc(3 * path.len + 1);
	struct parsed p;

	escaped[0] = '/';
	for (size_t i = 1; i < path.len; i++)
		sprintf(escaped + 3 * i - 2, i % 2 ? "%%%02x" : "%%%02X",
		    (unsigned char)path.data[i]);
	p = parse("GET", escaped, 3 * path.len - 2);
	must(p.result == 0 && p.target.path.len == path.len &&
	    memcmp(p.target.path.data, path.data, path.len) == 0);
	let_go(&p);
	free(escaped);
}

FUZZ(http_target)
{
	struct parsed p = parse("GET", (const char *)data, size), options;

	if (p.result == 0) {
		check_path(p.target.path);
		if (memchr(p.target.path.data, '\0', p.target.path.len) == NULL)
			check_escaped(p.target.path);
		must(p.target.uri.len > 0 && p.target.uri.data[0] == '/');
	}
	options = parse("OPTIONS", (const char *)data, size);
	must(p.result == -1 || options.result == 0);
	let_go(&p);
	let_go(&options);
}
