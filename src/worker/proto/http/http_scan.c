#include "worker/proto/http/http_scan.h"

#include <endian.h>
#include <string.h>

#include "base/num.h"
#include "net/http_class.h"

/* What the next byte belongs to. */
enum {
	START,	    /* a request line, or an empty line before it */
	EMPTY_LF,
	METHOD,
	TARGET,
	VERSION,
	VERSION_LF,
	LINE,	    /* a field, or the end of the head */
	NAME,
	BLANK,	    /* before a value */
	VALUE,
	VALUE_LF,
	LAST_LF,
	COMPLETE,
	REFUSED
};

/* What has been seen of the fields that matter. */
enum {
	SEEN_HOST = 1,
	SEEN_LENGTH = 2,
	SEEN_CLOSE = 4,	 /* in Connection */
	SEEN_KEEP = 8,
	SEEN_SWITCH = 16, /* upgrade, in Connection */
	SEEN_WEBSOCKET = 32, /* in Upgrade */
	SEEN_CONTINUE = 64
};

/*
 * Eight bytes at a time.  In a word the high bit of each byte is its mark;
 * sums of bytes below 128 that stay below 256 do not touch their neighbours.
 */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t
word_at(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return le64toh(word);
}

/* How many bytes are before the first that has a mark. */
static inline size_t
first_mark(uint64_t marks)
{
	return (size_t)__builtin_ctzll(marks) / 8;
}

/* How many of n bytes from p on are text, from the first: as HTTP_TEXT. */
static inline size_t
text_length(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		uint64_t word = word_at(p + i), low = word & EACH(0x7f);
		uint64_t bad = (~(low + EACH(0x80 - ' ')) | (low + EACH(1))) &
		    ~word & EACH(0x80);

		if (bad != 0) {
			i += first_mark(bad);
			break;
		}
	}
	while (i < n && http_is(p[i], HTTP_TEXT)) /* it may be a tab */
		i++;
	return i;
}

/* How many of them make a token: as HTTP_TOKEN. */
static inline size_t
token_length(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		uint64_t word = word_at(p + i), low = word & EACH(0x7f);
		uint64_t lower = low | EACH(0x20), hyphen = low ^ EACH('-');
		uint64_t good = ((lower + EACH(0x80 - 'a')) &
		    ~(lower + EACH(0x7f - 'z'))) | ~(hyphen + EACH(0x7f));
		uint64_t bad = (~good | word) & EACH(0x80);

		if (bad != 0) {
			i += first_mark(bad);
			break;
		}
	}
	while (i < n && http_is(p[i], HTTP_TOKEN)) /* neither letter nor hyphen */
		i++;
	return i;
}

static void
refuse(struct http_scan *s, unsigned short status, const char *fault)
{
	s->state = REFUSED;
	s->status = status;
	s->fault = fault;
}

/* The byte at s->at cannot be there. */
static void
refuse_byte(struct http_scan *s, char c, const char *fault)
{
	if (c == '\n')
		fault = "line feed without carriage return";
	else if (c == '\0')
		fault = "NUL";
	refuse(s, 400, fault);
}

static void
enter(struct http_scan *s, unsigned char state)
{
	s->state = state;
	s->mark = ++s->at;
}

/* A byte that has to be this one. */
static void
expect(struct http_scan *s, char c, char wanted, unsigned char next,
    const char *fault)
{
	if (c == wanted)
		enter(s, next);
	else
		refuse_byte(s, c, fault);
}

/* What begins with no method: usual mistakes in a configuration. */
static const char *
foreign(char c)
{
	return c == 0x16 ? "TLS, and not plain HTTP" :
	    c == 0x01 ? "FastCGI, and not HTTP" : "no method";
}

static void
judge_start(struct http_scan *s, char c)
{
	if (c == '\r' && s->at < 2 * HTTP_EMPTY_LINES) {
		enter(s, EMPTY_LF);
	} else if (http_is(c, HTTP_TOKEN)) {
		s->start = s->mark = s->at;
		s->state = METHOD;
	} else {
		refuse_byte(s, c, foreign(c));
	}
}

