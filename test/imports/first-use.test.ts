import type { Latchkey, TokenFormat } from 'latchkey'
import { bcryptTokens, ownTokens, sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { heldStore } from 'latchkey/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { pause, until, verdict } from '../latchkey/harness.js'
import { accepting, sha256 } from './world.js'

type Call = { readonly credential: string; readonly answer: (same: unknown) => void }

/** A format whose comparisons the test answers one by one. */
function slowFormat(): { readonly format: TokenFormat; readonly calls: Call[] } {
  const calls: Call[] = []
  const format = ownTokens({
    name: 'slow',
    key: (credential) => /^k-([0-9]+)-/.exec(credential)?.[1],
    verify: (credential) => new Promise<boolean>((resolve) => calls.push({ credential, answer: resolve as (same: unknown) => void })),
  })
  return { format, calls }
}

const rows = Array.from({ length: 10 }, (_, key) => ({ key, hash: `hash of ${key}` }))
const map = () => ({ name: 'Old', scopes: ['stock:read' as const] })

it('the slow hash of a token is compared once at its first use, however many requests present it, and never again on any node', async () => {
  const { format, calls } = slowFormat()
  const store = memoryStore()
  const tokens = accepting([format], { store })
  await tokens.system.import(rows, { format, map })
  const many = Promise.all(Array.from({ length: 50 }, () => verdict(tokens.verify('k-1-secret'))))
  await until(() => calls.length === 1)
  calls[0]?.answer(true)
  expect(new Set(await many)).toEqual(new Set(['ok']))
  expect(await verdict(tokens.verify('k-1-secret'))).toBe('ok')
  await tokens.flush()
  const { record } = await tokens.introspect('k-1-secret')
  expect(record).toMatchObject({ version: 2, importedFrom: 'slow' })
  const [stored] = await store.find([record?.id ?? ''])
  expect(stored).not.toHaveProperty('importedHash')
  const { items } = await tokens.system.events({ tokenId: record?.id })
  expect(items.map(({ action, actorId, details }) => [action, actorId, details])).toEqual([
    ['token.updated', 'system', { rehashed: true }],
    ['token.imported', 'system', { importKey: expect.any(String) }],
  ])
  expect(await verdict(accepting([format], { store }).verify('k-1-secret'))).toBe('ok')
  expect(await verdict(tokens.verify('k-1-guess'))).toBe('secret_mismatch')
  expect(calls).toHaveLength(1)
})

it('only one of two nodes replaces a slow hash at the first use, and both accept the token', async () => {
  const { format, calls } = slowFormat()
  const store = memoryStore()
  const [a, b] = [accepting([format], { store }), accepting([format], { store })]
  await a.system.import(rows, { format, map })
  const both = Promise.all([verdict(a.verify('k-1-secret')), verdict(b.verify('k-1-secret'))])
  await until(() => calls.length === 2)
  for (const { answer } of calls) answer(true)
  expect(await both).toEqual(['ok', 'ok'])
  await Promise.all([a.flush(), b.flush()])
  await Promise.all([a.flush(), b.flush()])
  expect((await a.introspect('k-1-secret')).record?.version).toBe(2)
  expect([await verdict(a.verify('k-1-secret')), await verdict(b.verify('k-1-secret'))]).toEqual(['ok', 'ok'])
  expect(calls).toHaveLength(2)
})

it('a revocation wins over the replacement of a hash that is written later', async () => {
  const { format, calls } = slowFormat()
  const held = heldStore(memoryStore())
  const tokens = accepting([format], { store: held })
  await tokens.system.import(rows, { format, map })
  const first = verdict(tokens.verify('k-1-secret'))
  await until(() => calls.length === 1)
  calls[0]?.answer(true)
  expect(await first).toBe('ok')
  held.hold('commit')
  const flushed = tokens.flush()
  const replacement = await held.next('commit')
  held.pass('commit')
  const { items } = await tokens.system.list({ imported: true, limit: 1000 })
  const { record } = await tokens.introspect('k-1-secret')
  expect(items).toHaveLength(10)
  await tokens.system.revoke(record?.id ?? '')
  await replacement.release()
  await flushed
  expect(await verdict(tokens.verify('k-1-secret'))).toBe('token_revoked')
  await tokens.flush()
  expect((await tokens.system.get(record?.id ?? ''))?.status).toBe('revoked')
  expect(await verdict(tokens.verify('k-1-secret'))).toBe('token_revoked')
})

it('at most four slow hashes are compared at the same time, however many callers give up and others arrive', async () => {
  const { format, calls } = slowFormat()
  const faults: string[] = []
  const tokens = accepting([format], { deadline: 0.1, onError: ({ where }) => faults.push(where) })
  await tokens.system.import(rows, { format, map })
  const wave = (): Promise<string[]> => Promise.all(rows.map(({ key }) => verdict(tokens.verify(`k-${key}-secret`))))
  for (let times = 0; times < 3; times += 1) expect(new Set(await wave())).toEqual(new Set(['store_unavailable']))
  expect(calls).toHaveLength(4)
  expect(new Set(faults)).toEqual(new Set(['imports']))
  const fifth = verdict(tokens.verify('k-9-secret'))
  await pause(10)
  calls[0]?.answer(true)
  await until(() => calls.length === 5)
  calls[4]?.answer(true)
  expect(await fifth).toBe('ok')
})

it('the result of a comparison counts even if it ends after its callers have given up', async () => {
  const { format, calls } = slowFormat()
  const tokens = accepting([format], { deadline: 0.1, onError: () => undefined })
  await tokens.system.import(rows, { format, map })
  const all = (): Promise<string[]> => Promise.all([1, 2, 3].map((key) => verdict(tokens.verify(`k-${key}-secret`))))
  expect(await all()).toEqual(Array(3).fill('store_unavailable'))
  calls[0]?.answer(true)
  calls[1]?.answer(false)
  const again = all()
  await pause(10)
  calls[2]?.answer(true)
  expect(await again).toEqual(['ok', 'secret_mismatch', 'ok'])
  expect(calls).toHaveLength(3)
  await tokens.flush()
  expect((await tokens.introspect('k-1-secret')).record?.version).toBe(2)
})

it('a wrong secret is charged to the caller even if the comparison ends after the caller has given up', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const { format, calls } = slowFormat()
  const tokens = accepting([format], { deadline: 0.05, onError: () => undefined })
  await tokens.system.import(rows, { format, map })
  const ip = '192.0.2.1'
  for (let at = 0; at < 20; at += 1) {
    expect(await verdict(tokens.verify(`k-1-guess${at}`, { ip }))).toBe('store_unavailable')
    calls[at]?.answer(false)
  }
  expect(calls).toHaveLength(20)
  expect(await verdict(tokens.verify('k-1-secret', { ip }))).toBe('store_unavailable')
  expect(calls).toHaveLength(20)
})

