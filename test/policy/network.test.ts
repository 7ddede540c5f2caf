import { BlockList, isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { compileNetworks, networksWithin, normalizeIp, readNetworks } from '../../src/policy/network.js'
import { fc } from '../support/property.js'

const refused = (field: string) => expect.objectContaining({ code: 'invalid_input', field })

const junk: unknown[] = [
  '',
  ' ',
  'localhost',
  'example.com',
  '10.0.0',
  '10.1',
  '10',
  '167772161',
  '0x0a000001',
  '010.0.0.1',
  '10.0.0.01',
  '10.0.0.256',
  '10.0.0.1.2',
  '10.0.0.1.',
  '.10.0.0.1',
  '10..0.1',
  '10.0.0.-1',
  '+10.0.0.1',
  ' 10.0.0.1',
  '10.0.0.1 ',
  '10.0.0.1\n',
  '10.0.0.1:',
  '10.0.0.1:443443',
  '10.0.0.1:443:1',
  '[10.0.0.1]',
  '[10.0.0.1]:443',
  '10.0.0.1, 10.0.0.2',
  '１０.0.0.1',
  '10.0.0.1%eth0',
  '[::1',
  '::1]',
  '[::1]443',
  '[::1]:',
  '[[::1]]:443',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '12345::',
  'g::',
  '::ffff:10.0.0',
  '::ffff:010.0.0.1',
  '::ffff:10.0.0.256',
  '::ffff:10.0.0.1.',
  'fe80::1%',
  '%eth0',
  'a'.repeat(1_000_000),
  ':'.repeat(1_000_000),
  undefined,
  null,
  0,
  Number.NaN,
  true,
  Symbol('ip'),
  {},
  [],
  ['10.0.0.1'],
  { toString: () => '10.0.0.1' },
  new String('10.0.0.1'),
]

test('says how to write localhost', () => {
  expect(() => readNetworks('allowedIps', ['localhost'])).toThrow(
    /^allowedIps\.0: "localhost" is a name: write the addresses 127\.0\.0\.1 and ::1$/,
  )
})

describe('normalizeIp', () => {
  const addresses: [string, string][] = [
    ['10.0.0.1', '10.0.0.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:0a00:0001', '10.0.0.1'],
    ['0:0:0:0:0:ffff:10.0.0.1', '10.0.0.1'],
    ['0000:0000:0000:0000:0000:ffff:255.255.255.255', '255.255.255.255'],
    ['::1', '::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:DB8::0001', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::', '::'],
    ['::10.0.0.1', '::a00:1'],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['203.0.113.7:54321', '203.0.113.7'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[::ffff:10.0.0.1]:80', '10.0.0.1'],
    ['[fe80::1%eth0]:443', 'fe80::1'],
  ]
  test.each(addresses)('normalizeIp() turns %s into %s', (input, expected) => {
    expect(normalizeIp(input)).toBe(expected)
    expect(normalizeIp(expected)).toBe(expected)
  })

  test('normalizeIp() returns undefined for an invalid address', () => {
    expect(junk.filter((input) => normalizeIp(input) !== undefined && input !== 'fe80::1%')).toEqual([])
  })

  test('normalizeIp() reads every address that the platform accepts', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (ip) => {
        const normal = normalizeIp(ip)
        // fast-check generates some addresses that the platform rejects.
        if (isIP(ip) === 0) return
        expect(isIP(normal ?? '')).toBeGreaterThan(0)
        expect(normalizeIp(normal)).toBe(normal)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('readNetworks', () => {
  const entries: [string, string][] = [
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7/32', '203.0.113.7'],
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.1.2.255/25', '10.1.2.128/25'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['1.2.3.4/0', '0.0.0.0/0'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['2001:db8:ffff::1/33', '2001:db8:8000::/33'],
    ['2001:db8::1/128', '2001:db8::1'],
    ['::/0', '::/0'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::ffff:10.1.2.3/104', '10.0.0.0/8'],
    ['::ffff:0:0/96', '0.0.0.0/0'],
  ]
  test.each(entries)('readNetworks() turns %s into %s', (input, expected) => {
    expect(readNetworks('allowedIps', [input])).toEqual([expected])
    expect(readNetworks('allowedIps', [expected])).toEqual([expected])
  })

  test('readNetworks() removes duplicates, keeps the order and freezes the list', () => {
    const networks = readNetworks('allowedIps', ['10.0.0.0/8', '::1', '10.9.9.9/8', '0::1'])
    expect(networks).toEqual(['10.0.0.0/8', '::1'])
    expect(Object.isFrozen(networks)).toBe(true)
    expect(readNetworks('allowedIps', [])).toEqual([])
  })

  test('readNetworks() rejects invalid entries and names them', () => {
    const ranges = [
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/08',
      '10.0.0.0/8 ',
      '10.0.0.0/ 8',
      '10.0.0.0/8/8',
      '10.0.0.0/8.0',
      '10.0.0.0/1e1',
      '10/8',
      '10.0.0.0/255.0.0.0',
    ]
    const more = [
      '::/129',
      '::/',
      '/8',
      '/',
      '10.0.*.*',
      '10.0.0.1-10.0.0.9',
      '*',
      'fe80::1%eth0',
      'fe80::%eth0/10',
      '10.0.0.1:443',
      '[::1]',
      '[::1]:443',
    ]
    for (const entry of [...junk, ...ranges, ...more]) {
      expect(() => readNetworks('allowedIps', ['10.0.0.1', entry])).toThrow(refused('allowedIps.1'))
    }
    for (const input of [undefined, null, '10.0.0.1', 7, {}, new Set(['10.0.0.1'])])
      expect(() => readNetworks('allowedIps', input)).toThrow(refused('allowedIps'))
    expect(() => readNetworks('allowedIps', new Array(1))).toThrow(refused('allowedIps.0'))
    expect(() =>
      readNetworks(
        'allowedIps',
        Array.from({ length: 1001 }, () => '::1'),
      ),
    ).toThrow(refused('allowedIps'))
  })
})

describe('compileNetworks', () => {
  test('compileNetworks() matches ranges exactly to the bit', () => {
    const allows = compileNetworks(['10.0.0.0/9', '203.0.113.7', '2001:db8::/33'])
    for (const ip of ['10.0.0.0', '10.127.255.255', '203.0.113.7', '2001:db8::', '2001:db8:7fff:ffff:ffff:ffff:ffff:ffff'])
      expect(allows(ip), ip).toBe(true)
    for (const ip of ['9.255.255.255', '10.128.0.0', '203.0.113.8', '203.0.113.6', '2001:db7::', '2001:db8:8000::', '::1'])
      expect(allows(ip), ip).toBe(false)
  })

  test('compileNetworks() treats an IPv4-mapped address as its IPv4 address', () => {
    expect(compileNetworks(['10.0.0.0/8'])('::ffff:10.1.2.3')).toBe(true)
    expect(compileNetworks(['::ffff:10.0.0.0/104'])('10.1.2.3')).toBe(true)
    expect(compileNetworks(['::ffff:10.0.0.0/104'])('11.1.2.3')).toBe(false)
  })

  test('compileNetworks() keeps address families separate: no IPv6 range contains IPv4', () => {
    expect(compileNetworks(['::/0'])('10.0.0.1')).toBe(false)
    expect(compileNetworks(['::/0'])('::ffff:10.0.0.1')).toBe(false)
    expect(compileNetworks(['0.0.0.0/0'])('::1')).toBe(false)
    expect(compileNetworks(['0.0.0.0/0'])('::10.0.0.1')).toBe(false)
  })

  test('compileNetworks() admits nothing without a valid address', () => {
    const allows = compileNetworks(['0.0.0.0/0', '::/0'])
    for (const ip of junk.filter((input) => input !== 'fe80::1%')) expect(allows(ip as string)).toBe(false)
  })

  test('compileNetworks() finds a mapped address in IPv4 ranges and in no IPv6 range except the mapped range', () => {
    for (const wide of ['::/0', '::/8', '::/64', '::/80', '::ffff:0:0/95']) expect(compileNetworks([wide])('::ffff:10.0.0.1')).toBe(false)
    for (const same of ['10.0.0.0/8', '::ffff:0:0/96', '::ffff:10.0.0.0/104']) expect(compileNetworks([same])('::ffff:10.0.0.1')).toBe(true)
  })

  test('compileNetworks() ignores corrupt entries, and admits nothing with an empty or corrupt list', () => {
    expect(compileNetworks([])('10.0.0.1')).toBe(false)
    for (const entry of [...junk, '10.0.0.0/33', '10.0.0.1/', '*']) expect(compileNetworks([entry as string])('10.0.0.1')).toBe(false)
    expect(compileNetworks(['junk', '10.0.0.1'])('10.0.0.1')).toBe(true)
    for (const list of [null, undefined, '10.0.0.1', {}, 7]) expect(compileNetworks(list as unknown as string[])('10.0.0.1')).toBe(false)
  })

  test("compileNetworks() agrees with the platform's BlockList except for mapped addresses", () => {
    const octet = fc.integer({ min: 0, max: 255 })
    const v4 = fc.tuple(fc.constantFrom(10, 192), fc.constantFrom(0, 1), octet, octet).map((parts) => parts.join('.'))
    const v6 = fc.array(fc.constantFrom('0', '1', '8000', 'ffff'), { minLength: 8, maxLength: 8 }).map((parts) => parts.join(':'))
    // Here, a mapped address is an IPv4 address and in no IPv6 range. The platform also finds it in `::/8`.
    const pureV6 = v6.filter((address) => !address.startsWith('0:0:0:0:0:ffff:'))
    fc.assert(
      fc.property(
        fc.oneof(
          fc.record({ net: v4, ip: v4, bits: fc.integer({ min: 0, max: 32 }) }),
          fc.record({ net: v6, ip: pureV6, bits: fc.integer({ min: 0, max: 128 }) }),
        ),
        ({ net, ip, bits }) => {
          const family = isIP(net) === 4 ? 'ipv4' : 'ipv6'
          const platform = new BlockList()
          platform.addSubnet(net, bits, family)
          const kept = readNetworks('allowedIps', [`${net}/${bits}`])
          expect(compileNetworks(kept)(ip)).toBe(platform.check(ip, family))
          expect(compileNetworks([`${net}/${bits}`])(ip)).toBe(platform.check(ip, family))
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('networksWithin', () => {
  test('networksWithin() accepts narrower or equal lists and rejects wider lists', () => {
    expect(networksWithin(['10.0.0.0/8'], undefined)).toBe(true)
    expect(networksWithin(undefined, undefined)).toBe(true)
    expect(networksWithin(undefined, ['0.0.0.0/0', '::/0'])).toBe(false)
    expect(networksWithin([], ['10.0.0.0/8'])).toBe(true)
    expect(networksWithin([], [])).toBe(true)
    expect(networksWithin(['10.1.0.0/16', '10.2.3.4'], ['10.0.0.0/8'])).toBe(true)
    expect(networksWithin(['10.0.0.0/8'], ['10.0.0.0/8', '::1'])).toBe(true)
    expect(networksWithin(['10.0.0.0/8'], ['10.0.0.0/9'])).toBe(false)
    expect(networksWithin(['10.0.0.0/8'], ['10.0.0.0/9', '10.128.0.0/9'])).toBe(false)
    expect(networksWithin(['10.1.0.0/16', '11.0.0.1'], ['10.0.0.0/8'])).toBe(false)
    expect(networksWithin(['10.0.0.1'], [])).toBe(false)
    expect(networksWithin(['10.0.0.1'], ['::/0'])).toBe(false)
    expect(networksWithin(['2001:db8::/48'], ['2001:db8::/32'])).toBe(true)
    expect(networksWithin(['::ffff:10.0.0.1'], ['10.0.0.0/8'])).toBe(true)
    expect(networksWithin(['::/0'], ['::ffff:0:0/96'])).toBe(false)
  })

  test('networksWithin() rejects corrupt lists on either side', () => {
    for (const list of [null, 'junk', {}, 7, ['junk'], [null]]) {
      expect(networksWithin(list as unknown as string[], ['0.0.0.0/0', '::/0'])).toBe(false)
      expect(networksWithin(['10.0.0.1'], list as unknown as string[])).toBe(false)
    }
  })

  test('networksWithin() accepts exactly the lists whose ranges each lie within one range of the outer list', () => {
    const v4 = fc
      .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 24, max: 32 }))
      .map(([last, bits]) => `10.0.0.${last & (0xff << (32 - bits))}/${bits}`)
    const v6 = fc
      .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 112, max: 128 }))
      .map(([last, bits]) => `2001:db8::${(last & ~(2 ** (128 - bits) - 1)).toString(16)}/${bits}`)
    const lists = fc.array(fc.oneof(v4, v6), { maxLength: 6 })
    const isWithin = (one: string, other: string): boolean => {
      const [address = '', bits] = one.split('/')
      const [start = '', wide] = other.split('/')
      const allows = compileNetworks([other])
      return address.includes(':') === start.includes(':') && Number(wide) <= Number(bits) && allows(address)
    }
    fc.assert(
      fc.property(lists, lists, (inner, outer) => {
        const expected = inner.every((one) => outer.some((other) => isWithin(one, other)))
        expect(networksWithin(inner, outer)).toBe(expected)
      }),
      { numRuns: 3000 },
    )
  })

  test('networksWithin() parses each entry of long lists once', () => {
    const outer = Array.from({ length: 999 }, (_, at) => `2001:db8:1:${at.toString(16)}::/64`)
    const inner = Array.from({ length: 1000 }, (_, at) => `2001:db8::${at.toString(16)}`)
    const match = vi.spyOn(ipaddr.IPv6.prototype, 'match')
    onTestFinished(() => match.mockRestore())
    expect(networksWithin(inner, [...outer, '2001:db8::/112'])).toBe(true)
    expect(networksWithin(['2001:db9::1', ...inner], [...outer, '2001:db8::/112'])).toBe(false)
    expect(match.mock.calls.length).toBeLessThan(200_000)
  })

  test('networksWithin() accepts an inner list only if the outer list admits all of its addresses', () => {
    const network = fc
      .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 27, max: 32 }))
      .map(([last, bits]) => `10.0.0.${last * 4}/${bits}`)
    const lists = fc.option(fc.array(network, { maxLength: 3 }), { nil: undefined })
    fc.assert(
      fc.property(lists, lists, (inner, outer) => {
        if (!networksWithin(inner, outer)) return
        for (let last = 0; last < 64; last++) {
          const ip = `10.0.0.${last}`
          const [enters, may] = [inner, outer].map((list) => list === undefined || compileNetworks(list)(ip))
          if (enters) expect(may).toBe(true)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
