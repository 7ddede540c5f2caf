import type { TokenFormat } from 'latchkey'
import { ownTokens } from 'latchkey/import'
import { introspection, revocation, revocationByPossession } from 'latchkey/oauth'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ownActor, senderId } from '../../src/model/own-actor.js'
import { pause, verdict } from '../latchkey/harness.js'
import { accepting } from './world.js'

const rows = Array.from({ length: 30 }, (_, key) => ({ key, hash: `hash of ${key}` }))
const map = () => ({ name: 'Old', scopes: ['stock:read' as const] })

/**
 * An instance that accepts tokens with slow hashes, and an introspection endpoint for the client that each request names. The clock of the
 * budgets does not advance.
 */
async function standing() {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const format = ownTokens({
    name: 'old',
    key: (credential) => /^k-([0-9]+)-/.exec(credential)?.[1],
    verify: (credential) => credential.endsWith('secret'),
  })
  const tokens = accepting([format], { logger: false })
  await tokens.system.import(rows, { format, map })
  const form = (token: string, caller: string) =>
    new Request('https://auth.example/', { method: 'POST', headers: { caller }, body: new URLSearchParams({ token }) })
  const callerOf = (request: Request): string => request.headers.get('caller') ?? ''
  const client = (request: Request) => ({ id: callerOf(request), tenants: '*' as const })
  const introspect = introspection(tokens, { client })
  const asked = async (token: string): Promise<string> => {
    const response = await introspect(form(token, 'gateway'))
    if (response.status !== 200) return String(response.status)
    const { active } = (await response.json()) as { readonly active: boolean }
    return active ? 'ok' : 'inactive'
  }
  const leaked = async (token: string): Promise<string> => {
    const report = tokens.as({ id: 'support', tenants: '*', manages: 'all' }).reportLeak({ token, action: 'notify' })
    return await report.then(
      ({ known }) => (known ? 'ok' : 'unknown'),
      () => '503',
    )
  }
  const presented = {
    'an unknown address': (token: string) => verdict(tokens.verify(token)),
    'one address': (token: string) => verdict(tokens.verify(token, { ip: '192.0.2.1' })),
    'a client that introspects for its users': asked,
    'an actor that reports leaks': leaked,
  }
  return { tokens, form, callerOf, client, introspect, presented }
}

const CALLERS = ['an unknown address', 'one address', 'a client that introspects for its users', 'an actor that reports leaks'] as const

it.each(CALLERS)('after guesses at one imported token from %s, the first uses of other tokens from there are accepted', async (caller) => {
  const { presented } = await standing()
  for (let at = 0; at < 30; at += 1) await presented[caller](`k-1-guess-${at}`)
  expect(await presented[caller]('k-1-secret')).toMatch(/^(503|store_unavailable)$/)
  for (let key = 2; key < 8; key += 1) expect(await presented[caller](`k-${key}-secret`)).toBe('ok')
})

it.each(CALLERS)('limits guesses equally for imported tokens that exist, were used before, or do not exist, from %s', async (caller) => {
  const { presented, tokens } = await standing()
  expect(await presented[caller]('k-2-secret')).toBe('ok')
  await tokens.flush()
  const limits = []
  for (const key of [1, 2, 77]) {
    const answers: string[] = []
    for (let at = 0; at < 30; at += 1) answers.push(await presented[caller](`k-${key}-guess-${at}`))
    limits.push(answers.findIndex((answer) => /^(503|store_unavailable)$/.test(answer)))
  }
  expect(limits).toEqual([20, 20, 20])
  expect(await presented[caller]('k-2-secret')).toBe('ok')
})

it('limits slow comparisons for one address, and less strictly for unknown addresses, which many users share', async () => {
  const { presented, tokens } = await standing()
  for (let at = 0; at < 300; at += 1) {
    await presented['one address'](`k-${at % 20}-guess-${at}`)
    await presented['an unknown address'](`k-${at % 20}-other-${at}`)
  }
  expect(await presented['one address']('k-21-secret')).toBe('store_unavailable')
  expect(await presented['one address']('k-77-secret')).toBe('store_unavailable')
  expect(await presented['an unknown address']('k-22-secret')).toBe('ok')
  expect(await verdict(tokens.verify('k-21-secret', { ip: '192.0.2.2' }))).toBe('ok')
})

