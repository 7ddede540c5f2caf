import type { TokenRecord } from '../../model/record.js'
import { endOfFormat, endOfOthers, type Imports } from '../../policy/imports.js'
import { compileNetworks } from '../../policy/network.js'

/**
 * Returns the client ID of a token (RFC 9068 §2.2 `client_id`), which identifies the token itself. Its form differs from that of owner IDs.
 */
function clientOf({ id }: TokenRecord): string {
  return `token:${id}`
}

/**
 * Returns the subject of a token (RFC 7519 §4.1.2 `sub`): its owner within its tenant, or the token itself if it has no owner. Owners in two tenants may have
 * the same ID, and an owner's ID may look like a token's. The subjects still differ.
 */
function subjectOf(record: TokenRecord): string {
  const { ownerId, tenantId } = record
  if (ownerId === undefined) return clientOf(record)
  return `owner:${encodeURIComponent(tenantId ?? '')}:${encodeURIComponent(ownerId)}`
}

/** Returns the claims that identify a token to other services: its subject, client, tenant, and allowed addresses. */
export function claimsOf(record: TokenRecord): Record<string, unknown> {
  return {
    client_id: clientOf(record),
    sub: subjectOf(record),
    ...(record.tenantId !== undefined && { tenant_id: record.tenantId }),
    ...(record.allowedIps !== undefined && { allowed_ips: record.allowedIps }),
  }
}

/**
 * Returns when a token ends, in whole seconds: at its expiry, when the format that it was imported in ends, or at the expiry of another record with the same
 * secret. `undefined`: never.
 */
export function endsAtSeconds(record: TokenRecord, imports: Imports | undefined): number | undefined {
  const { expiresAt, importedFrom } = record
  const ends = [expiresAt?.getTime(), endOfFormat(imports, importedFrom), endOfOthers(record)].filter((end) => end !== undefined)
  return ends.length === 0 ? undefined : Math.floor(Math.min(...ends) / 1000)
}

/** Checks whether a token may be used from this address. */
export function isAllowedFrom(
  { allowedIps }: { readonly allowedIps?: readonly string[] | undefined },
  address: string | undefined,
): boolean {
  return allowedIps === undefined || compileNetworks(allowedIps)(address)
}
