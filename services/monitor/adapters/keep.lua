-- Stores labels of one partition.
-- KEYS: places, labels without prediction; what is remembered of an id stands at places:id, under
--       the same hash tag
-- ARGV: first offset, end offset, seconds to keep, microseconds per bin, all ids (16 bytes each),
--       all packed labels (24 bytes each)
local known = tonumber(redis.call('HGET', KEYS[1], 'labels') or -1)
if known < tonumber(ARGV[1]) then return false end

local waiting, nothing = string.rep('\255', 8), string.rep('\0', 8)
local prefix, ids, labels = KEYS[1] .. ':', ARGV[5], ARGV[6]
local ttl, width = ARGV[3], tonumber(ARGV[4])
local keys, records, answer, fresh = {}, {}, {}, {}
for i = 1, #ids / 16 do keys[i] = prefix .. string.sub(ids, 16 * i - 15, 16 * i) end
if #keys > 0 then
  for i, record in ipairs(redis.call('MGET', unpack(keys))) do records[keys[i]] = record end
end

for i, key in ipairs(keys) do
  local label, record = string.sub(labels, 24 * i - 23, 24 * i), records[key]
  if record then
    local said = false
    for at = 17, #record, 24 do
      said = said or string.sub(record, at, at + 15) == string.sub(label, 1, 16)
    end
    if not said then
      -- Beyond 32 different labels of one id the oldest goes.
      local kept = string.sub(record, #record >= 16 + 32 * 24 and 41 or 17)
      record = string.sub(record, 1, 16) .. kept .. label
      redis.call('SET', key, record, 'KEEPTTL')
    end
    if string.sub(record, 1, 8) ~= waiting then
      answer[#answer + 1] = i - 1
      answer[#answer + 1] = record
    end
  else
    record = waiting .. nothing .. label
    redis.call('SET', key, record, 'EX', ttl)
    local bin = math.floor(struct.unpack('>i8', label) / width)
    fresh[bin] = (fresh[bin] or 0) + 1
  end
  records[key] = record
end

for bin, n in pairs(fresh) do redis.call('HINCRBY', KEYS[2], bin, n) end
if known < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], 'labels', ARGV[2]) end
return answer