it('does not count a wrong secret if another format proves the credential', async () => {
  const key = (credential: string) => /^k-([0-9]+)-/.exec(credential)?.[1]
  const first = ownTokens({ name: 'first', key, verify: (credential) => credential.endsWith('secret') })
  const second = ownTokens({ name: 'second', key, verify: (credential) => credential.endsWith('other') })
  const tokens = accepting([first, second], { logger: false })
  for (const format of [first, second]) await tokens.system.import(rows, { format, map })
  for (let at = 0; at < 30; at += 1) expect(await verdict(tokens.verify('k-1-other'))).toBe('ok')
  expect(await verdict(tokens.verify('k-1-secret'))).toBe('ok')
})

it('no unauthenticated caller or client can use up the guessing budget of another client, an actor, or an address', async () => {
  const { tokens, form, callerOf, client, introspect } = await standing()
  const report = revocationByPossession(tokens, { ip: callerOf, perMinute: 100 })
  const reporter = (id: string) => tokens.as({ id, tenants: '*', manages: 'all' })
  for (let at = 0; at < 30; at += 1) {
    await report(form(`k-1-stranger-${at}`, `203.0.113.${at}`))
    await introspect(form(`k-1-client-${at}`, 'loud'))
    await report(form(`k-1-address-${at}`, '198.51.100.7'))
    await reporter('loud')
      .reportLeak({ token: `k-1-actor-${at}`, action: 'notify' })
      .catch(() => undefined)
  }
  expect((await introspect(form('k-1-secret', 'loud'))).status).toBe(503)
  expect((await report(form('k-1-secret', '198.51.100.7'))).status).toBe(503)
  expect(await (await introspect(form('k-1-secret', 'quiet'))).json()).toMatchObject({ active: true })
  expect(await verdict(tokens.verify('k-3-secret'))).toBe('ok')
  expect(await reporter('quiet').reportLeak({ token: 'k-4-secret', action: 'notify' })).toMatchObject({ known: true })
  expect((await revocation(tokens, { client })(form('k-5-secret', 'quiet'))).status).toBe(200)
  expect((await report(form('k-6-secret', '198.51.100.8'))).status).toBe(200)
  const unknown = revocationByPossession(tokens, { ip: () => null as never })
  expect((await unknown(form('k-7-secret', ''))).status).toBe(200)
  for (const key of [5, 6, 7]) expect(await verdict(tokens.verify(`k-${key}-secret`))).toBe('token_revoked')
})

it('does not limit the wrong secrets in signed leak reports, whose senders no other actor can impersonate', async () => {
  const { tokens } = await standing()
  const actor = { id: senderId('github'), tenants: '*', manages: 'all' } as const
  const scanner = tokens.as(ownActor(actor))
  const reported = (token: string) => scanner.reportLeak({ token, action: 'notify' }).then(({ known }) => known)
  for (let at = 0; at < 30; at += 1) expect(await reported(`k-77-guess-${at}`)).toBe(false)
  for (let at = 0; at < 2_100; at += 1) expect(await reported(`k-1-guess-${at}`)).toBe(false)
  expect(await reported('k-1-secret')).toBe(true)
  expect(() => tokens.as(actor)).toThrow('reserved')
})

it('limits the guesses at one token from all addresses of an IPv6 /48 together', async () => {
  const { tokens } = await standing()
  const from = (token: string, network: string) => verdict(tokens.verify(token, { ip: `2001:db8:${network}::1` }))
  for (let at = 0; at < 80; at += 1) await from(`k-1-guess-${at}`, `1:${at.toString(16)}`)
  expect(await from('k-1-secret', '1:ffff')).toBe('store_unavailable')
  expect(await from('k-2-secret', '1:ffff')).toBe('ok')
  expect(await from('k-1-secret', '2:ffff')).toBe('ok')
})

