#include "worker/cgi/program.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "worker/cgi/keeper.h"

#define STACK (64 * 1024) /* of the child, before it is another program */

/* What runs on that stack: AddressSanitizer marks places of it, and a child that
 * becomes another program never takes a mark away. */
#define UNMARKED __attribute__((no_sanitize("address")))

static struct {
	const struct worker_args *args;
	atomic_int *group;
	int null; /* /dev/null */
	const struct param **sorted; /* parameters, by their names */
	size_t cap;	  /* of sorted */
	struct buf text;  /* the environment, each variable with its NUL */
	struct buf items; /* pointers to them */
	char *stack;
} self;

int
program_init(const struct worker_args *args, struct why *why)
{
	self.args = args;
	self.group = keeper_start();
	self.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	self.stack = malloc(STACK);
	if (self.group != NULL && self.stack != NULL)
		return 0;
	why_set(why, "cannot start CGI programs: %s", strerror(errno));
	return -1;
}

/* ---- the environment ----------------------------------------------------- */

static bool
is_named(const struct param *p, const char *name)
{
	return strlen(name) == p->name_len &&
	    memcmp(p->name, name, p->name_len) == 0;
}

/* True for what no program may take for its own: the "Proxy:" header of the
 * client (https://httpoxy.org), a CONTENT_LENGTH that is no length (Caddy sends
 * "-1" for a chunked body), and a name that the environment cannot have. */
static bool
is_withheld(const struct request *request, const struct param *p)
{
	if (p->name_len == 0 || memchr(p->name, '=', p->name_len) != NULL ||
	    memchr(p->name, '\0', p->name_len) != NULL)
		return true;
	if (is_named(p, "CONTENT_LENGTH"))
		return p->value_len > 0 && request->length == -1;
	return is_named(p, "HTTP_PROXY");
}

static int
compare_names(const struct param *one, const struct param *other)
{
	size_t n = one->name_len < other->name_len ? one->name_len :
						     other->name_len;
	int order = memcmp(one->name, other->name, n);

	if (order != 0)
		return order;
	return (one->name_len > other->name_len) -
	    (one->name_len < other->name_len);
}

/* By name, and repeats in the order of their arrival. */
static int
compare(const void *a, const void *b)
{
	const struct param *one = *(const struct param *const *)a;
	const struct param *other = *(const struct param *const *)b;
	int order = compare_names(one, other);

	return order != 0 ? order : (one > other) - (one < other);
}

/* Sort what is handed on into self.sorted.  Returns how many, -1: no memory. */
static ssize_t
sort(const struct request *request)
{
	const struct param **grown;
	size_t n = 0;

	if (request->nparams > self.cap) {
		grown = reallocarray(self.sorted, request->nparams,
		    sizeof(*grown));
		if (grown == NULL)
			return -1;
		self.sorted = grown;
		self.cap = request->nparams;
	}
	for (size_t i = 0; i < request->nparams; i++)
		if (!is_withheld(request, &request->params[i]))
			self.sorted[n++] = &request->params[i];
	if (n > 0)
		qsort(self.sorted, n, sizeof(*self.sorted), compare);
	return (ssize_t)n;
}

/* The name of the variable that begins in self.text is complete: its place. */
static void
begin_item(void)
{
	size_t at = self.text.len;

	buf_add(&self.items, &at, sizeof(at));
}

static void
add_item(const char *name, const char *value, size_t n)
{
	begin_item();
	buf_addf(&self.text, "%s=", name);
	buf_add(&self.text, value, n);
	buf_putc(&self.text, '\0');
}

/*
 * A file that is followed by a path: the script ends where the file does (RFC
 * 3875, 4.1.5 and 4.1.13), as fcgiwrap has it.  The server's PATH_INFO stays if
 * it has one.
 */
struct split {
	struct param own[3];
	size_t n;
};

static bool
replaces(const struct split *split, const struct param *p)
{
	for (size_t i = 0; i < split->n; i++)
		if (compare_names(&split->own[i], p) == 0)
			return true;
	return false;
}

#define OWN(text, from, n) \
	(struct param){ .name = text, .value = from, \
		.name_len = sizeof(text) - 1, .value_len = n }

static void
divide(const struct request *request, const struct script *script,
    struct split *split)
{
	const struct param *file = request->known[PARAM_SCRIPT_FILENAME];
	const struct param *name = request->known[PARAM_SCRIPT_NAME];
	const struct param *info = request->known[PARAM_PATH_INFO];
	size_t rest = script->rest;

