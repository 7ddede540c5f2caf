import type { UsageTrim } from '../../../src/model/usage.js'
import { periodOf } from './activity.js'
import type { Connection } from './connection.js'
import { decodeListed, encodeEvent, flagOf, isOfAnother, listOf, unexpected } from './encode.js'
import { scripts } from './scripts.js'

/** The number of tokens per script when trimming usage, and the number of counters after which a script stops. */
const TRIM_STEP = 10
const TRIM_COUNTERS = 10_000

/** Removes audit events by their IDs. */
export async function removeEvents(connection: Connection, prefix: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  const bodies = await connection.getMany(ids.map((id) => `ev:${id}`))
  const args = listOf(bodies).flatMap((body, index) => {
    if (body === null || isOfAnother(body, prefix)) return []
    const [id, , indexes] = encodeEvent(decodeListed(body, { prefix, id: ids[index] ?? '' }))
    return [id, indexes]
  })
  if (args.length > 0) flagOf(await connection.run(scripts.removeEvents, args))
}

/** Removes a batch of old usage. */
export async function trimUsage(
  connection: Connection,
  { tokenIds, countsBefore, addressesBefore, lastAddresses }: UsageTrim,
): Promise<boolean> {
  const period = countsBefore === undefined ? '' : periodOf(countsBefore)
  let more = false
  let left = tokenIds
  while (left.length > 0) {
    const fixed = [countsBefore ?? '', addressesBefore ?? '', period, lastAddresses === true ? 1 : 0, TRIM_COUNTERS]
    const [unfinished, count] = listOf(await connection.run(scripts.trimUsage, [...fixed, ...left.slice(0, TRIM_STEP)]))
    if (flagOf(unfinished)) more = true
    if (!(Number(count) > 0)) throw unexpected()
    left = left.slice(Number(count))
  }
  return more
}
