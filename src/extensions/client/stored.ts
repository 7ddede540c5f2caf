import { ClientError, type ClientErrorCode, describe } from './client-error.js'
import type { ClientState, Settings } from './options.js'
import { isToken } from './token-text.js'
import { within } from './wait.js'

/** How long to wait for a lock. Its holder may be rotating with a slow server. */
const LOCK_MS = 60_000

/**
 * Reads the state that was saved last, and first tells `seen` whether there is one.
 *
 * @throws ClientError `storage_failed`
 */
export async function load(settings: Settings, seen: (found: boolean) => void): Promise<ClientState | undefined> {
  const { load: read } = settings
  const state = read === undefined ? undefined : await called(settings, 'load', () => read())
  if (state === undefined || state === null) {
    seen(false)
    return undefined
  }
  const { token, rotation }: { token?: unknown; rotation?: unknown } = Object(state)
  if (!isToken(token)) throw new ClientError('storage_failed', 'load() must return { token } with a complete token')
  seen(true)
  return { token, ...(typeof rotation === 'string' && { rotation }) }
}

/** The storage has no token. */
export function noToken({ load: read }: Settings, code: ClientErrorCode, more: string): ClientError {
  // A host's own function may have any name, such as a minifier's.
  const name = String(read?.name)
  const shown = name.startsWith('fileStorage(') ? name : 'load'
  return new ClientError(code, `${shown}() returned no token, ${more}`)
}

/**
 * Durably saves a state that replaces one of these tokens.
 *
 * @throws ClientError `storage_failed`
 */
export async function save(settings: Settings, state: ClientState, replaces: readonly string[]): Promise<void> {
  const { save: keep } = settings
  await called(settings, 'save', () => keep(state, replaces))
}

/**
 * Runs `work` under the lock, if there is one.
 *
 * @throws ClientError `storage_failed`, and everything that `work` throws
 */
export function locked(settings: Settings, work: () => Promise<void>): Promise<void> {
  const { lock } = settings
  if (lock === undefined) return work()
  return new Promise((resolve, reject) => {
    let over = false
    const giveUp = (why: string): void => {
      clearTimeout(timer)
      if (over) return
      over = true
      reject(new ClientError('storage_failed', `lock() ${why}`))
    }
    const timer = setTimeout(() => giveUp('was not granted in time'), LOCK_MS)
    const run = async (): Promise<void> => {
      clearTimeout(timer)
      // If the lock is granted too late or a second time, do nothing.
      if (over) return
      over = true
      await work().then(resolve, reject)
    }
    attempt(() => lock(run)).then(
      () => giveUp('did not run the work'),
      (error) => giveUp(`failed: ${describe(error)}`),
    )
  })
}

async function called(settings: Settings, name: string, act: () => unknown): Promise<unknown> {
  try {
    return await within(settings.deadlineMs, attempt(act))
  } catch (error) {
    throw new ClientError('storage_failed', `${name}() failed: ${describe(error)}`)
  }
}

async function attempt(act: () => unknown): Promise<unknown> {
  return act()
}
