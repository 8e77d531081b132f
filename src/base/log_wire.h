#ifndef BASE_LOG_WIRE_H
#define BASE_LOG_WIRE_H

/*
 * An entry of the error log as a worker, which does not have the log, sends it
 * to the master: a line that begins with a byte which text does not contain,
 * in the pipe that also carries what the application prints.  The application
 * can write such lines as well, so the reader takes pool and pid from the pipe,
 * not from the line.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/log_line.h"

#define LOG_WIRE_BEGIN '\x1d'

/* Append an entry, with its newline.  Its pool and pid are not sent. */
void log_wire_put(struct buf *out, const struct log_entry *entry);

/*
 * Parse n bytes from LOG_WIRE_BEGIN on, without the newline.  True: level,
 * request, method, URI and text of the entry are set and point into the bytes,
 * which are changed.  False: they are no such line, and unchanged.
 */
bool log_wire_get(char *line, size_t n, struct log_entry *entry);

#endif
