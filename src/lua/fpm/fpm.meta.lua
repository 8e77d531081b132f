---@meta fpm

-- For the Lua language server: what an application is, and what it gets from
-- lua-fpm itself.  What is written in Lua has its annotations where it stands.
-- Never run.  See lua-fpm-app(7).

-- What a file returns to lua-fpm.
--
--     ---@type fpm.app
--     local app = {}
---@class fpm.app
---@field accept fun(env: fpm.env): fpm.headers, fpm.body?  serves a request
---@field setup? fun(): integer? once for each generation, before its workers
---@field start? fun(): integer? once in each worker, before its first request
---@field interval? fun(name: string) for each timer that is due, in a process of its own
---@field restart? fun() on SIGHUP
---@field stop? fun(): integer? before the worker leaves; not 0: it stays
---@field error? fun(env: fpm.env, message: string, traceback: string?): fpm.headers, fpm.body?
---answers a request that has failed
---@field websocket? fpm.app.websocket
---@field roles? fpm.role[] that it serves; default { "responder" }

---@class fpm.app.websocket
---@field open? fun(ws: fpm.websocket, env: fpm.env): boolean|integer|nil
---@field message? fun(ws: fpm.websocket, data: string, kind: fpm.kind)
---@field close? fun(ws: fpm.websocket, code: integer, reason: string)

---@alias fpm.role "responder"|"authorizer"|"filter"

---@alias fpm.status integer|string|{ [1]: integer, [2]: string? }

---@alias fpm.value string|number|(string|number)[]

-- A name without case; Status is the status.
---@class fpm.headers
---@field Status? fpm.status
---@field [string] fpm.value

---@alias fpm.body string|number|(string|number)[]|fun(): string|number|nil

-- A request.  The parameters of the web server are strings under their own
-- names, which are in upper case; no other is in pairs().
---@class fpm.env
---@field input fpm.input the body
---@field data? fpm.input of a filter: the second body
---@field errors fpm.errors the pool's error log
---@field aborted boolean the client has left
---@field id string of the request, as in the logs
---@field role fpm.role
---@field headers table<string, string> by name, in any case, with "-" or "_"
---@field cookies table<string, string> of a name the first
---@field query table<string, string> of a name the last, see fpm.form.all
---@field [string] string?
local env = {}

-- Fields and files of the body: fpm.form.read.
---@param options? table
---@return table? fields
---@return table|integer files or the status for the answer
---@return string? message
function env:form(options) end

-- Answer piece by piece; what accept returns is then ignored.  Raises if status
-- or headers are malformed, or if it has been called before.
---@param status? fpm.status default 200
---@param headers? fpm.headers
---@return fpm.response
function env:respond(status, headers) end

-- Call a function when the response has been sent and the connection is free;
-- several are called in this order.
---@param call fun()
function env:after(call) end

-- Raises if the client does not send the body, or has left.
---@class fpm.input
local input = {}

-- As file:read: bytes (a number), "l", "L" or "a"; nil at the end.
---@param ... integer|"l"|"L"|"a"
---@return string? ...
function input:read(...) end

-- As file:lines, with the same formats.
---@param ... integer|"l"|"L"|"a"
---@return fun(): string?, ...
function input:lines(...) end

---@class fpm.errors
local errors = {}

-- Each line is one of the log.
---@param ... string|number
---@return fpm.errors
function errors:write(...) end

---@class fpm.response
local response = {}

-- Send texts; the head goes with the first.
---@param ... string|number
---@return fpm.response? response
---@return string? message the client has left, or Content-Length is exceeded
function response:write(...) end

-- Send what is buffered, the head included.
---@return fpm.response? response
---@return string? message
function response:flush() end

-- Complete it, as the end of the request does.
---@return fpm.response? response
---@return string? message
function response:close() end

-- A WebSocket: lua-fpm-websocket(7).
---@class fpm.websocket
---@field id string
---@field session string at most 4096 bytes, kept with the socket
---@field protocol? string in open: one that the client offers
local websocket = {}

-- Send a message.
---@param data string
---@param kind? fpm.kind default "text"
---@return true? sent
---@return string? why
function websocket:send(data, kind) end

-- Begin to close it.
---@param code? integer default 1000
---@param reason? string
---@return true? sent
---@return string? why
function websocket:close(code, reason) end

-- Get what is published to a channel, or no longer.
---@param channel string
---@return true? sent
---@return string? why
function websocket:subscribe(channel) end

---@param channel string
---@return true? sent
---@return string? why
function websocket:unsubscribe(channel) end

-- The library: each field is the module of that name, loaded when it is first
-- used.
---@class fpm
---@field client fpm.client
---@field cookie fpm.cookie
---@field files fpm.files
---@field form fpm.form
---@field functions fpm.functions
---@field html fpm.html
---@field http fpm.http
---@field lapis fpm.lapis
---@field log fpm.log
---@field lua51 fpm.lua51
---@field moonbridge fpm.moonbridge
---@field publish fun(channel: string, data: string, kind: fpm.kind?): true?, string?
---@field send fun(id: string, data: string, kind: fpm.kind?): true?, string?
---@field shared fpm.shared
---@field test fpm.test
---@field timeout fun(seconds: number?, f: function?, ...: any): any ...
---@field url fpm.url
---@field watch fun(path: string): string?, string?
---@field worker fpm.worker
---@field wsapi fpm.wsapi
local fpm = {}

return fpm
