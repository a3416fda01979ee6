-- Turns waiting labels of one partition into joined ones, before anything is published: a label that
-- comes in between then knows that it is a correction.
-- KEYS: places, labels without prediction; what is remembered of an id stands at places:id, under
--       the same hash tag
-- ARGV: first offset, seconds to keep, microseconds per bin, first bin still waited for, all ids
--       (16 bytes each), all offsets (8 bytes each, as they are kept)
local places = redis.call('HMGET', KEYS[1], 'predictions', 'labels', 'told_predictions',
                          'told_labels', 'windows')
if tonumber(places[1] or -1) < tonumber(ARGV[1]) then return false end

local function packed(n) return struct.pack('>i8', tonumber(n)) end
local waiting = string.rep('\255', 8)
local now, before, told = packed(places[2]), packed(places[4]), tonumber(places[3])
local prefix, ids, offsets = KEYS[1] .. ':', ARGV[5], ARGV[6]
local ttl, width = ARGV[2], tonumber(ARGV[3])
local keys, known, records, matched = {}, {}, {}, {}
for i = 1, #ids / 16 do keys[i] = prefix .. string.sub(ids, 16 * i - 15, 16 * i) end
if #keys > 0 then
  for i, record in ipairs(redis.call('MGET', unpack(keys))) do known[keys[i]] = record end
end

for i, key in ipairs(keys) do
  local record = known[key]
  if not record or string.sub(record, 1, 8) == waiting then
    if record then
      local bin = math.floor(struct.unpack('>i8', record, 17) / width)
      matched[bin] = (matched[bin] or 0) - 1
    end
    local offset = string.sub(offsets, 8 * i - 7, 8 * i)
    local joined_at = struct.unpack('>i8', offset) < told and before or now
    record = offset .. joined_at .. (record and string.sub(record, 17) or '')
    redis.call('SET', key, record, 'EX', ttl)
    known[key] = record
  end
  records[i] = record
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
