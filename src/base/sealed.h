#ifndef BASE_SEALED_H
#define BASE_SEALED_H

/*
 * Bytes that nobody can change any more, in memory that a descriptor leads to
 * (memfd_create(2)): what an image of the program tells the next one.  Whoever
 * is told by the environment that a descriptor is such a memory can see
 * whether that is so.
 */

#include "base/buf.h"

/* A close-on-exec descriptor of memory with the bytes; -1 with errno. */
int sealed_make(const char *name, const struct buf *text);

/* Append all of it to `text`.  0, or -1 with errno: there is no memory, or the
 * descriptor is none that sealed_make returns. */
int sealed_read(int fd, struct buf *text);

#endif
