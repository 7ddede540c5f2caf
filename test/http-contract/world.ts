import type { Latchkey } from '../../src/instance.js'
import { latchkey } from '../../src/latchkey.js'
import type { Principal } from '../../src/model/principal.js'
import type { CreateInput } from '../../src/model/record.js'
import { ensure } from '../../src/testing/assert.js'
import { pause } from '../../src/testing/pause.js'
import { createDigesters } from '../../src/token/digest.js'
import { generateId, mintToken } from '../../src/token/generate.js'
import { platformRandom } from '../../src/token/random.js'
import { withFaults } from './faults.js'
import { hosted } from './hosted.js'
import { contractRoutes, type Journal } from './routes.js'
import type { HttpHarness, HttpSite, RunningSite } from './types.js'
import type { VectorGroup } from './vector.js'

/** A token in the contract's world. */
export type Known = { readonly token: string; readonly id: string; readonly name: string }

/** A server, the tokens that work on it, and a record of its handlers. */
export type World = {
  readonly port: number
  readonly tokens: Latchkey
  readonly journal: Journal
  readonly warnings: string[]
  /** Replaces `{name}` with the token of that name. */
  fill(text: string): string
  known(name: string): Known
  create(input: CreateInput): Promise<Known>
  close(): Promise<void>
}

const HOUR_MS = 3_600_000
const DIGESTER = createDigesters([])[0]

/** The options of each kind of server. */
const SITES: { readonly [Name in VectorGroup['site']]: Partial<Pick<HttpSite, 'options' | 'trustProxy'>> } = {
  default: {},
  optional: { options: { optional: true } },
  apiKey: { options: { credential: { header: 'X-Api-Key' } } },
  realm: { options: { realm: 'The "API" \\ one' } },
  shaped: { options: { errorBody: ({ code, status }) => ({ error: { code, status } }) } },
  brokenShape: {
    options: {
      errorBody: () => {
        throw undefined
      },
    },
  },
  proxied: { trustProxy: true },
  hosted: { options: hosted },
}

/** Starts a server with everything that the vectors refer to. */
export async function createWorld(harness: HttpHarness, kind: VectorGroup['site']): Promise<World> {
  const clock = { offset: 0 }
  const journal: Journal = { entries: [] }
  const warnings: string[] = []
  const tokens: Latchkey = latchkey({
    prefix: 'acme_live',
    store: harness.store(),
    scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock', 'billing:read': 'See invoices' },
    groups: { finance: ['billing:read'] },
    allowWildcard: true,
    owner: ({ ownerId }) => {
      if (ownerId === 'gone') return null
      if (ownerId === 'broken') throw undefined
      return { scopes: ownerId === 'clerk' ? ['billing:read'] : ['inventory:read', 'billing:read'] }
    },
    clock: () => Date.now() + clock.offset,
  })
  const known = new Map<string, Known>()
  const create = async (input: CreateInput): Promise<Known> => {
    const { token, record } = await tokens.system.create({ ...input, idempotencyKey: undefined })
    const made = { token, id: record.id, name: input.name }
    known.set(input.name, made)
    return made
  }
  await mintAll(create, tokens, clock)
  const find = (name: string): Known => {
    const made = known.get(name)
    ensure(made !== undefined, `the vector names an unknown token: ${name}`)
    return made
  }
  const reader = await principalOf(tokens, find('reader').token)
  const served = withFaults(tokens, () => reader, {
    'slow-reader': () => pause(50).then(() => ({ ok: true, principal: reader })),
  })
  known.set('legacy', { token: 'legacy-1', id: 'legacy-1', name: 'legacy' })
  const texts = { ...forgeries(find('reader').token), ...pairs(find('reader').token, find('writer').token) }
  const { options = {}, trustProxy = false } = SITES[kind]
  const site: HttpSite = {
    tokens: served,
    options: { ...options, onWarning: ({ code }) => void warnings.push(code) },
    trustProxy,
    routes: contractRoutes(journal),
  }
  let running: RunningSite
  try {
    running = await harness.start(site)
  } catch (error) {
    await tokens.close()
    throw error
  }
  return {
    port: running.port,
    tokens,
    journal,
    warnings,
    fill: (text) => text.replace(/\{([a-z0-9-]+)\}/gi, (_, name: string) => texts[name] ?? find(name).token),
    known: find,
    create,
    async close() {
      try {
        await running.close()
      } finally {
        await tokens.close()
      }
    },
  }
}

