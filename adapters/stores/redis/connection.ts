import { type LatchkeyError, StoreUnavailableError } from '../../../src/errors.js'
import { type RedisClient, type Runner, runnerOf, type Script } from './client.js'
import { redisFailure } from './failure.js'
import type { OpenedClient } from './open.js'

/** A command that has no answer after this long has failed, in milliseconds: a server that hangs holds nobody up for ever. */
const COMMAND_TIMEOUT = 5_000

const LATE = `redis: no answer within ${COMMAND_TIMEOUT / 1000} seconds: check that the server is not overloaded`

/** Where the store's scripts run. */
export type Connection = {
  run(script: Script, args: readonly (string | number)[]): Promise<unknown>
  /** The values under these keys, or `null` each, in one command. */
  getMany(keys: readonly string[]): Promise<unknown>
  setting(name: string): Promise<unknown>
  /** The client, connected once. */
  client(): Promise<RedisClient>
  /** Closes a client that was opened here; the next call opens another. */
  close(): void
}

type Opened = { readonly runner: Runner; readonly close: () => void; failure(): LatchkeyError }

/** A connection of our own, opened at the first call. */
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
      else throw new StoreUnavailableError('redis: the store was closed meanwhile')
      return made
    } catch (error) {
      if (opening === attempt) opening = undefined
      throw redisFailure(error)
    }
  }

  /** While the client reconnects, which it goes on doing at a bounded rate, calls fail at once and nothing queues up. */
  const ready = ({ runner, failure }: Opened): Runner => {
    if (!runner.isReady()) throw failure()
    return runner
  }

  /** A connection that says nothing may be dead, and not every client finds that out: the next call opens another. */
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

/** A connection of the host's, which opens, configures and closes it. */
export function givenConnection(client: RedisClient, root: string): Connection {
  const runner = runnerOf(client)
  let wasReady = false

  /** A client that has never been ready may still be connecting: it queues. One that has lost its connection would queue without end. */
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

/** The answer, or the one error of this store, after the timeout at the latest. */
async function guarded(runner: Runner, ask: (runner: Runner) => Promise<unknown>, onSilence?: () => void): Promise<unknown> {
  const answer = start(() => ask(runner))
  return new Promise((resolve, reject) => {
    let isOpen = true
    const timer = setTimeout(() => {
      // A process that was held up itself finds the timeout and the answer together: the answer, one turn later, counts.
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

/** Clients also throw at once, for a command that is too large. */
async function start(ask: () => Promise<unknown>): Promise<unknown> {
  return ask()
}
