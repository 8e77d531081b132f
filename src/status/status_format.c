#include "status/status_format.h"

#include <string.h>

#include "status/status_writer.h"

static const struct {
	const char *word; /* in the query */
	const char *type;
} formats[STATUS_FORMATS] = {
	[STATUS_TEXT] = { "text", "text/plain; charset=utf-8" },
	[STATUS_HTML] = { "html", "text/html; charset=utf-8" },
	[STATUS_JSON] = { "json", "application/json" },
	[STATUS_XML] = { "xml", "text/xml; charset=utf-8" },
	[STATUS_OPENMETRICS] = { "openmetrics", "application/openmetrics-text; "
	    "version=1.0.0; charset=utf-8" },
};

const char status_formats[] = "Unknown format. Ask with ?text, ?html, ?json, "
    "?xml or ?openmetrics, and &full for every worker.\n";

const char *
status_type(enum status_format format)
{
	return formats[format].type;
}

/* ---- the query ----------------------------------------------------------- */

static bool
is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

static int
find_format(const char *text, size_t len)
{
	for (int i = 0; i < STATUS_FORMATS; i++)
		if (is_word(text, len, formats[i].word))
			return i;
	return -1;
}

/* Take one word of the query, with or without a value.  -1: it is unknown, or
 * a second format. */
static int
take_word(const char *text, size_t len, struct status_query *out,
    bool *chosen)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals != NULL ? (size_t)(equals - text) : len;
	int format = find_format(text, name_len);

	if (is_word(text, name_len, "full")) {
		out->full = true;
		return 0;
	}
	if (format == -1)
		return equals != NULL || len == 0 ? 0 : -1;
	if (*chosen && out->format != (enum status_format)format)
		return -1;
	out->format = (enum status_format)format;
	*chosen = true;
	return 0;
}

int
status_query(const char *text, size_t len, struct status_query *out)
{
	const char *end = text + len, *stop;
	bool chosen = false;

	*out = (struct status_query){ .format = STATUS_TEXT };
	while (text < end) {
		stop = memchr(text, '&', (size_t)(end - text));
		if (stop == NULL)
			stop = end;
		if (take_word(text, (size_t)(stop - text), out, &chosen) == -1)
			return -1;
		text = stop + 1;
	}
	return 0;
}

/* ---- formats ------------------------------------------------------------- */

int
status_write(const struct status *status, const struct status_query *query,
    struct buf *out)
{
	const char *page;
	size_t len;

	switch (query->format) {
	case STATUS_HTML:
		page = status_page(&len);
		buf_add(out, page, len);
		break;
	case STATUS_JSON:
		status_json(status, query->full, out);
		buf_putc(out, '\n');
		break;
	case STATUS_XML:
		status_xml(status, query->full, out);
		break;
	case STATUS_OPENMETRICS:
		status_metrics(status, 1, out);
		break;
	default:
		status_text(status, query->full, out);
		break;
	}
	return out->failed ? -1 : 0;
}
