import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { seed } from './support/seed.js'
import { confirm, createByPage, keep, listen, press, stage, type Wanted } from './support/stage.js'

const { path = '', skip } = findChromium()
const one: Wanted = { before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: ['orders:read'] }) }

const heard = (page: Page): Promise<string | null> => page.locator('[data-announcer]').textContent()
const focusIsSomewhere = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.activeElement !== null && document.activeElement !== document.body)
/** Whether something has the focus while a message is shown. */
const focusBeside = async (page: Page, message: string): Promise<boolean> =>
  (await focusIsSomewhere(page)) && (await page.getByText(message).count()) > 0

describe.skipIf(skip !== undefined)(`with a screen reader ${skip ?? ''}`, () => {
  const play = stage(path)

  it('the page announces how many tokens a search, a filter or a page shows', () =>
    play({ before: seed }, async ({ page }) => {
      await expect.poll(() => heard(page)).toBe('12 tokens shown')
      await page.getByRole('searchbox').first().fill('feed')
      await expect.poll(() => heard(page)).toBe('1 token shown')
      await page.getByRole('searchbox').first().fill('nothing like it')
      await expect.poll(() => heard(page)).toBe('No matching tokens')
    }))

  it('the page announces the next page even when it shows the same number of tokens', () =>
    play({ before: seed, at: '?size=10' }, async ({ page }) => {
      await expect.poll(() => heard(page)).toBe('10 tokens shown')
      const told = await listen(page)
      await press(page, 'Next')
      await expect.poll(told).toEqual(['2 tokens shown. Page 2'])
      await press(page, 'Previous')
      await expect.poll(told).toEqual(['2 tokens shown. Page 2', '10 tokens shown'])
      for (const times of [1, 2]) {
        await press(page, 'Token')
        await expect.poll(async () => (await told()).slice(2)).toEqual(Array.from({ length: times }, () => '10 tokens shown'))
      }
    }))

  it('focus never falls back to the document', () =>
    play({ before: seed, at: '?q=nothing' }, async ({ page }) => {
      const check = (message: string) => expect.poll(() => focusIsSomewhere(page), { message }).toBe(true)
      await press(page, 'Clear filters')
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      await check('after the filters were cleared')
      await page.getByRole('checkbox', { name: 'Select Price feed' }).check()
      await page.getByRole('region', { name: '1 selected' }).getByRole('button', { name: 'Deactivate' }).click()
      await page.getByText('1 token changed').waitFor()
      await check('after the selection bar disappeared')
      await page.getByRole('checkbox', { name: 'Select Price feed' }).check()
      await page.getByRole('region', { name: '1 selected' }).getByRole('button', { name: 'Revoke' }).click()
      await confirm(page, 'Revoke permanently')
      await page.getByText('1 token changed').waitFor()
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
      await check('after the dialog of a bar that disappeared')
      await createByPage(page, 'New')
      await keep(page)
      await check('after a token was shown')
      await page.getByRole('link', { name: 'New' }).click()
      await page.getByRole('heading', { name: 'New' }).waitFor()
      await check('on the page of a token')
      await press(page, 'Revoke')
      await confirm(page, 'Revoke permanently')
      await page
        .getByText(/This cannot be undone\.$/)
        .first()
        .waitFor()
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
      // Checked while the message is still shown. When it disappears, the page changes again, and that change must not be what restores the focus.
      await expect.poll(() => focusBeside(page, 'Token revoked'), { message: 'after a revocation' }).toBe(true)
      await page.getByRole('link', { name: 'All tokens' }).click()
      await page.getByRole('link', { name: 'Web shop' }).waitFor()
      await check('back in the list')
    }))
})

describe.skipIf(skip !== undefined)(`with a screen reader, for several tokens ${skip ?? ''}`, () => {
  const play = stage(path)
  const check = (page: Page, message: string) => expect.poll(() => focusIsSomewhere(page), { message }).toBe(true)

  it('the page announces what a bulk change will break, its progress and its result, and keeps focus', () =>
    play({ before: seed }, async ({ page, world }) => {
      const told = (text: RegExp | string) => page.getByRole('status').getByText(text).first().waitFor()
      await page.route(/\/deactivate$/, () => new Promise(() => {}))
      await page.getByRole('checkbox', { name: 'Select all on this page' }).check()
      await page
        .getByRole('region', { name: /selected/ })
        .getByRole('button', { name: 'Deactivate' })
        .click()
      await page
        .getByRole('status')
        .getByText(/^0 of \d+$/)
        .waitFor()
      await page.getByRole('link', { name: 'Audit log' }).click()
      await confirm(page, 'Stop and leave')
      await expect.poll(() => heard(page)).toMatch(/^\d+ events shown$/)
      await check(page, 'on another screen, once a change was stopped')
      await page.unrouteAll({ behavior: 'ignoreErrors' })
      await page.goto(world.url)
      await press(page, 'Revoke all')
      const dialog = page.getByRole('dialog')
      await dialog.getByText('All tokens', { exact: true }).click()
      await told('11 tokens will be revoked.')
      await told('8 of them were used in the last 30 days. Calls that use them will fail.')
      await dialog.getByLabel(/^Type/).fill('revoke everything')
      await dialog.getByRole('button', { name: 'Revoke these tokens' }).click()
      await told('11 tokens revoked')
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
      await check(page, 'after all were revoked')
    }))
})

