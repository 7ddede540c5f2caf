import { describe, expect, it } from 'vitest'
import { admissionOf } from '../../src/http/admission.js'
import { createGuard } from '../../src/http/authenticate.js'
import type { AuthenticateOptions } from '../../src/http/options.js'
import { deciderOf } from '../../src/instance.js'
import { pause } from '../latchkey/harness.js'
import { allowing, type FakeRequest, fakePlatform, fakePrincipal, fakeTokens } from './fake.js'

const principal = fakePrincipal(['a:read'])
const silent = { onWarning: () => undefined }
const basic = `Basic ${Buffer.from('good:').toString('base64')}`
const nobody = () => undefined
const fails = (): never => {
  throw new Error('down')
}

type Later = {
  readonly options?: AuthenticateOptions<FakeRequest>
  readonly headers?: readonly string[]
  readonly decide?: (token: unknown) => unknown
  /** The header fields that the later guard sees, if they differ from those of the earlier guard. */
  readonly instead?: readonly string[]
}

const revoked = { ok: false, code: 'token_revoked' }
const key = { credential: { header: 'x-api-key' } } as const

const REFUSING: readonly [how: string, status: number, later: Later][] = [
  ['finds no credential', 401, { options: key }],
  ['finds a malformed credential', 400, { options: key, headers: ['X-Api-Key', 'a b'] }],
  ['finds several credentials', 400, { options: { credential: ['bearer', { header: 'x-api-key' }] }, headers: ['X-Api-Key', 'good'] }],
  ['refuses another token', 401, { options: key, headers: ['X-Api-Key', 'bad'] }],
  ['refuses the same token', 401, { decide: () => revoked }],
  ['refuses the same token after a wait', 401, { decide: async () => revoked }],
  ['fails to decide', 503, { decide: fails }],
  ['fails to decide after a wait', 503, { decide: async () => fails() }],
  ['refuses the credential of another system', 401, { options: { foreign: nobody } }],
  ['refuses the credential of another system after a wait', 401, { options: { foreign: async () => undefined } }],
  ['finds no session', 401, { options: { ...key, session: nobody }, instead: [] }],
  ['finds no session after a wait', 401, { options: { ...key, session: async () => undefined }, instead: [] }],
  [
    'finds a session in a cross-site request',
    403,
    {
      options: { ...key, session: () => ({ id: 'ada', scopes: [] }) },
      instead: ['Sec-Fetch-Site', 'cross-site', 'Origin', 'https://evil.example'],
    },
  ],
  [
    'finds a Basic credential in a cross-site request',
    403,
    {
      options: { credential: 'basic' },
      instead: ['Authorization', basic, 'Sec-Fetch-Site', 'cross-site', 'Origin', 'https://evil.example'],
    },
  ],
]

/** Sends a request through an optional guard and then through a second guard, each from a separate instance. */
async function passTwo(
  { options = {}, headers = [], decide, instead }: Later,
  between: (use: { done(endpoint: string): void }) => void = nobody,
) {
  const answer = (token: unknown): unknown => (token === 'good' ? allowing(principal) : { ok: false, code: 'token_unknown' })
  const earlier = fakeTokens(answer)
  const later = fakeTokens(decide ?? answer, { isOwn: () => false, resolve: () => ({ names: [], has: () => false }) as never })
  const request = { method: 'POST', headers: ['Authorization', 'Bearer good', ...headers] }
  const first = await createGuard(earlier, { ...silent, optional: true }, fakePlatform())(request)
  if (first.use === undefined) throw new Error('the first guard should admit the request')
  between(first.use)
  if (instead !== undefined) request.headers = [...instead]
  const second = await createGuard<FakeRequest>(later, { ...silent, ...options }, fakePlatform())(request)
  first.use.done('POST /stock')
  return { uses: earlier.uses, second, admission: admissionOf(request) }
}

