#ifndef IPC_INHERIT_H
#define IPC_INHERIT_H

/*
 * Listening sockets that the service manager passed and named, by the
 * protocol of sd_listen_fds(3) and without its library.  Runs in the master.
 */

/* Take LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES out of the environment, once,
 * before anything forks; the descriptors become close-on-exec. */
void inherit_init(void);

/* The descriptor of that name.  -1: there is none; -2: there are several, and
 * which of them is meant cannot be told. */
int inherit_find(const char *name);

/* Before exec(3) of another image in this process: all as it was before
 * inherit_init.  And when that came to nothing: out of the environment. */
void inherit_leave(void);
void inherit_revoke(void);

#endif
