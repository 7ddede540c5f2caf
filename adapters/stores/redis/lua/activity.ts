import { ERASED } from '../../../../src/model/event.js'
import { runOfServer } from './run.js'

/** ARGV: prefix as JSON. Returns the state of each of its consumers, as JSON. */
export const readConsumers: string = `
return call('HVALS', P .. 'consumers:' .. ARGV[1])
`

/** ARGV: prefix as JSON, name, version, state as JSON. Returns 1 if the state is stored, even if an earlier attempt by the client stored it. */
export const saveConsumer: string = `
local key = P .. 'consumers:' .. ARGV[1]
local stored = call('HGET', key, ARGV[2])
if stored == ARGV[4] then return 1 end
local version = stored and cjson.decode(stored).version or 0
if version ~= tonumber(ARGV[3]) - 1 then return 0 end
call('HSET', key, ARGV[2], ARGV[4])
return 1
`

/** ARGV: prefix as JSON, name, version. Returns 1 if it was removed. */
export const removeConsumer: string = `
local key = P .. 'consumers:' .. ARGV[1]
local stored = call('HGET', key, ARGV[2])
if not stored or cjson.decode(stored).version ~= tonumber(ARGV[3]) then return 0 end
return call('HDEL', key, ARGV[2])
`

/**
 * A page of the change feed. ARGV: the position or empty, the run ID that came with it, how many entries.
 * Returns the run ID, the position to continue from, `everything`, `more`, and the entries.
 */
export const readFeed: string = `
${runOfServer}
local run = runOfServer()
local head = call('GET', P .. 'feed:head') or '0'
if ARGV[1] == '' then return { run, head, 0, 0 } end
local after = tonumber(ARGV[1])
local floor = tonumber(call('GET', P .. 'feed:floor') or '0')
if ARGV[2] ~= run or after > tonumber(head) or after < floor then return { run, head, 1, 0 } end
local rows = call('ZRANGEBYSCORE', P .. 'feed', '(' .. ARGV[1], '+inf', 'LIMIT', 0, tonumber(ARGV[3]))
local last = rows[#rows] and string.match(rows[#rows], '^%d+') or head
local out = { run, last, 0, tonumber(last) < tonumber(head) and 1 or 0 }
for i, row in ipairs(rows) do out[i + 4] = row end
return out
`

/**
 * `whyNoUsage(at, counts, addresses, lastUses)`: returns the error that a key of the wrong type would cause for one of these rows, if any. A script is not
 * rolled back if it fails halfway, so this is checked before anything is written. `addUsage(…)`: adds these numbers of rows, whose arguments begin at position
 * `at`, to the usage of the tokens that exist.
 */
