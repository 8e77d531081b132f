#include "base/log_wire.h"

#include <string.h>

#define SEPARATOR '\x1f' /* ends each of the fields before the text */
#define ESCAPE	  '\x1c' /* before a byte that has a meaning of its own */
#define SHIFT	  0x40	 /* is added to that byte */

enum { FIELD_REQUEST, FIELD_METHOD, FIELD_URI, FIELDS };

static bool
is_special(char byte)
{
	return byte == '\n' || byte == LOG_WIRE_BEGIN || byte == SEPARATOR ||
	    byte == ESCAPE || byte == '\x1e' /* a mark: ipc/output_tag.h */;
}

static void
put(struct buf *out, const char *text, size_t n)
{
	size_t begun = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_special(text[i]))
			continue;
		buf_add(out, text + begun, i - begun);
		buf_putc(out, ESCAPE);
		buf_putc(out, text[i] + SHIFT);
		begun = i + 1;
	}
	buf_add(out, text + begun, n - begun);
}

static void
put_field(struct buf *out, const char *text)
{
	if (text != NULL)
		put(out, text, strlen(text));
	buf_putc(out, SEPARATOR);
}

void
log_wire_put(struct buf *out, const struct log_entry *e)
{
	buf_putc(out, LOG_WIRE_BEGIN);
	buf_putc(out, '0' + (int)e->level);
	put_field(out, e->request);
	put_field(out, e->method);
	put_field(out, e->method != NULL ? e->uri : NULL);
	put(out, e->text, e->len);
	buf_putc(out, '\n');
}

/* In place, since the text never grows.  Returns its new length. */
static size_t
unescape(char *text, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] == ESCAPE && i + 1 < n)
			text[to++] = (char)(text[++i] - SHIFT);
		else
			text[to++] = text[i];
	}
	return to;
}

bool
log_wire_get(char *line, size_t n, struct log_entry *entry)
{
	char *end = line + n, *at = line + 2, *stop[FIELDS];
	const char *field[FIELDS];

	if (n < 2 || line[0] != LOG_WIRE_BEGIN || line[1] < '0' ||
	    line[1] > '0' + LEVEL_ALERT)
		return false;
	for (int i = 0; i < FIELDS; i++) {
		stop[i] = memchr(at, SEPARATOR, (size_t)(end - at));
		if (stop[i] == NULL)
			return false;
		at = stop[i] + 1;
	}
	for (int i = 0, from = 2; i < FIELDS; i++) {
		char *text = line + from;

		from = (int)(stop[i] + 1 - line);
		text[unescape(text, (size_t)(stop[i] - text))] = '\0';
		field[i] = *text != '\0' ? text : NULL;
	}
	entry->level = (enum log_level)(line[1] - '0');
	entry->request = field[FIELD_REQUEST];
	entry->method = field[FIELD_METHOD];
	entry->uri = field[FIELD_URI] != NULL ? field[FIELD_URI] : "";
	entry->text = at;
	entry->len = unescape(at, (size_t)(end - at));
	return true;
}
