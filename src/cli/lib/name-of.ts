import type { TokenHandle } from '../../instance.js'
import { mustGet } from '../../management/must-get.js'

/**
 * Describes a token in the confirmation question before the token is revoked or rotated.
 *
 * @throws NotFoundError `not_found`
 */
export async function nameOf(handle: TokenHandle, id: string): Promise<string> {
  const record = await mustGet(handle, id)
  const tenant = record.tenantId === undefined ? '' : ` of tenant ${record.tenantId}`
  return `${JSON.stringify(record.name)} (${record.hint})${tenant}`
}
