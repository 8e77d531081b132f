#ifndef BASE_NUM_H
#define BASE_NUM_H

/*
 * Numbers as people write them in a configuration: durations, sizes, file
 * modes and plain integers, from text and back to text.  Pure: no state, no
 * system call.  A function that reads takes the whole string or fails.
 */

#include <stdint.h>
#include <sys/types.h>

#define NUM_TEXT 32 /* room enough for every text made here */

/*
 * Read "500ms", "10s", "5m", "2h", "1d"; without a unit seconds.  No sign, no
 * fraction, no blank.  Returns 0 and the milliseconds, or -1 with errno
 * EINVAL (not a duration) or ERANGE (more than 100 years).
 */
int num_duration(const char *text, int64_t *ms);

/*
 * Read "4096", "64K", "128M", "1G": units are powers of 1024, in upper or lower
 * case.  Returns 0 and the bytes, or -1 with errno EINVAL or ERANGE.
 */
int num_size(const char *text, int64_t *bytes);

/* Read an octal file mode, "0660" or "660", at most 07777.  Returns as
 * above. */
int num_mode(const char *text, mode_t *mode);

/* Read a decimal integer within [min, max], which may have a sign.  Returns as
 * above. */
int num_integer(const char *text, int64_t min, int64_t max, int64_t *value);

/* The length that n decimal digits and nothing else say, of which there are at
 * most NUM_LENGTH_DIGITS, so that any fits.  -1: they are none. */
#define NUM_LENGTH_DIGITS 18
int64_t num_length(const char *digits, size_t n);

/* The decimal or the hexadecimal digits of a number, not terminated.  Returns
 * how many. */
size_t num_decimal(uint64_t value, char out[NUM_TEXT]);
size_t num_hex(uint64_t value, char out[NUM_TEXT]);

/* The smaller and the larger of two. */
int64_t num_least(int64_t a, int64_t b);
int64_t num_most(int64_t a, int64_t b);

/*
 * The shortest text that num_duration and num_size read as the same number
 * ("90s", "2m", "1500ms"; "64K").  Returns out.
 */
const char *num_duration_text(int64_t ms, char out[NUM_TEXT]);
const char *num_size_text(int64_t bytes, char out[NUM_TEXT]);

#endif
