#include "worker/lua/lib/lua_reply.h"

#include <lauxlib.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/num.h"
#include "worker/lua/lib/lua_head.h"
#include "worker/lua/lua_check.h"
#include "worker/lua/lua_state.h"

#define UNKNOWN	   (-1) /* the length of a body that a function makes */
#define LIST_BATCH 32	/* strings of an array that are sent at once */

/* ---- sending ------------------------------------------------------------- */

static enum lua_reply_end
send_head(struct lua_reply *reply, struct request *request, int64_t body_len,
    struct why *why)
{
	const struct response *r = &reply->response;

	reply->left = r->length;
	if (request->ops->head(request, r, body_len) == 0)
		return LUA_REPLY_DONE;
	if (request->sent)
		return LUA_REPLY_GONE;
	request_explain_head(request, r, errno, why);
	return LUA_REPLY_BAD;
}

static enum lua_reply_end
cut(struct lua_reply *reply, struct why *why)
{
	why_set(why, "the body is longer than its Content-Length %" PRId64
	    ", the rest is cut off", reply->response.length);
	return LUA_REPLY_CUT;
}

/* Point *piece to the text at index, in Lua's memory, as far as Content-Length
 * lets it be sent.  False if it had to be cut. */
static bool
take_text(struct lua_reply *reply, lua_State *L, int index,
    struct iovec *piece)
{
	size_t len;
	const char *text = lua_tolstring(L, index, &len);
	bool whole = reply->left == -1 || len <= (uint64_t)reply->left;

	if (!whole)
		len = (size_t)reply->left;
	if (reply->left != -1)
		reply->left -= (int64_t)len;
	*piece = (struct iovec){ (void *)text, len };
	return whole;
}

/* The last text of a body has been taken, whole or cut.  True if the response
 * can end with it. */
static bool
is_complete(const struct lua_reply *reply, bool whole)
{
	return whole && reply->left <= 0 && !reply->may_complain;
}

/* Sent from Lua's memory without a copy: a body may be as large as memory. */
static enum lua_reply_end
send_text(struct lua_reply *reply, lua_State *L, int index, bool last,
    struct request *request, struct why *why)
{
	struct iovec piece;
	bool whole = take_text(reply, L, index, &piece);

	request->last = last && is_complete(reply, whole);
	if (piece.iov_len > 0 && request->ops->write(request, &piece, 1) == -1)
		return LUA_REPLY_GONE;
	return whole ? LUA_REPLY_DONE : cut(reply, why);
}

/* The whole body has been sent: check that it is as long as its
 * Content-Length. */
static enum lua_reply_end
end_body(const struct lua_reply *reply, struct why *why)
{
	if (reply->left <= 0)
		return LUA_REPLY_DONE;
	why_set(why, "the body is %" PRId64 " bytes shorter than its "
	    "Content-Length %" PRId64, reply->left, reply->response.length);
	return LUA_REPLY_BAD;
}

/* Send strings of an array, from *at on.  They stay on the stack meanwhile, so
 * that Lua keeps their memory. */
static enum lua_reply_end
send_batch(struct lua_reply *reply, lua_State *L, int body, lua_Integer *at,
    lua_Integer n, struct request *request, struct why *why)
{
	struct iovec piece[LIST_BATCH];
	int top = lua_gettop(L), pieces = 0;
	bool whole = true;

	while (*at <= n && pieces < LIST_BATCH && whole) {
		lua_rawgeti(L, body, (*at)++);
		whole = take_text(reply, L, -1, &piece[pieces]);
		if (piece[pieces].iov_len > 0)
			pieces++;
		else
			lua_pop(L, 1);
	}
	request->last = *at > n && is_complete(reply, whole);
	if (pieces > 0 &&
	    request->ops->write(request, piece, pieces) == -1)
		return LUA_REPLY_GONE;
	lua_settop(L, top);
	return whole ? LUA_REPLY_DONE : cut(reply, why);
}

