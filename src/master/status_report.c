#include "master/status_report.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "status/status_format.h"

static const char *
state_of(const struct generation *g)
{
	enum generation_state state = generation_state(g);

	if (generation_leaves(state))
		return "draining";
	if (generation_on_trial(state))
		return "reloading";
	return state == GENERATION_SERVING ? "serving" : "starting";
}

/* The status of the newest generation is that of all.  A pool without one has a
 * name and a state alone. */
static void
put_pool(const struct pools *pools, const char *name, struct buf *out)
{
	const struct generation *g = pools_newest(pools, name);
	struct status status;

	if (g == NULL) {
		buf_puts(out, "{\"pool\":");
		status_json_string(out, name, strlen(name));
		buf_addf(out, ",\"state\":\"%s\",\"processes\":[]}",
		    pools_failed(pools, name) ? "failed" : "drained");
		return;
	}
	if (generation_status(g, &status) == -1)
		out->failed = true;
	else
		status_json(&status, true, out);
	status_free(&status);
	if (!out->failed)
		out->len--; /* drop the last brace */
	buf_addf(out, ",\"state\":\"%s\"}", state_of(g));
}

/* Pools in the order of the configuration, then those that are not in it any
 * more. */
static void
put_pools(const struct pools *pools, const char *only, struct buf *out)
{
	const struct conf *conf = pools->sources->conf;
	struct generation *g;
	bool more = false;

	for (size_t i = 0; i < conf->npools; i++) {
		const char *name = conf->pools[i].name;

		if (only != NULL && strcmp(only, name) != 0)
			continue;
		buf_puts(out, more ? ",\n" : "\n");
		put_pool(pools, name, out);
		more = true;
	}
	for (g = pools->first; g != NULL && only == NULL;
	    g = *generation_link(g)) {
		if (conf_find(conf, generation_name(g)) != NULL ||
		    pools_newest(pools, generation_name(g)) != g)
			continue;
		buf_puts(out, more ? ",\n" : "\n");
		put_pool(pools, generation_name(g), out);
		more = true;
	}
}

void
status_report_json(const struct status_report *report,
    const struct pools *pools, const char *only, struct buf *out)
{
	buf_addf(out, "{\"version\":\"%s\",\"pid\":%d,\"start time\":%" PRId64
	    ",\"state\":\"%s\",\"pools\":[", report->version, (int)getpid(),
	    report->started, report->state);
	put_pools(pools, only, out);
	buf_puts(out, "\n]}\n");
}
