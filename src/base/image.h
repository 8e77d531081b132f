#ifndef BASE_IMAGE_H
#define BASE_IMAGE_H

/*
 * This program, to be executed once more for a child process.  It is the very
 * image that runs, whatever lies at its path by now, and it starts with an
 * empty memory: no page of its parent is in it.  Runs in the master and in
 * -t; knows nothing of what the child is to do.
 */

#include <stddef.h>

/* Hold on to the image, at the start of the program.  0, or -1 with errno. */
int image_open(void);

/*
 * In a child right after fork(2): become the image again, under a title for
 * ps(1), with descriptors 0 to 2, those of the list, and `orders`, whose
 * number the new one learns (image_orders).  Of the environment only what the
 * loader, the C library and sanitizers go by is left.  If anything fails one
 * line on stderr says so, and the child ends with code 71.
 */
void image_become(const char *title, int orders, const int *fds, size_t n)
    __attribute__((noreturn));

/* The descriptor that image_become was given, taken out of the environment;
 * -1: this process was not started so.  To be asked once. */
int image_orders(void);

#endif
