#include "worker/serve/builtin.h"

#include <string.h>

#include "status/status_format.h"
#include "worker/serve/response.h"

#define REPORT_PATH "/status" /* for status_listen without a status_path */

static struct {
	const struct worker_args *args;
	int (*await_status)(void);
	struct buf body;
	struct response response;
} self;

void
builtin_init(const struct worker_args *args, int (*await_status)(void))
{
	self.args = args;
	self.await_status = await_status;
}

/* ---- what is asked for --------------------------------------------------- */

static struct param
known(const struct request *request, enum request_known which)
{
	const struct param *p = request->known[which];

	return p != NULL ? *p : (struct param){ .value = "" };
}

/* The length of the URI before its query. */
static size_t
path_length(const struct param *uri)
{
	const char *query = memchr(uri->value, '?', uri->value_len);

	return query != NULL ? (size_t)(query - uri->value) : uri->value_len;
}

/*
 * True if the request is for `path`.  Some web servers put the path into
 * SCRIPT_NAME, some into PATH_INFO, some divide it among them.  REQUEST_URI
 * counts only if both are empty, as it is the path before a server rewrote it.
 */
static bool
is_path(const struct request *request, const char *path)
{
	struct param script, info, uri;
	size_t len;

	if (path == NULL)
		return false;
	len = strlen(path);
	script = known(request, PARAM_SCRIPT_NAME);
	info = known(request, PARAM_PATH_INFO);
	if (script.value_len + info.value_len > 0)
		return script.value_len + info.value_len == len &&
		    memcmp(script.value, path, script.value_len) == 0 &&
		    memcmp(info.value, path + script.value_len,
			info.value_len) == 0;
	uri = known(request, PARAM_URI);
	return path_length(&uri) == len && memcmp(uri.value, path, len) == 0;
}

static int
find_query(const struct request *request, struct status_query *out)
{
	struct param query = known(request, PARAM_QUERY), uri;
	size_t len;

	if (request->known[PARAM_QUERY] == NULL) {
		uri = known(request, PARAM_URI);
		len = path_length(&uri);
		if (len < uri.value_len) {
			query.value = uri.value + len + 1;
			query.value_len = uri.value_len - len - 1;
		}
	}
	return status_query(query.value, query.value_len, out);
}

/* ---- the answer ---------------------------------------------------------- */

static void
add_header(const char *name, const char *value)
{
	struct why why;

	response_header(&self.response, name, strlen(name), value,
	    strlen(value), &why);
}

/* Send self.body. */
static void
send(struct request *request, int status, const char *type)
{
	struct response *r = &self.response;

	response_init(r);
	r->status = status;
	add_header("Content-Type", type);
	add_header("Cache-Control", "no-cache, no-store, max-age=0");
	add_header("X-Content-Type-Options", "nosniff");
	if (status == 503)
		add_header("Retry-After", "1");
	if (self.body.failed ||
	    request->ops->head(request, r, (int64_t)self.body.len) == -1)
		request->app_status = !request->sent;
	else if (!request->head_only)
		request_write(request, self.body.data, self.body.len);
}

static void
ping(struct request *request)
{
	buf_puts(&self.body, self.args->pool->ping_response);
	send(request, 200, status_type(STATUS_TEXT));
}

/* Get the status from the master, which alone sees every worker.  0, or -1 if
 * it did not answer. */
static int
ask_master(struct status *status)
{
	int memory;

	if (self.args->channel == -1)
		return -1;
	worker_say(self.args, WORD_STATUS);
	memory = self.await_status();
	return memory == -1 ? -1 :
	    status_receive(status, memory, self.args->pool);
}

static void
show_status(struct request *request)
{
	struct status_query query;
	struct status status;

	if (find_query(request, &query) == -1) {
		buf_puts(&self.body, status_formats);
		send(request, 400, status_type(STATUS_TEXT));
		return;
	}
	if (ask_master(&status) == -1) {
		buf_puts(&self.body, "the master does not answer\n");
		send(request, 503, status_type(STATUS_TEXT));
		return;
	}
	status_write(&status, &query, &self.body);
	status_free(&status);
	send(request, 200, status_type(query.format));
}

static void
nothing_here(struct request *request)
{
	buf_puts(&self.body, "not here\n");
	send(request, 404, status_type(STATUS_TEXT));
}

void
builtin_refuse(struct request *request, int status)
{
	buf_addf(&self.body, "%s\n", response_reason(status));
	send(request, status, status_type(STATUS_TEXT));
	buf_free(&self.body);
}

bool
builtin_serve(struct request *request)
{
	const struct conf_pool *pool = self.args->pool;
	bool reporter = self.args->kind == WORKER_KIND_STATUS;
	const char *path = pool->status_path;

	/* An authorizer is asked about these paths, too, and a status 200 of
	 * theirs would let the client pass. */
	if (request->role != ROLE_RESPONDER)
		return false;
	if (path == NULL && reporter)
		path = REPORT_PATH;
	if (is_path(request, pool->ping_path))
		ping(request);
	else if (is_path(request, path))
		show_status(request);
	else if (reporter)
		nothing_here(request);
	else
		return false;
	buf_free(&self.body); /* it may have been large */
	return true;
}
