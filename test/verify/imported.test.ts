import type { Latchkey, LatchkeyOptions, TokenFormat } from 'latchkey'
import { ownTokens, plainTokens, sanctumTokens, sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createImportKeys } from '../../src/token/import-keys.js'
import { Imported, type ImportedOptions, type Provable } from '../../src/verify/imported.js'
import { accepting, IMPORT_KEY, oldToken, type SCOPES, sha256 } from '../imports/world.js'
import { mint, type Scope, until, verdict } from '../latchkey/harness.js'

const map = () => ({ name: 'Old', scopes: ['stock:read' as const] })
const old = sha256Tokens({ prefix: 'sk_', length: 35 })
const PEPPERS = ['0123456789abcdef0123456789abcdef', 'fedcba9876543210fedcba9876543210'] as const

/** A format that counts its calls and whose tokens are `k-<row>-<secret>`. */
function slow(verify: (credential: string, hash: string) => unknown = (credential, hash) => credential.endsWith(hash)) {
  const asked: unknown[] = []
  const compared: string[] = []
  const format = ownTokens({
    name: 'slow',
    key: (credential) => {
      asked.push(credential)
      return /^k-([0-9]+)-/.exec(String(credential))?.[1]
    },
    verify: (credential, hash) => {
      compared.push(credential)
      return verify(credential, hash) as boolean
    },
  })
  return { format, asked, compared }
}

async function withRows(format: TokenFormat, options: Partial<LatchkeyOptions<keyof typeof SCOPES>> = {}): Promise<Latchkey<Scope>> {
  const tokens = accepting([format], options)
  await tokens.system.import(
    [
      { key: 1, hash: 'one' },
      { key: 2, hash: 'two' },
    ],
    { format, map },
  )
  return tokens
}

