import { latchkey } from 'latchkey'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FIELD_ROWS, type FieldKind } from '../../src/model/fields.js'
import type { TokenStore } from '../../src/store/port.js'
import { SCOPES, verdict } from '../latchkey/harness.js'
import { everyStore } from '../support/every-store.js'

const NOW = 1_800_000_000_000
const VALUES: { readonly [Kind in FieldKind]: unknown } = {
  id: 'polluted00000000',
  word: 'polluted',
  text: 'polluted',
  count: 7,
  instant: 1,
  duration: 3600,
  grants: ['billing:read'],
  resources: { warehouse: [] },
  networks: [],
  json: { polluted: true },
  flag: true,
}

/** Fields of filters, events and their queries that a token does not have. */
const OTHERS = {
  tenantIds: ['polluted'],
  ids: ['polluted00000000'],
  statuses: ['revoked'],
  nameContains: 'polluted',
  idStartsWith: 'polluted',
  rotationDue: true,
  expiresFrom: 1,
  expiresBefore: 1,
  neverExpires: true,
  unusedSince: 1,
  neverUsed: true,
  imported: true,
  notReplaced: true,
  tokenId: 'polluted00000000',
  bulk: { bulkId: 'polluted' },
  actions: ['token.pruned'],
  actorId: 'polluted',
  createdBy: 'polluted',
  cutsFeed: 'polluted',
  caps: [{ prefix: 'acme_test', max: 0, now: 1, tenantId: 'acme' }],
  removals: ['polluted00000000'],
  inserts: [],
  updates: [],
  ownersChanged: [{ ownerId: 'polluted' }],
  erasures: [],
  salt: '0'.repeat(32),
  erased: { commitments: {}, salts: {} },
  damaged: ['name'],
  conflict: 'polluted',
  exceeded: 0,
  refused: 'polluted',
  placed: [],
  tooWide: 'text',
  countsBefore: 1,
  addressesBefore: 1,
  lastAddresses: true,
} as const

const POLLUTED: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ...FIELD_ROWS.map(([name, { kind }]) => [name, VALUES[kind]] as const),
  ...Object.entries(OTHERS),
])

/** Drivers of databases read these names from their own options, so nothing can be stored while `Object.prototype` has them. */
const OF_DRIVERS: ReadonlySet<string> = new Set([
  'id',
  'name',
  'description',
  'version',
  'prefix',
  'digest',
  'metadata',
  'scopes',
  'resources',
])

/** Events that are recorded in the background, so a story may end before them. */
const BACKGROUND: ReadonlySet<string> = new Set(['token.refused', 'token.reused'])

function pollute(names: readonly string[]): void {
  for (const name of names) {
    Object.defineProperty(Object.prototype, name, { value: POLLUTED.get(name), configurable: true, enumerable: false, writable: true })
  }
}

function clean(): void {
  for (const name of POLLUTED.keys()) Reflect.deleteProperty(Object.prototype, name)
}

/** Everything that callers and the audit log learn about the life cycles of some tokens, as JSON. */
async function story(open: () => TokenStore): Promise<string> {
  const told: unknown[] = []
  const start = () =>
    latchkey({
      prefix: 'acme_test',
      store: open(),
      scopes: SCOPES,
      logger: false,
      clock: () => NOW,
      onEvent: ({ id: _, ...event }) => {
        if (!BACKGROUND.has(event.action)) told.push(JSON.stringify(event))
      },
      owner: (owner) => {
        told.push(['owner', owner.ownerId, owner.tenantId])
        return { scopes: ['stock:read'] }
      },
    })
  const tokens = start()
  const other = start()
  try {
    const { system } = tokens
    const create = (name: string, rest: object) =>
      system.create({ name, scopes: ['stock:read'], idempotencyKey: name, ...rest }) as Promise<{ token: string; record: { id: string } }>
    const made = {
      bare: await create('bare', {}),
      whole: await create('whole', {
        tenantId: 'acme',
        ownerId: 'ann',
        resources: { warehouse: ['w1'] },
        allowedIps: ['192.0.2.7'],
        expiresIn: '9d',
      }),
      globex: await create('globex', { tenantId: 'globex' }),
      spare: await create('spare', { metadata: { plan: 'free' } }),
    }
    const say = (value: unknown): void => void told.push(JSON.stringify(value))
    const verdicts = async (): Promise<void> => {
      for (const node of [tokens, other]) {
        for (const { token } of Object.values(made))
          say([await verdict(node.verify(token)), await verdict(node.verify(token, { ip: '192.0.2.7' }))])
      }
    }
    await verdicts()
    const verified = await tokens.verify(made.bare.token)
    if (verified.ok) told.push([verified.principal.tenantId, verified.principal.ownerId, verified.principal.metadata])
    say(await system.list())
    say(await system.list({ tenantId: 'acme' }))
    say(await tokens.as({ id: 'bob', tenants: ['globex'], manages: 'all' }).list())
    say(await system.update(made.bare.record.id, { description: 'changed' }))
    say(await system.deactivate(made.spare.record.id))
    say(await system.activate(made.spare.record.id))
    say((await system.rotate(made.bare.record.id, { overlap: '1h', idempotencyKey: 'next' })).record)
    say(await system.explain(made.spare.record.id, { ip: '192.0.2.7', scope: 'stock:read' }))
    await tokens.flush()
    const { buckets: _, ...usage } = await system.usage(made.spare.record.id)
    say(usage)
    say(await system.revoke(made.globex.record.id, { reason: 'lost' }))
    say(await system.ownerGone({ ownerId: 'ann' }))
    say(await system.erase({ ownerId: 'ann' }))
    say(await system.revokeAll({ all: true, reason: 'over' }))
    await verdicts()
    say(await other.system.list())
    const { items } = await other.system.events({ order: 'oldest' })
    for (const { id: _, ...event } of items) if (!BACKGROUND.has(event.action)) say(event)
    return told
      .map(String)
      .join('\n')
      .replaceAll(/"bulkId":"\w+"/g, '"bulkId"')
  } finally {
    await Promise.all([tokens.close(), other.close()])
  }
}

const kinds = await everyStore()
const memory = kinds.filter(({ kind }) => kind === 'memory')

describe('while other code has polluted Object.prototype with the name of a field', () => {
  for (const { kind, place } of memory) {
    it.each([...POLLUTED.keys()])(`a polluted "%s" changes nothing that is stored in or read from the ${kind} store`, async (name) => {
      const expected = await story(await place())
      const open = await place()
      onTestFinished(clean)
      pollute([name])
      const found = await story(open).finally(clean)
      expect(found).toBe(expected)
    })
  }

  for (const { kind, skip, place } of kinds) {
    it.skipIf(skip !== undefined)(`all polluted fields together change nothing in the ${kind} store${skip ?? ''}`, async () => {
      const expected = await story(await place())
      const open = await place()
      onTestFinished(clean)
      pollute([...POLLUTED.keys()].filter((name) => !OF_DRIVERS.has(name)))
      const found = await story(open).finally(clean)
      expect(found).toBe(expected)
    })
  }
})
