-- fpm.http: dates, redirects, what a client accepts.

local tap = require "tap"
local http = require "fpm.http"

local HERE = "^.-tests/lua/http%.lua:%d+: fpm%.http%."

tap.test("a date is written and read", function()
  tap.equal("Sun, 06 Nov 1994 08:49:37 GMT", http.date(784111777))
  tap.equal("Thu, 01 Jan 1970 00:00:00 GMT", http.date(0))
  tap.equal("Wed, 31 Dec 1969 23:59:59 GMT", http.date(-1))
  tap.equal("Wed, 31 Dec 1969 23:59:59 GMT", http.date(-0.5))
  tap.equal("Thu, 29 Feb 2024 12:00:00 GMT", http.date(1709208000))
  tap.equal("Fri, 31 Dec 9999 23:59:59 GMT", http.date(253402300799))
  tap.equal(784111777, http.parse_date("Sun, 06 Nov 1994 08:49:37 GMT"))
  tap.equal(784111777, http.parse_date("Sunday, 06-Nov-94 08:49:37 GMT"))
  tap.equal(784111777, http.parse_date("Sun Nov  6 08:49:37 1994"))
  tap.equal(253402300799, http.parse_date("Fri, 31 Dec 9999 23:59:59 GMT"))
  tap.equal(951868800, http.parse_date("Tue, 29 Feb 2000 23:59:60 GMT"))
  local now = os.time()
  tap.equal(true, math.abs(http.parse_date(http.date()) - now) <= 1)
end)

tap.test("every fifth day of 800 years, beside os.date", function()
  os.setlocale("C")
  for day = -146097, 146097, 5 do
    local time = day * 86400 + day % 86400
    local text = http.date(time)
    if text ~= os.date("!%a, %d %b %Y %H:%M:%S GMT", time) or
      http.parse_date(text) ~= time then
      error(text)
    end
  end
end)

tap.test("a year of two digits is at most 50 years ahead", function()
  local this = tonumber(os.date("!%Y"))
  for ahead, year in pairs { [0] = this, [50] = this + 50, [51] = this - 49,
    [99] = this - 1 } do
    local text = ("Monday, 01-Jan-%02d 00:00:00 GMT"):format(
      (this + ahead) % 100)
    tap.equal(("01 Jan %d"):format(year),
      http.date(http.parse_date(text)):sub(6, 16))
  end
end)

tap.test("what is no date is nil, and why", function()
  for _, text in ipairs {
    "", "now", "0", "784111777", "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
    "sun, 06 nov 1994 08:49:37 gmt", "Xxx, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Xxx 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
    " Sun, 06 Nov 1994 08:49:37 GMT", "Nov, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Sun 1994 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT\n", "Sun, 06 Nov 1994 08:49:37 GMT\0",
    "Sun Nov 06 08:49:37 94", ("9"):rep(100000),
  } do
    local time, why = http.parse_date(text)
    tap.equal(nil, time)
    tap.equal("not a date of HTTP", why)
  end
  for _, text in ipairs {
    "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 29 Feb 1900 08:49:37 GMT",
    "Sun Nov  0 08:49:37 1994",
  } do
    local time, why = http.parse_date(text)
    tap.equal(nil, time)
    tap.equal("there is no such date", why)
  end
  tap.equal("there is no date", (select(2, http.parse_date(nil))))
end)

tap.test("a redirect is a table of headers", function()
  tap.equal({ Status = 302, Location = "/a?b=c#d" },
    http.redirect("/a?b=c#d"))
  tap.equal({ Status = 308, Location = "https://[::1]:80/~a/;b,c:d@e!$&'()*+=" },
    http.redirect("https://[::1]:80/~a/;b,c:d@e!$&'()*+=", 308))
  local more = { ["Set-Cookie"] = "a=b" }
  tap.equal({ Status = 303, Location = "/", ["Set-Cookie"] = "a=b" },
    http.redirect("/", 303, more))
  tap.equal({ ["Set-Cookie"] = "a=b" }, more)
end)

