#ifndef IPC_OUTPUT_TAG_H
#define IPC_OUTPUT_TAG_H

/*
 * How a worker tells the master, within the pipe that carries its output, of
 * which request a line is: a mark of bytes that text does not have stands
 * before it.  What processes print that know nothing of marks has none, and is
 * of no request.  Pure; runs on both sides.
 */

#include <stdbool.h>
#include <stddef.h>

#define OUTPUT_TAG_ID	   64 /* of a request, with its NUL */
#define OUTPUT_TAG_BEGIN '\x1e'
#define OUTPUT_TAG_END   '\x1f'

/* Is it an id?  1 to 63 printable ASCII characters, no space, quotes or
 * backslash: nothing of it needs escaping anywhere. */
bool output_tag_is_id(const char *id, size_t len);

/* If a mark begins at p, of n bytes: its length, and *id is what it says;
 * else 0, and *id is not touched. */
size_t output_tag_parse(const char *p, size_t n, char id[OUTPUT_TAG_ID]);

#endif
