import { ACTIONS } from '../../../model/event.js'
import { call, type Query } from '../lib/api.js'
import type { AuditEvent, Page } from '../lib/types.js'
import type { Place } from '../lib/url.js'

/** Returns an action from the URL, if there is such an action. */
export const actionOf = (text: string | undefined): string | undefined => ACTIONS.find((action) => action === text)

const DAY = /^\d{4}-\d\d-\d\d$/

/** Returns the filters of the audit screen as API parameters. Days are whole days in the user's time zone. */
export function eventFilters({ tenant, actor, action, about, from, to }: Place): Query {
  return {
    tenantId: tenant?.slice(0, 200),
    actorId: actor?.trim().slice(0, 200),
    action: actionOf(action),
    tokenId: about?.trim().slice(0, 200),
    from: startOf(from, 0),
    to: startOf(to, 1),
  }
}

export const loadEvents = (query: Query, signal?: AbortSignal): Promise<Page<AuditEvent>> =>
  call('GET', 'events', { query, ...(signal && { signal }) })

function startOf(day: string | undefined, add: number): string | undefined {
  if (day === undefined || !DAY.test(day)) return undefined
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
  const at = new Date(year, month - 1, date + add)
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString()
}
