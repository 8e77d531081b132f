-- fpm.shared where there is no daemon: the stand-in in plain Lua, with which
-- tests/run/shared.py compares the one that workers have.

local tap = require "tap"
local fpm = require "fpm"
local plain = require "fpm.shared_plain"
local shared = require "fpm.shared"

local HERE = "^.-tests/lua/shared%.lua:%d+: fpm%.shared"
local now = 1000

plain.clock = function() return now end

local function results(...)
  local all = table.pack(...)
  for i = 1, all.n do
    all[i] = (math.type(all[i]) or type(all[i])) .. " " .. tostring(all[i])
  end
  return table.concat(all, ", ")
end

tap.test("every name is a dictionary, and stays the same one", function()
  tap.equal(true, shared.one == shared.one)
  tap.equal(true, fpm.shared.one == shared.one)
  tap.equal(false, shared.one == shared.two)
  tap.equal(nil, shared[1])
  tap.equal("fpm.shared.one", tostring(shared.one))
end)

tap.test("set, get, add, replace, delete", function()
  local d = plain.open("d")
  tap.equal("nil nil", results(d:get("k")))
  for _, value in ipairs { "", "text", 1, 1.0, true, false } do
    tap.equal("boolean true, nil nil, boolean false",
      results(d:set("k", value)))
    tap.equal(value, d:get("k"))
  end
  tap.equal("boolean false, string exists, boolean false",
    results(d:add("k", 1)))
  tap.equal("boolean true, nil nil, boolean false",
    results(d:replace("k", 2)))
  tap.equal("boolean true", results(d:set("k", nil)))
  tap.equal("boolean false, string not found, boolean false",
    results(d:replace("k", 2)))
  tap.equal("boolean true", results(d:delete("k")))
  d:set(5, "five")
  tap.equal("five", d:get("5"))
end)

tap.test("incr keeps integers and floats apart", function()
  local d = plain.open("d")
  tap.equal("nil nil, string not found, boolean false",
    results(d:incr("n", 1)))
  tap.equal("integer 11, nil nil, boolean false", results(d:incr("n", 1, 10)))
  tap.equal("float 11.5, nil nil, boolean false", results(d:incr("n", 0.5)))
  d:set("n", math.maxinteger)
  tap.equal(math.mininteger, (d:incr("n", 1)))
  d:set("n", "5")
  tap.equal("nil nil, string not a number, boolean false",
    results(d:incr("n", 1, 0)))
end)

tap.test("values end", function()
  local d = plain.open("d")
  d:set("k", 1, 10)
  d:incr("n", 1, 0, 5)
  d:set("always", 1, 1e300)
  tap.equal(10.0, d:ttl("k"))
  tap.equal(0.0, d:ttl("always"))
  now = now + 5
  tap.equal(nil, d:get("n"))
  tap.equal(5.0, d:ttl("k"))
  tap.equal(true, d:expire("k", 1))
  now = now + 1
  tap.equal("nil nil, string not found", results(d:ttl("k")))
  tap.equal("nil nil, string not found", results(d:expire("k", 1)))
  tap.equal({ "always" }, d:keys())
  tap.equal(true, d:add("k", 2))
end)

tap.test("keys and flush", function()
  local d = plain.open("d")
  for i = 1, 2000 do d:set(i, i) end
  tap.equal(1024, #d:keys())
  tap.equal(3, #d:keys(3.0))
  tap.equal(2000, #d:keys(0))
  tap.equal(true, d:flush())
  tap.equal({}, d:keys())
end)

tap.test("keys that cannot be", function()
  local d = plain.open("d")
  tap.equal("nil nil, string empty key", results(d:get("")))
  tap.equal("boolean false, string key too long, boolean false",
    results(d:set(("k"):rep(65536), 1)))
  tap.equal(true, d:set(("k"):rep(65535), 1))
end)

tap.test("what is wrong is named, at the place of the call", function()
  local d = plain.open("d")
  tap.raises(HERE .. "%.d: get: key is nil", function() d:get() end)
  tap.raises(HERE .. "%.d: set: value is a table",
    function() d:set("k", {}) end)
  tap.raises(HERE .. "%.d: add: ttl is %-1, expected a number of seconds",
    function() d:add("k", 1, -1) end)
  tap.raises(HERE .. "%.d: replace: value is nil",
    function() d:replace("k") end)
  tap.raises(HERE .. "%.d: incr: by is a string",
    function() d:incr("k", "1") end)
  tap.raises(HERE .. "%.d: incr: initial is nil, expected a number, as ttl",
    function() d:incr("k", 1, nil, 1) end)
  tap.raises(HERE .. "%.d: expire: ttl is nil", function() d:expire("k") end)
  tap.raises(HERE .. "%.d: keys: most is %-1", function() d:keys(-1) end)
  tap.raises(HERE .. ": get is called without its dictionary",
    function() d.get("k") end)
  tap.raises(HERE .. ": get is called without its dictionary",
    function() d.get({}, "k") end)
end)

tap.done()
