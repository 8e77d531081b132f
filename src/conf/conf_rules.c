#include "conf/conf_rules.h"

#include <stdarg.h>
#include <string.h>

#include "conf/conf_lua.h"
#include "conf/format.h"

struct judge {
	void (*say)(void *arg, enum key_group group, const char *key,
	    const char *text);
	void *arg;
};

static void __attribute__((format(printf, 4, 5)))
blame(const struct judge *judge, enum key_group group, const char *key,
    const char *fmt, ...)
{
	char text[4352]; /* a path, and what is wrong with it */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	judge->say(judge->arg, group, key, text);
}

/* ---- logs ---------------------------------------------------------------- */

static void
check_target(const struct judge *judge, const char *key, const char *target)
{
	static const char *const words[] = { "stdout", "stderr", "syslog",
		"error_log" };

	if (target == NULL || *target == '/')
		return;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(target, words[i]) == 0)
			return;
	blame(judge, GROUP_LOGS, key, "\"%s\" is neither an absolute path "
	    "nor \"stdout\", \"stderr\", \"syslog\" or \"error_log\"", target);
}

static void
check_format(const struct judge *judge, const char *text)
{
	struct format format;
	struct why why;

	if (text == NULL)
		return;
	if (format_compile(&format, text, &why) == -1)
		blame(judge, GROUP_LOGS, "access_format", "%s", why.text);
	format_free(&format);
}

static void
check_paths(const struct judge *judge, const struct conf_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (*list->item[i] != '/')
			blame(judge, GROUP_LOGS, "access_suppress",
			    "\"%s\" does not begin with '/'",
			    list->item[i]);
}

/* ---- what Lua code may reach -------------------------------------------- */

static void
check_disable(const struct judge *judge, const struct conf_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (!conf_lua_is(conf_lua_functions, list->item[i]) &&
		    !conf_lua_is(conf_lua_libraries, list->item[i]))
			blame(judge, GROUP_LUA, "disable", "\"%s\" is no "
			    "function and no library of Lua", list->item[i]);
	}
}

static void
check_libraries(const struct judge *judge, const struct conf_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (strcmp(list->item[i], CONF_LUA_ALL) == 0) {
			if (list->n > 1)
				blame(judge, GROUP_LUA, "libraries",
				    "\"all\" stands alone");
		} else if (!conf_lua_is(conf_lua_libraries, list->item[i])) {
			blame(judge, GROUP_LUA, "libraries",
			    "\"%s\" is no library of Lua", list->item[i]);
		}
	}
}

void
conf_rules(const struct conf_pool *pool,
    void (*say)(void *arg, enum key_group group, const char *key,
	const char *text), void *arg)
{
	const struct judge judge = { say, arg };

	check_target(&judge, "access", pool->logs.access);
	check_target(&judge, "slow", pool->logs.slow);
	check_format(&judge, pool->logs.access_format);
	check_paths(&judge, &pool->logs.access_suppress);
	check_disable(&judge, &pool->lua.disable);
	check_libraries(&judge, &pool->lua.libraries);
}
