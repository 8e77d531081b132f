-- The primes, counted a stretch at a time: work that takes a while and has
-- something to show on the way.

local primes = {}

-- The odd primes up to `limit`, by Eratosthenes' sieve.
local function up_to(limit)
    local composite, found = {}, {}
    for n = 3, limit, 2 do
        if not composite[n] then
            found[#found + 1] = n
            for multiple = n * n, limit, 2 * n do
                composite[multiple] = true
            end
        end
    end
    return found
end

-- How many primes there are from first to last (first odd and above 2).
local function count(first, last)
    local composite, n = {}, 0
    for _, prime in ipairs(up_to(math.floor(math.sqrt(last)))) do
        local multiple = math.max(prime * prime,
            (first + prime - 1) // prime * prime)
        if multiple % 2 == 0 then
            multiple = multiple + prime
        end
        for i = multiple, last, 2 * prime do
            composite[i] = true
        end
    end
    for i = first, last, 2 do
        if not composite[i] then
            n = n + 1
        end
    end
    return n
end

-- An iterator: limit, number of primes up to there, for `steps` stretches.
function primes.counted(stretch, steps)
    local last, total = 0, 1 -- the one even prime
    return function()
        if last == stretch * steps then
            return nil
        end
        total = total + count(math.max(last + 1, 3), last + stretch)
        last = last + stretch
        return last, total
    end
end

return primes
