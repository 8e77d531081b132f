-- What the pool of the installed configuration serves until an application of
-- yours stands in its place: one page, which knows nothing of who asks.

local page = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>lua-fpm works</title>
</head>
<body>
<h1>lua-fpm works</h1>
<p>The web server reaches this pool. To serve an application of yours, name it
in the configuration, <code>lua-fpm.conf</code>, and reload;
<code>man lua-fpm</code> says what an application is.</p>
</body>
</html>
]]

local app = {}

function app.accept()
    return {
        Status = 200,
        ["Content-Type"] = "text/html; charset=utf-8",
        ["Content-Security-Policy"] = "default-src 'none'",
    }, page
end

return app
