#include "master/master.h"

#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/clock_set.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/say.h"
#include "base/title.h"
#include "base/tuning.h"
#include "master/command.h"
#include "master/control.h"
#include "master/daemon.h"
#include "master/handover.h"
#include "master/listen.h"
#include "master/notify.h"
#include "master/phase.h"
#include "master/pools.h"
#include "master/reload.h"
#include "master/upgrade.h"
#include "master/worker_output.h"

#define EXTENSION   10000 /* ms between two requests for more time to start */

static struct {
	const struct master_options *options;
	struct loop *loop;
	struct pools pools;
	enum phase phase;
	struct upgrade_world upgrade;
	struct handover handover;
	bool succeeds; /* this image goes on after another (master_succeeds) */
	int verdict;	/* of daemon_detach; -1: none */
	struct handover_own own;
	const char *pool; /* whose reload begins; NULL: that of all */
	struct loop_timer extension;
	int code; /* to exit with */
} self = { .verdict = -1, .own = { .pidfile = -1 } };

static const struct conf *
conf_now(void)
{
	return self.pools.sources->conf;
}

static void event(enum phase_event what);
static void reload_pool(const char *name);
static int reopen_logs(void);

static const struct command_world world = { .pools = &self.pools,
	.phase = &self.phase, .started = &self.own.started, .raise = event,
	.reload_pool = reload_pool, .reopen = reopen_logs };

/* ---- phases -------------------------------------------------------------- */

/* What has just ended is reported; a signal that came meanwhile is acted on
 * now. */
static void
go_on(void)
{
	const char *outcome = self.pools.outcome.text;
	char text[POOLS_TEXT];
	bool *waits = self.own.hup_waits ? &self.own.hup_waits :
					   &self.own.usr2_waits;

	notify_send("READY=1\nMAINPID=%d\nSTATUS=%s%s%s", (int)getpid(),
	    pools_text(&self.pools, text), *outcome != '\0' ? "; " : "",
	    outcome);
	command_over();
	if (*waits) {
		*waits = false;
		event(waits == &self.own.hup_waits ? EVENT_HUP : EVENT_USR2);
	}
}

static void
announce(void)
{
	const char *refusal = reload_refusal();
	const char *outcome = self.pools.outcome.text;
	char text[POOLS_TEXT];

	pools_text(&self.pools, text);
	if (refusal != NULL)
		log_error("%s; %s", refusal, text);
	else
		log_notice("ready: %s%s%s", text, *outcome != '\0' ? "; " : "",
		    outcome);
	if (self.verdict != -1 && strcmp(conf_now()->error_log, "stderr") != 0)
		daemon_silence();
	daemon_verdict(&self.verdict, EX_OK);
	go_on();
}

/* The pid file is made once, at the start. */
static void
look_at_pid_file(void)
{
	const struct conf *conf = conf_now();

	if ((conf->pid_file == NULL) != (self.own.pid_path == NULL) ||
	    (self.own.pid_path != NULL &&
		strcmp(conf->pid_file, self.own.pid_path) != 0))
		log_warning("pid_file changes only with a restart");
}

