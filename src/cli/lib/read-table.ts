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

const CLOSED_LATER = 'has a quote that closes only in a later line, where text follows it'

/** Reads the rows of a table whose first line names its columns (RFC 4180), on demand. An empty cell is absent, unless it is quoted. */
export async function* readTable(input: NodeJS.ReadableStream, delimiter: string): AsyncGenerator<Row> {
  const places = new Places()
  const parser = parse({
    bom: true,
    delimiter,
    columns: (names: readonly (string | undefined)[]) => {
      places.endRow()
      return readHeader(names, delimiter)
    },
    cast: (text, context) => {
      places.cell(text, context)
      return readCell(text, context)
    },
    on_record: (value: object): Row => ({ value, line: places.endRow() }),
    skip_empty_lines: true,
    max_record_size: LONGEST_ROW,
  })
  input.on('error', (error) => parser.destroy(error))
  input.pipe(parser)
  try {
    yield* parser as AsyncIterable<Row>
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const { number, isLater } = places.placeOf(error)
    // Quotes of a table with another separator are in the wrong places.
    const hint = number === 1 && error.code.includes('QUOTE') ? ' (if another character separates the cells, add --delimiter)' : ''
    const fault = isLater && error.code === 'CSV_INVALID_CLOSING_QUOTE' ? CLOSED_LATER : FAULTS[error.code]
    throw brokenLine(number, `${fault ?? 'cannot be read as a row of a table'}${hint}`)
  }
}

/** The parser's counts at a cell or at an error. */
type Counts = { readonly lines: number; readonly empty_lines: number }

/**
 * Counts lines. The parser counts a Windows line break in a quoted cell twice, and it reports the line where it noticed an error, which for a quote that is
 * never closed is the end of the file.
 */
class Places {
  /** The line after the last complete row. */
  #next = 1
  /** The number of empty lines before that line. */
  #empty = 0
  #emptyNow = 0
  /** The line where the current row begins, and the line where its last complete cell ends. */
  #row: { readonly start: number; readonly end: number } | undefined
  /** By how much the parser's number of a line is too high. */
  #drift = 0

  cell(text: string, { lines, empty_lines }: Counts): void {
    const opened = this.#opened(empty_lines)
    const end = opened + (text.match(/\r\n|\n|\r/g)?.length ?? 0)
    this.#row = { start: this.#row?.start ?? opened, end }
    this.#emptyNow = empty_lines
    this.#drift = lines - end
  }

  /** Returns the line where the row began. */
  endRow(): number {
    const { start, end } = this.#row ?? { start: this.#next, end: this.#next }
    this.#row = undefined
    this.#next = end + 1
    this.#empty = this.#emptyNow
    return start
  }

  /** Returns the line of an error: where the row or, for an error in a quoted cell, that cell begins. `isLater`: the parser noticed the error further down. */
  placeOf(error: CsvError): { readonly number: number; readonly isLater: boolean } {
    const { lines, empty_lines } = error as object as Counts
    const number = error.code === 'CSV_RECORD_INCONSISTENT_COLUMNS' ? (this.#row?.start ?? this.#next) : this.#opened(empty_lines)
    return { number, isLater: lines - this.#drift > number }
  }

  /** Returns the line where the next cell begins. */
  #opened(empty: number): number {
    return this.#row?.end ?? this.#next + empty - this.#empty
  }
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
