#ifndef BASE_LOG_WIRE_H
#define BASE_LOG_WIRE_H

/*
 * An entry of the error log on its way from a worker, which does not have the
 * log, to the master, through the pipe that also carries what the application
 * prints: a line that begins with a byte which text does not have.  Whoever
 * can write to the pipe can write such a line; whose it is the reader knows
 * by the pipe.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/log_line.h"

#define LOG_WIRE_BEGIN '\x1d'

/* Append an entry, with its newline.  Its pool and pid do not travel. */
void log_wire_put(struct buf *out, const struct log_entry *entry);

/*
 * What n bytes from LOG_WIRE_BEGIN on, without the newline, say: level,
 * request, method, URI and text, which point into the bytes; these are
 * changed.  False: it is no such line, and the bytes are as they were.
 */
bool log_wire_get(char *line, size_t n, struct log_entry *entry);

#endif
