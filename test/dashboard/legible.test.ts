import type { DashboardTexts } from 'latchkey/dashboard'
import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { languages } from '../../src/dashboard/texts/languages.js'
import { texts } from '../../src/dashboard/texts.js'
import { findChromium } from './support/browser.js'
import { seed } from './support/seed.js'
import { chooseEveryTenant, press, stage, wider } from './support/stage.js'

const { path = '', skip } = findChromium()

/** Returns the texts that are cut off and that no title shows in full. */
const cutOff = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll('body *')]
      .filter((node) => node.checkVisibility() && !node.matches('input, select, textarea'))
      .filter((node) => getComputedStyle(node).textOverflow === 'ellipsis' && node.scrollWidth > node.clientWidth)
      .map((node) => ({ text: node.textContent?.trim() ?? '', title: node.closest('[title]')?.getAttribute('title') ?? '' }))
      .filter(({ text, title }) => !title.includes(text))
      .map(({ text }) => text),
  )

describe('names of columns', () => {
  it.each(['en', ...Object.keys(languages)])('the two creation columns have different labels in %s', (language) => {
    const known: DashboardTexts = (Object.hasOwn(languages, language) ? languages[language] : undefined) ?? texts
    expect(known['list.column.createdTime']).toContain(known['list.column.created'])
    expect(known['list.column.createdTime']).toMatch(/\(.+\)/)
  })
})

