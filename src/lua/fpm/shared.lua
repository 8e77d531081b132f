-- Dictionaries that all workers of a pool share.  See fpm.shared(3lua).
--
--     shared: { counts = "1M"; };               in the configuration
--
--     local counts = require "fpm".shared.counts
--     counts:incr(env.REMOTE_ADDR, 1, 0, 60)    --> 1, nil, false

local found, core = pcall(require, "fpm.core.shared")
local plain = not found and require "fpm.shared_plain"

---@alias fpm.shared.value string|number|boolean

-- What fpm.core.shared (worker/lua/lib/lua_shared.c) and, without the daemon,
-- fpm.shared_plain make.
---@class fpm.shared.dictionary
---@field get fun(self, key: string|number): fpm.shared.value?, string?
---@field set fun(self, key: string|number, value: fpm.shared.value?, ttl: number?): boolean, string?, boolean
---@field add fun(self, key: string|number, value: fpm.shared.value, ttl: number?): boolean, string?, boolean
---@field replace fun(self, key: string|number, value: fpm.shared.value, ttl: number?): boolean, string?, boolean
---@field incr fun(self, key: string|number, by: number, initial: number?, ttl: number?): number?, string?, boolean
---@field delete fun(self, key: string|number): boolean?, string?
---@field ttl fun(self, key: string|number): number?, string?
---@field expire fun(self, key: string|number, ttl: number): boolean?, string?
---@field keys fun(self, most: integer?): string[]?, string?
---@field flush fun(self): boolean?, string?
---@field capacity fun(self): integer?, string?
---@field free_space fun(self): integer?, string?

-- The fields are the dictionaries that the pool declares; another name is nil,
-- so that a module can do without.  Under lua5.4 alone each name is a
-- dictionary, of this process.
---@class fpm.shared
---@field [string] fpm.shared.dictionary?
local shared = {}

return setmetatable(shared, {
  __index = function(_, name)
    if type(name) ~= "string" then
      return nil
    end
    local dictionary
    if plain then
      dictionary = plain.open(name)
    else
      dictionary = core.open(name)
    end
    rawset(shared, name, dictionary)
    return dictionary
  end,
})
