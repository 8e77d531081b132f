-- What bench/hello.c says, through lua-fpm.
local app = {}

function app.accept()
	return { ["Content-Type"] = "text/html" }, "<h1>Hello</h1>\n"
end

return app
