-- HTML.  See fpm.html(3lua).

local found, core = pcall(require, "fpm.core.text")
if not found then
  core = require "fpm.text_plain"
end

---@class fpm.html
local html = {}

-- The text as it has to stand in a page to be seen as it is: between tags, and
-- in the value of an attribute, which must be quoted.  Not in a script, a
-- style, or an attribute that is one (onclick, href with a scheme of the
-- visitor's).
--
--     html.escape("<b> & \"c\"")     --> &lt;b&gt; &amp; &quot;c&quot;
---@type fun(text: string|number): string
html.escape = core.escape

return html
