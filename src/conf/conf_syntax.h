#ifndef CONF_CONF_SYNTAX_H
#define CONF_CONF_SYNTAX_H

/*
 * Where a text that libconfig refuses leaves its grammar, in words for the
 * person who wrote it.  Only for texts that were refused: what is good is
 * libconfig's to say.  Pure.
 */

#include <stddef.h>

#include "base/why.h"

/* -1 and why, with its line, for the first fault; 0 if none is found.  The text
 * has passed conf_scan. */
int conf_syntax(const char *text, size_t len, struct why *why);

#endif
