import { describe, expect, it } from 'vitest'
import { ContractError, ensure, ensureEqual, ensureFails, ensureSameMembers } from '../../src/testing/assert.js'

describe('ensureEqual', () => {
  const different: readonly (readonly [unknown, unknown])[] = [
    [{ a: null }, {}],
    [null, undefined],
    [{ a: 1 }, { a: '1' }],
    [{ a: '' }, {}],
    [{ a: [] }, {}],
    [{ a: [] }, { a: {} }],
    [
      [1, 2],
      [2, 1],
    ],
    [[undefined], []],
    [{ a: { b: [{ c: 1 }] } }, { a: { b: [{ c: 2 }] } }],
    [Number.NaN, 0],
    [1n, 1],
    [new Date(0), 0],
    [JSON.parse('{"__proto__":{"a":1}}'), {}],
    ['a\u0301', 'á'],
  ]
  it('ensureEqual() distinguishes different data', () => {
    for (const [left, right] of different) {
      expect(() => ensureEqual(left, right, 'x')).toThrow(ContractError)
      expect(() => ensureEqual(right, left, 'x')).toThrow(ContractError)
    }
  })

  it('ensureEqual() treats undefined as absent and ignores the order of keys', () => {
    ensureEqual({ a: undefined, b: { d: 1, c: [2] } }, { b: { c: [2], d: 1 } }, 'x')
  })

  it('ensureEqual() reports what was expected and where long strings differ', () => {
    expect(() => ensureEqual({ a: 1 }, { a: 2 }, 'the count')).toThrow('the count\n  expected {"a": 2}\n  but got  {"a": 1}')
    const long = 'x'.repeat(5000)
    let message = ''
    try {
      ensureEqual(`${long}left${long}`, `${long}right${long}`, 'the text')
    } catch (error) {
      message = String(error)
    }
    expect(message).toContain('xleft')
    expect(message).toContain('xright')
    expect(message.length).toBeLessThan(1000)
  })
})

describe('other assertions', () => {
  it('ensureSameMembers() ignores order but compares how many times each member occurs', () => {
    ensureSameMembers(['b', 'a', 'a'], ['a', 'b', 'a'], 'x')
    expect(() => ensureSameMembers(['a', 'b'], ['a', 'b', 'b'], 'x')).toThrow(ContractError)
  })

  it('ensure() requires a condition, and ensureFails() a thrown error or a rejection', async () => {
    ensure(true, 'x')
    expect(() => ensure(false, 'why')).toThrow('why')
    await ensureFails(() => Promise.reject(undefined), 'x')
    await ensureFails(() => {
      throw null
    }, 'x')
    await expect(ensureFails(async () => 1, 'it went well')).rejects.toThrow('it went well')
  })
})
