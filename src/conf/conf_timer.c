#include "conf/conf_timer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

bool
conf_timer_is_name(const char *name)
{
	size_t n = 0;

	while (isalnum((unsigned char)name[n]) || name[n] == '_' ||
	    name[n] == '-')
		n++;
	return n > 0 && n < TIMER_NAME && name[n] == '\0';
}

int
conf_timer_every(const char *text, struct conf_timer *timer)
{
	int64_t ms;

	if (num_duration(text, &ms) == -1)
		return -1;
	if (ms < TIMER_SHORTEST || ms > TIMER_LONGEST) {
		errno = ERANGE;
		return -1;
	}
	timer->every = ms;
	return 0;
}

/* Two digits below `limit`, or -1. */
static int
two_digits(const char *text, int limit)
{
	int n;

	if (!isdigit((unsigned char)text[0]) ||
	    !isdigit((unsigned char)text[1]))
		return -1;
	n = (text[0] - '0') * 10 + (text[1] - '0');
	return n < limit ? n : -1;
}

int
conf_timer_at(const char *text, struct conf_timer *timer)
{
	int hour = -1, minute = -1;

	if (strlen(text) == 5 && text[2] == ':') {
		hour = two_digits(text, 24);
		minute = two_digits(text + 3, 60);
	}
	if (hour == -1 || minute == -1) {
		errno = EINVAL;
		return -1;
	}
	timer->every = 0;
	timer->at = hour * 60 + minute;
	return 0;
}

int
conf_timer_read(const char *text, struct conf_timer *timer)
{
	const char *blank = strchr(text, ' ');
	struct conf_timer read = { .every = 0 };
	size_t n = blank == NULL ? TIMER_NAME : (size_t)(blank - text);
	int result = -1;

	errno = EINVAL;
	if (n >= TIMER_NAME)
		return -1;
	memcpy(read.name, text, n);
	if (!conf_timer_is_name(read.name))
		return -1;
	if (strncmp(blank, " every ", 7) == 0)
		result = conf_timer_every(blank + 7, &read);
	else if (strncmp(blank, " at ", 4) == 0)
		result = conf_timer_at(blank + 4, &read);
	if (result == 0)
		*timer = read;
	return result;
}

const char *
conf_timer_when(const struct conf_timer *timer, char out[TIMER_TEXT])
{
	char duration[NUM_TEXT];

	if (timer->every > 0)
		snprintf(out, TIMER_TEXT, "every %s",
		    num_duration_text(timer->every, duration));
	else
		snprintf(out, TIMER_TEXT, "at %02d:%02d",
		    (int)(timer->at / 60 % 24), (int)(timer->at % 60));
	return out;
}

const char *
conf_timer_text(const struct conf_timer *timer, char out[TIMER_TEXT])
{
	char when[TIMER_TEXT];

	snprintf(out, TIMER_TEXT, "%.32s %.60s", timer->name,
	    conf_timer_when(timer, when));
	return out;
}
