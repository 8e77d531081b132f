-- A site in the style of Moonbridge's applications, for tests/web/moonbridge.py.
local documents = { ["page.html"] = "<h1>A page</h1>\n" }
local bytes = 16 * 1024 * 1024 * 1024
local answers, kept, runs = {}, {}, 0

local function send(request, status, ...)
  request:send_status(status)
  request:send_header("Content-Type", "text/plain; charset=UTF-8")
  request:send_data(...)
end

local function spin()
  while true do end
end

answers["GET "] = function(request)
  request:send_status("303 See Other")
  request:send_header("Location", "http://" .. request.headers_value.host ..
    "/page.html")
end

answers["POST upload"] = function(request)
  local files, file = {}, nil
  request:stream_post_param("files", function(piece, _, about)
    if about then
      file = { name = about.file_name, type = about.content_type, length = 0,
        calls = 0 }
    end
    file.calls = file.calls + 1
    if piece then
      file.length = file.length + #piece
    else
      files[#files + 1] = ("%s %s %d %s\n"):format(file.name, file.type,
        file.length, file.length == 0 and file.calls or "")
    end
  end)
  request:consume_input()
  send(request, "200 OK", table.concat(files), "comment: ",
    http.encode_html(request.post_params.comment or "none"), "\n")
end

answers["POST json"] = function(request)
  send(request, "200 OK", request.headers_value["Content-Type"], " ",
    request.body)
end

answers["POST early"] = function(request)
  send(request, "200 OK", "without the body")
end

answers["GET cookies"] = function(request)
  send(request, "200 OK", request.cookies.whole)
end

answers["GET stream"] = function(request)
  request:send_status("200 OK")
  for i = 1, 3 do
    request:send_data(i, "\n")
    request:flush()
  end
end

answers["GET fail"] = function()
  error("it failed")
end

answers["GET pid"] = function(request)
  local file <close> = assert(io.open("/proc/self/stat"))
  send(request, "200 OK", file:read("n"))
end

answers["GET decline"] = function(request)
  answers["GET pid"](request)
  return false
end

answers["GET query"] = function(request)
  local first = timeout()
  timeout(15)
  local second = timeout()
  timeout(0)
  send(request, "200 OK", first, " ", second, " ", timeout())
end

answers["GET nested"] = function(request)
  timeout(20)
  local inner, value = timeout(10, function(x) return timeout(), x end, "x")
  local longer = timeout(50, function() return timeout() end)
  send(request, "200 OK", inner, " ", longer, " ", timeout(), " ", value)
end

answers["GET late"] = function()
  timeout(0.2)
  spin()
end

answers["GET sublate"] = function(request)
  pcall(timeout, 0.2, spin)
  send(request, "200 OK", "it has gone on")
end

answers["GET memory"] = function()
  for i = 1, bytes do
    kept[i] = ("x"):rep(1 << 20) .. i
  end
end

answers["GET intervals"] = function(request)
  send(request, "200 OK", runs)
end

local function handle(request)
  local answer = answers[request.method .. " " .. request.path]
  local document = documents[request.path]
  if answer then
    return answer(request) ~= false
  elseif request.method ~= "GET" and request.method ~= "HEAD" then
    send(request, "405 Method not allowed", "405")
  elseif document then
    request:send_status("200 OK")
    request:send_header("Content-Type", "text/html; charset=UTF-8")
    request:send_data(document)
  else
    send(request, "404 Not Found", "404")
  end
  return true
end

local limited = http.generate_handler(function(request)
  timeout(10, function() end)
  spin(request)
end, { response_timeout = 0.2 })

local serve = http.generate_handler({
  static_headers = { "X-Server: example" },
  request_header_size_limit = 4096,
  request_body_size_limit = bytes,
}, handle)

listen{
  { proto = "tcp", host = "::", port = 8080 },
  { proto = "interval", name = "tick", delay = 0.2, strict = false },
  pre_fork = 1, min_fork = 2, max_fork = 4, memory_limit = 16 * 1024 * 1024,
  prepare = function() print("prepare is called") end,
  connect = function(socket)
    if socket.interval then
      runs = runs + 1
      print("interval " .. socket.interval .. " " .. runs)
      return true
    end
    return (socket.env.REQUEST_URI == "/limited" and limited or serve)(socket)
  end,
  finish = function() print("finish is called") end,
}
