-- Asks for one route after another, `wrk -s routes.lua URL -- 10000`, in an order that no prefetcher follows.
dofile("bench/load/done.lua")

local requests = {}
local next = 0

init = function(args)
    local routes = tonumber(args[1])
    for i = 0, routes - 1 do
        -- 7,919 is a prime: every route comes once in a turn.
        requests[i] = wrk.format("GET", string.format("/service-%d/items/7", i * 7919 % routes))
    end
end

request = function()
    next = next + 1
    if not requests[next] then
        next = 0
    end
    return requests[next]
end
