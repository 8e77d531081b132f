#include "worker/serve/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "worker/serve/response.h"

int
request_write(struct request *request, const void *data, size_t n)
{
	const struct iovec piece = { (void *)data, n };

	return request->ops->write(request, &piece, 1);
}

int
request_note_head(struct request *request, int status,
    const struct buf *head)
{
	if (request->head_most != 0 && head->len > request->head_most) {
		request->head_size = head->len;
		errno = EMSGSIZE;
		return -1;
	}
	request->sent = true;
	request->status = status;
	request->head = head->data;
	request->head_len = head->len;
	return 0;
}

static const struct body_fate {
	int error, status;
	const char *fault;
} body_fates[] = {
	{ ETIMEDOUT, 408, "request body: the client did not send it in time" },
	{ EFBIG, 413, "request body: too long" },
	{ EBADMSG, 400, "request body: malformed" },
	{ EPROTO, 0, "request body: malformed" },
	{ ECONNRESET, 0, "request body: the client left" },
};

/* NULL: another errno. */
static const struct body_fate *
find_fate(int error)
{
	for (size_t i = 0; i < sizeof(body_fates) / sizeof(*body_fates); i++)
		if (body_fates[i].error == error)
			return &body_fates[i];
	return NULL;
}

int
request_body_status(int error)
{
	const struct body_fate *fate = find_fate(error);

	return fate != NULL ? fate->status : 0;
}

const char *
request_body_fault(int error)
{
	const struct body_fate *fate = find_fate(error);

	return fate != NULL ? fate->fault : strerror(error);
}

const char *
request_param(const struct request *request, const char *name, size_t *len)
{
	size_t name_len = strlen(name);
	const struct param *p = request->params;
	const struct param *end = p + request->nparams;

	for (; p < end; p++)
		if (p->name_len == name_len &&
		    memcmp(p->name, name, name_len) == 0) {
			*len = p->value_len;
			return p->value;
		}
	return NULL;
}

void
request_explain_head(const struct request *request,
    const struct response *response, int error, struct why *why)
{
	char limit[NUM_TEXT];

	if (error == EMSGSIZE) {
		num_size_text((int64_t)request->head_most, limit);
		why_set(why, "the head of the response has %zu bytes, more "
		    "than limits.response_head (%s)", request->head_size,
		    limit);
	} else if (error == EPROTO) {
		why_set(why, "Status is %d, which is no whole response",
		    response->status);
	} else {
		why_set(why, "out of memory for the headers");
	}
}

/* ---- ids ----------------------------------------------------------------- */

static struct {
	const char *name;
	char prefix[REQUEST_ID / 2]; /* of ids made here */
	size_t prefix_len;
	uint64_t serial;
} ids;

/* A pid is used again, but not within a second. */
void
request_id_init(const char *name)
{
	ids.name = name;
	ids.prefix_len = (size_t)snprintf(ids.prefix, sizeof(ids.prefix),
	    "%llx-%x-", (unsigned long long)time(NULL), (unsigned)getpid());
}

static bool
take_id(struct request *request)
{
	size_t len = 0;
	const char *value = request_param(request, ids.name, &len);

	if (!output_tag_is_id(value, len))
		return false;
	memcpy(request->id, value, len);
	request->id[len] = '\0';
	return true;
}

void
request_identify(struct request *request)
{
	char *end = request->id + ids.prefix_len;

	ids.serial++;
	if (ids.name != NULL && take_id(request))
		return;
	memcpy(request->id, ids.prefix, ids.prefix_len);
	end[num_hex(ids.serial, end)] = '\0';
}

/* ---- what the worker itself uses ----------------------------------------- */

