import { inspect } from 'node:util'
import { type FaultReport, LatchkeyError, StoreUnavailableError } from 'latchkey'
import { ownTokens } from 'latchkey/import'
import { exchange, generateSigningKey } from 'latchkey/jwt'
import { leakReports } from 'latchkey/leaks'
import { revocation, revocationByPossession } from 'latchkey/oauth'
import { authenticate, management, requireScopes } from 'latchkey/web'
import { describe, expect, it } from 'vitest'
import { DeadlineError } from '../../src/store/deadline.js'
import { createSender } from '../extensions/leaks/support.js'
import { instance, mint } from '../latchkey/harness.js'

const SECRET = 'f4c2a9d1E07b3358aa91c6d0e2f7b18c44d09a5e'
const cookies = { cookie: `sid=${SECRET}` }

/** An instance, and everything that it reports to its host about faults. */
function hear(options: Parameters<typeof instance>[0] = {}) {
  const faults: FaultReport[] = []
  const lines: string[] = []
  const tokens = instance({ ...options, onError: (fault) => faults.push(fault), logger: { error: (line) => lines.push(line) } })
  const told = (): string => inspect([faults, lines], { depth: 12, showHidden: true, getters: true })
  return { faults, lines, tokens, told }
}

/** The longest run of characters of the secret in the text, ignoring case. */
function shownOf(secret: string, text: string): number {
  const [part, whole] = [secret.toLowerCase(), text.toLowerCase()]
  for (let length = part.length; length > 0; length -= 1) {
    for (let at = 0; at + length <= part.length; at += 1) if (whole.includes(part.slice(at, at + length))) return length
  }
  return 0
}

/** The error of an HTTP client, which contains the request that it sent. */
const ofClient = ({ headers }: Request): Error =>
  Object.assign(new TypeError('Request failed with status code 502'), {
    code: 'ERR_BAD_RESPONSE',
    errno: -111,
    status: 502,
    config: { headers: Object.fromEntries(headers) },
  })