describe('a use that an earlier guard admitted', () => {
  it.each(REFUSING)('a use admitted by an earlier guard is not counted if a later guard %s', async (_how, status, later) => {
    const { uses, second, admission } = await passTwo(later)
    expect(second.response?.status).toBe(status)
    expect(admission).toBeUndefined()
    expect(uses).toMatchObject([{ tokenId: 't1', outcome: 'undecided' }])
  })

  it.each(REFUSING)('an already counted use admitted by an earlier guard is refunded if a later guard %s', async (_how, status, later) => {
    const { uses, second } = await passTwo(later, (use) => use.done('POST /early'))
    expect(second.response?.status).toBe(status)
    expect(uses).toMatchObject([{ outcome: 'allowed' }, { outcome: 'undecided', isCounted: true }])
  })

  it('a use admitted by an earlier guard is counted if the later guard admits the request', async () => {
    for (const options of [{}, { ...key, optional: true }]) {
      const { uses, second } = await passTwo({ options })
      expect(second.response).toBeUndefined()
      expect(uses).toMatchObject([{ endpoint: 'POST /stock', outcome: 'allowed' }])
    }
  })

  it('a use admitted by a guard is not counted if the adapter of the guard refuses the request', async () => {
    const tokens = fakeTokens(() => allowing(principal))
    const request = { headers: ['Authorization', 'Bearer good'] }
    const decide = createGuard(tokens, silent, fakePlatform())
    const { use } = await decide(request)
    const refusal = decide.guard.admitBy((_, refused) => decide.guard.refuse('misconfigured', refused), undefined, request, undefined)
    expect(refusal?.status).toBe(500)
    use?.done('GET /')
    expect(tokens.uses).toMatchObject([{ outcome: 'undecided' }])
  })

  it('a use that was refused is over: a later guard of the same instance starts another use', async () => {
    const contexts: unknown[] = []
    const tokens = fakeTokens((_token, context) => {
      contexts.push(context)
      return allowing(principal)
    })
    const request = { headers: ['Authorization', 'Bearer good'] }
    const decide = createGuard(tokens, silent, fakePlatform())
    const first = await decide(request)
    first.use?.refused('scope_insufficient')
    first.use?.done('GET /')
    const second = await decide(request)
    second.use?.done('GET /')
    expect(tokens.uses).toMatchObject([{ outcome: 'scope_insufficient' }, { outcome: 'allowed' }])
    expect(contexts).toEqual([
      { ip: undefined, method: 'GET' },
      { ip: undefined, method: 'GET' },
    ])
  })

  it('a use of a token is counted after a guard admitted a signed token that was exchanged for it', async () => {
    const signed = { ...principal, kind: 'signed' as const }
    const tokens = fakeTokens((token) => allowing(token === 'signed' ? signed : principal))
    const request = { headers: ['Authorization', 'Bearer signed', 'X-Api-Key', 'good'] }
    const first = await createGuard(tokens, { ...silent, optional: true }, fakePlatform())(request)
    const second = await createGuard<FakeRequest>(tokens, { ...silent, ...key }, fakePlatform())(request)
    expect(second.use).not.toBe(first.use)
    second.use?.done('GET /')
    expect(tokens.uses).toMatchObject([{ tokenId: 't1', endpoint: 'GET /' }])
  })

  it('a use of a token continues when a later guard admits a signed token that was exchanged for it', async () => {
    const signed = { ...principal, kind: 'signed' as const }
    const contexts: { admitted?: unknown }[] = []
    const tokens = fakeTokens((token, context) => {
      contexts.push(context as object)
      return allowing(token === 'signed' ? signed : principal)
    })
    const request: FakeRequest = { headers: ['Authorization', 'Bearer signed', 'X-Api-Key', 'good'] }
    const [byKey, byBearer] = [
      createGuard<FakeRequest>(tokens, { ...silent, ...key }, fakePlatform()),
      createGuard(tokens, silent, fakePlatform()),
    ]
    const first = await byKey(request)
    expect((await byBearer(request)).use).toBe(first.use)
    expect((await byKey(request)).use).toBe(first.use)
    expect(contexts.map(({ admitted }) => admitted)).toEqual([undefined, principal, principal])
  })

  it('guards that decide on one request at the same time share one decision and one use', async () => {
    let calls = 0
    const tokens = fakeTokens(async () => {
      calls += 1
      await pause(5)
      return allowing(principal)
    })
    const request = { headers: ['Authorization', 'Bearer good'] }
    const decide = createGuard(tokens, silent, fakePlatform())
    const other = createGuard(tokens, { ...silent, optional: true }, fakePlatform())
    const outcomes = await Promise.all([decide(request), other(request), decide(request)])
    expect(outcomes.map(({ principal: admitted }) => admitted)).toEqual([principal, principal, principal])
    expect(new Set(outcomes.map(({ use }) => use)).size).toBe(1)
    for (const { use } of outcomes) use?.done('GET /')
    expect(tokens.uses).toMatchObject([{ outcome: 'allowed' }])
    expect(calls).toBe(1)
    expect((await decide(request)).response).toBeUndefined()
    expect(calls).toBe(2)
  })

  it.each([
    ['refused', 401, () => revoked],
    ['undecided', 503, fails],
  ])('guards that decide on one request at the same time all answer that it is %s', async (_how, status, answer) => {
    let calls = 0
    const tokens = fakeTokens(async () => {
      calls += 1
      await pause(5)
      return answer()
    })
    const request = { headers: ['Authorization', 'Bearer good'] }
    const decide = createGuard(tokens, silent, fakePlatform())
    const outcomes = await Promise.all([decide(request), decide(request)])
    expect(outcomes.map(({ response }) => response?.status)).toEqual([status, status])
    expect(calls).toBe(1)
    expect(tokens.uses).toEqual([])
  })

  it('a guard of another decider of the same instance waits for a decision, then decides itself and continues the use', async () => {
    const contexts: object[] = []
    const own = fakeTokens(async (_token, context) => {
      await pause(5)
      contexts.push(Object(context))
      return allowing(principal)
    })
    const accepting = [1, 2].map(() =>
      fakeTokens(
        async (_token, context) => {
          await pause(5)
          contexts.push(Object(context))
          return allowing(fakePrincipal(['a:write']))
        },
        { root: deciderOf(own) },
      ),
    )
    const elsewhere = fakeTokens(async () => ({ ok: false, code: 'token_unknown' }))
    const request = { headers: ['Authorization', 'Bearer good'] }
    const all = [elsewhere, own, ...accepting, own]
    const outcomes = await Promise.all(all.map((tokens) => createGuard(tokens, silent, fakePlatform())(request)))
    expect(outcomes.map(({ principal: admitted, response }) => response?.status ?? admitted?.scopes)).toEqual([
      401,
      ['a:read'],
      ['a:write'],
      ['a:write'],
      ['a:read'],
    ])
    expect(new Set(outcomes.slice(1).map(({ use }) => use)).size).toBe(1)
    expect(contexts).toEqual([{ method: 'GET' }, { method: 'GET', admitted: principal }, { method: 'GET', admitted: principal }])
    for (const { use } of outcomes) use?.done('GET /')
    expect([own, ...accepting].flatMap(({ uses }) => uses)).toMatchObject([{ outcome: 'allowed' }])
  })

  it.each([
    ['refused', () => revoked],
    ['undecided', fails],
  ])('a guard of another decider of the same instance makes its own decision after a decision that is %s', async (_how, answer) => {
    const own = fakeTokens(async () => {
      await pause(5)
      return answer()
    })
    const accepting = fakeTokens(() => allowing(principal), { root: deciderOf(own) })
    const request = { headers: ['Authorization', 'Bearer good'] }
    const [first, second] = await Promise.all([own, accepting].map((tokens) => createGuard(tokens, silent, fakePlatform())(request)))
    expect(first?.response?.status).toBe(answer === fails ? 503 : 401)
    expect(second?.principal).toBe(principal)
    second?.use?.done('GET /')
    expect(accepting.uses).toMatchObject([{ outcome: 'allowed' }])
  })

  it('if a guard waits for another guard to admit a request and then refuses it, the use counts as undecided', async () => {
    const own = fakeTokens(async () => {
      await pause(5)
      return allowing(principal)
    })
    const accepting = fakeTokens(() => revoked, { root: deciderOf(own) })
    const request = { headers: ['Authorization', 'Bearer good'] }
    const outcomes = await Promise.all([own, accepting].map((tokens) => createGuard(tokens, silent, fakePlatform())(request)))
    expect(outcomes.map(({ response }) => response?.status)).toEqual([undefined, 401])
    expect(admissionOf(request)).toBeUndefined()
    outcomes[0]?.use?.done('GET /')
    expect(own.uses).toMatchObject([{ outcome: 'undecided' }])
  })

  it('guards that read different credentials of one request at the same time decide on each credential separately', async () => {
    const tokens = fakeTokens(async (token) => allowing(token === 'good' ? principal : fakePrincipal(['a:read'], {}, 't2')))
    const request: FakeRequest = { headers: ['Authorization', 'Bearer good', 'X-Api-Key', 'other'] }
    const [first, second] = await Promise.all([
      createGuard(tokens, silent, fakePlatform())(request),
      createGuard<FakeRequest>(tokens, { ...silent, ...key }, fakePlatform())(request),
    ])
    expect([first.principal?.tokenId, second.principal?.tokenId]).toEqual(['t1', 't2'])
  })

  it('guards of different instances, and later requests, do not wait for a decision', async () => {
    const never = fakeTokens(() => new Promise(nobody))
    const tokens = fakeTokens(() => allowing(principal))
    const request = { headers: ['Authorization', 'Bearer good'] }
    const waiting = createGuard(never, silent, fakePlatform())
    void waiting(request)
    const other = createGuard(tokens, silent, fakePlatform())
    expect((await other(request)).response).toBeUndefined()
    expect((await other({ ...request })).response).toBeUndefined()
  })
})

