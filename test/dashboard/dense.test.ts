import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import type { World } from './support/host.js'
import { seed } from './support/seed.js'
import { stage, wider } from './support/stage.js'

const { path = '', skip } = findChromium()

/** Fills a row with everything that could make it taller: a long name and description, many scopes, an owner, and a status with a note. */
async function uneven(world: World): Promise<void> {
  await seed(world)
  const ada = world.tokens.as({ id: 'ada.with.a.long.name@acme.example', tenants: '*', manages: 'all' })
  const { record } = await ada.create({
    name: 'The nightly export of every order to the warehouse of the partner in Rotterdam',
    description: 'Runs at two, reads all orders of the day, and writes them to where the partner fetches them in the morning',
    tenantId: 'a-tenant-with-a-very-long-name-that-goes-on',
    ownerId: 'somebody.with.a.long.name@acme.example',
    scopes: ['inventory:read', 'inventory:write', 'orders:read', 'orders:write', 'billing:read'],
    expiresIn: '3d',
  })
  await ada.deactivate(record.id)
  await ada.create({ name: 'x', scopes: [] })
}

const heights = (page: Page): Promise<number[]> =>
  page.locator('tbody tr').evaluateAll((rows) => [...new Set(rows.map((row) => Math.round(row.getBoundingClientRect().height)))])

const HIGHEST = 70

describe.skipIf(skip !== undefined)(`rows ${skip ?? ''}`, () => {
  const play = stage(path)

  it.each([1200, 1440, 1920])('rows are compact and equally tall, whatever they contain, at %i pixels', (width) =>
    play({ before: uneven, context: { viewport: { width, height: 900 } } }, async ({ page }) => {
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      const [height = 0, ...others] = await heights(page)
      expect(others).toEqual([])
      expect(height).toBeLessThanOrEqual(HIGHEST)
      const lines = page.locator('tbody .chips')
      const broken = await lines.evaluateAll(
        (all) => all.filter((chips) => new Set([...chips.children].map((chip) => chip.getBoundingClientRect().top)).size > 1).length,
      )
      expect(broken).toBe(0)
    }),
  )

  it.each([768, 1280])('the bar for the selected tokens fits on one line at %i pixels', (width) =>
    play({ before: seed, context: { viewport: { width, height: 900 } } }, async ({ page }) => {
      await page.getByRole('checkbox', { name: 'Select Price feed' }).check()
      const bar = page.getByRole('region', { name: '1 selected' })
      const { x = 0, width: wide = 0, height = 0 } = (await bar.boundingBox()) ?? {}
      expect(height).toBeLessThan(70)
      expect(Math.abs(2 * x + wide - width)).toBeLessThan(20)
    }),
  )

  it('a column that the user chose shows in a small window, where it is hidden by default', () =>
    play({ before: seed, context: { viewport: { width: 1280, height: 900 } } }, async ({ page }) => {
      const column = page.getByRole('columnheader', { name: 'Calls, 14 days' })
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      expect(await column.count()).toBe(0)
      await page.getByRole('button', { name: 'Columns' }).click()
      await page.getByRole('checkbox', { name: 'Calls, 14 days' }).check()
      await column.waitFor()
      await page.reload()
      await column.waitFor()
    }))

  it.each([320, 1440])("a token's page shows long scopes in full, so similar scopes can be distinguished, at %i pixels", (width) => {
    const scopes = ['read', 'write'].map((action) => `${'warehouse-inventory'.repeat(3)}:${action}`)
    return play(
      {
        context: { viewport: { width, height: 900 } },
        options: { scopes: Object.fromEntries(scopes.map((scope) => [scope, 'Stock'])), groups: {} },
        before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes }),
      },
      async ({ page }) => {
        await page.getByRole('link', { name: 'ERP' }).click()
        const chips = page.locator('.facts .chip')
        await expect.poll(() => chips.count()).toBe(2)
        const cut = await chips.evaluateAll((all) =>
          all.filter((chip) => chip.scrollWidth > chip.clientWidth).map((chip) => chip.textContent),
        )
        expect(cut).toEqual([])
        expect(await wider(page.locator('main'))).toEqual([])
      },
    )
  })

  it('Previous and Next look disabled when there is no previous or next page', () =>
    play({ before: seed, at: '?size=10' }, async ({ page }) => {
      const cursor = (name: string): Promise<string> =>
        page.getByRole('button', { name, exact: true }).evaluate((button) => getComputedStyle(button).cursor)
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      expect([await cursor('Previous'), await cursor('Next')]).toEqual(['not-allowed', 'pointer'])
      await page.getByRole('button', { name: 'Next', exact: true }).click()
      await page.getByText('Page 2', { exact: true }).waitFor()
      await expect.poll(async () => [await cursor('Previous'), await cursor('Next')]).toEqual(['pointer', 'not-allowed'])
    }))
})
