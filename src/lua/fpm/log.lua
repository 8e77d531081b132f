-- Lines for the error log, of the levels of log_level: debug, info, notice,
-- warning, error.  A line names the pool, the process and, in a request, that;
-- one of error is for the web server too if errors_to_server says so.  Without
-- the daemon it goes to standard error.

local has_core, core = pcall(require, "fpm.core.worker")

-- Without the daemon everything is logged.
if not has_core then
  core = {
    logs = function()
      return true
    end,
    log = function(level, text)
      io.stderr:write(level, ": ", text, "\n")
    end,
  }
end

---@class fpm.log
local log = {}

local function write(level, ...)
  if not core.logs(level) then
    return
  end
  local parts = table.pack(...)
  for i = 1, parts.n do
    parts[i] = tostring(parts[i])
  end
  core.log(level, table.concat(parts))
end

-- Write a line: the values one after the other, as by tostring, which is not
-- called if log_level leaves the line out.  A line break is shown as \n, so that
-- one call is one line.
--
--     log.notice("cache: ", hits, " of ", asked)
---@param ... any
function log.debug(...)
  write("debug", ...)
end

-- As log.debug, of the level info.
---@param ... any
function log.info(...)
  write("info", ...)
end

-- As log.debug, of the level notice.
---@param ... any
function log.notice(...)
  write("notice", ...)
end

-- As log.debug, of the level warning.
---@param ... any
function log.warning(...)
  write("warning", ...)
end

-- As log.debug, of the level error.
---@param ... any
function log.error(...)
  write("error", ...)
end

return log
