import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readDestination } from '../../../src/extensions/webhooks/destination.js'
import { type Outcome, send } from '../../../src/extensions/webhooks/send.js'
import { type Certificates, makeCertificates, opensslMissing } from '../../support/tls.js'

const missing = opensslMissing()

describe.skipIf(missing)(`a receiver that speaks TLS ${missing ?? ''}`, () => {
  let certificates: Certificates
  let ca: string
  let otherCa: string
  let port: number
  const hosts: (string | undefined)[] = []
  const server = createServer((request, response) => {
    hosts.push(request.headers.host)
    response.writeHead(204).end()
  })

  beforeAll(async () => {
    certificates = await makeCertificates()
    ca = await readFile(certificates.ca, 'utf8')
    otherCa = await readFile(certificates.otherCa, 'utf8')
    server.setSecureContext({ key: await readFile(certificates.key), cert: await readFile(certificates.cert) })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })
  afterAll(async () => {
    server.close()
    await certificates?.remove()
  })

  /** Resolves every name to the test server. */
  const post = (host: string, authority: string | undefined): Promise<Outcome> =>
    send({
      destination: readDestination('url', `https://${host}:${port}/`, ['127.0.0.1'], (_, answer) =>
        answer(null, [{ address: '127.0.0.1', family: 4 }]),
      ),
      headers: {},
      body: '{}',
      timeoutMs: 5000,
      ca: authority,
      signal: new AbortController().signal,
      now: Date.now(),
    })

  it('a receiver is trusted if its certificate matches the URL’s host name, at the address that was checked', async () => {
    expect(await post('localhost', ca)).toEqual({ delivered: true })
    expect(hosts).toEqual([`localhost:${port}`])
  })

  it.each([
    ['its certificate is for another name', 'crm.example.com', () => ca],
    ['its certificate is for a name and the URL has an IP address', '127.0.0.1', () => ca],
    ['its certificate is from another authority', 'localhost', () => otherCa],
    ['its certificate is from an unknown authority', 'localhost', () => undefined],
  ])('nothing is sent to a receiver when %s, whatever the environment variables are', async (_, host, authority) => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    const before = hosts.length
    expect(await post(host, authority())).toEqual({ delivered: false, failure: 'tls_failed' })
    expect(hosts).toHaveLength(before)
    vi.unstubAllEnvs()
  })
})
