-- HTML.  See fpm.html(3lua).

local check = require "fpm.check"

---@class fpm.html
local html = {}

local entities = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
  ['"'] = "&quot;", ["'"] = "&#39;",
}

-- The text as it has to stand in a page to be seen as it is: between tags, and
-- in the value of an attribute, which must be quoted.  Not in a script, a
-- style, or an attribute that is one (onclick, href with a scheme of the
-- visitor's).
--
--     html.escape("<b> & \"c\"")     --> &lt;b&gt; &amp; &quot;c&quot;
---@param text string|number
---@return string
function html.escape(text)
  text = check.text("fpm.html.escape", "text", text)
  return (text:gsub("[&<>\"']", entities))
end

return html
