#include "worker/lua/lib/lua_shared.h"

#include <lauxlib.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sealed.h"
#include "ipc/shared.h"

#define TTL_MOST  1e11 /* seconds; more is without end */
#define KEYS_MOST 1024 /* keys that keys() returns by default */

struct dictionary {
	struct shared *shared;
	const char *name; /* not terminated */
	int name_len;
};

static struct {
	const struct conf_list *declared;
	const int *fds;
	size_t nfds;
	struct dictionary *items; /* one for each of declared */
} self;

void
lua_shared_offer(const struct conf_list *declared, const int *fds, size_t nfds)
{
	if (self.declared == declared)
		return;
	self.declared = declared;
	self.fds = fds;
	self.nfds = nfds;
	self.items = calloc(declared->n + 1, sizeof(*self.items));
}

/* ---- opening ------------------------------------------------------------- */

static struct dictionary *
find(const char *name, size_t len, int64_t *size)
{
	size_t item_len;

	for (size_t i = 0; self.items != NULL && i < self.declared->n; i++) {
		*size = conf_shared_item(self.declared->item[i], &item_len);
		if (item_len != len ||
		    memcmp(self.declared->item[i], name, len) != 0)
			continue;
		self.items[i].name = self.declared->item[i];
		self.items[i].name_len = (int)len;
		return &self.items[i];
	}
	return NULL;
}

static int
map(struct dictionary *d, int64_t size)
{
	size_t i = (size_t)(d - self.items);
	int fd = i < self.nfds ? self.fds[i] :
				 sealed_room("lua-fpm-shared", (size_t)size);

	d->shared = shared_open(fd, (size_t)size);
	return d->shared == NULL ? -1 : 0;
}

/* open(name).  Upvalue: the metatable. */
static int
open_one(lua_State *L)
{
	size_t len;
	int64_t size;
	const char *name = luaL_checklstring(L, 1, &len);
	struct dictionary *d = find(name, len, &size), **handle;

	if (d == NULL)
		return 0;
	if (d->shared == NULL && map(d, size) == -1)
		return luaL_error(L, "fpm.shared.%s: %s", name,
		    strerror(errno));
	handle = lua_newuserdatauv(L, sizeof(struct dictionary *), 0);
	*handle = d;
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_setmetatable(L, -2);
	return 1;
}

/* ---- arguments ----------------------------------------------------------- */

/* The dictionary that a verb is called with.  Upvalue: the metatable. */
static inline struct dictionary *
own(lua_State *L, const char *verb)
{
	struct dictionary **handle = lua_touserdata(L, 1);

	if (handle == NULL || !lua_getmetatable(L, 1) ||
	    !lua_rawequal(L, -1, lua_upvalueindex(1))) {
		luaL_error(L, "fpm.shared: %s is called without its "
		    "dictionary: write dictionary:%s(...)", verb, verb);
		return NULL;
	}
	lua_pop(L, 1);
	return *handle;
}

static const char *
describe(lua_State *L, int arg)
{
	if (lua_isnoneornil(L, arg))
		return "nil";
	if (lua_type(L, arg) == LUA_TNUMBER)
		return lua_tostring(L, arg);
	return lua_pushfstring(L, "a %s", luaL_typename(L, arg));
}

static int
misuse(lua_State *L, const struct dictionary *d, const char *verb, int arg,
    const char *name, const char *expected)
{
	const char *found = describe(L, arg);

	lua_pushlstring(L, d->name, (size_t)d->name_len);
	return luaL_error(L, "fpm.shared.%s: %s: %s is %s, expected %s",
	    lua_tostring(L, -1), verb, name, found, expected);
}

/* A key that cannot be one is answered like a failure, as it may be a
 * client's. */
static const char *
take_key(lua_State *L, const struct dictionary *d, const char *verb,
    struct shared_key *key)
{
	int type = lua_type(L, 2);

	if (type != LUA_TSTRING && type != LUA_TNUMBER)
		misuse(L, d, verb, 2, "key", "a string");
	key->text = lua_tolstring(L, 2, &key->len);
	if (key->len == 0)
		return "empty key";
	return key->len > SHARED_KEY_MOST ? "key too long" : NULL;
}

