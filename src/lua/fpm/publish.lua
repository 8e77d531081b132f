-- Publish to a channel: every WebSocket of the pool that is subscribed to it gets
-- the message, whichever worker opened it.
--
-- `fpm.publish(channel, data[, kind])` works from anywhere in an application: a
-- request, a message, a timer.  kind is "text", the default, for which data has to
-- be UTF-8, or "binary".  It returns true once the message is on its way, which
-- does not say that anybody gets it; nil and why if the application has no
-- WebSockets.  Nothing is stored for those that subscribe later.
--
--     fpm.publish("prices", json.encode(price))
---@alias fpm.kind "text"|"binary"

local tell = require "fpm.tell"

---@param channel string
---@param data string
---@param kind? fpm.kind
---@return true? sent
---@return string? why
local function publish(channel, data, kind)
  return tell("publish", "channel", channel, data, kind)
end

return publish
