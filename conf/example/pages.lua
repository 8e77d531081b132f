-- Every page of the site: values in, a whole page out.  No request is known
-- here and nothing is decided; app.lua does that.

local html = require "html"

local pages = {}

local links = {
    { path = "/", label = "Home" },
    { path = "/notes", label = "Guest book" },
    { path = "/chat", label = "Chat" },
    { path = "/primes", label = "Streaming" },
    { path = "/request", label = "Request" },
    { path = "/worker", label = "Worker" },
}

local head = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · lua-fpm</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<p class="brand">lua-fpm <span>example application</span></p>
<nav aria-label="Pages"><ul>{links}</ul></nav>
</header>
<main id="main">
<h1>{title}</h1>
]]

local foot = [[
</main>
<footer>
<p>Answered by worker <strong>{pid}</strong>, its request number
<strong>{served}</strong>.</p>
</footer>
</body>
</html>
]]

local function navigation(current)
    local items = {}
    for i, link in ipairs(links) do
        items[i] = html('<li><a href="{path}"{mark}>{label}</a></li>', {
            path = link.path,
            label = link.label,
            mark = html(link.path == current and ' aria-current="page"' or ""),
        })
    end
    return items
end

-- The part of a page before its content, as a string.
function pages.head(title, current)
    return tostring(html(head, { title = title, links = navigation(current) }))
end

-- And the part after it.
function pages.foot(worker)
    return tostring(html(foot, worker))
end

local function page(title, current, worker, content)
    return pages.head(title, current) .. tostring(content) ..
        pages.foot(worker)
end

function pages.home(worker, message)
    return page("Lua behind a web server", "/", worker, html([[
<p class="lead">This page was made by a Lua table with a function in it,
<code>accept(env)</code>. The request came over HTTP, or from a web server over
FastCGI; a pool of workers, kept by lua-fpm, shares the work.</p>
<section aria-labelledby="words">
<h2 id="words">Words from a file</h2>
<blockquote><p>{text}</p></blockquote>
<p class="note">Read by worker {pid} at {read_at}, and again at every reload.</p>
</section>
<section aria-labelledby="look">
<h2 id="look">Things to look at</h2>
<dl class="cards">
<div><dt><a href="/notes">Guest book</a></dt>
<dd>A form, its checks, a redirect after the post, and notes that every worker
sees.</dd></div>
<div><dt><a href="/chat">Chat</a></dt>
<dd>WebSockets: open it in two windows, or on your telephone.</dd></div>
<div><dt><a href="/primes">Streaming</a></dt>
<dd>A response that is sent while it is still being worked out.</dd></div>
<div><dt><a href="/request?colour=green&amp;size=7">Request</a></dt>
<dd>All that the web server tells the application.</dd></div>
<div><dt><a href="/worker">Worker</a></dt>
<dd>A worker’s own variables live from request to request.</dd></div>
<div><dt><a href="/error">Error</a></dt>
<dd>What happens when the application raises one: a 500, the traceback in the
log, and here too while the pool has develop = true.</dd></div>
<div><dt><a href="/no/such/page">Nothing</a></dt>
<dd>The page for what is not there.</dd></div>
</dl>
</section>
]], {
        text = message.text,
        read_at = os.date("%H:%M:%S", message.read_at),
        pid = worker.pid,
    }))
end

local function problem_of(draft)
    if not draft.problem then
        return html("")
    end
    return html('<p class="problem" role="alert" id="problem">{text}</p>',
        { text = draft.problem })
end

local function notes_list(notes)
    if #notes == 0 then
        return html('<p class="note">Nobody has written yet.</p>')
    end
    local items = {}
    for i, note in ipairs(notes) do
        items[i] = html([[
<li><article>
<p class="text">{text}</p>
<p class="note">{name}, <time datetime="{iso}">{shown}</time></p>
</article></li>
]], {
            text = note.text,
            name = note.name,
            iso = os.date("!%Y-%m-%dT%H:%M:%SZ", note.time),
            shown = os.date("%d %B %Y, %H:%M", note.time),
        })
    end
    return html('<ol class="notes" reversed>{items}</ol>', { items = items })
end

-- `draft` is what the visitor wrote and what is wrong with it, if anything.
function pages.notes(worker, notes, shared, draft)
    return page("Guest book", "/notes", worker, html([[
<form method="post" action="/notes" accept-charset="utf-8">
{problem}
<label for="name">Name</label>
<input id="name" name="name" value="{name}" maxlength="{max_name}"
 autocomplete="name" required>
<label for="text">Note</label>
<textarea id="text" name="text" rows="4" maxlength="{max_text}"
 required>{text}</textarea>
<button type="submit">Leave the note</button>
</form>
<p class="note">{where}</p>
<section aria-labelledby="all">
<h2 id="all">Notes</h2>
{list}
</section>
]], {
        problem = problem_of(draft),
        name = draft.name or "",
        text = draft.text or "",
        max_name = draft.max_name,
        max_text = draft.max_text,
        where = shared and
            "Notes are in a file: every worker sees them." or
            "Notes are in the memory of this worker: another one does not " ..
            "know them, and they go when it leaves.",
        list = notes_list(notes),
    }))
