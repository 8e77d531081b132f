#ifndef BASE_LOG_PIPE_H
#define BASE_LOG_PIPE_H

/*
 * The pipe that leads from a worker to the log of its master, or what stderr is
 * if there is none.  It is descriptor 1 and 2, which an application may close,
 * after which its own files get these numbers.  So the worker has a copy of its
 * own, and looks at each use whether a descriptor is still that pipe.  Runs in
 * the worker.
 */

/* Once, while 2 is the pipe: make the copy. */
void log_pipe_keep(void);

/* A descriptor that is the pipe; -1 if the application has closed all of them.
 * Before log_pipe_keep: 2. */
int log_pipe(void);

#endif
