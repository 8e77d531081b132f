-- fpm.url and fpm.html: the examples of RFC 3986, every byte, wrong arguments.

local tap = require "tap"
local html = require "fpm.html"
local url = require "fpm.url"

tap.test("encode leaves what is unreserved, and nothing else", function()
  for byte = 0, 255 do
    local text = string.char(byte)
    tap.equal(text:find("[A-Za-z0-9%-._~]") and text
      or ("%%%02X"):format(byte), url.encode(text))
    tap.equal(text, url.decode(url.encode(text)))
  end
  tap.equal("", url.encode(""))
  tap.equal("42", url.encode(42))
  tap.equal("%00x%00", url.encode("\0x\0"))
end)

tap.test("decode takes both cases, and plus only if asked", function()
  tap.equal("/\xe4/", url.decode("%2f%E4%2F"))
  tap.equal("\xab\xab\xab\xab", url.decode("%ab%aB%Ab%AB"))
  tap.equal("a+b", url.decode("a+b"))
  tap.equal("a b+", url.decode("a+b%2b", true))
  tap.equal("%41", url.decode("%2541"))
  tap.equal("", url.decode(""))
end)

tap.test("decode refuses what is no escape, and says where", function()
  for text, at in pairs {
    ["%"] = 1, ["%4"] = 1, ["%zz"] = 1, ["a%20%2"] = 5, ["%%41"] = 1,
    ["%41%4g"] = 4, ["%4\0"] = 1, ["% 41"] = 1, ["%0x1"] = 1,
    ["%-1"] = 1, ["100%"] = 4,
  } do
    local decoded, message = url.decode(text)
    tap.equal(nil, decoded)
    tap.equal("malformed percent escape at byte " .. at, message)
  end
  local many = ("%41"):rep(100000)
  tap.equal(("A"):rep(100000), url.decode(many))
  tap.equal(nil, url.decode(many .. "%4"))
end)

-- RFC 3986, 5.4, beside http://a/b/c/d;p?q
local references = {
  { "g:h", "g:h" }, { "g", "http://a/b/c/g" }, { "./g", "http://a/b/c/g" },
  { "g/", "http://a/b/c/g/" }, { "/g", "http://a/g" }, { "//g", "http://g" },
  { "?y", "http://a/b/c/d;p?y" }, { "g?y", "http://a/b/c/g?y" },
  { "#s", "http://a/b/c/d;p?q#s" }, { "g#s", "http://a/b/c/g#s" },
  { "g?y#s", "http://a/b/c/g?y#s" }, { ";x", "http://a/b/c/;x" },
  { "g;x", "http://a/b/c/g;x" }, { "g;x?y#s", "http://a/b/c/g;x?y#s" },
  { "", "http://a/b/c/d;p?q" }, { ".", "http://a/b/c/" },
  { "./", "http://a/b/c/" }, { "..", "http://a/b/" },
  { "../", "http://a/b/" }, { "../g", "http://a/b/g" },
  { "../..", "http://a/" }, { "../../", "http://a/" },
  { "../../g", "http://a/g" }, { "../../../g", "http://a/g" },
  { "../../../../g", "http://a/g" }, { "/./g", "http://a/g" },
  { "/../g", "http://a/g" }, { "g.", "http://a/b/c/g." },
  { ".g", "http://a/b/c/.g" }, { "g..", "http://a/b/c/g.." },
  { "..g", "http://a/b/c/..g" }, { "./../g", "http://a/b/g" },
  { "./g/.", "http://a/b/c/g/" }, { "g/./h", "http://a/b/c/g/h" },
  { "g/../h", "http://a/b/c/h" }, { "g;x=1/./y", "http://a/b/c/g;x=1/y" },
  { "g;x=1/../y", "http://a/b/c/y" }, { "g?y/./x", "http://a/b/c/g?y/./x" },
  { "g?y/../x", "http://a/b/c/g?y/../x" },
  { "g#s/./x", "http://a/b/c/g#s/./x" },
  { "g#s/../x", "http://a/b/c/g#s/../x" }, { "http:g", "http:g" },
}

