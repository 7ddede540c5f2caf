const ESCAPES = 'write @ as %40, # as %23, / as %2F, ? as %3F and % as %25'

/** An `@` after the first `/`, `?` or `#`, except in a query parameter's value. Everything before it is part of the user name or password. */
const LATE_AT = /^[^/?#]*(?:\/[^?#]*@|(?:\/[^?#]*)?\?[^=#]*@|[^#]*#.*@)/

const PORT = /^\d{0,5}$/

/**
 * Explains why a connection string cannot be used, or returns `undefined`.
 *
 * A reserved character in a password ends the host early, so the driver would connect to another host with part of the password in its name.
 *
 * The reason never repeats the string, because it contains a password.
 */
export function whyUnusable(text: string, schemes: readonly string[], expected: string = expectedOf(schemes)): string | undefined {
  const scheme = schemes.find((each) => text.toLowerCase().startsWith(`${each}//`))
  const parsed = URL.canParse(text) ? new URL(text) : undefined
  if (scheme === undefined) {
    return parsed !== undefined && schemes.includes(parsed.protocol) ? undefined : expected
  }
  const rest = text.slice(scheme.length + 2)
  if (LATE_AT.test(rest) || (parsed !== undefined && !isDecodable(parsed))) {
    return `must have the special characters of its user and password escaped: ${ESCAPES}`
  }
  if (parsed !== undefined) return undefined
  const [host = ''] = /[^@]*$/.exec(rest.split(/[/?#]/, 1)[0] ?? '') ?? []
  const [, port = ''] = /:([^\]]*)$/.exec(host) ?? []
  if (!PORT.test(port) || Number(port) > 65_535) return `must have a port number after the host, as in ${scheme}//user:password@host:1234`
  return `must be a valid URL, with the special characters of its user and password escaped: ${ESCAPES}`
}

function expectedOf(schemes: readonly string[]): string {
  return `must be a connection string that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`
}

/** Whether a driver can decode the user and password. */
function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username)
    decodeURIComponent(password)
    return true
  } catch {
    return false
  }
}
