import { refuseMoving } from './moves.js'

/**
 * A bulk revocation. ARGV: the filter and stamp as JSON (`RevocationSpec`), the event's ID, body (without ID, tenant, count and salt) and index
 * keys, the length of the feed's history, the channel, how many tokens one script may examine, the call's own name, the feed's entry, the
 * start of the name of an event's tenant index, the salt from which those of the events are derived (or empty), the prefix as JSON, and 0 or, if the
 * feed's entry is to be written once for each part of the tenants, the maximum length of such a part.
 *
 * A small revocation is written into every token immediately. A large one would block Redis: its exact counts are taken from the sizes of the indexes, and a
 * job is written. The job takes effect immediately, since every reader applies it, and `driveJob` then writes it into the tokens. Returns `done`, `job`,
 * `busy` (an earlier job must be completed first) or `known`, the number of tokens, and the bodies of the events.
 */
export const revokeTokens: string = `
local spec = cjson.decode(ARGV[1])

local function eventId(i) return i == 1 and ARGV[2] or ARGV[2] .. '_' .. num(i) end

local done = answered(ARGV[8])
if done then
  local out = { 'done', tonumber(string.match(done, '^%d+')) }
  for i = 1, tonumber(string.match(done, '%d+$')) do out[i + 2] = call('GET', P .. 'ev:' .. eventId(i)) or '' end
  return out
end
${refuseMoving}
if isFenced(ARGV[12]) then return { 'fenced', 0 } end
if call('EXISTS', P .. 'ev:' .. ARGV[2]) == 1 then return { 'known', 0 } end
local limit = tonumber(ARGV[7])
local job = loadJob()
local keys, size = narrowest(spec.choices, '')

-- The number of tokens by tenant as JSON, or by the empty string for tokens without a tenant.
local touched, counts, total = {}, {}, 0
local function add(tenant, count)
  if count == 0 then return end
  if not counts[tenant] then touched[#touched + 1] = tenant end
  counts[tenant] = (counts[tenant] or 0) + count
  total = total + count
end

-- Adds the tenants to the feed's entry, in parts.
local function feedEntries()
  local most = tonumber(ARGV[13])
  if most == 0 then return { ARGV[9] } end
  local start = string.sub(ARGV[9], 1, -2) .. ',"tenantIds":['
  local entries, part, length = {}, {}, 0
  local function close() entries[#entries + 1] = start .. table.concat(part, ',') .. ']}' end
  for _, tenant in ipairs(touched) do
    if #part > 0 and length + #tenant >= most then
      close()
      part, length = {}, 0
    end
    part[#part + 1] = tenant
    length = length + #tenant + 1
  end
  close()
  return entries
end

local out = { 'done', 0 }
local function finish()
  remember(ARGV[8], num(total) .. ' ' .. num(#touched))
  out[2] = total
  if total == 0 then return nil end
  local entries = feedEntries()
  local head = call('INCRBY', P .. 'feed:head', #entries)
  local seq = call('INCRBY', P .. 'ev:head', #touched) - #touched
  local said = string.sub(ARGV[3], 1, -2)
  for i, tenant in ipairs(touched) do
    local id = eventId(i)
    -- 128 bits of a one-way function, which reveal neither this salt nor that of another event.
    local salt = ARGV[11] == '' and '' or ',"salt":"' .. string.sub(redis.sha1hex(ARGV[11] .. ' ' .. num(i)), 1, 32) .. '"'
    local its = tenant == '' and '' or ',"tenantId":' .. tenant
    -- Built in one step, with the tenant's index written separately: Lua hashes only some characters of a long string, so thousands that differ only in
    -- a tenant and a number would collide, and each would be compared with all others.
    out[i + 2] = said .. ',"id":' .. cjson.encode(id) .. ',"count":' .. num(counts[tenant]) .. salt .. its .. '}'
    writeEvent(seq + i, id, out[i + 2], ARGV[4])
    if tenant ~= '' then call('ZADD', P .. ARGV[10] .. tenant .. ']', num(seq + i), id) end
  end
  appendFeed(head, entries, tonumber(ARGV[5]), ARGV[6])
  return head
end

if spec.ids or size <= limit then
  local matching, seen = {}, {}
  local function look(id)
    local t = call('HMGET', P .. 't:' .. id, 'v', 'q', 'x', 'ca', 'ra')
    if seen[id] or not t[1] or t[5] or revokedBy(job, t[2], t[3], t[5]) or not within(t[3], spec) then return end
    seen[id] = true
    matching[#matching + 1] = { id, tonumber(t[1]), t[3], t[4] }
    local _, tenant = tenantIn(t[3])
    add(tenant or '', 1)
  end
  if spec.ids then
    for _, id in ipairs(spec.ids) do look(id) end
  else
    for _, key in ipairs(keys) do
      for _, id in ipairs(call('ZRANGE', P .. key, 0, -1)) do look(id) end
    end
  end
  finish()
  for _, t in ipairs(matching) do stampToken(t[1], t[2], t[3], t[4], spec.stamp, spec.at) end
  return out
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
-- The number of tokens of a tenant, which is part of the name of its index.
local lead = string.sub(spec.all[1], 1, -2) .. ',"tenant",'
local function addTenant(index)
  add(string.sub(index, #lead + 1, -2), unrevoked({ index, unpack(spec.all, 2) }))
end
if spec.any then
  for _, index in ipairs(spec.any) do addTenant(index) end
else
  for _, index in ipairs(call('ZRANGE', P .. 'ten' .. spec.all[1], 0, -1)) do addTenant(index) end
  add('', unrevoked(#spec.all == 1 and spec.all or { unpack(spec.all, 2) }) - total)
end
local head = finish()
if not head then return out end
spec.choices = nil
call('HSET', P .. 'job', 'seq', num(head), 'spec', ARGV[1], 'at', '1')
-- MGET reads this flag together with every record.
call('SET', P .. 'job:on', '1')
for i, key in ipairs(keys) do call('HSET', P .. 'job', 'key' .. i, key) end
out[1] = 'job'
return out
`

/** Writes the pending bulk revocation into the next ARGV[1] tokens. Returns 1 while there is more to do. */
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
