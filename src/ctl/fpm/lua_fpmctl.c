/*
 * lua-fpmctl(8): shows and controls a running lua-fpm over its control socket.
 */

#include "config.h"

#include <sys/ioctl.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "base/say.h"
#include "conf/conf_peek.h"
#include "ctl/fpm/fpm_client.h"
#include "ctl/fpm/fpm_top.h"
#include "ctl/fpm/fpm_view.h"

#ifndef DEFAULT_FILE
#define DEFAULT_FILE "/etc/lua-fpm/lua-fpm.conf"
#endif
#ifndef DEFAULT_SOCKET
#define DEFAULT_SOCKET "/run/lua-fpm/control.sock"
#endif

#define WORDS	 4 /* of a command */
#define LINE	 480
#define READ	 65536
#define MESSAGE	 (16 << 20) /* bytes that are published, at most */
#define WIDTH_LEAST 60
#define WIDTH_MOST  1000

enum { FAILED = 1 };

struct command {
	const char *name;
	int least, most; /* number of words that follow */
	int (*run)(char **words);
	const char *words; /* that follow, as the usage shows them */
	const char *help;
};

static const struct command commands[];

static struct {
	char *socket;
	bool json;
	bool binary;
	bool outcome;  /* fpm_question.outcome */
	int64_t limit; /* of -t; FPM_USUAL without -t */
} self;

/* ---- asking -------------------------------------------------------------- */

static void
choose_socket(const char *file)
{
	const char *place = file != NULL ? file : DEFAULT_FILE;

	self.socket = conf_peek(place, "control");
	if (self.socket == NULL && file != NULL)
		die(EX_UNAVAILABLE, "no control socket found in %s: %s", file,
		    strerror(errno));
	if (self.socket == NULL || *self.socket == '\0') {
		free(self.socket);
		self.socket = strdup(DEFAULT_SOCKET);
	}
}

/* EX_OK and the answer, or another code and why. */
static int
try_more(const char *line, const struct buf *more, struct fpm_answer *answer,
    struct why *why)
{
	const struct fpm_question question = { .line = line, .more = more,
		.limit = self.limit, .outcome = self.outcome };

	switch (fpm_ask(self.socket, &question, answer, why)) {
	case FPM_ANSWERED:
		return EX_OK;
	case FPM_LATE:
		return EX_TEMPFAIL;
	default:
		return EX_UNAVAILABLE;
	}
}

static int
try(const char *line, struct fpm_answer *answer, struct why *why)
{
	return try_more(line, NULL, answer, why);
}

/* The words as they are, in one line, so none may contain a blank or a
 * newline. */
static void
make_line(char **words, char line[LINE])
{
	size_t n = 0;

	for (; *words != NULL; words++) {
		if (strpbrk(*words, " \t\r\n") != NULL ||
		    strlen(*words) + n + 2 > LINE)
			die(EX_USAGE, "not a word: %s", *words);
		n += (size_t)snprintf(line + n, LINE - n, "%s%s",
		    n > 0 ? " " : "", *words);
	}
	strcpy(line + n, "\n");
}

static void
ask(const char *line, const struct buf *more, struct fpm_answer *answer)
{
	struct why why;
	int code = try_more(line, more, answer, &why);

	if (code != EX_OK)
		die(code, "%s", why.text);
}

/* Send the words, and show the answer. */
static int
run_plain(char **words)
{
	struct fpm_answer answer;
	char line[LINE];

	make_line(words, line);
	ask(line, NULL, &answer);
	*strchr(line, '\n') = '\0';
	if (!answer.good)
		say("%s: failed", line);
	if (self.json && answer.good && !isatty(STDOUT_FILENO))
		fputs(answer.text.data, stdout);
	else
		say_lines(answer.good ? stdout : stderr, answer.text.data,
		    answer.text.len);
	buf_free(&answer.text);
	return answer.good ? EX_OK : FAILED;
}

/* Send the words; the answer is an outcome, which may take any time. */
static int
run_outcome(char **words)
{
	self.outcome = true;
	return run_plain(words);
}

/* ---- publishing ---------------------------------------------------------- */

/* Data that is too long is read no further: the answer says so. */
static void
read_input(struct buf *out)
{
	size_t end = out->len + MESSAGE;
	ssize_t n = 1;
	char *room;

	while (n != 0 && out->len <= end) {
		room = buf_reserve(out, READ);
		if (room == NULL)
			die(EX_OSERR, "%s", strerror(errno));
		n = read(STDIN_FILENO, room, READ);
		if (n == -1 && errno != EINTR)
			die(EX_NOINPUT, "standard input: %s", strerror(errno));
		out->len += n > 0 ? (size_t)n : 0;
	}
}

/* The answer may be that of a process of the pool, so it is shown as a line
 * about the pool, whatever it says. */
