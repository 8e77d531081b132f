-- The HTTP module of Moonbridge 1.0 and 1.1 as an interface of lua-fpm: a file
-- that calls listen{...} with handlers of http.generate_handler runs unchanged.
--
--   interface = "moonbridge"; app = "/srv/site/site.lua";  -- in lua-fpm.conf
--
-- See fpm.moonbridge(3lua).

local check = require "fpm.check"
local http = require "fpm.moonbridge_http"
local log = require "fpm.log"
local pool = require "fpm.moonbridge_pool"
local timeout = require "fpm.timeout"
local worker = require "fpm.worker"

local found, core = pcall(require, "fpm.core.try")
local try = found and core.try or pcall

---@class fpm.moonbridge.options
---@field mount? string the path of a URL below which the application is; default
---"/"
---@field pool? table what is configured, as the daemon has it

---@class fpm.moonbridge
---@overload fun(listen: table, options?: fpm.moonbridge.options): table
local moonbridge = { http = http }

-- ---- time ----------------------------------------------------------------------

local own -- the limit that the application has set holds in this entry

-- f(...) within so many seconds, and then the limit that held before again.
-- Beyond them all of the request is over, not only f.
local function within(seconds, before, f, ...)
  timeout(seconds)
  local results = table.pack(try(f, ...))
  local spent = seconds - (timeout() or 0)
  timeout(own and before and math.max(before - spent, 0.001) or 0)
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

-- Moonbridge's timeout: without an argument the seconds that are left, 0 without
-- a limit.  With one, a limit for what runs now, and 0 takes it away.  With a
-- function, a limit while that runs; the shorter one wins.
---@param seconds? number
---@param f? fun(...): ...
---@param ... any
---@return any ...
function moonbridge.timeout(seconds, f, ...)
  if seconds == nil and f == nil then
    return timeout() or 0
  end
  check.is("timeout", "seconds", seconds, "number")
  if not (seconds >= 0 and seconds <= 1e9) then
    check.fail("timeout", 0, "seconds is %s, expected 0 to 1e9", seconds)
  end
  local left = timeout()
  if f == nil then
    own = seconds > 0
    timeout(seconds)
    return left or 0
  end
  check.is("timeout", "f", f, "function")
  if seconds == 0 or left and left <= seconds then
    return f(...)
  end
  return within(seconds, left, f, ...)
end

-- ---- listen --------------------------------------------------------------------

local SOCKETS = { tcp = true, tcp4 = true, tcp6 = true, ["local"] = true }

local function check_interval(interval, where, number)
  if type(interval.delay) ~= "number" or interval.delay <= 0 then
    check.fail("listen", 2, "the delay of %s is %s, expected a number of " ..
      "seconds", where, type(interval.delay) == "number" and interval.delay
      or check.type(interval.delay))
  end
  if interval.name ~= nil then
    check.is("listen", "the name of " .. where, interval.name, "string", 2)
  end
  local name = interval.name or "interval" .. number
  return { name = name, timer = pool.timer_name(name),
    delay = interval.delay }
end

