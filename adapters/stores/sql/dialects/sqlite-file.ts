import { statSync } from 'node:fs'
import { CompiledQuery, type QueryResult } from 'kysely'
import { StoreUnavailableError } from '../../../../src/errors.js'
import type { MaybePromise } from '../../../../src/model/json.js'
import { isThenable } from '../../../../src/store/deadline.js'
import type { Engine, Steps } from '../engine.js'

/** The interval between checks of the file on reads, in milliseconds. Every change checks it. */
const LOOK_EVERY_MS = 100

/** Returns the identity of the file at a path, or `undefined` if there is none. */
const identityOf = (path: string): string | undefined => {
  try {
    const { dev, ino } = statSync(path, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}

const gone = (path: string): StoreUnavailableError =>
  new StoreUnavailableError(
    `sqlite store: ${path} was deleted or replaced while it was open, so changes would be lost: restore it and restart the process`,
  )

/** The `-wal` and `-shm` files of a database. They are created on first use and never replaced after that. */
class Beside {
  readonly #path: string
  readonly #known = new Map<string, string>()

  constructor(path: string) {
    this.#path = path
  }

  /** Returns the path of a file that was deleted or replaced, if any. */
  changed(): string | undefined {
    for (const suffix of ['-wal', '-shm']) {
      const now = identityOf(this.#path + suffix)
      const before = this.#known.get(suffix)
      if (before === undefined && now !== undefined) this.#known.set(suffix, now)
      if (before !== undefined && before !== now) return this.#path + suffix
    }
    return undefined
  }

  forget(): void {
    this.#known.clear()
  }
}

const then = <A, B>(first: MaybePromise<A>, next: (value: A) => MaybePromise<B>): MaybePromise<B> =>
  isThenable(first) ? (first as Promise<A>).then(next) : next(first)

const pragma = (engine: Engine, name: string): MaybePromise<readonly object[]> =>
  then(engine.run(CompiledQuery.raw(`pragma ${name}`)) as MaybePromise<QueryResult<object>>, ({ rows }) => rows)

/** Returns the path of the file; `undefined` for a database in memory, in a temporary file or outside the file system. */
export const fileOf = async (engine: Engine): Promise<string | undefined> => {
  const databases = (await pragma(engine, 'database_list')) as readonly { readonly name?: unknown; readonly file?: unknown }[]
  const path = databases.find(({ name }) => name === 'main')?.file
  return typeof path === 'string' && path !== '' ? path : undefined
}

/**
 * Wraps an engine so that it answers only while the path leads to the file that was opened.
 *
 * The system keeps a deleted file alive for processes that have it open. They would continue to write to it and lose everything when they end, so a change is
 * acknowledged only after another check of the file.
 *
 * `given` is the path by which the file was opened, if known. It may be a link, and SQLite reports only the target that the link had when the file was opened.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export const guardFile = async (engine: Engine, given?: string): Promise<Engine> => {
  const path = await fileOf(engine)
  if (path === undefined) return engine
  const opened = identityOf(path)
  const paths = [...new Set([path, given ?? path])]
  const lookAtPaths = (): void => {
    const elsewhere = paths.find((one) => identityOf(one) !== opened)
    if (elsewhere !== undefined) throw gone(elsewhere)
  }
  if (opened === undefined) throw gone(path)
  lookAtPaths()
  const beside = new Beside(path)
  let lastLook = performance.now()
  const look = (): MaybePromise<void> => {
    lookAtPaths()
    lastLook = performance.now()
    const changed = beside.changed()
    if (changed === undefined) return
    // Turning WAL off removes these files legitimately.
    return then(pragma(engine, 'journal_mode'), ([mode]) => {
      if (/^wal$/i.test(String(Object.values(mode ?? {})[0]))) throw gone(changed)
      beside.forget()
    })
  }
  const lookNowAndThen = (): MaybePromise<void> => (performance.now() - lastLook < LOOK_EVERY_MS ? undefined : look())
  const { find } = engine
  return {
    ...engine,
    run: (query) => then(lookNowAndThen(), () => engine.run(query)),
    ...(find === undefined ? {} : { find: (query) => then(lookNowAndThen(), () => find(query)) }),
    transaction: <T>(steps: () => Steps<T>): MaybePromise<T> =>
      then(look(), () => then(engine.transaction(steps), (value) => then(look(), () => value))),
  }
}
