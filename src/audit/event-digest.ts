import { ERASED, type ErasedFields, type ListedEvent, type StoredEvent } from '../model/event.js'
import { canonicalJson } from './canonical.js'
import { bytesToHex, deriveKey, hash, hashText, hexToBytes, isHash, utf8ToBytes } from './hash.js'

/**
 * How the digest of an event includes each of its fields: `plain` as it is, `personal` as a commitment under the event's salt, `members` as one commitment
 * per member. The position, the salt and the record of erasures are not part of its contents.
 */
const FIELDS: { readonly [Field in keyof Required<ListedEvent>]: 'plain' | 'personal' | 'members' | 'none' } = {
  id: 'plain',
  at: 'plain',
  action: 'plain',
  prefix: 'plain',
  tokenId: 'plain',
  tenantId: 'plain',
  code: 'plain',
  count: 'plain',
  bulkId: 'plain',
  actorId: 'personal',
  ownerId: 'personal',
  createdBy: 'personal',
  ip: 'personal',
  reason: 'personal',
  before: 'members',
  after: 'members',
  details: 'members',
  seq: 'none',
  damaged: 'none',
  salt: 'none',
  erased: 'none',
}

const SALT = /^[0-9a-f]{32}$/

/** An event, or a part of one that has not been written yet. */
type Erasable = Partial<StoredEvent>

const KINDS: ReadonlyMap<string, string> = new Map(Object.entries(FIELDS))

/** Returns whether all fields of the event are known. */
export function hasKnownFields(event: object): boolean {
  return Object.keys(event).every((field) => KINDS.has(field))
}

/** Returns whether this can be the path of a personal field: `ownerId`, `after.name`. The names of members depend on the event, and are not checked. */
export function isPersonalPath(path: string): boolean {
  const dot = path.indexOf('.')
  return dot < 0 ? KINDS.get(path) === 'personal' : KINDS.get(path.slice(0, dot)) === 'members' && dot < path.length - 1
}

function isErased({ actorId, erased }: Erasable, path: string): boolean {
  return path === 'actorId' && actorId === ERASED && erased !== undefined && Object.hasOwn(erased.commitments, path)
}

/** Returns the personal fields that are present, by path. */
function personalFields(event: Erasable): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>()
  for (const [field, value] of Object.entries(event)) {
    const kind = KINDS.get(field)
    if (kind === 'personal' && value !== undefined && !isErased(event, field)) found.set(field, value)
    if (kind !== 'members' || value === undefined) continue
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new TypeError(`the field ${field} of an event is not an object`)
    for (const [name, member] of Object.entries(value)) if (member !== undefined) found.set(`${field}.${name}`, member)
  }
  return found
}

/** Returns the salt of one field. It reveals neither the salts of other fields nor the salt of the event. */
function saltOf({ salt, erased }: Erasable, path: string): string {
  if (erased === undefined) return deriveKey(salt ?? '', path)
  const kept = Object.hasOwn(erased.salts, path) ? erased.salts[path] : undefined
  if (!isHash(kept)) throw new TypeError('an event lacks the salt of a field')
  return kept
}

function commitmentOf(event: Erasable, path: string, value: unknown): string {
  return bytesToHex(hash('field', hexToBytes(saltOf(event, path)), utf8ToBytes(canonicalJson(value))))
}

/** Checks that an erased event contains nothing else, because no commitment would cover it. */
function checkErased({ actorId, erased }: StoredEvent, fields: ReadonlyMap<string, unknown>): void {
  const { commitments, salts, ...more } = erased as ErasedFields
  const paths = Object.keys(salts)
  if (Object.keys(more).length > 0 || paths.length !== fields.size || !paths.every((path) => fields.has(path))) {
    throw new TypeError('the salts of an event do not match its fields')
  }
  if (Object.hasOwn(commitments, 'actorId') && actorId !== ERASED) throw new TypeError('an event lacks its erased actor')
}

/**
 * Returns the digest of an event's contents, as 64 hexadecimal digits. It stays the same when personal fields are erased.
 *
 * @throws TypeError for an event that no erasure can have produced
 */
export function eventDigest(event: StoredEvent): string {
  const fields = personalFields(event)
  const erased = Object.entries(event.erased?.commitments ?? {})
  // HMAC pads short keys with NUL, so another text could stand for the same salt (RFC 2104 §2).
  if (event.salt !== undefined && !SALT.test(event.salt)) throw new TypeError('the salt of an event is malformed')
  if (event.erased !== undefined && event.salt !== undefined) throw new TypeError('an event with erased fields has a salt')
  if (event.erased !== undefined) checkErased(event, fields)
  if (erased.some(([path, commitment]) => fields.has(path) || !isHash(commitment))) throw new TypeError('an erased field is present')
  const commitments = [...fields].map(([path, value]) => [path, commitmentOf(event, path, value)] as const)
  const present = Object.entries(event).filter(([, value]) => value !== undefined)
  const content = {
    version: 1,
    plain: Object.fromEntries(present.filter(([field]) => KINDS.get(field) === 'plain')),
    members: present.flatMap(([field]) => (KINDS.get(field) === 'members' ? [field] : [])).sort(),
    personal: Object.fromEntries([...commitments, ...erased]),
  }
  return hashText('event', canonicalJson(content))
}

/**
 * Returns the digest of an event for its seal. An event that is damaged before it is sealed has no meaningful digest. So that other events can still be sealed,
 * its digest covers only its identity, and verification always reports it.
 */
export function digestToSeal(event: ListedEvent): string {
  return readableDigest(event) ?? hashText('event', canonicalJson({ version: 1, damaged: event.id, prefix: event.prefix }))
}

/** Returns the digest of an event's contents, or `undefined` if the event is damaged. */
export function readableDigest(event: ListedEvent): string | undefined {
  try {
    return event.damaged === undefined && hasKnownFields(event) ? eventDigest(event) : undefined
  } catch {
    return undefined
  }
}

/**
 * Returns the event without the personal fields that `isPersonal` selects, by path and value: `actorId`, `after.name`. Their commitments remain, so that seals
 * still match; their values and salts are permanently removed. The actor of an event becomes `erased`.
 */
export function eraseFields<E extends Erasable>(event: E, isPersonal: (path: string, value: unknown) => boolean): E {
  const fields = [...personalFields(event)]
  const gone = new Set(fields.filter(([path, value]) => isPersonal(path, value)).map(([path]) => path))
  if (gone.size === 0) return event
  const of = (erase: boolean): readonly (readonly [string, unknown])[] => fields.filter(([path]) => gone.has(path) === erase)
  const erased: ErasedFields = {
    commitments: {
      ...event.erased?.commitments,
      ...Object.fromEntries(of(true).map(([path, value]) => [path, commitmentOf(event, path, value)])),
    },
    salts: Object.fromEntries(of(false).map(([path]) => [path, saltOf(event, path)])),
  }
  const { salt: _, ...rest } = event
  const kept = Object.entries(rest).flatMap(([field, value]) => {
    if (gone.has(field)) return field === 'actorId' ? [[field, ERASED] as const] : []
    if (KINDS.get(field) !== 'members' || value === undefined) return [[field, value] as const]
    const members = Object.entries(Object(value)).filter(([name]) => !gone.has(`${field}.${name}`))
    return [[field, Object.fromEntries(members)] as const]
  })
  return { ...Object.fromEntries(kept), erased } as unknown as E
}
