#include "ipc/variables.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
add_pair(struct conf_list *out, const char *name, size_t name_len,
    const char *value)
{
	char *text;
	int result;

	if (value == NULL)
		return 0;
	if (asprintf(&text, "%.*s=%s", (int)name_len, name, value) == -1)
		return -1;
	result = conf_list_add(out, text);
	free(text);
	return result;
}

int
variables_inherited(const struct conf_pool *pool, struct conf_list *out)
{
	static const char *const kept[] = { "PATH", "LANG", "LC_ALL", "TZ" };
	int result = 0;

	if (!pool->clear_environment) {
		for (char **v = environ; v != NULL && *v != NULL; v++)
			result |= conf_list_add(out, *v);
		return result;
	}
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		result |= add_pair(out, kept[i], strlen(kept[i]),
		    getenv(kept[i]));
	return result;
}

/* Only a value that is "${OTHER}" as a whole is a variable of the master. */
static int
add_own(struct conf_list *out, const char *text)
{
	const char *value = strchr(text, '=') + 1;
	size_t len = strlen(value);
	char *source;
	int result;

	if (len < 4 || strncmp(value, "${", 2) != 0 || value[len - 1] != '}')
		return conf_list_add(out, text);
	source = strndup(value + 2, len - 3);
	if (source == NULL)
		return -1;
	result = add_pair(out, text, (size_t)(value - 1 - text),
	    getenv(source));
	free(source);
	return result;
}

int
variables_own(const struct conf_pool *pool, struct conf_list *out)
{
	int result = 0;

	for (size_t i = 0; i < pool->environment.n; i++)
		result |= add_own(out, pool->environment.item[i]);
	return result;
}
