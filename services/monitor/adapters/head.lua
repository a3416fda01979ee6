-- Replaces the windows at the head of one partition, and adds the ids that they count now.
-- KEYS: head, ids
-- ARGV: offset of the windows that are replaced, new offset, new windows, ids by offset, bytes kept
if redis.call('HGET', KEYS[1], 'predictions') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'predictions', ARGV[2], 'windows', ARGV[3])
local kept = tonumber(ARGV[5])
if redis.call('APPEND', KEYS[2], ARGV[4]) > 2 * kept then
  redis.call('SET', KEYS[2], redis.call('GETRANGE', KEYS[2], -kept, -1))
end
return 1