export const usageWriter: string = `
local function whyNoUsage(at, counts, addresses, lastUses)
  local function take() at = at + 1 return ARGV[at - 1] end
  local asked = {}
  local function fault(command, key)
    if asked[key] then return nil end
    asked[key] = true
    local answer = redis.pcall(command, key)
    return type(answer) == 'table' and answer.err or nil
  end
  local function notCounted(key, field)
    local count = call('HGET', key, field)
    return count and not string.match(count, '^%-?%d+$') and 'ERR hash value is not an integer' or nil
  end
  for i = 1, counts do
    local id, period, field = take(), take(), take()
    take()
    local key = P .. 'uc:' .. period .. ':' .. id
    local why = fault('ZCARD', P .. 'us:' .. id) or fault('HLEN', key) or notCounted(key, field)
    if why then return why end
  end
  for i = 1, addresses do
    local id, ip = take(), take()
    at = at + 2
    local why = fault('ZCARD', P .. 'ua:' .. id) or fault('HLEN', P .. 'un:' .. id) or notCounted(P .. 'un:' .. id, ip)
    if why then return why end
  end
  for i = 1, lastUses do
    local why = fault('HLEN', P .. 'ul:' .. take())
    at = at + 2
    if why then return why end
  end
end
local function addUsage(at, counts, addresses, lastUses)
  local function take() at = at + 1 return ARGV[at - 1] end
  local states = {}
  -- No address is kept for a token of an erased owner. Such a token has the reserved name, is revoked, and is in no owner's index.
  local function known(id)
    if not states[id] then
      local t = call('HMGET', P .. 't:' .. id, 'n', 'ra', 'x')
      local owner = t[3] and string.sub(firstIndex(t[3]), 1, -2) .. ',"owner",'
      local erased = t[1] == '${ERASED}' and t[2] and not string.find(t[3], owner, 1, true)
      states[id] = { there = t[3] and true, erased = erased }
    end
    return states[id].there, states[id].erased
  end
  local function addCount(id, period, field, count)
    call('ZADD', P .. 'us:' .. id, period, period)
    call('HINCRBY', P .. 'uc:' .. period .. ':' .. id, field, count)
  end
  local function addAddress(id, ip, count, last)
    call('ZADD', P .. 'ua:' .. id, 'GT', last, ip)
    call('HINCRBY', P .. 'un:' .. id, ip, count)
    local many = call('ZCARD', P .. 'ua:' .. id)
    if many > 2000 then
      local oldest = call('ZRANGE', P .. 'ua:' .. id, 0, many - 1001)
      call('ZREMRANGEBYRANK', P .. 'ua:' .. id, 0, many - 1001)
      call('HDEL', P .. 'un:' .. id, unpack(oldest))
    end
  end
  local function addLastUse(id, last, ip)
    if tonumber(last) <= (tonumber(call('HGET', P .. 'ul:' .. id, 'at')) or -1) then return end
    call('DEL', P .. 'ul:' .. id)
    call('HSET', P .. 'ul:' .. id, 'at', last)
    if ip ~= '' then call('HSET', P .. 'ul:' .. id, 'ip', ip) end
  end
  for i = 1, counts do
    local id, period, field, count = take(), take(), take(), take()
    if known(id) then addCount(id, period, field, count) end
  end
  for i = 1, addresses do
    local id, ip, count, last = take(), take(), take(), take()
    local there, erased = known(id)
    if there and not erased then addAddress(id, ip, count, last) end
  end
  for i = 1, lastUses do
    local id, last, ip = take(), take(), take()
    local there, erased = known(id)
    if there then addLastUse(id, last, erased and '' or ip) end
  end
end
`

/**
 * One usage batch. ARGV: node, seq, the numbers of counts, addresses and last uses; then token, period, field, count of each count;
 * token, address, count, instant of each address; token, instant, address of each last use.
 */
export const recordUsage: string = `
local node = P .. 'node:' .. ARGV[1]
if tonumber(ARGV[2]) <= tonumber(call('GET', node) or '0') then return 0 end
${usageWriter}
local counts, addresses, lastUses = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local why = whyNoUsage(6, counts, addresses, lastUses)
if why then return redis.error_reply(why) end
-- A week, which is far longer than a node retries a flush.
call('SET', node, ARGV[2], 'EX', 604800)
addUsage(6, counts, addresses, lastUses)
return 1
`

/**
 * ARGV: first and last period, from, to, limit and step (empty if there is none), the number of counters after which to stop, the period of the first
 * token after which to continue (or empty), IDs. Returns for each ID that it reached: its counters, its addresses with instant and count, the period
 * after which to continue (empty at the end), and the number of counters. With a step, returns sums instead of counters, each with the beginning of its step
 * and whether the use was allowed, and no addresses.
 */
