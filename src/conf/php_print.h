#ifndef CONF_PHP_PRINT_H
#define CONF_PHP_PRINT_H

/*
 * A configuration of php-fpm as the text of one of ours (php_read.h).  Runs in
 * lua-fpm --from-php-fpm.
 */

#include <stdio.h>

#include "conf/php_read.h"

/* Print it as a configuration of ours, with the notes as comments.  The
 * applications are left to be named.  0, or -1 (errno). */
int php_print(const struct php *php, const char *file, FILE *out);

#endif
