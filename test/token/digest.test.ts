import { describe, expect, test } from 'vitest'
import { createDigesters } from '../../src/token/digest.js'
import { nativeEngine, portableEngine } from '../../src/token/hash.js'
import vectors from './vectors.json' with { type: 'json' }

const [pepper, other] = vectors.peppered.map((vector) => vector.pepper)
if (pepper === undefined || other === undefined) throw new Error('the vectors hold two peppers')

describe.each([portableEngine, nativeEngine ?? portableEngine])('with the engine $name', (engine) => {
  test('digests with plain SHA-256 when there is no pepper', () => {
    const digesters = createDigesters([], engine)
    expect(digesters).toHaveLength(1)
    expect(digesters[0].pepperId).toBeUndefined()
    for (const vector of vectors.plain) expect(digesters[0].digest(vector.token.slice(0, -6))).toBe(vector.digest)
  })

  test('digests with HMAC and each pepper, in the given order', () => {
    const digesters = createDigesters(
      vectors.peppered.map((vector) => vector.pepper),
      engine,
    )
    expect(digesters).toHaveLength(vectors.peppered.length)
    vectors.peppered.forEach((vector, at) => {
      expect(digesters[at]?.digest(vector.token.slice(0, -6))).toBe(vector.digest)
    })
  })
})

test('identifies a pepper by an ID that is the same everywhere and reveals nothing about it', () => {
  const [newest, oldest] = createDigesters([pepper, other], portableEngine)
  const [again] = createDigesters([pepper])
  expect(newest.pepperId).toMatch(/^[0-9a-f]{8}$/)
  expect(newest.pepperId).toBe(again.pepperId)
  expect(newest.pepperId).not.toBe(oldest?.pepperId)
  expect(pepper).not.toContain(newest.pepperId)
  expect(portableEngine.sha256(pepper)).not.toContain(newest.pepperId)
})

test('createDigesters() refuses a duplicate pepper without repeating it in the error', () => {
  expect(() => createDigesters([pepper, other, pepper])).toThrow(expect.objectContaining({ code: 'invalid_input', field: 'pepper.2' }))
  expect(() => createDigesters([pepper, pepper])).not.toThrow(pepper)
})
