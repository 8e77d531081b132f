#include "net/fcgi_reply.h"

#include <string.h>

void
fcgi_reply_init(struct fcgi_reply *r, const struct fcgi_sink *sink, bool head)
{
	struct buf memory = r->head;

	memset(r, 0, sizeof(*r));
	buf_clear(&memory);
	r->head = memory;
	r->sink = sink;
	r->bodiless = head;
	r->head_most = REPLY_HEAD_MAX;
}

void
fcgi_reply_free(struct fcgi_reply *r)
{
	buf_free(&r->head);
}

static void
warn_once(const struct fcgi_reply *r, bool *said, const char *text)
{
	if (!*said && r->sink->warning != NULL)
		r->sink->warning(r->sink->arg, text);
	*said = true;
}

/* The head is the first n bytes of r->head.data. */
static enum fcgi_verdict
take_head(struct fcgi_reply *r, size_t n, struct why *why)
{
	if (cgi_head_parse(r->head.data, n, &r->cgi, why) == -1)
		return REPLY_PROTOCOL;
	r->bodiless |= r->cgi.status < 200 || r->cgi.status == 204 ||
	    r->cgi.status == 304;
	if (r->sink->head != NULL)
		r->sink->head(r->sink->arg, r->head.data, n);
	return REPLY_MORE;
}

static void
take_body(struct fcgi_reply *r, const char *data, size_t n)
{
	r->body += n;
	if (n > 0 && r->sink->body != NULL)
		r->sink->body(r->sink->arg, data, n);
}

static enum fcgi_verdict
take_stdout(struct fcgi_reply *r, const char *data, size_t n, struct why *why)
{
	size_t before = r->head.len, end;
	enum fcgi_verdict verdict;

	if (r->cgi.status != 0) {
		take_body(r, data, n);
		return REPLY_MORE;
	}
	if (buf_add(&r->head, data, n) == -1) {
		why_set(why, "out of memory");
		return REPLY_PROTOCOL;
	}
	end = cgi_head_end(r->head.data, r->head.len, before);
	if (end > r->head_most ||
	    (end == 0 && r->head.len > r->head_most)) {
		why_set(why, "more than %zu bytes of headers", r->head_most);
		return REPLY_PROTOCOL;
	}
	if (end == 0)
		return REPLY_MORE;
	verdict = take_head(r, end, why);
	if (verdict == REPLY_MORE)
		take_body(r, r->head.data + end, r->head.len - end);
	return verdict;
}

static enum fcgi_verdict
refused(unsigned protocol_status, struct why *why)
{
	static const char *const reason[] = { "",
		"it serves one request to a connection only",
		"it is overloaded", "it does not know the role" };

	if (protocol_status < sizeof(reason) / sizeof(reason[0]))
		why_set(why, "the server refused: %s",
		    reason[protocol_status]);
	else
		why_set(why, "the server refused: protocol status %u",
		    protocol_status);
	return REPLY_PROTOCOL;
}

static enum fcgi_verdict
finish(struct fcgi_reply *r, struct why *why)
{
	const unsigned char *e = r->end;
	uint64_t promised = (uint64_t)r->cgi.content_length;

	r->app_status = (uint32_t)e[0] << 24 | (uint32_t)e[1] << 16 |
	    (uint32_t)e[2] << 8 | e[3];
	r->protocol_status = e[4];
	if (e[4] != FCGI_REQUEST_COMPLETE)
		return refused(e[4], why);
	if (r->cgi.status == 0) {
		why_set(why, "the response ended %s (application status %u)",
		    r->head.len > 0 ? "amid its headers" : "before it began",
		    r->app_status);
		return REPLY_CUT;
	}
	if (r->bodiless || r->cgi.content_length < 0 || r->body == promised)
		return REPLY_DONE;
	why_set(why, "Content-Length is %llu, the body has %llu bytes "
	    "(application status %u)", (unsigned long long)promised,
	    (unsigned long long)r->body, r->app_status);
	return r->body < promised ? REPLY_CUT : REPLY_PROTOCOL;
}

