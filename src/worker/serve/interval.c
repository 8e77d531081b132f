#include "worker/serve/interval.h"

#include "base/clock.h"
#include "worker/serve/retire.h"

void
interval_run(const struct worker_args *args, struct lua_app *app,
    const char *timer)
{
	struct why why;
	enum lua_end end;

	score_interval(args->score, timer);
	end = lua_app_interval(app, timer, &why);
	score_gauge(args->score, GAUGE_HEAP, (int64_t)lua_app_memory(app));
	score_idle(args->score);
	if (end == LUA_END_DONE)
		worker_say(args, WORD_RAN);
	else
		worker_explain(args, end == LUA_END_LATE ? WORD_RUN_LATE :
		    WORD_RUN_FAILED, why.text);
	if (lua_app_retires(app))
		retire_wish();
	retire_served(clock_ms(), lua_app_exhausted(app));
}
