#ifndef CTL_FPM_FPM_TEXT_H
#define CTL_FPM_FPM_TEXT_H

/*
 * Values as short texts for a narrow column.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

#define FPM_TEXT 24

/* "900us", "350ms", "4.2s", "59s", "12m05", "3h20m", "5d4h".  Returns out. */
const char *fpm_duration(int64_t us, char out[FPM_TEXT]);

/* "0", "900", "12K", "3.4M", "120M", "1.0G"; a size in powers of 1024. */
const char *fpm_size(int64_t bytes, char out[FPM_TEXT]);

/* "12345", "1.2M", "35M", "2.0G"; a count in powers of 1000. */
const char *fpm_count(int64_t n, char out[FPM_TEXT]);

/* "0", "0.3", "12", "1234"; a rate. */
const char *fpm_rate(double rate, char out[FPM_TEXT]);

/*
 * Copy at most size - 1 of n bytes as printable ASCII, terminated.  Any other
 * byte becomes a question mark, so that no request can steer the terminal.
 * Returns out.
 */
const char *fpm_visible(const char *text, size_t n, char *out, size_t size);

#endif
