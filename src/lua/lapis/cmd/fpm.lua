-- For the program lapis: what config.server = "fpm" means.  See fpm.lapis(3lua).

local fpm = { type = "fpm" }

-- The path of the application's file.  It has to be one that lua-fpm can be
-- given: Lua, or else MoonScript.
local function find_file(module)
  local path = package.path
  local file, why = package.searchpath(module, path)
  return file or package.searchpath(module, (path:gsub("%.lua", ".moon"))),
    why
end

local function quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

--- The command of the shell that serves an application in the foreground, by
--- FastCGI on `bind_host` (default 127.0.0.1) and `port` of the configuration,
--- with `num_workers` and with whatever words of a command line `fpm_options`
--- lists, such as { "-u", "www-data" }.
---@param config table as lapis.config has it
---@param environment string its name
---@return string? command
---@return string address, or why there is no command
function fpm.command(config, environment)
  local module = config.default_app_module or "app"
  local file, why = find_file(module)
  if not file then
    return nil, ("module %q not found:%s"):format(module, why)
  end
  local address = ("%s:%s"):format(config.bind_host or "127.0.0.1",
    config.port)
  local words = { "lua-fpm", "-i", "lapis", "-l", quote(address) }
  local workers = tonumber(config.num_workers) -- or "auto"
  if workers then
    words[#words + 1] = ("-n %d"):format(workers)
  end
  for _, word in ipairs(config.fpm_options or {}) do
    words[#words + 1] = quote(word)
  end
  words[#words + 1] = quote(file)
  return ("LAPIS_ENVIRONMENT=%s PATH=\"$PATH:/usr/local/sbin:/usr/sbin\" " ..
    "exec %s"):format(quote(environment), table.concat(words, " ")), address
end

return fpm
