import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { leasesOf as mysqlLeases } from '../../adapters/stores/sql/dialects/mysql-connection.js'
import { leasesOf, type PostgresClient } from '../../adapters/stores/sql/dialects/postgres-connection.js'
import type { Fault } from '../../adapters/stores/sql/quirks.js'
import { createQueue, patiently, timed } from '../../adapters/stores/sql/retry.js'
import { BRIEF_MS, Silence } from '../../adapters/stores/sql/silence.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const never = () => new Promise<never>(() => {})
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'answered',
    (error: { readonly code?: unknown }) => error.code,
  )

describe('silent connections', () => {
  it('suspects all connections after a brief statement goes unanswered, except those that have answered since', async () => {
    const silence = new Silence()
    const [dead, idle, alive, unknown] = [{}, {}, {}, {}]
    for (const connection of [dead, idle, alive]) await silence.ask(connection, async () => 1)
    await vi.advanceTimersByTimeAsync(10)
    const hung = codeOf(silence.ask(dead, never, BRIEF_MS))
    await vi.advanceTimersByTimeAsync(10)
    await silence.ask(alive, async () => 1)
    await vi.advanceTimersByTimeAsync(BRIEF_MS - 20)
    expect(silence.isSuspect(idle)).toBe(false)
    await vi.advanceTimersByTimeAsync(21)
    expect(await hung).toBe('ETIMEDOUT')
    expect([dead, idle, alive, unknown].map((connection) => silence.isSuspect(connection))).toEqual([true, true, false, false])
  })

  it('gives up on silent connections and all statements that wait on them, but not on a slow live connection', async () => {
    const silence = new Silence()
    const [dead, deadToo, alive] = [{}, {}, {}]
    for (const connection of [dead, deadToo, alive]) await silence.ask(connection, async () => 1)
    await vi.advanceTimersByTimeAsync(10)
    void codeOf(silence.ask(dead, never, BRIEF_MS))
    await vi.advanceTimersByTimeAsync(100)
    const change = codeOf(silence.ask(deadToo, never))
    await silence.ask(alive, async () => 1)
    const bulk = silence.ask(alive, () => new Promise((resolve) => setTimeout(resolve, 20_000, 'done')))
    await vi.advanceTimersByTimeAsync(BRIEF_MS)
    expect(await change).toBe('ETIMEDOUT')
    await vi.advanceTimersByTimeAsync(20_000)
    expect(await bulk).toBe('done')
  })

  it('does not suspect other connections because a long statement went unanswered', async () => {
    const silence = new Silence()
    const [slow, idle] = [{}, {}]
    for (const connection of [slow, idle]) await silence.ask(connection, async () => 1)
    const hung = codeOf(silence.ask(slow, never))
    await vi.advanceTimersByTimeAsync(90_001)
    expect(await hung).toBe('ETIMEDOUT')
    expect(silence.isSuspect(idle)).toBe(false)
  })

  it('accepts a database response that arrived in time even if the process was blocked until after the timeout', async () => {
    const silence = new Silence()
    const answered = silence.ask({}, () => new Promise((resolve) => setTimeout(resolve, BRIEF_MS, 'late')), BRIEF_MS)
    await vi.advanceTimersByTimeAsync(BRIEF_MS + 1)
    expect(await answered).toBe('late')
  })

  it('fails a database statement immediately if the driver throws', async () => {
    const thrown = (): Promise<never> => {
      throw Object.assign(new Error('closed'), { code: 'ECLOSED' })
    }
    expect(await codeOf(new Silence().ask({}, thrown))).toBe('ECLOSED')
  })
})

const KNOWN = /known_int/