static void
reload(void)
{
	notify_send("RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)clock_us());
	if (self.pool == NULL)
		log_notice("reloading");
	else
		log_notice("reloading pool %s", self.pool);
	command_begins(EVENT_HUP);
	reload_begin(&self.pools, self.options->file,
	    self.options->allow_root, self.pool);
}

static void
remember(enum phase_event what)
{
	self.own.hup_waits |= what == EVENT_HUP;
	self.own.usr2_waits |= what == EVENT_USR2;
}

static void
act(enum phase_action action, enum phase_event what)
{
	switch (action) {
	case ACTION_NONE:
		break;
	case ACTION_ANNOUNCE:
		announce();
		break;
	case ACTION_RELOAD:
		reload();
		break;
	case ACTION_TRY:
		command_begins(EVENT_USR2);
		upgrade_try(conf_now());
		break;
	case ACTION_UPGRADE:
		upgrade_begin();
		break;
	case ACTION_REFUSE:
		log_error("upgrade refused: nothing has changed");
		go_on();
		break;
	case ACTION_REMEMBER:
		remember(what);
		break;
	case ACTION_STOP:
		reload_cancel();
		notify_send("STOPPING=1");
		log_notice("stopping");
		pools_stop(&self.pools, -1);
		break;
	case ACTION_HURRY:
		reload_cancel();
		notify_send("STOPPING=1");
		log_notice("stopping in a hurry");
		pools_stop(&self.pools, tuning.hurry);
		break;
	case ACTION_KILL:
		log_notice("stopping at once");
		pools_kill(&self.pools);
		break;
	}
}

static void
event(enum phase_event what)
{
	struct phase_step step = phase_step(self.phase, what);

	self.phase = step.next;
	act(step.action, what);
}

/* While the daemon runs, so that the reload begins at once. */
static void
reload_pool(const char *name)
{
	self.pool = name;
	event(EVENT_HUP);
	self.pool = NULL;
}

/* ---- signals ------------------------------------------------------------- */

static int
reopen_logs(void)
{
	struct why why;
	int result = log_reopen(&why);

	if (result == -1)
		log_error("cannot open the log again: %s", why.text);
	result |= pools_reopen(&self.pools);
	pools_send_logs(&self.pools);
	return result;
}

/* Who has no configuration to be read again, and a terminal that was closed, was
 * started by somebody who has left. */
static bool
is_forsaken(void)
{
	return self.options->file == NULL && daemon_is_hung_up();
}

static void
signalled(void *arg, int signo)
{
	(void)arg;
	switch (signo) {
	case SIGHUP:
		event(is_forsaken() ? EVENT_TERM : EVENT_HUP);
		break;
	case SIGTERM:
	case SIGQUIT:
		event(EVENT_TERM);
		break;
	case SIGINT:
		event(EVENT_INT);
		break;
	case SIGUSR1:
		reopen_logs();
		break;
	case SIGUSR2:
		event(EVENT_USR2);
		break;
	default:
		break;
	}
}

static int
take_signals(void)
{
	static const int numbers[] = { SIGHUP, SIGTERM, SIGQUIT, SIGINT,
		SIGUSR1, SIGUSR2 };

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (loop_signal(self.loop, numbers[i], signalled, NULL) == -1)
			return -1;
	return loop_signal(self.loop, SIGCHLD, NULL, NULL);
}

/* ---- start and end ------------------------------------------------------- */

static int
fail(const char *what)
{
	log_error("%s", what);
	return -1;
}

static int
take_pid_file(const char *path)
{
	struct why why;

	if (path == NULL)
		return 0;
	if ((self.own.pid_path = strdup(path)) == NULL)
		return fail(strerror(errno));
	self.own.pidfile = pidfile_open(path, &why);
	return self.own.pidfile == -1 ? fail(why.text) : 0;
}

/* Timers that wait for a time of the day may be due. */
static void
clock_was_set(void)
{
	log_debug("the wall clock was set");
	pools_wake(&self.pools);
}

/* What a start and an upgrade in place have in common. */
static int
set_up(void)
{
	self.loop = loop_new();
	if (self.loop == NULL || take_signals() == -1)
		return fail(strerror(errno));
	notify_watchdog(self.loop);
	clock_set_watch(self.loop, clock_was_set);
	self.pools.options.loop = self.loop;
	self.pools.options.quota = &self.pools.quota;
	self.upgrade = (struct upgrade_world){ .argv = self.options->argv,
		.loop = self.loop, .pools = &self.pools, .own = &self.own,
		.raise = event };
	upgrade_init(&self.upgrade);
	command_init(&world);
	title_set("lua-fpm: master%s%s", self.options->file != NULL ? " " : "",
	    self.options->file != NULL ? self.options->file : "");
	return 0;
}

/* While workers load, the service manager is asked to go on waiting. */
static void
ask_for_time(void *unused)
{
	char text[POOLS_TEXT];

	(void)unused;
	if (self.phase != PHASE_STARTING)
		return;
	notify_send("EXTEND_TIMEOUT_USEC=%d\nSTATUS=%s", EXTENSION * 2000,
	    pools_text(&self.pools, text));
	self.extension.fire = ask_for_time;
	loop_timer_set(self.loop, &self.extension, clock_ms() + EXTENSION);
}

static int
take_control(const char *path)
{
	struct why why;

	if (control_prepare(path, &why) == -1)
		return fail(why.text);
	control_commit();
	return 0;
}

/* For the terminal, if the daemon was started by hand. */
static void
point_to_log(void)
{
	const char *log = conf_now()->error_log;

	if (strcmp(log, "stderr") != 0)
		say("the daemon does not come up: %s says why", log);
}

static int
take_what_it_needs(const struct conf *conf)
{
	if (set_up() == -1 || take_pid_file(conf->pid_file) == -1 ||
	    take_control(conf->control) == -1)
		return -1;
	pools_limit(&self.pools, conf->process_max);
	return pools_make(&self.pools, conf) == -1 ?
	    fail("no pool can be opened") : 0;
}

/* A start.  Takes conf over. */
static int
begin(struct conf *conf)
{
	struct why why;

	self.own.started = (int64_t)time(NULL);
	if (pools_adopt(&self.pools, conf) == -1) {
		log_error("%s", strerror(errno));
		conf_free(conf);
		return -1;
	}
	if (log_open(conf->error_log, (enum log_level)conf->log_level,
		(enum log_form)conf->log_format, &why) == -1)
		return fail(why.text);
	if (take_what_it_needs(conf) == -1) {
		point_to_log();
		return -1;
	}
	pools_start(&self.pools);
	ask_for_time(NULL);
	return 0;
}

/* An upgrade in place: the pools of the image before serve until those of conf
 * are up, or for good if conf cannot be applied.  The log goes on since
 * handover_take. */
static int
succeed(struct conf *conf)
{
	if (set_up() == -1)
		return -1;
	handover_revive(&self.handover, &self.pools, &self.own);
	self.phase = PHASE_RELOADING;
	log_notice("upgraded from %s to %s", self.own.version, PACKAGE_VERSION);
	reload_apply(&self.pools, conf);
	if (self.pools.sources == NULL)
		return fail("nothing is left of what was in force");
	listen_sweep();
	return 0;
}

static void
tear_down(void)
{
	command_close();
	clock_set_unwatch();
	upgrade_cancel();
	pools_free(&self.pools);
	worker_output_finish();
	pidfile_close(self.own.pidfile, self.own.pid_path);
	free(self.own.pid_path);
	loop_free(self.loop);
	daemon_verdict(&self.verdict, self.code);
}

/* See whether the start or a reload is over.  After reaping and before any step
 * forks again, so that a failed attempt is seen. */
static void
look_around(void)
{
	if (self.phase == PHASE_RELOADING && reload_done(&self.pools)) {
		look_at_pid_file();
		event(EVENT_RELOADED);
	}
	if (self.phase != PHASE_STARTING || !pools_tried(&self.pools))
		return;
	if (pools_proven(&self.pools) > 0) {
		if (self.options->url != NULL)
			log_notice("serves %s", self.options->url);
		event(EVENT_UP);
		return;
	}
	log_error("no pool came up");
	point_to_log();
	self.code = EX_SOFTWARE;
	event(EVENT_INT);
}

static bool
over(void)
{
	return self.phase >= PHASE_STOPPING && self.pools.first == NULL;
}

/* Milliseconds until a pool or the log has something to do though nothing
 * happens; -1: never. */
static int
patience(void)
{
	int64_t due = log_due(), now = clock_ms();

	if (pools_need_step(&self.pools))
		return 0;
	if (due == -1)
		return -1;
	return due > now ? (int)(due - now) : 0;
}

static void
run(void)
{
	while (!over()) {
		if (loop_turn(self.loop, patience()) == -1) {
			log_alert("ppoll: %s", strerror(errno));
			self.code = EX_OSERR;
			return;
		}
		log_tick(clock_ms());
		pools_reap(&self.pools);
		look_around();
		pools_sweep(&self.pools);
		command_turn();
		pools_step(&self.pools);
		upgrade_turn();
	}
	log_notice("stopped");
}

int
master_succeeds(struct why *why)
{
	int result = handover_take(&self.handover, why);

	self.succeeds = result == 1;
	return result;
}

int
master_run(struct conf *conf, const struct master_options *options)
{
	int result;

	self.options = options;
	notify_init();
	if (!self.succeeds && options->daemonize &&
	    (self.verdict = daemon_detach()) == -1) {
		log_error("cannot detach: %s", strerror(errno));
		conf_free(conf);
		return EX_OSERR;
	}
	result = self.succeeds ? succeed(conf) : begin(conf);
	if (result == -1) {
		self.code = EX_OSERR;
		tear_down();
		return self.code;
	}
	if (self.succeeds) /* the reload may be over already */
		look_around();
	pools_step(&self.pools);
	run();
	tear_down();
	return self.code;
}
