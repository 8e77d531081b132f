/*
 * The judges of HTTP beside another reader of it.  We may refuse what others
 * accept.  What we accept may not be another request to them: of another length,
 * with another end, or another number of them; and what they refuse of it is
 * known.
 *
 *     differential ORACLE FROM TO SEED [COMMAND...]
 *
 * judges the cases FROM to TO of a seed (mutate.h); the first are the corpus.
 * ORACLE is "http-parser", or the name of what COMMAND starts.  Such a program
 * reads cases, each four bytes of length (little endian) and the bytes, and
 * prints a line for each: the lengths of the bodies of the requests it has
 * taken, each with "@" and where it ends if that is known, then "." if more may
 * come, "close" if the connection ends, "!" if it refuses the rest.  Prints what
 * differs and, at the end, counts.
 */

#include <ctype.h>
#include <err.h>
#include <inttypes.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mutate.h"
#include "outcome.h"
#include "story.h"

#define SHOWN	 20 /* differences */

#define AFTER_TRAILER "\n" /* of a request of ours, instead of a text */

/* Differences that are another reader's fault, or harmless: with these texts
 * among the bytes, in any case; the same text twice: there twice.  A space in a
 * text stands for any number of them. */
static const struct {
	const char *oracle, *difference, *texts[2];
} known[] = {
	/* It is the proxy's affair (RFC 9112, appendix C.2.2). */
	{ "http-parser", "they close", { "proxy-connection:", "" } },
	{ "node", "they close", { "proxy-connection:", "" } },
	/* They take what is in a trailer for a part of the head, and node's
	 * parser of version 6 for a part of the next one. */
	{ "http-parser", "they close", { AFTER_TRAILER, "" } },
	{ "node", "they close", { AFTER_TRAILER, "" } },
	{ "node", "they refuse", { AFTER_TRAILER, "" } },
	{ "node", "they wait", { AFTER_TRAILER, "" } },
	{ "node", "another length", { AFTER_TRAILER, "" } },
	/* They miss it in 1.0 behind an empty element and before a tab. */
	{ "http-parser", "they close", { "http/1.0", "keep-alive" } },
	{ "node", "they close", { "http/1.0", "keep-alive" } },
	/* Its parser stops at any upgrade, which its server may refuse; it takes
	 * Proxy-Connection for Connection. */
	{ "node", "they wait", { "\r\nupgrade:", "connection:" } },
	{ "node", "we wait", { "\r\nupgrade:", "connection:" } },
	/* They know no tab there. */
	{ "http-parser", "they refuse", { "\r\ncontent-length:", "\t" } },
	{ "http-parser", "they refuse", { "\r\ntransfer-encoding:", "\t" } },
	{ "node", "they refuse", { "\r\ncontent-length:", "\t" } },
	{ "node", "they refuse", { "\r\ntransfer-encoding:", "\t" } },
	{ "nginx", "they refuse", { "\t", "" } },
	/* It knows no keep-alive in 1.0. */
	{ "h11", "they close", { "http/1.0", "" } },
	/* It looks for "close" within what Connection says. */
	{ "nginx", "they close", { "connection:", "close" } },
	/* It judges paths too, as http_target does, and what Host means. */
	{ "nginx", "they refuse", { "..", "" } },
	{ "nginx", "they refuse", { "%", "" } },
	{ "nginx", "they refuse", { "host: .", "" } },
	/* The same in the daemon; and where nobody is there for WebSocket. */
	{ "lua-fpm", "they refuse", { "..", "" } },
	{ "lua-fpm", "they refuse", { "%", "" } },
	{ "lua-fpm", "they refuse", { "\r\nupgrade:", "\r\nconnection:" } },
	/* Its limit is higher. */
	{ "lua-fpm", "we refuse", { "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "" } },
	/* It refuses two. */
	{ "nginx", "they refuse", { "\nauthorization:", "\nauthorization:" } },
	{ "nginx", "they refuse", { "\ncontent-range:", "\ncontent-range:" } },
	{ "nginx", "they refuse", { "\nexpect:", "\nexpect:" } },
	{ "nginx", "they refuse", { "\nif-match:", "\nif-match:" } },
	{ "nginx", "they refuse", { "\nif-modified-since:",
	    "\nif-modified-since:" } },
	{ "nginx", "they refuse", { "\nif-none-match:", "\nif-none-match:" } },
	{ "nginx", "they refuse", { "\nif-range:", "\nif-range:" } },
	{ "nginx", "they refuse", { "\nif-unmodified-since:",
	    "\nif-unmodified-since:" } },
};

static struct {
	unsigned long cases, accepted, refused, different;
} counts;

/* Some mind what a trailer says. */
static void
add_ours(const struct story *story)
{
	struct outcome *o = story->data;

	if (o->n < OUTCOME_REQUESTS && story->chunk.fields > 0)
		o->requests[o->n].odd = o->requests[o->n].trailer = true;
	outcome_add(o, story->content, story->used);
}

/* A name that begins like one of framing: some go by the beginning. */
static bool
is_misleading(struct http_span name)
{
	return (name.len > 14 &&
	    strncasecmp(name.data, "content-length", 14) == 0) ||
	    (name.len > 17 &&
	    strncasecmp(name.data, "transfer-encoding", 17) == 0);
}

/* Is it one that others may refuse: of a rare method, version or form of its
 * target, or with an empty line before it? */
static void
look_at(const struct story *story)
{
	static const char methods[] = "GET HEAD POST PUT DELETE OPTIONS ";
	struct http_field fields[100];
	struct http_span method, target;
	struct outcome *o = story->data;
	const char *usual;
	bool odd;
	size_t n;

	n = http_scan_fields(story->in.data, &story->scan, &method, &target,
	    fields, 100);
	usual = memmem(methods, sizeof(methods) - 1, method.data,
	    method.len + 1);
	odd = usual == NULL || (usual > methods && usual[-1] != ' ') ||
	    target.data[0] != '/' || story->scan.start > 0 ||
	    target.data[target.len + sizeof(" HTTP/1.") - 1] > '1';
	for (size_t i = 0; i < n; i++)
		odd |= is_misleading(fields[i].name);
	if (o->n < OUTCOME_REQUESTS) {
		o->requests[o->n].odd = odd;
		o->requests[o->n].trailer = false;
	}
}

static void
ask_us(const struct buf *bytes, struct outcome *o)
{
	struct story story = { .head = look_at, .end = add_ours, .data = o };
	const char *text;

	o->n = 0;
	story_feed(&story, bytes->data, bytes->len);
	o->end = !story.over ? MORE : REFUSED;
	text = story_end(&story);
	if (strstr(text, "close"))
		o->end = CLOSED;
	else if (strchr(text, 'u'))
		o->end = UPGRADED;
	story_free(&story);
}

static void
read_outcome(char *line, struct outcome *o)
{
	uint64_t length, at;
	char *word, *end;

	o->n = 0;
	o->end = MORE;
	for (word = strtok(line, " \n"); word != NULL;
	     word = strtok(NULL, " \n")) {
		if (strcmp(word, "close") == 0) {
			o->end = CLOSED;
		} else if (strcmp(word, "!") == 0) {
			o->end = REFUSED;
		} else if (strcmp(word, ".") != 0) {
			length = strtoull(word, &end, 10);
			at = *end == '@' ? strtoull(end + 1, &end, 10) :
			    OUTCOME_UNKNOWN;
			outcome_add(o, length, at);
			if (*end != '\0')
				errx(2, "not an outcome: %s", word);
		}
	}
}

/* What they make of what we accept: NULL, or how it differs, and whether that
 * is in a request with a trailer or behind one. */
static const char *
compare(const struct outcome *ours, const struct outcome *theirs,
    bool *trailer)
{
	unsigned i;

	*trailer = false;
	for (i = 0; i < ours->n && i < theirs->n; i++) {
		*trailer |= ours->requests[i].trailer;
		if (ours->requests[i].length != theirs->requests[i].length)
			return "another length";
		if (theirs->requests[i].end != OUTCOME_UNKNOWN &&
		    ours->requests[i].end != theirs->requests[i].end)
			return "another end";
	}
	if (i < ours->n) {
		if (theirs->end == REFUSED && ours->requests[i].odd)
			return NULL;
		return theirs->end == MORE ? "they wait" :
		    theirs->end == CLOSED ? "they close" : "they refuse";
	}
	if (i < theirs->n && ours->end == MORE)
		return "we wait";
	return i < theirs->n && ours->end == REFUSED ? "we refuse" : NULL;
}

static void
show(const struct outcome *o)
{
	static const char *const ends[] = { ".", "close", "!", "upgrade" };

	for (unsigned i = 0; i < o->n; i++) {
		printf(" %" PRIu64, o->requests[i].length);
		if (o->requests[i].end != OUTCOME_UNKNOWN)
			printf("@%" PRIu64, o->requests[i].end);
	}
	printf(" %s", ends[o->end]);
}

static bool
is_at(const struct buf *bytes, size_t at, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == ' ') {
			while (at < bytes->len && bytes->data[at] == ' ')
				at++;
		} else if (at == bytes->len || tolower((unsigned char)*text) !=
		    tolower((unsigned char)bytes->data[at++])) {
			return false;
		}
	}
	return true;
}