describe('a credential of another system', () => {
  it('a credential that no request can carry is rejected before any format reads it', async () => {
    const { format, asked } = slow()
    const tokens = await withRows(format)
    const junk = [`k-1-${'x'.repeat(8192)}one`, 'k-1-\u00e9one', 'k-1- one', 'k-1-,one', 'k-1-"one', '', 1, ['k-1-one'], null, undefined]
    for (const credential of junk)
      expect([credential, await verdict(tokens.verify(credential as string))]).toEqual([credential, 'token_malformed'])
    expect(asked).toEqual([])
    expect(await verdict(tokens.verify('k-1-one'))).toBe('ok')
    expect(await verdict(tokens.verify(`k-2-${'x'.repeat(8185)}two`))).toBe('ok')
    expect(await verdict(tokens.verify(`k-2-${'x'.repeat(8186)}two`))).toBe('token_malformed')
  })

  it('a token in the latchkey format is not passed to other formats, whatever its prefix or checksum', async () => {
    const { format, asked } = slow()
    const tokens = await withRows(format)
    const { token } = await mint(tokens)
    const other = token.replace('acme_test', 'acme_live')
    const wrong = `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`
    for (const text of [other, wrong]) expect(await verdict(tokens.verify(text))).toBe('token_malformed')
    expect(asked).toEqual([])
  })

  it('an imported credential is rejected once its format has ended, or while the clock is invalid', async () => {
    let now = 1_900_000_000_000
    const format = sha256Tokens({ prefix: 'sk_', length: 35, until: new Date(now + 1000) })
    const tokens = accepting([format], { clock: () => now })
    const { token, row } = oldToken(1)
    await tokens.system.import([row], { format, map })
    expect(await verdict(tokens.verify(token))).toBe('ok')
    for (const instant of [now + 1000, Number.NaN, Number.POSITIVE_INFINITY]) {
      now = instant
      expect([instant, await verdict(tokens.verify(token))]).toEqual([instant, 'token_malformed'])
    }
  })

  it.each([
    ['undefined', undefined, 'token_malformed'],
    ['null', null, 'token_malformed'],
    ['an object without a key', { proof: 'p' }, 'store_unavailable'],
    ['an object without a proof', { key: '1' }, 'store_unavailable'],
    ['a number for a key', { key: 1, proof: 'p' }, 'store_unavailable'],
    ['a number for a proof', { key: '1', proof: 1 }, 'store_unavailable'],
    ['a string', 'key', 'store_unavailable'],
  ])('a credential for which read() of its format returns %s results in %s', async (_what, answer, outcome) => {
    const format: TokenFormat = { ...plainTokens({ prefix: 'k' }), read: () => answer as never }
    expect(await verdict(accepting([format]).verify('k-1'))).toBe(outcome)
  })

  it('an imported credential resolves to the format that imported it, even if another format fits it', async () => {
    const twin = sha256Tokens({ name: 'twin', prefix: 'sk_', length: 35 })
    const tokens = accepting([twin, old])
    const [known, stranger] = [oldToken(1), oldToken(2)]
    await tokens.system.import([known.row], { format: old, map })
    expect(await verdict(tokens.verify(known.token))).toBe('ok')
    expect(await verdict(tokens.verify(stranger.token))).toBe('token_unknown')
    expect((await tokens.introspect(known.token)).record?.importedFrom).toBe('sha256')
  })

  it('a credential that two formats could match resolves to the record that its secret proves', async () => {
    const first = { ...slow().format, name: 'first' }
    const second = { ...slow().format, name: 'second' }
    const tokens = accepting([first, second])
    await tokens.system.import([{ key: 1, hash: 'one' }], { format: first, map })
    await tokens.system.import([{ key: 1, hash: 'two' }], { format: second, map })
    for (const [credential, name] of [
      ['k-1-one', 'first'],
      ['k-1-two', 'second'],
    ] as const) {
      expect(await verdict(tokens.verify(credential))).toBe('ok')
      expect((await tokens.introspect(credential)).record?.importedFrom).toBe(name)
    }
    expect(await verdict(tokens.verify('k-1-three'))).toBe('secret_mismatch')
    expect((await tokens.introspect('k-1-three')).active).toBe(false)
  })

  it('an imported credential is accepted with any listed pepper', async () => {
    const store = memoryStore()
    const { token, row } = oldToken(1)
    await accepting([old], { store, pepper: PEPPERS[1] }).system.import([row], { format: old, map })
    expect(await verdict(accepting([old], { store, pepper: [...PEPPERS] }).verify(token))).toBe('ok')
    expect(await verdict(accepting([old], { store, pepper: PEPPERS[0] }).verify(token))).toBe('secret_mismatch')
  })
})

describe('slow hashes', () => {
  it('a slow hash is compared once and soon replaced by a digest', async () => {
    const { format, compared } = slow()
    const store = memoryStore()
    const tokens = await withRows(format, { store })
    for (let times = 0; times < 3; times += 1) expect(await verdict(tokens.verify('k-1-one'))).toBe('ok')
    expect(compared).toEqual(['k-1-one'])
    const { record } = await tokens.introspect('k-1-one')
    await until(async () => (await store.find([record?.id ?? '']))[0]?.importedHash === undefined)
    expect(await verdict(tokens.verify('k-1-one'))).toBe('ok')
    expect(await verdict(tokens.verify('k-1-none'))).toBe('secret_mismatch')
    expect(compared).toEqual(['k-1-one'])
  })

  it('a slow hash is also replaced after an introspection', async () => {
    const { format, compared } = slow()
    const store = memoryStore()
    const tokens = await withRows(format, { store })
    const { record } = await tokens.introspect('k-1-one')
    await until(async () => (await store.find([record?.id ?? '']))[0]?.importedHash === undefined)
    expect((await tokens.introspect('k-1-none')).active).toBe(false)
    expect((await tokens.introspect('k-1-one')).active).toBe(true)
    expect(compared).toEqual(['k-1-one'])
  })

  it('a slow comparison of one credential does not decide whether another credential for the same row is accepted', async () => {
    const answers = new Map<string, (same: boolean) => void>()
    const { format } = slow((credential) => new Promise<boolean>((resolve) => answers.set(credential, resolve)))
    const tokens = await withRows(format)
    const [good, bad] = [verdict(tokens.verify('k-1-one')), verdict(tokens.verify('k-1-bad'))]
    await until(() => answers.size === 2)
    answers.get('k-1-one')?.(true)
    answers.get('k-1-bad')?.(false)
    expect([await good, await bad]).toEqual(['ok', 'secret_mismatch'])
    const again = verdict(tokens.verify('k-1-bad'))
    answers.delete('k-1-bad')
    await Promise.race([again, until(() => answers.has('k-1-bad'))])
    answers.get('k-1-bad')?.(false)
    expect(await again).toBe('secret_mismatch')
  })
})

