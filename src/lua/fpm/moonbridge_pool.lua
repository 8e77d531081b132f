-- What listen{} says of processes and intervals, against what the pool has: as
-- the keys of lua-fpm.conf(5) that would have it so.  For fpm.moonbridge.

local pool = {}

---@class fpm.moonbridge.pool
---@field mode "static"|"dynamic"|"ondemand"
---@field max integer workers
---@field start integer
---@field min_spare integer
---@field idle_timeout number seconds
---@field memory integer bytes of limits.memory, 0: none
---@field head integer bytes of limits.head
---@field timers? string[] their names; nil: not known

-- The name that a timer of lua-fpm.conf may have for an interval.
---@param name string
---@return string
function pool.timer_name(name)
  name = name:gsub("[^%w_-]", "-"):sub(1, 32)
  return name ~= "" and name or "-"
end

local function whole(value)
  return type(value) == "number" and value >= 0 and math.tointeger(value)
    or nil
end

-- The bounds that the listen{} gives, with Moonbridge's defaults for the others;
-- nil if it gives none.
local function bounds_of(listen)
  local pre, least, most = whole(listen.pre_fork), whole(listen.min_fork),
    whole(listen.max_fork)
  if not (pre or least or most) then
    return nil
  end
  local bounds = { given = { pre = pre, least = least, most = most } }
  bounds.pre = pre or 1
  bounds.least = least or math.max(bounds.pre, 2)
  bounds.most = math.max(most or math.max(bounds.least, 16), 1)
  bounds.least = math.min(bounds.least, bounds.most)
  return bounds
end

-- True if a pool with these keys keeps the bounds.
local function keeps(bounds, keys)
  local given = bounds.given
  local always = { static = keys.max, dynamic = keys.start, ondemand = 0 }
  local spare = { static = keys.max, dynamic = keys.min_spare, ondemand = 0 }
  if given.most and keys.max ~= bounds.most then
    return false
  elseif given.least and always[keys.mode] < bounds.least then
    return false
  end
  return not given.pre or spare[keys.mode] >= math.min(given.pre, keys.max)
end

local function workers_key(bounds)
  if bounds.least >= bounds.most then
    return ('workers: { mode = "static"; max = %d; };'):format(bounds.most)
  end
  local spare = math.max(1, math.min(bounds.pre, bounds.most))
  local start = math.max(spare, bounds.least)
  return ('workers: { mode = "dynamic"; max = %d; start = %d; ' ..
    'min_spare = %d; max_spare = %d; };'):format(bounds.most, start, spare,
      math.min(bounds.most, math.max(start, 3)))
end

local function size_text(bytes)
  for _, unit in ipairs { { "G", 30 }, { "M", 20 }, { "K", 10 } } do
    if bytes > 0 and bytes % (1 << unit[2]) == 0 then
      return ('"%d%s"'):format(bytes >> unit[2], unit[1])
    end
  end
  return ("%d"):format(bytes)
end

local function time_text(seconds)
  local ms = math.max(1, math.floor(seconds * 1000 + 0.5))
  return ms % 1000 == 0 and ('"%ds"'):format(ms // 1000)
    or ('"%dms"'):format(ms)
end

local function compare_listen(listen, keys, wanted)
  local bounds = bounds_of(listen)
  local memory = whole(listen.memory_limit)
  local idle = listen.idle_timeout
  if bounds and not keeps(bounds, keys) then
    table.insert(wanted, workers_key(bounds))
  end
  if keys.mode == "ondemand" and type(idle) == "number" and idle > 0 and
      idle ~= keys.idle_timeout then
    table.insert(wanted, ("workers: { idle_timeout = %s; };"):format(
      time_text(idle)))
  end
  if memory and memory ~= keys.memory then
    table.insert(wanted, ("limits: { memory = %s; };"):format(
      size_text(memory)))
  end
end

local function compare_intervals(intervals, timers, wanted)
  local there, missing = {}, {}
  for _, name in ipairs(timers or {}) do
    there[name] = true
  end
  for _, interval in ipairs(intervals) do
    if not there[interval.timer] then
      table.insert(missing, ('{ name = "%s"; every = %s; }'):format(
        interval.timer, time_text(math.max(interval.delay, 0.1))))
    end
  end
  if #missing > 0 then
    table.insert(wanted, ("timers: ( %s );"):format(
      table.concat(missing, ", ")))
  end
end

-- Lines about what differs, an empty list if nothing does.
---@param all table of fpm.moonbridge: each listen{}, web, intervals, mains
---@param keys? fpm.moonbridge.pool nil: nothing is known of the pool
---@return string[]
function pool.compare(all, keys)
  local lines, wanted = {}, {}
  if not keys then
    return lines
  end
  if all.web then
    compare_listen(all.web, keys, wanted)
  end
  compare_intervals(all.intervals, keys.timers, wanted)
  if #wanted > 0 then
    table.insert(lines, "the pool's own keys hold, not those of listen{}, " ..
      "which would be: " .. table.concat(wanted, " "))
  end
  for _, name in ipairs(all.mains) do
    table.insert(lines, ("the listener %s of listen{} is not run: what runs " ..
      'for ever (proto = "main") has to be a service of its own'):format(name))
  end
  return lines
end

return pool