static void
take_value(lua_State *L, const struct dictionary *d, const char *verb,
    struct shared_value *value)
{
	switch (lua_type(L, 3)) {
	case LUA_TSTRING:
		value->type = SHARED_STRING;
		value->text = lua_tolstring(L, 3, &value->len);
		break;
	case LUA_TNUMBER:
		value->type = lua_isinteger(L, 3) ? SHARED_INTEGER :
						    SHARED_FLOAT;
		value->integer = lua_tointeger(L, 3);
		value->number = lua_tonumber(L, 3);
		break;
	case LUA_TBOOLEAN:
		value->type = SHARED_BOOLEAN;
		value->integer = lua_toboolean(L, 3);
		break;
	default:
		misuse(L, d, verb, 3, "value", "a string, a number or a "
		    "boolean");
	}
}

/* A number to add, or to begin with. */
static void
take_number(lua_State *L, const struct dictionary *d, int arg,
    const char *name, struct shared_value *value)
{
	value->number = lua_tonumber(L, arg);
	if (lua_type(L, arg) != LUA_TNUMBER || isnan(value->number))
		misuse(L, d, "incr", arg, name, "a number");
	value->type = lua_isinteger(L, arg) ? SHARED_INTEGER : SHARED_FLOAT;
	value->integer = lua_tointeger(L, arg);
}

/* Milliseconds; 0: without end.  A part of one counts as one. */
static int64_t
take_ttl(lua_State *L, const struct dictionary *d, const char *verb, int arg)
{
	lua_Number ttl;
	int64_t ms;

	if (lua_isnoneornil(L, arg))
		return 0;
	ttl = lua_tonumber(L, arg);
	if (lua_type(L, arg) != LUA_TNUMBER || !(ttl >= 0))
		misuse(L, d, verb, arg, "ttl", "a number of seconds from 0 "
		    "on");
	if (ttl > TTL_MOST)
		return 0;
	ms = (int64_t)(ttl * 1000);
	return ms + ((lua_Number)ms < ttl * 1000);
}

/* ---- results ------------------------------------------------------------- */

static void
look_after(struct dictionary *d)
{
	if (shared_was_broken(d->shared))
		log_error("shared.%.*s was not as this library leaves it: it "
		    "has been emptied", d->name_len, d->name);
}

static const char *
text_of(int error)
{
	switch (error) {
	case ENOENT:
		return "not found";
	case EEXIST:
		return "exists";
	case EINVAL:
		return "not a number";
	case ENOSPC:
		return "no memory";
	case ETIMEDOUT:
		return "busy";
	default:
		return strerror(error);
	}
}

static int
push_value(lua_State *L, const struct shared_value *value)
{
	switch (value->type) {
	case SHARED_STRING:
		lua_pushlstring(L, value->text, value->len);
		break;
	case SHARED_INTEGER:
		lua_pushinteger(L, value->integer);
		break;
	case SHARED_FLOAT:
		lua_pushnumber(L, value->number);
		break;
	case SHARED_BOOLEAN:
		lua_pushboolean(L, value->integer != 0);
		break;
	}
	return 1;
}

static int
nothing(lua_State *L, const char *message)
{
	lua_pushnil(L);
	lua_pushstring(L, message);
	return 2;
}

/* true; or false and a message (NULL: it succeeded); and whether others had to
 * go. */
static int
stored(lua_State *L, const char *message, bool forced)
{
	lua_pushboolean(L, message == NULL);
	lua_pushstring(L, message);
	lua_pushboolean(L, forced);
	return 3;
}

/* ---- verbs --------------------------------------------------------------- */

static int
get(lua_State *L)
{
	struct dictionary *d = own(L, "get");
	struct shared_value value = { 0 };
	struct shared_key key;
	const char *bad = take_key(L, d, "get", &key);
	int error;

	if (bad != NULL)
		return nothing(L, bad);
	if (shared_get(d->shared, &key, &value) == 0)
		return push_value(L, &value);
	error = errno;
	look_after(d);
	if (error != ENOENT)
		return nothing(L, text_of(error));
	lua_pushnil(L);
	return 1;
}