static int
show_about(const char *pool, const struct fpm_answer *answer)
{
	int n = (int)strcspn(answer->text.data, "\n");

	if (!answer->good)
		say("publish: failed");
	say_line(answer->good ? stdout : stderr, "pool %s: %.*s", pool, n,
	    answer->text.data);
	return answer->good ? EX_OK : FAILED;
}

/* The channel, which may be any bytes, follows the line, and the data it. */
static int
run_publish(char **words)
{
	char text[] = "text", binary[] = "binary", length[24], line[LINE];
	char *sent[] = { words[0], words[1], self.binary ? binary : text,
		length, NULL };
	const char *data = words[3];
	struct buf more = { 0 };
	struct fpm_answer answer;
	int code;

	snprintf(length, sizeof(length), "%zu", strlen(words[2]));
	buf_puts(&more, words[2]);
	if (data == NULL || strcmp(data, "-") == 0)
		read_input(&more);
	else
		buf_puts(&more, data);
	if (more.failed)
		die(EX_OSERR, "%s", strerror(ENOMEM));
	make_line(sent, line);
	ask(line, &more, &answer);
	code = show_about(words[1], &answer);
	buf_free(&answer.text);
	buf_free(&more);
	return code;
}

/* ---- the status ---------------------------------------------------------- */

static int
try_status(struct fpm_status *status, struct why *why)
{
	struct fpm_answer answer;
	int code = try("status\n", &answer, why);

	if (code != EX_OK)
		return code;
	if (answer.good)
		code = fpm_status_read(answer.text.data, answer.text.len,
		    status, why) == 0 ? EX_OK : EX_UNAVAILABLE;
	else {
		why_set(why, "%.*s", (int)strcspn(answer.text.data, "\n"),
		    answer.text.data);
		code = EX_UNAVAILABLE;
	}
	buf_free(&answer.text);
	return code;
}

static int
get_status(struct fpm_status *status, struct why *why)
{
	return try_status(status, why) == EX_OK ? 0 : -1;
}

static void
need_status(struct fpm_status *status, const char *pool)
{
	struct why why;
	int code = try_status(status, &why);

	if (code != EX_OK)
		die(code, "%s", why.text);
	if (pool != NULL && !view_has_pool(status, pool))
		die(FAILED, "there is no pool %s", pool);
}

static size_t
terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long width = 80;

	if (columns != NULL && atol(columns) > 0)
		width = atol(columns);
	else if (isatty(STDOUT_FILENO) &&
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		width = size.ws_col;
	if (width < WIDTH_LEAST)
		return WIDTH_LEAST;
	return width < WIDTH_MOST ? (size_t)width : WIDTH_MOST;
}

static void
print_table(struct table *table)
{
	char line[WIDTH_MOST + 1];

	for (long row = -1; row < (long)table->rows; row++)
		puts(table_line(table, row, terminal_width(), line));
	if (table->failed)
		die(EX_OSERR, "out of memory");
	table_free(table);
}

static void
print_pools(const struct fpm_status *status, const char *pool)
{
	struct table table;
	char line[WIDTH_MOST + 1];

	view_daemon(status, line, terminal_width() + 1);
	puts(line);
	view_pools(status, pool, NULL, 0, &table);
	print_table(&table);
	if (!view_has_sockets(status, pool))
		return;
	putchar('\n');
	view_sockets(status, pool, NULL, 0, &table);
	print_table(&table);
}

static void
print_workers(struct fpm_status *status, const char *pool)
{
	struct table table;

	view_workers(status, pool, BY_TIME, &table);
	print_table(&table);
}

static int
run_status(char **words)
{
	struct fpm_status status;

	if (self.json)
		return run_plain(words);
	need_status(&status, words[1]);
	print_pools(&status, words[1]);
	fpm_status_free(&status);
	return EX_OK;
}

static int
run_workers(char **words)
{
	struct fpm_status status;

	if (self.json) {
		words[0] = (char[]){ "status" };
		return run_plain(words);
	}
	need_status(&status, words[1]);
	print_workers(&status, words[1]);
	fpm_status_free(&status);
	return EX_OK;
}

static int
run_timers(char **words)
{
	struct fpm_status status;
	struct table table;

	if (self.json) {
		words[0] = (char[]){ "status" };
		return run_plain(words);
	}
	need_status(&status, words[1]);
	view_timers(&status, words[1], (int64_t)time(NULL), &table);
	print_table(&table);
	fpm_status_free(&status);
	return EX_OK;
}

/* Print the names of the pools, for completion in a shell. */
static int
run_pools(char **words)
{
	struct fpm_status status;

	(void)words;
	need_status(&status, NULL);
	for (size_t i = 0; i < status.npools; i++)
		puts(status.pools[i].name);
	fpm_status_free(&status);
	return EX_OK;
}

static int
run_top(char **words)
{
	struct fpm_status status;

	need_status(&status, words[1]);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
	    fpm_top(words[1], get_status) == -1) {
		print_pools(&status, words[1]);
		putchar('\n');
		print_workers(&status, words[1]);
	}
	fpm_status_free(&status);
	return EX_OK;
}

