#include "conf/conf_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/num.h"
#include "conf/conf_timer.h"

static int
value_fail(int error)
{
	errno = error;
	return -1;
}

static void *
value_member(const struct conf_key *key, const void *object)
{
	return (char *)(uintptr_t)object + key->offset;
}

static int
check_length(const struct conf_key *key, size_t len)
{
	if (len < (size_t)key->min)
		return value_fail(EINVAL);
	if (len > (size_t)key->max)
		return value_fail(ERANGE);
	return 0;
}

static int
string_set(const struct conf_key *key, char **member, const char *text)
{
	char *copy = NULL;
	size_t len = strlen(text);

	if (check_length(key, len) == -1)
		return -1;
	if (len > 0 && (copy = strdup(text)) == NULL)
		return -1;
	free(*member);
	*member = copy;
	return 0;
}

static int
list_add(const struct conf_key *key, struct conf_list *list, const char *text)
{
	size_t len = strlen(text);

	if (len == 0)
		return value_fail(EINVAL);
	return check_length(key, len) == -1 ? -1 : conf_list_add(list, text);
}

static int
word_parse(const struct conf_key *key, const char *text, int64_t *value)
{
	for (int i = 0; key->words[i] != NULL; i++) {
		if (strcmp(key->words[i], text) == 0) {
			*value = i;
			return 0;
		}
	}
	return value_fail(EINVAL);
}

static int
bool_set(bool *member, const char *text)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return value_fail(EINVAL);
	*member = *text == 't';
	return 0;
}

static int
filemode_parse(const char *text, int64_t *value)
{
	mode_t mode;

	if (num_mode(text, &mode) == -1)
		return -1;
	*value = mode;
	return 0;
}

/* True if the text is a name that every shell accepts, up to a '='. */
static bool
is_variable(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return n > 0 && text[n] == '=' && !isdigit((unsigned char)*text);
}

static int
variable_add(struct conf_list *list, const char *text)
{
	if (!is_variable(text))
		return value_fail(EINVAL);
	return conf_list_add(list, text);
}

/* Append "NAME=BYTES" for the first n bytes of a text, "NAME=SIZE". */
static int
size_add(const struct conf_key *key, struct conf_list *list, const char *text,
    size_t n)
{
	char *item = strndup(text, n), *whole = NULL;
	int result = -1;
	int64_t size;
	size_t len;

	if (item == NULL)
		return -1;
	len = strcspn(item, "=");
	if (!is_variable(item))
		value_fail(EINVAL);
	else if (num_size(item + len + 1, &size) == -1)
		;
	else if (size < key->min || size > key->max)
		value_fail(ERANGE);
	else if (asprintf(&whole, "%.*s=%" PRId64, (int)len, item, size) != -1)
		result = conf_list_add(list, whole);
	free(whole);
	free(item);
	return result;
}

/* Several of them, separated by commas, on a command line. */
static int
sizes_add(const struct conf_key *key, struct conf_list *list, const char *text)
{
	size_t n = strcspn(text, ",");

	for (; text[n] == ','; text += n + 1, n = strcspn(text, ","))
		if (size_add(key, list, text, n) == -1)
			return -1;
	return size_add(key, list, text, n);
}

static int
timer_add(struct conf_list *list, const char *text)
{
	struct conf_timer timer;
	char shortest[TIMER_TEXT];

	if (conf_timer_read(text, &timer) == -1)
		return -1;
	if (list->n == TIMERS_MOST)
		return value_fail(ERANGE);
	return conf_list_add(list, conf_timer_text(&timer, shortest));
}

/* A size or mode that is a word, "" or "unlimited".  True if the key accepts
 * the word. */
static bool
word_value(const struct conf_key *key, const char *text, int64_t *value)
{
	if (key->type != KEY_SIZE && key->type != KEY_FILEMODE)
		return false;
	*value = *text == '\0' ? CONF_UNSET : CONF_UNLIMITED;
	return (*text == '\0' && key->min == CONF_UNSET) ||
	    (strcmp(text, "unlimited") == 0 && key->max == CONF_UNLIMITED);
}

static int
number_parse(const struct conf_key *key, const char *text, int64_t *value)
{
	switch (key->type) {
	case KEY_DURATION:
		return num_duration(text, value);
	case KEY_SIZE:
		return num_size(text, value);
	case KEY_FILEMODE:
		return filemode_parse(text, value);
	default:
		return num_integer(text, key->min, key->max, value);
	}
}

static int
number_set(const struct conf_key *key, int64_t *member, const char *text)
{
	int64_t value;

	if (!word_value(key, text, &value) &&
	    number_parse(key, text, &value) == -1)
		return -1;
	if (value < key->min || value > key->max)
		return value_fail(ERANGE);
	*member = value;
	return 0;
}

void
conf_value_clear(const struct conf_key *key, void *object)
{
	if (key->type == KEY_STRINGS || key->type == KEY_TIMERS)
		conf_list_free(value_member(key, object));
}

