import { usageWriter } from './activity.js'
import { tokenWriters } from './tokens.js'

/**
 * Writes data from another store. ARGV: prefix as JSON, the run, the numbers of tokens, tokens removed, events, events removed, tokens whose usage is replaced,
 * consumers, consumers removed, seals, counts, addresses and last uses; then the tokens (as `commitChange` takes inserts), IDs, events (seq, ID, body, index
 * keys, index keys of the existing event), events removed (ID, index keys), IDs, consumers (name, state as JSON), names, seals (number, body), and usage as
 * `recordUsage` takes it.
 *
 * Returns `written`, `superseded`, or `taken` if a token with one of the IDs belongs to another prefix.
 */
export const restore: string = `
local run = string.match(call('HGET', P .. 'moves', ARGV[1]) or '', '[^ ]+$')
if run ~= ARGV[2] then return 'superseded' end
local at = 14
local function take() at = at + 1 return ARGV[at - 1] end
local tokens = {}
for i = 1, tonumber(ARGV[3]) do
  local t = { id = take(), r = take(), v = take(), ca = take(), x = take(), n = take() }
  t.ra, t.da, t.nb, t.ex, t.du, t.rp = take(), take(), take(), take(), take(), take()
  local old = call('HMGET', P .. 't:' .. t.id, 'x', 'ca')
  if old[1] then
    if firstIndex(old[1]) ~= firstIndex(t.x) then return 'taken' end
    t.expected, t.oldX, t.oldCa = true, old[1], old[2]
  end
  tokens[i] = t
end
${tokenWriters}
${usageWriter}
for i = 1, tonumber(ARGV[4]) do
  local id = take()
  local indexes = call('HGET', P .. 't:' .. id, 'x')
  if indexes and firstIndex(indexes) == 'l:[' .. ARGV[1] .. ']' then removeToken(id) end
end
local head = tonumber(call('GET', P .. 'feed:head') or '0')
for _, t in ipairs(tokens) do writeToken(t, head) end
local last = 0
for i = 1, tonumber(ARGV[5]) do
  local seq, id, body, keys, oldKeys = take(), take(), take(), take(), take()
  for key in string.gmatch(oldKeys, '[^\\n]+') do call('ZREM', P .. key, id) end
  writeEvent(tonumber(seq), id, body, keys)
  last = math.max(last, tonumber(seq))
end
if last > tonumber(call('GET', P .. 'ev:head') or '0') then call('SET', P .. 'ev:head', num(last)) end
for i = 1, tonumber(ARGV[6]) do
  local id, keys = take(), take()
  for key in string.gmatch(keys, '[^\\n]+') do call('ZREM', P .. key, id) end
  call('UNLINK', P .. 'ev:' .. id)
end
for i = 1, tonumber(ARGV[7]) do removeUsage(take()) end
for i = 1, tonumber(ARGV[8]) do
  local name, state = take(), take()
  call('HSET', P .. 'consumers:' .. ARGV[1], name, state)
end
for i = 1, tonumber(ARGV[9]) do call('HDEL', P .. 'consumers:' .. ARGV[1], take()) end
for i = 1, tonumber(ARGV[10]) do
  local number, body = tonumber(take()), take()
  local key = P .. 'seals:' .. ARGV[1]
  if call('LLEN', key) >= number then call('LSET', key, number - 1, body) else call('RPUSH', key, body) end
end
addUsage(at, tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13]))
return 'written'
`
