#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "status/status_put.h"
#include "status/status_writer.h"

#define COLUMN 22 /* where values begin, as in php-fpm */

/* php-fpm spells this name differently in this format. */
static const char *
label(const char *name)
{
	return strcmp(name, "request uri") == 0 ? "request URI" : name;
}

static void
put_name(struct status_writer *w, const char *name)
{
	size_t from = w->out->len;

	if (w->group != NULL)
		buf_addf(w->out, "%s ", w->group);
	buf_addf(w->out, "%s: ", label(name));
	while (!w->out->failed && w->out->len < from + COLUMN)
		buf_putc(w->out, ' ');
}

static void
put_integer(struct status_writer *w, const char *name, int64_t n)
{
	put_name(w, name);
	buf_addf(w->out, "%lld\n", (long long)n);
}

static void
put_decimal(struct status_writer *w, const char *name, int64_t value,
    int digits)
{
	put_name(w, name);
	status_put_decimal(w->out, value, digits);
	buf_putc(w->out, '\n');
}

/* "21/Nov/2026:13:30:42 +0100", whatever the application's locale is. */
static void
put_time(struct status_writer *w, const char *name, int64_t n)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)n;
	struct tm tm = { .tm_mday = 1 };
	long zone;

	localtime_r(&seconds, &tm);
	zone = tm.tm_gmtoff < 0 ? -tm.tm_gmtoff : tm.tm_gmtoff;
	put_name(w, name);
	buf_addf(w->out, "%02d/%.3s/%d:%02d:%02d:%02d %c%02ld%02ld\n",
	    tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec, tm.tm_gmtoff < 0 ? '-' : '+', zone / 3600,
	    zone / 60 % 60);
}

static void
put_text(struct status_writer *w, const char *name, const char *text)
{
	put_name(w, name);
	escape_text(w->out, text, strlen(text));
	buf_putc(w->out, '\n');
}

static void
put_bucket(struct status_writer *w, int64_t us, uint64_t count)
{
	struct buf name = { 0 };

	buf_puts(&name, "latency to ");
	if (us == -1)
		buf_puts(&name, "+Inf");
	else
		status_put_seconds(&name, us);
	if (buf_string(&name) != NULL)
		put_integer(w, name.data, (int64_t)count);
	w->out->failed |= name.failed;
	buf_free(&name);
}

static void
open(struct status_writer *w, const char *name, enum status_nest nest)
{
	(void)name;
	if (nest == NEST_ITEM)
		buf_puts(w->out, "\n************************\n");
}

static void
close(struct status_writer *w, const char *name, enum status_nest nest)
{
	(void)w;
	(void)name;
	(void)nest;
}

void
status_text(const struct status *status, bool full, struct buf *out)
{
	static const struct status_style style = { put_integer, put_decimal,
		put_time, put_text, put_bucket, open, close };
	struct status_writer writer = { .style = &style, .out = out };

	status_fields(status, full, &writer);
}
