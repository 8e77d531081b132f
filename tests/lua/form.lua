-- Fields, files and bad input through fpm.form.  tests/run/form.py runs the same
-- in a worker, where the half in C does the work.

local tap = require "tap"
local form = require "fpm.form"

local URLENCODED = "application/x-www-form-urlencoded"
local MULTIPART = "multipart/form-data; boundary=XX"

-- A request whose body comes in pieces of at most that size.
local function request(kind, body, piece, length)
  local at = 1
  return { CONTENT_TYPE = kind, CONTENT_LENGTH = length,
    input = { read = function(_, n)
      if at > #body then
        return nil
      end
      local from = at
      at = at + math.min(n, piece or n)
      return body:sub(from, at - 1)
    end } }
end

local function part(head, content)
  return "--XX\r\n" .. head .. "\r\n\r\n" .. content .. "\r\n"
end

local function field(name, value)
  return part(('Content-Disposition: form-data; name="%s"'):format(name), value)
end

local function file(name, filename, content)
  return part(('Content-Disposition: form-data; name="%s"; filename="%s"\r\n' ..
    "Content-Type: text/plain"):format(name, filename), content)
end

local END = "--XX--\r\n"

local function read(body, options, piece)
  return form.read(request(MULTIPART, body, piece), options)
end

-- The form is refused with that status, and the message speaks of `pattern`.
local function refused(status, pattern, body, options)
  local fields, found, message = read(body, options)
  tap.equal({ status = status }, { fields = fields, status = found })
  tap.matches(pattern, message)
end

local function content(upload)
  upload.file:seek("set")
  return upload.file:read("a")
end

-- ---- query --------------------------------------------------------------------

tap.test("a query is split and decoded", function()
  tap.equal({ a = "b c", d = "é", e = "", f = "=", ["g h"] = "" },
    (form.query "a=b+c&d=%c3%A9&e=&f==&g%20h"))
  tap.equal({}, (form.query ""))
  tap.equal({}, (form.query "&&"))
  tap.equal({ [""] = "x" }, (form.query "=x&"))
  tap.equal({ ["a[]"] = "\0", b = ";c" }, (form.query "a[]=%00&b=;c"))
end)

tap.test("of a name that comes several times the last value counts", function()
  local fields = form.query "a=1&b=2&a=3&a=4"
  tap.equal({ a = "4", b = "2" }, fields)
  tap.equal({ "1", "3", "4" }, form.all(fields, "a"))
  tap.equal({ "2" }, form.all(fields, "b"))
  tap.equal({}, form.all(fields, "c"))
  fields.a = "mine"
  tap.equal({ "mine" }, form.all(fields, "a"))
  form.all(fields, "a")[1] = "a copy"
  tap.equal({ "mine" }, form.all(fields, "a"))
end)

tap.test("a malformed escape stays as it is, and is told", function()
  for text, value in pairs { ["%"] = "%", ["%4"] = "%4", ["%zz"] = "%zz",
      ["%%41"] = "%A", ["%4g%42"] = "%4gB", ["%+1"] = "% 1" } do
    local fields, fault = form.query("a=" .. text)
    tap.equal(value, fields.a)
    tap.equal("malformed percent escape", fault)
  end
  tap.equal(nil, select(2, form.query "a=%41"))
end)

