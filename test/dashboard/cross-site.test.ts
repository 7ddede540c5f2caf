import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { stage } from './support/stage.js'

const { path = '', skip } = findChromium()

/** A page on another site that tries every kind of request against the API. */
const attack = (target: string, id: string): string => `<!doctype html><title>elsewhere</title>
<img src="${target}/${id}/revoke"><img src="${target}/revoke-all">
<iframe name="frame"></iframe><iframe id="framed" src="${target}"></iframe>
<form id="plain" method="post" enctype="text/plain" target="frame" action="${target}/revoke-all"><input name='{"all":true,"x":"' value='"}'></form>
<form id="usual" method="post" target="frame" action="${target}/${id}/revoke"><input name="reason" value="x"></form>
<script>
const tries = []
const send = (path, init) => tries.push(fetch('${target}' + path, { credentials: 'include', ...init }).then(async (r) => r.type + ' ' + (await r.text()).length, (e) => 'refused'))
const body = '{"all":true}'
for (const mode of ['no-cors', 'cors']) {
  send('/revoke-all', { method: 'POST', mode, body })
  send('/revoke-all', { method: 'POST', mode, body, headers: { 'content-type': 'text/plain' } })
  send('/${id}/revoke', { method: 'POST', mode })
  send('/${id}/rotate', { method: 'POST', mode, body: new URLSearchParams({ overlap: 0 }) })
  send('/', { mode })
}
send('/revoke-all', { method: 'POST', body, headers: { 'content-type': 'application/json' } })
send('/${id}', { method: 'PATCH', body: '{"name":"x"}', headers: { 'content-type': 'application/json' } })
navigator.sendBeacon('${target}/revoke-all', new Blob([body], { type: 'text/plain' }))
const leave = (name) => new Promise((done) => { setTimeout(done, 700); document.getElementById(name).submit() })
window.done = Promise.all(tries).then(async (answers) => { await leave('plain'); await leave('usual'); return answers })
</script>`

describe.skipIf(skip !== undefined)(`a page on another site ${skip ?? ''}`, () => {
  const play = stage(path)

  it("a page on another origin can change and read nothing with an administrator's cookie", () =>
    play({ at: '/openapi.json' }, async ({ world, page }) => {
      const { record } = await world.tokens.system.create({ name: 'kept', scopes: ['orders:read'] })
      const before = await world.tokens.system.get(record.id)
      // Another port on the same host name is the same site, so cookies are sent along regardless of SameSite.
      const elsewhere = createServer((_, response) => response.setHeader('content-type', 'text/html').end(attack(world.url, record.id)))
      await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
      try {
        const other = await page.context().newPage()
        await other.goto(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`)
        const answers = await other.evaluate(() => Reflect.get(window, 'done') as Promise<string[]>)
        expect(new Set(answers)).toEqual(new Set(['refused']))
        const framed = await other
          .frames()
          .find((frame) => frame.url().includes('chrome-error') || frame.url().startsWith(world.url))
          ?.locator('#page')
          .count()
        expect(framed ?? 0).toBe(0)
      } finally {
        elsewhere.closeAllConnections()
        elsewhere.close()
      }
      const arrived = world.seen.filter(({ method, path: at, cookie }) => method === 'POST' && cookie && at.startsWith('/admin/tokens/'))
      expect(arrived.length, 'the attempts reached the server, with the cookie').toBeGreaterThanOrEqual(6)
      expect(await world.tokens.system.get(record.id)).toEqual(before)
      expect((await world.tokens.system.list()).items).toHaveLength(1)
    }))
})
