import type { StoredEvent } from '../model/event.js'
import { newSalt } from './events-to-write.js'

/** The events of a bulk revocation, one for each tenant that it touched, with as many tokens as it touched there, and a salt of its own. */
export function bulkEvents(template: StoredEvent, touched: ReadonlyMap<string | undefined, number>): readonly StoredEvent[] {
  const { tenantId: _, ...said } = template
  return [...touched].map(([tenantId, count], index) => ({
    ...said,
    id: index === 0 ? template.id : `${template.id}_${index + 1}`,
    ...(tenantId !== undefined && { tenantId }),
    ...(template.salt !== undefined && { salt: newSalt() }),
    count,
  }))
}
