-- Runs the Lua text that a request brings in its parameter LUA (or the HTTP
-- header X-Lua), so that a test shows what the application does right beside
-- what it expects.
local app = {}

requests, starts, restarts = 0, 0, 0

local function file(name, mode, text)
	local f = assert(io.open(name, mode))
	local got = text and f:write(text) or f:read("a")
	f:close()
	return got
end

-- Say that we are here, and wait until the test opens the FIFO.
function gate(path)
	file(path .. ".in", "w", "here")
	file(path, "r")
end

-- The process that runs this.
function pid()
	return file("/proc/self/stat", "r"):match("^%d+")
end

-- A response of plain text.
function text(...)
	return { ["Content-Type"] = "text/plain" }, ...
end

function app.start()
	starts = starts + 1
end

function app.restart()
	restarts = restarts + 1
	print("restart called")
end

function app.stop()
	print("stop called")
end

function app.accept(env)
	requests = requests + 1
	local code = env.LUA or env.HTTP_X_LUA or 'return text("hello")'
	return assert(load("local env = ... " .. code, "=request"))(env)
end

return app
