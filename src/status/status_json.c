#include <string.h>

#include "status/status_put.h"
#include "status/status_writer.h"

void
status_json_string(struct buf *out, const char *text, size_t len)
{
	static const struct status_escape special[] = { { '"', "\\\"" },
		{ '\\', "\\\\" }, { '<', "\\u003c" }, { '\0', NULL } };

	buf_putc(out, '"');
	status_put_escaped(out, text, len, special);
	buf_putc(out, '"');
}

/* Append the comma and the name before a value; NULL: no name. */
static void
put_name(struct status_writer *w, const char *name)
{
	if (w->more)
		buf_putc(w->out, ',');
	w->more = true;
	if (name == NULL)
		return;
	status_json_string(w->out, name, strlen(name));
	buf_putc(w->out, ':');
}

static void
put_integer(struct status_writer *w, const char *name, int64_t n)
{
	put_name(w, name);
	buf_addf(w->out, "%lld", (long long)n);
}

static void
put_decimal(struct status_writer *w, const char *name, int64_t value,
    int digits)
{
	put_name(w, name);
	status_put_decimal(w->out, value, digits);
}

static void
put_text(struct status_writer *w, const char *name, const char *text)
{
	put_name(w, name);
	status_json_string(w->out, text, strlen(text));
}

static void
put_bucket(struct status_writer *w, int64_t us, uint64_t count)
{
	put_name(w, NULL);
	buf_puts(w->out, "{\"le\":");
	if (us == -1)
		buf_puts(w->out, "\"+Inf\"");
	else
		status_put_seconds(w->out, us);
	buf_addf(w->out, ",\"count\":%llu}", (unsigned long long)count);
}

static void
open(struct status_writer *w, const char *name, enum status_nest nest)
{
	put_name(w, nest == NEST_ITEM ? NULL : name);
	buf_putc(w->out, nest == NEST_LIST ? '[' : '{');
}

static void
close(struct status_writer *w, const char *name, enum status_nest nest)
{
	(void)name;
	buf_putc(w->out, nest == NEST_LIST ? ']' : '}');
}

void
status_json(const struct status *status, bool full, struct buf *out)
{
	static const struct status_style style = { put_integer, put_decimal,
		put_integer, put_text, put_bucket, open, close };
	struct status_writer writer = { .style = &style, .out = out };

	buf_putc(out, '{');
	status_fields(status, full, &writer);
	buf_putc(out, '}');
}
