import { createReadStream, existsSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { missingFile } from './config.js'
import type { Streams } from './output.js'
import { readTable } from './read-table.js'
import { brokenLine, type Row } from './row.js'

/** The delimiters of tables by file extension. */
const DELIMITERS: { readonly [ending: string]: string } = { '.csv': ',', '.tsv': '\t' }

/**
 * Reads the rows of a file on demand: of a table if there is a delimiter or the file's extension implies one, otherwise of JSON lines. No message quotes a
 * line, because it may contain a secret.
 */
export function readRows({ cwd, stdin }: Streams, name: string, delimiter?: string): AsyncIterable<Row> {
  const file = resolve(cwd, name)
  if (name !== '-' && !existsSync(file)) throw missingFile(cwd, 'import')
  const between = delimiter ?? DELIMITERS[extname(name).toLowerCase()]
  const input = name === '-' ? stdin : createReadStream(file)
  return between === undefined ? readLines(input) : readTable(input, between)
}

async function* readLines(input: NodeJS.ReadableStream): AsyncGenerator<Row> {
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  let number = 0
  for await (const line of lines) {
    number += 1
    if (line.trim() !== '') yield { value: readObject(number === 1 ? line.replace(/^\uFEFF/, '') : line, number), line: number }
  }
}

function readObject(line: string, number: number): object {
  try {
    const row: unknown = JSON.parse(line)
    if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row
  } catch {
    // The parser's message quotes the line.
  }
  throw brokenLine(
    number,
    `is not a JSON object${number === 1 ? ' (JSON Lines has one object on each line; for a table, add --delimiter, or name the file .csv or .tsv)' : ''}`,
  )
}
