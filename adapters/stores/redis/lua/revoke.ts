/**
 * A bulk revocation. ARGV: the filter and stamp as JSON (`RevocationSpec`), the event's id, body and index keys, the length of the
 * feed's history, the channel, how many tokens may be looked at in one go, and the call's own name.
 *
 * A small one is written into every token here and now. A large one would hold Redis up: its exact count is taken from the sizes of
 * the indexes and a job is written, which takes effect at once, since every reader applies it, and is written into the tokens by
 * `driveJob` afterwards. Answers `done`, `job`, `busy` (an earlier job must be driven to its end first) or `known` with a number.
 */
export const revokeTokens: string = `
local spec = cjson.decode(ARGV[1])
local done = answered(ARGV[8])
if done then return { 'done', tonumber(done) } end
if call('EXISTS', P .. 'ev:' .. ARGV[2]) == 1 then return { 'known', 0 } end
local limit = tonumber(ARGV[7])
local job = loadJob()
local keys, size = narrowest(spec.choices, '')

local function finish(count)
  writeEvent(call('INCR', P .. 'ev:head'), ARGV[2], '#' .. num(count) .. '#' .. ARGV[3], ARGV[4])
  remember(ARGV[8], num(count))
  if count == 0 then return nil end
  local head = call('INCR', P .. 'feed:head')
  appendFeed(head, { 'a' }, tonumber(ARGV[5]), ARGV[6])
  return head
end

if spec.ids or size <= limit then
  local matching, seen = {}, {}
  local function look(id)
    local t = call('HMGET', P .. 't:' .. id, 'v', 'q', 'x', 'ca', 'ra')
    if seen[id] or not t[1] or t[5] or revokedBy(job, t[2], t[3], t[5]) or not within(t[3], spec) then return end
    seen[id] = true
    matching[#matching + 1] = { id, tonumber(t[1]), t[3], t[4] }
  end
  if spec.ids then
    for _, id in ipairs(spec.ids) do look(id) end
  else
    for _, key in ipairs(keys) do
      for _, id in ipairs(call('ZRANGE', P .. key, 0, -1)) do look(id) end
    end
  end
  finish(#matching)
  for _, t in ipairs(matching) do stampToken(t[1], t[2], t[3], t[4], spec.stamp, spec.at) end
  return { 'done', #matching }
end

if job then return { 'busy', 0 } end

local function unrevoked(sets)
  if #sets == 1 then return call('ZCARD', P .. sets[1]) - call('ZCARD', P .. 'r' .. sets[1]) end
  local names = {}
  for i, key in ipairs(sets) do names[i] = P .. key end
  local every = call('ZINTERCARD', #names, unpack(names))
  names[#names + 1] = P .. 'r' .. sets[1]
  return every - call('ZINTERCARD', #names, unpack(names))
end
local count = 0
if spec.any then
  for _, tenant in ipairs(spec.any) do
    local sets = { tenant }
    for i = 2, #spec.all do sets[#sets + 1] = spec.all[i] end
    count = count + unrevoked(sets)
  end
else
  count = unrevoked(#spec.all == 1 and spec.all or { unpack(spec.all, 2) })
end
local head = finish(count)
if not head then return { 'done', 0 } end
spec.choices = nil
call('HSET', P .. 'job', 'seq', num(head), 'spec', ARGV[1], 'at', '1')
-- Read by MGET along with every record.
call('SET', P .. 'job:on', '1')
for i, key in ipairs(keys) do call('HSET', P .. 'job', 'key' .. i, key) end
return { 'job', count }
`

/** Writes the pending bulk revocation into the next ARGV[1] tokens. Answers 1 while there is more to do. */
export const driveJob: string = `
local job = loadJob()
if not job then return 0 end
local place = call('HMGET', P .. 'job', 'at', 'score', 'id')
local key = call('HGET', P .. 'job', 'key' .. place[1])
if not key then
  call('DEL', P .. 'job', P .. 'job:on')
  return 0
end
local touched = {}
local score, id = walk({ key }, place[2] and tonumber(place[2]), place[3], tonumber(ARGV[1]), function(member)
  touched[#touched + 1] = member
  return false
end)
for _, member in ipairs(touched) do settle(job, member) end
if score then
  call('HSET', P .. 'job', 'score', score, 'id', id)
else
  call('HINCRBY', P .. 'job', 'at', 1)
  call('HDEL', P .. 'job', 'score', 'id')
end
return 1
`