describe.skipIf(skip !== undefined)(`in other languages ${skip ?? ''}`, () => {
  const play = stage(path)

  it('the page runs from right to left in Arabic and uses Arabic plural forms', () =>
    play(
      {
        ...one,
        dashboard: {
          language: 'ar',
          texts: { 'list.shown': '{count} رمز', 'list.shown.one': 'رمز واحد', 'list.shown.two': 'رمزان', 'list.shown.few': '{count} رموز' },
        },
      },
      async ({ page, world }) => {
        await expect.poll(() => page.locator('html').getAttribute('dir')).toBe('rtl')
        const shown = page.locator('.pager .muted')
        await expect.poll(() => shown.textContent()).toBe('رمز واحد')
        await world.tokens.system.create({ name: 'b', scopes: [] })
        await page.reload()
        await expect.poll(() => shown.textContent()).toBe('رمزان')
        await world.tokens.system.create({ name: 'c', scopes: [] })
        await page.reload()
        await expect.poll(() => shown.textContent()).toMatch(/^[٣3] رموز$/)
        const [name, box] = await Promise.all(
          [page.locator('a.token-name').first(), page.locator('.card').first()].map((place) => place.boundingBox()),
        )
        expect(name?.x).toBeGreaterThan((box?.x ?? 0) + (box?.width ?? 0) / 2)
      },
    ))

  it('names in a different writing direction are isolated from the surrounding sentence', () =>
    play(
      { before: ({ tokens }) => tokens.as({ id: 'علي', tenants: '*', manages: 'all' }).create({ name: 'مرحبا (1)', scopes: [] }) },
      async ({ page }) => {
        await expect.poll(() => page.locator('a.token-name bdi').textContent()).toBe('مرحبا (1)')
        await page.locator('a.token-name').click()
        await press(page, 'Revoke')
        await expect.poll(() => page.getByRole('dialog').locator('h2 bdi').textContent()).toBe('مرحبا (1)')
        await page.keyboard.press('Escape')
        await expect.poll(() => page.locator('.audit bdi').first().textContent()).toBe('علي')
      },
    ))

  it('field names are translated, and server messages are marked as English', () =>
    play(
      {
        ...one,
        dashboard: {
          language: 'de',
          texts: { 'field.name': 'Bezeichnung', 'code.invalid_input': 'Ein Wert wurde nicht angenommen.' },
        },
      },
      async ({ page, world }) => {
        await page.getByRole('link', { name: 'ERP' }).click()
        const [{ id } = { id: '' }] = (await world.tokens.system.list()).items
        await world.tokens.system.update(id, { name: 'ERP 2' })
        await page.reload()
        await page.locator('.audit summary').first().click()
        await page.getByRole('row', { name: 'Bezeichnung ERP ERP 2' }).waitFor()
        await press(page, 'Bearbeiten')
        await page.getByRole('dialog').getByLabel('Metadaten').fill('{"constructor": 1}')
        await confirm(page, 'Änderungen speichern')
        const error = page.getByRole('dialog').locator('.field .error')
        await error.getByText('Ein Wert wurde nicht angenommen.').waitFor()
        await expect.poll(() => error.locator('[lang="en"]').textContent()).toMatch(/constructor/)
      },
    ))
})

describe.skipIf(skip !== undefined)(`on other media ${skip ?? ''}`, () => {
  const play = stage(path)

  it('shapes and states remain distinct in forced colors', () =>
    play({ before: seed, context: { forcedColors: 'active' } }, async ({ page }) => {
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      const style = (selector: string, name: string): Promise<string> =>
        page
          .locator(selector)
          .first()
          .evaluate((node, property) => getComputedStyle(node).getPropertyValue(property), name)
      await expect.poll(() => page.locator('.spark path:not(.none):not([d=""])').count()).toBeGreaterThan(0)
      expect(await style('.spark path:not(.none):not([d=""])', 'fill')).not.toBe(await style('.card', 'background-color'))
      expect(await style('.badge', 'border-top-style')).toBe('solid')
      expect(await style('.view[aria-pressed="true"]', 'background-color')).not.toBe(
        await style('.view[aria-pressed="false"]', 'background-color'),
      )
    }))

  it('the printed page shows data in dark on white without buttons', () =>
    play({ before: seed, context: { colorScheme: 'dark' } }, async ({ page }) => {
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
      for (const name of ['Create token', 'Revoke all', 'Next'])
        expect(await page.getByRole('button', { name }).first().isVisible()).toBe(false)
      await expect.poll(() => page.getByRole('link', { name: 'Price feed' }).isVisible()).toBe(true)
      const colours = await page.evaluate(() =>
        [document.body, document.querySelector('.card'), document.querySelector('a.token-name')]
          .map((node) => node && getComputedStyle(node))
          .map((style) => [style?.backgroundColor, style?.color]),
      )
      expect(colours[0]?.[0]).toBe('rgb(255, 255, 255)')
      expect(colours[1]?.[0]).toBe('rgb(255, 255, 255)')
      expect(colours[2]?.[1]).toBe('rgb(23, 28, 36)')
    }))

  it("the page scales with the browser's font size", () =>
    play({ before: seed }, async ({ page }) => {
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      const size = (): Promise<number> =>
        page
          .locator('a.token-name')
          .first()
          .evaluate((node) => Number.parseFloat(getComputedStyle(node).fontSize))
      const before = await size()
      const client = await page.context().newCDPSession(page)
      await client.send('Page.enable')
      await client.send('Page.setFontSizes', { fontSizes: { standard: 24 } })
      await expect.poll(size).toBeCloseTo(before * 1.5)
      const widest = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      expect(widest).toBeLessThanOrEqual(0)
    }))
})
