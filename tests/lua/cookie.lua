-- fpm.cookie: what is written, what is refused, what is read.

local tap = require "tap"
local cookie = require "fpm.cookie"
local current = require "fpm.current"

local HERE = "^.-tests/lua/cookie%.lua:%d+: fpm%.cookie%."

local function over(https, scheme)
  current.env = { HTTPS = https, REQUEST_SCHEME = scheme }
end

tap.test("the safe choices are the defaults", function()
  current.env = nil
  tap.equal("a=1; Path=/; Secure; HttpOnly; SameSite=Lax",
    cookie.write("a", 1))
  tap.equal("a=1; Path=/; Secure; HttpOnly; SameSite=Lax",
    cookie.write("a", "1", {}))
end)

tap.test("secure by default, but for a request over http", function()
  for _, case in ipairs {
    { "on", nil, true }, { "1", "http", true }, { nil, "https", true },
    { "", "https", true }, { "", "HTTPS", true }, { "ON", "", true },
    { nil, nil, false }, { "", "", false }, { "off", nil, false },
    { "off", "https", false }, { nil, "http", false },
  } do
    over(case[1], case[2])
    tap.equal(case[3], cookie.write("a", "1"):find("; Secure") ~= nil)
    tap.equal(true, cookie.write("a", "1", { secure = true }):find("; Secure;")
      ~= nil)
    tap.equal(nil, (cookie.write("a", "1", { secure = false }):find("; Secure")))
  end
  current.env = nil
end)

tap.test("every option", function()
  tap.equal("a=b; Path=/x/y; Domain=example.org; Max-Age=3600; Secure; " ..
    "SameSite=None", cookie.write("a", "b", { path = "/x/y",
    domain = ".example.org", max_age = 3600.0, secure = true,
    httponly = false, samesite = "None" }))
  tap.equal("a=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict",
    cookie.write("a", "", { max_age = 0, secure = false,
    samesite = "Strict" }))
  tap.equal("a=b; Path=/; Max-Age=0; HttpOnly", cookie.write("a", "b",
    { max_age = -1, secure = false, samesite = false }))
end)

tap.test("names and values of every byte", function()
  local token = "^[!#$%%&'*+%-.^_`|~%w]$"
  for byte = 0, 255 do
    local text = string.char(byte)
    local good = pcall(cookie.write, text, "v")
    tap.equal(text:find(token) ~= nil, good)
    good = pcall(cookie.write, "n", text)
    tap.equal(byte > 32 and byte < 127 and not text:find('[",;\\]'), good)
  end
  tap.raises(HERE .. "write: name is empty",
    function() cookie.write("", "v") end)
end)

tap.test("what splits is refused in each place", function()
  for _, bytes in ipairs { "\r\nSet-Cookie: x=y", "\n", "\r", "\0",
    "; Domain=evil", ";" } do
    local place = "0x%x%x at byte 2$"
    tap.raises(HERE .. "write: name has the byte " .. place,
      function() cookie.write("a" .. bytes, "v") end)
    tap.raises(HERE .. "write: value has the byte " .. place,
      function() cookie.write("a", "v" .. bytes) end)
    tap.raises(HERE .. "write: path has the byte " .. place,
      function() cookie.write("a", "v", { path = "/" .. bytes }) end)
    tap.raises(HERE .. "write: domain is ",
      function() cookie.write("a", "v", { domain = "x" .. bytes }) end)
    tap.raises(HERE .. "write: samesite is ",
      function() cookie.write("a", "v", { samesite = "Lax" .. bytes }) end)
    tap.raises(HERE .. "write: max_age is a string",
      function() cookie.write("a", "v", { max_age = "1" .. bytes }) end)
  end
  for _, domain in ipairs { "", ".", "-a", "a b", "a/b", "a,b", "[::1]" } do
    tap.raises(HERE .. "write: domain is ",
      function() cookie.write("a", "v", { domain = domain }) end)
  end
  tap.raises(HERE .. "write: path is \"x\", expected one that begins with a",
    function() cookie.write("a", "v", { path = "x" }) end)
end)

