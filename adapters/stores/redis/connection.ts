import { type LatchkeyError, StoreUnavailableError } from '../../../src/errors.js'
import { type RedisClient, type Runner, runnerOf, type Script } from './client.js'
import { redisFailure } from './failure.js'
import type { OpenedClient } from './open.js'

/** A command without a reply after this many milliseconds has failed, so a hanging server never blocks a caller forever. */
const COMMAND_TIMEOUT = 5_000

const LATE = `redis: no answer within ${COMMAND_TIMEOUT / 1000} seconds: check that the server is not overloaded`

/** Where the store's scripts run. */
export type Connection = {
  run(script: Script, args: readonly (string | number)[]): Promise<unknown>
  /** Returns the values under these keys, with `null` for each missing key, in one command. */
  getMany(keys: readonly string[]): Promise<unknown>
  setting(name: string): Promise<unknown>
  /** Returns the client, which is connected only once. */
  client(): Promise<RedisClient>
  /** Closes a client that was opened here; the next call opens another. */
  close(): void
}

type Opened = { readonly runner: Runner; readonly close: () => void; failure(): LatchkeyError }

/** Creates a connection that latchkey owns and opens at the first call. */
export function ownConnection(openClient: () => Promise<OpenedClient>, root: string): Connection {
  let opening: Promise<Opened> | undefined
  let current: Opened | undefined

  async function open(): Promise<Opened> {
    const { client, close, lastError } = await openClient()
    return { runner: runnerOf(client), close, failure: () => redisFailure(lastError()) }
  }

  const opened = async (): Promise<Opened> => {
    if (current !== undefined) return current
    const attempt = opening ?? open()
    opening = attempt
    try {
      const made = await attempt
      if (opening === attempt) current = made
      else throw new StoreUnavailableError('redis: the store was closed in the meantime')
      return made
    } catch (error) {
      if (opening === attempt) opening = undefined
      throw redisFailure(error)
    }
  }

  /** While the client reconnects, which it does at a limited rate, calls fail immediately and nothing is queued. */
  const ready = ({ runner, failure }: Opened): Runner => {
    if (!runner.isReady()) throw failure()
    return runner
  }

  /** A silent connection may be dead, which some clients do not detect, so the next call opens another one. */
  const send = async (ask: (runner: Runner) => Promise<unknown>): Promise<unknown> => {
    const used = current ?? (await opened())
    return guarded(ready(used), ask, () => {
      if (current !== used) return
      current = undefined
      opening = undefined
      used.close()
    })
  }

  return {
    run: (script, args) => send((runner) => runner.run(script, root, args.map(String))),
    getMany: (keys) => send((runner) => runner.getMany(keys.map((key) => root + key))),
    setting: async (name) => guarded((await opened()).runner, (runner) => runner.setting(name)),
    client: async () => (await opened()).runner.client,
    close() {
      const made = current
      const pending = opening
      current = undefined
      opening = undefined
      if (made !== undefined) made.close()
      else void pending?.then(({ close }) => close()).catch(() => {})
    },
  }
}

/** Wraps a connection that the host opens, configures, and closes. */
export function givenConnection(client: RedisClient, root: string): Connection {
  const runner = runnerOf(client)
  let wasReady = false

  /**
   * A client that has never been ready may still be connecting, so it is allowed to queue calls. A client that lost its connection could queue calls
   * forever.
   */
  const ready = (): Runner => {
    if (runner.isReady()) wasReady = true
    else if (wasReady) throw new StoreUnavailableError('redis: the client has lost its connection')
    return runner
  }

  return {
    run: async (script, args) => guarded(ready(), (given) => given.run(script, root, args.map(String))),
    getMany: async (keys) => guarded(ready(), (given) => given.getMany(keys.map((key) => root + key))),
    setting: async (name) => guarded(runner, (given) => given.setting(name)),
    client: async () => client,
    close() {},
  }
}

/** Resolves to the reply, or fails with this store's error, within the timeout. */
async function guarded(runner: Runner, ask: (runner: Runner) => Promise<unknown>, onSilence?: () => void): Promise<unknown> {
  const answer = start(() => ask(runner))
  return new Promise((resolve, reject) => {
    let isOpen = true
    const timer = setTimeout(() => {
      // If the process itself was blocked, the timeout and the reply arrive together. Waiting one turn lets the reply win.
      setImmediate(() => {
        reject(new StoreUnavailableError(LATE))
        if (isOpen) onSilence?.()
      })
    }, COMMAND_TIMEOUT)
    answer.then(
      (value) => {
        isOpen = false
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        isOpen = false
        clearTimeout(timer)
        reject(redisFailure(error))
      },
    )
  })
}

/** Clients may also throw synchronously, for example for a command that is too large. */
async function start(ask: () => Promise<unknown>): Promise<unknown> {
  return ask()
}
