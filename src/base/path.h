#ifndef BASE_PATH_H
#define BASE_PATH_H

/*
 * Files by paths on which somebody else may have laid something: whoever can
 * write to a directory of a path must not choose what a process with rights
 * opens.  So directories are entered one by one, and a symbolic link is
 * followed only if it is root's or ours and nobody else may write to its
 * directory, nor to one before it.  Runs in the master and in -t; knows not
 * what the files are for.
 */

#include <limits.h>
#include <sys/types.h>

#include "base/why.h"

/*
 * Open the directory of a path's last component (O_PATH, close-on-exec), whose
 * name becomes `name`.  That is not looked at: what is done with it is for the
 * caller to do by this descriptor, without following it.  -1 and why, which
 * does not name the path.
 */
int path_parent(const char *path, char name[NAME_MAX + 1], struct why *why);

/*
 * Open a log for appending, made with mode 0640 if there is none: a regular
 * file, a character device or a FIFO that somebody reads.  Never waits: what
 * is no regular file is O_NONBLOCK.  /dev/stdin, /dev/stdout, /dev/stderr,
 * /dev/fd/N and /proc/self/fd/N, or a link that is followed and leads there,
 * mean what this process has open by that number (writer_own).  A file with
 * other names (hard links) is refused where anybody else may write to its
 * directory.  Close-on-exec; -1 and why, which does not name the path.
 */
int path_open_log(const char *path, struct why *why);

/*
 * Could path_open_log have it?  Makes nothing, and leaves FIFOs alone, whose
 * readers would notice.  0: yes; 1: yes, but somebody
 * who is neither root nor this process's user nor `user` could put another
 * file in its place; -1: no, and why.
 */
int path_try_log(const char *path, uid_t user, struct why *why);

#endif
