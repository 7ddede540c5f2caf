import { InvalidInputError } from '../errors.js'
import type { TokenFormat } from '../model/format.js'
import type { ImportInput, ImportProgress, ImportReport } from '../model/import.js'
import { callback, flag } from '../policy/option-kinds.js'
import { objectOf, passing, readOption } from '../policy/option-reader.js'
import { refuseUndefined } from '../policy/read-input.js'
import { closest } from '../policy/suggest.js'
import { createTurns } from '../store/timer.js'
import type { Context } from '../verify/context.js'
import { checkSeesAll, type ReadActor } from './lib/actor.js'
import { isOfOtherKey } from './lib/import-key.js'
import { ImportRun } from './lib/import-run.js'

/** Number of rows written together. */
const BATCH = 100
/** How many of the newest tokens are examined to notice a different import key. */
const NEWEST = 100

const reader = objectOf({
  format: passing<TokenFormat | string>(
    (value) => typeof value === 'string' || (typeof value === 'object' && value !== null),
    'must be one of the formats in the imports option, or the name of one',
  ),
  map: callback<ImportInput['map']>("must be a function that returns the settings of a row's token"),
  dryRun: flag.optional(),
  onProgress: callback<(progress: ImportProgress) => unknown>().optional(),
})

/**
 * Creates records for tokens that another system issued, so they keep working in their old format.
 *
 * Reads, checks and writes a hundred rows at a time, with one commit for each hundred. Skips rows that were imported before, regardless of what has
 * happened to their tokens since, so calling an interrupted import again resumes it. A row that cannot be imported is listed in the report and does not
 * stop the import.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws GrantDeniedError `grant_denied`, for an actor that cannot see every token
 * @throws StoreUnavailableError `store_unavailable`; rows that were already written stay
 */
export async function importTokens(context: Context, actor: ReadActor, rows: unknown, input: unknown): Promise<ImportReport> {
  checkSeesAll(actor, 'an import')
  refuseUndefined(input, ['dryRun'], 'to write')
  const { format, map, dryRun = false, onProgress } = readOption(reader, input, 'import()')
  await refuseOtherKey(context)
  const run = new ImportRun(context, actor, { format: formatOf(context, format), map, dryRun })
  const giveWay = createTurns(context.settings.monotonic)
  const tellProgress = async (): Promise<void> => {
    // If no row of the batch is to be written, nothing calls the store, whose calls yield to other work.
    await giveWay()
    await run.write()
    await onProgress?.(run.progress)
  }
  for await (const row of iterated(rows)) {
    await run.add(row)
    if (run.progress.rows % BATCH === 0) await tellProgress()
  }
  if (run.progress.rows % BATCH !== 0) await tellProgress()
  return run.report
}

/**
 * Refuses an import if the newest tokens include one that was imported with a different key and has not ended. The same row would become a second token, and
 * the first one would stay in lists, where revoking it has no effect.
 */
async function refuseOtherKey({ store, settings: { prefix, clock, imports } }: Context): Promise<void> {
  const now = clock()
  const newest = await store.list({ prefix, now, limit: NEWEST })
  const before = newest.find(
    ({ importedFrom, revokedAt, expiresAt = now + 1 }) => importedFrom && revokedAt === undefined && expiresAt > now,
  )
  if (before === undefined || !(await isOfOtherKey(store, imports, before))) return
  throw new InvalidInputError(
    'imports.key',
    'differs from the key that earlier imported tokens need: restore that key, or revoke those tokens first',
  )
}

function formatOf({ settings }: Context, given: TokenFormat | string): TokenFormat {
  const name: unknown = typeof given === 'string' ? given : Reflect.get(given, 'name')
  const { formats } = settings.imports ?? {}
  if (formats === undefined)
    throw new InvalidInputError('format', 'requires the imports option, without which no imported token is accepted')
  const format = formats.find((each) => each.name === name)
  if (format === undefined) {
    const names = formats.map((each) => each.name).join(', ')
    const meant = closest(
      String(name),
      formats.map((each) => each.name),
    )
    const hint = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`
    throw new InvalidInputError('format', `is not among those in the imports option (${names}): its tokens would be refused${hint}`)
  }
  return format
}

function iterated(rows: unknown): AsyncIterable<unknown> | Iterable<unknown> {
  const found = Object(rows) as { readonly [Symbol.iterator]?: unknown; readonly [Symbol.asyncIterator]?: unknown }
  if (typeof rows !== 'string' && (typeof found[Symbol.asyncIterator] === 'function' || typeof found[Symbol.iterator] === 'function')) {
    return rows as AsyncIterable<unknown> | Iterable<unknown>
  }
  throw new InvalidInputError('rows', 'must be a list or a stream of rows: an iterable, or an async iterable')
}
