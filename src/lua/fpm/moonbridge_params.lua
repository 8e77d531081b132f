-- Tables of a request as Moonbridge's applications have them: parameters, of
-- which each name has a list of values, and headers.  For fpm.moonbridge.

local form = require "fpm.form"

local params = {}

-- ---- parameters ----------------------------------------------------------------

local function next_list(lists, name)
  local list
  repeat
    name, list = next(lists, name)
  until name == nil or #list > 0
  return name, list
end

-- A name that is not there has an empty list, which is kept, so that it may be
-- filled.
local Lists = {
  __index = function(lists, name)
    local list = {}
    rawset(lists, name, list)
    return list
  end,
  __pairs = function(lists)
    return next_list, lists, nil
  end,
}

-- The first values of these lists: name -> value.  A value that is set is the
-- only one then.
---@param lists table<string, table>
---@return table
local function first_of(lists)
  return setmetatable({}, {
    __index = function(_, name)
      local list = rawget(lists, name)
      return list and list[1]
    end,
    __newindex = function(_, name, value)
      lists[name] = { value }
    end,
    __pairs = function()
      return function(_, name)
        local list
        name, list = next_list(lists, name)
        return name, list and list[1]
      end, nil, nil
    end,
  })
end

-- An empty table of lists, and the table of their first values.
---@return table<string, table> lists
---@return table first
function params.new()
  local lists = setmetatable({}, Lists)
  return lists, first_of(lists)
end

-- The same of fields as fpm.form.query has them.
---@param fields table<string, string>
---@return table<string, string[]> lists
---@return table<string, string> first
function params.of(fields)
  local lists, first = params.new()
  for name in pairs(fields) do
    lists[name] = form.all(fields, name)
  end
  return lists, first
end

-- ---- headers -------------------------------------------------------------------

local function check_name(name)
  if type(name) ~= "string" then
    error(("the name of a header is a %s, expected a string"):format(
      type(name)), 4)
  end
  return name:lower()
end

-- A table by names in any case, whose values are made from the lower-case name
-- when they are first read; nil is not remembered.
local function by_name(make, each)
  return setmetatable({}, {
    __index = function(values, name)
      local lower = check_name(name)
      local value = rawget(values, lower)
      if value == nil then
        value = make(lower)
        rawset(values, lower, value)
      end
      return value
    end,
    __pairs = each and function(values)
      for name in pairs(each) do
        local _ = values[name]
      end
      return next, values, nil
    end,
  })
end

local function split(value)
  local list = {}
  for entry in (value or ""):gmatch("[^,]+") do
    entry = entry:match("^%s*(.-)%s*$")
    if entry ~= "" then
      list[#list + 1] = entry
    end
  end
  return list
end

-- The tables of headers, from env.headers.  What came several times is one text
-- there, joined by ", ".
---@param sent table<string, string> by lower-case name
---@return table<string, table> tables by the names of the fields of a request
function params.headers(sent)
  local tables = {}
  tables.headers = by_name(function(name)
    return { sent[name] }
  end, sent)
  tables.headers_csv_table = by_name(function(name)
    return split(sent[name])
  end, sent)
  tables.headers_csv_string = by_name(function(name)
    return sent[name] or ""
  end, sent)
  tables.headers_value = by_name(function(name)
    local list = tables.headers_csv_table[name]
    if #list > 1 then
      return false
    end
    return list[1]
  end, sent)
  tables.headers_flags = by_name(function(name)
    local flags = {}
    for _, entry in ipairs(tables.headers_csv_table[name]) do
      flags[entry:lower()] = true
    end
    return setmetatable(flags, {
      __index = function(_, entry)
        return rawget(flags, check_name(entry)) or false
      end,
    })
  end, sent)
  return tables
end

return params
