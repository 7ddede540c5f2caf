import { readFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { LatchkeyError, StoreUnavailableError } from '../../src/errors.js'
import { callOut } from '../../src/store/deadline.js'
import { copyFault } from '../../src/store/describe-fault.js'
import { FAULT_PLACES, type FaultPlace, helpFor } from '../../src/store/fault-places.js'
import { OPTIONAL_STORE_METHODS, STORE_METHODS } from '../../src/store/methods.js'
import { createReporter, type FaultReport } from '../../src/store/reporter.js'

const TOKEN = `acme_live_${'A'.repeat(16)}_${'b'.repeat(43)}C0ffee`
const down = (): StoreUnavailableError => new StoreUnavailableError('the store is down', 'Error ECONNREFUSED')

function hear() {
  const heard: FaultReport[] = []
  const lines: string[] = []
  const clock = { now: 0 }
  const report = createReporter({ onError: (fault) => heard.push(fault), logger: { error: (line) => lines.push(line) } }, () => clock.now)
  return { heard, lines, clock, report }
}

describe('a fault', () => {
  it('is not searched for secrets if nothing will show it', () => {
    let searches = 0
    const secrets = (): readonly string[] => {
      searches += 1
      return []
    }
    const silent = createReporter({ logger: false })
    for (let times = 0; times < 9; times += 1) silent('verify', down(), secrets)
    expect(searches).toBe(0)
    const lines: string[] = []
    const clock = { now: 0 }
    const logging = createReporter({ logger: { error: (line) => lines.push(line) } }, () => clock.now)
    for (let times = 0; times < 9; times += 1) logging('verify', down(), secrets)
    clock.now = 60_000
    logging('verify', down(), secrets)
    expect([searches, lines.length]).toEqual([2, 2])
    expect(lines[1]).toContain('8 more')
  })

  it('reports a fault to onError each time, and logs it once a minute with the number of omitted reports', () => {
    const { heard, lines, clock, report } = hear()
    for (let times = 0; times < 42; times += 1) report('store.find', down())
    expect(heard).toHaveLength(42)
    expect(lines).toHaveLength(1)
    clock.now = 60_000
    report('store.find', down())
    expect(lines).toHaveLength(2)
    expect(lines[1]).toContain('41 more')
  })

  it('logs one line for the faults of all methods of a store, and one line for each callback', () => {
    const { lines, report } = hear()
    for (const where of ['store.find', 'store.changes', 'store.commit', 'owner', 'mayOwn', 'owner'] as const) report(where, down())
    expect(lines.map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
      'latchkey LATCHKEY_STORE_FAILED store.find:',
      'latchkey LATCHKEY_CALLBACK_FAILED owner:',
      'latchkey LATCHKEY_CALLBACK_FAILED mayOwn:',
    ])
  })

  it('the log line about a fault states the cause, what to do, and where that is documented', () => {
    const { lines, report } = hear()
    report('store.find', down())
    expect(lines[0]).toContain('the store is down (Error ECONNREFUSED)')
    expect(lines[0]).toContain('Check that the database is running')
    expect(lines[0]).toContain('docs/diagnostics.md#latchkey_store_failed')
  })

  it('reports a fault once, however often it is rethrown, even inside another error', () => {
    const { heard, report } = hear()
    const error = down()
    report('store.find', error)
    report('verify', error)
    report('management', new LatchkeyError('store_unavailable', 'not decided', { cause: error }))
    expect(heard.map(({ where }) => where)).toEqual(['store.find'])
  })

  it.each([undefined, null, '', 0, 'route', {}, Number.NaN, Symbol('x')])(
    'reports a thrown value that is not an error as an error: %s',
    (thrown) => {
      const { heard, report } = hear()
      report('verify', thrown)
      expect(heard[0]?.error).toBeInstanceOf(StoreUnavailableError)
    },
  )

  it('logs a fault in one line without a token, whatever the fault quotes', () => {
    const { lines, report } = hear()
    report('verify', new StoreUnavailableError(`broke\n\u001b[31mat\u2028${TOKEN}\u202e`, TOKEN))
    expect(lines[0]).not.toContain(TOKEN.slice(30, 50))
    expect(lines[0]).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
  })

  it('logs faults to the console if no logger is set, and nowhere if logger is false', () => {
    const spy = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    try {
      createReporter({})('owner', down())
      expect(spy).toHaveBeenCalledTimes(1)
      createReporter({ logger: false })('owner', down())
      expect(spy).toHaveBeenCalledTimes(1)
    } finally {
      spy.mockRestore()
    }
  })

  const bad: Readonly<Record<string, () => unknown>> = {
    throws: () => {
      throw new Error('x')
    },
    'throws undefined': () => {
      throw undefined
    },
    rejects: () => Promise.reject(new Error('x')),
    'never settles': () => new Promise(() => undefined),
    'returns a thenable that throws': () => ({
      // biome-ignore lint/suspicious/noThenProperty: a foreign promise is what is tested
      then() {
        throw new Error('x')
      },
    }),
  }
  it.each(Object.entries(bad))('fault reporting keeps working if the listener %s', async (_, run) => {
    const lines: string[] = []
    const first = createReporter({ onError: run, logger: { error: (line) => lines.push(line) } })
    first('owner', down())
    expect(lines).toHaveLength(1)
    const heard: unknown[] = []
    const second = createReporter({ onError: (fault) => heard.push(fault), logger: { error: run } })
    second('owner', down())
    second('mayOwn', down())
    expect(heard).toHaveLength(2)
  })

  it('does not report a fault to the listener that caused it', () => {
    let times = 0
    const report = createReporter({
      onError: () => {
        times += 1
        report('store.find', down())
      },
      logger: false,
    })
    report('owner', down())
    report('owner', down())
    expect(times).toBe(2)
  })
})

