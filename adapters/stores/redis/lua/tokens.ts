import { refuseMoving } from './moves.js'
import { runOfServer } from './run.js'

/** Functions that write and remove a token with its indexes. `t.expected`: the token exists, with the indexes `oldX` and the instant `oldCa`. */
export const tokenWriters: string = `
local function unindex(id, indexes)
  for key in string.gmatch(indexes, '[^\\n]+') do
    call('ZREM', P .. key, id)
    call('ZREM', P .. 'r' .. key, id)
  end
  for _, key in ipairs(liveKeys(indexes)) do call('ZREM', key, id) end
  for _, set in ipairs({ 'exp', 'soon', 'old', 'nb', 'due', 'off' }) do call('ZREM', P .. set .. firstIndex(indexes), id) end
  call('ZREM', P .. 'ids' .. firstIndex(indexes), id)
  for _, name in ipairs(namesIn(indexes)) do
    if call('EXISTS', P .. name[2]) == 0 then call('ZREM', name[1], name[2]) end
  end
end
local function place(set, t, score, member)
  local key = P .. set .. firstIndex(t.x)
  if member then call('ZADD', key, score, t.id) elseif t.expected then call('ZREM', key, t.id) end
end
local function writeToken(t, head)
  if t.expected and (t.oldX ~= t.x or t.oldCa ~= t.ca) then unindex(t.id, t.oldX) end
  local fields = { 'v', t.v, 'q', num(head), 'x', t.x, 'ca', t.ca, 'n', t.n }
  for _, name in ipairs({ 'ra', 'da', 'nb', 'ex', 'du', 'rp' }) do
    if t[name] ~= '' then
      fields[#fields + 1] = name
      fields[#fields + 1] = t[name]
    end
  end
  if t.expected then call('DEL', P .. 't:' .. t.id) end
  call('HSET', P .. 't:' .. t.id, unpack(fields))
  call('SET', P .. 'r:' .. t.id, t.r)
  for key in string.gmatch(t.x, '[^\\n]+') do
    call('ZADD', P .. key, t.ca, t.id)
    if t.ra ~= '' then call('ZADD', P .. 'r' .. key, t.ca, t.id) elseif t.expected then call('ZREM', P .. 'r' .. key, t.id) end
  end
  for _, key in ipairs(liveKeys(t.x)) do
    if t.ra == '' then call('ZADD', key, t.ex == '' and '+inf' or t.ex, t.id) elseif t.expected then call('ZREM', key, t.id) end
  end
  call('ZADD', P .. 'ids' .. firstIndex(t.x), 0, t.id)
  for _, name in ipairs(namesIn(t.x)) do call('ZADD', name[1], 0, name[2]) end
  place('exp', t, t.ex, t.ex ~= '')
  place('soon', t, t.ex, t.ex ~= '' and t.ra == '' and t.da == '')
  place('old', t, t.ca, false)
  place('nb', t, t.nb, t.nb ~= '')
  place('due', t, t.du, t.du ~= '' and t.ra == '' and t.rp == '')
  place('off', t, t.ca, t.da ~= '' and t.ra == '')
end
local function removeUsage(id)
  for _, period in ipairs(call('ZRANGE', P .. 'us:' .. id, 0, -1)) do call('UNLINK', P .. 'uc:' .. period .. ':' .. id) end
  call('UNLINK', P .. 'us:' .. id, P .. 'ul:' .. id, P .. 'ua:' .. id, P .. 'un:' .. id)
end
local function removeToken(id)
  unindex(id, call('HGET', P .. 't:' .. id, 'x'))
  removeUsage(id)
  call('UNLINK', P .. 't:' .. id, P .. 'r:' .. id)
end
`

/**
 * ARGV: IDs. Returns the record of each, or nil if it does not exist, with a pending bulk revocation applied. If none is pending, MGET reads the records
 * instead.
 */
export const findTokens: string = `
local job = loadJob()
local out = {}
for _, id in ipairs(ARGV) do
  local record = call('GET', P .. 'r:' .. id)
  if record then
    local t = call('HMGET', P .. 't:' .. id, 'v', 'q', 'x', 'ra')
    if revokedBy(job, t[2], t[3], t[4]) then record = stamped(record, tonumber(t[1]), job.stamp) end
  end
  out[#out + 1] = record
end
return out
`

/**
 * One commit. ARGV: the counts of inserts, updates, removals, owners, events and caps, the length of the feed's history, the channel,
 * the call's own name, the count of erasures, the cursor up to which the feed is cut or `-`, and the prefix as JSON, empty or `-` (see `isFenced`); then the
 * inserts (12 arguments each, as `encodeToken` writes them), the updates (the same, after the version that each expects), IDs, owners, events (ID, body, index
 * keys), caps (index, most, now, and the indexes of the prefix, tenant and owner whose tokens it counts), and erasures (ID, body before and after, index keys
 * before and after).
 *
 * Returns an empty string, the conflicting ID, `exceeded` with the position of a cap, or `busy` if a bulk revocation must be completed first: before its own
 * tokens are counted, and before the feed is cut.
 *
 * Everything is checked before anything is written, and the first write is one that a full server refuses, because Redis does not roll back.
 */