int
conf_value_set(const struct conf_key *key, void *object, const char *text)
{
	void *member = value_member(key, object);

	switch (key->type) {
	case KEY_STRING:
		return string_set(key, member, text);
	case KEY_STRINGS:
		return list_add(key, member, text);
	case KEY_VARIABLES:
		return variable_add(member, text);
	case KEY_SIZES:
		return sizes_add(key, member, text);
	case KEY_TIMERS:
		return timer_add(member, text);
	case KEY_BOOL:
		return bool_set(member, text);
	case KEY_WORD:
		return word_parse(key, text, member);
	default:
		return number_set(key, member, text);
	}
}

static int
defaults_set(void *object, bool top)
{
	const struct conf_key *key;

	for (key = conf_keys; key->name != NULL; key++) {
		if ((key->group == GROUP_TOP) == top && key->initial != NULL &&
		    conf_value_set(key, object, key->initial) == -1)
			return -1;
	}
	return 0;
}

int
conf_value_defaults(struct conf *conf)
{
	return defaults_set(conf, true);
}

int
conf_value_pool_defaults(struct conf_pool *pool)
{
	return defaults_set(pool, false);
}

/* "a size as "128M", from 0 to 1024G".  The example is the default, or what is
 * usual where that turns something off. */
static const char *
range_text(const struct conf_key *key, char out[VALUE_TEXT], const char *noun,
    const char *usual, const char *(*show)(int64_t, char *))
{
	bool off = key->initial == NULL || strcmp(key->initial, "0") == 0;
	const char *quote = key->type == KEY_INTEGER ? "" : "\"";
	char min[NUM_TEXT], max[NUM_TEXT];

	snprintf(out, VALUE_TEXT, "%s as %s%s%s, from %s to %s", noun, quote,
	    off ? usual : key->initial, quote, show(key->min, min),
	    show(key->max, max));
	return out;
}

static const char *
string_text(const struct conf_key *key, char out[VALUE_TEXT])
{
	snprintf(out, VALUE_TEXT, "a string in double quotes, of %" PRId64
	    " to %" PRId64 " bytes", key->min, key->max);
	return out;
}

static const char *
mode_text(const struct conf_key *key, char out[VALUE_TEXT])
{
	snprintf(out, VALUE_TEXT, "an octal mode in quotes as \"%s\", up to "
	    "\"0777\"", *key->initial != '\0' ? key->initial : "0022");
	return out;
}

static const char *
strings_text(const struct conf_key *key, char out[VALUE_TEXT])
{
	if (strcmp(key->name, "listen") == 0 ||
	    strcmp(key->name, "status_listen") == 0)
		return strcpy(out, "an address as \"/run/www.sock\", "
		    "\"127.0.0.1:9000\" or \"http:127.0.0.1:8080\", or a "
		    "list of them, ( \"...\", \"...\" )");
	return strcpy(out, "a string in double quotes or a list of them, "
	    "( \"...\", \"...\" ), none empty");
}

static const char *
sizes_text(const struct conf_key *key, char out[VALUE_TEXT])
{
	char min[NUM_TEXT], max[NUM_TEXT];

	snprintf(out, VALUE_TEXT, "a group of sizes, { NAME = \"16M\"; }, from "
	    "%s to %s, with names of letters, digits and '_'",
	    num_size_text(key->min, min), num_size_text(key->max, max));
	return out;
}

static const char *
words_text(const struct conf_key *key, char out[VALUE_TEXT])
{
	size_t used = (size_t)snprintf(out, VALUE_TEXT, "one of");

	for (int i = 0; key->words[i] != NULL && used < VALUE_TEXT; i++)
		used += (size_t)snprintf(out + used, VALUE_TEXT - used,
		    "%s \"%s\"", i == 0 ? "" : ",", key->words[i]);
	return out;
}

static const char *
integer_text(int64_t value, char out[NUM_TEXT])
{
	snprintf(out, NUM_TEXT, "%" PRId64, value);
	return out;
}

const char *
conf_value_expects(const struct conf_key *key, char out[VALUE_TEXT])
{
	switch (key->type) {
	case KEY_STRING:
		return string_text(key, out);
	case KEY_STRINGS:
		return strings_text(key, out);
	case KEY_VARIABLES:
		return strcpy(out, "a group of variables, { NAME = \"value\"; "
		    "}");
	case KEY_SIZES:
		return sizes_text(key, out);
	case KEY_TIMERS:
		return strcpy(out, "a list of timers, ( { name = "
		    "\"cleanup\"; every = \"1m\"; }, ... )");
	case KEY_BOOL:
		return strcpy(out, "true or false, without quotes");
	case KEY_INTEGER:
		return range_text(key, out, "an integer",
		    key->max < 1000000 ? "8" : "1000", integer_text);
	case KEY_DURATION:
		return range_text(key, out, "a duration", "30s",
		    num_duration_text);
	case KEY_SIZE:
		if (key->max == CONF_UNLIMITED)
			return strcpy(out, "a size as \"128M\", or "
			    "\"unlimited\"");
		return range_text(key, out, "a size", "128M", num_size_text);
	case KEY_FILEMODE:
		return mode_text(key, out);
	case KEY_WORD:
		return words_text(key, out);
	}
	return strcpy(out, "another value");
}

