#ifndef MASTER_DAEMON_H
#define MASTER_DAEMON_H

/*
 * What makes a process a daemon: the pid file, locked as long as the master
 * lives, and -D, whose foreground process waits until it knows whether the
 * daemon has come up.  Runs in the master.
 */

#include <stdbool.h>

#include "base/why.h"

/*
 * Create the pid file (mode 0600), lock it and write the caller's pid.  A
 * process that has the file open can lock it, so other users must not be able
 * to open it: an existing file that they can open is replaced, unless the
 * daemon that it names holds the lock.  Links in the path are followed as by
 * path_parent.  The lock belongs to the open file description, which a fork
 * shares: children have to close the descriptor.  Returns the close-on-exec
 * descriptor, or -1 and why.
 */
int pidfile_open(const char *path, struct why *why);

/* Find out whether the file could be created or written, without touching it;
 * whether a daemon holds its lock is not looked at.  0, or -1 and why. */
int pidfile_check(const char *path, struct why *why);

/* Write the pid of the calling process into it, as pidfile_open has done: for a
 * process that has forked since.  Errors are ignored. */
void pidfile_write(int fd);

/* Remove the file, if path still leads to it, and release the lock.  With fd -1
 * nothing happens. */
void pidfile_close(int fd, const char *path);

/*
 * Go on in a child, in a session of its own, with stdin and stdout at
 * /dev/null.  The parent never returns and prints nothing: it waits for the
 * child's verdict and exits with it, or with 70 if the child dies without one;
 * signals end it as they end any program.  Returns, in the child, a
 * close-on-exec descriptor for daemon_verdict, which no other process may keep
 * open; or -1 with errno.
 */
int daemon_detach(void);

/* True if the process was started at a terminal that has gone since. */
bool daemon_is_hung_up(void);

/* Point stdin, stdout and stderr at /dev/null, for a daemon that is up and logs
 * elsewhere. */
void daemon_silence(void);

/* Let the parent exit with code (0 to 255), close *fd and set it to -1.  With
 * *fd -1 nothing happens. */
void daemon_verdict(int *fd, int code);

#endif