describe('a fault thrown by a callback or a store', () => {
  const tell = (where: FaultPlace, error: unknown): FaultReport | undefined => {
    const { heard, report } = hear()
    const call = (): never => {
      throw error
    }
    expect(() => callOut({ what: 'it', where, deadlineMs: 1000, report }, call)).toThrow(StoreUnavailableError)
    return heard[0]
  }

  it('keeps the message and stack of an error from a callback, without tokens', () => {
    const fault = tell('actor', Object.assign(new TypeError(`no user for ${TOKEN}`), { code: 'E_USER' }))
    const cause = fault?.error.cause as Error
    expect(cause).toMatchObject({ name: 'TypeError', code: 'E_USER' })
    expect(cause.message).toContain('no user for')
    expect(cause.stack).toContain('reporter.test')
    expect(`${cause.message}${cause.stack}`).not.toContain(TOKEN.slice(30, 50))
  })

  it('keeps only the type and the code of a database fault', () => {
    expect(tell('store.find', Object.assign(new Error('value "bob" in row'), { code: '22001' }))?.error.cause).toBe('Error 22001')
  })

  it('reports a call that times out once, even if the call also fails after the deadline', async () => {
    const { heard, report } = hear()
    let reject: (error: unknown) => void = () => undefined
    const call = () =>
      new Promise((_, no) => {
        reject = no
      })
    const site = { what: 'it', where: 'owner', deadlineMs: 1, report } as const
    await expect(callOut(site, call)).rejects.toThrow('did not answer')
    reject(new Error('late'))
    await new Promise((resolve) => setTimeout(resolve))
    expect(heard).toHaveLength(1)
  })
})

const PLACES: readonly FaultPlace[] = [
  ...[...STORE_METHODS, ...OPTIONAL_STORE_METHODS, 'reached' as const].map((method) => `store.${method}` as const),
  ...(Object.keys(FAULT_PLACES) as (keyof typeof FAULT_PLACES)[]),
]

describe('the diagnostics page', () => {
  const page = readFileSync(new URL('../../docs/diagnostics.md', import.meta.url), 'utf8')

  const rows = [...page.matchAll(/^\| (`[a-zA-Z.]+`(?:, `[a-zA-Z.]+`)*) \| .+ \| `(LATCHKEY_[A-Z_]+)` \|$/gm)].flatMap(
    ([, names = '', code]) => names.split(', ').map((name) => [name.slice(1, -1), code] as const),
  )

  it('the docs list every fault location exactly once, with the code that its log line shows', () => {
    expect(rows.toSorted()).toEqual(PLACES.map((where) => [where, helpFor(where).code]).toSorted())
  })

  it.each(PLACES)('the diagnostics page has the section that the log line about %s links to', (where) => {
    const { lines, report } = hear()
    report(where, down())
    const [, anchor = 'none'] = /diagnostics\.md#(\w+)/.exec(lines[0] ?? '') ?? []
    expect(page.toLowerCase()).toContain(`\n## ${anchor}\n`)
  })
})

it('leaves no part of a secret in a fault message that is cut off inside a token', () => {
  const secret = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v'
  const token = `acme_live_4kQ0tXb2LrVn8ZcD_${secret}Qz0aB1`
  for (let before = 900; before < 1000; before += 1) {
    const copy = copyFault(new Error('x'.repeat(before) + token)) as Error
    expect([...Array(secret.length - 11).keys()].some((at) => copy.message.includes(secret.slice(at, at + 12)))).toBe(false)
    const named = copyFault(new Error(`${'x'.repeat(before)}${encodeURIComponent('12|old+secret')}`), ['12|old+secret']) as Error
    expect(named.message).not.toContain('old')
  }
})
