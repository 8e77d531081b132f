#include "master/handover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "base/sealed.h"
#include "conf/conf_dump.h"
#include "conf/conf_read.h"
#include "ipc/board.h"
#include "master/control.h"
#include "master/listen.h"

#define VARIABLE "LUA_FPM_HANDOVER"
#define PROPOSED "LUA_FPM_UPGRADE"
#define KIND	 "lua_fpm_handover_1" /* name of the outermost record; another
					 build may have another */

/* ---- leaving ------------------------------------------------------------- */

static void
put_source(const struct conf *conf, struct buf *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	bool dumped = file != NULL && conf_dump(conf, file) == 0;

	if (file != NULL)
		fclose(file);
	if (dumped)
		record_put(out, "source", text, len);
	else
		out->failed = true;
	free(text);
}

static int64_t
source_number(const struct pools *pools, const struct conf *conf)
{
	const struct pools_source *source = pools->sources;
	int64_t n = 0;

	for (; source != NULL && source->conf != conf; source = source->next)
		n++;
	return n;
}

static void
put_generation(const struct pools *pools, const struct generation *g,
    struct buf *out)
{
	struct buf record = { 0 };

	generation_hand_over(g, source_number(pools, generation_source(g)),
	    &record);
	record_put_records(out, "generation", &record);
}

/* The open log is handed over: its path may lead elsewhere, or nowhere, by
 * now. */
static void
put_log(struct buf *out)
{
	struct log_place place = log_place();
	struct buf record = { 0 };

	record_put_fd(&record, "fd", place.fd);
	record_put_number(&record, "min", place.min);
	record_put_number(&record, "form", place.form);
	if (place.path != NULL)
		record_put_text(&record, "path", place.path);
	record_put_records(out, "log", &record);
}

static void
put_own(const struct handover_own *own, struct buf *out)
{
	record_put_text(out, "version", own->version);
	record_put_number(out, "hup_waits", own->hup_waits);
	record_put_number(out, "usr2_waits", own->usr2_waits);
	record_put_number(out, "started", own->started);
	record_put_fd(out, "pid_file", own->pidfile);
	if (own->pid_path != NULL)
		record_put_text(out, "pid_path", own->pid_path);
}

static void
put_parked(const struct pools_parked *parked, struct buf *out)
{
	struct buf record = { 0 };

	record_put_text(&record, "name", parked->name);
	record_put_number(&record, "resumes", parked->resumes);
	record_put_records(out, "parked", &record);
}

static void
put_all(const struct pools *pools, const struct handover_own *own,
    struct buf *out)
{
	const struct pools_source *source;
	const struct pools_parked *parked;
	struct generation *g;

	for (source = pools->sources; source != NULL; source = source->next)
		put_source(source->conf, out);
	listen_hand_over(out);
	for (g = pools->first; g != NULL; g = *generation_link(g))
		put_generation(pools, g, out);
	for (parked = pools->parked; parked != NULL; parked = parked->next)
		put_parked(parked, out);
	control_hand_over(out);
	put_log(out);
	put_own(own, out);
}

int
handover_leave(const struct pools *pools, const struct handover_own *own)
{
	struct buf all = { 0 }, text = { 0 };
	char number[16];
	int fd;

	put_all(pools, own, &all);
	record_put(&text, KIND, all.data, all.len);
	text.failed |= all.failed;
	fd = sealed_make("lua-fpm-handover", &text);
	buf_free(&all);
	buf_free(&text);
	if (fd == -1 || fd_cloexec(fd, false) == -1)
		return -1;
	snprintf(number, sizeof(number), "%d", fd);
	return setenv(VARIABLE, number, 1);
}

