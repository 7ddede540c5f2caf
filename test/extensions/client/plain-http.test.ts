import { createClient } from 'latchkey/client'
import { expect, it, vi } from 'vitest'

const reportsOf = (manage: string, origins?: readonly string[]): readonly string[] => {
  const reports: string[] = []
  const client = createClient({
    manage,
    load: () => undefined,
    save: () => undefined,
    onError: ({ code, message }) => reports.push(`${code}: ${message}`),
    ...(origins !== undefined && { origins }),
  })
  expect(client.fetch).toBeTypeOf('function')
  return reports
}

it.each([
  'http://api.example.com/admin',
  'http://8.8.8.8/admin',
  'http://172.32.0.1',
  'http://100.128.0.1',
  'http://[2001:db8::1]:3000/admin',
  'http://localhost.example.com',
  'http://internal.example.com',
])('createClient() reports once that %s receives the token unencrypted', (manage) => {
  expect(reportsOf(manage)).toEqual([`unencrypted: the token is sent without encryption to ${new URL(manage).origin}: use https://`])
})

it.each([
  'https://api.example.com/admin',
  'http://localhost:3000/admin',
  'http://127.0.0.1:3000',
  'http://[::1]:3000',
  'http://api:3000/admin',
  'http://api.shop.svc/admin',
  'http://api.shop.svc.cluster.local./admin',
  'http://api.internal',
  'http://10.1.2.3',
  'http://172.20.0.2:3000',
  'http://192.168.1.4',
  'http://100.64.0.1',
  'http://169.254.1.1',
  'http://[fd00::1]',
  'http://[fe80::1]',
])('createClient() accepts %s without a report', (manage) => {
  expect(reportsOf(manage)).toEqual([])
})

it('createClient() reports every origin that receives the token unencrypted', () => {
  expect(reportsOf('https://api.example.com', ['https://api.example.com', 'http://a.example.com', 'http://b.example.com:81'])).toEqual([
    'unencrypted: the token is sent without encryption to http://a.example.com, http://b.example.com:81: use https://',
  ])
})

it('createClient() also reports a management API on plain HTTP that is not one of the origins', () => {
  expect(reportsOf('http://a.example.com', ['https://api.example.com'])).toEqual([
    'unencrypted: the token is sent without encryption to http://a.example.com: use https://',
  ])
})

it('createClient() reports plain HTTP with console.warn by default', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  try {
    createClient({ manage: 'http://api.example.com', load: () => undefined, save: () => undefined })
    expect(warn.mock.calls).toEqual([
      ['latchkey/client: unencrypted: the token is sent without encryption to http://api.example.com: use https://'],
    ])
  } finally {
    warn.mockRestore()
  }
})
