#include "conf/conf_peek.h"

#include <errno.h>
#include <libconfig.h>
#include <string.h>

#include "base/buf.h"
#include "conf/conf_file.h"
#include "conf/conf_scan.h"

static char *
find(const char *text, const char *name)
{
	const char *value = NULL;
	char *copy = NULL;
	config_t config;

	config_init(&config);
	config_read_string(&config, text);
	if (config_lookup_string(&config, name, &value) == CONFIG_TRUE)
		copy = strdup(value);
	else
		errno = ENOENT;
	config_destroy(&config);
	return copy;
}

/* End the text before this line, which libconfig must not see. */
static void
cut(char *text, int line)
{
	while (--line > 0 && (text = strchr(text, '\n')) != NULL)
		text++;
	if (text != NULL)
		*text = '\0';
}

char *
conf_peek(const char *file, const char *name)
{
	struct buf text = { 0 };
	const char *string;
	char *value = NULL;
	struct why why;

	/* libconfig wants a newline after a comment, at the end too */
	if (conf_file_load(file, &text) == 0 && buf_putc(&text, '\n') == 0 &&
	    (string = buf_string(&text)) != NULL) {
		if (conf_scan(string, text.len, &why) == -1)
			cut(text.data, why.line);
		value = find(string, name);
	}
	buf_free(&text);
	return value;
}
