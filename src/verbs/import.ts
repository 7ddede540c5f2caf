import { InvalidInputError } from '../errors.js'
import type { TokenFormat } from '../model/format.js'
import type { ImportInput, ImportProgress, ImportReport } from '../model/import.js'
import { callback, flag } from '../policy/option-kinds.js'
import { objectOf, passing, readOption } from '../policy/option-reader.js'
import { refuseUndefined } from '../policy/read-input.js'
import { closest } from '../policy/suggest.js'
import type { Context } from '../verify/context.js'
import { checkSeesAll, type ReadActor } from './lib/actor.js'
import { ImportRun } from './lib/import-run.js'

/** Rows that are written together. */
const BATCH = 100

const reader = objectOf({
  format: passing<TokenFormat | string>(
    (value) => typeof value === 'string' || (typeof value === 'object' && value !== null),
    'must be one of the formats in the option imports, or the name of one',
  ),
  map: callback<ImportInput['map']>('must be a function that returns the terms of a row'),
  dryRun: flag.optional(),
  onProgress: callback<(progress: ImportProgress) => unknown>().optional(),
})

/**
 * Makes records of tokens that another system made, so that they go on working in their old shape.
 *
 * A hundred rows are read, checked and written at a time, each hundred in one commit. A row that was imported before is left as it is, whatever became of
 * its token, so that an import that broke off goes on when it is called again. A row that cannot be imported is told in the answer, and stops nothing.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws GrantDeniedError `grant_denied`, for an actor that does not see every token
 * @throws StoreUnavailableError `store_unavailable`; what was written before stays
 */
export async function importTokens(context: Context, actor: ReadActor, rows: unknown, input: unknown): Promise<ImportReport> {
  checkSeesAll(actor, 'an import may touch every tenant')
  refuseUndefined(input, ['dryRun'], 'to write')
  const { format, map, dryRun = false, onProgress } = readOption(reader, input, 'import()')
  const run = new ImportRun(context, actor, { format: formatOf(context, format), map, dryRun })
  const tellProgress = async (): Promise<void> => {
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

function formatOf({ settings }: Context, given: TokenFormat | string): TokenFormat {
  const name: unknown = typeof given === 'string' ? given : Reflect.get(given, 'name')
  const { formats } = settings.imports ?? {}
  if (formats === undefined)
    throw new InvalidInputError('format', 'requires the option imports, without which no imported token is accepted')
  const format = formats.find((each) => each.name === name)
  if (format === undefined) {
    const names = formats.map((each) => each.name).join(', ')
    const meant = closest(
      String(name),
      formats.map((each) => each.name),
    )
    const hint = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`
    throw new InvalidInputError('format', `is not among those in the option imports (${names}): its tokens would be refused${hint}`)
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
