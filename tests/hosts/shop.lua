-- Sessions in Redis, a counter in PostgreSQL; nothing of it in the worker.
local redis = require "redis"
local postgres = require "luasql.postgres"
local sleep = require "socket".sleep

local app = {}
local DIR, GATE, VERSION = "@DIR@", "@GATE@", "@VERSION@"
local NAME = os.getenv "NAME"
local database = postgres.postgres()
local client, connection

local function with_redis(f)
  client = client or redis.connect(os.getenv "REDIS")
  local ok, result = pcall(f, client)
  if not ok then
    client = nil
    error(result, 0)
  end
  return result
end

-- One statement, so that no host can be cut off within a transaction.
local COUNT = "update counter set n = n + 1 where name = 'plain'"
local COUNT_ONCE = [[with new as (insert into done values ('%s')
  on conflict do nothing returning 1)
  update counter set n = n + (select count(*) from new) where name = 'keyed']]

local function count(key)
  local problem
  if not connection then
    connection, problem = database:connect(os.getenv "DATABASE")
    assert(connection, problem)
  end
  local ok
  ok, problem = connection:execute(key and
    COUNT_ONCE:format(connection:escape(key)) or COUNT)
  if not ok then
    connection = nil
    error(problem)
  end
end

local function is_slow()
  local f = io.open(DIR .. "/slow")
  return f and f:close()
end

local function hold()
  local f <close> = assert(io.open(GATE .. "/gate.in", "w"))
  f:write(NAME)
  f:close()
  io.open(GATE .. "/gate"):read "a"
end

function app.accept(env)
  local head = { ["Content-Type"] = "text/plain", ["X-Host"] = NAME,
    ["X-Version"] = VERSION }
  if is_slow() then
    sleep(0.2)
  end
  local path = env.SCRIPT_NAME
  if path == "/count" and env.REQUEST_METHOD == "POST" then
    count(env.HTTP_IDEMPOTENCY_KEY)
    return head, "counted"
  elseif path == "/login" and env.REQUEST_METHOD == "POST" then
    local who = env.input:read "a"
    with_redis(function(r) r:set("session:" .. who, "name of " .. who) end)
    head["Set-Cookie"] = "session=" .. who
    return head, "welcome"
  elseif path == "/hold" then
    hold()
  end
  return head, with_redis(function(r)
    return r:get("session:" .. env.cookies.session)
  end)
end

return app