async function mintAll(create: (input: CreateInput) => Promise<Known>, tokens: Latchkey, clock: { offset: number }): Promise<void> {
  const _by = { actor: 'system' } as const
  const read = ['inventory:read']
  clock.offset = -2 * HOUR_MS
  await create({ name: 'expired', scopes: read, expiresIn: 3600 })
  clock.offset = 0
  await create({ name: 'pending', scopes: read, notBefore: new Date(Date.now() + HOUR_MS) })
  await create({ name: 'reader', scopes: read, tenantId: 't1', metadata: { system: 'erp' } })
  await create({ name: 'writer', scopes: ['inventory:read', 'inventory:write'] })
  await create({ name: 'scribe', scopes: ['inventory:write'] })
  await create({ name: 'branch', scopes: ['inventory:*'] })
  await create({ name: 'everything', scopes: ['*'] })
  await create({ name: 'finance', scopes: ['@finance'] })
  await create({ name: 'nothing', scopes: [] })
  await create({ name: 'w1', scopes: read, resources: { warehouse: ['w1'] } })
  await create({ name: 'w12', scopes: read, resources: { warehouse: ['w1', 'w2'] } })
  await create({ name: 'nowhere', scopes: read, resources: { warehouse: [] } })
  await create({ name: 'elsewhere', scopes: read, resources: { zone: ['north'] } })
  await create({ name: 'w1-north', scopes: read, resources: { zone: ['north'], warehouse: ['w1'] } })
  await create({ name: 'scribe-w1', scopes: ['inventory:write'], resources: { warehouse: ['w1'] } })
  await create({ name: 'local', scopes: read, allowedIps: ['127.0.0.1'] })
  await create({ name: 'mapped', scopes: read, allowedIps: ['::ffff:127.0.0.0/104'] })
  await create({ name: 'remote', scopes: read, allowedIps: ['203.0.113.7'] })
  await create({ name: 'no-address', scopes: read, allowedIps: [] })
  await create({ name: 'orphan', scopes: read, ownerId: 'gone' })
  await create({ name: 'owned', scopes: ['inventory:read', 'inventory:write'], ownerId: 'manager' })
  await create({ name: 'clerk', scopes: read, ownerId: 'clerk' })
  await create({ name: 'broken-owner', scopes: read, ownerId: 'broken' })
  await tokens.system.revoke((await create({ name: 'revoked', scopes: read })).id)
  await tokens.system.deactivate((await create({ name: 'inactive', scopes: read })).id)
  const both = await create({ name: 'inactive-revoked', scopes: read })
  await tokens.system.deactivate(both.id)
  await tokens.system.revoke(both.id)
  const back = await create({ name: 'reactivated', scopes: read })
  await tokens.system.deactivate(back.id)
  await tokens.system.activate(back.id)
}

/** Texts that resemble a token but are not valid. */
function forgeries(token: string): { readonly [name: string]: string } {
  const id = token.slice('acme_live_'.length, 'acme_live_'.length + 16)
  const mint = (prefix: string, publicId: string): string => mintToken(prefix, publicId, DIGESTER, platformRandom).token
  const last = token.at(-1) === 'A' ? 'B' : 'A'
  return {
    'wrong-secret': mint('acme_live', id),
    unknown: mint('acme_live', generateId(platformRandom)),
    'other-prefix': mint('acme_test', generateId(platformRandom)),
    'bad-checksum': `${token.slice(0, -1)}${last}`,
    'cut-short': token.slice(0, -1),
    'too-long': `${token}A`,
    doubled: `${token}${token}`,
    'upper-case': token.toUpperCase(),
    'lower-case': token.toLowerCase(),
    'without-prefix': token.slice('acme_live_'.length),
    'dashed-prefix': token.replaceAll('_', '-'),
    'id-only': id,
    reversed: [...token].reverse().join(''),
    padded: `${token}=`,
  }
}

/** Tokens as Basic user names and passwords. */
function pairs(reader: string, writer: string): { readonly [name: string]: string } {
  return {
    'reader-as-user': btoa(`${reader}:`),
    'reader-as-password': btoa(`ada:${reader}`),
    'reader-twice': btoa(`${reader}:${reader}`),
    'writer-as-user': btoa(`${writer}:`),
  }
}

/** The names of the forgeries. */
export const forgeryNames: readonly string[] = Object.keys(forgeries('acme_live_'.padEnd(80, 'x')))

async function principalOf(tokens: Latchkey, token: string): Promise<Principal> {
  const verification = await tokens.verify(token)
  ensure(verification.ok, 'a fresh token must be good')
  return verification.principal
}
