import { type CastingContext, CsvError, parse } from 'csv-parse'
import { CommandError, EXIT } from './fault.js'
import { brokenLine, type Row } from './row.js'

/** A longer row means that a quote was never closed. */
const LONGEST_ROW = 1_048_576

/** Our messages by the parser's code, because the parser's own message quotes the row. */
const FAULTS: { readonly [code: string]: string } = {
  CSV_RECORD_INCONSISTENT_COLUMNS: 'has more or fewer cells than the header',
  CSV_INVALID_CLOSING_QUOTE: 'has text after a closing quote',
  INVALID_OPENING_QUOTE: 'has a quote in the middle of a cell that is not quoted',
  CSV_QUOTE_NOT_CLOSED: 'has a quote that is never closed',
  CSV_MAX_RECORD_SIZE: 'is longer than 1 MB, probably because a quote is never closed',
}

/** Reads the rows of a table whose first line names its columns (RFC 4180), on demand. An empty cell is absent, unless it is quoted. */
export async function* readTable(input: NodeJS.ReadableStream, delimiter: string): AsyncGenerator<Row> {
  const parser = parse({
    bom: true,
    delimiter,
    info: true,
    columns: (names: readonly (string | undefined)[]) => readHeader(names, delimiter),
    cast: readCell,
    skip_empty_lines: true,
    max_record_size: LONGEST_ROW,
  })
  input.on('error', (error) => parser.destroy(error))
  input.pipe(parser)
  let line = 1
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: object; info: { lines: number } }>) {
      yield { value: record, line: info.lines - breaksIn(record) }
      line = info.lines
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const at: unknown = Reflect.get(error, 'lines')
    const number = typeof at === 'number' ? at : line + 1
    // Quotes of a table with another separator are in the wrong places.
    const hint = number === 1 && error.code.includes('QUOTE') ? ' (if another character separates the cells, add --delimiter)' : ''
    throw brokenLine(number, `${FAULTS[error.code] ?? 'cannot be read as a row of a table'}${hint}`)
  }
}

function breaksIn(record: object): number {
  return Object.values(record).reduce((sum: number, cell: unknown) => sum + (String(cell).match(/\r\n|\n|\r/g)?.length ?? 0), 0)
}

/** How to write the usual separators in a shell. */
const SEPARATORS: readonly (readonly [separator: string, written: string])[] = [
  [',', "','"],
  [';', "';'"],
  ['\t', "$'\\t'"],
  ['|', "'|'"],
]

// Spreadsheets write semicolons where the comma is the decimal separator. Without this, each row would fail, because it has no such column.
function refuseOtherSeparator(names: readonly (string | undefined)[], delimiter: string): void {
  const header = names.join('')
  for (const [separator, written] of SEPARATORS) {
    if (separator === delimiter || header.split(separator).length <= names.length) continue
    const name = separator === '\t' ? 'a tab' : JSON.stringify(separator)
    throw new CommandError(EXIT.usage, `the columns of the header seem to be separated by ${name}: add --delimiter ${written}`)
  }
}

function readHeader(names: readonly (string | undefined)[], delimiter: string): string[] {
  refuseOtherSeparator(names, delimiter)
  return names.map((name, index) => {
    if (name === undefined || name === '') throw new CommandError(EXIT.usage, `column ${index + 1} of the header has no name`)
    // Without a header, these are the cells of the first row, which may contain a secret.
    const first = names.indexOf(name)
    if (first !== index) throw new CommandError(EXIT.usage, `columns ${first + 1} and ${index + 1} of the header have the same name`)
    return name
  })
}

function readCell(text: string, { quoting }: CastingContext): string | undefined {
  return text === '' && !quoting ? undefined : text
}
