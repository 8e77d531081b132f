#ifndef WORKER_LUA_LIB_LUA_REQ_H
#define WORKER_LUA_LIB_LUA_REQ_H

/*
 * The request a Lua state serves, one at a time: what its C functions share,
 * handles that know when their request is over, and log lines about it.
 * Belongs to one Lua state and lives longer than it.
 */

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "worker/lua/lib/lua_memo.h"
#include "worker/serve/request.h"

#define LUA_REQ_AHEAD (64 * 1024)

struct lua_req {
	struct request *request; /* NULL between requests */
	uint64_t serial;	 /* of the request; handles carry it */
	const void *env;	 /* identity of its table, NULL: none yet */
	int error;		 /* errno of reading the body, 0: none */
	bool errors_to_server;
	char *data; /* LUA_REQ_AHEAD bytes, */
	size_t at, len; /* data[at..len) is the body read ahead */
	struct buf errors; /* env.errors: a line not complete yet */
	struct lua_memo memo;
};

/* From here to lua_req_end this is the request. */
void lua_req_begin(struct lua_req *req, struct request *request);
void lua_req_end(struct lua_req *req);
void lua_req_free(struct lua_req *req);

/*
 * Handles stand for a request in Lua's hands, which may keep them longer.
 * Make a type of them with its methods.  Push one of the current request.
 * Is what lua_touserdata returned (NULL: no) of the current request?  Check
 * an argument: not of that type, or its request is over, raises.
 */
void lua_req_make_type(lua_State *L, const char *type,
    const luaL_Reg *methods);
void lua_req_push_handle(struct lua_req *req, lua_State *L, const char *type);
bool lua_req_is_current(const struct lua_req *req, const void *handle);
struct lua_req *lua_req_check(lua_State *L, int arg, const char *type);

/*
 * One line about the request, "METHOD URI: text", to the error log, and the text to the web server's log as well if the pool wants that
 * and the level is error.  Any bytes.
 */
void lua_req_log(struct lua_req *req, enum log_level level, const char *text,
    size_t len);

#endif