tap.test("what is no part of a URL is encoded, what splits is refused",
  function()
    tap.equal("/%C3%BC%20%22%3C%3E%5C%5E%60%7B%7C%7D%2541%FF",
      http.redirect("/\xc3\xbc \"<>\\^`{|}%2541\xff").Location)
    for _, bytes in ipairs { "\r\nSet-Cookie: a=b", "\n", "\r", "\0", "\127",
      "\t" } do
      tap.raises(HERE .. "redirect: location has the byte 0x%x%x at byte 3$",
        function() http.redirect("/a" .. bytes) end)
    end
  end)

tap.test("ranges: the closest one counts, of equals the first offer",
  function()
    local rfc = "text/*;q=0.3, text/html;q=0.7, text/html;level=1, " ..
      "text/html;level=2;q=0.4, */*;q=0.5"
    for _, case in ipairs {
      { rfc, { "text/html;level=1", "text/html" }, "text/html;level=1" },
      { rfc, { "text/plain", "image/jpeg", "text/html;level=2" },
        "image/jpeg" },
      { rfc, { "text/plain", "text/html;level=2", "text/html;level=3" },
        "text/html;level=3" },
      { "text/html, */*;q=0", { "image/png", "text/html" }, "text/html" },
      { "text/html;q=0, */*", { "text/html", "image/png" }, "image/png" },
      { "text/html;q=0", { "text/html" }, nil },
      { "image/*", { "text/html", "a/b" }, nil },
      { "*/*", { "b/b", "a/a" }, "b/b" },
      { "a/a, b/b", { "b/b", "a/a" }, "b/b" },
      { "a/a;q=0.1, a/a;q=0.9, b/b;q=0.5", { "b/b", "a/a" }, "a/a" },
      { "TEXT/HTML;Charset=UTF-8", { "a/b", "text/html; charset=utf-8" },
        "text/html; charset=utf-8" },
      { "text/html;charset=utf-8", { "text/html" }, nil },
      { "text/html", { "text/html; charset=utf-8" },
        "text/html; charset=utf-8" },
      { 'a/b;x="1,2;q=0"', { "c/d", 'a/b;x="1,2;q=0"' }, 'a/b;x="1,2;q=0"' },
      { 'a/b;x="\\"\\,"', { "c/d", 'a/b;x="\\",\\""' }, nil },
      { "a/b;n=1", { "a/b" }, nil }, { "a/b;n=1", { "a/b;n=1" }, "a/b;n=1" },
      { "a/b ; q=0.5 ,\tc/d\t", { "a/b", "c/d" }, "c/d" },
      { "a/b;q=1.000;ext=1", { "a/b;ext=1" }, "a/b;ext=1" },
    } do
      tap.equal(case[3], http.negotiate(case[1], case[2]))
    end
  end)

tap.test("languages and codings", function()
  for _, case in ipairs {
    { "da, en-gb;q=0.8, en;q=0.7", { "en", "en-GB", "fr" }, "en-GB" },
    { "da, en-gb;q=0.8, en;q=0.7", { "fr", "en" }, "en" },
    { "de-AT", { "en", "de" }, "de" }, { "de", { "en", "de-AT" }, "de-AT" },
    { "de-DE", { "de-AT" }, nil }, { "d", { "de" }, nil },
    { "en, *;q=0.1", { "fr", "de" }, "fr" }, { "*;q=0", { "fr" }, nil },
    { "en;q=0, *", { "en-GB", "fr" }, "fr" },
    { "gzip, br;q=1.0, *;q=0.5", { "br", "gzip" }, "br" },
    { "gzip;q=0.5, deflate", { "br", "gzip" }, "gzip" },
    { "identity;q=0, *;q=0", { "gzip" }, nil },
  } do
    tap.equal(case[3], http.negotiate(case[1], case[2]))
  end
end)

