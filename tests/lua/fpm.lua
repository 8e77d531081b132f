-- The table fpm has its modules as fields.

local tap = require "tap"
local fpm = require "fpm"

tap.test("a field is the module of that name", function()
  tap.equal(true, fpm.request == require "fpm.request")
  tap.equal(true, rawget(fpm, "request") == require "fpm.request")
end)

tap.test("a name without a module is nil", function()
  tap.equal(nil, fpm.nothing)
  tap.equal(nil, fpm[1])
end)

tap.test("a module that does not load says why", function()
  package.preload["fpm.broken"] = function()
    error("it is broken")
  end
  tap.raises("it is broken", function()
    return fpm.broken
  end)
end)

tap.done()
