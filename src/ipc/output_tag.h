#ifndef IPC_OUTPUT_TAG_H
#define IPC_OUTPUT_TAG_H

/*
 * Mark the request that a line of a worker's output belongs to.  In the pipe
 * that carries the output to the master the mark stands before the line: the
 * id of the request between two bytes that text does not contain.  Lines
 * without a mark, as from children of the application, belong to no request.
 * Pure; runs on both sides.
 */

#include <stdbool.h>
#include <stddef.h>

#define OUTPUT_TAG_ID	   64 /* room for the id of a request and a NUL */
#define OUTPUT_TAG_BEGIN '\x1e'
#define OUTPUT_TAG_END   '\x1f'

/* True if it is a valid id: 1 to 63 printable ASCII characters, none of them a
 * space, a quote (", ', `) or a backslash, so that no log has to escape it. */
bool output_tag_is_id(const char *id, size_t len);

/* Parse a mark at the start of n bytes.  Returns its length and sets id,
 * terminated; 0 if there is no mark, and id is unchanged. */
size_t output_tag_parse(const char *p, size_t n, char id[OUTPUT_TAG_ID]);

#endif
