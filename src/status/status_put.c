#include "status/status_put.h"

#include "base/escape.h"

void
status_put_decimal(struct buf *out, int64_t value, int digits)
{
	int64_t scale = 1;

	for (int i = 0; i < digits; i++)
		scale *= 10;
	if (value < 0)
		buf_putc(out, '-');
	value = value < 0 ? -value : value;
	buf_addf(out, "%lld.%0*lld", (long long)(value / scale), digits,
	    (long long)(value % scale));
}

void
status_put_seconds(struct buf *out, int64_t us)
{
	status_put_decimal(out, us, 6);
	while (!out->failed && out->data[out->len - 1] == '0')
		out->len--;
	if (!out->failed && out->data[out->len - 1] == '.')
		out->len--;
}

static const char *
replacement(const struct status_escape *special, char byte)
{
	for (; special->text != NULL; special++)
		if (special->byte == byte)
			return special->text;
	return NULL;
}

void
status_put_escaped(struct buf *out, const char *text, size_t len,
    const struct status_escape *special)
{
	struct buf shown = { 0 };
	const char *other;

	escape_text(&shown, text, len);
	for (size_t i = 0; i < shown.len; i++) {
		other = replacement(special, shown.data[i]);
		if (other != NULL)
			buf_puts(out, other);
		else
			buf_putc(out, shown.data[i]);
	}
	out->failed |= shown.failed;
	buf_free(&shown);
}