describe("a host's pool", () => {
  it('removes dead Postgres connections from a pool: one after a hung read, the others before they are used', async () => {
    let dead = false
    const released: unknown[] = []
    const cuts = vi.fn()
    const sent: string[] = []
    const clients = [0, 1, 2].map((number) => ({
      connection: { stream: { destroy: () => cuts(number) } },
      query: ({ text, values }: { text: string; values: string[] }) => {
        sent.push(text)
        if (dead && number < 2) return never()
        if (!KNOWN.test(text)) return Promise.resolve({ rows: [number] })
        const [known_int, known_text, known_json, known_empty] = values.map(String)
        const known_bytes = Buffer.from(String(known_text)).toString('hex')
        return Promise.resolve({
          rows: [{ known_int, known_text, known_json, known_empty, known_null: null, known_bytes, known_read_only: 'off' }],
        })
      },
      on() {},
      removeListener() {},
      release: (drop: unknown) => released.push([number, drop]),
    }))
    const handed = [0, 1, 0, 1, 2].map((number) => clients[number])
    const { any } = leasesOf({
      options: { max: 3 },
      connect: (callback) => callback(undefined, handed.shift() as unknown as PostgresClient),
    })
    for (const lease of [await any(), await any()]) lease.release()
    await vi.advanceTimersByTimeAsync(10)
    dead = true
    const hung = await any()
    const read = codeOf(hung.query({ text: 'select', values: [] }, BRIEF_MS))
    await vi.advanceTimersByTimeAsync(BRIEF_MS + 1)
    expect(await read).toBe('ETIMEDOUT')
    const before = sent.length
    expect(await codeOf(hung.query({ text: 'rollback', values: [] }))).toBe('ECONNRESET')
    expect(sent).toHaveLength(before)
    hung.release()
    const next = await any()
    expect(await next.query({ text: 'select', values: [] })).toEqual({ rows: [2] })
    next.release()
    expect(released).toEqual([
      [0, false],
      [1, false],
      [0, true],
      [1, true],
      [2, false],
    ])
    expect(cuts.mock.calls).toEqual([[0], [1]])
  })

  it('does not return a MySQL connection to the pool if a statement on it went unanswered', async () => {
    const destroy = vi.fn()
    const release = vi.fn()
    const connection = { on() {}, removeListener() {}, query() {}, execute() {}, release, destroy }
    const { others } = mysqlLeases({ getConnection: (callback) => callback(null, connection as never) })
    const taken = codeOf(others())
    await vi.advanceTimersByTimeAsync(BRIEF_MS + 1)
    expect(await taken).toBe('ETIMEDOUT')
    expect(destroy).toHaveBeenCalledTimes(1)
    expect(release).not.toHaveBeenCalled()
  })
})

describe('work that waited for a lock', () => {
  it.each([
    ['work that waited for a lock is retried if the server refused it quickly', 5, 3],
    ['work that waited long for a lock is not retried, because other transactions of the process would wait behind it', 5_000, 1],
  ])('%s', async (_title, ms, times) => {
    for (const again of [(work: () => Promise<string>) => patiently((): Fault => 'waited', work), createQueue((): Fault => 'waited')]) {
      let left = times === 1 ? 1 : times - 1
      const work = vi.fn(
        () =>
          new Promise<string>((resolve, reject) => {
            left -= 1
            setTimeout(left < 0 ? () => resolve('done') : () => reject(new Error('lock wait timeout')), ms)
          }),
      )
      const done = again(work).catch(String)
      await vi.advanceTimersByTimeAsync(20_000)
      expect(await done).toBe(times === 1 ? 'Error: lock wait timeout' : 'done')
      expect(work).toHaveBeenCalledTimes(times)
    }
  })
})

it('a quick refusal of a lock is retried even if the work has waited long for a connection', async () => {
  let attempts = 0
  const work = async (): Promise<string> => {
    attempts += 1
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    return await timed(async () => {
      if (attempts < 3) throw new Error('lock wait timeout')
      return 'done'
    })
  }
  for (const again of [(run: typeof work) => patiently((): Fault => 'waited', run), createQueue((): Fault => 'waited')]) {
    attempts = 0
    const done = again(work).catch(String)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(await done).toBe('done')
  }
})

describe('work on a lost connection', () => {
  const faultOf = (): Fault => 'connection'
  const failingAfter = (ms: number) => vi.fn(() => new Promise<never>((_resolve, reject) => setTimeout(reject, ms, new Error('lost'))))

  it.each([
    ['work is retried if its connection soon reports that it was lost', 5, 2],
    ['work is not retried if its connection is lost after a long silence, because it may have happened', 5_000, 1],
  ])('%s', async (_title, ms, times) => {
    for (const again of [(work: () => Promise<never>) => patiently(faultOf, work), createQueue(faultOf)]) {
      const work = failingAfter(ms)
      const done = again(work).catch(String)
      await vi.advanceTimersByTimeAsync(20_000)
      expect(await done).toBe('Error: lost')
      expect(work).toHaveBeenCalledTimes(times)
    }
  })
})
