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
-- where an application is only tried (lua-fpm -t).
--
--     local w = require("fpm").worker
--     local file = ("cache.%s.%d"):format(w.pool, w.index)
---@class fpm.worker
---@field pool string?
---@field index integer?
---@field generation integer?
---@field requests integer?
---@field pid integer?
local worker = {}

local has_core, core = pcall(require, "fpm.core.worker")
local live = { requests = true, pid = true }

return setmetatable(worker, {
  __index = function(_, name)
    if not has_core then
      return nil
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