static bool
string_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
list_same(const struct conf_list *a, const struct conf_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->item[i], b->item[i]) != 0)
			return false;
	}
	return true;
}

bool
conf_value_same(const struct conf_key *key, const void *a, const void *b)
{
	const void *one = value_member(key, a), *other = value_member(key, b);

	switch (key->type) {
	case KEY_STRING:
		return string_same(*(char *const *)one, *(char *const *)other);
	case KEY_STRINGS:
	case KEY_VARIABLES:
	case KEY_SIZES:
	case KEY_TIMERS:
		return list_same(one, other);
	case KEY_BOOL:
		return *(const bool *)one == *(const bool *)other;
	default:
		return *(const int64_t *)one == *(const int64_t *)other;
	}
}

/* A byte that cannot be shown is written as \xHH, which libconfig reads. */
static void
string_print(const char *text, FILE *out)
{
	size_t left = text == NULL ? 0 : strlen(text), n;

	putc('"', out);
	for (; left > 0; text += n, left -= n) {
		n = escape_character(text, left);
		if (n == 0) {
			fprintf(out, "\\x%02x", (unsigned char)*text);
			n = 1;
		} else {
			if (*text == '"' || *text == '\\')
				putc('\\', out);
			fwrite(text, 1, n, out);
		}
	}
	putc('"', out);
}

static void
list_print(const struct conf_list *list, FILE *out)
{
	if (list->n == 1) {
		string_print(list->item[0], out);
		return;
	}
	putc('(', out);
	for (size_t i = 0; i < list->n; i++) {
		fputs(i == 0 ? " " : ", ", out);
		string_print(list->item[i], out);
	}
	fputs(" )", out);
}

static void
variables_print(const struct conf_list *list, FILE *out)
{
	fputs("{ ", out);
	for (size_t i = 0; i < list->n; i++) {
		const char *value = strchr(list->item[i], '=') + 1;

		fprintf(out, "%.*s = ", (int)(value - 1 - list->item[i]),
		    list->item[i]);
		string_print(value, out);
		fputs("; ", out);
	}
	putc('}', out);
}

static void
sizes_print(const struct conf_list *list, FILE *out)
{
	char text[NUM_TEXT];
	size_t len;
	int64_t size;

	fputs("{ ", out);
	for (size_t i = 0; i < list->n; i++) {
		size = conf_shared_item(list->item[i], &len);
		fprintf(out, "%.*s = \"%s\"; ", (int)len, list->item[i],
		    num_size_text(size, text));
	}
	putc('}', out);
}

static void
timers_print(const struct conf_list *list, FILE *out)
{
	char when[TIMER_TEXT];

	putc('(', out);
	for (size_t i = 0; i < list->n; i++) {
		struct conf_timer timer = { .every = 0 };
		const char *value;

		conf_timer_read(list->item[i], &timer);
		value = strchr(conf_timer_when(&timer, when), ' ');
		fprintf(out, "%s{ name = \"%s\"; %.*s = \"%s\"; }",
		    i == 0 ? " " : ", ", timer.name, (int)(value - when), when,
		    value + 1);
	}
	fputs(" )", out);
}

static void
number_print(const struct conf_key *key, int64_t value, FILE *out)
{
	char text[NUM_TEXT];

	if (value == CONF_UNSET && key->min == CONF_UNSET) {
		fputs("\"\"", out);
		return;
	}
	switch (key->type) {
	case KEY_DURATION:
		fprintf(out, "\"%s\"", num_duration_text(value, text));
		break;
	case KEY_SIZE:
		if (value == CONF_UNLIMITED) {
			fputs("\"unlimited\"", out);
			break;
		}
		fprintf(out, "\"%s\"", num_size_text(value, text));
		break;
	case KEY_FILEMODE:
		fprintf(out, "\"%04o\"", (unsigned)value);
		break;
	case KEY_WORD:
		fprintf(out, "\"%s\"", key->words[value]);
		break;
	default:
		fprintf(out, "%" PRId64, value);
	}
}

void
conf_value_print(const struct conf_key *key, const void *object, FILE *out)
{
	const void *member = value_member(key, object);

	switch (key->type) {
	case KEY_STRING:
		string_print(*(char *const *)member, out);
		break;
	case KEY_STRINGS:
		list_print(member, out);
		break;
	case KEY_VARIABLES:
		variables_print(member, out);
		break;
	case KEY_SIZES:
		sizes_print(member, out);
		break;
	case KEY_TIMERS:
		timers_print(member, out);
		break;
	case KEY_BOOL:
		fputs(*(const bool *)member ? "true" : "false", out);
		break;
	default:
		number_print(key, *(const int64_t *)member, out);
	}
}
