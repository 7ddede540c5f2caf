import { bytesToHex, EMPTY_ROOT, hash, hexToBytes } from './hash.js'

/** The position of an event in the store's order, and the digest of its contents. */
export type Leaf = readonly [seq: number, digest: string]

function leafHash([seq, digest]: Leaf): Uint8Array {
  const place = new Uint8Array(8)
  new DataView(place.buffer).setBigUint64(0, BigInt(seq))
  return hash('leaf', place, hexToBytes(digest))
}

/** Returns the largest power of two smaller than `size`. */
function split(size: number): number {
  return 2 ** (31 - Math.clz32(size - 1))
}

function rootOfHashes(hashes: readonly Uint8Array[]): Uint8Array {
  const [only] = hashes
  if (only === undefined) return hexToBytes(EMPTY_ROOT)
  if (hashes.length === 1) return only
  const middle = split(hashes.length)
  return hash('node', rootOfHashes(hashes.slice(0, middle)), rootOfHashes(hashes.slice(middle)))
}

/** Returns the Merkle tree hash of these leaves (RFC 9162 §2.1.1). */
export function rootOf(leaves: readonly Leaf[]): string {
  return bytesToHex(rootOfHashes(leaves.map(leafHash)))
}

function pathIn(hashes: readonly Uint8Array[], index: number): readonly Uint8Array[] {
  if (hashes.length < 2) return []
  const middle = split(hashes.length)
  const [left, right] = [hashes.slice(0, middle), hashes.slice(middle)]
  return index < middle ? [...pathIn(left, index), rootOfHashes(right)] : [...pathIn(right, index - middle), rootOfHashes(left)]
}

/** Returns the inclusion proof of the leaf at this index (RFC 9162 §2.1.3.1). */
export function inclusionPath(leaves: readonly Leaf[], index: number): readonly string[] {
  return pathIn(leaves.map(leafHash), index).map(bytesToHex)
}

/** Returns the root that a leaf and its inclusion proof lead to; `undefined` if the proof does not fit a tree of this size (RFC 9162 §2.1.3.2). */
export function rootFromPath(leaf: Leaf, index: number, size: number, path: readonly string[]): string | undefined {
  if (index >= size) return undefined
  let [place, last] = [index, size - 1]
  let root = leafHash(leaf)
  for (const step of path) {
    if (last === 0) return undefined
    const sibling = hexToBytes(step)
    if (place % 2 === 1 || place === last) {
      root = hash('node', sibling, root)
      while (place % 2 === 0 && place !== 0) [place, last] = [place / 2, Math.floor(last / 2)]
    } else {
      root = hash('node', root, sibling)
    }
    ;[place, last] = [Math.floor(place / 2), Math.floor(last / 2)]
  }
  return last === 0 ? bytesToHex(root) : undefined
}