tap.test("join does what RFC 3986, 5.4 says", function()
  for _, pair in ipairs(references) do
    tap.equal(pair[2], url.join("http://a/b/c/d;p?q", pair[1]))
  end
end)

tap.test("join with a base that is a path, or has none", function()
  for _, case in ipairs {
    { "http://a", "b", "http://a/b" }, { "http://a?q", "b", "http://a/b" },
    { "/a/b", "c", "/a/c" }, { "a/b", "c", "a/c" }, { "a", "../../c", "c" },
    { "", "c", "c" }, { "/a/", "../..", "/" }, { "/", "", "/" },
    { "/a//b", "c", "/a//c" }, { "http://a/b?", "#", "http://a/b?#" },
    { "/a", ".//b", "/.//b" }, { "a", "./b:c", "./b:c" },
    { "http://a/", "?", "http://a/?" }, { "/a/b/", "..//c", "/a//c" },
  } do
    tap.equal(case[3], url.join(case[1], case[2]))
  end
  tap.equal("http://a/" .. ("b/"):rep(10000) .. "c",
    url.join("http://a/" .. ("b/"):rep(10000), ("x/../"):rep(10000) .. "c"))
end)

tap.test("query: names in order, pairs first, several values", function()
  tap.equal("", url.query {})
  tap.equal("a=1&b=2&c=", url.query { c = "", b = 2, a = 1 })
  tap.equal("z=&a=x&a=y&b=1.5", url.query { { "z", "" }, { "a", { "x", "y" } },
    b = 1.5, none = {} })
  tap.equal("%26%3D=%3D%26%2B", url.query { ["&="] = "=&+" })
end)

tap.test("escape changes five bytes", function()
  for byte = 0, 255 do
    local text = string.char(byte)
    local wanted = ({ ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
      ['"'] = "&quot;", ["'"] = "&#39;" })[text] or text
    tap.equal("a" .. wanted .. "b", html.escape("a" .. text .. "b"))
  end
  tap.equal("", html.escape(""))
  tap.equal("1.5", html.escape(1.5))
  tap.equal(("&lt;"):rep(100000), html.escape(("<"):rep(100000)))
end)

tap.test("a wrong argument is named, at the place of the call", function()
  local here = "^.-tests/lua/url%.lua:%d+: fpm%."
  for _, wrong in ipairs { {}, true, print, false } do
    tap.raises(here .. "url%.encode: text is a %a+, expected a string",
      function() url.encode(wrong) end)
    tap.raises(here .. "url%.decode: text is a ",
      function() url.decode(wrong) end)
    tap.raises(here .. "url%.join: base is a ",
      function() url.join(wrong, "") end)
    tap.raises(here .. "url%.join: reference is a ",
      function() url.join("", wrong) end)
    tap.raises(here .. "html%.escape: text is a ",
      function() html.escape(wrong) end)
  end
  tap.raises(here .. "url%.query: fields is nil",
    function() url.query() end)
  tap.raises(here .. 'url%.query: fields%["a"%] is a boolean',
    function() url.query { a = true } end)
  tap.raises(here .. 'url%.query: fields%["a"%]%[2%] is a table',
    function() url.query { a = { 1, {} } } end)
  tap.raises(here .. "url%.query: fields%[1%] is a string, expected a table",
    function() url.query { "a" } end)
  tap.raises(here .. 'url%.query: fields%["a"%] is nil',
    function() url.query { { "a" } } end)
  tap.raises(here .. "url%.query: fields%[1%]%[1%] is a boolean",
    function() url.query { { true, "a" } } end)
  tap.raises(here .. "url%.query: fields has a key that is a boolean",
    function() url.query { [true] = 1 } end)
  tap.raises(here .. "url%.query: fields has a key that is a number",
    function() url.query { [7] = { "a", "b" } } end)
end)

tap.done()
