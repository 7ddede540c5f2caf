/**
 * ARGV: prefix as JSON, digest, token, expiry, the maximum number of live tickets, now, and the instant before which old ones are removed.
 * Returns 1 if the ticket was stored.
 *
 * One sorted set contains the tickets of a prefix by expiry, another contains those of each token, and a hash maps each ticket to its token.
 */
export const saveTicket: string = `
local all, whose = P .. 'tickets:' .. ARGV[1], P .. 'tickets:of:' .. ARGV[1]
for _, digest in ipairs(call('ZRANGEBYSCORE', all, '-inf', '(' .. ARGV[7], 'LIMIT', 0, 100)) do
  local token = call('HGET', whose, digest)
  if token then call('ZREM', P .. 'tk:' .. token, digest) end
  call('HDEL', whose, digest)
  call('ZREM', all, digest)
end
local indexes = call('HGET', P .. 't:' .. ARGV[3], 'x')
if not indexes or firstIndex(indexes) ~= 'l:[' .. ARGV[1] .. ']' then return 0 end
-- The client may have resent the same ticket.
if call('HGET', whose, ARGV[2]) == ARGV[3] then return 1 end
local own = P .. 'tk:' .. ARGV[3]
if call('ZCOUNT', own, '(' .. ARGV[6], '+inf') >= tonumber(ARGV[5]) then return 0 end
call('HSET', whose, ARGV[2], ARGV[3])
call('ZADD', own, ARGV[4], ARGV[2])
call('ZADD', all, ARGV[4], ARGV[2])
return 1
`

/** ARGV: prefix as JSON, digest, the name of this call. Returns the token and the instant when the ticket expires, or nothing. */
export const takeTicket: string = `
local taken = answered(ARGV[3])
if taken then return cjson.decode(taken) end
local all, whose = P .. 'tickets:' .. ARGV[1], P .. 'tickets:of:' .. ARGV[1]
local token, at = call('HGET', whose, ARGV[2]), call('ZSCORE', all, ARGV[2])
if not token or not at then return {} end
call('HDEL', whose, ARGV[2])
call('ZREM', all, ARGV[2])
call('ZREM', P .. 'tk:' .. token, ARGV[2])
local ticket = { token, num(tonumber(at)) }
remember(ARGV[3], cjson.encode(ticket))
return ticket
`
