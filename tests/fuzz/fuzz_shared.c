/* A dictionary that workers share, into which one of them writes anything,
 * while another goes on to use it. */

#include <sys/mman.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/sealed.h"
#include "fuzz.h"
#include "ipc/shared.h"
#include "ipc/shared_store.h"

#define SIZE  4096
#define WORDS (SIZE / 4)

struct input {
	const uint8_t *data;
	size_t size;
};

static uint32_t
take(struct input *in, int bytes)
{
	uint32_t value = 0;

	for (; bytes > 0 && in->size > 0; bytes--, in->size--)
		value = value << 8 | *in->data++;
	return value;
}

/* Any word but the lock, for which others would wait; most often it gets a
 * number that could be one of a block. */
static void
scribble(struct input *in, uint32_t *memory)
{
	uint32_t word = 1 + take(in, 2) % (WORDS - 1);

	memory[word] = word & 1 ? take(in, 4) : take(in, 1);
}

static void
look(struct shared *dict, const struct shared_key *key)
{
	struct shared_value value = { 0 };
	uint64_t sum = 0;
	int64_t ttl;

	if (shared_get(dict, key, &value) == 0 && value.type == SHARED_STRING)
		for (size_t i = 0; i < value.len; i++)
			sum += (uint8_t)value.text[i];
	must(value.len <= SIZE && sum <= SIZE * 255);
	if (shared_ttl(dict, key, &ttl) == 0)
		must(ttl >= 0);
}

static void
list(struct shared *dict)
{
	struct shared_figures figures;
	struct buf out = { 0 };
	uint32_t place = 0;

	while (shared_keys(dict, &place, &out) == 1)
		buf_clear(&out);
	buf_free(&out);
	if (shared_figures(dict, &figures) == 0)
		must(figures.free <= figures.room && figures.room <= SIZE);
}

static void
operate(struct shared *dict, uint32_t what, const struct shared_key *key,
    size_t len)
{
	static char text[SIZE];
	struct shared_value string = { .type = SHARED_STRING, .text = text,
		.len = len * 12 };
	struct shared_value one = { .type = SHARED_INTEGER, .integer = 1 }, out;
	bool forced;

	switch (what) {
	case 0:
		shared_set(dict, key, &string, 0, SHARED_SET, &forced);
		break;
	case 1:
		shared_set(dict, key, &one, 5000, SHARED_ADD, &forced);
		break;
	case 2:
		shared_set(dict, key, &string, 1, SHARED_REPLACE, &forced);
		break;
	case 3:
		shared_incr(dict, key, &one, &one, 0, &out, &forced);
		break;
	case 4:
		shared_delete(dict, key);
		break;
	case 5:
		shared_expire(dict, key, 100);
		break;
	case 6:
		shared_flush(dict);
		break;
	case 7:
		list(dict);
		break;
	default:
		look(dict, key);
	}
}

/* Whatever was there before, it can be used. */
static void
use(struct shared *dict)
{
	const struct shared_key key = { "used", 4 };
	const struct shared_value one = { .type = SHARED_INTEGER,
		.integer = 12345 };
	struct shared_value out = { 0 };
	bool forced;

	must(shared_set(dict, &key, &one, 0, SHARED_SET, &forced) == 0);
	must(shared_get(dict, &key, &out) == 0);
	must(out.type == SHARED_INTEGER && out.integer == 12345);
}

FUZZ(shared)
{
	static char names[256];
	struct input in = { data, size };
	int fd = sealed_room("fuzz", SIZE);
	struct shared *dict = shared_open(fd, SIZE);
	struct shared_key key = { names, 0 };
	uint32_t *memory, command;

	must(dict != NULL);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(memory != MAP_FAILED);
	memory[STORE_SEEDED] = 1; /* or no run would be as another */
	if (take(&in, 1) == 255) { /* all of it at once */
		memcpy(memory + 1, in.data, in.size < SIZE - 4 ? in.size :
								 SIZE - 4);
		in.size = 0;
	}
	while (in.size > 0) {
		command = take(&in, 1);
		if (command % 3 == 0) {
			scribble(&in, memory);
			continue;
		}
		memset(names, 'a' + (int)take(&in, 1) % 12, sizeof(names));
		key.len = 1 + command % 40;
		operate(dict, command / 3 % 10, &key, take(&in, 1));
	}
	for (uint32_t i = 0; i < 10; i++) {
		key.len = 1 + i;
		operate(dict, i, &key, i);
	}
	use(dict);
	munmap(memory, SIZE);
	shared_close(dict);
	close(fd);
}