it('a hanging comparison frees its slot after a minute, and is reported once', async () => {
  const { format, calls } = slowFormat()
  const faults: string[] = []
  const tokens = accepting([format], { deadline: 1, onError: ({ error }) => faults.push(String(error)) })
  await tokens.system.import(rows, { format, map })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const ask = async (key: number): Promise<string> => {
    const asked = verdict(tokens.verify(`k-${key}-secret`))
    await vi.advanceTimersByTimeAsync(1500)
    return await asked
  }
  expect(await Promise.all([1, 2, 3, 4, 5].map(ask))).toEqual(Array(5).fill('store_unavailable'))
  await vi.advanceTimersByTimeAsync(40_000)
  expect(await ask(5)).toBe('store_unavailable')
  expect(calls).toHaveLength(4)
  await vi.advanceTimersByTimeAsync(20_000)
  const hangs = faults.filter((each) => each.includes('has not settled within 60 s'))
  expect(hangs).toHaveLength(4)
  const fifth = verdict(tokens.verify('k-5-secret'))
  await vi.advanceTimersByTimeAsync(1)
  calls[4]?.answer(true)
  expect(await fifth).toBe('ok')
  expect(await ask(1)).toBe('store_unavailable')
  expect(calls).toHaveLength(6)
})

it.each([[1], ['true'], [undefined], [{}]])('answers 503 if the comparison of a slow hash returns %j', async (answer) => {
  const { format, calls } = slowFormat()
  const tokens = accepting([format])
  await tokens.system.import(rows, { format, map })
  const first = verdict(tokens.verify('k-1-secret'))
  await until(() => calls.length === 1)
  calls[0]?.answer(answer)
  expect(await first).toBe('store_unavailable')
})

