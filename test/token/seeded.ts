import { createHash } from 'node:crypto'
import type { RandomSource } from '../../src/token/generate.js'

/** The same "random" bytes for the same seed: SHA-256 in counter mode. */
export function seeded(seed: number): RandomSource {
  let counter = 0
  return (size) => {
    const bytes = new Uint8Array(size)
    for (let at = 0; at < size; at += 32) {
      const block = createHash('sha256').update(`${seed}:${counter++}`).digest()
      bytes.set(block.subarray(0, Math.min(32, size - at)), at)
    }
    return bytes
  }
}
