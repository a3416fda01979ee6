-- Replaces the windows of one partition together with the offset they are counted up to.
-- KEYS: places   ARGV: offset of the windows that are replaced, new offset, new windows
if redis.call('HGET', KEYS[1], 'predictions') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'predictions', ARGV[2], 'windows', ARGV[3])
return 1
