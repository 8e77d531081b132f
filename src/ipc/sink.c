#include "ipc/sink.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/locale.h"
#include "base/log.h"
#include "base/log_pipe.h"
#include "base/log_target.h"
#include "base/path.h"
#include "base/user.h"

#define LOCK_PATIENCE 500 /* ms */
#define LOCK_PAUSE    10000

static const struct {
	unsigned char tag; /* of a message */
	int severity;
	const char *name;
} kinds[SINK_COUNT] = {
	[SINK_ACCESS] = { 'A', LOG_INFO, "logs.access" },
	[SINK_SLOW] = { 'S', LOG_WARNING, "logs.slow" },
};

const char *
sink_target(const struct conf_pool *pool, enum sink_id id)
{
	return id == SINK_ACCESS ? pool->logs.access : pool->logs.slow;
}

const char *
sink_name(enum sink_id id)
{
	return kinds[id].name;
}

/* ---- opening ------------------------------------------------------------- */

/* If syslog cannot be reached, each line tries to connect again. */
static int
open_syslog(void)
{
	static const struct sockaddr_un address = { AF_UNIX, _PATH_LOG };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd != -1 && connect(fd, (const struct sockaddr *)&address,
	    sizeof(address)) == -1)
		log_warning("syslog is not there (%s): lines are lost until "
		    "it is", strerror(errno));
	return fd;
}

static enum sink_way
way_of(const char *target)
{
	if (target == NULL)
		return SINK_NONE;
	if (strcmp(target, "stdout") == 0 || strcmp(target, "stderr") == 0)
		return SINK_STREAM;
	if (strcmp(target, "syslog") == 0)
		return SINK_SYSLOG;
	if (strcmp(target, "error_log") == 0)
		return SINK_ERROR_LOG;
	return SINK_FILE;
}

static int
open_stream(enum sink_way way, const char *target, struct why *why)
{
	int fd = way == SINK_SYSLOG ? open_syslog() :
	    writer_own(strcmp(target, "stdout") == 0 ? STDOUT_FILENO :
	    STDERR_FILENO);

	if (fd == -1)
		why_set(why, "%s", strerror(errno));
	return fd;
}

static int
open_target(enum sink_way way, const char *target, struct why *why)
{
	return way == SINK_FILE ? path_open_log(target, why) :
	    open_stream(way, target, why);
}

static void
set(struct sink *sink, enum sink_way way, int fd)
{
	struct stat st;

	*sink = (struct sink){ .way = way };
	writer_set(&sink->out, fd);
	if (way == SINK_FILE || way == SINK_STREAM)
		sink->crowded = fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) ||
		    S_ISSOCK(st.st_mode) || isatty(fd));
}

int
sink_open(struct sink *sink, const char *target, struct why *why)
{
	enum sink_way way = way_of(target);
	struct why reason;
	int fd = -1;

	if (way != SINK_NONE && way != SINK_ERROR_LOG &&
	    (fd = open_target(way, target, &reason)) == -1) {
		set(sink, SINK_NONE, -1);
		why_set(why, "cannot open %s: %s", target, reason.text);
		return -1;
	}
	set(sink, way, fd);
	writer_distrust(&sink->out); /* workers will have it */
	return 0;
}

void
sink_close(struct sink *sink)
{
	if (sink->way != SINK_ERROR_LOG && sink->out.fd > STDERR_FILENO)
		close(sink->out.fd);
	set(sink, SINK_NONE, -1);
}

/* ---- checking ------------------------------------------------------------ */

/* Returns as path_try_log. */
static int
try_target(const char *target, uid_t user, struct why *why)
{
	enum sink_way way = way_of(target);
	int fd;

	if (way == SINK_FILE)
		return path_try_log(target, user, why);
	if (way == SINK_NONE || way == SINK_ERROR_LOG)
		return 0;
	if ((fd = open_stream(way, target, why)) == -1)
		return -1;
	close(fd);
	return 0;
}

/* The user who may write to the directories of the pool's logs, because its
 * workers write the logs anyway; -1: none. */
static uid_t
user_of(const struct conf_pool *pool)
{
	uid_t uid = (uid_t)-1;
	gid_t gid;

	if (pool->user != NULL)
		user_find(pool->user, &uid, &gid, NULL);
	return uid;
}

static bool
check_pool(const struct conf_pool *pool, struct conf_faults *faults)
{
	struct why why;
	bool bad = false;

	for (int id = 0; id < SINK_COUNT; id++) {
		const char *target = sink_target(pool, id);

		if (try_target(target, user_of(pool), &why) != -1)
			continue;
		conf_fault(faults, pool->file, pool->line,
		    "pool %s: %s: cannot open %s: %s", pool->name,
		    kinds[id].name, target, why.text);
		bad = true;
	}
	return bad;
}

