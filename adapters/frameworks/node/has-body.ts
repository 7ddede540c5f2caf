/** The parts of a Node request, over either protocol, that show whether it has a body. */
export type Sent = {
  readonly headers: { readonly [name: string]: unknown }
  readonly httpVersionMajor: number
  readonly stream?: { readonly endAfterHeaders?: unknown }
}

/**
 * Returns whether this request has a body (RFC 9112 §6.3). HTTP/2 needs neither header field; there, the end of the header block shows it (RFC 9113
 * §8.1).
 */
export function hasBody({ headers, httpVersionMajor, stream }: Sent): boolean {
  const length = headers['content-length']
  if (length !== undefined) return length !== '0'
  return headers['transfer-encoding'] !== undefined || (httpVersionMajor > 1 && stream?.endAfterHeaders !== true)
}
