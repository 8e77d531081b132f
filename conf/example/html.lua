-- Markup that cannot be forgotten to be escaped.
--
--   html("<p>Hello {name}</p>", { name = anything })
--
-- puts values into a template.  A string or number is escaped, whatever it
-- contains; only what html() itself made goes in as it is.  A list is put in
-- item by item.

local escape = require("fpm.html").escape

local Markup = {}
Markup.__index = Markup

function Markup:__tostring()
    return self.text
end

local function render(value)
    if getmetatable(value) == Markup then
        return value.text
    elseif type(value) == "table" then
        local parts = {}
        for i, item in ipairs(value) do
            parts[i] = render(item)
        end
        return table.concat(parts)
    end
    return escape(tostring(value))
end

local function html(template, values)
    local text = template:gsub("{([%a_]+)}", function(name)
        local value = values and values[name]
        if value == nil then
            error("the template wants a value for {" .. name .. "}", 4)
        end
        return render(value)
    end)
    return setmetatable({ text = text }, Markup)
end

return html