bool
sink_check_error_log(const struct conf *conf, struct conf_faults *faults)
{
	const char *path = log_target_path(conf->error_log);
	struct why why;

	if (path == NULL || path_try_log(path, (uid_t)-1, &why) != -1)
		return false;
	conf_fault(faults, "error_log", 0, "cannot open %s: %s", path,
	    why.text);
	return true;
}

bool
sink_check(const struct conf *conf, struct conf_faults *faults)
{
	bool bad = false;

	for (size_t i = 0; i < conf->npools; i++)
		bad = check_pool(&conf->pools[i], faults) || bad;
	return bad;
}

static const char exposed[] = "could be replaced by others, who may write to "
    "its directory or to one above";

void
sink_warn(const struct conf *conf, struct conf_faults *warnings)
{
	const char *path = log_target_path(conf->error_log), *target;
	const struct conf_pool *pool;

	if (path != NULL && path_try_log(path, (uid_t)-1, NULL) == 1)
		conf_fault(warnings, "error_log", 0, "warning: %s %s", path,
		    exposed);
	for (pool = conf->pools; pool < conf->pools + conf->npools; pool++)
		for (int id = 0; id < SINK_COUNT; id++) {
			target = sink_target(pool, id);
			if (try_target(target, user_of(pool), NULL) == 1)
				conf_fault(warnings, pool->file, pool->line,
				    "warning: pool %s: %s: %s %s", pool->name,
				    kinds[id].name, target, exposed);
		}
}

/* ---- from master to worker ----------------------------------------------- */

/* Open a regular file again by its descriptor, because its path may lead to
 * another file by now.  -1 without O_APPEND: such a file was given to the
 * master (stdout), and all its writers must share one position. */
static int
open_again(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    (fcntl(fd, F_GETFL) & O_APPEND) == 0)
		return -1;
	return fd_open_again(fd, O_WRONLY | O_APPEND);
}

static void
renew(struct sink_loan *loan, int fd)
{
	if (loan->before == -1 || lseek(loan->fd, 0, SEEK_CUR) > 0) {
		fd_close(&loan->before);
		loan->before = loan->fd;
	} else {
		fd_close(&loan->fd);
	}
	loan->fd = fd;
}

int
sink_loan_used(const struct sink_loan *loan)
{
	if (loan->before != -1 && lseek(loan->fd, 0, SEEK_CUR) <= 0)
		return loan->before;
	return loan->fd;
}

void
sink_return(struct sink_loan *loan)
{
	fd_close(&loan->fd);
	fd_close(&loan->before);
	loan->sent = 0;
	loan->owed = false;
}

void
sink_lend(const struct sink *sink, struct sink *out, struct sink_loan *loan)
{
	int fd = -1;

	*out = *sink;
	if (sink->way == SINK_ERROR_LOG)
		out->out = (struct writer){ .fd = STDERR_FILENO,
			.blocks = true };
	if (loan == NULL)
		return;
	if (sink->way == SINK_FILE)
		fd = open_again(sink->out.fd);
	renew(loan, fd);
	if (fd == -1)
		return;
	set(out, SINK_FILE, fd);
	out->own = true;
}

int
sink_send(int channel, enum sink_id id, const struct sink *sink)
{
	const unsigned char data[] = { kinds[id].tag,
		(unsigned char)sink->way, sink->own };
	int fd = sink->way == SINK_ERROR_LOG ? -1 : sink->out.fd;

	return fd_send(channel, fd, data, sizeof(data)) == -1 ? -1 : 0;
}

static void
take(struct sink *sink, int fd, enum sink_way way, bool own)
{
	sink_close(sink);
	if (way == SINK_ERROR_LOG) {
		fd_close(&fd);
		fd = STDERR_FILENO;
	}
	if (fd == -1)
		return;
	set(sink, way, fd);
	sink->own = own;
}

bool
sink_take(struct sink sinks[SINK_COUNT], int fd, const unsigned char *data,
    size_t n)
{
	for (int id = 0; id < SINK_COUNT; id++)
		if (data[0] == kinds[id].tag && n >= 3) {
			take(&sinks[id], fd, data[1], data[2] != 0);
			return true;
		}
	return false;
}

/* ---- at a worker's birth ------------------------------------------------- */

void
sink_put(const struct sink *sink, enum sink_id id, struct buf *out)
{
	struct buf record = { 0 };

	record_put_number(&record, "way", sink->way);
	record_put_number(&record, "own", sink->own);
	record_put_number(&record, "fd", sink->out.fd);
	record_put(out, id == SINK_ACCESS ? "access" : "slow", record.data,
	    record.len);
	out->failed |= record.failed;
	buf_free(&record);
}

