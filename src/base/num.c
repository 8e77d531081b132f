#include "base/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CENTURY_MS (INT64_C(36525) * 24 * 3600 * 1000)

struct num_unit {
	const char *name;
	int64_t factor;
};

/* Largest first: num_text takes the first unit that divides the value. */
static const struct num_unit duration_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 },
	{ "", 1000 }, { "ms", 1 }, { NULL, 0 }
};
static const struct num_unit size_units[] = {
	{ "G", 1 << 30 }, { "M", 1 << 20 }, { "K", 1 << 10 }, { "", 1 },
	{ NULL, 0 }
};

static int
num_fail(int error)
{
	errno = error;
	return -1;
}

/*
 * Read digits of `base`, at least one; *end is behind the last.  0 or -1.  A
 * number beyond uint64_t is read to its end as UINT64_MAX, which callers refuse
 * (ERANGE) after they have looked at *end, so that "9...9x" is EINVAL.
 */
static int
num_digits(const char *text, unsigned base, uint64_t *value, const char **end)
{
	const char *p = text;
	uint64_t sum = 0;
	bool over = false;

	for (; *p >= '0' && (unsigned)(*p - '0') < base; p++) {
		over |= __builtin_mul_overflow(sum, base, &sum);
		over |= __builtin_add_overflow(sum, *p - '0', &sum);
	}
	*value = over ? UINT64_MAX : sum;
	*end = p;
	return p == text ? num_fail(EINVAL) : 0;
}

/* A number and one of the units; `same` compares their names. */
static int
num_scaled(const char *text, const struct num_unit *unit,
    int (*same)(const char *, const char *), int64_t max, int64_t *result)
{
	const char *end;
	uint64_t value;

	if (num_digits(text, 10, &value, &end) == -1)
		return -1;
	while (unit->name != NULL && same(unit->name, end) != 0)
		unit++;
	if (unit->name == NULL)
		return num_fail(EINVAL);
	if (value > (uint64_t)(max / unit->factor))
		return num_fail(ERANGE);
	*result = (int64_t)value * unit->factor;
	return 0;
}

int
num_duration(const char *text, int64_t *ms)
{
	return num_scaled(text, duration_units, strcmp, CENTURY_MS, ms);
}

int
num_size(const char *text, int64_t *bytes)
{
	return num_scaled(text, size_units, strcasecmp, INT64_MAX, bytes);
}

int
num_mode(const char *text, mode_t *mode)
{
	const char *end;
	uint64_t value;

	if (num_digits(text, 8, &value, &end) == -1)
		return -1;
	if (*end != '\0')
		return num_fail(EINVAL);
	if (value > 07777)
		return num_fail(ERANGE);
	*mode = (mode_t)value;
	return 0;
}

int
num_integer(const char *text, int64_t min, int64_t max, int64_t *value)
{
	bool negative = *text == '-';
	const char *end;
	uint64_t magnitude;
	int64_t number;

	if (num_digits(text + (negative || *text == '+'), 10, &magnitude,
	    &end) == -1)
		return -1;
	if (*end != '\0')
		return num_fail(EINVAL);
	if (negative ? __builtin_sub_overflow(0, magnitude, &number) :
	    __builtin_add_overflow(0, magnitude, &number))
		return num_fail(ERANGE);
	if (number < min || number > max)
		return num_fail(ERANGE);
	*value = number;
	return 0;
}

static const char *
num_text(int64_t value, const struct num_unit *unit, char out[NUM_TEXT])
{
	while (value == 0 ? *unit->name != '\0' : value % unit->factor != 0)
		unit++;
	snprintf(out, NUM_TEXT, "%" PRId64 "%s", value / unit->factor,
	    unit->name);
	return out;
}

const char *
num_duration_text(int64_t ms, char out[NUM_TEXT])
{
	return num_text(ms, duration_units, out);
}

const char *
num_size_text(int64_t bytes, char out[NUM_TEXT])
{
	return num_text(bytes, size_units, out);
}

int64_t
num_least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
num_most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The digits stand at the end of a text that ends there. */
static size_t
num_copy(const char *first, const char *end, char out[NUM_TEXT])
{
	memcpy(out, first, (size_t)(end - first));
	return (size_t)(end - first);
}

int64_t
num_length(const char *digits, size_t n)
{
	int64_t value = 0;

	if (n == 0 || n > NUM_LENGTH_DIGITS)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return -1;
		value = value * 10 + (digits[i] - '0');
	}
	return value;
}

size_t
num_decimal(uint64_t value, char out[NUM_TEXT])
{
	char text[NUM_TEXT], *end = text + sizeof(text), *p = end;

	do
		*--p = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	return num_copy(p, end, out);
}

size_t
num_hex(uint64_t value, char out[NUM_TEXT])
{
	char text[NUM_TEXT], *end = text + sizeof(text), *p = end;

	do
		*--p = "0123456789abcdef"[value & 15];
	while ((value >>= 4) > 0);
	return num_copy(p, end, out);
}
