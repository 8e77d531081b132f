-- Shorter limits of time than timeouts.request.  require "fpm.timeout" is one
-- function, which is fpm.timeout.

local check = require "fpm.check"
local has_core, core = pcall(require, "fpm.core.timeout")

local WHO = "fpm.timeout"

-- Without the daemon there is no limit.
if not has_core then
  core = {
    left = function() end,
    set = function() end,
    within = function(_, f, ...)
      return f(...)
    end,
  }
end

local function check_seconds(seconds)
  check.is(WHO, "seconds", seconds, "number", 1)
  if not (seconds >= 0 and seconds <= 1e9) then
    check.fail(WHO, 1, "seconds is %s, expected 0 to 1e9", seconds)
  end
end

-- How long the request, or what else runs, may still take, and less than that.
--
-- `fpm.timeout()` returns the seconds that are left, or nil without a limit.
-- `fpm.timeout(seconds)` lets the rest of the request take no longer than that;
-- the limit of the configuration, timeouts.request, holds all the same, and with
-- 0 it is the only one again.  A request that takes longer is stopped and
-- answered as one beyond timeouts.request is.
-- `fpm.timeout(seconds, f, ...)` calls f(...) and returns what it returns.  If it
-- takes longer, it is stopped by an error, which the caller may catch; a limit
-- around it that is shorter wins.  What hangs in a C function is stopped when
-- that returns.  f cannot yield.  Times are good to a tenth of a second.
--
--     local ok, rows = pcall(fpm.timeout, 0.5, search, env.query.q)
---@param seconds? number
---@param f? fun(...): ...
---@param ... any
---@return any ...
local function timeout(seconds, f, ...)
  if seconds == nil and f == nil then
    return core.left()
  end
  check_seconds(seconds)
  if f == nil then
    return core.set(seconds)
  end
  check.is(WHO, "f", f, "function")
  return core.within(seconds, f, ...)
end

return timeout
