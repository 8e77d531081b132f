#include "status/access.h"

#include <string.h>

#include "base/escape.h"
#include "base/locale.h"
#include "base/num.h"

#define LENGTH_DIGITS 19 /* from which on a number may not fit */

/* As buf_add, but without a call if there is room. */
static inline void
put(struct buf *out, const char *data, size_t n)
{
	if (out->cap - out->len < n || out->failed) {
		buf_add(out, data, n);
		return;
	}
	if (n > 0)
		memcpy(out->data + out->len, data, n);
	out->len += n;
}

/* ---- numbers ------------------------------------------------------------- */

static void
add_number(struct buf *out, uint64_t value)
{
	char text[NUM_TEXT];

	put(out, text, num_decimal(value, text));
}

/* Append value / 10^places, with all places. */
static void
add_fraction(struct buf *out, uint64_t value, int places)
{
	char text[8];
	int i = places;

	text[0] = '.';
	for (; i > 0; i--, value /= 10)
		text[i] = (char)('0' + value % 10);
	add_number(out, value);
	put(out, text, (size_t)places + 1);
}

static void
add_signed(struct buf *out, int64_t value)
{
	if (value < 0)
		buf_putc(out, '-');
	add_number(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* Seconds and milliseconds have three places. */
static void
add_time(struct buf *out, int64_t us, int unit)
{
	uint64_t value = us < 0 ? 0 : (uint64_t)us;

	if (unit == UNIT_ONE)
		add_fraction(out, value / 1000, 3);
	else if (unit == UNIT_MILLI)
		add_fraction(out, value, 3);
	else
		add_number(out, value);
}

/* Append part / whole in percent. */
static void
add_share(struct buf *out, int64_t part, int64_t whole)
{
	uint64_t share = part <= 0 || whole <= 0 ? 0 :
	    (uint64_t)part * 10000 / (uint64_t)whole;

	add_fraction(out, share, 2);
}

/* ---- texts --------------------------------------------------------------- */

static void
add_escaped(struct buf *out, const struct format *format,
    struct access_text t)
{
	if (format->json)
		escape_json_part(out, t.data, t.len);
	else
		escape_field(out, t.data, t.len);
}

/* A text that is missing or empty is a dash; in JSON, where quotes surround it,
 * nothing. */
static void
add_text(struct buf *out, const struct format *format, struct access_text t)
{
	if (t.len > 0)
		add_escaped(out, format, t);
	else if (!format->json)
		buf_putc(out, '-');
}

/* ---- values of a record -------------------------------------------------- */

#define PARAM(r, name) (r)->param((r)->from, name, sizeof(name) - 1)

static struct access_text
text_from(const char *string)
{
	return (struct access_text){ string, strlen(string) };
}

static struct access_text
uri_of(const struct access_record *r)
{
	struct access_text uri = PARAM(r, "REQUEST_URI");

	return uri.len > 0 ? uri : PARAM(r, "SCRIPT_NAME");
}

static struct access_text
path_of(const struct access_record *r)
{
	struct access_text uri = uri_of(r);
	const char *mark = uri.len == 0 ? NULL : memchr(uri.data, '?', uri.len);

	if (mark != NULL)
		uri.len = (size_t)(mark - uri.data);
	return uri;
}

static struct access_text
query_of(const struct access_record *r)
{
	struct access_text query = PARAM(r, "QUERY_STRING"), uri;
	const char *mark;

	if (query.data != NULL)
		return query;
	uri = uri_of(r);
	mark = uri.len == 0 ? NULL : memchr(uri.data, '?', uri.len);
	if (mark == NULL)
		return query;
	query.data = mark + 1;
	query.len = uri.len - (size_t)(mark + 1 - uri.data);
	return query;
}

/* 0 unless CONTENT_LENGTH, which may hold any bytes, is a number. */
static uint64_t
length_of(const struct access_record *r)
{
	struct access_text text = PARAM(r, "CONTENT_LENGTH");
	uint64_t length = 0;

	if (text.len >= LENGTH_DIGITS)
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 0;
		length = length * 10 + (uint64_t)(text.data[i] - '0');
	}
	return length;
}

static void
add_stamp(struct buf *out, struct format_item *item, int64_t us)
{
	time_t second = (time_t)(us / 1000000);
	struct tm tm;

	if (second != item->second) {
		localtime_r(&second, &tm);
		item->stamp_len = locale_time(item->stamp,
		    sizeof(item->stamp), item->text, &tm);
		item->second = second;
	}
	put(out, item->stamp, item->stamp_len);
}

static void
add_query(struct buf *out, const struct format *f, struct access_text query)
{
	if (query.len > 0)
		add_escaped(out, f, query);
}

static void
add_first(struct buf *out, const struct format *f,
    const struct access_record *r, int unit)
{
	if (r->first >= 0)
		add_time(out, r->first, unit);
	else
		buf_puts(out, f->json ? "null" : "-");
}

/* True if the specifier is a text, which becomes *text. */
static bool
text_of(const struct access_record *r, const struct format_item *item,
    struct access_text *text)
{
	switch (item->op) {
	case 'e':
		*text = r->param(r->from, item->text, item->len);
		return true;
	case 'o':
		*text = r->header(r->from, item->text, item->len);
		return true;
	case 'r':
		*text = path_of(r);
		return true;
	case 'n':
		*text = text_from(r->pool);
		return true;
	case 'L':
		*text = text_from(r->id);
		return true;
	case 'X':
		*text = text_from(r->end);
		return true;
	}
	return false;
}

/* True if the specifier is a whole number, which becomes *number. */
static bool
number_of(const struct access_record *r, const struct format_item *item,
    int64_t *number)
{
	switch (item->op) {
	case 'p':
		*number = r->pid;
		return true;
	case 'P':
		*number = r->parent;
		return true;
	case 's':
		*number = r->status;
		return true;
	case 'S':
		*number = r->app_status;
		return true;
	case 'M':
		*number = (int64_t)(r->memory >> 10 * item->unit);
		return true;
	case 'l':
		*number = (int64_t)length_of(r);
		return true;
	case 'I':
		*number = (int64_t)r->bytes_in;
		return true;
	case 'O':
		*number = (int64_t)r->bytes_out;
		return true;
	case 'b':
		*number = r->bytes_out > r->head ?
		    (int64_t)(r->bytes_out - r->head) : 0;
		return true;
	}
	return false;
}

static void
add_item(struct buf *out, const struct format *f, struct format_item *item,
    const struct access_record *r)
{
	struct access_text text;
	int64_t number;

	if (item->op == 0)
		put(out, item->text, item->len);
	else if (text_of(r, item, &text))
		add_text(out, f, text);
	else if (number_of(r, item, &number))
		add_signed(out, number);
	else if (item->op == 'Q' && query_of(r).len > 0)
		buf_putc(out, '?');
	else if (item->op == 'q')
		add_query(out, f, query_of(r));
	else if (item->op == 't')
		add_stamp(out, item, r->ended - r->duration);
	else if (item->op == 'T')
		add_stamp(out, item, r->ended);
	else if (item->op == 'd')
		add_time(out, r->duration, item->unit);
	else if (item->op == 'F')
		add_first(out, f, r, item->unit);
	else if (item->op == 'C')
		add_share(out, r->cpu[item->unit], r->duration);
}

void
access_line(struct format *format, const struct access_record *record,
    struct buf *out)
{
	for (size_t i = 0; i < format->n; i++)
		add_item(out, format, &format->item[i], record);
	buf_putc(out, '\n');
}

static bool
is(struct access_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.data, word, text.len) ==
	    0;
}

bool
access_suppressed(const struct conf_list *paths,
    const struct access_record *record)
{
	struct access_text method, path;

	if (paths->n == 0 || record->status < 200 || record->status > 299 ||
	    record->bytes_in > 0 || length_of(record) > 0 ||
	    query_of(record).len > 0)
		return false;
	method = PARAM(record, "REQUEST_METHOD");
	if (!is(method, "GET") && !is(method, "HEAD"))
		return false;
	path = path_of(record);
	for (size_t i = 0; i < paths->n; i++)
		if (is(path, paths->item[i]))
			return true;
	return false;
}
