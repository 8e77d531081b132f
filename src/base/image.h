#ifndef BASE_IMAGE_H
#define BASE_IMAGE_H

/*
 * This program, to be executed once more for a child process.  It is the very
 * image that runs, whatever lies at its path by now, and it starts with an
 * empty memory: no page of its parent is in it.  Runs in the master and in
 * -t; knows nothing of what the child is to do.
 */

#include <stdbool.h>
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

/* Was this process started so, as the environment says, from which it is taken?
 * *orders is the descriptor that is said to have been given; -1: none can be
 * that.  To be asked once. */
bool image_orders(int *orders);

#endif
