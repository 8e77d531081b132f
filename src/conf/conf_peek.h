#ifndef CONF_CONF_PEEK_H
#define CONF_CONF_PEEK_H

/*
 * One key out of a configuration that may be full of faults: a tool that is to
 * tell somebody of these must find the daemon first.  Runs in tools.
 */

/*
 * The string that `name` is set to at the top of a file, to be freed.  NULL
 * with errno: the file cannot be read, or ENOENT: it is not set there (a
 * file that libconfig cannot read to its end counts up to its fault).
 */
char *conf_peek(const char *file, const char *name);

#endif
