#include "master/master.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/title.h"
#include "master/command.h"
#include "master/daemon.h"
#include "master/notify.h"
#include "master/phase.h"
#include "master/pools.h"
#include "master/reload.h"
#include "master/steer.h"

#define SHORT_LIMIT 3000 /* ms; INT, or TERM again */

static struct {
	const struct master_options *options;
	struct loop *loop;
	struct pools pools;
	enum phase phase;
	bool hup_waits; /* a HUP came while there was no time for it */
	int verdict;	/* whoever started us with -D waits at its other end */
	int pidfile;
	char *pid_path;
	int code; /* to exit with */
} self = { .verdict = -1, .pidfile = -1 };

static const struct conf *
conf_now(void)
{
	return self.pools.sources->conf;
}

static void event(enum phase_event what);
static int reopen_logs(void);

static const struct command_world world = { .pools = &self.pools,
	.phase = &self.phase, .raise = event, .reopen = reopen_logs };

/* ---- phases -------------------------------------------------------------- */

static void
announce(void)
{
	const char *trouble = self.pools.trouble.text;

	notify_send("READY=1\nMAINPID=%d\nSTATUS=%zu of %zu pools serve%s%s",
	    (int)getpid(), pools_proven(&self.pools),
	    pools_serving(&self.pools), *trouble != '\0' ? "; " : "",
	    trouble);
	command_reloaded();
	log_notice("ready: %zu of %zu pools serve", pools_proven(&self.pools),
	    pools_serving(&self.pools));
	if (self.verdict != -1 && strcmp(conf_now()->error_log, "stderr") != 0)
		daemon_silence();
	daemon_verdict(&self.verdict, EX_OK);
	if (self.hup_waits) {
		self.hup_waits = false;
		event(EVENT_HUP);
	}
}

/* The log goes where the new configuration says; the pid file is written
 * once and for all. */
static void
apply_globals(void)
{
	const struct conf *conf = conf_now();
	struct why why;

	if (log_open(conf->error_log, (enum log_level)conf->log_level, &why) ==
	    -1)
		log_error("%s", why.text);
	pools_send_logs(&self.pools);
	if (command_open(&world, conf->control, &why) == -1) {
		log_error("%s", why.text);
		trouble_add(&self.pools.trouble, NULL, "%s", why.text);
	}
	if ((conf->pid_file == NULL) != (self.pid_path == NULL) ||
	    (self.pid_path != NULL &&
		strcmp(conf->pid_file, self.pid_path) != 0))
		log_warning("pid_file changes only with a restart");
}

static void
restart_all(void)
{
	struct pool *pool;

	for (pool = self.pools.first; pool != NULL; pool = pool->next)
		pool_hup(pool);
}

static void
reload(void)
{
	notify_send("RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)clock_us());
	log_notice("reloading");
	if (self.options->file == NULL)
		restart_all();
	else if (reload_begin(&self.pools, self.options->file,
		     self.options->allow_root) == 0)
		apply_globals();
	else
		log_error("reload refused: nothing has changed");
}

static void
act(enum phase_action action)
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
	case ACTION_REMEMBER:
		self.hup_waits = true;
		break;
	case ACTION_STOP:
		notify_send("STOPPING=1");
		log_notice("stopping");
		pools_drain(&self.pools, -1);
		break;
	case ACTION_HURRY:
		notify_send("STOPPING=1");
		log_notice("stopping in a hurry");
		pools_drain(&self.pools, SHORT_LIMIT);
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
	act(step.action);
}

/* ---- signals ------------------------------------------------------------- */

static int
reopen_logs(void)
{
	int result = log_reopen();

	if (result == -1)
		log_error("cannot open the log again: %s", strerror(errno));
	pools_reopen(&self.pools);
	pools_send_logs(&self.pools);
	return result;
}

