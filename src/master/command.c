#include "master/command.h"

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/num.h"
#include "master/control.h"
#include "master/status_report.h"

#define WORDS	4
#define WAITING 16 /* clients that may wait; further ones are refused */

enum wish { WISH_NONE, WISH_RELOAD, WISH_UPGRADE, WISH_STOP, WISH_DRAIN, WISH_RESUME, WISH_RUN };

struct command {
	const char *name;
	int least, most; /* words, its own included */
	void (*run)(struct control_client *client, char **word);
};

static struct {
	const struct command_world *world;
	unsigned waiting;
	enum wish begins;
} self;

/* ---- clients that wait --------------------------------------------------- */

static void
count(struct control_client *client)
{
	(void)client;
	self.waiting++;
}

/* Let the client wait for its wish.  False if too many wait already; then it
 * has been answered. */
static bool
wait_for(struct control_client *client, enum wish wish, const char *pool)
{
	self.waiting = 0;
	control_each(count);
	if (self.waiting >= WAITING) {
		control_answerf(client, false, "busy: %d others wait already",
		    WAITING);
		return false;
	}
	client->wish = (int)wish;
	client->begun = false;
	snprintf(client->note, sizeof(client->note), "%s", pool);
	return true;
}

static void
mark(struct control_client *client)
{
	client->begun |= client->wish == (int)self.begins;
}

/* A client that asks during a reload is not marked: what it asks about may have
 * changed after that reload began.  Its own event is remembered, so another
 * reload will follow. */
void
command_begins(enum phase_event what)
{
	self.begins = what == EVENT_USR2 ? WISH_UPGRADE : WISH_RELOAD;
	control_each(mark);
}

static void
answer(struct control_client *client)
{
	const struct outcome *outcome = &self.world->pools->outcome;
	char text[POOLS_TEXT];

	if (!client->begun)
		return;
	if (outcome->text[0] != '\0')
		control_answer(client, false, outcome->all.data,
		    outcome->all.len);
	else
		control_answerf(client, true, "%s: %s",
		    client->wish == WISH_RELOAD ? "reloaded" :
		    "upgraded to " PACKAGE_VERSION,
		    pools_text(self.world->pools, text));
}

void
command_over(void)
{
	control_each(answer);
}

static void
look_at_drain(struct control_client *client)
{
	if (pools_parked(self.world->pools, client->note) == NULL)
		control_answerf(client, false, "pool %s: was resumed meanwhile",
		    client->note);
	else if (!pools_has(self.world->pools, client->note))
		control_answerf(client, true, "pool %s: out of service",
		    client->note);
}

static void
look_at_resume(struct control_client *client)
{
	const struct pools_parked *parked =
	    pools_parked(self.world->pools, client->note);
	const struct generation *g = pools_find(self.world->pools,
	    client->note);

	if (parked != NULL && !parked->resumes)
		control_answerf(client, false, "pool %s: stays out of "
		    "service, the log says why", client->note);
	else if (parked != NULL)
		return;
	else if (g == NULL)
		control_answerf(client, false, "pool %s: could not be opened, "
		    "the log says why; a reload tries again", client->note);
	else if (!generation_is_tried(g))
		return;
	else if (generation_state(g) == GENERATION_SERVING)
		control_answerf(client, true, "pool %s: in service",
		    client->note);
	else
		control_answerf(client, false, "pool %s: no worker comes up, "
		    "the log says why", client->note);
}

/* why may be a worker's own text. */
static void
answer_run(struct control_client *client, const struct timer *timer)
{
	struct buf text = { 0 };
	bool good = timer->end == TIMER_SUCCESS;

	buf_addf(&text, "pool %s: timer %s: %s after %lld.%03d s",
	    client->note, client->item, timers_end_name(timer->end),
	    (long long)(timer->took / 1000), (int)(timer->took % 1000));
	if (!good && timer->why[0] != '\0') {
		buf_puts(&text, ": ");
		escape_text(&text, timer->why, strlen(timer->why));
	}
	buf_putc(&text, '\n');
	control_answer(client, good, text.data, text.len);
	buf_free(&text);
}

static void
look_at_run(struct control_client *client)
{
	struct timers *timers = pools_timers(self.world->pools, client->note);
	const struct timer *timer = timers == NULL ? NULL :
	    timers_find(timers, client->item);

	if (timers == NULL)
		control_answerf(client, false, "pool %s: is not in service "
		    "any more", client->note);
	else if (timer == NULL)
		control_answerf(client, false, "pool %s: has no timer %s any "
		    "more", client->note, client->item);
	else if ((int64_t)timer->ended >= client->serial)
		answer_run(client, timer);
}