static unsigned
count_of(const struct buf *bytes, const char *text)
{
	unsigned n = 0;

	for (size_t i = 0; i < bytes->len; i++)
		n += is_at(bytes, i, text);
	return n;
}

static bool
applies(const char *const texts[2], const struct buf *bytes, bool trailer)
{
	unsigned wanted = strcmp(texts[0], texts[1]) == 0 ? 2 : 1;

	for (int i = 0; i < 2; i++)
		if (strcmp(texts[i], AFTER_TRAILER) == 0 ? !trailer :
		    count_of(bytes, texts[i]) < wanted)
			return false;
	return true;
}

static bool
is_known(const char *oracle, const char *difference, const struct buf *bytes,
    bool trailer)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].oracle, oracle) == 0 &&
		    strcmp(known[i].difference, difference) == 0 &&
		    applies(known[i].texts, bytes, trailer))
			return true;
	return false;
}

static void
judge(const struct buf *bytes, uint64_t i, const char *oracle,
    const struct outcome *theirs)
{
	struct outcome ours;
	const char *difference;
	bool trailer;

	ask_us(bytes, &ours);
	counts.cases++;
	counts.accepted += ours.n > 0;
	difference = compare(&ours, theirs, &trailer);
	if (difference != NULL && strcmp(difference, "we refuse") == 0 &&
	    strcmp(oracle, "lua-fpm") != 0) {
		counts.refused++;
		difference = NULL;
	}
	if (difference == NULL || is_known(oracle, difference, bytes, trailer) ||
	    counts.different++ >= SHOWN)
		return;
	printf("%s, case %" PRIu64 ": we say", difference, i);
	show(&ours);
	printf(", they");
	show(theirs);
	printf("\n   ");
	for (size_t k = 0; k < bytes->len && k < 1000; k++) {
		unsigned char c = (unsigned char)bytes->data[k];

		if (c < ' ' || c > '~' || c == '\\')
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	putchar('\n');
}

struct span {
	const char *oracle;
	uint64_t seed, from, to;
};

static void
put_cases(const struct mutate *m, const struct span *span, FILE *to)
{
	struct buf bytes = { 0 };

	for (uint64_t i = span->from; i < span->to; i++) {
		unsigned char head[4];

		mutate_case(m, span->seed, i, &bytes);
		for (int k = 0; k < 4; k++)
			head[k] = (unsigned char)(bytes.len >> 8 * k);
		fwrite(head, 1, sizeof(head), to);
		fwrite(bytes.data, 1, bytes.len, to);
	}
	buf_free(&bytes);
}

/* A program with pipes at both ends, and a process that feeds it. */
static FILE *
start(const struct mutate *m, const struct span *span, char *const *command)
{
	int in[2], out[2];

	if (pipe(in) == -1 || pipe(out) == -1)
		err(2, "pipe");
	if (fork() == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execvp(command[0], command);
		err(2, "%s", command[0]);
	}
	close(in[0]);
	close(out[1]);
	if (fork() == 0) {
		FILE *to = fdopen(in[1], "w");

		close(out[0]);
		put_cases(m, span, to);
		_exit(fclose(to) == 0 ? 0 : 2);
	}
	close(in[1]);
	return fdopen(out[0], "r");
}

static void
ask_program(const struct mutate *m, const struct span *span,
    char *const *command)
{
	FILE *from = start(m, span, command);
	struct buf bytes = { 0 };
	struct outcome theirs;
	char *line = NULL;
	size_t size = 0;

	for (uint64_t i = span->from; i < span->to; i++) {
		mutate_case(m, span->seed, i, &bytes);
		if (getline(&line, &size, from) == -1)
			errx(2, "%s ended", command[0]);
		read_outcome(line, &theirs);
		judge(&bytes, i, span->oracle, &theirs);
	}
	fclose(from);
	while (wait(NULL) > 0)
		;
	free(line);
	buf_free(&bytes);
}

static void
ask_parser(const struct mutate *m, const struct span *span)
{
	struct buf bytes = { 0 };
	struct outcome theirs;

	for (uint64_t i = span->from; i < span->to; i++) {
		mutate_case(m, span->seed, i, &bytes);
		if (!ask_http_parser(bytes.data, bytes.len, &theirs))
			errx(77, "built without http-parser");
		judge(&bytes, i, span->oracle, &theirs);
	}
	buf_free(&bytes);
}

int
main(int argc, char **argv)
{
	struct mutate m;
	struct span span;

	if (argc < 5)
		errx(2, "usage: differential ORACLE FROM TO SEED [COMMAND...]");
	span.oracle = argv[1];
	span.from = strtoull(argv[2], NULL, 10);
	span.to = strtoull(argv[3], NULL, 10);
	span.seed = strtoull(argv[4], NULL, 10);
	if (!mutate_open(&m))
		err(2, "requests.txt");
	if (span.to == 0)
		span.to = m.n;
	if (argc > 5) {
		ask_program(&m, &span, argv + 5);
	} else {
		ask_parser(&m, &span);
	}
	mutate_close(&m);
	printf("%s: %lu cases, %lu with a request we accept, %lu different; "
	    "they accept %lu we refuse\n", argv[1], counts.cases,
	    counts.accepted, counts.different, counts.refused);
	return counts.different == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
