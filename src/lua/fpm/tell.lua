-- What fpm.publish and fpm.send have in common: the hub of the pool is told
-- something, if there is one.

local check = require "fpm.check"

local found, core = pcall(require, "fpm.core.websocket")

-- Raises where the caller of fpm.NAME is, which calls this as the last thing.
---@param name "publish"|"send"
---@param whom "channel"|"id" how its first argument is called
---@param to string
---@param data string
---@param kind? fpm.kind
---@return true? sent
---@return string? why
local function tell(name, whom, to, data, kind)
  check.is("fpm." .. name, whom, to, "string")
  check.is("fpm." .. name, "data", data, "string")
  if not found then
    return nil, "there is no hub"
  end
  return core[name](to, data, kind)
end

return tell
