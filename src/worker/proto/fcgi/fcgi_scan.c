#include "worker/proto/fcgi/fcgi_scan.h"

#include <limits.h>
#include <string.h>

#include "net/fcgi_wire.h"

/* What a record is to a connection in a given state. */
enum judgement {
	TAKE,	    /* part of the stream that is being read */
	BEGIN,	    /* starts a request */
	ABORT,	    /* ends it early */
	VALUES,	    /* management: FCGI_GET_VALUES */
	UNKNOWN,    /* management of a type we do not know */
	MULTIPLEX,  /* a second request: FCGI_CANT_MPX_CONN */
	STRAY,	    /* of a request that does not exist: ignored
		       (specification, 3.3) */
	MALFORMED
};

#define MANAGEMENT_MAX 1024 /* more than every known name of GET_VALUES */
#define SQUEEZE	       4096 /* bytes of gap worth closing */

/* A record of the present request, once that has begun. */
static inline enum judgement
judge_own(const struct scan *scan, unsigned type)
{
	static const unsigned awaited[] = {
		[SCAN_PARAMS] = FCGI_PARAMS,
		[SCAN_STDIN] = FCGI_STDIN,
		[SCAN_DATA] = FCGI_DATA,
		[SCAN_DONE] = UINT_MAX,
	};

	if (type == awaited[scan->state])
		return TAKE;
	if (type == FCGI_ABORT_REQUEST)
		return ABORT;
	if (scan->role == FCGI_AUTHORIZER && scan->state == SCAN_DONE &&
	    type == FCGI_STDIN)
		return STRAY;
	return MALFORMED;
}

static enum judgement
judge(const struct scan *scan, const struct fcgi_record *r)
{
	if (r->version != FCGI_VERSION_1)
		return MALFORMED;
	if (r->id == 0) {
		if (r->content > MANAGEMENT_MAX || r->type == FCGI_BEGIN_REQUEST)
			return MALFORMED;
		return r->type == FCGI_GET_VALUES ? VALUES : UNKNOWN;
	}
	if (r->type == FCGI_BEGIN_REQUEST) {
		if (r->content != 8)
			return MALFORMED;
		if (scan->state == SCAN_IDLE)
			return BEGIN;
		return r->id == scan->id ? MALFORMED : MULTIPLEX;
	}
	if (scan->state == SCAN_IDLE || r->id != scan->id)
		return r->type <= FCGI_UNKNOWN_TYPE ? STRAY : MALFORMED;
	return judge_own(scan, r->type);
}

static void
answer_values(const unsigned char *p, size_t n, unsigned capacity,
    struct buf *reply)
{
	static const char *const names[] = { FCGI_MAX_CONNS, FCGI_MAX_REQS,
		FCGI_MPXS_CONNS };
	const unsigned char *end = p + n;
	struct buf pairs = { 0 }, number = { 0 };
	struct fcgi_pair pair;
	bool said[3] = { false };

	while (fcgi_get_pair(&p, (size_t)(end - p), &pair) == 1) {
		for (size_t i = 0; i < 3; i++) {
			if (said[i] || pair.name_len != strlen(names[i]) ||
			    memcmp(pair.name, names[i], pair.name_len) != 0)
				continue;
			said[i] = true;
			buf_clear(&number);
			buf_addf(&number, "%u", i == 2 ? 0 : capacity);
			fcgi_add_pair(&pairs, names[i], pair.name_len,
			    number.data, number.len);
		}
	}
	/* At most three short pairs: a single record.  Without pairs it is an
	 * empty record, which is the answer then. */
	fcgi_add_stream(reply, FCGI_GET_VALUES_RESULT, 0, pairs.data,
	    pairs.len);
	buf_free(&pairs);
	buf_free(&number);
}

static void
answer_unknown(unsigned type, struct buf *reply)
{
	unsigned char record[FCGI_HEADER_LEN + 8] = { 0 };

	fcgi_put_header(record, FCGI_UNKNOWN_TYPE, 0, 8, 0);
	record[FCGI_HEADER_LEN] = (unsigned char)type;
	buf_add(reply, record, sizeof(record));
}

