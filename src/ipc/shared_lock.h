#ifndef IPC_SHARED_LOCK_H
#define IPC_SHARED_LOCK_H

/*
 * A lock in memory that processes share, one of which may die or be stopped
 * while it holds it, or write anything into it.  The word has the pid of its
 * owner.  Each process locks the byte of its pid in the memory's descriptor
 * (fcntl(2)), and the kernel unlocks that when the process ends: so a waiter
 * finds out that the owner is dead, even if its pid is in use again.  Nobody
 * waits without limit.  (A robust mutex of pthread(3) keeps pointers in that
 * memory, which its process follows.)
 */

#include <stdatomic.h>
#include <stdint.h>

struct shared_lock {
	_Atomic uint32_t *word; /* 0: free */
	int fd;
	uint32_t me;	 /* pid for which the byte is locked */
	unsigned births; /* the number of forks by then */
	uint32_t blamed; /* pid that was waited for in vain the last time */
};

/* Set up this process's part; the word and the descriptor stay the caller's. */
void shared_lock_init(struct shared_lock *lock, _Atomic uint32_t *word, int fd);

/*
 * Take the lock: 0, or -1 with errno ETIMEDOUT (a living process has held it
 * for too long, or still holds it then), or as of fcntl(2).  If the owner
 * before has died, what the lock guards is as it left it.  One thread of a
 * process may call this.
 */
int shared_lock_take(struct shared_lock *lock);

/* Give it back; no effect if another process has taken it by force. */
void shared_lock_give(struct shared_lock *lock);

#endif
