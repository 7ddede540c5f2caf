import type { Introspection } from '../model/principal.js'
import { refusalOf } from '../policy/status.js'
import { dueFrom, leftUntil } from '../store/deadline.js'
import type { Context } from './context.js'
import { findByToken } from './identify.js'
import { intersectResources, scopesInForce } from './permissions.js'
import { noteReuse } from './reuse.js'
import { viewRecord } from './view-record.js'

/**
 * Is this token good now, and for what? Decides as `verify` does, from the primary and without the address of a caller. Counts no use, but a rotated
 * token that is presented after its end leaves its trace here too.
 *
 * @throws StoreUnavailableError `store_unavailable`, when it cannot decide
 */
export async function introspect(context: Context, token: unknown): Promise<Introspection> {
  const dueAt = dueFrom(context.settings)
  const stored = await findByToken(context, token)
  if (stored === undefined) return { active: false }
  const { catalogue, clock } = context.settings
  const granted = catalogue.resolve(stored.scopes)
  const owned =
    stored.ownerId === undefined ? undefined : await context.owners?.of(stored.ownerId, stored.tenantId, leftUntil(dueAt, context.settings))
  const now = clock()
  const code = refusalOf(stored, now)
  if (code !== undefined && stored.replacedById !== undefined) noteReuse(context, stored, { lifecycle: stored, code, now, ip: undefined })
  if (owned === null || code !== undefined) return { active: false }
  const scopes = scopesInForce(catalogue, { scopes: granted, inherit: stored.inherit === true }, owned)
  const resources = intersectResources(stored.resources, owned?.resources)
  return { active: true, record: viewRecord(stored, now), scopes: scopes.names, ...(resources !== undefined && { resources }) }
}