class DownError extends StoreUnavailableError {
  readonly #request: Request
  constructor(request: Request) {
    super('sessions are down')
    this.#request = request
  }
  toJSON(): unknown {
    return [...this.#request.headers]
  }
}

const DOWN: readonly (readonly [string, (request: Request) => unknown])[] = [
  ['the error from an HTTP client as the cause', (request) => new StoreUnavailableError('sessions are down', ofClient(request))],
  ['an object as the cause', (request) => new StoreUnavailableError('sessions are down', Object.fromEntries(request.headers))],
  ['text as the cause', (request) => new StoreUnavailableError('sessions are down', request.headers.get('cookie'))],
  [
    'an error in the cause of its cause',
    (request) => new StoreUnavailableError('sessions are down', new Error('no answer', { cause: ofClient(request) })),
  ],
  [
    'several errors as the cause',
    (request) => new StoreUnavailableError('sessions are down', new AggregateError([ofClient(request)], 'all failed')),
  ],
  ['the request as a property', (request) => Object.assign(new StoreUnavailableError('sessions are down'), { sent: [...request.headers] })],
  ['the secret as the name of a property', () => Object.assign(new StoreUnavailableError('sessions are down'), { [SECRET]: 1 })],
  [
    'a property with a getter',
    (request) =>
      Object.defineProperty(new StoreUnavailableError('sessions are down'), 'field', { get: () => request.headers.get('cookie') }),
  ],
  [
    'another error as its prototype',
    (request) => Object.create(Object.assign(new StoreUnavailableError('sessions are down'), { request })),
  ],
  ['a class with toJSON()', (request) => new DownError(request)],
  [
    'a class with toJSON() and a name of its own',
    (request) => {
      class NamedError extends DownError {}
      Object.defineProperty(NamedError.prototype, 'name', { value: 'NamedError', writable: true })
      return new NamedError(request)
    },
  ],
]

describe('an error that a callback throws', () => {
  it.each(DOWN)(
    'an error thrown by a callback is reported without the session cookie, whatever the cookie contains: %s',
    async (_, make) => {
      const { faults, tokens, told } = hear()
      const session = (request: Request): never => {
        throw make(request)
      }
      const { response } = await authenticate(tokens, new Request('https://api.test/', { headers: cookies }), { session })
      expect(response?.status).toBe(503)
      expect(faults).toMatchObject([{ where: 'session', error: { code: 'store_unavailable', message: 'sessions are down' } }])
      expect(faults[0]?.error).toBeInstanceOf(StoreUnavailableError)
      expect(`${told()} ${JSON.stringify(faults)}`).not.toContain(SECRET)
    },
  )

  it('an error thrown by a callback is reported without a token that an HTTP client passed on, but with the rest of its details', async () => {
    const { faults, tokens, told } = hear()
    const { token } = await mint(tokens)
    const site = (request: Request): never => {
      throw new LatchkeyError('store_unavailable', 'inventory is down', { retryAfterSeconds: 30, cause: ofClient(request) })
    }
    const request = new Request('https://api.test/', { headers: { authorization: `Bearer ${token}` } })
    const { response } = await authenticate(tokens, request, { require: requireScopes('stock:read', { site }) })
    expect(response?.status).toBe(503)
    expect(faults).toMatchObject([
      {
        where: 'resources',
        error: {
          message: 'inventory is down',
          code: 'store_unavailable',
          retryAfterSeconds: 30,
          stack: expect.stringContaining('quoted-secrets.test'),
          cause: { name: 'TypeError', message: 'Request failed with status code 502', code: 'ERR_BAD_RESPONSE', errno: -111, status: 502 },
        },
      },
    ])
    expect(shownOf(token.slice(token.lastIndexOf('_') + 1), told())).toBeLessThan(12)
  })

  const q = `ab"cd\\efghijk"lmnopqr`
  it.each<readonly [string, string, string, string]>([
    ['the first thirty characters', `sid=${SECRET}`, SECRET, SECRET.slice(0, 30)],
    ['characters in the middle', `sid=${SECRET}`, SECRET, SECRET.slice(9, 27)],
    ['upper case', `sid=${SECRET}`, SECRET, SECRET.toUpperCase()],
    ['a part in lower case', `sid=${SECRET}`, SECRET, SECRET.slice(0, 30).toLowerCase()],
    ['JSON', `p="${q}"`, JSON.stringify(q).slice(1, -1), JSON.stringify({ q })],
    ['a part of the encoded form', 'sid=a/b+cd/ef+gh/ij+kl', 'a%2Fb%2Bcd%2Fef%2Bgh%2Fij%2Bkl', 'a%2Fb%2Bcd%2Fef%2Bgh'],
  ])('an error thrown by a callback is reported without parts and other forms of a secret: %s', async (_, cookie, secret, quoted) => {
    const { faults, tokens, told } = hear()
    const session = (): never => {
      throw new Error(`no session for ${quoted}, ask the team`)
    }
    await authenticate(tokens, new Request('https://api.test/', { headers: { cookie } }), { session })
    expect(faults).toMatchObject([{ error: { cause: { message: expect.stringMatching(/^no session for .*…\W*, ask the team$/) } } }])
    expect(shownOf(secret, told())).toBeLessThan(12)
  })

  it('an error thrown by a callback is reported without the parts of a token that the callback shortened', async () => {
    const { tokens, told } = hear()
    const { token } = await mint(tokens)
    const site = ({ headers }: Request): never => {
      throw new Error(`no site for ${headers.get('authorization')?.slice(7, 53)}…`)
    }
    const request = new Request('https://api.test/', { headers: { authorization: `Bearer ${token}` } })
    await authenticate(tokens, request, { require: requireScopes('stock:read', { site }) })
    expect(told()).toContain('no site for')
    expect(shownOf(token.slice(token.lastIndexOf('_') + 1), told())).toBeLessThan(12)
  })

  it('an error thrown by a callback keeps its class, message, stack and cause if it contains no secret', async () => {
    const { faults, tokens } = hear()
    const plain = new StoreUnavailableError(
      'the session store in eu-central-1 is down; see /var/log/sessions.log',
      new Error('ECONNREFUSED'),
    )
    const session = (): never => {
      throw plain
    }
    await authenticate(tokens, new Request('https://api.test/', { headers: cookies }), { session })
    const { error } = faults[0] ?? {}
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(error).toEqual(plain)
    expect(inspect(error, { showHidden: true })).toBe(inspect(plain, { showHidden: true }))
  })
})

describe('the causes of an error that a callback throws', () => {
  async function tell(error: unknown) {
    const heard = hear()
    const session = (): never => {
      throw error
    }
    await authenticate(heard.tokens, new Request('https://api.test/', { headers: cookies }), { session })
    return heard
  }

  it('the cause of a failed fetch is reported and logged, without secrets', async () => {
    const refused = Object.assign(new Error(`connect ECONNREFUSED 127.0.0.1:5000 for ${SECRET}`), { code: 'ECONNREFUSED', sent: cookies })
    const { faults, lines, told } = await tell(new TypeError('fetch failed', { cause: refused }))
    const cause = { message: 'connect ECONNREFUSED 127.0.0.1:5000 for …', code: 'ECONNREFUSED' }
    expect(faults).toMatchObject([{ error: { cause: { name: 'TypeError', message: 'fetch failed', cause } } }])
    expect(lines[0]).toContain('(TypeError: fetch failed < Error: connect ECONNREFUSED 127.0.0.1:5000 for …)')
    expect(told()).not.toContain(SECRET)
  })

  it('the errors in an AggregateError are reported and logged, without secrets', async () => {
    const { faults, lines, told } = await tell(new AggregateError([new Error('host a is down'), new Error(`host b: ${SECRET}`)], ''))
    expect(faults).toMatchObject([{ error: { cause: { errors: [{ message: 'host a is down' }, { message: 'host b: …' }] } } }])
    expect(lines[0]).toContain('(AggregateError < Error: host a is down < Error: host b: …)')
    expect(told()).not.toContain(SECRET)
  })

  it('the number of causes that are reported is limited, in a cycle and in a tree', async () => {
    const cycle = new Error('again')
    cycle.cause = cycle
    const tree = new AggregateError(Array(1000).fill(new AggregateError(Array(1000).fill(new Error('again')), 'many')), 'more')
    for (const error of [cycle, tree]) {
      const { lines } = await tell(error)
      expect(lines[0]?.split(' < ')).toHaveLength(9)
    }
  })

  it('a cause that cannot be read does not hide the error', async () => {
    const error = Object.defineProperty(new Error('down'), 'cause', {
      value: new Proxy(new Error('x'), {
        get: () => {
          throw new Error('no')
        },
      }),
    })
    expect((await tell(error)).faults).toMatchObject([{ error: { cause: { message: 'down' } } }])
  })
})

it('a path in a stack that looks like a token is replaced, and the error keeps its class', async () => {
  const { faults, tokens } = hear()
  const timeout = new DeadlineError('the sessions did not answer in time', true)
  timeout.stack = `DeadlineError: late\n    at /srv/${SECRET}/app.js:1:1`
  const session = (): never => {
    throw timeout
  }
  await authenticate(tokens, new Request('https://api.test/', { headers: cookies }), { session })
  const { error } = faults[0] ?? {}
  expect(error).toBeInstanceOf(DeadlineError)
  expect(error).toMatchObject({ message: 'the sessions did not answer in time', partial: true })
  expect(error?.stack).toContain('app.js:1:1')
  expect(error?.stack).not.toContain(SECRET)
})

it('an error thrown by the verify function of a format is reported without the stored hash and the credential', async () => {
  const hash = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'
  const credential = `k_00000001_${SECRET}`
  const verify = async (presented: string, stored: string): Promise<never> => {
    throw new Error(`unsupported hash: ${stored} for ${presented}`)
  }
  const format = ownTokens({ name: 'slow', key: (text) => /^k_([0-9a-f]{8})_/.exec(text)?.[1], verify })
  const { faults, told, tokens } = hear({ imports: { key: 'Zk3Pw9xT5aQ2zZ8kk7Lm3qqRs4Uv6Wx8Yz0', formats: [format] } })
  await tokens.system.import([{ key: '00000001', hash }], { format, map: () => ({ name: 'n', scopes: ['stock:read'] }) })
  const both = await Promise.allSettled([tokens.verify(credential), tokens.verify(credential)])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(faults).toMatchObject([{ error: { cause: { message: 'unsupported hash: … for …' } } }])
  expect(shownOf(hash, told())).toBeLessThan(12)
  expect(shownOf(SECRET, told())).toBeLessThan(12)
})

describe('an error from the ip callback', () => {
  const ip = ({ headers }: Request): never => {
    throw new StoreUnavailableError(`no address in ${JSON.stringify([...headers])}`, new Error(`nor in ${headers.get('cookie')}`))
  }
  const form = 'token=x&grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=x'
  const body = `${form}&subject_token_type=urn:ietf:params:oauth:token-type:access_token`
  const headers = { authorization: `Bearer ${SECRET}`, ...cookies, 'content-type': 'application/x-www-form-urlencoded' }

  it.each(['revocation', 'revocationByPossession', 'exchange', 'leakReports', 'management'] as const)(
    'an error thrown by the ip callback is reported without the credentials of the request: %s',
    async (name) => {
      const { faults, tokens, told } = hear()
      const sender = createSender()
      const handler = await {
        revocation: () => revocation(tokens, { ip, client: () => ({ id: 'a', tenants: '*' }) }),
        revocationByPossession: () => revocationByPossession(tokens, { ip }),
        exchange: async () => exchange(tokens, { issuer: 'https://a.test', audiences: ['x'], keys: [await generateSigningKey()], ip }),
        leakReports: () => leakReports(tokens, { ip, fetch: sender.fetch }),
        management: () => management(tokens as never, { ip, actor: () => undefined, mountPath: '' }),
      }[name]()
      const signed = sender.request(body)
      const request = new Request('https://api.test/', {
        method: 'POST',
        body,
        headers: { ...Object.fromEntries(signed.headers), ...headers },
      })
      const { status } = await handler(request)
      expect(status).toBe(503)
      expect(faults).toMatchObject([{ error: { message: expect.stringContaining('no address in') } }])
      expect(told()).not.toContain(SECRET)
    },
  )
})
