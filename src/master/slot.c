#include "master/slot.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/fd_leave.h"
#include "ipc/channel.h"

#define WORDS_TURN 16	/* words read from a worker in one turn */
#define WORDS_SPAN 100	/* ms over which words and their cost are counted */
#define WORDS_MOST 500	/* words per span, more than a worker has to say */
#define WORDS_TIME 10000 /* us of processor time per span, spent on words */
#define WORDS_LAST 4096 /* words, more than a channel holds */
#define SAID_MOST  320

static struct index processes; /* slots that are not free, by pid */

enum fault { FAULT_WORD = 1, FAULT_FLOOD = 2, FAULT_DEAF = 4 };

static void
close_channel(struct slot *slot)
{
	if (slot->channel == -1)
		return;
	loop_unwatch(slot->loop, slot->channel);
	loop_timer_clear(slot->loop, &slot->pause);
	fd_close(&slot->channel);
}

/* Log a fault, each once in the worker's life: a second line would tell nothing
 * new. */
static void
tell_fault(struct slot *slot, enum fault fault, const char *text)
{
	if ((slot->faults & fault) == 0)
		slot_log(slot, LEVEL_WARNING, "%s", text);
	slot->faults |= fault;
}

static void
take_word(struct slot *slot, const char *message, long n)
{
	bool explains = worker_word_explains(*message);

	if (explains && (slot->said == NULL || *message != WORD_FAILED)) {
		free(slot->said);
		slot->said = strndup(message + 1, (size_t)n - 1);
	}
	if ((n == 1 || explains) && worker_is_word(*message))
		slot->heard(slot->arg, slot, (enum worker_word)*message);
	else if (!slot->foreign)
		tell_fault(slot, FAULT_WORD, "says what is no word of a "
		    "worker: ignored");
}

/* Read at most so many words.  False at the end of the channel, or on error. */
static bool
hear(struct slot *slot, unsigned most)
{
	char message[1 + SAID_MOST];
	long n = 1;

	for (; most > 0 && slot->channel != -1; most--) {
		n = fd_receive_leaving(slot->channel, NULL, message,
		    sizeof(message));
		if (n < 1)
			break;
		slot->words++;
		take_word(slot, message, n);
	}
	return n > 0 || (n == -1 && errno == EAGAIN);
}

void
slot_ended(struct slot *slot)
{
	kill(-slot->pid, SIGKILL);
	/* Words that other holders of the channel send from here on are not
	 * read. */
	if (slot->channel != -1)
		shutdown(slot->channel, SHUT_RD);
	hear(slot, WORDS_LAST);
}

/* Without memory for a watch we could neither hear the worker nor read its
 * output: it is killed, and its death is judged like any other. */
static void
cut_off(struct slot *slot)
{
	slot_log(slot, LEVEL_ERROR, "cannot be watched: %s: killed",
	    strerror(errno));
	slot_kill(slot);
}

static int watch_channel(struct slot *slot);

static void
pause_over(void *arg)
{
	struct slot *slot = arg;

	if (watch_channel(slot) == -1)
		cut_off(slot);
}

/* Further words wait in the channel, and once that is full with the worker. */
static void
pause_hearing(struct slot *slot)
{
	tell_fault(slot, FAULT_FLOOD, "says more than a worker has to say: it "
	    "is heard less often");
	loop_unwatch(slot->loop, slot->channel);
	slot->pause.fire = pause_over;
	slot->pause.arg = slot;
	loop_timer_set(slot->loop, &slot->pause, slot->span + WORDS_SPAN);
}

/* Reading is bounded, so that a flood does not keep others from their turn.  A
 * worker that closes its end either ends, which reaping will tell, or should
 * not have done so: its end is awaited only for a short time. */