/* ---- the command line ---------------------------------------------------- */

static int
run_commands(char **words)
{
	(void)words;
	for (const struct command *c = commands; c->name != NULL; c++)
		puts(c->name);
	return EX_OK;
}

static const struct command commands[] = {
	{ "status", 0, 1, run_status, "[--json] [POOL]", "how the pools are" },
	{ "workers", 0, 1, run_workers, "[--json] [POOL]", "what they do" },
	{ "timers", 0, 1, run_timers, "[--json] [POOL]", "how they are" },
	{ "top", 0, 1, run_top, "[POOL]", "both, live" },
	{ "pools", 0, 0, run_pools, "", "the names of the pools" },
	{ "ping", 0, 0, run_plain, "", "is the daemon there?" },
	{ "reload", 0, 1, run_outcome, "[POOL]",
	    "as HUP, and wait for the outcome" },
	{ "upgrade", 0, 0, run_outcome, "", "as USR2, and wait for the outcome" },
	{ "reopen", 0, 0, run_plain, "", "as USR1: open the log files again" },
	{ "stop", 0, 0, run_outcome, "", "as TERM, and wait until it is gone" },
	{ "scale", 2, 2, run_plain, "POOL N", "at most N workers" },
	{ "drain", 1, 1, run_outcome, "POOL", "take it out of service" },
	{ "resume", 1, 1, run_outcome, "POOL", "bring it back" },
	{ "run", 2, 2, run_outcome, "POOL TIMER", "run a timer, and wait for its end" },
	{ "publish", 2, 3, run_publish, "[--binary] POOL CHANNEL [DATA]",
	    "to WebSockets" },
	{ "commands", 0, 0, run_commands, "", "the names of these" },
	{ .name = NULL }
};

static void
print_usage(FILE *out)
{
	fputs("usage: lua-fpmctl [-s socket | -c file] [-t time] command\n"
	    "       lua-fpmctl -h | -V\n\ncommands:\n", out);
	for (const struct command *c = commands; c->name != NULL; c++)
		fprintf(out, "  %-8s %-15s %s\n", c->name, c->words,
		    c->help);
}

static _Noreturn void
usage(void)
{
	print_usage(stderr);
	exit(EX_USAGE);
}

/* Options of a command may stand anywhere after it, up to "--".  Only data, the
 * last word, may be empty. */
static int
take_words(int argc, char **argv, char **words)
{
	bool plain = false;
	int n = 0;

	for (int i = 0; i < argc; i++) {
		if (i > 0 && !plain && strcmp(argv[i], "--json") == 0)
			self.json = true;
		else if (i > 0 && !plain && strcmp(argv[i], "--binary") == 0)
			self.binary = true;
		else if (i > 0 && !plain && strcmp(argv[i], "--") == 0)
			plain = true;
		else if (n == WORDS ||
		    (argv[i][0] == '\0' && n < WORDS - 1))
			usage();
		else
			words[n++] = argv[i];
	}
	words[n] = NULL;
	return n;
}

static int
run(int n, char **words)
{
	const struct command *c = commands;

	while (c->name != NULL && (n == 0 || strcmp(c->name, words[0]) != 0))
		c++;
	if (n == 0)
		usage();
	if (c->name == NULL)
		die(EX_USAGE, "there is no command %s, see -h", words[0]);
	if (n - 1 < c->least || n - 1 > c->most ||
	    (self.binary && c->run != run_publish) ||
	    (self.json && c->run != run_status && c->run != run_workers &&
	    c->run != run_timers))
		die(EX_USAGE, "%s takes %s", c->name,
		    c->words[0] != '\0' ? c->words : "no arguments");
	return c->run(words);
}

static int64_t
parse_limit(const char *text)
{
	int64_t ms;

	if (num_duration(text, &ms) == -1)
		die(EX_USAGE, "-t %s: not a time (500ms, 10s, 5m)", text);
	return ms == 0 ? FPM_NONE : ms;
}

int
main(int argc, char **argv)
{
	static const struct option longer[] = {
		{ "timeout", required_argument, NULL, 't' }, { 0 } };
	char *words[WORDS + 1], *file = NULL;
	int option, code, n;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:c:hs:t:V", longer,
	    NULL)) != -1) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 's':
			self.socket = optarg;
			break;
		case 't':
			self.limit = parse_limit(optarg);
			break;
		case 'h':
			print_usage(stdout);
			return EX_OK;
		case 'V':
			puts("lua-fpmctl " PACKAGE_VERSION);
			return EX_OK;
		default:
			say_option(option, argv);
			usage();
		}
	}
	if (file != NULL && self.socket != NULL)
		die(EX_USAGE, "-c and -s exclude each other");
	n = take_words(argc - optind, argv + optind, words);
	if (self.socket == NULL)
		choose_socket(file);
	code = run(n, words);
	if (fflush(stdout) == EOF || ferror(stdout))
		die(EX_IOERR, "standard output: %s", strerror(errno));
	return code;
}
