#include "conf/conf_lua.h"

#include <stddef.h>
#include <string.h>

const char *const conf_lua_libraries[] = { "base", "package", "coroutine",
	"table", "io", "os", "string", "math", "utf8", "debug", NULL };

const char *const conf_lua_functions[] = {
	"assert", "collectgarbage", "dofile", "error", "getmetatable",
	"ipairs", "load", "loadfile", "next", "pairs", "pcall", "print",
	"rawequal", "rawget", "rawlen", "rawset", "require", "select",
	"setmetatable", "tonumber", "tostring", "type", "warn", "xpcall",

	"package.loadlib", "package.searchpath",

	"coroutine.close", "coroutine.create", "coroutine.isyieldable",
	"coroutine.resume", "coroutine.running", "coroutine.status",
	"coroutine.wrap", "coroutine.yield",

	"table.concat", "table.insert", "table.move", "table.pack",
	"table.remove", "table.sort", "table.unpack",

	"io.close", "io.flush", "io.input", "io.lines", "io.open",
	"io.output", "io.popen", "io.read", "io.tmpfile", "io.type",
	"io.write",

	"os.clock", "os.date", "os.difftime", "os.execute", "os.exit",
	"os.getenv", "os.remove", "os.rename", "os.setlocale", "os.time",
	"os.tmpname",

	"string.byte", "string.char", "string.dump", "string.find",
	"string.format", "string.gmatch", "string.gsub", "string.len",
	"string.lower", "string.match", "string.pack", "string.packsize",
	"string.rep", "string.reverse", "string.sub", "string.unpack",
	"string.upper",

	"math.abs", "math.acos", "math.asin", "math.atan", "math.atan2",
	"math.ceil", "math.cos", "math.cosh", "math.deg", "math.exp",
	"math.floor", "math.fmod", "math.frexp", "math.ldexp", "math.log",
	"math.log10", "math.max", "math.min", "math.modf", "math.pow",
	"math.rad", "math.random", "math.randomseed", "math.sin", "math.sinh",
	"math.sqrt", "math.tan", "math.tanh", "math.tointeger", "math.type",
	"math.ult",

	"utf8.char", "utf8.codepoint", "utf8.codes", "utf8.len",
	"utf8.offset",

	"debug.debug", "debug.gethook", "debug.getinfo", "debug.getlocal",
	"debug.getmetatable", "debug.getregistry", "debug.getupvalue",
	"debug.getuservalue", "debug.setcstacklimit", "debug.sethook",
	"debug.setlocal", "debug.setmetatable", "debug.setupvalue",
	"debug.setuservalue", "debug.traceback", "debug.upvalueid",
	"debug.upvaluejoin",

	NULL
};

bool
conf_lua_is(const char *const *names, const char *name)
{
	for (; *names != NULL; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}