export const reportUsage: string = `
local from, to = tonumber(ARGV[3]) or -math.huge, tonumber(ARGV[4]) or math.huge
local limit, step = tonumber(ARGV[5]) or math.huge, tonumber(ARGV[6])
local most = tonumber(ARGV[7])
local out, found, seen = {}, 0, 0
local function verdictOf(field)
  -- Almost every endpoint can be read without a JSON reader, which is slow.
  local outcome = string.match(field, '^%[%d+,"[^"\\\\]*","([%l_]+)"') or cjson.decode(field)[3]
  return outcome == 'allowed' and 'allowed' or 'refused'
end
for i = 9, #ARGV do
  local id, counts, addresses, sums, last, rest, before = ARGV[i], {}, {}, { allowed = {}, refused = {} }, nil, '', found
  for _, period in ipairs(call('ZRANGEBYSCORE', P .. 'us:' .. id, i == 9 and ARGV[8] ~= '' and '(' .. ARGV[8] or ARGV[1], ARGV[2])) do
    if last and seen >= most then rest = last break end
    last = period
    local fields = found < limit and call('HGETALL', P .. 'uc:' .. period .. ':' .. id) or {}
    seen = seen + #fields / 2
    for j = 1, #fields, 2 do
      local at = tonumber(string.match(fields[j], '^%[(%d+)'))
      if at and at >= from and at < to and found < limit then
        found = found + 1
        if step then
          local sum = sums[verdictOf(fields[j])]
          local begin = at - (at - from) % step
          sum[begin] = (sum[begin] or 0) + tonumber(fields[j + 1])
        else
          counts[#counts + 1] = fields[j]
          counts[#counts + 1] = fields[j + 1]
        end
      end
    end
  end
  for verdict, sum in pairs(sums) do
    for begin, uses in pairs(sum) do
      counts[#counts + 1] = '[' .. num(begin) .. ',"","' .. verdict .. '",""]'
      counts[#counts + 1] = num(uses)
    end
  end
  local recent = (step or rest ~= '') and {} or call('ZREVRANGE', P .. 'ua:' .. id, 0, 999, 'WITHSCORES')
  for j = 1, #recent, 2 do
    addresses[#addresses + 1] = recent[j]
    addresses[#addresses + 1] = num(tonumber(recent[j + 1]))
    addresses[#addresses + 1] = call('HGET', P .. 'un:' .. id, recent[j]) or '0'
  end
  out[#out + 1] = { id, counts, addresses, rest, found - before }
  if seen >= most then break end
end
return out
`

/**
 * ARGV: node, cursor and expiry of each lease.
 *
 * Removes a lease after 24 consecutive hourly checks found that it had not been renewed. Neither the instants in the leases, which other wall clocks wrote,
 * nor a jump of the server's clock removes the lease of a running node.
 */
export const renewLeases: string = `
for i = 1, #ARGV, 3 do
  call('ZADD', P .. 'leases', ARGV[i + 2], ARGV[i])
  call('HSET', P .. 'leases:at', ARGV[i], ARGV[i + 1])
  call('HDEL', P .. 'leases:missed', ARGV[i])
end
if call('SET', P .. 'leases:looked', '1', 'NX', 'EX', 3600) then
  for _, node in ipairs(call('ZRANGE', P .. 'leases', 0, -1)) do
    if call('HINCRBY', P .. 'leases:missed', node, 1) >= 24 then
      call('ZREM', P .. 'leases', node)
      call('HDEL', P .. 'leases:at', node)
      call('HDEL', P .. 'leases:missed', node)
    end
  end
end
return 1
`

/** ARGV: the current time. Returns node, instant, and cursor of each lease that has not expired. */
export const readLeases: string = `
local live = call('ZRANGEBYSCORE', P .. 'leases', '(' .. ARGV[1], '+inf', 'WITHSCORES')
local out = {}
for i = 1, #live, 2 do
  out[#out + 1] = live[i]
  out[#out + 1] = num(tonumber(live[i + 1]))
  out[#out + 1] = call('HGET', P .. 'leases:at', live[i]) or ''
end
return out
`

/** ARGV: the version of the layout. Stores it unless a version is already stored. Returns the current layout, and what the server reports about itself. */
export const beginStore: string = `
call('SET', P .. 'layout', ARGV[1], 'NX')
local info = {}
for _, section in ipairs({ 'server', 'memory', 'persistence', 'replication' }) do
  local text = redis.pcall('INFO', section)
  if type(text) == 'string' then info[#info + 1] = text end
end
return { call('GET', P .. 'layout'), table.concat(info, '\\n') }
`
