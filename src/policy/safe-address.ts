/** The message for a URL that is not safe. */
export const NOT_SAFE = 'must be an https URL, or http on a loopback address'

/** Returns whether responses from this URL are safe from tampering in transit: it uses https, or points to this machine. */
export function isSafeAddress(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname))
}
