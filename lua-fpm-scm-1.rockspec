-- The library for Lua without the daemon, for tests of applications and for
-- editors: luarocks make.

rockspec_format = "3.0"
package = "lua-fpm"
version = "scm-1"
source = {
  url = "git+https://example.org/lua-fpm.git",
}
description = {
  summary = "Library of the FastCGI process manager lua-fpm",
  detailed = [[
    What a web application in Lua needs beside its own code: URLs, HTML,
    cookies, dates, forms, and requests made by hand for its tests.  The
    process manager itself is built by ./bootstrap.
  ]],
  homepage = "https://example.org/lua-fpm",
  license = "MIT",
}
dependencies = {
  "lua ~> 5.4",
}
build = {
  type = "command",
  build_command = "",
  install_command = "mkdir -p '$(LUADIR)/fpm' && "
    .. "cp src/lua/fpm/*.lua '$(LUADIR)/fpm/' && "
    .. "mkdir -p '$(LUADIR)/lapis' && "
    .. "cp -R src/lua/lapis/cmd '$(LUADIR)/lapis/'",
}
