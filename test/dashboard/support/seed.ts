import type { CreateInput, Latchkey } from 'latchkey'
import type { World } from './host.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** Deterministic noise, so every run produces the same screenshots. */
function noise(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}

type Sample = CreateInput & { readonly ageDays: number; readonly perHour?: number; readonly quietForHours?: number }

const SAMPLES: readonly Sample[] = [
  {
    name: 'Warehouse scanner fleet',
    tenantId: 'acme',
    description: 'Handhelds in Hamburg and Rotterdam',
    scopes: ['inventory:read', 'inventory:write', 'inventory:transfer'],
    resources: { warehouse: ['ham-1', 'rtm-2'] },
    ownerId: 'logistics',
    ageDays: 120,
    perHour: 46,
    allowedIps: ['192.0.2.0/24'],
    rotateEvery: '90d',
    metadata: { team: 'logistics', contact: 'ops@acme.example' },
  },
  {
    name: 'ERP nightly sync',
    tenantId: 'acme',
    description: 'Orders and invoices, every night at two',
    scopes: ['orders:read', 'billing:read'],
    ownerId: 'erp',
    ageDays: 88,
    perHour: 9,
  },
  {
    name: 'Web shop',
    tenantId: 'bolt',
    scopes: ['inventory:read', 'orders:read', 'orders:write', 'webhooks:manage'],
    ageDays: 64,
    perHour: 80,
  },
  { name: 'Support desk', tenantId: 'acme', scopes: ['@support'], ownerId: 'helpdesk', ageDays: 40, perHour: 5, quietForHours: 3 },
  {
    name: 'Partner reporting',
    tenantId: 'corvid',
    description: 'Read-only figures for the quarterly review',
    scopes: ['billing:read'],
    ageDays: 33,
    perHour: 1,
    quietForHours: 60,
  },
  { name: 'Data warehouse export', scopes: ['inventory:*', 'orders:read'], ageDays: 30, perHour: 14 },
  { name: 'Refund bot', tenantId: 'bolt', scopes: ['orders:refund', 'orders:read'], ageDays: 21, perHour: 2, quietForHours: 20 },
  { name: 'Staging smoke tests', tenantId: 'acme', scopes: ['inventory:read'], ageDays: 12 },
  { name: 'Old mobile app', tenantId: 'corvid', scopes: ['inventory:read', 'orders:read'], ageDays: 300, quietForHours: 24 * 120 },
  { name: 'Contractor laptop', tenantId: 'bolt', scopes: ['orders:read'], ageDays: 75, perHour: 1, quietForHours: 24 * 9 },
  {
    name: 'Price feed',
    tenantId: 'acme',
    description: 'Pushes list prices to the marketplaces',
    scopes: ['inventory:read', 'webhooks:manage'],
    ageDays: 6,
    perHour: 24,
  },
]

const ENDPOINTS = ['GET /api/stock/:id', 'GET /api/orders', 'POST /api/orders', 'GET /api/invoices', 'PUT /api/stock/:id']
/** The scope that each route requires. */
const NEEDS: { readonly [endpoint: string]: string } = {
  'GET /api/stock/:id': 'inventory:read',
  'GET /api/orders': 'orders:read',
  'POST /api/orders': 'orders:write',
  'GET /api/invoices': 'billing:read',
  'PUT /api/stock/:id': 'inventory:write',
}
const ADDRESSES = ['192.0.2.17', '192.0.2.44', '198.51.100.8', '203.0.113.91', '2001:db8::1f']

