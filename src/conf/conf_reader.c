#include "conf/conf_reader.h"

#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "conf/conf_near.h"
#include "conf/conf_setting.h"
#include "conf/conf_timer.h"
#include "conf/conf_value.h"

/* ---- faults ------------------------------------------------------------- */

void
reader_fault(struct reader *r, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_faultv(r->faults, r->file, line, fmt, ap);
	va_end(ap);
	r->failed = true;
}

void
reader_fault_memory(struct reader *r)
{
	r->exhausted = true;
	reader_fault(r, 0, "%s", strerror(ENOMEM));
}

/* "pool www: workers.max" for faults, without pool and group outside them. */
static const char *
full_name(const struct target *target, enum key_group group, const char *name,
    char out[128])
{
	const char *within = conf_group_name(group);
	const char *pool = target->pool;

	snprintf(out, 128, "%s%.32s%s%s%s%.48s", pool != NULL ? "pool " : "",
	    pool != NULL ? pool : "", pool != NULL ? ": " : "", within,
	    *within != '\0' ? "." : "", name);
	return out;
}

/* ---- one setting -------------------------------------------------------- */

static int
fault_value(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	char name[128], expects[VALUE_TEXT], found[SETTING_TEXT];
	/* Libconfig 1.7 reads 0660 as 432, which nobody wrote. */
	bool number = key->type == KEY_FILEMODE &&
	    conf_setting_fits(KEY_INTEGER, setting);

	reader_fault(r, (int)config_setting_source_line(setting),
	    "%s: expected %s, found %s",
	    full_name(target, key->group, key->name, name),
	    conf_value_expects(key, expects),
	    number ? "a number" : conf_setting_found(setting, found));
	return -1;
}

static int
read_value(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	char scratch[NUM_TEXT];

	if (!conf_setting_fits(key->type, setting))
		return fault_value(r, target, key, setting);
	if (conf_value_set(key, target->object,
	    conf_setting_text(setting, scratch)) == 0)
		return 0;
	if (errno != ENOMEM)
		return fault_value(r, target, key, setting);
	reader_fault_memory(r);
	return -1;
}

static int
read_list(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	int n = config_setting_length(setting), result = 0;

	if (n == 0 && key->min > 0)
		return fault_value(r, target, key, setting);
	for (int i = 0; i < n; i++) {
		if (read_value(r, target, key,
		    config_setting_get_elem(setting, i)) == -1)
			result = -1;
	}
	return result;
}

static int
read_variable(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	const char *name = config_setting_name(setting);
	const char *value = config_setting_get_string(setting);
	char within[128], found[SETTING_TEXT], *text = NULL;
	int result = -1;

	full_name(target, key->group, key->name, within);
	if (value == NULL)
		reader_fault(r, (int)config_setting_source_line(setting),
		    "%s.%.64s: expected a string, found %s", within, name,
		    conf_setting_found(setting, found));
	else if (asprintf(&text, "%s=%s", name, value) == -1)
		reader_fault_memory(r);
	else if ((result = conf_value_set(key, target->object, text)) == -1)
		reader_fault(r, (int)config_setting_source_line(setting),
		    "%s.%.64s: no name of a variable: letters, digits and "
		    "'_'", within, name);
	free(text);
	return result;
}

/* A size of a group of them. */
static int
read_size(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	const char *name = config_setting_name(setting);
	char scratch[NUM_TEXT], within[128], expects[VALUE_TEXT];
	char found[SETTING_TEXT], *text = NULL;
	int result = -1;

	errno = EINVAL;
	if (conf_setting_fits(KEY_SIZE, setting) &&
	    asprintf(&text, "%s=%s", name,
		conf_setting_text(setting, scratch)) != -1)
		result = conf_value_set(key, target->object, text);
	if (result == -1 && errno == ENOMEM)
		reader_fault_memory(r);
	else if (result == -1)
		reader_fault(r, (int)config_setting_source_line(setting),
		    "%s.%.64s: expected %s, found %s", full_name(target,
			key->group, key->name, within), name,
		    conf_value_expects(key, expects),
		    conf_setting_found(setting, found));
	free(text);
	return result;
}

