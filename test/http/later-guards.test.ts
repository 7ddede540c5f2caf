import { describe, expect, it } from 'vitest'
import { admissionOf } from '../../src/http/admission.js'
import { createGuard } from '../../src/http/authenticate.js'
import type { AuthenticateOptions } from '../../src/http/options.js'
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

/** Sends a request through an optional guard and then through a second guard, each of an instance of its own. */
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
  it.each(REFUSING)('is not counted if a later guard %s', async (_how, status, later) => {
    const { uses, second, admission } = await passTwo(later)
    expect(second.response?.status).toBe(status)
    expect(admission).toBeUndefined()
    expect(uses).toMatchObject([{ tokenId: 't1', outcome: 'undecided' }])
  })

  it.each(REFUSING)('is given back if it was already counted when a later guard %s', async (_how, status, later) => {
    const { uses, second } = await passTwo(later, (use) => use.done('POST /early'))
    expect(second.response?.status).toBe(status)
    expect(uses).toMatchObject([{ outcome: 'allowed' }, { outcome: 'undecided', isCounted: true }])
  })

  it('is counted if the later guard admits the request', async () => {
    for (const options of [{}, { ...key, optional: true }]) {
      const { uses, second } = await passTwo({ options })
      expect(second.response).toBeUndefined()
      expect(uses).toMatchObject([{ endpoint: 'POST /stock', outcome: 'allowed' }])
    }
  })

  it('is not counted if the adapter of a guard refuses the request', async () => {
    const tokens = fakeTokens(() => allowing(principal))
    const request = { headers: ['Authorization', 'Bearer good'] }
    const decide = createGuard(tokens, silent, fakePlatform())
    const { use } = await decide(request)
    const refusal = decide.guard.admitBy(request, () => decide.guard.refuse('misconfigured', request))
    expect(refusal?.status).toBe(500)
    use?.done('GET /')
    expect(tokens.uses).toMatchObject([{ outcome: 'undecided' }])
  })
})
