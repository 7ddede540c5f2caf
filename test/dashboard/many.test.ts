import type { TokenStore } from 'latchkey'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { interceptStore } from 'latchkey/testing'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { storedEvent, storedToken } from '../support/records.js'
import { findChromium } from './support/browser.js'
import { stage } from './support/stage.js'

const { path = '', skip } = findChromium()
const COUNT = 100_000
const BATCH = 5_000

/** Fills a database and then records how long each store call takes. */
async function filled(): Promise<{ readonly store: TokenStore; readonly took: readonly number[] }> {
  const inner = sqliteStore(':memory:')
  await inner.migrate?.()
  await fill(inner)
  const took: number[] = []
  const store = interceptStore(inner, async (_, proceed) => {
    const from = performance.now()
    try {
      return await proceed()
    } finally {
      took.push(performance.now() - from)
    }
  })
  return { store, took }
}

async function fill(store: TokenStore): Promise<void> {
  for (let from = 0; from < COUNT; from += BATCH) {
    const inserts = Array.from({ length: BATCH }, (_, index) =>
      storedToken({
        prefix: 'acme_live',
        name: `Token ${from + index}`,
        tenantId: `client-${(from + index) % 500}`,
        createdAt: 1_700_000_000_000 + from + index,
      }),
    )
    await store.commit({ inserts, events: [storedEvent({ prefix: 'acme_live' })] })
  }
}

describe.skipIf(skip !== undefined)(`the page with a hundred thousand tokens ${skip ?? ''}`, () => {
  const play = stage(path)

  it('the page loads and renders only one page of a hundred thousand tokens at a time', async () => {
    const { store, took } = await filled()
    const shown: string[] = []
    /** Runs a step and waits, in the page itself, until the first row shows this token. */
    const timed = async (page: Page, what: string, step: () => Promise<unknown>, name: string): Promise<void> => {
      const from = performance.now()
      await step()
      // Uses an interval, because animation frames come late while nothing moves.
      await page.waitForFunction((text) => document.querySelector('a.token-name')?.textContent === text, name, { polling: 10 })
      shown.push(`${what} ${Math.round(performance.now() - from)} ms`)
    }
    await play({ options: { store, notices: false }, at: '?size=100' }, async ({ page, watched }) => {
      const first = () => page.locator('a.token-name').first().textContent()
      await expect.poll(first).toBe('Token 99999')
      await expect.poll(() => page.locator('tbody tr').count()).toBe(100)
      await page.locator('svg.spark').last().waitFor()
      expect(await page.locator('svg.spark *').count(), 'a sparkline has few elements').toBeLessThanOrEqual(300)
      await timed(page, 'reloaded in', () => page.reload({ waitUntil: 'commit' }), 'Token 99999')
      await timed(page, 'next page', () => page.getByRole('button', { name: 'Next' }).click(), 'Token 99899')
      const search = page.getByRole('searchbox', { name: 'Search by name' })
      await timed(page, 'search', () => search.fill('oken 4242'), 'Token 42429')
      await page.getByRole('button', { name: 'Token', exact: true }).click()
      await expect.poll(first).toBe('Token 4242')
      await search.fill('')
      await page.getByText(/More than 1,000 tokens match/).waitFor()
      await expect.poll(() => page.locator('tbody tr').count()).toBe(100)
      const lists = watched.requests.filter((url) => !/\/(tenants|owners)$/.test(new URL(url).pathname))
      const limits = lists.flatMap((url) => new URL(url).searchParams.getAll('limit'))
      expect(new Set(limits)).toEqual(new Set(['100', '1000']))
      expect(lists.filter((url) => url.includes('limit=1000')).length).toBeLessThanOrEqual(3)
      // For information only: tests do not assert times.
      console.info(
        `SQLite, ${COUNT} tokens, from the click to the rows: ${shown.join(', ')}; slowest store call ${Math.round(Math.max(...took))} ms`,
      )
    })
  }, 180_000)
})
