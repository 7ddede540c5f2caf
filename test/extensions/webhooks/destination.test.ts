import type { LookupAddress } from 'node:dns'
import { describe, expect, it } from 'vitest'
import { ADDRESS_REFUSED, type Destination, readDestination } from '../../../src/extensions/webhooks/destination.js'
import { send } from '../../../src/extensions/webhooks/send.js'
import { isPublicIp } from '../../../src/policy/network.js'
import { receiver } from './receiver.js'

const PRIVATE = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '100.64.0.1',
  '100.100.100.200',
  '127.0.0.1',
  '127.255.255.254',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.192',
  '192.0.2.1',
  '192.168.1.1',
  '198.18.0.1',
  '203.0.113.7',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '::ffff:0:8.8.8.8',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::1',
  '3fff::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  '4000::1',
  '2606:4700::5efe:10.0.0.1',
  '2606:4700::200:5efe:a00:1',
  '',
  'example.com',
  '010.0.0.1',
  '127.1',
]

const resolving =
  (...rounds: readonly (readonly string[])[]) =>
  (_: string, answer: (error: Error | null, found: readonly LookupAddress[]) => void): void => {
    const addresses = rounds.length > 1 ? (rounds as string[][]).shift() : rounds[0]
    setImmediate(() =>
      answer(
        null,
        (addresses ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      ),
    )
  }

const post = (destination: Destination) =>
  send({ destination, headers: {}, body: '{}', timeoutMs: 2000, ca: undefined, signal: new AbortController().signal, now: Date.now() })

describe('receiver addresses', () => {
  it.each(PRIVATE)('%s is not a public address', (ip) => {
    expect(isPublicIp(ip)).toBe(false)
  })

  it.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'])('%s is a public address', (ip) => {
    expect(isPublicIp(ip)).toBe(true)
  })

  it.each([
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://0177.0.0.1/',
    'https://127.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://[::1]/',
    'https://[::ffff:169.254.169.254]/',
    'https://[64:ff9b::7f00:1]/',
    'http://localhost/',
    'https://localhost/',
    'http://127.0.0.1/',
    'http://example.com/',
    'http://8.8.8.8/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'https://ada@example.com/',
    'https://example.com/#x',
    'nonsense',
  ])('readDestination() rejects the URL %s', (url) => {
    expect(() => readDestination('url', url, [])).toThrow('url: ')
  })

  it.each([
    ['http://localhost/', ['127.0.0.1']],
    ['https://localhost/', ['::1']],
    ['http://localhost/', ['127.0.0.0/8']],
    ['https://intern.example.com/', []],
  ])('readDestination() accepts the URL %s with allowPrivate %j', (url, allowPrivate) => {
    expect(readDestination('url', url, allowPrivate).origin).toBe(new URL(url).origin)
  })

  it.each([
    ['https://intern.example.com/', ['10.0.0.1']],
    ['https://mixed.example.com/', ['93.184.215.14', '10.0.0.1']],
    ['https://six.example.com/', ['2606:4700::1111', 'fd00::1']],
    ['https://mapped.example.com/', ['::ffff:127.0.0.1']],
    ['https://none.example.com/', []],
    ['http://localhost/', ['127.0.0.1']],
    ['http://localhost/', ['93.184.215.14']],
    ['https://localhost/', ['127.0.0.1']],
  ])('a delivery to %s is refused before connecting when the name resolves to %j', async (url, addresses) => {
    const destination = readDestination('url', url, ['::1'], resolving(addresses))
    expect(await post(destination)).toEqual({ delivered: false, failure: 'address_refused' })
  })

  it.each([
    { code: 'ETIMEOUT', syscall: 'queryA' },
    { code: 'ESERVFAIL', syscall: 'queryAaaa' },
    { code: 'ENOTFOUND', syscall: 'getaddrinfo' },
    { code: 'EAI_AGAIN', syscall: 'getaddrinfo' },
  ])('a delivery fails with name_not_found when the name resolves to %o', async (fields) => {
    const destination = readDestination('url', 'https://example.com/', [], (_, answer) =>
      answer(Object.assign(new Error('query'), fields), []),
    )
    expect(await post(destination)).toEqual({ delivered: false, failure: 'name_not_found' })
  })

  it('allowPrivate permits listed addresses, and plain HTTP only on the loopback interface', async () => {
    const target = await receiver()
    const url = `http://localhost:${target.port}/`
    expect(await post(readDestination('url', url, ['127.0.0.0/8'], resolving(['127.0.0.1'])))).toEqual({ delivered: true })
    expect(await post(readDestination('url', url, ['127.0.0.0/8'], resolving(['127.0.0.1', '::1'])))).toMatchObject({
      failure: 'address_refused',
    })
    expect(await post(readDestination('url', url, ['0.0.0.0/0'], resolving(['93.184.215.14'])))).toMatchObject({
      failure: 'address_refused',
    })
    expect(target.seen).toHaveLength(1)
  })

  it('a delivery connects to the address that was checked, even if the name resolves differently a moment later', async () => {
    const target = await receiver()
    // The allowed address comes first; a second lookup would return another address.
    const rounds = resolving(['127.0.0.1'], ['127.0.0.2'])
    let asked = 0
    const destination = readDestination('url', `http://localhost:${target.port}/`, ['127.0.0.1'], (hostname, answer) => {
      asked += 1
      rounds(hostname, answer)
    })
    expect(await post(destination)).toEqual({ delivered: true })
    expect(asked).toBe(1)
    expect(await post(destination)).toEqual({ delivered: false, failure: 'address_refused' })
    expect(target.seen).toHaveLength(1)
  })

  it('both forms of Node’s lookup report a refused address with the same error code', async () => {
    const { lookup } = readDestination('url', 'https://example.com/', [], resolving(['10.0.0.1']))
    for (const all of [true, false]) {
      const error = await new Promise((resolve) => lookup('example.com', { all }, resolve as never))
      expect(error).toMatchObject({ code: ADDRESS_REFUSED })
    }
    const found = await new Promise((resolve) =>
      readDestination('url', 'https://example.com/', [], resolving(['8.8.8.8'])).lookup('example.com', { all: false }, (...answer) =>
        resolve(answer),
      ),
    )
    expect(found).toEqual([null, '8.8.8.8', 4])
  })
})
