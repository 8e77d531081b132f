#ifndef MASTER_DAEMON_H
#define MASTER_DAEMON_H

/*
 * What makes a process a daemon: the pid file, which is locked as long as the
 * master lives, and -D, whose foreground process stays until it knows what
 * became of the one in the background.  Runs in the master.
 */

#include "base/why.h"

/*
 * Create (0600), lock and write the pid file.  Whoever has a file open can
 * lock it, so nobody else may be able to: a file that is left, but that others
 * can read, is replaced unless the daemon that it names holds it.  Links
 * are those of path_parent.  The lock belongs to the open file: it survives a
 * fork by its owner, and children have to close theirs.  Returns the
 * close-on-exec descriptor, or -1 and why.
 */
int pidfile_open(const char *path, struct why *why);

/* Could it be created, or written?  Touches nothing, and does not ask whether
 * a daemon holds it.  0, or -1 and why. */
int pidfile_check(const char *path, struct why *why);

/* Write the pid of the calling process (again after daemon_detach). */
void pidfile_write(int fd);

/* Remove the file, if it is still this one, and give up the lock; fd -1 is
 * fine. */
void pidfile_close(int fd, const char *path);

/*
 * Go on in a child, in a session of its own, stdin and stdout being
 * /dev/null.  The parent never returns: it waits for the child's verdict and
 * exits with it, 70 if the child died without a word, and prints nothing;
 * signals end it as they end any program.  Returns a close-on-exec descriptor
 * for daemon_verdict, which no other process may keep open; -1 with errno.
 */
int daemon_detach(void);

/* A daemon that is up and logs elsewhere lets go of stderr too. */
void daemon_silence(void);

/* Let the parent exit with code (0 .. 255), close *fd and make it -1.
 * With *fd -1 nothing happens. */
void daemon_verdict(int *fd, int code);

#endif
