-- The notes of the guest book.
--
-- A worker's variables are its own: nothing is shared between workers, and
-- all is gone when a worker leaves.  What is to be seen by every worker lies
-- outside, in a database as a rule, here in a file that only ever grows.  A
-- line is appended by one write, so two workers never mix theirs up, and each
-- worker reads only what has been added since it last looked.
--
-- Without a directory to write to, notes are kept in memory: the page says
-- that another worker will not know them.

local notes = {}

local KEEP = 100 -- that many notes are shown
local MAX_FILE = 1024 * 1024

local path -- nil: in memory
local list -- newest last
local offset -- up to here the file has been read

-- In the file a note is a line "time TAB name TAB text"; what would be taken
-- for the end of a field is written as %XX.
local function encode(text)
    return (text:gsub("[%c%%]", function(c)
        return ("%%%02X"):format(c:byte())
    end))
end

local function decode(text)
    return (text:gsub("%%(%x%x)", function(hex)
        return string.char(tonumber(hex, 16))
    end))
end

local function remember(time, name, text)
    list[#list + 1] = { time = time, name = name, text = text }
    if #list > KEEP then
        table.remove(list, 1)
    end
end

-- Take in what other workers have added.
local function catch_up()
    local file = path and io.open(path, "rb")
    if not file then
        return
    end
    file:seek("set", offset)
    for line in file:lines("L") do
        if line:sub(-1) ~= "\n" then
            break -- not written to its end yet
        end
        offset = offset + #line
        local time, name, text = line:match("^(%d+)\t([^\t]*)\t(.*)\n$")
        if time then
            remember(tonumber(time), decode(name), decode(text))
        end
    end
    file:close()
end

-- Use `directory` if a file can be written there.  Returns false if notes
-- are in memory.
function notes.open(directory)
    list, offset, path = {}, 0, nil
    local wanted = directory and directory .. "/notes"
    local file = wanted and io.open(wanted, "ab")
    if file then
        file:close()
        path = wanted
    end
    return path ~= nil
end

function notes.are_shared()
    return path ~= nil
end

-- All notes, the newest first.
function notes.all()
    catch_up()
    local newest_first = {}
    for i = #list, 1, -1 do
        newest_first[#newest_first + 1] = list[i]
    end
    return newest_first
end

-- True, or nil and why not.
function notes.add(name, text)
    if not path then
        remember(os.time(), name, text)
        return true
    end
    local file, why = io.open(path, "ab")
    if not file then
        return nil, why
    end
    if file:seek("end") > MAX_FILE then
        file:close()
        return nil, "the book is full"
    end
    local line = ("%d\t%s\t%s\n"):format(os.time(), encode(name), encode(text))
    file:setvbuf("full", #line + 1) -- one write, whatever its length
    local written
    written, why = file:write(line)
    local closed, why_close = file:close()
    if not written or not closed then
        return nil, why or why_close
    end
    return true
end

return notes
