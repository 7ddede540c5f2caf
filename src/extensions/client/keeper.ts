import { ClientError, describe } from './client-error.js'
import { type Due, dueOf, instantOf, type RecordPart } from './due.js'
import { readSelf, rotateSelf, type Successor } from './manage.js'
import type { ClientState, Settings } from './options.js'
import { noteRotation, readRotation } from './rotation.js'
import { load, locked, save } from './stored.js'
import { sleep, within } from './wait.js'

/** Holds the token and makes sure that it is rotated in time. */
export type Keeper = {
  /** Returns the token to send now. Starts a rotation if one is due, without waiting for it. */
  current(): Promise<string>
  /** Returns the successor of a refused token, or `undefined` if none is known. */
  successorOf(refused: string): Promise<string | undefined>
  rotate(): Promise<void>
  settled(): Promise<void>
}

/** A rotation, or a check whether one is due, in progress. It may continue after its outcome is known, while a successor cannot be saved. */
type Renewal = { readonly outcome: Promise<void>; readonly forced: boolean }

/** The record of a token that is due or was already replaced. */
type Seen = { readonly record: RecordPart; readonly ageing: boolean }

/** Settings may change in the meantime, so a distant date is looked up again. */
const MAX_LOOK_MS = 3_600_000
const MIN_PAUSE_MS = 1000
const MAX_BACKOFF_MS = 300_000
const MAX_SAVE_PAUSE_MS = 60_000

const quiet = (): undefined => undefined