describe('a request whose parts authenticate it separately', () => {
  const keeping = { ...fakePlatform(), keepsAdmission: true } as const

  it('a request whose parts authenticate it stays admitted during a later decision, and the later admission replaces the earlier one', async () => {
    let decide: (answer: unknown) => void = nobody
    const pending = new Promise((resolve) => {
      decide = resolve
    })
    let calls = 0
    const tokens = fakeTokens(() => (calls++ === 0 ? allowing(principal) : pending))
    const request = { headers: ['Authorization', 'Bearer good'] }
    const guard = createGuard(tokens, silent, keeping)
    const first = await guard(request)
    const second = guard(request)
    expect(admissionOf(request)).toBe(first)
    decide(allowing(fakePrincipal(['a:write'])))
    const latest = await second
    expect(admissionOf(request)).toBe(latest)
    expect(latest.use).toBe(first.use)
  })

  it.each(REFUSING)(
    'a request whose parts authenticate it is no longer admitted once a later guard %s',
    async (_how, status, { options = {}, headers = [], decide, instead }) => {
      const answer = (token: unknown): unknown => (token === 'good' ? allowing(principal) : { ok: false, code: 'token_unknown' })
      const earlier = fakeTokens(answer)
      const later = fakeTokens(decide ?? answer, { isOwn: () => false, resolve: () => ({ names: [], has: () => false }) as never })
      const request = { method: 'POST', headers: ['Authorization', 'Bearer good', ...headers] }
      const first = await createGuard(earlier, silent, keeping)(request)
      first.use?.done('POST /early')
      if (instead !== undefined) request.headers = [...instead]
      const second = await createGuard<FakeRequest>(later, { ...silent, ...options }, keeping)(request)
      expect(second.response?.status).toBe(status)
      expect(admissionOf(request)).toBeUndefined()
      expect(earlier.uses).toMatchObject([{ outcome: 'allowed' }, { outcome: 'undecided', isCounted: true }])
    },
  )

  it('a refusal does not affect an admission, or its use, that another guard made while the refusal was being decided', async () => {
    let refuse: (answer: unknown) => void = nobody
    const pending = new Promise((resolve) => {
      refuse = resolve
    })
    const tokens = fakeTokens(() => allowing(principal))
    const slow = fakeTokens(() => pending)
    const request = { headers: ['Authorization', 'Bearer good'] }
    const guard = createGuard(tokens, silent, keeping)
    await guard(request)
    const refused = createGuard(slow, silent, keeping)(request)
    const latest = await guard(request)
    refuse(revoked)
    expect((await refused).response?.status).toBe(401)
    expect(admissionOf(request)).toBe(latest)
    latest.use?.done('GET /')
    expect(tokens.uses).toMatchObject([{ outcome: 'allowed' }])
  })
})
