#ifndef WORKER_LUA_LIB_UPLOAD_H
#define WORKER_LUA_LIB_UPLOAD_H

/*
 * Files on disk that have no name until they are given one, so that nothing is
 * left of them however the process ends.  Knows no Lua.
 */

/* Make an empty file without a name in the directory, for reading and writing.
 * Where file systems do not know such files, it has a name for a moment.
 * Returns a close-on-exec descriptor, or -1 with errno. */
int upload_open(const char *directory);

/*
 * Give a file of upload_open that name, in place of a file that has it, and the
 * mode that umask(2) leaves of 0666.  Where it cannot be linked (another file
 * system, no /proc) a copy gets the name, whole or not at all, and is on disk
 * then.  The descriptor and its position stay as they are.  0, or -1 with
 * errno.
 */
int upload_move(int fd, const char *path);

#endif
