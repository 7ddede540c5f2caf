/**
 * The start of every script. KEYS[1] is the root of all key names (the part with the hash tag). The scripts derive every other key from it, so that all keys
 * are in one slot of a cluster.
 *
 * Lua's `<` compares strings by the server's locale, `tostring` writes large numbers with an exponent, and cjson turns an empty list into an empty object.
 * The scripts therefore compare by bytes, format numbers with `%.0f`, and pass records through as opaque text.
 */
export const prelude: string = `
local P = KEYS[1]
local call = redis.call

local function num(value) return string.format('%.0f', value) end

local function less(a, b)
  local n = math.min(#a, #b)
  for i = 1, n do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- Some clients resend a script if the connection broke before its answer arrived. The answer of a script that changed
-- something is kept for a minute under a name that only this call has.
local function answered(name) return call('GET', P .. 'done:' .. name) end
local function remember(name, answer) call('SET', P .. 'done:' .. name, answer, 'EX', 60) end

-- The bulk revocation that has not been written into every token yet. Readers apply it; writers apply it to the tokens they touch.
local function loadJob()
  local stored = call('HMGET', P .. 'job', 'seq', 'spec')
  if not stored[1] then return nil end
  local job = cjson.decode(stored[2])
  job.seq = tonumber(stored[1])
  return job
end

local function lines(keys)
  local out = {}
  for i, key in ipairs(keys) do out[i] = '\\n' .. key .. '\\n' end
  return out
end

-- The index of a token's tenant, and the tenant as JSON; nil if it has none.
local function tenantIn(indexes)
  local first, second = string.match(indexes, '^\\n([^\\n]+)\\n([^\\n]+)\\n')
  local lead = first and string.sub(first, 1, -2) .. ',"tenant",'
  if lead and string.sub(second, 1, #lead) == lead then return second, string.sub(second, #lead + 1, -2) end
end

-- Returns whether a token is in all of the indexes of a filter, and in one of its tenants' indexes, of which there may be thousands.
local function within(indexes, spec)
  spec.allLines = spec.allLines or lines(spec.all)
  for _, line in ipairs(spec.allLines) do
    if not string.find(indexes, line, 1, true) then return false end
  end
  if not spec.any then return true end
  if not spec.anyOf then
    spec.anyOf = {}
    for _, index in ipairs(spec.any) do spec.anyOf[index] = true end
  end
  local tenant = tenantIn(indexes)
  return tenant ~= nil and spec.anyOf[tenant] == true
end

-- Returns whether the job revokes this token. touched: the feed position at which the token was last written.
local function revokedBy(job, touched, indexes, revokedAt)
  return job and not revokedAt and tonumber(touched) < job.seq and within(indexes, job)
end

local function firstIndex(indexes) return string.match(indexes, '[^\\n]+') end

-- The lists of a prefix's tenants and owners, and of a tenant's owners, each with the token's entry, which is the name of an index.
local function namesIn(indexes)
  local first, tenant = firstIndex(indexes), tenantIn(indexes)
  local lists = {}
  for line in string.gmatch(indexes, '[^\\n]+') do
    local kind = string.match(string.sub(line, #first), '^,"(%l+)",')
    local of = kind == 'person' and tenant or (kind == 'tenant' or kind == 'owner') and first
    if of then lists[#lists + 1] = { P .. (kind == 'tenant' and 'ten' or 'own') .. of, line } end
  end
  return lists
end

-- The sets that count the live tokens of a tenant, and of an owner in it, scored by the token's expiry.
local function liveKeys(indexes)
  local lead = #firstIndex(indexes) - 1
  local keys = {}
  for line in string.gmatch(indexes, '[^\\n]+') do
    local kind = string.sub(line, lead + 1, lead + 10)
    if kind == ',"tenant",' or kind == ',"person",' then keys[#keys + 1] = P .. 'v' .. line end
  end
  return keys
end

-- A record after a bulk revocation: the stamp is appended, and readers apply it.
local function stamped(record, version, stamp) return record .. '\\n' .. num(version + 1) .. '\\n' .. stamp end

local function stampToken(id, version, indexes, createdAt, stamp, at)
  call('HSET', P .. 't:' .. id, 'v', num(version + 1), 'ra', at)
  call('SET', P .. 'r:' .. id, stamped(call('GET', P .. 'r:' .. id), version, stamp))
  for key in string.gmatch(indexes, '[^\\n]+') do call('ZADD', P .. 'r' .. key, createdAt, id) end
  for _, key in ipairs(liveKeys(indexes)) do call('ZREM', key, id) end
  for _, set in ipairs({ 'soon', 'old', 'due', 'off' }) do call('ZREM', P .. set .. firstIndex(indexes), id) end
end

-- Writes a pending bulk revocation into one token, and returns its resulting fields: v, q, x, ca, ra.
local function settle(job, id)
  local t = call('HMGET', P .. 't:' .. id, 'v', 'q', 'x', 'ca', 'ra')
  if t[1] and revokedBy(job, t[2], t[3], t[5]) then
    stampToken(id, tonumber(t[1]), t[3], t[4], job.stamp, job.at)
    t[1], t[5] = num(tonumber(t[1]) + 1), job.at
  end
  return t
end

-- The rank, in descending order, of the first member after a position, whose member may no longer exist.
local function rankBehind(key, score, id)
  local own = call('ZSCORE', key, id)
  if own and tonumber(own) == score then return call('ZREVRANK', key, id) + 1 end
  local low, high = 0, call('ZCARD', key)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local found = call('ZREVRANGE', key, middle, middle, 'WITHSCORES')
    local there = tonumber(found[2])
    if there < score or (there == score and less(found[1], id)) then high = middle else low = middle + 1 end
  end
  return low
end

-- Visits the merged members of sorted sets after a position, in descending order of score and then of bytes, until visit
-- returns true or budget members were visited. Returns the position reached, or nil at the end. The sets are in a heap,
-- because there may be thousands.
local function walk(keys, score, id, budget, visit)
  local size = math.max(8, math.floor(budget / math.max(1, #keys)))
  local heads = {}
  local function advance(head)
    if head.at > #head.page and not head.ended then
      head.page, head.at = call('ZREVRANGE', head.key, head.rank, head.rank + size - 1, 'WITHSCORES'), 1
      head.rank = head.rank + size
      head.ended = #head.page < 2 * size
    end
    if head.at > #head.page then return false end
    head.member, head.score = head.page[head.at], tonumber(head.page[head.at + 1])
    head.at = head.at + 2
    return true
  end
  local function precedes(a, b) return a.score > b.score or (a.score == b.score and less(b.member, a.member)) end
  local function sink(at)
    while true do
      local first = at
      for child = 2 * at, math.min(2 * at + 1, #heads) do
        if precedes(heads[child], heads[first]) then first = child end
      end
      if first == at then return end
      heads[at], heads[first] = heads[first], heads[at]
      at = first
    end
  end
  for _, key in ipairs(keys) do
    local head = { key = P .. key, rank = score and rankBehind(P .. key, score, id) or 0, page = {}, at = 1 }
    if advance(head) then heads[#heads + 1] = head end
  end
  for at = math.floor(#heads / 2), 1, -1 do sink(at) end
  local seen, member = 0, nil
  while seen < budget do
    local best = heads[1]
    if not best then return nil end
    score, member = best.score, best.member
    if not advance(best) then
      heads[1] = heads[#heads]
      heads[#heads] = nil
    end
    sink(1)
    seen = seen + 1
    if visit(member, score) then break end
  end
  return num(score), member
end

-- Returns the list of keys with the fewest members. Each of the lists contains every wanted member.
local function narrowest(choices, twin)
  local best, fewest
  for _, keys in ipairs(choices) do
    local count = 0
    for _, key in ipairs(keys) do count = count + call('ZCARD', P .. twin .. key) end
    if not fewest or count < fewest then best, fewest = keys, count end
  end
  return best or {}, fewest or 0
end

local function writeEvent(seq, id, body, keys)
  call('SET', P .. 'ev:' .. id, body)
  for key in string.gmatch(keys, '[^\\n]+') do call('ZADD', P .. key, num(seq), id) end
end

-- Appends to the change feed, trims its history in small steps, and wakes its followers.
local function appendFeed(last, entries, history, channel)
  local first = last - #entries
  for i, entry in ipairs(entries) do call('ZADD', P .. 'feed', num(first + i), num(first + i) .. ':' .. entry) end
  local surplus = call('ZCARD', P .. 'feed') - history
  if surplus > math.min(1000, history) then
    surplus = math.min(surplus, 2000 + #entries)
    local edge = call('ZRANGE', P .. 'feed', surplus - 1, surplus - 1, 'WITHSCORES')
    call('SET', P .. 'feed:floor', num(tonumber(edge[2])))
    call('ZREMRANGEBYRANK', P .. 'feed', 0, surplus - 1)
  end
  redis.pcall('PUBLISH', channel, '')
end
`
