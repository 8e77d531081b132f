#ifndef CONF_PHP_LINE_H
#define CONF_PHP_LINE_H

/*
 * One line of a configuration of php-fpm, which is an ini file: comments begin
 * with ';', values may stand in quotes.  Pure.
 */

enum php_line {
	PHP_LINE_NONE,	  /* blank or a comment */
	PHP_LINE_SECTION, /* [name] */
	PHP_LINE_ENTRY,	  /* name = value, or name[inner] = value */
	PHP_LINE_BAD
};

struct php_entry { /* parts of the line */
	char *name;
	char *inner; /* NULL: none */
	char *value; /* without its quotes, and what follows it */
};

/* What the line is; it is changed, and the entry points into it. */
enum php_line php_line_parse(char *line, struct php_entry *entry);

/* The text without blanks at its ends; it is changed. */
char *php_line_trim(char *text);

#endif
