import type { TokenRecord } from '../../model/record.js'

/**
 * The client that a token is (RFC 9068 §2.2 `client_id`): the token itself. Its form sets it apart from whatever owners are called.
 */
export function clientOf({ id }: TokenRecord): string {
  return `token:${id}`
}

/**
 * Whom a token speaks for (RFC 7519 §4.1.2 `sub`): its owner within its tenant, or itself where it has none. Two tenants may call two people
 * alike, and a person may be called like a token: neither is taken for the other here.
 */
export function subjectOf(record: TokenRecord): string {
  const { ownerId, tenantId } = record
  if (ownerId === undefined) return clientOf(record)
  return `owner:${encodeURIComponent(tenantId ?? '')}:${encodeURIComponent(ownerId)}`
}
