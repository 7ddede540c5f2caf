import type { RecordCache } from '../../cache/records.js'
import { ConflictError } from '../../errors.js'
import type { Context } from '../../verify/context.js'
import { MOST_PACED, Pace } from './pace.js'
import { join } from './waits.js'

/** How many times a change is retried when the token was changed concurrently. */
export const MAX_TRIES = 200
/** How many changes wait for one token before edits are refused. */
const MAX_WAITING = 200
/** How many races a revocation may lose before it is made whatever the version of the token is. */
const MOST_LOST = 2

/** Who goes first: edits wait for what deactivates or replaces the token, and everything waits for a revocation. */
export type Urgency = 'edit' | 'stop' | 'revocation'
const URGENCIES: readonly Urgency[] = ['edit', 'stop', 'revocation']

/** One attempt to make a change. */
export type Attempt = {
  /** Whether earlier attempts lost so many races that a revocation must no longer depend on the version of the token. */
  readonly isOutrun: boolean
  /** Called before the change is committed. Returns whether it may be committed now; otherwise, the attempt is over. */
  readonly mayCommit: () => Promise<boolean>
}

type Waiting = { readonly urgency: number; readonly go: () => void }

/** The changes that an instance makes to single tokens. */
type Lines = {
  /** The changes that wait, by token. A token with an entry is being changed. */
  readonly waiting: Map<string, Waiting[]>
  readonly pace: Pace
}

const lines: WeakMap<RecordCache, Lines> = new WeakMap()

function linesOf({ records, settings }: Context): Lines {
  const known = lines.get(records) ?? { waiting: new Map(), pace: new Pace(settings) }
  lines.set(records, known)
  return known
}

/** Returns the error for a change that still conflicts after `MAX_TRIES`, or that arrives when too many changes are waiting. */
export function tooManyChanges(): ConflictError {
  return new ConflictError('conflict', 'too many concurrent changes to this token; retry')
}

/**
 * Makes a change to one token. An attempt that returns `undefined` is repeated. The first attempt is made immediately, so a refusal never waits; later attempts
 * take turns, because otherwise each of them would read the token again whenever one succeeded.
 *
 * Other nodes do not take these turns. Edits are therefore made more slowly while many of them compete, so that more urgent changes, on whichever node, come
 * between them.
 *
 * @throws ConflictError `conflict`, after too many attempts, or when too many changes wait already
 */
export async function takingTurns<T>(
  context: Context,
  given: unknown,
  urgency: Urgency,
  attempt: (attempt: Attempt) => Promise<T | undefined>,
): Promise<T> {
  const own = linesOf(context)
  // Until the first attempt has checked it, the ID may be anything.
  const id = String(given)
  const isEdit = urgency === 'edit'
  const tryOnce = async (tries: number): Promise<T | undefined> => {
    const inTurn = tries > 0
    const { monotonic } = context.settings
    let begunAt = monotonic()
    let committing = false
    const mayCommit = async (): Promise<boolean> => {
      if (!isEdit) return true
      // Out of turn, committing would only make the change whose turn it is start over.
      const readMs = monotonic() - begunAt
      committing = inTurn
        ? await own.pace.mayCommit(id, context.allowance?.leftMs, tooManyChanges)
        : !(own.waiting.has(id) || own.pace.isSlow(id))
      begunAt = monotonic() - readMs
      return committing
    }
    const changed = await attempt({ isOutrun: tries >= MOST_LOST, mayCommit })
    const isLost = changed === undefined
    // Out of turn, most races are lost to other changes on this node.
    if (committing && (inTurn || !isLost)) own.pace.count(id, monotonic() - begunAt, isLost)
    return changed
  }
  const first = await tryOnce(0)
  if (first !== undefined) return first
  for (let tries = 1; tries < MAX_TRIES; ) {
    await enter(context, own, id, urgency, tries === 1)
    try {
      do {
        const changed = await tryOnce(tries)
        if (changed !== undefined) return changed
        tries += 1
      } while (tries < MAX_TRIES && !isSomebodyAhead(own, id, urgency))
    } finally {
      leave(own, id)
    }
  }
  throw tooManyChanges()
}

async function enter(context: Context, { waiting: line, pace }: Lines, id: string, named: Urgency, isNew: boolean): Promise<void> {
  const waiting = line.get(id)
  if (waiting === undefined) {
    line.set(id, [])
    return
  }
  const most = pace.isSlow(id) ? MOST_PACED : MAX_WAITING
  if (named === 'edit' && isNew && waiting.length >= most) throw tooManyChanges()
  const urgency = URGENCIES.indexOf(named)
  let go = (): void => undefined
  const turn = new Promise<void>((resolve) => {
    go = resolve
  })
  const mine: Waiting = { urgency, go }
  const place = waiting.findIndex((other) => other.urgency < urgency)
  waiting.splice(place < 0 ? waiting.length : place, 0, mine)
  if (named !== 'edit') pace.giveWay(id)
  try {
    await join(context, 'other changes to this token', 'store.commit', turn)
  } catch (error) {
    const left = waiting.indexOf(mine)
    // The turn of this change may have come just as its caller gave up.
    if (left < 0) leave({ waiting: line, pace }, id)
    else waiting.splice(left, 1)
    throw error
  }
}

function leave({ waiting: line }: Lines, id: string): void {
  const next = line.get(id)?.shift()
  if (next === undefined) line.delete(id)
  else next.go()
}

/** Returns whether a more urgent change waits behind the one whose turn it is. */
function isSomebodyAhead({ waiting }: Lines, id: string, urgency: Urgency): boolean {
  const [next] = waiting.get(id) ?? []
  return next !== undefined && next.urgency > URGENCIES.indexOf(urgency)
}
