import type { RandomSource } from './generate.js'

/** The platform's CSPRNG: `crypto.getRandomValues`, which Node, Bun, Deno and Workers all have. */
export const platformRandom: RandomSource = (size) => globalThis.crypto.getRandomValues(new Uint8Array(size))
