import { randomUUID } from 'node:crypto'
import { StoreUnavailableError } from '../../../src/errors.js'
import { type Script, script } from './client.js'
import type { Connection } from './connection.js'

const TEXT = 'Ω東京 naïve 🔑 {"at":1893456000123}'
const NUMBER = 7

/** Writes a value that expires, and returns one reply of each kind. ARGV: the name of the key, the value. */
const WRITE: Script = script(`
redis.call('SET', KEYS[1] .. ARGV[1], ARGV[2], 'PX', 60000)
return { ARGV[2], '', ${NUMBER}, { ARGV[2] }, redis.call('STRLEN', KEYS[1] .. ARGV[1]) }
`)

/** Removes the value. ARGV: the name of the key. */
const REMOVE: Script = script(`
redis.call('DEL', KEYS[1] .. ARGV[1])
return ''
`)

const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'a list'
  if (Buffer.isBuffer(value)) return 'a Buffer'
  return typeof value === 'object' ? 'an object' : typeof value === 'string' ? 'different text' : `a ${typeof value}`
}

/**
 * Wraps a connection and tests its client before the first command, so that no decision uses replies that the client changes.
 *
 * @throws {StoreUnavailableError} `store_unavailable` for every call if the client changes replies; the message says how
 */
export function checked(connection: Connection): Connection {
  let sound = false
  let checking: Promise<void> | undefined
  const check = async (): Promise<void> => {
    try {
      await checkReplies(connection)
      sound = true
    } finally {
      checking = undefined
    }
  }
  const ready = (): Promise<void> => {
    checking ??= check()
    return checking
  }
  return {
    ...connection,
    run: (script, args) => (sound ? connection.run(script, args) : ready().then(() => connection.run(script, args))),
    getMany: (keys) => (sound ? connection.getMany(keys) : ready().then(() => connection.getMany(keys))),
  }
}

/** Writes a known value, reads it back the way tokens are read, and removes it. */
async function checkReplies(connection: Connection): Promise<void> {
  const name = `check:${randomUUID()}`
  const differences: string[] = []
  const compare = (what: string, value: unknown, isRight: boolean): void => {
    if (!isRight) differences.push(`${what} comes back as ${kindOf(value)}`)
  }
  const wrote = await connection.run(WRITE, [name, TEXT])
  const read = await connection.getMany([name, `${name}:none`])
  const removed = await connection.run(REMOVE, [name])
  compare('a list', wrote, Array.isArray(wrote) && wrote.length === 5)
  compare('a list of values', read, Array.isArray(read) && read.length === 2)
  if (differences.length === 0) {
    const [text, empty, number, nested, bytes] = wrote as readonly unknown[]
    const [value, none] = read as readonly unknown[]
    compare('text', text, text === TEXT)
    compare('empty text', empty, empty === '')
    compare('a number', number, Number(number) === NUMBER)
    compare('a list in a list', nested, Array.isArray(nested) && nested[0] === TEXT)
    compare('the length of a value', bytes, Number(bytes) === Buffer.byteLength(TEXT))
    compare('a value', value, value === TEXT)
    compare('an absent value', none, none === null)
    compare('empty text', removed, removed === '')
  }
  if (differences.length > 0) {
    throw new StoreUnavailableError(
      `redis: the client changes replies: ${[...new Set(differences)].join('; ')}: pass the store a client without reply transformers or similar settings`,
    )
  }
}
