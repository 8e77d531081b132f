#include "worker/lua/lib/lua_websocket.h"

#include <lauxlib.h>

#include <errno.h>
#include <string.h>

#include "net/ws_frame.h"
#include "worker/net/hub_client.h"

#define TYPE "lua-fpm.websocket"

struct handle { /* its user value is the session */
	uint64_t id;
	unsigned channels; /* that it listens to, as far as is known */
};

/* The socket that is being opened; NULL: none is. */
static struct lua_opening *opening;

/* ---- what is said --------------------------------------------------------- */

/* Where records go: while a socket is being opened, all leave behind it. */
static struct buf *
actions(void)
{
	return opening != NULL ? &opening->first : hub_client_actions();
}

/* Return true, or nil and why, for records that were appended. */
static int
act(lua_State *L, const struct buf *out)
{
	if (out->failed)
		return luaL_error(L, "not enough memory");
	if ((opening != NULL && out == &opening->first) ||
	    hub_client_act() == 0) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, errno == ENOTCONN ? "there is no hub" :
					      "the hub takes nothing");
	return 2;
}

/* The argument `arg`, data, and the one behind it, its kind. */
static unsigned
check_data(lua_State *L, int arg, struct hub_part *data)
{
	static const char *const kinds[] = { "text", "binary", NULL };
	unsigned kind;

	data->data = luaL_checklstring(L, arg, &data->len);
	kind = luaL_checkoption(L, arg + 1, "text", kinds) == 0 ? WS_TEXT :
								  WS_BINARY;
	if (data->len > HUB_DATA)
		luaL_argerror(L, arg, "is longer than 16M");
	if (kind == WS_TEXT && !ws_is_utf8(data->data, data->len))
		luaL_argerror(L, arg, "is no UTF-8: send it as \"binary\"");
	return kind;
}

static void
check_channel(lua_State *L, int arg, struct hub_part *name)
{
	name->data = luaL_checklstring(L, arg, &name->len);
	if (name->len == 0 || name->len > HUB_CHANNEL)
		luaL_argerror(L, arg, "a channel has from 1 to 255 bytes");
}

static int
say_part(lua_State *L, uint64_t id, enum hub_type type, unsigned kind,
    unsigned code, const struct hub_part *part)
{
	struct buf *out = actions();
	size_t begun = hub_begin(out, type, kind, code, id);

	hub_part(out, part->data, part->len);
	hub_end(out, begun);
	return act(L, out);
}

/* ---- a socket ---------------------------------------------------------------- */

static uint64_t
check_socket(lua_State *L)
{
	return ((struct handle *)luaL_checkudata(L, 1, TYPE))->id;
}

static int
ws_send(lua_State *L)
{
	uint64_t id = check_socket(L);
	struct hub_part data;
	unsigned kind = check_data(L, 2, &data);

	return say_part(L, id, HUB_SEND, kind, 0, &data);
}

static int
ws_close(lua_State *L)
{
	uint64_t id = check_socket(L);
	lua_Integer code = luaL_optinteger(L, 2, WS_CODE_NORMAL);
	struct hub_part reason;

	reason.data = luaL_optlstring(L, 3, "", &reason.len);
	if (code < 0 || code > 4999 || !ws_code_is_valid((unsigned)code))
		luaL_argerror(L, 2, "is no close code that may be sent");
	if (reason.len > WS_REASON)
		luaL_argerror(L, 3, "is longer than 123 bytes");
	if (!ws_is_utf8(reason.data, reason.len))
		luaL_argerror(L, 3, "is no UTF-8");
	return say_part(L, id, HUB_CLOSE, 0, (unsigned)code, &reason);
}

static int
ws_subscribe(lua_State *L)
{
	uint64_t id = check_socket(L);
	struct handle *h = lua_touserdata(L, 1);
	struct hub_part name;

	check_channel(L, 2, &name);
	if (h->channels >= HUB_CHANNELS)
		luaL_error(L, "a socket listens to at most %d channels",
		    HUB_CHANNELS);
	h->channels++;
	return say_part(L, id, HUB_SUBSCRIBE, 0, 0, &name);
}

static int
ws_unsubscribe(lua_State *L)
{
	uint64_t id = check_socket(L);
	struct handle *h = lua_touserdata(L, 1);
	struct hub_part name;

	check_channel(L, 2, &name);
	if (h->channels > 0)
		h->channels--;
	return say_part(L, id, HUB_UNSUBSCRIBE, 0, 0, &name);
}

/* ---- its fields --------------------------------------------------------------- */

