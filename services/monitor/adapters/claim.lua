-- Turns waiting labels of one partition into joined ones, before anything is published: a label that
-- comes in between then knows that it is a correction.
-- KEYS: places, labels without prediction, one key per prediction
-- ARGV: first offset, seconds to keep, microseconds per bin, first bin still waited for,
--       one offset each
local places = redis.call('HMGET', KEYS[1], 'predictions', 'labels', 'told_predictions',
                          'told_labels', 'windows')
if tonumber(places[1] or -1) < tonumber(ARGV[1]) then return false end

local waiting = string.rep('\255', 8)
local function packed(n) return struct.pack('>i8', tonumber(n)) end
local now, before, told = packed(places[2]), packed(places[4]), tonumber(places[3])
local records, matched = {}, {}
for i = 3, #KEYS do
  local offset = ARGV[i + 2]
  local record = redis.call('GET', KEYS[i])
  if not record or string.sub(record, 1, 8) == waiting then
    if record then
      local bin = math.floor(struct.unpack('>i8', string.sub(record, 17, 24)) / tonumber(ARGV[3]))
      matched[bin] = (matched[bin] or 0) - 1
    end
    local labels = record and string.sub(record, 17) or ''
    record = packed(offset) .. (tonumber(offset) < told and before or now) .. labels
    redis.call('SET', KEYS[i], record, 'EX', ARGV[2])
  end
  records[i - 2] = record
end

for bin, n in pairs(matched) do redis.call('HINCRBY', KEYS[2], bin, n) end
local unmatched = 0
local bins = redis.call('HGETALL', KEYS[2])
for i = 1, #bins, 2 do
  if tonumber(bins[i]) < tonumber(ARGV[4]) then
    unmatched = unmatched + math.max(0, tonumber(bins[i + 1]))
    redis.call('HDEL', KEYS[2], bins[i])
  end
end
return {places[1], places[2], places[3], places[4], places[5] or '', unmatched, records}