static bool
is_ours(const struct fcgi_reply *r)
{
	return r->record.id == REPLY_ID;
}

static void
take_end(struct fcgi_reply *r, const void *data, size_t n)
{
	size_t room = sizeof(r->end) - r->end_have;

	if (n > room)
		n = room;
	memcpy(r->end + r->end_have, data, n);
	r->end_have += (unsigned)n;
}

static enum fcgi_verdict
take_content(struct fcgi_reply *r, const void *data, size_t n,
    struct why *why)
{
	r->record.content -= (unsigned)n;
	if (!is_ours(r))
		return REPLY_MORE;
	if (r->record.type == FCGI_STDOUT)
		return take_stdout(r, data, n, why);
	if (r->record.type == FCGI_END_REQUEST)
		take_end(r, data, n);
	else if (r->record.type == FCGI_STDERR && r->sink->errors != NULL)
		r->sink->errors(r->sink->arg, data, n);
	return REPLY_MORE;
}

static enum fcgi_verdict
take_header(struct fcgi_reply *r, struct why *why)
{
	unsigned type;

	fcgi_get_header(r->header, &r->record);
	type = r->record.type;
	if (r->record.version != 1) {
		why_set(why, "this is no FastCGI: record of version %u",
		    r->record.version);
		return REPLY_PROTOCOL;
	}
	if (is_ours(r) && type == FCGI_END_REQUEST && r->record.content < 8) {
		why_set(why, "END_REQUEST of %u bytes", r->record.content);
		return REPLY_PROTOCOL;
	}
	if (is_ours(r) && type == FCGI_ABORT_REQUEST) {
		why_set(why, "the server cut the response off");
		return REPLY_CUT;
	}
	if (!is_ours(r))
		warn_once(r, &r->odd_id,
		    "ignoring a record of another request");
	else if (type != FCGI_END_REQUEST && type != FCGI_STDOUT &&
	    type != FCGI_STDERR)
		warn_once(r, &r->odd_type,
		    "ignoring a record of unexpected type");
	return REPLY_MORE;
}

/* The next step through a record that began: content, then padding. */
static enum fcgi_verdict
take_record(struct fcgi_reply *r, const char *data, size_t n, size_t *took,
    struct why *why)
{
	if (r->record.content > 0) {
		*took = n < r->record.content ? n : r->record.content;
		return take_content(r, data, *took, why);
	}
	*took = n < r->record.padding ? n : r->record.padding;
	r->record.padding -= (unsigned)*took;
	return REPLY_MORE;
}

static enum fcgi_verdict
take(struct fcgi_reply *r, const char *data, size_t n, size_t *took,
    struct why *why)
{
	enum fcgi_verdict verdict;

	if (r->have < FCGI_HEADER_LEN) {
		*took = n < FCGI_HEADER_LEN - r->have ? n : FCGI_HEADER_LEN - r->have;
		memcpy(r->header + r->have, data, *took);
		r->have += (unsigned)*took;
		if (r->have < FCGI_HEADER_LEN)
			return REPLY_MORE;
		verdict = take_header(r, why);
	} else {
		verdict = take_record(r, data, n, took, why);
	}
	if (verdict != REPLY_MORE || r->record.content > 0 ||
	    r->record.padding > 0)
		return verdict;
	r->have = 0;
	return r->record.type == FCGI_END_REQUEST && is_ours(r) ? finish(r, why) :
	    REPLY_MORE;
}

enum fcgi_verdict
fcgi_reply_feed(struct fcgi_reply *r, const void *data, size_t n,
    size_t *used, struct why *why)
{
	enum fcgi_verdict verdict = REPLY_MORE;
	size_t took;

	*used = 0;
	while (verdict == REPLY_MORE && *used < n) {
		verdict = take(r, (const char *)data + *used, n - *used, &took,
		    why);
		*used += took;
	}
	r->bytes += *used;
	return verdict;
}
