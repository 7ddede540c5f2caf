import { ConflictError, isLatchkeyError } from '../../errors.js'
import type { Move, MoveState } from '../../store/moving.js'
import type { MovingStore } from '../../store/moving-store.js'
import { generateId } from '../../token/generate.js'
import { platformRandom } from '../../token/random.js'

/** Both stores of a copy, and the prefix being copied. */
export type Pair = { readonly from: MovingStore; readonly to: MovingStore; readonly prefix: string }

const conflict = (message: string): ConflictError => new ConflictError('conflict', message)

/** The progress of the move in both stores, as written by this run. A run that starts later takes over, and this one is then refused. */
export class Markers {
  readonly pair: Pair
  readonly runId: string
  #source: Move
  #target: Move

  private constructor(pair: Pair, source: Move, target: Move) {
    this.pair = pair
    this.runId = target.runId
    this.#source = source
    this.#target = target
  }

  get source(): MoveState {
    return this.#source.state
  }

  get target(): MoveState {
    return this.#target.state
  }

  /**
   * Starts a move, or continues one that was interrupted.
   *
   * @throws ConflictError `conflict`
   */
  static async take(pair: Pair): Promise<Markers> {
    const { from, to, prefix } = pair
    const [source, target] = [await from.readMove(prefix), await to.readMove(prefix)]
    const runId = generateId(platformRandom)
    if (target === undefined) return Markers.#begin(pair, source, { state: 'arriving', moveId: generateId(platformRandom), runId })
    if (target.state !== 'arriving' && target.state !== 'ready') throw conflict(`the ${to.name} store is being moved to another store`)
    if (source?.moveId !== target.moveId) {
      throw conflict(`the ${to.name} store contains an unfinished copy from another store or another move: empty it first`)
    }
    const markers = new Markers(pair, source, target)
    await markers.#save('target', { ...target, runId })
    await markers.#save('source', { ...source, runId })
    return new Markers(pair, markers.#source, markers.#target)
  }

  static async #begin(pair: Pair, source: Move | undefined, arriving: Move): Promise<Markers> {
    const { from, to, prefix } = pair
    if (source !== undefined && source.state !== 'leaving') throw conflict(refusalOf(source.state, from.name))
    const leaving: Move = { ...arriving, state: 'leaving' }
    if (!(await from.saveMove(prefix, source, leaving))) throw superseded()
    try {
      if ((await to.readMove(prefix)) !== undefined) throw taken()
      // Before the store is marked, because from then on it accepts no tokens, and a later run continues without this check.
      await refuseContent(pair)
      if (!(await to.saveMove(prefix, undefined, arriving))) throw taken()
    } catch (error) {
      // After an outage the new store may be marked, and a later run must recognize it. Until then nothing is restricted here.
      if (isLatchkeyError(error) && error.code === 'conflict') await from.saveMove(prefix, leaving, source)
      throw error
    }
    try {
      // Its nodes may have written something before it was marked.
      await refuseContent(pair)
    } catch (error) {
      if (await to.saveMove(prefix, arriving, undefined).catch(() => false)) await from.saveMove(prefix, leaving, source)
      throw error
    }
    return new Markers(pair, leaving, arriving)
  }

  /**
   * Writes the progress to one of the stores.
   *
   * @throws ConflictError `conflict`, when another run has taken over
   */
  async advance(end: 'source' | 'target', state: MoveState): Promise<void> {
    const move = end === 'source' ? this.#source : this.#target
    if (move.state !== state) await this.#save(end, { ...move, state })
  }

  /**
   * Makes sure that no node verifies with the copy before the old store accepts changes again, because a token revoked there would stay valid here.
   * `forget` waits until no node does so anymore.
   *
   * @throws ConflictError `conflict`, when another run has taken over
   */
  async withdraw(forget: () => Promise<void>): Promise<void> {
    const { from, to, prefix } = this.pair
    // The last write may have succeeded even though its response was lost.
    const [source, target] = [await from.readMove(prefix), await to.readMove(prefix)]
    if (source?.runId !== this.runId || target?.runId !== this.runId) throw superseded()
    this.#source = source
    this.#target = target
    if (target.state !== 'ready') return
    await this.advance('target', 'arriving')
    await forget()
  }

  /** Ends the move: the new store accepts changes. */
  async open(): Promise<void> {
    const { to, prefix } = this.pair
    if (!(await to.saveMove(prefix, this.#target, undefined))) throw superseded()
  }

  async #save(end: 'source' | 'target', next: Move): Promise<void> {
    const { from, to, prefix } = this.pair
    const saved = end === 'source' ? await from.saveMove(prefix, this.#source, next) : await to.saveMove(prefix, this.#target, next)
    if (!saved) throw superseded()
    if (end === 'source') this.#source = next
    else this.#target = next
  }
}

/**
 * Lets the old store accept changes again; the new store then accepts no tokens. Also works if the new store is gone and could no longer be opened.
 *
 * @throws ConflictError `conflict`, when no move is in progress
 */
export async function cancel(pair: Pair, forget: () => Promise<void>): Promise<void> {
  const { from, to, prefix } = pair
  const source = await from.readMove(prefix)
  if ((await to.readMove(prefix)) === undefined) {
    if (source === undefined || isOut(source.state)) throw conflict('there is nothing to cancel')
    if (!(await from.saveMove(prefix, source, { ...source, state: 'leaving' }))) throw superseded()
    return
  }
  const markers = await Markers.take(pair)
  await markers.withdraw(forget)
  await markers.advance('source', 'leaving')
}

/** Returns the error for a run that another run has replaced. */
export function superseded(): ConflictError {
  return conflict('another copy run for these stores has started in the meantime and replaces this run')
}

function isOut(state: MoveState): boolean {
  return state === 'left' || state === 'gone'
}

function refusalOf(state: MoveState, name: string): string {
  if (isOut(state)) return `the tokens were already moved out of the ${name} store`
  if (state === 'fenced') return `the ${name} store refuses changes because of a move to another store: finish or cancel that move`
  return `another store is being copied into the ${name} store`
}

function taken(): ConflictError {
  return conflict('both instances use the same store, or another copy has just started')
}

async function refuseContent({ to, prefix }: Pair): Promise<void> {
  const full = await contentOf(to, prefix)
  if (full !== undefined) throw conflict(`the ${to.name} store already contains ${full} of the prefix ${prefix}: copy into an empty one`)
}

async function contentOf(to: MovingStore, prefix: string): Promise<string | undefined> {
  let damaged = false
  const tokens = await to.list({ prefix, now: 0, limit: 1 }, () => {
    damaged = true
  })
  if (damaged || tokens.length > 0) return 'tokens'
  if ((await to.events({ prefix, limit: 1 })).length > 0) return 'events'
  if ((await to.seals({ prefix, limit: 1 })).length > 0) return 'seals'
  return (await to.consumers(prefix)).length > 0 ? 'consumers' : undefined
}
