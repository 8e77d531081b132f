#ifndef CONF_CONF_FILE_H
#define CONF_CONF_FILE_H

/*
 * Configuration files as files: the directory that relative names refer to, the
 * files that an include names, the bytes of one.  Runs in the master, in -t and
 * in tools.  On failure NULL or -1 with errno.
 */

#include "base/buf.h"
#include "conf/conf.h"

/* The absolute directory of a file, to be freed.  Symbolic links are not
 * resolved, because they may point elsewhere at the next reload. */
char *conf_file_directory(const char *file);

/* The path of `name` relative to a directory, to be freed. */
char *conf_file_join(const char *directory, const char *name);

/*
 * Append the files that a glob(7) pattern names relative to a directory,
 * sorted.  Without a wildcard it is that one name, whether the file exists or
 * not.  0, or -1, also if the directory before the first wildcard is missing;
 * the caller frees the list with conf_list_free in either case.
 */
int conf_file_expand(const char *directory, const char *pattern,
    struct conf_list *files);

/* Append the content of a file.  0 or -1; EFBIG: more than 16 MB. */
int conf_file_load(const char *file, struct buf *text);

#endif
