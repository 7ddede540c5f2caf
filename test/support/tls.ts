import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why certificates cannot be made here, or `undefined`. With `LATCHKEY_REQUIRE_SERVICES=1`, this is an error. */
export const opensslMissing = (): string | undefined => {
  if (spawnSync('openssl', ['version']).status === 0) return undefined
  const skip = 'there is no openssl on the path to make certificates for this test'
  if (process.env.LATCHKEY_REQUIRE_SERVICES === '1') throw new Error(`LATCHKEY_REQUIRE_SERVICES=1, but ${skip}`)
  console.warn(`skipped: ${skip}`)
  return skip
}

/** The files of a test authority, of a server's key with a certificate from that authority for `localhost` only, and of another authority. */
export type Certificates = {
  readonly ca: string
  readonly key: string
  readonly cert: string
  readonly otherCa: string
  remove(): Promise<void>
}

/** Makes new certificates, valid for a day. */
export const makeCertificates = async (): Promise<Certificates> => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-tls-'))
  const at = (name: string): string => join(folder, name)
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  }
  for (const name of ['ca', 'other']) {
    const subject = ['-subj', `/CN=latchkey test ${name}`, '-days', '1', '-nodes']
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`), ...subject)
  }
  const request = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-nodes']
  openssl('req', '-newkey', 'rsa:2048', '-keyout', at('server.key'), '-out', at('server.csr'), ...request)
  const signing = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-copy_extensions', 'copy', '-days', '1']
  openssl('x509', '-req', '-in', at('server.csr'), '-out', at('server.pem'), ...signing)
  return {
    ca: at('ca.pem'),
    key: at('server.key'),
    cert: at('server.pem'),
    otherCa: at('other.pem'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
