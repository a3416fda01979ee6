-- Replaces the ledger of one model where nobody else has replaced it meanwhile.
-- KEYS: ledgers   ARGV: model, SHA-1 of the ledger that is replaced (empty: there was none), new one
local known = redis.call('HGET', KEYS[1], ARGV[1])
if (known and redis.sha1hex(known) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
