import { ownFields } from '../../../../src/model/own-fields.js'
import { foldAscii } from '../../../../src/policy/fold-ascii.js'
import type { ListQuery, TokenPage } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { readPage } from './list-page.js'
import { planOf } from './list-plan.js'
import { listInSteps } from './list-steps.js'
import { MOST_TENANTS } from './list-walk.js'

/** Reads one page of tokens, newest first, from a keyset cursor. */
export const list = async (context: Sql, query: ListQuery): Promise<TokenPage> => {
  const folded = foldAscii(query.nameContains ?? '')
  if (context.quirks.dialect === 'sqlite') return listInSteps(context, query, folded)
  const plan = await planOf(context, query, folded)
  if (typeof plan === 'string') return Object.assign([], { tooWide: plan })
  const tenantIds = [...new Set(query.tenantIds)]
  // A few tenants are read one by one, each from its own part of the index.
  const apart = tenantIds.length > 1 && tenantIds.length <= MOST_TENANTS && !plan.sort
  const queries = apart ? tenantIds.map((tenantId) => ownFields({ ...query, tenantIds: [tenantId] })) : [query]
  return readPage(
    context,
    queries.map((each) => ({ query: each, folded, plan })),
  )
}
