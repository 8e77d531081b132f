#include "master/fullness.h"

#include "base/tuning.h"

enum fullness_change
fullness_look(struct fullness *f, bool busy, unsigned waiting, int64_t now)
{
	bool lasts = f->seen != 0 &&
	    now - f->seen < (f->full ? tuning.room : tuning.full);

	if (!busy || waiting == 0) {
		if (lasts || !f->full)
			return FULLNESS_SAME;
		f->full = false;
		return FULLNESS_ENDS;
	}
	if (!lasts && !f->full) {
		f->first = now;
		f->longest = 0;
	}
	f->seen = now;
	if (waiting > f->longest)
		f->longest = waiting;
	if (f->full || now - f->first < tuning.full)
		return FULLNESS_SAME;
	f->full = true;
	return FULLNESS_BEGINS;
}

int64_t
fullness_due(const struct fullness *f)
{
	return f->full ? f->seen + tuning.room : -1;
}
