#include <string.h>

#include "status/status_put.h"
#include "status/status_writer.h"

/* Names are our own; that of an XML element must not begin with a digit nor
 * contain a blank. */
static void
put_tag(struct status_writer *w, const char *name, bool end)
{
	buf_puts(w->out, end ? "</" : "<");
	if (name[0] >= '0' && name[0] <= '9')
		buf_putc(w->out, '_');
	for (; *name != '\0'; name++)
		buf_putc(w->out, *name == ' ' ? '-' : *name);
	buf_putc(w->out, '>');
}

static void
put_integer(struct status_writer *w, const char *name, int64_t n)
{
	put_tag(w, name, false);
	buf_addf(w->out, "%lld", (long long)n);
	put_tag(w, name, true);
}

static void
put_decimal(struct status_writer *w, const char *name, int64_t value,
    int digits)
{
	put_tag(w, name, false);
	status_put_decimal(w->out, value, digits);
	put_tag(w, name, true);
}

/* U+FFFE and U+FFFF are well-formed UTF-8, but no characters of XML 1.0. */
static bool
is_forbidden(const char *p, size_t n)
{
	return n >= 3 && memcmp(p, "\xef\xbf", 2) == 0 &&
	    (unsigned char)p[2] >= 0xbe;
}

static void
put_text(struct status_writer *w, const char *name, const char *text)
{
	static const struct status_escape special[] = { { '<', "&lt;" },
		{ '>', "&gt;" }, { '&', "&amp;" }, { '"', "&quot;" },
		{ '\'', "&apos;" }, { '\0', NULL } };
	const char *p = text, *end = text + strlen(text);

	put_tag(w, name, false);
	for (; p < end; p++)
		if (is_forbidden(p, (size_t)(end - p))) {
			status_put_escaped(w->out, text, (size_t)(p - text),
			    special);
			buf_addf(w->out, "\\xef\\xbf\\x%02x",
			    (unsigned char)p[2]);
			p += 2;
			text = p + 1;
		}
	status_put_escaped(w->out, text, (size_t)(end - text), special);
	put_tag(w, name, true);
}

static void
put_bucket(struct status_writer *w, int64_t us, uint64_t count)
{
	buf_puts(w->out, "<bucket><le>");
	if (us == -1)
		buf_puts(w->out, "+Inf");
	else
		status_put_seconds(w->out, us);
	buf_addf(w->out, "</le><count>%llu</count></bucket>",
	    (unsigned long long)count);
}

static void
open(struct status_writer *w, const char *name, enum status_nest nest)
{
	(void)nest;
	put_tag(w, name, false);
}

static void
close(struct status_writer *w, const char *name, enum status_nest nest)
{
	(void)nest;
	put_tag(w, name, true);
}

void
status_xml(const struct status *status, bool full, struct buf *out)
{
	static const struct status_style style = { put_integer, put_decimal,
		put_integer, put_text, put_bucket, open, close };
	struct status_writer writer = { .style = &style, .out = out };

	buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<status>");
	status_fields(status, full, &writer);
	buf_puts(out, "</status>\n");
}