tap.test("the rules of __Secure- and __Host-, in any case", function()
  over(nil, "http")
  tap.equal("__Host-a=b; Path=/; Secure; HttpOnly; SameSite=Lax",
    cookie.write("__Host-a", "b"))
  tap.equal("__SECURE-a=b; Path=/x; Domain=d; Secure; HttpOnly; SameSite=Lax",
    cookie.write("__SECURE-a", "b", { path = "/x", domain = "d" }))
  for _, name in ipairs { "__Host-a", "__host-a", "__HOST-", "__Secure-a" } do
    tap.raises(HERE .. "write: secure is false, but the name \"__",
      function() cookie.write(name, "b", { secure = false }) end)
  end
  for _, name in ipairs { "__Host-a", "__host-a" } do
    tap.raises(HERE .. "write: path is given, but the name \"__",
      function() cookie.write(name, "b", { path = "/x" }) end)
    tap.raises(HERE .. "write: domain is given, but the name \"__",
      function() cookie.write(name, "b", { domain = "example.org" }) end)
  end
  tap.raises(HERE .. 'write: secure is false, but samesite "None" needs it',
    function() cookie.write("a", "b", { samesite = "None" }) end)
  current.env = nil
end)

tap.test("as much as browsers keep", function()
  tap.equal(true, cookie.write("n", ("v"):rep(4095)):find("n=v") == 1)
  tap.raises(HERE .. "write: name and value have 4097 bytes, expected 4096",
    function() cookie.write("n", ("v"):rep(4096)) end)
end)

tap.test("cookies are read", function()
  for text, cookies in pairs {
    [""] = {}, [";"] = {}, ["a"] = {}, ["a;b=1"] = { b = "1" },
    ["a=1"] = { a = "1" }, ["a=1; b=2"] = { a = "1", b = "2" },
    ["a=1;b=2"] = { a = "1", b = "2" }, ["a=1; a=2; a=3"] = { a = "1" },
    ["a=; a=2"] = { a = "" }, ["=1; b=2"] = { b = "2" }, ["=="] = {},
    ["a=b=c==; d=1"] = { a = "b=c==", d = "1" },
    ['a="1"; b=""; c="'] = { a = "1", b = "", c = '"' },
    ['a="1;2"'] = { a = '"1' }, ['a="\\"x"'] = { a = '\\"x' },
    ["a=%41+b"] = { a = "%41+b" }, ["A=1; a=2"] = { A = "1", a = "2" },
    ["\t a \t=\t 1 \t;\tb=2"] = { a = "1", b = "2" },
    ["a b=c d"] = { ["a b"] = "c d" }, ["a=1\0; \xff=\xfe"] =
      { a = "1\0", ["\xff"] = "\xfe" }, [" =1"] = {},
    ["a=1, b=2"] = { a = "1, b=2" },
  } do
    tap.equal(cookies, cookie.parse(text))
  end
  tap.equal({}, cookie.parse(nil))
end)

tap.test("a flood costs no more than its length", function()
  local began = os.clock()
  for _, part in ipairs { " ", ";", "=", "a", '"', " a", "a ", "a=", "a=;",
    "; ", "a=1; ", " ;=", "\t" } do
    cookie.parse(part:rep(1000000 // #part))
    cookie.parse("a=" .. part:rep(1000000 // #part) .. " b")
  end
  tap.equal(true, os.clock() - began < 20)
end)

tap.test("a wrong argument is named, at the place of the call", function()
  for _, wrong in ipairs { {}, true, print, false } do
    tap.raises(HERE .. "write: name is a %a+, expected a string",
      function() cookie.write(wrong, "") end)
    tap.raises(HERE .. "write: value is a ",
      function() cookie.write("a", wrong) end)
    tap.raises(HERE .. "parse: text is a ",
      function() cookie.parse(wrong) end)
    for _, name in ipairs { "path", "domain", "max_age" } do
      tap.raises(HERE .. "write: " .. name .. " is a ",
        function() cookie.write("a", "b", { [name] = wrong }) end)
    end
  end
  for _, name in ipairs { "secure", "httponly" } do
    tap.raises(HERE .. "write: " .. name .. " is a string, expected a boolean",
      function() cookie.write("a", "b", { [name] = "no" }) end)
  end
  for _, samesite in ipairs { "lax", "", true, 1 } do
    tap.raises(HERE .. 'write: samesite is .*, expected "Lax", "Strict"',
      function() cookie.write("a", "b", { samesite = samesite }) end)
  end
  tap.raises(HERE .. "write: max_age is 1.5, expected an integer",
    function() cookie.write("a", "b", { max_age = 1.5 }) end)
  tap.raises(HERE .. "write: value is nil",
    function() cookie.write("a") end)
  tap.raises(HERE .. "write: options is a string",
    function() cookie.write("a", "b", "Secure") end)
  tap.raises(HERE .. 'write: there is no option "http_only"',
    function() cookie.write("a", "b", { http_only = false }) end)
  tap.raises(HERE .. "write: there is no option a number",
    function() cookie.write("a", "b", { "Secure" }) end)
end)

tap.done()