	split->n = 0;
	if (file != NULL && file->value_len > 0)
		split->own[split->n++] = OWN("SCRIPT_FILENAME", script->path,
		    strlen(script->path));
	if (rest == 0 || name == NULL || name->value_len < rest ||
	    (info != NULL && info->value_len > 0))
		return;
	split->own[split->n++] = OWN("SCRIPT_NAME", name->value,
	    name->value_len - rest);
	split->own[split->n++] = OWN("PATH_INFO",
	    name->value + name->value_len - rest, rest);
}

/* Add the parameters of one name, from i on.  Returns the next; 0: one has a
 * NUL. */
static size_t
add_parameter(size_t i, size_t n)
{
	const struct param *first = self.sorted[i], *p = first;
	const char *separator = is_named(first, "HTTP_COOKIE") ? "; " : ", ";

	begin_item();
	buf_add(&self.text, first->name, first->name_len);
	buf_putc(&self.text, '=');
	for (;;) {
		if (memchr(p->value, '\0', p->value_len) != NULL)
			return 0;
		buf_add(&self.text, p->value, p->value_len);
		if (++i == n || compare_names(first, self.sorted[i]) != 0)
			break;
		p = self.sorted[i];
		buf_puts(&self.text, separator);
	}
	buf_putc(&self.text, '\0');
	return i;
}

static bool
is_configured(const char *item, size_t n)
{
	const struct conf_list *own = &self.args->pool->environment;

	for (size_t i = 0; i < own->n; i++)
		if (strncmp(own->item[i], item, n + 1) == 0)
			return true;
	return false;
}

/* Of the variables of this process: those that the program has too, unless a
 * parameter has that name. */
static bool
is_handed_on(const char *item, const struct split *split, size_t nsorted)
{
	size_t n = strcspn(item, "=");
	const struct param p = { .name = item, .value = "", .name_len = n };

	if (item[n] != '=' || n == 0 || strncmp(item, "HTTP", 4) == 0)
		return false;
	if (self.args->pool->clear_environment && !is_configured(item, n) &&
	    !is_named(&p, "PATH"))
		return false;
	for (size_t low = 0, high = nsorted; low < high;) {
		size_t middle = (low + high) / 2;
		int order = compare_names(&p, self.sorted[middle]);

		if (order == 0)
			return false;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return !replaces(split, &p);
}

/* The places in self.text become pointers, and NULL follows them. */
static void
finish_items(void)
{
	size_t n = self.items.len / sizeof(size_t);
	const size_t none = 0;
	size_t at;
	char *item;

	_Static_assert(sizeof(size_t) == sizeof(char *), "one for the other");
	buf_add(&self.items, &none, sizeof(none));
	for (size_t i = 0; i < n && !self.items.failed; i++) {
		memcpy(&at, self.items.data + i * sizeof(at), sizeof(at));
		item = self.text.data + at;
		memcpy(self.items.data + i * sizeof(at), &item, sizeof(item));
	}
}

int
program_environment(const struct request *request,
    const struct script *script, struct why *why)
{
	ssize_t n = sort(request);
	struct split split;

	buf_clear(&self.text);
	buf_clear(&self.items);
	divide(request, script, &split);
	for (size_t i = 0; (ssize_t)i < n;) {
		if (replaces(&split, self.sorted[i])) {
			i++;
		} else if ((i = add_parameter(i, (size_t)n)) == 0) {
			why_set(why, "a parameter has a NUL, which no "
			    "environment can hold");
			return 400;
		}
	}
	for (size_t i = 0; i < split.n; i++)
		add_item(split.own[i].name, split.own[i].value,
		    split.own[i].value_len);
	for (char **item = environ; *item != NULL && n >= 0; item++)
		if (is_handed_on(*item, &split, (size_t)n)) {
			begin_item();
			buf_add(&self.text, *item, strlen(*item) + 1);
		}
	finish_items();
	if (n >= 0 && !self.text.failed && !self.items.failed)
		return 0;
	why_set(why, "no memory for the environment");
	return 500;
}

/* ---- the process --------------------------------------------------------- */

struct birth { /* what the child needs */
	int in, out, err;
	const char *path;
	char *directory;
	pid_t parent;
	int error; /* errno of what failed, */
	bool executing; /* and if that is execve(2) */
};

/* The signals that this program ignores; those with a handler lose it by
 * themselves. */
static UNMARKED void
reset_signals(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGUSR1, SIGPIPE,
		SIGXFSZ };
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * The child shares our memory until it is another program, and we wait until
 * then (CLONE_VFORK): so only system calls, and what it notes is noted here.
 */
static UNMARKED int
be_born(void *arg)
{
	struct birth *birth = arg;
	char *const argv[] = { (char *)birth->path, NULL };

	setpgid(0, 0);
	atomic_store(self.group, (int)getpid());
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != birth->parent)
		_exit(1);
	if (dup2(birth->in, STDIN_FILENO) == -1 ||
	    dup2(birth->out, STDOUT_FILENO) == -1 ||
	    dup2(birth->err, STDERR_FILENO) == -1 ||
	    chdir(birth->directory) == -1) {
		birth->error = errno;
		_exit(1);
	}
	close_range(STDERR_FILENO + 1, UINT_MAX, 0);
	reset_signals();
	birth->executing = true;
	execve(birth->path, argv, (char **)self.items.data);
	birth->error = errno;
	_exit(1);
}

