-- Asks for one route after another, `wrk -s routes.lua URL -- 10000`, in an order that no prefetcher follows.
dofile("bench/load/done.lua")

local routes = 1
local requests = {}
local next = 0

init = function(args)
    routes = tonumber(args[1])
end

request = function()
    next = (next + 1) % routes
    local known = requests[next]
    if not known then
        -- Made when it is needed: all at once would take wrk longer to start than it has. 7,919 is a prime: every route
        -- comes once in a turn.
        known = wrk.format("GET", string.format("/service-%d/items/7", next * 7919 % routes))
        requests[next] = known
    end
    return known
end