export const commitChange: string = `
local done = answered(ARGV[9])
if done then return done end
${refuseMoving}
if ARGV[12] ~= '-' and isFenced(ARGV[12]) then return 'fenced by a move' end

local at = 13
local function take() at = at + 1 return ARGV[at - 1] end
local function takeToken()
  local t = { id = take(), r = take(), v = take(), ca = take(), x = take(), n = take() }
  t.ra, t.da, t.nb, t.ex, t.du, t.rp = take(), take(), take(), take(), take(), take()
  return t
end
local inserts, updates, removals, owners, events, caps, erasures = {}, {}, {}, {}, {}, {}, {}
for i = 1, tonumber(ARGV[1]) do inserts[i] = takeToken() end
for i = 1, tonumber(ARGV[2]) do local expected = take() updates[i] = takeToken() updates[i].expected = expected end
for i = 1, tonumber(ARGV[3]) do removals[i] = take() end
for i = 1, tonumber(ARGV[4]) do owners[i] = take() end
for i = 1, tonumber(ARGV[5]) do events[i] = { id = take(), body = take(), keys = take() } end
for i = 1, tonumber(ARGV[6]) do caps[i] = { index = take(), most = tonumber(take()), now = take(), counted = take() } end
for i = 1, tonumber(ARGV[10]) do erasures[i] = { id = take(), old = take(), body = take(), oldKeys = take(), keys = take() } end

local job = loadJob()
local inserted, seen = {}, {}
for _, t in ipairs(inserts) do
  if inserted[t.id] or call('EXISTS', P .. 't:' .. t.id) == 1 then return t.id end
  inserted[t.id] = true
end
for _, t in ipairs(updates) do
  local old = call('HMGET', P .. 't:' .. t.id, 'v', 'q', 'x', 'ra', 'ca')
  local version = tonumber(old[1])
  if version and revokedBy(job, old[2], old[3], old[4]) then version = version + 1 end
  if seen[t.id] or not version or version ~= tonumber(t.expected) then return t.id end
  seen[t.id], t.oldX, t.oldCa = true, old[3], old[5]
end
seen = {}
for _, event in ipairs(events) do
  if seen[event.id] or call('EXISTS', P .. 'ev:' .. event.id) == 1 then return event.id end
  seen[event.id] = true
end
for _, erasure in ipairs(erasures) do
  if call('GET', P .. 'ev:' .. erasure.id) ~= erasure.old then return erasure.id end
end
-- Returns whether the pending revocation may revoke tokens that a cap counts. The cap of a whole tenant counts the tokens of every owner.
local function mayRevoke(counted)
  local owner = string.sub(job.all[1], 1, -2) .. ',"owner",'
  local filter = { all = { job.all[1] }, any = job.any }
  for _, index in ipairs(job.all) do
    if string.sub(index, 1, #owner) == owner and string.find(counted, '\\n' .. owner, 1, true) then filter.all[2] = index end
  end
  return within(counted, filter)
end
-- A pending revocation contains the names of owners and tenants, so it must not outlive the feed entries that are cut off.
if job and ARGV[11] ~= '-' then return 'busy' end
for _, cap in ipairs(caps) do
  if job and mayRevoke(cap.counted) then return 'busy' end
end
for i, cap in ipairs(caps) do
  local key = P .. 'v' .. cap.index
  local count, before = call('ZCOUNT', key, '(' .. cap.now, '+inf'), {}
  local function leaves(id)
    local ends = not before[id] and call('ZSCORE', key, id)
    before[id] = true
    if ends and tonumber(ends) > tonumber(cap.now) then count = count - 1 end
  end
  local function comes(t)
    local lives = t.ra == '' and (t.ex == '' or tonumber(t.ex) > tonumber(cap.now))
    if lives and string.find(t.x, '\\n' .. cap.index .. '\\n', 1, true) then count = count + 1 end
  end
  for _, t in ipairs(inserts) do comes(t) end
  for _, t in ipairs(updates) do leaves(t.id) comes(t) end
  for _, id in ipairs(removals) do leaves(id) end
  if count > cap.most then return 'exceeded ' .. num(i - 1) end
end

local feed = {}
for _, t in ipairs(inserts) do feed[#feed + 1] = 't' .. t.id end
for _, t in ipairs(updates) do feed[#feed + 1] = 't' .. t.id end
local gone = {}
for _, id in ipairs(removals) do
  if not gone[id] and (inserted[id] or call('EXISTS', P .. 't:' .. id) == 1) then
    gone[#gone + 1] = id
    gone[id] = true
    feed[#feed + 1] = 't' .. id
  end
end
for _, owner in ipairs(owners) do feed[#feed + 1] = 'o' .. owner end

local head = 0
${runOfServer}
if ARGV[11] ~= '-' then
  local last, floor = tonumber(call('GET', P .. 'feed:head') or '0'), tonumber(call('GET', P .. 'feed:floor') or '0')
  local run, upTo = string.match(ARGV[11], '^(%w+)%.(%d+)$')
  local cut = last
  if run == runOfServer() and tonumber(upTo) < last then cut = math.max(floor, tonumber(upTo)) end
  call('SET', P .. 'feed:floor', num(cut))
  if cut == last then call('UNLINK', P .. 'feed') else call('ZREMRANGEBYSCORE', P .. 'feed', '-inf', num(cut)) end
end
if #feed > 0 then head = call('INCRBY', P .. 'feed:head', #feed) end

${tokenWriters}
for _, t in ipairs(inserts) do writeToken(t, head) end
for _, t in ipairs(updates) do writeToken(t, head) end
for _, id in ipairs(gone) do removeToken(id) end
for _, erasure in ipairs(erasures) do
  local seq = tonumber(call('ZSCORE', P .. firstIndex(erasure.oldKeys), erasure.id))
  for key in string.gmatch(erasure.oldKeys, '[^\\n]+') do call('ZREM', P .. key, erasure.id) end
  writeEvent(seq, erasure.id, erasure.body, erasure.keys)
end
if #events > 0 then
  local seq = call('INCRBY', P .. 'ev:head', #events) - #events
  for i, event in ipairs(events) do writeEvent(seq + i, event.id, event.body, event.keys) end
end
if #feed > 0 then appendFeed(head, feed, tonumber(ARGV[7]), ARGV[8]) end
remember(ARGV[9], '')
return ''
`
