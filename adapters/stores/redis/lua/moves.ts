/** `isFenced(prefix)`: returns whether a move refuses changes to this prefix (as JSON), or to any prefix if it is empty. */
export const refuseMoving: string = `
local function isFenced(prefix)
  local moves = call('EXISTS', P .. 'moves') == 0 and {} or call('HGETALL', P .. 'moves')
  for i = 1, #moves, 2 do
    if (prefix == '' or moves[i] == prefix) and string.sub(moves[i + 1], 1, 8) ~= 'leaving ' then return true end
  end
  return false
end
`

/** ARGV: prefix as JSON. Returns the state of its move, the ID of the move, and the ID of the run, separated by spaces. */
export const readMove: string = `
return call('HGET', P .. 'moves', ARGV[1]) or ''
`

/**
 * ARGV: prefix as JSON, the expected and the new state, both as `readMove` returns them or empty, the channel, and the call's own name. Returns 1 if the state
 * was written.
 */
export const saveMove: string = `
local done = answered(ARGV[5])
if done then return tonumber(done) end
if (call('HGET', P .. 'moves', ARGV[1]) or '') ~= ARGV[2] then return 0 end
if ARGV[3] == '' then call('HDEL', P .. 'moves', ARGV[1]) else call('HSET', P .. 'moves', ARGV[1], ARGV[3]) end
call('SET', P .. 'feed:floor', num(call('INCR', P .. 'feed:head')))
call('UNLINK', P .. 'feed')
redis.pcall('PUBLISH', ARGV[4], '')
remember(ARGV[5], '1')
return 1
`