static int
read_variables(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	int result = 0;

	if (!config_setting_is_group(setting))
		return fault_value(r, target, key, setting);
	for (int i = 0; i < config_setting_length(setting); i++) {
		if ((key->type == KEY_SIZES ? read_size : read_variable)(r,
			target, key, config_setting_get_elem(setting,
			    (unsigned)i)) == -1)
			result = -1;
	}
	return result;
}

/* ---- timers -------------------------------------------------------------- */

static int __attribute__((format(printf, 4, 5)))
fault_timer(struct reader *r, const struct target *target,
    const config_setting_t *setting, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	reader_fault(r, (int)config_setting_source_line(setting),
	    "pool %.32s: timers: %s", target->pool, text);
	return -1;
}

static int
read_timer_name(struct reader *r, const struct target *target,
    const config_setting_t *setting, struct conf_timer *timer)
{
	const char *name = config_setting_get_string(setting);
	char found[SETTING_TEXT];

	if (name == NULL || !conf_timer_is_name(name))
		return fault_timer(r, target, setting, "name: expected 1 to "
		    "%d letters, digits, '_' and '-' in double quotes, found "
		    "%s", TIMER_NAME - 1, conf_setting_found(setting, found));
	strcpy(timer->name, name);
	return 0;
}

static int
read_timer_member(struct reader *r, const struct target *target,
    const config_setting_t *setting, struct conf_timer *timer)
{
	const char *name = config_setting_name(setting);
	char scratch[NUM_TEXT], found[SETTING_TEXT];

	if (strcmp(name, "name") == 0)
		return read_timer_name(r, target, setting, timer);
	if (strcmp(name, "every") == 0) {
		if (conf_setting_fits(KEY_DURATION, setting) &&
		    conf_timer_every(conf_setting_text(setting, scratch),
			timer) == 0)
			return 0;
		return fault_timer(r, target, setting, "every: expected a "
		    "duration as \"1m\", from 100ms to 30d, found %s",
		    conf_setting_found(setting, found));
	}
	if (strcmp(name, "at") == 0) {
		if (conf_setting_fits(KEY_STRING, setting) &&
		    conf_timer_at(conf_setting_text(setting, scratch),
			timer) == 0)
			return 0;
		return fault_timer(r, target, setting, "at: expected a time "
		    "of the day as \"03:30\", found %s",
		    conf_setting_found(setting, found));
	}
	return fault_timer(r, target, setting, "unknown key %.48s; a timer "
	    "has a name, and every or at", name);
}

/* True if the list, whose items are texts, has a timer of that name. */
static bool
has_timer(const struct conf_list *list, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < list->n; i++)
		if (strncmp(list->item[i], name, n) == 0 &&
		    list->item[i][n] == ' ')
			return true;
	return false;
}

static int
add_timer(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting,
    const struct conf_timer *timer)
{
	const struct conf_pool *pool = target->object;
	char text[TIMER_TEXT];

	if (has_timer(&pool->timers, timer->name))
		return fault_timer(r, target, setting, "\"%s\" is there "
		    "twice", timer->name);
	if (conf_value_set(key, target->object,
		conf_timer_text(timer, text)) == 0)
		return 0;
	if (errno == ERANGE)
		return fault_timer(r, target, setting, "more than %d",
		    TIMERS_MOST);
	reader_fault_memory(r);
	return -1;
}

