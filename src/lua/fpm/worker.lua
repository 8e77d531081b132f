-- What this process is.  The fields are read, not set:
--
-- pool        name of the pool
-- index       which worker of its generation it is, from 1 on: no two have the
--             same at the same time, a successor may get that of one that left
-- generation  how often the pool's workers have been replaced as a whole, and 1
-- requests    how many requests the application has begun in this process
-- pid         of the process
--
-- What is not known is nil: all of it without the daemon, index and generation
-- where an application is only tried (lua-fpm -t), index in the process for
-- timers, which is no worker.
--
--     local w = require("fpm").worker
--     local file = ("cache.%s.%d"):format(w.pool, w.index)
---@class fpm.worker
---@field pool string?
---@field index integer?
---@field generation integer?
---@field requests integer?
---@field pid integer?
---@field retire fun()
local worker = {}

local has_core, core = pcall(require, "fpm.core.worker")
local functions = {}
local live = { requests = true, pid = true }

-- Have the worker replaced once its request is over: by a fresh one, which is
-- ready before this one leaves.  Until then this one may get further requests.
-- In app.start it counts from the first request on.  Without the daemon it does
-- nothing.
--
--     if not connection:ping() then
--       worker.retire()
--     end
function functions.retire()
  if has_core then
    core.retire()
  end
end

return setmetatable(worker, {
  __index = function(_, name)
    if functions[name] or not has_core then
      return functions[name]
    end
    if live[name] then
      return core[name]()
    end
    return type(core[name]) ~= "function" and core[name] or nil
  end,
  __newindex = function(_, name)
    error("fpm.worker." .. tostring(name) .. " cannot be set", 2)
  end,
})