/* All signals are blocked meanwhile: a handler of ours would run in the child
 * too, in our memory. */
static int
give_birth(struct program *program, struct birth *birth)
{
	sigset_t all, before;
	int end = -1, error;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = clone(be_born, self.stack + STACK, CLONE_VM | CLONE_VFORK |
		CLONE_PIDFD | SIGCHLD, birth, &end);
	error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid == -1) {
		birth->error = error;
		return -1;
	}
	program->pid = pid;
	program->end = end;
	return birth->error == 0 ? 0 : -1;
}

static int
explain(const struct birth *birth, struct why *why)
{
	const char *what = strerror(birth->error);
	bool missing = birth->error == ENOENT &&
	    access(birth->path, F_OK) == -1;

	if (birth->executing && birth->error == ENOENT && !missing)
		what = "the interpreter that its first line names is missing";
	why_set(why, "%s: cannot be %s: %s", birth->path,
	    birth->executing ? "executed" : "started", what);
	if (missing) /* since it was found */
		return 404;
	switch (birth->error) {
	case EACCES:
		return 403;
	case E2BIG: /* a header of more than 128 KB, or all of them */
		return 431;
	case EAGAIN: /* limits.processes */
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ETXTBSY: /* it is being written */
		return 503;
	default:
		return 500;
	}
}

static void
close_ours(struct program *program)
{
	fd_close(&program->in);
	fd_close(&program->out);
	fd_close(&program->err);
	fd_close(&program->end);
}

/* The pipes: ours in *program, theirs in *birth. */
static int
make_pipes(struct program *program, struct birth *birth, bool with_input)
{
	int in[2] = { self.null, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
	int result = 0;

	if (with_input || self.null == -1)
		result = fd_pipe(in);
	if (result == 0 && (result = fd_pipe(out)) == 0)
		result = fd_pipe(err);
	*program = (struct program){ .end = -1, .in = in[1], .out = out[0],
		.err = err[0] };
	birth->in = in[0];
	birth->out = out[1];
	birth->err = err[1];
	if (result == -1) {
		birth->error = errno;
		return -1;
	}
	if (program->in != -1)
		fd_nonblock(program->in, true);
	fd_nonblock(program->out, true);
	fd_nonblock(program->err, true);
	return 0;
}

int
program_start(struct program *program, const struct script *script,
    bool with_input, struct why *why)
{
	struct birth birth = { .path = script->path, .parent = getpid() };
	const char *slash = strrchr(script->path, '/');
	int result, status = 0;

	birth.directory = strndup(script->path,
	    slash > script->path ? (size_t)(slash - script->path) : 1);
	result = make_pipes(program, &birth, with_input);
	if (result == 0 && birth.directory != NULL)
		result = give_birth(program, &birth);
	if (birth.in != self.null)
		fd_close(&birth.in);
	fd_close(&birth.out);
	fd_close(&birth.err);
	if (result == -1 || birth.directory == NULL) {
		if (birth.directory == NULL)
			birth.error = ENOMEM;
		program_end(program);
		status = explain(&birth, why);
	}
	free(birth.directory);
	return status;
}

/* The group is killed before waitpid(2) frees its number for another one. */
int
program_end(struct program *program)
{
	int status = 0;

	if (program->pid > 0) {
		kill(-program->pid, SIGKILL);
		atomic_store(self.group, 0);
		while (waitpid(program->pid, &status, 0) == -1 &&
		    errno == EINTR)
			;
	}
	program->pid = 0;
	close_ours(program);
	return status;
}
