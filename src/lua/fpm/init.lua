-- require "fpm": the library of lua-fpm.  Its fields are its modules, loaded
-- when they are first used: fpm.url is require "fpm.url".

local fpm = {}

return setmetatable(fpm, {
  __index = function(_, name)
    if type(name) ~= "string" then
      return nil
    end
    local found, module = pcall(require, "fpm." .. name)
    if not found then
      if string.find(module, "module 'fpm." .. name .. "' not found", 1, true)
      then
        return nil
      end
      error(module, 2)
    end
    rawset(fpm, name, module)
    return module
  end,
})
