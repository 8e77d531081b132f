-- What the lower-case names of env are, as far as they are written in Lua.  A
-- field is made when it is first read, once in a request; a method is called as
-- env:name(...).

return {
  fields = {
  },
  methods = {
  },
}
