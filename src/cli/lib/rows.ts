import { createReadStream, existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { CommandError, EXIT } from './fault.js'
import type { Streams } from './output.js'

/** The objects of a file of JSON lines, read as they are asked for. Empty lines are left out. No message quotes a line, which may hold a secret. */
export async function* readRows({ cwd, stdin }: Streams, name: string): AsyncGenerator<object> {
  const file = resolve(cwd, name)
  if (name !== '-' && !existsSync(file)) throw new CommandError(EXIT.usage, `there is no file ${file}`)
  const lines = createInterface({ input: name === '-' ? stdin : createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })
  let number = 0
  for await (const line of lines) {
    number += 1
    if (line.trim() !== '') yield readRow(number === 1 ? line.replace(/^\uFEFF/, '') : line, number)
  }
}

function readRow(line: string, number: number): object {
  try {
    const row: unknown = JSON.parse(line)
    if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row
  } catch {
    // The parser's message quotes the line.
  }
  throw new CommandError(
    EXIT.usage,
    `line ${number} is not a JSON object. What was imported before it stays; run it again once it is mended`,
  )
}
