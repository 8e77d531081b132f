#include "ipc/score.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sealed.h"
#include "ipc/score_page.h"

struct score {
	struct score_memory *mine;
	const struct score_head *head;
	unsigned number;
	uint32_t told; /* head->asked, when the master was last told */
};

/* ---- opening ------------------------------------------------------------- */

static void *
map(int fd, size_t size, int rights)
{
	void *memory;

	if (!sealed_is_room(fd, size)) {
		errno = EPROTO;
		return NULL;
	}
	memory = mmap(NULL, size, rights, MAP_SHARED, fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static const struct score_head *
map_head(int fd)
{
	const struct score_head *head;
	struct stat st;

	if (fstat(fd, &st) == -1)
		return NULL;
	head = map(fd, (size_t)st.st_size, PROT_READ);
	if (head == NULL ||
	    score_head_size(head->nslots) == (size_t)st.st_size)
		return head;
	munmap((void *)(uintptr_t)head, (size_t)st.st_size);
	errno = EPROTO;
	return NULL;
}

static void
begin_page(struct score *score)
{
	struct score_page *page = &score->mine->page;

	SET(page->state, SCORE_STARTING);
	SET(page->since, clock_ms());
	SET(page->length, -1);
	SET(page->line, SCORE_NO_LINE);
	SET(page->gauge[GAUGE_CPU], -1);
	atomic_store(&page->version, SCORE_VERSION);
}

static void
discard(struct score *score)
{
	int error = errno;

	if (score->mine != NULL)
		munmap(score->mine, sizeof(*score->mine));
	free(score);
	errno = error;
}

struct score *
score_open(int head, int slot, unsigned number)
{
	struct score *score = calloc(1, sizeof(*score));

	if (score == NULL)
		return NULL;
	score->mine = map(slot, sizeof(*score->mine), PROT_READ | PROT_WRITE);
	if (score->mine == NULL ||
	    (score->head = map_head(head)) == NULL) {
		discard(score);
		return NULL;
	}
	if (number >= score->head->nslots) {
		errno = EPROTO;
		discard(score);
		return NULL;
	}
	close(head);
	close(slot);
	score->number = number;
	begin_page(score);
	return score;
}

struct score *
score_alone(void)
{
	struct score *score = calloc(1, sizeof(*score));
	struct score_head *head = calloc(1, score_head_size(1));

	if (score != NULL && head != NULL)
		score->mine = aligned_alloc(alignof(struct score_memory),
		    sizeof(*score->mine));
	if (score == NULL || head == NULL || score->mine == NULL) {
		free(score);
		free(head);
		return NULL;
	}
	memset(score->mine, 0, sizeof(*score->mine));
	head->nslots = 1;
	score->head = head;
	begin_page(score);
	return score;
}

/* ---- writing a page: begin, relaxed stores, end ------------------------- */

static struct score_page *
begin(struct score *score)
{
	struct score_page *page = &score->mine->page;

	SET(page->seq, GET(page->seq) | 1);
	atomic_thread_fence(memory_order_release);
	return page;
}

static void
end(struct score_page *page)
{
	atomic_store_explicit(&page->seq, GET(page->seq) + 1,
	    memory_order_release);
}

/*
 * The state and the master's HEAD_TELL are stored with sequential consistency.
 * The master sets HEAD_TELL, then reads the state; the worker sets BUSY, then
 * reads HEAD_TELL: so at least one of them sees the other's store.
 */
static void
enter(struct score_page *page, enum score_state state, int64_t now)
{
	atomic_store(&page->state, (int)state);
	SET(page->since, now);
}

/* Store a text, cut to its place and terminated, in no more words than it
 * needs. */
static void
put_text(struct score_page *page, enum score_text which, const char *data,
    size_t len)
{
	const struct score_place *place = &score_places[which];
	_Atomic uint64_t *words = &page->text[place->word];
	uint64_t word;
	size_t i;

	if (len > place->words * 8 - 1)
		len = place->words * 8 - 1;
	SET(page->text_len[which], (uint16_t)len);
	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, data + i, 8);
		SET(words[i / 8], word);
	}
	word = 0;
	if (i < len)
		memcpy(&word, data + i, len - i);
	SET(words[i / 8], word);
}

/* A counter has one writer. */
static void
add(_Atomic uint64_t *counter, uint64_t n)
{
	SET(*counter, GET(*counter) + n);
}

/* ---- what the worker tells ----------------------------------------------- */

static void
turn_to(struct score *score, enum score_state state)
{
	struct score_page *page = begin(score);

	enter(page, state, clock_ms());
	end(page);
}

void
score_idle(struct score *score)
{
	turn_to(score, SCORE_IDLE);
}

void
score_finishing(struct score *score)
{
	turn_to(score, SCORE_FINISHING);
}

void
score_restarting(struct score *score)
{
	turn_to(score, SCORE_RESTARTING);
}