static enum lua_reply_end
send_list(struct lua_reply *reply, lua_State *L, int body,
    struct request *request, struct why *why)
{
	lua_Integer at = 1, n = (lua_Integer)lua_rawlen(L, body);
	enum lua_reply_end end = LUA_REPLY_DONE;

	luaL_checkstack(L, LIST_BATCH, NULL);
	while (at <= n && end == LUA_REPLY_DONE)
		end = send_batch(reply, L, body, &at, n, request, why);
	return end;
}

/* Call the body function.  1: a text is at the top; 0: it ended; -1: why. */
static int
next_piece(lua_State *L, int body, struct why *why)
{
	lua_settop(L, body);
	lua_pushvalue(L, body);
	lua_call(L, 0, 1);
	if (lua_isnil(L, -1))
		return 0;
	if (lua_check_text(L, -1))
		return 1;
	return lua_check_failed(L, -1, "what the body function returned",
	    "a string or nil", why);
}

static enum lua_reply_end
send_piece(struct lua_reply *reply, lua_State *L, struct request *request,
    struct why *why)
{
	enum lua_reply_end end = send_text(reply, L, -1, false, request, why);

	if (end == LUA_REPLY_DONE && request->ops->flush(request) == -1)
		return LUA_REPLY_GONE;
	return end;
}

/* The head waits for the first piece: until then an error is still a 500. */
static enum lua_reply_end
send_pieces(struct lua_reply *reply, lua_State *L, int body,
    struct request *request, struct why *why)
{
	enum lua_reply_end end;
	int more = next_piece(L, body, why);

	if (more == -1)
		return LUA_REPLY_BAD;
	end = send_head(reply, request, more ? UNKNOWN : 0, why);
	while (end == LUA_REPLY_DONE && more == 1) {
		end = send_piece(reply, L, request, why);
		if (end == LUA_REPLY_DONE)
			more = next_piece(L, body, why);
	}
	return more == -1 ? LUA_REPLY_BAD : end;
}

/* ---- the whole ----------------------------------------------------------- */

enum body_kind { BODY_BAD = -1, BODY_NONE, BODY_TEXT, BODY_LIST, BODY_CALL };

static enum body_kind
check_body(lua_State *L, int body, int64_t *body_len, struct why *why)
{
	size_t len = 0;

	*body_len = 0;
	if (lua_isnil(L, body))
		return BODY_NONE;
	if (lua_check_text(L, body)) {
		lua_tolstring(L, body, &len);
		*body_len = (int64_t)len;
		return BODY_TEXT;
	}
	if (lua_state_callable(L, body)) {
		*body_len = UNKNOWN;
		return BODY_CALL;
	}
	if (!lua_istable(L, body)) {
		lua_check_failed(L, body, "body",
		    "a string, an array of strings or a function", why);
		return BODY_BAD;
	}
	*body_len = lua_check_list(L, body, "body", why);
	return *body_len == -1 ? BODY_BAD : BODY_LIST;
}

static int
read_head(lua_State *L, int headers, struct response *r, struct why *why)
{
	char type[LUA_CHECK_TYPE];

	if (lua_istable(L, headers))
		return lua_head_read(L, headers, r, why);
	why_set(why, "accept returned %s as its first value, expected a table "
	    "of headers", lua_check_type(L, headers, type));
	return -1;
}

static enum lua_reply_end
send_body(struct lua_reply *reply, lua_State *L, int body, enum body_kind kind,
    int64_t body_len, struct request *request, struct why *why)
{
	enum lua_reply_end end;

	if (kind == BODY_CALL) {
		end = send_pieces(reply, L, body, request, why);
	} else {
		end = send_head(reply, request, body_len, why);
		if (end == LUA_REPLY_DONE && kind == BODY_TEXT)
			end = send_text(reply, L, body, true, request, why);
		else if (end == LUA_REPLY_DONE && kind == BODY_LIST)
			end = send_list(reply, L, body, request, why);
	}
	return end == LUA_REPLY_DONE ? end_body(reply, why) : end;
}

