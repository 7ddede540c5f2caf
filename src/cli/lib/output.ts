import { fstatSync, statSync } from 'node:fs'
import { devNull } from 'node:os'
import type { Writable } from 'node:stream'
import Table from 'cli-table3'
import { isErrorLike } from '../../errors.js'
import { OutputClosedError, oneLine } from './fault.js'
import { printable, printableJson } from './printable.js'

/** The streams of the process. Results go to `stdout`, and all other messages to `stderr`. */
export type Streams = {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: Writable
  readonly stderr: NodeJS.WriteStream
  readonly cwd: string
}

/** Writes text, and resolves once the system has accepted it. */
export function write(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      if (error == null) resolve()
      else reject(isErrorLike(error) && Reflect.get(error, 'code') === 'EPIPE' ? new OutputClosedError() : error)
    })
  })
}

export function writeJson(streams: Streams, value: unknown): Promise<void> {
  return write(streams.stdout, `${printableJson(value)}\n`)
}

/** Returns whether the stream discards what is written. In place of a standard output that was closed, Node opens the null device. */
export function isDiscarded(stream: Writable): boolean {
  const fd: unknown = Reflect.get(stream, 'fd')
  if (typeof fd !== 'number') return false
  try {
    const open = fstatSync(fd)
    return open.isCharacterDevice() && open.rdev === statSync(devNull).rdev
  } catch {
    // A system without a null device.
    return false
  }
}

/** Writes a message to `stderr`. Does not fail if nobody reads it. */
export async function say(streams: Streams, text: string): Promise<void> {
  await write(streams.stderr, `${oneLine(text)}\n`).catch(() => undefined)
}

const MAX_CELL = 60
const PLAIN = { style: { head: [], border: [], compact: true } }

/** Writes a table with a row for each item. Long cells are cut, unless `whole` is set because the command is about their content; `--json` never cuts. */
export function writeTable(
  streams: Streams,
  head: readonly string[],
  rows: readonly (readonly unknown[])[],
  { whole = false }: { readonly whole?: boolean } = {},
): Promise<void> {
  const table = new Table({ ...PLAIN, head: [...head] })
  for (const row of rows) table.push(row.map((value) => (whole ? cell(value) : clipped(cell(value)))))
  return write(streams.stdout, `${table.toString()}\n`)
}

/** Writes a table with a row for each field that is present. */
export function writeFields(streams: Streams, fields: object): Promise<void> {
  const table = new Table(PLAIN)
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) table.push([name, cell(value)])
  return write(streams.stdout, `${table.toString()}\n`)
}

function clipped(text: string): string {
  const characters = [...text]
  return characters.length <= MAX_CELL ? text : `${characters.slice(0, MAX_CELL - 1).join('')}…`
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return printable(value.join(', '))
  return printable(typeof value === 'object' ? JSON.stringify(value) : String(value))
}
