import { StoreUnavailableError } from '../errors.js'
import type { ListedToken, StoredToken } from '../model/record.js'

const DIGEST = /^[0-9a-f]{64}$/
const INSTANTS = ['notBefore', 'expiresAt', 'deactivatedAt', 'revokedAt', 'rotationDueAt', 'lastUsedAt'] as const

/**
 * Checks what a store answered before anything is decided by it.
 *
 * A record without an id, digest or scopes is a fault of the store. An instant that is not a number becomes `NaN`, which refuses
 * wherever it is compared; it is never taken for absent.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export function readStored<T extends StoredToken | ListedToken>(answer: unknown, storeName: string): T {
  // A copy: what is looked at here is what is decided by, whatever the store's object answers a second time.
  const copy = copyOf(answer)
  if (!isRecord(copy)) throw new StoreUnavailableError(`the ${storeName} store answered something that is not a token record`)
  let record = copy
  for (const field of INSTANTS) {
    const value = record[field]
    if (value === undefined || (typeof value === 'number' && !Number.isNaN(value))) continue
    record = { ...record, [field]: Number.NaN }
  }
  return record as T
}

function copyOf(answer: unknown): unknown {
  try {
    return typeof answer === 'object' && answer !== null ? { ...answer } : undefined
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is StoredToken & Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const { id, digest, scopes, prefix, version, name, createdBy, allowedIps, resources, metadata, tenantId, ownerId } = value as Record<
    string,
    unknown
  >
  return (
    typeof id === 'string' &&
    typeof prefix === 'string' &&
    typeof version === 'number' &&
    typeof name === 'string' &&
    typeof createdBy === 'string' &&
    typeof digest === 'string' &&
    DIGEST.test(digest) &&
    isTexts(scopes) &&
    (allowedIps === undefined || isTexts(allowedIps)) &&
    (resources === undefined || isResources(resources)) &&
    (metadata === undefined || isObject(metadata)) &&
    (tenantId === undefined || typeof tenantId === 'string') &&
    (ownerId === undefined || typeof ownerId === 'string')
  )
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isResources(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isTexts)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