it('stops comparing guesses from an address, but accepts previously used tokens from that address', async () => {
  let compared = 0
  const format = ownTokens({
    name: 'slow',
    key: (credential) => /^k-([0-9]+)-/.exec(credential)?.[1],
    verify: (credential) => {
      compared += 1
      return credential.endsWith('secret')
    },
  })
  const tokens = accepting([format])
  await tokens.system.import(rows, { format, map })
  const ip = '192.0.2.1'
  expect(await verdict(tokens.verify('k-2-secret', { ip }))).toBe('ok')
  await tokens.flush()
  const verdicts: string[] = []
  for (let guess = 0; guess < 30; guess += 1) verdicts.push(await verdict(tokens.verify(`k-1-guess${guess}`, { ip })))
  expect(verdicts.at(0)).toBe('secret_mismatch')
  expect(verdicts.at(-1)).toBe('store_unavailable')
  expect(compared).toBeLessThan(30)
  expect(await verdict(tokens.verify('k-2-secret', { ip }))).toBe('ok')
  expect(await verdict(tokens.verify('k-1-secret', { ip: '192.0.2.2' }))).toBe('ok')
  const before = compared
  expect(await verdict(tokens.verify('k-77-secret', { ip: '192.0.2.2' }))).toBe('token_unknown')
  expect(compared).toBe(before)
})

it.each(['$2b$\u0000', 'half \ud83d', 'two\nlines'])(
  'reports a row whose hash no store can keep, and imports the other rows: %j',
  async (hash) => {
    const { format } = slowFormat()
    const tokens = accepting([format])
    const report = await tokens.system.import([{ key: 1, hash }, ...rows.slice(2)], { format, map })
    expect(report).toMatchObject({ rows: 9, imported: 8, failed: 1, problems: [{ row: 1 }] })
  },
)

it('many concurrent guesses do not delay first uses from other addresses', async () => {
  const { format, calls } = slowFormat()
  const tokens = accepting([format], { logger: false })
  await tokens.system.import(rows, { format, map })
  const guesses = Array.from({ length: 200 }, (_, at) => verdict(tokens.verify(`k-1-guess${at}`, { ip: '192.0.2.1' })))
  await until(() => calls.length === 4)
  const good = verdict(tokens.verify('k-2-secret', { ip: '192.0.2.2' }))
  await pause(20)
  calls[0]?.answer(false)
  await until(() => calls.length === 5)
  expect(calls[4]?.credential).toBe('k-2-secret')
  calls[4]?.answer(true)
  expect(await good).toBe('ok')
  for (let at = 0; at < 69; at += 1) {
    calls[at]?.answer(false)
    await pause(1)
  }
  const verdicts = await Promise.all(guesses)
  expect(new Set(verdicts)).toEqual(new Set(['secret_mismatch', 'store_unavailable']))
  expect(calls.length).toBeLessThan(70)
})

const floods = {
  'one token from one network': (at: number) => [`k-1-guess${at}`, `2001:db8:0:${at.toString(16)}::1`],
  'one token from many addresses': (at: number) => [`k-1-guess${at}`, `2001:db8:${at.toString(16)}::1`],
  'many tokens from one IPv6 network': (at: number) => [`k-${10 + at}-guess`, `2001:db8:0:${at.toString(16)}::1`],
  'many tokens from one IPv4 network': (at: number) => [`k-${10 + at}-guess`, `192.0.2.${at}`],
} as const

