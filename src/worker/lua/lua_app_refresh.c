#include "worker/lua/lua_app_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"

/* The reason is logged, unless it is the one that has been logged before. */
static void
load_anew(struct lua_app *app, const char *before)
{
	struct why why;
	int code;

	if (lua_app_open(app, &why) == 0) {
		log_notice("%s: loaded anew", app->file);
		lua_app_start(app, &code, &why);
	} else if (app->L == NULL) {
		log_alert("%s", why.text);
		exit(EX_OSERR);
	} else if (before == NULL || app->failure == NULL ||
	    strcmp(before, app->failure) != 0) {
		log_error("%s", why.text);
	}
}

void
lua_app_refresh(struct lua_app *app)
{
	char *before = app->failure;

	if (before == NULL && !lua_files_changed(&app->files))
		return;
	lua_app_stop(app);
	lua_app_close(app);
	app->failure = NULL;
	load_anew(app, before);
	free(before);
}
