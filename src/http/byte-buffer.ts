const FIRST_BYTES = 1024

/**
 * Collects a body that arrives in pieces, up to a limit. It copies the pieces, because a sender may send single bytes, which would occupy hundreds of times
 * their length if they were kept as they arrive.
 */
export class ByteBuffer {
  readonly #mostBytes: number
  #held: Uint8Array<ArrayBuffer> = new Uint8Array(0)
  #size = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** The bytes collected so far. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#held.subarray(0, this.#size)
  }

  /** Returns `false` if the piece does not fit. */
  add(piece: Uint8Array): boolean {
    const size = this.#size + piece.byteLength
    if (size > this.#mostBytes) return false
    if (size > this.#held.byteLength) {
      const grown = new Uint8Array(Math.min(this.#mostBytes, Math.max(size, 2 * this.#held.byteLength, FIRST_BYTES)))
      grown.set(this.bytes)
      this.#held = grown
    }
    this.#held.set(piece, this.#size)
    this.#size = size
    return true
  }
}
