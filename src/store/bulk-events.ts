import type { StoredEvent } from '../model/event.js'
import { ownFields } from '../model/own-fields.js'
import { newSalt } from './events-to-write.js'

/** Creates the events of a bulk revocation: one for each affected tenant, with the number of tokens revoked there and a separate salt. */
export function bulkEvents(template: StoredEvent, touched: ReadonlyMap<string | undefined, number>): readonly StoredEvent[] {
  const { tenantId: _, ...said } = template
  return [...touched].map(([tenantId, count], index) =>
    ownFields({
      ...said,
      id: index === 0 ? template.id : `${template.id}_${index + 1}`,
      ...(tenantId !== undefined && { tenantId }),
      ...(template.salt !== undefined && { salt: newSalt() }),
      count,
    }),
  )
}
