import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../src/audit/canonical.js'
import { inclusionPath, type Leaf, rootFromPath, rootOf } from '../../src/audit/merkle.js'

const sha = (...parts: readonly Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()

/** RFC 9162 §2.1.1, implemented a second time with another hash library and other types. */
function reference(leaves: readonly Leaf[]): Buffer {
  if (leaves.length === 0) return sha()
  if (leaves.length === 1) {
    const place = Buffer.alloc(8)
    place.writeBigUInt64BE(BigInt(leaves[0]![0]))
    return sha(Buffer.of(0), place, Buffer.from(leaves[0]![1], 'hex'))
  }
  let middle = 1
  while (middle * 2 < leaves.length) middle *= 2
  return sha(Buffer.of(1), reference(leaves.slice(0, middle)), reference(leaves.slice(middle)))
}

const leavesOf = (size: number): Leaf[] =>
  Array.from({ length: size }, (_, index) => [index * 3 + 1, createHash('sha256').update(String(index)).digest('hex')])

describe('the Merkle tree over a range', () => {
  it('the Merkle tree has the root of RFC 9162 for every size', () => {
    for (let size = 0; size <= 70; size += 1) expect(rootOf(leavesOf(size)), `${size}`).toBe(reference(leavesOf(size)).toString('hex'))
  })

  it('every leaf of trees of many sizes can be proved, but only with its own index and position', () => {
    for (let size = 1; size <= 33; size += 1) {
      const leaves = leavesOf(size)
      const root = rootOf(leaves)
      for (const [index, leaf] of leaves.entries()) {
        const path = inclusionPath(leaves, index)
        expect(rootFromPath(leaf, index, size, path), `${index} of ${size}`).toBe(root)
        expect(rootFromPath([leaf[0] + 1, leaf[1]], index, size, path)).not.toBe(root)
        expect(rootFromPath(leaf, index + 1, size, path)).not.toBe(root)
        expect(rootFromPath(leaf, index, size, [...path, root])).not.toBe(root)
        if (path.length > 0) expect(rootFromPath(leaf, index, size, path.slice(1))).not.toBe(root)
      }
    }
  })

  it('the Merkle tree never accepts an inner node as a leaf', () => {
    const leaves = leavesOf(2)
    expect(rootOf([[0, rootOf(leaves)]])).not.toBe(rootOf(leaves))
  })
})

describe('the canonical form', () => {
  // RFC 8785 §3.2.3
  it('sorts members of canonical JSON by UTF-16 code units and writes numbers as ECMAScript does', () => {
    const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '😀': 5, '\u0080': 6, ö: 7 }
    expect(canonicalJson(value)).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}')
    expect(canonicalJson([333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, -0, null, true])).toBe(
      '[333333333.3333333,1e+30,4.5,0.002,1e-27,0,null,true]',
    )
  })

  it('leaves undefined members out of canonical JSON, and keeps null', () => {
    expect(canonicalJson({ b: undefined, a: null, c: { d: undefined } })).toBe('{"a":null,"c":{}}')
  })
})
