#include "master/reload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/tuning.h"
#include "conf/conf_check.h"
#include "conf/conf_diff.h"
#include "conf/conf_read.h"
#include "conf/conf_root.h"
#include "ipc/sink.h"
#include "master/changes.h"
#include "master/control.h"
#include "net/sock_check.h"

#define REFUSED "reload refused"
#define NONE	"no worker comes up"
#define STAY	"new workers do not come up, the old ones stay"

static struct {
	struct changes changes; /* all zero: nothing is to be decided */
	struct conf *conf; /* the one on trial */
	bool again;	   /* conf is in force already */
	bool upgrade;
	char *only; /* the pool that it is about, NULL: all */
	bool committed;
	bool refused;
	int64_t until;	    /* end of waiting for busy ones, clock_ms() */
	int64_t before_max; /* process_max before the reload */
} self;

/* ---- refusing ------------------------------------------------------------ */

static void __attribute__((format(printf, 2, 3)))
refuse(struct pools *pools, const char *fmt, ...)
{
	char text[CONF_FAULT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s", text);
	outcome_add(&pools->outcome, self.upgrade ? NULL : REFUSED, "%s",
	    text);
}

/* For the status of each pool that it concerns. */
static void
count(const struct pools *pools, bool refused)
{
	struct generation *g;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		if (generation_serves(generation_state(g)) &&
		    (self.only == NULL ||
			strcmp(generation_name(g), self.only) == 0))
			generation_note_reload(g, refused);
}

/* All that is new goes; nothing that serves has been touched. */
static void
give_up(struct pools *pools)
{
	for (size_t i = 0; i < self.changes.n; i++) {
		struct generation *made = self.changes.item[i].made;
		struct generation *old = self.changes.item[i].old;

		if (made != NULL)
			generation_leave(made, GENERATION_REPLACED,
			    generation_conf(made)->timeouts.stop);
		if (old != NULL)
			generation_stay(old);
	}
	changes_free(&self.changes);
	log_abandon();
	control_abandon();
	if (!self.again)
		pools_decide(pools, false);
	pools_limit(pools, self.before_max);
	self.refused = true;
	count(pools, true);
	if (self.upgrade)
		outcome_add(&pools->outcome, NULL, "upgraded, but the "
		    "configuration cannot be put into effect");
}

/* ---- reading ------------------------------------------------------------- */

bool
reload_refuses(const struct conf *conf, bool allow_root,
    struct conf_faults *faults)
{
	bool bad_socket = sock_check(conf, faults);
	bool bad_log = sink_check_error_log(conf, faults);
	bool bad = conf_refuse_root(conf, allow_root, faults) || bad_socket ||
	    bad_log;

	if (bad)
		conf_check_apps(conf, NULL, faults);
	return bad;
}

static bool
is_about_one(struct pools *pools, const struct conf *conf)
{
	const char *other;

	if (self.only == NULL)
		return true;
	other = conf_diff_besides(pools->sources->conf, conf, self.only);
	if (other != NULL)
		refuse(pools, "not only pool %s has changed: so has %s, which "
		    "takes a reload of all", self.only, other);
	return other == NULL;
}

static struct conf *
read_new(struct pools *pools, const char *file, bool allow_root)
{
	struct conf_faults faults = { 0 };
	struct conf *conf = conf_read(file, &faults);
	char text[CONF_FAULT_TEXT];
	bool bad = conf != NULL && reload_refuses(conf, allow_root, &faults);

	/* Only a reload refuses for a pool's log: at a start it concerns its
	 * pool alone. */
	if (conf != NULL && (sink_check(conf, &faults) || bad ||
		!is_about_one(pools, conf))) {
		conf_free(conf);
		conf = NULL;
	}
	for (size_t i = 0; i < faults.n; i++) {
		conf_fault_text(&faults.item[i], text, sizeof(text));
		refuse(pools, "%s", text);
	}
	conf_faults_free(&faults);
	return conf;
}

/* ---- trying -------------------------------------------------------------- */

/* Open the new log and control socket beside those in use. */
static int
prepare_globals(struct pools *pools)
{
	const struct conf *conf = self.conf;
	struct why why;

	if (self.only != NULL)
		return 0;
	if (log_prepare(conf->error_log, (enum log_form)conf->log_format,
		&why) == 0 && control_prepare(conf->control, &why) == 0)
		return 0;
	refuse(pools, "%s", why.text);
	return -1;
}

static int
plan(struct pools *pools)
{
	if (changes_plan(&self.changes, pools, self.conf, self.upgrade,
		self.only) == 0)
		return 0;
	refuse(pools, "out of memory");
	return -1;
}

/* Make the new generation of a pool, on trial. */
static int
make(struct pools *pools, struct change *change)
{
	struct why why;

	change->made = generation_new(change->after, self.conf,
	    &pools->options, true, change->old, &why);
	if (change->made == NULL) {
		refuse(pools, "pool %s: %s", change->after->name, why.text);
		return -1;
	}
	if (change->verb == DIFF_KEEP)
		generation_scale_as(change->made, change->old);
	pools_add(pools, change->made);
	return 0;
}

static int
make_all(struct pools *pools)
{
	for (size_t i = 0; i < self.changes.n; i++)
		if ((self.changes.item[i].verb == DIFF_ADD ||
			self.changes.item[i].verb == DIFF_REPLACE) &&
		    make(pools, &self.changes.item[i]) == -1)
			return -1;
	if (changes_connect(&self.changes) == 0)
		return 0;
	refuse(pools, "%s", strerror(errno));
	return -1;
}

static void
start(struct change *change)
{
	generation_start(change->made, change->old == NULL ? 0 :
	    generation_up(change->old));
}

/* Generations on trial run beside those that serve, so process_max is the
 * greater of the old and the new until the commit. */
static void
begin(struct pools *pools)
{
	int64_t now = self.before_max, then = self.conf->process_max;

	pools_limit(pools, now == 0 || then == 0 ? 0 : now > then ? now :
								     then);
	self.until = clock_ms() + tuning.reload;
	for (size_t i = 0; i < self.changes.n; i++) {
		struct change *change = &self.changes.item[i];

		if (change->made != NULL)
			start(change);
		else if (change->verb != DIFF_DROP)
			generation_ask(change->old, self.until);
	}
}

static int
apply(struct pools *pools, struct conf *conf)
{
	self.conf = conf;
	self.committed = false;
	self.before_max = pools->quota.max;
	if (!self.again && pools_try(pools, conf) == -1) {
		refuse(pools, "out of memory");
		conf_free(conf);
	} else if ((self.again || prepare_globals(pools) == 0) &&
	    plan(pools) == 0 && make_all(pools) == 0) {
		begin(pools);
		return 0;
	}
	give_up(pools);
	return -1;
}

static void
forget_only(void)
{
	free(self.only);
	self.only = NULL;
}

int
reload_apply(struct pools *pools, struct conf *conf)
{
	outcome_clear(&pools->outcome);
	self.refused = false;
	forget_only();
	self.upgrade = true;
	self.again = false;
	if (conf != NULL)
		return apply(pools, conf);
	self.committed = false;
	self.before_max = pools->quota.max;
	refuse(pools, "the configuration cannot be read");
	give_up(pools);
	return -1;
}

int
reload_begin(struct pools *pools, const char *file, bool allow_root,
    const char *only)
{
	struct conf *conf = NULL;

	outcome_clear(&pools->outcome);
	self.refused = false;
	forget_only();
	self.upgrade = false;
	self.again = file == NULL;
	self.committed = false;
	self.before_max = pools->quota.max;
	if (only != NULL && (self.only = strdup(only)) == NULL)
		refuse(pools, "out of memory");
	else
		conf = self.again ? pools->sources->conf :
				    read_new(pools, file, allow_root);
	if (conf != NULL)
		return apply(pools, conf);
	give_up(pools);
	return -1;
}

/* ---- committing ---------------------------------------------------------- */

/* The last step that can fail, and it is undone if it does. */
static int
adjust_sockets(struct pools *pools)
{
	const struct change *change = self.changes.item;
	const struct change *end = change + self.changes.n;
	struct why why;
	int result = 0;

	for (; result == 0 && change < end; change++)
		if (change->made != NULL &&
		    generation_adjust(change->made, &why) == -1) {
			refuse(pools, "pool %s: %s", change->after->name,
			    why.text);
			result = -1;
		}
	listen_settle(result == 0);
	return result;
}

/* changes_connect and changes_forward have prepared where its connections
 * go. */
static void
retire(const struct change *change)
{
	struct generation *old = change->old;
	const char *name = generation_name(old);
	enum generation_event how = GENERATION_REPLACED;

	if (change->made != NULL)
		log_notice("pool %s: new workers are up, the old ones leave",
		    name);
	else
		log_notice("pool %s: dropped", name);
	if (change->heir == NULL)
		how = GENERATION_DROPPED;
	else if (change->several || change->heir != change)
		how = GENERATION_SPLIT;
	generation_leave(old, how, generation_conf(old)->timeouts.stop);
}

/* New generations open before old ones leave, and watch their sockets after
 * that: until then the old ones have been watching those that both hold. */
static void
carry_out(void)
{
	struct change *change, *end = self.changes.item + self.changes.n;

	for (change = self.changes.item; change < end; change++)
		if (change->made != NULL)
			generation_open(change->made);
		else if (change->verb != DIFF_DROP)
			generation_hup(change->old, change->after, self.conf,
			    change->verb == DIFF_TUNE, self.until);
	for (change = self.changes.item; change < end; change++)
		if (change->old != NULL &&
		    (change->made != NULL || change->verb == DIFF_DROP))
			retire(change);
	for (change = self.changes.item; change < end; change++)
		if (change->made != NULL)
			generation_rewatch(change->made);
}

static void
commit(struct pools *pools)
{
	if (changes_forward(&self.changes, pools->options.loop) == -1) {
		refuse(pools, "%s", strerror(errno));
		give_up(pools);
		return;
	}
	if (adjust_sockets(pools) == -1) {
		give_up(pools);
		return;
	}
	if (!self.again)
		pools_decide(pools, true);
	if (!self.again && self.only == NULL) {
		log_commit((enum log_level)self.conf->log_level);
		control_commit();
	}
	pools_limit(pools, self.conf->process_max);
	self.committed = true;
	carry_out();
	count(pools, false);
	pools_send_logs(pools);
	changes_free(&self.changes);
}

/* ---- deciding ------------------------------------------------------------ */

enum verdict { WAITS, GOOD, BAD };

/* The reason may be a worker's own text: it is escaped. */
static void
blame(struct pools *pools, const struct change *change)
{
	const char *reason = generation_reason(change->made);
	struct buf shown = { 0 };
	const char *text;

	escape_text(&shown, reason, strlen(reason));
	text = buf_string(&shown);
	refuse(pools, "pool %s: %s%s%s", change->after->name,
	    change->old == NULL ? NONE : STAY,
	    text == NULL || *text == '\0' ? "" : ": ",
	    text == NULL ? "" : text);
	buf_free(&shown);
}

/* A pool that has not changed gets a new generation if its workers say that
 * their files have. */
static enum verdict
judge_kept(struct pools *pools, struct change *change)
{
	switch (generation_answer(change->old, clock_ms())) {
	case GENERATION_WAITS:
		return WAITS;
	case GENERATION_OUTDATED:
		if (make(pools, change) == -1)
			return BAD;
		start(change);
		return WAITS;
	default:
		return GOOD;
	}
}

static enum verdict
judge(struct pools *pools, struct change *change)
{
	if (change->verb == DIFF_DROP)
		return GOOD;
	if (change->made == NULL)
		return judge_kept(pools, change);
	switch (generation_state(change->made)) {
	case GENERATION_READY:
		return GOOD;
	case GENERATION_FAILED:
		blame(pools, change);
		return BAD;
	default:
		return WAITS;
	}
}

/* True if the reload was committed or given up. */
static bool
decide(struct pools *pools)
{
	enum verdict one, all = GOOD;

	for (size_t i = 0; all != BAD && i < self.changes.n; i++) {
		one = judge(pools, &self.changes.item[i]);
		if (one != GOOD)
			all = one;
	}
	if (all == GOOD)
		commit(pools);
	else if (all == BAD)
		give_up(pools);
	return all != WAITS;
}

/* Note which pools have failed though the configuration is in force. */
static void
note_failed(struct pools *pools)
{
	int64_t now = clock_ms();
	struct generation *g;
	const char *what;

	for (g = pools->first; g != NULL; g = *generation_link(g)) {
		if (!generation_serves(generation_state(g)) ||
		    (self.only != NULL &&
			strcmp(generation_name(g), self.only) != 0))
			continue;
		if (generation_state(g) != GENERATION_SERVING)
			what = NONE;
		else if (generation_answer(g, now) == GENERATION_REFUSES)
			what = STAY;
		else
			continue;
		outcome_add(&pools->outcome, NULL, "pool %s: %s",
		    generation_name(g), what);
	}
}

static bool
all_obeyed(const struct pools *pools)
{
	int64_t now = clock_ms();
	struct generation *g;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		if (!generation_leaves(generation_state(g)) &&
		    generation_answer(g, now) == GENERATION_WAITS)
			return false;
	return true;
}

bool
reload_done(struct pools *pools)
{
	if (self.changes.item != NULL && !decide(pools))
		return false;
	if (!all_obeyed(pools) || !pools_tried(pools))
		return false;
	if (self.committed)
		note_failed(pools);
	return true;
}

const char *
reload_refusal(void)
{
	if (!self.refused)
		return NULL;
	return self.upgrade ? "the configuration cannot be put into effect: "
	    "what was in force stays, and so do its workers" :
	    "reload refused: nothing has changed";
}

void
reload_cancel(void)
{
	changes_free(&self.changes);
	log_abandon();
}
