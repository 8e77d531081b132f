-- The chat: what is said, who is here, and a number that everybody can raise.
--
-- A browser that has a WebSocket is told of all of it at once; one that has
-- none posts the form of the page, and reloads to see what is new.  Both ways
-- what is said is kept in a dictionary that all workers share, so it does not
-- matter which of them gets a message, and a worker may come and go.
--
-- Browser and server tell one another forms, "kind=say&text=Hello": both can
-- read and write them, whatever stands in a value.

local fpm = require "fpm"

local chat = { MAX_NAME = 40, MAX_TEXT = 500 }

local CHANNEL = "chat"
local KEEP = 100 -- that many messages are kept
local A_DAY = 24 * 60 * 60 -- and no longer than this
local PRESENT = 3 * 60 -- a browser says within this time that it is there
local MOST_PEOPLE = 200
local MOST_IN_TEN_SECONDS = 20

-- nil if the pool does not declare it: shared: { chat = "1M"; };
local kept = fpm.shared.chat

-- ---- what is checked -----------------------------------------------------------

-- One line of text without blanks around it, or nil if it is none of 1 to
-- `most` characters.
local function tidy(text, most)
    text = (text or ""):gsub("[%c%s]+", " "):match("^ ?(.-) ?$")
    local length = utf8.len(text)
    return length and length >= 1 and length <= most and text or nil
end

-- Does this one not say too much at a time?
local function may_speak(who)
    local n = kept:incr("rate " .. who, 1, 0, 10)
    return n ~= nil and n <= MOST_IN_TEN_SECONDS
end

-- ---- what is kept --------------------------------------------------------------

-- The next of numbers that grow whatever happens: when the daemon is started
-- anew, they begin at the time of that.
local function next_number(key)
    return kept:incr(key, 1, os.time() * 1000)
end

-- The messages behind number n, oldest first, each as it was published.
local function messages_after(n)
    local list, last = {}, kept:get("last") or 0
    for i = math.max(n + 1, last - KEEP + 1), last do
        list[#list + 1] = kept:get("message " .. i)
    end
    return list
end

-- Who is here, as it is told.  The number is drawn before the names are read:
-- of two lists that cross on their way the one with the higher number is right.
local function people()
    local turn, names = next_number("turn"), {}
    for _, key in ipairs(kept:keys(0) or {}) do
        if key:find("^here ") then
            names[#names + 1] = kept:get(key) -- nil if just gone
        end
    end
    table.sort(names)
    return fpm.url.query { kind = "people", turn = turn, name = names }, #names
end

local function tell_people()
    fpm.publish(CHANNEL, (people()))
end

local function come(ws)
    kept:set("here " .. ws.id, ws.session, PRESENT)
end

-- ---- what pages use ------------------------------------------------------------

function chat.is_open()
    return kept ~= nil
end

-- Returns true, or false and what is wrong in words for the one who wrote it.
-- `who` is whom too much is held against.
function chat.say(who, name, text)
    name, text = tidy(name, chat.MAX_NAME), tidy(text, chat.MAX_TEXT)
    if not name or not text then
        return false, ("Please give a name of up to %d characters and a " ..
            "message of up to %d."):format(chat.MAX_NAME, chat.MAX_TEXT)
    elseif not may_speak(who) then
        return false, "That is too much at a time. Please wait a moment."
    end
    local n = next_number("last")
    local message = n and fpm.url.query { kind = "message", number = n,
        time = os.time(), name = name, text = text }
    if not n or not kept:set("message " .. n, message, A_DAY) then
        return false, "That could not be kept. Please try again."
    end
    kept:delete("message " .. n - KEEP)
    fpm.publish(CHANNEL, message)
    return true
end

-- All messages, oldest first.
function chat.messages()
    local list = messages_after(0)
    for i, message in ipairs(list) do
        list[i] = fpm.form.query(message)
    end
    return list
end

function chat.count()
    return kept:get("count") or 0
end

-- ---- WebSockets ----------------------------------------------------------------

local function tell(ws, fields)
    ws:send(fpm.url.query(fields))
end

-- What a browser can say, by its kind.
local heard = {}

-- It is subscribed by now: what comes while it is told of what it has missed
-- it may get twice, but nothing is lost in between.
function heard.hello(ws, fields)
    tell(ws, { kind = "welcome", name = ws.session, count = chat.count() })
    for _, message in ipairs(messages_after(math.tointeger(fields.after) or 0)) do
        ws:send(message)
    end
end

function heard.say(ws, fields)
    local said, problem = chat.say(ws.id, ws.session, fields.text)
    tell(ws, { kind = said and "said" or "problem", text = problem or
        fields.text })
end

function heard.name(ws, fields)
    local name = tidy(fields.name, chat.MAX_NAME)
    if name and may_speak(ws.id) then
        ws.session = name
        come(ws)
        tell_people()
    end
    tell(ws, { kind = "name", name = ws.session })
end

function heard.raise(ws)
    local n = may_speak(ws.id) and kept:incr("count", 1, 0)
    if n then
        fpm.publish(CHANNEL, fpm.url.query { kind = "count", count = n })
    end
end

function heard.here(ws)
    come(ws)
    ws:send((people()))
end

-- Nothing of this is kept in a variable: the next message of the same socket
-- may be another worker's.  The session is the name.
chat.websocket = {}

function chat.websocket.open(ws, env)
    if (env.SCRIPT_NAME or "") .. (env.PATH_INFO or "") ~= "/chat/socket" then
        return 404
    elseif not kept or select(2, people()) >= MOST_PEOPLE then
        return 503
    end
    ws.session = tidy(env.query.name, chat.MAX_NAME) or
        "Guest " .. ws.id:sub(1, 4)
    ws:subscribe(CHANNEL)
    come(ws)
    tell_people()
end

function chat.websocket.message(ws, data, kind)
    local fields = kind == "text" and fpm.form.query(data) or {}
    local answer = heard[fields.kind]
    if not answer then
        ws:close(1008, "not understood")
        return
    end
    answer(ws, fields)
end

function chat.websocket.close(ws)
    kept:delete("here " .. ws.id)
    tell_people()
end

return chat