/* By rule every descriptor of the master is close-on-exec. */
static void
close_all_on_exec(void)
{
	close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

/* Remove VARIABLE from the environment.  False if it was not set; *fd is -1 if
 * it names no descriptor. */
static bool
take_variable(int *fd)
{
	const char *text = getenv(VARIABLE);
	int64_t number = -1;

	*fd = -1;
	if (text == NULL)
		return false;
	num_integer(text, STDERR_FILENO + 1, INT_MAX, &number);
	*fd = (int)number;
	unsetenv(VARIABLE);
	return true;
}

void
handover_revoke(void)
{
	int fd;

	take_variable(&fd);
	fd_close(&fd);
	close_all_on_exec();
}

/* ---- the trial of the next image ----------------------------------------- */

void
handover_propose(void)
{
	setenv(PROPOSED, KIND, 1);
}

bool
handover_suits(void)
{
	const char *form = getenv(PROPOSED);
	bool suits = form == NULL || strcmp(form, KIND) == 0;

	unsetenv(PROPOSED);
	return suits;
}

/* ---- coming back to life ------------------------------------------------- */

/* First of all, so that failures of the rest can be logged. */
static void
revive_log(const struct record *all)
{
	struct log_place place;
	struct record record;
	char *path;

	if (!record_find(all, "log", &record))
		return;
	path = record_text(&record, "path");
	place.fd = record_fd(&record, "fd");
	if (place.fd == -1)
		place.fd = STDERR_FILENO;
	place.path = path;
	place.min = record_number(&record, "min", -1);
	place.form = record_number(&record, "form", -1);
	log_settle(&place);
	free(path);
}

static bool
is_ours(const struct buf *text, struct record *all)
{
	const char *rest = text->data;
	size_t len = text->len;
	struct record source;

	return record_next(&rest, &len, all) && record_is(all, KIND) &&
	    len == 0 && record_is_whole(all) &&
	    record_find(all, "source", &source);
}

int
handover_take(struct handover *handover, struct why *why)
{
	int fd;

	*handover = (struct handover){ 0 };
	if (!take_variable(&fd))
		return 0;
	if (sealed_read(fd, &handover->text) == -1)
		why_set(why, VARIABLE " names no sealed memory with what an "
		    "upgrade leaves");
	else if (!is_ours(&handover->text, &handover->all))
		why_set(why, "what " VARIABLE " leads to was left by no "
		    "upgrade to this build");
	else {
		close(fd);
		revive_log(&handover->all);
		return 1;
	}
	buf_free(&handover->text);
	return -1;
}

/* The newest configuration comes first, and pools_adopt takes the last one for
 * the newest: so they are adopted from the end. */
static void
revive_sources(const char *rest, size_t len, struct pools *pools)
{
	struct record record;
	struct conf *conf;

	if (!record_next(&rest, &len, &record))
		return;
	revive_sources(rest, len, pools);
	if (!record_is(&record, "source"))
		return;
	conf = conf_recall(record.value, record.len);
	if (conf != NULL && pools_adopt(pools, conf) == -1)
		conf_free(conf);
}

static const struct conf *
source_at(const struct pools *pools, int64_t n)
{
	const struct pools_source *source = pools->sources;

	for (; n > 0 && source != NULL; n--)
		source = source->next;
	return n < 0 || source == NULL ? NULL : source->conf;
}

static void
revive_generation(const struct record *record, struct pools *pools)
{
	char *name = record_text(record, "name");
	struct generation *g;
	struct why why;

	g = generation_take_over(record,
	    source_at(pools, generation_handover_source(record)),
	    &pools->options, &why);
	if (g != NULL)
		pools_add(pools, g);
	else
		log_error("pool %s: its workers cannot be taken over: %s",
		    name == NULL ? "?" : name, why.text);
	free(name);
}

static void
revive_parked(const struct record *record, struct pools *pools)
{
	char *name = record_text(record, "name");

	if (name == NULL || pools_park(pools, name) == -1)
		log_error("a pool that is out of service is forgotten: no "
		    "memory");
	else if (record_number(record, "resumes", 0) != 0)
		pools_resume(pools, name);
	free(name);
}

static void
revive_own(const struct record *all, struct handover_own *own)
{
	own->version = record_text(all, "version");
	if (own->version == NULL)
		own->version = "?";
	own->hup_waits = record_number(all, "hup_waits", 0) != 0;
	own->usr2_waits = record_number(all, "usr2_waits", 0) != 0;
	own->pidfile = record_fd(all, "pid_file");
	own->pid_path = record_text(all, "pid_path");
	own->started = record_number(all, "started", 0);
}

/* A descriptor that is not close-on-exec was left by the image before, and not
 * taken.  It is closed, so that workers of a pool that was not taken over see
 * that their master is gone. */
static void
close_untaken(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int64_t fd;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (num_integer(entry->d_name, STDERR_FILENO + 1, INT_MAX,
			&fd) == 0 && fcntl((int)fd, F_GETFD) == 0)
			close((int)fd);
	if (dir != NULL)
		closedir(dir);
	close_all_on_exec();
}

void
handover_revive(struct handover *handover, struct pools *pools,
    struct handover_own *own)
{
	const char *rest = handover->all.value;
	size_t len = handover->all.len;
	struct record record;

	revive_own(&handover->all, own);
	revive_sources(rest, len, pools);
	while (record_next(&rest, &len, &record)) {
		if (record_is(&record, "listener") &&
		    listen_take_over(&record) == -1)
			log_error("a listening socket cannot be taken over");
		else if (record_is(&record, "generation"))
			revive_generation(&record, pools);
		else if (record_is(&record, "parked"))
			revive_parked(&record, pools);
		else
			control_take_over(&record);
	}
	board_all_taken_over();
	close_untaken();
	buf_free(&handover->text);
}