static bool
is_served(unsigned role, const struct scan_limits *limits)
{
	return role <= FCGI_FILTER && (limits->roles & SCAN_ROLE(role)) != 0;
}

static enum scan_verdict
begin(struct scan *scan, const struct fcgi_record *r,
    const unsigned char *content, const struct scan_limits *limits,
    struct buf *reply)
{
	scan->id = r->id;
	scan->role = (unsigned)content[0] << 8 | content[1];
	scan->keep = content[2] & FCGI_KEEP_CONN;
	scan->params = scan->at;
	scan->params_len = 0;
	if (!is_served(scan->role, limits)) {
		fcgi_add_end(reply, r->id, 0, FCGI_UNKNOWN_ROLE);
		return SCAN_REFUSE;
	}
	scan->state = SCAN_PARAMS;
	return SCAN_MORE;
}

/* Parameters of several records are moved together, so that one span holds
 * them all; the usual single record stays where it is. */
static enum scan_verdict
take_params(struct scan *scan, struct buf *in, size_t from, size_t n)
{
	if (n == 0) {
		scan->state = scan->role == FCGI_AUTHORIZER ? SCAN_DONE :
		    SCAN_STDIN;
		return SCAN_HEAD;
	}
	if (scan->params_len == 0)
		scan->params = from;
	else
		memmove(in->data + scan->params + scan->params_len,
		    in->data + from, n);
	scan->params_len += n;
	return SCAN_MORE;
}

static enum scan_verdict
take_content(struct scan *scan, const struct fcgi_record *r)
{
	scan->at += FCGI_HEADER_LEN;
	scan->content = r->content;
	scan->skip = r->padding;
	if (r->content > 0)
		return SCAN_CONTENT;
	scan->state = scan->state == SCAN_STDIN && scan->role == FCGI_FILTER ?
	    SCAN_DATA : SCAN_DONE;
	return SCAN_END;
}

static enum scan_verdict
bad(struct scan *scan, const char *fault)
{
	scan->fault = fault;
	return SCAN_BAD;
}

/* Handle a record that is complete in the buffer. */
static enum scan_verdict
whole(struct scan *scan, struct buf *in, const struct fcgi_record *r,
    enum judgement judgement, const struct scan_limits *limits,
    struct buf *reply)
{
	size_t from = scan->at + FCGI_HEADER_LEN;
	unsigned char *content = (unsigned char *)in->data + from;

	scan->at = from + r->content + r->padding;
	switch (judgement) {
	case BEGIN:
		return begin(scan, r, content, limits, reply);
	case TAKE:
		return take_params(scan, in, from, r->content);
	case ABORT:
		return SCAN_ABORT;
	case VALUES:
		answer_values(content, r->content, limits->capacity, reply);
		break;
	case UNKNOWN:
		answer_unknown(r->type, reply);
		break;
	case MULTIPLEX:
		fcgi_add_end(reply, r->id, 0, FCGI_CANT_MPX_CONN);
		break;
	default:
		break;
	}
	return SCAN_MORE;
}

static const char *
fault_of(const struct fcgi_record *r)
{
	if (r->version != FCGI_VERSION_1)
		return "not FastCGI version 1";
	if (r->type == FCGI_BEGIN_REQUEST)
		return "BEGIN_REQUEST of a wrong length or for a known id";
	if (r->id == 0)
		return "management record too long";
	return "record of a type that is not expected here";
}

/*
 * The front of the buffer cannot be dropped before the head is complete.  Close
 * the gap that record headers, padding and strays leave behind the parameters,
 * so that memory stays in proportion to the limit whatever the peer puts around
 * them.
 */
static void
squeeze(struct scan *scan, struct buf *in)
{
	size_t end = scan->params + scan->params_len;

	if (scan->state != SCAN_PARAMS || scan->at - end < SQUEEZE)
		return;
	if (scan->params_len == 0)
		scan->params = end = 0;
	memmove(in->data + end, in->data + scan->at, in->len - scan->at);
	in->len -= scan->at - end;
	scan->at = end;
}

