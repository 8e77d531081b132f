#include "conf/php_line.h"

#include <ctype.h>
#include <string.h>

char *
php_line_trim(char *text)
{
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	n = strlen(text);
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
	return text;
}

/* The value in quotes at text, which is its first; NULL if it does not end. */
static char *
unquote(char *text)
{
	char quote = *text, *to = text;
	const char *from = text + 1;

	for (; *from != quote; from++) {
		if (*from == '\\' && (from[1] == quote || from[1] == '\\'))
			from++;
		if (*from == '\0')
			return NULL;
		*to++ = *from;
	}
	*to = '\0';
	return text;
}

static char *
value_of(char *text)
{
	text = php_line_trim(text);
	if (*text == '"' || *text == '\'')
		return unquote(text);
	text[strcspn(text, ";")] = '\0';
	return php_line_trim(text);
}

static enum php_line
parse_entry(char *line, struct php_entry *entry)
{
	char *equals = strchr(line, '='), *open, *close;

	if (equals == NULL)
		return PHP_LINE_BAD;
	*equals = '\0';
	entry->name = php_line_trim(line);
	entry->inner = NULL;
	if ((open = strchr(entry->name, '[')) != NULL) {
		if ((close = strchr(open, ']')) == NULL)
			return PHP_LINE_BAD;
		*open = *close = '\0';
		entry->inner = open + 1;
	}
	entry->value = value_of(equals + 1);
	return *entry->name == '\0' || entry->value == NULL ? PHP_LINE_BAD :
	    PHP_LINE_ENTRY;
}

enum php_line
php_line_parse(char *line, struct php_entry *entry)
{
	char *close;

	line = php_line_trim(line);
	if (*line == '\0' || *line == ';' || *line == '#')
		return PHP_LINE_NONE;
	if (*line != '[')
		return parse_entry(line, entry);
	if ((close = strchr(line, ']')) == NULL)
		return PHP_LINE_BAD;
	*close = '\0';
	entry->name = php_line_trim(line + 1);
	return *entry->name == '\0' ? PHP_LINE_BAD : PHP_LINE_SECTION;
}
