#ifndef IPC_INHERIT_H
#define IPC_INHERIT_H

/*
 * Listening sockets that the service manager has passed with names, by the
 * protocol of sd_listen_fds(3), without its library.  Runs in the master.
 */

/* Read LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES and remove them from the
 * environment, once, before the first fork; the descriptors become
 * close-on-exec. */
void inherit_init(void);

/* The descriptor with that name.  -1: none has it; -2: several have it. */
int inherit_find(const char *name);

/* Before exec(3) of another image in this process: restore the variables, and
 * keep the descriptors open over exec.  If exec failed: remove the variables
 * again. */
void inherit_leave(void);
void inherit_revoke(void);

#endif
