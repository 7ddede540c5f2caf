import type { TokenRecord } from '../../model/record.js'
import { compileNetworks } from '../../policy/network.js'

/**
 * The client that a token is (RFC 9068 §2.2 `client_id`): the token itself. Its form sets it apart from whatever owners are called.
 */
function clientOf({ id }: TokenRecord): string {
  return `token:${id}`
}

/**
 * Whom a token speaks for (RFC 7519 §4.1.2 `sub`): its owner within its tenant, or itself where it has none. Two tenants may call two people
 * alike, and a person may be called like a token: neither is taken for the other here.
 */
function subjectOf(record: TokenRecord): string {
  const { ownerId, tenantId } = record
  if (ownerId === undefined) return clientOf(record)
  return `owner:${encodeURIComponent(tenantId ?? '')}:${encodeURIComponent(ownerId)}`
}

/** The claims by which other services know a token: whom it speaks for, its client, its tenant, and the addresses that it is limited to. */
export function claimsOf(record: TokenRecord): Record<string, unknown> {
  return {
    client_id: clientOf(record),
    sub: subjectOf(record),
    ...(record.tenantId !== undefined && { tenant_id: record.tenantId }),
    ...(record.allowedIps !== undefined && { allowed_ips: record.allowedIps }),
  }
}

/** Checks whether a token may be used from this address. */
export function isAllowedFrom(
  { allowedIps }: { readonly allowedIps?: readonly string[] | undefined },
  address: string | undefined,
): boolean {
  return allowedIps === undefined || compileNetworks(allowedIps)(address)
}
