"""The same three answers in Lua, in PHP, in Lua for uWSGI and for nginx.

hello      a short page
large      a string that was there before the request
length     how long the body of the request was: in Lua, as in C, it is read in
           pieces of 64 KB, elsewhere as a whole

bench/libfcgi.c has them in C.
"""

HELLO = b"<h1>Hello</h1>\n"

LUA = {
    "hello": """
local app = {}

function app.accept()
  return { ["Content-Type"] = "text/html" }, "<h1>Hello</h1>\\n"
end

return app
""",
    "large": """
local app, body = {}, ("x"):rep(SIZE)

function app.accept()
  return { ["Content-Type"] = "text/html" }, body
end

return app
""",
    "length": """
local app = {}

function app.accept(env)
  local n = 0
  for piece in env.input:lines(65536) do
    n = n + #piece
  end
  return { ["Content-Type"] = "text/html" }, n
end

return app
""",
}

# What stands outside of <?php is a constant that opcache holds.
PHP = {
    "hello": """<?php
header('Content-Type: text/html');
echo "<h1>Hello</h1>\\n";
""",
    "large": "<?php header('Content-Type: text/html'); ?>BODY",
    "length": """<?php
header('Content-Type: text/html');
echo strlen(file_get_contents('php://input'));
""",
}

# An iterator that ends in nil would be called for ever.
UWSGI = {
    "hello": """
return function()
  return 200, { ["Content-Type"] = "text/html", ["Content-Length"] = "15" },
    coroutine.wrap(function() coroutine.yield("<h1>Hello</h1>\\n") end)
end
""",
    "large": """
local body = ("x"):rep(SIZE)

return function()
  return 200, { ["Content-Type"] = "text/html" },
    coroutine.wrap(function() coroutine.yield(body) end)
end
""",
    "length": """
return function(env)
  local length = tostring(#env.input:read())
  return 200, { ["Content-Type"] = "text/html" },
    coroutine.wrap(function() coroutine.yield(length) end)
end
""",
}

NGINX = {
    "hello": """
ngx.header["Content-Type"] = "text/html"
ngx.header["Content-Length"] = 15
ngx.print("<h1>Hello</h1>\\n")
""",
}


def source(applications, answer, size):
    """The text of the one that gives this answer; size is that of a large."""
    text = applications[answer].replace("SIZE", str(size))
    return text.replace("BODY", "x" * size)