it('a flood of wrong secrets for keys that do not exist does not reset the limit for an existing key', async () => {
  const { tokens, presented } = await standing()
  for (let at = 0; at < 21; at += 1) await presented['one address'](`k-1-guess-${at}`)
  for (let at = 0; at < 10_200; at += 1) await verdict(tokens.verify(`k-${1000 + at}-guess`, { ip: `198.51.100.${at % 60}` }))
  expect(await presented['one address']('k-1-secret')).toBe('store_unavailable')
  expect(await verdict(tokens.verify('k-1-secret', { ip: '203.0.113.9' }))).toBe('ok')
})

describe('concurrent slow comparisons of many credentials', () => {
  /** An instance whose comparisons wait until they are released, and that counts them. The clock of the budgets does not advance by itself. */
  async function waiting(more: readonly TokenFormat[] = []) {
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    let compared = 0
    let comparing = 0
    let mostAtOnce = 0
    const format = ownTokens({
      name: 'old',
      key: (credential) => /^k-([0-9]+)-/.exec(credential)?.[1],
      verify: async (credential) => {
        compared += 1
        const isFirst = credential.startsWith('k-1-')
        if (isFirst) comparing += 1
        mostAtOnce = Math.max(mostAtOnce, comparing)
        await pause(1)
        if (isFirst) comparing -= 1
        return credential.endsWith('secret')
      },
    })
    const tokens = accepting([format, ...more], { logger: false })
    await tokens.system.import(rows, { format, map })
    const present = (credentials: readonly string[], ip = '192.0.2.1') =>
      Promise.all(credentials.map((credential) => verdict(tokens.verify(credential, { ip }))))
    return { tokens, present, compared: () => compared, mostAtOnce: () => mostAtOnce }
  }

  it('at most 20 wrong secrets for one key from one caller are compared in a burst, and one more each second', async () => {
    const { present, compared } = await waiting()
    for (let round = 0; round < 3; round += 1) {
      await present(Array.from({ length: 100 }, (_, at) => `k-1-guess-${round}-${at}`))
      expect(compared()).toBeLessThanOrEqual(20 + 20 * round)
      vi.advanceTimersByTime(20_000)
    }
    expect(compared()).toBe(60)
  })

  it('a slow comparison that matches is not charged to the guessing budgets', async () => {
    const { present } = await waiting()
    for (let at = 0; at < 19; at += 1) await present([`k-1-guess-${at}`])
    const verdicts = await present(Array.from({ length: 40 }, () => 'k-1-secret'))
    expect(new Set(verdicts)).toEqual(new Set(['ok']))
    expect(await present(['k-1-another'])).toEqual(['secret_mismatch'])
    expect(await present(['k-1-further'])).toEqual(['store_unavailable'])
  })

  it('each wrong secret of an imported token is charged to the guessing budgets once', async () => {
    const { present } = await waiting()
    const answers = []
    for (let at = 0; at < 25; at += 1) answers.push(...(await present([`k-1-guess-${at}`])))
    expect(answers.indexOf('store_unavailable')).toBe(20)
  })

  it('at most two secrets of signed leak reports are compared at the same time', async () => {
    const { tokens, present, compared, mostAtOnce } = await waiting()
    const scanner = tokens.as(ownActor({ id: senderId('github'), tenants: '*', manages: 'all' }))
    const reported = (token: string) => scanner.reportLeak({ token, action: 'notify' }).then(({ known }) => known)
    // Other callers take all slots first, and then free them for the report.
    const used = present([2, 3, 4, 5].map((key) => `k-${key}-secret`))
    const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => reported(`k-1-guess-${at}`)))
    expect(new Set(answers)).toEqual(new Set([false]))
    expect(new Set(await used)).toEqual(new Set(['ok']))
    expect([compared(), mostAtOnce()]).toEqual([44, 2])
    expect(await reported('k-1-secret')).toBe(true)
  })

  it('a credential that another format proves is not charged to the guessing budgets', async () => {
    const other = ownTokens({ name: 'other', key: (credential) => /^k-([0-9]+)-/.exec(credential)?.[1], verify: () => true })
    const { tokens, present } = await waiting([other])
    await tokens.system.import(rows, { format: other, map })
    for (let at = 0; at < 30; at += 1) expect(await present([`k-1-other-${at}`])).toEqual(['ok'])
  })
})