/** Fills a world with tokens of every kind and two weeks of usage. */
export async function seed(world: World, now: number = Date.now()): Promise<Map<string, string>> {
  const { tokens } = world
  const ids = new Map<string, string>()
  const made = [...SAMPLES].sort((a, b) => b.ageDays - a.ageDays)
  for (const { ageDays, perHour: _, quietForHours: __, ...input } of made) {
    world.at(now - ageDays * DAY - 3 * HOUR)
    const expires = { 'Partner reporting': 9, 'ERP nightly sync': 40, 'Old mobile app': -20, 'Web shop': 200, 'Price feed': 84 }[input.name]
    const { record } = await tokens
      .as({
        id: input.tenantId === 'bolt' ? 'bo@bolt.example' : 'ada@acme.example',
        tenants: '*',
        manages: 'all',
        ip: '198.51.100.23',
      })
      .create({ ...input, ...(expires !== undefined && { expiresAt: now + expires * DAY }) })
    ids.set(input.name, record.id)
  }
  await use(world, ids, now)
  const by = { actor: { id: 'ada@acme.example', tenants: '*', manages: 'all', ip: '198.51.100.23' } } as const
  const idOf = (name: string): string => ids.get(name) ?? ''
  world.at(now - 8 * DAY)
  await tokens.as(by.actor).revoke(idOf('Contractor laptop'), { reason: 'The laptop was lost on a train' })
  world.at(now - 4 * DAY)
  await tokens.as(by.actor).deactivate(idOf('Support desk'))
  world.at(now - 20 * HOUR)
  await tokens.as(by.actor).update(idOf('Warehouse scanner fleet'), {
    resources: { warehouse: ['ham-1', 'rtm-2', 'ant-1'] },
    description: 'Handhelds in Hamburg, Rotterdam and Antwerp',
  })
  world.at(now - 2 * HOUR)
  await rotate(tokens, idOf('Refund bot'), ids)
  world.at(undefined)
  return ids
}

async function rotate(tokens: Latchkey, id: string, ids: Map<string, string>): Promise<void> {
  const { record } = await tokens.as({ id: 'bo@bolt.example', tenants: '*', manages: 'all' }).rotate(id, { overlap: 86_400 })
  ids.set('Refund bot (new)', record.id)
}

async function use({ store }: World, ids: ReadonlyMap<string, string>, now: number): Promise<void> {
  const random = noise(7)
  const thisHour = Math.floor(now / HOUR) * HOUR
  let seq = 0
  for (const { name, perHour = 0, quietForHours = 0, scopes } of SAMPLES) {
    const tokenId = ids.get(name)
    if (tokenId === undefined || (perHour === 0 && quietForHours === 0)) continue
    const counts = []
    for (let hour = 24 * 30; hour >= quietForHours; hour -= 1) {
      const bucketAt = thisHour - hour * HOUR
      const date = new Date(bucketAt)
      const awake =
        (0.35 + 0.65 * Math.max(0, Math.sin(((date.getUTCHours() - 5) / 24) * 2 * Math.PI))) * (date.getUTCDay() % 6 === 0 ? 0.4 : 1)
      for (const [index, endpoint] of ENDPOINTS.slice(0, (scopes?.length ?? 0) + 1).entries()) {
        const count = Math.round((perHour * awake * (0.6 + 0.8 * random())) / (index * 2 + 1))
        if (count > 0) counts.push({ tokenId, bucketAt, endpoint, outcome: 'allowed', scope: NEEDS[endpoint] ?? '', count })
      }
      if (random() < 0.06)
        counts.push({
          tokenId,
          bucketAt,
          endpoint: 'PUT /api/stock/:id',
          outcome: 'scope_insufficient',
          scope: '',
          count: 1 + Math.round(random() * perHour * 0.5),
        })
    }
    const lastAt = now - quietForHours * HOUR - Math.round(random() * 9 * 60_000)
    const addresses = ADDRESSES.slice(0, 2 + Math.round(random() * 2)).map((ip, index) => ({
      tokenId,
      ip,
      count: Math.round((perHour * 260) / (index + 1)) + 3,
      lastAt: lastAt - index * 5 * HOUR,
    }))
    seq += 1
    await store.recordUsage({
      nodeId: 'seed',
      seq,
      at: now,
      counts,
      addresses,
      lastUses: [{ tokenId, at: lastAt, ip: ADDRESSES[0] ?? '' }],
    })
  }
}
