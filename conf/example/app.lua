-- The example application of lua-fpm: a few pages that show what there is.
--
-- An application is a file that returns a table of functions.  A worker loads
-- it once, calls start(), and then accept() for every request, one after
-- another: nothing here runs at the same time as anything else here.

local fpm = require "fpm" -- the library: see lua-fpm-app(7)
local chat = require "chat" -- the files beside this one are on package.path
local notes = require "notes"
local pages = require "pages"
local primes = require "primes"

local MAX_NAME, MAX_TEXT, MAX_FORM = 60, 1000, 16 * 1024

-- Variables live as long as the worker.  The first place on package.path is
-- the directory of this file.
local directory = package.path:match("^([^;]*)/%?%.lua")
local worker = { pid = fpm.worker.pid or "?", served = 0, started = os.time(), restarts = 0 }
local message = { text = "", read_at = 0 }
local style, script = "", ""

local function read_file(name)
    local file, why = io.open(directory .. "/" .. name, "rb")
    if not file then
        error("cannot read " .. why)
    end
    local text = file:read("a")
    file:close()
    return text
end

local function read_files()
    message = { text = read_file("message.txt"), read_at = os.time() }
    style, script = read_file("style.css"), read_file("chat.js")
    fpm.watch(directory .. "/style.css") -- a change counts like one of code
    fpm.watch(directory .. "/chat.js")
end

-- ---- responses ---------------------------------------------------------------

-- No script but a file of ours, no frame, nothing from elsewhere: should an
-- unescaped byte of a visitor ever get through, the browser will not run it.
local function headers(status)
    return {
        Status = status,
        ["Content-Type"] = "text/html; charset=utf-8",
        ["Content-Security-Policy"] = "default-src 'none'; " ..
            "script-src 'self'; connect-src 'self'; " ..
            "style-src 'self'; form-action 'self'; base-uri 'none'; " ..
            "frame-ancestors 'none'",
        ["X-Content-Type-Options"] = "nosniff",
        ["Referrer-Policy"] = "same-origin",
        ["Cache-Control"] = "no-store",
    }
end

local function failure(status, path)
    return headers(status), pages.failure(worker, status, path)
end

-- ---- pages, each called with env and the path ----------------------------------

local function home()
    return headers(200), pages.home(worker, message)
end

local function show_notes(status, draft)
    draft.max_name, draft.max_text = MAX_NAME, MAX_TEXT
    return headers(status),
        pages.notes(worker, notes.all(), notes.are_shared(), draft)
end

-- Who has written before is known by a cookie.
local function guest_book(env)
    return show_notes(200, { name = fpm.url.decode(env.cookies.name or "") })
end

-- What is wrong with a note, in words for the one who wrote it.
local function problem_with(name, text)
    local name_length, text_length = utf8.len(name), utf8.len(text)
    if not name_length or not text_length then
        return "That is not text in UTF-8."
    elseif not name:find("%S") or not text:find("%S") then
        return "Please give a name and a note."
    elseif name_length > MAX_NAME or text_length > MAX_TEXT then
        return ("At most %d characters for the name and %d for the note.")
            :format(MAX_NAME, MAX_TEXT)
    end
end

-- Does the form come from one of our own pages?  Browsers say with every
-- POST where it came from, so another site cannot post in a visitor's name.
-- The Host that some nginx hand on has lost its port.
local function is_ours(env)
    local origin, host = env.headers.origin, env.headers.host
    local from = origin and origin:match("^%a+://(.*)$")
    return origin == nil or from == host or
        from ~= nil and from:gsub(":%d+$", "") == host
end

-- The fields of a form, or nil and the status of what is wrong with it.  How much
-- a client sends is the client's choice, how much is kept is ours.
local function fields_of(env)
    if not is_ours(env) then
        return nil, 403
    end
    return env:form { max_body = MAX_FORM, max_files = 0 }
end

-- A browser that is sent on does not post again when the page is reloaded.
local function send_on(path, name)
    return fpm.http.redirect(path, 303, {
        ["Set-Cookie"] = fpm.cookie.write("name", fpm.url.encode(name)),
    })
end

local function sign(env, path)
    local fields, status = fields_of(env)
    if not fields then
        return failure(status, path)
    end
    local name = fields.name or ""
    local text = (fields.text or ""):gsub("\r\n", "\n")
    local problem = problem_with(name, text)
    if problem then
        return show_notes(422, { name = name, text = text, problem = problem })
    end
    local kept, why = notes.add(name, text)
    if not kept then
        env.errors:write("a note could not be kept: ", why, "\n")
        return failure(503, path)
    end
    return send_on("/notes", name)
end

local function show_chat(status, draft)
    draft.max_name, draft.max_text = chat.MAX_NAME, chat.MAX_TEXT
    if not chat.is_open() then
        return headers(503), pages.closed_chat(worker)
    end
    return headers(status),
        pages.chat(worker, chat.messages(), chat.count(), draft)
end

local function enter_chat(env)
    return show_chat(200, { name = fpm.url.decode(env.cookies.name or "") })
end

