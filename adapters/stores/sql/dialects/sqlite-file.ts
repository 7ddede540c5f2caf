import { statSync } from 'node:fs'
import { CompiledQuery, type QueryResult } from 'kysely'
import { StoreUnavailableError } from '../../../../src/errors.js'
import type { MaybePromise } from '../../../../src/model/json.js'
import { isThenable } from '../../../../src/store/deadline.js'
import type { Engine, Steps } from '../engine.js'

/** How often a file that is only read is looked at, in milliseconds. Every change looks. */
const LOOK_EVERY_MS = 100

/** Which file a path leads to, or `undefined` where there is none. */
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

/** The files beside a database in WAL mode: they appear with its first use, and stay the same from then on. */
class Beside {
  readonly #path: string
  readonly #known = new Map<string, string>()

  constructor(path: string) {
    this.#path = path
  }

  /** The file that is no longer the one that it was. */
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

/** The path of the file; `undefined` in memory, for a temporary one, and somewhere else than in the file system. */
export const fileOf = async (engine: Engine): Promise<string | undefined> => {
  const databases = (await pragma(engine, 'database_list')) as readonly { readonly name?: unknown; readonly file?: unknown }[]
  const path = databases.find(({ name }) => name === 'main')?.file
  return typeof path === 'string' && path !== '' ? path : undefined
}

/**
 * An engine that answers only while its file is the one that was opened.
 *
 * The system keeps a deleted file alive for those who have it open: they would go on writing into it, and all of that would be gone with
 * the process. So a change is acknowledged only after one more look at the file.
 *
 * `given` is the path that it was opened by, where that is known: it may lead through a link, and SQLite tells only where that led when it opened the file.
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
    // Whoever switches WAL off takes these files away for a good reason.
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
