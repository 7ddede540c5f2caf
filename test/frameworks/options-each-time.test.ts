import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Authenticator, Warning } from 'latchkey'
import { authenticate } from 'latchkey/web'
import { authenticateUpgrade } from 'latchkey/ws'
import { expect, it } from 'vitest'
import { instance, mint } from '../latchkey/harness.js'

type Asked = { readonly token: string; readonly onWarning: (warning: Warning) => void }

it.each<[name: string, ask: (tokens: Authenticator, asked: Asked) => unknown]>([
  [
    'authenticate on web requests',
    (tokens, { token, onWarning }) => {
      const request = new Request('http://host.test/', { headers: { authorization: `Bearer ${token}` } })
      return authenticate(tokens, request, { onWarning, ip: '10.0.0.1' })
    },
  ],
  [
    'authenticateUpgrade',
    (tokens, { token, onWarning }) => {
      const request = Object.assign(new IncomingMessage(new Socket()), { method: 'GET', rawHeaders: ['Authorization', `Bearer ${token}`] })
      return authenticateUpgrade(tokens, request, { onWarning, ip: () => '10.0.0.1' })
    },
  ],
])('%s warns about a shared address even if its options are created for each request', async (_name, ask) => {
  const told: Warning[] = []
  const tokens = instance()
  for (let at = 0; at < 60; at += 1) await ask(tokens, { token: (await mint(tokens)).token, onWarning: (warning) => told.push(warning) })
  expect(told.map(({ code }) => code)).toEqual(['LATCHKEY_W011'])
})
