-- What tests/full/soak.py asks for an hour: /KIND/NUMBER, and WebSockets.
local fpm = require "fpm"
local postgres = require "luasql.postgres"

local app = { websocket = {} }
local environment, connection = postgres.postgres(), nil
local shared = fpm.shared.counts

local function connect()
  local problem
  connection, problem = environment:connect(os.getenv "DATABASE")
  return connection, problem
end

-- A statement that may be done twice, on a fresh connection if the one at hand
-- has ended.
local function execute(statement)
  local result, problem
  for _ = 1, 2 do
    if connection or connect() then
      result, problem = connection:execute(statement)
      if result then
        return result
      end
      connection:close()
      connection = nil
    end
  end
  return nil, problem
end

local function text(status, body)
  return { Status = status, ["Content-Type"] = "text/plain" }, body
end

local kinds = {}

function kinds.hello(n)
  return text(200, "hello " .. n)
end

function kinds.count(n)
  return text(200, "count " .. n .. " " .. assert(shared:incr("count", 1, 0)))
end

function kinds.row(n)
  local done, problem = execute(
    "insert into row values (" .. n .. ") on conflict do nothing")
  if not done then
    return text(503, "row: " .. tostring(problem))
  end
  return text(200, "row " .. n)
end

function kinds.upload(n, env)
  local fields, files, message = env:form { max_file = "2M" }
  if not fields then
    return text(files, message)
  end
  local path = ("%s/%s"):format(os.getenv "UPLOADS", n)
  local done, problem = files.file:move(path)
  if not done then
    return text(507, problem)
  end
  return text(200, ("upload %s %s %d"):format(n, fields.title, files.file.size))
end

function kinds.stream(n)
  local i = 0
  return { ["Content-Type"] = "text/plain" }, function()
    i = i + 1
    return i <= 20 and ("stream %s %d\n"):format(n, i) or nil
  end
end

function kinds.big(n)
  return text(200, ("big %s "):format(n) .. ("x"):rep(300000))
end

function kinds.slow(n)
  local rows, problem = execute "select pg_sleep(0.1)"
  if not rows then
    return text(503, "slow: " .. tostring(problem))
  end
  rows:close()
  return text(200, "slow " .. n)
end

function kinds.error(n)
  error("on purpose " .. n)
end

function kinds.loop()
  while true do end
end

function kinds.publish(n)
  local sent, problem = fpm.publish("all", "all " .. n)
  return text(sent and 200 or 503, sent and "publish " .. n or problem)
end

function app.accept(env)
  local kind, n = env.REQUEST_URI:match "^/(%a+)/(%d+)$"
  if not kinds[kind] then
    return text(404, "no such page")
  end
  return kinds[kind](n, env)
end

function app.interval()
  shared:incr("ticks", 1, 0)
  execute "insert into tick default values"
end

function app.restart() end

function app.websocket.open(ws)
  ws:subscribe "all"
end

function app.websocket.message(ws, data, kind)
  ws:send(data, kind)
end

return app