static void
channel_ready(void *arg, int fd, short revents)
{
	struct slot *slot = arg;
	int64_t begun = clock_cpu_us(), now = clock_ms();
	bool more;

	(void)fd;
	(void)revents;
	if (now - slot->span >= WORDS_SPAN) {
		slot->span = now;
		slot->words = 0;
		slot->took = 0;
	}
	more = hear(slot, WORDS_TURN);
	slot->took += clock_cpu_us() - begun;
	if (!more) {
		close_channel(slot);
		slot->heard(slot->arg, slot, WORD_CLOSED);
	} else if (slot->words >= WORDS_MOST || slot->took >= WORDS_TIME) {
		pause_hearing(slot);
	}
}

static int
watch_channel(struct slot *slot)
{
	return loop_watch(slot->loop, slot->channel, POLLIN, channel_ready,
	    slot);
}

static void
attend(struct slot *slot, struct loop *loop, int output, const char *pool)
{
	slot->loop = loop;
	index_add(&processes, &slot->by_pid, (uint64_t)slot->pid, slot);
	if (worker_output_open(&slot->output, loop, output, pool, slot->pid) ==
		0 &&
	    (slot->channel == -1 || watch_channel(slot) == 0))
		return;
	cut_off(slot);
}

int
slot_fork(struct slot *slot, const struct spawn_order *order,
    struct loop *loop, int64_t limit,
    void (*heard)(void *arg, struct slot *slot, enum worker_word word),
    void *arg)
{
	struct spawned child;

	if (spawn(order, &child) == -1)
		return -1;
	memset(slot, 0, sizeof(*slot));
	slot->state = SLOT_STARTING;
	slot->pid = child.pid;
	slot->channel = child.channel;
	slot->born = slot->looked = clock_ms();
	slot->works = true;
	slot->due = slot->born + limit;
	attend(slot, loop, child.output, order->args.pool->name);
	slot->heard = heard;
	slot->arg = arg;
	return 0;
}

/* ns of processor time that the process has taken; -1: not known. */
static int64_t
cpu_of(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &t) == -1)
		return -1;
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* True if the process sleeps; one that only waits for a processor does not. */
static bool
is_asleep(pid_t pid)
{
	char path[32], text[64];
	const char *name_end;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd != -1)
		n = read(fd, text, sizeof(text) - 1);
	fd_close(&fd);
	text[n > 0 ? n : 0] = '\0';
	name_end = strrchr(text, ')');
	return name_end != NULL && name_end[1] == ' ' && name_end[2] == 'S';
}

bool
slot_loads(struct slot *slot, int64_t now)
{
	int64_t passed = now - slot->looked, cpu;

	if (slot->state != SLOT_STARTING)
		return false;
	if (passed < SLOT_LOOK)
		return slot->works;
	cpu = cpu_of(slot->pid);
	/* A tenth of the time (ns per ms): with less it waits. */
	slot->works = cpu == -1 || cpu - slot->cpu > passed * 100000 ||
	    !is_asleep(slot->pid);
	slot->cpu = cpu;
	slot->looked = now;
	return slot->works;
}

void
slot_order(const struct slot *slot, enum worker_order order)
{
	if (slot->channel != -1 && !slot->foreign)
		channel_send_order(slot->channel, (char)order);
}

void
slot_tell_leave(struct slot *slot, int64_t limit)
{
	int64_t due = clock_ms() + limit;

	if (slot->state == SLOT_FREE || slot->killed)
		return;
	if (slot->state != SLOT_LEAVING)
		slot->due = -1;
	slot->state = SLOT_LEAVING;
	if (slot->due == -1 || due < slot->due)
		slot->due = due;
	kill(slot->pid, SIGTERM);
}

void
slot_kill(struct slot *slot)
{
	if (slot->state == SLOT_FREE)
		return;
	slot->killed = true;
	slot->due = -1;
	/* Its group, and the process itself, which may not have made its group
	 * yet. */
	kill(-slot->pid, SIGKILL);
	kill(slot->pid, SIGKILL);
}

void
slot_log(const struct slot *slot, enum log_level level, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_relay(&(struct log_entry) { .level = level, .pid = slot->pid,
	    .pool = slot->output.pool, .text = text, .len = strlen(text) });
}