describe('an address that guesses secrets of a known row', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('after 500 wrong secrets, an address gets store_unavailable even for a valid token, and other addresses do not', async () => {
    const sanctum = sanctumTokens()
    const tokens = accepting([sanctum], { cache: false })
    const token = `7|${'s'.repeat(40)}`
    await tokens.system.import([{ id: 7, token: sha256(token.slice(2)) }], { format: sanctum, map })
    const ip = '192.0.2.1'
    for (let at = 0; at < 500; at += 1)
      expect(await verdict(tokens.verify(`7|${String(at).padStart(40, '0')}`, { ip }))).toBe('secret_mismatch')
    expect(await verdict(tokens.verify(token, { ip }))).toBe('store_unavailable')
    expect(await verdict(tokens.verify(token, { ip: '192.0.2.2' }))).toBe('ok')
    expect(await verdict(tokens.verify(token))).toBe('ok')
  })
})

describe('proofs of imported credentials', () => {
  const body = 'latchkey: import proof'
  const claim = { id: 'A'.repeat(16), format: old, ended: false, key: 'row', credential: 'sk_x', body }
  const keys = createImportKeys(IMPORT_KEY, 'acme_test')
  const digest = (text: string): string => sha256(text)
  const imported = new Imported({
    imports: { keys, formats: [old] },
    digesters: [{ pepperId: undefined, digest }],
    clock: () => 1,
    slow: { compare: async () => true },
    changes: { isProven: () => false, rehash: () => undefined },
    scheduleFlush: () => undefined,
  } as unknown as ImportedOptions)
  const record: Provable = { id: claim.id, importedFrom: 'sha256', hasDigest: (given) => given === digest(body) }

  it.each([
    ['its own record', {}, true],
    ['a record with another ID', { id: 'B'.repeat(16) }, false],
    ['a record in another format', { importedFrom: 'plain' }, false],
    ['a token that latchkey created', { importedFrom: undefined }, false],
    ['a record with another digest', { hasDigest: () => false }, false],
    ['a slow hash with the mark of its import', { importedHash: 'h', importedMark: keys.markOf('sha256', 'row', 'h') }, true],
    ['a slow hash without a mark', { importedHash: 'h' }, false],
    ['a slow hash with the mark of another hash', { importedHash: 'h', importedMark: keys.markOf('sha256', 'row', 'other') }, false],
    ['a slow hash with the mark of another row', { importedHash: 'h', importedMark: keys.markOf('sha256', 'other', 'h') }, false],
    ['a slow hash with the mark of another format', { importedHash: 'h', importedMark: keys.markOf('plain', 'row', 'h') }, false],
  ] as const)('proves() with %s returns %s', async (_what, changes, proven) => {
    expect(await imported.proves(claim, { ...record, ...changes }, undefined)).toBe(proven)
  })
})

