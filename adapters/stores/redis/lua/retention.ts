/** ARGV: ID and index keys of each event, in pairs. */
export const removeEvents: string = `
for i = 1, #ARGV, 2 do
  for key in string.gmatch(ARGV[i + 1], '[^\\n]+') do call('ZREM', P .. key, ARGV[i]) end
  call('UNLINK', P .. 'ev:' .. ARGV[i])
end
return 1
`

/**
 * ARGV: the instants before which counts and addresses are too old, or empty; the period that contains the first; whether to remove the addresses of last
 * uses; the number of fields after which to stop; IDs. Removes whole periods at once, and the older fields in the period of the instant itself.
 * Returns 1 while there is more, and how many of the tokens were processed.
 */
export const trimUsage: string = `
local more, seen = 0, 0
for i = 6, #ARGV do
  local id = ARGV[i]
  if ARGV[4] == '1' then call('HDEL', P .. 'ul:' .. id, 'ip') end
  if ARGV[1] ~= '' then
    for _, period in ipairs(call('ZRANGEBYSCORE', P .. 'us:' .. id, '-inf', '(' .. ARGV[3])) do
      call('ZREM', P .. 'us:' .. id, period)
      call('UNLINK', P .. 'uc:' .. period .. ':' .. id)
    end
    local key, old = P .. 'uc:' .. ARGV[3] .. ':' .. id, {}
    local fields = call('HKEYS', key)
    seen = seen + #fields
    for _, field in ipairs(fields) do
      local at = string.match(field, '^%[(%d+)')
      if at and tonumber(at) < tonumber(ARGV[1]) then old[#old + 1] = field end
    end
    for from = 1, #old, 1000 do call('HDEL', key, unpack(old, from, math.min(from + 999, #old))) end
    if #old > 0 and call('EXISTS', key) == 0 then call('ZREM', P .. 'us:' .. id, ARGV[3]) end
  end
  if ARGV[2] ~= '' then
    local gone = call('ZRANGEBYSCORE', P .. 'ua:' .. id, '-inf', '(' .. ARGV[2], 'LIMIT', 0, 200)
    if #gone > 0 then
      call('ZREM', P .. 'ua:' .. id, unpack(gone))
      call('HDEL', P .. 'un:' .. id, unpack(gone))
    end
    if #gone == 200 then more = 1 end
  end
  if seen >= tonumber(ARGV[5]) then return { more, i - 5 } end
end
return { more, #ARGV - 5 }
`
