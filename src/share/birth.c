#include "share/birth.h"

#include <sys/socket.h>

void
birth_say(const struct birth *birth, enum birth_word word)
{
	char byte = (char)word;

	if (birth->channel != -1)
		send(birth->channel, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}
