-- Send to one WebSocket of the pool, by its id (ws.id), whichever worker opened it.
--
-- `fpm.send(id, data[, kind])` works from anywhere in an application, as
-- fpm.publish does, and returns the same.  A socket that is not there any more gets
-- nothing, without an error.
--
--     fpm.send(id, "your report is ready")

local check = require "fpm.check"

local found, core = pcall(require, "fpm.core.websocket")

---@param id string
---@param data string
---@param kind? fpm.kind
---@return true? sent
---@return string? why
local function send(id, data, kind)
  check.is("fpm.send", "id", id, "string")
  check.is("fpm.send", "data", data, "string")
  if not found then
    return nil, "there is no hub"
  end
  return core.send(id, data, kind)
end

return send
