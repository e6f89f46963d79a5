-- One decision over all meters of a request: each has to allow, and then each is taken from; else none is.
--
-- KEYS: one for each meter. ARGV: the time in microseconds, or '' for that of this server; then, for each meter,
--   'rate', gain, cost, full: credit grows by `gain` a microsecond, up to `full`, and a request takes `cost`;
--   'quota', most, and four seconds at which periods begin, the second of them being that of the caller's present.
-- Answer: the number of the first meter that refuses, or 0; then, for each, how many may follow, the microseconds until all
-- may (of a rate that refuses: until one may), and the seconds of its period.

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local answer, kept, at = { 0 }, {}, 2

local function rate(number, gain, cost, full)
  local credit = full
  local known, last = string.match(redis.call('GET', KEYS[number]) or '', '^(%d+):(%d+)$')
  if known then
    credit = math.min(full, tonumber(known) + math.max(0, now - tonumber(last)) * gain)
  end
  local passes = credit >= cost
  local left = passes and credit - cost or credit
  local wait = passes and full - left or cost - credit
  kept[number] = { string.format('%.0f:%.0f', left, now), math.ceil((full - left) / gain / 1000) + 1000 }
  return passes, math.floor(left / cost), math.ceil(wait / gain), 0
end

local function quota(number, most, ...)
  local begins = { ... }
  local second, first = now / 1000000, 1
  while first < 3 and second >= begins[first + 1] do
    first = first + 1
  end
  local from, to = begins[first], begins[first + 1]
  local start, count = string.match(redis.call('GET', KEYS[number]) or '', '^(%d+):(%d+)$')
  count = tonumber(start) == from and tonumber(count) or 0
  local passes = count < most
  count = passes and count + 1 or count
  -- A day more, for clocks that differ.
  kept[number] = { string.format('%.0f:%.0f', from, count), math.max(0, to - second) * 1000 + 86400000 }
  return passes, math.max(0, most - count), math.max(0, to * 1000000 - now), to - from
end

for number = 1, #KEYS do
  local passes, remaining, wait, period
  if ARGV[at] == 'rate' then
    passes, remaining, wait, period =
      rate(number, tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]))
    at = at + 4
  else
    passes, remaining, wait, period = quota(
      number, tonumber(ARGV[at + 1]),
      tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]))
    at = at + 6
  end
  if not passes and answer[1] == 0 then
    answer[1] = number
  end
  answer[#answer + 1] = remaining
  answer[#answer + 1] = wait
  answer[#answer + 1] = period
end

if answer[1] == 0 then
  for number = 1, #KEYS do
    redis.call('SET', KEYS[number], kept[number][1], 'PX', string.format('%.0f', kept[number][2]))
  end
end
return answer
