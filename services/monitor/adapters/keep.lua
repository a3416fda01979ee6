-- Stores labels of one partition.
-- KEYS: places, labels without prediction, one key per label
-- ARGV: first offset, end offset, seconds to keep, microseconds per bin, one packed label each
local known = tonumber(redis.call('HGET', KEYS[1], 'labels') or -1)
if known < tonumber(ARGV[1]) then return false end

local waiting = string.rep('\255', 8)
local answer, fresh = {}, {}
for i = 3, #KEYS do
  local label = ARGV[i + 2]
  local record = redis.call('GET', KEYS[i])
  local said = false
  if record then
    for at = 17, #record, 24 do
      said = said or string.sub(record, at, at + 15) == string.sub(label, 1, 16)
    end
    if not said then
      -- Beyond 32 different labels of one id the oldest goes.
      local labels = string.sub(record, #record >= 16 + 32 * 24 and 41 or 17)
      record = string.sub(record, 1, 16) .. labels .. label
      redis.call('SET', KEYS[i], record, 'KEEPTTL')
    end
  else
    record = waiting .. string.rep('\0', 8) .. label
    redis.call('SET', KEYS[i], record, 'EX', ARGV[3])
    local bin = math.floor(struct.unpack('>i8', label) / tonumber(ARGV[4]))
    fresh[bin] = (fresh[bin] or 0) + 1
  end
  answer[i - 2] = string.sub(record, 1, 8) == waiting and '' or record
end

for bin, n in pairs(fresh) do redis.call('HINCRBY', KEYS[2], bin, n) end
if known < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], 'labels', ARGV[2]) end
return answer
