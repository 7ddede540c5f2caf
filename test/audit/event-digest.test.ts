import { createHash, createHmac } from 'node:crypto'
import type { StoredEvent } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { eraseFields, eventDigest, hasKnownFields } from '../../src/audit/event-digest.js'
import { saltEvents } from '../../src/store/events-to-write.js'

const EVENT: StoredEvent = {
  id: 'e1',
  at: 1_700_000_000_000,
  action: 'token.updated',
  prefix: 'acme_live',
  actorId: 'alice@example.com',
  tokenId: 'aAbBcCdDeEfF0123',
  tenantId: 't1',
  ownerId: 'bob@example.com',
  createdBy: 'carol',
  ip: '192.0.2.1',
  reason: 'Bob left',
  count: 2,
  before: { name: 'Old', ownerId: 'bob@example.com' },
  after: { name: 'New', metadata: { phone: '555' } },
  details: {},
  salt: '000102030405060708090a0b0c0d0e0f',
}

const PERSONAL = ['actorId', 'ownerId', 'createdBy', 'ip', 'reason', 'before.name', 'before.ownerId', 'after.name', 'after.metadata']

describe('the digest of an event', () => {
  it('the digest of an event never changes, because later releases must verify what earlier releases sealed', () => {
    expect(eventDigest(EVENT)).toBe('800dc970af278b9b77734eb8d6ae55c4c095a22ca5eca7b292cdc96629a95f2a')
  })

  it('computes the digest of an event as docs/sealed-audit.md describes, checked against node:crypto', () => {
    const sha = (domain: number, ...parts: readonly Buffer[]): string =>
      createHash('sha256')
        .update(Buffer.concat([Buffer.of(domain), ...parts]))
        .digest('hex')
    const commit = (path: string, json: string): string => {
      const salt = createHmac('sha256', EVENT.salt ?? '')
        .update(path)
        .digest()
      return sha(3, salt, Buffer.from(json))
    }
    const personal = [
      ['actorId', '"alice@example.com"'],
      ['after.metadata', '{"phone":"555"}'],
      ['after.name', '"New"'],
      ['before.name', '"Old"'],
      ['before.ownerId', '"bob@example.com"'],
      ['createdBy', '"carol"'],
      ['ip', '"192.0.2.1"'],
      ['ownerId', '"bob@example.com"'],
      ['reason', '"Bob left"'],
    ].map(([path = '', json = '']) => `"${path}":"${commit(path, json)}"`)
    const content =
      '{"members":["after","before","details"],' +
      `"personal":{${personal.join(',')}},` +
      '"plain":{"action":"token.updated","at":1700000000000,"count":2,"id":"e1","prefix":"acme_live","tenantId":"t1","tokenId":"aAbBcCdDeEfF0123"},' +
      '"version":1}'
    expect(eventDigest(EVENT)).toBe(sha(2, Buffer.from(content)))
  })

  it('the digest of an event does not depend on the order of its fields or on undefined members', () => {
    const turned = Object.fromEntries(Object.entries({ ...EVENT, code: undefined }).reverse()) as unknown as StoredEvent
    expect(eventDigest(turned)).toBe(eventDigest(EVENT))
  })

  it.each([
    ['a list in place of an object', { details: [] }],
    ['a number in place of an object', { details: 5 }],
    ['null in place of an object', { details: null }],
    ['a number in place of text', { reason: 5 }],
    ['text in place of a number', { count: '2' }],
    ['an absent object', { details: undefined }],
    ['another salt', { salt: '100102030405060708090a0b0c0d0e0f' }],
    ['the same salt followed by NUL, which HMAC would pad it with', { salt: `${EVENT.salt}\0` }],
    ['the salt in upper case', { salt: EVENT.salt?.toUpperCase() }],
    ['a number as the salt', { salt: 5 }],
    ['no salt', { salt: undefined }],
  ])('the digest of the sealed event differs from the digest of %s', (_what, change) => {
    const digest = (): string => eventDigest({ ...EVENT, ...change } as unknown as StoredEvent)
    let other: string | undefined
    try {
      other = digest()
    } catch {}
    expect(other).not.toBe(eventDigest(EVENT))
  })

  it('recognizes the fields of an audit event and no other fields', () => {
    expect(hasKnownFields(EVENT)).toBe(true)
    expect(hasKnownFields({ ...EVENT, note: 'x' })).toBe(false)
    expect(hasKnownFields(JSON.parse('{"__proto__": 1}'))).toBe(false)
  })
})

describe('erasing personal fields', () => {
  it.each(PERSONAL)('the digest of an event stays the same after erasing %s', (path) => {
    const erased = eraseFields(EVENT, (name) => name === path)
    expect(eventDigest(erased)).toBe(eventDigest(EVENT))
    expect(erased.salt).toBeUndefined()
    expect(Object.keys(erased.erased?.commitments ?? {})).toEqual([path])
    expect(Object.hasOwn(erased.erased?.salts ?? {}, path)).toBe(false)
  })

  it('a value that occurs in several fields leaves no trace once erased, in one step or in several', () => {
    const isBob = (_path: string, value: unknown): boolean => value === 'bob@example.com'
    const once = eraseFields(EVENT, isBob)
    expect(JSON.stringify(once)).not.toContain('bob@')
    const all = eraseFields(once, () => true)
    expect(all).toEqual(eraseFields(EVENT, () => true))
    expect(eventDigest(all)).toBe(eventDigest(EVENT))
    expect(all).toMatchObject({ actorId: 'erased', before: {}, after: {}, tenantId: 't1' })
    expect(all.erased?.salts).toEqual({})
    expect(eraseFields(all, () => true)).toBe(all)
  })

  it('an erased event whose fields were filled in again or whose salts were removed is rejected', () => {
    const erased = eraseFields(EVENT, (path) => path === 'reason' || path === 'actorId')
    expect(() => eventDigest({ ...erased, reason: 'Bob left' })).toThrow(TypeError)
    expect(() => eventDigest({ ...erased, actorId: 'mallory' })).toThrow(TypeError)
    const { reason: _, ...rest } = erased.erased!.commitments
    expect(eventDigest({ ...erased, erased: { ...erased.erased!, commitments: rest } })).not.toBe(eventDigest(EVENT))
    expect(() => eventDigest({ ...erased, erased: { ...erased.erased!, salts: {} } })).toThrow(TypeError)
  })

  it('an actor whose name really is "erased" is treated like any other actor', () => {
    const event = { ...EVENT, actorId: 'erased' }
    const erased = eraseFields(event, (path) => path === 'reason')
    expect(eventDigest(erased)).toBe(eventDigest(event))
    expect(eventDigest(eraseFields(event, () => true))).toBe(eventDigest(event))
  })
})

describe('salts of events', () => {
  it('each event gets its own 128-bit salt', () => {
    const events = saltEvents(Array.from({ length: 100 }, () => ({ ...EVENT, salt: undefined }) as unknown as StoredEvent))
    expect(new Set(events.map(({ salt }) => salt)).size).toBe(100)
    for (const { salt } of events) expect(salt).toMatch(/^[0-9a-f]{32}$/)
  })

  it('events keep existing salts, including those of erased events', () => {
    const erased = eraseFields(EVENT, () => true)
    expect(saltEvents([EVENT, erased])).toEqual([EVENT, erased])
  })
})
