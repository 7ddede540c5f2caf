/** As much of a Node request of either protocol as tells. */
export type Sent = {
  readonly headers: { readonly [name: string]: unknown }
  readonly httpVersionMajor: number
  readonly stream?: { readonly endAfterHeaders?: unknown }
}

/** Was a body sent with this request (RFC 9112 §6.3)? HTTP/2 needs neither field for one; there, the last frame of the fields tells (RFC 9113 §8.1). */
export function hasBody({ headers, httpVersionMajor, stream }: Sent): boolean {
  const length = headers['content-length']
  if (length !== undefined) return length !== '0'
  return headers['transfer-encoding'] !== undefined || (httpVersionMajor > 1 && stream?.endAfterHeaders !== true)
}
