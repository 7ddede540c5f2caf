/**
 * Positions in the log of a prefix are integers, one for each event. Another client of the server could add a second event at a position. Readers would skip
 * that event, so it is returned as damaged. An ID that appears in another index but not in the log is not an event of the log, and has no body.
 */
const eventAt = `
local FARTHEST = 9007199254740991
local function eventAt(log, id, score)
  local seq = math.max(0, math.min(FARTHEST, math.floor(score)))
  local body = call('GET', P .. 'ev:' .. id)
  if not body or tonumber(call('ZSCORE', P .. log, id) or '') ~= score or score > FARTHEST then return seq, '' end
  if score ~= seq or call('ZCOUNT', P .. log, num(seq), '(' .. num(seq + 1)) ~= 1 then return seq, 'displaced' end
  return seq, body
end
`

/** A step through the audit events. ARGV: lists of index keys as JSON, the log last; the `seq` to start after, or empty; a limit. Returns seq, ID, body … */
export const eventStep: string = `${eventAt}
local choices = cjson.decode(ARGV[1])
local log = choices[#choices][1]
local out = {}
walk(narrowest(choices, ''), ARGV[2] ~= '' and tonumber(ARGV[2]) or nil, '', tonumber(ARGV[3]), function(id, score)
  local seq, body = eventAt(log, id, score)
  out[#out + 1] = num(seq)
  out[#out + 1] = id
  out[#out + 1] = body
  return false
end)
return out
`

/**
 * Like `eventStep`, oldest first. Reads the same number of events from each key. If one returns the full number, the events after its last one wait for the
 * next step. An event in two of the keys is returned once.
 */
export const eventStepOldest: string = `${eventAt}
local choices = cjson.decode(ARGV[1])
local log = choices[#choices][1]
local keys = narrowest(choices, '')
local size = math.max(8, math.floor(tonumber(ARGV[3]) / math.max(1, #keys)))
local from = ARGV[2] == '' and '-inf' or num(tonumber(ARGV[2]) + 1)
local found, edge = {}, nil
for _, key in ipairs(keys) do
  local rows = call('ZRANGEBYSCORE', P .. key, from, num(FARTHEST), 'WITHSCORES', 'LIMIT', 0, size)
  for i = 1, #rows, 2 do found[#found + 1] = { tonumber(rows[i + 1]), rows[i] } end
  local last = tonumber(rows[#rows])
  if #rows == 2 * size and (not edge or last < edge) then edge = last end
end
table.sort(found, function(a, b) return a[1] < b[1] or (a[1] == b[1] and less(a[2], b[2])) end)
local out, before = { edge and 1 or 0 }, {}
for _, event in ipairs(found) do
  if (event[1] ~= before[1] or event[2] ~= before[2]) and (not edge or event[1] <= edge) then
    before = event
    local seq, body = eventAt(log, event[2], event[1])
    out[#out + 1] = num(seq)
    out[#out + 1] = event[2]
    out[#out + 1] = body
  end
end
return out
`

/** ARGV: the index key of the prefix, and an event's ID. Returns its seq and body, or nothing. */
export const oneEvent: string = `${eventAt}
local score = call('ZSCORE', P .. ARGV[1], ARGV[2])
if not score then return {} end
local seq, body = eventAt(ARGV[1], ARGV[2], tonumber(score))
if body == '' then return {} end
return { num(seq), body }
`
