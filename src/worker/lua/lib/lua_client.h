#ifndef WORKER_LUA_LIB_LUA_CLIENT_H
#define WORKER_LUA_LIB_LUA_CLIENT_H

/*
 * fpm.core.client: fcgi_call.h for Lua, where fpm/client.lua makes of it what
 * fpm.client(3lua) describes.  A wait ends when the time of the entry is over
 * (lua_deadline.h).  The locale of the application does not matter.
 *
 *   client.open(address)  a call, or nil and a message
 *
 *   call:connect(ms)      true, or nil, a kind and a message
 *   call:begin(params, role, keep, head, ms, head_most, errors_most)
 *                         likewise; params: name -> text; role: its number
 *   call:put(stream, text)  "stdin" or "data"; no text: it ends
 *   call:sends()          true if not all that was put has been sent
 *   call:step()           true: go on; false: the response is complete; nil, a
 *                         kind and a message
 *   call:head()           its text and status, nil before it has come
 *   call:take(n)          at most n bytes of the body that have come, nil: none
 *   call:line()           the same, to the end of the first line, included
 *   call:result()         application and protocol status, text of FCGI_STDERR
 *   call:stale()          fcgi_call.stale
 *   call:close()          also by the collector
 *
 * A kind is "connect", "timeout", "cut", "protocol", "refused" or "limit".
 */

#include <lua.h>

int lua_client_open(lua_State *L);

#endif