/** Creates the keeper of one token. */
export function createKeeper(settings: Settings): Keeper {
  const { report, deadlineMs } = settings
  const overlapMs = settings.overlapSeconds * 1000
  let state: ClientState | undefined
  let starting: Promise<ClientState> | undefined
  let reading: Promise<ClientState> | undefined
  let renewal: Renewal | undefined
  /** A successor that could not yet be saved. */
  let unsaved: string | undefined
  /** The token that this client replaced last. A storage that still has it is out of date. */
  let spent: string | undefined
  let failures = 0
  // Instants of the monotonic clock, because wall clocks jump.
  let lookAt = 0
  /** From this instant on, this token may have expired, because another process may have rotated it long ago. */
  let lateAt = Number.POSITIVE_INFINITY
  let rereadAt = 0

  function held(): Promise<ClientState> {
    if (state !== undefined) return Promise.resolve(state)
    starting ??= begin().finally(() => {
      starting = undefined
    })
    return starting
  }

  async function begin(): Promise<ClientState> {
    const { token } = settings
    state = (await load(settings)) ?? (token === undefined ? undefined : { token })
    if (state === undefined)
      throw new ClientError('token_missing', `${nameOfLoad(settings)}() returned no token, and the \`token\` option is not set`)
    return state
  }

  /** Adopts a token that another process or a person has written to the storage. */
  async function refresh(): Promise<ClientState> {
    const before = await held()
    const found = await load(settings)
    // If this client changed the state in the meantime, its state is newer than what was read.
    if (state !== before) return held()
    if (found === undefined || found.token === spent) return before
    if (found.token === before.token) {
      // The storage may keep only the token. The note of a rotation then lasts only as long as the process.
      state = { ...before, ...found }
    } else {
      adopt(found)
    }
    return held()
  }

  function adopt(found: ClientState): void {
    state = found
    unsaved = undefined
    lookAt = 0
    lateAt = Number.POSITIVE_INFINITY
  }

  function schedule({ delayMs }: Due, leastMs: number): void {
    const now = performance.now()
    lookAt = now + Math.min(Math.max(delayMs, leastMs), MAX_LOOK_MS)
    lateAt = now + delayMs + overlapMs
  }

  /** Reads the token's record, and returns it if there is something to do now. */
  async function look(token: string, forced: boolean): Promise<Seen | undefined> {
    const { record, now, mayRotate } = await readSelf(settings, token)
    if (record.replacedById !== undefined) return { record, ageing: false }
    if (!mayRotate) throw new ClientError('rotation_refused', 'this token may not rotate itself: it lacks the scope tokens:rotate-self')
    const due = dueOf(record, now, overlapMs)
    schedule(due, 0)
    return forced || due.delayMs <= 0 ? { record, ageing: due.ageing && !forced } : undefined
  }

  async function renew(forced: boolean, doubtful: (error: ClientError) => void): Promise<void> {
    const { token, rotation } = await refresh()
    const begun = readRotation(token, rotation)
    const seen = begun === undefined ? await look(token, forced) : undefined
    if (begun === undefined && seen === undefined) return
    await locked(settings, async () => {
      const present = await refresh()
      // Another process was faster.
      if (present.token !== token) return
      if (seen?.record.replacedById !== undefined && readRotation(token, present.rotation) === undefined) throw replaced(seen.record)
      const successor = await rotateSelf(settings, token, await announce(present))
      if (seen?.ageing === true) warnOfEnd(seen.record, successor.record)
      await keep(token, successor, doubtful)
    })
  }

  /**
   * Saves the note of a rotation first. After a crash, the next start finds the note. A token whose note cannot be saved must not be rotated.
   */
  async function announce({ token, rotation }: ClientState): Promise<{ readonly key: string; readonly overlap: number }> {
    const begun = readRotation(token, rotation)
    if (begun !== undefined) return begun
    const { note, ...begins } = noteRotation(token, settings.overlapSeconds)
    await save(settings, { token, rotation: note }, spent === undefined ? [token] : [token, spent])
    state = { token, rotation: note }
    return begins
  }

  function warnOfEnd(old: RecordPart, successor: RecordPart): void {
    const end = instantOf(successor.expiresAt)
    if (end === undefined || end > (instantOf(old.expiresAt) ?? 0)) return
    report(
      new ClientError(
        'token_ending',
        `this token ends at ${new Date(end).toISOString()}, and rotation cannot extend that: create a new token`,
      ),
    )
  }

  /** Saves the successor and retries on failure, unless the storage has received another token. No other process rotates in the meantime. */
  async function keep(old: string, { token, record }: Successor, doubtful: (error: ClientError) => void): Promise<void> {
    const due = dueOf(record, instantOf(record.createdAt) ?? Date.now(), overlapMs)
    const switchAt = performance.now() + overlapMs / 2
    const replaces = [old, token, ...(spent === undefined ? [] : [spent])]
    const use = (): void => {
      state = { token }
      spent = old
      schedule(due, MIN_PAUSE_MS)
    }
    unsaved = token
    for (let pauseMs = MIN_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_SAVE_PAUSE_MS)) {
      const found = await load(settings).catch(quiet)
      // In the meantime a person, or a process that took over the lock, has stored another token. Saving would overwrite it.
      if (found !== undefined && !replaces.includes(found.token)) {
        adopt(found)
        return report(unused(record.id))
      }
      // An unsaved token is bad, but better than an expired one.
      if (performance.now() >= switchAt && spent !== old) use()
      try {
        await save(settings, { token }, replaces)
        unsaved = undefined
        if (state?.token !== token) use()
        return
      } catch (error) {
        report(asClientError(error))
        doubtful(asClientError(error))
      }
      await sleep(spent === old ? pauseMs : Math.min(pauseMs, Math.max(switchAt - performance.now(), 0)))
    }
  }

  function fail(error: ClientError): void {
    // A refusal stays in effect until a person changes something.
    const mostMs = error.code === 'rotation_refused' ? MAX_LOOK_MS : Math.min(MIN_PAUSE_MS * 2 ** failures, MAX_BACKOFF_MS)
    const backoffMs = mostMs * (0.75 + Math.random() / 4)
    failures += 1
    lookAt = performance.now() + Math.max(backoffMs, (error.retryAfterSeconds ?? 0) * 1000)
    report(error)
  }

  async function run(forced: boolean, doubtful: (error: ClientError) => void): Promise<void> {
    try {
      await renew(forced, doubtful)
      failures = 0
    } catch (error) {
      fail(asClientError(error))
      throw asClientError(error)
    } finally {
      renewal = undefined
    }
  }

  function start(forced: boolean): Promise<void> {
    if (renewal !== undefined) return renewal.outcome
    const outcome = new Promise<void>((resolve, reject) => {
      run(forced, reject).then(resolve, reject)
    })
    // `report` receives the error, and so does any caller that awaits the rotation.
    outcome.catch(quiet)
    renewal = { outcome, forced }
    return outcome
  }

  return {
    async current() {
      await held()
      const now = performance.now()
      if (now >= lookAt) {
        const late = now >= lateAt && failures === 0
        const outcome = start(false)
        if (late) await within(deadlineMs, outcome).catch(quiet)
      }
      return (await held()).token
    },
    async successorOf(refused) {
      const { token } = await held()
      if (token !== refused) return token
      if (unsaved !== undefined) return unsaved
      if (performance.now() < rereadAt) return undefined
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
      return undefined
    },
    async rotate() {
      await held()
      if (renewal !== undefined && !renewal.forced && unsaved === undefined) await renewal.outcome.catch(quiet)
      return start(true)
    },
    async settled() {
      await renewal?.outcome.catch(quiet)
    },
  }
}

// A host's own function may have any name, such as a minifier's.
function nameOfLoad({ load }: Settings): string {
  const name = String(load?.name)
  return name.startsWith('fileStorage(') ? name : 'load'
}

// The process that rotated the token does not hold our lock and is not about to save the successor.
function replaced({ replacedById, expiresAt }: RecordPart): ClientError {
  const at = instantOf(expiresAt)
  const end = at === undefined ? '' : ` and ends at ${new Date(at).toISOString()}`
  return new ClientError('token_replaced', `this token was replaced by ${replacedById}${end}: use the successor`)
}

// The holder cannot end it: a token can only rotate itself.
function unused(id: string): ClientError {
  return new ClientError('successor_unused', `the storage has another token, so the successor ${id} is not used: revoke it`)
}

function asClientError(error: unknown): ClientError {
  return error instanceof ClientError ? error : new ClientError('storage_failed', describe(error))
}