static void
look_at(struct control_client *client)
{
	if (client->wish == WISH_STOP)
		return;
	if (*self.world->phase >= PHASE_STOPPING)
		control_answerf(client, false, "the daemon stops");
	else if (client->wish == WISH_DRAIN)
		look_at_drain(client);
	else if (client->wish == WISH_RESUME)
		look_at_resume(client);
	else if (client->wish == WISH_RUN)
		look_at_run(client);
}

void
command_turn(void)
{
	control_each(look_at);
}

/* ---- the daemon as a whole ----------------------------------------------- */

static const char *
phase_text(void)
{
	switch (*self.world->phase) {
	case PHASE_STARTING:
		return "starting";
	case PHASE_RUNNING:
		return "running";
	case PHASE_RELOADING:
		return "reloading";
	case PHASE_TRYING:
		return "upgrading";
	default:
		return "stopping";
	}
}

static void
run_ping(struct control_client *client, char **word)
{
	(void)word;
	control_answerf(client, true, "%s, pid %d, %s", PACKAGE_STRING,
	    (int)getpid(), phase_text());
}

static bool
configured(struct control_client *client, const char *name)
{
	if (conf_find(self.world->pools->sources->conf, name) != NULL)
		return true;
	control_answerf(client, false, "there is no pool %.64s", name);
	return false;
}

static void
run_status(struct control_client *client, char **word)
{
	const struct status_report report = { PACKAGE_VERSION, phase_text(),
		*self.world->started };
	struct buf text = { 0 };

	if (word[1] != NULL && !configured(client, word[1]))
		return;
	status_report_json(&report, self.world->pools, word[1], &text);
	if (text.failed)
		control_answerf(client, false, "out of memory");
	else
		control_answer(client, true, text.data, text.len);
	buf_free(&text);
}

static void
run_upgrade(struct control_client *client, char **word)
{
	(void)word;
	if (wait_for(client, WISH_UPGRADE, ""))
		self.world->raise(EVENT_USR2);
}

static void
run_stop(struct control_client *client, char **word)
{
	(void)word;
	if (wait_for(client, WISH_STOP, "") &&
	    *self.world->phase < PHASE_STOPPING)
		self.world->raise(EVENT_TERM);
}

static void
run_reopen(struct control_client *client, char **word)
{
	(void)word;
	if (self.world->reopen() == 0)
		control_answerf(client, true, "log files opened again");
	else
		control_answerf(client, false, "a log file could not be "
		    "opened again, the log says why");
}

/* ---- one pool ------------------------------------------------------------ */

/* True if commands on that pool may run now; if not, the client has been
 * answered.  In other phases pools come and go, and an answer would soon be
 * wrong. */
static bool
steerable(struct control_client *client, const char *name)
{
	if (!configured(client, name))
		return false;
	if (*self.world->phase == PHASE_RUNNING)
		return true;
	control_answerf(client, false, "the daemon is %s: try again later",
	    phase_text());
	return false;
}

static void
run_reload(struct control_client *client, char **word)
{
	if (word[1] == NULL) {
		if (wait_for(client, WISH_RELOAD, ""))
			self.world->raise(EVENT_HUP);
	} else if (steerable(client, word[1]) &&
	    wait_for(client, WISH_RELOAD, word[1]))
		self.world->reload_pool(word[1]);
}

static void
run_scale(struct control_client *client, char **word)
{
	struct generation *g = pools_find(self.world->pools, word[1]);
	int64_t n;

	if (!steerable(client, word[1]))
		return;
	if (g == NULL)
		control_answerf(client, false, "pool %s: is not in service",
		    word[1]);
	else if (num_integer(word[2], 1, generation_most(g), &n) == -1)
		control_answerf(client, false, "pool %s: expected a number of "
		    "workers from 1 to %u (below twice "
		    "workers.max), found %.64s",
		    word[1], generation_most(g), word[2]);
	else {
		generation_scale(g, (unsigned)n);
		control_answerf(client, true, "pool %s: %s%d workers", word[1],
		    generation_conf(g)->workers.mode == MODE_STATIC ? "" :
			"at most ",
		    (int)n);
	}
}

static void
run_drain(struct control_client *client, char **word)
{
	if (!steerable(client, word[1]) ||
	    !wait_for(client, WISH_DRAIN, word[1]))
		return;
	if (pools_drain(self.world->pools, word[1]) == -1)
		control_answerf(client, false, "out of memory");
}

