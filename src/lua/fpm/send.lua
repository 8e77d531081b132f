-- Send to one WebSocket of the pool, by its id (ws.id), whichever worker opened it.
--
-- `fpm.send(id, data[, kind])` works from anywhere in an application, as
-- fpm.publish does, and returns the same.  A socket that is not there any more gets
-- nothing, without an error.
--
--     fpm.send(id, "your report is ready")

local tell = require "fpm.tell"

---@param id string
---@param data string
---@param kind? fpm.kind
---@return true? sent
---@return string? why
local function send(id, data, kind)
  return tell("send", "id", id, data, kind)
end

return send
