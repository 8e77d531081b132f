#include "conf/conf_setting.h"

#include <libconfig.h>
#include <stdio.h>

const char *
conf_setting_text(const config_setting_t *setting, char scratch[NUM_TEXT])
{
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_STRING:
		return config_setting_get_string(setting);
	case CONFIG_TYPE_BOOL:
		return config_setting_get_bool(setting) ? "true" : "false";
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		snprintf(scratch, NUM_TEXT, "%lld",
		    config_setting_get_int64(setting));
		return scratch;
	default:
		return NULL;
	}
}

/* The types are compared because the text of "5" and of 5 is the same. */
bool
conf_setting_fits(enum key_type type, const config_setting_t *setting)
{
	int found = config_setting_type(setting);
	bool integer = found == CONFIG_TYPE_INT || found == CONFIG_TYPE_INT64;

	switch (type) {
	case KEY_BOOL:
		return found == CONFIG_TYPE_BOOL;
	case KEY_INTEGER:
		return integer;
	case KEY_DURATION:
	case KEY_SIZE:
		return integer || found == CONFIG_TYPE_STRING;
	default:
		return found == CONFIG_TYPE_STRING;
	}
}

const char *
conf_setting_found(const config_setting_t *setting, char out[SETTING_TEXT])
{
	char scratch[NUM_TEXT];
	const char *text = conf_setting_text(setting, scratch);

	if (config_setting_type(setting) == CONFIG_TYPE_STRING)
		snprintf(out, SETTING_TEXT, "\"%.80s\"", text);
	else if (text != NULL)
		snprintf(out, SETTING_TEXT, "%s", text);
	else if (config_setting_is_group(setting))
		snprintf(out, SETTING_TEXT, "a group");
	else if (config_setting_is_aggregate(setting))
		snprintf(out, SETTING_TEXT, "a list");
	else
		snprintf(out, SETTING_TEXT, "a number with a fraction");
	return out;
}
