#ifndef BASE_SEALED_H
#define BASE_SEALED_H

/*
 * Memory behind a descriptor (memfd_create(2)), sealed against changes: of all
 * its bytes, to pass a text from one image of the program to another; or of
 * its size only, so that a mapping of it cannot lose its pages.  A process that
 * receives such a descriptor can check the seals.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Make sealed memory that holds the text, which must not be empty.  Returns a
 * close-on-exec descriptor, or -1 with errno (ENOMEM if text->failed). */
int sealed_make(const char *name, const struct buf *text);

/* Append all bytes of fd to `text`.  0, or -1 with errno: ENOMEM, or EPROTO if
 * fd is not sealed as by sealed_make, or is empty. */
int sealed_read(int fd, struct buf *text);

/* Make memory that stays writable, with its size sealed, all zero at first.
 * And true if fd is such memory of that size. */
int sealed_room(const char *name, size_t size);
bool sealed_is_room(int fd, size_t size);

#endif
