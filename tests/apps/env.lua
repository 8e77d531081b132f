-- Answers with the parameters of a request, a line each, and with its body.
return {
  accept = function(env)
    local names, lines = {}, {}
    for name in pairs(env) do
      names[#names + 1] = name
    end
    table.sort(names)
    for i, name in ipairs(names) do
      lines[i] = name .. "=" .. env[name] .. "\n"
    end
    return { ["Content-Type"] = "text/plain" },
      table.concat(lines) .. "\n" .. env.input:read("a")
  end,
}