it.each(Object.entries(floods))(
  'a flood of guesses at %s does not delay the first use of another token from elsewhere',
  async (_what, flood) => {
    const { format, calls } = slowFormat()
    const tokens = accepting([format], { logger: false })
    const many = Array.from({ length: 210 }, (_, key) => ({ key, hash: `hash of ${key}` }))
    await tokens.system.import(many, { format, map })
    const guesses = Array.from({ length: 200 }, (_, at) => {
      const [credential = '', ip = ''] = flood(at)
      return verdict(tokens.verify(credential, { ip }))
    })
    await until(() => calls.length === 4)
    const refused = (await Promise.race([...guesses, pause(5000)])) as string
    expect(refused).toBe('store_unavailable')
    const good = [2, 3].map((key) => verdict(tokens.verify(`k-${key}-secret`, { ip: '198.51.100.7' })))
    for (let at = 0; at < 4; at += 1) {
      await pause(10)
      calls[at]?.answer(false)
    }
    // Their reads get the first free slots, ahead of a long queue.
    await until(() => calls.length === 8)
    for (const { credential, answer } of [...calls]) answer(credential.endsWith('secret'))
    expect(await Promise.all(good)).toEqual(['ok', 'ok'])
    expect(calls.slice(4, 8).filter(({ credential }) => credential.endsWith('secret'))).toHaveLength(2)
    for (let at = 8; at < 70; at += 1) {
      await until(() => calls.length > at || at > 67)
      calls[at]?.answer(false)
    }
    await Promise.all(guesses)
  },
)

describe('a token longer than bcrypt can read', () => {
  const long = `sk_${'a'.repeat(80)}`
  const compare = async (text: string): Promise<boolean> => text.slice(0, 72) === long.slice(0, 72)
  const hash = '$2b$04$F/2/ns1gXABlL.qT0GW7m.Rlwim0u.WUw65Nd5S7YVzFRbHGyfqU.'

  async function imported(length?: number | readonly [number, number]): Promise<Latchkey> {
    const format = bcryptTokens({ compare, prefix: 'sk_', keyLength: 8, length })
    const tokens = accepting([format])
    await tokens.system.import([{ prefix: long.slice(0, 8), hash }], { format, map })
    return tokens
  }

  it.each([
    ['no length', undefined],
    ['a range of lengths', [8, 200]],
  ] as const)('a token longer than bcrypt can read is refused if its format names %s', async (_what, length) => {
    const tokens = await imported(length)
    for (const text of [long, `${long}x`, long.slice(0, 73)]) expect(await verdict(tokens.verify(text))).not.toBe('ok')
    expect(await verdict(tokens.verify(long.slice(0, 72)))).toBe('ok')
  })

  it.each([
    ['whole', 73, 'refused'],
    ['whole', 72, 'accepted'],
    ['without_key', 81, 'refused'],
    ['without_key', 80, 'accepted'],
  ] as const)(
    'a format is refused only if bcrypt cannot read all of the hashed text: hashed %s, %i characters: %s',
    (hashed, length, outcome) => {
      const create = () => bcryptTokens({ compare, prefix: 'sk_', keyLength: 8, length, hashed })
      if (outcome === 'accepted') expect(create).not.toThrow()
      else expect(create).toThrow(expect.objectContaining({ code: 'invalid_input', field: 'length' }))
      expect(() => bcryptTokens({ compare, prefix: 'sk_', keyLength: 8, length: [8, length], hashed })).not.toThrow()
    },
  )

  it('another token with the same first 72 bytes is not accepted in place of a token that was imported twice and revoked', async () => {
    const formats = [sha256Tokens({ prefix: 'sk_' }), bcryptTokens({ compare, prefix: 'sk_', keyLength: 8 })] as const
    const tokens = accepting([...formats])
    await tokens.system.import([{ hash: sha256(long) }], { format: formats[0], map })
    await tokens.system.import([{ prefix: long.slice(0, 8), hash }], { format: formats[1], map })
    const { record } = await tokens.introspect(long)
    await tokens.system.revoke(record?.id ?? '')
    for (const other of [long, `${long.slice(0, -1)}x`, `${long}x`]) expect(await verdict(tokens.verify(other))).not.toBe('ok')
  })
})
