import type { FeedRow } from '../schema/schema.js'
import { wide } from '../schema/wide.js'

/** A position in the feed of one run of a server. Empty if a dialect does not distinguish runs. */
export type Position = { readonly run: string; readonly at: number }

/** The columns of the feed's row. */
export const FEED_COLUMNS = ['head', 'floor', 'run', 'run_from', 'run_before'] as const

const CURSOR = /^(?:(\w{1,100})\.)?(\d{1,16})$/

/** Reads the position in a cursor: `17`, or with a run `1795733598123456_16384_16432.17`. */
export const positionOf = (cursor: string | undefined): Position | undefined => {
  const [, run = '', at] = CURSOR.exec(cursor ?? '') ?? []
  return at === undefined ? undefined : { run, at: Number(at) }
}

/** Returns a position as a cursor. */
export const cursorOf = ({ run, at }: Position): string => (run === '' ? String(at) : `${run}.${at}`)

/** Returns whether one position is at or past the other. Positions of different runs are not comparable: changes may have been lost in between. */
export const reached = (cursor: string, target: string): boolean => {
  const [one, other] = [positionOf(cursor), positionOf(target)]
  return one !== undefined && other !== undefined && one.run === other.run && one.at >= other.at
}

/**
 * Returns whether this feed has reached a position and still contains everything after it.
 *
 * If not, the entries after the position were cut off, or the feed belongs to another database or to a database that lost changes: a restored backup,
 * or a standby that was promoted before it had received everything.
 */
export const continues = (feed: FeedRow, { run, at }: Position): boolean => {
  if (at < wide(feed.floor)) return false
  if (run === feed.run) return at <= wide(feed.head)
  // This run continues from the position that the previous run had published when this run began.
  return run === feed.run_before && at <= wide(feed.run_from)
}
