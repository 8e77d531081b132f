#ifndef CONF_CONF_SETTING_H
#define CONF_CONF_SETTING_H

/*
 * One setting of libconfig as text: for the table of keys, which takes text,
 * and for faults.  Runs in the master and in -t; this and conf_read know
 * libconfig, nobody else does.
 */

#include <stdbool.h>

#include "base/num.h"
#include "conf/conf_key.h"

#define SETTING_TEXT 96

struct config_setting_t;

/* The setting as text, or NULL if it is none of the plain values. */
const char *conf_setting_text(const struct config_setting_t *setting,
    char scratch[NUM_TEXT]);

/* Is it of a kind that a key of that type takes? */
bool conf_setting_fits(enum key_type type,
    const struct config_setting_t *setting);

/* What stands there, for a fault: "a group", "\"text\"", "5".  Returns out. */
const char *conf_setting_found(const struct config_setting_t *setting,
    char out[SETTING_TEXT]);

#endif
