-- The body of a request as Moonbridge's applications read it: whole, in pieces
-- as it comes, or as a form whose fields and files may be streamed each.  For
-- fpm.moonbridge.
--
-- `state` is what moonbridge_request keeps of a request: env, settings, phase
-- and failure are used here, and `body`, which is a table of this module.

local form = require "fpm.form"
local params = require "fpm.moonbridge_params"

local body = {}

local MOST_PARTS = 1000 -- fields, and files
local MOST_HELD = 64 << 20 -- bytes of parts that nobody streams, all together

-- End the request with that status: raises, and what has not been sent of a
-- response never is.
local function fail(state, status, message)
  state.failure = { status = status, message = message }
  state.phase = "faulty"
  error(("the body of the request cannot be read: %d, %s"):format(status,
    message), 0)
end

-- The body of a request that has not been read.
---@param env table
---@return table
function body.new(env)
  local kind = rawget(env, "CONTENT_TYPE")
  kind = kind and kind ~= "" and kind:lower()
  return {
    begun = false, -- to be read
    streamers = nil, -- a field -> who streams it; and { pattern, who } for some
    whole = nil, -- who streams all of it
    text = nil, -- all of it
    held = 0,
    urlencoded = kind and kind:find("^application/x%-www%-form%-urlencoded"),
    multipart = kind and kind:find("^multipart/form%-data"),
  }
end

-- What is announced of the body: its length, nil if it is not known; and 400 or
-- 413 with a message if it is refused.
---@param env table
---@param most number
---@return integer? length
---@return integer? status
---@return string? message
function body.announced(env, most)
  local text = rawget(env, "CONTENT_LENGTH")
  if text == nil or text == "" or text == "-1" then
    return nil
  elseif not text:find("^%d+$") then
    return nil, 400, "Content-Length is malformed"
  end
  local length = math.tointeger(tonumber(text)) or math.maxinteger
  if length > most then
    return nil, 413, "the announced body is too long"
  end
  return length
end

-- ---- reading -------------------------------------------------------------------

-- Call `take` with each piece.
local function pump(state, take)
  local input, length = state.env.input, state.length
  local most, size = state.settings.body_size_limit, state.settings.chunk_size
  local sum = 0
  local piece = input and input:read(size)
  while piece do
    sum = sum + #piece
    if sum > most then
      fail(state, 413, "the body is too long")
    end
    take(piece)
    piece = input:read(size)
  end
  if length and sum < length then
    fail(state, 400, "the body is shorter than announced")
  end
end

-- The whole body as a string; nil if it has been read otherwise.
---@param state table
---@return string?
function body.text(state)
  local own = state.body
  if own.text == nil and not own.begun then
    own.begun = true
    local pieces = {}
    pump(state, function(piece)
      pieces[#pieces + 1] = piece
    end)
    own.text = table.concat(pieces)
  end
  return own.text
end

-- ---- forms ---------------------------------------------------------------------

local function find_streamer(own, name)
  local streamers = own.streamers
  if not streamers then
    return nil
  elseif streamers.named[name] then
    return streamers.named[name]
  end
  for _, rule in ipairs(streamers.patterns) do
    if name:find(rule[1]) then
      return rule[2]
    end
  end
end

-- The first piece comes with the name and what is known of the part, even if it
-- is empty; the end is a call with nothing.
local function stream(state, part, take, about)
  local size = state.settings.chunk_size
  take(part:read(size) or "", part.name, about)
  for piece in function() return part:read(size) end do
    take(piece)
  end
  take()
end

local function hold(state, part, about)
  local own, pieces = state.body, {}
  for piece in function() return part:read() end do
    own.held = own.held + #piece
    if own.held > MOST_HELD then
      fail(state, 413, "the fields are too long together")
    end
    pieces[#pieces + 1] = piece
  end
  local values, abouts = own.post_params_list[part.name],
    own.post_metadata_list[part.name]
  values[#values + 1] = table.concat(pieces)
  abouts[#abouts + 1] = about
end

-- As an env has it, for a body that has been read already.
local function text_env(env, text)
  local at = 1
  return {
    CONTENT_TYPE = env.CONTENT_TYPE,
    CONTENT_LENGTH = tostring(#text),
    input = {
      read = function(_, n)
        local piece = text:sub(at, at + n - 1)
        at = at + #piece
        return piece ~= "" and piece or nil
      end,
    },
  }
end

local function read_form(state, env)
  local function take(part)
    local about = { file_name = part.filename, content_type = part.type }
    local streamer = find_streamer(state.body, part.name)
    if streamer then
      stream(state, part, streamer, about)
    else
      hold(state, part, about)
    end
    return true
  end
  local most = state.settings.body_size_limit
  local fields, status, message = form.read(env, {
    max_body = most < math.maxinteger and math.tointeger(most) or nil,
    max_fields = MOST_PARTS, max_files = MOST_PARTS,
    max_field = MOST_HELD, max_memory = MOST_HELD,
    utf8 = false, on_part = take, on_field = take,
  })
  if not fields then
    fail(state, status, message)
  end
  return fields
end

-- The body as a form, into the tables of a request; empty ones if it is none.
local function process_form(state)
  local own, env = state.body, state.env
  own.processed = true
  own.post_params_list, own.post_params = params.new()
  own.post_metadata_list, own.post_metadata = params.new()
  local text = own.text
  if own.urlencoded then
    text = body.text(state)
    if text and text ~= "" then
      own.post_params_list, own.post_params =
        params.of(read_form(state, text_env(env, text)))
    end
  elseif own.multipart and (text or not own.begun) then
    own.begun = true
    read_form(state, text and text_env(env, text) or env)
  end
end

-- Who streams fields: `named` has them by name, `patterns` is a list of pattern
-- and who.
---@param state table
---@return table
function body.streamers(state)
  local own = state.body
  own.streamers = own.streamers or { named = {}, patterns = {} }
  return own.streamers
end

-- ---- what a request has of it ----------------------------------------------------

-- True if somebody waits for the body who has not got it yet.
---@param state table
---@return boolean
function body.is_awaited(state)
  local own = state.body
  return not own.begun and (own.whole ~= nil or
    own.multipart ~= nil and own.streamers ~= nil)
end

-- Read the body for those who stream it, and a form into memory otherwise.
---@param state table
function body.process(state)
  local own = state.body
  if own.whole and not own.begun then
    own.begun = true
    pump(state, own.whole)
    own.whole()
  elseif not own.processed then
    process_form(state)
  end
end

-- post_params, post_params_list, post_metadata or post_metadata_list.
---@param state table
---@param name string
---@return table
function body.table(state, name)
  if not state.body.processed then
    process_form(state)
  end
  return state.body[name]
end

return body