tap.test("10,000 names that share their beginning and end take no time",
  function()
    local names, same = {}, ("x"):rep(3000)
    for i = 1, 10000 do
      names[i] = same:sub(1, 40) .. ("%05d"):format(i) .. same:sub(1, 40)
    end
    local began = os.clock()
    local fields = form.query(table.concat(names, "=1&"))
    tap.equal("", fields[names[10000]])
    tap.equal(true, os.clock() - began < 2)
    local twice = form.query(("a=1&"):rep(10000))
    tap.equal(10000, #form.all(twice, "a"))
    tap.equal(true, os.clock() - began < 4)
  end)

-- ---- urlencoded ---------------------------------------------------------------

tap.test("an urlencoded form, in pieces of any size", function()
  local body = "a=1&long=" .. ("%41+"):rep(20) .. "&a=2&&b"
  for piece = 1, #body do
    local fields, files = form.read(request(URLENCODED, body, piece))
    tap.equal({ a = "2", b = "", long = ("A "):rep(20) }, fields)
    tap.equal({ "1", "2" }, form.all(fields, "a"))
    tap.equal({}, files)
  end
  tap.equal({ a = "1" }, (form.read(request(
    "Application/X-WWW-Form-Urlencoded ; Charset=\"utf-8\"", "a=1"))))
  tap.equal({}, (form.read(request(URLENCODED, ""))))
end)

tap.test("an urlencoded form has its limits", function()
  local function status(body, options)
    local fields, found, message = form.read(request(URLENCODED, body),
      options)
    return fields and 200 or found, message
  end
  tap.equal(200, status(("a=1&"):rep(1000)))
  tap.equal(413, (status(("a=1&"):rep(1001))))
  tap.equal(200, status("a=" .. ("x"):rep(100), { max_field = 100 }))
  tap.equal(413, (status("a=" .. ("x"):rep(101), { max_field = 100 })))
  tap.equal(413, (status(("x"):rep(101), { max_field = 100 })))
  tap.equal(200, status("a=" .. ("%41"):rep(1 << 20)))
  tap.equal(413, (status(("x"):rep(5 << 20))))
  tap.equal(413, (status("a=1234&b=5678", { max_memory = 9 })))
  tap.equal(200, status("a=1234&b=5678", { max_memory = "10" }))
  tap.equal(413, (status("a=1234", { max_body = 5 })))
  tap.equal(200, status("a=1234", { max_body = 6 }))
  tap.equal(400, (status("a=%zz")))
  tap.equal(400, (status("a=%ff")))
  tap.equal(400, (status("%c3=1")))
  tap.equal(400, (status("a=%ed%a0%80")))
  tap.equal(200, status("a=%ff", { utf8 = false }))
  tap.equal(200, status("a=%f0%9f%98%80"))
end)

tap.test("another charset is taken as it comes", function()
  tap.equal({ a = "\xe9" }, (form.read(request(URLENCODED ..
    "; charset=iso-8859-1", "a=%e9"))))
end)

-- ---- lengths and types --------------------------------------------------------

tap.test("what is no form is 415", function()
  for _, kind in ipairs { "text/plain", "application/json", "",
      "multipart/mixed; boundary=XX", "x" } do
    local fields, status, message = form.read(request(kind, "a=1"))
    tap.equal(kind == "" and 400 or 415, status)
    tap.equal(nil, fields)
    tap.equal("string", type(message))
  end
  tap.equal(415, select(2, form.read(request(nil, "a=1"))))
end)

tap.test("CONTENT_LENGTH is checked before anything is read", function()
  local function status(length, body, options)
    local env = request(URLENCODED, body, nil, length)
    local fields, found = form.read(env, options)
    return fields and 200 or found
  end
  for _, length in ipairs { "-2", "1x", "0x10", " 1", "1.5", "+1" } do
    tap.equal(400, status(length, "a=1"))
  end
  tap.equal(413, status("1000", "a=1", { max_body = 999 }))
  tap.equal(413, status(("9"):rep(30), "a=1", { max_body = "9G" }))
  tap.equal(400, status(("9"):rep(30), "a=1"))
  tap.equal(400, status("9223372036854775807", "a=1"))
  tap.equal(400, status("4", "a=1"))
  for _, length in ipairs { "", "-1", "0", "3", 3 } do
    tap.equal(200, status(length, "a=1"))
  end
end)

tap.test("a body that comes too late is 408; other errors go through", function()
  local env = request(URLENCODED, "")
  env.input.read = function()
    error("request body: the client did not send it in time", 0)
  end
  tap.equal(408, select(2, form.read(env)))
  env = request(MULTIPART, "")
  env.input.read = function()
    error("request body: the client left", 0)
  end
  tap.raises("^request body: the client left$", form.read, env)
  tap.equal(400, select(2, form.read(env)))
end)

tap.test("the form is read once, and given as often as it is asked for",
  function()
    local env = request(URLENCODED, "a=1")
    local fields, files = form.read(env)
    local again, same = form.read(env)
    tap.equal(true, fields == again and files == same)
    env = request("text/plain", "")
    tap.equal(415, select(2, form.read(env)))
    tap.equal(415, select(2, form.read(env)))
  end)

-- ---- multipart ----------------------------------------------------------------

local BODY = "a preamble\r\n--X\r\n" .. field("a", "1") ..
  file("f", "one.txt", "\r\n--X\r\n\r\r\n--X-\n--XX\r--XX-\0") ..
  field("a", "") .. file("g", "", "") .. file("f", "C:\\dir\\two.txt", "") ..
  "--XX--trailing\r\n--XX\r\n"

tap.test("fields and files, split at each byte", function()
  for piece = 1, #BODY do
    local fields, files, message = read(BODY, nil, piece)
    tap.equal(nil, message)
    tap.equal({ a = "" }, fields)
    tap.equal({ "1", "" }, form.all(fields, "a"))
    tap.equal(2, #files)
    tap.equal(true, files.f == files[2])
    tap.equal(2, #form.all(files, "f"))
    tap.equal(nil, files.g)
    local one, two = files[1], files[2]
    tap.equal({ "f", "one.txt", "text/plain", 26 },
      { one.name, one.filename, one.type, one.size })
    tap.equal("\r\n--X\r\n\r\r\n--X-\n--XX\r--XX-\0", one.file:read("a"))
    tap.equal({ "two.txt", 0, "" },
      { two.filename, two.size, two.file:read("a") })
    one.file:close()
    two.file:close()
  end
end)

tap.test("an empty form, and parts without content", function()
  tap.equal({}, (read(END)))
  tap.equal({}, (read("\r\n" .. END)))
  tap.equal({ a = "", b = "" }, (read('--XX\r\nContent-Disposition: ' ..
    'form-data; name=a\r\n\r\n--XX \t\r\nContent-Disposition: form-data;' ..
    '\r\n name=b\r\n\r\n\r\n--XX--')))
end)

tap.test("a boundary may be quoted and have 70 bytes, not 71", function()
  local function status(kind, boundary)
    local fields, found = form.read(request("multipart/form-data; " .. kind,
      "--" .. boundary .. "--"))
    return fields and 200 or found
  end
  local long = ("x"):rep(70)
  tap.equal(200, status("boundary=" .. long, long))
  tap.equal(400, status("boundary=" .. long .. "x", long .. "x"))
  tap.equal(200, status('charset=utf-8; Boundary="a b:c=?"', "a b:c=?"))
  tap.equal(200, status("boundary=----=_Part_1.2; x=y", "----=_Part_1.2"))
  for _, kind in ipairs { "boundary=", "", 'boundary=""', 'boundary="a',
      'boundary="a "', "boundary=a; boundary=b", 'boundary="a\r\n"',
      "boundary=a\0b", "boundary", "boundary=é" } do
    tap.equal(400, status(kind, "a"))
  end
end)

tap.test("names: quoted, bare, with escapes, by RFC 5987", function()
  local function names(disposition)
    local nothing, status_of_it = read(part(
      "CONTENT-DISPOSITION :form-data" .. disposition, "x") .. END)
    tap.equal(nil, nothing)
    tap.equal(400, status_of_it)
    local fields, files, message = read(part(
      "CONTENT-Disposition:\tForm-Data" .. disposition, "x") .. END)
    tap.equal(nil, message)
    local upload = files[1]
    return upload and upload.name or next(fields), upload and upload.filename
  end
  local function same(wanted, ...)
    tap.equal(wanted, { names(...) })
  end
  same({ "a b" }, '; name="a b"')
  same({ "a" }, ";name=a ;")
  same({ 'a"b\\c\\d' }, [[; name="a\"b\\c\d"]])
  same({ "a;b=" }, '; name="a;b="')
  same({ "é", "ü.txt" }, '; name="é"; filename="ü.txt"')
  same({ "a", "é €.txt" },
    "; name=a; filename=x; filename*=UTF-8'de'%c3%A9%20%e2%82%ac.txt")
  same({ "a", "é" }, "; name=a; filename*=iso-8859-1''%E9")
  same({ "a", "x" }, "; name=a; filename*=koi8-r''%E9; filename=x")
  same({ "a", "z" }, '; name=a; filename="C:\\x/y\\z"')
  same({ "a", "" }, '; name=a; filename="../.."')
  same({ "a", "passwd" }, "; name=a; filename*=utf-8''..%2f..%2Fetc%2fpasswd")
  same({ "a", "%22x" }, '; name=a; filename="%22x"')
  same({ "", "x" }, '; name=""; filename=x')
end)

tap.test("heads that are malformed are 400", function()
  local function bad(pattern, head)
    refused(400, pattern, part(head, "x") .. END)
  end
  bad("no name", "Content-Disposition: form-data")
  bad("no name", 'Content-Disposition: form-data; filename="x"')
  bad("not form%-data", "Content-Type: text/plain")
  bad("not form%-data", "Content-Disposition: attachment; name=a")
  bad("not form%-data", 'Content-Disposition: form-data; name="a')
  bad("not form%-data", "Content-Disposition: form-data; name=a; name=b")
  bad("twice", "Content-Disposition: form-data; name=a\r\n" ..
    "content-disposition: form-data; name=b")
  bad("malformed", "Content-Disposition form-data; name=a")
  bad("malformed", " folded: at the start")
  bad("malformed", ": no name")
  bad("control", "Content-Disposition: form-data; name=a\0b")
  bad("control", "Content-Disposition: form-data; name=a\rb")
  bad("CR LF", "Content-Disposition: form-data; name=a\nX: y")
  bad("file name", "Content-Disposition: form-data; name=a; filename*=x")
  bad("file name",
    "Content-Disposition: form-data; name=a; filename*=utf-8''%zz")
  bad("file name",
    "Content-Disposition: form-data; name=a; filename*=utf-8''%ff")
  bad("file name",
    "Content-Disposition: form-data; name=a; filename*=utf-8''a%00b")
  bad("UTF%-8", "Content-Disposition: form-data; name=a; filename=\xff")
  bad("UTF%-8", "Content-Disposition: form-data; name=\xff")
  bad("multipart", "Content-Disposition: form-data; name=a\r\n" ..
    "Content-Type: Multipart/Mixed; boundary=YY")
  refused(400, "not form%-data", "--XX\r\n\r\nx\r\n" .. END)
end)

tap.test("a part that is encoded is 415, one that says it is not is read",
  function()
    local head = "Content-Disposition: form-data; name=a\r\n" ..
      "Content-Transfer-Encoding: "
    refused(415, "Encoding", part(head .. "base64", "eA==") .. END)
    tap.equal({ a = "x" }, (read(part(head .. "8BIT", "x") .. END)))
  end)

tap.test("a head may have 8192 bytes, not more", function()
  local head = "Content-Disposition: form-data; name=a\r\nX: "
  local room = 8192 - #head - 4
  tap.equal({ a = "x" }, (read(part(head .. ("y"):rep(room), "x") .. END)))
  refused(400, "8192", part(head .. ("y"):rep(room + 1), "x") .. END)
  refused(400, "8192", part(head .. ("\r\nX: y"):rep(10000), "x") .. END)
  refused(400, "8192", "--XX\r\n" .. ("y"):rep(100000))
end)

tap.test("long heads take no time that grows with their square", function()
  local began = os.clock()
  for _, long in ipairs { (" "):rep(8000), ("/a"):rep(4000), ("a"):rep(8000),
      (";"):rep(8000), ('\\"'):rep(4000), ("a "):rep(4000) } do
    for _, head in ipairs { "name=a; filename=x%sy", 'name=a; filename="%sy"',
        "name=%sa", "name=a; filename*=utf-8''%s" } do
      for _ = 1, 5 do
        read(part("Content-Disposition: form-data; " ..
          head:format((long:gsub("%%", "%%%%"))), "x") .. END)
      end
    end
  end
  tap.equal(true, os.clock() - began < 2)
end)

tap.test("a body that is cut or has no boundary is 400", function()
  for n = 0, #BODY do
    if n < #BODY - #"trailing\r\n--XX\r\n" then
      local fields, status, message = read(BODY:sub(1, n))
      tap.equal({ status = 400 }, { fields = fields, status = status })
      tap.matches("ends in the middle", message)
    end
  end
  refused(400, "ends in the middle", ("\r\n--X\r\n-"):rep(50000))
end)

tap.test("a line that begins with the boundary has nothing else", function()
  refused(400, "follows a boundary", "--XXY\r\n")
  refused(400, "follows a boundary", "--XX\n")
  refused(400, "follows a boundary", "--XX\r\r\n")
  refused(400, "follows a boundary", "--XX --\r\n")
  refused(400, "follows a boundary", field("a", "x") .. "--XX-x")
  refused(400, "follows a boundary", field("a", "\r\n--XXY") .. END)
end)

-- ---- limits -------------------------------------------------------------------

tap.test("numbers of parts are bounded", function()
  refused(413, "many fields", field("a", "1"):rep(10000) .. END)
  refused(413, "many files", file("a", "f", "1"):rep(10000) .. END)
  refused(413, "many fields", file("a", "", ""):rep(10000) .. END)
  refused(413, "many fields", field("a", "1"):rep(3) .. END, { max_fields = 2 })
  refused(413, "many files", file("a", "f", "") .. END, { max_files = 0 })
  local fields = read(field("a", "1"):rep(3) .. END, { max_fields = 3 })
  tap.equal({ "1", "1", "1" }, form.all(fields, "a"))
end)

tap.test("sizes are bounded", function()
  local long = ("x"):rep(1000)
  refused(413, "field is too long", field("a", long) .. END,
    { max_field = 999 })
  tap.equal({ a = long }, (read(field("a", long) .. END, { max_field = 1000 })))
  refused(413, "too long together", field("a", long):rep(3) .. END,
    { max_memory = 3000 })
  refused(413, "file is too long", file("a", "f", long) .. END,
    { max_file = 999 })
  tap.equal(1000, select(2, read(file("a", "f", long) .. END,
    { max_file = 1000 }))[1].size)
  refused(413, "form is too long", file("a", "f", long) .. END,
    { max_body = 1000 })
  refused(413, "form is too long", field("a", "1") .. END .. long,
    { max_body = 1000 })
  refused(400, "not UTF", field("a", "\xff") .. END)
  tap.equal({ a = "\xff" }, (read(field("a", "\xff") .. END, { utf8 = false })))
end)

tap.test("twenty files and a thousand fields", function()
  local parts = {}
  for i = 1, 1000 do
    parts[#parts + 1] = field("name" .. i, "value" .. i)
  end
  for i = 1, 20 do
    parts[#parts + 1] = file("file" .. i, i .. ".txt", ("%d "):format(i):rep(i))
  end
  local fields, files = read(table.concat(parts) .. END)
  for i = 1, 1000 do
    tap.equal("value" .. i, fields["name" .. i])
  end
  tap.equal(20, #files)
  for i = 1, 20 do
    tap.equal(("%d "):format(i):rep(i), content(files["file" .. i]))
  end
end)

-- ---- streaming ----------------------------------------------------------------

tap.test("on_part reads a file as it comes", function()
  local long = ("0123456789"):rep(20000)
  local body = field("a", "1") .. file("f", "x", long) .. field("b", "2") .. END
  for _, n in ipairs { 1000, 1, 65536, 1 << 30 } do
    local got, sum, kept = {}, 0, nil
    local fields, files = read(body, { on_part = function(p)
      tap.equal({ "f", "x", "text/plain" }, { p.name, p.filename, p.type })
      for piece in function() return p:read(n) end do
        sum = sum + #piece
        tap.equal(true, #piece == n or sum == #long)
        got[#got + 1] = piece
      end
      tap.equal(nil, p:read(n))
      tap.equal(nil, p:read())
      tap.equal("", p:read("a"))
      kept = p
    end })
    tap.equal({ a = "1", b = "2" }, fields)
    tap.equal({}, files)
    tap.equal(true, table.concat(got) == long)
    tap.raises("part is over", kept.read, kept, 1)
  end
end)

tap.test("without a number the next piece is read", function()
  local long = ("x"):rep(100000)
  read(file("f", "x", long) .. END, { on_part = function(p)
    local first = p:read(10)
    local pieces = { first }
    for piece in function() return p:read() end do
      tap.equal(true, #piece > 0 and #piece <= 65536)
      pieces[#pieces + 1] = piece
    end
    tap.equal(true, #pieces > 2 and table.concat(pieces) == long)
  end })
end)

tap.test("on_part may leave parts to be stored, skip them, or read some of them",
  function()
    local body = file("f", "x", ("y"):rep(70000)) .. field("b", "2") .. END
    local fields, files = read(body, { on_part = function() end })
    tap.equal({ "2", 70000 }, { fields.b, files.f.size })
    fields, files = read(body, { on_part = function() return true end })
    tap.equal({ "2", 0 }, { fields.b, #files })
    fields, files = read(body, { on_part = function(p)
      tap.equal({ "", "yy", "y" }, { p:read(0), p:read(2), p:read(1) })
    end })
    tap.equal({ "2", 0 }, { fields.b, #files })
  end)

tap.test("on_field reads fields", function()
  local got = {}
  local fields = read(field("a", "1") .. field("b", "2") .. field("c", "3") ..
    END, { on_field = function(p)
      if p.name ~= "b" then
        got[#got + 1] = p.name .. p:read("a")
      end
    end })
  tap.equal({ b = "2" }, fields)
  tap.equal({ "a1", "c3" }, got)
end)

tap.test("a part that breaks off raises where it is read, and is a status",
  function()
    local reached = false
    local function on_part(p)
      p:read("a")
      reached = true
    end
    refused(400, "ends in the middle", file("f", "x", "y"),
      { on_part = on_part })
    refused(413, "file is too long", file("f", "x", "yyy") .. END,
      { on_part = on_part, max_file = 2 })
    refused(413, "file is too long", file("f", "x", "yyy") .. END,
      { on_part = function() return true end, max_file = 2 })
    tap.equal(false, reached)
    tap.raises("mine", read, file("f", "x", "y") .. END,
      { on_part = function() error("mine") end })
    refused(413, "many files", file("f", "x", "y"):rep(3) .. END,
      { on_part = function() return true end, max_files = 2 })
  end)

-- ---- files --------------------------------------------------------------------

local directory = os.tmpname()
os.remove(directory)
os.execute("mkdir " .. directory)

tap.test("a file is moved, and replaces what is there", function()
  local path = directory .. "/upload"
  for _, text in ipairs { "first", "second" } do
    local _, files = read(file("f", "x", text) .. END,
      { directory = directory })
    tap.equal(true, files.f:move(path))
    tap.equal(path, files.f.path)
    tap.equal(text, content(files.f))
    local f <close> = assert(io.open(path))
    tap.equal(text, f:read("a"))
    tap.raises("file:move: the file has been moved", files.f.move, files.f,
      path)
  end
  local list <close> = io.popen("ls -A " .. directory)
  tap.equal("upload\n", list:read("a"))
end)

tap.test("a file that cannot be moved says why", function()
  local _, files = read(file("f", "x", "y") .. END)
  local good, message = files.f:move(directory .. "/none/x")
  tap.equal(nil, good)
  tap.matches("No such file", message)
  tap.equal(nil, (files.f:move(directory)))
  tap.equal(nil, files.f.path)
end)

tap.test("a directory that is missing raises", function()
  tap.raises("cannot store an upload: .*No such file", read,
    file("f", "x", "y") .. END, { directory = directory .. "/none" })
end)

os.execute("rm -r " .. directory)

-- ---- misuse -------------------------------------------------------------------

tap.test("wrong arguments are named, where they were given", function()
  local env = request(MULTIPART, END)
  local function wrong(pattern, f, ...)
    local arguments = table.pack(...)
    tap.raises("form%.lua:%d+: " .. pattern, function()
      f(table.unpack(arguments, 1, arguments.n))
      return nil
    end)
  end
  for _, bad in ipairs { 1, true, {}, print } do
    wrong("fpm.form.query: text is a ", form.query, bad)
    wrong("fpm.form.all: name is a ", form.all, {}, bad)
    wrong("fpm.form.read: there is no option", form.read, env, { [bad] = 1 })
    if type(bad) ~= "table" then
      wrong("fpm.form.read: env is a ", form.read, bad)
      wrong("fpm.form.read: options is a ", form.read, env, bad)
      wrong("fpm.form.all: fields is a ", form.all, bad, "a")
    end
    if type(bad) ~= "function" then
      wrong("fpm.form.read: on_part is a ", form.read, env, { on_part = bad })
    end
    wrong("fpm.form.read: directory is a ", form.read, env,
      { directory = bad })
  end
  wrong("fpm.form.query: text is nil", form.query)
  wrong("fpm.form.read: env is nil", form.read)
  wrong("fpm.form.read: env has no input", form.read, {})
  for _, bad in ipairs { "x", "1T", "", "-1", -1, 1.5, true, {} } do
    for _, name in ipairs { "max_body", "max_fields", "max_field",
        "max_memory", "max_files", "max_file" } do
      wrong("fpm.form.read: " .. name .. " is .*, expected a size", form.read,
        env, { [name] = bad })
    end
  end
  wrong('fpm.form.read: there is no option "max_feild"', form.read, env,
    { max_feild = 1 })
  wrong("fpm.form.read: directory contains a NUL", form.read, env,
    { directory = "a\0b" })
  local _, files = read(file("f", "x", "y") .. END)
  wrong("file:move: self is no", files.f.move, {}, "x")
  wrong("file:move: path is nil", files.f.move, files.f)
  wrong("file:move: path is a table", files.f.move, files.f, {})
  wrong("file:move: path contains a NUL", files.f.move, files.f, "a\0b")
  read(file("f", "x", "y") .. END, { on_part = function(p)
    for _, bad in ipairs { -1, 1.5, "l", {}, true } do
      wrong("part:read: n is ", p.read, p, bad)
    end
    wrong("fpm.form: part:read", p.read, {})
  end })
end)

tap.done()
