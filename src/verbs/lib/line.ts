import type { RecordCache } from '../../cache/records.js'
import { ConflictError } from '../../errors.js'
import type { Context } from '../../verify/context.js'
import { join } from './waits.js'

/** How many times a change is retried when the token was changed concurrently. */
export const MAX_TRIES = 200
/** How many changes wait for one token before edits are refused. */
const MAX_WAITING = 200

/** How many races a revocation may lose before it no longer depends on the version of the token: other nodes do not share this queue. */
const MOST_LOST = 2

/** The order of priority: edits wait for changes that deactivate or replace the token, and every change waits for a revocation. */
export type Urgency = 'edit' | 'stop' | 'revocation'
const URGENCIES: readonly Urgency[] = ['edit', 'stop', 'revocation']

type Waiting = { readonly urgency: number; readonly go: () => void }
type Line = Map<string, Waiting[]>

/** The changes that wait, per instance and by token. A token with an entry is being changed. */
const lines: WeakMap<RecordCache, Line> = new WeakMap()

/** Returns the error for a change that still conflicts after `MAX_TRIES`, or that arrives when too many changes are waiting. */
export function tooManyChanges(): ConflictError {
  return new ConflictError('conflict', 'too many concurrent changes to this token; retry')
}

/** Returns whether this edit must wait. Committing now would only make the change that is currently running start over. */
export function mustWait({ records }: Context, id: string, urgency: Urgency): boolean {
  return urgency === 'edit' && lines.get(records)?.has(id) === true
}

/**
 * Makes a change to one token. An attempt that returns `undefined` is repeated. The first attempt is made immediately, so a refusal never waits; later
 * attempts are queued, because otherwise each of them would read the token again whenever one succeeded.
 *
 * @throws ConflictError `conflict`, after too many attempts, or when too many changes are already waiting
 */
export async function takingTurns<T>(
  context: Context,
  given: unknown,
  urgency: Urgency,
  attempt: (inTurn: boolean, isOutrun: boolean) => Promise<T | undefined>,
): Promise<T> {
  const first = await attempt(false, false)
  if (first !== undefined) return first
  // The first attempt checked that it is the ID of a token.
  const id = String(given)
  const line: Line = lines.get(context.records) ?? new Map()
  lines.set(context.records, line)
  await enter(context, line, id, urgency)
  try {
    for (let tries = 1; tries < MAX_TRIES; tries += 1) {
      const changed = await attempt(true, urgency === 'revocation' && tries >= MOST_LOST)
      if (changed !== undefined) return changed
    }
    throw tooManyChanges()
  } finally {
    leave(line, id)
  }
}

async function enter(context: Context, line: Line, id: string, named: Urgency): Promise<void> {
  const waiting = line.get(id)
  if (waiting === undefined) {
    line.set(id, [])
    return
  }
  if (named === 'edit' && waiting.length >= MAX_WAITING) throw tooManyChanges()
  const urgency = URGENCIES.indexOf(named)
  let go = (): void => undefined
  const turn = new Promise<void>((resolve) => {
    go = resolve
  })
  const mine: Waiting = { urgency, go }
  const place = waiting.findIndex((other) => other.urgency < urgency)
  waiting.splice(place < 0 ? waiting.length : place, 0, mine)
  try {
    await join(context, 'other changes to this token', 'store.commit', turn)
  } catch (error) {
    const left = waiting.indexOf(mine)
    // This change may have become the next one just as its caller gave up.
    if (left < 0) leave(line, id)
    else waiting.splice(left, 1)
    throw error
  }
}

function leave(line: Line, id: string): void {
  const next = line.get(id)?.shift()
  if (next === undefined) line.delete(id)
  else next.go()
}
