import type { FeedRow } from '../schema/schema.js'
import { wide } from '../schema/wide.js'

/** A place in the feed of one run of a server. Runs are empty where a dialect does not tell them apart. */
export type Position = { readonly run: string; readonly at: number }

/** The columns of the row of the feed. */
export const FEED_COLUMNS = ['head', 'floor', 'run', 'run_from', 'run_before'] as const

const CURSOR = /^(?:(\w{1,100})\.)?(\d{1,16})$/

/** The position that a cursor stands for: `17`, or with a run `1795733598123456_16384_16432.17`. */
export const positionOf = (cursor: string | undefined): Position | undefined => {
  const [, run = '', at] = CURSOR.exec(cursor ?? '') ?? []
  return at === undefined ? undefined : { run, at: Number(at) }
}

/** A position as a cursor. */
export const cursorOf = ({ run, at }: Position): string => (run === '' ? String(at) : `${run}.${at}`)

/** Is the one at or past the other? Those of different runs cannot be compared: between the two, changes may have been lost. */
export const reached = (cursor: string, target: string): boolean => {
  const [one, other] = [positionOf(cursor), positionOf(target)]
  return one !== undefined && other !== undefined && one.run === other.run && one.at >= other.at
}

/**
 * Does this feed hold everything behind a position, and has it come as far?
 *
 * Otherwise what is behind the position was cut off, or the feed is that of another database, or of one that lost changes: one that was restored from a
 * backup, or a standby that had not got everything when it was promoted.
 */
export const continues = (feed: FeedRow, { run, at }: Position): boolean => {
  if (at < wide(feed.floor)) return false
  if (run === feed.run) return at <= wide(feed.head)
  // What the run before had said by the time that this one began is what this one goes on from.
  return run === feed.run_before && at <= wide(feed.run_from)
}
