#include "worker/process/hub_files.h"

#include <sys/resource.h>

#define FILES 64 /* descriptors besides those of sockets and workers */

unsigned
hub_files_links(const struct conf_pool *pool)
{
	return 4 * (unsigned)pool->workers.max + 16;
}

bool
hub_files_fit(const struct conf_pool *pool, struct conf_websocket *w)
{
	const int64_t others = 2 * (int64_t)hub_files_links(pool) + FILES;
	rlim_t wanted = (rlim_t)(w->connections + others);
	struct rlimit limit, more;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return true;
	more = limit;
	more.rlim_cur = wanted;
	if (more.rlim_max < wanted)
		more.rlim_max = wanted;
	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		return true;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	w->connections = (int64_t)limit.rlim_max - others;
	if (w->connections < 1)
		w->connections = 1;
	return false;
}
