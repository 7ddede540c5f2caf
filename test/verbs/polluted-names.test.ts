import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, management, requireScopes } from 'latchkey/web'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { codeOf, SCOPES, verdict } from '../latchkey/harness.js'

const NOW = 1_800_000_000_000
const ID = 'polluted00000000'

const OF_EVERY_KIND = [true, 'polluted', 1, {}, ['polluted']] as const

/** Names that the library itself uses for fields that may be absent, with values of the right kind. */
const NAMES: ReadonlyMap<string, readonly unknown[]> = new Map<string, readonly unknown[]>([
  ['error', [new Error('polluted')]],
  ['reason', []],
  ['input', ['name']],
  ['perTenant', []],
  ['perOwner', []],
  ['maxSeconds', []],
  ['source', []],
  ['url', []],
  ['type', []],
  ['ip', ['203.0.113.9']],
  ['field', []],
  ['outOfReach', [ID]],
  ['response', [{ status: 200, headers: {}, body: '' }]],
  ['after', [{ createdAt: 1, id: ID }]],
  ['ids', [[ID]]],
  ['updates', [[]]],
  ['group', ['tokens', ['acme']]],
  ['allowance', []],
  ['leftMs', [0.001]],
  ['instead', [undefined]],
  ['stoppedAt', [0]],
  ['isCounted', []],
])

const CASES = [...NAMES].flatMap(([name, own]) => [...OF_EVERY_KIND, ...own].map((value) => [name, value] as const))

function clean(): void {
  for (const name of NAMES.keys()) Reflect.deleteProperty(Object.prototype, name)
}

function pollute(name: string, value: unknown): void {
  Object.defineProperty(Object.prototype, name, { value, configurable: true, enumerable: false, writable: true })
}

function requestWith(token: string): Request {
  return new Request('https://api.example/stock', { headers: { authorization: `Bearer ${token}` } })
}

/** Everything that callers and the audit log learn about the short lives of some tokens. Calls `begin` once the server has answered its first request. */
async function life(begin: () => void): Promise<string> {
  const told: string[] = []
  const tokens = latchkey({
    prefix: 'acme_test',
    store: memoryStore(),
    scopes: SCOPES,
    logger: false,
    clock: () => NOW,
    // The events of refusals are written once, at the end.
    usage: { flushEvery: '1m' },
  })
  const { system } = tokens
  const ann = tokens.as({ id: 'ann', tenants: ['acme'], manages: 'all' })
  const bob = tokens.as({ id: 'bob', tenants: ['acme'], manages: 'own' })
  const step = async <T>(what: string, call: () => Promise<T>): Promise<T | undefined> => {
    try {
      const result = await call()
      told.push(`${what}: ${JSON.stringify(result)}`)
      return result
    } catch (error) {
      told.push(`${what}: ${codeOf(error)} ${JSON.stringify(Object.entries(Object(error)))}`)
      return undefined
    }
  }
  const manage = management(tokens, { mountPath: '/tokens', actor: () => undefined })
  const ask = () => step('nobody', async () => (await manage(new Request('https://api.example/tokens'))).status)
  await ask()
  begin()
  const create = async (name: string, rest: object) => {
    const input = { name, scopes: ['stock:read', 'stock:write'] as const, idempotencyKey: name, ...rest }
    let token = ''
    const record = await step(`create ${name}`, async () => {
      const made = await system.create(input)
      token = made.token ?? ''
      return made.record
    })
    return { id: record?.id ?? ID, token }
  }
  const first = await create('first', { tenantId: 'acme', ownerId: 'zoe' })
  const second = await create('second', { tenantId: 'acme', ownerId: 'zoe' })
  const globex = await create('globex', { tenantId: 'globex', ownerId: 'eve' })
  const free = await create('free', {})
  const made = { first, second, globex, free }

  const verifyAll = async (): Promise<void> => {
    for (const [name, { token }] of Object.entries(made)) told.push(`verify ${name}: ${await verdict(tokens.verify(token))}`)
  }
  const enter = (what: string, token: string, options: object) =>
    step(what, async () => {
      const { principal, response } = await authenticate(tokens, requestWith(token), options)
      if (response !== undefined) return `${response.status} ${await response.text()}`
      return principal === undefined ? 'nobody' : principal.scopes
    })
  const useAll = async (): Promise<void> => {
    await enter('no scope', first.token, {})
    await enter('scope', first.token, { require: requireScopes('stock:read') })
    await enter('wide scope', first.token, { require: requireScopes('stock:write') })
    await enter('unknown token', `${first.token}x`, {})
    await enter('missing', '', { optional: true })
  }
  await verifyAll()
  await useAll()
  await step('read', () => ann.get(first.id))
  await step('list', () => ann.list())
  await step('list of one', async () => (await ann.list({ limit: 1 })).items)
  await step('list of IDs', () => ann.list({ ids: [first.id, globex.id] }))
  await step('list of own', () => bob.list())
  await step('update', () => ann.update(first.id, { name: 'narrow', scopes: ['stock:read'] }))
  await useAll()
  await step('create as ann', async () => {
    const { record } = await ann.create({ name: 'ours', scopes: ['stock:read'], tenantId: 'acme', ownerId: 'zoe', idempotencyKey: 'ours' })
    return record
  })
  await step('rotate', async () => (await ann.rotate(second.id, { overlap: '1h', idempotencyKey: 'next' })).record)
  await step('leak', () => system.reportLeak({ token: free.token, action: 'notify' }))
  await step('leak elsewhere', () => ann.reportLeak({ token: globex.token, action: 'revoke' }))
  await step('refused read', () => ann.get(globex.id))
  await step('refused update', () => ann.update(globex.id, { name: 'mine' }))
  await step('refused creation', () => ann.create({ name: 'theirs', scopes: ['stock:read'], tenantId: 'globex' }))
  await step('refused owner', () => ann.ownerGone({ ownerId: 'eve', tenantId: 'globex' }))
  await ask()
  await step('usage', async () => {
    await tokens.flush()
    const { total, refused, endpoints } = await system.usage(first.id)
    return { total, refused, endpoints }
  })
  await step('refused revocation', () => ann.revoke(globex.id))
  await step('revokeAll with a reason', () => system.revokeAll({ tenantId: 'globex', reason: 'over' }))
  await step('erase', () => system.erase({ ownerId: 'eve' }))
  await step('revokeAll', () => ann.revokeAll({ tenantId: 'acme' }))
  await step('owner gone', () => system.ownerGone({ ownerId: 'zoe' }))
  await verifyAll()
  await step('erase again', () => system.erase({ ownerId: 'zoe' }))
  await step('everything', () => system.list())
  await step('flush', () => tokens.flush())
  const { items } = (await step('events', () => system.events({ order: 'oldest', limit: 1000 }))) ?? { items: [] }
  told.pop()
  told.push(...items.map(({ id: _, ...event }) => JSON.stringify(event)).sort())
  await step('close', () => tokens.close())
  return told.join('\n').replaceAll(/"bulkId":"\w+"/g, '"bulkId"')
}

describe('while other code has polluted Object.prototype with a name of the library', () => {
  let expected = ''
  beforeAll(async () => {
    expected = await life(() => undefined)
  })

  it('the life cycle of the test tokens is the same in every run', async () => {
    expect(expected).not.toContain('not a latchkey error')
    expect(await life(() => undefined)).toBe(expected)
  })

  it.each(CASES)('a polluted `%s` with the value %j changes nothing', async (name, value) => {
    onTestFinished(clean)
    const found = await life(() => pollute(name, value)).finally(clean)
    expect(found).toBe(expected)
  })
})
