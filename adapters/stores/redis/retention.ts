import type { UsageTrim } from '../../../src/model/usage.js'
import { periodOf } from './activity.js'
import type { Connection } from './connection.js'
import { decodeListed, encodeEvent, flagOf, isOfAnother, listOf } from './encode.js'
import { scripts } from './scripts.js'

/** The number of tokens per script when trimming usage. */
const TRIM_STEP = 10

/** Removes audit events by their ids. */
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
  for (let start = 0; start < tokenIds.length; start += TRIM_STEP) {
    const args = [
      countsBefore ?? '',
      addressesBefore ?? '',
      period,
      lastAddresses === true ? 1 : 0,
      ...tokenIds.slice(start, start + TRIM_STEP),
    ]
    if (flagOf(await connection.run(scripts.trimUsage, args))) more = true
  }
  return more
}
