import {
  type AuditEvent,
  type Latchkey,
  type LatchkeyOptions,
  latchkey,
  type Minted,
  type TokenFormat,
  type TokenRecord,
  type TokenStore,
  type UsageReport,
} from 'latchkey'
import { sha256Tokens } from 'latchkey/import'
import { onTestFinished } from 'vitest'
import { IMPORT_KEY, oldToken, terms } from '../../imports/world.js'
import { SCOPES, type Scope } from '../../latchkey/harness.js'

export const PEPPER = 'Vx5Rk8mW2qTz7Lb4Yc9Nd3Hs6Gj1Fp0A'
export const format: TokenFormat = sha256Tokens({ name: 'old', prefix: 'sk_', length: 35 })

/** Creates a node over a store, with the options that all nodes of these tests share. */
export function nodeOver(store: TokenStore, options: Partial<LatchkeyOptions<Scope>> = {}): Latchkey<Scope> {
  const tokens = latchkey({
    prefix: 'acme_test',
    store,
    scopes: SCOPES,
    logger: false,
    deadline: '60s',
    pepper: PEPPER,
    imports: { key: IMPORT_KEY, formats: [format] },
    notices: false,
    sealing: { every: '1h' },
    // `open` waits twice this interval for every node to flush its usage counts.
    usage: { flushEvery: 0.05 },
    ...options,
  })
  onTestFinished(() => tokens.close().catch(() => undefined))
  return tokens
}

/** Some of the created tokens, named after what happened to them. */
export type Filled = { readonly [Fate in 'used' | 'revoked' | 'off' | 'rotated' | 'successor' | 'bulk']: Minted } & {
  readonly imported: { readonly token: string }
}

/** Everything that an instance returns about its tokens. */
type Content = { readonly records: readonly TokenRecord[]; readonly events: readonly AuditEvent[]; readonly usage: readonly UsageReport[] }

/** Creates a token in each state, with the audit events and seals, usage, and consumers. */
export async function fill(tokens: Latchkey<Scope>, count = 12): Promise<Filled> {
  const { system } = tokens
  const made: Minted[] = []
  for (let at = 0; at < count; at += 1) {
    const tenantId = at % 2 === 0 ? 'acme' : 'globex'
    made.push(
      await system.create({ name: `Key ${at} ä😀`, scopes: ['stock:read'], tenantId, ownerId: `owner-${at % 3}`, metadata: { at } }),
    )
  }
  const [used, revoked, off, rotated, bulk] = made
  if (used === undefined || revoked === undefined || off === undefined || rotated === undefined || bulk === undefined) throw new Error()
  await system.revoke(revoked.record.id, { reason: 'left' })
  await system.deactivate(off.record.id)
  const successor = await system.rotate(rotated.record.id, { overlap: '1h' })
  const imported = oldToken(1)
  await system.import([imported.row], { format, map: terms })
  await system.sealAudit()
  await system.revokeAll({ ownerId: 'owner-1', tenantId: 'acme' })
  for (const ip of ['10.0.0.1', '10.0.0.2']) await tokens.verify(used.token, { ip, method: 'GET', endpoint: '/stock' })
  await tokens.flush()
  const seen: string[] = []
  const consumer = system.consume('siem', ({ action }) => void seen.push(action))
  // The last event: a consumer that continues on another store must not see any of these again.
  while (!seen.includes('tokens.revoked')) await new Promise((resolve) => setTimeout(resolve, 5))
  await consumer.stop()
  return { used, revoked, off, rotated, successor, imported, bulk }
}

/** Reads everything that an instance returns about its tokens. */
export async function contentOf({ system }: Latchkey<Scope>): Promise<Content> {
  const records = await everyPage((cursor) => system.list({ limit: 1000, cursor }))
  const events = await everyPage((cursor) => system.events({ limit: 1000, cursor }))
  const usage = await Promise.all(records.map(({ id }) => system.usage(id)))
  return { records, events, usage }
}

async function everyPage<T>(
  read: (cursor: string | undefined) => Promise<{ readonly items: readonly T[]; readonly nextCursor?: string | undefined }>,
): Promise<readonly T[]> {
  const items: T[] = []
  let cursor: string | undefined
  do {
    const page = await read(cursor)
    items.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== undefined)
  return items
}