static void
signalled(void *arg, int signo)
{
	(void)arg;
	switch (signo) {
	case SIGHUP:
		event(EVENT_HUP);
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
		log_notice("upgrade in place is not supported yet");
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
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (loop_signal(self.loop, numbers[i], signalled, NULL) == -1)
			return -1;
	return loop_signal(self.loop, SIGCHLD, NULL, NULL);
}

/* ---- start and end ------------------------------------------------------- */

/* Every pool that cannot be made is named, not only the first. */
static int
make_pools(void)
{
	const struct conf *conf = conf_now();
	struct pool *pool;
	struct why why;
	int result = 0;

	for (size_t i = 0; i < conf->npools; i++) {
		pool = pool_new(&conf->pools[i], conf, &self.pools.options,
		    NULL, &why);
		if (pool == NULL) {
			log_error("pool %s: %s", conf->pools[i].name,
			    why.text);
			result = -1;
			continue;
		}
		pools_add(&self.pools, pool);
	}
	return result;
}

/* What the daemon is to the system around it. */
static int
set_up(const struct conf *conf)
{
	struct why why;

	if (log_open(conf->error_log, (enum log_level)conf->log_level, &why) ==
	    -1) {
		log_error("%s", why.text);
		return -1;
	}
	if (conf->pid_file != NULL) {
		self.pidfile = pidfile_open(conf->pid_file, &why);
		if (self.pidfile == -1) {
			log_error("%s", why.text);
			return -1;
		}
		self.pid_path = strdup(conf->pid_file);
	}
	self.loop = loop_new();
	if (self.loop == NULL || take_signals() == -1) {
		log_error("%s", strerror(errno));
		return -1;
	}
	notify_watchdog(self.loop);
	self.pools.options.loop = self.loop;
	self.pools.options.quota = &self.pools.quota;
	pools_limit(&self.pools, conf->process_max);
	self.pools.options.worker = self.options->worker;
	if (command_open(&world, conf->control, &why) == -1) {
		log_error("%s", why.text);
		return -1;
	}
	title_set("lua-fpm: master%s%s", self.options->file != NULL ? " " : "",
	    self.options->file != NULL ? self.options->file : "");
	return 0;
}

static void
tear_down(void)
{
	command_close();
	pools_free(&self.pools);
	pidfile_close(self.pidfile, self.pid_path);
	free(self.pid_path);
	loop_free(self.loop);
	daemon_verdict(&self.verdict, self.code);
}

/* Is the daemon up, is the reload over?  After reaping and before any step
 * forks again, so that a failed attempt is seen. */
static void
look_around(void)
{
	if (self.phase == PHASE_RELOADING && reload_done(&self.pools))
		event(EVENT_RELOADED);
	if (self.phase != PHASE_STARTING || !pools_tried(&self.pools))
		return;
	if (pools_proven(&self.pools) > 0) {
		event(EVENT_UP);
		return;
	}
	log_error("no pool came up");
	self.code = EX_SOFTWARE;
	event(EVENT_INT);
}

static bool
over(void)
{
	return self.phase >= PHASE_STOPPING && self.pools.first == NULL;
}

static void
run(void)
{
	while (!over()) {
		if (loop_turn(self.loop, -1) == -1) {
			log_alert("ppoll: %s", strerror(errno));
			self.code = EX_OSERR;
			return;
		}
		pools_reap(&self.pools);
		look_around();
		pools_sweep(&self.pools);
		steer_turn(&self.pools);
		command_turn();
		pools_step(&self.pools);
	}
	log_notice("stopped");
}

int
master_run(struct conf *conf, const struct master_options *options)
{
	struct pool *pool;

	self.options = options;
	notify_init();
	if (options->daemonize && (self.verdict = daemon_detach()) == -1) {
		log_error("cannot detach: %s", strerror(errno));
		conf_free(conf);
		return EX_OSERR;
	}
	if (pools_adopt(&self.pools, conf) == -1 || set_up(conf) == -1 ||
	    make_pools() == -1) {
		self.code = EX_OSERR;
		tear_down();
		return self.code;
	}
	for (pool = self.pools.first; pool != NULL; pool = pool->next)
		pool_start(pool, 0);
	pools_step(&self.pools);
	run();
	tear_down();
	return self.code;
}
