#ifndef SHARE_EXCHANGE_H
#define SHARE_EXCHANGE_H

/*
 * What master and worker both know of a pool's exchange, over which workers
 * hand connections to each other: in which version they do (worker/handoff.h).
 * Workers of a build with another one do not understand them, so the master
 * does not let them share an exchange.  To be raised when a name in a message
 * changes its meaning.
 */
#define HANDOFF_VERSION 1

#endif
