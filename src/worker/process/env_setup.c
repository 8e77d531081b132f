#include "worker/process/env_setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

struct variables { /* items end with NULL, as those of environ do */
	char **item;
	size_t n;
};

static char **
find(const struct variables *vars, const char *text, size_t len)
{
	for (size_t i = 0; i < vars->n; i++)
		if (strncmp(vars->item[i], text, len) == 0 &&
		    vars->item[i][len] == '=')
			return &vars->item[i];
	return NULL;
}

/* Add "NAME=value"; it replaces an older one of that name. */
static int
put(struct variables *vars, const char *text)
{
	char **old = find(vars, text, strcspn(text, "=")), **grown;
	char *copy = strdup(text);

	if (copy == NULL)
		return -1;
	if (old != NULL) {
		free(*old);
		*old = copy;
		return 0;
	}
	grown = reallocarray(vars->item, vars->n + 2, sizeof(*grown));
	if (grown == NULL) {
		free(copy);
		return -1;
	}
	vars->item = grown;
	vars->item[vars->n++] = copy;
	vars->item[vars->n] = NULL;
	return 0;
}

static int
put_pair(struct variables *vars, const char *name, const char *value)
{
	char *text;
	int result;

	if (value == NULL)
		return 0;
	if (asprintf(&text, "%s=%s", name, value) == -1)
		return -1;
	result = put(vars, text);
	free(text);
	return result;
}

static int
put_inherited(struct variables *vars, const struct conf_list *inherited)
{
	int result = put_pair(vars, "PATH", PATH_DEFAULT);

	for (size_t i = 0; i < inherited->n; i++)
		result |= put(vars, inherited->item[i]);
	return result;
}

/* A user id without a name has no home directory. */
static int
put_user(struct variables *vars, const struct identity *who)
{
	if (who->name == NULL)
		return put_pair(vars, "HOME", "/");
	return put_pair(vars, "USER", who->name) |
	    put_pair(vars, "LOGNAME", who->name) |
	    put_pair(vars, "HOME", who->home);
}

static void
discard(struct variables *vars)
{
	for (size_t i = 0; i < vars->n; i++)
		free(vars->item[i]);
	free(vars->item);
}

int
env_setup(const struct conf_pool *pool,
    const struct conf_list *inherited, const struct identity *who,
    struct why *why)
{
	struct variables vars = { 0 };
	int result = put_inherited(&vars, inherited);

	if (pool->clear_environment || pool->user != NULL)
		result |= put_user(&vars, who);
	for (size_t i = 0; i < pool->environment.n; i++)
		result |= put(&vars, pool->environment.item[i]);
	if (result != 0) {
		discard(&vars);
		why_set(why, "no memory for the environment");
		return -1;
	}
	environ = vars.item;
	return 0;
}
