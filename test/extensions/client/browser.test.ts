import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { build } from 'esbuild'
import express from 'express'
import { latchkey } from 'latchkey'
import { authenticate, management } from 'latchkey/express'
import { memoryStore } from 'latchkey/stores/memory'
import { expect, it } from 'vitest'
import { findChromium, launch } from '../../dashboard/support/browser.js'

const { path, skip } = findChromium()

const PROGRAM = `
import { createClient } from './index.js'
const { origin } = location
const errors = []
// Not localStorage: even while it holds a lock, a tab may read a value there that another tab has long replaced.
const store = (mode, act) => new Promise((resolve, reject) => {
  const opening = indexedDB.open('holder')
  opening.onupgradeneeded = () => opening.result.createObjectStore('state')
  opening.onerror = () => reject(opening.error)
  opening.onsuccess = () => {
    const transaction = opening.result.transaction('state', mode)
    const request = act(transaction.objectStore('state'))
    transaction.oncomplete = () => resolve(request.result)
    transaction.onabort = () => reject(transaction.error)
  }
})
const load = () => store('readonly', (states) => states.get('token'))
const client = createClient({
  manage: origin + '/tokens',
  token: window.first,
  load,
  save: (state) => store('readwrite', (states) => states.put(state, 'token')),
  lock: (work) => navigator.locks.request('token', work),
  onError: (error) => errors.push(error.message),
})
window.run = async () => {
  const statuses = []
  for (let n = 0; n < 3; n += 1) {
    statuses.push((await client.fetch(origin + '/stock')).status)
    await client.rotate()
  }
  const redirected = await client.fetch(origin + '/redirect').catch((error) => error.message)
  return { statuses, errors, redirected, token: (await load()).token }
}`

it.skipIf(skip !== undefined)(
  'two browser tabs share a token through a Web Lock and follow no redirects',
  { timeout: 120_000 },
  async () => {
    const tokens = latchkey({
      prefix: 'acme_live',
      store: memoryStore(),
      scopes: { 'tokens:rotate-self': 'Replace itself with a successor' },
    })
    const entry = { contents: PROGRAM, resolveDir: 'src/extensions/client' }
    const { outputFiles } = await build({ stdin: entry, bundle: true, write: false, format: 'iife', platform: 'browser' })
    const app = express()
    app.get('/page', (_req, res) => void res.type('html').send('<!doctype html><title>holder</title>'))
    app.get('/redirect', (_req, res) => res.redirect('/stock'))
    app.get('/stock', authenticate(tokens), (req, res) => void res.json({ caller: req.principal?.tokenId }))
    app.use('/tokens', management(tokens, { actor: () => undefined }))
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const browser = await launch(path ?? '')
    try {
      const { token } = await tokens.system.create({ name: 'tab', scopes: ['tokens:rotate-self'] })
      const context = await browser.newContext()
      const tabs = await Promise.all([context.newPage(), context.newPage()])
      for (const tab of tabs) {
        await tab.goto(`${origin}/page`)
        await tab.evaluate(`window.first = '${token}'`)
        await tab.addScriptTag({ content: outputFiles[0]?.text ?? '' })
      }
      const outcomes = await Promise.all(tabs.map((tab) => tab.evaluate('window.run()')))
      for (const outcome of outcomes as { token: string }[]) {
        const { token: kept, ...rest } = outcome
        expect(rest).toEqual({
          statuses: [200, 200, 200],
          errors: [],
          redirected: `${origin} responded with a redirect, which is not followed`,
        })
        expect(kept).not.toBe(token)
        expect((await tokens.verify(kept)).ok).toBe(true)
      }
    } finally {
      await browser.close()
      server.close()
      server.closeAllConnections()
      await tokens.close()
    }
  },
)