static void
judge_method(struct http_scan *s, const char *data, size_t end)
{
	size_t at = s->at;

	if (end > s->mark + HTTP_METHOD_MAX + 1)
		end = s->mark + HTTP_METHOD_MAX + 1;
	while (at < end && http_is(data[at], HTTP_TOKEN))
		at++;
	s->at = at;
	if (at - s->mark > HTTP_METHOD_MAX)
		refuse(s, 501, "method too long");
	else if (at == end)
		return;
	else if (at - s->mark == 7 &&
	    memcmp(data + s->mark, "CONNECT", 7) == 0)
		refuse(s, 501, "CONNECT");
	else
		expect(s, data[at], ' ', TARGET, "method that is no token");
}

static void
judge_target(struct http_scan *s, const char *data, size_t end, size_t most)
{
	size_t at = s->at;

	while (at < end && http_is(data[at], HTTP_TARGET))
		at++;
	if (at - s->mark > most) {
		s->at = s->mark + most;
		refuse(s, 414, "target too long");
		return;
	}
	s->at = at;
	if (at == end)
		return;
	if (at == s->mark)
		refuse_byte(s, data[at], "no target");
	else
		expect(s, data[at], ' ', VERSION,
		    data[at] == '\r' ? "no version" :
		    "byte that a target may not have");
}

static void
judge_version(struct http_scan *s, const char *data, size_t end)
{
	static const char version[] = "HTTP/1.1\r";

	for (; s->at < end; s->at++) {
		size_t i = s->at - s->mark;
		char c = data[s->at];

		if (i == 5 && c != '1' && http_is(c, HTTP_DIGIT)) {
			refuse(s, 505, "version that is not HTTP/1");
			return;
		}
		if (i == 7 && http_is(c, HTTP_DIGIT)) {
			s->minor = c != '0';
		} else if (c != version[i]) {
			refuse_byte(s, c, "malformed version");
			return;
		} else if (c == '\r') {
			enter(s, VERSION_LF);
			return;
		}
	}
}

static void
judge_host(struct http_scan *s, struct http_span value)
{
	if (s->seen & SEEN_HOST)
		refuse(s, 400, "Host twice");
	else if (!http_is_host(value))
		refuse(s, 400, "malformed Host");
	s->seen |= SEEN_HOST;
}

static void
judge_length(struct http_scan *s, struct http_span value)
{
	s->length = num_length(value.data, value.len);
	if (s->seen & SEEN_LENGTH)
		refuse(s, 400, "Content-Length twice");
	else if (s->chunked)
		refuse(s, 400, "Content-Length and Transfer-Encoding");
	else if (s->length == -1)
		refuse(s, 400, "malformed Content-Length");
	s->seen |= SEEN_LENGTH;
}

static void
judge_coding(struct http_scan *s, struct http_span value)
{
	const char *fault;
	unsigned status = http_coding(value, &fault);

	if (s->chunked)
		refuse(s, 400, "Transfer-Encoding twice");
	else if (s->seen & SEEN_LENGTH)
		refuse(s, 400, "Content-Length and Transfer-Encoding");
	else if (s->minor == 0)
		refuse(s, 400, "Transfer-Encoding in HTTP/1.0");
	else if (status != 0)
		refuse(s, (unsigned short)status, fault);
	s->chunked = true;
}

static void
judge_options(struct http_scan *s, struct http_span value)
{
	struct http_span option;

	while (http_list_next(&value, &option)) {
		if (option.len == 0)
			continue;
		if (!http_is_token(option, "")) {
			refuse(s, 400, "malformed Connection");
			return;
		}
		if (http_span_is(option, "close"))
			s->seen |= SEEN_CLOSE;
		else if (http_span_is(option, "keep-alive"))
			s->seen |= SEEN_KEEP;
		else if (http_span_is(option, "upgrade"))
			s->seen |= SEEN_SWITCH;
	}
}

