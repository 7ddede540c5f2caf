/**
 * One step of a list. ARGV: the query as JSON (`ListStep`), whose instants are exact as doubles. Returns where to continue (score and ID, empty at the end),
 * then the ID, the record, the last use and its address of each matching token.
 *
 * A step examines at most `budget` tokens, so that it never blocks Redis for long, and starts from the smallest index that covers the query. Indexes in
 * another order (expiry, rotation due …) are used if they contain few tokens, which are then sorted here.
 */
export const listStep: string = `
local q = cjson.decode(ARGV[1])
local job = loadJob()
local out = { '', '' }
local found = 0
local statuses, only = nil, nil
if q.statuses then
  statuses = {}
  for _, status in ipairs(q.statuses) do statuses[status] = true end
  if #q.statuses == 1 then only = q.statuses[1] end
end

local function statusOf(revoked, t)
  if revoked then return 'revoked' end
  if t[5] then return 'inactive' end
  if t[6] and q.now < tonumber(t[6]) then return 'pending' end
  if t[7] and not (q.now < tonumber(t[7])) then return 'expired' end
  return 'active'
end

local function visit(id)
  if q.idStartsWith and string.sub(id, 1, #q.idStartsWith) ~= q.idStartsWith then return false end
  -- Separate, because a search examines a large number of names that do not match.
  if q.name and not string.find(call('HGET', P .. 't:' .. id, 'n') or '', q.name, 1, true) then return false end
  local t = call('HMGET', P .. 't:' .. id, 'v', 'q', 'x', 'ra', 'da', 'nb', 'ex', 'du', 'rp')
  if not t[1] or not within(t[3], q) then return false end
  local pending = job and revokedBy(job, t[2], t[3], t[4])
  local revoked = pending or t[4]
  if statuses and not statuses[statusOf(revoked, t)] then return false end
  if q.expiresFrom and not (t[7] and tonumber(t[7]) >= q.expiresFrom) then return false end
  if q.expiresBefore and not (t[7] and tonumber(t[7]) < q.expiresBefore) then return false end
  if q.neverExpires and t[7] then return false end
  if q.notReplaced and t[9] then return false end
  if q.rotationDue then
    if revoked or t[9] or not t[8] or tonumber(t[8]) > q.now then return false end
    if q.rotationDueFrom and tonumber(t[8]) < q.rotationDueFrom then return false end
    if t[7] and not (q.now < tonumber(t[7])) then return false end
  end
  local use = call('HMGET', P .. 'ul:' .. id, 'at', 'ip')
  if q.neverUsed and use[1] then return false end
  if q.unusedSince and use[1] and tonumber(use[1]) >= q.unusedSince then return false end
  local record = call('GET', P .. 'r:' .. id)
  out[#out + 1] = id
  out[#out + 1] = pending and stamped(record, tonumber(t[1]), job.stamp) or record
  out[#out + 1] = use[1] or ''
  out[#out + 1] = use[2] or ''
  found = found + 1
  return found >= q.limit
end

-- Sorts a few tokens into list order, then visits them.
local function visitAll(ids)
  local rows = {}
  for from = 1, #ids, 1000 do
    local scores = call('ZMSCORE', P .. q.all[1], unpack(ids, from, math.min(from + 999, #ids)))
    for i, text in ipairs(scores) do
      local score, id = text and tonumber(text), ids[from + i - 1]
      if score and (not q.score or score < q.score or (score == q.score and less(id, q.id))) then rows[#rows + 1] = { score, id } end
    end
  end
  table.sort(rows, function(a, b) return a[1] > b[1] or (a[1] == b[1] and less(b[2], a[2])) end)
  for i, row in ipairs(rows) do
    if visit(row[2]) then break end
  end
end

-- Moves expired tokens to an index in list order: each once, and a bounded number per call. A query with an earlier clock
-- still checks the status of each token. Returns nil if the server accepts no writes.
local function lapse(now)
  local soon = P .. 'soon' .. q.all[1]
  local ids = call('ZRANGEBYSCORE', soon, '-inf', now, 'LIMIT', 0, q.budget)
  if #ids == 0 then return 0 end
  local members = {}
  for i, score in ipairs(call('ZMSCORE', P .. q.all[1], unpack(ids))) do
    members[#members + 1] = score or 0
    members[#members + 1] = ids[i]
  end
  local answer = redis.pcall('ZADD', P .. 'old' .. q.all[1], unpack(members))
  if type(answer) == 'table' and answer.err then return nil end
  call('ZREM', soon, unpack(ids))
  return #ids
end

if q.ids then
  visitAll(q.ids)
  return out
end

-- In the order of their ids. Without an index, a search for a few characters would visit every token.
if q.idStartsWith then
  local key, low, high = P .. 'ids' .. q.all[1], '[' .. q.idStartsWith, '(' .. q.idStartsWith .. '{'
  if call('ZLEXCOUNT', key, low, high) <= 10 * q.budget then
    visitAll(call('ZRANGEBYLEX', key, low, high))
    return out
  end
end

local twin = (only == 'revoked' and not job) and 'r' or ''
local keys, size = narrowest(q.choices, twin)
local set, low, high
local now = num(q.now)
if q.rotationDue then set, low, high = 'due', q.rotationDueFrom and num(q.rotationDueFrom) or '-inf', now
elseif q.expiresFrom then set, low, high = 'exp', num(q.expiresFrom), q.expiresBefore and '(' .. num(q.expiresBefore) or '+inf'
elseif only == 'inactive' then set, low, high = 'off', '-inf', '+inf'
elseif only == 'pending' then set, low, high = 'nb', '(' .. now, '+inf'
elseif only == 'expired' then set, low, high = 'exp', '-inf', now
elseif q.expiresBefore then set, low, high = 'exp', '-inf', '(' .. num(q.expiresBefore) end
if set then
  local key = P .. set .. q.all[1]
  local count = call('ZCOUNT', key, low, high)
  if count <= q.budget and count < size then
    visitAll(call('ZRANGEBYSCORE', key, low, high))
    return out
  end
  if only == 'expired' and count < size then
    local taken = lapse(now)
    if taken == q.budget then
      -- There are more, so the next step continues from the same place.
      out[1], out[2] = num(q.score or 9007199254740991), q.id or ''
      return out
    end
    if taken then keys = { 'old' .. q.all[1] } end
  end
end
-- Reading this many names takes seconds.
if q.name and not q.idStartsWith and size > q.most then return { 'too wide' } end
for i, key in ipairs(keys) do keys[i] = twin .. key end
local score, id = walk(keys, q.score, q.id, q.budget, visit)
if score then out[1], out[2] = score, id end
return out
`

/** ARGV: a list of names, the position to start from, a limit. */
export const distinctNames: string = `return call('ZRANGEBYLEX', P .. ARGV[1], ARGV[2], '+', 'LIMIT', 0, ARGV[3])`
