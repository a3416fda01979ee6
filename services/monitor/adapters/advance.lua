-- Raises the model's watermark and the event times of its partitions.
-- KEYS: watermarks   ARGV: watermark, then partition, event time, wall seconds each
local function raise(field, value)
  local known = redis.call('HGET', KEYS[1], field)
  if not known or tonumber(known) < tonumber(value) then
    redis.call('HSET', KEYS[1], field, value)
  end
end

raise('model', ARGV[1])
for i = 2, #ARGV, 3 do
  raise('time:' .. ARGV[i], ARGV[i + 1])
  raise('at:' .. ARGV[i], ARGV[i + 2])
end
return 0