static int
put(lua_State *L, const char *verb, enum shared_how how)
{
	struct dictionary *d = own(L, verb);
	struct shared_value value = { 0 };
	struct shared_key key;
	const char *bad = take_key(L, d, verb, &key);
	bool forced = false;
	int64_t ttl;
	int result;

	take_value(L, d, verb, &value);
	ttl = take_ttl(L, d, verb, 4);
	if (bad != NULL)
		return stored(L, bad, false);
	result = shared_set(d->shared, &key, &value, ttl, how, &forced);
	bad = result == -1 ? text_of(errno) : NULL;
	look_after(d);
	return stored(L, bad, forced);
}

static int delete(lua_State *L);

static int
set(lua_State *L)
{
	if (lua_isnoneornil(L, 3))
		return delete(L);
	return put(L, "set", SHARED_SET);
}

static int
add(lua_State *L)
{
	return put(L, "add", SHARED_ADD);
}

static int
replace(lua_State *L)
{
	return put(L, "replace", SHARED_REPLACE);
}

static int
incr(lua_State *L)
{
	struct dictionary *d = own(L, "incr");
	struct shared_value by = { 0 }, initial = { 0 }, sum = { 0 };
	struct shared_key key;
	const char *bad = take_key(L, d, "incr", &key);
	bool begins = !lua_isnoneornil(L, 4), forced = false;
	int64_t ttl;
	int result = -1;

	take_number(L, d, 3, "by", &by);
	if (begins)
		take_number(L, d, 4, "initial", &initial);
	else if (!lua_isnoneornil(L, 5))
		misuse(L, d, "incr", 4, "initial", "a number, as ttl is "
		    "given");
	ttl = take_ttl(L, d, "incr", 5);
	if (bad == NULL) {
		result = shared_incr(d->shared, &key, &by,
		    begins ? &initial : NULL, ttl, &sum, &forced);
		bad = result == -1 ? text_of(errno) : NULL;
		look_after(d);
	}
	if (bad != NULL)
		nothing(L, bad);
	else {
		push_value(L, &sum);
		lua_pushnil(L);
	}
	lua_pushboolean(L, forced);
	return 3;
}

/* What delete, expire and flush return. */
static int
done(lua_State *L, struct dictionary *d, int result)
{
	const char *message = result == -1 ? text_of(errno) : NULL;

	look_after(d);
	if (message != NULL)
		return nothing(L, message);
	lua_pushboolean(L, 1);
	return 1;
}

static int
delete(lua_State *L)
{
	struct dictionary *d = own(L, "delete");
	struct shared_key key;
	const char *bad = take_key(L, d, "delete", &key);

	if (bad != NULL)
		return nothing(L, bad);
	return done(L, d, shared_delete(d->shared, &key));
}

static int
ttl(lua_State *L)
{
	struct dictionary *d = own(L, "ttl");
	struct shared_key key;
	const char *bad = take_key(L, d, "ttl", &key);
	int64_t left = 0;
	int result;

	if (bad != NULL)
		return nothing(L, bad);
	result = shared_ttl(d->shared, &key, &left);
	bad = result == -1 ? text_of(errno) : NULL;
	look_after(d);
	if (bad != NULL)
		return nothing(L, bad);
	lua_pushnumber(L, (lua_Number)left / 1000);
	return 1;
}

static int
expire(lua_State *L)
{
	struct dictionary *d = own(L, "expire");
	struct shared_key key;
	const char *bad = take_key(L, d, "expire", &key);
	int64_t left = take_ttl(L, d, "expire", 3);

	if (lua_isnoneornil(L, 3))
		misuse(L, d, "expire", 3, "ttl", "a number of seconds from 0 "
		    "on");
	if (bad != NULL)
		return nothing(L, bad);
	return done(L, d, shared_expire(d->shared, &key, left));
}

/* ---- keys ---------------------------------------------------------------- */

static int
free_bytes(lua_State *L)
{
	buf_free(lua_touserdata(L, 1));
	return 0;
}

