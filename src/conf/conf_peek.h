#ifndef CONF_CONF_PEEK_H
#define CONF_CONF_PEEK_H

/*
 * Read one key of a configuration that may have faults: lua-fpmctl needs the
 * control socket to show the daemon's answer about them.  Runs in tools.
 */

/*
 * The string to which `name` is set at the top level of a file, to be freed.
 * NULL with errno: the file cannot be read, or ENOENT: `name` is not set before
 * the first fault of syntax.
 */
char *conf_peek(const char *file, const char *name);

#endif