/* The timer stands in the place of the URI. */
void
score_interval(struct score *score, const char *timer)
{
	struct score_page *page = begin(score);

	enter(page, SCORE_INTERVAL, clock_ms());
	put_text(page, TEXT_URI, timer, strlen(timer));
	end(page);
}

static uint8_t
told(const struct score *score)
{
	return atomic_load(&score->head->slot[score->number]);
}

static bool
is_asked(struct score *score)
{
	uint32_t asked;

	if ((told(score) & HEAD_TELL) == 0)
		return false;
	asked = atomic_load(&score->head->asked);
	if (asked == score->told)
		return false;
	score->told = asked;
	return true;
}

bool
score_busy(struct score *score, const struct score_request *request)
{
	struct score_page *page = begin(score);

	enter(page, SCORE_BUSY, request->begun / 1000);
	add(&page->n[SCORE_BEGUN], 1);
	SET(page->begun, request->begun);
	SET(page->length, request->length);
	SET(page->status, 0);
	SET(page->line, SCORE_NO_LINE);
	for (unsigned i = 0; i < SCORE_TEXTS; i++)
		put_text(page, i, request->text[i].data, request->text[i].len);
	end(page);
	return is_asked(score);
}

/* The sums first: a worker that is killed before the last line was killed
 * within a request, of which some bytes were sent. */
void
score_served(struct score *score, const struct score_outcome *o)
{
	struct score_page *page = &score->mine->page;

	if (o->failed)
		add(&page->n[SCORE_ERRORS], 1);
	if (o->late)
		add(&page->n[SCORE_TIMEOUTS], 1);
	add(&page->n[SCORE_BYTES_IN], o->bytes_in);
	add(&page->n[SCORE_BYTES_OUT], o->bytes_out);
	add(&page->n[SCORE_LATENCY], (uint64_t)o->took);
	SET(page->took, o->took);
	add(&page->n[score_served_as(o->status, o->took)], 1);
}

void
score_answer(struct score *score, int status)
{
	SET(score->mine->page.status, status);
}

/* Sequentially consistent, so that it is stored before the line is written. */
void
score_line(struct score *score, int64_t mark)
{
	atomic_store(&score->mine->page.line, mark);
}

void
score_more(struct score *score, enum score_counter counter)
{
	add(&score->mine->page.n[counter], 1);
}

void
score_accepted(struct score *score, size_t listener)
{
	add(&score->mine->page.accepted[score_listener(listener)], 1);
}

void
score_gauge(struct score *score, enum score_gauge gauge, int64_t value)
{
	struct score_page *page = &score->mine->page;

	SET(page->gauge[gauge], value);
	if (gauge == GAUGE_HEAP && value > GET(page->peak))
		SET(page->peak, value);
}

void
score_because(struct score *score, enum score_cause cause)
{
	struct score_page *page = &score->mine->page;

	if (GET(page->cause) == 0)
		SET(page->cause, 1 + (int)cause);
}

bool
score_lose_line(struct score *score, unsigned log, int error)
{
	struct score_page *page = &score->mine->page;

	SET(page->lost_error[log], error);
	atomic_store(&page->lost[log], GET(page->lost[log]) + 1);
	return atomic_load(&score->head->lossy[log]) == 0;
}

bool
score_log_works(const struct score *score, unsigned log)
{
	return GET(score->head->lossy[log]) != 0;
}

_Atomic uint64_t *
score_repeats(struct score *score)
{
	return &score->mine->page.repeats;
}

void *
score_stash(struct score *score)
{
	return score->mine->stash;
}

/* ---- what the master has told -------------------------------------------- */

bool
score_is_leaving(const struct score *score)
{
	return (told(score) & HEAD_LEAVING) != 0;
}

bool
score_last(const struct score *score)
{
	return atomic_load(&score->head->last) != 0;
}

bool
score_heirs(const struct score *score)
{
	const struct score_head *head = score->head;

	if (score_last(score))
		return false;
	if (atomic_load(&head->replaced) != 0)
		return true;
	for (unsigned i = 0; i < head->nslots; i++)
		if (i != score->number && (atomic_load(&head->slot[i]) &
		    (HEAD_ALIVE | HEAD_LEAVING)) == HEAD_ALIVE)
			return true;
	return false;
}

/* ---- classes and buckets ------------------------------------------------- */

/* In us, from a tenth of a millisecond on: a quick request takes less than a
 * millisecond. */
static const int64_t bounds[SCORE_BUCKETS] = { 100, 250, 500, 1000, 2500,
	5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,
	5000000, 10000000, -1 };

int64_t
score_bucket_us(unsigned bucket)
{
	return bounds[bucket];
}

unsigned
score_served_as(int status, int64_t took)
{
	unsigned class = 0, bucket = 0;

	if (status > 0)
		class = status < 200 ? 1 : status > 499 ? 5 :
		    (unsigned)status / 100;
	while (bounds[bucket] != -1 && took > bounds[bucket])
		bucket++;
	return SCORE_SERVED + class * SCORE_BUCKETS + bucket;
}
