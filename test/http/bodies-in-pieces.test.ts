import { expect, it } from 'vitest'
import { readRawBody, TooLargeError } from '../../src/http/fetch-answer.js'
import { readBody } from '../../src/management/body.js'

/** A body of one-byte pieces that share their memory. A reader that keeps the pieces instead of copying them reads wrong bytes. */
function inPieces(text: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  const bytes = new TextEncoder().encode(text)
  const piece = new Uint8Array(1)
  let at = 0
  return new ReadableStream(
    {
      pull(controller) {
        const byte = bytes[at]
        at += 1
        if (byte === undefined) return controller.close()
        piece[0] = byte
        controller.enqueue(piece)
      },
    },
    { highWaterMark: 0 },
  )
}

const LONG = JSON.stringify({ name: 'naïve '.repeat(3_000) })

// A piece costs hundreds of bytes, however short it is, and the sender chooses how short.
it('a body that arrives byte by byte is read correctly even if its chunks share memory', async () => {
  const read = await readRawBody({ headers: new Headers(), body: inPieces(LONG) }, 100_000)
  expect(new TextDecoder().decode(read)).toBe(LONG)
})

it('a body that is too long is rejected at the limit, whatever the length of its pieces', async () => {
  const body = inPieces(LONG)
  await expect(readRawBody({ headers: new Headers(), body }, 10_000)).rejects.toBeInstanceOf(TooLargeError)
  const exact = await readRawBody({ headers: new Headers(), body: inPieces('x'.repeat(10_000)) }, 10_000)
  expect(exact.byteLength).toBe(10_000)
})

it('management reads a body that arrives byte by byte, and refuses a body that is too long', async () => {
  const request = (): Request =>
    new Request('http://host/', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: inPieces(LONG),
      duplex: 'half',
    } as RequestInit)
  expect(await readBody(request(), {}, 100_000)).toEqual(JSON.parse(LONG))
  await expect(readBody(request(), {}, 10_000)).rejects.toMatchObject({ code: 'payload_too_large' })
})