-- Add one listen{...} to what has been found.
local function add(all, listen)
  check.is("listen", "its argument", listen, "table", 1)
  check.is("listen", "connect", listen.connect, "function", 1)
  for _, name in ipairs { "prepare", "finish" } do
    if listen[name] ~= nil then
      check.is("listen", name, listen[name], "function", 1)
    end
  end
  if #listen == 0 then
    check.fail("listen", 1, "there is no listener in it")
  end
  for i, one in ipairs(listen) do
    local where = "listener " .. i
    check.is("listen", where, one, "table", 1)
    if one.proto == "interval" then
      local interval = check_interval(one, where, #all.intervals + 1)
      interval.connect = listen.connect
      if all.intervals[interval.timer] then
        check.fail("listen", 1, "there are two intervals %q", interval.timer)
      end
      table.insert(all.intervals, interval)
      all.intervals[interval.timer] = interval
    elseif one.proto == "main" then
      table.insert(all.mains, one.name or where)
    elseif not SOCKETS[one.proto] then
      check.fail("listen", 1, "the proto of %s is %s, expected \"tcp\", " ..
        "\"local\" or \"interval\"", where, type(one.proto) == "string" and
        ("%q"):format(one.proto) or check.type(one.proto))
    elseif all.web and all.web ~= listen then
      check.fail("listen", 1, "it has been called before for other sockets: " ..
        "make these an application and a pool of their own")
    else
      all.web = listen
    end
  end
  table.insert(all, listen)
end

-- ---- the application -----------------------------------------------------------

-- What connect gets: where a program of Moonbridge reads from the connection
-- itself, there is none.
local RAW = {}
for _, name in ipairs { "read", "read_nb", "read_call", "read_yield", "drain",
  "drain_nb", "drain_call", "drain_yield", "write", "write_nb", "write_call",
  "write_yield", "flush", "flush_nb", "flush_call", "flush_yield", "xread",
  "xread_nb", "cancel", "reset", "close", "finish", "input", "output" } do
  RAW[name] = true
end

local PORTS = { remote_tcpport = "REMOTE_PORT", local_tcpport = "SERVER_PORT" }

local Socket = {
  __index = function(socket, name)
    if PORTS[name] and socket.env then
      return math.tointeger(tonumber(rawget(socket.env, PORTS[name])))
    elseif RAW[name] then
      error(("socket.%s: a pool of lua-fpm has requests, not connections; "
        .. "connect has to be what http.generate_handler returns"):format(name),
        2)
    end
  end,
}

-- `head`: bytes beyond which the daemon itself takes no head of a request.
local function make_accept(listen, mount, head)
  if not listen then
    return function()
      return { Status = 404 }, nil -- nothing but intervals
    end
  end
  local connect = listen.connect
  return function(env)
    local socket = setmetatable({ env = env, mount = mount, head = head,
      timeout = moonbridge.timeout, answered = false }, Socket)
    own = false
    local survives = connect(socket)
    if not socket.answered then
      error("connect has returned without a response: it has to be what " ..
        "http.generate_handler returns, or to call it", 0)
    end
    if not survives then
      worker.retire()
    end
    return socket.headers, socket.content
  end
end

local function make_interval(intervals)
  return function(timer)
    local interval = intervals[timer]
    if not interval then
      error(("listen{} has no interval %q"):format(timer), 0)
    end
    own = false
    if not interval.connect(setmetatable({ interval = interval.name },
        Socket)) then
      worker.retire()
    end
  end
end

-- Call a hook of each listen{} that has it, the same function once.
local function make_hook(all, name)
  local calls, seen = {}, {}
  for _, listen in ipairs(all) do
    local call = listen[name]
    if call and not seen[call] then
      seen[call] = true
      calls[#calls + 1] = call
    end
  end
  return #calls > 0 and function()
    own = false
    for _, call in ipairs(calls) do
      call()
    end
  end or nil
end

local function tell(lines)
  for _, line in ipairs(lines) do
    log.notice("moonbridge: ", line)
  end
end

local function make(all, options)
  local mount = (options.mount or "/"):gsub("/+$", "")
  local app = { accept = make_accept(all.web, (mount:gsub("^/", "")),
    options.pool and options.pool.head or math.huge),
    start = make_hook(all, "prepare"), stop = make_hook(all, "finish") }
  if #all.intervals > 0 then
    app.interval = make_interval(all.intervals)
  end
  local lines = pool.compare(all, options.pool)
  if #lines > 0 and worker.generation then
    app.setup = function() -- once for all workers
      tell(lines)
    end
  elseif #lines > 0 then
    tell(lines)
  end
  return app
end

local function check_options(options)
  options = check.options("fpm.moonbridge", options, { mount = true,
    pool = true }, 1)
  if options.mount ~= nil then
    check.is("fpm.moonbridge", "options.mount", options.mount, "string", 1)
  end
  if options.pool ~= nil then
    check.is("fpm.moonbridge", "options.pool", options.pool, "table", 1)
  end
  return options
end

local function new_all()
  return { intervals = {}, mains = {} }
end

local function adapt(listen, options)
  options = check_options(options)
  if type(listen) ~= "table" then
    check.fail("fpm.moonbridge", 0, "listen is %s, expected a table",
      check.type(listen))
  end
  local all = new_all()
  add(all, listen)
  return make(all, options)
end

-- ---- files ---------------------------------------------------------------------

--- Load a file as Moonbridge does: it calls listen{...}.  listen, timeout and
--- http are global variables then, and http is require "moonbridge_http" too.
---@param file string
---@param options? fpm.moonbridge.options
---@return table application of lua-fpm
function moonbridge.load(file, options)
  options = check_options(options)
  local chunk, why = loadfile(file)
  if not chunk then
    error(why, 0)
  end
  local all, loading = new_all(), true
  _G.http, _G.timeout = http, moonbridge.timeout
  _G.listen = function(listen)
    if not loading then
      error("listen: the application has been loaded", 2)
    end
    add(all, listen)
  end
  if package then
    package.loaded.moonbridge_http = http
  end
  local value = chunk()
  loading = false
  if #all == 0 then
    error(("%s has not called listen{...}%s"):format(file,
      type(value) == "table" and value.accept ~= nil and
      ', but returned a table with accept, which interface = "native" takes' or
      ""), 0)
  end
  return make(all, options)
end

return setmetatable(moonbridge, {
  __call = function(_, listen, options)
    return adapt(listen, options)
  end,
})
