#include "worker/process/peers.h"

#include <sys/resource.h>

#include "base/tuning.h"
#include "worker/net/acceptor.h"
#include "worker/net/allow.h"
#include "worker/net/conn.h"
#include "worker/net/output.h"
#include "worker/proto/fcgi/fcgi.h"
#include "worker/proto/http/http.h"
#include "worker/proto/http/http_ask.h"
#include "worker/proto/http/http_forwarded.h"
#include "worker/serve/request.h"

#define CONNS_MAX	16384
#define TARGET_MOST	8192 /* bytes of a request target */
#define CONNS_REPORT	64 /* of a worker without an application */
#define FILES_RESERVED	64 /* descriptors left to the application */

static int
conns_max(const struct worker_args *args)
{
	struct rlimit limit;

	if (args->kind == WORKER_KIND_STATUS)
		return CONNS_REPORT;
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 ||
	    limit.rlim_cur >= CONNS_MAX + FILES_RESERVED)
		return CONNS_MAX;
	return limit.rlim_cur > 2 * FILES_RESERVED ?
	    (int)limit.rlim_cur - FILES_RESERVED : (int)limit.rlim_cur / 2;
}

static const struct proto *const protos[CONN_KINDS] = {
	[SOCK_FCGI] = &fcgi_proto,
	[SOCK_HTTP] = &http_proto,
};

static struct {
	const struct worker_args *args;
	bool ends; /* peers_end */
} self;

/* True if the worker leaves, and nobody takes its connections. */
static bool
ends(void)
{
	return self.ends ||
	    (score_is_leaving(self.args->score) && !acceptor_passes_on());
}

void
peers_end(bool last)
{
	self.ends = last;
	for (unsigned kind = 0; last && kind < CONN_KINDS; kind++)
		for (const struct conn *c = conn_oldest(kind, CONN_IDLE);
		    c != NULL && protos[kind]->part != NULL; c = c->next)
			protos[kind]->part(c);
}

static void
init_fcgi(const struct conf_pool *pool)
{
	const struct fcgi_options options = {
		.scan = { .head = (size_t)pool->limits.head,
		    .capacity = (unsigned)pool->workers.max },
		.read_timeout = pool->timeouts.read,
		.min_rate = pool->limits.min_rate,
		.body_most = conf_body_limit(pool, SOCK_FCGI),
		.write_timeout = pool->timeouts.write,
		.ends = ends,
	};

	fcgi_init(&options);
}

static int
init_http(const struct conf_pool *pool)
{
	const struct http_options options = {
		.limits = { .head = (size_t)pool->limits.head,
		    .target = TARGET_MOST, .fields = HTTP_FIELDS_MOST },
		.request_buffer = (size_t)pool->http.request_buffer,
		.body_most = conf_body_limit(pool, SOCK_HTTP),
		.read_timeout = pool->http.read,
		.min_rate = pool->limits.min_rate,
		.keep_most = (unsigned)pool->http.keepalive_requests,
		.proxy_protocol = pool->http.proxy_protocol,
		.root = pool->root,
		.ends = ends,
	};
	const struct output_limits output = {
		.room = (size_t)pool->http.response_buffer,
		.timeout = pool->timeouts.write,
		.min_rate = pool->limits.min_rate,
	};

	http_init(&options);
	output_init(&output);
	return http_forwarded_init(&pool->http.proxies,
	    (enum conf_forwarded)pool->http.forwarded);
}

static struct conn_kind
kind_of(const struct proto *proto, int64_t head, int64_t body,
    const struct conf_pool *pool)
{
	return (struct conn_kind){ .name = proto->name,
		.state_size = proto->state_size,
		.pack = proto->pack,
		.patience = { [CONN_HEAD] = head,
		    [CONN_BODY] = body,
		    [CONN_READY] = head,
		    [CONN_IDLE] = pool->timeouts.keepalive,
		    [CONN_FLUSH] = pool->timeouts.write,
		    [CONN_LINGER] = tuning.linger } };
}

const struct proto *const *
peers_init(const struct worker_args *args, int wait_set, struct why *why)
{
	const struct conf_pool *pool = args->pool;
	const struct conn_limits limits = {
		.kinds = {
		    [SOCK_FCGI] = kind_of(&fcgi_proto, pool->timeouts.read,
			pool->timeouts.read, pool),
		    [SOCK_HTTP] = kind_of(&http_proto, pool->http.read,
			pool->http.read, pool) },
		.nkinds = CONN_KINDS,
		.max = conns_max(args),
	};

	self.args = args;
	request_id_init(pool->request_id);
	init_fcgi(pool);
	if (init_http(pool) == 0 && conn_init(wait_set, &limits) == 0 &&
	    allow_init(&pool->allowed_clients) == 0)
		return protos;
	why_set(why, "no memory for connections");
	return NULL;
}

void
peers_serve(unsigned roles)
{
	for (size_t i = 0; i < CONN_KINDS; i++)
		if (protos[i]->roles != NULL)
			protos[i]->roles(roles);
}

void
peers_take_upgrades(bool websocket)
{
	const struct conf_list *list = &self.args->pool->websocket.origins;
	const struct ws_origins origins = {
		(const char *const *)list->item, list->n };

	http_take_upgrades(websocket, &origins);
}

int64_t
peers_idle(void)
{
	for (size_t i = 0; i < self.args->nlisteners; i++)
		if (self.args->protocols[i] == SOCK_HTTP)
			return tuning.idle;
	return tuning.idle / 4;
}