/* Push a buffer that is freed if anything raises. */
static struct buf *
push_buffer(lua_State *L)
{
	struct buf *bytes = lua_newuserdatauv(L, sizeof(*bytes), 0);

	*bytes = (struct buf){ 0 };
	if (luaL_newmetatable(L, "lua-fpm.shared.keys")) {
		lua_pushcfunction(L, free_bytes);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return bytes;
}

/* Append the keys in the buffer to the array at the top. */
static lua_Integer
add_keys(lua_State *L, const struct buf *bytes, lua_Integer n,
    lua_Integer most)
{
	size_t at = 0;
	uint32_t len;

	while (at < bytes->len && n < most) {
		memcpy(&len, bytes->data + at, sizeof(len));
		at += sizeof(len);
		lua_pushlstring(L, bytes->data + at, len);
		lua_rawseti(L, -2, ++n);
		at += len;
	}
	return n;
}

static int
keys(lua_State *L)
{
	struct dictionary *d = own(L, "keys");
	lua_Integer most = KEYS_MOST, n = 0;
	struct buf *bytes;
	uint32_t place = 0;
	int more = 1, integral = 1;

	if (!lua_isnoneornil(L, 2))
		most = lua_tointegerx(L, 2, &integral);
	if (!integral || lua_type(L, 2) == LUA_TSTRING || most < 0)
		misuse(L, d, "keys", 2, "most", "an integer from 0 on");
	if (most == 0)
		most = LUA_MAXINTEGER;
	bytes = push_buffer(L);
	lua_newtable(L);
	while (more == 1 && n < most) {
		buf_clear(bytes);
		more = shared_keys(d->shared, &place, bytes);
		if (more == -1)
			break;
		n = add_keys(L, bytes, n, most);
	}
	if (more == -1)
		lua_pushstring(L, text_of(errno));
	look_after(d);
	buf_free(bytes);
	return more == -1 ? nothing(L, lua_tostring(L, -1)) : 1;
}

static int
flush(lua_State *L)
{
	struct dictionary *d = own(L, "flush");

	return done(L, d, shared_flush(d->shared));
}

/* ---- room ---------------------------------------------------------------- */

static int
capacity(lua_State *L)
{
	struct dictionary *d = own(L, "capacity");
	struct shared_figures figures;

	if (shared_figures(d->shared, &figures) == -1)
		return nothing(L, text_of(errno));
	lua_pushinteger(L, (lua_Integer)figures.room);
	return 1;
}

static int
free_space(lua_State *L)
{
	struct dictionary *d = own(L, "free_space");
	struct shared_figures figures;

	if (shared_figures(d->shared, &figures) == -1)
		return nothing(L, text_of(errno));
	lua_pushinteger(L, (lua_Integer)figures.free);
	return 1;
}

/* ---- the module ---------------------------------------------------------- */

static int
show(lua_State *L)
{
	const struct dictionary *d = own(L, "tostring");

	lua_pushlstring(L, d->name, (size_t)d->name_len);
	lua_pushfstring(L, "fpm.shared.%s", lua_tostring(L, -1));
	return 1;
}

int
lua_shared_open(lua_State *L)
{
	static const luaL_Reg verbs[] = { { "get", get }, { "set", set },
		{ "add", add }, { "replace", replace }, { "incr", incr },
		{ "delete", delete }, { "ttl", ttl }, { "expire", expire },
		{ "keys", keys }, { "flush", flush },
		{ "capacity", capacity }, { "free_space", free_space },
		{ NULL, NULL } };

	lua_newtable(L); /* the metatable */
	lua_newtable(L);
	lua_pushvalue(L, -2);
	luaL_setfuncs(L, verbs, 1);
	lua_setfield(L, -2, "__index");
	lua_pushvalue(L, -1);
	lua_pushcclosure(L, show, 1);
	lua_setfield(L, -2, "__tostring");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_createtable(L, 0, 1);
	lua_insert(L, -2);
	lua_pushcclosure(L, open_one, 1);
	lua_setfield(L, -2, "open");
	return 1;
}