-- What a browser without a WebSocket says; those that have one are told.
local function say(env, path)
    local fields, status = fields_of(env)
    if not fields then
        return failure(status, path)
    elseif not chat.is_open() then
        return show_chat(503, {})
    end
    local name = fields.name or ""
    local said, problem = chat.say(env.REMOTE_ADDR or "", name, fields.text)
    if not said then
        return show_chat(422, { name = name, text = fields.text,
            problem = problem })
    end
    return send_on("/chat", name)
end

-- A body may be a function: it is called until it returns nil, and each piece
-- goes out as it comes.  X-Accel-Buffering asks nginx to pass it on at once.
local function stream()
    local response = headers(200)
    response["X-Accel-Buffering"] = "no"
    local counted, started = primes.counted(1000000, 40), os.clock()
    local begun, ended
    return response, function()
        if not begun then
            begun = true
            return pages.head("Streaming", "/primes") ..
                "<p>Counting primes. Each line is sent when it is found, " ..
                "by this one worker; the others go on serving.</p>\n" ..
                "<ol class=\"lines\">\n"
        end
        local limit, total = counted()
        if limit then
            return ("<li>%d primes up to %d million <small>%.2f s</small>" ..
                "</li>\n"):format(total, limit // 1000000,
                os.clock() - started)
        elseif not ended then
            ended = true
            return "</ol>\n" .. pages.foot(worker)
        end
    end
end

local function sorted(caption, map)
    local rows = { caption = caption }
    for name, value in pairs(map) do
        rows[#rows + 1] = { name = name, value = value }
    end
    table.sort(rows, function(a, b) return a.name < b.name end)
    return rows
end

local function show_request(env)
    return headers(200), pages.request(worker,
        sorted("Parameters", env),
        sorted("Query, decoded", env.query))
end

local function show_worker()
    return headers(200), pages.worker(worker, {
        caption = "This worker",
        { name = "Process", value = worker.pid },
        { name = "Requests served", value = worker.served },
        { name = "Loaded", value = os.date("%H:%M:%S", worker.started) },
        { name = "Reloads since", value = worker.restarts },
        { name = "Lua memory", value = ("%.0f KiB")
            :format(collectgarbage("count")) },
    })
end

local function fail()
    error("this page always fails, to show what happens then")
end

local function stylesheet()
    return { ["Content-Type"] = "text/css; charset=utf-8",
        ["Cache-Control"] = "max-age=60" }, style
end

local function chat_script()
    return { ["Content-Type"] = "text/javascript; charset=utf-8",
        ["Cache-Control"] = "max-age=60" }, script
end

-- Browsers ask for an icon; this site has none.
local function icon()
    return { Status = 204, ["Cache-Control"] = "max-age=86400" }
end

-- ---- routes ------------------------------------------------------------------

local routes = {
    ["/"] = { GET = home },
    ["/notes"] = { GET = guest_book, POST = sign },
    ["/chat"] = { GET = enter_chat, POST = say },
    ["/primes"] = { GET = stream },
    ["/request"] = { GET = show_request },
    ["/worker"] = { GET = show_worker },
    ["/error"] = { GET = fail },
    ["/style.css"] = { GET = stylesheet },
    ["/chat.js"] = { GET = chat_script },
    ["/favicon.ico"] = { GET = icon },
}

-- A path that is there, asked in a way it does not know: which ways it knows.
local function not_allowed(route, path)
    local response, body = failure(405, path)
    local methods = {}
    for method in pairs(route) do
        methods[#methods + 1] = method
    end
    table.sort(methods)
    response.Allow = table.concat(methods, ", ")
    return response, body
end

-- ---- what lua-fpm calls --------------------------------------------------------

local app = {}

-- Once for all workers, in a process of its own, before any of them starts: the
-- place to bring the tables of a database up to date.  An error here, or another
-- value than 0, and no worker starts.
function app.setup()
    if not notes.open(os.getenv("GUEST_BOOK")) then
        print("no directory in GUEST_BOOK: notes are kept in memory")
    end
end

-- Once in each worker, in all at the same time, before its first request.  An
-- error here, or another value than 0, ends the worker: better than one that
-- answers every request with an error.
function app.start()
    read_files()
    notes.open(os.getenv("GUEST_BOOK"))
    return 0
end

-- For every request.  Web servers put the path into one of two parameters, or
-- part of it into each.
function app.accept(env)
    worker.served = worker.served + 1
    local path = (env.SCRIPT_NAME or "") .. (env.PATH_INFO or "")
    local method = env.REQUEST_METHOD
    local route = routes[path]
    if not route then
        return failure(404, path)
    end
    -- lua-fpm itself leaves the body out of what answers HEAD.
    local handler = route[method == "HEAD" and "GET" or method]
    if not handler then
        return not_allowed(route, path)
    end
    return handler(env, path)
end

-- WebSockets; they come at addresses with "http:" before them.
app.websocket = chat.websocket

-- On SIGHUP: read again what may have changed.
function app.restart()
    worker.restarts = worker.restarts + 1
    read_files()
end

-- Before the worker leaves: the place to close connections to databases.
function app.stop()
    print(("leaving after %d requests"):format(worker.served))
    return 0
end

return app