static void
judge_upgrade(struct http_scan *s, struct http_span value)
{
	struct http_span protocol;

	while (http_list_next(&value, &protocol)) {
		if (protocol.len > 0 && !http_is_token(protocol, "/")) {
			refuse(s, 400, "malformed Upgrade");
			return;
		}
		if (http_span_is(protocol, "websocket"))
			s->seen |= SEEN_WEBSOCKET;
	}
}

/* A field that has ended: data has its value at mark, then CR, LF. */
static void
judge_field(struct http_scan *s, const char *data)
{
	struct http_span value = { data + s->mark, s->at - 2 - s->mark };

	while (value.len > 0 && http_is_blank(value.data[value.len - 1]))
		value.len--;
	switch (s->field) {
	case HTTP_HOST:
		judge_host(s, value);
		break;
	case HTTP_LENGTH:
		judge_length(s, value);
		break;
	case HTTP_CODING:
		judge_coding(s, value);
		break;
	case HTTP_CONNECTION:
		judge_options(s, value);
		break;
	case HTTP_UPGRADE:
		judge_upgrade(s, value);
		break;
	case HTTP_EXPECT:
		if (!http_span_is(value, "100-continue"))
			refuse(s, 417, "expectation but 100-continue");
		s->seen |= SEEN_CONTINUE;
		break;
	default:
		break;
	}
}

static void
judge_value_lf(struct http_scan *s, const char *data)
{
	if (data[s->at] != '\n') {
		refuse(s, 400, "carriage return without line feed");
		return;
	}
	s->at++;
	s->state = LINE;
	if (s->field != HTTP_OTHER)
		judge_field(s, data);
}

/* The functions below judge what follows too, if it has come: a field that has
 * come as a whole is judged at one go. */

static inline void
judge_value(struct http_scan *s, const char *data, size_t end)
{
	size_t at = s->at + text_length(data + s->at, end - s->at);

	s->at = at;
	if (at == end)
		return;
	if (data[at] != '\r') {
		refuse_byte(s, data[at], "control character in a field");
		return;
	}
	s->state = VALUE_LF;
	if (++s->at < end)
		judge_value_lf(s, data);
}

static inline void
judge_blank(struct http_scan *s, const char *data, size_t end)
{
	size_t at = s->at;

	while (at < end && http_is_blank(data[at]))
		at++;
	s->at = s->mark = at;
	if (at == end)
		return;
	s->state = VALUE;
	judge_value(s, data, end);
}

static inline void
judge_name(struct http_scan *s, const char *data, size_t end)
{
	size_t at = s->at + token_length(data + s->at, end - s->at);

	s->at = at;
	if (at == end)
		return;
	if (data[at] != ':') {
		refuse_byte(s, data[at], http_is_blank(data[at]) ?
		    "blank in the name of a field" :
		    "name of a field that is no token");
		return;
	}
	s->field = http_field_known(data + s->mark, at - s->mark);
	if (s->field == HTTP_POSER) {
		refuse(s, 400, "framing field with an underscore");
		return;
	}
	enter(s, BLANK);
	if (s->at < end)
		judge_blank(s, data, end);
}

static inline void
judge_line(struct http_scan *s, const char *data, size_t end, unsigned most)
{
	char c = data[s->at];

	if (http_is(c, HTTP_TOKEN)) {
		s->state = NAME;
		s->mark = s->at;
		if (s->fields++ == most)
			refuse(s, 431, "too many fields");
		else
			judge_name(s, data, end);
	} else if (c == '\r') {
		enter(s, LAST_LF);
	} else if (http_is_blank(c)) {
		refuse(s, 400, "folded or indented field");
	} else {
		refuse_byte(s, c, c == ':' ? "empty name of a field" :
		    "name of a field that is no token");
	}
}