static void
run_resume(struct control_client *client, char **word)
{
	if (steerable(client, word[1]) &&
	    wait_for(client, WISH_RESUME, word[1]))
		pools_resume(self.world->pools, word[1]);
}

/* "a, b" */
static void
add_names(struct timers *timers, struct buf *out)
{
	for (size_t i = 0; timers != NULL && i < timers->n; i++)
		if (!timers->item[i].dropped)
			buf_addf(out, "%s%s", out->len > 0 ? ", " : "",
			    timers->item[i].conf.name);
}

static void
refuse_run(struct control_client *client, const char *name, const char *item,
    struct timers *timers)
{
	struct buf names = { 0 };

	add_names(timers, &names);
	if (buf_string(&names) == NULL || names.len == 0)
		control_answerf(client, false, "pool %s: has no timers", name);
	else
		control_answerf(client, false, "pool %s: has no timer %.48s: "
		    "expected one of %.700s", name, item, names.data);
	buf_free(&names);
}

/* As soon as the run that goes on now is over, whatever its timer. */
static void
run_run(struct control_client *client, char **word)
{
	struct generation *g = pools_find(self.world->pools, word[1]);
	struct timers *timers = g == NULL ? NULL : generation_timers(g);
	struct timer *timer = timers == NULL ? NULL :
	    timers_find(timers, word[2]);

	if (!steerable(client, word[1]))
		return;
	if (g == NULL)
		control_answerf(client, false, "pool %s: is not in service",
		    word[1]);
	else if (timer == NULL)
		refuse_run(client, word[1], word[2], timers);
	else if (wait_for(client, WISH_RUN, word[1])) {
		snprintf(client->item, sizeof(client->item), "%s", word[2]);
		client->serial = (int64_t)timers_ask(timer);
		generation_wake(g);
	}
}

/* The hub of the pool reads what is published, and answers.  So the answer does
 * not name the pool: lua-fpmctl does. */
static void
run_publish(struct control_client *client, char **word)
{
	struct generation *g = pools_find(self.world->pools, word[1]);
	char line[CONTROL_PASSED];
	struct why why;
	int door;

	if (g == NULL) {
		control_answerf(client, false, "%s",
		    conf_find(self.world->pools->sources->conf, word[1]) ==
		    NULL ? "there is no such pool" : "is not in service");
		return;
	}
	snprintf(line, sizeof(line), "%s %s %s", word[0], word[2], word[3]);
	door = generation_door(g, &why);
	if (door != -1 && control_pass(client, door, line) == 0)
		return;
	if (door != -1)
		why_set(&why, "the process of WebSockets is not reached: %s",
		    strerror(errno));
	control_answerf(client, false, "%s", why.text);
}

/* ---- lines --------------------------------------------------------------- */

static const struct command commands[] = {
	{ "status", 1, 2, run_status },
	{ "ping", 1, 1, run_ping },
	{ "reload", 1, 2, run_reload },
	{ "upgrade", 1, 1, run_upgrade },
	{ "reopen", 1, 1, run_reopen },
	{ "stop", 1, 1, run_stop },
	{ "scale", 3, 3, run_scale },
	{ "drain", 2, 2, run_drain },
	{ "resume", 2, 2, run_resume },
	{ "run", 3, 3, run_run },
	{ "publish", 4, 4, run_publish },
	{ NULL, 0, 0, NULL }
};

static void
asked(struct control_client *client, char *line)
{
	const struct command *command = commands;
	char *word[WORDS + 1] = { NULL }, *rest = line;
	int n = 0;

	while (n <= WORDS && (word[n] = strtok_r(rest, " \t", &rest)) != NULL)
		n++;
	while (n > 0 && command->name != NULL &&
	    strcmp(command->name, word[0]) != 0)
		command++;
	if (n == 0 || command->name == NULL)
		control_answerf(client, false, "unknown command");
	else if (n < command->least || n > command->most)
		control_answerf(client, false, "%s: too %s words",
		    command->name, n < command->least ? "few" : "many");
	else
		command->run(client, word);
}

void
command_init(const struct command_world *world)
{
	self.world = world;
	control_init(world->pools->options.loop, asked);
}

static void
part(struct control_client *client)
{
	if (client->wish == WISH_STOP)
		control_answerf(client, true, "stopped");
	else
		control_answerf(client, false, "the daemon has stopped");
}

void
command_close(void)
{
	if (self.world == NULL)
		return;
	control_each(part);
	control_close();
}
