"""A daemon with WebSockets for the tests of them."""

from harness import *
from upgraded import Upgraded
from ws_client import *

# A text message "lua CODE" runs it (ws and data are its arguments), any other
# message comes back as it is; the header X-Lua is run by `open` and by a plain
# request, whose answer is the code's.  What `close` was told stands in the log.
APP = """
local function chunk(code)
    return assert(load("local ws, data, kind = ... " .. code, "=message"))
end

local app = { websocket = {} }

-- Say that we are here, and wait until the test opens the FIFO.
function gate(path)
    local f = assert(io.open(path .. ".in", "w"))
    f:close()
    f = assert(io.open(path))
    f:read("a")
    f:close()
end

function app.accept(env)
    if env.HTTP_X_LUA then
        return {}, tostring(chunk("local env = ws " .. env.HTTP_X_LUA)(env))
    end
    return { ["Content-Type"] = "text/plain" }, "page " .. env.REQUEST_URI
end

function app.websocket.open(ws, env)
    if env.HTTP_X_LUA then
        return chunk("local env = data " .. env.HTTP_X_LUA)(ws, env)
    end
end

function app.websocket.message(ws, data, kind)
    local code = kind == "text" and data:match("^lua (.*)$")
    if code then
        return chunk(code)(ws, data, kind)
    end
    ws:send(data, kind)
end

function app.websocket.close(ws, code, reason)
    io.stderr:write(("closed %s %s [%s] %s\\n"):format(ws.id, code,
        reason or "", ws.session or ""))
end

return app
"""
PLAIN = 'return { accept = function() return {}, "plain" end }'


class WsDaemon(Daemon):
    """websocket: keys of that group."""

    def __init__(self, app=APP, websocket=None, **pool):
        self.web = "127.0.0.1:%d" % free_port()
        self.has_hub = app != PLAIN
        super().__init__(app=app, **{
            "listen": "http:" + self.web,
            **({} if websocket is None else {"websocket": websocket}), **pool})

    def start(self, **how):
        """Who is ready has its hub."""
        super().start(**how)
        assert self.hub() or not self.has_hub
        return self

    def ws(self, **how):
        return WebSocket(self.web, **{"timeout": PATIENCE, **how})

    def get(self, head):
        """One request by its bytes: (status, headers, body), and the socket,
        which stays open."""
        sock = dial(self.web, PATIENCE)
        try:
            sock.sendall(head)
            status, headers, rest = read_head(sock)
            return status, headers, read_body(sock, headers, rest), sock
        except BaseException:
            sock.close()
            raise

    def refusal(self, **request):
        """The answer to an upgrade that is refused, which ends the
        connection: (status, headers)."""
        head, _ = upgrade_request(**request)
        status, headers, _, sock = self.get(head)
        with sock:
            equal(sock.recv(1), b"", "a refused upgrade ends the connection")
        return status, headers

    def told(self, ws_id, code, since=0):
        """`close` was called for that socket, with that code."""
        return self.wait_log(r"closed %s %d \[" % (ws_id, code), since)

    def hub(self, pool=""):
        """Pid of the pool's hub, or of any; None if there is none now."""
        return next((p for p in children(self.pid)
                     if "hub of " + pool in command_line(p)), None)


class Upgrading(WsDaemon, Upgraded):
    """One that is upgraded in place."""

    def hubs(self):
        return [p for p in children(self.pid)
                if "hub of " in command_line(p)]

    def new_hub(self, old):
        """Wait until the only hub is another process, of the program that
        stands on disk."""
        def alone():
            hubs = self.hubs()
            return hubs[0] if len(hubs) == 1 and hubs != [old] else None
        hub = until(alone, "only the new hub")
        assert os.path.samestat(os.stat("/proc/%d/exe" % hub),
                                os.stat(self.program)), "the program on disk"
        return hub


def id_of(ws):
    return ws.ask("lua ws:send(ws.id)")
