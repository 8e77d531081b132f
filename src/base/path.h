#ifndef BASE_PATH_H
#define BASE_PATH_H

/*
 * Open files by paths whose directories other users may write to: such a user
 * must not choose what a process with rights opens.  So the directories of a
 * path are entered one by one, and a symbolic link is followed only if its
 * owner is root or our user, no other user may write to its directory, and no
 * other user could have put that directory there.  Runs in the master and in
 * -t.
 */

#include <limits.h>
#include <sys/types.h>

#include "base/why.h"

/*
 * Open the directory of a path's last component (O_PATH, close-on-exec) and
 * copy that component to `name`, unchecked: the caller uses it relative to the
 * descriptor (openat(2)) and must not follow it if it is a link.  Returns the
 * descriptor, or -1 and why, which does not name the path.
 */
int path_parent(const char *path, char name[NAME_MAX + 1], struct why *why);

/*
 * Open a log for appending: a regular file, which is created with mode 0640 if
 * it is missing, a character device, or a FIFO with a reader.  Never waits
 * (O_NONBLOCK).  /dev/stdin, /dev/stdout, /dev/stderr, /dev/fd/N and
 * /proc/self/fd/N, or a link that is followed and leads there, mean the
 * descriptor of this process with that number, of which writer_own makes a
 * copy.  A regular file with several names (hard links) is refused if other
 * users may write to its directory or could have put that directory there.
 * Returns a close-on-exec descriptor, or -1 and why, which does not name the
 * path.
 */
int path_open_log(const char *path, struct why *why);

/*
 * Check whether path_open_log would succeed.  Creates no file, and does not
 * open a FIFO, because its reader would notice.  0: it would; 1: it would, but
 * a user other than root, our user and `user` could put another file in its
 * place; -1 and why: it would not.
 */
int path_try_log(const char *path, uid_t user, struct why *why);

#endif