void
slot_log_request(const struct slot *slot, enum log_level level,
    const struct score_slot *seen, const char *text)
{
	log_relay(&(struct log_entry) { .level = level, .pid = slot->pid,
	    .pool = slot->output.pool, .method = seen->method,
	    .uri = seen->uri, .text = text, .len = strlen(text),
	    .request = output_tag_is_id(seen->id, strlen(seen->id)) ? seen->id :
								NULL });
}

void
slot_is_deaf(struct slot *slot)
{
	tell_fault(slot, FAULT_DEAF, "does not take what the master sends it");
}

void
slot_bury(struct slot *slot)
{
	worker_output_leave(&slot->output);
	close_channel(slot);
	index_remove(&processes, &slot->by_pid);
	slot->state = SLOT_FREE;
	slot->pid = 0;
	slot->due = -1;
	slot->succeeds = NULL;
	slot->wish = false;
	slot->owes = SLOT_OWES_NOTHING;
	free(slot->said);
	slot->said = NULL;
}

void
slot_close(struct slot *slot)
{
	if (slot->state != SLOT_FREE)
		slot_bury(slot);
	buf_free(&slot->output.line);
}

const char *
slot_pool_of(pid_t pid)
{
	const struct index_entry *e = index_first(&processes, (uint64_t)pid);

	return e == NULL ? NULL : ((struct slot *)e->of)->output.pool;
}

/* ---- over an upgrade in place -------------------------------------------- */

void
slot_hand_over(const struct slot *slot, struct buf *out)
{
	record_put_number(out, "state", slot->state);
	record_put_number(out, "pid", slot->pid);
	record_put_fd(out, "channel", slot->channel);
	record_put_fd(out, "output", slot->output.fd);
	record_put_number(out, "born", slot->born);
	record_put_number(out, "due", slot->due);
	record_put_number(out, "killed", slot->killed);
	record_put_number(out, "wish", slot->wish);
	record_put_number(out, "protocol",
	    slot->foreign ? 0 : WORKER_PROTOCOL);
	record_put(out, "line", slot->output.line.data,
	    slot->output.line.len);
}

/* A process that is no child of ours must not be waited for or killed. */
static bool
is_child(int64_t pid)
{
	siginfo_t info;

	return pid > 1 && pid <= INT_MAX && waitid(P_PID, (id_t)pid, &info,
	    WEXITED | WNOHANG | WNOWAIT) == 0;
}

int
slot_take_over(struct slot *slot, const struct record *record,
    struct loop *loop, const char *pool,
    void (*heard)(void *arg, struct slot *slot, enum worker_word word),
    void *arg)
{
	int64_t state = record_number(record, "state", SLOT_UP);
	int64_t pid = record_number(record, "pid", 0);
	struct record line;

	if (state <= SLOT_FREE || state > SLOT_LEAVING || !is_child(pid))
		return -1;
	memset(slot, 0, sizeof(*slot));
	slot->state = (enum slot_state)state;
	slot->pid = (pid_t)pid;
	slot->channel = record_fd(record, "channel");
	slot->born = record_number(record, "born", clock_ms());
	slot->due = record_number(record, "due", -1);
	slot->killed = record_number(record, "killed", 0) != 0;
	slot->wish = record_number(record, "wish", 0) != 0;
	slot->foreign = record_number(record, "protocol", 0) !=
	    WORKER_PROTOCOL;
	slot->heard = heard;
	slot->arg = arg;
	attend(slot, loop, record_fd(record, "output"), pool);
	if (record_find(record, "line", &line))
		buf_add(&slot->output.line, line.value, line.len);
	return 0;
}

const char *
slot_end_text(int status, char *out, size_t n)
{
	if (WIFSIGNALED(status))
		snprintf(out, n, "was killed by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(out, n, "exited with code %d", WEXITSTATUS(status));
	return out;
}