/* Skip what is to be ignored.  True if the present record goes on: it has
 * content that is not taken, or more bytes to be ignored. */
static bool
pending(struct scan *scan, const struct buf *in)
{
	size_t n = in->len - scan->at;

	if (scan->content > 0)
		return true;
	if (n > scan->skip)
		n = scan->skip;
	scan->at += n;
	scan->skip -= n;
	return scan->skip > 0;
}

enum scan_verdict
scan_next(struct scan *scan, struct buf *in, const struct scan_limits *limits,
    struct buf *reply)
{
	struct fcgi_record r;
	enum judgement judgement;
	enum scan_verdict verdict;

	for (;;) {
		squeeze(scan, in);
		if (pending(scan, in))
			return scan->content > 0 && in->len > scan->at ?
			    SCAN_CONTENT : SCAN_MORE;
		if (in->len - scan->at < FCGI_HEADER_LEN)
			return SCAN_MORE;
		fcgi_get_header((unsigned char *)in->data + scan->at, &r);
		judgement = judge(scan, &r);
		if (judgement == MALFORMED)
			return bad(scan, fault_of(&r));
		if (judgement == STRAY) {
			scan->at += FCGI_HEADER_LEN;
			scan->skip = r.content + r.padding;
			continue;
		}
		if (judgement == TAKE && scan->state != SCAN_PARAMS) {
			verdict = take_content(scan, &r);
			if (verdict == SCAN_CONTENT)
				continue;
			return verdict;
		}
		if (judgement == TAKE &&
		    scan->params_len + r.content > limits->head)
			return SCAN_LARGE;
		if (in->len - scan->at < FCGI_HEADER_LEN + r.content + r.padding)
			return SCAN_MORE;
		verdict = whole(scan, in, &r, judgement, limits, reply);
		if (verdict != SCAN_MORE)
			return verdict;
	}
}

void
scan_reset(struct scan *scan)
{
	size_t at = scan->at, skip = scan->skip;

	memset(scan, 0, sizeof(*scan));
	scan->at = at;
	scan->skip = skip;
}

bool
scan_settle(struct scan *scan, const struct buf *in)
{
	struct fcgi_record r;

	while (!pending(scan, in)) {
		if (in->len - scan->at < FCGI_HEADER_LEN)
			return true;
		fcgi_get_header((unsigned char *)in->data + scan->at, &r);
		if (scan->role != FCGI_AUTHORIZER || r.id != scan->id ||
		    r.version != FCGI_VERSION_1 || r.type != FCGI_STDIN)
			return true;
		scan->at += FCGI_HEADER_LEN;
		scan->skip = r.content + r.padding;
	}
	return false;
}

/* The rest of an ignored record, as a stray record of its own. */
static void
pack_skip(const struct scan *scan, struct buf *out)
{
	size_t content = scan->skip < FCGI_MAX_LENGTH ? scan->skip :
	    FCGI_MAX_LENGTH;
	unsigned char header[FCGI_HEADER_LEN];

	if (scan->skip == 0)
		return;
	fcgi_put_header(header, FCGI_STDIN, scan->id == 1 ? 2 : 1,
	    (unsigned)content, (unsigned)(scan->skip - content));
	buf_add(out, header, sizeof(header));
}

int
scan_pack(const struct scan *scan, const struct buf *in, struct buf *out)
{
	if (scan->state != SCAN_IDLE && scan->state != SCAN_PARAMS)
		return -1;
	if (scan->state == SCAN_PARAMS)
		fcgi_add_begin(out, scan->id, scan->role,
		    scan->keep ? FCGI_KEEP_CONN : 0);
	if (scan->state == SCAN_PARAMS && scan->params_len > 0)
		fcgi_add_stream(out, FCGI_PARAMS, scan->id,
		    in->data + scan->params, scan->params_len);
	pack_skip(scan, out);
	if (in->len > scan->at)
		buf_add(out, in->data + scan->at, in->len - scan->at);
	return out->failed ? -1 : 0;
}
