#ifndef BENCH_PREFORK_H
#define BENCH_PREFORK_H

/*
 * Listen at a unix socket and call serve, which must not return, in n
 * processes.  TERM ends all of them; so does the death of the parent.
 */
_Noreturn void prefork(const char *path, int n, void (*serve)(int listener));

#endif
