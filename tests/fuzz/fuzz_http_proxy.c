/* Headers of the PROXY protocol: in whatever pieces they come the verdict is the
 * same, and the addresses that are taken can be handed on. */

#include <string.h>

#include "fuzz.h"
#include "worker/proto/http/http_proxy.h"

static enum http_proxy_verdict
judge(const uint8_t *data, size_t n, struct http_proxy *p)
{
	char *copy = malloc(n > 0 ? n : 1);
	enum http_proxy_verdict verdict;

	if (n > 0)
		memcpy(copy, data, n);
	verdict = http_proxy_judge(copy, n, p);
	must((verdict == HTTP_PROXY_BAD) == (p->fault != NULL));
	free(copy);
	return verdict;
}

static void
same(const struct http_address *a, const struct http_address *b)
{
	must(a->kind == b->kind && a->port == b->port &&
	    memcmp(a->ip, b->ip, sizeof(a->ip)) == 0);
}

static void
hand_on(const struct http_proxy *p)
{
	struct buf out = { 0 };
	struct http_proxy again;

	http_proxy_add(&p->source, &p->destination, &out);
	must(judge((const uint8_t *)out.data, out.len, &again) ==
	    HTTP_PROXY_DONE && again.len == out.len);
	same(&p->source, &again.source);
	same(&p->destination, &again.destination);
	buf_free(&out);
}

FUZZ(http_proxy)
{
	struct http_proxy p, whole;
	enum http_proxy_verdict verdict = HTTP_PROXY_MORE;
	size_t n;

	for (n = 0; n <= size && verdict == HTTP_PROXY_MORE; n++)
		verdict = judge(data, n, &p);
	if (verdict == HTTP_PROXY_MORE) {
		must(size < HTTP_PROXY_MOST);
		return;
	}
	must(judge(data, size, &whole) == verdict);
	if (verdict == HTTP_PROXY_BAD)
		return;
	must(p.len == n - 1 && whole.len == p.len);
	same(&p.source, &whole.source);
	same(&p.destination, &whole.destination);
	hand_on(&p);
}