describe.skipIf(skip !== undefined)(`legibility ${skip ?? ''}`, () => {
  const play = stage(path)

  it.each([900, 1440, 1920])('the axis of the usage chart shows each date once at %i pixels', (width) =>
    play({ before: seed, context: { viewport: { width, height: 900 } } }, async ({ page, world }) => {
      await page.addInitScript(() => {
        const drawn: string[] = []
        Reflect.set(window, 'drawn', drawn)
        const { fillText, clearRect } = CanvasRenderingContext2D.prototype
        CanvasRenderingContext2D.prototype.clearRect = function (...place) {
          drawn.length = 0
          clearRect.call(this, ...place)
        }
        CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
          drawn.push(text)
          fillText.call(this, text, ...place)
        }
      })
      const [{ id } = { id: '' }] = (await world.tokens.system.list()).items.filter(({ name }) => name === 'Web shop')
      await page.goto(`${world.url}?token=${id}`)
      const dates = (): Promise<string[]> =>
        page.evaluate(() => (Reflect.get(window, 'drawn') as string[]).filter((text) => /\d [A-Z]/.test(text)))
      for (const [range, fewest] of [
        ['7 days', 6],
        ['30 days', 5],
        ['90 days', 3],
      ] as const) {
        await page.getByRole('button', { name: '24 hours' }).click()
        await expect.poll(async () => (await dates()).length).toBe(0)
        await page.getByRole('button', { name: range }).click()
        await expect.poll(async () => (await dates()).length).toBeGreaterThanOrEqual(fewest)
        const shown = await dates()
        expect(shown).toEqual([...new Set(shown)])
      }
    }),
  )

  it.each([320, 768, 1280])('the column menu touches its button at %i pixels, including in right-to-left languages', (width) =>
    play({ before: seed, dashboard: { language: 'ar' }, context: { viewport: { width, height: 844 } } }, async ({ page }) => {
      const opener = page.locator('.head-actions button').first()
      for (const direction of ['rtl', 'ltr']) {
        await page.evaluate((dir) => document.documentElement.setAttribute('dir', dir), direction)
        await opener.click()
        const ends = async (what: Locator): Promise<readonly [left: number, right: number]> => {
          const box = await what.boundingBox()
          return [box?.x ?? 0, (box?.x ?? 0) + (box?.width ?? 0)]
        }
        const menu = page.locator('.chooser')
        // The menu is placed after it has opened.
        const apart = async (): Promise<number> => {
          const [[left, right], [from, to]] = [await ends(opener), await ends(menu)]
          return Math.min(Math.abs(left - from), Math.abs(right - to))
        }
        await expect.poll(apart, { message: direction }).toBeLessThan(2)
        const [from, to] = await ends(menu)
        expect(from).toBeGreaterThanOrEqual(0)
        expect(to).toBeLessThanOrEqual(width)
        await page.keyboard.press('Escape')
      }
    }),
  )

  it.each([768, 1200, 1280, 1440])('a title shows the full text of everything that is cut off, at %i pixels', (width) => {
    const long = 'a.name.that.goes.on.and.on.for.much.longer.than.any.column.has.room.for@acme.example'
    return play(
      {
        context: { viewport: { width, height: 900 } },
        dashboard: {
          title: `Tokens of the warehouses ${long}`,
          metadata: [{ key: 'contact', label: 'Contact' }],
        },
        options: { scopes: { [`${'warehouse'.repeat(5)}:read`]: 'Stock' }, groups: {} },
        async before({ tokens, store }) {
          const { record } = await tokens.as({ id: long, tenants: '*', manages: 'all' }).create({
            name: `Export to ${long}`,
            description: `Exports to ${long}, every night`,
            tenantId: 'a-tenant-whose-name-goes-on-for-much-longer-than-its-column',
            ownerId: long,
            scopes: [`${'warehouse'.repeat(5)}:read`],
            metadata: { contact: long },
          })
          const bucketAt = Math.floor(Date.now() / 3_600_000) * 3_600_000
          const endpoint = `GET /api/${'warehouses/:warehouse/'.repeat(9)}`
          const counts = [{ tokenId: record.id, bucketAt, endpoint, outcome: 'allowed', scope: '', count: 7 }] as const
          await store.recordUsage({ nodeId: 'here', seq: 1, at: Date.now(), counts, addresses: [], lastUses: [] })
          await tokens.as({ id: long, tenants: '*', manages: 'all' }).deactivate(record.id)
        },
      },
      async ({ page }) => {
        await page.evaluate(() =>
          localStorage.setItem('latchkey.columns', JSON.stringify(['client', 'owner', 'status', 'scopes', 'created', 'metadata.contact'])),
        )
        await page.reload()
        const name = page.locator('a.token-name')
        await name.waitFor()
        expect(await cutOff(page)).toEqual([])
        await name.click()
        await page.locator('.shares code').first().waitFor()
        expect(await cutOff(page)).toEqual([])
      },
    )
  })

  it.each([794, 1280])('nothing is cut off in a printed list, and the list has no controls, at %i pixels', (width) => {
    const long = 'a.name.that.goes.on.and.on.for.much.longer.than.any.column.has.room.for@acme.example'
    return play(
      {
        context: { viewport: { width, height: 900 } },
        before: ({ tokens }) =>
          tokens.as({ id: long, tenants: '*', manages: 'all' }).create({
            name: `Export to ${long}`,
            description: `Exports to ${long}, every night`,
            tenantId: 'a-tenant-whose-name-goes-on-for-much-longer-than-its-column',
            ownerId: long,
            scopes: ['inventory:read'],
          }),
      },
      async ({ page }) => {
        await page.locator('a.token-name').waitFor()
        await page.emulateMedia({ media: 'print' })
        const cut = await page.locator('main').evaluate((main) =>
          [...main.querySelectorAll('*')]
            .filter((node) => node.checkVisibility() && !node.closest('.hidden, svg, thead'))
            .filter((node) => getComputedStyle(node).overflowX !== 'visible' && node.scrollWidth > node.clientWidth + 1)
            .map((node) => node.className),
        )
        expect(cut).toEqual([])
        expect(await wider(page.locator('main'))).toEqual([])
        expect(await page.locator('main').getByRole('checkbox').filter({ visible: true }).count()).toBe(0)
        expect(await page.getByText(`Exports to ${long}, every night`).isVisible()).toBe(true)
      },
    )
  })

  it('a card keeps its hint, its copy button and its description within its edges at a large font size', () =>
    play({ before: seed, context: { viewport: { width: 320, height: 844 } } }, async ({ page }) => {
      const client = await page.context().newCDPSession(page)
      await client.send('Page.enable')
      await client.send('Page.setFontSizes', { fontSizes: { standard: 24 } })
      await page.reload()
      const lines = page.locator('.token-card .hint-line')
      await expect.poll(() => lines.count()).toBe(12)
      const hidden = await lines.evaluateAll((all) =>
        all.flatMap((node) => {
          const box = node.getBoundingClientRect()
          const inside = ({ right, bottom }: DOMRect): boolean => right <= box.right + 1 && bottom <= box.bottom + 1
          return [...node.querySelectorAll('code, button, p')]
            .filter((part) => !inside(part.getBoundingClientRect()))
            .map(({ tagName }) => tagName)
        }),
      )
      expect(hidden).toEqual([])
    }))

  it('an edit strikes through the scopes that it removes, and nothing else', () =>
    play({ before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: ['orders:read', 'inventory:read'] }) }, async ({ page }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Edit')
      const dialog = page.getByRole('dialog')
      await dialog.getByRole('checkbox', { name: /^orders:read / }).uncheck()
      await expect.poll(() => dialog.locator('.scope-change del').allTextContents()).toEqual(['orders:read'])
    }))

  it.each([320, 768])('the form for a new token has a live summary at %i pixels', (width) =>
    play({ context: { viewport: { width, height: 844 } } }, async ({ page }) => {
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Name').fill('Warehouse sync')
      await chooseEveryTenant(page)
      await dialog.getByRole('checkbox', { name: /^inventory:read / }).check()
      const brief = dialog.locator('summary', { hasText: 'Summary' })
      await expect.poll(() => brief.textContent()).toMatch(/^Summary: All tenants · inventory:read · Expires \d+ \w+ \d{4}$/)
      // One line, or two where the window is as narrow as a phone.
      const { y = 844, height = 844 } = (await brief.boundingBox()) ?? {}
      expect(y + height).toBeLessThan(844)
      expect(height).toBeLessThan(width > 700 ? 40 : 80)
      await dialog.getByRole('checkbox', { name: /^orders:write / }).check()
      await expect.poll(() => brief.textContent()).toContain('orders:write')
      await brief.focus()
      await page.keyboard.press('Enter')
      await dialog.locator('.overview').getByText('Create and change orders').waitFor()
      expect(await dialog.locator('.overview').getByText('Warehouse sync').isVisible()).toBe(true)
      expect(await wider(dialog)).toEqual([])
      // At 400% zoom, the fields need all the room.
      await page.setViewportSize({ width: 320, height: 256 })
      await expect.poll(async () => (await dialog.locator('.dialog-body').boundingBox())?.height).toBeGreaterThan(100)
    }),
  )
})
