import { resolve } from 'node:path'
import type { Command } from 'commander'
import { isErrorLike } from '../../errors.js'
import type { Latchkey } from '../../instance.js'
import type { ImportInput, ImportProblem, ImportReport } from '../../model/import.js'
import { noneOf } from '../../policy/suggest.js'
import type { Perform } from '../lib/command.js'
import { loadFunction } from '../lib/config.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { findInternals } from '../lib/internals.js'
import { Lines } from '../lib/lines.js'
import { type Streams, say, writeFields, writeTable } from '../lib/output.js'
import { placeInFolder } from '../lib/place-of-error.js'
import type { Row } from '../lib/row.js'
import { readRows } from '../lib/rows.js'

type Options = { readonly format?: string; readonly map: string; readonly dryRun?: boolean; readonly delimiter?: string }

/** The number of lines that are named for one problem. */
const MAX_LINES = 5

/** The number of rows between two progress messages. */
const EVERY = 10_000

export function addImport(program: Command, perform: Perform): void {
  const command = program
    .command('import')
    .summary("import another system's tokens from a CSV or JSON Lines file")
    .description(
      'Creates a record for each row of a file of tokens that another system issued. Rows that were imported before are skipped.',
    )
    .argument('<file>', 'a .csv or .tsv file with a header, or one JSON object on each line; - reads standard input')
    .option('--format <name>', "required: name of a format in the instance's imports option")
    .requiredOption('--map <file>', 'module that exports map(row), which returns the settings of the token, or nothing to skip the row')
    .option('--delimiter <character>', 'the character between the cells of a table (default: depends on the file extension)')
    .option('--dry-run', 'check everything and write nothing')
  perform<Options>(command, async ({ tokens, handle, streams, answer }, { format, map, dryRun = false, delimiter }, [file = '']) => {
    if (format === undefined) throw new CommandError(EXIT.usage, withoutFormat(tokens))
    if (delimiter !== undefined && !/^[^\r\n"]$/.test(delimiter)) throw new CommandError(EXIT.usage, '--delimiter must be one character')
    const mapFile = resolve(streams.cwd, map)
    const terms = (await loadFunction(streams.cwd, '--map', map, 'map')) as ImportInput['map']
    const lines = new Lines()
    const report = await handle.import(valuesOf(readRows(streams, file, delimiter), lines), {
      format,
      map: terms,
      dryRun,
      onProgress: async ({ rows, failed }) => {
        lines.told({ rows, failed })
        if (rows % EVERY === 0) await say(streams, `${rows} rows`)
      },
    })
    const told = {
      ...report,
      problems: report.problems.map(({ cause, message, ...problem }) => ({
        ...problem,
        message: `${message}${aboutCause(cause, mapFile)}`,
        line: lines.lineOf(problem.row),
      })),
    }
    await answer(told, () => writeReport(streams, told, dryRun))
    return report.failed > 0 ? EXIT.failed : EXIT.ok
  })
}

/** Without a format, the formats of the instance are listed, so that the user can choose one. */
function withoutFormat(tokens: Latchkey): string {
  const inside = findInternals(tokens)
  if (inside === undefined) return 'add --format, with the name of a format in the imports option'
  const names = inside.settings.imports?.formats.map(({ name }) => name) ?? []
  return names.length === 0
    ? 'the configuration has no imports option, so there is no format to import'
    : `add --format, which ${noneOf(names)({})}`
}

/** Describes an error from `map()`. Its message is left out, because it may quote a row, which contains a secret. */
function aboutCause(cause: unknown, mapFile: string): string {
  if (!isErrorLike(cause)) return ''
  const place = placeInFolder(cause, mapFile)
  // Any other name may have been made from the row.
  const name = /^[A-Z][A-Za-z]{0,39}$/.test(cause.name) ? cause.name : 'an error'
  return `: ${name}${place === undefined ? '' : ` at ${place}`}`
}

async function* valuesOf(rows: AsyncIterable<Row>, lines: Lines): AsyncGenerator<object> {
  for await (const { value, line } of rows) {
    lines.note(line)
    yield value
  }
}

type Told = Omit<ImportReport, 'problems'> & {
  readonly problems: readonly (Pick<ImportProblem, 'row' | 'field' | 'message'> & { readonly line: number | undefined })[]
}

async function writeReport(streams: Streams, { problems, ...counts }: Told, dryRun: boolean): Promise<void> {
  await writeFields(streams, counts)
  if (problems.length > 0) await writeTable(streams, ['rows', 'lines', 'field', 'problem'], grouped(problems), { whole: true })
  const more = counts.failed - problems.length
  if (more > 0) await say(streams, `The table shows the first ${problems.length} failed rows; there are ${more} more.`)
  if (counts.rows === 0) await say(streams, 'The file has no rows, so nothing was imported.')
  else if (counts.skipped === counts.rows)
    await say(streams, 'map() returned nothing for every row, so nothing was imported. Does it return the settings?')
  if (dryRun) await say(streams, 'Nothing was written.')
}

/** Returns a row for each different problem, with the number of rows that have it and the first lines on which it occurs. */
function grouped(problems: Told['problems']): readonly (readonly unknown[])[] {
  const groups = new Map<string, { readonly first: Told['problems'][number]; readonly lines: unknown[] }>()
  for (const problem of problems) {
    const key = JSON.stringify([problem.field, problem.message])
    const group = groups.get(key) ?? { first: problem, lines: [] }
    group.lines.push(problem.line)
    groups.set(key, group)
  }
  return [...groups.values()].map(({ first, lines }) => {
    const shown = lines.slice(0, MAX_LINES).join(', ')
    return [lines.length, lines.length > MAX_LINES ? `${shown}, …` : shown, first.field, first.message]
  })
}
