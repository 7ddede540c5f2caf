import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { readMetadata } from '../../src/policy/metadata.js'

test('readMetadata() copies metadata deeply and freezes it', () => {
  const input = { team: { name: 'x', tags: ['a', { b: null }] }, count: 1.5, on: true, gone: undefined }
  const kept = readMetadata('metadata', input)
  input.team.tags.push('later')
  expect(kept).toEqual({ team: { name: 'x', tags: ['a', { b: null }] }, count: 1.5, on: true })
  expect(Object.hasOwn(kept, 'gone')).toBe(false)
  expect(() => Object.assign(kept, { more: 1 })).toThrow(TypeError)
  expect(() => Object.assign(kept.team as object, { more: 1 })).toThrow(TypeError)
})

test("readMetadata() accepts metadata from another realm, such as Jest's", () => {
  const kept = readMetadata('metadata', runInNewContext('({ team: { name: "x" }, tags: ["a", { b: 1 }] })'))
  expect(kept).toEqual({ team: { name: 'x' }, tags: ['a', { b: 1 }] })
  expect(Object.getPrototypeOf(kept)).toBe(Object.prototype)
})

function nested(levels: number): object {
  return levels === 1 ? {} : { in: nested(levels - 1) }
}

const cyclic: Record<string, unknown> = {}
cyclic.self = cyclic

describe('metadata that cannot be stored as JSON', () => {
  const bad: [string, unknown, string][] = [
    ['undefined', undefined, 'metadata'],
    ['null', null, 'metadata'],
    ['a string', 'x', 'metadata'],
    ['a list', [], 'metadata'],
    ['a Map', new Map(), 'metadata'],
    ['a Map of another realm', runInNewContext('new Map()'), 'metadata'],
    ['a class instance', new (class Team {})(), 'metadata'],
    ['a Date', { at: new Date(0) }, 'metadata.at'],
    ['NaN', { n: Number.NaN }, 'metadata.n'],
    ['Infinity', { n: { m: Number.POSITIVE_INFINITY } }, 'metadata.n.m'],
    ['a function', { f: () => 1 }, 'metadata.f'],
    ['a symbol', { s: Symbol('x') }, 'metadata.s'],
    ['a bigint', { b: 1n }, 'metadata.b'],
    ['undefined in a list', { l: [undefined] }, 'metadata.l.0'],
    ['half a surrogate pair', { t: '\ud800' }, 'metadata.t'],
    ['a NUL', { t: '\u0000' }, 'metadata.t'],
    ['__proto__', JSON.parse('{"__proto__":{"admin":true}}'), 'metadata'],
    ['a nested __proto__', { a: JSON.parse('{"__proto__":1}') }, 'metadata.a'],
    ['a key of 257 characters', { ['k'.repeat(257)]: 1 }, 'metadata'],
    ['a cycle', cyclic, `metadata${'.self'.repeat(8)}`],
    ['9 levels', nested(9), `metadata${'.in'.repeat(8)}`],
    ['more than 16 KiB', { t: 'x'.repeat(16 * 1024) }, 'metadata'],
    ['more than 16 KiB of UTF-8', { t: 'ß'.repeat(8 * 1024) }, 'metadata'],
  ]
  test.each(bad)('readMetadata() rejects %s and names the location', (_name, input, field) => {
    expect(() => readMetadata('metadata', input)).toThrow(expect.objectContaining({ code: 'invalid_input', field }))
  })
})

test('readMetadata() accepts metadata up to its limits', () => {
  expect(readMetadata('metadata', nested(8))).toEqual(nested(8))
  const full = { t: 'x'.repeat(16 * 1024 - '{"t":""}'.length) }
  expect(readMetadata('metadata', full)).toEqual(full)
})
