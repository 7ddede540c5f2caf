import { asClientError, ClientError, ending, isEndingToo, replaced, unused } from './client-error.js'
import { type Due, dueOf, instantOf, NEVER, type RecordPart } from './due.js'
import { readSelf, rotateSelf, type Successor } from './manage.js'
import type { ClientState, Settings } from './options.js'
import { createRenewals, MAX_LOOK_MS, MIN_PAUSE_MS } from './renewals.js'
import { beginRotation, noteRotation, type Rotation, readRotation } from './rotation.js'
import { load, locked, noToken, save } from './stored.js'
import { idOf } from './token-text.js'
import { sleep } from './wait.js'

/** Holds the token and makes sure that it is rotated in time. */
export type Keeper = {
  /** Returns the token to send now. Starts a rotation if one is due, without waiting for it. */
  current(): Promise<string>
  /** Returns the successor of a refused token, or `undefined` if none is known. */
  successorOf(refused: string): Promise<string | undefined>
  rotate(): Promise<void>
  settled(): Promise<void>
}

/** The record of a token that is due or was already replaced. */
type Seen = { readonly record: RecordPart; readonly ageing: boolean }

const MAX_SAVE_PAUSE_MS = 60_000
/** How many times a rotation may lose its lock before it is reported and started again later. */
const MAX_TURNS = 3

const quiet = (): undefined => undefined

