#ifndef CONF_CONF_FILE_H
#define CONF_CONF_FILE_H

/*
 * Configuration files as files: where relative names begin, which files an
 * include names, and the bytes of one.  Runs in the master and in -t; knows
 * nothing of what stands in them.  NULL or -1 comes with errno.
 */

#include "base/buf.h"
#include "conf/conf.h"

/* The directory of a file, absolute; symbolic links stay as they are, since
 * they may point elsewhere at the next reload.  To be freed. */
char *conf_file_directory(const char *file);

/* `name` as seen from a directory.  To be freed. */
char *conf_file_join(const char *directory, const char *name);

/*
 * The files that a glob(7) pattern names as seen from a directory, sorted.
 * Without a wildcard it is that one name, whether there is such a file or
 * not.  To be given back with conf_list_free.
 */
int conf_file_expand(const char *directory, const char *pattern,
    struct conf_list *files);

/* Append the content of a file.  EFBIG: more than 16 MB. */
int conf_file_load(const char *file, struct buf *text);

#endif
