#include "share/score.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "share/score_page.h"

/* A board has room for more than one generation, and for larger ones: memory
 * that nobody touches costs nothing. */
#define CAPACITY_LEAST	1024
#define CAPACITY_FACTOR 16

#define PLACE(name, at) { (at) / 8, \
	sizeof(((struct score_slot *)0)->name) / 8, \
	offsetof(struct score_slot, name) }

const struct score_place score_places[SCORE_TEXTS] = {
	[TEXT_METHOD] = PLACE(method, 0),
	[TEXT_URI] = PLACE(uri, 16),
	[TEXT_SCRIPT] = PLACE(script, 528),
	[TEXT_USER] = PLACE(user, 784),
	[TEXT_REMOTE] = PLACE(remote, 848),
	[TEXT_ID] = PLACE(id, 896),
};

_Static_assert(896 + 64 == TEXT_WORDS * 8, "the texts fill their place");

static unsigned
round_up(unsigned slots)
{
	return score_words(slots) * WORD_BITS;
}

static size_t
head_size(unsigned capacity)
{
	size_t size = sizeof(struct score_head) +
	    score_words(capacity) * sizeof(struct score_word);

	return (size + alignof(struct score_page) - 1) &
	    ~(alignof(struct score_page) - 1);
}

static size_t
board_size(unsigned capacity)
{
	return head_size(capacity) +
	    capacity * (sizeof(struct score_page) + SCORE_STASH);
}

/* ---- mapping ------------------------------------------------------------- */

static struct score *
map(int fd, size_t size)
{
	struct score *score = calloc(1, sizeof(*score));
	void *memory;

	if (score == NULL)
		return NULL;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		free(score);
		return NULL;
	}
	score->fd = fd;
	score->size = size;
	score->head = memory;
	return score;
}

/* The part of the board that is this generation's. */
static void
take_place(struct score *score, unsigned index, unsigned first,
    unsigned slots)
{
	score->capacity = score->head->capacity;
	score->index = index;
	score->first = first;
	score->slots = slots;
	score->mine = &score->head->generations[index];
	score->words = &score->head->words[first / WORD_BITS];
	score->board = (void *)((char *)score->head +
	    head_size(score->capacity));
	score->pages = score->board + first;
	score->stash = (char *)(score->board + score->capacity) +
	    (size_t)first * SCORE_STASH;
}

static bool
overlap(unsigned a, unsigned a_slots, unsigned b, unsigned b_slots)
{
	return a < b + b_slots && b < a + a_slots;
}

/* The generation that is in the way of so many slots at `first`; NULL. */
static const struct score_generation *
in_the_way(const struct score_head *head, unsigned first, unsigned slots)
{
	const struct score_generation *g = head->generations;

	for (unsigned i = 0; i < SCORE_GENERATIONS; i++, g++)
		if (GET(g->slots) != 0 && overlap(first, slots, GET(g->first),
		    round_up(GET(g->slots))))
			return g;
	return NULL;
}

/* Find an unused index and room for the slots.  -1: the board is full. */
static int
claim(struct score *score, unsigned slots)
{
	struct score_head *head = score->head;
	const struct score_generation *g;
	unsigned index = 0, first = 0;

	while (index < SCORE_GENERATIONS &&
	    GET(head->generations[index].slots) != 0)
		index++;
	while ((g = in_the_way(head, first, slots)) != NULL)
		first = GET(g->first) + round_up(GET(g->slots));
	if (index == SCORE_GENERATIONS || round_up(slots) > head->capacity ||
	    first > head->capacity - round_up(slots))
		return -1;
	take_place(score, index, first, slots);
	SET(score->mine->wake_below, 0);
	SET(score->mine->last, false);
	SET(score->mine->replaced, false);
	SET(score->mine->limit, 0);
	SET(score->mine->full, false);
	SET(score->mine->first, first);
	atomic_store(&score->mine->slots, slots);
	return 0;
}

static struct score *
create(unsigned slots)
{
	unsigned capacity = round_up(slots) * CAPACITY_FACTOR;
	int fd = memfd_create("lua-fpm-score", MFD_CLOEXEC);
	struct score *score = NULL;
	size_t size;

	if (fd == -1)
		return NULL;
	if (capacity < CAPACITY_LEAST)
		capacity = CAPACITY_LEAST;
	size = board_size(capacity);
	if (ftruncate(fd, (off_t)size) == 0)
		score = map(fd, size);
	if (score == NULL) {
		close(fd);
		return NULL;
	}
	score->head->version = SCORE_VERSION;
	score->head->capacity = capacity;
	SET(score->head->facts[FACT_STARTED], (int64_t)time(NULL));
	claim(score, slots);
	return score;
}

/* NULL: there is no room, or no memory. */
static struct score *
join(unsigned slots, const struct score *before)
{
	int fd = before->capacity == 0 ? -1 :
	    fcntl(before->fd, F_DUPFD_CLOEXEC, 0);
	struct score *score = fd == -1 ? NULL : map(fd, before->size);

	if (score != NULL && claim(score, slots) == 0)
		return score;
	if (score != NULL)
		score_free(score);
	else if (fd != -1)
		close(fd);
	return NULL;
}

struct score *
score_new(unsigned n, const struct score *before)
{
	struct score *score = before == NULL ? NULL : join(n, before);

	return score != NULL ? score : create(n);
}

void
score_retire(struct score *score)
{
	atomic_store(&score->mine->slots, 0);
}

void
score_free(struct score *score)
{
	if (score == NULL)
		return;
	munmap(score->head, score->size);
	close(score->fd);
	free(score);
}

unsigned
score_slots(const struct score *score)
{
	return score->slots;
}

/* ---- from one image to the next ------------------------------------------ */

int
score_fd(const struct score *score)
{
	return score->fd;
}

unsigned
score_index(const struct score *score)
{
	return score->index;
}

/* A memfd that is large enough for what is the same in all versions. */
static struct score *
map_any(int fd, unsigned index)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return NULL;
	if (!S_ISREG(st.st_mode) || index >= SCORE_GENERATIONS ||
	    st.st_size < (off_t)offsetof(struct score_head, folding)) {
		errno = EPROTO;
		return NULL;
	}
	return map(fd, (size_t)st.st_size);
}

static bool
is_ours(const struct score *score, unsigned index, unsigned slots)
{
	const struct score_head *head = score->head;
	unsigned first = GET(head->generations[index].first);

	return head->version == SCORE_VERSION &&
	    score->size == board_size(head->capacity) && slots > 0 &&
	    GET(head->generations[index].slots) == slots &&
	    first % WORD_BITS == 0 && first < head->capacity &&
	    slots <= head->capacity - first;
}

static void
unmap(struct score *score)
{
	munmap(score->head, score->size);
	free(score);
}

struct score *
score_adopt(int fd, unsigned index, unsigned slots)
{
	struct score *score = map_any(fd, index);

	if (score == NULL)
		return NULL;
	if (!is_ours(score, index, slots)) {
		unmap(score);
		errno = EPROTO;
		return NULL;
	}
	take_place(score, index, GET(score->head->generations[index].first),
	    slots);
	return score;
}

struct score *
score_adopt_foreign(int fd, unsigned index)
{
	struct score *score = map_any(fd, index);

	if (score == NULL)
		return NULL;
	score->index = index;
	score->mine = &score->head->generations[index];
	return score;
}