static const struct {
	const char *name;
	size_t len;
} known[REQUEST_KNOWN] = {
#define KNOWN(which, name) [which] = { name, sizeof(name) - 1 }
	KNOWN(PARAM_METHOD, "REQUEST_METHOD"),
	KNOWN(PARAM_URI, "REQUEST_URI"),
	KNOWN(PARAM_QUERY, "QUERY_STRING"),
	KNOWN(PARAM_SCRIPT_NAME, "SCRIPT_NAME"),
	KNOWN(PARAM_SCRIPT_FILENAME, "SCRIPT_FILENAME"),
	KNOWN(PARAM_PATH_INFO, "PATH_INFO"),
	KNOWN(PARAM_REMOTE_ADDR, "REMOTE_ADDR"),
	KNOWN(PARAM_REMOTE_USER, "REMOTE_USER"),
	KNOWN(PARAM_CONTENT_LENGTH, "CONTENT_LENGTH"),
};

/* Each of the names has another ninth byte: by that, one more than which it
 * is. */
static const unsigned char by_ninth[256] = {
	['M'] = PARAM_METHOD + 1,
	['U'] = PARAM_URI + 1,
	['R'] = PARAM_QUERY + 1,
	['A'] = PARAM_SCRIPT_NAME + 1,
	['I'] = PARAM_SCRIPT_FILENAME + 1,
	['O'] = PARAM_PATH_INFO + 1,
	['D'] = PARAM_REMOTE_ADDR + 1,
	['S'] = PARAM_REMOTE_USER + 1,
	['L'] = PARAM_CONTENT_LENGTH + 1,
};

/* -1: none of them. */
static int
known_of(const char *name, size_t len)
{
	int i = len > 8 ? by_ninth[(unsigned char)name[8]] - 1 : -1;

	if (i != -1 && len == known[i].len &&
	    memcmp(name, known[i].name, len) == 0)
		return i;
	return -1;
}

const char *
request_role_name(enum request_role role)
{
	static const char *const names[REQUEST_ROLES] = {
		[ROLE_RESPONDER] = "responder",
		[ROLE_AUTHORIZER] = "authorizer",
		[ROLE_FILTER] = "filter",
	};

	return names[role];
}

void
request_note_method(struct request *request)
{
	const struct param *p = request->known[PARAM_METHOD];

	request->head_only = p != NULL && p->value_len == 4 &&
	    memcmp(p->value, "HEAD", 4) == 0;
}

void
request_index(struct request *request)
{
	const struct param *p = request->params;
	const struct param *end = p + request->nparams;

	for (; p < end; p++) {
		int i = known_of(p->name, p->name_len);

		if (i != -1 && request->known[i] == NULL)
			request->known[i] = p;
	}
	p = request->known[PARAM_CONTENT_LENGTH];
	request->length = p != NULL ? num_length(p->value, p->value_len) : -1;
	request_note_method(request);
}

const struct param *
request_find(const struct request *request, const char *name, size_t len)
{
	const struct param *p = request->params;
	const struct param *end = p + request->nparams;
	int i = known_of(name, len);

	if (i != -1)
		return request->known[i];
	for (; p < end; p++)
		if (p->name_len == len && memcmp(p->name, name, len) == 0)
			return p;
	return NULL;
}

/* Copy what fits of a parameter, "-" if it is missing or empty, to out.  A NUL
 * becomes "?", as it would hide what follows. */
static const char *
take_param(const struct request *request, const char *name, char *out,
    size_t n)
{
	size_t len = 0, i;
	const char *value = request_param(request, name, &len);

	if (len == 0) {
		value = "-";
		len = 1;
	}
	if (len > n - 1)
		len = n - 1;
	for (i = 0; i < len; i++)
		out[i] = value[i] == '\0' ? '?' : value[i];
	out[len] = '\0';
	return out;
}

const char *
request_method(const struct request *request, char out[REQUEST_METHOD])
{
	return take_param(request, "REQUEST_METHOD", out, REQUEST_METHOD);
}

const char *
request_uri(const struct request *request, char out[REQUEST_URI])
{
	const char *name = "REQUEST_URI";
	size_t len = 0;

	if (request_param(request, name, &len) == NULL || len == 0)
		name = "SCRIPT_NAME";
	return take_param(request, name, out, REQUEST_URI);
}