/* The head has ended. */
static void
judge_whole(struct http_scan *s)
{
	const unsigned both = SEEN_SWITCH | SEEN_WEBSOCKET;
	bool body = s->chunked || s->length > 0;

	s->at++;
	s->state = COMPLETE;
	if (!(s->seen & SEEN_LENGTH))
		s->length = -1;
	s->keep = !(s->seen & SEEN_CLOSE) &&
	    (s->minor == 1 || s->seen & SEEN_KEEP);
	s->expects = s->minor == 1 && s->seen & SEEN_CONTINUE && body;
	s->upgrade = (s->seen & both) == both;
	if (s->minor == 1 && !(s->seen & SEEN_HOST))
		refuse(s, 400, "no Host");
	else if (s->upgrade && body)
		refuse(s, 400, "upgrade with a body");
	else if (s->upgrade && s->minor == 0)
		refuse(s, 400, "upgrade in HTTP/1.0");
}

/* Judge what belongs to the present state: at least a byte, before `end`. */
static void
step(struct http_scan *s, const char *data, size_t end,
    const struct http_limits *limits)
{
	switch (s->state) {
	case START:
		judge_start(s, data[s->at]);
		break;
	case EMPTY_LF:
		expect(s, data[s->at], '\n', START,
		    "carriage return without line feed");
		break;
	case METHOD:
		judge_method(s, data, end);
		break;
	case TARGET:
		judge_target(s, data, end, limits->target);
		break;
	case VERSION:
		judge_version(s, data, end);
		break;
	case VERSION_LF:
		expect(s, data[s->at], '\n', LINE,
		    "carriage return without line feed");
		break;
	case LINE:
		judge_line(s, data, end, limits->fields);
		break;
	case NAME:
		judge_name(s, data, end);
		break;
	case BLANK:
		judge_blank(s, data, end);
		break;
	case VALUE:
		judge_value(s, data, end);
		break;
	case VALUE_LF:
		judge_value_lf(s, data);
		break;
	case LAST_LF:
		if (data[s->at] == '\n')
			judge_whole(s);
		else
			refuse(s, 400, "carriage return without line feed");
		break;
	default:
		break;
	}
}

enum http_verdict
http_scan_next(struct http_scan *s, const char *data, size_t n,
    const struct http_limits *limits)
{
	size_t end;

	while (s->state < COMPLETE && s->at < n) {
		/* The head begins where the request line does. */
		end = s->state < METHOD ? n : s->start + limits->head;
		if (s->at < end)
			step(s, data, n < end ? n : end, limits);
		else if (s->state < VERSION)
			refuse(s, 414, "request line too long");
		else
			refuse(s, 431, "head too long");
	}
	return s->state < COMPLETE ? HTTP_MORE :
	    s->state == COMPLETE ? HTTP_HEAD : HTTP_BAD;
}

void
http_scan_reset(struct http_scan *s)
{
	memset(s, 0, sizeof(*s));
}

size_t
http_scan_fields(const char *data, const struct http_scan *s,
    struct http_span *method, struct http_span *target, struct http_field *out,
    size_t most)
{
	const char *end = data + s->at, *p = data + s->start, *stop;
	size_t n;

	stop = memchr(p, ' ', (size_t)(end - p));
	*method = (struct http_span) { p, (size_t)(stop - p) };
	p = stop + 1;
	stop = memchr(p, ' ', (size_t)(end - p));
	*target = (struct http_span) { p, (size_t)(stop - p) };
	p = stop + sizeof(" HTTP/1.1\r\n") - 1;
	for (n = 0; n < most && *p != '\r'; n++) {
		struct http_field *field = &out[n];

		stop = memchr(p, ':', (size_t)(end - p));
		field->name = (struct http_span) { p, (size_t)(stop - p) };
		for (p = stop + 1; http_is_blank(*p); p++)
			;
		stop = memchr(p, '\r', (size_t)(end - p));
		field->value = (struct http_span) { p, (size_t)(stop - p) };
		p = stop + 2;
		while (field->value.len > 0 && http_is_blank(stop[-1])) {
			stop--;
			field->value.len--;
		}
	}
	return n;
}
