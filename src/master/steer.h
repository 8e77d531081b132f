#ifndef MASTER_STEER_H
#define MASTER_STEER_H

/*
 * What an operator does to one pool while the daemon runs: another number of
 * workers, out of service, into service again.  Runs in the master; by whom it
 * was asked is not known here.
 */

#include "master/pools.h"

/* The most workers that a pool can be scaled to: it has slots for twice
 * workers.max, and a successor needs one. */
unsigned steer_most(const struct pool *pool);

/*
 * At most n workers from now on (static: n), from 1 to steer_most, until a
 * reload changes the pool.  One step of the policy brings it about.
 */
void steer_scale(struct pool *pool, unsigned n);

/*
 * Take the pool of that name out of service: as if a reload had dropped it,
 * its workers finish, the sockets close, and it stays so over reloads until
 * steer_resume.  0, or -1 (memory).
 */
int steer_drain(struct pools *pools, const char *name);

/* The same for a pool that is not there yet: no reload brings it in.  0 or -1
 * (memory). */
int steer_park(struct pools *pools, const char *name);

/* Bring a drained pool back, as the newest configuration has it, as soon as
 * the last of its workers has left. */
void steer_resume(struct pools *pools, const char *name);

/* The entry of a pool that is out of service, NULL: it is not. */
struct pools_parked *steer_parked(const struct pools *pools,
    const char *name);

/* Is any generation of a pool left? */
bool steer_empty(const struct pools *pools, const char *name);

/* Once in a turn: go on with what has been asked for. */
void steer_turn(struct pools *pools);

#endif