describe('a secret imported in two formats', () => {
  const plain = plainTokens({ name: 'plain', prefix: 'sk_', length: 35 })
  const orders = [
    ['first', [old, plain]],
    ['last', [plain, old]],
  ] as const

  async function twins(formats: readonly TokenFormat[], options: Partial<LatchkeyOptions<Scope>> = {}) {
    const tokens = accepting(formats, options)
    const { token, row } = oldToken(1)
    await tokens.system.import([{ token }], { format: plain, map })
    await tokens.system.import([row], { format: old, map })
    const { items } = await tokens.system.list()
    const of = (name: string): string => items.find(({ importedFrom }) => importedFrom === name)?.id ?? ''
    return { tokens, token, sha: of('sha256'), plain: of('plain') }
  }

  for (const [where, formats] of orders) {
    it(`a revoked secret is still refused after a second format imports it (revoked format listed ${where})`, async () => {
      const tokens = accepting(formats)
      const { token, row } = oldToken(1)
      await tokens.system.import([row], { format: old, map })
      const [record] = (await tokens.system.list()).items
      await tokens.system.revoke(record?.id ?? '', { reason: 'stolen' })
      await tokens.system.import([{ token }], { format: plain, map })
      expect(await verdict(tokens.verify(token))).toBe('token_revoked')
      expect(await tokens.introspect(token)).toMatchObject({ active: false })
    })

    it(`a secret imported in two formats is refused while the token of the format listed ${where} is inactive or expired`, async () => {
      let now = 1_900_000_000_000
      const { tokens, token, sha } = await twins(formats, { clock: () => now })
      expect(await verdict(tokens.verify(token))).toBe('ok')
      await tokens.system.deactivate(sha)
      expect(await verdict(tokens.verify(token))).toBe('token_inactive')
      await tokens.system.activate(sha)
      expect(await verdict(tokens.verify(token))).toBe('ok')
      await tokens.system.update(sha, { expiresAt: new Date(now + 1000) })
      now += 1000
      expect(await verdict(tokens.verify(token))).toBe('token_expired')
      expect(await tokens.introspect(token)).toMatchObject({ active: false })
    })
  }

  it('a secret imported in two formats resolves to the token of the format listed first', async () => {
    const { tokens, token } = await twins([plain, old])
    expect((await tokens.introspect(token)).record?.importedFrom).toBe('plain')
  })

  it('a secret imported in two formats is accepted from the cache even while the address of the caller is throttled', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const ip = '192.0.2.1'
    let finds = 0
    const store = interceptStore(memoryStore(), ({ method }, proceed) => {
      if (method === 'find') finds += 1
      return proceed()
    })
    const tokens = accepting([old, plain], { store, cache: { maxStaleness: 60 } })
    const { token, row } = oldToken(1)
    await tokens.system.import([row], { format: old, map })
    await until(async () => {
      const before = finds
      expect(await verdict(tokens.verify(token, { ip }))).toBe('ok')
      return finds === before
    })
    vi.advanceTimersByTime(501)
    await Promise.all(Array.from({ length: 600 }, () => verdict(tokens.verify(oldToken(2).token, { ip }))))
    expect(await verdict(tokens.verify(oldToken(2).token, { ip }))).toBe('store_unavailable')
    expect(await verdict(tokens.verify(token, { ip }))).toBe('ok')
  })

  it('a slow hash is not compared again when another secret with the same key was revoked', async () => {
    const first = slow()
    const second = { ...slow().format, name: 'second' }
    const tokens = accepting([second, first.format])
    await tokens.system.import([{ key: 1, hash: 'one' }], { format: first.format, map })
    await tokens.system.import([{ key: 1, hash: 'two' }], { format: second, map })
    const { items } = await tokens.system.list()
    await tokens.system.revoke(items.find(({ importedFrom }) => importedFrom === 'slow')?.id ?? '')
    for (let times = 0; times < 30; times += 1) expect(await verdict(tokens.verify('k-1-two', { ip: '192.0.2.1' }))).toBe('ok')
    expect(first.compared).toEqual(['k-1-two'])
    expect(await verdict(tokens.verify('k-1-one'))).toBe('token_revoked')
  })
})