end

local function chat_list(messages)
    local items = {}
    for i, message in ipairs(messages) do
        local time = math.tointeger(message.time)
        items[i] = html([[
<li data-number="{number}" data-name="{name}">
<p class="note"><bdi>{name}</bdi> <time datetime="{iso}">{shown}</time></p>
<p class="text" dir="auto">{text}</p>
</li>
]], {
            number = message.number,
            name = message.name,
            text = message.text,
            iso = os.date("!%Y-%m-%dT%H:%M:%SZ", time),
            shown = os.date("%H:%M", time),
        })
    end
    return items
end

-- The page is whole without its script, which only adds what comes while one
-- looks at it: chat.js shows what is hidden here, and fills it.
function pages.chat(worker, messages, count, draft)
    return page("Chat", "/chat", worker, html([[
<div class="chat">
<div>
<div class="log" id="log" role="log" aria-label="Messages" tabindex="0">
<ol class="messages" id="messages">{list}</ol>
</div>
<form method="post" action="/chat" accept-charset="utf-8" id="say">
{problem}
<p class="problem" role="alert" id="trouble" hidden></p>
<div class="fields">
<div><label for="name">Name</label>
<input id="name" name="name" value="{name}" maxlength="{max_name}"
 autocomplete="nickname" required></div>
<div><label for="text">Message</label>
<input id="text" name="text" value="{text}" maxlength="{max_text}"
 autocomplete="off" enterkeyhint="send" required></div>
<button type="submit">Send</button>
</div>
</form>
</div>
<aside>
<p class="state" role="status" id="state">Not live: reload the page to see
what is new.</p>
<section aria-labelledby="counted">
<h2 id="counted">Counter</h2>
<p class="count"><output id="count">{count}</output>
<button type="button" id="raise" aria-label="Add one" hidden>+1</button></p>
</section>
<section aria-labelledby="who" id="present" hidden>
<h2 id="who">Here <small id="how-many"></small></h2>
<ul class="people" id="people"></ul>
</section>
</aside>
</div>
<p class="note" id="why" hidden>No WebSocket could be opened. Where this page
comes over FastCGI, which cannot carry them, give the pool an address for HTTP
as well, <code>listen = ( "/run/lua-fpm/www.sock", "http:127.0.0.1:8081" )</code>,
and let the web server hand <code>/chat/socket</code> to that one:
lua-fpm-websocket(7) shows how. Until then messages are sent all the same, and
those of others are here after a reload of the page.</p>
<p class="note">The last 100 messages are kept for a day at most, in memory that
all workers of this pool share: a worker may go and come, this page does not
notice. They are gone when lua-fpm is stopped.</p>
<script src="/chat.js" defer></script>
]], {
        list = chat_list(messages),
        count = count,
        problem = problem_of(draft),
        name = draft.name or "",
        text = draft.text or "",
        max_name = draft.max_name,
        max_text = draft.max_text,
    }))
end

function pages.closed_chat(worker)
    return page("Chat", "/chat", worker, html([[
<p>The workers of this pool need a place for what they share. Give them one:</p>
<dl>
<dt>in the configuration of the pool</dt>
<dd><code>shared: { chat = "1M"; };</code></dd>
<dt>on the command line</dt>
<dd><code>lua-fpm --shared chat=1M app.lua</code></dd>
</dl>
]]))
end

local function table_of(rows)
    local items = {}
    for i, row in ipairs(rows) do
        items[i] = html([[
<tr><th scope="row">{name}</th><td>{value}</td></tr>
]], row)
    end
    return html([[
<div class="wide" tabindex="0" role="region" aria-label="{caption}">
<table><caption>{caption}</caption>
<thead><tr><th scope="col">Name</th><th scope="col">Value</th></tr></thead>
<tbody>{items}</tbody></table>
</div>
]], { caption = rows.caption, items = items })
end

function pages.request(worker, parameters, query)
    return page("Request", "/request", worker, html([[
<p>The web server hands every request over as a table of parameters; header
fields of the client are those that begin with <code>HTTP_</code>.</p>
{query}
{parameters}
]], { parameters = table_of(parameters), query = table_of(query) }))
end

function pages.worker(worker, facts)
    return page("Worker", "/worker", worker, html([[
<p>Each worker is a process with a Lua state of its own. What the application
keeps in a variable stays there until the worker leaves; no other worker sees
it. Load this page a few times: quick requests often meet the same worker.</p>
{facts}
]], { facts = table_of(facts) }))
end

local texts = {
    [400] = "This request cannot be understood.",
    [403] = "This form was not sent from one of our pages.",
    [404] = "There is nothing here.",
    [405] = "This page does not do that.",
    [408] = "The form did not come in time.",
    [413] = "That is more than fits on a page of the guest book.",
    [415] = "The guest book understands plain forms only.",
    [503] = "The note could not be kept. Please try again later.",
}

function pages.failure(worker, status, path)
    return page(texts[status], nil, worker, html([[
<p>Status {status} for <code>{path}</code>.</p>
<p><a href="/">Back to the first page</a></p>
]], { status = status, path = path }))
end

return pages
