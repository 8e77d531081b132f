/* What a worker is born with: its pool and who it is. */

#include "fuzz.h"
#include "ipc/identity.h"
#include "ipc/pool_record.h"

FUZZ(pool)
{
	const struct record record = { .value = (const char *)data,
		.len = size };
	struct identity identity;
	struct conf *conf = pool_record_get(&record);

	must(conf == NULL || conf->pools[0].name != NULL);
	conf_free(conf);
	identity_get(&identity, &record);
	identity_free(&identity);
}
