#ifndef CONF_CONF_SETTING_H
#define CONF_CONF_SETTING_H

/*
 * One setting of libconfig as text: for the table of keys, which takes text,
 * and for faults.  Runs in the master and in -t.
 */

#include <stdbool.h>

#include "base/num.h"
#include "conf/conf_key.h"

#define SETTING_TEXT 96

struct config_setting_t;

/* The value as text, in the setting or in scratch; NULL unless it is a string,
 * a boolean or an integer. */
const char *conf_setting_text(const struct config_setting_t *setting,
    char scratch[NUM_TEXT]);

/* True if a key of that type accepts the type of the setting. */
bool conf_setting_fits(enum key_type type,
    const struct config_setting_t *setting);

/* The value as a fault shows it: "a group", "\"text\"", "5".  Returns out. */
const char *conf_setting_found(const struct config_setting_t *setting,
    char out[SETTING_TEXT]);

#endif
