import { inspect } from 'node:util'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { type FaultReport, latchkey } from 'latchkey'
import { accept, foreignTokens } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, management } from 'latchkey/web'
import { describe, expect, it, vi } from 'vitest'

const SECRET = 'Zx8Qw3Er5Ty7Ui9Op1As'
const { publicKey, privateKey } = await generateKeyPair('RS256')
const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'RS256' }] }
const jwt = await new SignJWT({ sid: SECRET })
  .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: 'k' })
  .setIssuer('https://i.test')
  .setAudience('x')
  .setSubject('s')
  .setJti('j')
  .setIssuedAt()
  .setExpirationTime('1m')
  .sign(privateKey)
const request = (): Request => new Request('https://api.test/', { headers: { authorization: `Bearer ${jwt}` } })

function setUp(own: 'shared' | 'apart') {
  const faults: FaultReport[] = []
  const others: FaultReport[] = []
  const lines: string[] = []
  const shared = { onError: (fault: FaultReport) => void faults.push(fault), logger: { error: (line: string) => lines.push(line) } }
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: {}, ...shared })
  const principal = ({ sid }: Record<string, unknown>): never => {
    throw new Error(`no session ${sid}`)
  }
  const apart = { onError: (fault: FaultReport) => void others.push(fault), logger: false as const }
  const people = foreignTokens({
    issuer: 'https://i.test',
    audience: 'x',
    keys,
    principal,
    ...(own === 'shared' ? shared : apart),
  } as never)
  return { both: accept(tokens, people), faults, others, lines, tokens }
}

describe('a principal callback of foreignTokens() that fails', () => {
  it('is reported once to a listener that the instance shares, without the claims of the token', async () => {
    const { both, faults, lines, tokens } = setUp('shared')
    for (let times = 0; times < 2; times += 1) expect((await authenticate(both, request(), {})).response?.status).toBe(503)
    expect(faults.map(({ where }) => where)).toEqual(['foreign', 'foreign'])
    expect(lines).toHaveLength(1)
    expect(inspect([faults, lines], { depth: 9, showHidden: true })).toContain('no session …')
    expect(inspect([faults, lines], { depth: 9, showHidden: true })).not.toContain(SECRET)
    await tokens.close()
  })

  it('is reported under its own name to each listener', async () => {
    const { both, faults, others, tokens } = setUp('apart')
    await authenticate(both, request(), {})
    expect([faults, others].map((heard) => heard.map(({ where }) => where))).toEqual([['foreign'], ['foreign']])
    await tokens.close()
  })
})

describe('a warning about the answer of a callback', () => {
  it('does not quote a credential of the request', async () => {
    const printed: unknown[] = []
    vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void printed.push(warning))
    const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: {}, logger: false })
    const onWarning = (warning: unknown): void => void printed.push(warning)
    const cookie = { headers: { cookie: `s=${SECRET}` } }
    const answers = [
      { id: 'a', scopes: [], [SECRET]: 1 },
      { id: 'a', scopes: [], resources: { [`${SECRET}!`]: 5 } },
    ]
    for (const answer of answers) {
      await authenticate(tokens, new Request('https://api.test/', cookie), { session: () => answer as never, onWarning })
      const bearer = { headers: { authorization: `Bearer ${SECRET}` } }
      await authenticate(tokens, new Request('https://api.test/', bearer), {
        foreign: () => ({ tokenId: 'a', ...answer }) as never,
        onWarning,
      })
      const api = management(tokens, { mountPath: '', actor: () => ({ ...answer, tenants: '*', manages: 'all' }) as never })
      await api(new Request('https://api.test/', cookie))
    }
    expect(printed.length).toBeGreaterThan(2)
    expect(inspect(printed, { depth: 9 })).not.toContain(SECRET)
    vi.restoreAllMocks()
    await tokens.close()
  })
})
