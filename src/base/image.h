#ifndef BASE_IMAGE_H
#define BASE_IMAGE_H

/*
 * Execute this program again, in a child process or in place.  It runs the same
 * file, even if another one has taken its path, and starts with empty memory:
 * no page of before is in it.  Runs in the master, in -t and in a worker
 * without a master.
 */

#include <stdbool.h>
#include <stddef.h>

/* Open the running executable; to be called at the start of the program.  0,
 * or -1 with errno. */
int image_open(void);

/*
 * In a child right after fork(2) or vfork(2): execute the image, under a title
 * for ps(1).  The new process has descriptors 0 to 2, the n of fds (-1: none)
 * and `orders`, whose number image_orders tells it.  Its environment has only
 * the variables that the loader, the C library and sanitizers read.  On failure
 * it prints one line to stderr and ends with code 71 (EX_OSERR).
 */
void image_become(const char *title, int orders, const int *fds, size_t n)
    __attribute__((noreturn));

/* Execute the image in this process, with these arguments and this environment,
 * and with no descriptors but 0 to 2; signals that are blocked or ignored stay
 * so.  Returns on failure, with errno. */
void image_again(char *const *argv, char *const *variables);

/* True if image_become started this process: a variable in the environment
 * says so, and is removed, so call it once.  *orders becomes the descriptor
 * that the variable names; -1: it names no descriptor above 2. */
bool image_orders(int *orders);

#endif
