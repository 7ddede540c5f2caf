import type { CDPSession, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { confirm, createByPage, keep, press, stage } from './support/stage.js'

const { path = '', skip } = findChromium()

describe.skipIf(skip !== undefined)(`a token shown once ${skip ?? ''}`, () => {
  const play = stage(path)

  it('a token shown once is copied by its button and not dismissed by a stray click or Escape', () =>
    play({ context: { permissions: ['clipboard-read', 'clipboard-write'] } }, async ({ page }) => {
      const token = await createByPage(page, 'ERP')
      await confirm(page, 'Copy token')
      await page.getByRole('dialog').getByText('Copied').first().waitFor()
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(token)
      await page.mouse.click(5, 5)
      for (let times = 0; times < 3; times += 1) await page.keyboard.press('Escape')
      expect(await page.locator('[data-token]:not(:empty)').textContent()).toBe(token)
    }))

  it('a dismissed token does not remain in the DOM, URL, history, storage, cache or memory of the page', () =>
    play({}, async ({ page, world }) => {
      const client = await page.context().newCDPSession(page)
      const token = await createByPage(page, 'ERP')
      expect(await inHeap(client, token), 'the token can be found while it is shown').toBe(true)
      await keep(page)
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Rotate')
      await confirm(page, 'Rotate')
      const successor = (await page.locator('[data-token]:not(:empty)').textContent()) ?? ''
      await keep(page)
      await page.getByText(/The token it replaces works until/).waitFor()
      for (const secret of [token, successor].map((text) => text.split('_').at(-1) ?? '')) {
        expect(secret).toHaveLength(49)
        expect(await traces(page)).not.toContain(secret)
        expect(await inHeap(client, secret)).toBe(false)
        await page.goBack()
        expect(await traces(page)).not.toContain(secret)
        await page.goForward()
      }
      expect(JSON.stringify(world.seen)).not.toContain(successor.slice(-49))
    }))
})

/** Collects everything that a page leaves behind where someone could find it later. */
async function traces(page: Page): Promise<string> {
  const { entries } = await (await page.context().newCDPSession(page)).send('Page.getNavigationHistory')
  const state = await page.context().storageState({ indexedDB: true })
  const inPage = await page.evaluate(async () => {
    const caches = await globalThis.caches.keys().catch(() => [])
    const fields = [...document.querySelectorAll<HTMLInputElement>('input, textarea')].map(({ value }) => value)
    return JSON.stringify([
      document.documentElement.outerHTML,
      fields,
      location.href,
      history.state,
      { ...localStorage },
      { ...sessionStorage },
      caches,
      document.cookie,
      name,
    ])
  })
  return JSON.stringify([entries, state, inPage])
}

/** Whether the script's heap contains a string after garbage collection. */
async function inHeap(client: CDPSession, text: string): Promise<boolean> {
  let snapshot = ''
  const add = ({ chunk }: { chunk: string }): void => {
    snapshot += chunk
  }
  await client.send('HeapProfiler.enable')
  await client.send('HeapProfiler.collectGarbage')
  await client.send('HeapProfiler.collectGarbage')
  client.on('HeapProfiler.addHeapSnapshotChunk', add)
  await client.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false })
  client.off('HeapProfiler.addHeapSnapshotChunk', add)
  return snapshot.includes(text)
}
