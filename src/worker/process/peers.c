#include "worker/process/peers.h"

#include <sys/resource.h>

#include "base/tuning.h"
#include "worker/net/allow.h"
#include "worker/net/conn.h"
#include "worker/proto/fcgi/fcgi.h"

#define CONNS_MAX	4096
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

const struct proto *
peers_init(const struct worker_args *args, int wait_set, struct why *why)
{
	const struct conf_pool *pool = args->pool;
	const struct fcgi_options options = {
		.scan = { .head = (size_t)pool->limits.head,
		    .capacity = (unsigned)pool->workers.max },
		.read_timeout = pool->timeouts.read,
		.min_rate = pool->limits.min_rate,
		.body_most = conf_body_limit(pool, SOCK_FCGI),
		.write_timeout = pool->timeouts.write,
		.request_id = pool->request_id,
	};
	const struct conn_limits limits = {
		.patience = { [CONN_HEAD] = pool->timeouts.read,
		    [CONN_IDLE] = pool->timeouts.keepalive,
		    [CONN_LINGER] = tuning.linger },
		.max = conns_max(args),
		.state_size = fcgi_proto.state_size,
	};

	fcgi_init(&options);
	if (conn_init(wait_set, &limits) == 0 &&
	    allow_init(&pool->allowed_clients) == 0)
		return &fcgi_proto;
	why_set(why, "no memory for connections");
	return NULL;
}
