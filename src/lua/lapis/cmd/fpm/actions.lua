-- For the program lapis: what `lapis server` does where config.server is "fpm".

local fpm = require "lapis.cmd.fpm"

local actions = {}

-- `lapis new` makes what OpenResty or cqueues need; here is nothing to make.
function actions.new()
end

--- `lapis server [ENVIRONMENT]`: serve until it is interrupted.
---@param runner table of lapis.cmd.actions
---@param args table
function actions.server(runner, args)
  local environment = args.environment
  local config = require("lapis.config").get(environment)
  local command, address = fpm.command(config, environment)
  if not command then
    return runner:fail_with_message(address)
  end
  print(("lua-fpm takes FastCGI on %s (nginx: fastcgi_pass %s;)"):format(
    address, address))
  local good, how, code = os.execute(command)
  if not good and how == "exit" then
    runner:fail_with_message(("lua-fpm ended with code %d"):format(code))
  end
end

return actions
