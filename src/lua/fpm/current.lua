-- What the library's own modules ask about the request that is being served,
-- where they are not given its env.

local found, core = pcall(require, "fpm.core.current")

local current = {
  env = nil, ---@type table? of a request that is made by hand (fpm.test)
}

-- True if the web server took these parameters over TLS.
---@param https string?
---@param scheme string?
---@return boolean
function current.is_https(https, scheme)
  if https ~= nil and https ~= "" then
    return https:lower() ~= "off"
  end
  return scheme ~= nil and scheme:lower() == "https"
end

-- False if the request that is being served came over http; true if it came
-- over https, or if there is no request.
---@return boolean
function current.https()
  local https, scheme
  if current.env then
    https, scheme = current.env.HTTPS, current.env.REQUEST_SCHEME
  elseif found and core.serving() then
    https, scheme = core.param("HTTPS"), core.param("REQUEST_SCHEME")
  else
    return true
  end
  return current.is_https(https, scheme)
end

return current
