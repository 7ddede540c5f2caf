import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, management, requireScopes } from 'latchkey/web'
import { expect, it } from 'vitest'
import { SCOPES } from '../latchkey/harness.js'

const hang = () => new Promise<never>(() => undefined)
const limiter = { points: 5, duration: 60, consume: hang, penalty: hang, reward: hang }

const limits = (['token', 'owner', 'tenant'] as const).map((by) => ({ name: by, by, limiter }))
const calls = ['a', 'b', 'c', 'd'].map((name) => ({ name, limiter }))
const ignoring = <T>(all: T) => ({ limits: all, onFailure: 'allow' as const })

it("limiters that hang, with onFailure 'allow', leave time to answer the request", async () => {
  const options = { store: memoryStore(), scopes: SCOPES, logger: false } as const
  const limited = latchkey({ ...options, prefix: 'acme_live', rateLimit: ignoring(limits) })
  const free = latchkey({ ...options, prefix: 'acme_free' })
  const input = { name: 'ERP', scopes: ['stock:read'], tenantId: 't', ownerId: 'o' } as const
  const [{ token }, other] = [await limited.system.create(input), await free.system.create(input)]
  const request = (path: string, bearer?: string) =>
    new Request(`https://api.test${path}`, bearer === undefined ? {} : { headers: { authorization: `Bearer ${bearer}` } })
  const person = { id: 'ann', tenants: '*', manages: 'all' } as const
  const holders = management(limited, { mountPath: '/t', actor: () => undefined })
  const people = management(free, { mountPath: '/t', actor: () => person, rateLimit: ignoring(calls) })
  const statusOf = async (answer: Promise<{ response?: Response | undefined }>) => (await answer).response?.status ?? 200

  const answers: Record<string, Promise<number>> = {
    plain: statusOf(authenticate(limited, request('/', token))),
    resources: statusOf(
      authenticate(limited, request('/', token), { require: requireScopes('stock:read', { warehouse: async () => '1' }) }),
    ),
    self: holders(request('/t/self', token)).then(({ status }) => status),
    'self, with limits of the API': people(request('/t/self', other.token)).then(({ status }) => status),
    person: people(request('/t/')).then(({ status }) => status),
    verify: limited.verify(token).then(({ ok }) => (ok ? 200 : 0)),
  }
  const seen = Object.fromEntries(await Promise.all(Object.entries(answers).map(async ([name, answer]) => [name, await answer] as const)))
  expect(seen).toEqual(Object.fromEntries(Object.keys(answers).map((name) => [name, 200])))
})
