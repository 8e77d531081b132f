-- For fpm.test: env:respond and env:after, as the daemon has them
-- (src/worker/lua/lib/lua_respond.c and lua_after.c).

local hand_reply = require "fpm.hand_reply"

local hand_respond = {}

local TOO_LONG = "the body is longer than its Content-Length"
local Response = {}
Response.__index = Response

local function check_open(response, name)
  if getmetatable(response) ~= Response then
    error(("bad argument #1 to '%s' (lua-fpm.response expected, got %s)"):format(
      name, response == nil and "no value" or type(response)), 3)
  elseif response.request.over then
    error("the request is over", 3)
  elseif not response.reply.open then
    error("the response is closed", 3)
  end
end

-- Call a function of hand_reply; what makes the response malformed is an error
-- at that level.
local function try(level, call, ...)
  local good, result = pcall(call, ...)
  if not good then
    error(hand_reply.malformed(result) or result, level)
  end
  return result
end

function Response:write(...)
  check_open(self, "write")
  for i = 1, select("#", ...) do
    local text = select(i, ...)
    if type(text) ~= "string" and type(text) ~= "number" then
      error(("bad argument #%d to 'write' (string expected, got %s)"):format(i,
        type(text)), 2)
    end
  end
  if self.reply.gone then
    return nil, "the client takes no more"
  end
  for i = 1, select("#", ...) do
    local text = tostring((select(i, ...)))
    if text ~= "" and not try(3, hand_reply.piece, self.reply, text) then
      return nil, TOO_LONG
    end
  end
  return self
end

local function finish(response, call)
  local reply = response.reply
  if reply.gone then
    return nil, "the client takes no more"
  end
  try(4, call, reply)
  if reply.warning then
    return nil, TOO_LONG
  end
  return response
end

function Response:flush()
  check_open(self, "flush")
  local result, message = finish(self, hand_reply.begin)
  return result, message
end

function Response:close()
  check_open(self, "close")
  local result, message = finish(self, hand_reply.close)
  return result, message
end

-- The methods of an env, for request.methods of fpm.hand_request.
---@param request table
---@param reply table
---@param head_only boolean
---@return table
function hand_respond.methods(request, reply, head_only)
  local methods = {}

  local function check(env, name)
    if type(env) ~= "table" then
      error(("bad argument #1 to '%s' (table expected, got %s)"):format(name,
        env == nil and "no value" or type(env)), 3)
    elseif request.over or env ~= request.env then
      error(("calling '%s' on bad self (the env of the present request "
        .. "expected)"):format(name), 3)
    end
  end

  function methods.respond(env, status, headers)
    check(env, "respond")
    if request.responds then
      error("respond has been called before", 2)
    elseif headers ~= nil and type(headers) ~= "table" then
      error(("bad argument #2 to 'respond' (table expected, got %s)"):format(
        type(headers)), 2)
    end
    local open = request.outlived and { gone = true } or reply
    try(3, hand_reply.open, open, status, headers, head_only)
    request.responds = true
    return setmetatable({ request = request, reply = open }, Response)
  end

  function methods.after(env, call)
    check(env, "after")
    if type(call) ~= "function" then
      error(("bad argument #1 to 'after' (function expected, got %s)"):format(
        call == nil and "no value" or type(call)), 2)
    end
    table.insert(request.after, call)
  end

  return methods
end

return hand_respond