static int
get_protocol(lua_State *L, uint64_t id)
{
	if (opening != NULL && opening->id == id && *opening->protocol != '\0')
		lua_pushstring(L, opening->protocol);
	else
		lua_pushnil(L);
	return 1;
}

static int
ws_index(lua_State *L)
{
	uint64_t id = check_socket(L);
	const char *name = lua_tostring(L, 2);
	char text[HUB_ID + 1];

	if (name == NULL)
		return 0;
	if (strcmp(name, "session") == 0) {
		lua_getiuservalue(L, 1, 1);
	} else if (strcmp(name, "id") == 0) {
		hub_id_text(id, text);
		lua_pushstring(L, text);
	} else if (strcmp(name, "protocol") == 0) {
		get_protocol(L, id);
	} else {
		lua_pushvalue(L, 2);
		lua_rawget(L, lua_upvalueindex(1));
	}
	return 1;
}

static int
set_session(lua_State *L, uint64_t id)
{
	struct hub_part session;

	session.data = luaL_checklstring(L, 3, &session.len);
	if (session.len > HUB_SESSION)
		luaL_error(L, "a session has at most %d bytes, not %d",
		    HUB_SESSION, (int)session.len);
	lua_pushvalue(L, 3);
	lua_setiuservalue(L, 1, 1);
	if (opening == NULL || opening->id != id) {
		say_part(L, id, HUB_SETS, 0, 0, &session);
		return 0;
	}
	memcpy(opening->session, session.data, session.len);
	opening->session_len = session.len;
	return 0;
}

static int
set_protocol(lua_State *L, uint64_t id)
{
	size_t len;
	const char *name = luaL_checklstring(L, 3, &len);

	if (opening == NULL || opening->id != id)
		return luaL_error(L, "protocol is set in open only");
	if (!http_is_token((struct http_span){ name, len }, "") ||
	    len >= sizeof(opening->protocol) ||
	    !http_list_has(opening->offered, name, len))
		return luaL_error(L, "protocol \"%s\" is not offered by the "
		    "client", name);
	memcpy(opening->protocol, name, len + 1);
	return 0;
}

static int
ws_newindex(lua_State *L)
{
	uint64_t id = check_socket(L);
	const char *name = luaL_checkstring(L, 2);

	if (strcmp(name, "session") == 0)
		return set_session(L, id);
	if (strcmp(name, "protocol") == 0)
		return set_protocol(L, id);
	return luaL_error(L, "ws.%s cannot be set: what is to be kept is "
	    "ws.session", name);
}

void
lua_websocket_setup(lua_State *L)
{
	static const luaL_Reg methods[] = { { "send", ws_send },
		{ "close", ws_close }, { "subscribe", ws_subscribe },
		{ "unsubscribe", ws_unsubscribe }, { NULL, NULL } };

	luaL_newmetatable(L, TYPE);
	luaL_newlib(L, methods);
	lua_pushcclosure(L, ws_index, 1);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, ws_newindex);
	lua_setfield(L, -2, "__newindex");
	lua_pushliteral(L, "websocket");
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
}

void
lua_websocket_push(lua_State *L, uint64_t id, const struct hub_part *session,
    unsigned channels, struct lua_opening *being_opened)
{
	struct handle *handle = lua_newuserdatauv(L, sizeof(*handle), 1);

	opening = being_opened;
	handle->id = id;
	handle->channels = channels;
	lua_pushlstring(L, session->data, session->len);
	lua_setiuservalue(L, -2, 1);
	luaL_setmetatable(L, TYPE);
}

void
lua_websocket_opened(void)
{
	opening = NULL;
}

/* ---- from anywhere --------------------------------------------------------------- */

static int
publish(lua_State *L)
{
	struct buf *out = actions();
	struct hub_part name, data;
	unsigned kind;
	size_t begun;

	check_channel(L, 1, &name);
	kind = check_data(L, 2, &data);
	begun = hub_begin(out, HUB_PUBLISH, kind, 0, 0);
	hub_part(out, name.data, name.len);
	hub_part(out, data.data, data.len);
	hub_end(out, begun);
	return act(L, out);
}

static int
send_to(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct hub_part data;
	unsigned kind;
	uint64_t id;

	if (!hub_id_read(text, len, &id))
		return luaL_argerror(L, 1, "is no id of a socket");
	kind = check_data(L, 2, &data);
	return say_part(L, id, HUB_SEND, kind, 0, &data);
}

int
lua_websocket_open(lua_State *L)
{
	static const luaL_Reg functions[] = { { "publish", publish },
		{ "send", send_to }, { NULL, NULL } };

	luaL_newlib(L, functions);
	return 1;
}
