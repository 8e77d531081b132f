#ifndef WORKER_LUA_LIB_LUA_REQ_H
#define WORKER_LUA_LIB_LUA_REQ_H

/*
 * The request that a Lua state serves, one at a time: what the C functions of
 * lib/ share, handles that know when their request is over, and log lines about
 * it.  Belongs to one Lua state and must outlive it.
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

#define LUA_REQ_AHEAD (64 * 1024) /* bytes of a body read ahead at most */

struct lua_reply;

struct lua_req {
	struct request *request; /* NULL between requests */
	struct lua_reply *reply; /* to it; and why it is bad */
	struct why *why;
	uint64_t serial;	 /* of the request; handles carry it */
	const void *env;	 /* lua_topointer of env, NULL: none yet */
	bool responds;		 /* env:respond has been called */
	lua_Integer nafter;	 /* functions that wait in lua_after.h */
	int error;		 /* errno of reading a body, 0: none */
	bool second;		 /* the second body is read, env.data */
	bool retires;		 /* fpm.worker.retire has been called, ever */
	bool errors_to_server;	 /* errors go to the web server's log too */
	char *data;	   /* LUA_REQ_AHEAD bytes, NULL: not needed yet */
	size_t at, len;	   /* data[at..len) is read ahead of that body */
	struct buf errors; /* env.errors: a line that is not complete yet */
	struct lua_memo memo; /* of its parameters */
	size_t distinct; /* names of parameters [0, distinct) in the memo are
			    all different */
	struct lua_req_rest { /* what is left of a request that is over, for
				 what runs after it */
		struct request request;
		struct param param[2];
		char method_text[REQUEST_METHOD], uri_text[REQUEST_URI];
	} rest;
};

/* Make req that of the state, which lua_req_of returns (NULL: it has none).  May
 * raise. */
void lua_req_keep(struct lua_req *req, lua_State *L);
struct lua_req *lua_req_of(lua_State *L);

/* Make `request` the current one, until lua_req_end. */
void lua_req_begin(struct lua_req *req, struct request *request);
void lua_req_end(struct lua_req *req);

/* The request is about to be over, but not for Lua code, until lua_req_end:
 * replace it by what is left, which has no body and is aborted if `aborted`. */
void lua_req_outlive(struct lua_req *req, bool aborted);

/* The state has been closed, and req is for another. */
void lua_req_forget(struct lua_req *req);

/* Free the memory that it keeps. */
void lua_req_free(struct lua_req *req);

/* A handle stands for a request in Lua code, which may keep it for longer than
 * the request.  Make a type of handles with these methods; may raise. */
void lua_req_make_type(lua_State *L, const char *type,
    const luaL_Reg *methods);

/* Push a handle of that type for the current request; may raise. */
void lua_req_push_handle(struct lua_req *req, lua_State *L, const char *type);

/* True if a handle (lua_touserdata; NULL: none) is of the current request. */
bool lua_req_is_current(const struct lua_req *req, const void *handle);

/* The req of the handle that is argument `arg`.  Raises if that is no handle of
 * this type, or if its request is over. */
struct lua_req *lua_req_check(lua_State *L, int arg, const char *type);

/* The req whose env is argument `arg`.  Raises if that is no env, or if its
 * request is over. */
struct lua_req *lua_req_check_env(lua_State *L, int arg);

/*
 * Write one line about the request, "METHOD URI: text", to the error log.  If
 * the level is LEVEL_ERROR or above and the pool wants it, the text goes to the
 * web server's log too.  The text may have any bytes.
 */
void lua_req_log(struct lua_req *req, enum log_level level, const char *text,
    size_t len);

#endif
