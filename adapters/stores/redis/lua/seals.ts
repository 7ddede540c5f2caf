import { refuseMoving } from './moves.js'

/** ARGV: prefix as JSON, and the positions of the first and last seal. Returns the number of seals, and the bodies of the requested ones. */
export const readSeals: string = `
local key = P .. 'seals:' .. ARGV[1]
return { call('LLEN', key), unpack(call('LRANGE', key, ARGV[2], ARGV[3])) }
`

/**
 * ARGV: prefix as JSON, number, body. Returns 1 if the seal is stored, even if an earlier attempt by the client stored it, and
 * -1 if a move refuses it.
 */
export const saveSeal: string = `
local key = P .. 'seals:' .. ARGV[1]
local before = tonumber(ARGV[2]) - 1
local length = call('LLEN', key)
if length > before and call('LINDEX', key, before) == ARGV[3] then return 1 end
if length ~= before then return 0 end
${refuseMoving}
if isFenced(ARGV[1]) then return -1 end
call('RPUSH', key, ARGV[3])
return 1
`
