#include "worker/lua/lib/lua_req.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/lua/lua_state.h"

struct handle {
	struct lua_req *req;
	uint64_t serial;
};

static const char keeper; /* of the registry: req */

void
lua_req_keep(struct lua_req *req, lua_State *L)
{
	lua_state_keep(L, &keeper, req);
}

struct lua_req *
lua_req_of(lua_State *L)
{
	return lua_state_kept(L, &keeper);
}

void
lua_req_begin(struct lua_req *req, struct request *request)
{
	req->request = request;
	req->serial++;
	req->env = NULL;
	req->responds = false;
	req->error = 0;
	req->second = false;
	req->at = req->len = 0;
}

void
lua_req_end(struct lua_req *req)
{
	req->request = NULL;
	req->env = NULL;
}

void
lua_req_forget(struct lua_req *req)
{
	req->memo = (struct lua_memo){ 0 };
	req->distinct = 0;
	req->nafter = 0;
	buf_clear(&req->errors);
}

void
lua_req_free(struct lua_req *req)
{
	buf_free(&req->errors);
	free(req->data);
	req->data = NULL;
}

/* ---- a request that is over ---------------------------------------------- */

static ssize_t
read_nothing(struct request *request, void *data, size_t n)
{
	(void)request;
	(void)data;
	(void)n;
	errno = ECONNRESET;
	return -1;
}

static bool
was_aborted(struct request *request)
{
	return request->aborted;
}

static struct param
text_param(const char *name, const char *text)
{
	return (struct param){ .name = name, .value = text,
		.name_len = strlen(name), .value_len = strlen(text) };
}

void
lua_req_outlive(struct lua_req *req, bool aborted)
{
	static const struct request_ops ops = { .read = read_nothing,
		.gone = was_aborted };
	struct lua_req_rest *rest = &req->rest;
	const struct request *over = req->request;

	request_method(over, rest->method_text);
	request_uri(over, rest->uri_text);
	rest->param[0] = text_param("REQUEST_METHOD", rest->method_text);
	rest->param[1] = text_param("REQUEST_URI", rest->uri_text);
	rest->request = (struct request){ .ops = &ops, .aborted = aborted,
		.length = -1, .sent = true, .params = rest->param,
		.nparams = 2 };
	memcpy(rest->request.id, over->id, sizeof(over->id));
	req->at = req->len = 0;
	req->request = &rest->request;
}

/* ---- handles ------------------------------------------------------------- */

void
lua_req_make_type(lua_State *L, const char *type, const luaL_Reg *methods)
{
	luaL_newmetatable(L, type);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
}

void
lua_req_push_handle(struct lua_req *req, lua_State *L, const char *type)
{
	struct handle *h = lua_newuserdatauv(L, sizeof(*h), 0);

	h->req = req;
	h->serial = req->serial;
	luaL_setmetatable(L, type);
}

bool
lua_req_is_current(const struct lua_req *req, const void *handle)
{
	const struct handle *h = handle;

	return h != NULL && req->request != NULL && h->serial == req->serial;
}

struct lua_req *
lua_req_check(lua_State *L, int arg, const char *type)
{
	struct handle *h = luaL_checkudata(L, arg, type);

	if (!lua_req_is_current(h->req, h))
		luaL_error(L, "the request is over");
	return h->req;
}

struct lua_req *
lua_req_check_env(lua_State *L, int arg)
{
	struct lua_req *req = lua_req_of(L);

	luaL_checktype(L, arg, LUA_TTABLE);
	luaL_argcheck(L, req->env != NULL && req->env == lua_topointer(L, arg),
	    arg, "the env of the present request expected");
	return req;
}

/* ---- log lines ----------------------------------------------------------- */

void
lua_req_log(struct lua_req *req, enum log_level level, const char *text,
    size_t len)
{
	struct request *request = req->request;
	char method[REQUEST_METHOD], uri[REQUEST_URI];

	request_method(request, method);
	request_uri(request, uri);
	log_about(level, method, uri, text, len);
	if (!req->errors_to_server || level < LEVEL_ERROR ||
	    request->ops->complain == NULL)
		return;
	request->ops->complain(request, text, len);
	request->ops->complain(request, "\n", 1);
}