/** Creates the keeper of one token. */
export function createKeeper(settings: Settings): Keeper {
  const { report } = settings
  const overlapMs = settings.overlapSeconds * 1000
  let state: ClientState | undefined
  let starting: Promise<ClientState> | undefined
  let reading: Promise<ClientState> | undefined
  /** Distinguishes this client's notes from those of other clients that share the storage. */
  const holder = crypto.randomUUID()
  /** A successor that could not yet be saved. */
  let unsaved: Successor | undefined
  /** The token that this client replaced last. Storage that still has it is out of date. */
  let spent: string | undefined
  /** The lost successors that this client replaced last. A slow process may still write one to the storage. */
  let ended: readonly string[] = []
  /** The token in the storage, if it is one of those. */
  let outdated: string | undefined
  /** From this instant on, this token may have expired, because another process may have rotated it long ago. */
  let lateAt = NEVER
  let rereadAt = 0
  let wasStored = false
  /** Set while the storage, which has returned a token before, returns none. */
  let lost: ClientError | undefined

  function held(): Promise<ClientState> {
    if (state !== undefined) return Promise.resolve(state)
    starting ??= begin().finally(() => {
      starting = undefined
    })
    return starting
  }

  const read = (): Promise<ClientState | undefined> =>
    load(settings, (found) => {
      wasStored ||= found
      lost =
        found || !wasStored
          ? undefined
          : (lost ?? noToken(settings, 'storage_failed', 'although it did before: no rotation starts until it does again'))
    })

  async function begin(): Promise<ClientState> {
    const { token } = settings
    state = (await read()) ?? (token === undefined ? undefined : { token })
    if (state === undefined) throw noToken(settings, 'token_missing', 'and the `token` option is not set')
    return state
  }

  /**
   * Adopts a token that another process or a person has written to the storage.
   *
   * @throws ClientError `storage_failed`, also if the storage has lost its token, unless this client has begun a rotation: only it can finish that
   */
  async function refresh(): Promise<ClientState> {
    const before = await held()
    const found = await read()
    // If this client changed the state in the meantime, its state is newer than the state that was read.
    if (state !== before) return held()
    if (lost !== undefined && readRotation(before.token, before.rotation)?.holder !== holder) throw lost
    outdated = found !== undefined && isOutdated(found.token) ? found.token : undefined
    if (found === undefined || outdated !== undefined) return before
    if (found.token === before.token) {
      // The storage may keep only the token. The note of a rotation then lasts only as long as the process.
      state = { ...before, ...found }
    } else {
      adopt(found)
    }
    return held()
  }

  async function hasChanged({ token, rotation }: ClientState): Promise<boolean> {
    const found = await read().catch(quiet)
    return found !== undefined && (found.token !== token || found.rotation !== rotation)
  }

  function isOutdated(token: string): boolean {
    return token === spent || ended.includes(idOf(token))
  }

  function adopt(found: ClientState): void {
    state = found
    unsaved = undefined
    renewals.lookAt = 0
    lateAt = NEVER
  }

  function schedule({ delayMs }: Due, leastMs: number): void {
    const now = performance.now()
    renewals.lookAt = now + Math.min(Math.max(delayMs, leastMs), MAX_LOOK_MS)
    lateAt = now + delayMs + overlapMs
  }

  /** Reads the token's record, and returns it if there is something to do now. */
  async function look(token: string, forced: boolean): Promise<Seen | undefined> {
    const { record, now, mayRotate } = await readSelf(settings, token)
    if (record.replacedById !== undefined) return { record, ageing: false }
    if (!mayRotate) throw new ClientError('rotation_refused', 'this token cannot rotate itself: it lacks the scope tokens:rotate-self')
    const due = dueOf(record, now, overlapMs)
    schedule(due, 0)
    return forced || due.delayMs <= 0 ? { record, ageing: due.ageing && !forced } : undefined
  }

  async function renew(forced: boolean, doubtful: (error: unknown) => void): Promise<void> {
    const { token, rotation } = await refresh()
    try {
      const isBegun = readRotation(token, rotation) !== undefined
      const seen = isBegun ? undefined : await look(token, forced)
      if (isBegun || seen !== undefined) await replace(token, seen, doubtful)
    } catch (error) {
      // Another process or a person may have stored a newer token in the meantime. Then it does not matter why this token cannot be rotated.
      const found = await refresh().catch(quiet)
      if (found === undefined || found.token === token) throw error
    }
  }

  async function replace(token: string, seen: Seen | undefined, doubtful: (error: unknown) => void): Promise<void> {
    let isOver = false
    for (let turns = 0; !isOver && turns < MAX_TURNS; turns += 1) {
      await locked(settings, async () => {
        isOver = await takeTurn(token, seen, doubtful)
      })
    }
    if (!isOver) throw new ClientError('storage_failed', 'lock() let another process in during the rotation')
  }

  /** Rotates while it holds the lock. Returns `false` if it has lost the lock to another process, which continues the rotation. */
  async function takeTurn(token: string, seen: Seen | undefined, doubtful: (error: unknown) => void): Promise<boolean> {
    const present = await refresh()
    // Another process was faster.
    if (present.token !== token) return true
    if (seen?.record.replacedById !== undefined && readRotation(token, present.rotation) === undefined) throw replaced(seen.record)
    let begun: Rotation
    try {
      begun = await announce(present)
    } catch (error) {
      const { rotation } = present
      const found = await refresh()
      if (found.token === token && found.rotation === rotation) throw error
      return false
    }
    const successor = await complete(token, begun)
    if (successor === undefined) return false
    if (seen?.ageing === true && isEndingToo(seen.record, successor.record)) report(ending(successor.record))
    return await keep(token, begun, successor, doubtful)
  }

  /** Saves the note of a rotation first. After a crash, the next start finds the note. A token whose note cannot be saved must not be rotated. */
  async function announce({ token, rotation }: ClientState): Promise<Rotation> {
    const begun = readRotation(token, rotation)
    if (begun?.holder === holder) return begun
    // Another process began the rotation and has stopped, or is suspended. When it resumes, it finds this note instead of its own.
    const own = begun === undefined ? beginRotation(settings.overlapSeconds, holder) : { ...begun, holder }
    const note = noteRotation(token, own)
    const replaces = [token, spent, outdated].filter((each) => each !== undefined)
    await save(settings, { token, rotation: note }, replaces)
    state = { token, rotation: note }
    return own
  }

  async function complete(token: string, begun: Rotation): Promise<Successor | undefined> {
    const known = unsaved
    try {
      return await rotateSelf(settings, token, begun, { known, mayReplace })
    } catch (error) {
      // The old token has ended. The successor may have been received before that.
      if (known === undefined || asClientError(error).code !== 'token_refused') throw error
      await readSelf(settings, known.token)
      return known
    }

    // If another process took over the lock, the successor may be the one that it has just received or saved.
    async function mayReplace(): Promise<boolean> {
      return readRotation(token, (await refresh()).rotation)?.holder === holder
    }
  }

  /**
   * Saves the successor and retries on failure, unless the storage has received another token. Returns `false` if another process has taken over the lock.
   * That process then replaces this successor.
   */
  async function keep(old: string, begun: Rotation, successor: Successor, doubtful: (error: unknown) => void): Promise<boolean> {
    const { token, record } = successor
    const due = dueOf(record, instantOf(record.createdAt) ?? Date.now(), overlapMs)
    const switchAt = performance.now() + overlapMs / 2
    const before = spent
    const replaces = [old, token, ...(before === undefined ? [] : [before])]
    const use = (): void => {
      state = { token }
      spent = old
      schedule(due, MIN_PAUSE_MS)
    }
    unsaved = successor
    ended = successor.ended
    let conflicts = 0
    for (let pauseMs = MIN_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_SAVE_PAUSE_MS)) {
      const found = await read().catch(quiet)
      if (lost !== undefined) report(lost)
      if (found !== undefined && ended.includes(idOf(found.token))) replaces.push(found.token)
      // In the meantime a person, or a process that took over the lock, has stored another token. Saving would overwrite it.
      if (found !== undefined && !replaces.includes(found.token)) {
        adopt(found)
        report(unused(record.id))
        return true
      }
      const noted = found?.token === old ? readRotation(old, found.rotation) : undefined
      if (found !== undefined && noted?.key === begun.key && noted.holder !== holder) {
        spent = before
        state = found
        return false
      }
      // An unsaved token is bad, but better than an expired one.
      if (performance.now() >= switchAt && spent !== old) use()
      try {
        await save(settings, { token }, replaces)
        unsaved = undefined
        if (state?.token !== token) use()
        return true
      } catch (error) {
        conflicts += 1
        // Another process has just written to the storage, and the next pass decides between the two.
        if (conflicts < MAX_TURNS && found !== undefined && (await hasChanged(found))) continue
        doubtful(error)
      }
      await sleep(spent === old ? pauseMs : Math.min(pauseMs, Math.max(switchAt - performance.now(), 0)))
    }
  }

  const renewals = createRenewals(settings, renew, async () => {
    // The server may have rotated the token. Any process that finds the note in the storage can finish the rotation.
    return state?.rotation !== undefined && (await read().catch(quiet))?.rotation === undefined
  })

  return {
    async current() {
      await held()
      await renewals.look(lateAt)
      return (await held()).token
    },
    async successorOf(refused) {
      const { token } = await held()
      if (token !== refused) return token
      // The storage first, because another process may have replaced a successor that this client could not save.
      if (performance.now() >= rereadAt) {
        reading ??= refresh().finally(() => {
          reading = undefined
        })
        try {
          const found = await reading
          if (found.token !== refused) return found.token
        } catch (error) {
          report(asClientError(error))
        }
        rereadAt = performance.now() + MIN_PAUSE_MS
      }
      return unsaved?.token === refused ? undefined : unsaved?.token
    },
    rotate: () =>
      renewals.force(async () => {
        await held()
        return unsaved !== undefined
      }),
    settled: renewals.settled,
  }
}
