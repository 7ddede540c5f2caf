import type { Command } from 'commander'
import type { ImportInput, ImportProblem, ImportReport } from '../../model/import.js'
import type { Perform } from '../lib/command.js'
import { loadFunction } from '../lib/config.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { Lines } from '../lib/lines.js'
import { type Streams, say, writeFields, writeTable } from '../lib/output.js'
import type { Row } from '../lib/row.js'
import { readRows } from '../lib/rows.js'

type Options = { readonly format: string; readonly map: string; readonly dryRun?: boolean; readonly delimiter?: string }

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
    .requiredOption('--format <name>', "name of a format in the instance's imports option")
    .requiredOption('--map <file>', 'module that exports map(row), which returns the settings of the token, or nothing to skip the row')
    .option('--delimiter <character>', 'the character between the cells of a table (default: depends on the file extension)')
    .option('--dry-run', 'check everything and write nothing')
  perform<Options>(command, async ({ handle, streams, answer }, { format, map, dryRun = false, delimiter }, [file = '']) => {
    if (delimiter !== undefined && !/^[^\r\n"]$/.test(delimiter)) throw new CommandError(EXIT.usage, '--delimiter must be one character')
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
    // An error from map() may quote a row, which contains a secret.
    const told = {
      ...report,
      problems: report.problems.map(({ cause: _, ...problem }) => ({ ...problem, line: lines.lineOf(problem.row) })),
    }
    await answer(told, () => writeReport(streams, told, dryRun))
    return report.failed > 0 ? EXIT.failed : EXIT.ok
  })
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
