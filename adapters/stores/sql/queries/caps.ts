import type { ExpressionBuilder } from 'kysely'
import type { TokenCap } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { ask, type Steps } from '../engine.js'
import type { Tables } from '../schema/schema.js'
import { wide } from '../schema/wide.js'

/** Live tokens by state, with and without an expiry: each is one range of an index, regardless of the number of ended tokens. */
const RANGES = (['live', 'inactive'] as const).flatMap((state) => [
  { state, ends: false },
  { state, ends: true },
])

/** Returns whether more tokens are live than this cap allows. Counts no further than needed. */
export function* isExceeded({ builder }: Sql, { prefix, tenantId, ownerId, max, now }: TokenCap): Steps<boolean> {
  let count = 0
  for (const { state, ends } of RANGES) {
    const matches = (eb: ExpressionBuilder<Tables, 'tokens'>) =>
      eb.and([
        eb('prefix', '=', prefix),
        tenantId === undefined ? eb('tenant_id', 'is', null) : eb('tenant_id', '=', tenantId),
        ...(ownerId === undefined ? [] : [eb('owner_id', '=', ownerId)]),
        eb('state', '=', state),
        ends ? eb('expires_at', '>', now) : eb('expires_at', 'is', null),
      ])
    const some = builder
      .selectFrom('tokens')
      .select('id')
      .where(matches)
      .limit(max + 1 - count)
    const { rows } = yield* ask(builder.selectFrom(some.as('some')).select((eb) => eb.fn.countAll<number | string | bigint>().as('found')))
    count += wide(rows[0]?.found ?? 0)
    if (count > max) return true
  }
  return false
}
