-- Files that an application was made from besides its Lua code: templates, data.
-- require "fpm.watch" is one function, which is fpm.watch.

local check = require "fpm.check"
local has_core, core = pcall(require, "fpm.core.files")

-- Note a file as it is now.  One that has changed since counts like a changed
-- module: with develop = true the next request has a fresh state, and a reload
-- replaces the workers.  Noting a file again has no effect.
--
--     local text = assert(fpm.watch("views/page.html"))
--
-- Without the daemon nothing is noted.
---@param path string relative to the working directory if not absolute
---@return string? path the same; nil if there is no such file
---@return string? message
local function watch(path)
  check.is("fpm.watch", "path", path, "string")
  if not has_core then
    return path
  end
  return core.watch(path)
end

return watch
