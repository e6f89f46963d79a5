-- What a run of wrk gave, as one line for a program. wrk's own summary knows neither the 99.9th percentile nor exact
-- numbers. Without a function `request` in the script, wrk sends what it prepared: nothing runs per request.
done = function(summary, latency, requests)
    local errors = summary.errors
    local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format("bench requests=%d us=%d bad=%d p50=%d p99=%d p999=%d max=%d\n", summary.requests,
        summary.duration, bad, latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max))
end