void
sink_get(struct sink *sink, enum sink_id id, const struct record *all)
{
	struct record record;
	int64_t way;

	set(sink, SINK_NONE, -1);
	if (!record_find(all, id == SINK_ACCESS ? "access" : "slow", &record))
		return;
	way = record_number(&record, "way", SINK_NONE);
	if (way <= SINK_NONE || way > SINK_ERROR_LOG)
		return;
	set(sink, (enum sink_way)way, record_fd(&record, "fd"));
	sink->own = record_number(&record, "own", 0) != 0;
	if (sink->way == SINK_ERROR_LOG)
		sink->out = (struct writer){ .fd = STDERR_FILENO,
			.blocks = true };
}

/* ---- writing ------------------------------------------------------------- */

/* Wait for the lock as long as its holder may wait in writer_write.  A process
 * that is stopped, or hostile, can hold it longer: then this line is written
 * without the lock, and for LOCK_PAUSE the next ones do not wait for it. */
static bool
lock(struct sink *sink)
{
	const struct flock whole = { .l_type = F_WRLCK };
	int64_t begun = clock_ms();

	for (;;) {
		if (fcntl(sink->out.fd, F_SETLK, &whole) == 0)
			return true;
		if ((errno != EAGAIN && errno != EACCES && errno != EINTR) ||
		    begun < sink->waits_from)
			return false;
		if (clock_ms() - begun >= LOCK_PATIENCE)
			break;
		poll(NULL, 0, 1);
	}
	sink->waits_from = clock_ms() + LOCK_PAUSE;
	return false;
}

static int
write_locked(struct sink *sink, const char *line, size_t n)
{
	const struct flock none = { .l_type = F_UNLCK };
	bool locked = lock(sink);
	int result = writer_write(&sink->out, line, n), error = errno;

	if (locked)
		fcntl(sink->out.fd, F_SETLK, &none);
	errno = error;
	return result;
}

size_t
sink_whole_lines(const char *text, size_t n)
{
	const char *last = memrchr(text, '\n', n);

	return last == NULL ? 0 : (size_t)(last - text) + 1;
}

size_t
sink_write_lines(struct sink *sink, const char *lines, size_t n)
{
	size_t whole;
	int error;

	if (sink->way == SINK_ERROR_LOG)
		sink->out.fd = log_pipe();
	if (writer_write(&sink->out, lines, n) == 0)
		return n;
	error = errno;
	whole = sink_whole_lines(lines, sink->out.went);
	if (sink->out.went > 0)
		sink->out.torn = sink->out.went - whole;
	if (sink->own && sink->out.torn > 0)
		writer_mend(&sink->out);
	errno = error;
	return whole;
}

/* Connect the socket again if syslog was restarted.  All processes that share
 * the socket are connected then. */
static bool
reconnect(const struct sink *sink)
{
	static const struct sockaddr_un address = { AF_UNIX, _PATH_LOG };

	return (errno == ECONNREFUSED || errno == ENOTCONN ||
	    errno == ECONNRESET) && connect(sink->out.fd,
	    (const struct sockaddr *)&address, sizeof(address)) == 0;
}

static int
write_syslog(struct sink *sink, int severity, const char *line, size_t n)
{
	static struct buf text;
	char stamp[32];
	struct tm tm;
	time_t now = time(NULL);

	locale_time(stamp, sizeof(stamp), "%b %e %H:%M:%S",
	    localtime_r(&now, &tm));
	buf_clear(&text);
	buf_addf(&text, "<%d>%s lua-fpm[%d]: ", LOG_DAEMON | severity, stamp,
	    (int)getpid());
	buf_add(&text, line, n - 1);
	if (text.failed) {
		errno = ENOMEM;
		return -1;
	}
	if (writer_write(&sink->out, text.data, text.len) == 0)
		return 0;
	if (!reconnect(sink))
		return -1;
	sink->out.lost--;
	return writer_write(&sink->out, text.data, text.len);
}

int
sink_write(struct sink *sink, enum sink_id id, const char *line, size_t n)
{
	if (sink->way == SINK_NONE)
		return 0;
	if (sink->way == SINK_SYSLOG)
		return write_syslog(sink, kinds[id].severity, line, n);
	if (sink->crowded)
		return write_locked(sink, line, n);
	return sink_write_lines(sink, line, n) == n ? 0 : -1;
}

int64_t
sink_position(const struct sink *sink)
{
	return sink->own ? lseek(sink->out.fd, 0, SEEK_CUR) : -1;
}