enum lua_reply_end
lua_reply_send(struct lua_reply *reply, lua_State *L, int status,
    struct request *request, struct why *why)
{
	int body = lua_gettop(L), headers = body - 1;
	struct response *r = &reply->response;
	enum body_kind kind;
	int64_t body_len;

	request->head_most = reply->head_most;
	response_init(r);
	r->status = status;
	if (read_head(L, headers, r, why) == -1)
		return LUA_REPLY_BAD;
	kind = check_body(L, body, &body_len, why);
	if (kind == BODY_BAD)
		return LUA_REPLY_BAD;
	/* A response to HEAD without a body does not tell the length of the
	 * body for GET. */
	if (request->head_only && kind == BODY_NONE)
		body_len = UNKNOWN;
	if (request->head_only || !response_has_body(r))
		return send_head(reply, request, body_len, why);
	return send_body(reply, L, body, kind, body_len, request, why);
}

/* ---- piece by piece ------------------------------------------------------ */

int
lua_reply_open(struct lua_reply *reply, lua_State *L, int status, int headers,
    struct request *request, struct why *why)
{
	struct response *r = &reply->response;

	request->head_most = reply->head_most;
	response_init(r);
	if (!lua_isnil(L, status) &&
	    lua_head_status(L, status, r, why) == -1)
		return -1;
	if (!lua_isnil(L, headers) && lua_head_read(L, headers, r, why) == -1)
		return -1;
	reply->open = true;
	reply->ended = LUA_REPLY_DONE;
	return 0;
}

static bool
takes_body(const struct lua_reply *reply, const struct request *request)
{
	return !request->head_only && response_has_body(&reply->response);
}

/* Send the head if it has not been sent. */
static enum lua_reply_end
begin_pieces(struct lua_reply *reply, struct request *request,
    int64_t body_len, struct why *why)
{
	if (reply->ended == LUA_REPLY_DONE && !request->sent)
		reply->ended = send_head(reply, request, body_len, why);
	return reply->ended;
}

enum lua_reply_end
lua_reply_piece(struct lua_reply *reply, lua_State *L, int index,
    struct request *request, struct why *why)
{
	if (begin_pieces(reply, request, UNKNOWN, why) == LUA_REPLY_DONE &&
	    takes_body(reply, request))
		reply->ended = send_text(reply, L, index, false, request, why);
	return reply->ended;
}

enum lua_reply_end
lua_reply_flush(struct lua_reply *reply, struct request *request,
    struct why *why)
{
	if (begin_pieces(reply, request, UNKNOWN, why) == LUA_REPLY_DONE &&
	    request->ops->flush(request) == -1)
		reply->ended = LUA_REPLY_GONE;
	return reply->ended;
}

enum lua_reply_end
lua_reply_close(struct lua_reply *reply, struct request *request,
    struct why *why)
{
	int64_t body_len = request->head_only ? UNKNOWN : 0;

	reply->open = false;
	if (begin_pieces(reply, request, body_len, why) == LUA_REPLY_DONE &&
	    takes_body(reply, request))
		reply->ended = end_body(reply, why);
	return reply->ended;
}

/* ---- a response of our own ----------------------------------------------- */

enum lua_reply_end
lua_reply_error(struct lua_reply *reply, struct request *request, int status)
{
	struct response *r = &reply->response;
	const char *reason = response_reason(status);
	enum lua_reply_end end;
	struct why why;
	char text[64];
	int len;

	request->head_most = 0;
	len = snprintf(text, sizeof(text), "%s\n", reason);
	response_init(r);
	r->status = status;
	response_header(r, "Content-Type", 12, "text/plain", 10, &why);
	end = send_head(reply, request, len, &why);
	if (end == LUA_REPLY_DONE && !request->head_only &&
	    request_write(request, text, (size_t)len) == -1)
		return LUA_REPLY_GONE;
	return end;
}

void
lua_reply_free(struct lua_reply *reply)
{
	response_free(&reply->response);
}
