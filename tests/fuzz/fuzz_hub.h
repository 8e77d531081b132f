#ifndef TESTS_FUZZ_FUZZ_HUB_H
#define TESTS_FUZZ_FUZZ_HUB_H

#include "fuzz.h"
#include "hub/hub_impl.h"

/* A hub with low limits. */
static inline struct hub *
make_hub(void)
{
	const struct hub_options options = { .connections = 4, .links = 2,
		.message = 500, .fragments = 4, .channels = 3, .waiting = 3,
		.send_buffer = 3000, .output = 10000, .input = 2000,
		.ping = 60000, .silence = 60000, .close = 60000 };
	struct hub *hub = hub_new(&options);

	must(hub != NULL);
	return hub;
}

#endif