static int
read_timer(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	struct conf_timer timer = { .every = 0 };
	char found[SETTING_TEXT];
	bool every, at;
	int result = 0;

	if (!config_setting_is_group(setting))
		return fault_timer(r, target, setting, "expected a timer as "
		    "{ name = \"cleanup\"; every = \"1m\"; }, found %s",
		    conf_setting_found(setting, found));
	for (int i = 0; i < config_setting_length(setting); i++)
		if (read_timer_member(r, target,
			config_setting_get_elem(setting, (unsigned)i),
			&timer) == -1)
			result = -1;
	every = config_setting_get_member(setting, "every") != NULL;
	at = config_setting_get_member(setting, "at") != NULL;
	if (config_setting_get_member(setting, "name") == NULL)
		result = fault_timer(r, target, setting, "a timer has no "
		    "name");
	if (every == at)
		result = fault_timer(r, target, setting, "a timer has %s "
		    "every %s at: exactly one of them", every ? "both" :
		    "neither", every ? "and" : "nor");
	return result == -1 ? -1 : add_timer(r, target, key, setting, &timer);
}

static int
read_timers(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	int result = 0;

	if (!config_setting_is_list(setting))
		return fault_value(r, target, key, setting);
	for (int i = 0; i < config_setting_length(setting); i++)
		if (read_timer(r, target, key,
			config_setting_get_elem(setting, (unsigned)i)) == -1)
			result = -1;
	return result;
}

/* ---- a key of any type --------------------------------------------------- */

void
reader_key(struct reader *r, const struct target *target,
    const struct conf_key *key, const config_setting_t *setting)
{
	int line = (int)config_setting_source_line(setting);
	bool many = key->type == KEY_STRINGS &&
	    (config_setting_is_list(setting) || config_setting_is_array(setting));
	int result;

	conf_value_clear(key, target->object);
	if (key->type == KEY_VARIABLES || key->type == KEY_SIZES)
		result = read_variables(r, target, key, setting);
	else if (key->type == KEY_TIMERS)
		result = read_timers(r, target, key, setting);
	else
		result = (many ? read_list : read_value)(r, target, key,
		    setting);
	target->origin->line[key - conf_keys] = result == 0 ? line : -line;
}

/* ---- groups ------------------------------------------------------------- */

/* True if the group has what a pool must have. */
static bool
is_pool(const config_setting_t *setting)
{
	return config_setting_is_group(setting) &&
	    (config_setting_get_member(setting, "app") != NULL ||
		config_setting_get_member(setting, "root") != NULL ||
		config_setting_get_member(setting, "listen") != NULL);
}

void
reader_fault_unknown(struct reader *r, const struct target *target,
    enum key_group group, const config_setting_t *setting)
{
	const char *key = config_setting_name(setting);
	char name[128], near[NEAR_TEXT];

	reader_fault(r, (int)config_setting_source_line(setting),
	    "%s: unknown key%s", full_name(target, group, key, name),
	    group == GROUP_TOP && is_pool(setting) ?
	    "; a pool stands within pools: { ... };" :
	    conf_near(group, key, near));
}

bool
reader_is_group(struct reader *r, const struct target *target,
    const config_setting_t *setting)
{
	char name[128], found[SETTING_TEXT];

	if (config_setting_is_group(setting))
		return true;
	reader_fault(r, (int)config_setting_source_line(setting),
	    "%s: expected a group in braces, found %s",
	    full_name(target, GROUP_TOP, config_setting_name(setting), name),
	    conf_setting_found(setting, found));
	return false;
}

void
reader_group(struct reader *r, const struct target *target,
    enum key_group group, const config_setting_t *setting)
{
	for (int i = 0; i < config_setting_length(setting); i++) {
		const config_setting_t *child =
		    config_setting_get_elem(setting, (unsigned)i);
		const char *name = config_setting_name(child);
		const struct conf_key *key = conf_key_find(group, name);
		int inner = group == GROUP_POOL ? conf_group_find(name) : -1;

		if (key != NULL)
			reader_key(r, target, key, child);
		else if (inner == -1)
			reader_fault_unknown(r, target, group, child);
		else if (reader_is_group(r, target, child))
			reader_group(r, target, (enum key_group)inner, child);
	}
}
