import { createTurns } from '../../store/timer.js'
import { parseAnyToken } from '../../token/parse.js'
import type { Find } from './read-report.js'

/**
 * The maximum number of findings processed at the same time. Those that fail, for example because too many slow hashes waited for each other, are tried
 * again, fewer at a time.
 */
const AT_ONCE = 64
const AT_ONCE_AGAIN = 4

type Label = { readonly token_hash: string; readonly token_type: string; readonly label: 'true_positive' | 'false_positive' }

/** How to process the findings of a report. */
export type Processing = {
  /** Acts on a finding. Returns whether its token is one of ours. */
  readonly act: (find: Find) => Promise<boolean>
  /** Returns the keys that a finding names: the keys of all imported tokens that it may match. */
  readonly keysOf: (find: Find) => readonly string[]
  readonly deadlineMs: number
}

/**
 * Acts on all findings of a report, and returns the feedback in the sender's format, which identifies each token by its hash, never by its text.
 *
 * Strangers choose what a report contains. A finding that fails or takes long therefore does not delay the others, and the second finding of a key comes
 * after the first findings of all keys. Tokens of this library, which are found quickly, come before those that may need a slow hash. Processing stops once
 * nothing has succeeded for the length of the deadline, because the store is then probably down.
 *
 * @throws the first error, if a finding could not be processed; the sender then repeats the report
 */
export async function labelFinds(finds: readonly Find[], processing: Processing): Promise<readonly Label[]> {
  const known = new Map<Find, boolean>()
  const giveWay = createTurns(() => performance.now())
  let left = await inRounds(finds, processing, giveWay)
  for (const atOnce of [AT_ONCE, AT_ONCE_AGAIN]) {
    const failure = await actOn(left, atOnce, known, processing, giveWay)
    if (failure === undefined) break
    if (failure.isLast || atOnce === AT_ONCE_AGAIN || left.length <= AT_ONCE_AGAIN) throw failure.error
    left = left.filter((find) => !known.has(find))
  }
  return await Promise.all(finds.map(async (find) => labelOf(find, known.get(find) === true)))
}

/** Sorts findings: tokens of this library first, then in each round one finding of each key. */
async function inRounds(finds: readonly Find[], { keysOf }: Processing, giveWay: () => Promise<void>): Promise<readonly Find[]> {
  const ours: Find[] = []
  const rounds: Find[][] = []
  const seen = new Map<string, number>()
  for (const find of finds) {
    await giveWay()
    if (parseAnyToken(find.token) !== undefined) {
      ours.push(find)
      continue
    }
    const counts = keysOf(find).map((key) => {
      const count = seen.get(key) ?? 0
      seen.set(key, count + 1)
      return count
    })
    const round = Math.max(0, ...counts)
    const others = rounds[round]
    if (others === undefined) rounds[round] = [find]
    else others.push(find)
  }
  return [...ours, ...rounds.flat()]
}

/** Why not all findings were processed. */
type Failure = {
  readonly error: unknown
  /** Nothing has succeeded for as long as the deadline. */
  readonly isLast: boolean
}

/** Acts on `atOnce` findings at a time, and fills `known`. */
async function actOn(
  finds: readonly Find[],
  atOnce: number,
  known: Map<Find, boolean>,
  { act, deadlineMs }: Processing,
  giveWay: () => Promise<void>,
): Promise<Failure | undefined> {
  const waiting = finds.values()
  let failure: Failure | undefined
  let succeededAt = performance.now()
  const work = async (): Promise<void> => {
    for (const find of waiting) {
      await giveWay()
      if (failure?.isLast === true) return
      try {
        known.set(find, await act(find))
        succeededAt = performance.now()
      } catch (error) {
        failure = { error: failure === undefined ? error : failure.error, isLast: performance.now() - succeededAt >= deadlineMs }
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return failure
}

async function labelOf({ token, type }: Find, isKnown: boolean): Promise<Label> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))
  const text = btoa(String.fromCharCode(...new Uint8Array(hash)))
  return { token_hash: text, token_type: type, label: isKnown ? 'true_positive' : 'false_positive' }
}
