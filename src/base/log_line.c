#include "base/log_line.h"

#include <stdint.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/locale.h"

#define IDENTITY "lua-fpm"

const char *const log_level_names[] = { "debug", "info", "notice", "warning",
	"error", "alert", NULL };
const char *const log_form_names[] = { "text", "json", NULL };

static const int priorities[] = { LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING,
	LOG_ERR, LOG_ALERT };

/* ---- text ---------------------------------------------------------------- */

static void
add_subject(struct buf *line, const struct log_entry *e)
{
	if (e->method == NULL)
		return;
	escape_text(line, e->method, strlen(e->method));
	buf_putc(line, ' ');
	escape_text(line, e->uri, strlen(e->uri));
	buf_puts(line, ": ");
}

/* Append the text for a person to read.  A further line of it is indented, so
 * that it cannot be taken for an entry. */
static void
add_lines(struct buf *line, const char *text, size_t n)
{
	const char *end = text + n, *nl;

	for (; (nl = memchr(text, '\n', (size_t)(end - text))) != NULL;
	    text = nl + 1) {
		escape_lines(line, text, (size_t)(nl - text));
		buf_putc(line, '\n');
		if (nl + 1 == end || nl[1] != '\t')
			buf_putc(line, '\t');
	}
	escape_lines(line, text, (size_t)(end - text));
}

static void
add_message(struct buf *line, const struct log_entry *e)
{
	add_subject(line, e);
	escape_text(line, e->text, e->len);
}

static void
add_pool(struct buf *line, const struct log_entry *e)
{
	if (e->pool != NULL)
		buf_addf(line, "[pool %s] ", e->pool);
}

static void
add_request(struct buf *line, const struct log_entry *e)
{
	if (e->request != NULL)
		buf_addf(line, "[request %s] ", e->request);
}

static void
add_origin(struct buf *line, const struct log_entry *e)
{
	add_pool(line, e);
	buf_addf(line, "[pid %d] ", (int)e->pid);
	add_request(line, e);
}

static void
add_rest(struct buf *line, const struct log_entry *e)
{
	add_origin(line, e);
	add_message(line, e);
	buf_putc(line, '\n');
}

static void
make_text(struct buf *line, const struct log_entry *e)
{
	char now[CLOCK_TEXT];

	buf_addf(line, "%s %s ", clock_text(now), log_level_names[e->level]);
	add_rest(line, e);
}

static void
make_terminal(struct buf *line, const struct log_entry *e)
{
	char now[CLOCK_TEXT];

	buf_addf(line, "%s %s ", clock_text(now), log_level_names[e->level]);
	add_origin(line, e);
	add_subject(line, e);
	add_lines(line, e->text, e->len);
	buf_putc(line, '\n');
}

static void
make_prefix(struct buf *line, const struct log_entry *e)
{
	buf_addf(line, "<%d>", priorities[e->level]);
	add_rest(line, e);
}

/* The pid is part of the tag, as syslog(3) writes it. */
static void
make_syslog(struct buf *line, const struct log_entry *e)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[32];

	localtime_r(&now, &tm);
	locale_time(text, sizeof(text), "%b %e %T", &tm);
	buf_addf(line, "<%d>%s " IDENTITY "[%d]: ",
	    LOG_DAEMON | priorities[e->level], text, (int)e->pid);
	add_pool(line, e);
	add_request(line, e);
	add_message(line, e);
}

/* ---- JSON ---------------------------------------------------------------- */

static void
add_string(struct buf *line, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_addf(line, ",\"%s\":", name);
	escape_json(line, value, strlen(value));
}

static void
make_json(struct buf *line, const struct log_entry *e)
{
	char now[CLOCK_TEXT];

	buf_addf(line, "{\"time\":\"%s\",\"level\":\"%s\"", clock_text(now),
	    log_level_names[e->level]);
	add_string(line, "pool", e->pool);
	buf_addf(line, ",\"pid\":%d", (int)e->pid);
	add_string(line, "request_id", e->request);
	add_string(line, "method", e->method);
	add_string(line, "uri", e->uri);
	buf_puts(line, ",\"message\":");
	escape_json(line, e->text, e->len);
	buf_puts(line, "}\n");
}

/* ---- journald ------------------------------------------------------------ */

/* A value with a newline is sent with its length, 64 bits, little-endian:
 * https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ */
static void
add_field(struct buf *line, const char *name, const char *value, size_t len)
{
	unsigned char size[8];

	buf_puts(line, name);
	if (memchr(value, '\n', len) != NULL) {
		for (size_t i = 0; i < sizeof(size); i++)
			size[i] = (unsigned char)((uint64_t)len >> 8 * i);
		buf_putc(line, '\n');
		buf_add(line, size, sizeof(size));
	} else {
		buf_putc(line, '=');
	}
	buf_add(line, value, len);
	buf_putc(line, '\n');
}

static void
add_field_text(struct buf *line, const char *name, const char *value)
{
	if (value != NULL)
		add_field(line, name, value, strlen(value));
}

/* The journal stores any bytes and its readers escape them: texts are sent as
 * they are, a traceback with its newlines. */
static void
make_journal(struct buf *line, const struct log_entry *e)
{
	buf_puts(line, "SYSLOG_IDENTIFIER=" IDENTITY "\n");
	buf_addf(line, "PRIORITY=%d\nSYSLOG_PID=%d\nLUA_FPM_PID=%d\n",
	    priorities[e->level], (int)e->pid, (int)e->pid);
	add_field_text(line, "LUA_FPM_POOL", e->pool);
	add_field_text(line, "LUA_FPM_REQUEST_ID", e->request);
	add_field_text(line, "LUA_FPM_METHOD", e->method);
	add_field_text(line, "LUA_FPM_URI", e->uri);
	add_field(line, "MESSAGE", e->text, e->len);
}

/* -------------------------------------------------------------------------- */

int
log_line_make(struct buf *line, enum log_form form,
    const struct log_entry *entry)
{
	static void (*const make[FORM_COUNT])(struct buf *,
	    const struct log_entry *) = {
		[FORM_TEXT] = make_text, [FORM_JSON] = make_json,
		[FORM_PREFIX] = make_prefix, [FORM_SYSLOG] = make_syslog,
		[FORM_JOURNAL] = make_journal, [FORM_TERMINAL] = make_terminal };
	static const char excuse[] = "no memory to say what happened";
	struct log_entry less = *entry;

	buf_clear(line);
	make[form](line, entry);
	if (!line->failed)
		return 0;
	less.method = less.uri = NULL;
	less.text = excuse;
	less.len = sizeof(excuse) - 1;
	buf_clear(line);
	make[form](line, &less);
	return line->failed ? -1 : 0;
}
