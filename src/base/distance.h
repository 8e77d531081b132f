#ifndef BASE_DISTANCE_H
#define BASE_DISTANCE_H

/*
 * How far two names are from each other, to find the one that was meant.  Pure;
 * runs everywhere.
 */

/* The number of letters to insert, remove, replace or swap with their neighbour
 * that make one name of the other.  Names of more than 63 bytes are far from
 * all others: 64. */
unsigned distance(const char *a, const char *b);

#endif