tap.test("what cannot be understood is as if it were not there", function()
  for _, text in ipairs { "", ",", ",,, ,", ";", "a/b;q=2", "a/b;q=",
    "a/b;q=x", "a/b;q=-1", "a/b;q=0.1.1", "a/b;x", "a/b c/d", "a/b;q=1e0",
    "a/b;q=0x1", "a/b;;=", "a/b;q=1;q", ("a"):rep(100000) .. "=", "\0,",
    "a/b;q=0.5\0", 'c/d"a,b"', '"c/d, c/d;q=1"', "/", "*", "c/d=" } do
    tap.equal("a/b", http.negotiate(text .. ", a/b;q=0.1",
      { "c/d", "a/b" }) or text)
  end
  for _, text in ipairs { '"', '"a/b', 'a/b;x="', 'a/b;x="\\', 'a/b"',
    'a/b;x="\\"' } do
    tap.equal("c/d", http.negotiate(text, { "c/d", "a/b" }))
    tap.equal("c/d", http.negotiate(text .. ", a/b", { "c/d", "a/b" }))
  end
  tap.equal("c/d", http.negotiate(nil, { "c/d", "a/b" }))
  tap.equal("c/d", http.negotiate("", { "c/d", "a/b" }))
  tap.equal("a/b", http.negotiate("a/b;q=1;;, c/d;x", { "c/d", "a/b" }))
  tap.equal("a/b", http.negotiate('"c/d,", a/b', { "c/d", "a/b" }))
end)

tap.test("a flood costs no more than its length", function()
  local began = os.clock()
  for _, part in ipairs { '"\\', 'a;a="\\"', "a;;", "a,", ',"', ';a="',
    'a;a="', 'a;a=",', ' ', ';', '\\,"' } do
    http.negotiate(part:rep(200000 // #part), { "a/a" })
  end
  tap.equal(true, os.clock() - began < 10)
end)

tap.test("a wrong argument is named, at the place of the call", function()
  for _, wrong in ipairs { {}, true, print, false } do
    tap.raises(HERE .. "date: time is a %a+, expected a number",
      function() http.date(wrong) end)
    tap.raises(HERE .. "parse_date: text is a ",
      function() http.parse_date(wrong) end)
    tap.raises(HERE .. "redirect: location is a ",
      function() http.redirect(wrong) end)
    tap.raises(HERE .. "redirect: status is a ",
      function() http.redirect("/", wrong) end)
    tap.raises(HERE .. "negotiate: accept is a ",
      function() http.negotiate(wrong, { "a" }) end)
    tap.raises(HERE .. "negotiate: offers%[2%] is a ",
      function() http.negotiate("a", { "a", wrong }) end)
  end
  tap.raises(HERE .. "parse_date: text is a number",
    function() http.parse_date(0) end)
  tap.raises(HERE .. "redirect: headers is a boolean",
    function() http.redirect("/", 302, true) end)
  for _, status in ipairs { 200, 304, 305, 99, 1000, 302.5 } do
    tap.raises(HERE .. "redirect: status is ",
      function() http.redirect("/", status) end)
  end
  for _, time in ipairs { 0 / 0, 1 / 0, -1 / 0, 1e15, -1e15 } do
    tap.raises(HERE .. "date: time is .*, expected the years 0 to 9999",
      function() http.date(time) end)
  end
  tap.raises(HERE .. "negotiate: offers is nil",
    function() http.negotiate("a") end)
  tap.raises(HERE .. "negotiate: offers is empty",
    function() http.negotiate("a", {}) end)
  for _, offer in ipairs { "", ",", "a b", "a/b, c/d", "a;q", '"a"', "a\n" } do
    tap.raises(HERE .. "negotiate: offers%[1%] is \".*\", expected a media",
      function() http.negotiate("a", { offer }) end)
  end
end)

tap.done()
