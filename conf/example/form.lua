-- What a browser sends when a form is submitted, and in the query string:
-- name=value&name=value, blanks as "+", other bytes as %XX.

local form = {}

local function decode(text)
    text = text:gsub("+", " ")
    return (text:gsub("%%(%x%x)", function(hex)
        return string.char(tonumber(hex, 16))
    end))
end

-- A table name -> value; of a name that comes twice, the last value.
function form.parse(text)
    local fields = {}
    for name, value in text:gmatch("([^&=]+)=([^&]*)") do
        fields[decode(name)] = decode(value)
    end
    return fields
end

-- The fields of a POST, or nil and the HTTP status that says what is wrong.
-- The body is read here and nowhere else, and never more of it than `limit`:
-- how much a client sends is the client's choice, how much is kept is ours.
function form.read(env, limit)
    local kind = (env.CONTENT_TYPE or ""):match("^[^;%s]*"):lower()
    if kind ~= "application/x-www-form-urlencoded" then
        return nil, 415
    end
    local body = env.input:read(limit + 1) or ""
    if #body > limit then
        return nil, 413
    end
    return form.parse(body)
end

-- Does the form come from one of our own pages?  Browsers say with every
-- POST where it came from, so another site cannot post in a visitor's name.
function form.is_ours(env)
    local origin = env.HTTP_ORIGIN
    return origin == nil or origin:match("^%a+://(.*)$") == env.HTTP_HOST
end

return form
